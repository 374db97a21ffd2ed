/* test_format.c - the descriptors against the published tables, and descriptors that must be refused. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/format.h>

#include "format_bits.h"

/* OFP8 1.0 table 1, MX 1.0 section 5.3.3, IEEE 754-2019 table 3.5. */
static const struct {
    const char *name, *alias;
    const fpx_format *format;
    double max, min_normal, min_subnormal;
    uint64_t min_normal_code;
    size_t size;
} expected[] = {
    { "e4m3", "float8_e4m3fn", &fpx_e4m3, 448.0, 0x1p-6, 0x1p-9, 0x08, 1 },
    { "e5m2", "float8_e5m2", &fpx_e5m2, 57344.0, 0x1p-14, 0x1p-16, 0x04, 1 },
    { "e2m1", "float4_e2m1fn", &fpx_e2m1, 6.0, 1.0, 0.5, 0x2, 1 },
    { "bf16", "bfloat16", &fpx_bf16, 0x1.fep127, 0x1p-126, 0x1p-133, 0x80, 2 },
    { "fp16", "float16", &fpx_fp16, 65504.0, 0x1p-14, 0x1p-24, 0x400, 2 },
    { "fp32", "float32", &fpx_fp32, 0x1.fffffep127, 0x1p-126, 0x1p-149, 0x800000, 4 },
    { "fp64", "float64", &fpx_fp64, 0x1.fffffffffffffp1023, 0x1p-1022, 0x1p-1074,
      UINT64_C(0x10000000000000), 8 },
};

START_TEST(published_limits)
{
    const fpx_format *const f = expected[_i].format;

    ck_assert_ptr_eq(fpx_format_find(expected[_i].name), f);
    ck_assert_ptr_eq(fpx_format_find(expected[_i].alias), f);
    ck_assert_str_eq(fpx_format_alias(f), expected[_i].alias);
    ck_assert_str_eq(f->name, expected[_i].name);
    ck_assert(fpx_format_is_valid(f));
    ck_assert(fpx_format_max(f) == expected[_i].max);
    ck_assert(fpx_format_value(f, expected[_i].min_normal_code) == expected[_i].min_normal);
    ck_assert(fpx_format_value(f, 1) == expected[_i].min_subnormal);
    ck_assert(fpx_format_value(f, 0) == 0.0 && !signbit(fpx_format_value(f, 0)));
    const uint64_t sign = UINT64_C(1) << (f->bits - 1);
    ck_assert(fpx_format_value(f, sign) == 0.0 && signbit(fpx_format_value(f, sign)));
    ck_assert_uint_eq(fpx_format_size(f), expected[_i].size);
}
END_TEST

/* Every value that tells one format from its kin; limits from the vendors' own tables (ml_dtypes' finfo, OCP MX 1.0,
 * CUDA's and MS-AMP's headers). Codes: the largest finite, NaN (0: none), Inf (0: none). */
static const struct {
    const char *name;
    double max, least;
    uint64_t one_code, max_code, nan_code, inf_code;
} kin[] = {
    { "e4m3fnuz", 240.0, 0x1p-10, 0x40, 0x7f, 0x80, 0 },
    { "float8_e5m2fnuz", 57344.0, 0x1p-17, 0x40, 0x7f, 0x80, 0 },
    { "e4m3b11fnuz", 30.0, 0x1p-13, 0x58, 0x7f, 0x80, 0 },
    { "e3m4", 15.5, 0x1p-6, 0x30, 0x6f, 0x78, 0x70 },
    { "ieee_e4m3", 240.0, 0x1p-9, 0x38, 0x77, 0x7c, 0x78 },
    { "e5m6", 65024.0, 0x1p-20, 0x3c0, 0x7bf, 0x7e0, 0x7c0 },
    { "e3m2", 28.0, 0.0625, 0xc, 0x1f, 0, 0 },
    { "float6_e2m3fn", 7.5, 0.125, 0x8, 0x1f, 0, 0 },
    { "e1m2", 7.0, 1.0, 0x1, 0x7, 0, 0 },
    { "mxint8", 127.0 / 64.0, 1.0 / 64.0, 0x40, 0x7f, 0, 0 },
    { "e8m0", 0x1p127, 0x1p-126, 0x7f, 0xfe, 0xff, 0 }, /* code 1; code 0 is 2^-127 */
    { "ue4m3", 448.0, 0x1p-9, 0x38, 0x7e, 0x7f, 0 },
    { "ue5m3", 114688.0, 0x1p-17, 0x78, 0xfe, 0xff, 0 },
    { "tf32", 0x1.ffcp127, 0x1p-136, 0x1fc00, 0x3fbff, 0x3fe00, 0x3fc00 },
    { "binary8p4", 224.0, 0x1p-10, 0x40, 0x7e, 0x80, 0x7f },
    { "binary8p4sf", 240.0, 0x1p-10, 0x40, 0x7f, 0x80, 0 },
    { "binary8p1se", 0x1p62, 0x1p-63, 0x40, 0x7e, 0x80, 0x7f },
    { "binary8p1ue", 0x1p125, 0x1p-127, 0x80, 0xfd, 0xff, 0xfe },
    { "binary8p8uf", 1.984375, 0x1p-7, 0x80, 0xfe, 0xff, 0 },
    { "binary3p2se", 1.0, 0.5, 0x2, 0x2, 0x4, 0x3 },
    { "binary15p4se", 0x1.cp1023, 0x1p-1026, 0x2000, 0x3ffe, 0x4000, 0x3fff },
    { "e4m3b6fn", 896.0, 0x1p-8, 0x30, 0x7e, 0x7f, 0 },
    { "e4m3fn", 448.0, 0x1p-9, 0x38, 0x7e, 0x7f, 0 },
    { "ue3m0finite", 0x1p4, 0x1p-2, 0x3, 0x7, 0, 0 },
    { "e6m9", 0x1.ff8p31, 0x1p-39, 0x3e00, 0x7dff, 0x7f00, 0x7e00 },
};

