/* elemfn_fast.h - float32 functions evaluated in float64, for an instruction set that defines: vf, BLOCK floats;
 * vd, as many doubles; vw, as many 32-bit integers; vi, as many 64-bit ones; and their operations.
 *
 * Each function is up to three parts: NAME_pre takes a block of arguments apart in float32, exactly, and
 * says which it cannot do; NAME_main is evaluated in float64 with a relative error below the function's
 * bound, where the result is neither NaN nor certain to be the same float32 on both sides (0, 1, Inf);
 * NAME_post mends the rounded block. round_block() rounds both ends of that interval, and where they
 * differ, or NAME_pre said so, elemfn_odd.c decides: so every result is the correctly rounded one.
 * round_quick() looks at the bits that rounding drops and sends whole blocks there: where they are within
 * the bound of one half, and NaN, and subnormal results where the function has them (1: but not zeros).
 *
 * Polynomials without another reason interpolate in the Chebyshev nodes of their interval; tests sweep
 * all arguments. Every instruction set runs these IEEE operations in this order. The _min and _max
 * return their second operand where one is NaN. */
#ifndef FPX_ELEMFN_FAST_H
#define FPX_ELEMFN_FAST_H

#include <string.h>

#include "elemfn_kernels.h"

static inline vd line(double c1, double c0, vd r)
{
    return v_fma(v_set(c1), r, v_set(c0));
}

static inline vf vf_abs(vf x)
{
    return vf_and(x, vf_of_bits(vw_set(INT32_MAX)));
}

static inline vf vf_sign(vf x)
{
    return vf_and(x, vf_set(-0.0f));
}

/* NaN stays NaN. */
static inline vf clamp(vf x, float low, float high)
{
    return vf_min(vf_set(high), vf_max(vf_set(low), x));
}

/* An integer k as double, and k + bias as the low bits of *ret_bits: adding 1.5 2^52 + bias rounds. */
static inline vd round_with_bits(vd x, double factor, double bias, vi *ret_bits)
{
    const vd t = v_fma(x, v_set(factor), v_set(0x1.8p52 + bias));

    *ret_bits = v_bits(t);
    return v_sub(t, v_set(0x1.8p52 + bias));
}

/* What NAME_pre leaves: x as it was, and two numbers or an index that it made. */
typedef struct parts {
    vf a, b;
    uint32_t at[BLOCK];
} parts;

typedef struct wide {
    vd x, a, b;
    const uint32_t *at;
    int n; /* of x^n */
} wide;

static inline vfm no_pre(vf x, parts *ret)
{
    ret->a = x;
    ret->b = x;
    return vfm_none();
}

static inline vf no_post(vf y, vf x)
{
    (void)x;
    return y;
}

/* The sign of x, where y is not negative, or a zero that lost it. */
static inline vf or_sign_post(vf y, vf x)
{
    return vf_or(y, vf_sign(x));
}

/* ---- exp and what is made of it ---- */

/* e^r - 1 for |r| <= ln2 / 2, to 2^-42 of it. */
static inline vd expm1_series(vd r)
{
    const vd z = v_mul(r, r);
    const vd even = v_fma(line(0x1.a136bf03ec612p-16, 0x1.6c166bde96885p-10, z), z,
                          v_set(0x1.55555565c7e0ep-5));
    const vd odd = v_fma(line(0x1.72ad458027fbcp-19, 0x1.a019c36bc053cp-13, z), z,
                         v_set(0x1.111111170bc08p-7));
    const vd p0 = v_fma(even, z, v_set(0x1.fffffffffe062p-2));
    const vd p1 = v_fma(odd, z, v_set(0x1.5555555554f96p-3));

    return v_fma(z, v_fma(p1, r, p0), r);
}

/* e^y = s (1 + result), |y| < 200: ln2 in one piece errs by 2^-54 k. The bits above the exponent field
 * fall out on the left. */
static inline vd exp_split(vd y, vd *ret_s)
{
    vi k;
    const vd n = round_with_bits(y, ELEMFN_INV_LN2, 1023.0, &k);
    const vd r = v_fnma(n, v_set(ELEMFN_LN2), y);

    *ret_s = v_of_bits(vi_shl(k, 52));
    return expm1_series(r);
}

/* e^-110 rounds to 0 and e^100 to Inf. */
static inline vfm exp_pre(vf x, parts *ret)
{
    return no_pre(clamp(x, -110.0f, 100.0f), ret);
}

static inline vd exp_main(wide w)
{
    vd s;
    const vd q = exp_split(w.a, &s);

    return v_fma(s, q, s);
}

