/* encode_loops.h - the loops over encode_lanes.h and encode_fast.h: they take whole groups of numbers. */
#ifndef FPX_ENCODE_LOOPS_H
#define FPX_ENCODE_LOOPS_H

#include <string.h>

#include "encode_fast.h"
#include "encode_lanes.h"
#include "format_bits.h"
#include "lanes.h"

#define LOOP_INLINE static inline __attribute__((always_inline))

enum {
    WIDEST_GROUP = 4 * LANES,
    /* Bytes of input prefetched ahead: 512 gave 5.4 G elements/s, 4096 6.4, 8192 6.8 (Zen 5, E4M3). */
    AHEAD = 8192
};

typedef struct encode_job {
    fpx_encode_plan plan;
    fpx_fast_plan fast;
    float scale;
} encode_job;

/* n is a multiple of the group; random bits have the width that the loop is for. */
typedef void encode_loop(const encode_job *job, const float *src, const void *bits, void *dst,
                         size_t n);

/* A register of codes holds this many times LANES of them. */
LOOP_INLINE size_t vectors_of(size_t bytes)
{
    return 4 / bytes;
}

LOOP_INLINE void prefetch(const float *at)
{
    for (size_t line = 0; line < WIDEST_GROUP * sizeof *at; line += 64)
        _mm_prefetch((const char *)at + AHEAD + line, _MM_HINT_T0);
}

/* Vector v of the random bits at element i; without, zeros. */
LOOP_INLINE vi load_random(const void *bits, size_t width, size_t i)
{
    if (width == 4)
        return vi_load((const uint32_t *)bits + i);
    return width == 2 ? vi_load_u16((const uint16_t *)bits + i) : vi_set(0);
}

LOOP_INLINE void store_codes(void *dst, size_t bytes, size_t i, const vi *code)
{
    if (bytes == 1)
        store_codes8((uint8_t *)dst + i, code);
    else if (bytes == 2)
        store_codes16((uint16_t *)dst + i, code);
    else
        vi_store((uint32_t *)dst + i, code[0]);
}

/* One group by the plan of all policies. */
LOOP_INLINE void group_any(enum encode_kind kind, size_t bytes, const encode_lanes *k,
                           const float *src, const void *bits, size_t width, void *dst, size_t i)
{
    vi code[4];

    for (size_t v = 0; v < vectors_of(bytes); v++) {
        const size_t at = i + v * LANES;
        code[v] = encode_any(kind, k, vf_load(src + at), load_random(bits, width, at));
    }
    store_codes(dst, bytes, i, code);
}

LOOP_INLINE void run_any(enum encode_kind kind, size_t bytes, const encode_job *job,
                         const float *src, const void *bits, void *dst, size_t n)
{
    const encode_lanes k = encode_lanes_of(&job->plan, job->scale);
    const size_t width = kind == ENCODE_FIXED_EDGE ? 0 : 4;

    for (size_t i = 0; i < n; i += vectors_of(bytes) * LANES)
        group_any(kind, bytes, &k, src, bits, width, dst, i);
}

/* Sums are looked at where 1 byte and 16 random bits do not rule out that more bits count. */
LOOP_INLINE int leaves_open(fpx_fast_kind kind, size_t bytes, size_t width)
{
    return kind == FPX_FAST_SR && (bytes != 1 || width != 2);
}

/* What is left of a format's magnitudes is undone by run_fast1 and run_fast2. */
LOOP_INLINE vi magnitude_fast(fpx_fast_kind kind, const fast_lanes *k, vf x, vi random, int looks,
                              vm *open)
{
    if (kind == FPX_FAST_SR) {
        const vi sum = sum_random(k, x, random);
        if (looks)
            *open = vm_or(*open, sum_is_open(k, sum));
        return vi_srlv(sum, k->down);
    }
    return kind == FPX_FAST_ADD ? magnitude_add(k, x) : magnitude_near(k, x);
}

/* The codes of a group's NaNs, over what its loop has written there. Not inlined, so that the loop has the registers
 * to itself. */
static __attribute__((noinline)) void put_nans(const encode_job *job, size_t bytes,
                                               const float *src, void *dst, size_t i)
{
    const vf scale = vf_set(job->scale);

    for (size_t end = i + vectors_of(bytes) * LANES; i < end; i += LANES) {
        const vf x = vf_mul(vf_load(src + i), scale);
        for (uint32_t nans = vm_bits(vf_unordered(x, x)); nans != 0; nans &= nans - 1) {
            const size_t at = i + (size_t)__builtin_ctz(nans);
            const uint32_t code = job->plan.nan[fpx_f32_bits(src[at]) >> 31];
            memcpy((char *)dst + at * bytes, &code, bytes); /* the low bytes come first */
        }
    }
}

/* A group by the plan of all policies. Not inlined either. */
static __attribute__((noinline)) void slow_group(const encode_job *job, size_t bytes,
                                                 const float *src, const void *bits, size_t width,
                                                 void *dst, size_t i)
{
    const unsigned mode = _mm_getcsr();

    _mm_setcsr(mode & ~(unsigned)_MM_ROUND_MASK);
    const encode_lanes k = encode_lanes_of(&job->plan, job->scale);
    group_any(ENCODE_SR_AB, bytes, &k, src, bits, width, dst, i);
    _mm_setcsr(mode);
}

/* A loop's arrays: numbers, which are the source or, where that has a scale, the products. */
typedef struct encode_arrays {
    const float *x, *src;
    const void *bits;
    void *dst;
    size_t n;
} encode_arrays;

LOOP_INLINE vf load_scaled(const float *x, int scaled, vf scale)
{
    return scaled ? vf_mul(vf_load(x), scale) : vf_load(x);
}

