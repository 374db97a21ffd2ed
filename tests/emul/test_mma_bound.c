/* test_mma_bound.c - the bounds of fpx/mma_bound.h against true errors: MPFR holds every exact value. Every preset and
 * random models around them, every kind of data; for each preset a search for inputs whose error comes near the bound;
 * units of one bit less, and flipped bits, that must lie beyond it.
 *
 * test_mma_bound [CASES [SEED]]: random cases after those of the presets. */
#include <inttypes.h>
#include <math.h>
#include <mpfr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/mma_bound.h>

#include "mma_draw.h"

enum {
    M = 3,
    N = 3,
    K_MAX = 160,
    PRECISION = 5200 /* products of float64 with scales: 2^-2402 to 2^2302, and 2^8 of them */
};

static struct operands {
    unsigned char a[M * K_MAX * 8], b[N * K_MAX * 8], c[M * N * 8], d[M * N * 8];
    unsigned char scales_a[M * K_MAX], scales_b[N * K_MAX];
} data, best;

static int failures;
static size_t outputs, open_outputs, mutants;

static void expect(int holds, const char *model, const char *what, double x, double y)
{
    if (!holds && failures++ < 20)
        (void)printf("%s: not so: %s: %a, %a\n", model, what, x, y);
}

/* The value of element k of a line, scale included; rounded as nothing is. */
static void value_at(const fpx_mma_operand *o, size_t vector, size_t k, mpfr_t value)
{
    const size_t at = vector * o->stride_vector + k * o->stride_k;

    mpfr_set_d(value, fpx_format_value(&o->format, fpx_format_code(&o->format, o->codes, at)),
               MPFR_RNDN);
    if (o->scales != NULL)
        mpfr_mul_d(value, value,
                   fpx_format_value(&o->scale_format,
                                    fpx_format_code(&o->scale_format, o->scales,
                                                    vector * o->scale_stride_vector +
                                                        k / o->scale_block * o->scale_stride_k)),
                   MPFR_RNDN);
}

/* |D[i][j] - exact|, rounded upward; NaN where an operand is no number. */
static double true_error(const fpx_mma_model *model, const fpx_mma_call *call, size_t i, size_t j,
                         const void *d)
{
    mpfr_t sum, x, y;

    mpfr_inits2(PRECISION, sum, x, y, (mpfr_ptr)0);
    mpfr_set_d(sum,
               -fpx_format_value(&model->format,
                                 fpx_format_code(&model->format, d, i * call->stride_d + j)),
               MPFR_RNDN);
    const int is_number = mpfr_number_p(sum);
    if (!is_number)
        mpfr_set_zero(sum, 1);
    if (call->c != NULL)
        mpfr_add_d(sum, sum,
                   fpx_format_value(&call->c_format, fpx_format_code(&call->c_format, call->c,
                                                                     i * call->stride_c_row + j)),
                   MPFR_RNDN);
    for (size_t k = 0; k < call->k; k++) {
        value_at(&call->a, i, k, x);
        value_at(&call->b, j, k, y);
        (void)mpfr_fma(sum, x, y, sum, MPFR_RNDN);
    }
    const double error = fabs(mpfr_get_d(sum, MPFR_RNDA));
    const int is_finite = mpfr_number_p(sum);
    mpfr_clears(sum, x, y, (mpfr_ptr)0);
    return !is_finite ? (double)NAN : is_number ? error : HUGE_VAL;
}

/* The largest ratios of error to bound. */
typedef struct ratios {
    double cheap, tight;
} ratios;

