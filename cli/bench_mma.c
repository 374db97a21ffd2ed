/* bench_mma.c - emulated matrix units against OpenBLAS's float32 product of the same size: what bits of a device cost.
 * Packing is part of the time. Data have a share of subnormals and zeros; OpenBLAS has uniform data, which suit it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/gemm.h>
#include <fpx/mma_run.h>

#include "bench.h"

/* `special`: 1: exponents are spread by 2^20 both ways, with subnormals of bf16; 2: and one element in a hundred is Inf
 * or NaN. */
static const struct row {
    const char *name, *preset, *input, *scale;
    size_t scale_block, size;
    int special;
} rows[] = {
    { "hopper/fp8", "hopper/wgmma/fp8-fp32", "e4m3", NULL, 0, 256, 0 },
    { "hopper/fp8", "hopper/wgmma/fp8-fp32", "e4m3", NULL, 0, 1024, 0 },
    { "hopper/fp8-special", "hopper/wgmma/fp8-fp32", "e5m2", NULL, 0, 256, 2 },
    { "ada/fp8", "ada/mma.sync/fp8-fp32", "e4m3", NULL, 0, 256, 0 },
    { "ada/fp8", "ada/mma.sync/fp8-fp32", "e4m3", NULL, 0, 1024, 0 },
    { "hopper/fp16", "hopper/mma.sync/fp16-fp32", "fp16", NULL, 0, 256, 0 },
    { "hopper/fp16", "hopper/mma.sync/fp16-fp32", "fp16", NULL, 0, 1024, 0 },
    { "hopper/fp16-special", "hopper/mma.sync/fp16-fp32", "fp16", NULL, 0, 256, 2 },
    { "ampere/fp16", "ampere/mma.sync/fp16-fp32", "fp16", NULL, 0, 256, 0 },
    { "ampere/fp16", "ampere/mma.sync/fp16-fp32", "fp16", NULL, 0, 1024, 0 },
    { "hopper/bf16", "hopper/mma.sync/bf16-fp32", "bf16", NULL, 0, 256, 0 },
    { "hopper/bf16", "hopper/mma.sync/bf16-fp32", "bf16", NULL, 0, 1024, 0 },
    { "hopper/bf16-wide", "hopper/mma.sync/bf16-fp32", "bf16", NULL, 0, 256, 1 },
    { "hopper/bf16-special", "hopper/mma.sync/bf16-fp32", "bf16", NULL, 0, 256, 2 },
    { "blackwell/nvfp4", "blackwell/tcgen05/mxf4nvf4-fp32", "e2m1", "ue4m3", 16, 256, 0 },
    { "blackwell/nvfp4", "blackwell/tcgen05/mxf4nvf4-fp32", "e2m1", "ue4m3", 16, 1024, 0 },
    { "ideal/e4m3", "ideal/fma/any-fp32", "e4m3", NULL, 0, 256, 0 },
    { "ideal/e4m3", "ideal/fma/any-fp32", "e4m3", NULL, 0, 1024, 0 },
    { "ideal/bf16", "ideal/fma/any-fp32", "bf16", NULL, 0, 256, 0 },
    { "ideal/bf16", "ideal/fma/any-fp32", "bf16", NULL, 0, 1024, 0 },
    { "ideal/mxfp8", "ideal/fma/any-fp32", "e4m3", "e8m0", 32, 256, 0 },
    { "ideal/mxfp8", "ideal/fma/any-fp32", "e4m3", "e8m0", 32, 1024, 0 },
    { "ideal/nvfp4", "ideal/fma/any-fp32", "e2m1", "ue4m3", 16, 256, 0 },
    { "ideal/nvfp4", "ideal/fma/any-fp32", "e2m1", "ue4m3", 16, 1024, 0 },
    { "ideal/bf16-to-bf16", "ideal/fma/any-bf16", "bf16", NULL, 0, 256, 0 },
    { "ideal/fp16-to-fp16", "ideal/fma/any-fp16", "fp16", NULL, 0, 256, 0 },
    { "cdna2/bf16", "cdna2/mfma.1k/bf16-fp32", "bf16", NULL, 0, 256, 0 },
};

typedef struct product {
    fpx_mma_preset preset;
    fpx_mma_call call;
    fpx_gemm_call gemm;
    fpx_cpu_level level;
    unsigned char *a, *b, *scales;
    float *d, *x, *y;
    void *scratch;
    fpx_pool *pool;
} product;

static fpx_status run_own(void *context, fpx_error *err)
{
    product *const p = context;

    return fpx_mma_run(&p->preset.model, &p->call, p->d, p->scratch, p->pool, p->level, NULL, err);
}

static fpx_status run_openblas(void *context, fpx_error *err)
{
    product *const p = context;
    const fpx_status status = fpx_gemm_f32(&p->gemm, p->y, p->y, p->d, NULL, p->pool);

    return status == FPX_OK ? FPX_OK
                            : fpx_error_set(err, status, "bench: a product was refused: %s",
                                            fpx_status_text(status));
}

static void product_free(product *p)
{
    fpx_pool_free(p->pool);
    free(p->a);
    free(p->b);
    free(p->scales);
    free(p->d);
    free(p->x);
    free(p->y);
    free(p->scratch);
}

/* Sums of four numbers of bench_fill's kind; every 50th is 0, every 50th tiny (subnormal in e4m3 and fp16). */
static void fill(float *x, const float *random, size_t n, int special)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = random[i] + random[(i * 7 + 1) % n] + random[(i * 11 + 2) % n] +
               random[(i * 13 + 3) % n];
        if (special)
            x[i] *= (float)(1u << (i * 11 % 21)) * (i % 2 == 0 ? 1.0f : 0x1p-20f);
        if (i % 50 == 7)
            x[i] = 0;
        if (i % 50 == 31)
            x[i] = special ? 0x1p-130f : 0x1p-16f;
    }
}

