/* elemfn_odd.c - elementary functions of a float32 to about 2^-95, rounded to odd at 53 bits: a float64
 * from which one more rounding, to 51 bits or fewer and in any mode, is the correct one. An exact result
 * stays exact; any other has its last bit set, and lies on the same side as the true value of everything
 * that a shorter format can tell apart. Series are Taylor's by Horner's rule with divisions by integers,
 * because speed does not matter here and 1/n! rounded twice would. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <fpx/elemfn.h>

#include "elemfn_dd.h"
#include "elemfn_kernels.h"
#include "format_bits.h"

/* Beyond e^+-600 nothing changes: results are far outside float32, and still normal float64. */
#define FAR 600.0

static const dd ln2 = { 0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56 };
static const dd inv_ln2 = { 0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56 };
static const dd two_over_sqrt_pi = { 0x1.20dd750429b6dp+0, 0x1.1ae3a914fed80p-56 };
static const dd inv_sqrt_2pi = { 0x1.9884533d43651p-2, -0x1.cbc0d30ebfd15p-56 };

static double power_of_two(int e)
{
    return fpx_bits_f64((uint64_t)(1023 + e) << 52);
}

/* k ln2, with the bits that ELEMFN_LN2_HI + ELEMFN_LN2_LO lack. */
static dd times_ln2(double k)
{
    const dd low = dd_product(k, ELEMFN_LN2_LO);

    return dd_add(dd_of(k * ELEMFN_LN2_HI), (dd){ low.hi, fma(k, 0x1.f97b57a079a19p-103, low.lo) });
}

/* (e^r - 1) / r for |r| <= ln2 / 2: r^22 / 23! < 2^-108; from r^14 / 15! on float64 is enough. */
static dd expm1_over(dd r)
{
    double tail = 1.0;

    for (int i = 23; i >= 15; i--)
        tail = 1.0 + r.hi * tail / (double)i;
    dd p = dd_of(tail);
    for (int i = 14; i >= 2; i--)
        p = dd_add(dd_of(1.0), dd_div(dd_mul(r, p), dd_of((double)i)));
    return p;
}

/* e^r 2^k - offset, with a small relative error where k = 0 and offset = 1. */
static dd exp_scaled(dd r, int k, double offset)
{
    const dd m = dd_mul(r, expm1_over(r));

    if (k == 0)
        return offset == 0.0 ? dd_add(dd_of(1.0), m) : m;
    return dd_add(dd_scale(dd_add(dd_of(1.0), m), power_of_two(k)), dd_of(-offset));
}

/* e^y - offset */
static dd exp_offset(double y, double offset)
{
    const double x = fmax(-FAR, fmin(FAR, y));
    const double k = nearbyint(x * ELEMFN_INV_LN2);

    return exp_scaled(dd_add(dd_of(x), dd_neg(times_ln2(k))), (int)k, offset);
}

static dd dd_exp(double x)
{
    return exp_offset(x, 0.0);
}

static dd dd_expm1(double x)
{
    return exp_offset(x, 1.0);
}

static dd dd_exp2(double y)
{
    const double x = fmax(-FAR, fmin(FAR, y));
    const double k = nearbyint(x);

    return exp_scaled(dd_mul(ln2, dd_of(x - k)), (int)k, 0.0);
}

/* log(1 + f) for 1/sqrt2 < 1 + f < sqrt2, roughly: 2 atanh(s), s = f / (2 + f), s^42 / 43 < 2^-107; from
 * s^22 on float64 is enough. */
static dd log_reduced(dd f)
{
    const dd s = dd_div(f, dd_add(dd_of(2.0), f));
    const dd z = dd_mul(s, s);
    double tail = 0.0;

    for (int i = 20; i >= 11; i--)
        tail = 1.0 / (double)(2 * i + 1) + z.hi * tail;
    dd p = dd_of(tail);
    for (int i = 10; i >= 0; i--)
        p = dd_add(dd_div(dd_of(1.0), dd_of((double)(2 * i + 1))), dd_mul(z, p));
    return dd_scale(dd_mul(s, p), 2.0);
}

