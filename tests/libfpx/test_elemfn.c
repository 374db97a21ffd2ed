/* test_elemfn.c - elementary functions against MPFR: float32 correctly rounded, float64 within 2 ulp;
 * array functions against the single ones, bit for bit. All of float32 is test_elemfn_slow.c's. */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <mpfr.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>
#include <fpx/elemfn.h>

#define SEED 20240611u
#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

enum { RANDOM_COUNT = 40000, ARRAY_MAX = 1061, GUARD = 8 };

typedef struct function {
    const char *name;
    float (*f32)(float);
    double (*f64)(double);
    int (*mpfr)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);
    float low, high; /* where the result is neither constant nor the argument */
} function;

static const function functions[] = {
    { "exp", fpx_exp_f32, fpx_exp_f64, mpfr_exp, -110.0f, 90.0f },
    { "log", fpx_log_f32, fpx_log_f64, mpfr_log, 0.0f, 4.0f },
    { "sin", fpx_sin_f32, fpx_sin_f64, mpfr_sin, -100.0f, 100.0f },
    { "cos", fpx_cos_f32, fpx_cos_f64, mpfr_cos, -100.0f, 100.0f },
    { "tanh", fpx_tanh_f32, fpx_tanh_f64, mpfr_tanh, -10.0f, 10.0f },
};

