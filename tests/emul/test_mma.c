/* test_mma.c - fpx/mma.h: table 8 of MMA-Sim's paper, presets as they should be, strides, packing and scales in place,
 * and what is refused. The values of outputs at large are mma_oracle.py's. */
#include <check.h>
#include <fenv.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/mma.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

static fpx_mma_preset preset(const char *name)
{
    fpx_mma_preset p;
    fpx_error err = { 0 };

    if (fpx_mma_preset_find(name, &p, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    return p;
}

static uint64_t code_of(const fpx_format *format, double value)
{
    const fpx_conversion conversion = { .format = *format };
    unsigned char code[8] = { 0 };

    ck_assert_int_eq(fpx_encode_f64(&conversion, 1.0, &value, code, 1), FPX_OK);
    ck_assert_msg(fpx_format_value(format, fpx_format_code(format, code, 0)) == value,
                  "%s has no %g", format->name, value);
    return fpx_format_code(format, code, 0);
}

/* Values as codes of a format of at most 4 bytes. */
static void put(const fpx_format *format, const double *values, size_t n, void *codes)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t code = code_of(format, values[i]);
        memcpy((char *)codes + i * fpx_format_size(format), &code, fpx_format_size(format));
    }
}

static fpx_mma_operand operand(const fpx_format *format, const void *codes, size_t k)
{
    return (
        fpx_mma_operand){ .format = *format, .codes = codes, .stride_vector = k, .stride_k = 1 };
}

/* arXiv 2511.10909, table 8: 2^23 + (-2^23 - 0.5 - 0.25 - 0.125), products at k = 0 to 3. */
static const struct golden {
    const char *preset, *input;
    double d;
} table8[] = {
    { "volta/mma.sync/fp16-fp32", "fp16", 0 },
    { "turing/mma.sync/fp16-fp32", "fp16", -0.5 },
    { "turing/mma.sync.m8n8k4/fp16-fp32", "fp16", 0 },
    { "ampere/mma.sync/fp16-fp32", "fp16", -0.5 },
    { "ampere/mma.sync/bf16-fp32", "bf16", -0.5 },
    { "ampere/mma.sync/tf32-fp32", "tf32", -0.5 },
    { "ada/mma.sync/fp16-fp32", "fp16", -0.5 },
    { "ada/mma.sync/bf16-fp32", "bf16", -0.5 },
    { "ada/mma.sync/fp8-fp32", "e5m2", 0 },
    { "hopper/mma.sync/fp16-fp32", "fp16", -0.75 },
    { "hopper/mma.sync/bf16-fp32", "bf16", -0.75 },
    { "hopper/mma.sync/tf32-fp32", "tf32", -0.75 },
    { "hopper/mma.sync/fp8-fp32", "e5m2", 0 },
    { "hopper/wgmma/fp16-fp32", "fp16", -0.75 },
    { "hopper/wgmma/fp8-fp32", "e5m2", 0 },
    { "blackwell/mma.sync/fp16-fp32", "fp16", -0.75 },
    { "blackwell/mma.sync/fp8-fp32", "e5m2", 0 },
    { "blackwell/tcgen05/fp16-fp32", "fp16", -0.75 },
    { "blackwell/tcgen05/f8f6f4-fp32", "e5m2", -0.75 },
    { "rtx-blackwell/mma.sync/f8f6f4-fp32", "e5m2", -0.75 },
    { "cdna1/mfma/fp16-fp32", "fp16", -0.875 },
    { "cdna1/mfma/fp32-fp32", "fp32", -0.875 },
    { "cdna2/mfma/fp16-fp32", "fp16", 0 },
    { "cdna2/mfma.1k/bf16-fp32", "bf16", 0 },
    { "cdna2/mfma/bf16-fp32", "bf16", -0.375 },
    { "cdna3/mfma/fp16-fp32", "fp16", -0.5 },
    { "cdna3/mfma/bf16-fp32", "bf16", -0.5 },
    { "cdna3/mfma/xf32-fp32", "tf32", -0.5 },
    { "cdna3/mfma/fp8-fp32", "e5m2fnuz", -1 },
    { "ideal/exact/any-fp32", "fp16", -0.875 },
    { "ideal/fma/any-fp32", "fp16", -0.875 },
    { "ideal/pairwise/any-fp32", "fp16", 0 },
};

