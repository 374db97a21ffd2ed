/* test_mma_batch.c - batches of fpx_mma and fpx_mma_run: each product has the bits of its codes multiplied alone, copied
 * out element by element; strides with gaps, shared operands, dense codes, C in place, levels, threads; refusals. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/mma_run.h>

enum { BATCH = 5, M = 9, N = 19, K = 70, ROOM = 1 << 15, GUARD = 64 };

static uint64_t state = 20264;

static uint32_t next(void)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static uint8_t a[ROOM], b[ROOM], scales_a[ROOM], scales_b[ROOM], c[ROOM];

/* Codes without NaN and Inf, of moderate size: the upper byte decides. */
static void fill(const fpx_format *format, uint8_t *codes)
{
    const size_t size = fpx_format_size(format);
    const unsigned mask = format->bits < 8 ? (1u << format->bits) - 1 : 0xbf;

    for (size_t i = 0; i < ROOM; i++)
        codes[i] = (uint8_t)(i % size == size - 1 ? next() & mask : next() & 0xff);
}

static fpx_mma_preset preset(const char *name)
{
    fpx_mma_preset p;

    ck_assert_msg(fpx_mma_preset_find(name, &p, NULL) == FPX_OK, "%s", name);
    return p;
}

/* Element of an operand: nibbles where dense. */
static void copy_code(const fpx_mma_operand *o, size_t from, uint8_t *to, size_t at)
{
    const size_t size = fpx_format_size(&o->format);
    const uint8_t *const codes = o->codes;

    if (o->packing == FPX_PACK_DENSE)
        to[at] = codes[from / 2] >> from % 2 * 4 & 15;
    else
        memcpy(to + at * size, codes + from * size, size);
}

/* Product p of an operand, without gaps and by itself; `to` and `scales` hold it. */
static fpx_mma_operand alone(const fpx_mma_operand *o, size_t vectors, size_t k, size_t p,
                             uint8_t *to, uint8_t *scales)
{
    const size_t blocks = o->scales == NULL ? 0 : (k + o->scale_block - 1) / o->scale_block;
    const uint8_t *const from = o->scales;

    for (size_t i = 0; i < vectors; i++) {
        for (size_t l = 0; l < k; l++)
            copy_code(o, p * o->stride_batch + i * o->stride_vector + l * o->stride_k, to,
                      i * k + l);
        for (size_t l = 0; l < blocks; l++)
            scales[i * blocks + l] = from[p * o->scale_stride_batch + i * o->scale_stride_vector +
                                          l * o->scale_stride_k];
    }
    return (fpx_mma_operand){ .format = o->format,
                              .codes = to,
                              .stride_vector = k,
                              .stride_k = 1,
                              .scales = o->scales == NULL ? NULL : scales,
                              .scale_format = o->scale_format,
                              .scale_block = o->scale_block,
                              .scale_stride_vector = blocks,
                              .scale_stride_k = 1 };
}

/* What D is to be, gaps and all. */
static void expect(const fpx_mma_model *model, const fpx_mma_call *call, uint8_t *d)
{
    static uint8_t to_a[ROOM], to_b[ROOM], of_a[ROOM], of_b[ROOM], to_c[ROOM], to_d[ROOM];
    const size_t size = fpx_format_size(&model->format);
    const size_t c_size = fpx_format_size(&call->c_format);

    for (size_t p = 0; p < (call->batch == 0 ? 1 : call->batch); p++) {
        fpx_mma_call one = { .m = call->m, .n = call->n, .k = call->k, .stride_d = call->n };
        one.a = alone(&call->a, call->m, call->k, p, to_a, of_a);
        one.b = alone(&call->b, call->n, call->k, p, to_b, of_b);
        for (size_t i = 0; call->c != NULL && i < call->m; i++) {
            for (size_t j = 0; j < call->n; j++)
                memcpy(to_c + (i * call->n + j) * c_size,
                       (const uint8_t *)call->c +
                           (p * call->stride_c_batch + i * call->stride_c_row +
                            j * call->stride_c_column) *
                               c_size,
                       c_size);
        }
        one.c = call->c == NULL ? NULL : to_c;
        one.c_format = call->c_format;
        one.stride_c_row = call->n;
        one.stride_c_column = 1;
        ck_assert_int_eq(fpx_mma(model, &one, to_d, NULL), FPX_OK);
        for (size_t i = 0; i < call->m; i++)
            memcpy(d + (p * call->stride_d_batch + i * call->stride_d) * size,
                   to_d + i * call->n * size, call->n * size);
    }
}

