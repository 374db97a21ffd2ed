/* test_metric.c - statistics against a plain rewrite of their definitions, comparison figures against
 * values worked out by hand and against theirs. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/metric.h>

#include "format_bits.h"

static double fold(double *lanes)
{
    for (int half = 8; half > 0; half /= 2) {
        for (int i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    }
    return lanes[0];
}

/* The header's definitions, element by element, with frexp instead of bits. */
static fpx_stats plain(const fpx_format *f, double scale, const unsigned char *codes, size_t n)
{
    fpx_stats s = { .count = n };
    double sum[16] = { 0 };
    double square[16] = { 0 };
    const size_t bytes = fpx_format_size(f);
    uint64_t finite = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t code = 0;
        memcpy(&code, codes + i * bytes, bytes);
        const double x = fpx_format_value(f, code);
        s.nan += isnan(x) != 0;
        s.inf += isinf(x) != 0;
        s.zero += x == 0.0;
        if (!isfinite(x))
            continue;
        const int is_float = f->cls == FPX_CLASS_FLOAT;
        const uint64_t magnitude = code & ((UINT64_C(1) << (f->bits - 1)) - 1);
        s.saturated += is_float && f->bits < 32 && magnitude == f->max_code;
        s.subnormal += is_float && magnitude != 0 && magnitude >> f->mbits == 0;
        s.min = finite == 0 || x < s.min ? x : s.min;
        s.max = finite == 0 || x > s.max ? x : s.max;
        finite++;
        sum[i % 16] += x;
        square[i % 16] += x * x;
        if (x != 0.0) {
            int e = 0;
            (void)frexp(x, &e);
            e += 39;
            s.exponent[e < 0 ? 0 : e > 63 ? 63 : e]++;
        }
    }
    if (finite == 0)
        return s;
    s.amax = fmax(fabs(s.min), fabs(s.max)) * scale;
    s.min *= scale;
    s.max *= scale;
    s.mean = fold(sum) / (double)finite * scale;
    s.rms = sqrt(fold(square) / (double)finite) * scale;
    return s;
}

static void expect_stats(const fpx_format *f, double scale, const unsigned char *codes, size_t n)
{
    const fpx_stats want = plain(f, scale, codes, n);
    fpx_stats got;

    memset(&got, 0x33, sizeof got);
    ck_assert_int_eq(fpx_stats_codes(f, scale, codes, n, &got), FPX_OK);
    ck_assert_msg(got.count == n && got.nan == want.nan && got.inf == want.inf, "%s", f->name);
    ck_assert_uint_eq(got.zero, want.zero);
    ck_assert_uint_eq(got.subnormal, want.subnormal);
    ck_assert_uint_eq(got.saturated, want.saturated);
    ck_assert_mem_eq(got.exponent, want.exponent, sizeof got.exponent);
    const double a[5] = { got.amax, got.min, got.max, got.mean, got.rms };
    const double b[5] = { want.amax, want.min, want.max, want.mean, want.rms };
    for (int i = 0; i < 5; i++) {
        if (fpx_f64_bits(a[i]) != fpx_f64_bits(b[i] + 0.0))
            ck_abort_msg("%s n %zu figure %d: %a, not %a", f->name, n, i, a[i], b[i]);
    }
}

enum { LONGEST = 3000 };