static inline vfm exp2_pre(vf x, parts *ret)
{
    return no_pre(clamp(x, -160.0f, 140.0f), ret);
}

static inline vd exp2_main(wide w)
{
    vi k;
    const vd whole = round_with_bits(w.a, 1.0, 1023.0, &k);
    const vd q = expm1_series(v_mul(v_sub(w.a, whole), v_set(ELEMFN_LN2)));
    const vd s = v_of_bits(vi_shl(k, 52));

    return v_fma(s, q, s);
}

/* e^-50 - 1 rounds to -1. */
static inline vfm expm1_pre(vf x, parts *ret)
{
    return no_pre(clamp(x, -50.0f, 100.0f), ret);
}

static inline vd expm1_main(wide w)
{
    vd s;
    const vd q = exp_split(w.a, &s);

    return v_fma(s, q, v_sub(s, v_set(1.0)));
}

/* tanh(10) rounds to 1. */
static inline vfm tanh_pre(vf x, parts *ret)
{
    return no_pre(vf_min(vf_set(10.0f), vf_abs(x)), ret);
}

static inline vd tanh_main(wide w)
{
    vd s;
    const vd q = exp_split(v_add(w.a, w.a), &s);
    const vd e = v_fma(s, q, v_sub(s, v_set(1.0)));

    return v_div(e, v_add(e, v_set(2.0)));
}

/* sigmoid(-110) and 120 sigmoid(-110) round to 0. */
static inline vfm sigmoid_pre(vf x, parts *ret)
{
    ret->a = clamp(vf_xor(x, vf_set(-0.0f)), -100.0f, 110.0f);
    ret->b = vf_max(vf_set(-120.0f), x);
    return vfm_none();
}

static inline vd sigmoid_main(wide w)
{
    vd s;
    const vd q = exp_split(w.a, &s);

    return v_div(v_set(1.0), v_add(v_fma(s, q, s), v_set(1.0)));
}

static inline vd silu_main(wide w)
{
    vd s;
    const vd q = exp_split(w.a, &s);

    return v_div(w.b, v_add(v_fma(s, q, s), v_set(1.0)));
}

/* ---- log ---- */

/* log(1 + f) = 2 atanh(f / (2 + f)) for 1/sqrt2 <= 1 + f <= sqrt2, to 2^-43. */
static inline vd log_series(vd f)
{
    const vd s = v_div(f, v_add(f, v_set(2.0)));
    const vd z = v_mul(s, s);
    const vd z2 = v_mul(z, z);
    const vd p0 = line(0x1.999998cae671fp-2, 0x1.5555555564eb7p-1, z);
    const vd p1 = line(0x1.c67ad18010d25p-3, 0x1.249323f5fe0a4p-2, z);
    const vd p = v_fma(v_fma(v_set(0x1.8c8cb725e2db5p-3), z2, p1), z2, p0);

    return v_fma(v_mul(s, z), p, v_add(s, s));
}

/* x = 2^b (1 + a), for normal x > 0. */
static inline vfm log_pre(vf x, parts *ret)
{
    const vw u = vf_bits(x);
    const vw k = vw_sar(vw_add(u, vw_set(-0x3F3504F3)), 23); /* the float nearest to 1/sqrt2 */

    ret->a = vf_sub(vf_of_bits(vw_sub(u, vw_shl(k, 23))), vf_set(1.0f));
    ret->b = vf_of_integer(k);
    return vfm_not_within(x, 0x1p-126f, 0x1.fffffep127f);
}

static inline vd log_main(wide w)
{
    return v_fma(w.b, v_set(ELEMFN_LN2), log_series(w.a));
}

static inline vd log2_main(wide w)
{
    return v_fma(log_series(w.a), v_set(ELEMFN_INV_LN2), w.b);
}

static inline vfm log1p_pre(vf x, parts *ret)
{
    (void)no_pre(x, ret);
    return vfm_not_within(x, -0x1.fffffep-1f, 0x1.fffffep127f);
}

/* 1 + x = 2^k z, f = z - 1 with what 1 + x lost: where k = 0, f = x. */
static inline vd log1p_main(wide w)
{
    const vd sum = v_add(w.x, v_set(1.0));
    const vd lost = v_sub(w.x, v_sub(sum, v_set(1.0)));
    const vi u = v_bits(sum);
    const vi field = vi_shr(vi_add(u, vi_set((1023LL << 52) - 0x3FE6A09E667F3BCDLL)), 52);
    const vd k =
        v_sub(v_of_bits(vi_or(field, vi_set(0x4330000000000000LL))), v_set(0x1p52 + 1023.0));
    const vd scale = v_of_bits(vi_shl(vi_sub(vi_set(2046), field), 52)); /* 2^-k */
    const vd f = v_fma(lost, scale, v_fma(sum, scale, v_set(-1.0)));

    return v_fma(k, v_set(ELEMFN_LN2), log_series(f));
}

