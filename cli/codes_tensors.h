/* codes_tensors.h - a safetensors file into another: some tensors are converted, all others copied.
 *
 * What a dtype cannot say is in the metadata: "fpx.format.NAME" where the codes are U8, U16 or U32, and
 * "fpx.scale.NAME", the number that multiplied the values (the value of an element is its code's / scale), 1 too
 * where a scale was asked for. A tensor with a scale for each block has "fpx.block.NAME", the profile (fpx/block.h),
 * "fpx.amax.NAME", the tensor's largest magnitude where the profile reads it, and its scales in tensor NAME_scale. */
#ifndef CLI_CODES_TENSORS_H
#define CLI_CODES_TENSORS_H

#include <fpx/safetensors.h>

#include "codes_run.h"

/* A tensor's numbers as the file states them. */
typedef struct cli_tensor {
    fpx_st_stream *stream;
    const fpx_st_info *info;
    fpx_format format;         /* of the dtype or the metadata; bits 0: none */
    double scale;              /* 1 where none is stated */
    int is_scaled;             /* one is stated, be it 1 */
    const char *block;         /* profile of its blocks; NULL: none */
    float amax;                /* of the tensor, where block reads it */
    const fpx_st_info *scales; /* of the blocks; NULL: none */
} cli_tensor;

/* Where the reader of one tensor stands. */
typedef struct cli_tensor_cursor {
    fpx_st_stream *stream;
    const fpx_st_info *info;
    uint64_t at;
    char label[512]; /* for messages */
} cli_tensor_cursor;

/* A tensor as an array on its way in, from its start; *cursor must live as long. from: the file, for messages. */
cli_codes_in cli_tensor_in(const char *from, const cli_tensor *tensor, cli_tensor_cursor *cursor);

/* The dtype that holds codes of a format of at most 32 bits, or fp64: its own, or unsigned integers of its size. */
const char *cli_tensor_dtype(const fpx_format *format);

/* What a tensor is to become. */
typedef struct cli_tensor_plan {
    fpx_format format;
    double scale;      /* to state; 1 */
    const char *block; /* NULL: no blocks, and no scales */
    int states_amax;
    float amax;
    const char *scales_dtype;
    size_t scales_ndim;
    uint64_t *scales_shape; /* freed with free() */
} cli_tensor_plan;

typedef struct cli_tensor_job {
    const char *const *only; /* --tensor: names or shell patterns; none: all that `wanted` wants */
    size_t nonly;
    const char *unwanted; /* why: "is no float tensor" */
    int states_scale;     /* even where it is 1 */
    void *context;
    /* 1 where it is to be converted. */
    int (*wanted)(const void *context, const cli_tensor *tensor);
    /* Asked for each of those before anything is written; *plan is empty, with scale 1. */
    fpx_status (*plan)(void *context, const cli_tensor *tensor, const cli_codes_in *in,
                       cli_tensor_plan *plan, fpx_error *err);
    /* Writes the codes, then the scales of its blocks. */
    fpx_status (*convert)(void *context, const cli_tensor *tensor, const cli_tensor_plan *plan,
                          const cli_codes_in *in, const cli_codes_out *out, fpx_error *err);
} cli_tensor_job;

/* FPX_EINVAL: nothing to convert, or one of `only` that names nothing to convert; FPX_EFORMAT: metadata that fit no tensor. Else as the
 * functions of fpx/safetensors.h. Nothing at `to` has changed on failure. */
fpx_status cli_tensors_run(const char *from, const char *to, const cli_tensor_job *job,
                           fpx_error *err);

#endif /* CLI_CODES_TENSORS_H */
