/* test_block.c - block scaling against other principles than the library's: exponents by comparing exact float64
 * products over every float32 mantissa, scales by long double quotients where the order of operations cannot
 * matter, the published fractions as exact counts, and what zero, Inf and NaN blocks give, by name. The orders
 * of operations are checked against numpy and torchao (block_peer.py, block_torchao.py). */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/block.h>

#include "block_kernels.h"
#include "convert_oracle.h"
#include "format_bits.h"

/* Written out anew from the OCP specification: emax, largest value, fraction bits. */
static const struct element {
    const fpx_format *format;
    int emax, mbits;
    double max;
    uint32_t reach; /* mantissas of 2^23 whose block's maximum is at or above max under FLOOR */
} elements[] = {
    { &fpx_e4m3, 8, 3, 448.0, 1u << 21 }, { &fpx_e5m2, 15, 2, 57344.0, 1u << 21 },
    { &fpx_e3m2, 4, 2, 28.0, 1u << 21 },  { &fpx_e2m3, 2, 3, 7.5, 1u << 20 },
    { &fpx_e2m1, 2, 1, 6.0, 1u << 22 },   { &fpx_mxint8, 0, 6, 127.0 / 64.0, 1u << 17 },
};

enum { ELEMENTS = sizeof elements / sizeof elements[0], MANTISSAS = 1 << 23, ROWS = 9, COLS = 75 };

static fpx_blocking profile(const char *name)
{
    fpx_blocking b = { .rule = 0 };

    ck_assert_int_eq(fpx_blocking_find(name, &b), FPX_OK);
    ck_assert_int_eq(fpx_blocking_check(&b), FPX_OK);
    return b;
}

static fpx_blocking mx(const struct element *e, fpx_mx_exponent exponent)
{
    fpx_blocking b = profile("mx-ocp");

    b.element.format = *e->format;
    b.mx_exponent = (uint8_t)exponent;
    return b;
}

static uint64_t next(uint64_t *state) /* SplitMix64 */
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The least e in -127..127 with value <= 2^e, or the largest with 2^e <= value, from exact comparisons. */
static int log2_by_search(double value, int up)
{
    int e = -127;

    while (e < 127 && (up ? ldexp(1.0, e) < value : ldexp(1.0, e + 1) <= value))
        e++;
    return e;
}

static int wanted_exponent(const struct element *e, fpx_mx_exponent exponent, float amax)
{
    const double top = ldexp(1.0, e->emax);
    double a = (double)amax;

    switch (exponent) {
    case FPX_MX_CEIL:
        return log2_by_search(a / top, 1);
    case FPX_MX_RCEIL: {
        /* amax <= max * 2^e, exact in float64. */
        int k = -127;
        while (k < 127 && e->max * ldexp(1.0, k) < a)
            k++;
        return k;
    }
    case FPX_MX_EVEN: /* amax + half of an element's last place at amax's exponent */
        a += ldexp(1.0, log2_by_search(a, 0) - e->mbits - 1);
        return log2_by_search(a / top, 0);
    default:
        return log2_by_search(a / top, 0);
    }
}

static int exponent_of(const fpx_blocking *b, float amax)
{
    return (int)fpx_block_factor_of(b, 0.0f, amax, 0).stored - 127;
}

static const fpx_mx_exponent exponents[] = { FPX_MX_FLOOR, FPX_MX_CEIL, FPX_MX_EVEN, FPX_MX_RCEIL };

