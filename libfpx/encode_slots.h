/* encode_slots.h - the loops over encode_lanes.h and encode_fast.h, and the kernels of each code width. A loop takes
 * whole groups; what is left of an array goes through it once more in a padded copy. */
#ifndef FPX_ENCODE_SLOTS_H
#define FPX_ENCODE_SLOTS_H

#include <string.h>

#include "convert_kernels.h"
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

LOOP_INLINE vi magnitude_fast(fpx_fast_kind kind, const fast_lanes *k, vf x, vi random)
{
    if (kind == FPX_FAST_SR)
        return magnitude_random(k, x, random);
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

/* Vectors come in pairs, so that few are alive at once; a NaN is looked for beside the work. */
LOOP_INLINE void run_fast1(fpx_fast_kind kind, int scaled, size_t width, const encode_job *job,
                           const float *src, const void *bits, void *dst, size_t n)
{
    const fast_lanes k = fast_lanes_of(&job->fast, &job->plan);
    const vf scale = vf_set(job->scale);
    const vi base = half_set((uint16_t)job->fast.base);
    const vi left = half_set((uint16_t)(0x10000 >> job->fast.left));
    const uint8_t limit = (uint8_t)job->fast.limit;
    const uint8_t sign = (uint8_t)job->plan.sign;

    for (size_t i = 0; i < n; i += (size_t)4 * LANES) {
        vi magnitudes[2];
        vi signs[2];
        vm nan[2];

        prefetch(src + i);
        for (size_t pair = 0; pair < 2; pair++) {
            const size_t at = i + 2 * pair * LANES;
            const vf x = scaled ? vf_mul(vf_load(src + at), scale) : vf_load(src + at);
            const vf y =
                scaled ? vf_mul(vf_load(src + at + LANES), scale) : vf_load(src + at + LANES);
            nan[pair] = vf_unordered(x, y);
            signs[pair] = pack_signs(x, y);
            magnitudes[pair] =
                pack_codes(magnitude_fast(kind, &k, x, load_random(bits, width, at)),
                           magnitude_fast(kind, &k, y, load_random(bits, width, at + LANES)));
            if (kind == FPX_FAST_ADD)
                magnitudes[pair] = half_mul_high(half_sub(magnitudes[pair], base), left);
        }
        store_signed8((uint8_t *)dst + i, magnitudes, signs, limit, sign);
        if (vm_any(vm_or(nan[0], nan[1])))
            put_nans(job, 1, src, dst, i);
    }
}

/* Codes of 2 or 4 bytes. */
LOOP_INLINE void run_fast(fpx_fast_kind kind, size_t bytes, size_t width, const encode_job *job,
                          const float *src, const void *bits, void *dst, size_t n)
{
    const fast_lanes k = fast_lanes_of(&job->fast, &job->plan);
    const vf scale = vf_set(job->scale);
    const vi base = vi_set(job->fast.base);
    const vi left = vi_set((uint32_t)job->fast.left);
    const vi limit = vi_set(job->fast.limit);
    const vi sign = vi_set(job->plan.sign);
    const vi to_sign = vi_set((uint32_t)job->fast.to_sign);

    for (size_t i = 0; i < n; i += vectors_of(bytes) * LANES) {
        vf x[2];
        vi code[2];

        prefetch(src + i);
        for (size_t v = 0; v < vectors_of(bytes); v++) {
            const size_t at = i + v * LANES;
            x[v] = vf_mul(vf_load(src + at), scale);
            code[v] = magnitude_fast(kind, &k, x[v], load_random(bits, width, at));
            if (kind == FPX_FAST_ADD)
                code[v] = vi_srlv(vi_sub(code[v], base), left);
            code[v] = vi_or(vi_min(code[v], limit), vi_and(vi_srlv(vi_bits(x[v]), to_sign), sign));
        }
        store_codes(dst, bytes, i, code);
        if (vm_any(vf_unordered(x[0], x[vectors_of(bytes) - 1])))
            put_nans(job, bytes, src, dst, i);
    }
}

#define ANY_LOOP(NAME, KIND, BYTES)                                                                \
    static void NAME(const encode_job *job, const float *src, const void *bits, void *dst,         \
                     size_t n)                                                                     \
    {                                                                                              \
        run_any(KIND, BYTES, job, src, bits, dst, n);                                              \
    }
#define FAST_LOOP(NAME, KIND, BYTES, WIDTH)                                                        \
    static void NAME(const encode_job *job, const float *src, const void *bits, void *dst,         \
                     size_t n)                                                                     \
    {                                                                                              \
        if ((BYTES) == 1)                                                                          \
            run_fast1(KIND, 1, WIDTH, job, src, bits, dst, n);                                     \
        else                                                                                       \
            run_fast(KIND, BYTES, WIDTH, job, src, bits, dst, n);                                  \
    }

ANY_LOOP(any_edge1, ENCODE_FIXED_EDGE, 1)
ANY_LOOP(any_edge2, ENCODE_FIXED_EDGE, 2)
ANY_LOOP(any_edge4, ENCODE_FIXED_EDGE, 4)
ANY_LOOP(any_ab1, ENCODE_SR_AB, 1)
ANY_LOOP(any_ab2, ENCODE_SR_AB, 2)
ANY_LOOP(any_ab4, ENCODE_SR_AB, 4)
ANY_LOOP(any_c1, ENCODE_SR_C, 1)
ANY_LOOP(any_c2, ENCODE_SR_C, 2)
ANY_LOOP(any_c4, ENCODE_SR_C, 4)
FAST_LOOP(fast_add1, FPX_FAST_ADD, 1, 0)
FAST_LOOP(fast_add2, FPX_FAST_ADD, 2, 0)
FAST_LOOP(fast_bits2, FPX_FAST_BITS, 2, 0)
FAST_LOOP(fast_bits4, FPX_FAST_BITS, 4, 0)
FAST_LOOP(fast_sr1, FPX_FAST_SR, 1, 4)
FAST_LOOP(fast_sr2, FPX_FAST_SR, 2, 4)
FAST_LOOP(fast_sr1_u16, FPX_FAST_SR, 1, 2)
FAST_LOOP(fast_sr2_u16, FPX_FAST_SR, 2, 2)

/* Without a scale. Its multiplication by 1 costs more than its share: about 30 cycles where a source is subnormal
 * (Zen 4). */
#define UNSCALED_LOOP(NAME, KIND, WIDTH)                                                           \
    static void NAME(const encode_job *job, const float *src, const void *bits, void *dst,         \
                     size_t n)                                                                     \
    {                                                                                              \
        run_fast1(KIND, 0, WIDTH, job, src, bits, dst, n);                                         \
    }

UNSCALED_LOOP(unscaled_add1, FPX_FAST_ADD, 0)
UNSCALED_LOOP(unscaled_sr1, FPX_FAST_SR, 4)
UNSCALED_LOOP(unscaled_sr1_u16, FPX_FAST_SR, 2)

/* By the width of a code (fpx_width_slot); NULL: no such loop. */
static encode_loop *const any_loops[3][3] = {
    [ENCODE_FIXED_EDGE] = { any_edge1, any_edge2, any_edge4 },
    [ENCODE_SR_AB] = { any_ab1, any_ab2, any_ab4 },
    [ENCODE_SR_C] = { any_c1, any_c2, any_c4 },
};
static encode_loop *const fast_loops[4][3] = {
    [FPX_FAST_ADD] = { fast_add1, fast_add2, NULL },
    [FPX_FAST_BITS] = { NULL, fast_bits2, fast_bits4 },
    [FPX_FAST_SR] = { fast_sr1, fast_sr2, NULL },
};
static encode_loop *const fast_loops_u16[3] = { fast_sr1_u16, fast_sr2_u16, NULL };
static encode_loop *const unscaled_loops1[4] = {
    [FPX_FAST_ADD] = unscaled_add1, [FPX_FAST_SR] = unscaled_sr1
};

static int is_one(float scale)
{
    return fpx_f32_bits(scale) == 0x3f800000u;
}

static encode_loop *loop_of(const fpx_conversion *c, fpx_fast_kind fast, float scale)
{
    const size_t slot = fpx_width_slot(&c->format);

    if (slot == 0 && is_one(scale) && unscaled_loops1[fast] != NULL)
        return unscaled_loops1[fast];
    if (fast_loops[fast][slot] != NULL)
        return fast_loops[fast][slot];
    if (c->round != FPX_SR)
        return any_loops[ENCODE_FIXED_EDGE][slot];
    return any_loops[c->sr_variant == FPX_SR_C ? ENCODE_SR_C : ENCODE_SR_AB][slot];
}

/* Whole groups in place, the rest in a copy. width: of the random bits, 0 for none. */
static void run_loop(encode_loop *loop, const encode_job *job, size_t bytes, const float *src,
                     const void *bits, size_t width, void *dst, size_t n)
{
    const size_t group = vectors_of(bytes) * LANES;
    const size_t whole = n - n % group;
    const size_t rest = n % group;
    float src_copy[WIDEST_GROUP] = { 0 };
    uint32_t bits_copy[WIDEST_GROUP] = { 0 };
    uint32_t codes[LANES];

    loop(job, src, bits, dst, whole);
    if (rest == 0)
        return;
    memcpy(src_copy, src + whole, rest * sizeof *src);
    if (width > 0)
        memcpy(bits_copy, (const char *)bits + whole * width, rest * width);
    loop(job, src_copy, bits_copy, codes, group);
    memcpy((char *)dst + whole * bytes, codes, rest * bytes);
}

static void encode_f32_lanes(const fpx_conversion *c, float scale, const float *src,
                             const uint32_t *bits, void *dst, size_t n)
{
    encode_job job;

    if (!fpx_encode_plan_make(c, &job.plan)) {
        fpx_encode_f32_scalar(c, scale, src, bits, dst, n);
        return;
    }
    job.scale = scale;
    job.fast = fpx_fast_plan_make(c, &job.plan);
    run_loop(loop_of(c, job.fast.kind, scale), &job, fpx_format_size(&c->format), src, bits,
             c->round == FPX_SR ? 4 : 0, dst, n);
}

static void encode_f32_u16_lanes(const fpx_conversion *c, float scale, const float *src,
                                 const uint16_t *bits, void *dst, size_t n)
{
    const size_t bytes = fpx_format_size(&c->format);
    encode_job job;

    if (!fpx_encode_plan_make(c, &job.plan)) {
        fpx_encode_f32_u16_scalar(c, scale, src, bits, dst, n);
        return;
    }
    job.scale = scale;
    job.fast = fpx_fast_plan_make(c, &job.plan);
    encode_loop *const loop = loop_of(c, job.fast.kind, scale);
    encode_loop *const narrow =
        bytes == 1 && is_one(scale) ? unscaled_sr1_u16 : fast_loops_u16[fpx_width_slot(&c->format)];
    if (job.fast.kind == FPX_FAST_SR && narrow != NULL) {
        run_loop(narrow, &job, bytes, src, bits, 2, dst, n);
        return;
    }
    for (size_t i = 0; i < n; i += FPX_U16_CHUNK) {
        uint32_t wide[FPX_U16_CHUNK];
        const size_t here = n - i < FPX_U16_CHUNK ? n - i : FPX_U16_CHUNK;
        for (size_t j = 0; j < here; j++)
            wide[j] = bits[i + j];
        run_loop(loop, &job, bytes, src + i, wide, 4, (char *)dst + i * bytes, here);
    }
}

#endif /* FPX_ENCODE_SLOTS_H */
