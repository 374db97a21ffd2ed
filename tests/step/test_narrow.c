/* test_narrow.c - a product beside the same in float32: sums in several orders, decoded before or after, are within the bounds,
 * the verdict is what a plain loop in long double says, and what is planted is named. */
#include <fenv.h>
#include <math.h>

#include <fpx/convert.h>
#include <fpx/cpu.h>

#include "../../step/op_narrow.h"
#include "tiny_run.h"

enum { MOST = 4096, CASES = 48 };

typedef struct trial {
    fpx_call call;
    size_t m, n, k;
    float codes[2][MOST],
        values[2][MOST]; /* as reals: codes, and codes times the factor, rounded */
    double decode[2];
    int scaled;
    float value[MOST], reference[MOST];
    double scratch[MOST];
} trial;

static float element(const trial *t, int which, const float *x, size_t vector, size_t j)
{
    const int along = which == 0 ? t->call.attr.gemm.trans_a == 0 : t->call.attr.gemm.trans_b != 0;
    const size_t vectors = which == 0 ? t->m : t->n;

    return x[along ? vector * t->k + j : j * vectors + vector];
}

/* Sums from the front, from the back, or by strides of 7, prime to every k here; of codes, times both factors at the end, or
 * of values. */
static float product_in(const trial *t, size_t i, size_t j, int order, int late)
{
    float sum = 0.0f;

    for (size_t s = 0; s < t->k; s++) {
        const size_t at = order == 0 ? s : order == 1 ? t->k - 1 - s : 7 * s % t->k;

        sum = fmaf(element(t, 0, late ? t->codes[0] : t->values[0], i, at),
                   element(t, 1, late ? t->codes[1] : t->values[1], j, at), sum);
    }
    return late && t->scaled ? (float)(t->decode[0] * t->decode[1]) * sum : sum;
}

static void draw(trial *t, int number)
{
    static const fpx_format *const formats[][2] = { { &fpx_fp32, &fpx_fp32 },
                                                    { &fpx_e4m3, &fpx_e4m3 },
                                                    { &fpx_e5m2, &fpx_e4m3 },
                                                    { &fpx_bf16, &fpx_fp32 } };
    static const size_t sizes[][3] = {
        { 5, 7, 64 }, { 16, 16, 33 }, { 3, 40, 97 }, { 1, 1, 2000 }
    };
    uint64_t state = (uint64_t)number + 11;
    const int kind = number % 4;

    memset(t, 0, sizeof *t);
    t->m = sizes[number / 4 % 4][0];
    t->n = sizes[number / 4 % 4][1];
    t->k = sizes[number / 4 % 4][2];
    t->scaled = kind == 1 || kind == 2;
    t->call.kind = FPX_OP_GEMM;
    t->call.attr.gemm.trans_a = (uint32_t)number / 16 % 2;
    t->call.attr.gemm.trans_b = (uint32_t)number / 32 % 2;
    for (int w = 0; w < 2; w++) {
        const size_t vectors = w == 0 ? t->m : t->n;
        const int along = w == 0 ? !t->call.attr.gemm.trans_a : t->call.attr.gemm.trans_b != 0;
        const uint64_t shape[2] = { along ? vectors : t->k, along ? t->k : vectors };

        ck_assert_int_eq(fpx_tensor_make(formats[kind][w], 2, shape, &t->call.in[w]), FPX_OK);
        t->decode[w] = 1.0;
        if (t->scaled) {
            t->call.in[w].nscales = 1;
            t->call.in[w].scale[0].format = fpx_fp32;
            t->decode[w] = (double)(float)(0.37 + 0.001 * (double)(number + w));
        }
        for (size_t e = 0; e < vectors * t->k; e++) {
            const double u = tiny_unit(&state);
            uint8_t code[4];

            /* One sign in a quarter of the trials: sums then grow, and so do errors. */
            const float x = (float)(number / 8 % 4 == 0 ? fabs(u) + 0.5 : u);
            const fpx_conversion to = { .format = *formats[kind][w],
                                        .round = FPX_RNE,
                                        .overflow = FPX_SATFINITE };
            ck_assert_int_eq(fpx_encode_f32(&to, 1.0f, &x, code, 1), FPX_OK);
            ck_assert_int_eq(fpx_decode_f32(&to.format, 1.0f, code, &t->codes[w][e], 1), FPX_OK);
            t->values[w][e] = (float)(t->decode[w] * (double)t->codes[w][e]);
        }
    }
    const uint64_t out[2] = { t->m, t->n };
    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 2, out, &t->call.out[0]), FPX_OK);
    for (size_t i = 0; i < t->m * t->n; i++)
        t->reference[i] = product_in(t, i / t->n, i % t->n, 0, 0);
}

static op_narrow args_of(trial *t, int any_order)
{
    return (op_narrow){ .call = &t->call,
                        .any_order = any_order,
                        .decode = { t->decode[0], t->decode[1] },
                        .in = { t->values[0], t->values[1] },
                        .value = t->value,
                        .reference = t->reference,
                        .scratch = t->scratch };
}

