/* test_arith.c - arithmetic on codes: every pair of small formats' codes against MPFR and a bisection over the grid,
 * wide formats against that and the processor, stochastic counts, arrays, refusals. All pairs of the
 * 8-bit formats are test_arith_slow.c's; here they are sampled, two formats in full. */
#include <check.h>
#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/arith.h>

#include "arith_hardware.h"
#include "arith_oracle.h"
#include "arith_wide.h"

#define SEED 20240717u

enum { ALL_OVERFLOWS = 7, UNSATURATED = 4 };

static const fpx_format *const full[] = { &fpx_e4m3, &fpx_e5m2 };

/* Narrow formats and the two of the OFP8 specification in full, the others every 61st tuple. */
START_TEST(small_formats)
{
    fpx_format f;
    oracle o;
    uint64_t count = 0;

    oracle_init(&o);
    for (size_t i = 0; oracle_small_format(i, &f); i++) {
        const fpx_format *const formats[3] = { &f, &f, &f };
        int is_full = f.bits <= 6;
        for (size_t k = 0; k < sizeof full / sizeof full[0]; k++)
            is_full = is_full || fpx_format_equal(&f, full[k]);
        for (fpx_arith_op op = 0; op < FPX_ARITH_OPS; op++) {
            const int arity = fpx_arith_arity(op);
            uint64_t step = arity == 1 || is_full ? 1 : 61;
            if (arity ==
                3) /* all triples of 4 bits; a prime step visits every code of each operand */
                step = f.bits <= 4 ? 1 : f.bits <= 6 ? 17 : 2003;
            count += oracle_sweep(&o, op, &f, formats, 0, step,
                                  arity == 3 ? UNSATURATED : ALL_OVERFLOWS);
        }
    }
    oracle_clear(&o);
    printf("small formats: %llu operand tuples, 6 roundings\n", (unsigned long long)count);
}
END_TEST

/* e4m3 with e5m2 and others into wider and narrower formats. */
START_TEST(mixed_formats)
{
    static const fpx_format *const to[] = { &fpx_fp16, &fpx_bf16, &fpx_fp32,  &fpx_e2m1,
                                            &fpx_fp64, &fpx_e8m0, &fpx_mxint8 };
    static const fpx_format *const from[3] = { &fpx_e4m3, &fpx_e5m2, &fpx_fp16 };
    static const fpx_format *const back[3] = { &fpx_mxint8, &fpx_e4m3fnuz, &fpx_e8m0 };
    oracle o;

    oracle_init(&o);
    for (size_t i = 0; i < sizeof to / sizeof to[0]; i++) {
        for (fpx_arith_op op = 0; op < FPX_ARITH_OPS; op++) {
            const int arity = fpx_arith_arity(op);
            const uint64_t step = arity == 1 ? 1 : arity == 2 ? 97 : 10000019;
            oracle_sweep(&o, op, to[i], from, i, step, UNSATURATED);
            oracle_sweep(&o, op, to[i], back, i, arity == 3 ? 20011 : step, ALL_OVERFLOWS);
        }
    }
    oracle_clear(&o);
}
END_TEST

static uint64_t bits_of(double x)
{
    uint64_t code;

    memcpy(&code, &x, sizeof code);
    return code;
}

/* The middle between two neighbours, and 2^-1074 more or less: sums of two doubles that only a sticky bit tells apart,
 * however far below the last place it lies. */
START_TEST(thresholds)
{
    static const fpx_format *const from[2] = { &fpx_fp64, &fpx_fp64 };
    uint64_t state = SEED;
    fpx_format f;
    oracle o;

    oracle_init(&o);
    for (size_t i = 0; oracle_small_format(i, &f) || i < 64; i++) {
        const int is_small = oracle_small_format(i, &f);
        if (!is_small)
            f = *wide_formats_list[i % (WIDE_FORMATS - 1)]; /* all but fp64 */
        for (uint64_t k = 0; k < f.max_code && k < 256; k++) {
            const uint64_t low = is_small || k == 0 ? k : oracle_random(&state) % f.max_code;
            const double middle =
                0.5 * fpx_format_value(&f, low) + 0.5 * fpx_format_value(&f, low + 1);
            const uint64_t sums[3][2] = { { bits_of(middle), 0 },
                                          { bits_of(middle), 1 },
                                          { bits_of(-middle), 1 } };
            for (int n = 0; n < 3; n++)
                oracle_check(&o, FPX_ARITH_ADD, &f, from, sums[n], UNSATURATED);
        }
    }
    oracle_clear(&o);
}
END_TEST

