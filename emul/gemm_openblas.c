/* gemm_openblas.c - the same products by OpenBLAS: fast, and other bits for each thread count and core
 * type, so only where the caller asks for it. Scaling and NaN are finished as in the other engines. */
#include <cblas.h>
#include <limits.h>
#include <math.h>

#include "gemm_kernels.h"

static fpx_status check_extents(const fpx_gemm_call *call)
{
    const size_t extent[] = { call->m, call->n, call->k, call->lda, call->ldb, call->ldd };

    for (size_t i = 0; i < sizeof extent / sizeof extent[0]; i++)
        if (extent[i] > INT_MAX) /* blasint is int in the builds that distributions ship */
            return FPX_EUNSUPPORTED;
    return FPX_OK;
}

static CBLAS_TRANSPOSE transpose(int trans)
{
    return trans ? CblasTrans : CblasNoTrans;
}

/* Changing the number restarts OpenBLAS's threads, so only when it differs. */
static void set_threads(size_t threads)
{
    if (openblas_get_num_threads() != (int)threads)
        openblas_set_num_threads((int)threads);
}

const char *fpx_gemm_openblas_core(void)
{
    return openblas_get_corename();
}

fpx_status gemm_openblas_f32(const fpx_gemm_call *call, const float *a, const float *b, float *d,
                             size_t threads)
{
    const fpx_status status = check_extents(call);

    if (status != FPX_OK)
        return status;
    const fpx_fpenv saved = fpx_fpenv_enter();
    set_threads(threads);
    for (size_t p = 0; p < call->batch; p++) {
        float *dp = d + p * call->stride_d;

        cblas_sgemm(CblasRowMajor, transpose(call->trans_a), transpose(call->trans_b),
                    (blasint)call->m, (blasint)call->n, (blasint)call->k, 1.0f,
                    a + p * call->stride_a, (blasint)call->lda, b + p * call->stride_b,
                    (blasint)call->ldb, 0.0f, dp, (blasint)call->ldd);
        for (size_t i = 0; i < call->m; i++)
            for (size_t j = 0; j < call->n; j++) {
                const float x = dp[i * call->ldd + j];
                const float y = call->alpha == 1.0f ? x : x * call->alpha + 0.0f;

                dp[i * call->ldd + j] = y != y ? NAN : y;
            }
    }
    fpx_fpenv_leave(saved);
    return FPX_OK;
}

fpx_status gemm_openblas_f64(const fpx_gemm_call *call, const double *a, const double *b, double *d,
                             size_t threads)
{
    const fpx_status status = check_extents(call);

    if (status != FPX_OK)
        return status;
    const fpx_fpenv saved = fpx_fpenv_enter();
    set_threads(threads);
    for (size_t p = 0; p < call->batch; p++) {
        double *dp = d + p * call->stride_d;

        cblas_dgemm(CblasRowMajor, transpose(call->trans_a), transpose(call->trans_b),
                    (blasint)call->m, (blasint)call->n, (blasint)call->k, 1.0,
                    a + p * call->stride_a, (blasint)call->lda, b + p * call->stride_b,
                    (blasint)call->ldb, 0.0, dp, (blasint)call->ldd);
        for (size_t i = 0; i < call->m; i++)
            for (size_t j = 0; j < call->n; j++) {
                const double x = dp[i * call->ldd + j];

                dp[i * call->ldd + j] = x != x ? (double)NAN : x;
            }
    }
    fpx_fpenv_leave(saved);
    return FPX_OK;
}
