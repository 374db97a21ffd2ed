/* mma_trial.c - inputs of one output, built and run. mma_rows is fpx_mma's loop; its checks were made once for the two
 * models, and what is found goes through fpx_mma itself. */
#include "mma_trial.h"

#include <string.h>

int mma_exponent_lowest(const fpx_format *format)
{
    return mma_least_exponent(format) - format->mbits;
}

int mma_exponent_highest(const fpx_format *format)
{
    const mma_number largest = mma_number_of(format, format->max_code);

    return mma_top_bit(largest.m) + largest.q;
}

int mma_power_of_two(const fpx_format *format, int negative, int q, uint64_t *ret_code)
{
    const int least = mma_least_exponent(format);
    const int has_zero = (format->flags & FPX_FORMAT_NO_ZERO) == 0;
    const int has_sign = (format->flags & FPX_FORMAT_UNSIGNED) == 0;

    if (q < mma_exponent_lowest(format) || q > mma_exponent_highest(format) ||
        (negative && !has_sign))
        return 0;
    *ret_code = q >= least ? (uint64_t)(q - least + has_zero) << format->mbits
                           : UINT64_C(1) << (format->mbits - (least - q));
    *ret_code |= (uint64_t)negative << (format->bits - 1);
    return 1;
}

static size_t scales_of(const fpx_mma_witness *w)
{
    const size_t block = w->domain.scale_block;

    return block == 0 ? 0 : w->k / block + (w->k % block != 0);
}

static void put_scales(mma_trial *t, size_t block, int e)
{
    const fpx_format *const format = &t->at.domain.scale;
    const int half = e >= 0 ? e / 2 : -(-e / 2);

    (void)mma_power_of_two(format, 0, half, &t->at.scale_a[block]);
    (void)mma_power_of_two(format, 0, e - half, &t->at.scale_b[block]);
    t->scale_e[block] = e;
}

void mma_trial_clear(mma_trial *t, size_t k)
{
    fpx_mma_witness *const w = &t->at;

    w->k = k;
    w->c = 0;
    memset(w->a, 0, k * sizeof w->a[0]);
    memset(w->b, 0, k * sizeof w->b[0]);
    for (size_t i = 0; i < scales_of(w); i++) {
        put_scales(t, i, 0);
        t->is_claimed[i] = 0;
    }
}

static int clamped(int x, int least, int most)
{
    return x < least ? least : x > most ? most : x;
}

int mma_trial_put(mma_trial *t, size_t i, int negative, int q, int lean)
{
    fpx_mma_witness *const w = &t->at;
    const fpx_mma_domain *const d = &w->domain;
    const int low_a = mma_exponent_lowest(&d->a), high_a = mma_exponent_highest(&d->a);
    const int low_b = mma_exponent_lowest(&d->b), high_b = mma_exponent_highest(&d->b);

    if (i >= w->k)
        return 0;
    if (d->scale_block > 0) {
        const size_t block = i / d->scale_block;
        const int low = mma_exponent_lowest(&d->scale), high = mma_exponent_highest(&d->scale);
        /* Near 1 the elements have room on both sides for what comes later. */
        if (!t->is_claimed[block])
            put_scales(t, block, clamped(q - clamped(q, -2, 1), 2 * low, 2 * high));
        t->is_claimed[block] = 1;
        q -= t->scale_e[block];
    }
    if (q < low_a + low_b || q > high_a + high_b)
        return 0;
    const int least = q - high_b > low_a ? q - high_b : low_a;
    const int most = q - low_b < high_a ? q - low_b : high_a;
    const int q_a = clamped((q >= 0 ? q / 2 : -(-q / 2)) + lean, least, most);
    return mma_power_of_two(&d->a, negative, q_a, &w->a[i]) &&
           mma_power_of_two(&d->b, 0, q - q_a, &w->b[i]);
}

int mma_trial_put_c(mma_trial *t, int negative, int q)
{
    return mma_power_of_two(&t->model[0]->format, negative, q, &t->at.c);
}

void mma_trial_range(const fpx_mma_domain *d, int *ret_lowest, int *ret_highest)
{
    *ret_lowest = mma_exponent_lowest(&d->a) + mma_exponent_lowest(&d->b);
    *ret_highest = mma_exponent_highest(&d->a) + mma_exponent_highest(&d->b);
    if (d->scale_block > 0) {
        *ret_lowest += 2 * mma_exponent_lowest(&d->scale);
        *ret_highest += 2 * mma_exponent_highest(&d->scale);
    }
}

static void store(const fpx_format *format, const uint64_t *codes, size_t n, unsigned char *to)
{
    for (size_t i = 0; i < n; i++)
        mma_code_store(format, to, i, codes[i]);
}

/* The call of an input whose codes are stored; c: room for one code. */
static fpx_mma_call call_of(const fpx_mma_witness *w, const fpx_format *out,
                            unsigned char codes[4][FPX_MMA_WITNESS_MAX * 8], unsigned char *c)
{
    const fpx_mma_domain *const d = &w->domain;
    fpx_mma_call call = { .m = 1, .n = 1, .k = w->k, .c = c, .c_format = *out, .stride_d = 1 };

    call.a = (fpx_mma_operand){ .format = d->a, .codes = codes[0], .stride_k = 1 };
    call.b = (fpx_mma_operand){ .format = d->b, .codes = codes[1], .stride_k = 1 };
    store(&d->a, w->a, w->k, codes[0]);
    store(&d->b, w->b, w->k, codes[1]);
    store(out, &w->c, 1, c);
    if (d->scale_block > 0) {
        call.a.scales = codes[2];
        call.b.scales = codes[3];
        call.a.scale_format = call.b.scale_format = d->scale;
        call.a.scale_block = call.b.scale_block = d->scale_block;
        call.a.scale_stride_k = call.b.scale_stride_k = 1;
        store(&d->scale, w->scale_a, scales_of(w), codes[2]);
        store(&d->scale, w->scale_b, scales_of(w), codes[3]);
    }
    return call;
}

int mma_trial_differs(mma_trial *t)
{
    const fpx_format *const out = &t->model[0]->format;
    unsigned char c[8], d[8];

    if (!t->is_over && t->watcher != NULL)
        t->is_over = t->watcher->is_over(t->watcher->context, t->tries);
    if (t->is_over)
        return 0;
    const fpx_mma_call call = call_of(&t->at, out, t->codes, c);

    for (int i = 0; i < 2; i++) {
        mma_rows(t->model[i], &call, d, 0, 1);
        t->at.d[i] = fpx_format_code(out, d, 0);
    }
    t->tries++;
    return t->at.d[0] != t->at.d[1];
}

fpx_status fpx_mma_witness_run(const fpx_mma_model *model, const fpx_mma_witness *witness,
                               uint64_t *ret_d, fpx_error *err)
{
    unsigned char codes[4][FPX_MMA_WITNESS_MAX * 8], c[8], d[8];

    if (witness->k > FPX_MMA_WITNESS_MAX)
        return fpx_error_set(err, FPX_EINVAL, "a witness has at most %d k, not %zu",
                             FPX_MMA_WITNESS_MAX, witness->k);
    const fpx_mma_call call = call_of(witness, &model->format, codes, c);
    const fpx_status status = fpx_mma(model, &call, d, err);

    if (status == FPX_OK)
        *ret_d = fpx_format_code(&model->format, d, 0);
    return status;
}

uint64_t mma_trial_next(mma_trial *t)
{
    uint64_t z = t->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t mma_trial_below(mma_trial *t, size_t n)
{
    return (size_t)(mma_trial_next(t) % n);
}
