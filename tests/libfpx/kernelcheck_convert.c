/* kernelcheck_convert.c - rows for the conversions. Inputs are every code's value and every midpoint of
 * neighbours, each with the floats one and two steps beside it, the specials, and random bits. */
#include <stdlib.h>
#include <string.h>

#include "convert_kernels.h"
#include "format_bits.h"
#include "kernelcheck.h"

static const uint32_t specials[] = {
    0x00000000, 0x00000001, 0x00000002, 0x003fffff, 0x00400000, 0x007fffff, 0x00800000,
    0x00800001, 0x007f8000, 0x00008000, 0x00018000, 0x00007fff, 0x3f7fffff, 0x3f800000,
    0x3f800001, 0x7f000000, 0x7f7f7fff, 0x7f7f8000, 0x7f7f8001, 0x7f7fffff, 0x7f800000,
    0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fc00001, 0x7fffffff,
};

enum { SPECIALS = sizeof specials / sizeof specials[0], RANDOMS = 4096 };

/* Float bits around each threshold of a format, both signs; returns their number. Formats with more
 * than 2^12 codes are sampled by an odd step. */
static size_t thresholds(const fpx_format *f, uint32_t *out, size_t room)
{
    const uint64_t codes = f->max_code;
    const uint64_t step = codes < 4096 ? 1 : codes / 2048 | 1;
    size_t n = 0;

    for (uint64_t code = 0; code <= codes && n + 20 < room; code += step) {
        /* The midpoint of a format of at most 22 fraction bits is a float32. */
        const double low = fpx_format_value(f, code);
        const double high = code < codes ? fpx_format_value(f, code + 1) : 2 * low;
        const float points[2] = { (float)low, (float)(0.5 * low + 0.5 * high) };
        for (int p = 0; p < 2; p++) {
            for (uint32_t d = 0; d < 5; d++) {
                const uint32_t u = fpx_f32_bits(points[p]) + d - 2;
                out[n++] = u & 0x7fffffffu;
                out[n++] = u | 0x80000000u;
            }
        }
    }
    return n;
}

static float *inputs(const fpx_format *f, size_t *ret_n)
{
    const size_t room = 2 * SPECIALS + 20 * 4200 + RANDOMS;
    uint32_t *const bits = malloc(room * sizeof *bits);
    uint64_t state = 42;

    if (bits == NULL)
        abort();
    size_t n = thresholds(f, bits, 20 * 4200);
    for (size_t i = 0; i < SPECIALS; i++) {
        bits[n++] = specials[i];
        bits[n++] = specials[i] | 0x80000000u;
    }
    for (size_t i = 0; i < RANDOMS; i++)
        bits[n++] = (uint32_t)kc_random(&state);
    *ret_n = n;
    return (float *)(void *)bits;
}

static const struct {
    const fpx_format *format;
    fpx_overflow overflow;
} encodings[] = {
    { &fpx_e4m3, FPX_SATFINITE },     { &fpx_e4m3, FPX_OVERFLOW_NONE },
    { &fpx_e5m2, FPX_SATFINITE },     { &fpx_e5m2, FPX_OVERFLOW_NONE },
    { &fpx_e2m1, FPX_SATFINITE },     { &fpx_e2m1, FPX_OVERFLOW_NONE },
    { &fpx_bf16, FPX_SATFINITE },     { &fpx_bf16, FPX_OVERFLOW_NONE },
    { &fpx_fp16, FPX_SATFINITE },     { &fpx_fp16, FPX_OVERFLOW_NONE },
    { &fpx_fp32, FPX_SATFINITE },     { &fpx_fp32, FPX_OVERFLOW_NONE },
    { &fpx_fp64, FPX_OVERFLOW_NONE },
};

/* 1; a power of two; others that make products round, overflow, turn negative, NaN or zero. */
static const uint32_t scale_bits[] = { 0x3f800000, 0x3d000000, 0x3f4ccccd, 0xc1200001,
                                       0x7f7fffff, 0x00000001, 0x7f800000, 0xffc00000 };

enum { SCALES = sizeof scale_bits / sizeof scale_bits[0] };

static fpx_conversion conversion_of(size_t param)
{
    fpx_conversion c;

    memset(&c, 0, sizeof c);
    c.format = *encodings[param].format;
    c.round = FPX_RNE;
    c.overflow = (uint8_t)encodings[param].overflow;
    return c;
}

/* Runs one kernel on a copy of x[0..n) at these alignments and compares it with want. */
static size_t encode_once(const kc_row *row, fpx_encode_f32_fn *kernel, const fpx_conversion *c,
                          float scale, const float *x, size_t n, size_t misalign,
                          const unsigned char *want, size_t bad)
{
    const size_t bytes = fpx_format_size(&c->format);
    kc_buffer src = kc_buffer_new(n * 4, misalign * 4);
    kc_buffer dst = kc_buffer_new(n * bytes, misalign * 3);
    size_t found = 0;

    memcpy(src.data, x, n * 4);
    kernel(c, scale, (const float *)(const void *)src.data, NULL, dst.data, n);
    for (size_t i = 0; i < n; i++) {
        if (memcmp(dst.data + i * bytes, want + i * bytes, bytes) != 0)
            kc_differ(row, bad + found++, "scale %08x, n %zu, [%zu] = %08x: byte 0 %02x, not %02x",
                      fpx_f32_bits(scale), n, i, fpx_f32_bits(x[i]), dst.data[i * bytes],
                      want[i * bytes]);
    }
    if (!kc_buffer_intact(&src) || !kc_buffer_intact(&dst))
        kc_differ(row, bad + found++, "n %zu: wrote outside its buffer", n);
    kc_buffer_free(&src);
    kc_buffer_free(&dst);
    return found;
}

