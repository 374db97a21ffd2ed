/* convert_round.c - one number into one format. The number is cut at the format's last place by a shift;
 * what was cut off, the sign and the parity of the code decide whether the code goes up by one; a carry runs into
 * the exponent field by itself. No floating-point operation takes part. */
#include "convert_round.h"

/* A magnitude cut at the last place. Codes count upwards with it, so the next value has code + 1. */
typedef struct cut {
    int64_t code; /* of the value at or below; -1: below the least value of a format without zero */
    uint64_t rest; /* cut off, in units of 2^(q) of the source */
    int shift;     /* what was cut off is rest / 2^shift of a last place */
} cut;

static cut cut_at(uint64_t m, int shift)
{
    if (shift <= 0)
        return (cut){ (int64_t)(m << -shift), 0, 0 };
    if (shift >= 64)
        return (cut){ 0, m, shift };
    return (cut){ (int64_t)(m >> shift), m & fpx_low_mask(shift), shift };
}

/* The same with 64 bits more below m. Where there are any, m has its highest bit set, so that shift is positive,
 * and what was cut off is told in units of 2^-64 of a last place at least: enough for every mode. */
static cut cut_wide(uint64_t m, uint64_t low, int shift)
{
    cut k = cut_at(m, shift);

    if (low == 0)
        return k;
    if (shift >= 64) {
        k.rest |= 1;
        return k;
    }
    k.rest = k.rest << (64 - shift) | low >> shift | ((low << (64 - shift)) != 0);
    k.shift = 64;
    return k;
}

/* -1, 0, 1: rest is less than, equal to, more than half a last place. */
static int against_half(const cut *c)
{
    if (c->shift > 64)
        return -1;

    const uint64_t half = UINT64_C(1) << (c->shift - 1);
    return (c->rest > half) - (c->rest < half);
}

/* floor(nu 2^n), n <= 33, where nu < 1 is what was cut off. */
static uint64_t discarded(const cut *c, int n)
{
    const int down = c->shift - n;

    if (down >= 64)
        return 0;
    return down >= 0 ? c->rest >> down : c->rest << -down;
}

/* RNE(nu 2^n): 2^n where nu is nearly 1. */
static uint64_t discarded_rne(const cut *c, int n)
{
    const cut again = cut_at(c->rest, c->shift - n);

    if (again.rest == 0)
        return (uint64_t)again.code;
    const int half = against_half(&again);
    return (uint64_t)again.code + (half > 0 || (half == 0 && (again.code & 1) != 0));
}

static int sr_goes_up(const fpx_conversion *c, const cut *k, uint32_t random)
{
    const int n = c->sr_bits;
    const uint64_t r = random & fpx_low_mask(n);
    const uint64_t one = UINT64_C(1) << n;

    switch (c->sr_variant) {
    case FPX_SR_A:
        return discarded(k, n) + r >= one;
    case FPX_SR_B:
        return discarded(k, n + 1) + 2 * r + 1 >= 2 * one;
    default:
        return discarded_rne(k, n) + r >= one;
    }
}

/* odd: the lowest bit of the code at or below, which decides ties also where no fraction bit is stored. */
static int goes_up(const fpx_conversion *c, const cut *k, int negative, int odd, uint32_t random)
{
    if (k->rest == 0)
        return 0;
    switch (c->round) {
    case FPX_RNE: {
        const int half = against_half(k);
        return half > 0 || (half == 0 && odd);
    }
    case FPX_RNA:
        return against_half(k) >= 0;
    case FPX_RU:
        return !negative;
    case FPX_RD:
        return negative;
    case FPX_RO:
        return !odd;
    case FPX_SR:
        return sr_goes_up(c, k, random);
    default:
        return 0;
    }
}

static uint64_t sign_bit(const fpx_format *f)
{
    return (f->flags & FPX_FORMAT_UNSIGNED) != 0 ? 0 : UINT64_C(1) << (f->ebits + f->mbits);
}

/* A magnitude code with a sign, in a float format. Zero has none where the sign bit alone is NaN. */
static uint64_t with_sign(const fpx_format *f, uint64_t magnitude, int negative)
{
    const int lone = magnitude == 0 && f->specials >= FPX_SPECIALS_FNUZ;

    return negative && !lone ? magnitude | sign_bit(f) : magnitude;
}

/* The NaN that overflow makes; the format has one. */
static uint64_t made_nan(const fpx_conversion *c, int negative)
{
    const fpx_format *const f = &c->format;
    const uint64_t code = c->nan_code != 0 ? c->nan_code : f->nan_code;

    return f->specials >= FPX_SPECIALS_FNUZ ? code : with_sign(f, code, negative);
}

static uint64_t nan_of(const fpx_conversion *c, int negative)
{
    const fpx_format *const f = &c->format;

    if (c->nan == FPX_NAN_MAX)
        return with_sign(f, f->max_code, negative);
    if (f->specials == FPX_SPECIALS_NONE)
        return c->nan == FPX_NAN_ZERO ? with_sign(f, 0, !negative) : f->max_code;
    return made_nan(c, negative && c->nan != FPX_NAN_POSITIVE);
}

