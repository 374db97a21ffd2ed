/* arith_exact.h - exact results, (-1)^negative * m * 2^q with m in 128 bits, before their one rounding. */
#ifndef FPX_ARITH_EXACT_H
#define FPX_ARITH_EXACT_H

#include <fpx/arith.h>

#include "format_bits.h"

__extension__ typedef unsigned __int128 fpx_u128;

/* An odd m may stand for anything in (m - 1, m + 1) ("sticky"): m then has 97 bits at least, 44 more than any
 * precision, so that no rounding, nor FPX_SR with 32 bits, can tell the difference. */
typedef struct fpx_exact {
    enum fpx_kind kind;
    int negative;
    fpx_u128 m; /* 0 is a zero */
    int q;
} fpx_exact;

/* One operand: its value, and what its format makes of it. */
typedef struct fpx_operand {
    fpx_fields x;
    int is_signaling;     /* a NaN that raises invalid */
    int is_signless_zero; /* zero in a format with one zero only */
} fpx_operand;

fpx_operand fpx_operand_of(const fpx_format *format, uint64_t code);

/* x rounded once; what that raised is or-ed into *flags (enum fpx_flags). conversion is valid. */
uint64_t fpx_round_exact(const fpx_conversion *conversion, fpx_exact x, uint32_t random,
                         unsigned *flags);

/* -1, 0, 1: x is less than, equal to, more than y; neither is NaN. Zeros are equal. */
int fpx_exact_compare(fpx_fields x, fpx_fields y);

/* What an operation is before rounding: operands, arity of them; random is for fpx_round_integral. Raises invalid and
 * divide by zero (and inexact, for the rounding to an integer) into *flags. NaN operands come only where a row of
 * arith.c's table says so. */
typedef fpx_exact fpx_exact_fn(const fpx_operand *operands, const fpx_conversion *conversion,
                               uint32_t random, unsigned *flags);

fpx_exact_fn fpx_exact_add, fpx_exact_sub, fpx_exact_mul, fpx_exact_div, fpx_exact_sqrt,
    fpx_exact_fma, fpx_exact_remainder, fpx_exact_fmod, fpx_exact_integral, fpx_exact_convert,
    fpx_exact_minimum, fpx_exact_maximum, fpx_exact_minimum_number, fpx_exact_maximum_number;

#endif /* FPX_ARITH_EXACT_H */
