/* test_elemfn_slow.c - every float32 argument of every elementary function. The oracle is glibc's float64
 * libmvec (at most 4 ulp, and none of our code), to which a margin of 2^-40 is given, 2^11 times what
 * is stated; where the float32 is not certain within it MPFR decides instead, and in a sample besides.
 * The committed proof, libfpx/elemfn-proof.txt, is made piece by piece by
 *   test_elemfn_slow codes                 all codes of bf16 and fp16, every function, by MPFR
 *   test_elemfn_slow FUNCTION              all 2^32 arguments
 *   test_elemfn_slow FUNCTION 61 2048      every 61st argument; every 2048th of those by MPFR in any case
 *   sha256sum libfpx/elemfn*.[ch]
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

static int sweep(fpx_elemfn f, uint64_t stride, uint64_t mpfr_every)
{
    const fpx_cpu_level best = fpx_cpu_detect();
    const fpx_cpu_level level = best > FPX_CPU_AVX2 ? FPX_CPU_AVX2 : best;
    static float x[ELEMFN_SWEEP], got[ELEMFN_SWEEP];
    static uint32_t want[ELEMFN_SWEEP];
    static unsigned char certain[ELEMFN_SWEEP];
    tally t = { 0 };
    mpfr_t scratch;
    uint64_t next_mpfr = 0;

    mpfr_init2(scratch, ELEMFN_ORACLE_BITS);
    for (uint64_t u = 0; u <= UINT32_MAX;) {
        size_t n = 0;

        for (; n < ELEMFN_SWEEP && u <= UINT32_MAX; n++, u += stride) {
            const uint32_t bits = (uint32_t)u;
            memcpy(&x[n], &bits, sizeof bits);
        }
        for (size_t i = n; i < ELEMFN_SWEEP; i++)
            x[i] = 1.0f;
        elemfn_sweep_expect(f, x, want, certain);
        fpx_elemfn_f32_array(f, level, x, got, n);
        for (size_t i = 0; i < n; i++) {
            const int sampled = mpfr_every != 0 && t.arguments + i == next_mpfr;

            if (sampled)
                next_mpfr += mpfr_every;
            if (!certain[i] || sampled || to_bits(got[i]) != want[i]) {
                want[i] = by_mpfr(f, x[i], scratch);
                t.by_mpfr++;
            }
            if (to_bits(got[i]) != want[i] && t.wrong++ < SHOWN)
                printf("%s(%a = 0x%08" PRIx32 ") is 0x%08" PRIx32 ", should be 0x%08" PRIx32 "\n",
                       fpx_elemfn_name(f), (double)x[i], to_bits(x[i]), to_bits(got[i]), want[i]);
        }
        t.arguments += n;
    }
    mpfr_clear(scratch);
    printf("# %s float32 %s: every %" PRIu64 ", %" PRIu64 " arguments, %" PRIu64
           " decided by MPFR, %" PRIu64 " wrong\n",
           fpx_elemfn_name(f), fpx_elemfn_kernel_name(level), stride, t.arguments, t.by_mpfr,
           t.wrong);
    fflush(stdout);
    return t.wrong != 0;
}

/* All codes of both 16-bit formats: the odd value is MPFR's, so every rounding of it is. */
static int sweep_codes(fpx_elemfn f)
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
    printf("# %s of bf16 and fp16, rounded to odd: 131072 codes, %" PRIu64 " wrong\n",
           fpx_elemfn_name(f), wrong);
    fflush(stdout);
    return wrong != 0;
}

int main(int argc, char **argv)
{
    const int codes = argc > 1 && strcmp(argv[1], "codes") == 0;
    const char *const only = argc > 1 + codes ? argv[1 + codes] : NULL;
    const uint64_t stride = only == NULL ? SAMPLE_STRIDE
                            : argc > 2   ? strtoull(argv[2], NULL, 10)
                                         : 1;
    const uint64_t every = only == NULL ? SAMPLE_MPFR : argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    int bad = 0;
    int known = 0;

    for (int f = 0; f < FPX_ELEMFN_COUNT; f++) {
        if (only != NULL && strcmp(only, fpx_elemfn_name((fpx_elemfn)f)) != 0)
            continue;
        known = 1;
        if (codes || only == NULL)
            bad |= sweep_codes((fpx_elemfn)f);
        if (!codes && stride > 0)
            bad |= sweep((fpx_elemfn)f, stride, every);
    }
    if (!known)
        fprintf(stderr, "%s: no such function\n", only);
    return bad || !known ? EXIT_FAILURE : EXIT_SUCCESS;
}