START_TEST(table_8)
{
    const struct golden *const g = &table8[_i];
    const fpx_mma_preset p = preset(g->preset);
    const fpx_format *const format = fpx_format_find(g->input);
    const double a[] = { -4096, -0.5, -0.5, -0.25 }, b[] = { 2048, 1, 0.5, 0.5 }, c = 0x1p23;
    unsigned char code_a[16], code_b[16], code_c[4], code_d[4];

    put(format, a, 4, code_a);
    put(format, b, 4, code_b);
    put(&fpx_fp32, &c, 1, code_c);
    const fpx_mma_call call = { .m = 1,
                                .n = 1,
                                .k = 4,
                                .a = operand(format, code_a, 4),
                                .b = operand(format, code_b, 4),
                                .c = code_c,
                                .c_format = fpx_fp32 };
    ck_assert_int_eq(fpx_mma_preset_takes(&p, format, format), 1);
    ck_assert_int_eq(fpx_mma(&p.model, &call, code_d, NULL), FPX_OK);
    const double d = fpx_format_value(&fpx_fp32, fpx_format_code(&fpx_fp32, code_d, 0));
    ck_assert_msg(d == g->d, "%s: %g, not %g", g->preset, d, g->d);
}
END_TEST

/* Every row is a valid model with its own name, and says where it is from. */
START_TEST(presets)
{
    fpx_mma_preset p, q;
    fpx_error err = { 0 };
    size_t n = 0;

    for (; fpx_mma_preset_at(n, &p) == FPX_OK; n++) {
        ck_assert_msg(fpx_mma_model_check(&p.model, &err) == FPX_OK, "%s", err.text);
        ck_assert_int_eq(fpx_mma_preset_find(p.model.name, &q, NULL), FPX_OK);
        ck_assert_mem_eq(&q.model, &p.model, sizeof p.model);
        ck_assert_uint_gt(strlen(p.source), 10);
        ck_assert_int_eq(p.provenance == FPX_MMA_DEFINITION,
                         strncmp(p.model.name, "ideal/", 6) == 0);
        char words[80];
        (void)snprintf(words, sizeof words, "%s", p.inputs == NULL ? "fp32" : p.inputs);
        for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " ")) {
            const fpx_format *const format = fpx_format_find(word);
            ck_assert_msg(format != NULL, "%s takes %s, which is no format", p.model.name, word);
            ck_assert_int_eq(fpx_mma_preset_takes(&p, format, format), 1);
        }
        ck_assert_int_eq(fpx_mma_preset_takes(&p, &fpx_mxint8, &fpx_e4m3), p.inputs == NULL);
    }
    ck_assert_uint_gt(n, 90);
    ck_assert_int_eq(fpx_mma_preset_find("hopper", &q, &err), FPX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "hopper"));
}
END_TEST

enum { M = 3, N = 5, K = 37 };

