/* encode_slots.h - the kernels of each code width, which choose among encode_loops.h's loops. A loop takes whole
 * groups; what is left of an array goes through it once more in a padded copy. */
#ifndef FPX_ENCODE_SLOTS_H
#define FPX_ENCODE_SLOTS_H

#include <string.h>

#include "convert_kernels.h"
#include "encode_loops.h"

#define ANY_LOOP(NAME, KIND, BYTES)                                                                \
    static void NAME(const encode_job *job, const float *src, const void *bits, void *dst,         \
                     size_t n)                                                                     \
    {                                                                                              \
        run_any(KIND, BYTES, job, src, bits, dst, n);                                              \
    }
/* With a scale and without. A multiplication by 1 costs more than its share: 30 cycles (Zen 4) and more where a
 * source is subnormal. */
#define NEAREST_LOOPS(NAME, KIND, BYTES)                                                           \
    static void NAME(const encode_job *job, const float *src, const void *bits, void *dst,         \
                     size_t n)                                                                     \
    {                                                                                              \
        (void)bits;                                                                                \
        run_nearest(KIND, 1, BYTES, job, src, dst, n);                                             \
    }                                                                                              \
    static void NAME##_unscaled(const encode_job *job, const float *src, const void *bits,         \
                                void *dst, size_t n)                                               \
    {                                                                                              \
        (void)bits;                                                                                \
        run_nearest(KIND, 0, BYTES, job, src, dst, n);                                             \
    }
#define RANDOM_LOOPS(NAME, BYTES, WIDTH)                                                           \
    static void NAME(const encode_job *job, const float *src, const void *bits, void *dst,         \
                     size_t n)                                                                     \
    {                                                                                              \
        run_random(1, BYTES, WIDTH, job, src, bits, dst, n);                                       \
    }                                                                                              \
    static void NAME##_unscaled(const encode_job *job, const float *src, const void *bits,         \
                                void *dst, size_t n)                                               \
    {                                                                                              \
        run_random(0, BYTES, WIDTH, job, src, bits, dst, n);                                       \
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
NEAREST_LOOPS(add1, FPX_FAST_ADD, 1)
NEAREST_LOOPS(add2, FPX_FAST_ADD, 2)
NEAREST_LOOPS(bits2, FPX_FAST_BITS, 2)
NEAREST_LOOPS(bits4, FPX_FAST_BITS, 4)
RANDOM_LOOPS(sr1, 1, 4)
RANDOM_LOOPS(sr2, 2, 4)
RANDOM_LOOPS(sr1_u16, 1, 2)
RANDOM_LOOPS(sr2_u16, 2, 2)

/* By the width of a code (fpx_width_slot); NULL: no such loop. */
static encode_loop *const any_loops[3][3] = {
    [ENCODE_FIXED_EDGE] = { any_edge1, any_edge2, any_edge4 },
    [ENCODE_SR_AB] = { any_ab1, any_ab2, any_ab4 },
    [ENCODE_SR_C] = { any_c1, any_c2, any_c4 },
};
/* The last index: without a scale. */
static encode_loop *const fast_loops[4][3][2] = {
    [FPX_FAST_ADD] = { { add1, add1_unscaled }, { add2, add2_unscaled } },
    [FPX_FAST_BITS] = { [1] = { bits2, bits2_unscaled }, [2] = { bits4, bits4_unscaled } },
    [FPX_FAST_SR] = { { sr1, sr1_unscaled }, { sr2, sr2_unscaled } },
};
static encode_loop *const fast_loops_u16[3][2] = { { sr1_u16, sr1_u16_unscaled },
                                                   { sr2_u16, sr2_u16_unscaled } };

static int is_one(float scale)
{
    return fpx_f32_bits(scale) == 0x3f800000u;
}

static encode_loop *loop_of(const fpx_conversion *c, fpx_fast_kind fast, float scale)
{
    const size_t slot = fpx_width_slot(&c->format);

    if (fast_loops[fast][slot][0] != NULL)
        return fast_loops[fast][slot][is_one(scale)];
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
    encode_loop *const narrow = fast_loops_u16[fpx_width_slot(&c->format)][is_one(scale)];
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