START_TEST(wide_formats)
{
    const fpx_format *const f = wide_formats_list[_i];
    const fpx_format *const formats[3] = { f, f, f };
    uint64_t state = SEED + (unsigned)_i;
    oracle o;

    printf("%s, seed %u\n", f->name, SEED);
    oracle_init(&o);
    for (fpx_arith_op op = 0; op < FPX_ARITH_OPS; op++)
        wide_check(&o, op, f, formats, &state, 3000 * oracle_effort());
    oracle_clear(&o);
}
END_TEST

START_TEST(processor)
{
    uint64_t state = SEED;

    printf("float and double of this processor, seed %u\n", SEED);
    hardware_check(&state, 20000 * oracle_effort());
}
END_TEST

/* Round-ups over all words of sr_bits bits, against what the discarded part says (P3109 4.7.4). */
static void check_counts(fpx_arith_op op, const fpx_conversion *conversion,
                         const fpx_format *const *formats, const uint64_t *codes, oracle *o)
{
    fpx_conversion c = *conversion;
    int e = 0;

    oracle_compute(o, op, formats, codes, FPX_RNE);
    if (!mpfr_regular_p(o->v))
        return;
    const place p = oracle_place(o, &c.format);
    if (p.low < 0 || p.low >= (int64_t)c.format.max_code)
        return;
    const uint64_t n = oracle_grid(&c.format, (uint64_t)p.low, &e);
    const uint64_t low = oracle_signed(&c.format, (uint64_t)p.low, o->negative);
    const uint64_t high = oracle_signed(&c.format, (uint64_t)p.low + 1, o->negative);
    mpfr_mul_2si(o->abs, o->abs, -e, MPFR_RNDZ);
    mpfr_sub_ui(o->abs, o->abs, n, MPFR_RNDZ); /* nu: below 1, truncated where o->rest */
    for (c.sr_bits = 1; c.sr_bits <= 8; c.sr_bits++) {
        const int extra = c.sr_variant == FPX_SR_A ? 0 : 1;
        mpfr_mul_2ui(o->abs, o->abs, (unsigned)(c.sr_bits + extra), MPFR_RNDZ);
        const unsigned long whole = mpfr_get_ui(o->abs, MPFR_RNDZ);
        const int is_whole = mpfr_cmp_ui(o->abs, whole) == 0 && !o->rest;
        mpfr_div_2ui(o->abs, o->abs, (unsigned)(c.sr_bits + extra), MPFR_RNDZ);
        unsigned long want =
            whole; /* A: floor(nu 2^N) words; B: floor(nu 2^(N+1)) / 2, rounded up */
        if (c.sr_variant == FPX_SR_B)
            want = (whole + 1) / 2;
        if (c.sr_variant == FPX_SR_C) /* halves of nu 2^N: to the nearest, ties to even */
            want = whole / 2 + ((whole & 1) != 0 && (!is_whole || (whole / 2 & 1) != 0));
        unsigned long ups = 0;
        for (uint32_t word = 0; word < 1u << c.sr_bits; word++) {
            uint64_t code = 0;
            if (fpx_arith(op, &c, formats, codes, word | 0xabcd0000u, &code, NULL) != FPX_OK)
                ck_abort_msg("refused");
            if (code != low && code != high)
                ck_abort_msg("%s 0x%llx, neighbours 0x%llx, 0x%llx", fpx_arith_name(op),
                             (unsigned long long)code, (unsigned long long)low,
                             (unsigned long long)high);
            ups += code == high;
        }
        if (ups != want)
            ck_abort_msg("%s %s 0x%llx 0x%llx, N %d, variant %d: %lu of 2^N up, should be %lu",
                         fpx_arith_name(op), c.format.name, (unsigned long long)codes[0],
                         (unsigned long long)codes[1], c.sr_bits, c.sr_variant, ups, want);
    }
}

