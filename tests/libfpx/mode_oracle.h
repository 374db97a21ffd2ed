/* mode_oracle.h - what a conversion must give, in every mode, from another principle than the library: the values of a
 * format's codes in rising order as float64. What lies between two of them, and how far, is exact in float64 (the
 * distance to the value below has no more bits than the number itself, the gap is a power of two), so that each
 * rounding is its definition, word for word. Parameters are written out anew, from the specifications. */
#ifndef FPX_MODE_ORACLE_H
#define FPX_MODE_ORACLE_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <fpx/convert.h>

enum { MODE_UNSIGNED = 1, MODE_NO_ZERO = 2, MODE_LONE_NAN = 4, MODE_TWOS = 8, MODE_CODES = 65536 };

typedef struct mode_spec {
    const char *name;
    int ebits, mbits, bias;
    uint32_t max, inf, nan; /* codes; inf, nan: 0 where there is none */
    int flags;              /* LONE_NAN: the sign bit alone is NaN */
} mode_spec;

/* OFP8 1.0 and Microscaling 1.0, ml_dtypes' documentation, IEEE 754, NUMERICS' table for the rest. */
static const mode_spec mode_specs[] = {
    { "e4m3", 4, 3, 7, 0x7e, 0, 0x7f, 0 },
    { "e5m2", 5, 2, 15, 0x7b, 0x7c, 0x7e, 0 },
    { "e2m1", 2, 1, 1, 0x7, 0, 0, 0 },
    { "e4m3fnuz", 4, 3, 8, 0x7f, 0, 0x80, MODE_LONE_NAN },
    { "e8m0", 8, 0, 127, 0xfe, 0, 0xff, MODE_UNSIGNED | MODE_NO_ZERO },
    { "e5m2fnuz", 5, 2, 16, 0x7f, 0, 0x80, MODE_LONE_NAN },
    { "e4m3b11fnuz", 4, 3, 11, 0x7f, 0, 0x80, MODE_LONE_NAN },
    { "e3m4", 3, 4, 3, 0x6f, 0x70, 0x78, 0 },
    { "ieee_e4m3", 4, 3, 7, 0x77, 0x78, 0x7c, 0 },
    { "e5m6", 5, 6, 15, 0x7bf, 0x7c0, 0x7e0, 0 },
    { "e3m2", 3, 2, 3, 0x1f, 0, 0, 0 },
    { "e2m3", 2, 3, 1, 0x1f, 0, 0, 0 },
    { "e1m2", 1, 2, -1, 0x7, 0, 0, 0 },
    { "mxint8", 0, 7, 0, 0x7f, 0, 0, MODE_TWOS },
    { "ue4m3", 4, 3, 7, 0x7e, 0, 0x7f, MODE_UNSIGNED },
    { "ue5m3", 5, 3, 15, 0xfe, 0, 0xff, MODE_UNSIGNED },
    { "bf16", 8, 7, 127, 0x7f7f, 0x7f80, 0x7fc0, 0 },
    { "fp16", 5, 10, 15, 0x7bff, 0x7c00, 0x7e00, 0 },
    /* P3109: bias 2^(K-P-1), unsigned 2^(K-P); NaN 2^(K-1), unsigned 2^K - 1; Inf just below the end. */
    { "binary8p1se", 7, 0, 64, 0x7e, 0x7f, 0x80, MODE_LONE_NAN },
    { "binary8p2se", 6, 1, 32, 0x7e, 0x7f, 0x80, MODE_LONE_NAN },
    { "binary8p3se", 5, 2, 16, 0x7e, 0x7f, 0x80, MODE_LONE_NAN },
    { "binary8p4se", 4, 3, 8, 0x7e, 0x7f, 0x80, MODE_LONE_NAN },
    { "binary8p5se", 3, 4, 4, 0x7e, 0x7f, 0x80, MODE_LONE_NAN },
    { "binary8p6se", 2, 5, 2, 0x7e, 0x7f, 0x80, MODE_LONE_NAN },
    { "binary8p7se", 1, 6, 1, 0x7e, 0x7f, 0x80, MODE_LONE_NAN },
    { "binary8p1uf", 8, 0, 128, 0xfe, 0, 0xff, MODE_UNSIGNED },
    { "binary6p3ue", 4, 2, 8, 0x3d, 0x3e, 0x3f, MODE_UNSIGNED },
    { "binary5p2sf", 3, 1, 4, 0xf, 0, 0x10, MODE_LONE_NAN },
    /* One's own: no fraction, no exponent field. */
    { "e4m0finite", 4, 0, 7, 0xf, 0, 0, 0 },
    { "e5m9b20fn", 5, 9, 20, 0x3ffe, 0, 0x3fff, 0 },
};