static ratios check_output(const fpx_mma_bounds *b, size_t i, size_t j, const fpx_mma_extent *row,
                           const fpx_mma_extent *column)
{
    const fpx_mma_call *const call = b->call;
    const char *const name = b->model->name;
    const double cheap = fpx_mma_bound_cheap(b, i, j, row, column);
    const double tight = fpx_mma_bound_tight(b, i, j);
    const double error = true_error(b->model, call, i, j, data.d);
    fpx_accumulator sum;

    outputs++;
    expect(tight >= 0.0, name, "a bound is a number", tight, cheap);
    expect(tight <= cheap * (1.0 + 0x1p-30) + 0x1p-1060, name, "tight <= cheap", tight, cheap);
    if (isnan(error)) {
        expect(isinf(tight), name, "no claim is made of NaN and Inf", tight, error);
        return (ratios){ 0.0, 0.0 };
    }
    open_outputs += isinf(tight) != 0;
    fpx_mma_exact(call, i, j, &sum);
    const uint64_t code = fpx_format_code(&b->model->format, data.d, i * call->stride_d + j);
    const double mine = fpx_mma_error(b, code, &sum), least = fpx_mma_bound_least(b, &sum);
    expect(mine >= error && (isinf(mine) || mine <= error * (1.0 + 0x1p-51) + 0x1p-1073), name,
           "fpx_mma_error is MPFR's", mine, error);
    for (uint64_t near = code - 1; near != code + 2; near++) {
        const double off = fpx_mma_error(b, near, &sum);
        expect(!(off < least) || off <= tight, name, "an error below least is innocent", off,
               tight);
    }
    expect(error <= tight, name, "error <= tight", error, tight);
    expect(error <= cheap, name, "error <= cheap", error, cheap);
    return (ratios){ error > 0.0 && cheap <= 1e300 ? error / cheap : 0.0,
                     error > 0.0 && tight <= 1e300 ? error / tight : 0.0 };
}

static ratios check_call(const fpx_mma_model *model, const fpx_mma_call *call)
{
    ratios most = { 0.0, 0.0 };
    fpx_mma_bounds bounds;
    fpx_error err = { 0 };
    const fpx_status status = fpx_mma(model, call, data.d, &err);

    expect(fpx_mma_bounds_make(model, call, &bounds, NULL) == status, model->name,
           "the statuses of fpx_mma", (double)status, 0.0);
    if (status != FPX_OK) /* operands that the model has no room for */
        return most;
    for (size_t i = 0; i < call->m; i++) {
        const fpx_mma_extent row = fpx_mma_bound_row(&bounds, i);
        for (size_t j = 0; j < call->n; j++) {
            const fpx_mma_extent column = fpx_mma_bound_column(&bounds, j);
            const ratios r = check_output(&bounds, i, j, &row, &column);
            most.cheap = r.cheap > most.cheap ? r.cheap : most.cheap;
            most.tight = r.tight > most.tight ? r.tight : most.tight;
        }
    }
    return most;
}

/* Any format of a preset's list; float64 where it takes that alone. */
static const fpx_format *format_of(const fpx_mma_preset *p)
{
    const fpx_format *const f = input_of(p);

    return f == NULL || (p->inputs == NULL && below(8) == 0) ? &fpx_fp64 : f;
}

static void fill_scales(fpx_mma_operand *o, const fpx_format *format, size_t block,
                        unsigned char *codes)
{
    const int is_any = below(4) == 0;
    const size_t middle = (size_t)format->bias << format->mbits;

    o->scales = codes;
    o->scale_format = *format;
    o->scale_block = block;
    o->scale_stride_k = 1;
    o->scale_stride_vector = K_MAX;
    for (size_t i = 0; i < M * K_MAX; i++)
        codes[i] = (unsigned char)(is_any ? below(255) : middle - 8 + below(16));
}

static void fill_c(fpx_mma_call *call, const fpx_mma_model *model, int exponent)
{
    static const fpx_format *const formats[] = { &fpx_fp32, &fpx_fp16, &fpx_bf16, &fpx_fp64 };
    const struct kind kind = { "c", 8, 0, 0, 16, below(8) == 0 ? 8 : 0, 0 };
    const size_t how = below(4);

    call->c_format = below(4) != 0 ? model->format : *formats[below(4)];
    call->stride_c_row = N;
    call->stride_c_column = 1;
    call->c = how == 0 ? NULL : data.c;
    int window = exponent + call->c_format.bias + (int)below(41) - 20;
    if (how == 1)
        window = (int)below(field_max(&call->c_format) + 1);
    for (size_t i = 0; i < M * N; i++)
        put(&call->c_format, FPX_PACK_NONE, data.c, i,
            code_of(&call->c_format, &kind, window > 0 ? (unsigned)window : 0));
}

