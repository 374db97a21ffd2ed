/* arith_oracle.h - what arithmetic on codes must give, from another principle than the library's: MPFR computes the
 * result, truncated to 300 bits with its ternary value, and the code is found by bisection over the format's
 * grid, every comparison with a grid point or a midpoint being exact. Policies are written out anew. */
#ifndef FPX_ARITH_ORACLE_H
#define FPX_ARITH_ORACLE_H

#include <check.h>
#include <math.h>
#include <mpfr.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <fpx/arith.h>

enum { ORACLE_BITS = 300, DETERMINISTIC = 6 }; /* RNE, RNA, RZ, RU, RD, RO */

typedef struct oracle {
    mpfr_t x[3]; /* operands */
    mpfr_t v;    /* the result truncated: NaN, Inf, zero with its sign too */
    int rest;    /* 1: the exact result is beyond v, away from zero */
    int negative;
    unsigned flags; /* of the operation, before rounding */
    mpfr_t abs;
} oracle;

static inline void oracle_init(oracle *o)
{
    for (int i = 0; i < 3; i++)
        mpfr_init2(o->x[i], 64);
    mpfr_init2(o->v, ORACLE_BITS);
    mpfr_init2(o->abs, ORACLE_BITS);
}

static inline void oracle_clear(oracle *o)
{
    for (int i = 0; i < 3; i++)
        mpfr_clear(o->x[i]);
    mpfr_clear(o->v);
    mpfr_clear(o->abs);
    mpfr_free_cache();
}

/* splitmix64 */
static inline uint64_t oracle_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline int oracle_is_signless(const fpx_format *f)
{
    return f->cls != FPX_CLASS_FLOAT || (f->flags & FPX_FORMAT_UNSIGNED) != 0 ||
           f->specials == FPX_SPECIALS_FNUZ || f->specials == FPX_SPECIALS_P3109;
}

/* NaN with the quiet bit clear, in IEEE 754's own formats. */
static inline int oracle_is_signaling(const fpx_format *f, uint64_t code)
{
    static const struct {
        const fpx_format *format;
        uint64_t infinity, quiet;
    } wide[] = {
        { &fpx_fp16, 0x7c00, 0x200 },
        { &fpx_bf16, 0x7f80, 0x40 },
        { &fpx_tf32, 0x3fc00, 0x200 },
        { &fpx_fp32, 0x7f800000, 0x400000 },
        { &fpx_fp64, UINT64_C(0x7ff0000000000000), UINT64_C(0x8000000000000) },
    };

    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        const uint64_t all = wide[i].infinity | (wide[i].quiet * 2 - 1);
        if (fpx_format_equal(f, wide[i].format))
            return (code & all) > wide[i].infinity && (code & wide[i].quiet) == 0;
    }
    return 0;
}

/* Minimum and maximum of 754-2019, numbers preferred or not, from float64 values. */
static inline double oracle_extreme(double a, double b, int greater, int prefers_number)
{
    if (isnan(a) || isnan(b))
        return prefers_number && !(isnan(a) && isnan(b)) ? (isnan(a) ? b : a) : isnan(a) ? a : b;
    if (a == b)
        return (signbit(a) != 0) != greater ? a : b;
    return (a < b) != greater ? a : b;
}

static inline void oracle_to_integral(oracle *o, int round)
{
    switch (round) {
    case FPX_RNE:
        mpfr_roundeven(o->v, o->x[0]);
        break;
    case FPX_RNA:
        mpfr_round(o->v, o->x[0]);
        break;
    case FPX_RU:
        mpfr_ceil(o->v, o->x[0]);
        break;
    case FPX_RD:
        mpfr_floor(o->v, o->x[0]);
        break;
    default:
        mpfr_trunc(o->v, o->x[0]);
        break;
    }
    const int exact = mpfr_equal_p(o->v, o->x[0]) || mpfr_nan_p(o->v);
    if (!exact)
        o->flags |= FPX_FLAG_INEXACT;
    if (!exact && round == FPX_RO) {
        mpfr_div_2ui(o->abs, o->v, 1, MPFR_RNDZ);
        if (mpfr_integer_p(o->abs)) {
            if (mpfr_sgn(o->x[0]) < 0)
                mpfr_sub_ui(o->v, o->v, 1, MPFR_RNDZ);
            else
                mpfr_add_ui(o->v, o->v, 1, MPFR_RNDZ);
        }
    }
}

