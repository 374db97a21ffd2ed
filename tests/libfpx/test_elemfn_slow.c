/* test_elemfn_slow.c - every float32 argument of every elementary function. The oracle is glibc's float64
 * libmvec (at most 4 ulp, and none of our code), to which a margin of 2^-40 is given, 2^11 times what
 * is stated; where the float32 is not certain within it MPFR decides instead, and in a sample besides.
 *   test_elemfn_slow prove FUNCTION        a line of proofs/elemfn.txt: all 2^32 arguments by every vector kernel that
 *                                          the processor has, random ones by MPFR, all codes of bf16 and fp16
 *   test_elemfn_slow list                  the names of the functions
 *   test_elemfn_slow codes [FUNCTION]      the codes alone
 *   test_elemfn_slow FUNCTION [61 [2048]]  every 61st argument; every 2048th of those by MPFR in any case
 * Without arguments: all codes, and a stratum of float32 for each function. */
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
#include "elemfn_sweep.h"

enum { SAMPLE_STRIDE = 4099, SAMPLE_MPFR = 997, SHOWN = 20 };
enum { SEED = 20261128, RANDOM_ALL = 1 << 26 }; /* of all functions together */

typedef struct tally {
    uint64_t arguments, by_mpfr, wrong;
} tally;

static uint32_t to_bits(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

/* float32 of MPFR's value, and NaN as the canonical one. */
static uint32_t by_mpfr(fpx_elemfn f, float x, mpfr_t scratch)
{
    elemfn_oracle(f, x, scratch);
    return elemfn_oracle_f32(scratch);
}

static uint64_t differ(fpx_elemfn f, const float *x, const float *got, uint32_t want,
                       uint64_t wrong_so_far)
{
    if (to_bits(*got) == want)
        return 0;
    if (wrong_so_far < SHOWN)
        printf("%s(%a = 0x%08" PRIx32 ") is 0x%08" PRIx32 ", should be 0x%08" PRIx32 "\n",
               fpx_elemfn_name(f), (double)*x, to_bits(*x), to_bits(*got), want);
    return 1;
}

static fpx_cpu_level lowest_vector(void)
{
    return fpx_cpu_detect() < FPX_CPU_AVX2 ? fpx_cpu_detect() : FPX_CPU_AVX2;
}

/* Arguments 0, stride, ... by the kernels from lowest_vector() to highest. */
static tally sweep(fpx_elemfn f, fpx_cpu_level highest, uint64_t stride, uint64_t mpfr_every)
{
    static float x[ELEMFN_SWEEP], got[ELEMFN_SWEEP];
    static uint32_t want[ELEMFN_SWEEP];
    static unsigned char certain[ELEMFN_SWEEP];
    tally t = { 0 };
    mpfr_t scratch;
    uint64_t next_mpfr = 0;

    mpfr_init2(scratch, ELEMFN_ORACLE_BITS);
    for (uint64_t u = 0; u <= UINT32_MAX;) {
        const uint64_t left = (UINT32_MAX - u) / stride + 1;
        const size_t n = left < ELEMFN_SWEEP ? (size_t)left : ELEMFN_SWEEP;

        for (size_t i = 0; i < ELEMFN_SWEEP; i++) {
            const uint32_t bits = (uint32_t)(u + (i < n ? i * stride : 0));
            memcpy(&x[i], &bits, sizeof bits);
        }
        elemfn_sweep_expect(f, x, want, certain);
        for (size_t i = 0; i < n; i++) {
            const int sampled = mpfr_every != 0 && t.arguments + i == next_mpfr;

            if (sampled)
                next_mpfr += mpfr_every;
            if (!certain[i] || sampled) {
                want[i] = by_mpfr(f, x[i], scratch);
                t.by_mpfr++;
            }
        }
        for (int level = (int)lowest_vector(); level <= (int)highest; level++) {
            fpx_elemfn_f32_array(f, (fpx_cpu_level)level, x, got, n);
            for (size_t i = 0; memcmp(got, want, n * sizeof *got) != 0 && i < n; i++)
                t.wrong += differ(f, &x[i], &got[i], want[i], t.wrong);
        }
        t.arguments += n;
        u += n * stride;
    }
    mpfr_clear(scratch);
    return t;
}

/* splitmix64 */
static uint64_t random_bits(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Random bits, each result against MPFR's. */
static tally sweep_random(fpx_elemfn f)
{
    uint64_t state = SEED + (uint64_t)f;
    tally t = { .arguments = (RANDOM_ALL + FPX_ELEMFN_COUNT - 1) / FPX_ELEMFN_COUNT };
    mpfr_t scratch;

    mpfr_init2(scratch, ELEMFN_ORACLE_BITS);
    for (uint64_t i = 0; i < t.arguments; i++) {
        const uint32_t bits = (uint32_t)(random_bits(&state) >> 32);
        float x, got;

        memcpy(&x, &bits, sizeof x);
        fpx_elemfn_f32_array(f, lowest_vector(), &x, &got, 1);
        t.wrong += differ(f, &x, &got, by_mpfr(f, x, scratch), t.wrong);
    }
    mpfr_clear(scratch);
    return t;
}

/* All codes of both 16-bit formats: the odd value is MPFR's, so every rounding of it is. */
static uint64_t sweep_codes(fpx_elemfn f)
{
    static const fpx_format *const formats[] = { &fpx_bf16, &fpx_fp16 };
    uint64_t wrong = 0;
    mpfr_t y;

    mpfr_init2(y, ELEMFN_ORACLE_BITS);
    for (size_t k = 0; k < 2; k++) {
        for (uint32_t code = 0; code < 1u << 16; code++) {
            const float x = (float)fpx_format_value(formats[k], code);

            elemfn_oracle(f, x, y);
            if (!elemfn_oracle_agrees(y, fpx_elemfn_f64_odd(f, x)) && wrong++ < SHOWN)
                printf("%s(%s 0x%04" PRIx32 ") is %a, should be %a\n", fpx_elemfn_name(f),
                       formats[k]->name, code, fpx_elemfn_f64_odd(f, x), elemfn_oracle_odd(y));
        }
    }
    mpfr_clear(y);
    return wrong;
}

/* A line of proofs/elemfn.txt, and 1 where it is not one. */
static int prove(fpx_elemfn f)
{
    const fpx_cpu_level highest = fpx_cpu_detect();
    const tally all = sweep(f, highest, 1, 0);
    const tally some = sweep_random(f);
    const uint64_t wrong = all.wrong + some.wrong + sweep_codes(f);

    printf("elemfn/%s: all 2^32 float32 by %s%s%s (%" PRIu64 " decided by MPFR), %" PRIu64
           " random ones of seed %d by MPFR, all codes of bf16 and fp16 to odd, %" PRIu64
           " wrong\n",
           fpx_elemfn_name(f), fpx_elemfn_kernel_name(lowest_vector()),
           highest > lowest_vector() ? " and " : "",
           highest > lowest_vector() ? fpx_elemfn_kernel_name(highest) : "", all.by_mpfr,
           some.arguments, SEED, wrong);
    return wrong != 0;
}

static int show_sweep(fpx_elemfn f, uint64_t stride, uint64_t mpfr_every)
{
    const tally t = sweep(f, lowest_vector(), stride, mpfr_every);

    printf("# %s float32 %s: every %" PRIu64 ", %" PRIu64 " arguments, %" PRIu64
           " decided by MPFR, %" PRIu64 " wrong\n",
           fpx_elemfn_name(f), fpx_elemfn_kernel_name(lowest_vector()), stride, t.arguments,
           t.by_mpfr, t.wrong);
    fflush(stdout);
    return t.wrong != 0;
}

static int show_codes(fpx_elemfn f)
{
    const uint64_t wrong = sweep_codes(f);

    printf("# %s of bf16 and fp16, rounded to odd: 131072 codes, %" PRIu64 " wrong\n",
           fpx_elemfn_name(f), wrong);
    fflush(stdout);
    return wrong != 0;
}

int main(int argc, char **argv)
{
    const int codes = argc > 1 && strcmp(argv[1], "codes") == 0;
    const int proof = argc > 1 && strcmp(argv[1], "prove") == 0;
    const char *const only = argc > 1 + codes + proof ? argv[1 + codes + proof] : NULL;
    const uint64_t stride = only == NULL ? SAMPLE_STRIDE
                            : argc > 2   ? strtoull(argv[2], NULL, 10)
                                         : 1;
    const uint64_t every = only == NULL ? SAMPLE_MPFR : argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    int bad = 0;
    int known = 0;

    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        for (int f = 0; f < FPX_ELEMFN_COUNT; f++)
            puts(fpx_elemfn_name((fpx_elemfn)f));
        return EXIT_SUCCESS;
    }
    for (int f = 0; f < FPX_ELEMFN_COUNT; f++) {
        if (only != NULL && strcmp(only, fpx_elemfn_name((fpx_elemfn)f)) != 0)
            continue;
        known = 1;
        if (proof)
            bad |= prove((fpx_elemfn)f);
        else if (codes || only == NULL)
            bad |= show_codes((fpx_elemfn)f);
        if (!proof && !codes && stride > 0)
            bad |= show_sweep((fpx_elemfn)f, stride, every);
    }
    if (!known)
        fprintf(stderr, "%s: no such function\n", only);
    return bad || !known ? EXIT_FAILURE : EXIT_SUCCESS;
}