static size_t check_encode(const kc_row *row, fpx_cpu_level level)
{
    const fpx_conversion c = conversion_of(row->param);
    fpx_encode_f32_fn *const kernel =
        fpx_convert_kernels_for(level)->encode_f32[fpx_width_slot(&c.format)];
    const size_t bytes = fpx_format_size(&c.format);
    size_t n = 0;
    size_t bad = 0;
    float *const x = inputs(&c.format, &n);
    unsigned char *const want = malloc(n * bytes);

    if (want == NULL)
        abort();
    for (size_t s = 0; s < SCALES; s++) {
        const float scale = fpx_bits_f32(scale_bits[s]);
        fpx_encode_f32_scalar(&c, scale, x, NULL, want, n);
        bad += encode_once(row, kernel, &c, scale, x, n, 0, want, bad);
        for (size_t length = 0; length <= KC_LONGEST; length++) {
            const size_t at = (length * 977) % (n - KC_LONGEST);
            bad += encode_once(row, kernel, &c, scale, x + at, length, length % 16,
                               want + at * bytes, bad);
        }
    }
    free(want);
    free(x);
    return bad;
}

static const char *encoder(const kc_row *row, fpx_cpu_level level)
{
    const fpx_convert_kernels *const kernels = fpx_convert_kernels_for(level);
    const size_t slot = fpx_width_slot(encodings[row->param].format);

    return kernels->encode_f32[slot] == fpx_encode_f32_scalar ? "scalar" : kernels->name;
}

static void bench_encode(const kc_row *row, fpx_cpu_level level, const void *src, void *dst,
                         size_t n)
{
    const fpx_conversion c = conversion_of(row->param);

    fpx_convert_kernels_for(level)->encode_f32[fpx_width_slot(&c.format)](&c, 1.0f, src, NULL, dst,
                                                                          n);
}

static const fpx_format *const decodings[] = { &fpx_e4m3, &fpx_e5m2, &fpx_e2m1,
                                               &fpx_bf16, &fpx_fp16, &fpx_fp32 };

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
    const fpx_format *const f = decodings[row->param];
    fpx_decode_f32_fn *const kernel = fpx_convert_kernels_for(level)->decode_f32[fpx_width_slot(f)];
    const size_t bytes = fpx_format_size(f);
    size_t n = 65536; /* every code of up to 16 bits, also with bits above the width set */
    size_t bad = 0;
    float *const values = bytes == 4 ? inputs(f, &n) : NULL;
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
    const size_t slot = fpx_width_slot(decodings[row->param]);

    return kernels->decode_f32[slot] == fpx_decode_f32_scalar ? "scalar" : kernels->name;
}

static void bench_decode(const kc_row *row, fpx_cpu_level level, const void *src, void *dst,
                         size_t n)
{
    const fpx_format *const f = decodings[row->param];

    fpx_convert_kernels_for(level)->decode_f32[fpx_width_slot(f)](f, 1.0f, src, dst, n);
}

#define ENCODE(NAME, INDEX, BYTES)                                                                 \
    {                                                                                              \
        "encode_f32/" NAME, INDEX, check_encode, bench_encode, 4, BYTES, encoder                   \
    }
#define DECODE(NAME, INDEX, BYTES)                                                                 \
    {                                                                                              \
        "decode_f32/" NAME, INDEX, check_decode, bench_decode, BYTES, 4, decoder                   \
    }

const kc_row kc_rows_convert[] = {
    ENCODE("e4m3/satfinite", 0, 1),
    ENCODE("e4m3/none", 1, 1),
    ENCODE("e5m2/satfinite", 2, 1),
    ENCODE("e5m2/none", 3, 1),
    ENCODE("e2m1/satfinite", 4, 1),
    ENCODE("e2m1/none", 5, 1),
    ENCODE("bf16/satfinite", 6, 2),
    ENCODE("bf16/none", 7, 2),
    ENCODE("fp16/satfinite", 8, 2),
    ENCODE("fp16/none", 9, 2),
    ENCODE("fp32/satfinite", 10, 4),
    ENCODE("fp32/none", 11, 4),
    ENCODE("fp64/none", 12, 8),
    DECODE("e4m3", 0, 1),
    DECODE("e5m2", 1, 1),
    DECODE("e2m1", 2, 1),
    DECODE("bf16", 3, 2),
    DECODE("fp16", 4, 2),
    DECODE("fp32", 5, 4),
    { 0 },
};