static inline int oracle_apply(oracle *o, fpx_arith_op op, const double *d, mpfr_rnd_t rnd,
                               int round)
{
    mpfr_t *const x = o->x;

    switch (op) {
    case FPX_ARITH_ADD:
        return mpfr_add(o->v, x[0], x[1], rnd);
    case FPX_ARITH_SUB:
        return mpfr_sub(o->v, x[0], x[1], rnd);
    case FPX_ARITH_MUL:
        return mpfr_mul(o->v, x[0], x[1], rnd);
    case FPX_ARITH_DIV:
        return mpfr_div(o->v, x[0], x[1], rnd);
    case FPX_ARITH_SQRT:
        return mpfr_sqrt(o->v, x[0], rnd);
    case FPX_ARITH_FMA:
        return mpfr_fma(o->v, x[0], x[1], x[2], rnd);
    case FPX_ARITH_REMAINDER:
        return mpfr_remainder(o->v, x[0], x[1], rnd);
    case FPX_ARITH_FMOD:
        return mpfr_fmod(o->v, x[0], x[1], rnd);
    case FPX_ARITH_MINIMUM:
    case FPX_ARITH_MAXIMUM:
        return mpfr_set_d(o->v, oracle_extreme(d[0], d[1], op == FPX_ARITH_MAXIMUM, 0), rnd);
    case FPX_ARITH_MINIMUM_NUMBER:
    case FPX_ARITH_MAXIMUM_NUMBER:
        return mpfr_set_d(o->v, oracle_extreme(d[0], d[1], op == FPX_ARITH_MAXIMUM_NUMBER, 1), rnd);
    case FPX_ARITH_INTEGRAL:
        oracle_to_integral(o, round);
        return 0;
    default:
        return mpfr_set(o->v, x[0], rnd);
    }
}

/* Division of a number by zero. */
static inline void oracle_pole(oracle *o, double dividend, const fpx_format *divisor)
{
    const int is_pole = isfinite(dividend) && dividend != 0.0;

    o->flags |= is_pole ? FPX_FLAG_DIVIDE_BY_ZERO : 0;
    if (oracle_is_signless(divisor)) {
        mpfr_set_nan(o->v);
        o->flags |= is_pole ? 0 : FPX_FLAG_INVALID;
    }
}

/* The exact result of an operation; round matters for the sign of an exact zero and for INTEGRAL. */
static inline void oracle_compute(oracle *o, fpx_arith_op op, const fpx_format *const *formats,
                                  const uint64_t *codes, int round)
{
    const int arity = fpx_arith_arity(op);
    double d[3] = { 0.0, 0.0, 0.0 };
    int nan_at = -1;

    o->flags = 0;
    for (int i = arity; i-- > 0;) {
        d[i] = fpx_format_value(formats[i], codes[i]);
        mpfr_set_d(o->x[i], d[i], MPFR_RNDN);
        nan_at = isnan(d[i]) ? i : nan_at;
        if (oracle_is_signaling(formats[i], codes[i]))
            o->flags |= FPX_FLAG_INVALID;
    }
    o->rest = oracle_apply(o, op, d, MPFR_RNDZ, round) != 0;
    if (op == FPX_ARITH_DIV && nan_at < 0 && d[1] == 0.0)
        oracle_pole(o, d[0], formats[1]);
    if (mpfr_nan_p(o->v) && nan_at < 0 && (o->flags & FPX_FLAG_DIVIDE_BY_ZERO) == 0)
        o->flags |= FPX_FLAG_INVALID;
    if (mpfr_zero_p(o->v) && round == FPX_RD && op <= FPX_ARITH_FMA)
        (void)oracle_apply(o, op, d, MPFR_RNDD, round);
    o->negative =
        mpfr_nan_p(o->v) ? nan_at >= 0 && signbit(d[nan_at]) != 0 : mpfr_signbit(o->v) != 0;
    mpfr_abs(o->abs, o->v, MPFR_RNDZ);
}