enum { MODE_FORMATS = sizeof mode_specs / sizeof mode_specs[0] };

typedef struct mode_oracle {
    const mode_spec *spec;
    fpx_format format;
    uint32_t sign;                /* the sign bit; 0: none */
    double value[MODE_CODES + 1]; /* of magnitudes 0 .. max, and one more step of the grid */
} mode_oracle;

static inline void mode_oracle_init(mode_oracle *o, const mode_spec *s)
{
    o->spec = s;
    if (fpx_format_parse(s->name, &o->format, NULL) != FPX_OK)
        abort();
    o->sign = (s->flags & MODE_UNSIGNED) != 0 ? 0 : 1u << (s->ebits + s->mbits);
    for (uint32_t c = 0; c <= s->max + 1; c++) {
        const uint32_t e = c >> s->mbits;
        const double t = (double)(c & ((1u << s->mbits) - 1));
        const int is_sub = e == 0 && (s->flags & MODE_NO_ZERO) == 0;
        if ((s->flags & MODE_TWOS) != 0)
            o->value[c] = (double)c / 64; /* 64ths */
        else
            o->value[c] = is_sub ? ldexp(t, 1 - s->bias - s->mbits)
                                 : ldexp(1.0 + ldexp(t, -s->mbits), (int)e - s->bias);
    }
}