START_TEST(kin_differ_where_they_should)
{
    fpx_format f;
    fpx_error err;

    ck_assert_msg(fpx_format_parse(kin[_i].name, &f, &err) == FPX_OK, "%s", kin[_i].name);
    ck_assert(fpx_format_is_valid(&f));
    ck_assert_msg(fpx_format_max(&f) == kin[_i].max, "%s: %a", f.name, fpx_format_max(&f));
    ck_assert_msg(fpx_format_value(&f, 1) == kin[_i].least, "%s: %a", f.name,
                  fpx_format_value(&f, 1));
    ck_assert_msg(fpx_format_value(&f, kin[_i].one_code) == 1.0, "%s", f.name);
    ck_assert_uint_eq(f.max_code, kin[_i].max_code);
    ck_assert_uint_eq(f.nan_code, kin[_i].nan_code);
    if (f.nan_code != 0)
        ck_assert_msg(isnan(fpx_format_value(&f, f.nan_code)), "%s", f.name);
    for (uint64_t code = 0; code < UINT64_C(1) << f.bits; code++)
        if (isinf(fpx_format_value(&f, code)) &&
            (code & ~(UINT64_C(1) << (f.bits - 1))) != kin[_i].inf_code)
            ck_assert_msg(code == kin[_i].inf_code, "%s: 0x%x is Inf", f.name, (unsigned)code);
    if (kin[_i].inf_code != 0)
        ck_assert(isinf(fpx_format_value(&f, kin[_i].inf_code)));
}
END_TEST

/* One zero, one NaN without a sign; two's complement; no zero at all. */
START_TEST(codes_of_their_own)
{
    ck_assert_uint_eq(fpx_f64_bits(fpx_format_value(&fpx_e4m3fnuz, 0x80)),
                      UINT64_C(0x7ff8000000000000));
    ck_assert(fpx_format_value(&fpx_e4m3fnuz, 0x81) == -0x1p-10);
    ck_assert(fpx_format_value(&fpx_mxint8, 0x80) == -2.0);
    ck_assert(fpx_format_value(&fpx_mxint8, 0xff) == -1.0 / 64.0);
    ck_assert(fpx_format_value(&fpx_e8m0, 0) == 0x1p-127);
    ck_assert(fpx_format_value(&fpx_ue4m3, 0xb8) == 1.0); /* the sign bit is not one */
    for (uint64_t code = 0; code < 16; code++)
        ck_assert(fpx_format_value(&fpx_e1m2, code) ==
                  (code & 8 ? -(double)(code & 7) : (double)(code & 7)));
}
END_TEST

START_TEST(names_that_mean_nothing)
{
    static const char *const bad[] = {
        "",           "e",           "e4",
        "e4m",        "m3",          "e4m3x",
        "e12m1",      "e8m9",        "e0m0",
        "e4m3b99999", "e4m3b2000fn", "binary8",
        "binary8p9",  "binary8p0",   "binary16p5",
        "binary2p1",  "binary8p4sx", "binary8p4ses",
        "binary15p1", "uue4m3",      "ue4m3fnuz",
        "E4M3",       "e4m3 ",       "e4m3fnuzfnuzfnuzfnuz",
    };
    fpx_format f = fpx_e4m3;
    fpx_error err;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(fpx_format_parse(bad[i], &f, &err) == FPX_EINVAL, "%s", bad[i]);
        ck_assert_ptr_nonnull(strstr(err.text, "fpx formats"));
    }
    ck_assert(fpx_format_equal(&f, &fpx_e4m3)); /* untouched */
}
END_TEST