static uint32_t to_bits(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static float from_bits(uint32_t u)
{
    float x;

    memcpy(&x, &u, sizeof x);
    return x;
}

static uint64_t to_bits64(double x)
{
    uint64_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static double from_bits64(uint64_t u)
{
    double x;

    memcpy(&x, &u, sizeof x);
    return x;
}

/* splitmix64 */
static uint64_t random_bits(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static double random_between(uint64_t *state, double low, double high)
{
    return low + (high - low) * ((double)(random_bits(state) >> 11) * 0x1p-53);
}

static int effort(void)
{
    const char *text = getenv("FPX_TEST_EFFORT");
    const int value = text ? (int)strtol(text, NULL, 10) : 1;

    return value > 0 ? value : 1;
}

/* Overflow, underflow, saturation, multiples of pi/2, 1, and the middle-of-two-floats cases. */
static const double anchors[] = {
    0.0,
    0x1p-149,
    0x1p-126,
    0x1p-25,
    0x1p-24,
    0x1p-12,
    0.34657359027997264,
    0.70710678118654752,
    0.78539816339744831,
    1.0,
    1.4142135623730951,
    1.5707963267948966,
    2.0,
    3.1415926535897931,
    9.0109133472792,
    19.06154746539849,
    22.0,
    87.336544750553109,
    88.722839111672999,
    103.27892990343184,
    103.97207708399179,
    708.39641853226408,
    709.78271289338397,
    744.44007192138127,
    745.13321910194122,
    10.0,
    100.0,
    110.0,
    710.0,
    746.0,
    0x1p24,
    0x1p53,
    0x1.fffffep127,
    0x1p128,
    0x1.6ac5b262ca1ffp849, /* the double nearest to a multiple of pi/2: 2^-61 away */
    0x1.fffffffffffffp1023,
};

static void check_f32(const function *fn, float x)
{
    mpfr_t v;

    mpfr_init2(v, 24);
    mpfr_set_emin(-148);
    mpfr_set_emax(128);
    mpfr_set_flt(v, x, MPFR_RNDN);
    const int ternary = fn->mpfr(v, v, MPFR_RNDN);
    mpfr_subnormalize(v, ternary, MPFR_RNDN);
    const uint32_t want = mpfr_nan_p(v) ? 0x7FC00000u : to_bits(mpfr_get_flt(v, MPFR_RNDN));
    mpfr_clear(v);
    const uint32_t got = to_bits(fn->f32(x));

    if (got != want)
        ck_abort_msg("%s(%a = 0x%08" PRIx32 ") is 0x%08" PRIx32 ", should be 0x%08" PRIx32,
                     fn->name, (double)x, to_bits(x), got, want);
}

/* Arguments whose float64 result rounds to the wrong float: log, sin, cos need their tables here. */
static const uint32_t hard[] = { 0x3C413D3Au, 0x41178FEBu, 0x4C5D65A5u, 0x65D890D3u,
                                 0x6F31A8ECu, 0x46199998u, 0x5F18B878u, 0x6115CB11u };

START_TEST(f32_is_correctly_rounded)
{
    const function *fn = &functions[_i];
    const int64_t count = (int64_t)RANDOM_COUNT * effort();
    uint64_t state = SEED;

    printf("%s float32, seed %u, %" PRId64 " random arguments of each kind\n", fn->name, SEED,
           count);
    for (uint32_t top = 0; top < 1u << 12; top++) { /* sign, exponent, 3 bits of mantissa */
        check_f32(fn, from_bits(top << 20));
        check_f32(fn, from_bits(top << 20 | 1u));
        check_f32(fn, from_bits(top << 20 | 0xFFFFFu));
    }
    for (size_t i = 0; i < LENGTH(anchors); i++) {
        const uint32_t middle = to_bits((float)anchors[i]);

        for (uint32_t d = 0; d <= 64; d++) {
            check_f32(fn, from_bits(middle + d));
            check_f32(fn, from_bits(middle - d));
            check_f32(fn, from_bits((middle + d) ^ 0x80000000u));
            check_f32(fn, from_bits((middle - d) ^ 0x80000000u));
        }
    }
    for (size_t i = 0; i < LENGTH(hard); i++) {
        check_f32(fn, from_bits(hard[i]));
        check_f32(fn, from_bits(hard[i] ^ 0x80000000u));
    }
    for (int64_t i = 0; i < count; i++) {
        check_f32(fn, from_bits((uint32_t)(random_bits(&state) >> 32)));
        check_f32(fn, (float)random_between(&state, (double)fn->low, (double)fn->high));
    }
}
END_TEST

/* |got - exact| in units of the last place of a double at exact; exact has 200 bits. */
static double ulp_error(const function *fn, double x, double got)
{
    mpfr_t exact;
    double err = 0.0;

    mpfr_init2(exact, 200);
    mpfr_set_emin(-1100000);
    mpfr_set_emax(1100000);
    mpfr_set_d(exact, x, MPFR_RNDN);
    fn->mpfr(exact, exact, MPFR_RNDN);
    const double rounded = mpfr_get_d(exact, MPFR_RNDN);

    if (isnan(rounded) || isinf(rounded) || rounded == 0.0) {
        const uint64_t want = isnan(rounded) ? 0x7FF8000000000000u : to_bits64(rounded);

        if (to_bits64(got) != want)
            err = HUGE_VAL;
    } else if (!isfinite(got) || !signbit(got) != !signbit(rounded)) {
        err = HUGE_VAL;
    } else {
        const mpfr_exp_t e = mpfr_get_exp(exact) - 53;

        mpfr_sub_d(exact, exact, got, MPFR_RNDN);
        mpfr_mul_2si(exact, exact, e > -1074 ? -e : 1074, MPFR_RNDN);
        err = fabs(mpfr_get_d(exact, MPFR_RNDA));
    }
    mpfr_clear(exact);
    return err;
}

static void check_f64(const function *fn, double x, double *max)
{
    const double got = fn->f64(x);
    const double err = ulp_error(fn, x, got);

    if (!(err <= 2.0))
        ck_abort_msg("%s(%a) is %a, %g ulp off", fn->name, x, got, err);
    *max = err > *max ? err : *max;
}

START_TEST(f64_is_within_two_ulp)
{
    const function *fn = &functions[_i];
    const int64_t count = (int64_t)RANDOM_COUNT * effort();
    const double scale = fn->f64 == fpx_exp_f64 ? 7.0 : 2.0; /* exp: to -770 and 630 */
    uint64_t state = SEED;
    double max = 0.0;

    for (uint64_t top = 0; top < 1u << 13; top++) { /* sign, exponent, a bit of mantissa */
        check_f64(fn, from_bits64(top << 51), &max);
        check_f64(fn, from_bits64(top << 51 | 0x7FFFFFFFFFFFFu), &max);
    }
    for (size_t i = 0; i < LENGTH(anchors); i++) {
        for (uint64_t d = 0; d <= 64; d++) {
            check_f64(fn, from_bits64(to_bits64(anchors[i]) + d), &max);
            check_f64(fn, from_bits64(to_bits64(anchors[i]) - d), &max);
            check_f64(fn, from_bits64(to_bits64(-anchors[i]) + d), &max);
            check_f64(fn, from_bits64(to_bits64(-anchors[i]) - d), &max);
        }
    }
    for (int64_t i = 0; i < count; i++) {
        check_f64(fn, from_bits64(random_bits(&state)), &max);
        check_f64(fn, scale * random_between(&state, (double)fn->low, (double)fn->high), &max);
        check_f64(fn, random_between(&state, -1.0, 1.0), &max);
    }
    printf("%s float64, seed %u: at most %.3f ulp\n", fn->name, SEED, max);
}
END_TEST

/* Signs of zero and the canonical NaN, which MPFR does not state for us. */
START_TEST(special_values)
{
    static const uint32_t nans[] = { 0x7FC00000u, 0xFFC00000u, 0x7F800001u, 0xFFFFFFFFu,
                                     0x7FC12345u };

    for (size_t i = 0; i < LENGTH(functions); i++) {
        for (size_t j = 0; j < LENGTH(nans); j++) {
            const uint64_t wide = (uint64_t)nans[j] << 32 | 1u;

            ck_assert_uint_eq(to_bits(functions[i].f32(from_bits(nans[j]))), 0x7FC00000u);
            ck_assert_uint_eq(to_bits64(functions[i].f64(from_bits64(wide | 0x7FF0000000000000u))),
                              0x7FF8000000000000u);
        }
    }
    ck_assert_uint_eq(to_bits(fpx_sin_f32(-0.0f)), 0x80000000u);
    ck_assert_uint_eq(to_bits(fpx_tanh_f32(-0.0f)), 0x80000000u);
    ck_assert_uint_eq(to_bits(fpx_log_f32(-0.0f)), 0xFF800000u);
    ck_assert_uint_eq(to_bits(fpx_log_f32(1.0f)), 0u);
    ck_assert_uint_eq(to_bits(fpx_log_f32(-1.0f)), 0x7FC00000u);
    ck_assert_uint_eq(to_bits(fpx_sin_f32(-INFINITY)), 0x7FC00000u);
    ck_assert_uint_eq(to_bits(fpx_exp_f32(-INFINITY)), 0u);
    ck_assert_uint_eq(to_bits(fpx_exp_f32(89.0f)), 0x7F800000u);
    ck_assert_uint_eq(to_bits(fpx_exp_f32(-103.97207f)), 1u);
}
END_TEST

/* Arguments of every kind in turn: any bits, the interesting range, edges. */
static double array_argument(uint64_t *state, size_t i, int is_f64)
{
    const double sign = (random_bits(state) & 1u) ? -1.0 : 1.0;

    switch (i % 4) {
    case 0:
        return is_f64 ? from_bits64(random_bits(state))
                      : (double)from_bits((uint32_t)random_bits(state));
    case 1:
        return sign * anchors[random_bits(state) % LENGTH(anchors)];
    case 2:
        return random_between(state, -1.0, 1.0);
    default:
        return random_between(state, -110.0, 90.0) * (is_f64 ? 7.0 : 1.0);
    }
}

typedef struct array_pair {
    const char *name;
    void (*f32_array)(fpx_cpu_level, const float *, float *, size_t);
    float (*f32)(float);
    void (*f64_array)(fpx_cpu_level, const double *, double *, size_t);
    double (*f64)(double);
} array_pair;

static const array_pair arrays[] = {
    { "exp", fpx_exp_f32_array, fpx_exp_f32, fpx_exp_f64_array, fpx_exp_f64 },
    { "tanh", fpx_tanh_f32_array, fpx_tanh_f32, fpx_tanh_f64_array, fpx_tanh_f64 },
};

/* n values from x + shift into y + shift; in place when x == y. Canaries stay on either side. */
static void check_array_f32(const array_pair *fn, fpx_cpu_level level, size_t n, size_t shift,
                            int in_place, uint64_t *state)
{
    static float x[ARRAY_MAX + 3 * GUARD], y[ARRAY_MAX + 3 * GUARD], want[ARRAY_MAX + 3 * GUARD];
    float *out = in_place ? x : y;
    const size_t start = GUARD + shift;

    for (size_t i = 0; i < LENGTH(x); i++)
        x[i] = y[i] = want[i] = 12345.0f;
    for (size_t i = start; i < start + n; i++) {
        x[i] = (float)array_argument(state, i, 0);
        want[i] = fn->f32(x[i]);
    }
    fn->f32_array(level, x + start, out + start, n);
    for (size_t i = 0; i < LENGTH(x); i++) {
        if (to_bits(out[i]) != to_bits(want[i]))
            ck_abort_msg("%s_f32_array %s n %zu shift %zu in place %d: [%zu] is 0x%08" PRIx32
                         ", should be 0x%08" PRIx32,
                         fn->name, fpx_cpu_level_name(level), n, shift, in_place, i - start,
                         to_bits(out[i]), to_bits(want[i]));
    }
}

static void check_array_f64(const array_pair *fn, fpx_cpu_level level, size_t n, size_t shift,
                            int in_place, uint64_t *state)
{
    static double x[ARRAY_MAX + 3 * GUARD], y[ARRAY_MAX + 3 * GUARD], want[ARRAY_MAX + 3 * GUARD];
    double *out = in_place ? x : y;
    const size_t start = GUARD + shift;

    for (size_t i = 0; i < LENGTH(x); i++)
        x[i] = y[i] = want[i] = 12345.0;
    for (size_t i = start; i < start + n; i++) {
        x[i] = array_argument(state, i, 1);
        want[i] = fn->f64(x[i]);
    }
    fn->f64_array(level, x + start, out + start, n);
    for (size_t i = 0; i < LENGTH(x); i++) {
        if (to_bits64(out[i]) != to_bits64(want[i]))
            ck_abort_msg("%s_f64_array %s n %zu shift %zu in place %d: [%zu] is 0x%016" PRIx64
                         ", should be 0x%016" PRIx64,
                         fn->name, fpx_cpu_level_name(level), n, shift, in_place, i - start,
                         to_bits64(out[i]), to_bits64(want[i]));
    }
}

/* Every level, lengths 0..40 and some long ones, every shift of a vector, apart and in place. */
START_TEST(arrays_equal_singles)
{
    static const size_t longer[] = { 63, 64, 65, 127, 255, 256, 1000, ARRAY_MAX };
    const array_pair *fn = &arrays[_i];
    uint64_t state = SEED;

    for (fpx_cpu_level level = FPX_CPU_SCALAR; level <= fpx_cpu_detect(); level++) {
        printf("%s arrays at level %s, seed %u\n", fn->name, fpx_cpu_level_name(level), SEED);
        for (int round = 0; round < 4 * effort(); round++) {
            for (size_t k = 0; k < 41 + LENGTH(longer); k++) {
                const size_t n = k < 41 ? k : longer[k - 41];

                for (size_t shift = 0; shift < GUARD; shift++) {
                    check_array_f32(fn, level, n, shift, (int)(k + shift) & 1, &state);
                    check_array_f64(fn, level, n, shift, (int)(k + shift) & 1, &state);
                }
            }
        }
    }
}
END_TEST

/* elemfn-proof.txt covers every argument, found nothing wrong, and is about the sources as they are.
 * It lies where this file's own path leads; meson compiles and tests from the build folder. */
START_TEST(proof_is_current)
{
    char root[1024] = __FILE__;
    char text[1200], line[512];
    int complete = 0;

    char *tail = strstr(root, "tests/libfpx/");
    ck_assert_ptr_nonnull(tail);
    memcpy(tail, ".", 2);
    snprintf(text, sizeof text, "%s/libfpx/elemfn-proof.txt", root);
    FILE *f = fopen(text, "r");
    if (!f)
        ck_abort_msg("%s is not readable from here", text);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#' && !strstr(line, " 0 wrong\n"))
            ck_abort_msg("%s: %s", text, line);
        complete += line[0] == '#' && strstr(line, " 4294967296 arguments") != NULL;
    }
    fclose(f);
    ck_assert_int_eq(complete, LENGTH(functions));
    snprintf(text, sizeof text, "cd '%s' && sha256sum --strict --quiet -c libfpx/elemfn-proof.txt",
             root);
    if (system(text) != 0)
        ck_abort_msg("libfpx/elemfn-proof.txt is stale: test_elemfn_slow.c says how to renew it");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("elemfn");
    TCase *tc = tcase_create("elemfn");

    tcase_set_timeout(tc, 0); /* the caller has one */
    tcase_add_loop_test(tc, f32_is_correctly_rounded, 0, (int)LENGTH(functions));
    tcase_add_loop_test(tc, f64_is_within_two_ulp, 0, (int)LENGTH(functions));
    tcase_add_test(tc, special_values);
    tcase_add_loop_test(tc, arrays_equal_singles, 0, (int)LENGTH(arrays));
    tcase_add_test(tc, proof_is_current);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
