/* encode_fast.h - the shorter ways of fpx_fast_plan, in vectors of LANES: magnitudes of the scaled numbers x
 * without sign. What overflows may come out larger than the limit, a NaN as anything. */
#ifndef FPX_ENCODE_FAST_H
#define FPX_ENCODE_FAST_H

#include "convert_plan.h"
#include "lanes.h"

typedef struct fast_lanes {
    vf up;
    vi lowest, parts, half, less, down;
    vi random_up, random_down, random_half, below, full;
} fast_lanes;

static inline fast_lanes fast_lanes_of(const fpx_fast_plan *f, const fpx_encode_plan *p)
{
    fast_lanes k;

    k.up = vf_bits(vi_set(f->up));
    k.lowest = vi_set(f->lowest);
    k.parts = vi_set(f->parts);
    k.half = vi_set(f->half);
    k.less = vi_set(f->half > 0 ? 1 : 0);
    k.down = vi_set((uint32_t)f->down);
    k.random_up = vi_set((uint32_t)(32 - p->sr_bits));
    k.random_down = vi_set((uint32_t)(32 - f->down));
    k.random_half = vi_set(f->random_half);
    k.below = vi_set(f->full);
    k.full = vi_set(f->full > 0 ? f->full : UINT32_MAX); /* not reached by what is below */
    return k;
}

static inline vi magnitude_bits(vf x)
{
    return vi_and(vi_bits(x), vi_set(INT32_MAX));
}

/* Adding 2^(E + 23 - mbits) to a number of exponent E makes the addition itself round at the format's last place
 * (RNE); with E held at emin or above, subnormals too. The low half of the sum's bits is then the significand in units
 * of the last place, the high half the exponent, 7 bits up: brought to a scale and added they are the code, too large
 * by `base` and `left` bits up: both undone later, where a vector holds more codes. A sum that overflows is Inf: the
 * largest of all. */
static inline vi magnitude_add(const fast_lanes *k, vf x)
{
    const vi e = vi_max(vi_and(vi_bits(x), vi_set(0x7f800000u)), k->lowest);

    /* No multiply-add: it takes a hundred cycles where x is subnormal. */
    const vf sum = vf_add(vf_bits(magnitude_bits(x)), vf_mul(vf_bits(e), k->up));

    return vi_dot_halves(vi_bits(sum), k->parts);
}

/* Adds half a last place less one, and one more where the kept part is odd. float32 itself has no half. */
static inline vi magnitude_near(const fast_lanes *k, vf x)
{
    const vi a = magnitude_bits(x);
    const vi odd = vi_and(vi_srlv(a, k->down), k->less);
    const vi bump = vi_add(vi_sub(k->half, k->less), odd);

    return vi_srlv(vi_add(a, bump), k->down);
}

/* Rounding toward zero. The bits of a number are its units of 2^(E - 23), each binade after the other; below 2^emin
 * the units stay as they are there, so that their bits are those of the number plus 2^emin, less that one's hidden
 * bit: the larger of the two in any case. What the addition loses lies below the last of the units, the random bits
 * are added under the last place. All is too large by `base` last places. */
static inline vi sum_random(const fast_lanes *k, vf x, vi random)
{
    const vi a = magnitude_bits(x);
    const vi raised = vi_bits(vf_add(vf_bits(a), vf_bits(k->lowest)));
    const vi units = vi_max(a, vi_sub(raised, vi_set(1 << 23)));
    const vi r = vi_srlv(vi_sllv(random, k->random_up), k->random_down);

    return vi_add(units, vi_or(r, k->random_half));
}

/* Sums on which more random bits than a word has below the last place may still have a say. */
static inline vm sum_is_open(const fast_lanes *k, vi sum)
{
    return vi_eq(vi_and(sum, k->below), k->full);
}

#endif /* FPX_ENCODE_FAST_H */
