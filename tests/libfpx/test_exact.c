/* test_exact.c - exact sums and dot products: MPFR adds the same products in a number of 5000 bits, which loses nothing,
 * and arith_oracle.h finds the code. Sums that cancel down to their last bit, whole float64 exponent ranges, specials,
 * zeros of both signs; partial sums merged in any split. */
#include <fpx/exact.h>

#include "arith_oracle.h"

enum { LENGTH_MOST = 300, SUM_BITS = 5000 };

typedef struct terms {
    const fpx_format *a_format, *b_format;
    uint64_t a[LENGTH_MOST], b[LENGTH_MOST];
    size_t n;
} terms;

static const fpx_format *any_format(uint64_t *state, size_t count)
{
    return fpx_format_at(oracle_random(state) % count);
}

static uint64_t any_code(const fpx_format *f, uint64_t *state)
{
    const uint64_t r = oracle_random(state);

    return f->bits == 64 ? r : r & ((UINT64_C(1) << f->bits) - 1);
}

static uint64_t sign_of(const fpx_format *f)
{
    const int is_signed = f->cls == FPX_CLASS_FLOAT && (f->flags & FPX_FORMAT_UNSIGNED) == 0;

    return is_signed ? UINT64_C(1) << (f->bits - 1) : 0;
}

/* Numbers, most of the time; zeros in some sums; each term's negative behind it in half of them. */
static void fill(terms *t, uint64_t *state)
{
    const uint64_t kind = oracle_random(state);
    const int cancels = (kind & 1) != 0 && sign_of(t->a_format) != 0;
    const int has_specials = (kind & 14) == 0;
    const int only_zeros = (kind & 0x70) == 0;

    for (size_t i = 0; i < t->n; i++) {
        do {
            t->a[i] = any_code(t->a_format, state);
            t->b[i] = any_code(t->b_format, state);
        } while (!has_specials && !(isfinite(fpx_format_value(t->a_format, t->a[i])) &&
                                    isfinite(fpx_format_value(t->b_format, t->b[i]))));
        if (only_zeros)
            t->a[i] &= sign_of(t->a_format);
        if (cancels && i % 2 == 1 && i + 1 < t->n) {
            t->a[i] = t->a[i - 1] ^ sign_of(t->a_format);
            t->b[i] = t->b[i - 1];
        }
    }
}

/* Flags, and v as oracle_compute leaves it, but for the sign of a zero. */
static void sum_by_mpfr(oracle *o, const terms *t, mpfr_t sum, int round)
{
    int has_nan = 0;
    int positive_zeros = 0;
    int negative_zeros = 0;
    mpfr_t product;

    mpfr_init2(product, 128);
    mpfr_set_zero(sum, 1);
    o->flags = 0;
    for (size_t i = 0; i < t->n; i++) {
        const double x = fpx_format_value(t->a_format, t->a[i]);
        const double y = fpx_format_value(t->b_format, t->b[i]);
        mpfr_set_d(product, x, MPFR_RNDN);
        ck_assert_int_eq(mpfr_mul_d(product, product, y, MPFR_RNDN), 0);
        if (oracle_is_signaling(t->a_format, t->a[i]) ||
            oracle_is_signaling(t->b_format, t->b[i]) ||
            (mpfr_nan_p(product) && !isnan(x) && !isnan(y)))
            o->flags |= FPX_FLAG_INVALID;
        has_nan |= mpfr_nan_p(product);
        positive_zeros += mpfr_zero_p(product) && !mpfr_signbit(product);
        negative_zeros += mpfr_zero_p(product) && mpfr_signbit(product);
        ck_assert(mpfr_add(sum, sum, product, MPFR_RNDN) == 0 || has_nan);
    }
    if (mpfr_nan_p(sum) && !has_nan)
        o->flags |= FPX_FLAG_INVALID;
    o->rest = mpfr_set(o->v, sum, MPFR_RNDZ) != 0;
    o->negative = mpfr_nan_p(sum) ? 0 : mpfr_signbit(sum) != 0;
    if (mpfr_zero_p(sum)) {
        const size_t n = t->n;
        o->negative = n > 0 && ((size_t)negative_zeros == n ||
                                (round == FPX_RD && (size_t)positive_zeros != n));
    }
    mpfr_abs(o->abs, o->v, MPFR_RNDZ);
    mpfr_clear(product);
}

