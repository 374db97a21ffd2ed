/* test_p3109.c - the profile p3109 against the report's own formulas (IEEE P3109 interim report 4.0, 4.7.4 rounding to
 * precision, 4.7.5 saturation), written out here in float64, which is exact for these formats: every format of up to 8
 * bits, every rounding and saturation, at every value, midpoint, quarter and their neighbours. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <fpx/profile.h>

enum { SR_BITS = 5, POINTS = 6, INPUTS = (256 + 8) * POINTS * 3 * 2 + 16 };

typedef struct family {
    int k, p, is_signed, is_extended;
    fpx_format format;
    double value[256]; /* of each code */
    double low, high;  /* the finite ones' ends */
} family;

/* RoundAway of 4.7.4: nu is what is above `floor` in units of the last place, in [0, 1). */
static int goes_away(const fpx_conversion *c, double nu, int even, int negative, uint32_t random)
{
    const double steps = ldexp(1.0, c->sr_bits);

    switch (c->round) {
    case FPX_RNE:
        return nu > 0.5 || (nu == 0.5 && !even);
    case FPX_RNA:
        return nu >= 0.5;
    case FPX_RU:
        return nu > 0 && !negative;
    case FPX_RD:
        return nu > 0 && negative;
    case FPX_RO:
        return nu > 0 && even;
    case FPX_SR:
        if (c->sr_variant == FPX_SR_A)
            return floor(nu * steps) + random >= steps;
        if (c->sr_variant == FPX_SR_B)
            return floor(nu * 2 * steps) + (2.0 * random + 1) >= 2 * steps;
        return nearbyint(nu * steps) + random >= steps;
    default:
        return 0;
    }
}

static double round_to_precision(const family *f, const fpx_conversion *c, double x,
                                 uint32_t random)
{
    const int bias = 1 << (f->is_signed ? f->k - f->p - 1 : f->k - f->p);

    if (x == 0 || !isfinite(x))
        return x;
    const int e = ilogb(x);
    const int q = (e > 1 - bias ? e : 1 - bias) - f->p + 1;
    const double exact = ldexp(fabs(x), -q);
    const double floored = floor(exact);
    const int even = f->p > 1 ? fmod(floored, 2) == 0 : floored == 0 || (q + bias) % 2 == 0;
    const int away = goes_away(c, exact - floored, even, x < 0, random);

    return copysign(ldexp(floored + away, q), x);
}

/* The rows of 4.7.5, in order. */
static double saturate(const family *f, const fpx_conversion *c, int mode, double x)
{
    const int r = c->round;

    if (isnan(x) || (f->low <= x && x <= f->high))
        return x;
    if (mode == FPX_SATFINITE)
        return x < f->low ? f->low : f->high;
    if (mode == FPX_SATPROPAGATE) {
        if (x == (double)INFINITY && f->is_extended)
            return x;
        if (x == -(double)INFINITY && f->is_signed && f->is_extended)
            return x;
        return x < f->low ? f->low : f->high;
    }
    if (x == (double)INFINITY)
        return f->is_extended ? x : f->high;
    if (x == -(double)INFINITY && f->is_signed)
        return f->is_extended ? x : f->low;
    if (x == -(double)INFINITY)
        return (double)NAN;
    if (r == FPX_RO && !f->is_signed && f->is_extended && x > f->high)
        return f->high;
    if ((r == FPX_RZ || r == FPX_RD) && x > f->high)
        return f->high;
    if ((r == FPX_RZ || r == FPX_RU) && x < f->low)
        return f->low;
    if (x < f->low && !f->is_signed)
        return (double)NAN;
    if (x < f->low)
        return f->is_extended ? -(double)INFINITY : f->low;
    return f->is_extended ? (double)INFINITY : f->high;
}

static int ascending(const void *x, const void *y)
{
    const double a = *(const double *)x;
    const double b = *(const double *)y;

    return (a > b) - (a < b);
}

