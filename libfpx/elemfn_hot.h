/* elemfn_hot.h - what elemfn_fast.h does for most blocks of float32, again with fewer operations, for instruction
 * sets with lanes: NAME_quick() is 0 where round_block() has to look. Ranges are narrower than those of NAME_pre,
 * and so are intervals of NAME_main: a block that holds any other argument, or NaN, is not decided. Polynomials
 * are Horner's: other blocks fill the time that each step waits, and the fewest operations win. */
#ifndef FPX_ELEMFN_HOT_H
#define FPX_ELEMFN_HOT_H

/* Errors below 2^-39 and 2^-37 of the result, in the last bit of a float64. */
enum { REACH_39 = 1 << 14, REACH_37 = 1 << 16 };

/* Bits of positive normal float32, less those of the first; |x| <= limit as twice its bits. */
#define NORMAL_FIRST 0x00800000
#define NORMAL_COUNT 0x7F000000u
#define TWICE_BITS(x_bits) (2 * (x_bits))

/* An integer k and k + bias as the low bits of *ret_bits, bias even or odd. */
static inline vf round_float(vf x, float bias, vw *ret_bits)
{
    const vf t = vf_add(x, vf_set(0x1.8p23f + bias));

    *ret_bits = vf_bits(t);
    return vf_sub(t, vf_set(0x1.8p23f + bias));
}

/* ---- exp ---- */

/* e^r for |r| <= ln2 / 2, to 2^-39.7 of it. */
static inline vd exp_short(vd r)
{
    vd p = line(0x1.a15a4fc103094p-16, 0x1.a1aa7f4661101p-13, r);

    p = v_fma(p, r, v_set(0x1.6c164df426e43p-10));
    p = v_fma(p, r, v_set(0x1.111080ade1e5dp-7));
    p = v_fma(p, r, v_set(0x1.5555557428e4ap-5));
    p = v_fma(p, r, v_set(0x1.555555a26e0aap-3));
    p = v_fma(p, r, v_set(0x1.fffffffff71cfp-2));
    p = v_fma(p, r, v_set(0x1.ffffffffd38c0p-1));
    return v_fma(p, r, v_set(1.0));
}

/* e^-87.3 is above 2^-126. */
static inline int exp_quick(int n, const float *at, vf x, vf *ret_y)
{
    vi k;
    const vd a = v_wide_load(at);
    const vd whole = round_with_bits(a, ELEMFN_INV_LN2, 0.0, &k);
    const vd e = exp_short(v_fnma(whole, v_set(ELEMFN_LN2), a));
    const vd y = v_of_bits(vi_add(v_bits(e), vi_shl(k, 52)));

    (void)n;
    *ret_y = v_narrow(y);
    return decided(vw_dropped(y, REACH_39), vw_add(vf_bits(x), vf_bits(x)), TWICE_BITS(0x42AE999Au));
}

/* 2^r for |r| <= 1/2, to 2^-39.7 of it. */
static inline vd exp2_short(vd r)
{
    vd p = line(0x1.63d136366db24p-20, 0x1.00dc4a532fb8ep-16, r);

    p = v_fma(p, r, v_set(0x1.4308ac85aa947p-13));
    p = v_fma(p, r, v_set(0x1.5d8745a728441p-10));
    p = v_fma(p, r, v_set(0x1.3b2ab7181b755p-7));
    p = v_fma(p, r, v_set(0x1.c6b08dd6fd234p-5));
    p = v_fma(p, r, v_set(0x1.ebfbdff823cedp-3));
    p = v_fma(p, r, v_set(0x1.62e42fef84cf0p-1));
    return v_fma(p, r, v_set(1.0));
}

/* Down to 2^-126; r is exact. */
static inline int exp2_quick(int n, const float *at, vf x, vf *ret_y)
{
    vw k;
    const vf whole = round_float(x, 0.0f, &k);
    const vd y = exp2_short(v_wide(vf_sub(x, whole)));

    (void)n;
    (void)at;
    *ret_y = vf_of_bits(vw_add(vf_bits(v_narrow(y)), vw_shl(k, 23)));
    return decided(vw_dropped(y, REACH_39), vw_add(vf_bits(x), vf_bits(x)), TWICE_BITS(0x42FC0000u));
}