/* The largest code whose value is x or below; max + 1 at most. x >= value[0]. */
static inline uint32_t mode_below(const mode_oracle *o, double x)
{
    uint32_t low = 0;
    uint32_t high = o->spec->max + 1;

    while (low < high) {
        const uint32_t middle = low + (high - low + 1) / 2;
        if (o->value[middle] <= x)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* In how many of the 2^n words of random bits a discarded part nu goes up: those R with R >= 2^n - count. From the
 * definitions A, B, C. */
static inline uint64_t mode_sr_count(int variant, double nu, int n)
{
    const double t = ldexp(nu, n);
    const double whole = floor(t);
    const double part = t - whole;

    if (variant == FPX_SR_A)
        return (uint64_t)whole;
    if (variant == FPX_SR_B) /* t + R + 1/2 >= 2^n */
        return (uint64_t)whole + (part >= 0.5);
    return (uint64_t)whole + (part > 0.5 || (part == 0.5 && fmod(whole, 2.0) != 0));
}

/* x's magnitude as a code, max + 1 for all that is above. */
static inline uint32_t mode_magnitude(const mode_oracle *o, const fpx_conversion *c, double x,
                                      int negative, uint32_t random)
{
    if (x < o->value[0])
        return 0; /* a format without zero: nothing lies below its least */
    const uint32_t lo = mode_below(o, x);
    if (lo > o->spec->max || o->value[lo] == x)
        return lo;

    const double nu = (x - o->value[lo]) / (o->value[lo + 1] - o->value[lo]);
    const int n = c->sr_bits;
    const uint64_t r = c->round == FPX_SR ? random & ((UINT64_C(1) << n) - 1) : 0;
    int up = 0;
    switch (c->round) {
    case FPX_RNE:
        up = nu > 0.5 || (nu == 0.5 && lo % 2 == 1);
        break;
    case FPX_RNA:
        up = nu >= 0.5;
        break;
    case FPX_RZ:
        up = 0;
        break;
    case FPX_RU:
        up = !negative;
        break;
    case FPX_RD:
        up = negative;
        break;
    case FPX_RO:
        up = lo % 2 == 0;
        break;
    default:
        up = r >= (UINT64_C(1) << n) - mode_sr_count(c->sr_variant, nu, n);
        break;
    }
    return lo + (uint32_t)up;
}

static inline uint32_t mode_signed(const mode_oracle *o, uint32_t magnitude, int negative)
{
    if ((o->spec->flags & MODE_TWOS) != 0)
        return (negative ? 0 - magnitude : magnitude) & 0xff;
    if (magnitude == 0 && (o->spec->flags & MODE_LONE_NAN) != 0)
        return 0;
    return negative ? magnitude | o->sign : magnitude;
}

/* The NaN that overflow, a negative or zero makes; the format has one. */
static inline uint32_t mode_made_nan(const mode_oracle *o, const fpx_conversion *c, int negative)
{
    if ((o->spec->flags & MODE_LONE_NAN) != 0)
        return o->spec->nan;
    return mode_signed(o, c->nan_code != 0 ? (uint32_t)c->nan_code : o->spec->nan, negative);
}

static inline uint32_t mode_nan(const mode_oracle *o, const fpx_conversion *c, int negative)
{
    const mode_spec *const s = o->spec;

    if ((s->flags & MODE_TWOS) != 0)
        return s->max;
    if (c->nan == FPX_NAN_MAX)
        return mode_signed(o, s->max, negative);
    if (s->nan == 0)
        return c->nan == FPX_NAN_ZERO ? mode_signed(o, 0, !negative) : s->max;
    return mode_made_nan(o, c, negative && c->nan != FPX_NAN_POSITIVE);
}

static inline uint32_t mode_over(const mode_oracle *o, const fpx_conversion *c, int negative,
                                 int is_inf)
{
    const mode_spec *const s = o->spec;
    const uint32_t max = mode_signed(o, s->max, negative);
    const uint32_t inf = s->inf != 0   ? mode_signed(o, s->inf, negative)
                         : s->nan != 0 ? mode_made_nan(o, c, negative)
                                       : max;

    if (c->overflow == FPX_SATFINITE)
        return max;
    if (is_inf)
        return inf;
    if (c->overflow == FPX_SATPROPAGATE || c->round == FPX_RZ ||
        (c->round == FPX_RD && !negative) || (c->round == FPX_RU && negative))
        return max;
    if (c->round == FPX_RO && (s->flags & MODE_UNSIGNED) != 0 &&
        s->inf != 0) /* IEEE P3109, 4.7.5 */
        return max;
    return inf;
}

static inline uint32_t mode_below_zero(const mode_oracle *o, const fpx_conversion *c, int is_inf)
{
    const int p3109 = o->spec->inf != 0 || c->negative == FPX_NEGATIVE_NAN;
    const int to_nan = c->overflow == FPX_OVERFLOW_NONE || c->negative == FPX_NEGATIVE_NAN;

    if (p3109 && !is_inf && (c->round == FPX_RZ || c->round == FPX_RU)) /* 4.7.5 */
        return 0;
    return to_nan && o->spec->nan != 0 ? mode_made_nan(o, c, 0) : 0;
}

static inline uint32_t mode_encode(const mode_oracle *o, const fpx_conversion *c, double x,
                                   uint32_t random)
{
    const mode_spec *const s = o->spec;
    const int is_unsigned = (s->flags & MODE_UNSIGNED) != 0;
    const int has_zero = (s->flags & MODE_NO_ZERO) == 0;
    const int negative = signbit(x) && !(is_unsigned && c->negative == FPX_NEGATIVE_ABS);
    const double a = fabs(x);

    if (isnan(x))
        return mode_nan(o, c, signbit(x) != 0);
    if (a == 0)
        return !has_zero && c->zero == FPX_ZERO_NAN ? mode_made_nan(o, c, negative)
                                                    : mode_signed(o, 0, negative);
    if (isinf(x))
        return is_unsigned && negative ? mode_below_zero(o, c, 1) : mode_over(o, c, negative, 1);

    const uint32_t magnitude = mode_magnitude(o, c, a, negative, random);
    if (is_unsigned && negative)
        return magnitude == 0 && has_zero ? 0 : mode_below_zero(o, c, 0);
    const int over =
        magnitude > s->max || (c->overflow_test == FPX_TEST_SOURCE && a > o->value[s->max]);
    if ((s->flags & MODE_TWOS) != 0)
        return mode_signed(o, magnitude > s->max ? s->max : magnitude, negative);
    return over ? mode_over(o, c, negative, 0) : mode_signed(o, magnitude, negative);
}

/* FPX_TEST_EFFORT: 1 by default, larger looks at more. */
static inline uint32_t mode_effort(void)
{
    const char *const text = getenv("FPX_TEST_EFFORT");
    const long effort = text == NULL ? 1 : strtol(text, NULL, 10);

    return effort < 1 ? 1 : (uint32_t)effort;
}

#endif /* FPX_MODE_ORACLE_H */
