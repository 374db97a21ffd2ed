/* block_slots.h - the vector variants of block scaling. LANES blocks at a time, so that their scales are computed in as
 * many lanes (block_lanes_scale.h). Where a NaN could arise, those blocks go to the reference. */
#ifndef FPX_BLOCK_SLOTS_H
#define FPX_BLOCK_SLOTS_H

#include <float.h>
#include <string.h>

#include "block_lanes.h"
#include "block_lanes_scale.h"

enum { MX_WIDTH = 32, WIDEST_LAST = 32 };

/* The elements that these loops know. Ties to zero are put below themselves, so that nearest even does. */
static int knows(const fpx_blocking *b, block_encoder *ret_encoder)
{
    const int ties = b->element.round == FPX_RNA && b->ties_to_zero;
    fpx_conversion element = b->element;

    element.round = FPX_RNE;
    if ((b->element.round != FPX_RNE && !ties) || b->drops_negative_zero || b->ms_amp ||
        fpx_block_emax(&element.format) < 2 || !block_encoder_make(&element, ret_encoder))
        return 0;
    ret_encoder->ties_to_zero = ties;
    return 1;
}

/* ---- a row of one block, whatever its scale ---- */

static int encode_part(const fpx_blocking *b, const block_encoder *e, vf factor, const float *src,
                       uint8_t *codes)
{
    const int divides = b->rule == FPX_RULE_TILE_DIVIDE;
    vf q[4];

    for (size_t v = 0; v < 4; v++) {
        const vf x = vf_load(src + v * LANES);
        q[v] = divides ? vf_div(x, factor) : vf_mul(x, factor);
    }
    if (vm_any(vm_or(vf_unordered(q[0], q[1]), vf_unordered(q[2], q[3]))))
        return 0;
    encode_group(e, q, codes);
    return 1;
}

static int encode_row(const fpx_blocking *b, const block_encoder *e, vf factor, const float *src,
                      uint8_t *codes, size_t n)
{
    float x[GROUP] = { 0.0f };
    uint8_t c[GROUP];
    size_t i = 0;

    for (; n - i >= GROUP; i += GROUP) {
        if (!encode_part(b, e, factor, src + i, codes + i))
            return 0;
    }
    if (i == n)
        return 1;
    memcpy(x, src + i, (n - i) * sizeof *x);
    if (!encode_part(b, e, factor, x, c))
        return 0;
    memcpy(codes + i, c, n - i);
    return 1;
}

/* ---- LANES blocks ---- */

/* Bits of the largest magnitude of `width` elements, by lanes; every NaN is above Inf. */
static inline vi lane_amax(const float *src, size_t width)
{
    vi amax = vi_set(0);

    for (size_t i = 0; i < width; i += LANES)
        amax = vi_max(amax, magnitude_bits(vf_load(src + i)));
    return amax;
}

/* Lane k: the bits of block k's amax. */
static inline vi amax_of_blocks(const float *src, size_t width)
{
    vi m[LANES];

    for (size_t k = 0; k < LANES; k++)
        m[k] = lane_amax(src + k * width, width);
    return vi_max_across(m);
}

/* rows x cols elements in blocks {rows, 1} or {1, width}. */
static void reference(const run_plan *p, size_t rows, size_t cols, size_t width, const float *src,
                      size_t stride, uint8_t *codes, void *scales)
{
    const fpx_block_job job = { .blocking = p->blocking,
                                .tensor_amax = p->tensor_amax,
                                .src = src,
                                .rows = rows,
                                .cols = cols,
                                .stride = stride,
                                .height = rows,
                                .width = width,
                                .down = 1,
                                .across = cols / width,
                                .codes = codes,
                                .scales = scales };

    fpx_block_run_job(fpx_block_kernels_for(FPX_CPU_SCALAR), &job);
}