START_TEST(stochastic_counts)
{
    static const fpx_format *const to[] = { &fpx_e4m3, &fpx_e2m1, &fpx_fp16, &fpx_fp64 };
    static const fpx_arith_op ops[] = { FPX_ARITH_ADD, FPX_ARITH_MUL, FPX_ARITH_DIV, FPX_ARITH_SQRT,
                                        FPX_ARITH_FMA };
    uint64_t state = SEED;
    oracle o;

    oracle_init(&o);
    for (size_t t = 0; t < sizeof to / sizeof to[0]; t++) {
        const fpx_format *const formats[3] = { to[t], to[t], to[t] };
        for (int i = 0; i < 150; i++) {
            const fpx_conversion c = { .format = *to[t],
                                       .round = FPX_SR,
                                       .overflow = FPX_OVERFLOW_NONE,
                                       .sr_variant = (uint8_t)(i % 3) };
            uint64_t codes[3];
            for (int k = 0; k < 3; k++)
                codes[k] = wide_random(to[t], &state);
            check_counts(ops[i % 5], &c, formats, codes, &o);
        }
    }
    oracle_clear(&o);
}
END_TEST

/* 32 random bits below the 53 of fp64: the word at which a third goes up. nu of 1/3 = 0x1.5555555555555|5555..p-2. */
START_TEST(stochastic_fp64)
{
    static const fpx_format *const formats[2] = { &fpx_fp64, &fpx_fp64 };
    static const uint64_t third[2] = { UINT64_C(0x3ff0000000000000), UINT64_C(0x4008000000000000) };
    static const uint32_t least[3] = { 0xaaaaaaabu, 0xaaaaaaabu, 0xaaaaaaabu }; /* 2^32 - nu 2^32 */
    const uint64_t low = UINT64_C(0x3fd5555555555555);

    for (int variant = 0; variant < 3; variant++) {
        const fpx_conversion c = {
            .format = fpx_fp64, .round = FPX_SR, .sr_bits = 32, .sr_variant = (uint8_t)variant
        };
        uint64_t code = 0;
        unsigned flags = 0;
        ck_assert_int_eq(
            fpx_arith(FPX_ARITH_DIV, &c, formats, third, least[variant] - 1, &code, &flags),
            FPX_OK);
        ck_assert_uint_eq(code, low);
        ck_assert_int_eq(
            fpx_arith(FPX_ARITH_DIV, &c, formats, third, least[variant], &code, &flags), FPX_OK);
        ck_assert_uint_eq(code, low + 1);
        ck_assert_uint_eq(flags, FPX_FLAG_INEXACT);
    }
}
END_TEST

/* Integers against the compiler's own where a double holds them, and against MPFR in every rounding. */
START_TEST(integers)
{
    uint64_t state = SEED;
    oracle o;

    oracle_init(&o);
    for (uint64_t i = 0; i < 4000 * oracle_effort(); i++) {
        wide_check_to_integer(&o, &fpx_fp64, wide_random(&fpx_fp64, &state));
        wide_check_to_integer(&o, &fpx_fp64, wide_random_near_integer(&state));
        wide_check_to_integer(&o, &fpx_e5m2, i & 0xff);
        wide_check_to_integer(&o, &fpx_e8m0, i & 0xff);
        wide_check_from_integer(&o, oracle_random(&state) >> (oracle_random(&state) & 63));
        wide_check_from_integer(&o, ~(oracle_random(&state) >> (oracle_random(&state) & 63)));
    }
    for (uint64_t i = 0; i < 20; i++) {
        wide_check_from_integer(&o, i - 10);
        wide_check_from_integer(&o, (UINT64_C(1) << 31) + i - 10);
        wide_check_from_integer(&o, (UINT64_C(1) << 63) + i - 10);
    }
    oracle_clear(&o);
}
END_TEST

/* Relations of all pairs of two formats, from float64 values; signaling and quiet. */
START_TEST(comparisons)
{
    static const fpx_format *const pairs[][2] = {
        { &fpx_e4m3, &fpx_e5m2 },       { &fpx_e5m2, &fpx_e5m2 }, { &fpx_e4m3fnuz, &fpx_e8m0 },
        { &fpx_mxint8, &fpx_e5m2fnuz }, { &fpx_e2m1, &fpx_e3m2 }, { &fpx_ue5m3, &fpx_e3m4 },
    };

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        for (unsigned all = 0; all < 1u << 16; all++) {
            const uint64_t codes[2] = { all & 0xff, all >> 8 };
            const double a = fpx_format_value(pairs[i][0], codes[0]);
            const double b = fpx_format_value(pairs[i][1], codes[1]);
            const fpx_relation want = isnan(a) || isnan(b) ? FPX_UNORDERED
                                      : a < b              ? FPX_LESS
                                      : a > b              ? FPX_GREATER
                                                           : FPX_EQUAL;
            for (int signaling = 0; signaling < 2; signaling++) {
                fpx_relation got = 0;
                unsigned flags = 0;
                if (fpx_arith_compare(signaling, pairs[i], codes, &got, &flags) != FPX_OK ||
                    got != want ||
                    flags != (signaling && want == FPX_UNORDERED ? FPX_FLAG_INVALID : 0))
                    ck_abort_msg("%s 0x%x, %s 0x%x: relation %d, flags 0x%x", pairs[i][0]->name,
                                 all & 0xff, pairs[i][1]->name, all >> 8, got, flags);
            }
        }
    }
}
END_TEST

