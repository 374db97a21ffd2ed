/* elemfn_fast.h - float32 functions evaluated in float64, for an instruction set that defines: vd, a
 * vector of doubles; vi, as many 64-bit integers; vm, a mask; and the v_ and vi_ operations used below.
 * Each kernel's relative error is below its bound, where the result is neither NaN nor certain to be
 * the same float32 on both sides (0, 1, Inf). round_block() rounds both ends of that interval, and where
 * they differ, or the kernel sets *ret_outside, elemfn_odd.c decides: so every result is the correctly
 * rounded one. round_quick() looks at the bits that rounding drops and sends whole blocks there: where they
 * are within the bound of one half, and NaN, and subnormal results where the function has them.
 * Polynomials without another reason interpolate in the Chebyshev nodes of their interval; tests sweep
 * all arguments. Every instruction set runs these IEEE operations in this order.
 * v_min and v_max return their second operand where one is NaN. */
#ifndef FPX_ELEMFN_FAST_H
#define FPX_ELEMFN_FAST_H

#include <string.h>

#include "elemfn_kernels.h"

static inline vd line(double c1, double c0, vd r)
{
    return v_fma(v_set(c1), r, v_set(c0));
}

/* NaN stays NaN. */
static inline vd clamp(vd x, double low, double high)
{
    return v_min(v_set(high), v_max(v_set(low), x));
}

/* An integer k as double, and k + bias as the low bits of *ret_bits: adding 1.5 2^52 + bias rounds. */
static inline vd round_with_bits(vd x, double factor, double bias, vi *ret_bits)
{
    const vd t = v_fma(x, v_set(factor), v_set(0x1.8p52 + bias));

    *ret_bits = v_bits(t);
    return v_sub(t, v_set(0x1.8p52 + bias));
}

/* ---- exp and what is made of it ---- */

