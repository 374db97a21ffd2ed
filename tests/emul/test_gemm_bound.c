/* test_gemm_bound.c - both tiers of fpx_gemm_bound against true errors: MPFR holds every exact dot product, wide enough for
 * any exponents, and the 2-norms are rounded upward. Data made for it come near the bound; another order, or a flipped
 * bit, goes beyond it. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <mpfr.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>
#include <fpx/gemm.h>

enum {
    PRECISION =
        4400, /* float64 products lie between 2^-2148 and 2^2048, and 2^12 of them are added */
    M = 4,
    N = 5,
    K_MAX = 1100
};

enum data { UNIFORM, CANCELLING, WIDE, TINY, SUBNORMAL, DATA_KINDS };

static uint64_t state;

static uint64_t next(void) /* SplitMix64 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double in_type(double x, int f64)
{
    return f64 ? x : (double)(float)x;
}

static double random_value(int f64, enum data data)
{
    const uint64_t r = next();
    const double unit = (double)(r >> 11) * 0x1p-52 - 1.0;

    switch (data) {
    case WIDE:
        return in_type(ldexp(unit, (int)(r % 100) - 50), f64);
    case TINY: /* products around and below the smallest subnormal */
        return in_type(ldexp(unit, (f64 ? -535 : -72) - (int)(r % 8)), f64);
    case SUBNORMAL:
        return in_type(ldexp(unit, f64 ? -1030 : -130), f64);
    default:
        return in_type(unit, f64);
    }
}

/* op(A) by rows and op(B) by columns, so that a dot product reads both along k. */
struct operands {
    size_t k;
    int f64;
    double a[M][K_MAX], b[N][K_MAX];
};

static void fill(struct operands *o, enum data data)
{
    for (size_t p = 0; p < o->k; p++) {
        for (size_t i = 0; i < M; i++)
            o->a[i][p] = random_value(o->f64, data);
        for (size_t j = 0; j < N; j++)
            o->b[j][p] = random_value(o->f64, data == SUBNORMAL ? UNIFORM : data);
    }
    if (data != CANCELLING)
        return;
    /* the second half repeats the first with the opposite sign, but for a last bit here and there */
    for (size_t p = 0; p + o->k / 2 < o->k; p++) {
        for (size_t i = 0; i < M; i++)
            o->a[i][p + o->k / 2] = -o->a[i][p];
        for (size_t j = 0; j < N; j++)
            o->b[j][p + o->k / 2] =
                in_type(o->b[j][p] * (1.0 + (next() % 4 == 0 ? DBL_EPSILON : 0.0)), o->f64);
    }
}

static void multiply(const struct operands *o, fpx_cpu_level level, size_t leaf, double *d)
{
    const fpx_gemm_call call = { .m = M,
                                 .n = N,
                                 .k = o->k,
                                 .trans_b = 1,
                                 .lda = K_MAX,
                                 .ldb = K_MAX,
                                 .ldd = N,
                                 .batch = 1,
                                 .leaf = leaf,
                                 .alpha = 1.0f,
                                 .level = level };
    void *scratch = malloc(fpx_gemm_f32_scratch(&call, 1) + fpx_gemm_f64_scratch(&call, 1) + 1);

    ck_assert_ptr_nonnull(scratch);
    if (o->f64) {
        ck_assert_int_eq(fpx_gemm_f64(&call, o->a[0], o->b[0], d, scratch, NULL), FPX_OK);
    } else {
        static float a[M * K_MAX], b[N * K_MAX], df[M * N];

        for (size_t p = 0; p < M * K_MAX; p++)
            a[p] = (float)o->a[p / K_MAX][p % K_MAX];
        for (size_t p = 0; p < N * K_MAX; p++)
            b[p] = (float)o->b[p / K_MAX][p % K_MAX];
        ck_assert_int_eq(fpx_gemm_f32(&call, a, b, df, scratch, NULL), FPX_OK);
        for (size_t i = 0; i < M * N; i++)
            d[i] = (double)df[i];
    }
    free(scratch);
}

static double norm_up(const double *x, size_t k)
{
    mpfr_t sum, square;

    mpfr_init2(sum, PRECISION);
    mpfr_init2(square, PRECISION);
    mpfr_set_zero(sum, 1);
    for (size_t p = 0; p < k; p++) {
        mpfr_set_d(square, x[p], MPFR_RNDU);
        mpfr_sqr(square, square, MPFR_RNDU);
        mpfr_add(sum, sum, square, MPFR_RNDU);
    }
    mpfr_sqrt(sum, sum, MPFR_RNDU);
    const double norm = mpfr_get_d(sum, MPFR_RNDU);
    mpfr_clears(sum, square, (mpfr_ptr)0);
    return norm;
}

