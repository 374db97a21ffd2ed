/* test_profile.c - the profiles against the table of what vendors do (NUMERICS, from running their code), and where
 * CUDA's toolkit is installed against its host functions. tests/libfpx/peers.py compares with ml_dtypes. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/profile.h>

#include "format_bits.h"
#ifdef FPX_HAVE_CUDA_HEADERS
#include "cuda_oracle.h"
#endif

static uint32_t effort(void)
{
    const char *const text = getenv("FPX_TEST_EFFORT");
    const long value = text == NULL ? 1 : strtol(text, NULL, 10);

    return value < 1 ? 1 : (uint32_t)value;
}

#define PASS FPX_SATPROPAGATE
#define CLIP FPX_SATFINITE
#define OPEN FPX_OVERFLOW_NONE

/* clang-format off */
static const struct {
    const char *profile, *format;
    int overflow, round; /* round -1: the profile's own */
    double x;
    uint32_t code;
} facts[] = {
    /* e4m3: the tie at 464, overflow, Inf, NaN */
    { "cuda-float", "e4m3", OPEN, -1, 464, 0x7e }, { "cuda-double", "e4m3", OPEN, -1, 464, 0x7e },
    { "ml_dtypes", "e4m3", OPEN, -1, 464, 0x7e }, { "cutlass", "e4m3", CLIP, -1, 464, 0x7e },
    { "amd-hip", "e4m3", OPEN, -1, 464, 0x7f }, { "amd-hip", "e4m3", OPEN, -1, -448.5, 0xff },
    { "amd-hip", "e4m3", OPEN, -1, 448, 0x7e }, { "amd-hip", "e4m3", CLIP, -1, 464, 0x7e },
    { "ocp", "e4m3", OPEN, -1, 464, 0x7e },
    { "cuda-float", "e4m3", OPEN, -1, -465, 0xff }, { "cuda-double", "e4m3", OPEN, -1, -465, 0xff },
    { "ml_dtypes", "e4m3", OPEN, -1, -465, 0xff }, { "cutlass", "e4m3", CLIP, -1, -465, 0xfe },
    { "cuda-float", "e4m3", CLIP, -1, -INFINITY, 0xfe }, { "amd-hip", "e4m3", CLIP, -1, -INFINITY, 0xfe },
    { "cutlass", "e4m3", CLIP, -1, INFINITY, 0x7e }, { "ptx", "e4m3", CLIP, -1, INFINITY, 0x7e },
    { "cuda-float", "e4m3", CLIP, -1, -NAN, 0x7f }, { "cuda-double", "e4m3", CLIP, -1, -NAN, 0xff },
    { "ml_dtypes", "e4m3", OPEN, -1, -NAN, 0xff }, { "amd-hip", "e4m3", OPEN, -1, -NAN, 0xff },
    { "cutlass", "e4m3", CLIP, -1, -NAN, 0x7f }, { "ptx", "e4m3", CLIP, -1, -NAN, 0x7f },
    /* e5m2 */
    { "cuda-float", "e5m2", OPEN, -1, 61440, 0x7c }, { "ml_dtypes", "e5m2", OPEN, -1, 61440, 0x7c },
    { "cuda-float", "e5m2", OPEN, -1, 61439, 0x7b }, { "cutlass", "e5m2", CLIP, -1, 61440, 0x7b },
    { "amd-hip", "e5m2", OPEN, -1, 57345, 0x7c }, { "amd-hip", "e5m2", OPEN, -1, 57344, 0x7b },
    { "cuda-float", "e5m2", OPEN, -1, -NAN, 0x7f }, { "cuda-double", "e5m2", OPEN, -1, -NAN, 0xfe },
    { "ml_dtypes", "e5m2", OPEN, -1, -NAN, 0xfe }, { "amd-hip", "e5m2", OPEN, -1, -NAN, 0xff },
    { "cutlass", "e5m2", CLIP, -1, -NAN, 0x7f },
    /* without NaN */
    { "cuda-float", "e2m1", CLIP, -1, -NAN, 0x7 }, { "ml_dtypes", "e2m1", OPEN, -1, NAN, 0x8 },
    { "ml_dtypes", "e2m1", OPEN, -1, -NAN, 0x0 }, { "cutlass", "e2m1", CLIP, -1, -NAN, 0xf },
    { "cuda-float", "e3m2", CLIP, -1, -INFINITY, 0x3f }, { "ml_dtypes", "e2m3", OPEN, -1, -INFINITY, 0x3f },
    { "cutlass", "e3m2", CLIP, -1, -NAN, 0x3f }, { "ptx", "e2m3", CLIP, -1, -NAN, 0x1f },
    /* e8m0 */
    { "cuda-float", "e8m0", CLIP, -1, -0.0, 0x00 }, { "cuda-float", "e8m0", CLIP, -1, -3, 0x80 },
    { "cuda-float", "e8m0", CLIP, FPX_RU, -3, 0x81 }, { "cuda-float", "e8m0", OPEN, -1, INFINITY, 0xff },
    { "cuda-float", "e8m0", CLIP, -1, INFINITY, 0xfe }, { "cuda-float", "e8m0", OPEN, FPX_RU, 0x1.8p127, 0xff },
    { "cuda-double", "e8m0", CLIP, FPX_RU, 0x1.8p127, 0xfe }, { "cuda-float", "e8m0", CLIP, FPX_RU, 0x1p-130, 0x00 },
    { "ml_dtypes", "e8m0", OPEN, -1, 3, 0x81 }, { "ml_dtypes", "e8m0", OPEN, -1, 0, 0xff },
    { "ml_dtypes", "e8m0", OPEN, -1, -3, 0xff }, { "ml_dtypes", "e8m0", OPEN, -1, INFINITY, 0xff },
    { "ml_dtypes", "e8m0", OPEN, -1, 0x1p-149, 0x00 }, { "ml_dtypes", "e8m0", OPEN, -1, 0x1.8p127, 0xff },
    { "cutlass", "e8m0", CLIP, -1, -3, 0x81 }, { "cutlass", "e8m0", CLIP, -1, INFINITY, 0xff },
    /* one zero */
    { "ml_dtypes", "e4m3fnuz", OPEN, -1, 1e9, 0x80 }, { "ml_dtypes", "e4m3fnuz", OPEN, -1, -0.0, 0x00 },
    { "ml_dtypes", "e5m2fnuz", OPEN, -1, -NAN, 0x80 }, { "amd-hip", "e4m3fnuz", CLIP, -1, -NAN, 0xff },
    { "amd-hip", "e4m3fnuz", OPEN, -1, -NAN, 0x80 }, { "amd-hip", "e5m2fnuz", OPEN, -1, 57345, 0x80 },
    { "amd-hip", "e4m3fnuz", CLIP, -1, 1e9, 0x7f },
    /* scales */
    { "cutlass", "ue4m3", CLIP, -1, -3, 0x44 }, { "cutlass", "ue4m3", CLIP, -1, 1e9, 0x7e },
    { "cutlass", "ue4m3", CLIP, -1, -0x1p-9, 0x01 }, { "cutlass", "ue4m3", CLIP, -1, -0x1p-10, 0x00 },
    { "cutlass", "ue4m3", CLIP, -1, -INFINITY, 0x7e }, { "cutlass", "ue4m3", CLIP, -1, -NAN, 0x7f },
    /* 16 bits */
    { "cuda-float", "bf16", OPEN, -1, -NAN, 0x7fff }, { "cuda-float", "fp16", OPEN, FPX_RZ, 65520, 0x7bff },
    { "ml_dtypes", "bf16", OPEN, -1, -NAN, 0xffc0 }, { "ptx", "fp16", CLIP, -1, -1e9, 0xfbff },
    /* P3109: saturation, the finite domain, unsigned */
    { "p3109", "binary8p4se", OPEN, -1, 1e9, 0x7f }, { "p3109", "binary8p4se", PASS, -1, 1e9, 0x7e },
    { "p3109", "binary8p4se", PASS, -1, -INFINITY, 0xff }, { "p3109", "binary8p4se", CLIP, -1, -INFINITY, 0xfe },
    { "p3109", "binary8p4se", OPEN, -1, -0.0, 0x00 }, { "p3109", "binary8p4se", OPEN, -1, -NAN, 0x80 },
    { "p3109", "binary8p4sf", OPEN, -1, 1e9, 0x7f }, { "p3109", "binary8p4sf", OPEN, -1, -INFINITY, 0xff },
    { "p3109", "binary8p4sf", PASS, -1, INFINITY, 0x7f }, { "p3109", "binary8p4sf", OPEN, -1, NAN, 0x80 },
    { "p3109", "binary8p4uf", OPEN, -1, INFINITY, 0xfe }, { "p3109", "binary8p4uf", OPEN, -1, -1, 0xff },
    { "p3109", "binary8p4uf", OPEN, -1, -INFINITY, 0xff }, { "p3109", "binary8p4uf", CLIP, -1, -1, 0x00 },
    { "p3109", "binary8p4uf", PASS, -1, -INFINITY, 0x00 }, { "p3109", "binary8p4uf", OPEN, -1, -0x1p-60, 0x00 },
    { "p3109", "binary8p4ue", OPEN, -1, -1, 0xff }, { "p3109", "binary8p4ue", PASS, -1, -INFINITY, 0x00 },
    { "p3109", "binary8p4ue", OPEN, -1, 1e30, 0xfe }, { "p3109", "binary8p4ue", OPEN, FPX_RZ, 1e30, 0xfd },
    { "p3109", "binary8p1se", OPEN, -1, 3, 0x42 }, { "p3109", "binary8p1se", OPEN, -1, 1.5, 0x40 },
};