/* ---- sin and cos ---- */

static inline vfm sin_pre(vf x, parts *ret)
{
    (void)no_pre(vf_abs(x), ret);
    return vfm_not_within(ret->a, 0.0f, 0x1p15f);
}

/* sin(a - k pi) for |a - k pi| <= pi/2, to 2^-41 of it, with the sign that `quadrant` carries in bit 0; k is
 * a multiple of 1/2. pi in pieces of 33 and 53 bits: for k < 2^14 the first product and difference are
 * exact, the second errs by 2^-74, and no float there lies nearer to a multiple of pi/2 than 2^-29. */
static inline vd sin_reduced(vd a, vd k, vi quadrant)
{
    const vd r0 = v_fnma(k, v_set(0x1.921fb54400000p+1), a);
    const vd r = v_fnma(k, v_set(0x1.0b4611a626331p-33), r0);
    const vd z = v_mul(r, r);
    const vd z2 = v_mul(z, z);
    const vd even = v_fma(line(-0x1.ae20c173a995ep-26, -0x1.a01a001194bc1p-13, z2), z2,
                          v_set(-0x1.55555555549c9p-3));
    const vd odd = v_fma(line(0x1.54e70f31da4d6p-33, 0x1.71dd8dd5d749ap-19, z2), z2,
                         v_set(0x1.1111110fc01e7p-7));

    return v_xor(v_fma(v_mul(r, z), v_fma(odd, z, even), r), v_of_bits(vi_shl(quadrant, 63)));
}

static inline vd sin_main(wide w)
{
    vi quadrant;
    const vd k = round_with_bits(w.a, 0x1.45f306dc9c883p-2, 0.0, &quadrant);

    return sin_reduced(w.a, k, quadrant);
}

static inline vf sin_post(vf y, vf x)
{
    return vf_xor(y, vf_sign(x));
}

/* cos a = sin(a - (j - 1/2) pi) (-1)^j, where j = a / pi + 1/2 rounded. */
static inline vd cos_main(wide w)
{
    vi quadrant;
    const vd t = v_fma(w.a, v_set(0x1.45f306dc9c883p-2), v_set(0.5));
    const vd j = round_with_bits(t, 1.0, 0.0, &quadrant);

    return sin_reduced(w.a, v_sub(j, v_set(0.5)), quadrant);
}

/* ---- erf and the normal distribution ---- */

/* a = c + h, c = j / steps, exactly; the mask keeps the index of a NaN inside the table. */
static inline void table_step(vf a, float steps, int first, int mask, parts *ret)
{
    const vf magic = vf_set(0x1.8p23f);
    const vf t = vf_add(vf_mul(a, vf_set(steps)), magic);

    ret->b = vf_mul(vf_sub(t, magic), vf_set(1.0f / steps));
    ret->a = vf_sub(a, ret->b);
    vw_store(ret->at, vw_shl(vw_and(vw_add(vf_bits(t), vw_set(-first)), vw_set(mask)), 1));
}

/* 1 - erf(255/64) < 2^-25 is nothing. */
static inline vfm erf_pre(vf x, parts *ret)
{
    table_step(vf_min(vf_set(255.0f / 64.0f), vf_abs(x)), 64.0f, 0, ELEMFN_ERF_STEPS - 1, ret);
    return vfm_none();
}

/* erf(c + h) = erf(c) + erf'(c) (h - c h^2 + (2c^2 - 1)/3 h^3 - (2c^3 - 3c)/6 h^4 + (4c^4 - 12c^2 + 3)/30 h^5
 * ...), |h| <= 1/128: to 2^-44. */
static inline vd erf_main(wide w)
{
    vd slope;
    const vd value = v_entry(fpx_elemfn_erf_table, w.at, &slope);
    const vd h = w.a;
    const vd c2 = v_mul(w.b, w.b);
    const vd a3 = line(2.0 / 3.0, -1.0 / 3.0, c2);
    const vd a4 = v_mul(line(-1.0 / 3.0, 0.5, c2), w.b);
    const vd a5 = v_fma(line(4.0 / 30.0, -12.0 / 30.0, c2), c2, v_set(3.0 / 30.0));
    const vd p = v_fma(v_fma(v_fma(a5, h, a4), h, a3), h, v_xor(w.b, v_set(-0.0)));

    return v_fma(slope, v_fma(v_mul(h, h), p, h), value);
}

