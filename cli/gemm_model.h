/* gemm_model.h - the matrix unit of a product: by name, by device and formats, or from a file. */
#ifndef CLI_GEMM_MODEL_H
#define CLI_GEMM_MODEL_H

#include "gemm_array.h"
#include "unit_args.h"

/* model: a row's name, a device ("hopper"), device and path ("hopper/wgmma") or FILE.yaml; path: of a device; NULL:
 * any. FPX_EINVAL with text: no such unit, or its hardware does not take the formats and scales of A and B; then what
 * it takes, and which unit would. To be freed by cli_unit_free on FPX_OK. */
fpx_status gemm_model_choose(const char *model, const char *path, const gemm_array *a,
                             const gemm_array *b, cli_unit *ret_unit, fpx_error *err);

#endif /* CLI_GEMM_MODEL_H */
