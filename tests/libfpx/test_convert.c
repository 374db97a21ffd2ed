/* test_convert.c - encoding and decoding against midpoints (convert_oracle.h), MPFR and CUDA's host
 * functions: every threshold with its neighbours, a stride through all float32, traps by name. */
#include <check.h>
#include <float.h>
#include <stdio.h>
#include <string.h>

#include <fpx/convert.h>

#include "convert_kernels.h"
#include "convert_oracle.h"
#include "format_bits.h"

#ifdef FPX_HAVE_MPFR
#include <mpfr.h>
#endif
#ifdef FPX_HAVE_CUDA_HEADERS
#include <cuda_fp4.h>
#include <cuda_fp8.h>
#endif

static const uint8_t overflows[] = { FPX_SATFINITE, FPX_OVERFLOW_NONE };

static uint32_t code_at(const oracle_format *o, const void *codes, size_t i)
{
    uint16_t code16 = 0;

    if (o->sign <= 0x80)
        return ((const uint8_t *)codes)[i];
    memcpy(&code16, (const char *)codes + 2 * i, sizeof code16);
    return code16;
}

/* Encodes by the public function and by every level this machine runs, and compares each. */
static void expect_f32(const oracle_format *o, int overflow, const float *x, size_t n)
{
    const fpx_conversion c = oracle_conversion(o, overflow);
    const size_t slot = fpx_width_slot(&c.format);
    uint16_t *const codes = malloc((n + 1) * sizeof *codes);

    for (int level = -1; level <= (int)fpx_cpu_detect(); level++) {
        memset(codes, 0xee, n * sizeof *codes);
        if (level < 0)
            ck_assert_int_eq(fpx_encode_f32(&c, 1.0f, x, codes, n), FPX_OK);
        else
            fpx_convert_kernels_for((fpx_cpu_level)level)
                ->encode_f32[slot](&c, 1.0f, x, NULL, codes, n);
        for (size_t i = 0; i < n; i++) {
            const uint32_t want = oracle_encode(o, overflow, (double)x[i]);
            const uint32_t got = code_at(o, codes, i);
            if (got != want)
                ck_abort_msg("%s overflow %d level %d: %a (%08x) gave 0x%x, not 0x%x",
                             c.format.name, overflow, level, (double)x[i], fpx_f32_bits(x[i]), got,
                             want);
        }
    }
    free(codes);
}

static void expect_f64(const oracle_format *o, int overflow, double x)
{
    const fpx_conversion c = oracle_conversion(o, overflow);
    uint16_t code = 0;

    ck_assert_int_eq(fpx_encode_f64(&c, 1.0, &x, &code, 1), FPX_OK);
    const uint32_t got = code_at(o, &code, 0);
    const uint32_t want = oracle_encode(o, overflow, x);
    if (got != want)
        ck_abort_msg("%s overflow %d: %a gave 0x%x, not 0x%x", c.format.name, overflow, x, got,
                     want);
}

/* Every value and every midpoint, up to three floats to both sides, both signs. */
START_TEST(thresholds_float32)
{
    const oracle_format *const o = &oracle_formats[_i];
    const size_t room = ((size_t)o->max_code + 1) * 2 * 14;
    float *const x = malloc(room * sizeof *x);
    size_t n = 0;

    for (uint32_t code = 0; code <= o->max_code; code++) {
        const double points[2] = { oracle_value(o, code), oracle_midpoint(o, code) };
        for (int p = 0; p < 2; p++) {
            const float point = (float)points[p];
            ck_assert(!((double)point < points[p]) && !((double)point > points[p]));
            for (uint32_t d = 0; d < 7; d++) {
                const uint32_t u = (fpx_f32_bits(point) + d - 3) & 0x7fffffffu;
                x[n++] = fpx_bits_f32(u);
                x[n++] = fpx_bits_f32(u | 0x80000000u);
            }
        }
    }
    for (size_t k = 0; k < sizeof overflows; k++)
        expect_f32(o, overflows[k], x, n);
    free(x);
}
END_TEST