/* x + low = 2^k (1 + result), 1/sqrt2 <= 1 + result < sqrt2; 0 < x < 2^200, |low| <= ulp(x). */
static dd log_split(double x, double low, int *ret_k)
{
    int k;
    const double m = frexp(x, &k) * 2.0;
    const int halve = m >= 0x1.6a09e667f3bcdp+0;

    *ret_k = k - 1 + halve;
    const double scale = power_of_two(-*ret_k);
    return dd_sum(x * scale - 1.0, low * scale);
}

static dd dd_log(double x)
{
    int k;
    const dd f = log_split(x, 0.0, &k);

    return dd_add(times_ln2((double)k), log_reduced(f));
}

static dd dd_log2(double x)
{
    int k;
    const dd f = log_split(x, 0.0, &k);

    return dd_add(dd_of((double)k), dd_mul(log_reduced(f), inv_ln2));
}

static dd dd_log1p(double x)
{
    const dd one_x = dd_sum(1.0, x);
    int k;
    const dd f = log_split(one_x.hi, one_x.lo, &k);

    return dd_add(times_ln2((double)k), log_reduced(f));
}

/* sin and cos of |r| < pi/4: r^28 / 28! < 2^-107. */
static dd sin_or_cos_reduced(dd r, int cosine)
{
    const dd z = dd_mul(r, r);
    dd p = dd_of(1.0);

    for (int i = 13; i >= 1; i--) {
        const int d = cosine ? (2 * i - 1) * (2 * i) : (2 * i) * (2 * i + 1);

        p = dd_add(dd_of(1.0), dd_neg(dd_div(dd_mul(z, p), dd_of((double)d))));
    }
    return cosine ? p : dd_mul(r, p);
}

static dd sin_shifted(double a, unsigned shift)
{
    unsigned quadrant = 0;
    dd r = dd_of(a);

    if (a > ELEMFN_PIO4) {
        double low;
        const double high = fpx_reduce_pio2(a, &quadrant, &low);
        r = dd_fast_sum(high, low);
    }
    quadrant += shift;
    const dd y = sin_or_cos_reduced(r, (int)(quadrant & 1u));
    return (quadrant & 2u) ? dd_neg(y) : y;
}

static dd dd_sin(double x)
{
    const dd y = sin_shifted(fabs(x), 0);

    return x < 0.0 ? dd_neg(y) : y;
}

static dd dd_cos(double x)
{
    return sin_shifted(fabs(x), 1);
}

/* E / (E + 2) or 1 - 2 / (E + 2), E = e^2a - 1: the second keeps what 1 lacks, the first what 0 has.
 * Near 0 the quotient would lose a^3 / 3. */
static dd dd_tanh(double x)
{
    const double a = fmin(fabs(x), 60.0);

    if (a < 0x1p-26)
        return (dd){ x, x * x * x * (-1.0 / 3.0) };
    const dd e = dd_expm1(2.0 * a);
    const dd den = dd_add(e, dd_of(2.0));
    const dd y = a < 0.5 ? dd_div(e, den) : dd_add(dd_of(1.0), dd_neg(dd_div(dd_of(2.0), den)));

    return x < 0.0 ? dd_neg(y) : y;
}

/* Near 0, 1/2 + x/4 may be a float64, and the term after it decides. */
static dd dd_sigmoid(double x)
{
    if (fabs(x) < 0x1p-26)
        return dd_add(dd_of(0.5), (dd){ 0.25 * x, x * x * x * (-1.0 / 48.0) });
    const dd u = dd_exp(-fabs(x));
    const dd q = dd_div(u, dd_add(dd_of(1.0), u));

    return x < 0.0 ? q : dd_add(dd_of(1.0), dd_neg(q));
}

static dd dd_silu(double x)
{
    return dd_mul(dd_sigmoid(x), dd_of(x));
}

/* 1 + w/3 (1 + w/5 (1 + w/7 ...)) = e^(w/2) times the integral of e^(-t^2/2) from 0 to a, over a, where
 * w = a^2: all terms positive. As many terms as leave 2^-105 for w up to 90. */
static dd integral_series(double w)
{
    dd s = dd_of(1.0);

    for (int i = 36 + (int)(1.7 * w); i >= 1; i--)
        s = dd_add(dd_of(1.0), dd_div(dd_mul(dd_of(w), s), dd_of((double)(2 * i + 1))));
    return s;
}

