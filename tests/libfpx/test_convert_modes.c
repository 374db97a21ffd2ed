/* test_convert_modes.c - encoding in every rounding, overflow and policy, of every format of 16 bits or fewer, against
 * the rising table of values (mode_oracle.h): all thresholds with their neighbours from float64, float32 and codes.
 * tests/libfpx/mutants.py breaks the encoder in many ways and requires that this program sees each. */
#include <check.h>
#include <float.h>
#include <stdio.h>
#include <string.h>

#include <fpx/convert.h>

#include "convert_round.h"
#include "format_bits.h"
#include "mode_oracle.h"

enum { ROOM = 1 << 18 };

static mode_oracle oracle;
static double inputs[ROOM];
static float narrow[ROOM];
static uint32_t words[ROOM];
static uint16_t codes16[ROOM];
static uint64_t codes64[ROOM];

static uint32_t code_at(const fpx_format *f, const void *codes, size_t i)
{
    return (uint32_t)fpx_format_code(f, codes, i);
}

static fpx_conversion conversion_of(int round, int overflow)
{
    fpx_conversion c = { .round = (uint8_t)round, .overflow = (uint8_t)overflow };

    c.format = oracle.format;
    return c;
}

static void mismatch(const char *from, const fpx_conversion *c, double x, uint32_t random,
                     uint32_t got, uint32_t want)
{
    ck_abort_msg("%s to %s, round %d overflow %d nan %d negative %d zero %d test %d sr %d of %d "
                 "bits: %a with "
                 "%08x gave 0x%x, not 0x%x",
                 from, c->format.name, c->round, c->overflow, c->nan, c->negative, c->zero,
                 c->overflow_test, c->sr_variant, c->sr_bits, x, random, got, want);
}

static size_t with_neighbours(double p, size_t n)
{
    const float f = (float)p;
    const double around[] = { p,
                              nextafter(p, INFINITY),
                              nextafter(p, 0.0),
                              p * (1 + 0x1p-29),
                              p * (1 - 0x1p-29),
                              (double)nextafterf(f, INFINITY),
                              (double)nextafterf(f, 0.0f) };

    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
        inputs[n++] = around[i];
        inputs[n++] = -around[i];
    }
    return n;
}

/* Codes looked at: all of 256, else the first and last, both sides of every power of two, and a stride. */
static int is_looked_at(const mode_spec *s, uint32_t c)
{
    const uint32_t fraction = c & ((1u << s->mbits) - 1);
    const uint32_t stride = s->max / (300 * mode_effort()) + 1;

    return s->max < 256 || c < 8 || c + 3 > s->max || c % stride == 0 ||
           ((fraction + 1) >> s->mbits != 0 && c % 3 == 0) || (fraction == 0 && c % 3 == 0);
}

/* Every value and midpoint with its neighbours, then the corners of float64. */
static size_t make_inputs(void)
{
    static const double corners[] = { 0.0,      DBL_TRUE_MIN, DBL_MIN,   FLT_MIN,
                                      FLT_MAX,  DBL_MAX,      INFINITY,  NAN,
                                      0x1p-149, 0x1p-150,     0x1.8p-149 };
    const mode_spec *const s = oracle.spec;
    size_t n = 0;

    for (uint32_t c = 0; c <= s->max; c++) {
        if (!is_looked_at(s, c))
            continue;
        const double v = oracle.value[c];
        const double gap = oracle.value[c + 1] - v;
        n = with_neighbours(v, n);
        n = with_neighbours(v + gap / 2, n);
        inputs[n++] = v + gap * 0.375;
        inputs[n++] = -(v + gap * 0.625);
    }
    n = with_neighbours(oracle.value[0] / 2, n);
    n = with_neighbours(oracle.value[s->max + 1], n);
    for (size_t i = 0; i < sizeof corners / sizeof corners[0]; i++) {
        inputs[n++] = corners[i];
        inputs[n++] = -corners[i];
    }
    for (int e = -1074; e < 1024; e += 3) {
        inputs[n++] = ldexp(1.0, e);
        inputs[n++] = -ldexp(1.75, e - 1);
    }
    ck_assert_uint_le(n, ROOM);
    return n;
}

