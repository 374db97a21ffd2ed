/* gemm_scales.h - scales of an operand: those that quantize --block wrote beside its codes, or an array of their own. */
#ifndef CLI_GEMM_SCALES_H
#define CLI_GEMM_SCALES_H

#include "codes_blocks.h"
#include "gemm_array.h"

/* The scales of a tensor that has blocks, into its array. FPX_EFORMAT: they do not fit it; FPX_EUNSUPPORTED: blocks
 * that no matrix unit takes; FPX_EIO; FPX_ENOMEM. */
fpx_status gemm_scales_of_tensor(const cli_tensor *tensor, const cli_codes_in *in,
                                 gemm_array *array, fpx_error *err);

/* Those of --a-scales: one float32 for the whole array, or one code for each block along `axis` (of k), in the array's
 * shape with the number of blocks in place of k. FPX_EINVAL with text. */
fpx_status gemm_scales_of_file(const gemm_word *word, size_t axis, gemm_array *array,
                               fpx_error *err);

#endif /* CLI_GEMM_SCALES_H */