/* A group may lie in one block or in several. */
static inline void encode_blocks(const run_plan *p, const float *src, vf factors, uint8_t *codes,
                                 size_t width)
{
    for (size_t i = 0; i < LANES * width; i += GROUP) {
        vf q[4];
        for (size_t v = 0; v < 4; v++) {
            const size_t at = i + v * LANES;
            q[v] = vf_mul(vf_load(src + at), vf_lane(factors, (int)(at / width)));
        }
        encode_group(&p->element, q, codes + i);
    }
}

static inline void run_lanes(const run_plan *p, const float *src, uint8_t *codes, uint8_t *scales,
                             size_t width)
{
    const block_lie at = { src, width, 1 };
    const vi amax = amax_of_blocks(src, width);
    vi bytes;
    vf factors;

    if (!all_finite(amax) || !p->scale(p, &at, amax, &bytes, &factors)) {
        reference(p, 1, LANES * width, width, src, LANES * width, codes, scales);
        return;
    }
    vi_store_u8(scales, bytes);
    encode_blocks(p, src, factors, codes, width);
}

/* The last blocks are filled up to LANES with zeros. */
static void run_last(const run_plan *p, const float *src, uint8_t *codes, uint8_t *scales,
                     size_t count, size_t width)
{
    float x[LANES * WIDEST_LAST] = { 0.0f };
    uint8_t c[LANES * WIDEST_LAST];
    uint8_t s[LANES];

    memcpy(x, src, count * width * sizeof *x);
    run_lanes(p, x, c, s, width);
    memcpy(codes, c, count * width);
    memcpy(scales, s, count);
}

static inline __attribute__((always_inline)) size_t run_all(const run_plan *p, const float *src,
                                                            uint8_t *codes, uint8_t *scales,
                                                            size_t count, size_t width)
{
    size_t i = 0;

    for (; count - i >= LANES; i += LANES)
        run_lanes(p, src + i * width, codes + i * width, scales + i, width);
    if (i == count || width > WIDEST_LAST)
        return i;
    run_last(p, src + i * width, codes + i * width, scales + i, count - i, width);
    return count;
}

/* Tiles, whose scales are float32, one after the other. */
static size_t run_tiles(const run_plan *p, const float *src, uint8_t *codes, uint8_t *scales,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float *const x = src + i * p->width;
        uint8_t *const tile_codes = codes + i * p->width;
        const float amax =
            fpx_bits_f32(fpx_block_amax_bits(p->blocking, FPX_CPU_AVX2, x, p->width, 0));
        const fpx_block_factor f = fpx_block_factor_of(p->blocking, p->tensor_amax, amax, 0);

        if (encode_row(p->blocking, &p->element, vf_set(f.factor), x, tile_codes, p->width))
            memcpy(scales + 4 * i, &f.stored, sizeof f.stored);
        else
            reference(p, 1, p->width, p->width, x, p->width, tile_codes, scales + 4 * i);
    }
    return count;
}

/* GROUP columns: four vectors of blocks. */
static void columns_group(const run_plan *p, const float *src, size_t stride, uint8_t *codes,
                          uint8_t *scales)
{
    vi bytes[4];
    vf factors[4];

    for (size_t v = 0; v < 4; v++) {
        const block_lie at = { src + v * LANES, 1, stride };
        vi amax = vi_set(0);
        for (size_t r = 0; r < p->width; r++)
            amax = vi_max(amax, magnitude_bits(vf_load(at.src + r * stride)));
        if (!all_finite(amax) || !p->scale(p, &at, amax, &bytes[v], &factors[v])) {
            reference(p, p->width, GROUP, 1, src, stride, codes, scales);
            return;
        }
    }
    for (size_t v = 0; v < 4; v++)
        vi_store_u8(scales + v * LANES, bytes[v]);
    for (size_t r = 0; r < p->width; r++) {
        vf q[4];
        for (size_t v = 0; v < 4; v++)
            q[v] = vf_mul(vf_load(src + r * stride + v * LANES), factors[v]);
        encode_group(&p->element, q, codes + r * stride);
    }
}

/* ---- back ---- */

static inline vm multiply_vector(float *x, vf factor)
{
    const vf y = vf_mul(vf_load(x), factor);

    vf_store(x, y);
    return vf_unordered(y, y);
}

