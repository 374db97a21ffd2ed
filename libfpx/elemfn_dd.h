/* elemfn_dd.h - double-double arithmetic, x = hi + lo with |lo| <= ulp(hi) / 2. Algorithms and error
 * bounds, in u = 2^-53, of Joldes, Muller, Popescu, "Tight and rigorous error bounds for basic building
 * blocks of double-word arithmetic", ACM TOMS 44(2), 2017. */
#ifndef FPX_ELEMFN_DD_H
#define FPX_ELEMFN_DD_H

#include <math.h>

typedef struct dd {
    double hi, lo;
} dd;

/* a + b exactly. */
static inline dd dd_sum(double a, double b)
{
    const double s = a + b;
    const double t = s - a;

    return (dd){ s, (a - (s - t)) + (b - t) };
}

/* a + b exactly, for |a| >= |b| or a = 0. */
static inline dd dd_fast_sum(double a, double b)
{
    const double s = a + b;

    return (dd){ s, b - (s - a) };
}

/* a b exactly. */
static inline dd dd_product(double a, double b)
{
    const double p = a * b;

    return (dd){ p, fma(a, b, -p) };
}

/* 3 u^2 */
static inline dd dd_add(dd a, dd b)
{
    const dd s = dd_sum(a.hi, b.hi);
    const dd t = dd_sum(a.lo, b.lo);
    const dd v = dd_fast_sum(s.hi, s.lo + t.hi);

    return dd_fast_sum(v.hi, t.lo + v.lo);
}

/* 5 u^2 */
static inline dd dd_mul(dd a, dd b)
{
    const dd c = dd_product(a.hi, b.hi);

    return dd_fast_sum(c.hi, c.lo + fma(a.lo, b.hi, fma(a.hi, b.lo, a.lo * b.lo)));
}

/* 15 u^2 */
static inline dd dd_div(dd a, dd b)
{
    const double q = a.hi / b.hi;
    const dd r = dd_mul(b, (dd){ q, 0.0 });

    return dd_fast_sum(q, ((a.hi - r.hi) + (a.lo - r.lo)) / b.hi);
}

static inline dd dd_of(double x)
{
    return (dd){ x, 0.0 };
}

static inline dd dd_neg(dd a)
{
    return (dd){ -a.hi, -a.lo };
}

/* a times a power of two. */
static inline dd dd_scale(dd a, double power)
{
    return (dd){ a.hi * power, a.lo * power };
}

#endif /* FPX_ELEMFN_DD_H */