/* e^r - 1 for |r| <= ln2 / 2, to 2^-42 of it. */
static inline vd expm1_series(vd r)
{
    const vd z = v_mul(r, r);
    const vd z2 = v_mul(z, z);
    const vd p0 = line(0x1.5555555554f96p-3, 0x1.fffffffffe062p-2, r);
    const vd p1 = line(0x1.111111170bc08p-7, 0x1.55555565c7e0ep-5, r);
    const vd p2 = line(0x1.a019c36bc053cp-13, 0x1.6c166bde96885p-10, r);
    const vd p3 = line(0x1.72ad458027fbcp-19, 0x1.a136bf03ec612p-16, r);
    const vd p = v_fma(v_fma(p3, z, p2), z2, v_fma(p1, z, p0));

    return v_fma(z, p, r);
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
static inline vd fast_exp(vd x, int n, vm *ret_outside)
{
    vd s;
    const vd q = exp_split(clamp(x, -110.0, 100.0), &s);

    (void)n, (void)ret_outside;
    return v_fma(s, q, s);
}

static inline vd fast_exp2(vd x, int n, vm *ret_outside)
{
    const vd y = clamp(x, -160.0, 140.0);
    vi k;
    const vd whole = round_with_bits(y, 1.0, 1023.0, &k);
    const vd q = expm1_series(v_mul(v_sub(y, whole), v_set(ELEMFN_LN2)));
    const vd s = v_of_bits(vi_shl(k, 52));

    (void)n, (void)ret_outside;
    return v_fma(s, q, s);
}

/* The sign of x, which a zero would lose. */
static inline vd fast_expm1(vd x, int n, vm *ret_outside)
{
    vd s;
    const vd q = exp_split(clamp(x, -50.0, 100.0), &s);

    (void)n, (void)ret_outside;
    return v_or(v_fma(s, q, v_sub(s, v_set(1.0))), v_and(x, v_set(-0.0)));
}

/* tanh(10) rounds to 1. */
static inline vd fast_tanh(vd x, int n, vm *ret_outside)
{
    const vd sign = v_and(x, v_set(-0.0));
    const vd a = v_min(v_set(10.0), v_xor(x, sign));
    vd s;
    const vd q = exp_split(v_add(a, a), &s);
    const vd e = v_fma(s, q, v_sub(s, v_set(1.0)));

    (void)n, (void)ret_outside;
    return v_or(v_div(e, v_add(e, v_set(2.0))), sign);
}

static inline vd fast_sigmoid(vd x, int n, vm *ret_outside)
{
    vd s;
    const vd q = exp_split(clamp(v_xor(x, v_set(-0.0)), -100.0, 110.0), &s);

    (void)n, (void)ret_outside;
    return v_div(v_set(1.0), v_add(v_fma(s, q, s), v_set(1.0)));
}

/* 120 e^-110 rounds to 0. */
static inline vd fast_silu(vd x, int n, vm *ret_outside)
{
    vd s;
    const vd q = exp_split(clamp(v_xor(x, v_set(-0.0)), -100.0, 110.0), &s);

    (void)n, (void)ret_outside;
    return v_div(v_max(v_set(-120.0), x), v_add(v_fma(s, q, s), v_set(1.0)));
}

/* ---- log ---- */

/* x = 2^k z, z from 1/sqrt2 to sqrt2, for normal x > 0; *ret_field is k + 1023. */
static inline vd log_split(vd x, vd *ret_k, vi *ret_field)
{
    const vi u = v_bits(x);
    const vi t = vi_add(u, vi_set((1023LL << 52) - 0x3FE6A09E667F3BCDLL));
    const vi field = vi_shr(t, 52);

    *ret_field = field;
    *ret_k = v_sub(v_of_bits(vi_or(field, vi_set(0x4330000000000000LL))), v_set(0x1p52 + 1023.0));
    return v_of_bits(vi_sub(u, vi_shl(vi_sub(field, vi_set(1023)), 52)));
}

/* log(1 + f) = 2 atanh(f / (2 + f)), to 2^-43. */
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

static inline vm not_positive_finite(vd x)
{
    return vm_or(vm_not(v_less(v_set(0.0), x)), vm_not(v_less(x, v_set(0x1p200))));
}

static inline vd fast_log(vd x, int n, vm *ret_outside)
{
    vd k;
    vi field;
    const vd f = v_sub(log_split(x, &k, &field), v_set(1.0));

    (void)n;
    *ret_outside = not_positive_finite(x);
    return v_fma(k, v_set(ELEMFN_LN2), log_series(f));
}

static inline vd fast_log2(vd x, int n, vm *ret_outside)
{
    vd k;
    vi field;
    const vd f = v_sub(log_split(x, &k, &field), v_set(1.0));

    (void)n;
    *ret_outside = not_positive_finite(x);
    return v_fma(log_series(f), v_set(ELEMFN_INV_LN2), k);
}

/* With what 1 + x lost, scaled to z: where k = 0, f = x. */
static inline vd fast_log1p(vd x, int n, vm *ret_outside)
{
    const vd w = v_add(x, v_set(1.0));
    const vd lost = v_sub(x, v_sub(w, v_set(1.0)));
    vd k;
    vi field;
    const vd z = log_split(w, &k, &field);
    const vd scale = v_of_bits(vi_shl(vi_sub(vi_set(2046), field), 52));
    const vd f = v_fma(lost, scale, v_sub(z, v_set(1.0)));
    const vd y = v_fma(k, v_set(ELEMFN_LN2), log_series(f));

    (void)n;
    *ret_outside = not_positive_finite(w);
    return v_or(y, v_and(x, v_set(-0.0)));
}

/* ---- sin and cos ---- */

/* sin(a - k pi) for |a - k pi| <= pi/2, to 2^-41 of it, with the sign that `quadrant` carries in bit 0; k is
 * a multiple of 1/2. pi in pieces of 33 and 53 bits: for k < 2^14 the first product and difference are
 * exact, the second errs by 2^-74, and no float there lies nearer to a multiple of pi/2 than 2^-29. */
static inline vd sin_reduced(vd a, vd k, vi quadrant)
{
    const vd r0 = v_fnma(k, v_set(0x1.921fb54400000p+1), a);
    const vd r = v_fnma(k, v_set(0x1.0b4611a626331p-33), r0);
    const vd z = v_mul(r, r);
    const vd z2 = v_mul(z, z);
    const vd p0 = line(0x1.1111110fc01e7p-7, -0x1.55555555549c9p-3, z);
    const vd p1 = line(0x1.71dd8dd5d749ap-19, -0x1.a01a001194bc1p-13, z);
    const vd p2 = line(0x1.54e70f31da4d6p-33, -0x1.ae20c173a995ep-26, z);
    const vd p = v_fma(v_fma(p2, z2, p1), z2, p0);

    return v_xor(v_fma(v_mul(r, z), p, r), v_of_bits(vi_shl(quadrant, 63)));
}

static inline vd fast_sin(vd x, int n, vm *ret_outside)
{
    const vd sign = v_and(x, v_set(-0.0));
    const vd a = v_xor(x, sign);
    vi quadrant;
    const vd k = round_with_bits(a, 0x1.45f306dc9c883p-2, 0.0, &quadrant);

    (void)n;
    *ret_outside = vm_not(v_less(a, v_set(0x1p15)));
    return v_xor(sin_reduced(a, k, quadrant), sign);
}

/* cos a = sin(a - (j - 1/2) pi) (-1)^(j + 1), where j = a / pi + 1/2 rounded. */
static inline vd fast_cos(vd x, int n, vm *ret_outside)
{
    const vd a = v_and(x, v_of_bits(vi_set(INT64_MAX)));
    vi quadrant;
    const vd t = v_fma(a, v_set(0x1.45f306dc9c883p-2), v_set(0.5));
    const vd j = round_with_bits(t, 1.0, 1.0, &quadrant);

    (void)n;
    *ret_outside = vm_not(v_less(a, v_set(0x1p15)));
    return sin_reduced(a, v_sub(j, v_set(0.5)), quadrant);
}

/* ---- erf and the normal distribution ---- */

/* erf(c + h) = erf(c) + erf'(c) (h - c h^2 + (2c^2 - 1)/3 h^3 - (2c^3 - 3c)/6 h^4 ...), |h| <= 1/128: to
 * 2^-38. 1 - erf(255/64) < 2^-25 is nothing. The mask keeps the index of a NaN inside the table. */
static inline vd fast_erf(vd x, int n, vm *ret_outside)
{
    const vd sign = v_and(x, v_set(-0.0));
    const vd a = v_min(v_set(255.0 / 64.0), v_xor(x, sign));
    vi j;
    const vd c = v_mul(round_with_bits(a, 64.0, 0.0, &j), v_set(1.0 / 64.0));
    vd slope;
    const vd value = v_entry(fpx_elemfn_erf_table, vi_and(j, vi_set(ELEMFN_ERF_STEPS - 1)), &slope);
    const vd h = v_sub(a, c);
    const vd c2 = v_mul(c, c);
    const vd a3 = line(2.0 / 3.0, -1.0 / 3.0, c2);
    const vd a4 = v_mul(line(-1.0 / 3.0, 0.5, c2), c);
    const vd p = v_sub(v_mul(v_fma(a4, h, a3), h), c);

    (void)n, (void)ret_outside;
    return v_or(v_fma(slope, v_fma(v_mul(h, h), p, h), value), sign);
}

/* The sum of h + a2 h^2 + ... + a7 h^7 where the normal distribution at c + h is that at c plus the density
 * at c times the sum: a(n+2) = -(c (n+1) a(n+1) + n a(n)) / ((n+1)(n+2)). */
static inline vd normal_series(vd c, vd h)
{
    const vd a2 = v_mul(c, v_set(-1.0 / 2.0));
    const vd a3 = v_fma(v_mul(c, v_set(-1.0 / 3.0)), a2, v_set(-1.0 / 6.0));
    const vd a4 = v_fma(v_mul(c, v_set(-1.0 / 4.0)), a3, v_mul(a2, v_set(-2.0 / 12.0)));
    const vd a5 = v_fma(v_mul(c, v_set(-1.0 / 5.0)), a4, v_mul(a3, v_set(-3.0 / 20.0)));
    const vd a6 = v_fma(v_mul(c, v_set(-1.0 / 6.0)), a5, v_mul(a4, v_set(-4.0 / 30.0)));
    const vd a7 = v_fma(v_mul(c, v_set(-1.0 / 7.0)), a6, v_mul(a5, v_set(-5.0 / 42.0)));
    const vd p = v_fma(v_fma(v_fma(a7, h, a6), h, a5), h, a4);

    return v_fma(v_mul(v_fma(v_fma(p, h, a3), h, a2), h), h, h);
}

/* Above 6 the distribution is 1 to 2^-29, which does not move x; below -14.5 the result rounds to 0. */
static inline vd fast_gelu(vd x, int n, vm *ret_outside)
{
    const vd a = clamp(x, -8.0, 6.0);
    vi j;
    const vd c = v_mul(round_with_bits(a, 32.0, 256.0, &j), v_set(1.0 / 32.0));
    vd slope;
    const vd value = v_entry(fpx_elemfn_phi_table, vi_and(j, vi_set(ELEMFN_PHI_STEPS - 1)), &slope);
    const vd below = v_fma(slope, normal_series(c, v_sub(a, c)), value);
    const vm none = v_less(x, v_set(-14.5));

    (void)n;
    *ret_outside = vm_and(v_less(x, v_set(-7.9)), vm_not(none));
    return v_select(none, v_set(-0x1p-160), v_mul(x, below));
}

/* ---- algebraic ---- */

static inline vd fast_rsqrt(vd x, int n, vm *ret_outside)
{
    (void)n, (void)ret_outside;
    return v_div(v_set(1.0), v_sqrt(x));
}

/* w nearly x^(-1/3) from a third of the upper half of the bits, good to 3.5 %; then
 * w (1 - e)^(-1/3), e = 1 - x w^3, twice: to e^3 (2^-15), to e^2 (2^-44). The constant, 2/3 of the
 * exponent field's offset less 0.035, balances the first guess. */
static inline vd fast_cbrt(vd x, int n, vm *ret_outside)
{
    const vd sign = v_and(x, v_set(-0.0));
    const vd a = v_xor(x, sign);
    const vd b = clamp(a, 0x1p-149, 0x1p128);
    const vi top = vi_or(vi_shr(v_bits(b), 32), vi_set(0x4330000000000000LL));
    const vd third = v_mul(v_sub(v_of_bits(top), v_set(0x1p52)), v_set(-1.0 / 3.0));
    const vd guess = v_add(third, v_set(0x1p52 + ELEMFN_CBRT_GUESS));
    const vd w0 = v_of_bits(vi_shl(v_bits(guess), 32));
    const vd e0 = v_fnma(v_mul(b, w0), v_mul(w0, w0), v_set(1.0));
    const vd p0 = v_fma(line(14.0 / 81.0, 2.0 / 9.0, e0), e0, v_set(1.0 / 3.0));
    const vd w1 = v_fma(v_mul(w0, e0), p0, w0);
    const vd w2 = v_mul(w1, w1);
    const vd e1 = v_fnma(v_mul(b, w1), w2, v_set(1.0));
    const vd p1 = v_fma(line(5.0 / 9.0, 2.0 / 3.0, e1), e1, v_set(1.0));
    const vd y = v_mul(v_mul(a, w2), p1); /* a w1^2 (1 - e1)^(-2/3) but for e1^3 40/81 */

    (void)n, (void)ret_outside;
    return v_or(y, sign);
}

static inline vd fast_pow(vd x, int n, vm *ret_outside)
{
    vd y = v_set(1.0);
    vd square = x;

    (void)ret_outside;
    for (unsigned times = n < 0 ? (unsigned)-n : (unsigned)n; times != 0; times >>= 1) {
        if (times & 1u)
            y = v_mul(y, square);
        square = v_mul(square, square);
    }
    return n < 0 ? v_div(v_set(1.0), y) : y;
}

/* ---- arrays ---- */

/* What round_quick() did not decide, and the shorter block at the end. y may be x. */
#define ELEMFN_ARRAY(NAME, ID, BOUND, TINY)                                                        \
    static __attribute__((noinline)) void NAME##_rest(int n, double bound, const float *x,         \
                                                      float *y, size_t m)                          \
    {                                                                                              \
        float in[BLOCK] = { 0.0f };                                                                \
        float out[BLOCK];                                                                          \
        unsigned doubt;                                                                            \
                                                                                                   \
        memcpy(in, x, m * sizeof *x);                                                              \
        vf_store(out, round_block(fast_##NAME, vf_load(in), n, bound, &doubt));                    \
        for (size_t j = 0; j < m; j++)                                                             \
            y[j] =                                                                                 \
                (doubt >> j & 1u) ? (float)fpx_elemfn_f64_odd((fpx_elemfn)(ID), in[j]) : out[j];   \
    }                                                                                              \
                                                                                                   \
    static void NAME##_array(int n, const float *x, float *y, size_t count)                        \
    {                                                                                              \
        const double bound = (BOUND);                                                              \
        size_t i = 0;                                                                              \
                                                                                                   \
        for (; i + BLOCK <= count; i += BLOCK) {                                                   \
            vf r;                                                                                  \
                                                                                                   \
            if (round_quick(fast_##NAME, vf_load(x + i), n, bound, TINY, &r))                      \
                vf_store(y + i, r);                                                                \
            else                                                                                   \
                NAME##_rest(n, bound, x + i, y + i, BLOCK);                                        \
        }                                                                                          \
        if (i < count)                                                                             \
            NAME##_rest(n, bound, x + i, y + i, count - i);                                        \
    }

/* The last: whether results may be subnormal other than by x itself. */
ELEMFN_ARRAY(exp, FPX_ELEMFN_EXP, 0x1p-41, 1)
ELEMFN_ARRAY(exp2, FPX_ELEMFN_EXP2, 0x1p-41, 1)
ELEMFN_ARRAY(expm1, FPX_ELEMFN_EXPM1, 0x1p-40, 0)
ELEMFN_ARRAY(log, FPX_ELEMFN_LOG, 0x1p-41, 0)
ELEMFN_ARRAY(log2, FPX_ELEMFN_LOG2, 0x1p-41, 0)
ELEMFN_ARRAY(log1p, FPX_ELEMFN_LOG1P, 0x1p-41, 0)
ELEMFN_ARRAY(sin, FPX_ELEMFN_SIN, 0x1p-41, 0)
ELEMFN_ARRAY(cos, FPX_ELEMFN_COS, 0x1p-41, 0)
ELEMFN_ARRAY(tanh, FPX_ELEMFN_TANH, 0x1p-40, 0)
ELEMFN_ARRAY(sigmoid, FPX_ELEMFN_SIGMOID, 0x1p-41, 1)
ELEMFN_ARRAY(erf, FPX_ELEMFN_ERF, 0x1p-37, 1)
ELEMFN_ARRAY(gelu, FPX_ELEMFN_GELU, 0x1p-38, 1)
ELEMFN_ARRAY(silu, FPX_ELEMFN_SILU, 0x1p-41, 1)
ELEMFN_ARRAY(rsqrt, FPX_ELEMFN_RSQRT, 0x1p-50, 0)
ELEMFN_ARRAY(cbrt, FPX_ELEMFN_CBRT, 0x1p-41, 0)
/* A square of a float32 is exact in float64. */
ELEMFN_ARRAY(pow, FPX_ELEMFN_POW + n, n == 2 ? 0.0 : 0x1p-48, 1)

#define ELEMFN_F32_SLOTS                                                                           \
    {                                                                                              \
        [FPX_ELEMFN_EXP] = exp_array, [FPX_ELEMFN_EXP2] = exp2_array,                              \
        [FPX_ELEMFN_EXPM1] = expm1_array, [FPX_ELEMFN_LOG] = log_array,                            \
        [FPX_ELEMFN_LOG2] = log2_array, [FPX_ELEMFN_LOG1P] = log1p_array,                          \
        [FPX_ELEMFN_SIN] = sin_array, [FPX_ELEMFN_COS] = cos_array,                                \
        [FPX_ELEMFN_TANH] = tanh_array, [FPX_ELEMFN_SIGMOID] = sigmoid_array,                      \
        [FPX_ELEMFN_ERF] = erf_array, [FPX_ELEMFN_GELU] = gelu_array,                              \
        [FPX_ELEMFN_SILU] = silu_array, [FPX_ELEMFN_RSQRT] = rsqrt_array,                          \
        [FPX_ELEMFN_CBRT] = cbrt_array, [ELEMFN_POW_SLOT] = pow_array,                             \
    }

#endif /* FPX_ELEMFN_FAST_H */