/* amax at each of the 254 powers of two with its neighbours, and at random. */
START_TEST(exponents_at_boundaries)
{
    const struct element *const e = &elements[_i];
    uint64_t state = 11;

    for (size_t k = 0; k < sizeof exponents / sizeof exponents[0]; k++) {
        const fpx_blocking b = mx(e, exponents[k]);
        for (uint32_t field = 1; field < 255; field++) {
            for (uint32_t d = 0; d < 40; d++) {
                /* Neighbours of the power of two, of the element's largest at that exponent, and others. */
                const uint32_t top = fpx_f32_bits((float)e->max) & 0x7fffffu;
                const uint32_t base = field << 23;
                const uint32_t u = d < 7    ? base + d - 3
                                   : d < 14 ? base + top + d - 10
                                            : base + ((uint32_t)next(&state) & 0x7fffffu);
                const float amax = fpx_bits_f32(u);
                if (u >= 0x7f800000u ||
                    (exponents[k] == FPX_MX_EVEN && u + (1u << (22 - e->mbits)) >= 0x7f800000u))
                    continue;
                const int want = wanted_exponent(e, exponents[k], amax);
                const int got = exponent_of(&b, amax);
                /* EVEN's half place is counted from the bits: below 2^-126 it is not the search's. */
                if (got != want && !(exponents[k] == FPX_MX_EVEN && u < 0x00800000u))
                    ck_abort_msg("%s exponent %d: amax %08x gave 2^%d, not 2^%d", e->format->name,
                                 (int)exponents[k], u, got, want);
            }
        }
    }
}
END_TEST

/* Each of the 2^23 mantissas: the exponent of every rule, and how often FLOOR lets the block's own maximum
 * saturate: 25 % for e4m3, e5m2 and e3m2, 12.5 % for e2m3, 50 % for e2m1, less one mantissa. */
START_TEST(all_mantissas)
{
    const struct element *const e = &elements[_i];
    fpx_blocking rules[5];
    uint32_t saturated = 0;
    uint32_t fp32_differs = 0;

    for (size_t k = 0; k < 5; k++)
        rules[k] = mx(e, (fpx_mx_exponent)k);
    for (uint32_t m = 0; m < MANTISSAS; m++) {
        const float amax = fpx_bits_f32(0x3f800000u | m);
        const double a = (double)amax;
        const int above = a * ldexp(1.0, e->emax) > e->max;
        const int floors = exponent_of(&rules[FPX_MX_FLOOR], amax);
        const int even = a + ldexp(1.0, -e->mbits - 1) >= 2.0;
        if (floors != -e->emax || exponent_of(&rules[FPX_MX_CEIL], amax) != -e->emax + (m != 0) ||
            exponent_of(&rules[FPX_MX_EVEN], amax) != -e->emax + even ||
            exponent_of(&rules[FPX_MX_RCEIL], amax) != -e->emax + above)
            ck_abort_msg("%s: mantissa %06x", e->format->name, m);
        fp32_differs += exponent_of(&rules[FPX_MX_RCEIL_FP32], amax) != -e->emax + above;
        saturated += a * ldexp(1.0, -floors) > e->max;
    }
    ck_assert_uint_eq(saturated, e->reach - 1); /* max itself fits */
    /* The float32 product of the reciprocal errs for one mantissa of mxint8, and for none of the others. */
    ck_assert_uint_eq(fp32_differs, e->format == &fpx_mxint8 ? 1 : 0);
}
END_TEST

/* ---- whole matrices, every level, against a naive quantization ---- */

/* Finite: wide exponents; some zeros. */
static void fill(float *x, size_t n, uint64_t *state)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t r = next(state);
        x[i] = (float)ldexp((double)(int32_t)r * 0x1p-31, (int)(r >> 40 & 7) - 4);
        if (r >> 60 == 0)
            x[i] = (r >> 50 & 1) != 0 ? -0.0f : 0.0f;
    }
}

typedef struct result {
    uint8_t codes[ROWS * COLS];
    uint8_t scales[4 * ROWS * COLS];
} result;

static void run_level(fpx_cpu_level level, const fpx_blocking *b, float amax, const float *x,
                      size_t rows, size_t cols, result *r)
{
    fpx_block_job job = { .blocking = b,
                          .tensor_amax = amax,
                          .src = x,
                          .rows = rows,
                          .cols = cols,
                          .stride = cols,
                          .height = b->block[0] == 0 || b->block[0] > rows ? rows : b->block[0],
                          .width = b->block[1] == 0 || b->block[1] > cols ? cols : b->block[1],
                          .codes = r->codes,
                          .scales = r->scales };

    fpx_blocking_grid(b, rows, cols, &job.down, &job.across);
    memset(r, 0xee, sizeof *r);
    fpx_block_run_job(fpx_block_kernels_for(level), &job);
}