static const struct {
    const char *profile, *format;
    int overflow, round;
} refused[] = {
    { "cuda-float", "e4m3", PASS, FPX_RNE }, { "cuda-float", "e4m3", CLIP, FPX_RZ },
    { "cuda-float", "e4m3fnuz", CLIP, FPX_RNE }, { "cuda-float", "e2m1", OPEN, FPX_RNE },
    { "cuda-float", "e8m0", CLIP, FPX_RNE }, { "cuda-double", "bf16", OPEN, FPX_RNE },
    { "ptx", "e4m3", OPEN, FPX_RNE }, { "ptx", "e4m3", CLIP, FPX_RNA }, { "ml_dtypes", "e4m3", CLIP, FPX_RNE },
    { "ml_dtypes", "e4m3", OPEN, FPX_SR }, { "ml_dtypes", "ue4m3", OPEN, FPX_RNE },
    { "cutlass", "e5m2", OPEN, FPX_RNE }, { "cutlass", "e8m0", CLIP, FPX_RZ }, { "amd-hip", "e2m1", CLIP, FPX_RNE },
    { "amd-hip", "e4m3", PASS, FPX_RNE }, { "p3109", "e4m3", CLIP, FPX_RNE }, { "p3109", "e8m0", CLIP, FPX_RNE },
    { "ocp", "e8m0", CLIP, FPX_RU }, { "ocp", "e2m1", OPEN, FPX_RNE }, { "ocp", "int32", CLIP, FPX_RNE },
};
/* clang-format on */

