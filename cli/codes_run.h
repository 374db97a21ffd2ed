/* codes_run.h - the work of quantize and dequantize on one array: pieces in, pieces out, in bounded memory. */
#ifndef CLI_CODES_RUN_H
#define CLI_CODES_RUN_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/convert.h>

#include "loss.h"

/* One array on its way in: elements of a format, one in fpx_format_size bytes, or packed. */
typedef struct cli_codes_in {
    const char *name; /* for messages */
    fpx_format format;
    int packed;
    uint64_t count;
    void *context;
    fpx_status (*read)(void *context, void *dst, size_t bytes, fpx_error *err);
    fpx_status (*rewind)(void *context, fpx_error *err);
} cli_codes_in;

typedef struct cli_codes_out {
    int packed;
    void *context;
    fpx_status (*write)(void *context, const void *src, size_t bytes, fpx_error *err);
} cli_codes_out;

/* What quantizing does; site separates the random bits of the tensors of one file. */
typedef struct cli_quantizer {
    fpx_conversion conversion;
    double scale; /* above 0; multiplies, in the precision of the source */
    uint64_t seed, site;
} cli_quantizer;

/* The scale that takes the largest magnitude of an array to the format's largest finite value; 1 where that
 * magnitude is 0, Inf or NaN. The array is then at its start again. FPX_EUNSUPPORTED: a pipe. */
fpx_status cli_codes_find_scale(const fpx_format *to, const cli_codes_in *in, double *ret_scale,
                                fpx_error *err);

/* loss may be NULL. FPX_EFORMAT: a code that is wider than its format; FPX_EINTERRUPTED; what read and write
 * return. */
fpx_status cli_codes_quantize(const cli_quantizer *quantizer, const cli_codes_in *in,
                              const cli_codes_out *out, cli_loss *loss, fpx_error *err);

/* Values of codes divided by scale (one rounding, in fp32 or fp64) as fp32, fp64, and with scale 1 fp16 or bf16.
 * FPX_EUNSUPPORTED: fp32 lacks a value of the format, or a scale with fp16 or bf16. */
fpx_status cli_codes_dequantize(const fpx_format *to, double scale, const cli_codes_in *in,
                                const cli_codes_out *out, fpx_error *err);

#endif /* CLI_CODES_RUN_H */
