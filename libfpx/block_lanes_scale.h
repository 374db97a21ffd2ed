/* block_lanes_scale.h - the scales of LANES blocks in as many lanes, by the same float32 operations in the same order as
 * in block_scale.c. The amaxes are finite. */
#ifndef FPX_BLOCK_LANES_SCALE_H
#define FPX_BLOCK_LANES_SCALE_H

#include <float.h>

#include "block_lanes.h"

enum { SPREAD_LANES = 16 };

static inline vi above(vi x, int limit) /* 1 where x > limit */
{
    return vi_add_one(vi_set(0), vi_gt(x, vi_set((uint32_t)limit)));
}

static inline vi round_up(vi bits,
                          int limit) /* exponent field, and one where the rest is above limit */
{
    return vi_add(vi_srl(bits, 23), above(vi_and(bits, vi_set(0x7fffff)), limit));
}

/* 2^-127 is the fraction 0x400000 of exponent field 0: byte 0 up to there. */
static inline vi round_up_quotient(const run_plan *p, vi amax)
{
    const vi bits = vi_bits(vf_mul(vf_bits(amax), vf_set(p->reciprocal)));

    return vi_select(vi_gt(bits, vi_set(0x7fffff)), round_up(bits, 0), above(bits, 0x400000));
}

/* Half a last place of the element format at amax's exponent: what EVEN adds. */
static inline uint32_t half_place(const run_plan *p)
{
    return p->blocking->mx_exponent == FPX_MX_EVEN
               ? UINT32_C(1) << (22 - p->blocking->element.format.mbits)
               : 0;
}

static inline vi mx_bytes(const run_plan *p, vi amax)
{
    const vi emax = vi_set((uint32_t)p->emax);
    vi byte;

    switch (p->blocking->mx_exponent) {
    case FPX_MX_CEIL:
        byte = vi_sub(round_up(amax, 0), emax);
        break;
    case FPX_MX_RCEIL:
        byte = vi_sub(round_up(amax, p->top_fraction), emax);
        break;
    case FPX_MX_RCEIL_FP32:
        byte = round_up_quotient(p, amax);
        break;
    default:
        byte = vi_sub(vi_srl(vi_add(amax, vi_set(half_place(p))), 23), emax);
        break;
    }
    return vi_min(vi_max(byte, vi_set(0)), vi_set(254));
}

static int scale_mx(const run_plan *p, const block_lie *at, vi amax, vi *ret_bytes, vf *ret_factors)
{
    (void)at;
    if (!all_finite(vi_add(amax, vi_set(half_place(p)))))
        return 0;

    const vi byte = mx_bytes(p, amax);
    /* At most 253 (emax is 2 or more): 2^-byte is no subnormal. */
    const vi factor = vi_sll(vi_sub(vi_set(254), byte), 23);

    *ret_bytes = byte;
    *ret_factors = vf_bits(factor);
    return 1;
}

/* block_walk.c's block_spread, a block in each lane. */
static int scale_std(const run_plan *p, const block_lie *at, vi amax, vi *ret_bytes,
                     vf *ret_factors)
{
    const vf n = vf_set((float)p->width), zero = vf_set(0.0f);
    vf sum[SPREAD_LANES], square[SPREAD_LANES];

    (void)amax;
    for (size_t l = 0; l < SPREAD_LANES; l++)
        sum[l] = square[l] = zero;
    for (size_t i = 0; i < p->width; i++) {
        const vf x = vf_gather(at->src + i * at->step, (int)at->apart);

        sum[i % SPREAD_LANES] = vf_add(sum[i % SPREAD_LANES], x);
        square[i % SPREAD_LANES] = vf_fma(x, x, square[i % SPREAD_LANES]);
    }
    for (size_t half = SPREAD_LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++) {
            sum[l] = vf_add(sum[l], sum[l + half]);
            square[l] = vf_add(square[l], square[l + half]);
        }
    const vf mean = vf_div(sum[0], n);
    const vf variance = vf_sub(vf_div(square[0], n), vf_mul(mean, mean));
    const vf spread = vf_mul(vf_set(FPX_SPREAD_GAIN), vf_sqrt(vf_max(variance, zero)));
    const vf number = vf_add(spread, vf_set(FPX_SPREAD_LEAST));
    const vi bits = vi_bits(number);

    if (!all_finite(bits) || vm_any(vf_unordered(variance, variance)))
        return 0;
    *ret_bytes = vi_srl(bits, 23);
    /* From 2^-27, which is 1e-8's, to 2^63, the root of the largest: a factor is no subnormal. */
    *ret_factors = vf_bits(vi_sll(vi_sub(vi_set(254), *ret_bytes), 23));
    return 1;
}