START_TEST(comparisons_of_wide)
{
    static const fpx_format *const both[2] = { &fpx_fp64, &fpx_fp64 };
    static const fpx_format *const mixed[2] = { &fpx_fp32, &fpx_fp16 };
    static const uint64_t signaling[2] = { UINT64_C(0x7ff0000000000001), 0 };
    static const uint64_t quiet[2] = { UINT64_C(0x7ff8000000000000), 0 };
    static const uint64_t signaling_half[2] = { 0x3f800000, 0x7dff };
    static const uint64_t equal[2] = { 0x3f800000, 0x3c00 };
    uint64_t state = SEED;
    fpx_relation got = 0;
    unsigned flags = 0;

    for (int i = 0; i < 100000; i++) {
        const uint64_t codes[2] = { wide_random(&fpx_fp64, &state),
                                    wide_random(&fpx_fp64, &state) };
        const double a = fpx_format_value(&fpx_fp64, codes[0]);
        const double b = fpx_format_value(&fpx_fp64, codes[1]);
        if (fpx_arith_compare(0, both, codes, &got, &flags) != FPX_OK ||
            (got == FPX_LESS) != (isless(a, b) != 0) ||
            (got == FPX_GREATER) != (isgreater(a, b) != 0) ||
            (got == FPX_UNORDERED) != (isunordered(a, b) != 0))
            ck_abort_msg("%a, %a: relation %d", a, b, got);
    }
    fpx_arith_compare(0, both, signaling, &got, &flags);
    ck_assert(got == FPX_UNORDERED && flags == FPX_FLAG_INVALID);
    fpx_arith_compare(0, both, quiet, &got, &flags);
    ck_assert(got == FPX_UNORDERED && flags == 0);
    fpx_arith_compare(1, both, quiet, &got, &flags);
    ck_assert(got == FPX_UNORDERED && flags == FPX_FLAG_INVALID);
    fpx_arith_compare(0, mixed, signaling_half, &got, &flags);
    ck_assert(got == FPX_UNORDERED && flags == FPX_FLAG_INVALID);
    fpx_arith_compare(1, mixed, equal, &got, &flags);
    ck_assert(got == FPX_EQUAL && flags == 0);
}
END_TEST

static const fpx_conversion e2m1_rne = { .format = { "e2m1", FPX_CLASS_FLOAT, 4, 2, 1, 1,
                                                     FPX_SPECIALS_NONE, 0, 0x7, 0 },
                                         .overflow = FPX_OVERFLOW_NONE };