static fpx_format format_named(const char *name)
{
    fpx_format f;

    ck_assert_msg(fpx_format_parse(name, &f, NULL) == FPX_OK, "%s", name);
    return f;
}

START_TEST(what_vendors_do)
{
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        const fpx_profile *const p = fpx_profile_find(facts[i].profile);
        const fpx_format f = format_named(facts[i].format);
        const fpx_overflow overflow = (fpx_overflow)facts[i].overflow;
        fpx_conversion c;
        uint16_t code = 0;
        ck_assert_ptr_nonnull(p);
        ck_assert_msg(fpx_profile_apply(p, &f, overflow, &c) == FPX_OK, "%s %s %d", p->name, f.name,
                      facts[i].overflow);
        if (facts[i].round >= 0)
            c.round = (uint8_t)facts[i].round;
        ck_assert_int_eq(fpx_profile_offers(p, &f, overflow, (fpx_round)c.round, NULL), FPX_OK);
        ck_assert_int_eq(fpx_encode_f64(&c, 1.0, &facts[i].x, &code, 1), FPX_OK);
        const uint32_t got = (uint32_t)fpx_format_code(&f, &code, 0);
        if (got != facts[i].code)
            ck_abort_msg("%s: %a to %s, overflow %d round %d: 0x%x, not 0x%x", p->name, facts[i].x,
                         f.name, facts[i].overflow, c.round, got, facts[i].code);
    }
}
END_TEST