/* |got - exact dot product|, rounded upward. */
static double true_error(double got, const double *x, const double *y, size_t k)
{
    mpfr_t sum, u, v;

    mpfr_inits2(PRECISION, sum, u, v, (mpfr_ptr)0);
    mpfr_set_d(sum, -got, MPFR_RNDN);
    for (size_t p = 0; p < k; p++) {
        mpfr_set_d(u, x[p], MPFR_RNDN);
        mpfr_set_d(v, y[p], MPFR_RNDN);
        ck_assert_int_eq(mpfr_fma(sum, u, v, sum, MPFR_RNDN), 0); /* exact */
    }
    const double error = fabs(mpfr_get_d(sum, MPFR_RNDA));
    mpfr_clears(sum, u, v, (mpfr_ptr)0);
    return error;
}

/* Returns the largest error / tight bound. */
static double check_product(const struct operands *o, fpx_cpu_level level, size_t leaf,
                            enum data data)
{
    const double unit = o->f64 ? 0x1p-53 : 0x1p-24;
    const size_t depth = fpx_gemm_depth(o->k, leaf);
    double d[M * N], worst = 0.0;

    multiply(o, level, leaf, d);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            const double norms = norm_up(o->a[i], o->k) * norm_up(o->b[j], o->k);
            const double cheap = fpx_gemm_bound(depth, o->k, unit, norms);
            const double tight =
                fpx_gemm_bound(depth, o->k, unit, fpx_gemm_magnitude(o->a[i], 1, o->b[j], 1, o->k));
            const double error = true_error(d[i * N + j], o->a[i], o->b[j], o->k);

            if (!(error <= tight && tight <= cheap * (1.0 + 0x1p-40) + 0x1p-1060))
                ck_abort_msg("f%d, k %zu, leaf %zu, data %d: error %a above the bound %a, cheap %a",
                             o->f64 ? 64 : 32, o->k, leaf, (int)data, error, tight, cheap);
            worst = error > 0.0 && error / tight > worst ? error / tight : worst;
        }
    return worst;
}

START_TEST(errors_lie_below)
{
    static const size_t lengths[] = { 1, 2, 3, 17, 256, 300, 1100 };
    static struct operands o;
    double worst = 0.0;

    state = 5;
    o.f64 = _i % 2;
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++)
        for (int data = 0; data < DATA_KINDS; data++)
            for (int level = FPX_CPU_SCALAR; level <= (int)fpx_cpu_detect(); level++) {
                o.k = lengths[l];
                fill(&o, (enum data)data);
                const double w = check_product(&o, (fpx_cpu_level)level, o.k % 100 == 0 ? 100 : 0,
                                               (enum data)data);
                worst = w > worst ? w : worst;
            }
    /* one product: an error of up to unit against gamma(3) = 3 units. Far less would mean that the
     * bound, or this test, is useless. */
    ck_assert_double_gt(worst, 0.2);
}
END_TEST

/* 1, then products just below half a last place of it: each fma of the chain loses all of its product, and each block
 * that follows is half a last place itself. */
START_TEST(the_bound_is_reached)
{
    static struct operands o;
    const double unit = 0x1p-24;

    o.k = 1100;
    for (size_t p = 0; p < o.k; p++) {
        for (size_t i = 0; i < M; i++)
            o.a[i][p] = p == 0 ? 1.0 : p < FPX_GEMM_KC ? unit * (1.0 - unit) : unit / FPX_GEMM_KC;
        for (size_t j = 0; j < N; j++)
            o.b[j][p] = 1.0;
    }
    for (int level = FPX_CPU_SCALAR; level <= (int)fpx_cpu_detect(); level++)
        ck_assert_double_gt(check_product(&o, (fpx_cpu_level)level, 0, UNIFORM), 0.95);

    /* All in one chain: an order that this bound is not of. */
    const size_t depth = fpx_gemm_depth(o.k, 0);
    float chain = 0.0f;
    for (size_t p = 0; p < o.k; p++)
        o.a[0][p] = p == 0 ? 1.0 : unit * (1.0 - unit);
    for (size_t p = 0; p < o.k; p++)
        chain = fmaf((float)o.a[0][p], 1.0f, chain);
    const double error = true_error((double)chain, o.a[0], o.b[0], o.k);
    const double magnitude = fpx_gemm_magnitude(o.a[0], 1, o.b[0], 1, o.k);
    ck_assert_double_gt(error, fpx_gemm_bound(depth, o.k, unit, magnitude));
    ck_assert_double_le(error, fpx_gemm_bound(o.k, o.k, unit, magnitude));
    ck_assert_double_gt(error, 0.95 * fpx_gemm_bound(o.k, o.k, unit, magnitude));
}
END_TEST