/* The cases that the header promises, written down one by one. */
START_TEST(promises)
{
    static const struct {
        fpx_arith_op op;
        const fpx_format *format;
        uint64_t a, b, c;
        int round;
        uint64_t code;
        unsigned flags;
    } cases[] = {
        /* 1 / 0, sqrt(-1) and 0 / 0 where there is neither Inf nor NaN. */
        { FPX_ARITH_DIV, &fpx_e2m1, 0x2, 0x0, 0, FPX_RNE, 0x7, 0x23 },
        { FPX_ARITH_DIV, &fpx_e2m1, 0x2, 0x8, 0, FPX_RNE, 0xf, 0x23 },
        { FPX_ARITH_SQRT, &fpx_e2m1, 0xa, 0, 0, FPX_RNE, 0x7, 0x10 },
        { FPX_ARITH_DIV, &fpx_e2m1, 0x0, 0x8, 0, FPX_RNE, 0x7, 0x10 },
        /* e4m3 has NaN but no Inf; -1 / 0 is NaN with the sign. */
        { FPX_ARITH_DIV, &fpx_e4m3, 0xb8, 0x00, 0, FPX_RNE, 0xff, 0x23 },
        /* One zero: NaN, as P3109. */
        { FPX_ARITH_DIV, &fpx_e4m3fnuz, 0xb8, 0x00, 0, FPX_RNE, 0x80, 0x20 },
        { FPX_ARITH_DIV, &fpx_e5m2, 0xbc, 0x00, 0, FPX_RNE, 0xfc, 0x20 },
        /* Sums of zero. */
        { FPX_ARITH_SUB, &fpx_fp32, 0x3f800000, 0x3f800000, 0, FPX_RD, 0x80000000, 0 },
        { FPX_ARITH_SUB, &fpx_fp32, 0x3f800000, 0x3f800000, 0, FPX_RNE, 0, 0 },
        { FPX_ARITH_SUB, &fpx_e4m3fnuz, 0x38, 0x38, 0, FPX_RD, 0, 0 },
        { FPX_ARITH_FMA, &fpx_fp16, 0x3c00, 0x3c00, 0xbc00, FPX_RD, 0x8000, 0 },
        { FPX_ARITH_ADD, &fpx_fp16, 0x8000, 0x8000, 0, FPX_RU, 0x8000, 0 },
        /* fma with NaN: 0 Inf + quiet is quiet, signaling always invalid. */
        { FPX_ARITH_FMA, &fpx_fp16, 0x0000, 0x7c00, 0xfe00, FPX_RNE, 0xfe00, 0 },
        { FPX_ARITH_FMA, &fpx_fp16, 0x0000, 0x7c00, 0x7c01, FPX_RNE, 0x7e00, 0x10 },
        { FPX_ARITH_FMA, &fpx_fp16, 0x0000, 0x7c00, 0x3c00, FPX_RNE, 0x7e00, 0x10 },
        /* 2^-1074 decides a tie at 1.5. */
        { FPX_ARITH_FMA, &fpx_fp64, UINT64_C(0x3ff0000000000003), UINT64_C(0x3ff8000000000000),
          UINT64_C(0x0000000000000001), FPX_RNE, UINT64_C(0x3ff8000000000005), 0x1 },
        { FPX_ARITH_FMA, &fpx_fp64, UINT64_C(0x3ff0000000000001), UINT64_C(0x3ff8000000000000),
          UINT64_C(0x8000000000000001), FPX_RNE, UINT64_C(0x3ff8000000000001), 0x1 },
        /* A negative without a sign: clamped, invalid. */
        { FPX_ARITH_SUB, &fpx_ue5m3, 0x70, 0x78, 0, FPX_RNE, 0xff, 0x10 },
        /* -0 is less than +0; signaling NaN beside a number. */
        { FPX_ARITH_MAXIMUM, &fpx_bf16, 0x8000, 0x0000, 0, FPX_RNE, 0x0000, 0 },
        { FPX_ARITH_MINIMUM_NUMBER, &fpx_bf16, 0x7f81, 0x3f80, 0, FPX_RNE, 0x3f80, 0x10 },
        { FPX_ARITH_MINIMUM, &fpx_bf16, 0x3f80, 0xffc0, 0, FPX_RNE, 0xffc0, 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fpx_format *const formats[3] = { cases[i].format, cases[i].format, cases[i].format };
        const uint64_t codes[3] = { cases[i].a, cases[i].b, cases[i].c };
        fpx_conversion c = e2m1_rne;
        uint64_t code = 0;
        unsigned flags = 0;
        c.format = *cases[i].format;
        c.round = (uint8_t)cases[i].round;
        ck_assert_int_eq(fpx_arith(cases[i].op, &c, formats, codes, 0, &code, &flags), FPX_OK);
        if (code != cases[i].code || flags != cases[i].flags)
            oracle_fail(cases[i].op, &c, formats, codes, code, flags, cases[i].code,
                        cases[i].flags);
    }
}
END_TEST

/* Policies other than the usual ones: what is written instead of a value, and the flag that says so. */
START_TEST(policies)
{
    static const struct {
        const fpx_format *from, *to;
        uint64_t code;
        fpx_conversion c;
        uint64_t want;
        unsigned flags;
    } cases[] = {
        { &fpx_fp16, &fpx_e4m3, 0xfe00, { .nan = FPX_NAN_MAX }, 0xfe, FPX_FLAG_INVALID },
        { &fpx_fp16, &fpx_e4m3, 0xfe00, { .nan = FPX_NAN_POSITIVE }, 0x7f, 0 },
        { &fpx_fp16, &fpx_e5m2, 0xfe00, { .nan_code = 0x7f }, 0xff, 0 },
        { &fpx_fp16, &fpx_e2m1, 0x7e00, { .nan = FPX_NAN_ZERO }, 0x8, FPX_FLAG_INVALID },
        { &fpx_fp16, &fpx_ue5m3, 0xbc00, { .negative = FPX_NEGATIVE_ABS }, 0x78, 0 },
        { &fpx_fp16, &fpx_ue5m3, 0xbc00, { .overflow = FPX_SATFINITE }, 0x00, FPX_FLAG_INVALID },
        { &fpx_fp16, &fpx_ue5m3, 0x8000, { .overflow = FPX_SATFINITE }, 0x00, 0 },
        { &fpx_fp16, &fpx_e8m0, 0x0000, { .zero = FPX_ZERO_NAN }, 0xff, FPX_FLAG_INVALID },
        { &fpx_fp16, &fpx_e8m0, 0x0000, { .zero = FPX_ZERO_LEAST }, 0x00, FPX_FLAG_INEXACT },
        { &fpx_fp16,
          &fpx_e4m3,
          0x5f08, /* 450 */
          { .overflow = FPX_OVERFLOW_NONE, .overflow_test = FPX_TEST_SOURCE },
          0x7f,
          FPX_FLAG_OVERFLOW | FPX_FLAG_INEXACT },
        { &fpx_fp16, &fpx_e4m3, 0x5f08, { .overflow = FPX_OVERFLOW_NONE }, 0x7e, FPX_FLAG_INEXACT },
        { &fpx_fp16, &fpx_e5m2, 0xfc00, { .overflow = FPX_SATFINITE }, 0xfb, 0x3 },
        { &fpx_fp16, &fpx_e5m2, 0xfc00, { .overflow = FPX_SATPROPAGATE }, 0xfc, 0 },
        { &fpx_int32, &fpx_fp16, 0xffffffff, { .round = FPX_RNE }, 0xbc00, 0 },
        { &fpx_int32, &fpx_fp32, 0x7fffffff, { .round = FPX_RZ }, 0x4effffff, FPX_FLAG_INEXACT },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fpx_format *const formats[3] = { cases[i].from, cases[i].from, cases[i].from };
        const uint64_t codes[3] = { cases[i].code, 0, 0 };
        fpx_conversion c = cases[i].c;
        uint64_t code = 0;
        unsigned flags = 0;
        c.format = *cases[i].to;
        ck_assert_int_eq(fpx_arith(FPX_ARITH_CONVERT, &c, formats, codes, 0, &code, &flags),
                         FPX_OK);
        if (code != cases[i].want || flags != cases[i].flags)
            oracle_fail(FPX_ARITH_CONVERT, &c, formats, codes, code, flags, cases[i].want,
                        cases[i].flags);
    }
}
END_TEST

enum { COUNT = 301, GUARD = 16 };

/* Operands and random words at odd addresses. */
typedef struct buffers {
    unsigned char a[8 * COUNT + 1], b[8 * COUNT + 1], c[8 * COUNT + 1], words[4 * COUNT + 1];
    unsigned char dst[8 * COUNT + 2 * GUARD + 1];
} buffers;

static void fill(void *bytes, size_t n, uint64_t *state)
{
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)bytes)[i] = (unsigned char)oracle_random(state);
}