static void expect_f64(const fpx_conversion *c, size_t n)
{
    ck_assert_int_eq(fpx_encode_f64(c, 1.0, inputs, codes16, n), FPX_OK);
    for (size_t i = 0; i < n; i++) {
        const uint32_t want = mode_encode(&oracle, c, inputs[i], 0);
        const uint32_t got = code_at(&c->format, codes16, i);
        if (got != want)
            mismatch("float64", c, inputs[i], 0, got, want);
    }
}

static size_t make_narrow(size_t n)
{
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        const float f = (float)inputs[i];
        if (isnan(inputs[i]) || !((double)f < inputs[i] || (double)f > inputs[i]))
            narrow[k++] = f;
    }
    return k;
}

static void expect_f32(const fpx_conversion *c, size_t k)
{
    ck_assert_int_eq(fpx_encode_f32(c, 1.0f, narrow, codes16, k), FPX_OK);
    for (size_t i = 0; i < k; i++) {
        const uint32_t want = mode_encode(&oracle, c, (double)narrow[i], 0);
        const uint32_t got = code_at(&c->format, codes16, i);
        if (got != want)
            mismatch("float32", c, (double)narrow[i], 0, got, want);
    }
}

START_TEST(every_rounding_and_overflow)
{
    mode_oracle_init(&oracle, &mode_specs[_i]);
    const size_t n = make_inputs();
    const size_t k = make_narrow(n);

    ck_assert_uint_gt(k, n / 6);
    for (int round = FPX_RNE; round <= FPX_RO; round++) {
        for (int overflow = FPX_SATFINITE; overflow <= FPX_OVERFLOW_NONE; overflow++) {
            for (int test = FPX_TEST_ROUNDED; test <= FPX_TEST_SOURCE; test++) {
                fpx_conversion c = conversion_of(round, overflow);
                c.overflow_test = (uint8_t)test;
                expect_f64(&c, n);
                expect_f32(&c, k);
            }
        }
    }
}
END_TEST

/* NaN, negatives, zero: every combination of what the format lacks, on the few inputs that it concerns. */
START_TEST(every_policy)
{
    static const double x[] = { 0.0,       -0.0,     INFINITY, -INFINITY, NAN,      -NAN,
                                1.0,       -1.0,     1e300,    -1e300,    0x1p-300, -0x1p-300,
                                1.25,      -1.25,    0.3,      -0.3,      1e9,      -57344.5,
                                -0x1p-140, 0x1p-127, 0x1p-9,   465.0,     -449.0,   -0x1p-11 };
    const size_t n = sizeof x / sizeof x[0];

    mode_oracle_init(&oracle, &mode_specs[_i]);
    memcpy(inputs, x, sizeof x);
    const size_t k = make_narrow(n);
    for (int i = 0; i < 7 * 3 * 4 * 3 * 2 * 2; i++) {
        fpx_conversion c = conversion_of(i % 7, i / 7 % 3);
        c.nan = (uint8_t)(i / 21 % 4);
        c.negative = (uint8_t)(i / 84 % 3);
        c.zero = (uint8_t)(i / 252 % 2);
        if (i / 504 != 0 && (oracle.spec->flags & MODE_LONE_NAN) == 0 && oracle.spec->nan != 0)
            c.nan_code = oracle.spec->inf != 0 ? oracle.spec->inf + 1 : oracle.spec->nan;
        if (c.round == FPX_SR)
            continue;
        expect_f64(&c, n);
        expect_f32(&c, k);
    }
}
END_TEST

