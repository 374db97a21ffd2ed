/* test_cpu.c - levels, the FPX_CPU mask, status texts, and that a hostile caller's rounding mode, FTZ
 * and DAZ change no bit and are given back. */
#include <check.h>
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/cpu.h>

#include "format_bits.h"

#ifdef __x86_64__
#include <xmmintrin.h>
#endif

START_TEST(level_names)
{
    ck_assert_str_eq(fpx_cpu_level_name(FPX_CPU_SCALAR), "scalar");
    ck_assert_str_eq(fpx_cpu_level_name(FPX_CPU_AVX2), "avx2");
    ck_assert_str_eq(fpx_cpu_level_name(FPX_CPU_AVX512), "avx512");
    ck_assert_str_eq(fpx_cpu_level_name(FPX_CPU_LEVELS), "unknown");
}
END_TEST

/* The compiler's own detection is the oracle. */
START_TEST(detection)
{
    const fpx_cpu_level have = fpx_cpu_detect();

    ck_assert_int_eq(have, fpx_cpu_detect());
#if defined(__x86_64__) && defined(__GNUC__)
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    ck_assert_int_eq(have >= FPX_CPU_AVX2, avx2);
    ck_assert_int_eq(have >= FPX_CPU_AVX512, avx2 && __builtin_cpu_supports("avx512bw") &&
                                                 __builtin_cpu_supports("avx512vl") &&
                                                 __builtin_cpu_supports("avx512dq"));
#endif
    printf("detected: %s\n", fpx_cpu_level_name(have));
}
END_TEST

START_TEST(mask)
{
    const fpx_cpu_level have = fpx_cpu_detect();
    fpx_cpu_level level = FPX_CPU_LEVELS;
    fpx_error err;

    unsetenv("FPX_CPU");
    ck_assert_int_eq(fpx_cpu_choose(&level, NULL), FPX_OK);
    ck_assert_int_eq(level, have < FPX_CPU_AVX2 ? have : FPX_CPU_AVX2); /* never AVX-512 unasked */
    for (int i = 0; i < FPX_CPU_LEVELS; i++) {
        setenv("FPX_CPU", fpx_cpu_level_name((fpx_cpu_level)i), 1);
        level = FPX_CPU_LEVELS;
        const fpx_status status = fpx_cpu_choose(&level, &err);
        if (i <= (int)have) {
            ck_assert_int_eq(status, FPX_OK);
            ck_assert_int_eq(level, i);
        } else {
            ck_assert_int_eq(status, FPX_EINVAL);
            ck_assert_int_eq(level, FPX_CPU_LEVELS);
            ck_assert_ptr_nonnull(strstr(err.text, "FPX_CPU"));
        }
    }
    setenv("FPX_CPU", "sse9", 1);
    ck_assert_int_eq(fpx_cpu_choose(&level, &err), FPX_EINVAL);
    ck_assert_int_eq(err.status, FPX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "sse9"));
    ck_assert_int_eq(fpx_cpu_choose(&level, NULL), FPX_EINVAL);
    unsetenv("FPX_CPU");
}
END_TEST

START_TEST(status_texts)
{
    fpx_error err;
    char longest[3000];

    for (int status = FPX_OK; status >= FPX_EINTERRUPTED; status--) {
        ck_assert_str_ne(fpx_status_text((fpx_status)status), "unknown status");
        ck_assert_ptr_null(strchr(fpx_status_text((fpx_status)status), '\n'));
    }
    ck_assert_str_eq(fpx_status_text((fpx_status)-99), "unknown status");
    ck_assert_int_eq(fpx_error_set(NULL, FPX_EIO, "%d", 1), FPX_EIO);
    ck_assert_int_eq(fpx_error_set(&err, FPX_EFORMAT, "line %d\n", 7), FPX_EFORMAT);
    ck_assert_str_eq(err.text, "line 7");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    fpx_error_set(&err, FPX_EIO, "%s", longest);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
}
END_TEST

/* Hostile environments: every rounding mode, on x86 with FTZ (bit 15) and DAZ (bit 6). */
static void hostile(int i)
{
    static const int modes[4] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };

    fesetround(modes[i & 3]);
#ifdef __x86_64__
    if (i & 4)
        _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
}

enum { VALUES = 203 };

static void run_all(const float *x, const double *y, uint8_t *codes, float *back, double *back64)
{
    fpx_conversion c = { .round = FPX_RNE, .overflow = FPX_OVERFLOW_NONE };
    uint8_t wide[VALUES * 8];

    c.format = fpx_e5m2;
    fpx_encode_f32(&c, 0.1f, x, codes, VALUES);
    fpx_encode_f64(&c, 0.1, y, codes + VALUES, VALUES);
    c.format = fpx_bf16; /* subnormals of bfloat16 are subnormals of float32 */
    fpx_encode_f32(&c, 0.3f, x, wide, VALUES);
    memcpy(codes + 2 * VALUES, wide, 2 * VALUES);
    fpx_decode_f32(&fpx_bf16, 0.7f, wide, back, VALUES);
    c.format = fpx_fp64;
    fpx_encode_f64(&c, 0x1.8p-10, y, wide, VALUES);
    fpx_decode_f64(&fpx_fp64, 0x1.5555555555555p-2, wide, back64, VALUES);
}

START_TEST(hostile_environment_changes_nothing)
{
    static float x[VALUES];
    static double y[VALUES];
    static uint8_t codes[2][4 * VALUES];
    static float back[2][VALUES];
    static double back64[2][VALUES];

    for (uint32_t i = 0; i < VALUES; i++) {
        x[i] = fpx_bits_f32(i * 0x01000193u ^ i << 27);
        y[i] = fpx_bits_f64((uint64_t)i * UINT64_C(0x00a0000000123457));
    }
    x[0] = fpx_bits_f32(0x00400001);
    y[0] = fpx_bits_f64(1);
    run_all(x, y, codes[0], back[0], back64[0]);
    hostile(_i);
    const int mode = fegetround();
#ifdef __x86_64__
    const unsigned csr = _mm_getcsr();
#endif
    run_all(x, y, codes[1], back[1], back64[1]);
    const int mode_after = fegetround();
#ifdef __x86_64__
    const unsigned csr_after = _mm_getcsr();
    _mm_setcsr(0x1f80);
#endif
    fesetround(FE_TONEAREST);
    ck_assert_int_eq(mode, mode_after);
#ifdef __x86_64__
    ck_assert_uint_eq(csr, csr_after); /* exception flags too: none leaks out */
#endif
    ck_assert_mem_eq(codes[0], codes[1], sizeof codes[0]);
    ck_assert_mem_eq(back[0], back[1], sizeof back[0]);
    ck_assert_mem_eq(back64[0], back64[1], sizeof back64[0]);
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("cpu");
    TCase *const tc = tcase_create("cpu");

    tcase_add_test(tc, level_names);
    tcase_add_test(tc, detection);
    tcase_add_test(tc, mask);
    tcase_add_test(tc, status_texts);
    tcase_add_loop_test(tc, hostile_environment_changes_nothing, 0, 8);
    suite_add_tcase(s, tc);

    SRunner *const sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