static buffers *random_arrays(void)
{
    static buffers all;
    uint64_t state = SEED;

    fill(all.a, sizeof all.a, &state);
    fill(all.b, sizeof all.b, &state);
    fill(all.c, sizeof all.c, &state);
    fill(all.words, sizeof all.words, &state);
    memset(all.dst, 0x5a, sizeof all.dst);
    return &all;
}

static uint32_t word_at(const buffers *all, size_t i)
{
    return (uint32_t)fpx_format_code(&fpx_fp32, all->words + 1, i);
}

/* One operation: arrays at any alignment are the single results, flags or-ed, and nothing around is touched. */
static void check_array(fpx_arith_op op, const fpx_conversion *conv)
{
    static const fpx_format *const formats[3] = { &fpx_fp16, &fpx_e5m2, &fpx_fp64 };
    buffers *const all = random_arrays();
    const void *const codes[3] = { all->a + 1, all->b + 1, all->c + 1 };
    const void *const random = conv->round == FPX_SR ? all->words + 1 : NULL;
    const size_t bytes = fpx_format_size(&conv->format);
    unsigned char *const at = all->dst + GUARD + 1;
    unsigned or_ed = 0;
    unsigned flags = 0;

    ck_assert_int_eq(fpx_arith_array(op, conv, formats, codes, random, at, COUNT, &flags), FPX_OK);
    for (size_t i = 0; i < COUNT; i++) {
        const uint64_t element[3] = { fpx_format_code(formats[0], codes[0], i),
                                      fpx_format_code(formats[1], codes[1], i),
                                      fpx_format_code(formats[2], codes[2], i) };
        uint64_t want = 0;
        unsigned one = 0;
        fpx_arith(op, conv, formats, element, word_at(all, i), &want, &one);
        or_ed |= one;
        if (fpx_format_code(&conv->format, at, i) != want)
            ck_abort_msg("%s element %zu", fpx_arith_name(op), i);
    }
    ck_assert_uint_eq(flags, or_ed);
    for (size_t i = 0; i < sizeof all->dst; i++) {
        if ((i < GUARD + 1 || i >= GUARD + 1 + COUNT * bytes) && all->dst[i] != 0x5a)
            ck_abort_msg("%s wrote at %zu", fpx_arith_name(op), i);
    }
}