/* From codes of other formats, one rounding: 16-bit floats, float64 and fixed point. */
START_TEST(from_codes)
{
    static const fpx_format *const from[] = { &fpx_bf16, &fpx_fp16, &fpx_mxint8, &fpx_e5m2,
                                              &fpx_e8m0 };

    mode_oracle_init(&oracle, &mode_specs[_i]);
    for (size_t f = 0; f < sizeof from / sizeof from[0]; f++) {
        uint16_t source[6000];
        uint8_t *const bytes = (uint8_t *)source;
        const uint32_t step = from[f]->bits > 8 ? 11 : 1;
        size_t n = 0;
        for (uint32_t code = 0; code >> from[f]->bits == 0; code += step, n++) {
            if (from[f]->bits > 8)
                source[n] = (uint16_t)code;
            else
                bytes[n] = (uint8_t)code;
        }
        for (int i = 0; i < 18; i++) {
            const fpx_conversion c = conversion_of(i % 6, i / 6);
            ck_assert_int_eq(fpx_encode_codes(&c, from[f], source, codes16, n), FPX_OK);
            for (size_t j = 0; j < n; j++) {
                const double x = fpx_format_value(from[f], (uint64_t)j * step);
                const uint32_t want = mode_encode(&oracle, &c, x, 0);
                const uint32_t got = code_at(&c.format, codes16, j);
                if (got != want)
                    mismatch(from[f]->name, &c, x, 0, got, want);
            }
        }
    }
    const size_t n = make_inputs();
    const fpx_conversion c = conversion_of(FPX_RNE, FPX_OVERFLOW_NONE);
    memcpy(codes64, inputs, n * sizeof codes64[0]);
    ck_assert_int_eq(fpx_encode_codes(&c, &fpx_fp64, codes64, codes16, n), FPX_OK);
    for (size_t i = 0; i < n; i++) {
        if (code_at(&c.format, codes16, i) != mode_encode(&oracle, &c, inputs[i], 0))
            mismatch("fp64", &c, inputs[i], 0, code_at(&c.format, codes16, i),
                     mode_encode(&oracle, &c, inputs[i], 0));
    }
}
END_TEST

/* Random words on both sides of the point where the definition turns, dirt above the bits that count. */
START_TEST(stochastic_turns_where_defined)
{
    static const uint8_t bits[] = { 1, 2, 5, 8, 16, 23, 31, 32 };

    mode_oracle_init(&oracle, &mode_specs[_i]);
    const size_t all = make_inputs();
    const size_t stride = all / 1500 + 1;
    for (size_t b = 0; b < sizeof bits * 3; b++) {
        fpx_conversion c = conversion_of(FPX_SR, (int)b % 3);
        size_t n = 0;
        c.sr_bits = bits[b / 3];
        c.sr_variant = (uint8_t)((b / 3 + b) % 3);
        c.overflow_test = (uint8_t)(b / 6 % 2);
        static double x[ROOM];
        for (size_t i = b % stride; i < all && n + 4 < ROOM; i += stride) {
            const double a = fabs(inputs[i]);
            const uint32_t lo = a >= oracle.value[0] && !isinf(a) ? mode_below(&oracle, a) : 0;
            const double gap = lo <= oracle.spec->max ? oracle.value[lo + 1] - oracle.value[lo] : 1;
            const double nu = (a - oracle.value[lo]) / gap;
            const uint64_t one = UINT64_C(1) << c.sr_bits;
            const uint64_t turn =
                nu > 0 && nu < 1 ? one - mode_sr_count(c.sr_variant, nu, c.sr_bits) : one / 2;
            const uint64_t dirt = c.sr_bits < 32 ? UINT64_C(0xa5a5a5a5) << c.sr_bits : 0;
            const uint64_t r[4] = { turn | dirt, (turn + one - 1) % one, 0 | dirt, one - 1 };
            for (int j = 0; j < 4; j++, n++) {
                x[n] = inputs[i];
                words[n] = (uint32_t)(r[j] & (j == 0 && turn == one ? dirt : UINT64_MAX));
            }
        }
        ck_assert_int_eq(fpx_encode_f64_random(&c, 1.0, x, words, codes16, n), FPX_OK);
        for (size_t i = 0; i < n; i++) {
            const uint32_t want = mode_encode(&oracle, &c, x[i], words[i]);
            const uint32_t got = code_at(&c.format, codes16, i);
            if (got != want)
                mismatch("float64", &c, x[i], words[i], got, want);
        }
    }
}
END_TEST

