/* test_convert_bugs.c - bugs that other converters were published with (NUMERICS.md has the list): each is a small test
 * here, so that this one never has them. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <fpx/convert.h>

static fpx_conversion conversion_of(const fpx_format *f, fpx_round round, fpx_overflow overflow)
{
    fpx_conversion c = { .round = (uint8_t)round, .overflow = (uint8_t)overflow };

    c.format = *f;
    return c;
}

static uint8_t encode(const fpx_conversion *c, double x)
{
    const float narrow = (float)x;
    uint8_t code = 0xee;
    uint8_t code64 = 0xee;

    ck_assert_int_eq(fpx_encode_f32(c, 1.0f, &narrow, &code, 1), FPX_OK);
    ck_assert_int_eq(fpx_encode_f64(c, 1.0, &x, &code64, 1), FPX_OK);
    ck_assert_uint_eq(code, code64); /* every x here is a float32 */
    return code;
}

/* rocm-systems 10591: a shift by 64 and more in amd_hip_fp8.h; 2^-70 became 2^-6. */
START_TEST(amd_shift_by_64)
{
    static const fpx_format *const formats[] = { &fpx_e4m3, &fpx_e5m2, &fpx_e4m3fnuz,
                                                 &fpx_e5m2fnuz };

    for (size_t f = 0; f < 4; f++) {
        const fpx_conversion c = conversion_of(formats[f], FPX_RNE, FPX_SATFINITE);
        for (int e = -149; e <= -20; e++) {
            ck_assert_uint_eq(encode(&c, ldexp(1.0, e)), 0);
            ck_assert_uint_eq(encode(&c, -ldexp(1.0, e)), f < 2 ? 0x80 : 0x00);
        }
    }
}
END_TEST

/* pytorch 177870: ptxas for sm_100 took the wrong register for odd elements in the subnormal range. */
START_TEST(odd_elements_in_the_subnormal_range)
{
    const fpx_conversion c = conversion_of(&fpx_e4m3, FPX_RNE, FPX_SATFINITE);
    float x[67];
    uint8_t codes[67];

    for (int i = 0; i < 67; i++)
        x[i] = i % 2 == 0 ? 100.0f + (float)i : ldexpf((float)(i % 15) / 2, -9);
    for (int offset = 0; offset < 4; offset++) {
        ck_assert_int_eq(fpx_encode_f32(&c, 1.0f, x + offset, codes, (size_t)(67 - offset)),
                         FPX_OK);
        for (int i = offset; i < 67; i++)
            ck_assert_uint_eq(codes[i - offset], encode(&c, (double)x[i]));
    }
}
END_TEST

/* ao 4652 (Triton): an FP8 store of a transposed tile went wrong. Codes do not depend on where elements lie. */
START_TEST(transposed)
{
    enum { ROWS = 24, COLUMNS = 40 };
    const fpx_conversion c = conversion_of(&fpx_e5m2, FPX_RNE, FPX_SATFINITE);
    float x[ROWS * COLUMNS];
    float turned[ROWS * COLUMNS];
    uint8_t a[ROWS * COLUMNS];
    uint8_t b[ROWS * COLUMNS];

    for (int i = 0; i < ROWS * COLUMNS; i++)
        x[i] = ldexpf((float)(i * 37 % 101 - 50), i % 31 - 20);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        turned[i % COLUMNS * ROWS + i / COLUMNS] = x[i];
    ck_assert_int_eq(fpx_encode_f32(&c, 1.0f, x, a, ROWS * COLUMNS), FPX_OK);
    ck_assert_int_eq(fpx_encode_f32(&c, 1.0f, turned, b, ROWS * COLUMNS), FPX_OK);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        ck_assert_uint_eq(a[i], b[i % COLUMNS * ROWS + i / COLUMNS]);
}
END_TEST

/* Of all 2^16 words, how many take x to `up`. */
static unsigned ups(const fpx_format *f, float x, uint8_t up, fpx_sr_variant variant)
{
    fpx_conversion c = conversion_of(f, FPX_SR, FPX_SATFINITE);
    unsigned count = 0;

    c.sr_bits = 16;
    c.sr_variant = (uint8_t)variant;
    for (uint32_t r = 0; r < 65536; r++) {
        uint8_t code = 0xee;
        fpx_encode_f32_random(&c, 1.0f, &x, &r, &code, 1);
        count += code == up;
    }
    return count;
}

/* TE 3281: on sm_120 stochastic rounding gave gradients of zeros alone. A value an 8th of the least above zero must
 * come out as the least in an 8th of all cases: for each sign. */
START_TEST(stochastic_gradients_are_not_all_zero)
{
    ck_assert_uint_eq(ups(&fpx_e2m1, 0x1p-4f, 0x1, FPX_SR_A), 8192);
    ck_assert_uint_eq(ups(&fpx_e2m1, -0x1p-4f, 0x9, FPX_SR_A), 8192);
    ck_assert_uint_eq(ups(&fpx_e5m2, 0x1p-19f, 0x01, FPX_SR_C), 8192);
}
END_TEST