/* x in [0, 448] rounded to e4m3: codes and values. */
static inline vi e4m3_of(const run_plan *p, vf x, vf *ret_values)
{
    *ret_values = rounded_value(&p->scale_code, x);
    return codes_of(&p->scale_code, x);
}

/* 1 / (value / S), at most the largest float32. */
static inline vf factor_of(const run_plan *p, vf value)
{
    const vf decode = vf_mul(value, vf_set(p->tensor_other));

    return vf_min(vf_div(vf_set(1.0f), decode), vf_set(FLT_MAX));
}

static int scale_te(const run_plan *p, const block_lie *at, vi amax, vi *ret_bytes, vf *ret_factors)
{
    (void)at;
    const vf product = vf_mul(vf_bits(amax), vf_set(p->multiplier));
    vf value;

    *ret_bytes = e4m3_of(p, vf_min(product, vf_set(448.0f)), &value);
    *ret_factors = factor_of(p, value);
    return 1;
}

static int scale_torchao(const run_plan *p, const block_lie *at, vi amax, vi *ret_bytes,
                         vf *ret_factors)
{
    (void)at;
    const vf sixth = vf_div(vf_bits(amax), vf_set(6.0f));
    const vf scaled = vf_div(sixth, vf_set(p->tensor_scale));
    const vf kept = vf_min(vf_max(scaled, vf_set(0x1p-6f)), vf_set(448.0f));
    vf value;

    *ret_bytes = e4m3_of(p, kept, &value);
    *ret_factors = vf_div(vf_set(p->tensor_other), value);
    return 1;
}

/* ---- four over six: both candidates in the lanes, errors summed in element order ---- */

typedef struct candidate {
    vi bytes;
    vf values, factors, error;
} candidate;

static inline candidate candidate_of(const run_plan *p, vf scale)
{
    candidate c;

    c.bytes = e4m3_of(p, vf_min(scale, vf_set(448.0f)), &c.values);
    c.factors = factor_of(p, c.values);
    c.error = vf_set(0.0f);
    return c;
}

static inline vf magnitude(vf x)
{
    return vf_bits(magnitude_bits(x));
}

static inline vf e2m1_value(const run_plan *p, vf q)
{
    const vi sign = vi_and(vi_bits(q), vi_set(UINT32_C(1) << 31));
    const vf value = rounded_value(&p->element, vf_min(magnitude(q), vf_set(6.0f)));

    return vf_bits(vi_or(vi_bits(value), sign));
}

static inline void add_error(const run_plan *p, vf x, candidate *c)
{
    const uint8_t error = p->blocking->error;
    const vf product = vf_mul(e2m1_value(p, vf_mul(x, c->factors)), c->values);
    vf difference;

    if (error >= FPX_ERROR_ABS_SCALED) {
        difference = vf_sub(product, vf_mul(x, vf_set(p->multiplier)));
    } else {
        const vf times = vf_mul(product, vf_set(p->tensor_amax));
        difference = vf_sub(vf_div(times, vf_set(6.0f * p->blocking->bound)), x);
    }
    if (error == FPX_ERROR_ABS || error == FPX_ERROR_ABS_SCALED)
        difference = magnitude(difference);
    else
        difference = vf_mul(difference, difference);
    c->error = vf_add(c->error, difference);
}

static int scale_46(const run_plan *p, const block_lie *at, vi amax, vi *ret_bytes, vf *ret_factors)
{
    const vf sixth = vf_div(vf_bits(amax), vf_set(6.0f));
    const vf base = vf_mul(sixth, vf_set(p->multiplier));
    candidate four = candidate_of(p, vf_mul(base, vf_set(1.5f)));
    candidate six = candidate_of(p, base);

    for (size_t i = 0; i < NVFP4_WIDTH; i++) {
        const vf x = vf_gather(at->src + i * at->step, (int)at->apart);
        add_error(p, x, &four);
        add_error(p, x, &six);
    }
    const vm better = vf_less(four.error, six.error);
    *ret_bytes = vi_select(better, four.bytes, six.bytes);
    *ret_factors = vf_select(better, four.factors, six.factors);
    return 1;
}

#endif /* FPX_BLOCK_LANES_SCALE_H */