/* The same in float64: a value one ulp of float64 off a midpoint must not be taken for it. */
START_TEST(thresholds_float64)
{
    const oracle_format *const o = &oracle_formats[_i];

    for (uint32_t code = 0; code <= o->max_code; code++) {
        const double points[2] = { oracle_value(o, code), oracle_midpoint(o, code) };
        for (int p = 0; p < 2; p++) {
            const double x[3] = { points[p], nextafter(points[p], INFINITY),
                                  nextafter(points[p], 0.0) };
            for (int k = 0; k < 12; k++)
                expect_f64(o, overflows[k & 1], (k & 2) ? -x[k / 4] : x[k / 4]);
        }
    }
    const double extreme[] = {
        0.0,     DBL_MIN,  DBL_TRUE_MIN, DBL_MAX, INFINITY, NAN,    FLT_MAX,
        FLT_MIN, 0x1p-150, 0x1p-149,     0x1p127, 0x1p128,  0x1p-70 /* rocm-systems shift by 64 */
    };
    for (size_t i = 0; i < sizeof extreme / sizeof extreme[0]; i++) {
        for (int k = 0; k < 4; k++)
            expect_f64(o, overflows[k & 1], copysign(extreme[i], (k & 2) ? -1.0 : 1.0));
    }
}
END_TEST

/* A stride through the 2^32 patterns: odd, so every exponent and low part is met. */
START_TEST(stride_float32)
{
    enum { CHUNK = 4096 };
    const oracle_format *const o = &oracle_formats[_i];
    const uint64_t step = 65537 / oracle_effort() | 1;
    static float x[CHUNK];

    for (uint64_t u = 0; u < UINT64_C(1) << 32;) {
        size_t n = 0;
        for (; n < CHUNK && u < UINT64_C(1) << 32; u += step)
            x[n++] = fpx_bits_f32((uint32_t)u);
        for (size_t k = 0; k < sizeof overflows; k++)
            expect_f32(o, overflows[k], x, n);
    }
}
END_TEST

/* One rounding from the source: each of these is wrong by way of float32. */
START_TEST(no_double_rounding)
{
    static const struct {
        const fpx_format *format;
        double x;
        uint8_t code;
    } traps[] = {
        { &fpx_e4m3, 1.0625 + 0x1p-50, 0x39 },
        { &fpx_e4m3, 1.0625, 0x38 },
        { &fpx_e4m3, 464.0, 0x7e },
        { &fpx_e4m3, 464.0 + 0x1p-40, 0x7f },
        { &fpx_e2m1, 1.25 + 0x1p-50, 0x3 },
        { &fpx_e2m1, 1.25, 0x2 },
        { &fpx_e4m3, 0x1p-10, 0x00 },
        { &fpx_e4m3, 0x1p-10 + 0x1p-60, 0x01 },
        { &fpx_e4m3, 0x1.fffffffffffffp-11, 0x00 },
        { &fpx_e5m2, 61440.0, 0x7c },
        { &fpx_e5m2, 0x1.dffffffffffffp15, 0x7b },
        { &fpx_e4m3, 0x1p-70, 0x00 },
        { &fpx_e4m3, -0x1p-1074, 0x80 },
    };

    for (size_t i = 0; i < sizeof traps / sizeof traps[0]; i++) {
        fpx_conversion c = { .round = FPX_RNE, .overflow = FPX_OVERFLOW_NONE };
        uint8_t code = 0xaa;
        c.format = *traps[i].format;
        ck_assert_int_eq(fpx_encode_f64(&c, 1.0, &traps[i].x, &code, 1), FPX_OK);
        if (code != traps[i].code)
            ck_abort_msg("%s of %a: 0x%02x, not 0x%02x", c.format.name, traps[i].x, code,
                         traps[i].code);
    }
}
END_TEST

