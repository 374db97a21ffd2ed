/* encode_lanes.h - float32 to codes in vectors of LANES, every format, rounding and policy in one piece of integer
 * arithmetic. The kernel check compares it with convert.c.
 *
 * A number is V * 2^(E - 23) with V < 2^24. Its last place lies `shift` bits up in V: V >> shift is the code, less
 * what the exponent adds, and the bits below, moved to the top of a word, are what is cut off in 2^-32 of a last
 * place. A rounding is an edge that these must exceed. */
#ifndef FPX_ENCODE_LANES_H
#define FPX_ENCODE_LANES_H

#include "convert_plan.h"
#include "lanes.h"

/* How the edge comes about: from sign and parity; from random bits (A and B); variant C rounds first. */
enum encode_kind { ENCODE_FIXED_EDGE, ENCODE_SR_AB, ENCODE_SR_C };

typedef struct encode_lanes {
    const fpx_encode_plan *plan; /* for what is rare */
    int mbits, is_fixed, is_lone, zero_is_special, tests_source;
    vf scale;
    vi least, first, shift, sign, signs, max, max_negative, max_before, over, over_negative;
    vi edge, edge_odd, edge_negative, half, low, bits;
} encode_lanes;

/* pair[1] ^ pair[0]: xor-ed where the sign is set. */
static inline vi pair_xor(const uint32_t pair[2])
{
    return vi_set(pair[0] ^ pair[1]);
}

static inline encode_lanes encode_lanes_of(const fpx_encode_plan *p, float scale)
{
    encode_lanes k;

    k.plan = p;
    k.mbits = p->mbits;
    k.is_fixed = p->is_fixed;
    k.is_lone = p->lone != 0;
    k.tests_source = p->max_before != INT32_MAX;
    k.zero_is_special = p->zero_is_special;
    k.scale = vf_set(scale);
    k.least = vi_set(p->least);
    k.first = vi_set(p->first);
    k.shift = vi_set((uint32_t)(23 - p->mbits));
    k.sign = vi_set(p->sign);
    k.signs = vi_set(p->signs);
    k.max = vi_set((uint32_t)p->max[0]);
    k.max_negative = vi_set((uint32_t)(p->max[0] ^ p->max[1]));
    k.max_before = vi_set((uint32_t)p->max_before);
    k.over = vi_set(p->over[0]);
    k.over_negative = pair_xor(p->over);
    k.edge = vi_set(p->edge);
    k.edge_odd = vi_set(p->edge_odd);
    k.edge_negative = vi_set(p->edge_negative);
    k.half = vi_set(p->sr_half);
    k.low = vi_set(p->sr_low);
    k.bits = vi_set((uint32_t)p->sr_bits);
    return k;
}

/* a > b as unsigned numbers */
static inline vm gt_unsigned(vi a, vi b)
{
    const vi top = vi_set(0x80000000u);

    return vi_gt(vi_xor(a, top), vi_xor(b, top));
}

/* RNE(nu 2^N) + R >= 2^N, where nu = rest / 2^shift: a rounding at N bits, then the comparison. */
static inline vm goes_up_c(const encode_lanes *k, vi rest, vi shift, vi random)
{
    const vi zero = vi_set(0);
    const vi down = vi_sub(shift, k->bits);
    const vi whole = vi_or(vi_srlv(rest, down), vi_sllv(rest, vi_sub(zero, down)));
    const vi cut = vi_sllv(rest, vi_sub(vi_set(32), down));
    const vi even_edge = vi_sub(zero, vi_and(whole, vi_set(1)));
    const vi nearest = vi_add_one(whole, vi_gt(vi_xor(cut, vi_set(0x80000000u)), even_edge));
    /* 2^N - 1 - R */
    const vi edge =
        vi_srlv(vi_xor(vi_sllv(random, vi_sub(vi_set(32), k->bits)), vi_set(UINT32_MAX)),
                vi_sub(vi_set(32), k->bits));

    return gt_unsigned(nearest, edge);
}

/* Inf, NaN (with the source's sign) and zeros that are special. */
static inline vi encode_specials(const fpx_encode_plan *p, vi source, vi a, vi s, vi code)
{
    const vi nan_sign = vi_and(vi_sign(source), vi_set(p->signs));
    const vi infinity = vi_set(0x7f800000u);
    vi out = code;

    out =
        vi_select(vi_eq(a, infinity), vi_xor(vi_set(p->inf[0]), vi_and(s, pair_xor(p->inf))), out);
    out = vi_select(vi_gt(a, infinity),
                    vi_xor(vi_set(p->nan[0]), vi_and(nan_sign, pair_xor(p->nan))), out);
    if (p->zero_is_special)
        out = vi_select(vi_eq(a, vi_set(0)),
                        vi_xor(vi_set(p->zero[0]), vi_and(s, pair_xor(p->zero))), out);
    return out;
}

