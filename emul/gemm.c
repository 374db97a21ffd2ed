/* gemm.c - the entry points: every argument is checked before anything is written, then the engine and
 * the level choose who computes. */
#include <stdint.h>

#include "gemm_kernels.h"

const struct gemm_kernels *gemm_kernels_f32(fpx_cpu_level level)
{
    static const struct gemm_kernels *const table[FPX_CPU_LEVELS] = {
#ifdef FPX_HAVE_AVX2
        [FPX_CPU_AVX2] = &gemm_kernels_avx2_f32,
#endif
#ifdef FPX_HAVE_AVX512
        [FPX_CPU_AVX512] = &gemm_kernels_avx512_f32,
#endif
    };
    return table[level];
}

const struct gemm_kernels *gemm_kernels_f64(fpx_cpu_level level)
{
    static const struct gemm_kernels *const table[FPX_CPU_LEVELS] = {
#ifdef FPX_HAVE_AVX2
        [FPX_CPU_AVX2] = &gemm_kernels_avx2_f64,
#endif
#ifdef FPX_HAVE_AVX512
        [FPX_CPU_AVX512] = &gemm_kernels_avx512_f64,
#endif
    };
    return table[level];
}

const char *fpx_gemm_kernel_name(fpx_cpu_level level)
{
    const struct gemm_kernels *kernels = gemm_kernels_f32(level);

    return kernels == NULL ? "scalar" : kernels->name;
}

/* Whether `batch` matrices of rows x columns, ld and stride apart, end at an offset in bytes that
 * fits ptrdiff_t. */
static int fits(size_t rows, size_t columns, size_t ld, size_t batch, size_t stride, size_t elem)
{
    const size_t limit = (size_t)PTRDIFF_MAX / elem;

    if (columns > limit || (rows - 1) > (limit - columns) / ld)
        return 0;
    const size_t one = (rows - 1) * ld + columns;
    return stride == 0 || batch - 1 <= (limit - one) / stride;
}

static int valid(const fpx_gemm_call *c, size_t elem)
{
    if (c->m == 0 || c->n == 0 || c->k == 0 || c->batch == 0)
        return 0;
    if (c->lda < (c->trans_a ? c->m : c->k) || c->ldb < (c->trans_b ? c->k : c->n) || c->ldd < c->n)
        return 0;
    if (c->batch > 1 && (c->stride_d == 0 || c->m > SIZE_MAX / c->batch))
        return 0;
    if (c->leaf != 0 && c->k % c->leaf != 0)
        return 0;
    if (c->engine != FPX_ENGINE_REPRO && c->engine != FPX_ENGINE_OPENBLAS)
        return 0;
    if ((int)c->level < 0 || c->level >= FPX_CPU_LEVELS)
        return 0;
    return fits(c->trans_a ? c->k : c->m, c->trans_a ? c->m : c->k, c->lda, c->batch, c->stride_a,
                elem) &&
           fits(c->trans_b ? c->n : c->k, c->trans_b ? c->k : c->n, c->ldb, c->batch, c->stride_b,
                elem) &&
           fits(c->m, c->n, c->ldd, c->batch, c->stride_d, elem);
}

/* NULL: an engine without scratch. */
static const struct gemm_kernels *blocked_kernels(const fpx_gemm_call *call, size_t elem)
{
    if (call->engine != FPX_ENGINE_REPRO)
        return NULL;
    return elem == sizeof(float) ? gemm_kernels_f32(call->level) : gemm_kernels_f64(call->level);
}

/* 0 and *ret_valid = 0 for a call that is refused. */
static size_t scratch_size(const fpx_gemm_call *call, size_t elem, size_t threads, int *ret_valid)
{
    size_t bytes = 0;
    int overflow = 0;

    *ret_valid = 0;
    if (!valid(call, elem))
        return 0;
    const struct gemm_kernels *kernels = blocked_kernels(call, elem);
    if (kernels != NULL)
        bytes = gemm_blocked_scratch(kernels, call, threads, GEMM_BLOCKS, &overflow);
    *ret_valid = !overflow;
    return overflow ? 0 : bytes;
}

size_t fpx_gemm_f32_scratch(const fpx_gemm_call *call, size_t threads)
{
    int unused;

    return scratch_size(call, sizeof(float), threads, &unused);
}

size_t fpx_gemm_f64_scratch(const fpx_gemm_call *call, size_t threads)
{
    int unused;

    return scratch_size(call, sizeof(double), threads, &unused);
}

struct scalar_job {
    const fpx_gemm_call *call;
    const void *a, *b;
    void *d;
};

static void scalar_range_f32(void *context, size_t begin, size_t end, size_t worker)
{
    const struct scalar_job *job = context;

    (void)worker;
    gemm_scalar_f32(job->call, job->a, job->b, job->d, begin, end);
}

static void scalar_range_f64(void *context, size_t begin, size_t end, size_t worker)
{
    const struct scalar_job *job = context;

    (void)worker;
    gemm_scalar_f64(job->call, job->a, job->b, job->d, begin, end);
}

static int ready(const fpx_gemm_call *call, size_t elem, const void *a, const void *b,
                 const void *d, const void *scratch, const fpx_pool *pool)
{
    int good;
    const size_t bytes = scratch_size(call, elem, fpx_pool_threads(pool), &good);

    return good && a != NULL && b != NULL && d != NULL && (bytes == 0 || scratch != NULL);
}

fpx_status fpx_gemm_f32(const fpx_gemm_call *call, const float *a, const float *b, float *d,
                        void *scratch, fpx_pool *pool)
{
    struct scalar_job job = { call, a, b, d };

    if (!ready(call, sizeof(float), a, b, d, scratch, pool))
        return FPX_EINVAL;
    if (call->engine == FPX_ENGINE_OPENBLAS)
        return gemm_openblas_f32(call, a, b, d, fpx_pool_threads(pool));

    const struct gemm_kernels *kernels = gemm_kernels_f32(call->level);
    if (kernels == NULL)
        fpx_parallel_for(pool, call->batch * call->m, 1, scalar_range_f32, &job);
    else
        gemm_blocked_run(kernels, call, a, b, d, scratch, pool,
                         call->alpha != 1.0f ? GEMM_BLOCKS_SCALED : GEMM_BLOCKS);
    return FPX_OK;
}

fpx_status fpx_gemm_f64(const fpx_gemm_call *call, const double *a, const double *b, double *d,
                        void *scratch, fpx_pool *pool)
{
    struct scalar_job job = { call, a, b, d };

    if (!ready(call, sizeof(double), a, b, d, scratch, pool))
        return FPX_EINVAL;
    if (call->engine == FPX_ENGINE_OPENBLAS)
        return gemm_openblas_f64(call, a, b, d, fpx_pool_threads(pool));

    const struct gemm_kernels *kernels = gemm_kernels_f64(call->level);
    if (kernels == NULL)
        fpx_parallel_for(pool, call->batch * call->m, 1, scalar_range_f64, &job);
    else
        gemm_blocked_run(kernels, call, a, b, d, scratch, pool, GEMM_BLOCKS);
    return FPX_OK;
}