START_TEST(arrays_equal_singles)
{
    static const fpx_format *const to[4] = { &fpx_e4m3, &fpx_bf16, &fpx_tf32, &fpx_fp64 };

    for (fpx_arith_op op = 0; op < FPX_ARITH_OPS; op++) {
        for (size_t i = 0; i < 8; i++) {
            const fpx_conversion conv = { .format = *to[i / 2],
                                          .round = i % 2 ? FPX_SR : FPX_RNE,
                                          .sr_bits = 9 };
            check_array(op, &conv);
        }
    }
}
END_TEST

START_TEST(compared_arrays)
{
    static const fpx_format *const formats[2] = { &fpx_fp16, &fpx_e5m2 };
    buffers *const all = random_arrays();
    const void *const codes[2] = { all->a + 1, all->b + 1 };

    for (unsigned predicate = 0; predicate < 16; predicate++) {
        unsigned flags = 0;
        ck_assert_int_eq(
            fpx_arith_compare_array(predicate, 0, formats, codes, all->dst, COUNT, &flags), FPX_OK);
        for (size_t i = 0; i < COUNT; i++) {
            const uint64_t element[2] = { fpx_format_code(formats[0], codes[0], i),
                                          fpx_format_code(formats[1], codes[1], i) };
            fpx_relation relation = 0;
            fpx_arith_compare(0, formats, element, &relation, NULL);
            ck_assert_int_eq(all->dst[i], (relation & predicate) != 0);
        }
        ck_assert_uint_eq(flags, FPX_FLAG_INVALID); /* of fp16's signaling NaN */
    }
}
END_TEST

START_TEST(integer_arrays)
{
    const fpx_integer type = (fpx_integer)_i;
    const fpx_conversion conv = { .format = fpx_tf32, .round = FPX_SR, .sr_bits = 5 };
    const fpx_format *const raw = type < FPX_INTEGER_I64 ? &fpx_fp32 : &fpx_fp64;
    buffers *const all = random_arrays();
    const void *const random = all->words + 1;
    unsigned char *const at = all->dst + GUARD + 1;
    uint64_t want = 0;
    unsigned flags = 0;

    ck_assert_int_eq(
        fpx_arith_to_integer_array(&conv, &fpx_fp16, all->a + 1, random, type, at, COUNT, &flags),
        FPX_OK);
    for (size_t i = 0; i < COUNT; i++) {
        fpx_arith_to_integer(&conv, &fpx_fp16, fpx_format_code(&fpx_fp16, all->a + 1, i),
                             word_at(all, i), type, &want, NULL);
        if (fpx_format_code(raw, at, i) != (raw == &fpx_fp32 ? (uint32_t)want : want))
            ck_abort_msg("to integer %d element %zu", type, i);
    }
    ck_assert_uint_eq(flags, FPX_FLAG_INVALID | FPX_FLAG_INEXACT);
    ck_assert_int_eq(
        fpx_arith_from_integer_array(&conv, type, all->a + 1, random, at, COUNT, &flags), FPX_OK);
    for (size_t i = 0; i < COUNT; i++) {
        fpx_arith_from_integer(&conv, type, fpx_format_code(raw, all->a + 1, i), word_at(all, i),
                               &want, NULL);
        if (fpx_format_code(&fpx_tf32, at, i) != want)
            ck_abort_msg("from integer %d element %zu", type, i);
    }
    ck_assert_uint_eq(flags, FPX_FLAG_INEXACT);
    ck_assert(all->dst[GUARD] == 0x5a && at[sizeof(uint64_t) * COUNT] == 0x5a);
}
END_TEST

