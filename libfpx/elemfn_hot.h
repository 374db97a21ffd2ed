/* elemfn_hot.h - what elemfn_fast.h does for most blocks of float32, again with fewer operations, for instruction
 * sets with lanes: NAME_quick() is 0 where round_block() has to look. Ranges are narrower than those of NAME_pre,
 * and so are intervals of NAME_main: a block that holds any other argument, or NaN, is not decided. Polynomials
 * are Horner's: other blocks fill the time that each step waits, and the fewest operations win. */
#ifndef FPX_ELEMFN_HOT_H
#define FPX_ELEMFN_HOT_H

/* Errors below 2^-39, ... of the result, in the last bit of a float64. */
enum { REACH_39 = 1 << 14, REACH_38 = 1 << 15, REACH_37 = 1 << 16 };

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
    return decided(vw_dropped(y, REACH_39), above(x, 0x42AE999A));
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
    const vd y = exp2_short(v_wide_float(vf_sub(x, whole)));

    (void)n;
    (void)at;
    *ret_y = vf_of_bits(vw_add(vf_bits(v_narrow(y)), vw_shl(k, 23)));
    return decided(vw_dropped(y, REACH_39), above(x, 0x42FC0000));
}

/* ---- log ---- */

/* x = 2^k m, 23/24 <= m < 23/12, in eight intervals, as float32 has them: linear on each side of 1. In the
 * middle of each 1/m is near 2^-t, t of 32 bits after the point, the first 0: r = m 2^-t - 1, |r| < 0.0567. */
#define LOG_FIRST 0x3F755555 /* 23/24 */
#define LOG_BIAS 128         /* of k, so that shifts need no sign */

static const uint32_t log2_middle[8] = { 0,          0x2498E399, 0x4C34CA15, 0x6FF9CAB2,
                                         0x9095B8E5, 0xAE8C0498, 0xCA427AC4, 0xE4098FC9 };
static const double log_inverse[8] = { 0x1.0000000000000p+0, 0x1.cfb2b8a4a01d4p-1,
                                       0x1.a08ad9d4a0105p-1, 0x1.7a17a233da989p-1,
                                       0x1.5a240f07b5417p-1, 0x1.3f2b39097a71cp-1,
                                       0x1.2818ad2b31837p-1, 0x1.142284b3b3e17p-1 };

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

/* k and the interval of x, above bits of its fraction. */
static inline vw log_place(vf x)
{
    return vw_sub(vf_bits(x), vw_set(LOG_FIRST - (LOG_BIAS << 23)));
}

/* k + t: 2^20 + k in a high word, t below it. */
static inline vd log_whole(vw spread)
{
    const vw k = vw_add(vw_shr(spread, 23), vw_set(0x41300000 - LOG_BIAS + 0x1000));
    const vd sum = v_of_words(vw_eighth(log2_middle, vw_shr(spread, 20)), k);

    return v_sub(sum, v_set(0x1p20 + 0x1000));
}

static inline vd log_rest_of(vf x, vw place, vw spread)
{
    const vw m = vw_add(vw_and(place, vw_set(0x7FFFFF)), vw_set(LOG_FIRST));

    (void)x;
    return v_fma(v_wide_float(vf_of_bits(m)), v_eighth(log_inverse, vw_shr(spread, 20), vw_set(0)),
                 v_set(-1.0));
}

static inline int log_quick(int n, const float *at, vf x, vf *ret_y)
{
    const vw place = log_place(x);
    const vw spread = vw_spread(place);
    const vd r = log_rest_of(x, place, spread);
    const vd y = v_fma(log_short(r), r, v_mul(log_whole(spread), v_set(ELEMFN_LN2)));

    (void)n;
    (void)at;
    *ret_y = v_narrow(y);
    return decided(vw_dropped(y, REACH_37), not_positive_from(x, 0x00800000));
}

