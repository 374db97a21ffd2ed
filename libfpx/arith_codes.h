/* arith_codes.h - what the entry points of arith.c, arith_compare.c and arith_integer.c share. */
#ifndef FPX_ARITH_CODES_H
#define FPX_ARITH_CODES_H

#include <string.h>

#include <fpx/arith.h>

#include "convert_round.h"

/* Writes the low `bytes` bytes of word at element i: little-endian, as fpx_format_code reads. */
static inline void fpx_word_store(void *dst, size_t bytes, size_t i, uint64_t word)
{
    unsigned char *const at = (unsigned char *)dst + i * bytes;

    for (size_t k = 0; k < bytes; k++)
        at[k] = (unsigned char)(word >> 8 * k);
}

/* Random word i, at any alignment; 0 where none are given. */
static inline uint32_t fpx_random_word(const uint32_t *random, size_t i)
{
    uint32_t word = 0;

    if (random != NULL)
        memcpy(&word, (const char *)random + i * sizeof word, sizeof word);
    return word;
}

/* IEEE 754's flags out of what one rounding raised: underflow takes a tiny result and an inexact one. */
static inline unsigned fpx_flags_of(unsigned raised)
{
    const unsigned tiny = FPX_RAISED_TINY_BEFORE | FPX_RAISED_TINY_AFTER;

    return (raised & FPX_RAISED_INEXACT) != 0 ? raised : raised & ~tiny;
}

/* Random words come with stochastic rounding, and with nothing else. */
static inline fpx_status fpx_check_random(const fpx_conversion *conversion, const uint32_t *random)
{
    return (conversion->round == FPX_SR) == (random != NULL) ? FPX_OK : FPX_EINVAL;
}

#endif /* FPX_ARITH_CODES_H */