START_TEST(statistics)
{
    const fpx_format *const f = fpx_format_at((size_t)_i);
    static unsigned char codes[8 * (LONGEST + 1)];
    static const size_t lengths[] = { 0, 1, 15, 16, 17, 511, 512, 513, 1040, LONGEST };
    uint64_t state = 99;

    /* Random codes (specials of narrow formats among them), then ordinary values only. */
    for (int kind = 0; kind < 2; kind++) {
        for (size_t i = 0; i < sizeof codes; i++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
            codes[i] = (unsigned char)(state >> 56);
        }
        for (size_t i = 0; i < LONGEST && f->cls == FPX_CLASS_FLOAT; i++) {
            const fpx_conversion c = { .format = *f, .overflow = FPX_SATFINITE };
            uint64_t code = 0;
            const double x = ldexp((double)(int)(i % 97) - 40.0, (int)(i % 5) - 3);
            fpx_encode_f64(&c, 1.0, &x, &code, 1);
            if (kind == 1 || i % 7 == 0)
                memcpy(codes + 1 + i * fpx_format_size(f), &code, fpx_format_size(f));
        }
        for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
            if (kind == 0 && f->bits == 64)
                continue; /* random exponents: squares overflow */
            expect_stats(f, 1.0, codes + 1, lengths[k]);
            expect_stats(f, 0.125, codes + 1, lengths[k]);
        }
    }
}
END_TEST

START_TEST(named_cases)
{
    const float x[8] = { 1.0f, -2.0f, 0.0f, -0.0f, NAN, INFINITY, 0x1p-140f, 0.75f };
    const double y[3] = { 5e-324, 0x1p900, -0x1p-41 };
    fpx_stats s;
    fpx_format broken = fpx_fp32;

    ck_assert_int_eq(fpx_stats_codes(&fpx_fp32, 1.0, x, 8, &s), FPX_OK);
    ck_assert_uint_eq(s.nan, 1);
    ck_assert_uint_eq(s.inf, 1);
    ck_assert_uint_eq(s.zero, 2);
    ck_assert_uint_eq(s.subnormal, 1);
    ck_assert_uint_eq(s.exponent[40], 1);
    ck_assert_uint_eq(s.exponent[41], 1);
    ck_assert_uint_eq(s.exponent[39], 1);
    ck_assert_uint_eq(s.exponent[0], 1);
    ck_assert(s.min == -2.0 && s.max == 1.0 && s.amax == 2.0);
    ck_assert_int_eq(fpx_stats_codes(&fpx_fp32, -2.0, x, 8, &s), FPX_OK);
    ck_assert(s.min == -2.0 && s.max == 4.0 && s.amax == 4.0);
    ck_assert_int_eq(fpx_stats_codes(&fpx_fp64, 1.0, y, 3, &s), FPX_OK);
    ck_assert_uint_eq(s.subnormal, 1);
    ck_assert_uint_eq(s.exponent[0], 2);
    ck_assert_uint_eq(s.exponent[63], 1);
    ck_assert_int_eq(fpx_stats_codes(&fpx_fp32, 1.0, x + 4, 2, &s), FPX_OK);
    ck_assert(s.amax == 0.0 && s.min == 0.0 && s.mean == 0.0 && s.rms == 0.0);
    memset(&s, 0x11, sizeof s);
    const fpx_stats before = s;
    broken.ebits = 9;
    ck_assert_int_eq(fpx_stats_codes(&broken, 1.0, x, 8, &s), FPX_EINVAL);
    ck_assert_mem_eq(&s, &before, sizeof s);
}
END_TEST

START_TEST(comparison_by_hand)
{
    const double x[5] = { 1.0, 2.0, 3.5, -4.0, 0.0 };
    const double r[5] = { 1.0, 2.0, 3.0, -4.0, 0.0 };
    const double bound[5] = { 0.0, 1.0, 0.25, 1.0, 0.0 };
    fpx_comparison c;

    ck_assert_int_eq(fpx_compare_f64(x, r, bound, 5, &c), FPX_OK);
    ck_assert_uint_eq(c.count, 5);
    ck_assert(c.max_abs_error == 0.5);
    ck_assert_uint_eq(c.max_abs_index, 2);
    ck_assert(c.rms_error == sqrt(0.05));
    ck_assert(c.rms_reference == sqrt(6.0));
    ck_assert(c.relative_rms_error == sqrt(0.05) / sqrt(6.0));
    ck_assert(fabs(c.cosine - 31.5 / sqrt(33.25 * 30.0)) < 1e-15);
    ck_assert(c.max_bound_ratio == 2.0);
    ck_assert_uint_eq(c.max_bound_index, 2);
    ck_assert_uint_eq(c.above_bound, 1);
    ck_assert_uint_eq(c.nonfinite, 0);
    ck_assert_int_eq(fpx_compare_f64(r, r, NULL, 5, &c), FPX_OK);
    ck_assert(c.max_abs_error == 0.0 && c.relative_rms_error == 0.0);
    ck_assert(fabs(c.cosine - 1.0) < 1e-15);
    ck_assert_int_eq(fpx_compare_f64(NULL, NULL, NULL, 0, &c), FPX_OK);
    ck_assert(c.cosine == 1.0 && c.rms_error == 0.0);
}
END_TEST