/* The reference, and every level and pool; d begins as D does. */
static void compare(const fpx_mma_model *model, const fpx_mma_call *call, const uint8_t *d,
                    uint64_t ret_outputs[2])
{
    static const size_t threads[] = { 1, 3 };
    static uint8_t want[ROOM + GUARD], got[ROOM + GUARD];

    memcpy(want, d, sizeof want);
    expect(model, call, want);
    memcpy(got, d, sizeof got);
    fpx_mma_call here = *call;
    here.c = call->c == d ? got : call->c;
    ck_assert_int_eq(fpx_mma(model, &here, got, NULL), FPX_OK);
    ck_assert_mem_eq(got, want, sizeof want);
    for (int level = 0; level <= (int)fpx_cpu_detect(); level++) {
        for (size_t t = 0; t < 2; t++) {
            fpx_pool *pool = NULL;
            fpx_mma_shares shares;
            ck_assert_int_eq(fpx_pool_new(threads[t], &pool, NULL), FPX_OK);
            const size_t bytes = fpx_mma_scratch(model, call, (fpx_cpu_level)level, threads[t]);
            void *const scratch = malloc(bytes + 1);
            ck_assert_ptr_nonnull(scratch);
            memcpy(got, d, sizeof got);
            ck_assert_int_eq(
                fpx_mma_run(model, &here, got, scratch, pool, (fpx_cpu_level)level, &shares, NULL),
                FPX_OK);
            ck_assert_mem_eq(got, want, sizeof want);
            ret_outputs[0] += shares.scalar_outputs;
            ret_outputs[1] += shares.lanes;
            free(scratch);
            fpx_pool_free(pool);
        }
    }
}

/* name, inputs, scales; which kinds of kernels it has is seen below. */
static const struct {
    const char *name;
    const fpx_format *format, *scale;
    size_t block;
} cases[] = { { "hopper/wgmma/fp8-fp32", &fpx_e4m3, NULL, 0 },
              { "ampere/mma.sync/fp16-fp32", &fpx_fp16, NULL, 0 },
              { "hopper/wgmma/fp16-fp16", &fpx_fp16, NULL, 0 },
              { "blackwell/tcgen05/mxf8f6f4-fp32", &fpx_e2m1, &fpx_e8m0, 32 },
              { "blackwell/tcgen05/mxf4nvf4-fp32", &fpx_e2m1, &fpx_ue4m3, 16 },
              { "ideal/fma/any-fp64", &fpx_fp16, NULL, 0 },
              { "cdna3/mfma/bf16-fp32", &fpx_bf16, NULL, 0 } };
enum { CASES = sizeof cases / sizeof cases[0], LAYOUTS = 5 };

/* 0: without gaps; 1: gaps, B and C shared; 2: A transposed and shared, no C; 3: D interleaved, C in place; 4: dense codes
 * where there are such. */
static fpx_mma_call lay_out(const fpx_format *format, const fpx_format *scale, size_t block,
                            int layout, const fpx_mma_model *model)
{
    const size_t blocks = scale == NULL ? 0 : (K + block - 1) / block;
    fpx_mma_operand o = { .format = *format,
                          .stride_vector = K,
                          .stride_k = 1,
                          .scale_block = block,
                          .scale_stride_vector = blocks,
                          .scale_stride_k = 1 };
    fpx_mma_call call = { .m = M, .n = N, .k = K, .batch = BATCH, .a = o, .b = o, .c = c };

    if (scale != NULL)
        call.a.scale_format = call.b.scale_format = *scale;
    call.a.codes = a;
    call.b.codes = b;
    call.a.scales = scale == NULL ? NULL : scales_a;
    call.b.scales = scale == NULL ? NULL : scales_b;
    call.a.stride_batch = M * K;
    call.b.stride_batch = N * K;
    call.a.scale_stride_batch = M * blocks;
    call.b.scale_stride_batch = N * blocks;
    call.c_format = model->format;
    call.stride_c_row = call.stride_d = N;
    call.stride_c_column = 1;
    call.stride_c_batch = call.stride_d_batch = M * N;
    if (layout == 1) {
        call.a.stride_batch += 6;
        call.a.scale_stride_batch += 1;
        call.b.stride_batch = call.b.scale_stride_batch = call.stride_c_batch = 0;
        call.stride_d = N + 2;
        call.stride_d_batch = M * (N + 2) + 3;
    } else if (layout == 2) {
        call.a.stride_vector = 1;
        call.a.stride_k = M;
        call.a.stride_batch = call.a.scale_stride_batch = 0;
        call.c = NULL;
    } else if (layout == 3) {
        call.stride_c_row = call.stride_d = BATCH * N;
        call.stride_c_batch = call.stride_d_batch = N;
    } else if (layout == 4 && format->bits == 4) {
        call.a.packing = call.b.packing = FPX_PACK_DENSE;
    }
    return call;
}

