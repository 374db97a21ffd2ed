/* gemm_kernels.h - what the blocked driver of gemm_blocked.c needs from an instruction set, and the other
 * two ways to compute a product. Everything here works on operands of one product unless it says so. */
#ifndef FPX_GEMM_KERNELS_H
#define FPX_GEMM_KERNELS_H

#include <stddef.h>

#include <fpx/gemm.h>

enum {
    /* Sums that one block may complete: one for the blocks of its leaf, one for each level of a tree
     * whose leaf count fits size_t. */
    GEMM_MAX_ADDS = 1 + 64
};

/* What happens to the chains of one k-block, the same for every tile: they are added to earlier
 * sums, then kept for later ones or finished and stored in D. */
struct gemm_block {
    size_t k;                       /* length of the chains, 1 .. FPX_GEMM_KC */
    int goes_on;                    /* chains start at what D holds, not at +0 */
    size_t adds;                    /* sums to add, in this order */
    const char *add[GEMM_MAX_ADDS]; /* buffers of whole tiles, mr * nr elements each */
    char *keep;                     /* such a buffer, or NULL: finish and store in D */
    size_t ldd;
    int scaled; /* multiply by alpha, then add +0 */
    float alpha;
};

/* The kernels of one instruction set and type. A packed panel of A is k groups of mr elements, one
 * of B k groups of nr, group p holding the panel's elements of that k. Panels of A lie a_stride
 * bytes apart, because packing may write up to GEMM_PACK_SLACK bytes past a panel. Where a matrix
 * ends inside a panel, the missing elements are arbitrary: they only meet elements that are not
 * stored. */
struct gemm_kernels {
    const char *name;
    size_t elem, mr, nr; /* element size in bytes; a tile is mr x nr elements */

    /* Packs `rows` rows of op(A) times k columns, from the row and column where `a` points. */
    void (*pack_a)(void *to, size_t a_stride, const void *a, size_t lda, int trans, size_t rows,
                   size_t k);
    /* Packs `columns` columns of op(B) times k rows; panels lie k * nr elements apart. */
    void (*pack_b)(void *to, const void *b, size_t ldb, int trans, size_t columns, size_t k);
    /* One tile: `offset` is its place in the block's buffers in bytes, d its first element. */
    void (*tile)(const struct gemm_block *block, const void *a, const void *b, size_t offset,
                 void *d, size_t rows, size_t columns);
};

enum { GEMM_PACK_SLACK = 64 };

/* The kernels of a level; NULL: the scalar reference. */
const struct gemm_kernels *gemm_kernels_f32(fpx_cpu_level level);
const struct gemm_kernels *gemm_kernels_f64(fpx_cpu_level level);

#ifdef FPX_HAVE_AVX2
extern const struct gemm_kernels gemm_kernels_avx2_f32, gemm_kernels_avx2_f64;
extern const struct gemm_kernels gemm_kernels_avx2_bf16, gemm_kernels_avx2_fp16;
extern const struct gemm_kernels gemm_kernels_avx2_tree2, gemm_kernels_avx2_tree4;
#endif
#ifdef FPX_HAVE_AVX512
extern const struct gemm_kernels gemm_kernels_avx512_f32, gemm_kernels_avx512_f64;
extern const struct gemm_kernels gemm_kernels_avx512_bf16, gemm_kernels_avx512_fp16;
extern const struct gemm_kernels gemm_kernels_avx512_tree2, gemm_kernels_avx512_tree4;
#endif

/* The order of sums: fpx/gemm.h's, the result times alpha or not; or one chain over all k, from what D holds. */
enum gemm_order { GEMM_BLOCKS, GEMM_BLOCKS_SCALED, GEMM_CHAIN };

/* The whole call, batch included, by blocks and packed panels. The call has been checked; with GEMM_CHAIN leaf is 0. */
size_t gemm_blocked_scratch(const struct gemm_kernels *kernels, const fpx_gemm_call *call,
                            size_t threads, enum gemm_order order, int *ret_overflow);
void gemm_blocked_run(const struct gemm_kernels *kernels, const fpx_gemm_call *call, const void *a,
                      const void *b, void *d, void *scratch, fpx_pool *pool, enum gemm_order order);

/* The judge: rows [begin, end) of the batch * m rows of all products. */
void gemm_scalar_f32(const fpx_gemm_call *call, const float *a, const float *b, float *d,
                     size_t begin, size_t end);
void gemm_scalar_f64(const fpx_gemm_call *call, const double *a, const double *b, double *d,
                     size_t begin, size_t end);

/* The whole call, batch included. FPX_EUNSUPPORTED: an extent above INT_MAX. */
fpx_status gemm_openblas_f32(const fpx_gemm_call *call, const float *a, const float *b, float *d,
                             size_t threads);
fpx_status gemm_openblas_f64(const fpx_gemm_call *call, const double *a, const double *b, double *d,
                             size_t threads);

#endif /* FPX_GEMM_KERNELS_H */
