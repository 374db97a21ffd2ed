/* arith_wide.h - operands for formats too wide to be tried in full (edge classes, all pairs of them, and seeded
 * random codes that meet within a few exponents), and integers, judged by arith_oracle.h. */
#ifndef FPX_ARITH_WIDE_H
#define FPX_ARITH_WIDE_H

#include "arith_oracle.h"

static const fpx_format *const wide_formats_list[] = { &fpx_e5m6, &fpx_fp16, &fpx_bf16,
                                                       &fpx_tf32, &fpx_fp32, &fpx_fp64 };

enum { WIDE_FORMATS = sizeof wide_formats_list / sizeof wide_formats_list[0], WIDE_EDGES = 24 };

/* All pairs of edges, with either sign of both. */
#define WIDE_PAIRS (UINT64_C(4) * WIDE_EDGES * WIDE_EDGES)

/* Zero, ends of the subnormals and normals, Inf, NaN of both kinds, numbers about 1. */
static inline uint64_t wide_edge(const fpx_format *f, uint64_t i)
{
    const uint64_t hidden = UINT64_C(1) << f->mbits;
    const uint64_t one = (uint64_t)f->bias << f->mbits;
    const uint64_t edges[WIDE_EDGES] = { 0,
                                         1,
                                         2,
                                         3,
                                         hidden / 2,
                                         hidden - 1,
                                         hidden,
                                         hidden + 1,
                                         2 * hidden - 1,
                                         2 * hidden,
                                         one - hidden,
                                         one - 1,
                                         one,
                                         one + 1,
                                         one + hidden / 2,
                                         one + hidden - 1,
                                         one + 2 * hidden + 1,
                                         one / 2,
                                         f->max_code - hidden,
                                         f->max_code - 1,
                                         f->max_code,
                                         f->max_code + 1,
                                         f->max_code + 2,
                                         f->nan_code };

    return edges[i % WIDE_EDGES] & ((UINT64_C(1) << (f->ebits + f->mbits)) - 1);
}

static inline uint64_t wide_random(const fpx_format *f, uint64_t *state)
{
    const uint64_t r = oracle_random(state);
    const uint64_t all = f->bits == 64 ? UINT64_MAX : (UINT64_C(1) << f->bits) - 1;
    const uint64_t sign = (r >> 63) << (f->bits - 1);
    const uint64_t hidden = UINT64_C(1) << f->mbits;
    const uint64_t fraction = r & (hidden - 1);
    const uint64_t few = (r >> 55 & 7) << (f->mbits > 3 ? f->mbits - 3 : 0) & (hidden - 1);
    const int field = f->bias - 4 + (int)(r >> 56 & 7);
    const uint64_t near = field > 0 ? (uint64_t)field << f->mbits : 0;

    switch (r >> 60 & 7) {
    case 0:
        return (sign | wide_edge(f, r & 0xff)) & all;
    case 1:
        return (sign | near | few) & all;
    case 2:
    case 3:
    case 4:
        return (sign | near | fraction) & all;
    case 5: /* about the least normal: underflow */
        return (sign | (r >> 50 & 3) << f->mbits | fraction) & all;
    default:
        return r & all;
    }
}

/* Edge pairs with both signs (for three operands in turn), then random ones, into f. */
static inline void wide_check(oracle *o, fpx_arith_op op, const fpx_format *f,
                              const fpx_format *const *formats, uint64_t *state, uint64_t count)
{
    uint64_t codes[3] = { 0, 0, 0 };

    for (uint64_t i = 0; i < WIDE_PAIRS; i++) {
        codes[0] = wide_edge(formats[0], i) | (i & 1) << (formats[0]->bits - 1);
        codes[1] = wide_edge(formats[1], i / WIDE_EDGES) | (uint64_t)(i >= WIDE_PAIRS / 2)
                                                               << (formats[1]->bits - 1);
        codes[2] = wide_random(formats[2], state);
        oracle_check(o, op, f, formats, codes, 4);
    }
    for (uint64_t i = 0; i < count; i++) {
        for (int k = 0; k < 3; k++)
            codes[k] = wide_random(formats[k], state);
        oracle_check(o, op, f, formats, codes, 1u << i % 3);
    }
}

/* A double next to an integer of any size, or to an integer and a half. */
static inline uint64_t wide_random_near_integer(uint64_t *state)
{
    const uint64_t r = oracle_random(state);
    const double whole = (double)(oracle_random(state) >> (r & 63));
    const double x = r >> 6 & 1 ? whole + 0.5 : whole;
    uint64_t code;

    memcpy(&code, &x, sizeof code);
    return ((code + (r >> 7 & 3)) - 1) ^ (r >> 63) << 63;
}