/* Where the magnitude lies on a format's grid. */
typedef struct place {
    int64_t low; /* the largest code at or below it; -1: below all; max_code + 1 at most */
    int half;    /* against the middle to the next code: -1, 0, 1 */
    int exact;
} place;

/* |result| against n 2^e. */
static inline int oracle_against(const oracle *o, uint64_t n, int e)
{
    const int order = mpfr_cmp_ui_2exp(o->abs, n, e);

    return order == 0 && o->rest ? 1 : order;
}

/* A magnitude code is n 2^e; also the one above max_code, as if the grid went on. */
static inline uint64_t oracle_grid(const fpx_format *f, uint64_t code, int *ret_e)
{
    const uint64_t one = UINT64_C(1) << f->mbits;
    const int field = (int)(code >> f->mbits);

    if (f->cls == FPX_CLASS_FIXED) {
        *ret_e = -f->mbits;
        return code;
    }
    if ((f->flags & FPX_FORMAT_NO_ZERO) != 0 || field > 0) {
        *ret_e = field - f->bias - f->mbits;
        return (code & (one - 1)) + one;
    }
    *ret_e = 1 - f->bias - f->mbits;
    return code;
}

static inline place oracle_place(const oracle *o, const fpx_format *f)
{
    int64_t low = -1;
    int64_t high = (int64_t)f->max_code + 2; /* low <= the answer < high */
    int e = 0;

    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        const uint64_t n = oracle_grid(f, (uint64_t)middle, &e);
        if (oracle_against(o, n, e) >= 0)
            low = middle;
        else
            high = middle;
    }
    if (low < 0)
        return (place){ -1, 1, 0 };
    const uint64_t n = oracle_grid(f, (uint64_t)low, &e);
    return (place){ low, oracle_against(o, 2 * n + 1, e - 1), oracle_against(o, n, e) == 0 };
}

static inline int oracle_goes_up(const place *p, int round, int negative)
{
    if (p->exact)
        return 0;
    switch (round) {
    case FPX_RNE:
        return p->half > 0 || (p->half == 0 && (p->low & 1) != 0);
    case FPX_RNA:
        return p->half >= 0;
    case FPX_RU:
        return !negative;
    case FPX_RD:
        return negative;
    case FPX_RO:
        return (p->low & 1) == 0;
    default:
        return 0;
    }
}

/* Underflow flags of an inexact result. With unbounded exponent the numbers below the least normal 2^emin end at
 * 2^emin - u, u = 2^(emin - precision), whose significand is odd. */
static inline unsigned oracle_tiny(const oracle *o, const fpx_format *f, int round, int negative)
{
    const int emin = ((f->flags & FPX_FORMAT_NO_ZERO) != 0 ? 0 : 1) - f->bias;
    const uint64_t steps = UINT64_C(2) << f->mbits; /* 2^emin in u */
    const int u = emin - f->mbits - 1;
    int stays = 1;

    if (f->cls == FPX_CLASS_FIXED || oracle_against(o, 1, emin) >= 0)
        return 0;
    if (round == FPX_RNE || round == FPX_RNA)
        stays = oracle_against(o, 2 * steps - 1, u - 1) < 0;
    else if (round == (negative ? FPX_RD : FPX_RU))
        stays = oracle_against(o, steps - 1, u) <= 0;
    return FPX_FLAG_UNDERFLOW_BEFORE | (stays ? FPX_FLAG_UNDERFLOW_AFTER : 0u);
}

static inline uint64_t oracle_signed(const fpx_format *f, uint64_t magnitude, int negative)
{
    if (f->cls == FPX_CLASS_FIXED)
        return (negative ? UINT64_C(0) - magnitude : magnitude) & ((UINT64_C(1) << f->bits) - 1);
    if (!negative || (f->flags & FPX_FORMAT_UNSIGNED) != 0 ||
        (magnitude == 0 && oracle_is_signless(f)))
        return magnitude;
    return magnitude | UINT64_C(1) << (f->bits - 1);
}