/* MX with FLOOR, by float64: x / 2^e is exact, and its code by midpoints. */
static void expect_mx(const oracle_format *o, const float *x, size_t rows, size_t cols,
                      const size_t block[2], const result *r)
{
    const int emax = (int)(o->max_code >> o->mbits) - o->bias;
    const size_t across = (cols + block[1] - 1) / block[1];

    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < cols; j++) {
            const size_t bi = i / block[0];
            const size_t bj = j / block[1];
            double amax = 0.0;
            for (size_t y = bi * block[0]; y < rows && y < (bi + 1) * block[0]; y++)
                for (size_t z = bj * block[1]; z < cols && z < (bj + 1) * block[1]; z++)
                    amax = fmax(amax, fabs((double)x[y * cols + z]));
            const int e = amax == 0.0 ? -127 : ilogb(amax) - emax;
            const uint32_t want =
                oracle_encode(o, FPX_SATFINITE, ldexp((double)x[i * cols + j], -e));
            if (r->scales[bi * across + bj] != e + 127 || r->codes[i * cols + j] != want)
                ck_abort_msg("%s %zu x %zu [%zu][%zu] = %a: scale %d, not %d; code %02x, not %02x",
                             o->format->name, rows, cols, i, j, (double)x[i * cols + j],
                             r->scales[bi * across + bj], e + 127, r->codes[i * cols + j], want);
        }
    }
}

START_TEST(mx_matrices)
{
    static const size_t blocks[][2] = { { 1, 32 }, { 32, 1 }, { 1, 16 },
                                        { 8, 1 },  { 4, 8 },  { 1, 7 } };
    const oracle_format *const o = &oracle_formats[_i]; /* e4m3, e5m2, e2m1 */
    static float x[ROWS * COLS];
    static result r;
    uint64_t state = 5;

    for (size_t k = 0; k < sizeof blocks / sizeof blocks[0]; k++) {
        fpx_blocking b = profile("mx-ocp");
        b.element.format = *o->format;
        b.block[0] = blocks[k][0];
        b.block[1] = blocks[k][1];
        for (size_t cols = 1; cols <= COLS; cols += 2) {
            fill(x, ROWS * cols, &state);
            for (int level = -1; level <= (int)fpx_cpu_detect(); level++) {
                if (level < 0)
                    ck_assert_int_eq(fpx_block_quantize(&b, 0.0f, x, ROWS, cols, r.codes, r.scales),
                                     FPX_OK);
                else
                    run_level((fpx_cpu_level)level, &b, 0.0f, x, ROWS, cols, &r);
                expect_mx(o, x, ROWS, cols, blocks[k], &r);
            }
        }
    }
}
END_TEST

/* ---- special blocks, by name ---- */

static void one_block(const fpx_blocking *b, float amax, const uint32_t *special, size_t n,
                      uint32_t *ret_scale, uint8_t *codes)
{
    float x[128];
    uint8_t all[128];

    for (size_t i = 0; i < 128; i++)
        x[i] = i % 2 == 0 ? 1.0f : -0.5f;
    memcpy(x, special, n * sizeof *special);
    *ret_scale = 0;
    ck_assert_int_eq(fpx_block_quantize(b, amax, x, 1, b->block[1], all, ret_scale), FPX_OK);
    memcpy(codes, all, 4);
}

