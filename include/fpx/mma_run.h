/* fpx/mma_run.h - fpx_mma's bits, fast: operands decoded once, vector kernels over columns, threads over tiles,
 * products of a batch one after the other in the same scratch. What a lane cannot do exactly it hands to the scalar
 * reference, and says how often. */
#ifndef FPX_MMA_RUN_H
#define FPX_MMA_RUN_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/cpu.h>
#include <fpx/mma.h>
#include <fpx/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who computed what. A lane is one block of one output; of FMA and TREE, the whole output (and the reference has the whole
 * call where an element times its scale is no float32). */
typedef struct fpx_mma_shares {
    uint64_t lanes;          /* in vector kernels, the scalar ones of them included */
    uint64_t scalar_lanes;   /* handed to the scalar reference: out of float32's or int32's reach */
    uint64_t skipped_lanes;  /* not computed: every output of the row and panel was NaN already */
    uint64_t fraction_lanes; /* with significand and exponent apart: products beyond float32 */
    uint64_t scalar_outputs; /* whole outputs by the scalar reference: no kernels have this call */
} fpx_mma_shares;

/* The kernels that run this call at this level: "scalar", "avx2", "avx512". They have ALIGNED where the format is fp32 cut
 * toward zero or fp16; FMA to nearest in fp32, fp64, bf16, fp16; TREE in fp32 with blocks of 2 or 4, results flushed. */
const char *fpx_mma_kernel_name(const fpx_mma_model *model, const fpx_mma_call *call,
                                fpx_cpu_level level);

/* Bytes of scratch for this call with this many threads, about 8 to 12 m k + 6 to 10 n k; of FMA and TREE 4 m k + 4 to
 * 8 n k, with fp64 twice that. 0 for a call that would be refused, and where the scalar reference does it all. SIZE_MAX:
 * more than memory can hold. */
size_t fpx_mma_scratch(const fpx_mma_model *model, const fpx_mma_call *call, fpx_cpu_level level,
                       size_t threads);

/* What fpx_mma gives, and its statuses; the same bits for any level (which must not exceed fpx_cpu_detect()) and any
 * number of threads. scratch: at least the size above, any alignment, contents undefined before and after.
 * FPX_EINVAL also where scratch is NULL and needed. ret_shares and err may be NULL. */
fpx_status fpx_mma_run(const fpx_mma_model *model, const fpx_mma_call *call, void *d, void *scratch,
                       fpx_pool *pool, fpx_cpu_level level, fpx_mma_shares *ret_shares,
                       fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_MMA_RUN_H */