/* A bit of the result that stands for more than depth last places is noticed when it flips. */
START_TEST(flipped_bits_are_noticed)
{
    static struct operands o;
    double d[M * N];

    state = 6;
    o.k = 300;
    fill(&o, UNIFORM);
    for (size_t i = 0; i < M; i++)
        for (size_t p = 0; p < o.k; p++)
            o.a[i][p] = fabs(o.a[i][p]);
    for (size_t j = 0; j < N; j++)
        for (size_t p = 0; p < o.k; p++)
            o.b[j][p] = fabs(o.b[j][p]);
    multiply(&o, FPX_CPU_SCALAR, 0, d);
    for (size_t e = 0; e < M * N; e++) {
        const double *const x = o.a[e / N], *const y = o.b[e % N];
        const double tight = fpx_gemm_bound(fpx_gemm_depth(o.k, 0), o.k, 0x1p-24,
                                            fpx_gemm_magnitude(x, 1, y, 1, o.k));

        for (int bit = 10; bit < 31; bit++) {
            float value = (float)d[e];
            uint32_t code;
            memcpy(&code, &value, sizeof code);
            code ^= UINT32_C(1) << bit;
            memcpy(&value, &code, sizeof value);
            ck_assert_double_gt(true_error((double)value, x, y, o.k), tight);
        }
    }
}
END_TEST

START_TEST(depths)
{
    static const struct {
        size_t k, leaf, depth;
    } rows[] = { { 0, 0, 0 },         { 1, 0, 1 },     { 256, 0, 256 },       { 257, 0, 257 },
                 { 512, 0, 257 },     { 513, 0, 258 }, { 4096, 0, 271 },      { 4096, 64, 70 },
                 { 4096, 4096, 271 }, { 320, 64, 67 }, { 3 * 300, 300, 259 }, { 10, 1, 5 } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_uint_eq(fpx_gemm_depth(rows[i].k, rows[i].leaf), rows[i].depth);
}
END_TEST

START_TEST(corners)
{
    const double x[2] = { -3.0, NAN }, y[2] = { 0.5, 1.0 };

    ck_assert(fpx_gemm_bound(4, 4, 0x1p-24, 0.0) >= 4 * 0x1p-149);
    ck_assert(fpx_gemm_bound(4, 4, 0x1p-24, 0.0) <= 8 * 0x1p-149);
    ck_assert(fpx_gemm_bound(4, 4, 0x1p-53, 0x1p-1074) >= 4 * 0x1p-1074);
    ck_assert(fpx_gemm_bound(4, 4, 0x1p-53, 1.0) >= 6 * 0x1p-53);
    ck_assert(fpx_gemm_bound(4, 4, 0x1p-53, 1.0) <= 6.001 * 0x1p-53);
    ck_assert(isinf(fpx_gemm_bound((size_t)1 << 24, (size_t)1 << 24, 0x1p-24, 1.0)));
    ck_assert(isinf(fpx_gemm_bound(4, 4, 0x1p-24, NAN)));
    ck_assert(isinf(fpx_gemm_bound(4, 4, 0x1p-24, INFINITY)));
    ck_assert(fpx_gemm_magnitude(x, 1, y, 1, 1) >= 1.5);
    ck_assert(fpx_gemm_magnitude(x, 1, y, 1, 1) <= 1.5 * (1.0 + 0x1p-48));
    ck_assert(fpx_gemm_magnitude(x, 1, y, 1, 0) == 0.0);
    ck_assert(isinf(fpx_gemm_magnitude(x, 1, y, 1, 2)));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gemm_bound");
    TCase *tc = tcase_create("bound");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, errors_lie_below, 0, 2);
    tcase_add_test(tc, the_bound_is_reached);
    tcase_add_test(tc, flipped_bits_are_noticed);
    tcase_add_test(tc, depths);
    tcase_add_test(tc, corners);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