static void accumulate(fpx_accumulator *sum, const terms *t, size_t begin, size_t end)
{
    fpx_accumulator_clear(sum);
    for (size_t i = begin; i < end; i++)
        fpx_accumulator_add_product(sum, t->a_format, t->a[i], t->b_format, t->b[i]);
}

static void check_sum(oracle *o, const terms *t, mpfr_t wide, const fpx_format *to, uint64_t *state)
{
    const size_t cut = oracle_random(state) % (t->n + 1);
    fpx_accumulator sum;
    fpx_accumulator rest;

    accumulate(&sum, t, 0, cut);
    accumulate(&rest, t, cut, t->n);
    fpx_accumulator_merge(&sum, &rest);
    for (int round = 0; round < DETERMINISTIC; round++) {
        place p = { 0, 0, 1 };
        sum_by_mpfr(o, t, wide, round);
        if (mpfr_regular_p(o->v))
            p = oracle_place(o, to);
        for (int overflow = 0; overflow < 3; overflow++) {
            const fpx_conversion c = { .format = *to,
                                       .round = (uint8_t)round,
                                       .overflow = (uint8_t)overflow };
            unsigned want_flags = 0;
            unsigned flags = 0;
            if (fpx_conversion_check(&c) != FPX_OK)
                continue;
            const uint64_t want = oracle_code(o, &p, &c, &want_flags);
            const uint64_t got = fpx_accumulator_round(&sum, &c, 0, &flags);
            ck_assert_msg(got == want && flags == want_flags,
                          "%zu products of %s and %s -> %s, round %d, overflow %d: 0x%llx flags "
                          "0x%x, should be 0x%llx flags 0x%x",
                          t->n, t->a_format->name, t->b_format->name, to->name, round, overflow,
                          (unsigned long long)got, flags, (unsigned long long)want, want_flags);
        }
    }
}

START_TEST(test_sums_are_exact)
{
    static const size_t lengths[] = { 0, 1, 2, 3, 17, 64, LENGTH_MOST };
    static terms t;
    uint64_t state = 20261128;
    size_t formats = 0;
    mpfr_t wide;
    oracle o;

    while (fpx_format_at(formats) != NULL)
        formats++;
    oracle_init(&o);
    mpfr_init2(wide, SUM_BITS);
    for (size_t i = 0; i < 3000; i++) {
        const fpx_format *const to = any_format(&state, formats);
        t.n = lengths[i % (sizeof lengths / sizeof lengths[0])];
        t.a_format = any_format(&state, formats);
        t.b_format = i % 3 == 0 ? t.a_format : any_format(&state, formats);
        fill(&t, &state);
        if (to->cls != FPX_CLASS_INT)
            check_sum(&o, &t, wide, to, &state);
    }
    mpfr_clear(wide);
    oracle_clear(&o);
}
END_TEST

/* 2^1000 + 2^-1074 - 2^1000, in any order, is the least float64; its half is a tie. */
START_TEST(test_order_does_not_matter)
{
    const double big = 0x1p1000;
    const double least = 0x1p-1074;
    const double a[6][3] = { { big, least, -big }, { big, -big, least }, { least, big, -big },
                             { least, -big, big }, { -big, big, least }, { -big, least, big } };
    const double ones[3] = { 1.0, 1.0, 1.0 };
    const fpx_conversion c = { .format = fpx_fp64, .overflow = FPX_OVERFLOW_NONE };
    uint64_t code = 0;
    unsigned flags = 9;

    for (size_t i = 0; i < 6; i++) {
        ck_assert_int_eq(
            fpx_exact_dot(&fpx_fp64, a[i], 1, &fpx_fp64, ones, 1, 3, &c, 0, &code, &flags), FPX_OK);
        ck_assert_uint_eq(code, 1);
        ck_assert_uint_eq(flags, 0);
    }
    const double halves[3] = { 0.5, 0.5, 0.5 };
    ck_assert_int_eq(
        fpx_exact_dot(&fpx_fp64, a[0], 1, &fpx_fp64, halves, 1, 3, &c, 0, &code, &flags), FPX_OK);
    ck_assert_uint_eq(code, 0);
    ck_assert_uint_eq(flags,
                      FPX_FLAG_INEXACT | FPX_FLAG_UNDERFLOW_BEFORE | FPX_FLAG_UNDERFLOW_AFTER);
}
END_TEST

