/* decode_lanes.h - codes to float32 in vectors of LANES. Four
 * ways: a table of at most 16 values in registers; float16's own conversion; the fields moved into float32's place;
 * a table of 256 values. The tables are made by the scalar reference. */
#ifndef FPX_DECODE_LANES_H
#define FPX_DECODE_LANES_H

#include <string.h>

#include "convert_kernels.h"
#include "convert_plan.h"
#include "format_bits.h"
#include "lanes.h"

typedef struct decode_lanes {
    vi magnitude; /* mask of a code without sign */
    vi sign;      /* float32's sign bit, 0 in an unsigned format */
    vi rebase;    /* (127 - bias) << 23 */
    vi normal;    /* float bits, not rebased, of the smallest normal; 0 with bias 127 */
    vi hidden;    /* 1 << 23 */
    vf lowest;    /* 2^emin */
    vi finite;    /* max_code */
    vi infinite;  /* code of Inf, or max_code where the format has none */
    vi all, lone; /* mask of a code where the sign bit alone is NaN, else 0; that bit */
    int up;       /* 23 - mbits */
    int to_sign;  /* 32 - bits */
    vf scale;
} decode_lanes;

static inline decode_lanes decode_lanes_of(const fpx_format *f, float scale)
{
    const int has_inf = f->specials == FPX_SPECIALS_IEEE || f->specials == FPX_SPECIALS_P3109;
    const int has_lone = f->specials >= FPX_SPECIALS_FNUZ;
    const int is_signed = (f->flags & FPX_FORMAT_UNSIGNED) == 0;
    const int width = f->ebits + f->mbits;
    decode_lanes k;

    k.magnitude = vi_set((uint32_t)fpx_low_mask(width));
    k.sign = vi_set(is_signed ? 0x80000000u : 0);
    k.rebase = vi_set((uint32_t)(127 - f->bias) << 23);
    k.normal = vi_set(f->bias == 127 ? 0 : 1 << 23);
    k.hidden = vi_set(1 << 23);
    k.lowest = vf_bits(vi_set((uint32_t)(128 - f->bias) << 23));
    k.finite = vi_set((uint32_t)f->max_code);
    k.infinite = vi_set((uint32_t)f->max_code + (has_inf ? 1 : 0));
    k.all = vi_set(has_lone ? (uint32_t)fpx_low_mask(f->bits) : 0);
    k.lone = vi_set(UINT32_C(1) << width);
    k.up = 23 - f->mbits;
    k.to_sign = 31 - width;
    k.scale = vf_set(scale);
    return k;
}

/* The exponent is rebased by addition; a subnormal gets a hidden bit, which is then subtracted in floating point,
 * exactly. */
static inline vf decode_fields(const decode_lanes *k, vi code)
{
    const vi magnitude = vi_and(code, k->magnitude);
    const vi raw = vi_sll(magnitude, k->up);
    const vi rebased = vi_add(raw, k->rebase);
    const vf subnormal = vf_sub(vf_bits(vi_add(rebased, k->hidden)), k->lowest);
    const vi finite = vi_select(vi_gt(k->normal, raw), vi_bits(subnormal), rebased);
    /* Inf and NaN: above max_code. The lone sign bit is a NaN that takes no sign from it. */
    const vi special =
        vi_select(vi_gt(magnitude, k->infinite), vi_set(0x7fc00000u), vi_set(0x7f800000u));
    const vi unsigned_value = vi_select(vi_gt(magnitude, k->finite), special, finite);
    const vf product = vf_mul(vf_bits(unsigned_value), k->scale);
    const vi value =
        vi_select(vf_unordered(product, product), vi_set(0x7fc00000u), vi_bits(product));
    /* No sign yet: neither NaN nor product can disturb it. */
    const vi signed_value = vi_xor(value, vi_and(vi_sll(code, k->to_sign), k->sign));

    return vf_bits(
        vi_select(vi_eq(vi_and(code, k->all), k->lone), vi_set(0x7fc00000u), signed_value));
}

/* Float16 has the fields with an exponent that is off by a power of two, which goes into the scale. Shifts are
 * multiplications, which are one step everywhere. */
typedef struct half_plan {
    uint16_t up, down;        /* factor, then fraction: from a code to float16's place */
    uint16_t mask, max, lone; /* fields; the largest finite; the lone sign bit, or no value */
    float scale;
} half_plan;

