/* convert_plan.h - a conversion as the numbers that the vector kernels work with, so that their loops know neither
 * formats nor policies. What the special values become is asked of the scalar reference. */
#ifndef FPX_CONVERT_PLAN_H
#define FPX_CONVERT_PLAN_H

#include <fpx/convert.h>

/* Codes that depend on the sign are pairs: of a positive, of a negative. */
typedef struct fpx_encode_plan {
    int mbits;
    uint32_t
        least; /* exponent field, as float32 counts, of the least normal value: below it the last place stays */
    uint32_t first; /* subtracted from (field << mbits) + significand to make a code */
    uint32_t sign;  /* the sign bit of a code; 0 in an unsigned format */
    uint32_t signs; /* all ones where a number's sign counts */
    uint32_t lone;  /* all ones where the sign bit alone is not zero, but NaN */
    uint32_t all;   /* the bits of a code */
    int is_fixed;   /* two's complement */

    /* Up where what is cut off, in 2^-32 of a last place and with the top bit inverted, is greater than
     * edge ^ (odd code ? edge_odd : 0) ^ (negative ? edge_negative : 0), both as signed numbers. */
    uint32_t edge, edge_odd, edge_negative;
    int sr_bits;
    uint32_t sr_half; /* variant B: half a step of the random number, in 2^-32 */
    uint32_t sr_low;  /* 1: bit 33 counts (variant B of 32 bits) */

    int32_t max[2]; /* above it: over */
    int32_t
        max_before; /* FPX_TEST_SOURCE: the code cut, and one where something is cut, above it: over */
    uint32_t over[2], inf[2], nan[2], zero[2];
    int zero_is_special; /* else zero is a number like others */
} fpx_encode_plan;

/* Shorter ways that are right for signed formats whose overflow gives the largest code or the one above. What they make
 * of a NaN is overwritten. */
typedef enum fpx_fast_kind {
    FPX_FAST_NONE,
    FPX_FAST_ADD,  /* RNE by a float32 addition that rounds at the last place */
    FPX_FAST_BITS, /* RNE of the bits themselves: bf16 and others with float32's exponent field */
    FPX_FAST_SR    /* A and B by an integer addition below the last place */
} fpx_fast_kind;

typedef struct fpx_fast_plan {
    fpx_fast_kind kind;
    int down;        /* 23 - mbits */
    int to_sign;     /* 32 - bits: from float32's sign to the code's */
    uint32_t limit;  /* the largest magnitude that is written: max_code, or what overflow gives */
    uint32_t lowest; /* float32 bits of the least normal value */
    uint32_t up;     /* ADD: float32 bits of 2^(23 - mbits): the addend is this times 2^E */
    uint32_t
        parts; /* ADD: what a sum's low half and (upper 16 bits) its high half are multiplied by */
    int left;  /* ADD: its magnitudes are this many bits up */
    uint32_t base;        /* ADD and SR: and too large by this */
    uint32_t half;        /* BITS: half a last place; 0 for float32 itself */
    uint32_t random_half; /* SR: variant B's half step below the last place; else 0 */
    uint32_t
        full; /* SR: where these bits of a sum are all set, bits that it has not may matter; else 0 */
} fpx_fast_plan;

/* 1 where the vector kernels can do this conversion, else 0 (ret_plan is then undefined). The conversion is valid. */
int fpx_encode_plan_make(const fpx_conversion *conversion, fpx_encode_plan *ret_plan);

/* The shorter way, FPX_FAST_NONE where there is none. plan is this conversion's. */
fpx_fast_plan fpx_fast_plan_make(const fpx_conversion *conversion, const fpx_encode_plan *plan);

/* How the vector kernels decode. */
typedef enum fpx_decode_way {
    FPX_DECODE_SCALAR,  /* they do not */
    FPX_DECODE_TABLE16, /* formats of at most 4 bits: a table in registers */
    FPX_DECODE_HALF,    /* fields that float16 has: by its own conversion */
    FPX_DECODE_UPPER,   /* float32's upper bits */
    FPX_DECODE_FIELDS,  /* fields moved into float32's place */
    FPX_DECODE_FIXED,   /* fixed point: from an integer */
    FPX_DECODE_TABLE256 /* other formats of at most 8 bits, in arrays that pay for a table */
} fpx_decode_way;

/* Of n codes with this scale. The format is valid and float32 has its values. */
fpx_decode_way fpx_decode_way_of(const fpx_format *format, float scale, size_t n);

#endif /* FPX_CONVERT_PLAN_H */