/* A call of this preset and data of this kind. */
static fpx_mma_call draw(const fpx_mma_preset *p, const fpx_mma_model *model,
                         const struct kind *kind, size_t k)
{
    const fpx_format *const a = format_of(p), *const b = below(2) == 0 ? a : format_of(p);
    const unsigned window_a = window_of(a, kind), window_b = window_of(b, kind);
    fpx_mma_call call = {
        .m = M,
        .n = N,
        .k = k,
        .a = { .format = *a, .codes = data.a, .stride_vector = K_MAX, .stride_k = 1 },
        .b = { .format = *b, .codes = data.b, .stride_vector = 1, .stride_k = N },
        .stride_d = N
    };

    for (size_t t = 0; t < k; t++) {
        const int pairs = kind->pairs && t % 2 == 1;
        for (size_t i = 0; i < M; i++) {
            const size_t at = i * K_MAX + t;
            put(a, FPX_PACK_NONE, data.a, at,
                pairs && below(16) != 0 ? fpx_format_code(a, data.a, at - 1)
                                        : code_of(a, kind, window_a));
        }
        for (size_t j = 0; j < N; j++)
            put(b, FPX_PACK_NONE, data.b, t * N + j,
                pairs ? fpx_format_code(b, data.b, (t - 1) * N + j) ^ (UINT64_C(1) << (b->bits - 1))
                      : code_of(b, kind, window_b));
    }
    if (p->scales != NULL) {
        size_t block = 0;
        const fpx_format *const scale = scale_of(p->scales, &block);
        fill_scales(&call.a, scale, block, data.scales_a);
        fill_scales(&call.b, scale, block, data.scales_b);
    }
    fill_c(&call, model, (int)window_a - a->bias + (int)window_b - b->bias);
    return call;
}

/* Other numbers in some fields. */
static fpx_mma_model changed(const fpx_mma_model *from)
{
    fpx_mma_model m = *from;
    const int is_aligned = m.sum == FPX_MMA_ALIGNED, is_joined = m.c == FPX_MMA_C_JOINED;

    if (below(3) == 0)
        m.round = (uint8_t)below(FPX_RZ + 1);
    if (below(3) == 0 && m.sum <= FPX_MMA_EXACT)
        m.fraction_out = (uint8_t)between(1, m.format.mbits);
    if (below(3) == 0 && m.sum == FPX_MMA_TREE)
        m.flush_results = 1;
    if (below(3) == 0 && !is_aligned)
        m.block = (uint32_t)below(20);
    if (below(4) == 0)
        m.drop = (uint8_t)below(23);
    if (is_aligned) {
        if (below(2) == 0)
            m.fraction = (uint8_t)between(1, 40);
        if (below(2) == 0 && m.group == 0)
            m.block = (uint32_t)between(1, 40);
        if (below(4) == 0)
            m.e_least = (int16_t)(0 - (int)between(1, 140));
        if (below(3) == 0)
            m.e_zero = (int16_t)(below(2) == 0 ? FPX_MMA_ZERO_ABSENT : (int)below(300) - 200);
        if (below(4) == 0)
            m.e_infinite = (int16_t)between(1, 128);
    }
    if (is_joined && below(2) == 0) {
        m.parities = (uint8_t)between(1, 2);
        m.fraction_sum = (uint8_t)between(1, 40);
        m.fraction_c = (uint8_t)between(1, 40);
        m.fraction_all = (uint8_t)below(40);
        m.gap_c = (uint8_t)below(40);
    }
    if (below(2) == 0 && m.group == 0) {
        m.step = (uint32_t)between(1, 40);
        m.vectors = (uint16_t)between(1, 3);
        m.width = (uint16_t)(m.vectors > 1 ? between(1, 5) : 0);
        m.promote = (uint32_t)below(4) * m.step;
        m.split = (uint32_t)below(5);
        m.tile = m.split > 1 ? (uint32_t)between(1, 3) * m.step : 0;
        m.deal = m.split > 1 ? (uint8_t)below(2) : 0;
        m.combine = m.split > 1 ? (uint8_t)below(2) : 0;
        if (!is_joined)
            m.c = below(2) == 0 ? FPX_MMA_C_LATE : FPX_MMA_C_EARLY;
    }
    return m;
}

/* Changes single codes for as long as the error grows against the tight bound: a hill is climbed from the best of some
 * draws. Returns the largest error / bound. */
static double climb(const fpx_mma_preset *p, int draws, int tries)

