/* elemfn_oracle.c - MPFR's functions, and its arithmetic for those it lacks. */
#include "elemfn_oracle.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef int unary(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);

static unary *const direct[FPX_ELEMFN_NAMED] = {
    [FPX_ELEMFN_EXP] = mpfr_exp, [FPX_ELEMFN_EXP2] = mpfr_exp2, [FPX_ELEMFN_EXPM1] = mpfr_expm1,
    [FPX_ELEMFN_LOG] = mpfr_log, [FPX_ELEMFN_LOG2] = mpfr_log2, [FPX_ELEMFN_LOG1P] = mpfr_log1p,
    [FPX_ELEMFN_SIN] = mpfr_sin, [FPX_ELEMFN_COS] = mpfr_cos,   [FPX_ELEMFN_TANH] = mpfr_tanh,
    [FPX_ELEMFN_ERF] = mpfr_erf, [FPX_ELEMFN_CBRT] = mpfr_cbrt, [FPX_ELEMFN_RSQRT] = mpfr_rec_sqrt,
};

/* 1/(1 + e^-x), and x times it. |x| is clamped where the result no longer matters but e^-x still shows
 * in 320 bits. */
static void sigmoid(mpfr_t y, float x, int times_x)
{
    const double limit = 150.0;
    const double exponent = fmin(fmax((double)x, -limit), limit);

    mpfr_set_d(y, -exponent, MPFR_RNDN);
    mpfr_exp(y, y, MPFR_RNDN);
    mpfr_add_ui(y, y, 1, MPFR_RNDN);
    mpfr_ui_div(y, 1, y, MPFR_RNDN);
    if (times_x)
        mpfr_mul_d(y, y, fmax((double)x, -limit), MPFR_RNDN);
}

static void gelu(mpfr_t y, float x)
{
    const double at = fmax((double)x, -20.0);
    mpfr_t root;

    mpfr_init2(root, 400);
    mpfr_sqrt_ui(root, 2, MPFR_RNDN);
    mpfr_set_prec(y, 400);
    mpfr_set_d(y, -fmin(at, 12.0), MPFR_RNDN);
    mpfr_div(y, y, root, MPFR_RNDN);
    mpfr_erfc(y, y, MPFR_RNDN);
    mpfr_mul_d(y, y, 0.5 * at, MPFR_RNDN);
    mpfr_clear(root);
    mpfr_prec_round(y, ELEMFN_ORACLE_BITS, MPFR_RNDN);
}

/* Truncated at 320 bits; where that is not exact, half a unit of the last place is added. */
static void truncated(fpx_elemfn f, float x, mpfr_t y)
{
    mpfr_t at;
    int inexact;

    mpfr_init2(at, 24);
    mpfr_set_flt(at, x, MPFR_RNDN);
    mpfr_set_prec(y, ELEMFN_ORACLE_BITS - 2);
    if (f >= FPX_ELEMFN_NAMED)
        inexact = mpfr_pow_si(y, at, (long)f - FPX_ELEMFN_POW, MPFR_RNDZ);
    else
        inexact = direct[f](y, at, MPFR_RNDZ);
    mpfr_prec_round(y, ELEMFN_ORACLE_BITS, MPFR_RNDN);
    if (inexact && mpfr_zero_p(y)) /* MPFR's own underflow, of e^-2^40 */
        mpfr_set_si_2exp(y, mpfr_signbit(y) ? -1 : 1, -1000, MPFR_RNDN);
    else if (inexact && mpfr_regular_p(y)) {
        mpfr_set_prec(at, 2);
        mpfr_set_si_2exp(at, mpfr_sgn(y), mpfr_get_exp(y) - ELEMFN_ORACLE_BITS + 1, MPFR_RNDN);
        mpfr_add(y, y, at, MPFR_RNDN);
    }
    mpfr_clear(at);
}

void elemfn_oracle(fpx_elemfn f, float x, mpfr_t y)
{
    mpfr_set_prec(y, ELEMFN_ORACLE_BITS); /* and NaN */
    if (isnan(x) && f < FPX_ELEMFN_NAMED)
        return;
    if ((f == FPX_ELEMFN_SILU || f == FPX_ELEMFN_GELU) && isinf(x) && x < 0.0f)
        mpfr_set_zero(y, -1);
    else if (f == FPX_ELEMFN_RSQRT && x == 0.0f) /* MPFR: +Inf for both zeros */
        mpfr_set_inf(y, signbit(x) ? -1 : 1);
    else if (f == FPX_ELEMFN_SIGMOID && isinf(x))
        mpfr_set_ui(y, x > 0.0f, MPFR_RNDN);
    else if (f == FPX_ELEMFN_SIGMOID || f == FPX_ELEMFN_SILU)
        sigmoid(y, x, f == FPX_ELEMFN_SILU);
    else if (f == FPX_ELEMFN_GELU)
        gelu(y, x);
    else
        truncated(f, x, y);
}