START_TEST(comparison_of_specials)
{
    const double inf = (double)INFINITY;
    const double nan = (double)NAN;
    const double x[6] = { nan, inf, -inf, 1.0, inf, nan };
    const double r[6] = { nan, inf, -inf, 1.0, -inf, 1.0 };
    const double bound[6] = { 1.0, 1.0, 1.0, nan, inf, 1.0 };
    fpx_comparison c;

    fpx_compare_f64(x, r, bound, 4, &c); /* equal specials are equal */
    ck_assert(c.max_abs_error == 0.0 && c.max_bound_ratio == 0.0);
    ck_assert_uint_eq(c.nonfinite + c.above_bound, 0);
    fpx_compare_f64(x, r, bound, 6, &c);
    ck_assert_uint_eq(c.nonfinite, 2);
    ck_assert_uint_eq(c.max_abs_index, 4);
    ck_assert(isinf(c.max_abs_error) && isinf(c.rms_error));
    ck_assert_uint_eq(c.above_bound, 1);
    ck_assert_uint_eq(c.max_bound_index, 5);
    const double off = 1.5;
    const double one = 1.0;
    fpx_compare_f64(&off, &one, &nan, 1, &c); /* no bound known: an error is above it */
    ck_assert(isinf(c.max_bound_ratio));
    ck_assert_uint_eq(c.above_bound, 1);
    const double zero = 0.0;
    fpx_compare_f64(&off, &zero, NULL, 1, &c);
    ck_assert(isinf(c.relative_rms_error) && c.cosine == 0.0);
}
END_TEST

/* The header's definitions of a comparison, element by element. */
static fpx_comparison plain_comparison(const double *x, const double *r, const double *bound,
                                       size_t n)
{
    fpx_comparison c = { .count = n };
    double error[16] = { 0 }, reference[16] = { 0 }, xx[16] = { 0 }, rr[16] = { 0 }, xr[16] = { 0 };

    for (size_t i = 0; i < n; i++) {
        const int finite = isfinite(x[i]) && isfinite(r[i]);
        const int same = x[i] == r[i] || (isnan(x[i]) && isnan(r[i]));
        const double e = finite ? fabs(x[i] - r[i]) : same ? 0.0 : (double)INFINITY;
        double ratio = e / bound[i];

        if (e == 0.0)
            ratio = 0.0;
        else if (!(bound[i] > 0.0))
            ratio = (double)INFINITY;
        else if (isinf(bound[i]))
            ratio = 0.0;
        c.nonfinite += !finite && e > 0.0;
        c.above_bound += e > bound[i] || (isnan(bound[i]) && e > 0.0);
        if (bound[i] == (double)INFINITY && !(x[i] == r[i]) && c.unbounded++ == 0)
            c.unbounded_index = i;
        if (e > c.max_abs_error) {
            c.max_abs_error = e;
            c.max_abs_index = i;
        }
        if (ratio > c.max_bound_ratio) {
            c.max_bound_ratio = ratio;
            c.max_bound_index = i;
        }
        error[i % 16] += e * e;
        reference[i % 16] += isfinite(r[i]) ? r[i] * r[i] : 0.0;
        xx[i % 16] += finite ? x[i] * x[i] : 0.0;
        rr[i % 16] += finite ? r[i] * r[i] : 0.0;
        xr[i % 16] += finite ? x[i] * r[i] : 0.0;
    }
    c.rms_error = sqrt(fold(error) / (double)n);
    c.rms_reference = sqrt(fold(reference) / (double)n);
    c.relative_rms_error = c.rms_error == 0.0 ? 0.0 : c.rms_error / c.rms_reference;
    c.cosine = fold(xr) / (sqrt(fold(xx)) * sqrt(fold(rr)));
    return c;
}