static uint32_t next(void)
{
    static uint32_t state = 1;

    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* A transpose is a pair of strides, four bits may lie two a byte, and D may lie on C. */
START_TEST(places)
{
    const fpx_mma_preset p = preset("rtx-blackwell/mma.sync/f8f6f4-fp32");
    uint8_t a[M * K], b[N * K], turned[K * N], packed[(M * K + 1) / 2] = { 0 };
    uint32_t c[M * N], d[M * N], on_c[M * 8], wide[M * 8];

    for (size_t i = 0; i < M * K; i++) {
        a[i] = next() % 16;
        packed[i / 2] = (uint8_t)(packed[i / 2] | a[i] << (i % 2 * 4));
    }
    for (size_t j = 0; j < N; j++) {
        for (size_t k = 0; k < K; k++)
            turned[k * N + j] = b[j * K + k] = (uint8_t)(next() % 0x78);
    }
    for (size_t i = 0; i < M * N; i++) {
        const float x = (float)next() / 0x1p20f;
        memcpy(&c[i], &x, 4);
        on_c[i / N * 8 + i % N] = c[i];
    }
    fpx_mma_call call = { .m = M,
                          .n = N,
                          .k = K,
                          .c = c,
                          .c_format = fpx_fp32,
                          .stride_c_row = N,
                          .stride_c_column = 1,
                          .stride_d = N };
    call.a = operand(&fpx_e2m1, a, K);
    call.b = operand(&fpx_e4m3, b, K);
    ck_assert_int_eq(fpx_mma(&p.model, &call, d, NULL), FPX_OK);

    call.a.codes = packed;
    call.a.packing = FPX_PACK_DENSE;
    call.b =
        (fpx_mma_operand){ .format = fpx_e4m3, .codes = turned, .stride_vector = 1, .stride_k = N };
    call.c = on_c;
    call.stride_c_row = call.stride_d = 8;
    memcpy(wide, on_c, sizeof wide);
    ck_assert_int_eq(fpx_mma(&p.model, &call, on_c, NULL), FPX_OK);
    for (size_t i = 0; i < M; i++) {
        ck_assert_mem_eq(on_c + 8 * i, d + N * i, 4 * N);
        ck_assert_mem_eq(on_c + 8 * i + N, wide + 8 * i + N, 4 * (8 - N));
    }
}
END_TEST

/* Scales of one are no scales; of two on A and four on B they are eight times D, where nothing is lost. */
START_TEST(scales)
{
    const fpx_mma_preset p = preset("blackwell/tcgen05/mxf4nvf4-fp32");
    uint8_t a[M * 64], b[N * 64], ones[5 * 4], twos[5 * 4], fours[5 * 4];
    float d[3][M * N];

    for (size_t i = 0; i < sizeof a; i++)
        a[i] = next() % 16;
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = next() % 16;
    memset(ones, 0x38, sizeof ones);  /* ue4m3 */
    memset(twos, 0x40, sizeof twos);  /* ue4m3 */
    memset(fours, 129, sizeof fours); /* e8m0 */
    fpx_mma_call call = { .m = M, .n = N, .k = 64, .stride_d = N };
    call.a = operand(&fpx_e2m1, a, 64);
    call.b = operand(&fpx_e2m1, b, 64);
    ck_assert_int_eq(fpx_mma(&p.model, &call, d[0], NULL), FPX_OK);
    call.a.scales = call.b.scales = ones;
    call.a.scale_format = call.b.scale_format = fpx_ue4m3;
    call.a.scale_block = call.b.scale_block = 16;
    call.a.scale_stride_vector = call.b.scale_stride_vector = 4;
    call.a.scale_stride_k = call.b.scale_stride_k = 1;
    ck_assert_int_eq(fpx_mma(&p.model, &call, d[1], NULL), FPX_OK);
    call.a.scales = twos;
    call.b.scales = fours;
    call.b.scale_format = fpx_e8m0;
    ck_assert_int_eq(fpx_mma(&p.model, &call, d[2], NULL), FPX_OK);
    for (size_t i = 0; i < M * N; i++) {
        ck_assert(d[1][i] == d[0][i]);
        ck_assert(d[2][i] == 8 * d[0][i]);
    }

    fpx_error err = { 0 };
    call.a.scale_block = 8;
    ck_assert_int_eq(fpx_mma(&p.model, &call, d[0], &err), FPX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "16"));
    call.a.scale_block = 16;
    call.a.scale_format = fpx_fp32;
    ck_assert_int_eq(fpx_mma(&p.model, &call, d[0], &err), FPX_EUNSUPPORTED);
    const fpx_mma_preset fma = preset("ideal/fma/any-fp32");
    call.a.scale_format = fpx_ue4m3;
    ck_assert_int_eq(fpx_mma(&fma.model, &call, d[1], &err), FPX_OK);
    for (size_t i = 0; i < M * N; i++)
        ck_assert(d[1][i] == d[2][i]); /* nothing is lost here either */
    call.a.format = fpx_fp64;          /* times a scale no float64 */
    ck_assert_int_eq(fpx_mma(&fma.model, &call, d[0], &err), FPX_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "fp64"));
}
END_TEST

/* Without k, D is C. */
START_TEST(nothing_to_sum)
{
    const fpx_mma_preset p = preset("hopper/mma.sync/fp8-fp16");
    const float c[2] = { 65520.0f, -1.00048828125f }; /* rounds to Inf; a tie, to even */
    uint16_t d[2] = { 1, 1 };
    fpx_mma_call call = { .m = 1, .n = 2, .c = c, .c_format = fpx_fp32, .stride_c_column = 1 };

    call.a = call.b = operand(&fpx_e4m3, NULL, 0);
    ck_assert_int_eq(fpx_mma(&p.model, &call, d, NULL), FPX_OK);
    ck_assert_uint_eq(d[0], 0x7c00);
    ck_assert_uint_eq(d[1], 0xbc00);
    call.c = NULL;
    ck_assert_int_eq(fpx_mma(&p.model, &call, d, NULL), FPX_OK);
    ck_assert_uint_eq(d[0], 0);
}
END_TEST

