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
    FPX_RAISED_TINY_AFTER = 8,
    FPX_RAISED_INVALID =
        16 /* what the format cannot say: NaN without NaN, a negative without a sign */
};

/* The code of x in conversion->format. conversion is valid (fpx_conversion_check; an integer format is allowed
 * here). x.m may use all 64 bits; its lowest bit may stand for more below it ("sticky"): the result is right where
 * x.m then has at least 3 bits more than the format's precision, for FPX_SR 2 + sr_bits more. random: the
 * bits of FPX_SR, above sr_bits ignored. ret_raised (may be NULL): what was raised. An Inf that is not written as
 * Inf counts as overflow, a zero written as the least value as inexact. */
uint64_t fpx_round_fields(const fpx_conversion *conversion, fpx_fields x, uint32_t random,
                          unsigned *ret_raised);

/* The same for (x.m + low / 2^64) * 2^q, where low is 0 or x.m has its highest bit set and the lowest bit of low
 * may be sticky: right in every format and mode. The value is below 2^1025. */
uint64_t fpx_round_wide(const fpx_conversion *conversion, fpx_fields x, uint64_t low,
                        uint32_t random, unsigned *ret_raised);

/* The magnitude of finite x rounded to an integer in conversion's rounding; its format is not used. x.m is below
 * 2^63 and x.q negative. */
uint64_t fpx_round_integral(const fpx_conversion *conversion, fpx_fields x, uint32_t random,
                            int *ret_inexact);

#endif /* FPX_CONVERT_ROUND_H */
