/* codes_metadata.h - what the metadata of a safetensors file say of a tensor's numbers: the keys of codes_tensors.h. */
#ifndef CLI_CODES_METADATA_H
#define CLI_CODES_METADATA_H

#include "codes_tensors.h"

#define FORMAT_KEY "fpx.format."
#define SCALE_KEY "fpx.scale."
#define BLOCK_KEY "fpx.block."
#define AMAX_KEY "fpx.amax."
#define SCALES "_scale" /* what follows the name of the tensor that they scale */

/* FPX_EFORMAT with text: what is said fits no such tensor. from: the file, for messages. */
fpx_status cli_tensor_describe(const char *from, fpx_st_stream *stream, const fpx_st_info *info,
                               cli_tensor *ret_tensor, fpx_error *err);

#endif /* CLI_CODES_METADATA_H */