static const struct {
    int is_signed, bits;
} wide_integers[FPX_INTEGERS] = { { 1, 32 }, { 0, 32 }, { 1, 64 }, { 0, 64 } };

/* One comparison of an integer conversion. */
static inline void wide_integer_verdict(const char *way, const fpx_format *f, uint64_t input,
                                        int type, int round, uint64_t got, unsigned got_flags,
                                        uint64_t want, unsigned want_flags)
{
    if (got != want || got_flags != want_flags)
        ck_abort_msg("%s %s: 0x%llx, integer type %d, round %d: 0x%llx flags 0x%x, should be "
                     "0x%llx flags 0x%x",
                     way, f->name, (unsigned long long)input, type, round, (unsigned long long)got,
                     got_flags, (unsigned long long)want, want_flags);
}

/* The integer that o->v rounded to an integer is, or what stands for it. */
static inline uint64_t wide_integer_of(const oracle *o, fpx_integer type, unsigned *ret_flags)
{
    const int is_signed = wide_integers[type].is_signed;
    const uint64_t top = UINT64_MAX >> (64 - wide_integers[type].bits + is_signed);
    const uint64_t bottom = is_signed ? ~top : 0;

    *ret_flags = FPX_FLAG_INVALID;
    if (mpfr_nan_p(o->v))
        return 0;
    if (mpfr_cmp_ui(o->v, top) > 0)
        return top;
    if (mpfr_cmp_si(o->v, (long)bottom) < 0)
        return bottom;
    *ret_flags = o->flags;
    return mpfr_sgn(o->v) < 0 ? (uint64_t)mpfr_get_si(o->v, MPFR_RNDN)
                              : mpfr_get_ui(o->v, MPFR_RNDN);
}

static inline void wide_check_to_integer(oracle *o, const fpx_format *f, uint64_t code)
{
    for (int round = 0; round < DETERMINISTIC; round++) {
        const fpx_conversion c = { .round = (uint8_t)round }; /* its format does not matter */
        oracle_compute(o, FPX_ARITH_INTEGRAL, &f, &code, round);
        for (fpx_integer type = 0; type < FPX_INTEGERS; type++) {
            uint64_t got = 0;
            unsigned got_flags = 0;
            unsigned want_flags = 0;
            const uint64_t want = wide_integer_of(o, type, &want_flags);
            if (fpx_arith_to_integer(&c, f, code, 0, type, &got, &got_flags) != FPX_OK)
                ck_abort_msg("refused");
            wide_integer_verdict("to integer", f, code, type, round, got, got_flags, want,
                                 want_flags);
        }
    }
}

static inline void wide_set_integer(oracle *o, fpx_integer type, uint64_t value)
{
    const int is_short = wide_integers[type].bits == 32;

    if (wide_integers[type].is_signed)
        mpfr_set_si(o->v, is_short ? (long)(int32_t)(uint32_t)value : (long)value, MPFR_RNDN);
    else
        mpfr_set_ui(o->v, is_short ? (uint32_t)value : value, MPFR_RNDN);
    o->rest = 0;
    o->flags = 0;
    o->negative = mpfr_sgn(o->v) < 0;
    mpfr_abs(o->abs, o->v, MPFR_RNDN);
}

static inline void wide_check_from_integer_to(const oracle *o, const fpx_format *to,
                                              fpx_integer type, uint64_t value)
{
    const place p = mpfr_zero_p(o->v) ? (place){ 0, 0, 1 } : oracle_place(o, to);

    for (int round = 0; round < DETERMINISTIC; round++) {
        const fpx_conversion c = { .format = *to,
                                   .round = (uint8_t)round,
                                   .overflow = (uint8_t)(round % 3) };
        unsigned want_flags = 0;
        unsigned got_flags = 0;
        uint64_t got = 0;
        const uint64_t want = oracle_code(o, &p, &c, &want_flags);
        if (fpx_arith_from_integer(&c, type, value, 0, &got, &got_flags) != FPX_OK)
            ck_abort_msg("refused");
        wide_integer_verdict("from integer to", to, value, type, round, got, got_flags, want,
                             want_flags);
    }
}

static inline void wide_check_from_integer(oracle *o, uint64_t value)
{
    static const fpx_format *const to[] = { &fpx_e4m3, &fpx_fp16,   &fpx_tf32,  &fpx_fp32,
                                            &fpx_fp64, &fpx_mxint8, &fpx_ue5m3, &fpx_e8m0 };

    for (fpx_integer type = 0; type < FPX_INTEGERS; type++) {
        wide_set_integer(o, type, value);
        for (size_t i = 0; i < sizeof to / sizeof to[0]; i++)
            wide_check_from_integer_to(o, to[i], type, value);
    }
}

#endif /* FPX_ARITH_WIDE_H */