{
    const fpx_mma_model *const model = &p->model;
    const size_t block = model->block == 0 ? 8 : model->block;
    const size_t k = model->vectors > 1 ? block * model->vectors : block < K_MAX ? block : K_MAX;
    double most = -1.0;
    fpx_mma_call call = { 0 }, top = { 0 };

    for (int t = 0; t < draws + tries; t++) {
        const int is_draw = t < draws;
        fpx_mma_bounds bounds;

        if (is_draw) {
            call = draw(p, model, &kinds[below(KINDS)], k);
            call.m = call.n = 1;
        } else {
            data = best;
            call = top;
            const int of_a = below(2) == 0;
            fpx_mma_operand *const o = of_a ? &call.a : &call.b;
            const size_t at = below(k) * o->stride_k;
            put(&o->format, FPX_PACK_NONE, of_a ? data.a : data.b, at,
                below(3) == 0
                    ? code_of(&o->format, &kinds[2], (unsigned)below(field_max(&o->format) + 1))
                    : fpx_format_code(&o->format, o->codes, at) ^ UINT64_C(1)
                                                                      << below(o->format.bits));
        }
        if (fpx_mma(model, &call, data.d, NULL) != FPX_OK)
            continue;
        (void)fpx_mma_bounds_make(model, &call, &bounds, NULL);
        const double tight = fpx_mma_bound_tight(&bounds, 0, 0);
        if (!(tight > 0.0 && tight <= 1e300))
            continue;
        const double ratio = true_error(model, &call, 0, 0, data.d) / tight;
        if (ratio >= most) {
            most = ratio;
            best = data;
            top = call;
        }
    }
    return most;
}

/* The code of 2^e, or of the number below 2^(e + 1). */
static uint64_t code_near(const fpx_format *f, int e, int is_below)
{
    return (uint64_t)(e + f->bias) << f->mbits | (is_below ? (UINT64_C(1) << f->mbits) - 1 : 0);
}

/* A unit that keeps one bit less of each term is found out where that bit is not small beside the last conversion. The
 * first product is 2^E, each other one a little below 2^(E - F + 1): the mutant drops it whole, nearly twice what a unit of
 * F bits may cut. */
static void check_mutant(const fpx_mma_preset *p)
{
    char name[FPX_FORMAT_NAME_MAX] = { 0 };
    fpx_mma_model less = p->model;
    fpx_mma_bounds bounds;

    if (less.sum != FPX_MMA_ALIGNED || less.group > 0 || less.block < 8 ||
        less.fraction > less.fraction_out + 2)
        return;
    less.fraction--;
    memcpy(name, p->inputs, strcspn(p->inputs, " "));
    const fpx_format *const f = fpx_format_find(name);
    const int most = (int)field_max(f) - f->bias, top = most < 15 ? most : 15;
    const int low = 2 * top - p->model.fraction - 1; /* two significands near 2 make 4 of it */
    const int low_a = low < 0 ? -((1 - low) / 2) : low / 2;
    fpx_mma_call call = { .m = 1,
                          .n = 1,
                          .k = p->model.block * (size_t)p->model.vectors,
                          .a = { .format = *f, .codes = data.a, .stride_k = 1 },
                          .b = { .format = *f, .codes = data.b, .stride_k = 1 },
                          .stride_d = 1 };

    for (size_t k = 0; k < call.k; k++) {
        put(f, FPX_PACK_NONE, data.a, k, code_near(f, k == 0 ? top : low_a, k > 0));
        put(f, FPX_PACK_NONE, data.b, k, code_near(f, k == 0 ? top : low - low_a, k > 0));
    }
    (void)fpx_mma_bounds_make(&p->model, &call, &bounds, NULL);
    const double tight = fpx_mma_bound_tight(&bounds, 0, 0);
    (void)fpx_mma(&p->model, &call, data.d, NULL);
    const double right = true_error(&p->model, &call, 0, 0, data.d);
    (void)fpx_mma(&less, &call, data.d, NULL);
    const double wrong = true_error(&p->model, &call, 0, 0, data.d);
    expect(right <= tight, p->model.name, "the unit itself is within the bound", right, tight);
    expect(wrong > tight, p->model.name, "a fraction of one bit less is beyond the bound", wrong,
           tight);
    mutants++;
}

/* Two parities: the odd product, 1.875 2^(E-24), loses 0.875 of that place where it meets the even one, 2^E, and the rest
 * in a tie to even: both departures at once. */
