/* bench_gemm.c - the reproducible order against OpenBLAS on the same operands: both are timed in turn in
 * this run, the best of several rounds each, so that the ratio means something on a busy machine.
 * usage: bench_gemm [THREADS [ROUNDS [NAME]]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <fpx/cpu.h>
#include <fpx/gemm.h>
#include <fpx/pool.h>

struct shape {
    const char *name;
    size_t m, n, k;
    int trans_a, trans_b;
    size_t batch, leaf;
};

/* Squares; what a trainer asks for with 1024 tokens; attention scores by head. */
static const struct shape shapes[] = {
    { "square", 256, 256, 256, 0, 0, 1, 0 },    { "square", 512, 512, 512, 0, 0, 1, 0 },
    { "square", 1024, 1024, 1024, 0, 0, 1, 0 }, { "dgrad", 1024, 384, 384, 0, 0, 1, 0 },
    { "fprop", 1024, 384, 384, 0, 1, 1, 0 },    { "fprop", 1024, 1536, 384, 0, 1, 1, 0 },
    { "fprop", 1024, 384, 1536, 0, 1, 1, 0 },   { "wgrad", 384, 384, 1024, 1, 0, 1, 256 },
    { "wgrad", 1536, 384, 4096, 1, 0, 1, 256 }, { "scores", 64, 64, 32, 0, 1, 64, 0 },
    { "values", 64, 32, 64, 0, 0, 64, 0 },
};

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *fill(size_t count, int f64)
{
    float *x = malloc(count * (f64 ? sizeof(double) : sizeof(float)));
    double *y = (double *)(void *)x;
    unsigned state = 1;

    if (x == NULL)
        exit(2);
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        const double value = (double)(state >> 8) * 0x1p-23 - 1.0;

        if (f64)
            y[i] = value;
        else
            x[i] = (float)value;
    }
    return x;
}

struct run {
    fpx_gemm_call call;
    const void *a, *b;
    void *d, *scratch;
    fpx_pool *pool;
    int f64;
};

/* Seconds for one call, averaged over `repeat`. */
static double time_call(const struct run *r, fpx_gemm_engine engine, size_t repeat)
{
    fpx_gemm_call call = r->call;

    call.engine = engine;
    const double start = seconds();
    for (size_t i = 0; i < repeat; i++) {
        const fpx_status status = r->f64
                                      ? fpx_gemm_f64(&call, r->a, r->b, r->d, r->scratch, r->pool)
                                      : fpx_gemm_f32(&call, r->a, r->b, r->d, r->scratch, r->pool);
        if (status != FPX_OK)
            exit(2);
    }
    return (seconds() - start) / (double)repeat;
}

static void bench_shape(const struct shape *s, fpx_cpu_level level, fpx_pool *pool, int f64,
                        int rounds)
{
    const size_t elem = f64 ? sizeof(double) : sizeof(float);
    const double flops = 2.0 * (double)(s->m * s->n * s->k * s->batch);
    const size_t repeat = 1 + (size_t)(2e8 / flops);
    const size_t lda = s->trans_a ? s->m : s->k, ldb = s->trans_b ? s->k : s->n;
    struct run r = {
        .call = { .m = s->m,
                  .n = s->n,
                  .k = s->k,
                  .trans_a = s->trans_a,
                  .trans_b = s->trans_b,
                  .lda = lda,
                  .ldb = ldb,
                  .ldd = s->n,
                  .batch = s->batch,
                  .stride_a = s->m * s->k,
                  .stride_b = s->k * s->n,
                  .stride_d = s->m * s->n,
                  .leaf = s->leaf,
                  .alpha = 1.0f,
                  .level = level },
        .a = fill(s->m * s->k * s->batch, f64),
        .b = fill(s->k * s->n * s->batch, f64),
        .d = malloc(s->m * s->n * s->batch * elem),
        .pool = pool,
        .f64 = f64,
    };
    const size_t bytes = f64 ? fpx_gemm_f64_scratch(&r.call, fpx_pool_threads(pool))
                             : fpx_gemm_f32_scratch(&r.call, fpx_pool_threads(pool));
    double repro = 1e9, blas = 1e9;

    r.scratch = malloc(bytes + 1);
    if (r.d == NULL || r.scratch == NULL)
        exit(2);
    for (int round = 0; round < rounds; round++) {
        const double mine = time_call(&r, FPX_ENGINE_REPRO, repeat);
        const double theirs = time_call(&r, FPX_ENGINE_OPENBLAS, repeat);

        repro = mine < repro ? mine : repro;
        blas = theirs < blas ? theirs : blas;
    }
    printf("%s %-7s %2zu x %4zu x %4zu x %4zu %c%c leaf %3zu  repro %6.1f  openblas %6.1f Gflop/s  "
           "ratio %.3f\n",
           f64 ? "f64" : "f32", s->name, s->batch, s->m, s->n, s->k, s->trans_a ? 'T' : 'N',
           s->trans_b ? 'T' : 'N', s->leaf, 1e-9 * flops / repro, 1e-9 * flops / blas,
           blas / repro);
    fflush(stdout);
    free(r.scratch);
    free(r.d);
    free((void *)(size_t)r.a);
    free((void *)(size_t)r.b);
}

int main(int argc, char **argv)
{
    const long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    const long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 21;
    fpx_cpu_level level;
    fpx_pool *pool;
    fpx_error err;

    if (threads < 1 || rounds < 1 || fpx_cpu_choose(&level, &err) != FPX_OK ||
        fpx_pool_new((size_t)threads, &pool, &err) != FPX_OK)
        return 2;
    printf("kernel %s, %ld thread%s, best of %ld rounds\n", fpx_gemm_kernel_name(level), threads,
           threads == 1 ? "" : "s", rounds);
    for (int f64 = 0; f64 < 2; f64++)
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
            if (argc <= 3 || strcmp(argv[3], shapes[i].name) == 0)
                bench_shape(&shapes[i], level, pool, f64, (int)rounds);
    fpx_pool_free(pool);
    return 0;
}
