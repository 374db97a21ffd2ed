/* codes_run.h - the work of quantize and dequantize on one array: pieces in, pieces out, in bounded memory. */
#ifndef CLI_CODES_RUN_H
#define CLI_CODES_RUN_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/convert.h>

#include "loss.h"

/* One array on its way in: elements of a format, one in fpx_format_size bytes, or packed. */
typedef struct cli_codes_in {
    const char *name; /* for messages: the file, or the file and the tensor */
    const char *wide; /* after the message of a code beyond its format's bits: what to do; NULL */
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

/* What --scale amax finds: the elements that are no NaN and no Inf decide. */
typedef struct cli_amax {
    double scale;      /* takes `largest` to the format's largest finite value; 1 where that is 0 */
    double largest;    /* magnitude of a finite element */
    uint64_t count;    /* of elements */
    uint64_t nan, inf; /* left out */
} cli_amax;

/* The array is at its start again. FPX_EUNSUPPORTED: a pipe. */
fpx_status cli_codes_find_scale(const fpx_format *to, const cli_codes_in *in, cli_amax *ret_amax,
                                fpx_error *err);

/* A scale that a user names, as the precision has it in which it multiplies the source: float64, or float32 where
 * that has every value of the source. FPX_EINVAL: it lacks the scale. */
fpx_status cli_codes_check_scale(const cli_codes_in *in, double *scale, fpx_error *err);

/* loss may be NULL. FPX_EFORMAT: a code that is wider than its format; FPX_EINTERRUPTED; what read and write
 * return. */
fpx_status cli_codes_quantize(const cli_quantizer *quantizer, const cli_codes_in *in,
                              const cli_codes_out *out, cli_loss *loss, fpx_error *err);

/* Finite values that became Inf, and values other than 0 that became 0. */
typedef struct cli_lost {
    uint64_t overflowed, underflowed;
} cli_lost;

/* Values of codes divided by scale, with one rounding to fp32, fp64, fp16 or bf16. FPX_EUNSUPPORTED: fp32 lacks a
 * value of the format. */
fpx_status cli_codes_dequantize(const fpx_format *to, double scale, const cli_codes_in *in,
                                const cli_codes_out *out, cli_lost *ret_lost, fpx_error *err);

#endif /* CLI_CODES_RUN_H */