START_TEST(each_alone)
{
    static uint8_t d[ROOM + GUARD];
    uint64_t outputs[2] = { 0 };

    for (size_t i = 0; i < CASES; i++) {
        const fpx_mma_preset p = preset(cases[i].name);
        fill(cases[i].format, a);
        fill(cases[i].format, b);
        fill(&p.model.format, c);
        for (size_t s = 0; s < ROOM; s++) {
            scales_a[s] =
                (uint8_t)(cases[i].scale == &fpx_ue4m3 ? next() % 0x7f : 120 + next() % 16);
            scales_b[s] =
                (uint8_t)(cases[i].scale == &fpx_ue4m3 ? next() % 0x7f : 120 + next() % 16);
        }
        for (int layout = 0; layout < LAYOUTS; layout++) {
            fpx_mma_call call =
                lay_out(cases[i].format, cases[i].scale, cases[i].block, layout, &p.model);
            memset(d, 0xa5, sizeof d);
            if (layout == 3) {
                memcpy(d, c, ROOM);
                call.c = d;
            }
            compare(&p.model, &call, d, outputs);
            call.batch = 0; /* one */
            compare(&p.model, &call, d, outputs);
        }
    }
    ck_assert(outputs[0] > 0);
    ck_assert(outputs[1] > 0 || fpx_cpu_detect() == FPX_CPU_SCALAR);
}
END_TEST

/* Threads of the scalar reference share the rows of all products. */
START_TEST(threads_over_products)
{
    const fpx_mma_preset p = preset("ideal/fma/any-fp64");
    uint8_t d[BATCH * N * 8];
    fpx_pool *pool = NULL;

    fill(&fpx_fp16, a);
    fpx_mma_call call = lay_out(&fpx_fp16, NULL, 0, 2, &p.model);
    call.m = 1;
    call.stride_d_batch = N;
    ck_assert_int_eq(fpx_pool_new(2, &pool, NULL), FPX_OK);
    ck_assert_int_eq(fpx_mma_run(&p.model, &call, d, NULL, pool, FPX_CPU_SCALAR, NULL, NULL),
                     FPX_OK);
    ck_assert_uint_eq(fpx_pool_parallel_runs(pool), 1);
    fpx_pool_free(pool);
}
END_TEST

START_TEST(refusals)
{
    const fpx_mma_preset p = preset("blackwell/tcgen05/mxf4nvf4-fp32");
    uint8_t d[4] = { 1, 2, 3, 4 };
    fpx_error err = { 0 };
    fpx_mma_call call = lay_out(&fpx_e2m1, NULL, 0, 4, &p.model);

    call.b.stride_batch = N * K + 1;
    ck_assert_int_eq(fpx_mma(&p.model, &call, d, &err), FPX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "dense"));
    ck_assert_int_eq(fpx_mma_run(&p.model, &call, d, NULL, NULL, FPX_CPU_SCALAR, NULL, &err),
                     FPX_EINVAL);
    ck_assert_uint_eq(fpx_mma_scratch(&p.model, &call, fpx_cpu_detect(), 1), 0);
    call.b.stride_batch = 0;
    call.stride_d_batch = N - 1;
    ck_assert_int_eq(fpx_mma(&p.model, &call, d, &err), FPX_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "18 apart"));
    ck_assert_uint_eq(d[0], 1);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("mma_batch");
    TCase *const tcase = tcase_create("batch");

    tcase_add_test(tcase, each_alone);
    tcase_add_test(tcase, threads_over_products);
    tcase_add_test(tcase, refusals);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