/* ---- log ---- */

/* x = 2^k m, 23/24 <= m < 23/12, in eight intervals, as float32 has them: linear on each side of 1. In the
 * middle of each 1/m is near a number of 21 bits, the first 1; r = m / middle - 1, |r| < 0.0567. */
#define LOG_FIRST 0x3F755555 /* 23/24 */
static const double log_inverse[8] = { 0x1.0000000000000p+0, 0x1.cfb2c00000000p-1, 0x1.a08ae00000000p-1, 0x1.7a17a00000000p-1, 0x1.5a24000000000p-1, 0x1.3f2b400000000p-1, 0x1.2818a00000000p-1, 0x1.1422800000000p-1 };
/* The logarithm of 1/log_inverse, and that to the base 2. */
static const double log_middle[8] = { 0x0.0p+0, 0x1.95e00cf8586ffp-4, 0x1.a6939492ed1d6p-3, 0x1.3676796bcbbd2p-2, 0x1.90e000a7249cfp-2, 0x1.e3f25123d4c97p-2, 0x1.18644d9d43dcbp-1, 0x1.3c2084c316ae0p-1 };
static const double log2_middle[8] = { 0x0.0p+0, 0x1.24c6ede7525d0p-3, 0x1.30d312728ce3cp-2, 0x1.bfe7336325544p-2, 0x1.212b91dcf58bcp-1, 0x1.5d17f912ab56bp-1, 0x1.94851661fc0f4p-1, 0x1.c8132c25e6c33p-1 };

/* log(1 + r) / r for |r| < 0.0567, to 2^-37.9 of it. */
static inline vd log_short(vd r)
{
    vd p = line(0x1.25db1bafd6b50p-3, -0x1.56c73b43a1adfp-3, r);

    p = v_fma(p, r, v_set(0x1.999912276d72dp-3));
    p = v_fma(p, r, v_set(-0x1.ffff67a34406dp-3));
    p = v_fma(p, r, v_set(0x1.5555555c4d7fap-2));
    p = v_fma(p, r, v_set(-0x1.00000003eb7d8p-1));
    return v_fma(p, r, v_set(1.0));
}

/* The same to the base 2. */
static inline vd log2_short(vd r)
{
    vd p = line(0x1.a7f1c69f7c8bbp-3, -0x1.ee86443a85fe4p-3, r);

    p = v_fma(p, r, v_set(0x1.2776635ad8e58p-2));
    p = v_fma(p, r, v_set(-0x1.7154086ac04a0p-2));
    p = v_fma(p, r, v_set(0x1.ec709dcdae417p-2));
    p = v_fma(p, r, v_set(-0x1.715476585feadp-1));
    return v_fma(p, r, v_set(0x1.71547652b82fep+0));
}

typedef struct log_parts {
    vw spread; /* k and the interval, above bits of the fraction */
    vd r, k;
} log_parts;

static inline log_parts log_take_apart(vf x)
{
    log_parts p;
    const vw place = vw_sub(vf_bits(x), vw_set(LOG_FIRST));
    const vw m = vw_sub(vf_bits(x), vw_and(place, vw_set(-0x800000)));

    p.spread = vw_spread(place);
    p.k = v_of_spread(vw_sar(p.spread, 23));
    p.spread = vw_sar(p.spread, 20);
    p.r = v_fma(v_wide(vf_of_bits(m)), v_eighth_short(log_inverse, p.spread, vw_set(0)), v_set(-1.0));
    return p;
}

static inline int log_decided(vd y, vf x)
{
    return decided(vw_dropped(y, REACH_37), vw_sub(vf_bits(x), vw_set(NORMAL_FIRST)),
                   NORMAL_COUNT - 1);
}