/* FPX_NAN_SIGNED. */
static inline uint64_t oracle_nan(const fpx_format *f, int negative, unsigned *flags)
{
    if (f->specials == FPX_SPECIALS_NONE) {
        *flags |= FPX_FLAG_INVALID;
        return f->max_code;
    }
    if (f->specials == FPX_SPECIALS_FNUZ || f->specials == FPX_SPECIALS_P3109)
        return f->nan_code;
    return oracle_signed(f, f->nan_code, negative);
}

/* What an unsigned format makes of a negative that is not zero. */
static inline uint64_t oracle_below(const fpx_format *f, int overflow, int stays, unsigned *flags)
{
    *flags |= FPX_FLAG_INVALID;
    if (stays && (f->specials == FPX_SPECIALS_IEEE || f->specials == FPX_SPECIALS_P3109))
        return 0;
    return overflow == FPX_OVERFLOW_NONE && f->specials != FPX_SPECIALS_NONE ? f->nan_code : 0;
}

static inline uint64_t oracle_overflow(const fpx_format *f, const fpx_conversion *c, int negative,
                                       int infinite)
{
    const int toward_zero = c->round == FPX_RZ || c->round == (negative ? FPX_RU : FPX_RD);
    const int infinity = f->specials == FPX_SPECIALS_IEEE || f->specials == FPX_SPECIALS_P3109;
    const int odd = c->round == FPX_RO && infinity && (f->flags & FPX_FORMAT_UNSIGNED) != 0;
    unsigned unused = 0;

    if (c->overflow == FPX_SATFINITE || f->specials == FPX_SPECIALS_NONE ||
        (!infinite && (c->overflow == FPX_SATPROPAGATE || toward_zero || odd)))
        return oracle_signed(f, f->max_code, negative);
    return infinity ? oracle_signed(f, f->max_code + 1, negative)
                    : oracle_nan(f, negative, &unused);
}

/* The code and flags of what oracle_compute left, placed by oracle_place where it is finite and not zero. */
static inline uint64_t oracle_code(const oracle *o, const place *p, const fpx_conversion *c,
                                   unsigned *ret_flags)
{
    const fpx_format *const f = &c->format;
    const int below = (f->flags & FPX_FORMAT_UNSIGNED) != 0 && o->negative;
    const int no_zero = (f->flags & FPX_FORMAT_NO_ZERO) != 0;

    *ret_flags = o->flags;
    if (mpfr_nan_p(o->v))
        return oracle_nan(f, o->negative, ret_flags);
    if (mpfr_inf_p(o->v)) {
        if (below)
            return oracle_below(f, c->overflow, 0, ret_flags);
        const uint64_t code = oracle_overflow(f, c, o->negative, 1);
        if (!isinf(fpx_format_value(f, code)))
            *ret_flags |= FPX_FLAG_OVERFLOW | FPX_FLAG_INEXACT;
        return code;
    }
    if (mpfr_zero_p(o->v)) {
        *ret_flags |= no_zero ? FPX_FLAG_INEXACT : 0;
        return oracle_signed(f, 0, o->negative);
    }
    const int64_t code = p->low + oracle_goes_up(p, c->round, o->negative);
    if (below && (code != 0 || no_zero)) /* IEEE P3109, 4.7.5: the least value for RZ and RU */
        return oracle_below(f, c->overflow, c->round == FPX_RZ || c->round == FPX_RU, ret_flags);
    if (!p->exact)
        *ret_flags |= FPX_FLAG_INEXACT | oracle_tiny(o, f, c->round, o->negative);
    if (code > (int64_t)f->max_code) {
        *ret_flags |= FPX_FLAG_OVERFLOW | FPX_FLAG_INEXACT;
        return oracle_overflow(f, c, o->negative, 0);
    }
    return oracle_signed(f, code < 0 ? 0 : (uint64_t)code, o->negative);
}