static fpx_status operand(const struct row *r, const fpx_format *format, const float *x, size_t n,
                          unsigned char *codes)
{
    const fpx_conversion to = { .format = *format };
    const size_t size = fpx_format_size(format);
    const fpx_status status = fpx_encode_f32(&to, 1.0f, x, codes, n);
    const int has_infinity = format->specials == FPX_SPECIALS_IEEE;

    for (size_t i = 0; r->special == 2 && i < n; i += 100) {
        const uint64_t code =
            has_infinity && i % 200 == 0 ? format->max_code + 1 : format->nan_code;
        memcpy(codes + i * size, &code, size);
    }
    return status;
}

static fpx_status product_new(const bench *b, const struct row *r, size_t threads, product *p,
                              fpx_error *err)
{
    const size_t s = r->size, n = s * s;
    const fpx_format *const format = fpx_format_find(r->input);
    fpx_status status = fpx_mma_preset_find(r->preset, &p->preset, err);

    if (status != FPX_OK)
        return status;
    p->level = b->level;
    p->a = calloc(n, 4);
    p->b = calloc(n, 4);
    p->scales = malloc(n);
    p->d = malloc(n * sizeof *p->d);
    p->x = malloc(n * sizeof *p->x);
    p->y = malloc(n * sizeof *p->y);
    if (p->a == NULL || p->b == NULL || p->scales == NULL || p->d == NULL || p->x == NULL ||
        p->y == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "bench: out of memory");
    bench_fill(p->y, n);
    fill(p->x, p->y, n, r->special);
    status = operand(r, format, p->x, n, p->a);
    if (status == FPX_OK)
        status = operand(r, format, p->x, n, p->b);
    p->call = (fpx_mma_call){
        .m = s,
        .n = s,
        .k = s,
        .a = { .format = *format, .codes = p->a, .stride_vector = s, .stride_k = 1 },
        .b = { .format = *format, .codes = p->b, .stride_vector = s, .stride_k = 1 },
        .stride_d = s
    };
    if (r->scale != NULL) {
        const fpx_format *const scale = fpx_format_find(r->scale);
        for (size_t i = 0; i < n; i++) /* around 1 */
            p->scales[i] = (unsigned char)((scale->bias << scale->mbits) - 8 + (int)(i % 17));
        p->call.a.scales = p->scales;
        p->call.a.scale_format = *scale;
        p->call.a.scale_block = r->scale_block;
        p->call.a.scale_stride_vector = s / r->scale_block;
        p->call.a.scale_stride_k = 1;
        fpx_mma_operand *const other = &p->call.b;
        *other = p->call.a;
        other->codes = p->b;
    }
    p->gemm = (fpx_gemm_call){ .m = s,
                               .n = s,
                               .k = s,
                               .lda = s,
                               .ldb = s,
                               .ldd = s,
                               .batch = 1,
                               .alpha = 1.0f,
                               .engine = FPX_ENGINE_OPENBLAS,
                               .level = b->level };
    p->scratch = malloc(fpx_mma_scratch(&p->preset.model, &p->call, b->level, threads) + 1);
    if (p->scratch == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "bench: out of memory");
    return status == FPX_OK
               ? fpx_pool_new(threads, &p->pool, err)
               : fpx_error_set(err, status, "bench: %s: %s", r->input, fpx_status_text(status));
}

static fpx_status count_lanes(product *p, bench_figure *figure, fpx_error *err)
{
    fpx_mma_shares shares = { 0 };
    const fpx_status status =
        fpx_mma_run(&p->preset.model, &p->call, p->d, p->scratch, p->pool, p->level, &shares, err);
    const double all = (double)shares.lanes, skipped = (double)shares.skipped_lanes;

    figure->has_lanes = shares.lanes > 0;
    if (figure->has_lanes) {
        figure->fast = 100 * (all - skipped - (double)shares.scalar_lanes) / all;
        figure->skipped = 100 * skipped / all;
    }
    return status;
}

static fpx_status measure(bench *b, const struct row *r, size_t threads, fpx_error *err)
{
    const double flops = 2.0 * (double)r->size * (double)r->size * (double)r->size;
    product p = { 0 };
    fpx_status status = product_new(b, r, threads, &p, err);
    bench_job jobs[2] = { { .run = run_own, .context = &p },
                          { .run = run_openblas, .context = &p } };
    bench_figure figure = { .area = "mma", .unit = "Gflop/s", .against = "OpenBLAS sgemm" };

    if (status == FPX_OK)
        status = count_lanes(&p, &figure, err);
    if (status == FPX_OK)
        status = bench_measure(b, threads, jobs, 2, err);
    if (status == FPX_OK) {
        (void)snprintf(figure.name, sizeof figure.name, "%s/%zu", r->name, r->size);
        figure.value = flops / jobs[0].best * 1e-9;
        figure.peer = flops / jobs[1].best * 1e-9;
        bench_add(b, &figure);
    }
    product_free(&p);
    return status;
}

static fpx_status run(bench *b, fpx_error *err)
{
    const size_t threads = b->threads ? *b->threads : 1;
    fpx_status status = FPX_OK;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && status == FPX_OK; i++) {
        if (b->level > FPX_CPU_SCALAR || rows[i].size < 1024) /* the reference: minutes */
            status = measure(b, &rows[i], threads, err);
    }
    return status;
}

const bench_area bench_mma = { "mma", "matrix units", run };
