/* elemfn_f64.c - float64 exp, log, sin, cos, tanh within 2 ulp, from IEEE operations and fma alone.
 * Each result is one addition high + low, where low carries what was lost on the way, so the error
 * stays near 0.5 ulp; polynomials are Taylor's, because 1/n! needs no explanation. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <fpx/elemfn.h>

#include "elemfn_kernels.h"

#define SIGN_BIT 0x8000000000000000u
#define MANTISSA 0x000FFFFFFFFFFFFFu
#define INF_BITS 0x7FF0000000000000u

/* An unevaluated sum; lo is the smaller part. */
typedef struct pair {
    double hi, lo;
} pair;

static uint64_t to_bits(double x)
{
    uint64_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static double from_bits(uint64_t u)
{
    double x;

    memcpy(&x, &u, sizeof x);
    return x;
}

static double canonical_nan(void)
{
    return from_bits(0x7FF8000000000000u);
}

/* a + b exactly, for |a| >= |b| or a = 0. */
static pair fast_two_sum(double a, double b)
{
    const double s = a + b;

    return (pair){ s, b - (s - a) };
}

/* e^y = 2^k (1 + hi + lo), lo up to 2% of hi; *ret_k is k + 2046. elemfn_avx2.c repeats these
 * operations one by one. */
static pair expm1_reduced(double y, uint64_t *ret_k)
{
    const double t = fma(y, ELEMFN_INV_LN2, ELEMFN_SHIFT);
    const double k = t - ELEMFN_SHIFT;
    const double r0 = fma(-k, ELEMFN_LN2_HI, y);
    const double d = k * ELEMFN_LN2_LO;
    const double r = r0 - d;
    const double rl = (r0 - r) - d;
    const double z = r * r;
    const double zl = fma(r, r, -z);
    const double z2 = z * z;
    const double z4 = z2 * z2;
    const double p0 = fma(ELEMFN_C4, r, ELEMFN_C3);
    const double p1 = fma(ELEMFN_C6, r, ELEMFN_C5);
    const double p2 = fma(ELEMFN_C8, r, ELEMFN_C7);
    const double p3 = fma(ELEMFN_C10, r, ELEMFN_C9);
    const double p4 = fma(ELEMFN_C12, r, ELEMFN_C11);
    const double p5 = fma(ELEMFN_C14, r, ELEMFN_C13);
    const double a = fma(p1, z, p0);
    const double b = fma(p3, z, p2);
    const double c = fma(p5, z, p4);
    const double p = fma(c, z4, fma(b, z2, a));
    const double h = 0.5 * z;
    const double q = r + h;
    const double ql = h - (q - r);
    const double tail = fma(r * z, p, fma(0.5, zl, fma(r, rl, rl)));

    *ret_k = to_bits(t) & ELEMFN_SHIFT_MASK;
    return (pair){ q, ql + tail };
}

double fpx_exp_f64(double x)
{
    if (isnan(x))
        return canonical_nan();
    const double low = x > ELEMFN_EXP_MIN ? x : ELEMFN_EXP_MIN;
    const double y = low < ELEMFN_EXP_MAX ? low : ELEMFN_EXP_MAX;
    uint64_t k;
    const pair q = expm1_reduced(y, &k);
    const pair p = fast_two_sum(1.0, q.hi);
    const uint64_t half = k >> 1;

    return (p.hi + (p.lo + q.lo)) * from_bits(half << 52) * from_bits((k - half) << 52);
}

/* tanh(a) = E / (E + 2) with E = e^2a - 1, a = |x|; E and E + 2 are pairs, and one step of
 * correction makes good what the quotient lost. */
double fpx_tanh_f64(double x)
{
    if (isnan(x))
        return canonical_nan();
    const uint64_t sign = to_bits(x) & SIGN_BIT;
    const double mag = from_bits(to_bits(x) ^ sign);
    const double a = mag < ELEMFN_TANH_MAX ? mag : ELEMFN_TANH_MAX;
    uint64_t k;
    const pair q = expm1_reduced(a + a, &k);
    const double s = from_bits((k - 1023) << 52);
    const double s1 = s - 1.0; /* 0, or larger than s q.hi */
    const double sq = s * q.hi;
    const double e0 = s1 + sq;
    const double e1 = fma(s, q.lo, sq - (e0 - s1));
    const double e = e0 + e1;
    const double el = e1 - (e - e0);
    const double den = e + 2.0;
    const double big = e > 2.0 ? e : 2.0;
    const double small = e > 2.0 ? 2.0 : e;
    const double denl = (small - (den - big)) + el;
    const double inv = 1.0 / den;
    const double t = e * inv;
    const double rest = fma(-t, denl, fma(-t, den, e) + el);

    return from_bits(to_bits(fma(rest, inv, t)) | sign);
}

#define SQRT2_MANTISSA 0x6A09E667F3BCDu /* of the double above sqrt(2) */

/* x = 2^k z, sqrt(1/2) < z < sqrt(2); log z = 2 atanh(s), s = (z - 1) / (z + 1), |s| < 0.172.
 * The series stops at s^23: 2^-65 of the result. */
double fpx_log_f64(double x)
{
    static const double c[] = { 0x1.5555555555555p-1, 0x1.999999999999ap-2, 0x1.2492492492492p-2,
                                0x1.c71c71c71c71cp-3, 0x1.745d1745d1746p-3, 0x1.3b13b13b13b14p-3,
                                0x1.1111111111111p-3, 0x1.e1e1e1e1e1e1ep-4, 0x1.af286bca1af28p-4,
                                0x1.8618618618618p-4, 0x1.642c8590b2164p-4 }; /* 2/3 ... 2/23 */
    int k = -1023;

    if (x == 0.0)
        return from_bits(SIGN_BIT | INF_BITS);
    if (!(x > 0.0))
        return canonical_nan();
    uint64_t u = to_bits(x);
    if (u == INF_BITS)
        return x;
    if (u < MANTISSA + 1) { /* subnormal */
        u = to_bits(x * 0x1p54);
        k -= 54;
    }
    const uint64_t halve = (u & MANTISSA) >= SQRT2_MANTISSA;
    const double f = from_bits((u & MANTISSA) | ((1023 - halve) << 52)) - 1.0;
    k += (int)(u >> 52) + (int)halve;

    const pair den = fast_two_sum(2.0, f);
    const double s = f / den.hi;
    const double sl = fma(-s, den.lo, fma(-s, den.hi, f)) / den.hi;
    const double z = s * s;
    double p = c[10];
    for (int i = 9; i >= 0; i--)
        p = fma(p, z, c[i]);
    const double tail = fma(s * z, p, fma((double)k, ELEMFN_LN2_LO, 2.0 * sl));
    const pair sum = fast_two_sum((double)k * ELEMFN_LN2_HI, 2.0 * s);

    return sum.hi + (sum.lo + tail);
}

/* 2/pi in 32-bit words behind 64 zero bits: bit i, counted from the top, weighs 2^(63 - i). */
static const uint32_t two_over_pi[] = {
    0x00000000u, 0x00000000u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u,
    0x3c439041u, 0xfe5163abu, 0xdebbc561u, 0xb7246e3au, 0x424dd2e0u, 0x06492eeau, 0x09d1921cu,
    0xfe1deb1cu, 0xb129a73eu, 0xe88235f5u, 0x2ebb4484u, 0xe99c7026u, 0xb45f7e41u, 0x3991d639u,
    0x835339f4u, 0x9c845f8bu, 0xbdf9283bu, 0x1ff897ffu, 0xde05980fu, 0xef2f118bu, 0x5a0a6d1fu,
    0x6d367ecfu, 0x27cb09b7u, 0x4f463f66u, 0x9e5fea2du, 0x7527bac7u, 0xebe5f17bu, 0x3d0739f7u,
    0x8a5292eau, 0x6bfb5fb1u, 0x1f8d5d08u, 0x56033046u,
};

#define PIO2_HI 0x1.921fb54442d18p+0
#define PIO2_LO 0x1.1a62633145c07p-54

/* Payne and Hanek: a = (quadrant + f) pi/2, |f| <= 1/2, for finite a > pi/4; f pi/2 is the result plus
 * *ret_low.
 * a = m 2^e; bits of 2/pi that give multiples of 4 are skipped, the next 192 are multiplied by m
 * modulo 2^192, which leaves 2 integer bits, 190 of fraction, and an error below 2^(53-190). No
 * double lies nearer to a multiple of pi/2 than 2^-62, so f keeps 75 bits. */
double fpx_reduce_pio2(double a, unsigned *ret_quadrant, double *ret_low)
{
    static const double weight[6] = { 0x1p-190, 0x1p-158, 0x1p-126, 0x1p-94, 0x1p-62, 0x1p-30 };
    const uint64_t u = to_bits(a);
    const unsigned first = (unsigned)(u >> 52) - 1075u + 62u; /* bit of weight 2^(1 - e) */
    const uint32_t *w = two_over_pi + first / 32;
    const uint64_t m = (u & MANTISSA) | (MANTISSA + 1);
    const uint64_t m0 = m & 0xFFFFFFFFu;
    const uint64_t m1 = m >> 32;
    uint32_t p[6];         /* the product, low word first */
    uint64_t carry0 = 0;   /* of the row times m0 */
    uint64_t carry1 = 0;   /* of the row times m1 */
    uint64_t previous = 0; /* word of 2/pi below this one */

    for (unsigned i = 0; i < 6; i++) {
        const uint64_t two = (uint64_t)w[5 - i] << 32 | w[6 - i];
        const uint64_t word = (two << first % 32) >> 32;

        carry0 += m0 * word;
        carry1 += m1 * previous + (carry0 & 0xFFFFFFFFu);
        p[i] = (uint32_t)(carry1 & 0xFFFFFFFFu);
        carry0 >>= 32;
        carry1 >>= 32;
        previous = word;
    }
    const uint32_t top = p[5] >> 29;                     /* quadrant and the bit of 1/2 */
    const uint32_t flip = (top & 1u) ? 0xFFFFFFFFu : 0u; /* all bits flipped: 1 - f, to 2^-190 */

    p[5] &= 0x3FFFFFFFu;
    p[5] ^= flip & 0x3FFFFFFFu;
    for (unsigned i = 0; i < 5; i++)
        p[i] ^= flip;
    pair f = { (double)p[5] * weight[5], 0.0 };
    for (int i = 4; i >= 0; i--) {
        const pair s = fast_two_sum(f.hi, (double)p[i] * weight[i]);

        f = (pair){ s.hi, f.lo + s.lo };
    }
    const double sign = flip ? -1.0 : 1.0;
    const double hi = f.hi * PIO2_HI;
    const double lo = fma(f.hi, PIO2_HI, -hi) + fma(f.hi, PIO2_LO, f.lo * PIO2_HI);

    *ret_quadrant = ((top + 1u) >> 1) & 3u;
    *ret_low = sign * lo;
    return sign * hi;
}

/* sin(r.hi + r.lo) for |r| <= pi/4; the series to r^17 leaves 2^-63 of the result. */
static double sin_reduced(pair r)
{
    static const double c[] = {
        -0x1.5555555555555p-3,  0x1.1111111111111p-7,   -0x1.a01a01a01a01ap-13,
        0x1.71de3a556c734p-19,  -0x1.ae64567f544e4p-26, 0x1.6124613a86d09p-33,
        -0x1.ae7f3e733b81fp-41, 0x1.952c77030ad4ap-49
    }; /* -1/3! ... 1/17! */
    const double z = r.hi * r.hi;
    double p = c[7];

    for (int i = 6; i >= 0; i--)
        p = fma(p, z, c[i]);
    return r.hi + fma(r.hi * z, p, fma(-0.5 * z, r.lo, r.lo));
}

/* cos(r.hi + r.lo) for |r| <= pi/4; the series to r^16 leaves 2^-58. */
static double cos_reduced(pair r)
{
    static const double c[] = { 0x1.5555555555555p-5,  -0x1.6c16c16c16c17p-10,
                                0x1.a01a01a01a01ap-16, -0x1.27e4fb7789f5cp-22,
                                0x1.1eed8eff8d898p-29, -0x1.93974a8c07c9dp-37,
                                0x1.ae7f3e733b81fp-45 }; /* 1/4! ... 1/16! */
    const double z = r.hi * r.hi;
    const double zl = fma(r.hi, r.hi, -z);
    const pair head = fast_two_sum(1.0, -0.5 * z);
    double p = c[6];

    for (int i = 5; i >= 0; i--)
        p = fma(p, z, c[i]);
    return head.hi + (head.lo + fma(z * z, p, -fma(0.5, zl, r.hi * r.lo)));
}

/* sin(a + shift pi/2) for finite a >= 0. */
static double sin_shifted(double a, unsigned shift)
{
    unsigned quadrant = 0;
    pair r = { a, 0.0 };

    if (a > ELEMFN_PIO4)
        r.hi = fpx_reduce_pio2(a, &quadrant, &r.lo);
    quadrant += shift;
    const double y = (quadrant & 1u) ? cos_reduced(r) : sin_reduced(r);
    return (quadrant & 2u) ? -y : y;
}

double fpx_sin_f64(double x)
{
    if (!isfinite(x))
        return canonical_nan();
    const double y = sin_shifted(fabs(x), 0);

    return signbit(x) ? -y : y;
}

double fpx_cos_f64(double x)
{
    return isfinite(x) ? sin_shifted(fabs(x), 1) : canonical_nan();
}