/* From 7 on, 1 - erf < 2^-74: any number that small says which side of 1 it is. */
static dd dd_erf(double x)
{
    const double a = fabs(x);
    dd y = { 1.0, -0x1p-70 };

    if (a < 7.0) {
        const dd s = dd_mul(dd_exp(-a * a), integral_series(2.0 * a * a));

        y = dd_mul(dd_mul(two_over_sqrt_pi, dd_of(a)), s);
    }
    return x < 0.0 ? dd_neg(y) : y;
}

/* The normal distribution below -t, t >= 2, over its density: Laplace's continued fraction
 * 1/(t + 1/(t + 2/(t + 3/(t + ...)))); the error after n terms falls as e^(-2 t sqrt(2 n)). */
static dd mills_ratio(double t)
{
    dd d = dd_of(t);

    for (int i = 40 + (int)(900.0 / (t * t)); i >= 1; i--)
        d = dd_add(dd_of(t), dd_div(dd_of((double)i), d));
    return dd_div(dd_of(1.0), d);
}

/* x times the normal distribution below x. From 9.5 on it lacks less than 2^-69 of 1; below -30 it is
 * less than 2^-650. a^2 is exact in float64. */
static dd dd_gelu(double x)
{
    const double a = fmin(fabs(x), 30.0);

    if (x > 9.5)
        return (dd){ x, -x * 0x1p-70 };
    const dd density = dd_mul(inv_sqrt_2pi, dd_exp(-0.5 * (a * a)));
    dd below;
    if (x <= -2.0) {
        below = dd_mul(density, mills_ratio(a));
    } else {
        const dd side = dd_mul(dd_mul(density, dd_of(x)), integral_series(a * a));
        below = dd_add(dd_of(0.5), side);
    }
    return dd_mul(below, dd_of(x));
}

/* One step of Newton's iteration from the float64 result, residual and the term after it included. */
static dd dd_rsqrt(double x)
{
    const double y = 1.0 / sqrt(x);
    const dd e = dd_add(dd_of(1.0), dd_neg(dd_mul(dd_product(y, y), dd_of(x))));

    return dd_fast_sum(y, 0.5 * y * e.hi * (1.0 + 0.75 * e.hi));
}

static dd dd_cbrt(double x)
{
    int e;
    const double half = frexp(fabs(x), &e); /* of 2^e */
    const int q = (e + 600) / 3 - 200;      /* e = 3 q + 0, 1 or 2 */
    const double m = half * (double)(1 << (e - 3 * q));
    double y = 0.5 + 0.25 * m; /* m in [1/2, 4) */

    for (int i = 0; i < 6; i++)
        y -= (y * y * y - m) / (3.0 * y * y);
    /* A cube of 24 bits has a root of 8: where there is one, it is the exact result. */
    const double short_root = nearbyint(y * 0x1p9) * 0x1p-9;
    dd root = dd_of(short_root);
    if (short_root * short_root * short_root != m) {
        const dd rest = dd_add(dd_of(m), dd_neg(dd_mul(dd_product(y, y), dd_of(y))));
        const double c = rest.hi / (3.0 * y * y);
        root = dd_fast_sum(y, c - c * c / y);
    }
    return dd_scale(root, x < 0.0 ? -power_of_two(q) : power_of_two(q));
}

/* x^n of x = m 2^e. Exponents beyond 2^+-400 are as good as those. */
static dd dd_pow(double x, int n)
{
    const int times = abs(n);
    int e;
    const double m = 2.0 * frexp(x, &e);
    dd y = dd_of(1.0);

    for (int i = 0; i < times; i++)
        y = dd_mul(y, dd_of(m));
    if (n < 0)
        y = dd_div(dd_of(1.0), y);
    const int shift = n * (e - 1);
    return dd_scale(y, power_of_two(shift < -400 ? -400 : shift > 400 ? 400 : shift));
}

/* Arguments inside the domain whose result is not given by the specials; `low` is the domain's open
 * lower end where it has one. odd: f(-0) = -f(0). */
typedef struct row {
    dd (*f)(double x);
    double low;                /* NaN below it, ... */
    double at_low;             /* ... this at it */
    double zero, inf, neg_inf; /* at +0, +Inf, -Inf */
    int odd;
    double (*f64)(double x); /* within 2 ulp, where there is one; cheaper */
} row;