static void check_parities(void)
{
    const fpx_format *const f = &fpx_e4m3fnuz;
    fpx_mma_call call = { .m = 1,
                          .n = 1,
                          .k = 2,
                          .a = { .format = *f, .codes = data.a, .stride_k = 1 },
                          .b = { .format = *f, .codes = data.b, .stride_k = 1 },
                          .stride_d = 1 };
    fpx_mma_bounds bounds;
    fpx_mma_preset p;

    for (size_t k = 0; k < call.k; k++) {
        put(f, FPX_PACK_NONE, data.a, k, code_near(f, k == 0 ? 7 : -5, k > 0));
        put(f, FPX_PACK_NONE, data.b, k, code_near(f, k == 0 ? 7 : -5, 0));
    }
    (void)fpx_mma_preset_find("cdna3/mfma/fp8-fp32", &p, NULL);
    (void)fpx_mma_bounds_make(&p.model, &call, &bounds, NULL);
    (void)fpx_mma(&p.model, &call, data.d, NULL);
    const double error = true_error(&p.model, &call, 0, 0, data.d);
    const double tight = fpx_mma_bound_tight(&bounds, 0, 0);
    expect(error <= tight && error > 0.9 * tight, p.model.name, "both departures of parities",
           error, tight);
}

/* The first fraction bit of a result without cancellation, flipped, is beyond the cheap bound. */
static void check_flip(const fpx_mma_preset *p)
{
    fpx_mma_call call = draw(p, &p->model, &kinds[6], 32); /* full: one exponent, all positive */
    fpx_mma_bounds bounds;
    fpx_accumulator sum;

    call.c = NULL;
    if (p->scales != NULL) {
        memset(data.scales_a, 0x38, sizeof data.scales_a);
        memset(data.scales_b, 0x38, sizeof data.scales_b);
    }
    if (fpx_mma(&p->model, &call, data.d, NULL) != FPX_OK)
        return;
    (void)fpx_mma_bounds_make(&p->model, &call, &bounds, NULL);
    const fpx_mma_extent row = fpx_mma_bound_row(&bounds, 0),
                         column = fpx_mma_bound_column(&bounds, 0);
    const double cheap = fpx_mma_bound_cheap(&bounds, 0, 0, &row, &column);
    const uint64_t code =
        fpx_format_code(&p->model.format, data.d, 0) ^ UINT64_C(1) << (p->model.format.mbits - 1);
    fpx_mma_exact(&call, 0, 0, &sum);
    const double error = fpx_mma_error(&bounds, code, &sum);
    expect(isinf(cheap) || error > cheap, p->model.name, "a flipped bit is beyond the bound", error,
           cheap);
}

int main(int argc, char **argv)
{
    const size_t cases = argc > 1 ? strtoul(argv[1], NULL, 10) : 3000;
    const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    ratios most = { 0.0, 0.0 };
    double least_climb = 1.0;
    fpx_mma_preset p;
    size_t presets = 0;

    state = seed;
    check_parities();
    for (; fpx_mma_preset_at(presets, &p) == FPX_OK; presets++) {
        for (size_t i = 0; i < 2 * KINDS; i++) {
            const fpx_mma_call call = draw(&p, &p.model, &kinds[i % KINDS], below(K_MAX + 1));
            const ratios r = check_call(&p.model, &call);
            most.cheap = r.cheap > most.cheap ? r.cheap : most.cheap;
            most.tight = r.tight > most.tight ? r.tight : most.tight;
        }
        const double near = climb(&p, 30, 400);
        expect(near >= 0.3 && near <= 1.0, p.model.name, "an error comes near the tight bound",
               near, 0.3);
        least_climb = near < least_climb ? near : least_climb;
        check_mutant(&p);
        check_flip(&p);
    }
    for (size_t i = 0; i < cases; i++) {
        (void)fpx_mma_preset_at(below(presets), &p);
        const fpx_mma_model model = changed(&p.model);
        const fpx_mma_call call = draw(&p, &model, &kinds[below(KINDS)], between(1, K_MAX));
        (void)check_call(&model, &call);
    }
    expect(open_outputs * 4 < outputs, "all", "most outputs have a bound", (double)open_outputs,
           (double)outputs);
    (void)printf("seed %" PRIu64
                 ": %zu presets, %zu outputs (%zu without a bound); error / bound at most "
                 "%.3f tight, %.3f cheap; each preset reaches %.3f or more; %zu mutants "
                 "found out; failures %d\n",
                 seed, presets, outputs, open_outputs, most.tight, most.cheap, least_climb, mutants,
                 failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