static size_t inputs_of(const family *f, double *x)
{
    static const double parts[POINTS] = { 0, 0.25, 0.5, 0.75, 0.3, 0x1p-13 };
    double grid[256 + 8];
    size_t points = 0;
    size_t n = 0;

    for (int code = 0; code < 1 << f->k; code++) {
        if (isfinite(f->value[code]) && f->value[code] >= 0)
            grid[points++] = f->value[code];
    }
    qsort(grid, points, sizeof *grid, ascending);
    const double ulp = f->p == 1 ? f->high : f->high - grid[points - 2];
    for (int i = 1; i <= 4; i++)
        grid[points++] = f->high + i * ulp;
    for (size_t i = 1; i < points; i++) {
        for (size_t part = 0; part < POINTS; part++) {
            const double at = grid[i - 1] + (grid[i] - grid[i - 1]) * parts[part];
            const double around[3] = { at, nextafter(at, INFINITY), nextafter(at, 0) };
            for (size_t k = 0; k < 3; k++) {
                x[n++] = around[k];
                x[n++] = -around[k];
            }
        }
    }
    const double more[] = { INFINITY, -(double)INFINITY, (double)NAN, 1e300, -1e300,
                            1e-300,   -1e-300,           -0.0 };
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        x[n++] = more[i];
    return n;
}

static void compare(const family *f, const fpx_conversion *c, int mode, const double *x,
                    const uint32_t *random, size_t n)
{
    static uint8_t codes[INPUTS];
    const fpx_status status = c->round == FPX_SR
                                  ? fpx_encode_f64_random(c, 1.0, x, random, codes, n)
                                  : fpx_encode_f64(c, 1.0, x, codes, n);

    ck_assert_int_eq(status, FPX_OK);
    for (size_t i = 0; i < n; i++) {
        const double want = saturate(f, c, mode, round_to_precision(f, c, x[i], random[i]));
        const double got = f->value[codes[i]];
        if (got != want && !(isnan(got) && isnan(want)))
            ck_abort_msg("%s, saturation %d, rounding %d: %a became %a, the report says %a",
                         f->format.name, mode, c->round, x[i], got, want);
    }
}

static void check_family(const family *f)
{
    const fpx_profile *const p3109 = fpx_profile_find("p3109");
    static double x[INPUTS];
    static uint32_t random[INPUTS];
    const size_t n = inputs_of(f, x);

    for (size_t i = 0; i < n; i++)
        random[i] = (uint32_t)(i * UINT64_C(2654435761) >> 7) & ((1u << SR_BITS) - 1);
    for (int mode = FPX_SATFINITE; mode <= FPX_OVERFLOW_NONE; mode++) {
        fpx_conversion c;
        ck_assert_int_eq(fpx_profile_apply(p3109, &f->format, (fpx_overflow)mode, &c), FPX_OK);
        for (int round = FPX_RNE; round < FPX_SR; round++) {
            c.round = (uint8_t)round;
            compare(f, &c, mode, x, random, n);
        }
        c.round = FPX_SR;
        c.sr_bits = SR_BITS;
        for (int variant = FPX_SR_A; variant <= FPX_SR_C; variant++) {
            c.sr_variant = (uint8_t)variant;
            compare(f, &c, mode, x, random, n);
        }
    }
}

START_TEST(every_projection)
{
    size_t families = 0;

    for (int i = 0; i < 9 * 9 * 4; i++) {
        family f = { .k = i / 4 % 9, .p = i / 36, .is_signed = i & 1, .is_extended = i >> 1 & 1 };
        if (f.k < 3 || f.p < 1 || (f.is_signed && f.p == f.k) ||
            fpx_format_p3109((unsigned)f.k, (unsigned)f.p, !f.is_signed, f.is_extended,
                             &f.format) != FPX_OK)
            continue;
        for (int code = 0; code < 1 << f.k; code++) {
            f.value[code] = fpx_format_value(&f.format, (uint64_t)code);
            if (isfinite(f.value[code]) && f.value[code] > f.high)
                f.high = f.value[code];
            if (isfinite(f.value[code]) && f.value[code] < f.low)
                f.low = f.value[code];
        }
        check_family(&f);
        families++;
    }
    ck_assert_uint_ge(families, 100);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("p3109");
    TCase *const tc = tcase_create("report");
    SRunner *const runner = srunner_create(suite);

    tcase_set_timeout(tc, 0); /* the caller has one */
    tcase_add_test(tc, every_projection);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