/* Long enough for every way through: whole chunks, tails, chunks with specials before and after others,
 * squares that overflow, bounds of every kind. _i draws. */
START_TEST(comparison_of_long_arrays)
{
    static const double odd[] = { 0.0,         -0.0,  (double)INFINITY, -(double)INFINITY,
                                  (double)NAN, 1e200, -1e200,           5e-324 };
    static const double bounds[] = { 0.0, 1e-6, (double)INFINITY, (double)NAN, -1.0, 1e-9 };
    static const size_t lengths[] = { 16, 512, 1000, 1024, 1040, 2048, 3001 };
    const size_t n = lengths[_i % 7];
    double *x = malloc(3 * n * sizeof *x), *r = x + n, *bound = r + n;
    uint64_t state = (uint64_t)_i + 1;
    fpx_comparison c;

    ck_assert_ptr_nonnull(x);
    for (size_t i = 0; i < n; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const double value = (double)(int32_t)(state >> 32) * 0x1p-31;
        const uint64_t pick = state >> 20 & 1023;
        r[i] = value;
        x[i] = pick % 3 == 0 ? value : value * (1.0 + 0x1p-30 * (double)(pick % 8));
        bound[i] = bounds[(state >> 50 & 7) == 0 ? (state >> 53) % 6 : 1];
        if (_i >= 7 && pick == 5) /* seldom enough to leave chunks without */
            x[i] = odd[state >> 40 & 7];
        if (_i >= 14 && pick == 6)
            r[i] = odd[state >> 40 & 7];
    }
    const fpx_comparison want = plain_comparison(x, r, bound, n);
    ck_assert_int_eq(fpx_compare_f64(x, r, bound, n, &c), FPX_OK);
    ck_assert_msg(memcmp(&c, &want, sizeof c) == 0 || (isnan(c.cosine) && isnan(want.cosine)),
                  "draw %d, n %zu: other figures", _i, n);
    free(x);
}
END_TEST

/* Piece after piece holds a ratio that is above all before it, by a little or one place, or is just as large; bounds are
 * ordinary, tiny, subnormal. _i: which. */
START_TEST(ratios_that_rise)
{
    static const double scales[] = { 1.0, 0x1p-899, 0x1p-1000, 0x1p-1060, 1.0 };
    enum { PIECE = 512, N = 41 * PIECE }; /* METRIC_CHUNK */
    double *x = calloc(3 * N, sizeof *x), *r = x + N, *bound = r + N;
    double top = _i < 4 ? 0x1p-9 : 0x1p-104;
    uint64_t state = 7;
    fpx_comparison c;

    ck_assert_ptr_nonnull(x);
    for (size_t piece = 0; piece < N / PIECE; piece++) {
        for (size_t k = 0; k < PIECE; k++) {
            const size_t i = piece * PIECE + k;

            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            bound[i] = scales[_i] * (1.0 + 0x1p-32 * (double)(state >> 32));
            x[i] = bound[i] * top * 0x1p-32 * (double)(state >> 32);
        }
        const size_t i = piece * PIECE + (state >> 40) % PIECE;
        top = piece % 3 == 0 ? top * 1.7 : piece % 3 == 1 ? nextafter(top, 2.0) : top;
        x[i] = bound[i] * top;
    }
    const fpx_comparison want = plain_comparison(x, r, bound, N);
    ck_assert_int_eq(fpx_compare_f64(x, r, bound, N, &c), FPX_OK);
    ck_assert(c.max_bound_ratio == want.max_bound_ratio &&
              c.max_bound_index == want.max_bound_index && c.above_bound == want.above_bound);
    ck_assert(want.max_bound_ratio > 0.0);
    free(x);
}
END_TEST