static inline void oracle_fail(fpx_arith_op op, const fpx_conversion *c,
                               const fpx_format *const *formats, const uint64_t *codes,
                               uint64_t got, unsigned got_flags, uint64_t want, unsigned want_flags)
{
    const int arity = fpx_arith_arity(op);
    char text[200] = "";
    size_t at = 0;

    for (int i = 0; i < arity && i < 3; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, " %s 0x%llx", formats[i]->name,
                               (unsigned long long)codes[i]);
    ck_abort_msg("%s%s -> %s round %d overflow %d: 0x%llx flags 0x%x, should be 0x%llx flags 0x%x",
                 fpx_arith_name(op), text, c->format.name, c->round, c->overflow,
                 (unsigned long long)got, got_flags, (unsigned long long)want, want_flags);
}

/* One operation on these operands in every deterministic rounding, with the overflow policies of a bit mask. */
static inline void oracle_check(oracle *o, fpx_arith_op op, const fpx_format *to,
                                const fpx_format *const *formats, const uint64_t *codes,
                                unsigned overflows)
{
    place p = { 0, 0, 1 };

    for (int round = 0; round < DETERMINISTIC; round++) {
        const int again = round == 0 || op == FPX_ARITH_INTEGRAL ||
                          ((round == FPX_RD || round == FPX_RD + 1) && mpfr_zero_p(o->v));
        if (again) {
            oracle_compute(o, op, formats, codes, round);
            if (mpfr_regular_p(o->v))
                p = oracle_place(o, to);
        }
        for (int overflow = 0; overflow <= FPX_OVERFLOW_NONE; overflow++) {
            const fpx_conversion c = { .format = *to,
                                       .round = (uint8_t)round,
                                       .overflow = (uint8_t)overflow };
            uint64_t got = 0;
            unsigned got_flags = 0;
            unsigned want_flags = 0;
            if ((overflows >> overflow & 1) == 0)
                continue;
            const uint64_t want = oracle_code(o, &p, &c, &want_flags);
            if (fpx_arith(op, &c, formats, codes, 0, &got, &got_flags) != FPX_OK)
                ck_abort_msg("%s refused", fpx_arith_name(op));
            if (got != want || got_flags != want_flags)
                oracle_fail(op, &c, formats, codes, got, got_flags, want, want_flags);
        }
    }
}

/* Every step-th of all operand tuples of a format's codes, from `first` on, into `to`. */
static inline uint64_t oracle_sweep(oracle *o, fpx_arith_op op, const fpx_format *to,
                                    const fpx_format *const *formats, uint64_t first, uint64_t step,
                                    unsigned overflows)
{
    const int arity = fpx_arith_arity(op);
    int width = 0;
    uint64_t count = 0;

    for (int i = 0; i < arity && i < 3; i++)
        width += formats[i]->bits;
    for (uint64_t all = first; all < UINT64_C(1) << width; all += step, count++) {
        uint64_t codes[3] = { 0, 0, 0 };
        uint64_t left = all;
        for (int i = 0; i < arity && i < 3; i++) {
            codes[i] = left & ((UINT64_C(1) << formats[i]->bits) - 1);
            left >>= formats[i]->bits;
        }
        oracle_check(o, op, to, formats, codes, overflows);
    }
    return count;
}

/* Formats of at most 8 bits: the table's, and one of each kind of P3109's. */
static inline int oracle_small_format(size_t i, fpx_format *ret_format)
{
    static const char *const more[] = { "binary8p1se", "binary8p3se", "binary8p4sf", "binary8p4ue",
                                        "binary8p5uf", "binary6p3se", "binary4p2sf", "e3m3fn",
                                        "e2m3ieee",    "ue3m3ieee",   "ue4m2finite" };
    const size_t length = sizeof more / sizeof more[0];
    size_t seen = 0;

    for (size_t k = 0; fpx_format_at(k) != NULL; k++) {
        if (fpx_format_at(k)->bits <= 8 && seen++ == i) {
            *ret_format = *fpx_format_at(k);
            return 1;
        }
    }
    if (i - seen >= length)
        return 0;
    ck_assert_int_eq(fpx_format_parse(more[i - seen], ret_format, NULL), FPX_OK);
    return 1;
}

static inline uint64_t oracle_effort(void)
{
    const char *const text = getenv("FPX_TEST_EFFORT");
    const long value = text != NULL ? strtol(text, NULL, 10) : 1;

    return value > 0 ? (uint64_t)value : 1;
}

#endif /* FPX_ARITH_ORACLE_H */
