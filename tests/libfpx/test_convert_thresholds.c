/* test_convert_thresholds.c - every threshold of every format, rounding, overflow and sign, from MPFR (thresholds.h):
 * float64 at it and next to it, by an ulp and by 2^-29; float32 on both its sides, by every kernel; and a stride through
 * all float32, monotone and right. `./dev prove` takes all 2^32. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "convert_kernels.h"
#include "format_bits.h"
#include "thresholds.h"

enum { ROOM = 1 << 19, STRIDE = 1 << 17 };

static mode_oracle oracle;
static thresholds at;
static double wide[ROOM];
static float narrow[ROOM];
static uint32_t magnitude[ROOM]; /* expected */
static uint16_t codes[ROOM];

static size_t put(size_t n, double x, uint32_t code)
{
    if (n >= ROOM)
        ck_abort_msg("no room");
    wide[n] = x;
    magnitude[n] = code;
    return n + 1;
}

/* Around from[c]; the code of what lies off by 2^-29 is the one whose thresholds enclose it. */
static size_t make_wide(int negative)
{
    const uint32_t max = oracle.spec->max;
    size_t n = 0;

    for (uint32_t c = 1; c <= max + 1; c++) {
        const double t = at.from[c];
        const double off[3] = { t * (1 + 0x1p-29), t * (1 - 0x1p-29), nextafter(t, INFINITY) };
        n = put(n, t, c);
        n = put(n, nextafter(t, 0.0), c - 1);
        for (int i = 0; i < 3; i++) {
            uint32_t code = c - 1;
            while (code <= max && off[i] >= at.from[code + 1])
                code++;
            while (code > 0 && off[i] < at.from[code])
                code--;
            n = put(n, off[i], code);
        }
    }
    /* Odd and even values coincide under RO: the highest code that begins at t is meant. */
    for (size_t i = 0; i < n; i++) {
        while (magnitude[i] <= max && wide[i] >= at.from[magnitude[i] + 1])
            magnitude[i]++;
        while (magnitude[i] > 0 && wide[i] < at.from[magnitude[i]])
            magnitude[i]--;
        wide[i] = negative ? -wide[i] : wide[i];
    }
    return n;
}

/* Floats on both sides of each threshold, then a stride. */
static size_t make_narrow(int negative)
{
    const uint32_t max = oracle.spec->max;
    uint32_t code = 0;
    size_t n = 0;

    for (uint32_t c = 1; c <= max + 1; c++) {
        float above = (float)at.from[c];
        if ((double)above < at.from[c])
            above = nextafterf(above, INFINITY);
        const float below = nextafterf(above, 0.0f);
        const float pair[2] = { below, above };
        for (int i = 0; i < 2; i++) {
            uint32_t m = c - 1;
            while (m <= max && (double)pair[i] >= at.from[m + 1])
                m++;
            while (m > 0 && (double)pair[i] < at.from[m])
                m--;
            if (isinf(pair[i]) || !(pair[i] > 0))
                continue;
            narrow[n] = negative ? -pair[i] : pair[i];
            magnitude[n++] = m;
        }
    }
    for (uint32_t u = 1; u < 0x7f800000u; u += STRIDE / mode_effort() | 1) {
        const float x = fpx_bits_f32(u);
        while (code <= max && (double)x >= at.from[code + 1])
            code++;
        if (n >= ROOM)
            ck_abort_msg("no room");
        narrow[n] = negative ? -x : x;
        magnitude[n++] = code;
    }
    return n;
}

static void compare(const char *kernel, const fpx_conversion *c, int negative, size_t first,
                    size_t n, int is_wide)
{
    for (size_t i = first; i < n; i++) {
        const uint32_t want = threshold_code(&oracle, c, magnitude[i], negative);
        const uint32_t got = (uint32_t)fpx_format_code(&c->format, codes, i - first);
        if (got != want)
            ck_abort_msg("%s %s round %d overflow %d: %a gave 0x%x, not 0x%x", c->format.name,
                         kernel, c->round, c->overflow, is_wide ? wide[i] : (double)narrow[i], got,
                         want);
    }
}