double elemfn_oracle_odd(const mpfr_t y)
{
    double z = mpfr_get_d(y, MPFR_RNDZ);
    uint64_t u;

    if (mpfr_cmp_d(y, z) != 0) {
        memcpy(&u, &z, sizeof u);
        u |= 1;
        memcpy(&z, &u, sizeof z);
    }
    return z;
}

int elemfn_oracle_agrees(const mpfr_t y, double odd)
{
    const double want = elemfn_oracle_odd(y);
    uint64_t u, v;

    memcpy(&u, &want, sizeof u);
    memcpy(&v, &odd, sizeof v);
    if (mpfr_nan_p(y))
        return v == UINT64_C(0x7ff8000000000000);
    if (u == v || mpfr_zero_p(y) || mpfr_inf_p(y) || odd == 0.0 || isinf(odd))
        return u == v;
    if ((u ^ v) >> 63)
        return 0;
    return (fabs(odd) > 0x1p130 && fabs(want) > 0x1p130) ||
           (fabs(odd) < 0x1p-160 && fabs(want) < 0x1p-160);
}

uint32_t elemfn_oracle_f32(const mpfr_t y)
{
    const fpx_conversion to = { .format = fpx_fp32, .overflow = FPX_OVERFLOW_NONE };

    return (uint32_t)elemfn_oracle_code(&to, y);
}

/* Whether |y| = units + rest in units of the last place goes up; half: the sign of rest - 1/2. */
static int goes_up(int round, int negative, uint64_t units, int exact, int half)
{
    switch (round) {
    case FPX_RNE:
        return half > 0 || (half == 0 && (units & 1u));
    case FPX_RNA:
        return half >= 0;
    case FPX_RU:
        return !exact && !negative;
    case FPX_RD:
        return !exact && negative;
    case FPX_RO:
        return !exact && !(units & 1u);
    default:
        return 0; /* RZ */
    }
}

/* NUMERICS.md: a directed rounding towards zero keeps a finite overflow at max. */
static uint64_t overflow_code(const fpx_conversion *to, int negative, int infinite)
{
    const fpx_format *f = &to->format;
    const int inward = to->round == FPX_RZ || (to->round == FPX_RU && negative) ||
                       (to->round == FPX_RD && !negative);

    if (f->specials == FPX_SPECIALS_NONE || to->overflow == FPX_SATFINITE)
        return f->max_code;
    if (to->overflow == FPX_SATPROPAGATE && !infinite)
        return f->max_code;
    return !infinite && inward ? f->max_code : f->max_code + 1;
}

uint64_t elemfn_oracle_code(const fpx_conversion *to, const mpfr_t y)
{
    const fpx_format *f = &to->format;
    const int negative = mpfr_signbit(y) != 0;
    const uint64_t sign = (uint64_t)negative << (f->ebits + f->mbits);
    mpfr_t units, rest;

    if (mpfr_nan_p(y))
        return f->specials == FPX_SPECIALS_NONE ? f->max_code : f->nan_code;
    if (mpfr_inf_p(y))
        return overflow_code(to, negative, 1) | sign;
    if (mpfr_zero_p(y))
        return sign;
    const long emin = 1 - f->bias;
    const long top = (long)mpfr_get_exp(y) - 1;
    const long e = top > emin ? top : emin;

    if (e > (long)(f->max_code >> f->mbits) - f->bias + 2) /* units << mbits would not fit */
        return overflow_code(to, negative, 0) | sign;
    mpfr_inits2(ELEMFN_ORACLE_BITS, units, rest, (mpfr_ptr)0);
    mpfr_mul_2si(rest, y, f->mbits - e, MPFR_RNDN);
    mpfr_abs(rest, rest, MPFR_RNDN);
    mpfr_trunc(units, rest);
    mpfr_sub(rest, rest, units, MPFR_RNDN);
    uint64_t n = (uint64_t)mpfr_get_ui(units, MPFR_RNDN);
    n += (uint64_t)goes_up(to->round, negative, n, mpfr_zero_p(rest), mpfr_cmp_d(rest, 0.5));
    mpfr_clears(units, rest, (mpfr_ptr)0);
    const uint64_t code = ((uint64_t)(e - emin) << f->mbits) + n;
    return (code > f->max_code ? overflow_code(to, negative, 0) : code) | sign;
}
