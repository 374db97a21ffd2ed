/* mma_chain.h - FMA models, and TREE's of short blocks, in the tiles of the reproducible product (gemm_tiles.c): one chain
 * an output over all k, from C, in float32, float64, or float32 that holds bf16 or fp16. */
#ifndef FPX_MMA_CHAIN_H
#define FPX_MMA_CHAIN_H

#include <fpx/mma_run.h>

/* The name of the kernels for this call, which was checked; NULL: there are none. */
const char *mma_chain_name(const fpx_mma_model *model, const fpx_mma_call *call,
                           fpx_cpu_level level);

/* Bytes of scratch of a call that has kernels; SIZE_MAX: too many. */
size_t mma_chain_scratch(const fpx_mma_model *model, const fpx_mma_call *call, fpx_cpu_level level,
                         size_t threads);

/* 1: done. 0: an element times its scale is no float32: D is as it was. */
int mma_chain_run(const fpx_mma_model *model, const fpx_mma_call *call, void *d, void *scratch,
                  fpx_pool *pool, fpx_cpu_level level);

#endif /* FPX_MMA_CHAIN_H */