/* The caller's rounding mode and flushing of subnormals change no bit of any preset, on tiny numbers above all. */
START_TEST(environment)
{
    uint64_t a[M * K], b[N * K], c[M * N], plain[M * N], odd[M * N];
    fpx_mma_preset p;

    for (size_t at = 0; fpx_mma_preset_at(at, &p) == FPX_OK; at++) {
        char word[16] = "fp32";
        (void)sscanf(p.inputs == NULL ? "fp32" : p.inputs, "%15s", word);
        const fpx_format *const format = fpx_format_find(word);
        const size_t size = fpx_format_size(format), size_d = fpx_format_size(&p.model.format);
        const int few = format->mbits + 2; /* codes of the least exponents */
        for (size_t i = 0; i < sizeof a / size; i++) {
            const uint64_t code = (uint64_t)next() << 32 | (uint64_t)next() << 8;
            const uint64_t tiny = code & ((UINT64_C(1) << (few < 52 ? few : 52)) - 1);
            memcpy((char *)a + i * size, i % 3 == 0 ? &code : &tiny, size);
            if (i < sizeof b / size)
                memcpy((char *)b + i * size, i % 2 == 0 ? &code : &tiny, size);
        }
        for (size_t i = 0; i < M * N; i++) {
            const uint64_t tiny = next() % 64;
            memcpy((char *)c + i * size_d, &tiny, size_d);
        }
        fpx_mma_call call = { .m = M,
                              .n = N,
                              .k = K,
                              .c = c,
                              .c_format = p.model.format,
                              .stride_c_row = N,
                              .stride_c_column = 1,
                              .stride_d = N };
        call.a = operand(format, a, K);
        call.b = operand(format, b, K);
        ck_assert_int_eq(fpx_mma(&p.model, &call, plain, NULL), FPX_OK);
        (void)fesetround(FE_UPWARD);
#if defined(__x86_64__)
        const unsigned was = _mm_getcsr();
        _mm_setcsr(was | 0x8040u); /* FTZ, DAZ */
#endif
        const fpx_status status = fpx_mma(&p.model, &call, odd, NULL);
#if defined(__x86_64__)
        _mm_setcsr(was);
#endif
        (void)fesetround(FE_TONEAREST);
        ck_assert_int_eq(status, FPX_OK);
        ck_assert_msg(memcmp(plain, odd, M * N * size_d) == 0, "%s", p.model.name);
    }
}
END_TEST

/* Any model that passes the check can be run on what there is room for, and its only NaN is nan_code (an infinity and a
 * zero among the codes see to NaN). Sums beyond what was allowed for would be seen by sanitizers. */
START_TEST(any_model)
{
    static const fpx_format *const formats[] = { &fpx_fp32, &fpx_fp16, &fpx_bf16,
                                                 &fpx_e4m3, &fpx_e5m2, &fpx_e2m1 };
    const size_t fields = fpx_mma_field_find("no such field");
    size_t valid = 0, ran = 0;

    const char *const effort = getenv("FPX_TEST_EFFORT");
    const long rounds = 60000 * (effort == NULL ? 1 : strtol(effort, NULL, 10));

    for (long round = 0; round < rounds; round++) {
        fpx_mma_preset p;
        ck_assert_int_eq(fpx_mma_preset_at(next() % 102, &p), FPX_OK);
        for (uint32_t changes = next() % 4; changes > 0; changes--) {
            const uint32_t bits = next() % 17;
            (void)fpx_mma_field_set(&p.model, next() % fields,
                                    (int64_t)(next() & ((1u << bits) - 1)) -
                                        (next() % 4 == 0 ? 200 : 0));
        }
        if (fpx_mma_model_check(&p.model, NULL) != FPX_OK)
            continue;
        valid++;
        uint32_t a[40], b[40], c[1] = { next() << 8 ^ next() };
        uint8_t some_scales[40];
        uint64_t d = 0;
        for (size_t i = 0; i < 40; i++) {
            a[i] = next() % 8 == 0 ? 0 : next() << 8 ^ next();
            b[i] = next() << 8 ^ next();
            some_scales[i] = (uint8_t)next();
        }
        fpx_mma_call call = { .m = 1, .n = 1, .k = 1 + next() % 40, .c = c, .c_format = fpx_fp32 };
        call.a = operand(formats[next() % 6], a, 40);
        call.b = operand(formats[next() % 6], b, 40);
        if (next() % 2 == 0) {
            call.a.scales = call.b.scales = some_scales;
            call.a.scale_format = call.b.scale_format = next() % 2 == 0 ? fpx_e8m0 : fpx_ue4m3;
            call.a.scale_block = call.b.scale_block = 1 + next() % 32;
            call.a.scale_stride_k = call.b.scale_stride_k = 1;
        }
        if (fpx_mma(&p.model, &call, &d, NULL) != FPX_OK)
            continue;
        ran++;
        const double value = fpx_format_value(&p.model.format, d);
        ck_assert_msg(value == value || d == p.model.nan_code, "%s", p.model.name);
    }
    ck_assert_uint_gt(valid, 10000);
    ck_assert_uint_gt(ran, 3000);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("mma");
    TCase *const tc = tcase_create("mma");
    SRunner *const runner = srunner_create(suite);

    tcase_add_loop_test(tc, table_8, 0, (int)(sizeof table8 / sizeof table8[0]));
    tcase_add_test(tc, presets);
    tcase_add_test(tc, places);
    tcase_add_test(tc, environment);
    tcase_add_test(tc, scales);
    tcase_add_test(tc, nothing_to_sum);
    tcase_add_test(tc, any_model);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