/* float64 to float32 is what the compiler's conversion does; float32 to float64 is exact. */
START_TEST(wide_formats)
{
    static const double specials[] = { 0.0,      0x1p-149, 0x1p-150,       0x1.000001p-150,
                                       0x1p-126, FLT_MAX,  0x1.ffffffp127, 0x1.fffffefffffffp127,
                                       DBL_MAX,  INFINITY, 0x1.8p-149,     0x1.7fffffp-127,
                                       1.0,      DBL_MIN,  1.0 + 0x1p-24,  1.0 + 0x3p-24 };
    fpx_conversion to32 = { .round = FPX_RNE, .overflow = FPX_OVERFLOW_NONE };
    fpx_conversion to64 = to32;
    uint64_t state = 7;

    to32.format = fpx_fp32;
    to64.format = fpx_fp64;
    for (size_t i = 0; i < 200000; i++) {
        const size_t k = i / 2;
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        const int e = (int)((state >> 20) % 340) - 170;
        double x = ldexp(1.0 + (double)(state >> 40) * 0x1p-24 + (double)(i & 3) * 0x1p-26, e);
        if (k < sizeof specials / sizeof specials[0])
            x = specials[k];
        x = (i & 1) ? -x : x;
        const volatile float want = (float)x;
        uint32_t got = 0;
        uint64_t back = 0;
        const float single = want;
        ck_assert_int_eq(fpx_encode_f64(&to32, 1.0, &x, &got, 1), FPX_OK);
        if (got != fpx_f32_bits(single))
            ck_abort_msg("fp32 of %a: %08x, not %08x", x, got, fpx_f32_bits(single));
        fpx_encode_f64(&to64, 1.0, &x, &back, 1);
        if (back != fpx_f64_bits(x))
            ck_abort_msg("fp64 of %a: %016llx", x, (unsigned long long)back);
        fpx_encode_f32(&to64, 1.0f, &single, &back, 1);
        if (back != fpx_f64_bits((double)single))
            ck_abort_msg("fp64 of float32 %a: %016llx", (double)single, (unsigned long long)back);
    }
    to32.overflow = FPX_SATFINITE;
    const double inf = -INFINITY;
    const double nan = -NAN;
    uint32_t code = 0;
    fpx_encode_f64(&to32, 1.0, &inf, &code, 1);
    ck_assert_uint_eq(code, 0xff7fffff);
    fpx_encode_f64(&to32, 1.0, &nan, &code, 1);
    ck_assert_uint_eq(code, 0xffc00000);
}
END_TEST

/* Every code of every format decodes to its value in float64 and float32, and comes back. */
START_TEST(every_code_round_trips)
{
    const oracle_format *const o = &oracle_formats[_i];
    const fpx_conversion c = oracle_conversion(o, FPX_OVERFLOW_NONE);

    for (uint32_t code = 0; code < 2 * o->sign; code++) {
        const uint32_t magnitude = code & (o->sign - 1);
        const int has_inf = o->above != o->nan && o->above > o->max_code;
        const int is_nan = magnitude > o->max_code && !(has_inf && magnitude == o->above);
        double want = magnitude > o->max_code ? (double)INFINITY : oracle_value(o, magnitude);
        uint16_t stored = (uint16_t)code;
        uint16_t back = 0;
        float x32 = 0;
        double x64 = 0;

        want = is_nan ? (double)NAN : want;
        want = copysign(want, (code & o->sign) ? -1.0 : 1.0);
        ck_assert_int_eq(fpx_decode_f32(o->format, 1.0f, &stored, &x32, 1), FPX_OK);
        ck_assert_int_eq(fpx_decode_f64(o->format, 1.0, &stored, &x64, 1), FPX_OK);
        const uint32_t want32 =
            is_nan ? 0x7fc00000u | (code & o->sign ? 0x80000000u : 0) : fpx_f32_bits((float)want);
        if (fpx_f64_bits(x64) != fpx_f64_bits(want) || fpx_f32_bits(x32) != want32 ||
            fpx_f64_bits(x64) != fpx_f64_bits(fpx_format_value(o->format, code)))
            ck_abort_msg("%s 0x%x: %a and %a, not %a", o->format->name, code, x64, (double)x32,
                         want);
        fpx_encode_f64(&c, 1.0, &x64, &back, 1);
        const uint32_t canonical = o->nan | (code & o->sign);
        if (code_at(o, &back, 0) != (is_nan ? canonical : code))
            ck_abort_msg("%s 0x%x = %a came back as 0x%x", o->format->name, code, x64, back);
    }
}
END_TEST

