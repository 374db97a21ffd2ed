/* test_mma_model.c - fpx/mma.h beside its arithmetic: models as data, what is refused, presets by what they multiply, and
 * the epilogue. */
#include <check.h>
#include <stdint.h>
#include <string.h>

#include <fpx/mma.h>
#include <fpx/mma_finish.h>

static fpx_mma_preset preset(const char *name)
{
    fpx_mma_preset p;
    fpx_error err = { 0 };

    if (fpx_mma_preset_find(name, &p, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    return p;
}

static fpx_mma_operand operand(const fpx_format *format, const void *codes, size_t k)
{
    return (
        fpx_mma_operand){ .format = *format, .codes = codes, .stride_vector = k, .stride_k = 1 };
}

/* By device, path and formats; the first of several; nothing that is not there. */
START_TEST(selected)
{
    const fpx_format *const fp8 = &fpx_e4m3, *const fp4 = &fpx_e2m1;
    const struct {
        fpx_mma_wish wish;
        const char *name;
    } cases[] = {
        { { "hopper", NULL, fp8, &fpx_e5m2, NULL, &fpx_fp16, 0 }, "hopper/mma.sync/fp8-fp16" },
        { { "hopper", "wgmma", fp8, fp8, NULL, NULL, 0 }, "hopper/wgmma/fp8-fp32" },
        { { "blackwell", NULL, fp4, fp8, NULL, NULL, 0 }, "blackwell/tcgen05/f8f6f4-fp32" },
        { { "blackwell", NULL, fp4, fp4, &fpx_ue4m3, NULL, 16 },
          "blackwell/tcgen05/mxf4nvf4-fp32" },
        { { "rtx-blackwell", NULL, fp8, fp4, &fpx_e8m0, NULL, 32 },
          "rtx-blackwell/mma.sync/mxf8f6f4-fp32" },
        { { "blackwell", NULL, fp4, fp4, &fpx_ue4m3, NULL, 32 }, NULL },
        { { "volta", NULL, &fpx_bf16, &fpx_bf16, NULL, NULL, 0 }, NULL },
        { { "hop", NULL, fp8, fp8, NULL, NULL, 0 }, NULL },
        { { "hopper", "mma", fp8, fp8, NULL, NULL, 0 }, NULL },
        { { "hopper", NULL, fp8, &fpx_fp16, NULL, NULL, 0 }, NULL },
        { { "ideal", "exact", &fpx_e3m4, fp4, NULL, &fpx_bf16, 0 }, "ideal/exact/any-bf16" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fpx_mma_preset p;
        fpx_error err = { 0 };
        const fpx_status status = fpx_mma_preset_select(&cases[i].wish, &p, &err);
        if (cases[i].name == NULL) {
            ck_assert_int_eq(status, FPX_EINVAL);
            ck_assert_ptr_nonnull(strstr(err.text, cases[i].wish.a->name));
        } else {
            ck_assert_msg(status == FPX_OK, "%s", err.text);
            ck_assert_str_eq(p.model.name, cases[i].name);
            ck_assert(
                fpx_mma_preset_takes_scales(&p, cases[i].wish.scale, cases[i].wish.scale_block));
        }
    }
}
END_TEST

/* What is wrong is named, and D stays. */
START_TEST(refused)
{
    const uint32_t word = 0;
    uint32_t d = 0xabcdefu;
    fpx_error err = { 0 };
    fpx_mma_call call = { .m = 1, .n = 1, .k = 1 };
    const fpx_mma_model good = preset("ampere/mma.sync/fp16-fp32").model;

    call.a = call.b = operand(&fpx_fp64, &word, 1);
    ck_assert_int_eq(fpx_mma(&good, &call, &d, &err), FPX_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "24 bits"));
    call.a = call.b = operand(&fpx_int32, &word, 1);
    ck_assert_int_eq(fpx_mma(&good, &call, &d, &err), FPX_EINVAL);
    call.a = call.b = operand(&fpx_fp16, &word, 1);
    call.m = call.n = 2;
    call.stride_d = 1;
    ck_assert_int_eq(fpx_mma(&good, &call, &d, &err), FPX_EINVAL);

    for (int i = 0; i < 13; i++) {
        fpx_mma_model m = good;
        const char *const fields[] = { "fraction",      "block",        "parities", "nan_code",
                                       "format",        "c:",           "round",    "width",
                                       "group",         "fraction_sum", "tile",     "step",
                                       "block and step" };
        m.fraction = i == 0 ? 60 : m.fraction;
        m.block = i == 1 ? 0 : m.block;
        m.parities = i == 2 ? 2 : m.parities;
        m.nan_code = i == 3 ? 0x7f800000 : m.nan_code;
        m.format = i == 4 ? fpx_e4m3 : m.format;
        m.sum = i == 5 ? FPX_MMA_EXACT : m.sum;
        m.round = i == 6 ? FPX_SR : m.round;
        m.vectors = i == 7 ? 2 : m.vectors;
        m.group = i == 8 ? 200 : m.group;
        m.fraction_sum = i == 9 ? 3 : m.fraction_sum;
        m.split = i == 10 ? 2 : m.split;
        m.promote = i == 11 ? 128 : m.promote;
        m.group = i == 12 ? 3 : m.group;
        if (i == 5) {
            m.c = FPX_MMA_C_JOINED;
            m.block = m.fraction = m.parities = 0;
            m.e_zero = 0;
        }
        if (i == 10)
            m.step = 16;
        ck_assert_msg(fpx_mma_model_check(&m, &err) == FPX_EINVAL, "%s is let through", fields[i]);
        ck_assert_msg(strstr(err.text, fields[i]) != NULL, "%s: %s", fields[i], err.text);
    }
    ck_assert_uint_eq(d, 0xabcdefu);
}
END_TEST

/* Scales whose exponents leave float64 (operations on codes) or the long accumulator (other sums). */
START_TEST(scales_of_far_exponents)
{
    static const struct {
        const char *model, *element, *scale;
        int is_taken;
    } cases[] = {
        { "ideal/exact/any-fp32", "fp64", "e8m0", 1 },
        { "ideal/exact/any-fp32", "fp64", "e4m3b1000", 0 },
        { "ideal/exact/any-fp32", "fp16", "e4m3b1000", 1 },
        { "ideal/fma/any-fp64", "bf16", "e8m0", 1 },
        { "ideal/fma/any-fp64", "fp32", "e8m0", 1 },
        { "ideal/fma/any-fp64", "e11m4", "e8m0", 0 },
        { "ideal/fma/any-fp64", "fp16", "e4m3b1000", 1 },
        { "ideal/fma/any-fp64", "fp32", "e4m3b1000", 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fpx_mma_model m = preset(cases[i].model).model;
        const uint64_t codes = 0x10, scales = 1;
        uint64_t d = 0;
        fpx_error err = { 0 };
        fpx_format element, scale;

        ck_assert_int_eq(fpx_format_parse(cases[i].element, &element, NULL), FPX_OK);
        ck_assert_int_eq(fpx_format_parse(cases[i].scale, &scale, NULL), FPX_OK);
        fpx_mma_call call = { .m = 1, .n = 1, .k = 1, .stride_d = 1 };
        call.a = operand(&element, &codes, 1);
        call.a.scales = &scales;
        call.a.scale_format = scale;
        call.a.scale_block = 1;
        call.b = call.a;
        const fpx_status status = fpx_mma(&m, &call, &d, &err);
        ck_assert_int_eq(status, cases[i].is_taken ? FPX_OK : FPX_EUNSUPPORTED);
        ck_assert(cases[i].is_taken || strstr(err.text, cases[i].element) != NULL);
    }
}
END_TEST

/* By text: names of choices, numbers, a format with what belongs to it; what is wrong is named. */
START_TEST(fields_by_text)
{
    fpx_mma_model m = preset("hopper/wgmma/fp16-fp32").model;
    const struct {
        const char *name, *value, *in_text;
    } bad[] = {
        { "fraction", "300", "fraction" },
        { "fraction", "2x", "2x" },
        { "fraction", "", "number" },
        { "fraction", " 2", "number" },
        { "c", "latr", "early, joined" },
        { "c", "2", "early" },
        { "fractoin", "2", "fractoin" },
        { "format", "e9m9", "e9m9" },
        { "e_zero", "99999999999999999999", "e_zero" },
    };

    ck_assert_int_eq(fpx_mma_field_parse(&m, "c", "late", NULL), FPX_OK);
    ck_assert_int_eq(fpx_mma_field_parse(&m, "e_zero", "-21", NULL), FPX_OK);
    ck_assert_int_eq(fpx_mma_field_parse(&m, "format", "bf16", NULL), FPX_OK);
    ck_assert_int_eq(fpx_mma_field_parse(&m, "nan_code", "0x7fff", NULL), FPX_OK);
    ck_assert_int_eq(m.c, FPX_MMA_C_LATE);
    ck_assert_int_eq(m.e_zero, -21);
    ck_assert_uint_eq(m.fraction_out, 7);
    ck_assert_uint_eq(m.nan_code, 0x7fff);
    ck_assert_int_eq(fpx_mma_model_check(&m, NULL), FPX_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const fpx_mma_model was = m;
        fpx_error err = { 0 };
        ck_assert_int_eq(fpx_mma_field_parse(&m, bad[i].name, bad[i].value, &err), FPX_EINVAL);
        ck_assert_msg(strstr(err.text, bad[i].in_text) != NULL, "%s: %s", bad[i].name, err.text);
        ck_assert_mem_eq(&m, &was, sizeof m);
    }
}
END_TEST

/* A field takes what its type holds, and no more. */
START_TEST(fields)
{
    fpx_mma_model m = preset("hopper/wgmma/fp8-fp32").model;
    const fpx_mma_model was = m;
    const size_t e_zero = fpx_mma_field_find("e_zero"), fraction = fpx_mma_field_find("fraction");

    ck_assert_int_eq(fpx_mma_field_get(&m, e_zero), -133);
    ck_assert_int_eq(fpx_mma_field_set(&m, e_zero, -32769), FPX_EINVAL);
    ck_assert_int_eq(fpx_mma_field_set(&m, fraction, 256), FPX_EINVAL);
    ck_assert_int_eq(fpx_mma_field_set(&m, fpx_mma_field_find("none"), 1), FPX_EINVAL);
    ck_assert_mem_eq(&m, &was, sizeof m);
    for (size_t i = 0; fpx_mma_field_at(i) != NULL; i++) {
        const char *const name = fpx_mma_field_at(i)->name;
        ck_assert_uint_eq(fpx_mma_field_find(name), i);
        ck_assert_int_eq(fpx_mma_field_set(&m, i, 1), FPX_OK);
        ck_assert_int_eq(fpx_mma_field_get(&m, i), 1);
    }
    ck_assert_str_eq(m.name, was.name);
}
END_TEST

/* Saturation, Inf too; NaN's code; -0; ties. */
START_TEST(epilogue)
{
    const struct {
        const fpx_format *format;
        uint32_t sum;
        float scale_a, scale_b, scale_d;
        uint32_t want;
    } cases[] = {
        { &fpx_e4m3, 0x7f800000, 1, 1, 1, 0x7e },
        { &fpx_e4m3, 0xff800000, 1, 1, 1, 0xfe },
        { &fpx_e4m3, 0xffc00001, 1, 1, 1, 0x7f },
        { &fpx_e5m2, 0x7f800000, 0, 1, 1, 0x7f },
        { &fpx_e5m2, 0x47600000, 1, 2, 0.25f, 0x77 },
        { &fpx_e5m2, 0x47600000, 1, 2, 1, 0x7b },
        { &fpx_fp32, 0x80000000, 1, 1, 1, 0 },
        { &fpx_fp32, 0x80000001, 0.25f, 1, 1, 0x80000000 },
        { &fpx_fp32, 0x7f800000, 0, 1, 1, 0x7fffffff },
        { &fpx_bf16, 0x7fc00000, 1, 1, 1, 0x7fff },
        { &fpx_bf16, 0x3f808000, 1, 1.00000011920929f, 1, 0x3f81 },
        { &fpx_bf16, 0x3f808000, 1, 1, 1, 0x3f80 },
        { &fpx_fp16, 0x477fefff, 1, 1, 1, 0x7bff },
        { &fpx_fp16, 0x477ff000, 1, 1, 1, 0x7c00 },
        { &fpx_fp32, 0x3f800000, 0x1p-100f, 0x1p-100f, 1, 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fpx_mma_epilogue e = { .scale_a = cases[i].scale_a,
                                     .scale_b = cases[i].scale_b,
                                     .scale_d = cases[i].scale_d,
                                     .sums = fpx_fp32,
                                     .to = fpx_mma_conversion(cases[i].format) };
        uint32_t code = 0;
        ck_assert_int_eq(fpx_mma_finish(&e, &cases[i].sum, 1, 1, &code, NULL), FPX_OK);
        ck_assert_msg(code == cases[i].want, "case %zu: 0x%x, not 0x%x", i, code, cases[i].want);
    }
    /* What is no epilogue: neither sums nor a bias nor a conversion, nor random bits. */
    const fpx_mma_epilogue good = { .scale_a = 1,
                                    .scale_b = 1,
                                    .scale_d = 1,
                                    .sums = fpx_fp32,
                                    .bias = &cases[0].sum,
                                    .bias_format = fpx_fp32,
                                    .to = fpx_mma_conversion(&fpx_bf16) };
    fpx_mma_epilogue wrong[] = { good, good, good, good };
    const char *const words[] = { "sums", "bias", "conversion", "random" };
    uint16_t untouched = 0x1234;
    wrong[0].sums = fpx_int32;
    wrong[1].bias_format.bits = 0;
    wrong[2].to.round = 77;
    wrong[3].to.round = FPX_SR;
    wrong[3].to.sr_bits = 8;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        fpx_error err = { 0 };
        ck_assert_int_eq(fpx_mma_finish(&wrong[i], &cases[0].sum, 1, 1, &untouched, &err),
                         FPX_EINVAL);
        ck_assert_msg(strstr(err.text, words[i]) != NULL, "%s", err.text);
        ck_assert_uint_eq(untouched, 0x1234);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("mma-model");
    TCase *const tc = tcase_create("mma-model");
    SRunner *const runner = srunner_create(suite);

    tcase_add_test(tc, selected);
    tcase_add_test(tc, refused);
    tcase_add_test(tc, scales_of_far_exponents);
    tcase_add_test(tc, fields_by_text);
    tcase_add_test(tc, fields);
    tcase_add_test(tc, epilogue);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