static inline int log2_quick(int n, const float *at, vf x, vf *ret_y)
{
    const vw place = log_place(x);
    const vw spread = vw_spread(place);
    const vd r = log_rest_of(x, place, spread);
    const vd y = v_fma(log2_short(r), r, log_whole(spread));

    (void)n;
    (void)at;
    *ret_y = v_narrow(y);
    return decided(vw_dropped(y, REACH_37), not_positive_from(x, 0x00800000));
}

/* k and the interval are those of 1 + x in float32, from 2^-8 on; with s = 2^-(k+t), r = s x + (s - 1) is x
 * where s = 1, and errs by 2^-44 at most elsewhere, by 2^-52 where the logarithm is small. */
static inline int log1p_quick(int n, const float *at, vf x, vf *ret_y)
{
    const vf sum = vf_add(x, vf_set(1.0f));
    const vw spread = vw_spread(log_place(sum));
    const vw k = vw_sub(vw_shr(spread, 23), vw_set(LOG_BIAS));
    const vd s = v_eighth(log_inverse, vw_shr(spread, 20), vw_shl(k, 20));
    const vd r = v_fma(s, v_wide_load(at), v_sub(s, v_set(1.0)));
    const vd y = v_fma(log_short(r), r, v_mul(log_whole(spread), v_set(ELEMFN_LN2)));

    (void)n;
    *ret_y = or_sign_post(v_narrow(y), x);
    return decided(vw_dropped(y, REACH_37), not_positive_from(sum, 0x3B800000));
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
    const vd turns = v_wide_float(k);
    const vd r0 = v_fnma(turns, v_set(0x1.921fb54400000p+1), v_wide_load(at));
    const vd r = v_fnma(turns, v_set(0x1.0b4611a626331p-33), r0);
    const vd y = v_mul(sin_short(v_mul(r, r)), r);

    *ret_y = vf_xor(v_narrow(y), vf_of_bits(vw_shl(quadrant, 31)));
    return decided(vw_dropped(y, REACH_39), above(x, 0x46FFFFFF));
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

/* ---- erf ---- */

/* The series of erf_main() in h and -c, with a coefficient of h^5 that is right at c = 0 and near enough where
 * c^4 matters. No result is above 1; zeros are, but subnormal ones and NaN are not decided. */
static inline int erf_quick(int n, const float *at, vf x, vf *ret_y)
{
    const vf magic = vf_set(0x1.8p23f);
    const vf a = vf_min(vf_set(255.0f / 64.0f), vf_abs(x));
    const vf t = vf_add(vf_mul(a, vf_set(64.0f)), magic);
    const vf minus_c = vf_mul(vf_sub(magic, t), vf_set(1.0f / 64.0f));
    uint32_t index[BLOCK];
    vd slope;

    (void)n;
    (void)at;
    vw_store(index, vw_and(vw_add(vf_bits(t), vf_bits(t)), vw_set(2 * ELEMFN_ERF_STEPS - 2)));
    const vd value = v_entry(fpx_elemfn_erf_table, index, &slope);
    const vd h = v_wide_float(vf_add(a, minus_c));
    const vd c = v_wide_float(minus_c);
    const vd c2 = v_mul(c, c);
    const vd a5 = line(-0.3, 0.1, c2);
    const vd a4 = v_mul(line(1.0 / 3.0, -0.5, c2), c);
    const vd a3 = line(2.0 / 3.0, -1.0 / 3.0, c2);
    const vd p = v_fma(v_fma(v_fma(a5, h, a4), h, a3), h, c);
    const vd y = v_fma(slope, v_fma(v_mul(h, h), p, h), value);
    const vf r = v_narrow(y);
    const vw subnormal =
        vw_and(vw_sub(vf_bits(r), vw_set(0x00800000)), vw_sub(vw_set(0), vf_bits(r)));

    *ret_y = or_sign_post(r, x);
    return decided(vw_dropped(y, REACH_38),
                   negative(vw_or(subnormal, vf_bits(vfm_unordered(r, r)))));
}

#endif /* FPX_ELEMFN_HOT_H */
