/* test_convert_slow.c - all 2^32 float32 into E4M3, E5M2 and E2M1, scalar and AVX2, both overflows.
 * The oracle is a table of thresholds: the smallest float32 that MPFR's own rounding (precision,
 * exponent range, subnormals) sends to each code, found by bisection over the bits; as rounding is
 * monotone, all floats between two thresholds have one code. FPX_TEST_EFFORT=0 takes a 64th. The
 * committed proof is made by
 *   { test_convert_slow; sha256sum libfpx/convert.c libfpx/convert_avx2.c libfpx/convert_kernels.h \
 *     libfpx/format.c libfpx/format_bits.h; } > libfpx/convert-proof.txt */
#include <math.h>
#include <mpfr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert_kernels.h"
#include "convert_oracle.h"
#include "format_bits.h"

enum { FORMATS = 3, BLOCK = 1 << 15, CODES = 256 };

static const uint32_t infinity_bits = 0x7f800000;

/* The magnitude code MPFR gives, max_code + 1 and more standing for overflow. */
static uint32_t mpfr_code(const oracle_format *o, mpfr_t y, float x)
{
    if (isinf(x))
        return o->max_code + 1;
    const int ternary = mpfr_set_flt(y, x, MPFR_RNDN);
    mpfr_subnormalize(y, ternary, MPFR_RNDN);
    const double value = mpfr_get_d(y, MPFR_RNDN);
    for (uint32_t code = 0; code <= o->max_code; code++) {
        if (value == oracle_value(o, code))
            return code;
    }
    return o->max_code + 1;
}

/* threshold[c]: bits of the smallest float32 whose code is c or above. */
static void find_thresholds(const oracle_format *o, uint32_t threshold[CODES + 1])
{
    mpfr_t y;

    mpfr_init2(y, o->mbits + 1);
    mpfr_set_emin(2 - o->bias - o->mbits); /* MPFR's significands lie in [1/2, 1) */
    threshold[0] = 0;
    for (uint32_t code = 1; code <= o->max_code + 1; code++) {
        uint32_t low = threshold[code - 1];
        uint32_t high = infinity_bits;
        while (low < high) {
            const uint32_t middle = low + (high - low) / 2;
            if (mpfr_code(o, y, fpx_bits_f32(middle)) >= code)
                high = middle;
            else
                low = middle + 1;
        }
        threshold[code] = low;
    }
    mpfr_set_emin(mpfr_get_emin_min());
    mpfr_clear(y);
    mpfr_free_cache();
}

/* Magnitude code of each float32 of a block of consecutive bits; 0xff for NaN. */
static void expected_block(const uint32_t *threshold, uint32_t max_code, uint32_t first,
                           uint32_t *code, uint8_t want[BLOCK])
{
    for (uint32_t i = 0; i < BLOCK; i++) {
        while (*code <= max_code && first + i >= threshold[*code + 1])
            (*code)++;
        want[i] = first + i > infinity_bits ? 0xff : (uint8_t)*code;
    }
}

static size_t compare_block(const oracle_format *o, int overflow, const char *kernel,
                            uint32_t first_bits, const uint8_t *want, const uint8_t *got)
{
    size_t bad = 0;

    for (uint32_t i = 0; i < BLOCK; i++) {
        const uint32_t sign = first_bits >> 31 ? o->sign : 0;
        uint32_t code = want[i] == 0xff ? o->nan : oracle_finish(o, overflow, want[i]);
        code |= want[i] == 0xff && !o->nan_signed ? 0 : sign;
        if (got[i] != code && bad++ == 0)
            printf("%s %s overflow %d: %08x gave 0x%02x, not 0x%02x\n", o->format->name, kernel,
                   overflow, first_bits + i, got[i], code);
    }
    return bad;
}

static size_t sweep(const oracle_format *o, const uint32_t *threshold, uint32_t step)
{
    static float x[BLOCK];
    static uint8_t want[BLOCK];
    static uint8_t got[BLOCK];
    const fpx_convert_kernels *const scalar = fpx_convert_kernels_for(FPX_CPU_SCALAR);
    const fpx_convert_kernels *const best =
        fpx_convert_kernels_for(fpx_cpu_detect() < FPX_CPU_AVX2 ? fpx_cpu_detect() : FPX_CPU_AVX2);
    const fpx_conversion clipped = oracle_conversion(o, FPX_SATFINITE);
    const fpx_conversion open = oracle_conversion(o, FPX_OVERFLOW_NONE);
    uint32_t code = 0;
    size_t bad = 0;

    for (uint64_t first = 0; first < UINT64_C(1) << 31; first += (uint64_t)BLOCK * step) {
        expected_block(threshold, o->max_code, (uint32_t)first, &code, want);
        for (uint32_t sign = 0; sign < 2; sign++) {
            const uint32_t bits = (uint32_t)first | sign << 31;
            for (uint32_t i = 0; i < BLOCK; i++)
                x[i] = fpx_bits_f32(bits + i);
            best->encode_f32[0](&clipped, 1.0f, x, NULL, got, BLOCK);
            bad += compare_block(o, FPX_SATFINITE, best->name, bits, want, got);
            best->encode_f32[0](&open, 1.0f, x, NULL, got, BLOCK);
            bad += compare_block(o, FPX_OVERFLOW_NONE, best->name, bits, want, got);
            /* Overflow is decided after rounding: for the slow column once is enough, in turn. */
            const int turn = (first / BLOCK & 1) != 0;
            scalar->encode_f32[0](turn ? &open : &clipped, 1.0f, x, NULL, got, BLOCK);
            bad += compare_block(o, turn ? FPX_OVERFLOW_NONE : FPX_SATFINITE, "scalar", bits, want,
                                 got);
        }
    }
    printf("# %s: %s and scalar, every %s block of %d of 2^32 float32: %zu differences\n",
           o->format->name, best->name, step == 1 ? "single" : "64th", BLOCK, bad);
    return bad;
}

int main(void)
{
    const char *const effort = getenv("FPX_TEST_EFFORT");
    const uint32_t step = effort != NULL && strcmp(effort, "0") == 0 ? 64 : 1;
    const fpx_fpenv env = fpx_fpenv_enter();
    size_t bad = 0;

    for (size_t f = 0; f < FORMATS; f++) {
        uint32_t threshold[CODES + 1];
        find_thresholds(&oracle_formats[f], threshold);
        bad += sweep(&oracle_formats[f], threshold, step);
        fflush(stdout);
    }
    fpx_fpenv_leave(env);
    return bad == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