/* CPFloat: the probabilities of underflow doubled where rand() has 31 bits. */
START_TEST(underflow_has_its_own_probability)
{
    for (int e = 1; e <= 16; e++) {
        ck_assert_uint_eq(ups(&fpx_e4m3, ldexpf(1.0f, -9 - e), 0x01, FPX_SR_A), 65536u >> e);
        ck_assert_uint_eq(ups(&fpx_e4m3, ldexpf(1.0f, -9 - e), 0x01, FPX_SR_B), 65536u >> e);
        ck_assert_uint_eq(ups(&fpx_e4m3, ldexpf(1.0f, -9 - e), 0x01, FPX_SR_C), 65536u >> e);
    }
}
END_TEST

/* tt-metal 51971: 132 of the 256 codes of E4M3 did not come back. onnxruntime 31155: a kernel that wrote zeros passed a
 * test with a tolerance; the comparison here is equality, and 252 codes are not zero. */
START_TEST(all_codes_come_back)
{
    static const fpx_format *const formats[] = { &fpx_e4m3, &fpx_e5m2, &fpx_e4m3fnuz,
                                                 &fpx_e5m2fnuz };

    for (size_t f = 0; f < 4; f++) {
        const fpx_conversion c = conversion_of(formats[f], FPX_RNE, FPX_OVERFLOW_NONE);
        unsigned back = 0;
        for (uint32_t code = 0; code < 256; code++) {
            const uint8_t byte = (uint8_t)code;
            float x = 0;
            uint8_t again = 0;
            ck_assert_int_eq(fpx_decode_f32(formats[f], 1.0f, &byte, &x, 1), FPX_OK);
            ck_assert_int_eq(fpx_encode_f32(&c, 1.0f, &x, &again, 1), FPX_OK);
            back += again == byte;
            ck_assert(again == byte || isnan(x)); /* e5m2's other NaNs become its quiet one */
        }
        ck_assert_uint_eq(back, f == 1 ? 252u : 256u);
    }
}
END_TEST

/* CPFloat's preset of E4M3 has 480 as its largest value: as in a format with emax 8 and without NaN. */
START_TEST(e4m3_ends_at_448)
{
    const fpx_conversion clipped = conversion_of(&fpx_e4m3, FPX_RNE, FPX_SATFINITE);
    const fpx_conversion open = conversion_of(&fpx_e4m3, FPX_RNE, FPX_OVERFLOW_NONE);

    ck_assert_uint_eq(encode(&clipped, 480), 0x7e);
    ck_assert_uint_eq(encode(&clipped, 470), 0x7e);
    ck_assert_uint_eq(encode(&open, 480), 0x7f);
    ck_assert(isnan(fpx_format_value(&fpx_e4m3, 0x7f)));
    ck_assert(!(fpx_format_max(&fpx_e4m3) < 448) && !(fpx_format_max(&fpx_e4m3) > 448));
}
END_TEST

/* HDF5 1.10.8 and 2.0.0 convert floats themselves: 14 of 256 codes of E4M3 and 4 of 16 of E2M1 come out wrong (those of
 * the highest exponent, which there is taken for Inf and NaN, as IEEE has it), and ties go away from zero. */
START_TEST(the_highest_exponent_is_finite)
{
    static const double top[8] = { 256, 288, 320, 352, 384, 416, 448, NAN };
    static const double small[8] = { 0, 0.5, 1, 1.5, 2, 3, 4, 6 };
    const fpx_conversion e4m3 = conversion_of(&fpx_e4m3, FPX_RNE, FPX_SATFINITE);

    for (uint32_t m = 0; m < 7; m++) {
        ck_assert_double_eq(fpx_format_value(&fpx_e4m3, 0x78 + m), top[m]);
        ck_assert_double_eq(fpx_format_value(&fpx_e4m3, 0xf8 + m), -top[m]);
    }
    for (uint32_t m = 0; m < 8; m++) {
        ck_assert_double_eq(fpx_format_value(&fpx_e2m1, m), small[m]);
        ck_assert_double_eq(fpx_format_value(&fpx_e2m1, 8 + m), -small[m]);
    }
    ck_assert_uint_eq(encode(&e4m3, 1.0625), 0x38); /* between 1 and 1.125 */
    ck_assert_uint_eq(encode(&e4m3, 1.1875), 0x3a);
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("convert-bugs");
    TCase *const tc = tcase_create("convert-bugs");

    tcase_set_timeout(tc, 60.0);
    tcase_add_test(tc, amd_shift_by_64);
    tcase_add_test(tc, odd_elements_in_the_subnormal_range);
    tcase_add_test(tc, transposed);
    tcase_add_test(tc, stochastic_gradients_are_not_all_zero);
    tcase_add_test(tc, underflow_has_its_own_probability);
    tcase_add_test(tc, all_codes_come_back);
    tcase_add_test(tc, e4m3_ends_at_448);
    tcase_add_test(tc, the_highest_exponent_is_finite);
    suite_add_tcase(s, tc);
    SRunner *const runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