static const struct special_case {
    const char *profile;
    float amax;
    uint32_t x[3]; /* the first elements; the others are 1 and -0.5 in turn */
    uint32_t scale;
    uint8_t codes[4];
} special_cases[] = {
    { "mx-ocp", 0, { 0x7fc00000, 0, 0xffc00001 }, 0xff, { 0x7f, 0x7f, 0xff, 0xff } },
    { "mx-te", 0, { 0x7fc00000, 0, 0xffc00001 }, 0xff, { 0x7f, 0x7f, 0x7f, 0x7f } },
    { "mx-te", 0, { 0x7f800000, 0xff800000, 0x7f7fffff }, 0xfe, { 0x7e, 0xfe, 0x40, 0x80 } },
    { "mx-torchao", 0, { 0x7f800000, 0xff800000, 0x7f7fffff }, 0xff, { 0x7f, 0x7f, 0x7f, 0x7f } },
    { "mx-ocp", 0, { 0x7f7fffff, 0xff7fffff, 0x40000000 }, 127 + 127 - 8, { 0x7e, 0xfe, 0, 0x80 } },
    /* TE: S is 1 where AMAX is Inf; NaN takes no part, and is the largest value of e2m1. */
    { "nvfp4-te", INFINITY, { 0x7f800000, 0xff800000, 0 }, 0x7e, { 7, 0xf, 0, 8 } },
    { "nvfp4-te", 1.0f, { 0x7fc00000, 0xffc00001, 0x80000000 }, 0x7e, { 7, 7, 8, 0xd } },
    { "nvfp4-te", INFINITY, { 0x7fc00000, 0x7f800000, 0x80000000 }, 0x7e, { 7, 7, 8, 8 } },
    { "nvfp4-te-python", 1.0f, { 0, 0x80000000, 0x80000000 }, 0x7e, { 0, 0, 0, 0xd } },
    { "nvfp4-te-python", 1.0f, { 0x7fc00000, 0, 0 }, 0x7f, { 7, 7, 7, 7 } },
    { "nvfp4-torchao", 1.0f, { 0x7fc00000, 0, 0 }, 0x7f, { 7, 7, 7, 7 } },
    /* t = 0: (1 / 0) / 448 = Inf, and 0 * Inf is NaN. */
    { "nvfp4-torchao", 0.0f, { 0, 0x80000000, 0x3f800000 }, 0x7e, { 7, 7, 7, 0xf } },
    { "tile-te",
      0,
      { 0x7f800000, 0xff800000, 0x40000000 },
      0x3f800000,
      { 0x7e, 0xfe, 0x40, 0xb0 } },
    { "tile-te",
      0,
      { 0x7fc00000, 0x43e80000, 0x40000000 },
      0x3f800000,
      { 0x7f, 0x7e, 0x40, 0xb0 } },
    { "tile-te", 0, { 0x43e00000, 0, 0 }, 0x3f800000, { 0x7e, 0, 0, 0xb0 } },
    { "deepseek-v3",
      0,
      { 0x43e00000, 0x7fc00000, 0xffc00000 },
      0x3f800000,
      { 0x7e, 0x7f, 0x7f, 0xb0 } },
    { "deepseek-v3",
      0,
      { 0x7f800000, 0x40000000, 0xff800000 },
      0x7f800000,
      { 0x7f, 0, 0x7f, 0x80 } },
};

START_TEST(special_blocks)
{
    const struct special_case *const c = &special_cases[_i];
    const fpx_blocking b = profile(c->profile);
    uint32_t scale = 0;
    uint8_t codes[4];

    one_block(&b, c->amax, c->x, 3, &scale, codes);
    if (scale != c->scale || memcmp(codes, c->codes, 4) != 0)
        ck_abort_msg("%s, case %d: scale %x, codes %02x %02x %02x %02x", c->profile, _i, scale,
                     codes[0], codes[1], codes[2], codes[3]);
}
END_TEST

/* A block of zeros: the byte 0 of MX, scale 0 of TE's NVFP4, 2^-6 of torchao's, 1 of tiles and MS-AMP's; zeros decode to
 * zeros. The same for each profile there is, and all names differ. */
