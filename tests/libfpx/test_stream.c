/* test_stream.c - Philox against Random123's published vectors, the mapping of words to elements
 * restated, and the distribution of the normal deviates. */
#include <check.h>
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/stream.h>

#include "format_bits.h"

/* Random123's tests/kat_vectors, the three rows "philox4x32 10". */
START_TEST(published_vectors)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } rows[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff },
          { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t block[4];
        fpx_philox4x32(rows[i].counter, rows[i].key, block);
        ck_assert_mem_eq(block, rows[i].want, sizeof block);
    }
}
END_TEST

static const fpx_stream stream = { UINT64_C(0x123456789abcdef0), UINT64_C(0x100000002), 41, 7 };

/* The header's mapping, word by word. */
START_TEST(mapping)
{
    static const uint32_t key_of_keys[2] = { 0x667078, 0 };
    static const uint32_t where[4] = { 0x9abcdef0, 0x12345678, 2, 1 };
    uint32_t derived[4];
    uint32_t key[2];

    fpx_philox4x32(where, key_of_keys, derived);
    fpx_stream_key(&stream, key);
    ck_assert_uint_eq(key[0], derived[0]);
    ck_assert_uint_eq(key[1], derived[1]);
    const uint64_t elements[] = { 0, 1, 2, 3, 4, 1001, UINT64_C(0x123456789), UINT64_MAX };
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        const uint64_t e = elements[i];
        const uint32_t quarter[4] = { (uint32_t)(e >> 2), (uint32_t)(e >> 34), 41, 7 };
        const uint32_t half[4] = { (uint32_t)(e >> 1), (uint32_t)(e >> 33), 41, 7 };
        uint32_t block[4];
        fpx_philox4x32(quarter, key, block);
        ck_assert_uint_eq(fpx_stream_u32(&stream, e), block[e & 3]);
        fpx_philox4x32(half, key, block);
        const uint64_t bits = (uint64_t)block[2 * (e & 1)] << 32 | block[2 * (e & 1) + 1];
        ck_assert(fpx_stream_uniform(&stream, e) == ldexp((double)(bits >> 11), -53));
        const double u = ldexp((double)(((uint64_t)block[0] << 32 | block[1]) >> 11), -53);
        const double v = ldexp((double)(((uint64_t)block[2] << 32 | block[3]) >> 11), -53);
        const double angle = 6.283185307179586 * v;
        const double want = sqrt(-2.0 * log(u + 0x1p-54)) * ((e & 1) ? sin(angle) : cos(angle));
        ck_assert(fabs(fpx_stream_normal(&stream, e) - want) < 1e-14);
    }
}
END_TEST

/* Fixed bits: these may never change, or a golden trace of another version would. */
START_TEST(golden_words)
{
    const fpx_stream zero = { 0, 0, 0, 0 };

    ck_assert_uint_eq(fpx_stream_u32(&zero, 0), 0x3f8c6e7c);
    ck_assert_uint_eq(fpx_stream_u32(&stream, 5), 0xab3a0352);
    ck_assert_uint_eq(fpx_f64_bits(fpx_stream_uniform(&stream, 5)), UINT64_C(0x3fe5ff957a09e3ca));
    ck_assert_uint_eq(fpx_f64_bits(fpx_stream_normal(&stream, 4)), UINT64_C(0xbfd246df3eed406e));
    ck_assert_uint_eq(fpx_f64_bits(fpx_stream_normal(&stream, 5)), UINT64_C(0xbfe60acdc5b683e4));
}
END_TEST

/* Arrays are the single numbers, wherever they begin; each part of the counter and key matters. */
START_TEST(arrays_and_independence)
{
    enum { N = 37 };
    uint32_t words[N];
    double normals[N];

    for (uint64_t first = 0; first < 9; first++) {
        fpx_stream_u32_array(&stream, first, words, N);
        fpx_stream_normal_array(&stream, first, normals, N);
        for (uint64_t i = 0; i < N; i++) {
            ck_assert_uint_eq(words[i], fpx_stream_u32(&stream, first + i));
            ck_assert_uint_eq(fpx_f64_bits(normals[i]),
                              fpx_f64_bits(fpx_stream_normal(&stream, first + i)));
        }
    }
    fpx_stream other[6];
    for (int i = 0; i < 6; i++)
        other[i] = stream;
    other[0].seed ^= 1;
    other[1].seed ^= UINT64_C(1) << 40;
    other[2].site ^= 1;
    other[3].site ^= UINT64_C(1) << 40;
    other[4].step ^= 1;
    other[5].micro_batch ^= 1;
    for (int i = 0; i < 6; i++)
        ck_assert_uint_ne(fpx_stream_u32(&other[i], 0), fpx_stream_u32(&stream, 0));
}
END_TEST

