/* kernelcheck_convert.c - rows for the conversions, one for each format: every rounding with every policy, for the
 * inputs of kernelcheck_floats.h. Stochastic rounding gets random numbers at the edge between down and up. */
#include <stdlib.h>
#include <string.h>

#include "convert_kernels.h"
#include "convert_plan.h"
#include "format_bits.h"
#include "kernelcheck.h"
#include "kernelcheck_floats.h"

/* 1; a power of two; others that make products round, overflow, turn negative, NaN or zero. */
static const uint32_t scale_bits[] = { 0x3f800000, 0x3d000000, 0x3f4ccccd, 0xc1200001,
                                       0x7f7fffff, 0x00000001, 0x7f800000, 0xffc00000 };

enum { SCALES = sizeof scale_bits / sizeof scale_bits[0] };

/* A row's name is an operation and a format. */
static fpx_format format_of(const kc_row *row)
{
    fpx_format f;

    if (fpx_format_parse(strchr(row->name, '/') + 1, &f, NULL) != FPX_OK)
        abort();
    return f;
}

enum { NEAREST_TO_ODD = FPX_RO + 1, VARIANTS = 3, SR_WIDTHS = 9 };
static const uint8_t sr_widths[SR_WIDTHS] = { 1, 2, 7, 13, 16, 20, 24, 31, 32 };

/* Conversion `index` of a format: all roundings (the six, then N and variant of stochastic rounding) with all
 * policies that the format tells apart; returns 0 past the last. */
static int conversion_at(const fpx_format *f, size_t index, fpx_conversion *ret)
{
    const size_t roundings = NEAREST_TO_ODD + VARIANTS * SR_WIDTHS;
    const size_t round = index % roundings;
    size_t policy = index / roundings;

    memset(ret, 0, sizeof *ret);
    ret->format = *f;
    ret->round = (uint8_t)(round < NEAREST_TO_ODD ? round : FPX_SR);
    if (round >= NEAREST_TO_ODD) {
        ret->sr_bits = sr_widths[(round - NEAREST_TO_ODD) / VARIANTS];
        ret->sr_variant = (uint8_t)((round - NEAREST_TO_ODD) % VARIANTS);
    }
    ret->overflow = (uint8_t)(policy % 3);
    policy /= 3;
    ret->overflow_test = policy % 2;
    policy /= 2;
    /* How NaN is written, negatives and zero do not touch one another: they change together. */
    ret->nan = (uint8_t)(policy % 4);
    ret->negative = (uint8_t)(policy % 3);
    ret->zero = policy / 2 % 2;
    if (ret->nan == FPX_NAN_ZERO && f->specials == FPX_SPECIALS_IEEE &&
        f->max_code + 2 < f->nan_code)
        ret->nan_code = f->max_code + 2;
    return policy < 4;
}

/* Random numbers beside the edge for x, upper bits set at random: floor(nu 2^N) + R is 2^N - 1, 2^N or 2^N + 1,
 * where nu is the part of a last place that RZ cuts off. */
static void random_bits(const fpx_conversion *c, const float *x, uint32_t *bits, size_t n)
{
    fpx_conversion toward_zero = { .format = c->format, .round = FPX_RZ };
    uint64_t state = c->sr_bits;

    for (size_t i = 0; i < n; i++) {
        uint64_t code = 0;
        const float a = fpx_bits_f32(fpx_f32_bits(x[i]) & 0x7fffffffu);
        const uint64_t random = kc_random(&state);
        bits[i] = (uint32_t)random;
        fpx_encode_f32_scalar(&toward_zero, 1.0f, &a, NULL, &code, 1);
        if (random >> 60 == 0 || code >= c->format.max_code)
            continue;
        const double low = fpx_format_value(&c->format, code);
        const double high = fpx_format_value(&c->format, code + 1);
        const double nu = ((double)a - low) / (high - low); /* the divisor is a power of two */
        if (!(nu >= 0 && nu < 1))
            continue;
        const uint64_t one = UINT64_C(1) << c->sr_bits;
        const uint64_t r = one - (uint64_t)(nu * (double)one) + random % 3 - 1;
        bits[i] = (uint32_t)((r & (one - 1)) | (random & ~(one - 1)));
    }
}

typedef struct encode_case {
    const kc_row *row;
    fpx_cpu_level level;
    const fpx_conversion *c;
    float scale;
    const float *x;
    const uint32_t *bits; /* NULL but for FPX_SR */
    size_t n;
} encode_case;