/* 1/4 + (2^33 - 1) (2^33 + 1) / 4 = 2^64: the product's middle word is all ones, and a carry runs into it. */
START_TEST(test_carry_through_ones)
{
    const double a[2] = { 0.25, 0x1.ffffffffp30 };
    const double b[2] = { 1.0, 0x1.00000000800p33 };
    const fpx_conversion c = { .format = fpx_fp64, .overflow = FPX_OVERFLOW_NONE };
    uint64_t code = 0;
    unsigned flags = 9;

    ck_assert_int_eq(fpx_exact_dot(&fpx_fp64, a, 1, &fpx_fp64, b, 1, 2, &c, 0, &code, &flags),
                     FPX_OK);
    ck_assert_uint_eq(code, UINT64_C(0x43f0000000000000));
    ck_assert_uint_eq(flags, 0);
}
END_TEST

/* 3 2^-2560 - 2^2944: every bit between is set in two's complement; the magnitude is 2^2944 less a little. */
START_TEST(test_leading)
{
    fpx_accumulator sum;
    uint64_t m = 7;
    int q = 0;
    int sticky = 9;

    fpx_accumulator_clear(&sum);
    ck_assert_int_eq(fpx_accumulator_leading(&sum, &m, &q, &sticky), 0);
    ck_assert_uint_eq(m, 0);
    ck_assert_int_eq(sticky, 0);
    fpx_accumulator_add_number(&sum, 1, 1, 2944);
    ck_assert_int_eq(fpx_accumulator_leading(&sum, &m, &q, &sticky), 1);
    ck_assert_uint_eq(m, UINT64_C(1) << 63);
    ck_assert_int_eq(q, 2944 - 63);
    ck_assert_int_eq(sticky, 0);
    fpx_accumulator_add_number(&sum, 0, 3, FPX_ACCUMULATOR_LOWEST);
    ck_assert_int_eq(fpx_accumulator_leading(&sum, &m, &q, &sticky), 1);
    ck_assert_uint_eq(m, UINT64_MAX);
    ck_assert_int_eq(q, 2943 - 63);
    ck_assert_int_eq(sticky, 1);
}
END_TEST

/* A row of a matrix against a column: strides in elements. */
START_TEST(test_strides)
{
    const uint8_t a[4] = { 0x38, 0xff, 0x40, 0xff };      /* 1, -, 2, - in e4m3 */
    const uint16_t b[6] = { 0x3f80, 0, 0, 0x4040, 0, 0 }; /* 1, 3 in bf16 */
    const fpx_conversion c = { .format = fpx_fp32, .overflow = FPX_OVERFLOW_NONE };
    uint64_t code = 0;

    ck_assert_int_eq(fpx_exact_dot(&fpx_e4m3, a, 2, &fpx_bf16, b, 3, 2, &c, 0, &code, NULL),
                     FPX_OK);
    ck_assert_uint_eq(code, 0x40e00000); /* 7 */
}
END_TEST

START_TEST(test_refused)
{
    fpx_format bad = fpx_e4m3;
    fpx_conversion c = { .format = fpx_fp32, .overflow = FPX_OVERFLOW_NONE };
    const uint8_t a[1] = { 0 };
    uint64_t code = 7;

    bad.bits = 9;
    ck_assert_int_eq(fpx_exact_dot(&bad, a, 1, &fpx_e4m3, a, 1, 1, &c, 0, &code, NULL), FPX_EINVAL);
    ck_assert_int_eq(fpx_exact_dot(&fpx_e4m3, a, 1, &bad, a, 1, 1, &c, 0, &code, NULL), FPX_EINVAL);
    ck_assert_int_eq(fpx_exact_dot(&fpx_e4m3, NULL, 1, &fpx_e4m3, a, 1, 1, &c, 0, &code, NULL),
                     FPX_EINVAL);
    c.round = 99;
    ck_assert_int_eq(fpx_exact_dot(&fpx_e4m3, a, 1, &fpx_e4m3, a, 1, 1, &c, 0, &code, NULL),
                     FPX_EINVAL);
    ck_assert_uint_eq(code, 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exact");
    TCase *tcase = tcase_create("all");
    SRunner *runner = srunner_create(suite);

    tcase_set_timeout(tcase, 100.0);
    tcase_add_test(tcase, test_sums_are_exact);
    tcase_add_test(tcase, test_order_does_not_matter);
    tcase_add_test(tcase, test_carry_through_ones);
    tcase_add_test(tcase, test_leading);
    tcase_add_test(tcase, test_strides);
    tcase_add_test(tcase, test_refused);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