START_TEST(refuses_what_vendors_lack)
{
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const fpx_profile *const p = fpx_profile_find(refused[i].profile);
        const fpx_format f = format_named(refused[i].format);
        const fpx_overflow overflow = (fpx_overflow)refused[i].overflow;
        fpx_error err = { FPX_OK, "" };
        ck_assert_msg(fpx_profile_offers(p, &f, overflow, (fpx_round)refused[i].round, &err) ==
                          FPX_EUNSUPPORTED,
                      "%zu: %s to %s", i, p->name, f.name);
        ck_assert_ptr_nonnull(strstr(err.text, p->name));
        ck_assert_ptr_nonnull(strstr(err.text, f.name));
    }
    ck_assert_ptr_null(fpx_profile_find("nobody"));
    ck_assert_ptr_null(fpx_profile_find(NULL));
}
END_TEST

/* PTX ISA, cvt: 16 bits a number for bf16, the lower 13 of 16 for fp16; AMD adds as many as are cut off. */
START_TEST(random_bits_of_vendors)
{
    static const struct {
        const char *profile, *format;
        int bits;
    } rows[] = { { "ptx", "bf16", 16 }, { "ptx", "fp16", 13 },     { "ptx", "e4m3", 16 },
                 { "ptx", "e2m1", 16 }, { "amd-hip", "e4m3", 20 }, { "amd-hip", "e5m2", 21 } };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const fpx_profile *const p = fpx_profile_find(rows[i].profile);
        const fpx_format f = format_named(rows[i].format);
        fpx_conversion c;
        ck_assert_int_eq(fpx_profile_offers(p, &f, CLIP, FPX_SR, NULL), FPX_OK);
        ck_assert_int_eq(fpx_profile_apply(p, &f, CLIP, &c), FPX_OK);
        ck_assert_int_eq(c.sr_bits, rows[i].bits);
        ck_assert_int_eq(c.sr_variant, FPX_SR_A);
    }
}
END_TEST