static void run_kernel(const encode_case *e, const float *src, const uint32_t *bits, void *dst)
{
    const fpx_convert_kernels *const kernels = fpx_convert_kernels_for(e->level);

    kernels->encode_f32[fpx_width_slot(&e->c->format)](e->c, e->scale, src, bits, dst, e->n);
}

/* The kernel that takes 16 bits an element, with those of e->bits. */
static void run_kernel_u16(const encode_case *e, const float *src, const uint32_t *bits, void *dst)
{
    const fpx_convert_kernels *const kernels = fpx_convert_kernels_for(e->level);
    kc_buffer half = kc_buffer_new(e->n * 2, 6);

    for (size_t i = 0; i < e->n; i++) {
        const uint16_t low = (uint16_t)bits[i];
        memcpy(half.data + 2 * i, &low, sizeof low);
    }
    kernels->encode_f32_u16[fpx_width_slot(&e->c->format)](
        e->c, e->scale, src, (const uint16_t *)(const void *)half.data, dst, e->n);
    kc_buffer_free(&half);
}

/* Runs one kernel on a copy of x[0..n) at these alignments and compares it with want. */
static size_t encode_once(const encode_case *e, size_t misalign, int u16, const unsigned char *want,
                          size_t bad)
{
    const fpx_conversion *const c = e->c;
    const size_t bytes = fpx_format_size(&c->format);
    kc_buffer src = kc_buffer_new(e->n * 4, misalign * 4);
    kc_buffer bits = kc_buffer_new(e->n * 4, misalign * 4 + 4);
    kc_buffer dst = kc_buffer_new(e->n * bytes, misalign * 3);
    const uint32_t *const random =
        e->bits == NULL ? NULL : (const uint32_t *)(const void *)bits.data;
    size_t found = 0;

    memcpy(src.data, e->x, e->n * 4);
    if (e->bits != NULL)
        memcpy(bits.data, e->bits, e->n * 4);
    (u16 ? run_kernel_u16 : run_kernel)(e, (const float *)(const void *)src.data, random, dst.data);
    for (size_t i = 0; i < e->n; i++) {
        if (memcmp(dst.data + i * bytes, want + i * bytes, bytes) != 0)
            kc_differ(e->row, bad + found++,
                      "%s, rounding %d, N %d, variant %d, overflow %d, test %d, nan %d, scale "
                      "%08x, n %zu, "
                      "[%zu] = %08x, bits %08x: byte 0 %02x, not %02x",
                      u16 ? "u16" : "u32", c->round, c->sr_bits, c->sr_variant, c->overflow,
                      c->overflow_test, c->nan, fpx_f32_bits(e->scale), e->n, i,
                      fpx_f32_bits(e->x[i]), e->bits == NULL ? 0 : e->bits[i], dst.data[i * bytes],
                      want[i * bytes]);
    }
    if (!kc_buffer_intact(&src) || !kc_buffer_intact(&dst) || !kc_buffer_intact(&bits))
        kc_differ(e->row, bad + found++, "n %zu: wrote outside its buffer", e->n);
    kc_buffer_free(&src);
    kc_buffer_free(&bits);
    kc_buffer_free(&dst);
    return found;
}

/* All of x in one call, then every short length somewhere in it. */
static size_t check_case(const encode_case *e, int lengths, unsigned char *want)
{
    const size_t bytes = fpx_format_size(&e->c->format);
    const int u16 = e->c->round == FPX_SR && e->c->sr_bits <= 16;
    size_t bad = 0;

    fpx_encode_f32_scalar(e->c, e->scale, e->x, e->bits, want, e->n);
    bad += encode_once(e, 0, 0, want, bad);
    if (u16)
        bad += encode_once(e, 0, 1, want, bad);
    for (size_t length = 0; lengths && length <= KC_LONGEST; length++) {
        const size_t at = (length * 977) % (e->n - KC_LONGEST);
        encode_case part = *e;
        part.x += at;
        part.bits = e->bits == NULL ? NULL : e->bits + at;
        part.n = length;
        bad += encode_once(&part, length % 16, u16 && length % 2 == 1, want + at * bytes, bad);
    }
    return bad;
}

/* Elements for each further policy and scale: with plain policies every input is tried. FPX_TEST_EFFORT above 1
 * takes as many times more. */
