/* convert_round.h - the one place where a number is rounded into a format: convert.c and the arithmetic on
 * codes both end here. */
#ifndef FPX_CONVERT_ROUND_H
#define FPX_CONVERT_ROUND_H

#include <fpx/convert.h>

#include "format_bits.h"

/* Exceptions of one rounding, as IEEE 754-2019 section 7 defines them. Tininess is told both ways, since
 * hardware differs: before rounding (|x| below the least normal) and after (the result rounded with
 * unbounded exponent is below it). */
enum {
    FPX_RAISED_INEXACT = 1,
    FPX_RAISED_OVERFLOW = 2,
    FPX_RAISED_TINY_BEFORE = 4,
    FPX_RAISED_TINY_AFTER = 8
};

/* The code of x in conversion->format. conversion is valid (fpx_conversion_check; an integer format is allowed
 * here). x.m may use all 64 bits; its lowest bit may stand for more below it ("sticky"): the result is right where
 * x.m then has at least 3 bits more than the format's precision, for FPX_SR 2 + sr_bits more. random: the
 * bits of FPX_SR, above sr_bits ignored. ret_raised (may be NULL): what was raised, for finite x. */
uint64_t fpx_round_fields(const fpx_conversion *conversion, fpx_fields x, uint32_t random,
                          unsigned *ret_raised);

#endif /* FPX_CONVERT_ROUND_H */