START_TEST(zero_blocks)
{
    static const struct {
        const char *prefix;
        uint32_t scale;
    } wants[] = {
        { "mx-quest", 0x64 /* 1e-8 */ }, { "mx-", 0x00 },
        { "nvfp4-torchao", 0x08 },       { "nvfp4-", 0x00 },
        { "tile-", 0x3f800000 },         { "tensor-", 0x3f800000 },
        { "row-", 0x3f800000 },          { "column-", 0x3f800000 },
        { "deep", 0 /* 1e-4 / 448 */ },  { "fp4-ms-amp", 0x3f800000 },
    };
    fpx_blocking b;
    const char *source = NULL;
    size_t found = 0;

    for (size_t i = 0; fpx_blocking_at(i, &b, &source) == FPX_OK; i++, found++) {
        static const float zeros[128] = { 0.0f, -0.0f };
        uint8_t codes[128];
        uint32_t scales[128] = { 0 };
        float back[128];
        fpx_blocking again;
        ck_assert_int_eq(fpx_blocking_check(&b), FPX_OK);
        ck_assert_int_eq(fpx_blocking_find(b.name, &again), FPX_OK);
        ck_assert_mem_eq(&b, &again, sizeof b);
        ck_assert_uint_gt(strlen(source), 10);
        ck_assert_int_eq(fpx_block_quantize(&b, 1.0f, zeros, 1, 128, codes, scales), FPX_OK);
        ck_assert_int_eq(fpx_block_dequantize(&b, 1.0f, codes, scales, 1, 128, back), FPX_OK);
        const uint32_t first =
            fpx_blocking_scale_format(&b)->bits == 32 ? scales[0] : scales[0] & 0xff;
        size_t k = 0;
        while (strncmp(b.name, wants[k].prefix, strlen(wants[k].prefix)) != 0)
            k++;
        const float floor_scale = 1e-4f / 448.0f;
        ck_assert_uint_eq(first, wants[k].scale != 0 || strncmp(b.name, "deep", 4) != 0
                                     ? wants[k].scale
                                     : fpx_f32_bits(floor_scale));
        for (size_t j = 0; j < 128; j++) {
            const uint32_t sign = j == 1 && !b.drops_negative_zero && !b.ms_amp ? 0x80000000u : 0;
            ck_assert_uint_eq(fpx_f32_bits(back[j]), sign);
        }
    }
    ck_assert_uint_ge(found, 15);
}
END_TEST

/* amax and AMAX of bf16 for which (amax / 6) / t and amax / (6 t) round to two codes: found by search. */
START_TEST(order_of_torchao)
{
    static const struct {
        float amax, tensor;
        uint32_t code;
    } traps[] = { { 0x1.d4p+3f, 0x1.38p+7f, 0x62 },
                  { 0x1.d4p+3f, 0x1.38p+5f, 0x72 },
                  { 0x1.7p+3f, 0x1.cp+3f, 0x7b } };
    const fpx_blocking b = profile("nvfp4-torchao");

    for (size_t i = 0; i < sizeof traps / sizeof traps[0]; i++)
        ck_assert_uint_eq(fpx_block_factor_of(&b, traps[i].tensor, traps[i].amax, 0).stored,
                          traps[i].code);
}
END_TEST

/* ---- tiles: the scale is one correctly rounded division ---- */

START_TEST(tile_scales)
{
    const fpx_blocking te = profile("tile-te");
    const fpx_blocking pow2 = profile("tile-te-pow2");
    const fpx_blocking deepseek = profile("deepseek-v3");
    uint64_t state = 99;

    for (int i = 0; i < 20000; i++) {
        const float amax = fpx_bits_f32(((uint32_t)next(&state) & 0x7fffffffu) % 0x7f800000u);
        /* 64-bit significands decide where a 24-bit one is exact or not within half an ulp: no double rounding
         * of quotients of floats (Figueroa). */
        long double quotient = 448.0L / (long double)amax;
        const float enc =
            amax > 0.0f ? (quotient > (long double)FLT_MAX ? FLT_MAX : (float)quotient) : 1.0f;
        const fpx_block_factor f = fpx_block_factor_of(&te, 0.0f, amax, 0);
        const fpx_block_factor p = fpx_block_factor_of(&pow2, 0.0f, amax, 0);
        const fpx_block_factor d = fpx_block_factor_of(&deepseek, 0.0f, amax, 0);
        if (fpx_f32_bits(f.factor) != fpx_f32_bits(enc) ||
            f.stored != fpx_f32_bits((float)(1.0L / (long double)enc)))
            ck_abort_msg("tile-te: amax %a gave %a", (double)amax, (double)f.factor);
        if (fpx_f32_bits(p.factor) != (fpx_f32_bits(enc) & 0x7f800000u))
            ck_abort_msg("tile-te-pow2: amax %a gave %a", (double)amax, (double)p.factor);
        const float kept = amax < 1e-4f ? 1e-4f : amax;
        if (d.stored != fpx_f32_bits((float)((long double)kept / 448.0L)))
            ck_abort_msg("deepseek-v3: amax %a", (double)amax);
    }
}
END_TEST