static half_plan plan_half(const fpx_format *f, float scale)
{
    const int is_signed = (f->flags & FPX_FORMAT_UNSIGNED) == 0;
    const uint32_t bits = fpx_f32_bits(scale);
    const uint32_t power = (uint32_t)(15 - f->bias) << 23;
    const unsigned up = 1u << (is_signed ? 16 - f->bits : 10 - f->mbits);
    const int down = is_signed ? 5 - f->ebits : 0;
    half_plan p;

    /* There is no fraction +1: -1 undoes a negative factor. */
    p.up = (uint16_t)(down > 0 ? up : 0x10000 - up);
    p.down = (uint16_t)(0x8000u >> down);
    p.mask =
        (uint16_t)(fpx_low_mask(f->ebits + f->mbits) << (10 - f->mbits) | (is_signed ? 0x8000 : 0));
    p.max = (uint16_t)(f->max_code << (10 - f->mbits));
    p.lone = f->specials >= FPX_SPECIALS_FNUZ ? 0x8000 : UINT16_MAX;
    p.scale = fpx_bits_f32((bits & 0x7fffffffu) == 0 ? bits : bits + power);
    return p;
}

/* LANES codes of 1, 2 or 4 bytes. */
static inline __attribute__((always_inline)) vi load_codes(const void *src, size_t bytes, size_t i)
{
    if (bytes == 1)
        return vi_load_u8((const uint8_t *)src + i);
    return bytes == 2 ? vi_load_u16((const uint16_t *)src + i) : vi_load((const uint32_t *)src + i);
}

/* In steps of `pairs` times 2 * LANES codes, which are looked at together. */
static inline __attribute__((always_inline)) void run_half(const fpx_format *f, float by,
                                                           size_t bytes, size_t pairs,
                                                           const void *src, float *dst, size_t n)
{
    const half_plan p = plan_half(f, by);
    const decode_lanes k = decode_lanes_of(f, by);
    const int has_lone = p.lone == 0x8000;
    const vi up = half_set(p.up);
    const vi down = half_set(p.down);
    const vi mask = half_set(p.mask);
    const vi magnitude = half_set(p.mask & INT16_MAX);
    const vi max = half_set(p.max);
    const vi lone = half_set(p.lone);
    const vf scale = vf_set(p.scale);

    for (size_t i = 0; i < n; i += pairs * 2 * LANES) {
        vi h[2];
        vi top = half_set(0);
        int is_special = 0;

        for (size_t v = 0; v < pairs; v++) {
            const char *const at = (const char *)src + (i + v * 2 * LANES) * bytes;
            const vi code = bytes == 1 ? half_load_u8(at) : half_load_u16(at);
            const vi placed = half_mul_fraction(half_mul_low(code, up), down);
            h[v] = vi_and(placed, mask);
            top = half_max(top, vi_and(placed, magnitude));
            is_special |= has_lone && half_any_eq(h[v], lone);
        }
        if (is_special || half_any_gt(top, max)) {
            for (size_t j = i; j < i + pairs * 2 * LANES; j += LANES)
                vf_store(dst + j, decode_fields(&k, load_codes(src, bytes, j)));
            continue;
        }
        for (size_t v = 0; v < pairs; v++) {
            vf_store(dst + i + v * 2 * LANES, vf_mul(half_low(h[v]), scale));
            vf_store(dst + i + v * 2 * LANES + LANES, vf_mul(half_high(h[v]), scale));
        }
    }
}

/* Most two pairs at a time, one that is left alone. */
static inline __attribute__((always_inline)) void run_halves(const fpx_format *f, float by,
                                                             size_t bytes, const void *src,
                                                             float *dst, size_t n)
{
    const size_t most = n - n % ((size_t)4 * LANES);

    run_half(f, by, bytes, 2, src, dst, most);
    if (most < n)
        run_half(f, by, bytes, 1, (const char *)src + most * bytes, dst + most, n - most);
}

static inline __attribute__((always_inline)) void run_fields(const fpx_format *f, float scale,
                                                             size_t bytes, const void *src,
                                                             float *dst, size_t n)
{
    const decode_lanes k = decode_lanes_of(f, scale);

    for (size_t i = 0; i < n; i += LANES)
        vf_store(dst + i, decode_fields(&k, load_codes(src, bytes, i)));
}

/* The bits are in order already; only a NaN needs another look. A product with 1 would cost a hundred cycles where a
 * value is subnormal. */
