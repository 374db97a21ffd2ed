/* fpx/exact.h - exact sums and dot products of codes: a long accumulator (Kulisch, Computer Arithmetic and Validity,
 * 2nd ed., chapter 8) that holds every sum of products of any formats here, and rounds once, at the end.
 *
 * The order of the terms never matters. NaN in a term, Inf times zero and Inf - Inf give NaN (the last two raise
 * invalid); else an Inf gives Inf. A sum of nothing but -0 is -0; any other zero sum is +0, with FPX_RD -0 where it is a
 * cancellation, as IEEE 754-2019 section 6.3 says of one addition. */
#ifndef FPX_EXACT_H
#define FPX_EXACT_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/convert.h>
#include <fpx/format.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bits 2^-2560 to 2^3071, two's complement, lowest word first: products of float64 reach from 2^-2148 to 2^2048, two
 * scales of 8 exponent bits move that by 2^+-254, and 2^64 of them carry 64 bits further. */
enum { FPX_ACCUMULATOR_WORDS = 88, FPX_ACCUMULATOR_LOWEST = -2560 };

/* Plain data: may be copied, compared after fpx_accumulator_clear and sums of the same terms. */
typedef struct fpx_accumulator {
    uint64_t word[FPX_ACCUMULATOR_WORDS];
    uint64_t seen; /* kinds of terms so far, for zeros and specials */
} fpx_accumulator;

/* An empty sum: +0. */
void fpx_accumulator_clear(fpx_accumulator *sum);

/* sum += code, and sum += a * b, exactly. The formats are valid (fpx_format_is_valid); bits above a code's width are
 * ignored. */
void fpx_accumulator_add(fpx_accumulator *sum, const fpx_format *format, uint64_t code);
void fpx_accumulator_add_product(fpx_accumulator *sum, const fpx_format *a_format, uint64_t a,
                                 const fpx_format *b_format, uint64_t b);

/* sum += (-1)^negative m 2^q. FPX_ACCUMULATOR_LOWEST <= q, and q at most 2944: all 64 bits of m have a place. */
void fpx_accumulator_add_number(fpx_accumulator *sum, int negative, uint64_t m, int q);

/* sum += other: partial sums of threads meet here. */
void fpx_accumulator_merge(fpx_accumulator *sum, const fpx_accumulator *other);

/* The sum of the numbers seen, specials aside, as (-1)^(returned) (*ret_m + rest) 2^(*ret_q) with 0 <= rest < 1, rest > 0
 * where *ret_sticky; *ret_m has its highest bit set, or is 0 with a sum of 0. For a rounding of one's own. */
int fpx_accumulator_leading(const fpx_accumulator *sum, uint64_t *ret_m, int *ret_q,
                            int *ret_sticky);

/* The sum rounded into conversion's format; random: for FPX_SR, else ignored. ret_flags may be NULL, else it gets
 * enum fpx_flags of fpx/arith.h (inexact, overflow, underflow, invalid). conversion is valid
 * (fpx_conversion_check). */
uint64_t fpx_accumulator_round(const fpx_accumulator *sum, const fpx_conversion *conversion,
                               uint32_t random, unsigned *ret_flags);

/* The code of the exact sum over i < n of a[i * a_stride] * b[i * b_stride], rounded once. a and b: unpacked codes of
 * fpx_format_size bytes, strides in elements. n = 0 gives +0. FPX_EINVAL: a format, the conversion, or NULL. */
fpx_status fpx_exact_dot(const fpx_format *a_format, const void *a, size_t a_stride,
                         const fpx_format *b_format, const void *b, size_t b_stride, size_t n,
                         const fpx_conversion *conversion, uint32_t random, uint64_t *ret_code,
                         unsigned *ret_flags);

#ifdef __cplusplus
}
#endif

#endif /* FPX_EXACT_H */
