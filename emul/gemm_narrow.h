/* gemm_narrow.h - v_fma of gemm_tiles.c for chains whose every step is rounded to bf16 or fp16. Elements are float32, and
 * none of them a NaN with low bits set.
 *
 * Why a b + c is rounded once. Under rounding toward minus infinity `low` is the sum rounded down, and `high`, the
 * negated sum of negated terms, rounded up. They are the same where the sum is a float32, else neighbours, one of which
 * is odd: the sum rounded to odd. Its 24 bits are 2 or more beyond the narrow format's (11, 8), also where that
 * is subnormal, so that the second rounding, to nearest even, gives what one would have (Boldo and Melquiond 2008, theorem
 * 1). Beyond float32 the odd neighbour of Inf is the largest float32, which becomes Inf again. A zero: where terms cancel
 * low is -0 and high +0, which is taken; else both have the terms' sign. NaN stays: the low half of its bits is 0. */
#ifndef FPX_GEMM_NARROW_H
#define FPX_GEMM_NARROW_H

/* MXCSR: exceptions masked, toward minus infinity. */
#define TILE_CONTROL 0x3f80u

static inline vec v_narrow(vec odd)
{
#ifdef GEMM_FP16
    return v_through_half(odd);
#else
    const bits x = b_of(odd), half = b_all(0x7fff), one = b_all(1);
    const bits up = b_add(half, b_and(b_shr(x, 16), one)); /* ties to even */

    return v_of(b_and(b_add(x, up), b_all((int)0xffff0000)));
#endif
}

static inline vec v_fma(vec a, vec b, vec c)
{
    const vec low = v_fma_exact(a, b, c), high = v_negate(v_fma_negated(a, b, c));

    return v_narrow(v_odd(low, high));
}

#endif /* FPX_GEMM_NARROW_H */