/* All 2^N words, N up to 16: how many round up is a number that the definition gives. */
START_TEST(stochastic_counts_are_exact)
{
    static const char *const names[] = {
        "e4m3", "e2m1", "bf16", "e5m2fnuz", "binary8p1se", "e8m0"
    };
    const char *const name = names[_i];
    const mode_spec *s = mode_specs;

    while (strcmp(s->name, name) != 0)
        s++;
    mode_oracle_init(&oracle, s);
    const uint32_t where[] = { 0, 1, (1u << s->mbits) - 1, 1u << s->mbits, s->max / 2 + 3, s->max };
    static const double parts[] = { 0x1p-3 + 0x1p-12, 0.5, 0x1p-18, 1 - 0x1p-13 };

    for (uint32_t i = 0; i < 6 * 4 * 3 * 16; i++) {
        fpx_conversion c = conversion_of(FPX_SR, FPX_SATPROPAGATE);
        const int n = (int)(i % 16) + 1;
        c.sr_bits = (uint8_t)n;
        c.sr_variant = (uint8_t)(i / 16 % 3);
        const uint32_t lo = where[i / 48 % 6];
        const double gap = oracle.value[lo + 1] - oracle.value[lo];
        const double nu = parts[i / 288];
        const float x = (float)(oracle.value[lo] + gap * nu);
        if ((double)x < oracle.value[lo] + gap * nu || (double)x > oracle.value[lo] + gap * nu)
            continue; /* e8m0 and bf16 near the ends of float32 */
        const size_t length = (size_t)1 << n;
        for (uint32_t r = 0; r < length; r++) {
            narrow[r] = r % 2 == 0 || s->flags != 0 ? x : -x;
            words[r] = r;
        }
        ck_assert_int_eq(fpx_encode_f32_random(&c, 1.0f, narrow, words, codes16, length), FPX_OK);
        uint64_t ups = 0;
        for (size_t r = 0; r < length; r++) {
            const uint32_t code =
                code_at(&c.format, codes16, r) & (s->flags != 0 ? ~0u : ~oracle.sign);
            if (code != lo && code != lo + 1)
                ck_abort_msg("%s: %a gave 0x%x", name, (double)x, code);
            ups += code != lo;
        }
        const uint64_t want =
            lo == s->max ? 0 : mode_sr_count(c.sr_variant, nu, n); /* both are the largest */
        if (ups != want)
            ck_abort_msg("%s variant %d, %d bits, %a: %llu of %zu words round up, not %llu", name,
                         c.sr_variant, n, (double)x, (unsigned long long)ups, length,
                         (unsigned long long)want);
    }
}
END_TEST

