/* mma_number.h - exact numbers of the matrix-unit reference: elements, specials, the last rounding.
 * Integers only, so that neither the compiler nor the floating-point environment can touch a bit. */
#ifndef FPX_MMA_NUMBER_H
#define FPX_MMA_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/exact.h>
#include <fpx/mma.h>

enum mma_kind { MMA_FINITE, MMA_INF, MMA_NAN };

/* (-1)^negative m 2^q. e is the exponent that alignment sees: floor(log2 |x|), at least the format's least one, which
 * zero has too; Inf and NaN have -1 (what frexp leaves them, seen by c in FPX_MMA_C_JOINED only). */
typedef struct mma_number {
    enum mma_kind kind;
    int negative;
    uint64_t m; /* below 2^53 out of a code, without factors of two */
    int q, e;
} mma_number;

mma_number mma_number_of(const fpx_format *format, uint64_t code);

/* The exponent of an element, without its scale, that alignment sees. */
int mma_element_exponent(const fpx_mma_model *model, const mma_number *x);

/* Code `i` of an array of unpacked codes, at any alignment, is set: what fpx_format_code reads. */
void mma_code_store(const fpx_format *format, void *codes, size_t i, uint64_t code);

/* Bits of a significand, the hidden one included. */
int mma_significand_bits(const fpx_format *format);

/* The least exponent of a normal number. */
int mma_least_exponent(const fpx_format *format);

/* Position of the highest set bit; x is not 0. */
int mma_top_bit(uint64_t x);

/* What terms that are no numbers make of a sum. */
typedef struct mma_special {
    int nan, positive, negative; /* NaN, +Inf, -Inf seen */
} mma_special;

void mma_special_add(mma_special *special, enum mma_kind kind, int negative);

/* 1 where the sum is no number; *ret_code is then its code. */
int mma_special_code(const mma_special *special, const fpx_mma_model *model, uint64_t *ret_code);

/* (-1)^negative (m + rest) 2^q with 0 <= rest < 1, rest > 0 where sticky, rounded as the model's last conversion. Where
 * sticky, m has 60 bits or more. */
uint64_t mma_round(const fpx_mma_model *model, int negative, uint64_t m, int sticky, int q);

/* sum += x y, exactly, neither being 0: significands of up to 64 bits, in halves of 32. */
void mma_add_product(fpx_accumulator *sum, const mma_number *x, const mma_number *y);

/* The model's last conversion of an exact sum. */
uint64_t mma_round_sum(const fpx_mma_model *model, const fpx_accumulator *sum);

#endif /* FPX_MMA_NUMBER_H */