/* Overflows differ above the largest value alone: the many thresholds of a 16-bit format count for the first one only. */
static size_t first_for(int overflow)
{
    const size_t pairs = 2 * (size_t)oracle.spec->max;

    return overflow != FPX_SATFINITE && pairs > 4096 ? pairs - 512 : 0;
}

static void every_kernel(const fpx_conversion *c, int negative, size_t first, size_t n)
{
    const fpx_convert_kernels *last = NULL;

    for (int level = FPX_CPU_SCALAR; level <= (int)fpx_cpu_detect(); level++) {
        const fpx_convert_kernels *const kernels = fpx_convert_kernels_for((fpx_cpu_level)level);
        if (kernels == last)
            continue;
        const fpx_fpenv env = fpx_fpenv_enter();
        kernels->encode_f32[fpx_width_slot(&c->format)](c, 1.0f, narrow + first, NULL, codes,
                                                        n - first);
        fpx_fpenv_leave(env);
        compare(kernels->name, c, negative, first, n, 0);
        last = kernels;
    }
}

START_TEST(every_threshold)
{
    mode_oracle_init(&oracle, &mode_specs[_i]);
    for (int i = 0; i < 12; i++) {
        const int round = i % 6;
        const int negative = i / 6;
        thresholds_find(oracle.spec, round, negative, &at);
        for (int overflow = FPX_SATFINITE; overflow <= FPX_OVERFLOW_NONE; overflow++) {
            const size_t first = first_for(overflow);
            fpx_conversion c = { .round = (uint8_t)round, .overflow = (uint8_t)overflow };
            c.format = oracle.format;
            size_t n = make_wide(negative);
            ck_assert_int_eq(fpx_encode_f64(&c, 1.0, wide + first, codes, n - first), FPX_OK);
            compare("float64", &c, negative, first, n, 1);
            n = make_narrow(negative);
            every_kernel(&c, negative, first, n);
        }
    }
}
END_TEST

/* MPFR's own rounding agrees with the thresholds on both their sides: another principle again. */
START_TEST(mpfr_rounds_there)
{
    static const mpfr_rnd_t modes[] = {
        [FPX_RNE] = MPFR_RNDN, MPFR_RNDN, MPFR_RNDZ, MPFR_RNDU, MPFR_RNDD
    };
    const mode_spec *const s = &mode_specs[_i];
    mpfr_t y;

    if (s->mbits == 0 || (s->flags & MODE_TWOS) != 0)
        return; /* no fraction: MPFR's even is another; fixed point is not its business */
    mode_oracle_init(&oracle, s);
    mpfr_init2(y, s->mbits + 1);
    for (int round = FPX_RNE; round <= FPX_RD; round++) {
        if (round == FPX_RNA)
            continue;
        thresholds_find(s, round, 0, &at);
        for (uint32_t c = 1; c <= s->max + 1; c += s->max > 4000 ? 7 : 1) {
            for (uint32_t above = 0; above < 2; above++) {
                const double x = above ? at.from[c] : nextafter(at.from[c], 0.0);
                mpfr_set_emin(2 - s->bias - s->mbits);
                const int ternary = mpfr_set_d(y, x, modes[round]);
                mpfr_subnormalize(y, ternary, modes[round]);
                mpfr_set_emin(mpfr_get_emin_min());
                const double got = mpfr_get_d(y, MPFR_RNDN);
                const double want = oracle.value[c - 1 + above];
                if (got < want || got > want)
                    ck_abort_msg("%s round %d: %a is %a in MPFR, not %a", s->name, round, x, got,
                                 want);
            }
        }
    }
    mpfr_clear(y);
    mpfr_free_cache();
}
END_TEST

int main(void)
{
    Suite *const s = suite_create("convert-thresholds");
    TCase *const tc = tcase_create("convert-thresholds");

    tcase_set_timeout(tc, 60.0 * (double)mode_effort());
    tcase_add_loop_test(tc, mpfr_rounds_there, 0, MODE_FORMATS);
    tcase_add_loop_test(tc, every_threshold, 0, MODE_FORMATS);
    suite_add_tcase(s, tc);
    SRunner *const runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