/* A scale is one float32 (float64) multiplication before the conversion, or after decoding. */
START_TEST(scale_multiplies_once)
{
    static const float scales[] = { 3.0f, 0.1f, -0.7f, 0x1p-130f, 0x1p100f, 448.0f / 3.1f };
    const oracle_format *const o = &oracle_formats[_i];
    const fpx_conversion c = oracle_conversion(o, FPX_OVERFLOW_NONE);
    uint64_t state = 3;

    for (size_t i = 0; i < 30000; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        const volatile float scale = scales[i % 6];
        const float x = fpx_bits_f32((uint32_t)(state >> 32));
        const volatile float product = x * scale;
        const double product64 = (double)x * (double)scale;
        const double x64 = (double)x;
        uint16_t code = 0;

        if (isnan(x))
            continue;
        fpx_encode_f32(&c, scale, &x, &code, 1);
        if (code_at(o, &code, 0) != oracle_encode(o, FPX_OVERFLOW_NONE, (double)product))
            ck_abort_msg("%s: %a * %a gave 0x%x", c.format.name, (double)x, (double)scale, code);
        fpx_encode_f64(&c, (double)scale, &x64, &code, 1);
        if (code_at(o, &code, 0) != oracle_encode(o, FPX_OVERFLOW_NONE, product64))
            ck_abort_msg("%s: float64 %a * %a gave 0x%x", c.format.name, x64, (double)scale, code);
    }
    /* Inf * 0 is a NaN whose sign differs between processors: the source's is taken. */
    const float inf[2] = { INFINITY, -INFINITY };
    uint16_t codes[2] = { 0, 0 };
    for (size_t k = 0; k < 2; k++) {
        const uint32_t sign = k == 1 && o->nan_signed ? o->sign : 0;
        fpx_encode_f32(&c, 0.0f, &inf[k], &codes[k], 1);
        ck_assert_uint_eq(code_at(o, &codes[k], 0), o->nan | sign);
    }
    uint16_t one = 0;
    float decoded = 0;
    const float value = 1.5f;
    fpx_encode_f32(&c, 1.0f, &value, &one, 1);
    fpx_decode_f32(&c.format, 0.1f, &one, &decoded, 1);
    ck_assert_uint_eq(fpx_f32_bits(decoded), fpx_f32_bits(value * 0.1f));
}
END_TEST

