/* loss.h - what a conversion did to an array: counts, errors, exponents; gathered piece by piece, and the same
 * for any size of the pieces. */
#ifndef CLI_LOSS_H
#define CLI_LOSS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <fpx/convert.h>

/* floor(log2 |x|) of a finite float64 other than 0 is in -1074..1023. */
enum { CLI_LOSS_EXPONENT_MIN = -1074, CLI_LOSS_EXPONENTS = 1023 + 1074 + 1, CLI_LOSS_LANES = 16 };

/* y is the value that was rounded (source times scale), q the value of its code. */
typedef struct cli_loss {
    uint64_t count;
    uint64_t nan, inf, zero; /* of y */
    uint64_t exact;          /* q is y, or both are NaN */
    uint64_t saturated;      /* y beyond the largest finite value (Inf too), q finite */
    uint64_t overflowed;     /* y finite, q Inf or NaN */
    uint64_t underflowed;    /* y not 0, q 0; what is below is not counted */
    uint64_t negative;       /* y below 0, the format without a sign */
    uint64_t nan_lost;       /* y NaN, q a number */
    double amax;             /* of finite y */
    double max_error;        /* |q - y| where both are finite */
    /* y^2 and (q - y)^2 where both are finite; lane i sums the elements congruent to i modulo 16 in order, the
     * lanes are added by halves 8, 4, 2, 1. */
    double signal[CLI_LOSS_LANES], noise[CLI_LOSS_LANES];
    uint64_t
        exponent[CLI_LOSS_EXPONENTS]; /* of finite y other than 0, from CLI_LOSS_EXPONENT_MIN */
} cli_loss;

/* Adds the next n elements. The caller has entered fpx_fpenv. */
void cli_loss_add(cli_loss *loss, const fpx_format *format, const double *y, const double *q,
                  size_t n);

/* 10 log10(signal / noise): Inf where nothing was lost, NaN without a signal. */
double cli_loss_sqnr(const cli_loss *loss);

/* Amounts are divided by scale, so that they are in the source's unit. */
void cli_loss_print(FILE *out, const cli_loss *loss, const fpx_format *format, double scale);
json_t *cli_loss_json(const cli_loss *loss, double scale);

#endif /* CLI_LOSS_H */