START_TEST(specials)
{
    ck_assert(isnan(fpx_format_value(&fpx_e4m3, 0x7f)));
    ck_assert(fpx_format_value(&fpx_e4m3, 0x78) == 256.0); /* no Inf */
    ck_assert(isinf(fpx_format_value(&fpx_e5m2, 0x7c)));
    ck_assert(fpx_format_value(&fpx_e5m2, 0xfc) == -(double)INFINITY);
    for (uint64_t code = 0x7d; code <= 0x7f; code++)
        ck_assert(isnan(fpx_format_value(&fpx_e5m2, code)));
    /* Canonical bits with the code's sign, whatever the payload. */
    ck_assert_uint_eq(fpx_f64_bits(fpx_format_value(&fpx_e5m2, 0xfd)),
                      UINT64_C(0xfff8000000000000));
    ck_assert_uint_eq(fpx_f64_bits(fpx_format_value(&fpx_fp64, UINT64_C(0x7ff0000000000001))),
                      UINT64_C(0x7ff8000000000000));
}
END_TEST

START_TEST(e2m1_grid)
{
    static const double grid[8] = { 0, 0.5, 1, 1.5, 2, 3, 4, 6 };

    for (uint64_t code = 0; code < 16; code++) {
        const double value = fpx_format_value(&fpx_e2m1, code | 0xf0); /* upper bits ignored */
        ck_assert(value == (code & 8 ? -grid[code & 7] : grid[code & 7]));
    }
}
END_TEST

/* float32 and float64 codes are the machine's own numbers. */
START_TEST(native_formats)
{
    uint64_t state = 5;

    for (int i = 0; i < 100000; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        const uint64_t u = state ^ state >> 29;
        const double x = fpx_bits_f64(u);
        const float y = fpx_bits_f32((uint32_t)u);
        if (!isnan(x) && fpx_f64_bits(fpx_format_value(&fpx_fp64, u)) != u)
            ck_abort_msg("fp64 %016llx", (unsigned long long)u);
        if (!isnan(y) && fpx_f64_bits(fpx_format_value(&fpx_fp32, u)) != fpx_f64_bits((double)y))
            ck_abort_msg("fp32 %08x", (uint32_t)u);
    }
    ck_assert(fpx_format_value(&fpx_int32, 0xffffffff) == -1.0);
    ck_assert(fpx_format_max(&fpx_int32) == 2147483647.0);
}
END_TEST

START_TEST(lookup)
{
    ck_assert_ptr_null(fpx_format_find("e4m4"));
    ck_assert_ptr_null(fpx_format_find(""));
    ck_assert_ptr_null(fpx_format_find(NULL));
    size_t n = 0;
    for (; fpx_format_at(n) != NULL; n++) {
        ck_assert_ptr_eq(fpx_format_find(fpx_format_at(n)->name), fpx_format_at(n));
        for (size_t k = 0; fpx_format_at(k) != NULL; k++)
            ck_assert_int_eq(fpx_format_equal(fpx_format_at(n), fpx_format_at(k)), n == k);
    }
    ck_assert_uint_eq(n, 22);
    ck_assert_ptr_null(fpx_format_at(n + 1));
}
END_TEST

/* A descriptor out of a damaged file: each single change must be noticed. */
START_TEST(invalid_descriptors)
{
    fpx_format f;

#define REFUSED(CHANGE)                                                                            \
    f = fpx_e5m2;                                                                                  \
    CHANGE;                                                                                        \
    ck_assert_msg(!fpx_format_is_valid(&f), "%s", #CHANGE)
    REFUSED(f.bits = 7);
    REFUSED(f.ebits = 12);
    REFUSED(f.ebits = 1);
    REFUSED(f.mbits = 0);
    REFUSED(f.mbits = 60);
    REFUSED(f.bias = -1000);
    REFUSED(f.bias = 2000);
    REFUSED(f.cls = 9);
    REFUSED(f.cls = FPX_CLASS_INT);
    REFUSED(f.specials = 5);
    REFUSED(f.specials = FPX_SPECIALS_FNUZ);
    REFUSED(f.specials = FPX_SPECIALS_P3109);
    REFUSED(f.flags = FPX_FORMAT_UNSIGNED);
    REFUSED(f.flags = 4);
    REFUSED(f.cls = FPX_CLASS_FIXED);
    REFUSED(f.specials = FPX_SPECIALS_NONE);
    REFUSED(f.max_code = 0x7c);
    REFUSED(f.max_code = 0x17b);
    REFUSED(f.nan_code = 0x7c);
    REFUSED(f.nan_code = 0x80);
    REFUSED(memset(f.name, 'x', sizeof f.name));
#undef REFUSED
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("format");
    TCase *const tc = tcase_create("format");

    tcase_add_loop_test(tc, published_limits, 0, sizeof expected / sizeof expected[0]);
    tcase_add_loop_test(tc, kin_differ_where_they_should, 0, sizeof kin / sizeof kin[0]);
    tcase_add_test(tc, codes_of_their_own);
    tcase_add_test(tc, names_that_mean_nothing);
    tcase_add_test(tc, specials);
    tcase_add_test(tc, e2m1_grid);
    tcase_add_test(tc, native_formats);
    tcase_add_test(tc, lookup);
    tcase_add_test(tc, invalid_descriptors);
    suite_add_tcase(s, tc);

    SRunner *const sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