static inline __attribute__((always_inline)) void run_upper(const fpx_format *f, float scale,
                                                            int scaled, size_t bytes,
                                                            const void *src, float *dst, size_t n)
{
    const decode_lanes k = decode_lanes_of(f, scale);
    const vi up = vi_set((uint32_t)k.up);

    for (size_t i = 0; i < n; i += LANES) {
        const vi code = load_codes(src, bytes, i);
        const vf value = vf_bits(vi_sllv(code, up));
        const vf product = scaled ? vf_mul(value, k.scale) : value;
        vf_store(dst + i,
                 vm_any(vf_unordered(product, product)) ? decode_fields(&k, code) : product);
    }
}

/* Two's complement at the top of a word, then a power of two that brings it down. The code's own sign is kept
 * where the product is NaN. */
static inline __attribute__((always_inline)) void run_fixed(const fpx_format *f, float scale,
                                                            size_t bytes, const void *src,
                                                            float *dst, size_t n)
{
    const vf unit = vf_bits(vi_set((uint32_t)(127 - f->mbits - (32 - f->bits)) << 23));
    const vf by = vf_set(scale);
    const int up = 32 - f->bits;

    for (size_t i = 0; i < n; i += LANES) {
        const vi top = vi_sll(load_codes(src, bytes, i), up);
        const vf product = vf_mul(vf_mul(vf_from_int(top), unit), by);
        const vi nan = vi_or(vi_set(0x7fc00000u), vi_and(top, vi_set(0x80000000u)));
        vf_store(dst + i,
                 vf_bits(vi_select(vf_unordered(product, product), nan, vi_bits(product))));
    }
}

static void run_table16(const fpx_format *f, float scale, const uint8_t *codes, float *dst,
                        size_t n)
{
    static const uint8_t every[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    float table[16];

    fpx_decode_f32_scalar(f, scale, every, table, 16);
    for (size_t i = 0; i < n; i += LANES)
        vf_store(dst + i, vf_lookup16(table, vi_load_u8(codes + i)));
}

static void run_table256(const fpx_format *f, float scale, const uint8_t *codes, float *dst,
                         size_t n)
{
    uint8_t every[256];
    float table[256];

    for (int i = 0; i < 256; i++)
        every[i] = (uint8_t)i;
    fpx_decode_f32_scalar(f, scale, every, table, 256);
    for (size_t i = 0; i < n; i++)
        memcpy(dst + i, table + codes[i], sizeof *dst); /* a float register may quiet a NaN */
}

/* Whole groups; returns how many elements are done. */
static inline __attribute__((always_inline)) size_t decode_whole(const fpx_format *f, float scale,
                                                                 size_t bytes, const void *src,
                                                                 float *dst, size_t n)
{
    const fpx_decode_way way = fpx_decode_way_of(f, scale, n);
    const size_t whole = n - n % (way == FPX_DECODE_HALF ? 2 * LANES : LANES);

    if (bytes == 1 && way == FPX_DECODE_TABLE16)
        run_table16(f, scale, src, dst, whole);
    else if (bytes < 4 && way == FPX_DECODE_HALF)
        run_halves(f, scale, bytes, src, dst, whole);
    else if (way == FPX_DECODE_UPPER && fpx_f32_bits(scale) == 0x3f800000u)
        run_upper(f, scale, 0, bytes, src, dst, whole);
    else if (way == FPX_DECODE_UPPER)
        run_upper(f, scale, 1, bytes, src, dst, whole);
    else if (bytes == 1 && way == FPX_DECODE_TABLE256)
        run_table256(f, scale, src, dst, whole);
    else if (way == FPX_DECODE_FIELDS)
        run_fields(f, scale, bytes, src, dst, whole);
    else if (way == FPX_DECODE_FIXED)
        run_fixed(f, scale, bytes, src, dst, whole);
    else
        return 0;
    return whole;
}

static inline __attribute__((always_inline)) void decode_slot(const fpx_format *f, float scale,
                                                              size_t bytes, const void *src,
                                                              float *dst, size_t n)
{
    const size_t done = decode_whole(f, scale, bytes, src, dst, n);

    fpx_decode_f32_scalar(f, scale, (const char *)src + done * bytes, dst + done, n - done);
}

static void decode1(const fpx_format *f, float scale, const void *src, float *dst, size_t n)
{
    decode_slot(f, scale, 1, src, dst, n);
}

static void decode2(const fpx_format *f, float scale, const void *src, float *dst, size_t n)
{
    decode_slot(f, scale, 2, src, dst, n);
}

static void decode4(const fpx_format *f, float scale, const void *src, float *dst, size_t n)
{
    decode_slot(f, scale, 4, src, dst, n);
}

#endif /* FPX_DECODE_LANES_H */