/* ---- stochastic rounding, refusals, the caller's environment ---- */

/* With all bits set a discarded part goes up whenever it can, with none never: codes of RZ and its neighbour;
 * scales are those of RNE. */
START_TEST(stochastic)
{
    static float x[ROWS * COLS];
    static uint32_t bits[ROWS * COLS];
    static result down, up, rne, rz;
    static const char *const names[] = { "mx-ocp", "nvfp4-te", "nvfp4-torchao", "tile-te" };
    uint64_t state = 3;

    for (size_t k = 0; k < 4; k++) {
        fpx_blocking b = profile(names[k]);
        fill(x, ROWS * COLS, &state);
        memset(bits, 0, sizeof bits);
        ck_assert_int_eq(fpx_block_quantize(&b, 8.0f, x, ROWS, COLS, rne.codes, rne.scales),
                         FPX_OK);
        b.element.round = FPX_RZ;
        ck_assert_int_eq(fpx_block_quantize(&b, 8.0f, x, ROWS, COLS, rz.codes, rz.scales), FPX_OK);
        b.element.round = FPX_SR;
        b.element.sr_bits = 16;
        ck_assert_int_eq(fpx_block_quantize(&b, 8.0f, x, ROWS, COLS, down.codes, down.scales),
                         FPX_EINVAL);
        ck_assert_int_eq(
            fpx_block_quantize_random(&b, 8.0f, x, bits, ROWS, COLS, down.codes, down.scales),
            FPX_OK);
        memset(bits, 0xff, sizeof bits);
        ck_assert_int_eq(
            fpx_block_quantize_random(&b, 8.0f, x, bits, ROWS, COLS, up.codes, up.scales), FPX_OK);
        for (size_t i = 0; i < ROWS * COLS; i++) {
            ck_assert_uint_eq(down.codes[i], rz.codes[i]);
            if (up.codes[i] != rz.codes[i] && up.codes[i] != rz.codes[i] + 1)
                ck_abort_msg("%s: element %zu", names[k], i);
        }
        ck_assert_mem_ne(up.codes, down.codes, ROWS * COLS);
        size_t high = 0;
        size_t wide = 0;
        fpx_blocking_grid(&b, ROWS, COLS, &high, &wide);
        ck_assert_mem_eq(up.scales, rne.scales, high * wide);
        ck_assert_mem_eq(down.scales, rne.scales, high * wide);
    }
}
END_TEST