static size_t few(void)
{
    const char *const effort = getenv("FPX_TEST_EFFORT");
    const double times = effort == NULL ? 1 : strtod(effort, NULL);

    return 300 + (size_t)(times > 1 && times < 1000 ? 300 * times : 0);
}

static size_t check_encode(const kc_row *row, fpx_cpu_level level)
{
    const fpx_format f = format_of(row);
    fpx_conversion c;
    size_t n = 0;
    size_t n_few = 0;
    size_t bad = 0;
    float *const x = kc_floats_new(&f, &n);
    float *const x_few = kc_floats_new(&f, &n_few);
    uint32_t *const bits = malloc(n * sizeof *bits);
    unsigned char *const want = malloc(n * fpx_format_size(&f));

    if (want == NULL || bits == NULL)
        abort();
    n_few = kc_floats_thin(x_few, n_few, 1 + n_few / few()); /* odd or even: both signs come */
    for (size_t i = 0; conversion_at(&f, i, &c); i++) {
        const int plain = c.overflow == FPX_SATFINITE && c.overflow_test == 0 && c.nan == 0;
        if (level == FPX_CPU_SCALAR && !plain)
            continue; /* the judge itself: only that it stays in its buffers */
        encode_case e = { row, level, &c, 1.0f, plain ? x : x_few, NULL, plain ? n : n_few };
        if (fpx_conversion_check(&c) != FPX_OK)
            abort();
        if (c.round == FPX_SR) {
            random_bits(&c, e.x, bits, e.n);
            e.bits = bits;
        }
        bad += check_case(&e, plain, want);
        if (plain && c.round == FPX_SR)
            random_bits(&c, x_few, bits, n_few);
        e.x = x_few;
        e.n = n_few;
        for (size_t s = 1; s < SCALES; s++) { /* in turn; all with plain policies */
            e.scale = fpx_bits_f32(scale_bits[s]);
            if (plain || s == 1 + i % (SCALES - 1))
                bad += check_case(&e, 0, want);
        }
    }
    free(want);
    free(bits);
    free(x_few);
    free(x);
    return bad;
}

/* What a level runs for a row's format: its own loops where they know the format. */
static const char *encoder(const kc_row *row, fpx_cpu_level level)
{
    const fpx_convert_kernels *const kernels = fpx_convert_kernels_for(level);
    const fpx_conversion c = { .format = format_of(row) };
    fpx_encode_plan plan;

    if (kernels->encode_f32[fpx_width_slot(&c.format)] == fpx_encode_f32_scalar ||
        !fpx_encode_plan_make(&c, &plan))
        return "scalar";
    return kernels->name;
}

static void bench_encode(const kc_row *row, fpx_cpu_level level, const void *src, void *dst,
                         size_t n)
{
    const fpx_conversion c = { .format = format_of(row) };

    fpx_convert_kernels_for(level)->encode_f32[fpx_width_slot(&c.format)](&c, 1.0f, src, NULL, dst,
                                                                          n);
}

static size_t decode_once(const kc_row *row, fpx_decode_f32_fn *kernel, const fpx_format *f,
                          float scale, const unsigned char *codes, size_t n, size_t misalign,
                          const float *want, size_t bad)
{
    const size_t bytes = fpx_format_size(f);
    kc_buffer src = kc_buffer_new(n * bytes, misalign * 3);
    kc_buffer dst = kc_buffer_new(n * 4, misalign * 4);
    size_t found = 0;

    memcpy(src.data, codes, n * bytes);
    kernel(f, scale, src.data, (float *)(void *)dst.data, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t got = 0;
        memcpy(&got, dst.data + 4 * i, sizeof got);
        if (got != fpx_f32_bits(want[i]))
            kc_differ(row, bad + found++, "scale %08x, n %zu, [%zu]: %08x, not %08x",
                      fpx_f32_bits(scale), n, i, got, fpx_f32_bits(want[i]));
    }
    if (!kc_buffer_intact(&src) || !kc_buffer_intact(&dst))
        kc_differ(row, bad + found++, "n %zu: wrote outside its buffer", n);
    kc_buffer_free(&src);
    kc_buffer_free(&dst);
    return found;
}