/* 16 bits: halves of words, the lower first. */
START_TEST(mapping_u16)
{
    const uint64_t elements[] = { 0, 1, 2, 7, 8, 1001, UINT64_C(0x123456789), UINT64_MAX };
    uint32_t key[2];

    fpx_stream_key(&stream, key);
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        const uint64_t e = elements[i];
        const uint32_t counter[4] = { (uint32_t)(e >> 3), (uint32_t)(e >> 35), 41, 7 };
        uint32_t block[4];
        fpx_philox4x32(counter, key, block);
        const uint32_t word = block[(e & 7) >> 1];
        ck_assert_uint_eq(fpx_stream_u16(&stream, e), e & 1 ? word >> 16 : word & 0xffff);
    }
    /* u32 of element 5 is 0xab3a0352 (above), the word 1 of block 1: element 10 of 16 bits and the next. */
    ck_assert_uint_eq(fpx_stream_u16(&stream, 10), 0x0352);
    ck_assert_uint_eq(fpx_stream_u16(&stream, 11), 0xab3a);
}
END_TEST

/* Past the last element comes element 0. */
START_TEST(arrays_wrap)
{
    enum { N = 150 };
    uint32_t words[N];

    for (uint64_t before = 0; before < 75; before++) {
        fpx_stream_u32_array(&stream, UINT64_C(0) - before, words, N);
        for (uint64_t i = 0; i < N; i++)
            if (words[i] != fpx_stream_u32(&stream, i - before))
                ck_abort_msg("element %d", (int)i - (int)before);
    }
}
END_TEST

/* w = 0x01234567: the fields are 0x0123 and 0x4567, for e2m1x4 bytes 3, 1 (0x0145) and 2, 0 (0x2367). */
START_TEST(hardware_layout)
{
    static const uint32_t words[2] = { 0x01234567, 0x80000001 };
    static const uint32_t x4[8] = {
        0x4567, 0xe6a2, 0x0123, 0xc480, 0x0001, 0x8000, 0x8000, 0x0001
    };
    static const uint32_t e2m1x4[4] = { 0x2367, 0xe6c4, 0x0145, 0xa280 };
    uint32_t bits[8];

    fpx_stream_ptx_rs(FPX_PTX_RS_X4, words, bits, 8);
    ck_assert_mem_eq(bits, x4, sizeof x4);
    fpx_stream_ptx_rs(FPX_PTX_RS_E2M1X4, words, bits, 4);
    ck_assert_mem_eq(bits, e2m1x4, sizeof e2m1x4);
    memset(bits, 0xa5, sizeof bits);
    fpx_stream_ptx_rs(FPX_PTX_RS_X4, words, bits, 5);
    ck_assert_mem_eq(bits, x4, 5 * sizeof *bits);
    ck_assert_uint_eq(bits[5], 0xa5a5a5a5);
}
END_TEST

enum { ROUNDED = 5000 }; /* more than two of the pieces that are made at a time */

static void compare_rounded(const fpx_conversion *c, const float *x, uint64_t first, size_t n)
{
    static uint32_t bits[ROUNDED];
    static unsigned char want[4 * ROUNDED];
    static unsigned char got[4 * ROUNDED + 1];
    const size_t bytes = fpx_format_size(&c->format) * n;

    for (size_t i = 0; i < n; i++)
        bits[i] = c->sr_bits <= 16 ? fpx_stream_u16(&stream, first + i)
                                   : fpx_stream_u32(&stream, first + i);
    got[bytes] = 0xa5;
    ck_assert_int_eq(fpx_encode_f32_random(c, 0.75f, x, bits, want, n), FPX_OK);
    ck_assert_int_eq(fpx_encode_f32_stream(c, 0.75f, x, &stream, first, got, n), FPX_OK);
    if (memcmp(want, got, bytes) != 0 || got[bytes] != 0xa5)
        ck_abort_msg("%s, N %d, variant %d: %zu elements from %llx differ", c->format.name,
                     c->sr_bits, c->sr_variant, n, (unsigned long long)first);
}