static int has_inf(const fpx_format *f)
{
    return f->specials == FPX_SPECIALS_IEEE || f->specials == FPX_SPECIALS_P3109;
}

/* What stands above the largest finite value; infinite: the source was Inf. In an unsigned format with Inf the
 * largest finite code is odd and that of Inf even: rounding to odd stays (IEEE P3109, 4.7.5). */
static uint64_t overflowed(const fpx_conversion *c, int negative, int infinite)
{
    const fpx_format *const f = &c->format;
    const int toward_zero =
        c->round == FPX_RZ || (c->round == FPX_RD && !negative) || (c->round == FPX_RU && negative);
    const int stays_odd = c->round == FPX_RO && has_inf(f) && (f->flags & FPX_FORMAT_UNSIGNED) != 0;

    if (c->overflow == FPX_SATFINITE || f->specials == FPX_SPECIALS_NONE ||
        (!infinite && (c->overflow == FPX_SATPROPAGATE || toward_zero || stays_odd)))
        return with_sign(f, f->max_code, negative);
    return has_inf(f) ? with_sign(f, f->max_code + 1, negative) : made_nan(c, negative);
}

/* A negative result in a format without a sign; infinite: the source was Inf. Of P3109's formats, and of others with
 * Inf, a finite one that is rounded up or toward zero is the least value, 0. */
static uint64_t below_range(const fpx_conversion *c, int infinite)
{
    const int saturates = c->overflow != FPX_OVERFLOW_NONE && c->negative != FPX_NEGATIVE_NAN;
    const int stops_at_0 = has_inf(&c->format) || c->negative == FPX_NEGATIVE_NAN;
    const int toward_zero = !infinite && (c->round == FPX_RZ || c->round == FPX_RU);

    if (saturates || (stops_at_0 && toward_zero) || c->format.specials == FPX_SPECIALS_NONE)
        return 0;
    return made_nan(c, 0);
}

/* Exponent of the least normal value: below it the last place stays where it is. */
static int least_exponent(const fpx_format *f)
{
    return ((f->flags & FPX_FORMAT_NO_ZERO) != 0 ? 0 : 1) - f->bias;
}

/* x, with unbounded exponent and top its highest bit's, rounded to precision: does it stay below 2^emin? */
static int is_tiny_after(const fpx_conversion *c, fpx_fields x, uint64_t low, int top, int emin,
                         uint32_t random)
{
    if (top >= emin || top < emin - 1)
        return top < emin;

    const int mbits = c->format.mbits;
    const cut k = cut_wide(x.m, low, top - mbits - x.q);
    const int64_t full =
        (INT64_C(2) << mbits) - 1; /* the largest significand: one more is 2^emin */
    return k.code < full || !goes_up(c, &k, x.negative, (int)(k.code & 1), random);
}

/* FPX_TEST_SOURCE: is x itself above the largest finite value? */
static int source_exceeds(const fpx_format *f, const cut *k)
{
    return (uint64_t)k->code > f->max_code || ((uint64_t)k->code == f->max_code && k->rest != 0);
}

static uint64_t round_float(const fpx_conversion *c, fpx_fields x, uint64_t low, uint32_t random,
                            unsigned *ret_raised)
{
    const fpx_format *const f = &c->format;
    const int emin = least_exponent(f);
    const int top = fpx_top_bit(x.m) + x.q;
    const int e = top > emin ? top : emin;
    const int is_unsigned = (f->flags & FPX_FORMAT_UNSIGNED) != 0;
    const int negative = x.negative && !(is_unsigned && c->negative == FPX_NEGATIVE_ABS);
    cut k = cut_wide(x.m, low, e - f->mbits - x.q);

    /* In units of the last place: below 2^mbits it is a subnormal, whose exponent field is 0; the hidden bit of a
     * normal adds 1 to the field, which a format without subnormals takes back. */
    k.code += (int64_t)(e - emin) << f->mbits;
    if ((f->flags & FPX_FORMAT_NO_ZERO) != 0)
        k.code -= INT64_C(1) << f->mbits;

    const int over_before =
        c->overflow_test == FPX_TEST_SOURCE && k.code >= 0 && source_exceeds(f, &k);
    const int64_t up = k.code + goes_up(c, &k, negative, (int)(k.code & 1), random);
    const uint64_t code = up < 0 ? 0 : (uint64_t)up;
    const int over = over_before || code > f->max_code;
    const int inexact = k.rest != 0 || over || up < 0;

    /* A negative that rounds to zero is zero, any other is not representable without a sign. */
    const int below =
        is_unsigned && negative && (code != 0 || (f->flags & FPX_FORMAT_NO_ZERO) != 0);

    if (ret_raised != NULL && below)
        *ret_raised = FPX_RAISED_INVALID;
    else if (ret_raised != NULL)
        *ret_raised = (inexact ? FPX_RAISED_INEXACT : 0u) | (over ? FPX_RAISED_OVERFLOW : 0u) |
                      (top < emin ? FPX_RAISED_TINY_BEFORE : 0u) |
                      (is_tiny_after(c, x, low, top, emin, random) ? FPX_RAISED_TINY_AFTER : 0u);
    if (is_unsigned && negative)
        return below ? below_range(c, 0) : 0;
    return over ? overflowed(c, negative, 0) : with_sign(f, code, negative);
}