/* Sign, overflow and specials; magnitude is the rounded code, before: the code cut, and one where inexact. */
static inline vi encode_finish(const encode_lanes *k, vi source, vi a, vi s, vi magnitude,
                               vi before)
{
    const vi zero = vi_set(0);
    const vi m = vi_max(magnitude, zero); /* below the least value of a format without zero */
    vm over = vi_gt(m, vi_xor(k->max, vi_and(s, k->max_negative)));
    vi code;

    if (k->is_fixed) {
        code = vi_and(vi_sub(vi_xor(m, s), s), vi_set(k->plan->all));
    } else {
        vi sign = vi_and(s, k->sign);
        if (k->is_lone) /* not beside zero: zero - m has a sign where m is not zero */
            sign = vi_and(sign, vi_sign(vi_sub(zero, m)));
        code = vi_or(m, sign);
    }
    if (k->tests_source)
        over = vm_or(over, vi_gt(before, k->max_before));
    code = vi_select(over, vi_xor(k->over, vi_and(s, k->over_negative)), code);
    const vm special = vi_gt(a, vi_set(0x7f7fffffu));
    if (vm_any(k->zero_is_special ? vm_or(special, vi_eq(a, zero)) : special))
        code = encode_specials(k->plan, source, a, s, code);
    return code;
}

/* LANES codes. */
static inline __attribute__((always_inline)) vi encode_any(enum encode_kind kind,
                                                           const encode_lanes *k, vf source,
                                                           vi random)
{
    const vi top = vi_set(0x80000000u);
    const vi one = vi_set(1);
    const vi x = vi_bits(vf_mul(source, k->scale));
    const vi s = vi_and(vi_sign(x), k->signs);
    const vi a = vi_and(x, vi_set(INT32_MAX));
    const vi field = vi_srl(a, 23);
    const vi e = vi_max(field, k->least);
    /* A subnormal source has no hidden bit and the exponent of field 1. */
    const vi counted = vi_max(field, one);
    const vi v = vi_sub(a, vi_sll(vi_sub(counted, one), 23));
    const vi all_shift = vi_add(vi_sub(e, counted), k->shift);
    /* From 32 on less than 2^-8 of a last place is left: an edge needs no more. */
    const vi shift = kind == ENCODE_FIXED_EDGE ? vi_min(all_shift, vi_set(32)) : all_shift;
    const vi kept = vi_srlv(v, shift);
    const vi code = vi_add(kept, vi_sub(vi_sll(e, k->mbits), k->first));
    vi cut = vi_sllv(v, vi_sub(vi_set(32), shift));
    vm up;

    if (kind == ENCODE_FIXED_EDGE) {
        const vi odd = vi_and(vi_sub(vi_set(0), vi_and(code, one)), k->edge_odd);
        const vi edge = vi_xor(vi_xor(k->edge, odd), vi_and(s, k->edge_negative));
        up = vi_gt(vi_xor(cut, top), edge);
    } else if (kind == ENCODE_SR_AB) {
        /* Up where cut + R 2^(32 - N) + half carries out of the word. */
        const vi r = vi_or(vi_sllv(random, vi_sub(vi_set(32), k->bits)), k->half);
        cut = vi_or(cut, vi_srlv(v, vi_sub(shift, vi_set(32))));
        cut = vi_add(cut, vi_and(vi_srlv(v, vi_sub(shift, vi_set(33))), k->low));
        up = vi_gt(vi_xor(cut, top), vi_xor(r, vi_set(INT32_MAX)));
    } else {
        up = goes_up_c(k, vi_sub(v, vi_sllv(kept, shift)), shift, random);
    }
    /* max_code is never in the last place's shifts beyond 32, so `cut` tells whether it is exact there. */
    const vi inexact = vi_sub(vi_add(code, one), vi_select(vi_eq(cut, vi_set(0)), one, vi_set(0)));
    return encode_finish(k, vi_bits(source), a, s, vi_add_one(code, up), inexact);
}

#endif /* FPX_ENCODE_LANES_H */
