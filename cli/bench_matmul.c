/* bench_matmul.c - products in the reproducible order against OpenBLAS on the same operands. */
#include "bench_matmul.h"

#include <stdio.h>
#include <stdlib.h>

#include <fpx/gemm.h>

#include "bench.h"

typedef struct shape {
    const char *name;
    size_t m, n, k;
    int trans_a, trans_b;
    size_t batch, leaf;
} shape;

/* Squares; what a layer of width 256 asks for with 4 sequences of 256 tokens: forward, gradients of
 * activations, of weights (a leaf for each sequence); attention by head. */
static const shape shapes[] = {
    { "256", 256, 256, 256, 0, 0, 1, 0 },       { "512", 512, 512, 512, 0, 0, 1, 0 },
    { "1024", 1024, 1024, 1024, 0, 0, 1, 0 },   { "fprop/NT", 1024, 768, 256, 0, 1, 1, 0 },
    { "dgrad/NN", 1024, 256, 768, 0, 0, 1, 0 }, { "wgrad/TN", 768, 256, 1024, 1, 0, 1, 256 },
    { "scores/NT", 256, 256, 64, 0, 1, 16, 0 }, { "values/NN", 256, 64, 256, 0, 0, 16, 0 },
};

struct matmul {
    fpx_gemm_call call;
    float *a, *b, *d;
    void *scratch;
    fpx_pool *pool;
};

static float *filled(size_t n)
{
    float *x = malloc(n * sizeof *x);

    if (x != NULL)
        bench_fill(x, n);
    return x;
}

static fpx_status matmul_new(const bench *b, const shape *s, size_t threads, matmul **ret,
                             fpx_error *err)
{
    matmul *p = calloc(1, sizeof *p);

    *ret = p;
    if (p == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "bench: out of memory");
    p->call = (fpx_gemm_call){ .m = s->m,
                               .n = s->n,
                               .k = s->k,
                               .trans_a = s->trans_a,
                               .trans_b = s->trans_b,
                               .lda = s->trans_a ? s->m : s->k,
                               .ldb = s->trans_b ? s->k : s->n,
                               .ldd = s->n,
                               .batch = s->batch,
                               .stride_a = s->m * s->k,
                               .stride_b = s->k * s->n,
                               .stride_d = s->m * s->n,
                               .leaf = s->leaf,
                               .alpha = 1.0f,
                               .level = b->level };
    p->a = filled(s->m * s->k * s->batch);
    p->b = filled(s->k * s->n * s->batch);
    p->d = filled(s->m * s->n * s->batch);
    p->scratch = malloc(fpx_gemm_f32_scratch(&p->call, threads) + 1);
    if (p->a == NULL || p->b == NULL || p->d == NULL || p->scratch == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "bench: out of memory");
    return fpx_pool_new(threads, &p->pool, err);
}

void matmul_free(matmul *p)
{
    if (p == NULL)
        return;
    fpx_pool_free(p->pool);
    free(p->a);
    free(p->b);
    free(p->d);
    free(p->scratch);
    free(p);
}

static fpx_status multiply(const matmul *p, fpx_gemm_engine engine, fpx_error *err)
{
    fpx_gemm_call call = p->call;
    fpx_status status;

    call.engine = engine;
    status = fpx_gemm_f32(&call, p->a, p->b, p->d, p->scratch, p->pool);
    return status == FPX_OK ? FPX_OK
                            : fpx_error_set(err, status, "bench: a product was refused: %s",
                                            fpx_status_text(status));
}

static fpx_status run_own(void *context, fpx_error *err)
{
    return multiply(context, FPX_ENGINE_REPRO, err);
}

static fpx_status run_openblas(void *context, fpx_error *err)
{
    return multiply(context, FPX_ENGINE_OPENBLAS, err);
}

fpx_status matmul_best(const bench *b, size_t threads, matmul **ret_product, bench_job *ret_job,
                       double *ret_flops, fpx_error *err)
{
    const shape *s = &shapes[2];

    *ret_flops = 2.0 * (double)(s->m * s->n * s->k);
    const fpx_status status = matmul_new(b, s, threads, ret_product, err);
    *ret_job = (bench_job){ .run = run_openblas, .context = *ret_product };
    return status;
}

static fpx_status measure(bench *b, const shape *s, size_t threads, fpx_error *err)
{
    const double flops = 2.0 * (double)(s->m * s->n * s->k * s->batch);
    matmul *p = NULL;
    fpx_status status = matmul_new(b, s, threads, &p, err);
    bench_job jobs[2] = { { .run = run_own, .context = p }, { .run = run_openblas, .context = p } };
    bench_figure figure = { .area = "gemm", .unit = "Gflop/s", .against = "OpenBLAS sgemm" };

    if (status == FPX_OK)
        status = bench_measure(b, threads, jobs, 2, err);
    if (status == FPX_OK) {
        (void)snprintf(figure.name, sizeof figure.name, "%s/%zu-thread%s", s->name, threads,
                       threads == 1 ? "" : "s");
        figure.value = flops / jobs[0].best * 1e-9;
        figure.peer = flops / jobs[1].best * 1e-9;
        bench_add(b, &figure);
    }
    matmul_free(p);
    return status;
}

static fpx_status run(bench *b, fpx_error *err)
{
    const size_t counts[2] = { b->threads ? *b->threads : 1, 2 };
    fpx_status status = FPX_OK;

    for (size_t t = 0; t < (b->threads ? 1u : 2u); t++)
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0] && status == FPX_OK; i++)
            status = measure(b, &shapes[i], counts[t], err);
    return status;
}

const bench_area bench_gemm = { "gemm", "products", run };
