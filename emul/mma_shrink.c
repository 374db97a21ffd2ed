/* mma_shrink.c - a separating input made small: each change is kept where the models still differ, until none is. */
#include <string.h>

#include "mma_hunt.h"

/* Bounds the work: an input of a thousand k has about so many changes to try in a few rounds. */
enum { SHRINK_TRIES = 20000 };

/* 1 where the models differ on the changed input; else the input is as it was. */
static int keeps(mma_trial *t, const fpx_mma_witness *was)
{
    if (mma_trial_differs(t))
        return 1;
    t->at = *was;
    return 0;
}

static void remove_run(uint64_t *codes, size_t n, size_t i, size_t length)
{
    memmove(codes + i, codes + i + length, (n - i - length) * sizeof codes[0]);
}

/* Runs of `length` k, from the end; with their scales where they are whole blocks of them. */
static int without_runs(mma_trial *t, fpx_mma_witness *was, size_t length)
{
    fpx_mma_witness *const w = &t->at;
    const size_t block = w->domain.scale_block;
    int any = 0;

    for (size_t run = w->k / length; run-- > 0 && length < w->k;) {
        const size_t i = run * length;
        *was = *w;
        if (block > 0 && length % block == 0) {
            const size_t scales = w->k / block + (w->k % block != 0);
            remove_run(w->scale_a, scales, i / block, length / block);
            remove_run(w->scale_b, scales, i / block, length / block);
        }
        remove_run(w->a, w->k, i, length);
        remove_run(w->b, w->k, i, length);
        w->k -= length;
        any |= keeps(t, was);
    }
    return any;
}

/* Longer runs keep what is left where it was in a block, of scales too, or in its vector of a step. */
static int without_k(mma_trial *t, fpx_mma_witness *was)
{
    const fpx_mma_model *const m = t->model[0];
    const size_t lengths[] = { m->block, t->at.domain.scale_block, m->group,
                               m->vectors > 1 ? (size_t)m->width * m->vectors : 0, 1 };
    int any = 0;

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        if (lengths[i] > 0)
            any |= without_runs(t, was, lengths[i]);
    }
    return any;
}

static uint64_t one_of(const fpx_format *format)
{
    uint64_t one = 0;

    (void)mma_power_of_two(format, 0, 0, &one);
    return one;
}

/* The code becomes the first of these simpler ones that still separates. simplest: 0, or 1 for a scale. */
static int simpler(mma_trial *t, fpx_mma_witness *was, uint64_t *code, uint64_t simplest,
                   const fpx_format *format)
{
    const uint64_t sign =
        (format->flags & FPX_FORMAT_UNSIGNED) != 0 ? 0 : UINT64_C(1) << (format->bits - 1);
    const uint64_t fraction = (UINT64_C(1) << format->mbits) - 1;
    const uint64_t tries[] = {
        simplest,          one_of(format), one_of(format) | sign, *code & ~fraction & ~sign,
        *code & ~fraction, *code & ~sign
    };

    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        if (tries[i] == *code)
            return 0; /* already as simple as that */
        *was = t->at;
        *code = tries[i];
        if (keeps(t, was))
            return 1;
    }
    return 0;
}

/* Product i becomes 0 times 0. */
static int without_product(mma_trial *t, fpx_mma_witness *was, size_t i)
{
    if (t->at.a[i] == 0 && t->at.b[i] == 0)
        return 0;
    *was = t->at;
    t->at.a[i] = t->at.b[i] = 0;
    return keeps(t, was);
}

void mma_shrink(mma_trial *t)
{
    fpx_mma_witness *const w = &t->at;
    fpx_mma_witness was;
    const size_t end = t->tries + SHRINK_TRIES;
    int any = 1;

    while (any && t->tries < end) {
        any = without_k(t, &was);
        for (size_t i = 0; i < w->k; i++)
            any |= without_product(t, &was, i);
        any |= simpler(t, &was, &w->c, 0, &t->model[0]->format);
        for (size_t i = 0; i < w->k; i++) {
            any |= simpler(t, &was, &w->a[i], 0, &w->domain.a);
            any |= simpler(t, &was, &w->b[i], 0, &w->domain.b);
        }
        for (size_t i = 0; w->domain.scale_block > 0 && i * w->domain.scale_block < w->k; i++) {
            any |= simpler(t, &was, &w->scale_a[i], one_of(&w->domain.scale), &w->domain.scale);
            any |= simpler(t, &was, &w->scale_b[i], one_of(&w->domain.scale), &w->domain.scale);
        }
    }
    (void)mma_trial_differs(t); /* d is this input's */
}
