/* fpx/gemm.h - reproducible matrix multiplication: the same bits for any thread count and
 * instruction set.
 *
 * D[i][j] = sum over k of A[i][k] * B[k][j], in this order: k is cut into blocks of FPX_GEMM_KC; in
 * each block one chain of fma per element, in rising k, starting at +0; blocks are added in order,
 * the first block's sum being the start. With leaf > 0, k is first cut into leaves of `leaf`
 * elements (a sequence each; blocks never cross a leaf), each leaf summed as above, leaves combined
 * by the tree of fpx/reduce.h. A NaN result is 0x7FC00000 (0x7FF8000000000000). */
#ifndef FPX_GEMM_H
#define FPX_GEMM_H

#include <stddef.h>

#include <fpx/cpu.h>
#include <fpx/pool.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FPX_GEMM_KC = 256 };

typedef enum fpx_gemm_engine {
    FPX_ENGINE_REPRO,   /* the order above */
    FPX_ENGINE_OPENBLAS /* fast and not reproducible: other bits per thread count and core type */
} fpx_gemm_engine;

/* D (m x n, row-major, leading dimension ldd) = op(A) op(B).
 * op(A) is m x k: A is stored row-major m x k (lda >= k), or k x m (lda >= m) where trans_a.
 * op(B) is k x n: B is stored row-major k x n (ldb >= n), or n x k (ldb >= k) where trans_b.
 * `batch` such products, operand p of product b at p + b * stride_p (elements). Where batch > 1 and
 * stride_d is 0 the call is refused. D must not overlap A or B. */
typedef struct fpx_gemm_call {
    size_t m, n, k;
    int trans_a, trans_b;
    size_t lda, ldb, ldd;
    size_t batch; /* >= 1 */
    size_t stride_a, stride_b, stride_d;
    size_t leaf; /* 0: k is one leaf; else k must be a multiple of it */
    float alpha; /* float32 only: D = RN(sum * alpha) + 0 where alpha != 1 (epilogue) */
    fpx_gemm_engine engine;
    fpx_cpu_level level; /* must not exceed fpx_cpu_detect() */
} fpx_gemm_call;

/* Bytes of scratch that fpx_gemm_f32 or _f64 needs for this call with this many threads. Never
 * fails: 0 for a call that would be refused. */
size_t fpx_gemm_f32_scratch(const fpx_gemm_call *call, size_t threads);
size_t fpx_gemm_f64_scratch(const fpx_gemm_call *call, size_t threads);

/* scratch: at least the size above, any alignment, contents undefined before and after.
 * FPX_EINVAL: a zero extent, a leading dimension too small, k not a multiple of leaf, overflow of a
 * product. FPX_EUNSUPPORTED: this machine has no OpenBLAS (libopenblas.so.0). On error D is untouched. */
fpx_status fpx_gemm_f32(const fpx_gemm_call *call, const float *a, const float *b, float *d,
                        void *scratch, fpx_pool *pool);
fpx_status fpx_gemm_f64(const fpx_gemm_call *call, const double *a, const double *b, double *d,
                        void *scratch, fpx_pool *pool);

/* The name of the micro-kernel that a call of this level runs ("scalar", "avx2", "avx512"). */
const char *fpx_gemm_kernel_name(fpx_cpu_level level);

/* The processor whose kernels OpenBLAS runs: "Haswell"; NULL: there is no OpenBLAS. Loads it. */
const char *fpx_gemm_openblas_core(void);

/* Rigorous bounds on |D[i][j] - exact|, in two tiers that differ in what they take (|A||B|)[i][j] to be: the product of two
 * 2-norms (Cauchy and Schwarz), which costs nothing once these are known, or that sum itself, k products an element.
 *
 * gamma(depth + 2) * magnitude, inflated for its own rounding; underflow adds k * the smallest subnormal. Inf where depth is
 * beyond 1 / (2 unit), or magnitude is no number. magnitude: either of the above, rounded upward. unit is 2^-24 or 2^-53.
 * depth is the largest number of roundings that a product meets: fpx_gemm_depth for the order above, k for any other
 * order of k products. Higham, Accuracy and Stability, 2nd ed., section 3.1 and chapter 4. */
double fpx_gemm_bound(size_t depth, size_t k, double unit, double magnitude);

/* FMAs of a block, additions of blocks, levels of the tree: min(leaf, KC) + blocks of a leaf - 1 + log2 of the number of
 * leaves, rounded up. leaf 0: k; else k is a multiple of it. */
size_t fpx_gemm_depth(size_t k, size_t leaf);

/* The sum over p < k of |a[p * a_step]| |b[p * b_step]|, or slightly more; Inf where that is no number. */
double fpx_gemm_magnitude(const double *a, size_t a_step, const double *b, size_t b_step, size_t k);

#ifdef __cplusplus
}
#endif

#endif /* FPX_GEMM_H */