/* gamma(n) = n u / (1 - n u), of every rounding of the judged: k, two of the factors, two of decoding; twice, for the shadow. */
static double plain_ratio(const trial *t, int any_order)
{
    const long double u = 0x1p-24L,
                      depth = (long double)(any_order    ? t->k
                                            : t->k < 256 ? t->k
                                                         : 256 + (t->k + 255) / 256 - 1);
    const long double roundings = depth + (t->scaled ? 2 : 0) + 2;
    double most = 0.0;

    for (size_t i = 0; i < t->m * t->n; i++) {
        long double rows = 0.0L, columns = 0.0L;

        for (size_t e = 0; e < t->k; e++) {
            const long double a = element(t, 0, t->values[0], i / t->n, e),
                              b = element(t, 1, t->values[1], i % t->n, e);
            rows += a * a;
            columns += b * b;
        }
        const long double bound =
            2.0L * roundings * u / (1.0L - roundings * u) * sqrtl(rows) * sqrtl(columns);
        const double ratio =
            (double)(fabsl((long double)t->value[i] - (long double)t->reference[i]) / bound);
        most = ratio > most ? ratio : most;
    }
    return most;
}

static double largest; /* of all trials */

START_TEST(orders_are_within_the_bound)
{
    static trial t;
    op_narrow_verdict v, w;

    for (int number = 0; number < CASES; number++) {
        draw(&t, number);
        for (int way = 0; way < 6; way++) {
            const op_narrow args = args_of(&t, 1);

            for (size_t i = 0; i < t.m * t.n; i++)
                t.value[i] = product_in(&t, i / t.n, i % t.n, way / 2, way % 2);
            ck_assert_int_eq(op_narrow_judge(&args, &v), 1);
            ck_assert_msg(v.above == 0 && v.ratio >= 0.0 && v.ratio <= 1.0, "trial %d, way %d: %g",
                          number, way, v.ratio);
            const double plain = plain_ratio(&t, 1);
            ck_assert_msg(fabs(v.ratio - plain) <= 1e-5 * plain, "trial %d, way %d: %g, plainly %g",
                          number, way, v.ratio, plain);
            largest = v.ratio > largest ? v.ratio : largest;
#ifdef __x86_64__ /* where there are both */
            if (fpx_cpu_detect() >= FPX_CPU_AVX2) {
                ck_assert_int_eq(op_narrow_judge_avx2(&args, &w), 1);
                ck_assert(v.ratio == w.ratio && v.above == w.above && v.element == w.element);
            }
#endif
        }
    }
    (void)w;
    ck_assert_msg(largest > 1e-3, "never above %g of the bound", largest);
}
END_TEST

START_TEST(what_is_planted_is_named)
{
    static trial t;
    op_narrow_verdict v;

    for (int number = 0; number < CASES; number++) {
        draw(&t, number);
        const op_narrow args = args_of(&t, 0);
        const size_t at = (size_t)number * 7 % (t.m * t.n);

        memcpy(t.value, t.reference, sizeof t.value);
        t.value[at] += 0x1p-12f * fabsf(t.value[at]) + 0x1p-8f;
        const double ratio = plain_ratio(&t, 0);
        ck_assert_int_eq(op_narrow_judge(&args, &v), 1);
        ck_assert(v.element == at && v.above == (ratio > 1.0));
        ck_assert(fabs(v.ratio - ratio) <= 1e-5 * ratio);
        t.value[at] = 1e30f;
        ck_assert_int_eq(op_narrow_judge(&args, &v), 1);
        ck_assert(v.element == at && v.above == 1 && v.ratio > 1e6);
        t.value[t.m * t.n - 1] = at + 1 < t.m * t.n ? 2e30f : 1e30f;
        ck_assert_int_eq(op_narrow_judge(&args, &v), 1);
        ck_assert(v.element == at); /* the first, not the largest */
    }
}
END_TEST

START_TEST(what_may_overflow_has_no_verdict)
{
    static trial t;
    op_narrow_verdict v;

    draw(&t, 0);
    const op_narrow args = args_of(&t, 0);
    t.values[0][3] = 3e38f;
    t.values[1][3] = 3e38f;
    memcpy(t.value, t.reference, sizeof t.value);
    ck_assert_int_eq(op_narrow_judge(&args, &v), 1);
    ck_assert(v.ratio == 0.0 && v.above == 0);
    for (size_t i = 0; i < t.m * t.n; i++)
        t.value[i] += 1.0f;
    ck_assert_int_eq(op_narrow_judge(&args, &v), 1);
    ck_assert(v.ratio == -1.0 || v.above > 0);
    t.values[0][3] = (float)NAN;
    ck_assert_int_eq(op_narrow_judge(&args, &v), 1);
    memcpy(t.call.attr.gemm.unit, "x", 2);
    ck_assert_int_eq(op_narrow_judge(&args, &v), 0);
    draw(&t, 1);
    const op_narrow small = { .call = &t.call, .decode = { 0x1p-126, 1.0 } };
    ck_assert_int_eq(op_narrow_judge(&small, &v), 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, orders_are_within_the_bound);
    tcase_add_test(tc, what_is_planted_is_named);
    tcase_add_test(tc, what_may_overflow_has_no_verdict);
}

int main(void)
{
    return tiny_run("narrow", add);
}
