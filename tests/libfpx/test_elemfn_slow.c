/* test_elemfn_slow.c - every float32 argument of every elementary function against long double libm.
 * Where the oracle lies within 2^-44 of a rounding boundary (2^20 times libm's stated error) MPFR
 * decides instead. The committed proof is made by
 *   { for f in exp log sin cos tanh; do test_elemfn_slow $f; done
 *     sha256sum libfpx/elemfn*.[ch]; } > libfpx/elemfn-proof.txt
 * Arguments: a function, then if wanted first and last argument as hexadecimal bits and a stride.
 * Without arguments: all functions, every 61st argument. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <mpfr.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>
#include <fpx/elemfn.h>

enum { BLOCK = 4096, SAMPLE_STRIDE = 61, SHOWN = 20 };

/* mirror: +1 even, -1 odd, 0 neither: a mirrored argument shares one call of the oracle. */
typedef struct function {
    const char *name;
    float (*f32)(float);
    void (*array)(fpx_cpu_level, const float *, float *, size_t);
    long double (*libm)(long double);
    int (*mpfr)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);
    int mirror;
} function;

static const function functions[] = {
    { "exp", fpx_exp_f32, fpx_exp_f32_array, expl, mpfr_exp, 0 },
    { "log", fpx_log_f32, NULL, logl, mpfr_log, 0 },
    { "sin", fpx_sin_f32, NULL, sinl, mpfr_sin, -1 },
    { "cos", fpx_cos_f32, NULL, cosl, mpfr_cos, +1 },
    { "tanh", fpx_tanh_f32, fpx_tanh_f32_array, tanhl, mpfr_tanh, -1 },
};

typedef struct tally {
    uint64_t arguments, by_mpfr, wrong, wrong_in_array;
} tally;

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

static float by_mpfr(const function *fn, float x)
{
    mpfr_t v;

    mpfr_init2(v, 24);
    mpfr_set_flt(v, x, MPFR_RNDN);
    const int ternary = fn->mpfr(v, v, MPFR_RNDN);
    mpfr_subnormalize(v, ternary, MPFR_RNDN);
    const float y = mpfr_get_flt(v, MPFR_RNDN);
    mpfr_clear(v);
    return y;
}

static float expected(const function *fn, float x, tally *t)
{
    const long double v = fn->libm((long double)x);
    const float down = (float)(v - v * 0x1p-44L);
    const float up = (float)(v + v * 0x1p-44L);

    if (isnan(v))
        return from_bits(0x7FC00000u);
    if (isinf(v) || to_bits(down) == to_bits(up))
        return (float)v;
    t->by_mpfr++;
    return by_mpfr(fn, x);
}

static void note_wrong(const function *fn, const char *which, float x, float want, float got,
                       uint64_t *count)
{
    if ((*count)++ < SHOWN)
        printf("%s%s(%a = 0x%08" PRIx32 ") is 0x%08" PRIx32 ", should be 0x%08" PRIx32 "\n",
               fn->name, which, (double)x, to_bits(x), to_bits(got), to_bits(want));
}

/* Compares the single function and, where there is one, the array function. */
static void compare(const function *fn, fpx_cpu_level level, const float *x, const float *want,
                    size_t n, tally *t)
{
    float got[BLOCK];

    for (size_t i = 0; i < n; i++) {
        const float y = fn->f32(x[i]);

        if (to_bits(y) != to_bits(want[i]))
            note_wrong(fn, "", x[i], want[i], y, &t->wrong);
    }
    t->arguments += n;
    if (!fn->array)
        return;
    fn->array(level, x, got, n);
    for (size_t i = 0; i < n; i++) {
        if (to_bits(got[i]) != to_bits(want[i]))
            note_wrong(fn, "_array", x[i], want[i], got[i], &t->wrong_in_array);
    }
}

static int sweep(const function *fn, uint32_t first, uint32_t last, uint32_t stride)
{
    const fpx_cpu_level best = fpx_cpu_detect();
    const fpx_cpu_level level =
        best > FPX_CPU_AVX2 ? FPX_CPU_AVX2 : best; /* nothing above it yet */
    const char *mirrored = fn->mirror ? ", each with its negative" : "";
    float x[BLOCK], want[BLOCK];
    tally t = { 0 };
    uint64_t u = first;

    while (u <= last) {
        size_t n = 0;

        for (; n < BLOCK && u <= last; n++, u += stride) {
            x[n] = from_bits((uint32_t)u);
            want[n] = expected(fn, x[n], &t);
        }
        compare(fn, level, x, want, n, &t);
        for (size_t i = 0; fn->mirror && i < n; i++) {
            x[i] = -x[i];
            if (fn->mirror < 0 && !isnan(x[i]) && !isnan(want[i]))
                want[i] = -want[i];
        }
        if (fn->mirror)
            compare(fn, level, x, want, n, &t);
        if (t.arguments % ((uint64_t)BLOCK << 14) == 0)
            fprintf(stderr, "%s 0x%08" PRIx64 " wrong %" PRIu64 " %" PRIu64 "\n", fn->name, u,
                    t.wrong, t.wrong_in_array);
    }
    printf("# fpx_%s_f32: 0x%08" PRIx32 "..0x%08" PRIx32 " step %" PRIu32 "%s: %" PRIu64
           " arguments, %" PRIu64 " decided by MPFR, %" PRIu64 " wrong\n",
           fn->name, first, last, stride, mirrored, t.arguments, t.by_mpfr, t.wrong);
    if (fn->array)
        printf("# fpx_%s_f32_array, %s: %" PRIu64 " wrong\n", fn->name, fpx_cpu_level_name(level),
               t.wrong_in_array);
    fflush(stdout);
    return t.wrong || t.wrong_in_array;
}

int main(int argc, char **argv)
{
    const size_t n = sizeof functions / sizeof functions[0];
    int bad = 0;
    int known = argc < 2;

    if (LDBL_MANT_DIG < 64) {
        puts("skipped: long double is no wider than double here");
        return 77;
    }
    mpfr_set_emin(-148);
    mpfr_set_emax(128);
    for (size_t i = 0; i < n; i++) {
        const function *fn = &functions[i];
        const uint32_t top = fn->mirror ? 0x7FFFFFFFu : 0xFFFFFFFFu;

        if (argc >= 2 && strcmp(argv[1], fn->name) != 0)
            continue;
        const uint32_t first = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 16) : 0;
        const uint32_t last = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 16) : top;
        const uint32_t stride = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 1;

        if (stride == 0 || last > top) {
            fprintf(stderr, "%s takes bits up to 0x%08" PRIx32 " and a stride above 0\n", fn->name,
                    top);
            return EXIT_FAILURE;
        }
        known = 1;
        bad |= sweep(fn, first, last, argc < 2 ? SAMPLE_STRIDE : stride);
    }
    if (!known)
        fprintf(stderr, "%s: no such function\n", argv[1]);
    return bad || !known ? EXIT_FAILURE : EXIT_SUCCESS;
}