/* A significand of 64 bits whose lowest stands for all that follows; and what is raised. */
START_TEST(fields_sticky_and_raised)
{
    mode_oracle_init(&oracle, &mode_specs[_i]);
    const size_t n = make_inputs();
    const mode_spec *const s = oracle.spec;

    for (int round = FPX_RNE; round <= FPX_RO; round++) {
        const fpx_conversion c = conversion_of(round, FPX_SATFINITE);
        for (size_t i = 0; i < n; i++) {
            fpx_fields x = fpx_fields_of(&fpx_fp64, fpx_f64_bits(inputs[i]));
            const double a = fabs(inputs[i]);
            unsigned raised = 0;
            if (x.kind != FPX_KIND_FINITE || x.m == 0)
                continue;
            const uint32_t code = (uint32_t)fpx_round_fields(&c, x, 0, &raised);
            if (s->flags == 0) {
                const uint32_t magnitude = mode_magnitude(&oracle, &c, a, x.negative, 0);
                const int over = magnitude > s->max;
                const int exact =
                    !over && !(oracle.value[magnitude] < a || oracle.value[magnitude] > a);
                const unsigned want =
                    (exact ? 0u : FPX_RAISED_INEXACT) | (over ? FPX_RAISED_OVERFLOW : 0u) |
                    (a < oracle.value[1u << s->mbits] ? FPX_RAISED_TINY_BEFORE : 0u);
                if ((raised & ~(unsigned)FPX_RAISED_TINY_AFTER) != want)
                    ck_abort_msg("%s round %d: %a raised %u, not %u", s->name, round, inputs[i],
                                 raised, want);
            }
            const int spare = 63 - fpx_top_bit(x.m);
            x.m <<= spare;
            x.q -= spare;
            if (fpx_round_fields(&c, x, 0, NULL) != code)
                ck_abort_msg("%s round %d: %a shifted by %d is another", s->name, round, inputs[i],
                             spare);
            /* A value or midpoint, and less than any neighbour above it. */
            if ((fpx_f64_bits(inputs[i]) & fpx_low_mask(36)) != 0 || a < 0x1p-1000 || a > 0x1p1000)
                continue;
            x.m |= 1;
            if (fpx_round_fields(&c, x, 0, NULL) !=
                mode_encode(&oracle, &c, inputs[i] * (1 + 0x1p-40), 0))
                ck_abort_msg("%s round %d: %a and a bit", s->name, round, inputs[i]);
        }
    }
}
END_TEST

/* The source's sign counts where the scale makes a NaN. */
START_TEST(scale_makes_nan)
{
    const float x[4] = { INFINITY, -INFINITY, 1.0f, -1.0f };
    const double y[4] = { INFINITY, -INFINITY, 1.0, -1.0 };
    uint8_t code[4];

    mode_oracle_init(&oracle, &mode_specs[0]);
    const fpx_conversion c = conversion_of(FPX_RNE, FPX_OVERFLOW_NONE);
    for (int k = 0; k < 4; k++) {
        const float scale = (const float[]){ 0.0f, -0.0f, NAN, -NAN }[k];
        ck_assert_int_eq(fpx_encode_f32(&c, scale, x, code, 4), FPX_OK);
        for (int i = 0; i < (k < 2 ? 2 : 4); i++)
            ck_assert_uint_eq(code[i], i % 2 == 0 ? 0x7fu : 0xffu);
        ck_assert_int_eq(fpx_encode_f64(&c, (double)scale, y, code, 4), FPX_OK);
        for (int i = 0; i < (k < 2 ? 2 : 4); i++)
            ck_assert_uint_eq(code[i], i % 2 == 0 ? 0x7fu : 0xffu);
    }
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("convert-modes");
    TCase *const tc = tcase_create("convert-modes");

    tcase_set_timeout(tc, 60.0 * (double)mode_effort());
    tcase_add_test(tc, scale_makes_nan);
    tcase_add_loop_test(tc, every_policy, 0, MODE_FORMATS);
    tcase_add_loop_test(tc, stochastic_turns_where_defined, 0, MODE_FORMATS);
    tcase_add_loop_test(tc, stochastic_counts_are_exact, 0, 6);
    tcase_add_loop_test(tc, fields_sticky_and_raised, 0, MODE_FORMATS);
    tcase_add_loop_test(tc, from_codes, 0, MODE_FORMATS);
    tcase_add_loop_test(tc, every_rounding_and_overflow, 0, MODE_FORMATS);
    suite_add_tcase(s, tc);
    SRunner *const runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