/* Codes of a byte. Vectors come in pairs, so that few are alive at once; a NaN is looked for beside the work. */
LOOP_INLINE void run_fast1(fpx_fast_kind kind, int scaled, size_t width, const encode_job *job,
                           encode_arrays at)
{
    const fast_lanes k = fast_lanes_of(&job->fast, &job->plan);
    const vf scale = vf_set(job->scale);
    const vi base = half_set((uint16_t)job->fast.base);
    const vi left = half_set((uint16_t)(0x10000 >> job->fast.left));
    const uint8_t limit = (uint8_t)job->fast.limit;
    const uint8_t sign = (uint8_t)job->plan.sign;
    const int looks = leaves_open(kind, 1, width);

    for (size_t i = 0; i < at.n; i += (size_t)4 * LANES) {
        vi magnitudes[2];
        vi signs[2];
        vm nan[2];
        vm open = vm_none();

        prefetch(at.x + i);
        for (size_t pair = 0; pair < 2; pair++) {
            const size_t j = i + 2 * pair * LANES;
            const vf x = load_scaled(at.x + j, scaled, scale);
            const vf y = load_scaled(at.x + j + LANES, scaled, scale);
            nan[pair] = vf_unordered(x, y);
            signs[pair] = pack_signs(x, y);
            magnitudes[pair] = half_sub(
                pack_codes(
                    magnitude_fast(kind, &k, x, load_random(at.bits, width, j), looks, &open),
                    magnitude_fast(kind, &k, y, load_random(at.bits, width, j + LANES), looks,
                                   &open)),
                base);
            if (kind == FPX_FAST_ADD)
                magnitudes[pair] = half_mul_high(magnitudes[pair], left);
        }
        store_signed8((uint8_t *)at.dst + i, magnitudes, signs, limit, sign);
        if (looks && vm_any(open))
            slow_group(job, 1, at.src, at.bits, width, at.dst, i);
        if (vm_any(vm_or(nan[0], nan[1])))
            put_nans(job, 1, at.src, at.dst, i);
    }
}

/* Codes of 2 or 4 bytes. */
LOOP_INLINE void run_fast2(fpx_fast_kind kind, int scaled, size_t bytes, size_t width,
                           const encode_job *job, encode_arrays at)
{
    const fast_lanes k = fast_lanes_of(&job->fast, &job->plan);
    const vf scale = vf_set(job->scale);
    const vi base = vi_set(job->fast.base);
    const vi left = vi_set((uint32_t)job->fast.left);
    const vi limit = vi_set(job->fast.limit);
    const vi sign = vi_set(job->plan.sign);
    const vi to_sign = vi_set((uint32_t)job->fast.to_sign);
    const int looks = leaves_open(kind, bytes, width);

    for (size_t i = 0; i < at.n; i += vectors_of(bytes) * LANES) {
        vf x[2];
        vi code[2];
        vm open = vm_none();

        prefetch(at.x + i);
        for (size_t v = 0; v < vectors_of(bytes); v++) {
            const size_t j = i + v * LANES;
            x[v] = load_scaled(at.x + j, scaled, scale);
            code[v] = magnitude_fast(kind, &k, x[v], load_random(at.bits, width, j), looks, &open);
            if (kind != FPX_FAST_BITS)
                code[v] = vi_sub(code[v], base);
            if (kind == FPX_FAST_ADD)
                code[v] = vi_srlv(code[v], left);
            code[v] = vi_or(vi_min(code[v], limit), vi_and(vi_srlv(vi_bits(x[v]), to_sign), sign));
        }
        store_codes(at.dst, bytes, i, code);
        if (looks && vm_any(open))
            slow_group(job, bytes, at.src, at.bits, width, at.dst, i);
        if (vm_any(vf_unordered(x[0], x[vectors_of(bytes) - 1])))
            put_nans(job, bytes, at.src, at.dst, i);
    }
}

LOOP_INLINE void run_nearest(fpx_fast_kind kind, int scaled, size_t bytes, const encode_job *job,
                             const float *src, void *dst, size_t n)
{
    const encode_arrays at = { src, src, NULL, dst, n };

    if (bytes == 1)
        run_fast1(kind, scaled, 0, job, at);
    else
        run_fast2(kind, scaled, bytes, 0, job, at);
}

/* The loop's additions round toward zero, a product does not: those are made ahead, a piece at a time. */
LOOP_INLINE void run_random(int scaled, size_t bytes, size_t width, const encode_job *job,
                            const float *src, const void *bits, void *dst, size_t n)
{
    enum { PIECE_SCALED = 256 };
    float products[PIECE_SCALED];
    const unsigned mode = _mm_getcsr();
    const vf scale = vf_set(job->scale);

    for (size_t i = 0, here = n; i < n; i += here) {
        encode_arrays at = { src + i, src + i, (const char *)bits + i * width,
                             (char *)dst + i * bytes, n };
        if (scaled) {
            here = n - i < PIECE_SCALED ? n - i : PIECE_SCALED;
            for (size_t j = 0; j < here; j += LANES)
                vf_store(products + j, vf_mul(vf_load(src + i + j), scale));
            at.x = products;
            at.n = here;
        }
        _mm_setcsr(mode | (unsigned)_MM_ROUND_TOWARD_ZERO);
        if (bytes == 1)
            run_fast1(FPX_FAST_SR, 0, width, job, at);
        else
            run_fast2(FPX_FAST_SR, 0, bytes, width, job, at);
        _mm_setcsr(mode);
    }
}

#endif /* FPX_ENCODE_LOOPS_H */
