/* test_elemfn.c - elementary functions against MPFR: float32 and codes correctly rounded, float64 within 2
 * ulp; arrays against single values, bit for bit. Strata only: test_elemfn_slow.c has all arguments. */
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

#include "elemfn_kernels.h"
#include "elemfn_oracle.h"

#define SEED 20240611u
#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

enum { RANDOM_COUNT = 40000, F32_COUNT = 2000, ARRAY_MAX = 1061, GUARD = 8 };

typedef struct function {
    const char *name;
    double (*f64)(double);
    int (*mpfr)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);
    float low, high; /* where the result is neither constant nor the argument */
} function;

static const function functions[] = {
    { "exp", fpx_exp_f64, mpfr_exp, -110.0f, 90.0f },
    { "log", fpx_log_f64, mpfr_log, 0.0f, 4.0f },
    { "sin", fpx_sin_f64, mpfr_sin, -100.0f, 100.0f },
    { "cos", fpx_cos_f64, mpfr_cos, -100.0f, 100.0f },
    { "tanh", fpx_tanh_f64, mpfr_tanh, -10.0f, 10.0f },
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

static void check_f32(fpx_elemfn f, float x)
{
    mpfr_t y;

    mpfr_init2(y, ELEMFN_ORACLE_BITS);
    elemfn_oracle(f, x, y);
    const uint32_t want = elemfn_oracle_f32(y);
    mpfr_clear(y);
    const uint32_t got = to_bits(fpx_elemfn_f32(f, x));

    if (got != want)
        ck_abort_msg("%s(%a = 0x%08" PRIx32 ") is 0x%08" PRIx32 ", should be 0x%08" PRIx32,
                     fpx_elemfn_name(f), (double)x, to_bits(x), got, want);
}

/* Arguments where a float64 result within 2 ulp rounds to the wrong float: of log, sin and cos. */
static const uint32_t hard[] = { 0x3C413D3Au, 0x41178FEBu, 0x4C5D65A5u, 0x65D890D3u,
                                 0x6F31A8ECu, 0x46199998u, 0x5F18B878u, 0x6115CB11u };

START_TEST(f32_is_correctly_rounded)
{
    const fpx_elemfn f = (fpx_elemfn)_i;
    const int64_t count = (int64_t)F32_COUNT * effort();
    uint64_t state = SEED;

    printf("%s float32, seed %u, %" PRId64 " random arguments of each kind\n", fpx_elemfn_name(f),
           SEED, count);
    for (uint32_t top = 0; top < 1u << 10; top++) { /* sign, exponent, a bit of mantissa */
        check_f32(f, from_bits(top << 22));
        check_f32(f, from_bits(top << 22 | 0x3FFFFFu));
    }
    for (size_t i = 0; i < LENGTH(anchors); i++) {
        const uint32_t middle = to_bits((float)anchors[i]);

        for (uint32_t d = 0; d <= 6; d++) {
            check_f32(f, from_bits(middle + d));
            check_f32(f, from_bits(middle - d));
            check_f32(f, from_bits((middle + d) ^ 0x80000000u));
            check_f32(f, from_bits((middle - d) ^ 0x80000000u));
        }
    }
    for (size_t i = 0; i < LENGTH(hard); i++) {
        check_f32(f, from_bits(hard[i]));
        check_f32(f, from_bits(hard[i] ^ 0x80000000u));
    }
    for (int64_t i = 0; i < count; i++) {
        check_f32(f, from_bits((uint32_t)(random_bits(&state) >> 32)));
        check_f32(f, (float)random_between(&state, -20.0, 20.0));
    }
}
END_TEST

/* Codes of one source to every destination, rounding and overflow: where fpx_encode_f64 lacks a mode
 * its one rounding is the oracle's, of our odd value. */
static void check_codes(fpx_elemfn f, const fpx_format *source, uint32_t stride)
{
    static const fpx_format *const targets[] = { &fpx_bf16, &fpx_fp16, &fpx_e4m3, &fpx_e5m2,
                                                 &fpx_e2m1 };
    static mpfr_t y[1024];
    uint8_t codes[1024][2], got[1024][2];
    const size_t in = fpx_format_size(source);
    size_t n = 0;
    mpfr_t odd;

    mpfr_init2(odd, 53);
    for (uint32_t code = 0; code < 1u << source->bits; code += stride, n++) {
        const float x = (float)fpx_format_value(source, code);

        ck_assert_uint_lt(n, 1024);
        memcpy((char *)codes + n * in, &code, in); /* little-endian: its low bytes */
        mpfr_init2(y[n], ELEMFN_ORACLE_BITS);
        elemfn_oracle(f, x, y[n]);
        if (!elemfn_oracle_agrees(y[n], fpx_elemfn_f64_odd(f, x)))
            ck_abort_msg("%s(%a) is %a to odd, should be %a", fpx_elemfn_name(f), (double)x,
                         fpx_elemfn_f64_odd(f, x), elemfn_oracle_odd(y[n]));
    }
    for (size_t mode = 0; mode < LENGTH(targets) * 6 * 3; mode++) {
        const fpx_conversion to = { .format = *targets[mode / 18],
                                    .round = (uint8_t)(mode % 6),
                                    .overflow = (uint8_t)(mode / 6 % 3) };
        const size_t out = fpx_format_size(&to.format);
        const fpx_status status = fpx_elemfn_codes(f, source, codes, &to, got, n);

        ck_assert_msg(status == FPX_OK || status == FPX_EUNSUPPORTED, "status %d", status);
        for (size_t i = 0; i < n; i++) {
            const uint64_t code = fpx_format_code(source, codes, i);
            const uint64_t want = elemfn_oracle_code(&to, y[i]);
            uint64_t is = 0;

            if (status == FPX_OK) {
                memcpy(&is, (char *)got + i * out, out);
            } else {
                mpfr_set_d(odd, fpx_elemfn_f64_odd(f, (float)fpx_format_value(source, code)),
                           MPFR_RNDN);
                is = elemfn_oracle_code(&to, odd);
            }
            if (is != want)
                ck_abort_msg("%s of %s 0x%" PRIx64 " to %s, rounding %d, overflow %d: 0x%" PRIx64
                             ", should be 0x%" PRIx64,
                             fpx_elemfn_name(f), source->name, code, to.format.name, to.round,
                             to.overflow, is, want);
        }
    }
    for (size_t i = 0; i < n; i++)
        mpfr_clear(y[i]);
    mpfr_clear(odd);
}

START_TEST(codes_are_correctly_rounded)
{
    const uint32_t stride = effort() > 1 ? 67 : 331;

    check_codes((fpx_elemfn)_i, &fpx_bf16, stride);
    check_codes((fpx_elemfn)_i, &fpx_fp16, stride);
    check_codes((fpx_elemfn)_i, &fpx_e4m3, 1);
    check_codes((fpx_elemfn)_i, &fpx_e5m2, 1);
    check_codes((fpx_elemfn)_i, &fpx_e2m1, 1);
}
END_TEST

START_TEST(codes_refuse)
{
    const fpx_conversion to = { .format = fpx_e4m3 };
    const fpx_conversion wide = { .format = fpx_fp32 };
    const fpx_conversion stochastic = { .format = fpx_e4m3, .round = FPX_SR };
    const uint8_t code = 0;
    uint8_t got = 0x55;

    ck_assert_int_eq(fpx_elemfn_codes(FPX_ELEMFN_COUNT, &fpx_e4m3, &code, &to, &got, 1),
                     FPX_EINVAL);
    ck_assert_int_eq(fpx_elemfn_codes(FPX_ELEMFN_EXP, &fpx_int32, &code, &to, &got, 1), FPX_EINVAL);
    ck_assert_int_eq(fpx_elemfn_codes(FPX_ELEMFN_EXP, &fpx_fp32, &code, &to, &got, 1),
                     FPX_EUNSUPPORTED);
    ck_assert_int_eq(fpx_elemfn_codes(FPX_ELEMFN_EXP, &fpx_e4m3, &code, &wide, &got, 1),
                     FPX_EUNSUPPORTED);
    ck_assert_int_ne(fpx_elemfn_codes(FPX_ELEMFN_EXP, &fpx_e4m3, &code, &stochastic, &got, 1),
                     FPX_OK);
    ck_assert_uint_eq(got, 0x55);
    ck_assert_int_eq(fpx_elemfn_codes(FPX_ELEMFN_EXP, &fpx_e4m3, &code, &to, &got, 0), FPX_OK);
    ck_assert_uint_eq(got, 0x55);
    ck_assert_ptr_null(fpx_elemfn_name(FPX_ELEMFN_COUNT));
    ck_assert_str_eq(fpx_elemfn_name(FPX_ELEMFN_CBRT), "cbrt");
    ck_assert_str_eq(fpx_elemfn_name((fpx_elemfn)(FPX_ELEMFN_POW - FPX_ELEMFN_POW_MAX)), "pow-16");
    ck_assert_str_eq(fpx_elemfn_name((fpx_elemfn)(FPX_ELEMFN_POW + 2)), "pow2");
    ck_assert_int_eq(FPX_ELEMFN_POW - FPX_ELEMFN_POW_MAX, FPX_ELEMFN_NAMED);
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

            ck_assert_uint_eq(to_bits64(functions[i].f64(from_bits64(wide | 0x7FF0000000000000u))),
                              0x7FF8000000000000u);
        }
    }
    for (int f = 0; f < FPX_ELEMFN_COUNT; f++) {
        const uint32_t want = f == FPX_ELEMFN_POW ? 0x3F800000u : 0x7FC00000u;

        for (size_t j = 0; j < LENGTH(nans); j++)
            ck_assert_uint_eq(to_bits(fpx_elemfn_f32((fpx_elemfn)f, from_bits(nans[j]))), want);
    }
    ck_assert_uint_eq(to_bits(fpx_elemfn_f32(FPX_ELEMFN_RSQRT, -0.0f)), 0xFF800000u);
    ck_assert_uint_eq(to_bits(fpx_elemfn_f32(FPX_ELEMFN_GELU, -INFINITY)), 0x80000000u);
    ck_assert_uint_eq(to_bits(fpx_elemfn_f32(FPX_ELEMFN_SILU, -INFINITY)), 0x80000000u);
    ck_assert_uint_eq(to_bits(fpx_elemfn_f32(FPX_ELEMFN_LOG1P, -1.0f)), 0xFF800000u);
    ck_assert_uint_eq(to_bits(fpx_elemfn_f32(FPX_ELEMFN_CBRT, -27.0f)), 0xC0400000u);
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
    void (*f64_array)(fpx_cpu_level, const double *, double *, size_t);
    double (*f64)(double);
} array_pair;