/* Blocks of one element. */
static int multiply_each(float *x, const float *factors, size_t count)
{
    vm nan = vf_unordered(vf_set(0.0f), vf_set(0.0f));
    size_t i = 0;

    for (; count - i >= LANES; i += LANES)
        nan = vm_or(nan, multiply_vector(x + i, vf_load(factors + i)));
    for (; i < count; i++) {
        const float y = x[i] * factors[i];
        if (y != y)
            return 0;
        x[i] = y;
    }
    return !vm_any(nan);
}

static int multiply_blocks(float *x, const float *factors, size_t width, size_t count)
{
    vm nan = vf_unordered(vf_set(0.0f), vf_set(0.0f));

    if (width == 1)
        return multiply_each(x, factors, count);
    if (width % LANES != 0)
        return 0;
    for (size_t k = 0; k < count; k++) {
        const vf factor = vf_set(factors[k]);
        for (size_t i = k * width; i < (k + 1) * width; i += LANES)
            nan = vm_or(nan, multiply_vector(x + i, factor));
    }
    return !vm_any(nan);
}

/* ---- plans ---- */

static void plan_mx(run_plan *p)
{
    const fpx_format *const f = &p->blocking->element.format;

    p->scale = p->blocking->mx_exponent == FPX_MX_STD ? scale_std : scale_mx;
    p->emax = fpx_block_emax(f);
    p->top_fraction = (int)(fpx_f32_bits((float)fpx_format_max(f)) & 0x7fffffu);
    p->reciprocal = (float)(1.0 / fpx_format_max(f));
}

/* tensor_amax comes from outside: where S or 1 / t might be no ordinary number, there is no plan. */
static int plan_nvfp4(run_plan *p)
{
    const fpx_conversion e4m3 = { .format = fpx_e4m3, .overflow = FPX_SATFINITE };

    if (!(p->tensor_amax >= FLT_MIN && p->tensor_amax <= FLT_MAX) ||
        !block_encoder_make(&e4m3, &p->scale_code))
        return 0;
    if (p->blocking->rule != FPX_RULE_NVFP4_TORCHAO) {
        const int is_46 = p->blocking->rule == FPX_RULE_NVFP4_46;
        const float encode =
            fpx_block_tensor_encode(is_46 ? p->blocking->bound : 448.0f, p->tensor_amax);
        p->scale = is_46 ? scale_46 : scale_te;
        p->multiplier = is_46 ? encode : encode * (1.0f / 6.0f);
        p->tensor_other = 1.0f / encode;
        return !is_46 || p->width == NVFP4_WIDTH;
    }
    p->scale = scale_torchao;
    p->tensor_scale = p->tensor_amax / (448.0f * 6.0f);
    p->tensor_other = 1.0f / p->tensor_scale;
    return p->tensor_other <= FLT_MAX;
}

/* Scales only. 0: just the reference knows this. */
static int plan_scales(const fpx_blocking *b, float tensor_amax, size_t width, run_plan *ret_plan)
{
    run_plan *const p = ret_plan;

    memset(p, 0, sizeof *p);
    p->blocking = b;
    p->tensor_amax = tensor_amax;
    p->width = width;
    switch (b->rule) {
    case FPX_RULE_MX:
        plan_mx(p);
        return 1;
    case FPX_RULE_NVFP4_TE:
    case FPX_RULE_NVFP4_TORCHAO:
    case FPX_RULE_NVFP4_46:
        return plan_nvfp4(p);
    default: /* tiles have no plan for many at a time */
        return 1;
    }
}

static int plan_run(const fpx_blocking *b, float tensor_amax, size_t width, run_plan *ret_plan)
{
    return plan_scales(b, tensor_amax, width, ret_plan) && knows(b, &ret_plan->element);
}