static size_t check_decode(const kc_row *row, fpx_cpu_level level)
{
    const fpx_format format = format_of(row);
    const fpx_format *const f = &format;
    fpx_decode_f32_fn *const kernel = fpx_convert_kernels_for(level)->decode_f32[fpx_width_slot(f)];
    const size_t bytes = fpx_format_size(f);
    size_t n = 65536; /* every code of up to 16 bits, also with bits above the width set */
    size_t bad = 0;
    float *const values = bytes == 4 ? kc_floats_new(f, &n) : NULL;
    unsigned char *const codes = malloc(n * bytes);
    float *const want = malloc(n * sizeof *want);

    if (codes == NULL || want == NULL)
        abort();
    for (size_t i = 0; i < n; i++) {
        const uint16_t code = (uint16_t)i;
        memcpy(codes + i * bytes, bytes == 4 ? (const void *)(values + i) : (const void *)&code,
               bytes);
    }
    for (size_t s = 0; s < SCALES; s++) {
        const float scale = fpx_bits_f32(scale_bits[s]);
        fpx_decode_f32_scalar(f, scale, codes, want, n);
        bad += decode_once(row, kernel, f, scale, codes, n, 0, want, bad);
        for (size_t length = 0; length <= KC_LONGEST; length++) {
            const size_t at = (length * 977) % (n - KC_LONGEST);
            bad += decode_once(row, kernel, f, scale, codes + at * bytes, length, length % 16,
                               want + at, bad);
        }
    }
    free(values);
    free(codes);
    free(want);
    return bad;
}

static const char *decoder(const kc_row *row, fpx_cpu_level level)
{
    const fpx_convert_kernels *const kernels = fpx_convert_kernels_for(level);
    const fpx_format f = format_of(row);

    if (kernels->decode_f32[fpx_width_slot(&f)] == fpx_decode_f32_scalar ||
        fpx_decode_way_of(&f, 1.0f, 65536) == FPX_DECODE_SCALAR)
        return "scalar";
    return kernels->name;
}

static void bench_decode(const kc_row *row, fpx_cpu_level level, const void *src, void *dst,
                         size_t n)
{
    const fpx_format f = format_of(row);

    fpx_convert_kernels_for(level)->decode_f32[fpx_width_slot(&f)](&f, 1.0f, src, dst, n);
}

#define ENCODE(NAME, BYTES)                                                                        \
    {                                                                                              \
        "encode_f32/" NAME, 0, check_encode, bench_encode, 4, BYTES, encoder                       \
    }
#define DECODE(NAME, BYTES)                                                                        \
    {                                                                                              \
        "decode_f32/" NAME, 0, check_decode, bench_decode, BYTES, 4, decoder                       \
    }
#define BOTH(NAME, BYTES) ENCODE(NAME, BYTES), DECODE(NAME, BYTES)

/* The table's formats, P3109's of other precisions, signed and not, and what one may define: widths up to 16, a
 * bias at either end of float32's range. */
const kc_row kc_rows_convert[] = {
    BOTH("e4m3", 1),        BOTH("e5m2", 1),
    BOTH("e4m3fnuz", 1),    BOTH("e5m2fnuz", 1),
    BOTH("e4m3b11fnuz", 1), BOTH("e3m4", 1),
    BOTH("ieee_e4m3", 1),   BOTH("e5m6", 2),
    BOTH("e3m2", 1),        BOTH("e2m3", 1),
    BOTH("e2m1", 1),        BOTH("e1m2", 1),
    BOTH("mxint8", 1),      BOTH("e8m0", 1),
    BOTH("ue4m3", 1),       BOTH("ue5m3", 1),
    BOTH("bf16", 2),        BOTH("fp16", 2),
    BOTH("tf32", 4),        BOTH("fp32", 4),
    ENCODE("fp64", 8),      BOTH("binary8p1se", 1),
    BOTH("binary8p3se", 1), BOTH("binary8p4se", 1),
    BOTH("binary8p5sf", 1), BOTH("binary8p4ue", 1),
    BOTH("binary8p3uf", 1), BOTH("binary4p2sf", 1),
    BOTH("binary5p3se", 1), BOTH("binary15p8se", 2),
    BOTH("e4m0fnuz", 1),    BOTH("e6m9fn", 2),
    BOTH("e8m7fnuz", 2),    BOTH("e5m2b120", 1),
    BOTH("e5m2b1", 1),      ENCODE("e8m3b128", 2),
    ENCODE("e8m3b140", 2),  { 0 },
};