START_TEST(refusals)
{
    const float x = 1.0f;
    const double x64 = 1.0;
    fpx_conversion c = { .round = FPX_RNE, .overflow = FPX_SATFINITE };
    const uint16_t bf16 = 0x3f80;
    uint64_t code = 0x5555;
    float out = 2.0f;

    c.format = fpx_int32;
    ck_assert_int_eq(fpx_encode_f32(&c, 1.0f, &x, &code, 1), FPX_EINVAL);
    ck_assert_int_eq(fpx_encode_f64(&c, 1.0, &x64, &code, 1), FPX_EINVAL);
    c.format = fpx_e4m3;
#define REFUSED(CHANGE)                                                                            \
    CHANGE;                                                                                        \
    ck_assert_msg(fpx_encode_f32(&c, 1.0f, &x, &code, 1) == FPX_EINVAL, "%s", #CHANGE);            \
    ck_assert_msg(fpx_encode_f64(&c, 1.0, &x64, &code, 1) == FPX_EINVAL, "%s", #CHANGE);           \
    ck_assert_msg(fpx_encode_codes(&c, &fpx_bf16, &bf16, &code, 1) == FPX_EINVAL, "%s", #CHANGE);  \
    c = (fpx_conversion){ .format = fpx_e4m3, .sr_bits = 8 }
    REFUSED(c.overflow = 3);
    REFUSED(c.round = 7);
    REFUSED(c.round = FPX_SR); /* without random bits */
    REFUSED(c.nan = 4);
    REFUSED(c.nan_code = 0x7e); /* a number */
    REFUSED(c.nan_code = 0xff); /* with a sign */
    REFUSED(c.negative = 3);
    REFUSED(c.zero = 2);
    REFUSED(c.overflow_test = 2);
#undef REFUSED
    const uint32_t bits = 0;
    ck_assert_int_eq(fpx_encode_f32_random(&c, 1.0f, &x, &bits, &code, 1), FPX_EINVAL); /* RNE */
    c.round = FPX_SR;
    c.sr_bits = 0;
    ck_assert_int_eq(fpx_encode_f32_random(&c, 1.0f, &x, &bits, &code, 1), FPX_EINVAL);
    c.sr_bits = 33;
    ck_assert_int_eq(fpx_encode_f64_random(&c, 1.0, &x64, &bits, &code, 1), FPX_EINVAL);
    c.sr_bits = 8;
    c.sr_variant = 3;
    ck_assert_int_eq(fpx_encode_codes_random(&c, &fpx_bf16, &bf16, &bits, &code, 1), FPX_EINVAL);
    c.round = FPX_RNE;
    c.format.mbits = 4; /* no longer fits its width */
    ck_assert_int_eq(fpx_encode_f32(&c, 1.0f, &x, &code, 1), FPX_EINVAL);
    ck_assert_uint_eq(code, 0x5555);
    ck_assert_int_eq(fpx_decode_f32(&fpx_fp64, 1.0f, &code, &out, 1), FPX_EINVAL);
    ck_assert_int_eq(fpx_decode_f32(&fpx_int32, 1.0f, &code, &out, 1), FPX_EINVAL);
    ck_assert(out == 2.0f);
    c.format = fpx_e4m3;
    ck_assert_int_eq(fpx_encode_f32(&c, 1.0f, NULL, NULL, 0), FPX_OK);
    ck_assert_int_eq(fpx_decode_f32(&fpx_fp32, 1.0f, NULL, NULL, 0), FPX_OK);
}
END_TEST

START_TEST(int32_decodes_to_float64)
{
    const int32_t ids[] = { 0, 1, -1, INT32_MAX, INT32_MIN, 50257 };
    double out[6];

    ck_assert_int_eq(fpx_decode_f64(&fpx_int32, 1.0, ids, out, 6), FPX_OK);
    for (int i = 0; i < 6; i++)
        ck_assert(out[i] == (double)ids[i]);
}
END_TEST

/* Named by meson for FPX_CPU=scalar as well: the choice is made once a process. */
START_TEST(kernel_is_the_chosen_one)
{
    fpx_cpu_level level = FPX_CPU_SCALAR;

    ck_assert_int_eq(fpx_cpu_choose(&level, NULL), FPX_OK);
    ck_assert_str_eq(fpx_convert_kernel_name(), fpx_convert_kernels_for(level)->name);
#ifdef FPX_HAVE_AVX2
    ck_assert_str_eq(fpx_convert_kernels_for(FPX_CPU_AVX2)->name, "avx2");
    if (level >= FPX_CPU_AVX2)
        ck_assert_str_eq(fpx_convert_kernel_name(), "avx2");
#endif
    printf("kernels: %s\n", fpx_convert_kernel_name());
}
END_TEST

#ifdef FPX_HAVE_MPFR
/* MPFR rounds to the format's precision and exponent range by itself: the oracle is judged too. */
START_TEST(oracle_agrees_with_mpfr)
{
    const oracle_format *const o = &oracle_formats[_i];
    mpfr_t y;
    uint64_t state = 11;

    mpfr_init2(y, o->mbits + 1);
    mpfr_set_emin(2 - o->bias - o->mbits); /* MPFR's significands lie in [1/2, 1) */
    for (uint32_t i = 0; i < 6 * o->max_code + 20000; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        double x = oracle_midpoint(o, i / 6 < o->max_code ? i / 6 : 0);
        x = i % 3 == 0 ? x : nextafter(x, i % 3 == 1 ? (double)INFINITY : 0.0);
        if (i / 6 >= o->max_code)
            x = ldexp((double)(state >> 11),
                      (int)((state & 63) % (unsigned)(2 * o->bias)) - 53 - o->bias);
        const int ternary = mpfr_set_d(y, x, MPFR_RNDN);
        mpfr_subnormalize(y, ternary, MPFR_RNDN);
        const uint32_t code = oracle_magnitude(o, x);
        const double want = oracle_value(o, code);
        const double got = mpfr_get_d(y, MPFR_RNDN);
        if (code <= o->max_code ? got != want : got < want)
            ck_abort_msg("%s of %a: MPFR has %a, midpoints 0x%x = %a", o->format->name, x, got,
                         code, want);
    }
    mpfr_clear(y);
    mpfr_free_cache();
}
END_TEST
#endif

#ifdef FPX_HAVE_CUDA_HEADERS
/* CUDA's host conversions on a stride of all float32, their float64 paths beside midpoints. NaN codes
 * are another policy there (NUMERICS) and not compared. */
START_TEST(agrees_with_cuda_headers)
{
    const uint64_t step = 65537 / oracle_effort() | 1;
    const __nv_saturation_t saturations[2] = { __NV_SATFINITE, __NV_NOSAT };
    size_t compared = 0;

    for (uint64_t u = 0; u < UINT64_C(1) << 32; u += step) {
        const float x = fpx_bits_f32((uint32_t)u);
        const double beside = (double)x * (1.0 + 0x1p-40);
        if (isnan(x))
            continue;
        for (int k = 0; k < 2; k++) {
            const uint8_t want[6] = {
                __nv_cvt_float_to_fp8(x, saturations[k], __NV_E4M3),
                __nv_cvt_double_to_fp8(beside, saturations[k], __NV_E4M3),
                __nv_cvt_float_to_fp8(x, saturations[k], __NV_E5M2),
                __nv_cvt_double_to_fp8(beside, saturations[k], __NV_E5M2),
                __nv_cvt_float_to_fp4(x, __NV_E2M1, cudaRoundNearest),
                __nv_cvt_double_to_fp4(beside, __NV_E2M1, cudaRoundNearest),
            };
            for (int f = 0; f < 3; f++) {
                const fpx_conversion c = oracle_conversion(&oracle_formats[f], overflows[k]);
                uint8_t got = 0;
                uint8_t got64 = 0;
                fpx_encode_f32(&c, 1.0f, &x, &got, 1);
                fpx_encode_f64(&c, 1.0, &beside, &got64, 1);
                if (got != want[2 * f] || got64 != want[2 * f + 1])
                    ck_abort_msg("%s of %a: 0x%02x, CUDA 0x%02x; beside it 0x%02x, CUDA 0x%02x",
                                 c.format.name, (double)x, got, want[2 * f], got64,
                                 want[2 * f + 1]);
                compared += 2;
            }
        }
    }
    printf("compared with CUDA's host conversions: %zu\n", compared);
}
END_TEST
#endif

int main(void)
{
    Suite *const s = suite_create("convert");
    TCase *const tc = tcase_create("convert");

    tcase_set_timeout(tc, 60.0 * (double)oracle_effort());
    tcase_add_loop_test(tc, thresholds_float32, 0, ORACLE_FORMATS);
    tcase_add_loop_test(tc, thresholds_float64, 0, ORACLE_FORMATS);
    tcase_add_loop_test(tc, stride_float32, 0, ORACLE_FORMATS);
    tcase_add_test(tc, no_double_rounding);
    tcase_add_test(tc, wide_formats);
    tcase_add_loop_test(tc, every_code_round_trips, 0, ORACLE_FORMATS);
    tcase_add_loop_test(tc, scale_multiplies_once, 0, ORACLE_FORMATS);
    tcase_add_test(tc, refusals);
    tcase_add_test(tc, int32_decodes_to_float64);
    tcase_add_test(tc, kernel_is_the_chosen_one);
#ifdef FPX_HAVE_MPFR
    tcase_add_loop_test(tc, oracle_agrees_with_mpfr, 0, ORACLE_FORMATS);
#else
    printf("not compared with MPFR: built without it\n");
#endif
#ifdef FPX_HAVE_CUDA_HEADERS
    tcase_add_test(tc, agrees_with_cuda_headers);
#else
    printf("not compared with CUDA's headers: not installed\n");
#endif
    suite_add_tcase(s, tc);

    SRunner *const sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