#define INF ((double)INFINITY)
#define NONE ((double)NAN)

static const row rows[FPX_ELEMFN_NAMED] = {
    [FPX_ELEMFN_EXP] = { dd_exp, -INF, 0.0, 1.0, INF, 0.0, 0, fpx_exp_f64 },
    [FPX_ELEMFN_EXP2] = { dd_exp2, -INF, 0.0, 1.0, INF, 0.0, 0, NULL },
    [FPX_ELEMFN_EXPM1] = { dd_expm1, -INF, -1.0, 0.0, INF, -1.0, 1, NULL },
    [FPX_ELEMFN_LOG] = { dd_log, 0.0, -INF, -INF, INF, NONE, 0, fpx_log_f64 },
    [FPX_ELEMFN_LOG2] = { dd_log2, 0.0, -INF, -INF, INF, NONE, 0, NULL },
    [FPX_ELEMFN_LOG1P] = { dd_log1p, -1.0, -INF, 0.0, INF, NONE, 1, NULL },
    [FPX_ELEMFN_SIN] = { dd_sin, -INF, NONE, 0.0, NONE, NONE, 1, fpx_sin_f64 },
    [FPX_ELEMFN_COS] = { dd_cos, -INF, NONE, 1.0, NONE, NONE, 0, fpx_cos_f64 },
    [FPX_ELEMFN_TANH] = { dd_tanh, -INF, -1.0, 0.0, 1.0, -1.0, 1, fpx_tanh_f64 },
    [FPX_ELEMFN_SIGMOID] = { dd_sigmoid, -INF, 0.0, 0.5, 1.0, 0.0, 0, NULL },
    [FPX_ELEMFN_ERF] = { dd_erf, -INF, -1.0, 0.0, 1.0, -1.0, 1, NULL },
    [FPX_ELEMFN_GELU] = { dd_gelu, -INF, -0.0, 0.0, INF, -0.0, 1, NULL },
    [FPX_ELEMFN_SILU] = { dd_silu, -INF, -0.0, 0.0, INF, -0.0, 1, NULL },
    [FPX_ELEMFN_RSQRT] = { dd_rsqrt, 0.0, INF, INF, 0.0, NONE, 1, NULL },
    [FPX_ELEMFN_CBRT] = { dd_cbrt, -INF, -INF, 0.0, INF, -INF, 1, NULL },
};

static double pow_special(double x, int n)
{
    const double y = (x == 0.0) == (n > 0) ? 0.0 : INF;

    return (n & 1) ? copysign(y, x) : y;
}

static double to_odd(dd y)
{
    const uint64_t u = fpx_f64_bits(y.hi);

    if (y.lo == 0.0 || (u & 1u))
        return y.hi;
    return fpx_bits_f64((y.lo > 0.0) == (y.hi > 0.0) ? u + 1 : u - 1);
}

double fpx_elemfn_f64_odd(fpx_elemfn f, float argument)
{
    const double nan = fpx_bits_f64(UINT64_C(0x7ff8000000000000));
    const double x = (double)argument;
    const int n = (int)f - FPX_ELEMFN_POW;
    double y;

    if (f > FPX_ELEMFN_NAMED - 1) {
        if (n == 0)
            return 1.0;
        if (isnan(x))
            return nan;
        return x == 0.0 || isinf(x) ? pow_special(x, n) : to_odd(dd_pow(x, n));
    }
    const row *const r = &rows[f];
    if (isnan(x) || x < r->low)
        y = NONE;
    else if (x == 0.0)
        y = r->odd ? copysign(r->zero, x) : r->zero;
    else if (isinf(x))
        y = x > 0.0 ? r->inf : r->neg_inf;
    else
        y = x == r->low ? r->at_low : to_odd(r->f(x));
    return isnan(y) ? nan : y;
}

float fpx_elemfn_f32_judge(fpx_elemfn f, float x)
{
    if (f < FPX_ELEMFN_NAMED && rows[f].f64 != NULL) {
        const double y = rows[f].f64((double)x);
        const float up = (float)(y + y * 0x1p-50);
        const float down = (float)(y - y * 0x1p-50);

        if (up == down)
            return up;
    }
    return (float)fpx_elemfn_f64_odd(f, x);
}