/* What is refused leaves results alone. */
START_TEST(refusals)
{
    static const uint32_t words[1] = { 0 };
    const fpx_format *const good[3] = { &fpx_e4m3, &fpx_e4m3, &fpx_e4m3 };
    fpx_format broken = fpx_e5m2;
    const fpx_format *const bad[3] = { &fpx_e4m3, &broken, &broken };
    const uint8_t bytes[1] = { 0x38 };
    const void *const arrays[3] = { bytes, bytes, bytes };
    const uint64_t codes[3] = { 0x38, 0x38, 0x38 };
    fpx_conversion c = { .format = fpx_e4m3 };
    fpx_relation relation = FPX_LESS;
    uint64_t code = 77;
    unsigned flags = 99;
    uint8_t dst[1] = { 55 };

    broken.bits = 9;
    ck_assert_ptr_null(fpx_arith_name(FPX_ARITH_OPS));
    ck_assert_int_eq(fpx_arith_arity(FPX_ARITH_OPS), 0);
    ck_assert_str_eq(fpx_arith_name(FPX_ARITH_FMA), "fma");
    ck_assert_int_eq(fpx_arith(FPX_ARITH_OPS, &c, good, codes, 0, &code, &flags), FPX_EINVAL);
    ck_assert_int_eq(fpx_arith(FPX_ARITH_ADD, &c, bad, codes, 0, &code, &flags), FPX_EINVAL);
    ck_assert_int_eq(fpx_arith_array(FPX_ARITH_ADD, &c, bad, arrays, NULL, dst, 1, &flags),
                     FPX_EINVAL);
    ck_assert_int_eq(fpx_arith_array(FPX_ARITH_ADD, &c, good, arrays, words, dst, 1, &flags),
                     FPX_EINVAL);
    ck_assert_int_eq(fpx_arith_compare(0, bad, codes, &relation, &flags), FPX_EINVAL);
    ck_assert_int_eq(fpx_arith_compare_array(16, 0, good, arrays, dst, 1, &flags), FPX_EINVAL);
    ck_assert_int_eq(fpx_arith_to_integer(&c, &broken, 0, 0, FPX_INTEGER_I32, &code, &flags),
                     FPX_EINVAL);
    ck_assert_int_eq(fpx_arith_to_integer(&c, &fpx_e4m3, 0, 0, FPX_INTEGERS, &code, &flags),
                     FPX_EINVAL);
    ck_assert_int_eq(fpx_arith_from_integer(&c, FPX_INTEGERS, 0, 0, &code, &flags), FPX_EINVAL);
    c.round = FPX_SR; /* without sr_bits */
    ck_assert_int_eq(fpx_arith(FPX_ARITH_ADD, &c, good, codes, 0, &code, &flags), FPX_EINVAL);
    ck_assert_int_eq(fpx_arith_to_integer(&c, &fpx_e4m3, 0, 0, FPX_INTEGER_I32, &code, &flags),
                     FPX_EINVAL);
    c.sr_bits = 8;
    ck_assert_int_eq(fpx_arith_array(FPX_ARITH_ADD, &c, good, arrays, NULL, dst, 1, &flags),
                     FPX_EINVAL);
    ck_assert_int_eq(fpx_arith_from_integer_array(&c, FPX_INTEGER_I32, codes, NULL, dst, 1, &flags),
                     FPX_EINVAL);
    ck_assert(code == 77 && flags == 99 && dst[0] == 55 && relation == FPX_LESS);
    ck_assert_int_eq(fpx_arith_array(FPX_ARITH_ADD, &c, good, arrays, words, NULL, 0, NULL),
                     FPX_OK);
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("arith");
    TCase *const tc = tcase_create("arith");

    tcase_set_timeout(tc, 0); /* the caller has one */
    tcase_add_test(tc, small_formats);
    tcase_add_test(tc, mixed_formats);
    tcase_add_test(tc, thresholds);
    tcase_add_loop_test(tc, wide_formats, 0, WIDE_FORMATS);
    tcase_add_test(tc, processor);
    tcase_add_test(tc, stochastic_counts);
    tcase_add_test(tc, stochastic_fp64);
    tcase_add_test(tc, integers);
    tcase_add_test(tc, comparisons);
    tcase_add_test(tc, comparisons_of_wide);
    tcase_add_test(tc, promises);
    tcase_add_test(tc, policies);
    tcase_add_test(tc, arrays_equal_singles);
    tcase_add_test(tc, compared_arrays);
    tcase_add_loop_test(tc, integer_arrays, 0, FPX_INTEGERS);
    tcase_add_test(tc, refusals);
    suite_add_tcase(s, tc);

    SRunner *const sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