static size_t run_blocks(const fpx_blocking *b, float tensor_amax, size_t width, const float *src,
                         uint8_t *codes, void *scales, size_t count)
{
    run_plan p;

    if ((width != NVFP4_WIDTH && width % MX_WIDTH != 0) || !plan_run(b, tensor_amax, width, &p))
        return 0;
    if (p.scale == NULL)
        return run_tiles(&p, src, codes, scales, count);
    /* The usual widths are constants, so that each has its own loop. */
    if (width == MX_WIDTH)
        return run_all(&p, src, codes, scales, count, MX_WIDTH);
    if (width == NVFP4_WIDTH)
        return run_all(&p, src, codes, scales, count, NVFP4_WIDTH);
    return run_all(&p, src, codes, scales, count, width);
}

static size_t run_columns(const fpx_blocking *b, float tensor_amax, size_t height, const float *src,
                          size_t stride, uint8_t *codes, void *scales, size_t count)
{
    run_plan p;
    size_t i = 0;

    if (count < GROUP || !plan_run(b, tensor_amax, height, &p) || p.scale == NULL)
        return 0;
    for (; count - i >= GROUP; i += GROUP)
        columns_group(&p, src + i, stride, codes + i, (uint8_t *)scales + i);
    return i;
}

/* ---- the parts of a span ---- */

static void maxima_of_columns(const float *src, size_t stride, size_t rows, size_t cols,
                              uint32_t *amax)
{
    size_t c = 0;

    for (; cols - c >= LANES; c += LANES) {
        vi most = vi_set(0);
        for (size_t r = 0; r < rows; r++)
            most = vi_max(most, magnitude_bits(vf_load(src + r * stride + c)));
        vi_store(amax + c, most);
    }
    for (; c < cols; c++) {
        amax[c] = 0;
        for (size_t r = 0; r < rows; r++) {
            const uint32_t u = fpx_f32_bits(src[r * stride + c]) & 0x7fffffffu;
            amax[c] = u > amax[c] ? u : amax[c];
        }
    }
}

/* The last amaxes are filled up to LANES with zeros. */
static int scales_of_blocks(const fpx_blocking *b, float tensor_amax, const uint32_t *amax,
                            size_t n, uint8_t *bytes, float *factors)
{
    static const block_lie nowhere; /* for rules that look at elements, which are not for spans */
    run_plan p;

    if (fpx_block_emax(&b->element.format) < 2 || !plan_scales(b, tensor_amax, 0, &p) ||
        p.scale == NULL)
        return 0;
    for (size_t i = 0; i < n; i += LANES) {
        const size_t here = n - i < LANES ? n - i : LANES;
        uint32_t a[LANES] = { 0 };
        uint8_t stored[LANES];
        float f[LANES];
        vi lanes;
        vf quotients;

        memcpy(a, amax + i, here * sizeof *a);
        if (!p.scale(&p, &nowhere, vi_load(a), &lanes, &quotients))
            return 0;
        vi_store_u8(stored, lanes);
        vf_store(f, quotients);
        memcpy(bytes + i, stored, here);
        memcpy(factors + i, f, here * sizeof *f);
    }
    return 1;
}

static inline vm quotient_vector(const float *x, const float *factors, int divides, float *q)
{
    const vf y =
        divides ? vf_div(vf_load(x), vf_load(factors)) : vf_mul(vf_load(x), vf_load(factors));

    vf_store(q, y);
    return vi_gt(magnitude_bits(y), vi_set(INF_BITS - 1));
}

static int quotients_of(const float *x, const float *factors, int divides, float *q, size_t n)
{
    vm open = vi_gt(vi_set(0), vi_set(0));
    size_t i = 0;

    for (; n - i >= LANES; i += LANES)
        open = vm_or(open, quotient_vector(x + i, factors + i, divides, q + i));
    if (i < n) {
        float a[LANES] = { 0.0f };
        float f[LANES];
        float y[LANES];

        for (size_t l = 0; l < LANES; l++)
            f[l] = 1.0f;
        memcpy(a, x + i, (n - i) * sizeof *a);
        memcpy(f, factors + i, (n - i) * sizeof *f);
        open = vm_or(open, quotient_vector(a, f, divides, y));
        memcpy(q + i, y, (n - i) * sizeof *y);
    }
    return !vm_any(open);
}

#endif /* FPX_BLOCK_SLOTS_H */