/* Two's complement. Only FPX_CLASS_INT has the value below -max_code; fixed point stays even about zero. */
static uint64_t round_integer(const fpx_conversion *c, fpx_fields x, uint64_t low, uint32_t random,
                              unsigned *ret_raised)
{
    const fpx_format *const f = &c->format;
    const int last = f->cls == FPX_CLASS_FIXED ? -f->mbits : 0;
    const uint64_t limit = f->max_code + (f->cls == FPX_CLASS_INT && x.negative);
    /* From 2^63 on any value saturates; a shift must not lose its bits. */
    const int huge = x.m != 0 && fpx_top_bit(x.m) + x.q - last >= 63;
    const cut k = huge ? (cut){ INT64_MAX, 0, 0 } : cut_wide(x.m, low, last - x.q);
    const uint64_t up =
        (uint64_t)k.code + (uint64_t)goes_up(c, &k, x.negative, (int)(k.code & 1), random);
    const uint64_t magnitude = up > limit ? limit : up;

    if (ret_raised != NULL)
        *ret_raised = (k.rest != 0 || up > limit ? FPX_RAISED_INEXACT : 0u) |
                      (up > limit ? FPX_RAISED_OVERFLOW : 0u);
    return (x.negative ? UINT64_C(0) - magnitude : magnitude) & fpx_low_mask(f->bits);
}

static uint64_t round_zero(const fpx_conversion *c, int negative)
{
    const fpx_format *const f = &c->format;

    if ((f->flags & FPX_FORMAT_NO_ZERO) != 0 && c->zero == FPX_ZERO_NAN)
        return made_nan(c, negative);
    return with_sign(f, 0, negative);
}

/* What is raised where x is not finite or zero: the code cannot always say the same. */
static unsigned raised_by_special(const fpx_conversion *c, const fpx_fields *x, int below)
{
    const fpx_format *const f = &c->format;
    const int says_nan = f->specials != FPX_SPECIALS_NONE && c->nan != FPX_NAN_MAX;

    if (x->kind == FPX_KIND_NAN)
        return says_nan ? 0 : FPX_RAISED_INVALID;
    if (x->kind == FPX_KIND_INF) {
        if (below)
            return FPX_RAISED_INVALID;
        return has_inf(f) && c->overflow != FPX_SATFINITE
                   ? 0
                   : FPX_RAISED_OVERFLOW | FPX_RAISED_INEXACT;
    }
    if ((f->flags & FPX_FORMAT_NO_ZERO) == 0)
        return 0;
    return c->zero == FPX_ZERO_NAN ? FPX_RAISED_INVALID : FPX_RAISED_INEXACT;
}

uint64_t fpx_round_wide(const fpx_conversion *conversion, fpx_fields x, uint64_t low,
                        uint32_t random, unsigned *ret_raised)
{
    const fpx_format *const f = &conversion->format;
    const int ignores_sign =
        (f->flags & FPX_FORMAT_UNSIGNED) != 0 && conversion->negative == FPX_NEGATIVE_ABS;
    const int below = (f->flags & FPX_FORMAT_UNSIGNED) != 0 && x.negative && !ignores_sign;

    if (x.kind == FPX_KIND_FINITE && x.m != 0)
        return f->cls == FPX_CLASS_FLOAT ? round_float(conversion, x, low, random, ret_raised)
                                         : round_integer(conversion, x, low, random, ret_raised);
    if (ret_raised != NULL)
        *ret_raised = raised_by_special(conversion, &x, below);
    if (f->cls != FPX_CLASS_FLOAT) { /* NaN: the largest, as in any format without NaN */
        const int is_zero = x.kind == FPX_KIND_FINITE;
        const fpx_fields most = { FPX_KIND_FINITE, x.kind == FPX_KIND_INF && x.negative, 1, 63 };
        return is_zero ? 0 : round_integer(conversion, most, 0, random, NULL);
    }
    if (x.kind == FPX_KIND_NAN)
        return nan_of(conversion, x.negative);
    if (x.kind == FPX_KIND_INF)
        return below ? below_range(conversion, 1)
                     : overflowed(conversion, x.negative && !ignores_sign, 1);
    return round_zero(conversion, x.negative);
}

uint64_t fpx_round_fields(const fpx_conversion *conversion, fpx_fields x, uint32_t random,
                          unsigned *ret_raised)
{
    return fpx_round_wide(conversion, x, 0, random, ret_raised);
}

uint64_t fpx_round_integral(const fpx_conversion *conversion, fpx_fields x, uint32_t random,
                            int *ret_inexact)
{
    const cut k = cut_at(x.m, -x.q);

    *ret_inexact = k.rest != 0;
    return (uint64_t)(k.code + goes_up(conversion, &k, x.negative, (int)(k.code & 1), random));
}