/* Above 6 the distribution is 1 to 2^-29, which does not move x; below -14.5 the result rounds to 0. */
static inline vfm gelu_pre(vf x, parts *ret)
{
    table_step(clamp(x, -8.0f, 6.0f), 32.0f, -ELEMFN_PHI_STEPS / 2, ELEMFN_PHI_STEPS - 1, ret);
    return vfm_within(x, -14.5f, -7.9f);
}

static inline vf gelu_post(vf y, vf x)
{
    return vf_select(vfm_less(x, vf_set(-14.5f)), vf_set(-0.0f), y);
}

/* The normal distribution at c + h is that at c plus the density at c times the sum of h + a2 h^2 + ...
 * + a8 h^8: a(n+2) = -(c (n+1) a(n+1) + n a(n)) / ((n+1)(n+2)). */
static inline vd gelu_main(wide w)
{
    vd slope;
    const vd value = v_entry(fpx_elemfn_phi_table, w.at, &slope);
    const vd h = w.a;
    const vd c = w.b;
    const vd a2 = v_mul(c, v_set(-1.0 / 2.0));
    const vd a3 = v_fma(v_mul(c, v_set(-1.0 / 3.0)), a2, v_set(-1.0 / 6.0));
    const vd a4 = v_fma(v_mul(c, v_set(-1.0 / 4.0)), a3, v_mul(a2, v_set(-2.0 / 12.0)));
    const vd a5 = v_fma(v_mul(c, v_set(-1.0 / 5.0)), a4, v_mul(a3, v_set(-3.0 / 20.0)));
    const vd a6 = v_fma(v_mul(c, v_set(-1.0 / 6.0)), a5, v_mul(a4, v_set(-4.0 / 30.0)));
    const vd a7 = v_fma(v_mul(c, v_set(-1.0 / 7.0)), a6, v_mul(a5, v_set(-5.0 / 42.0)));
    const vd a8 = v_fma(v_mul(c, v_set(-1.0 / 8.0)), a7, v_mul(a6, v_set(-6.0 / 56.0)));
    const vd p = v_fma(v_fma(v_fma(v_fma(a8, h, a7), h, a6), h, a5), h, a4);
    const vd sum = v_fma(v_mul(v_fma(v_fma(p, h, a3), h, a2), h), h, h);

    return v_mul(w.x, v_fma(slope, sum, value));
}

/* ---- algebraic ---- */

static inline vd rsqrt_main(wide w)
{
    return v_div(v_set(1.0), v_sqrt(w.x));
}

/* b is x^(-1/3) to 3.5 %, by a third of the bits: the constant is 4/3 127 less 0.068, times 2^23. */
static inline vfm cbrt_pre(vf x, parts *ret)
{
    const vf a = vf_abs(x);

    ret->a = clamp(a, 0x1p-126f, 0x1.fffffep127f);
    const vf third = vf_mul(vf_of_integer(vf_bits(ret->a)), vf_set(1.0f / 3.0f));
    ret->b = vf_of_bits(vw_sub(vw_set(1419889749), vf_to_integer(third)));
    return vfm_within(a, 0x1p-149f, 0x1p-126f);
}

/* w (1 - e)^(-1/3), e = 1 - a w^3, twice: to e^3 (2^-15), to e^2 (2^-44); x w^2 is the root. */
static inline vd cbrt_main(wide w)
{
    const vd e0 = v_fnma(v_mul(w.a, w.b), v_mul(w.b, w.b), v_set(1.0));
    const vd p0 = v_fma(line(14.0 / 81.0, 2.0 / 9.0, e0), e0, v_set(1.0 / 3.0));
    const vd w1 = v_fma(v_mul(w.b, e0), p0, w.b);
    const vd w2 = v_mul(w1, w1);
    const vd e1 = v_fnma(v_mul(w.a, w1), w2, v_set(1.0));
    const vd p1 = v_fma(line(5.0 / 9.0, 2.0 / 3.0, e1), e1, v_set(1.0)); /* (1 - e1)^(-2/3) */

    return v_mul(v_mul(w.x, w2), p1);
}

static inline vd pow_main(wide w)
{
    vd y = v_set(1.0);
    vd square = w.x;

    for (unsigned times = w.n < 0 ? 0u - (unsigned)w.n : (unsigned)w.n; times != 0; times >>= 1) {
        if (times & 1u)
            y = v_mul(y, square);
        square = v_mul(square, square);
    }
    return w.n < 0 ? v_div(v_set(1.0), y) : y;
}

#include "elemfn_array.h"

#endif /* FPX_ELEMFN_FAST_H */