/* Every row of every profile is a conversion that the encoder takes, in each rounding that is offered. */
START_TEST(every_row_is_valid)
{
    size_t offered = 0;

    for (size_t i = 0; fpx_profile_at(i) != NULL; i++) {
        const fpx_profile *const p = fpx_profile_at(i);
        size_t here = 0;
        ck_assert_ptr_eq(fpx_profile_find(p->name), p);
        ck_assert_uint_gt(strlen(p->source), 20);
        for (size_t k = 0; k < 60; k++) {
            const fpx_format *const known = fpx_format_at(k);
            fpx_format f;
            if (known != NULL)
                f = *known;
            else if (fpx_format_p3109(3 + (unsigned)k % 6, 1 + (unsigned)k / 6 % 3, k % 2 == 0,
                                      k % 5 < 2, &f) != FPX_OK)
                continue;
            for (int overflow = CLIP; overflow <= OPEN; overflow++) {
                fpx_conversion c;
                memset(&c, 0xaa, sizeof c);
                if (fpx_profile_apply(p, &f, (fpx_overflow)overflow, &c) != FPX_OK) {
                    ck_assert_uint_eq(c.round, 0xaa);
                    continue;
                }
                ck_assert_int_eq(
                    fpx_profile_offers(p, &f, (fpx_overflow)overflow, (fpx_round)c.round, NULL),
                    FPX_OK);
                for (int round = FPX_RNE; round <= FPX_SR; round++) {
                    if (fpx_profile_offers(p, &f, (fpx_overflow)overflow, (fpx_round)round, NULL) !=
                        FPX_OK)
                        continue;
                    c.round = (uint8_t)round;
                    ck_assert_msg(fpx_conversion_check(&c) == FPX_OK, "%s %s %d %d", p->name,
                                  f.name, overflow, round);
                    here++;
                }
            }
        }
        ck_assert_uint_gt(here, 0);
        offered += here;
    }
    ck_assert_uint_gt(offered, 100);
}
END_TEST

#ifdef FPX_HAVE_CUDA_HEADERS
/* Every exponent with the fractions next to 0, 1/2, 1 and 16 more at all other places, NaN payloads included; from
 * float64 with a bit that float32 has not. ./dev prove cuda takes all 2^32. NaN to e5m2 from double: cuda ors
 * payload bits into the code, which no row says: compared where they are 0. */
START_TEST(agrees_with_cuda)
{
    const cuda_case *const k = &cuda_cases[_i];
    const uint32_t step = 37 * 1021 / effort() | 1;
    fpx_conversion narrow;
    fpx_conversion wide;
    size_t compared = 0;

    ck_assert_int_eq(cuda_conversion(k, "cuda-float", &narrow), FPX_OK);
    ck_assert_int_eq(cuda_conversion(k, "cuda-double", &wide), FPX_OK);
    for (uint64_t u = 0; u < UINT64_C(1) << 32; u++) {
        const uint64_t place = u & 0x7ffff;
        if (place > 2 && place < 0x7fffd)
            u = u + step < (u | 0x7ffff) - 2 ? u + step : (u | 0x7ffff) - 2;
        const float x = fpx_bits_f32((uint32_t)u);
        const double beside[3] = { (double)x, (double)x * (1 + 0x1p-40),
                                   (double)x * (1 - 0x1p-40) };
        uint8_t got[4] = { 0 };
        fpx_encode_f32(&narrow, 1.0f, &x, got, 1);
        fpx_encode_f64(&wide, 1.0, beside, got + 1, 3);
        const uint8_t want[4] = { k->from_float(x), k->from_double(beside[0]),
                                  k->from_double(beside[1]), k->from_double(beside[2]) };
        for (int i = 0; i < 4; i++) {
            const int is_payload =
                i > 0 && isnan(x) && k->format == &fpx_e5m2 && (want[i] & 1) != 0;
            if (got[i] != want[i] && !is_payload)
                ck_abort_msg("%s of %a: 0x%02x, cuda (%d) 0x%02x", k->format->name, (double)x,
                             got[i], i, want[i]);
        }
        compared += 4;
    }
    printf("%s overflow %d round %d: %zu compared with cuda's\n", k->format->name, k->overflow,
           k->round, compared);
}
END_TEST
#endif

int main(void)
{
    Suite *const s = suite_create("profile");
    TCase *const tc = tcase_create("profile");

    tcase_set_timeout(tc, 60.0 * (double)effort());
    tcase_add_test(tc, what_vendors_do);
    tcase_add_test(tc, refuses_what_vendors_lack);
    tcase_add_test(tc, random_bits_of_vendors);
    tcase_add_test(tc, every_row_is_valid);
#ifdef FPX_HAVE_CUDA_HEADERS
    tcase_add_loop_test(tc, agrees_with_cuda, 0, CUDA_CASES);
#endif
    suite_add_tcase(s, tc);
    SRunner *const runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