static inline int log_quick(int n, const float *at, vf x, vf *ret_y)
{
    const log_parts p = log_take_apart(x);
    const vd base = v_fma(p.k, v_set(ELEMFN_LN2), v_eighth(log_middle, p.spread));
    const vd y = v_fma(log_short(p.r), p.r, base);

    (void)n;
    (void)at;
    *ret_y = v_narrow(y);
    return log_decided(y, x);
}

static inline int log2_quick(int n, const float *at, vf x, vf *ret_y)
{
    const log_parts p = log_take_apart(x);
    const vd base = v_add(p.k, v_eighth(log2_middle, p.spread));
    const vd y = v_fma(log2_short(p.r), p.r, base);

    (void)n;
    (void)at;
    *ret_y = v_narrow(y);
    return log_decided(y, x);
}

/* k and the interval are those of 1 + x in float32; with s = log_inverse 2^-k, r = s x + (s - 1) is x where
 * s = 1, and errs by 2^-52 elsewhere. */
static inline int log1p_quick(int n, const float *at, vf x, vf *ret_y)
{
    const vf sum = vf_add(x, vf_set(1.0f));
    const vw place = vw_spread(vw_sub(vf_bits(sum), vw_set(LOG_FIRST)));
    const vw k = vw_sar(place, 23);
    const vw interval = vw_sar(place, 20);
    const vd s = v_eighth_short(log_inverse, interval, vw_shl(k, 20));
    const vd r = v_fma(s, v_wide_load(at), v_sub(s, v_set(1.0)));
    const vd base = v_fma(v_of_spread(k), v_set(ELEMFN_LN2), v_eighth(log_middle, interval));
    const vd y = v_fma(log_short(r), r, base);

    (void)n;
    *ret_y = or_sign_post(v_narrow(y), x);
    return log_decided(y, sum);
}

/* ---- sin and cos ---- */

/* sin(sqrt(r)) / sqrt(r) for r < 1.573^2, to 2^-41 of it. */
static inline vd sin_short(vd r)
{
    vd p = line(0x1.52db695f1b378p-33, -0x1.ae03c01d650b1p-26, r);

    p = v_fma(p, r, v_set(0x1.71dcf56d67c21p-19));
    p = v_fma(p, r, v_set(-0x1.a019fd3c7e473p-13));
    p = v_fma(p, r, v_set(0x1.11111109d561cp-7));
    p = v_fma(p, r, v_set(-0x1.555555554371ep-3));
    return v_fma(p, r, v_set(0x1.ffffffffffe32p-1));
}

/* sin(x - k pi) as sin_reduced() has it, for |x| < 2^15; bit 0 of `quadrant` is its sign. */
static inline int sin_of_rest(const float *at, vf x, vf k, vw quadrant, vf *ret_y)
{
    const vd turns = v_wide(k);
    const vd r0 = v_fnma(turns, v_set(0x1.921fb54400000p+1), v_wide_load(at));
    const vd r = v_fnma(turns, v_set(0x1.0b4611a626331p-33), r0);
    const vd y = v_mul(sin_short(v_mul(r, r)), r);

    *ret_y = vf_xor(v_narrow(y), vf_of_bits(vw_shl(quadrant, 31)));
    return decided(vw_dropped(y, REACH_39), vw_add(vf_bits(x), vf_bits(x)),
                   TWICE_BITS(0x47000000u) - 1);
}

static inline int sin_quick(int n, const float *at, vf x, vf *ret_y)
{
    vw quadrant;
    const vf k = round_float(vf_mul(x, vf_set(0x1.45f306p-2f)), 0.0f, &quadrant);

    (void)n;
    return sin_of_rest(at, x, k, quadrant, ret_y);
}

/* x = (k + 1/2) pi + r: the sign is that of an odd k. */
static inline int cos_quick(int n, const float *at, vf x, vf *ret_y)
{
    vw quadrant;
    const vf turns = vf_sub(vf_mul(x, vf_set(0x1.45f306p-2f)), vf_set(0.5f));
    const vf k = round_float(turns, 1.0f, &quadrant);

    (void)n;
    return sin_of_rest(at, x, vf_add(k, vf_set(0.5f)), quadrant, ret_y);
}

#endif /* FPX_ELEMFN_HOT_H */