/* Of codes the same as of their values: float32 with a scale, 8 bits, float64 with a scale, at any address, against either
 * width, with specials and tails. _i: which. */
START_TEST(comparison_of_codes)
{
    static const size_t lengths[] = { 0, 1, 16, 511, 512, 513, 2000 };
    const fpx_format *const formats[] = { &fpx_fp32, &fpx_e4m3, &fpx_fp64, &fpx_bf16 };
    const size_t n = lengths[_i % 7];
    const fpx_format *format = formats[_i / 7 % 4];
    const double scale = _i / 28 % 2 == 0 ? 1.0 : 0.75;
    const int wide = _i / 56 % 2, specials = _i / 112, odd = _i % 3 == 0;
    double *value = malloc((2 * 2000 + 1) * sizeof *value), *r = value + 2000, bound[2000];
    unsigned char *codes = malloc(2000 * sizeof(double) + 1), *at = codes + odd;
    float narrow[2000];
    uint64_t state = (uint64_t)_i + 3;
    fpx_comparison want, got;

    ck_assert(value != NULL && codes != NULL);
    for (size_t i = 0; i < n; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const uint64_t code =
            specials && (state >> 24 & 255) == 5 ? UINT64_C(0x7f) : state >> 40 & 0x3f;
        const float x = specials && (state >> 24 & 255) == 5
                            ? (float)INFINITY
                            : (float)(int32_t)(state >> 32) * 0x1p-31f;
        const double d = (double)x * 1.0000001;

        if (format->bits == 64)
            memcpy(at + i * sizeof d, &d, sizeof d);
        else if (format->bits == 32)
            memcpy(at + i * sizeof x, &x, sizeof x);
        else if (format->bits == 16)
            memcpy(at + 2 * i, (const unsigned char *)&x + 2, 2);
        else
            at[i] = (unsigned char)code;
    }
    ck_assert_int_eq(fpx_decode_f64(format, scale, at, value, n), FPX_OK);
    for (size_t i = 0; i < n; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        narrow[i] = (float)(value[i] * (1.0 + 0x1p-20 * (double)(state >> 20 & 7)));
        r[i] = (double)narrow[i];
        bound[i] = (state >> 50 & 63) == 0 ? (double)INFINITY : fabs(r[i]) * 0x1p-18;
    }
    const fpx_coded x = { format, scale, at };
    const fpx_coded reference = { wide ? &fpx_fp64 : &fpx_fp32, 1.0,
                                  wide ? (const void *)r : (const void *)narrow };

    ck_assert_int_eq(fpx_compare_f64(value, r, bound, n, &want), FPX_OK);
    ck_assert_int_eq(fpx_compare_codes(&x, &reference, bound, n, &got), FPX_OK);
    ck_assert_mem_eq(&want, &got, sizeof want);
    ck_assert(n < 2000 || (got.unbounded > 0 && bound[got.unbounded_index] == (double)INFINITY));
    free(value);
    free(codes);
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("metric");
    TCase *const tc = tcase_create("metric");

    tcase_add_loop_test(tc, statistics, 0, 8);
    tcase_add_test(tc, named_cases);
    tcase_add_test(tc, comparison_by_hand);
    tcase_add_test(tc, comparison_of_specials);
    tcase_add_loop_test(tc, comparison_of_long_arrays, 0, 42);
    tcase_add_loop_test(tc, ratios_that_rise, 0, 5);
    tcase_add_loop_test(tc, comparison_of_codes, 0, 224);
    suite_add_tcase(s, tc);

    SRunner *const sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