static const array_pair arrays[] = {
    { "exp", fpx_exp_f64_array, fpx_exp_f64 },
    { "tanh", fpx_tanh_f64_array, fpx_tanh_f64 },
};

/* n values from x + shift into y + shift; in place when x == y. Canaries stay on either side. */
static void check_array_f32(fpx_elemfn f, fpx_cpu_level level, size_t n, size_t shift, int in_place,
                            uint64_t *state)
{
    static float x[ARRAY_MAX + 3 * GUARD], y[ARRAY_MAX + 3 * GUARD], want[ARRAY_MAX + 3 * GUARD];
    float *out = in_place ? x : y;
    const size_t start = GUARD + shift;

    for (size_t i = 0; i < LENGTH(x); i++)
        x[i] = y[i] = want[i] = 12345.0f;
    for (size_t i = start; i < start + n; i++) {
        x[i] = (float)array_argument(state, i, 0);
        want[i] = fpx_elemfn_f32(f, x[i]);
    }
    fpx_elemfn_f32_array(f, level, x + start, out + start, n);
    for (size_t i = 0; i < LENGTH(x); i++) {
        if (to_bits(out[i]) != to_bits(want[i]))
            ck_abort_msg("%s_f32_array %s n %zu shift %zu in place %d: [%zu] is 0x%08" PRIx32
                         ", should be 0x%08" PRIx32,
                         fpx_elemfn_name(f), fpx_cpu_level_name(level), n, shift, in_place,
                         i - start, to_bits(out[i]), to_bits(want[i]));
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
    uint64_t state = SEED;

    for (fpx_cpu_level level = FPX_CPU_SCALAR; level <= fpx_cpu_detect(); level++) {
        printf("%s arrays at level %s, seed %u\n", fpx_elemfn_name((fpx_elemfn)_i),
               fpx_cpu_level_name(level), SEED);
        for (size_t k = 0; k < 41 + LENGTH(longer); k++) {
            const size_t n = k < 41 ? k : longer[k - 41];

            for (size_t shift = 0; shift < GUARD; shift++) {
                const int in_place = (int)(k + shift) & 1;

                if (k >= 41 && shift != k % GUARD)
                    continue;
                check_array_f32((fpx_elemfn)_i, level, n, shift, in_place, &state);
                for (size_t i = 0; _i == 0 && i < LENGTH(arrays); i++)
                    check_array_f64(&arrays[i], level, n, shift, in_place, &state);
            }
        }
    }
}
END_TEST

/* proofs/elemfn.txt has every function, found nothing wrong, and is about the sources as they are. It lies where
 * this file's own path leads; meson compiles and tests from the build folder. */
START_TEST(proof_is_current)
{
    char root[1024] = __FILE__;
    char text[1200], line[512], name[64];
    int proven = 0;

    char *tail = strstr(root, "tests/libfpx/");
    ck_assert_ptr_nonnull(tail);
    memcpy(tail, ".", 2);
    snprintf(text, sizeof text, "%s/proofs/elemfn.txt", root);
    FILE *file = fopen(text, "r");
    if (!file)
        ck_abort_msg("%s is not readable from here", text);
    while (fgets(line, sizeof line, file)) {
        if (strstr(line, " wrong\n") && !strstr(line, ", 0 wrong\n"))
            ck_abort_msg("%s: %s", text, line);
        for (int f = 0; f < FPX_ELEMFN_COUNT; f++) {
            snprintf(name, sizeof name, "# elemfn/%s: all 2^32 ", fpx_elemfn_name((fpx_elemfn)f));
            proven += strncmp(line, name, strlen(name)) == 0;
        }
    }
    fclose(file);
    if (proven != FPX_ELEMFN_COUNT)
        ck_abort_msg("%s has %d functions of %d: ./dev prove elemfn goes on", text, proven,
                     FPX_ELEMFN_COUNT);
    snprintf(text, sizeof text, "cd '%s' && sha256sum --strict --quiet -c proofs/elemfn.txt", root);
    if (system(text) != 0)
        ck_abort_msg("proofs/elemfn.txt is stale: ./dev prove elemfn renews it");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("elemfn");
    TCase *tc = tcase_create("elemfn");

    tcase_set_timeout(tc, 0); /* the caller has one */
    tcase_add_loop_test(tc, f32_is_correctly_rounded, 0, FPX_ELEMFN_COUNT);
    tcase_add_loop_test(tc, codes_are_correctly_rounded, 0, FPX_ELEMFN_COUNT);
    tcase_add_test(tc, codes_refuse);
    tcase_add_loop_test(tc, f64_is_within_two_ulp, 0, (int)LENGTH(functions));
    tcase_add_test(tc, special_values);
    tcase_add_loop_test(tc, arrays_equal_singles, 0, FPX_ELEMFN_COUNT);
    tcase_add_test(tc, proof_is_current);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