/* Rounding with a stream is rounding with its numbers, wherever the array begins and ends. */
START_TEST(rounding_with_a_stream)
{
    static const char *const formats[] = { "e4m3", "e2m1", "bf16",    "fp16",
                                           "tf32", "e8m0", "e4m3fnuz" };
    static const uint64_t firsts[] = {
        0, 1, 3, 8, 4095, UINT64_C(0xffffffff8) - 9, UINT64_MAX - 1000
    };
    static const uint8_t widths[] = { 1, 8, 16, 17, 32 };
    static float x[ROUNDED];

    for (int i = 0; i < ROUNDED; i++)
        x[i] = fpx_bits_f32((fpx_stream_u32(&stream, (uint64_t)i) & 0x87ffffff) | 0x38000000);
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++)
        for (size_t w = 0; w < sizeof widths; w++) {
            fpx_conversion c = { .format = *fpx_format_find(formats[f]),
                                 .round = FPX_SR,
                                 .sr_bits = widths[w],
                                 .sr_variant = (uint8_t)(w % 3) };
            for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
                compare_rounded(&c, x, firsts[i], i == 6 ? ROUNDED : 40 + i);
                compare_rounded(&c, x + 1, firsts[i], i);
            }
        }
}
END_TEST

START_TEST(rounding_refusals)
{
    fpx_conversion c = { .format = fpx_e4m3, .round = FPX_SR, .sr_bits = 0 };
    const float x = 1.0f;
    uint8_t code = 0xa5;

    ck_assert_int_eq(fpx_encode_f32_stream(&c, 1.0f, &x, &stream, 0, &code, 1), FPX_EINVAL);
    c.sr_bits = 33;
    ck_assert_int_eq(fpx_encode_f32_stream(&c, 1.0f, &x, &stream, 0, &code, 1), FPX_EINVAL);
    c.sr_bits = 16;
    c.round = FPX_RNE;
    ck_assert_int_eq(fpx_encode_f32_stream(&c, 1.0f, &x, &stream, 0, &code, 1), FPX_EINVAL);
    c.round = FPX_SR;
    ck_assert_int_eq(fpx_encode_f32_stream(&c, 1.0f, NULL, &stream, 0, NULL, 0), FPX_OK);
    ck_assert_uint_eq(code, 0xa5);
}
END_TEST

/* A fixed sample, so the limits are facts about it: mean and variance within 4 standard errors. */
START_TEST(normal_moments)
{
    enum { N = 200000 };
    static double x[N];
    double sum = 0.0;
    double square = 0.0;
    double fourth = 0.0;
    int inside = 0;

    fpx_stream_normal_array(&stream, 0, x, N);
    for (int i = 0; i < N; i++) {
        if (!(fabs(x[i]) < 8.66))
            ck_abort_msg("element %d: %a", i, x[i]);
        sum += x[i];
        square += x[i] * x[i];
        fourth += x[i] * x[i] * x[i] * x[i];
        inside += fabs(x[i]) < 1.0;
    }
    ck_assert_msg(fabs(sum / N) < 4 / sqrt(N), "mean %g", sum / N);
    ck_assert_msg(fabs(square / N - 1) < 4 * sqrt(2.0 / N), "variance %g", square / N);
    ck_assert_msg(fabs(fourth / N - 3) < 4 * sqrt(96.0 / N), "fourth moment %g", fourth / N);
    ck_assert_msg(fabs((double)inside / N - 0.682689492) < 4 * sqrt(0.22 / N), "inside %d", inside);
}
END_TEST

START_TEST(rounding_mode_is_the_librarys)
{
    double want[64];
    double got[64];

    fpx_stream_normal_array(&stream, 0, want, 64);
    fesetround(FE_UPWARD);
    fpx_stream_normal_array(&stream, 0, got, 64);
    const double uniform = fpx_stream_uniform(&stream, 3);
    const int mode = fegetround();
    fesetround(FE_TONEAREST);
    ck_assert_int_eq(mode, FE_UPWARD);
    ck_assert_mem_eq(want, got, sizeof want);
    ck_assert(uniform == fpx_stream_uniform(&stream, 3));
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("stream");
    TCase *const tc = tcase_create("stream");

    tcase_add_test(tc, published_vectors);
    tcase_add_test(tc, mapping);
    tcase_add_test(tc, golden_words);
    tcase_add_test(tc, arrays_and_independence);
    tcase_add_test(tc, mapping_u16);
    tcase_add_test(tc, arrays_wrap);
    tcase_add_test(tc, hardware_layout);
    tcase_add_test(tc, rounding_with_a_stream);
    tcase_add_test(tc, rounding_refusals);
    tcase_add_test(tc, normal_moments);
    tcase_add_test(tc, rounding_mode_is_the_librarys);
    suite_add_tcase(s, tc);

    SRunner *const sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
