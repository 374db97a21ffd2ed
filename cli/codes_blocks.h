/* codes_blocks.h - tensors of codes with a scale for each block (fpx/block.h): rows are all axes but the last. */
#ifndef CLI_CODES_BLOCKS_H
#define CLI_CODES_BLOCKS_H

#include <fpx/block.h>

#include "codes_tensors.h"

/* FPX_EINVAL with text: no such profile; it names all. */
fpx_status cli_block_parse(const char *name, fpx_blocking *ret_blocking, fpx_error *err);

/* Format, amax and the shape of the scales: [..., blocks of a row], or [rows of blocks, blocks of a row] where blocks
 * have several rows. FPX_EUNSUPPORTED: float64, which would round twice. */
fpx_status cli_blocks_plan(const fpx_blocking *blocking, const cli_tensor *tensor,
                           const cli_codes_in *in, cli_tensor_plan *plan, fpx_error *err);

/* Codes, then scales. Memory: as many rows as a block has, and all scales. */
fpx_status cli_blocks_quantize(const fpx_blocking *blocking, float amax, const fpx_stream *stream,
                               const cli_tensor *tensor, const cli_codes_in *in,
                               const cli_codes_out *out, fpx_error *err);

/* The blocks of a tensor that has them. FPX_EFORMAT: what the metadata say of them does not fit tensor and scales. */
fpx_status cli_blocks_of(const cli_tensor *tensor, const cli_codes_in *in,
                         fpx_blocking *ret_blocking, fpx_error *err);

/* The float32 of fpx_block_dequantize, or those as another float. */
fpx_status cli_blocks_dequantize(const fpx_format *to, const cli_tensor *tensor,
                                 const cli_codes_in *in, const cli_codes_out *out,
                                 cli_lost *ret_lost, fpx_error *err);

#endif /* CLI_CODES_BLOCKS_H */