START_TEST(refusals)
{
    fpx_blocking b = profile("mx-ocp");
    uint8_t code = 0xee;
    uint8_t scale = 0xee;
    float x = 1.0f;

    b.element.format = fpx_bf16; /* wider than a byte */
    ck_assert_int_eq(fpx_block_quantize(&b, 0.0f, &x, 1, 1, &code, &scale), FPX_EINVAL);
    b = profile("mx-ocp");
    b.mx_exponent = FPX_MX_STD + 1;
    ck_assert_int_eq(fpx_blocking_check(&b), FPX_EINVAL);
    b = profile("mx-ocp");
    b.rule = FPX_RULE_NVFP4_46 + 1;
    ck_assert_int_eq(fpx_blocking_check(&b), FPX_EINVAL);
    ck_assert_ptr_null(fpx_blocking_scale_format(&b));
    b = profile("nvfp4-te");
    b.element.format = fpx_e4m3;
    ck_assert_int_eq(fpx_blocking_check(&b), FPX_EINVAL);
    b = profile("fp4-ms-amp-row");
    b.element.format = fpx_e4m3;
    ck_assert_int_eq(fpx_blocking_check(&b), FPX_EINVAL);
    b = profile("fp4-ms-amp-row");
    b.element.round = FPX_RZ;
    ck_assert_int_eq(fpx_blocking_check(&b), FPX_EINVAL);
    b = profile("nvfp4-te");
    b.ms_amp = 1; /* of another rule */
    ck_assert_int_eq(fpx_blocking_check(&b), FPX_EINVAL);
    b = profile("nvfp4-te");
    ck_assert_int_eq(fpx_block_quantize(&b, -1.0f, &x, 1, 1, &code, &scale), FPX_EINVAL);
    b = profile("nvfp4-46");
    b.block[0] = 2;
    ck_assert_int_eq(fpx_blocking_check(&b), FPX_EINVAL);
    b = profile("nvfp4-46");
    b.bound = 300.0f;
    ck_assert_int_eq(fpx_blocking_check(&b), FPX_EINVAL);
    b = profile("tile-te");
    b.amax_floor = -1.0f;
    ck_assert_int_eq(fpx_blocking_check(&b), FPX_EINVAL);
    b = profile("tile-te");
    ck_assert_int_eq(fpx_block_quantize(&b, 0.0f, &x, SIZE_MAX, 2, &code, &scale), FPX_EINVAL);
    ck_assert_int_eq(
        fpx_block_quantize_random(&b, 0.0f, &x, (const uint32_t[]){ 0 }, 1, 1, &code, &scale),
        FPX_EINVAL);
    ck_assert_int_eq(fpx_blocking_find("mx", &b), FPX_EINVAL);
    ck_assert_int_eq(fpx_block_quantize(&b, 0.0f, NULL, 0, 4, NULL, NULL), FPX_OK);
    ck_assert_int_eq(fpx_block_quantize(&b, 0.0f, NULL, 4, 0, NULL, NULL), FPX_OK);
    ck_assert_uint_eq(code, 0xee);
    ck_assert_uint_eq(scale, 0xee);
}
END_TEST

/* The amax of a tensor, with NaN told of or passed over. */
START_TEST(tensor_amax)
{
    const float x[] = { 1.0f, -3.0f, NAN, 2.0f };
    float amax = 0.0f;
    fpx_blocking b = profile("nvfp4-te");

    ck_assert_int_eq(fpx_blocking_amax(&b, x, 4, &amax), FPX_OK);
    ck_assert_uint_eq(fpx_f32_bits(amax), fpx_f32_bits(3.0f));
    b.amax_nan = FPX_AMAX_NAN;
    ck_assert_int_eq(fpx_blocking_amax(&b, x, 4, &amax), FPX_OK);
    ck_assert_uint_eq(fpx_f32_bits(amax), 0x7fc00000);
    ck_assert_int_eq(fpx_blocking_amax(&b, x, 0, &amax), FPX_OK);
    ck_assert_uint_eq(fpx_f32_bits(amax), 0);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("block");
    TCase *const t = tcase_create("block");

    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, exponents_at_boundaries, 0, ELEMENTS);
    tcase_add_loop_test(t, all_mantissas, 0, ELEMENTS);
    tcase_add_loop_test(t, mx_matrices, 0, 3);
    tcase_add_loop_test(t, special_blocks, 0, sizeof special_cases / sizeof special_cases[0]);
    tcase_add_test(t, zero_blocks);
    tcase_add_test(t, order_of_torchao);
    tcase_add_test(t, tile_scales);
    tcase_add_test(t, stochastic);
    tcase_add_test(t, refusals);
    tcase_add_test(t, tensor_amax);
    suite_add_tcase(suite, t);

    SRunner *const runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
