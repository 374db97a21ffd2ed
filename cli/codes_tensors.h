/* codes_tensors.h - a safetensors file into another: some tensors are converted, all others copied.
 *
 * What a dtype cannot say is in the metadata: "fpx.format.NAME" where the codes are U8, U16 or U32, and
 * "fpx.scale.NAME", the number that multiplied the values (the value of an element is its code's / scale), 1 too
 * where a scale was asked for. */
#ifndef CLI_CODES_TENSORS_H
#define CLI_CODES_TENSORS_H

#include <fpx/safetensors.h>

#include "codes_run.h"

/* A tensor's numbers as the file states them. */
typedef struct cli_tensor {
    const fpx_st_info *info;
    fpx_format format; /* of the dtype or the metadata; bits 0: none */
    double scale;      /* 1 where none is stated */
    int is_scaled;     /* one is stated, be it 1 */
} cli_tensor;

typedef struct cli_tensor_job {
    const char *const *only; /* --tensor: names or shell patterns; none: all that `wanted` wants */
    size_t nonly;
    const char *unwanted; /* why: "is no float tensor" */
    int states_scale;     /* even where it is 1 */
    void *context;
    /* 1 where it is to be converted. */
    int (*wanted)(const void *context, const cli_tensor *tensor);
    /* Asked for each of those before anything is written: the format and the scale to state. */
    fpx_status (*plan)(void *context, const cli_tensor *tensor, const cli_codes_in *in,
                       fpx_format *ret_format, double *ret_scale, fpx_error *err);
    /* scale: the plan's. */
    fpx_status (*convert)(void *context, const cli_tensor *tensor, double scale,
                          const cli_codes_in *in, const cli_codes_out *out, fpx_error *err);
} cli_tensor_job;

/* FPX_EINVAL: nothing to convert, or one of `only` that names nothing to convert; FPX_EFORMAT: metadata that fit no tensor. Else as the
 * functions of fpx/safetensors.h. Nothing at `to` has changed on failure. */
fpx_status cli_tensors_run(const char *from, const char *to, const cli_tensor_job *job,
                           fpx_error *err);

#endif /* CLI_CODES_TENSORS_H */
