/* block_lanes.h - what the vector variants of block scaling share: elements encoded to nearest even and saturating by
 * encode_fast.h, and what is the same for all blocks of a run. */
#ifndef FPX_BLOCK_LANES_H
#define FPX_BLOCK_LANES_H

#include "block_kernels.h"
#include "convert_kernels.h"
#include "encode_fast.h"
#include "format_bits.h"
#ifdef FPX_LANES_AVX512_H
#include "block_m512.h"
#else
#include "block_m256.h"
#endif

enum { INF_BITS = 0x7f800000, NVFP4_WIDTH = 16, GROUP = 4 * LANES };

/* A format's codes by the addition that rounds. */
typedef struct block_encoder {
    fast_lanes k;
    vi base, left; /* in lanes of 16 bits: what is undone after packing */
    uint32_t word_base;
    int word_left;
    uint8_t limit, sign;
    int ties_to_zero;
    vi tie_rest; /* the bits of a float32 that are 0 in a tie, and in others */
} block_encoder;

/* 0: encode_fast.h has no addition that rounds so. */
static inline int block_encoder_make(const fpx_conversion *c, block_encoder *ret_encoder)
{
    fpx_encode_plan plan;

    if (fpx_width_slot(&c->format) != 0 || !fpx_encode_plan_make(c, &plan))
        return 0;
    const fpx_fast_plan fast = fpx_fast_plan_make(c, &plan);
    /* What overflows gives the largest code; and a quotient below float32's normals is so far below the least code
     * that what its rounding lost cannot matter. */
    if (fast.kind != FPX_FAST_ADD || fast.limit != c->format.max_code ||
        c->format.bias + c->format.mbits >= 125)
        return 0;
    ret_encoder->k = fast_lanes_of(&fast, &plan);
    ret_encoder->base = half_set((uint16_t)fast.base);
    ret_encoder->left = half_set((uint16_t)(0x10000 >> fast.left));
    ret_encoder->word_base = fast.base;
    ret_encoder->word_left = fast.left;
    ret_encoder->limit = (uint8_t)fast.limit;
    ret_encoder->sign = (uint8_t)plan.sign;
    ret_encoder->ties_to_zero = 0;
    ret_encoder->tie_rest = vi_set((UINT32_C(1) << (22 - c->format.mbits)) - 1);
    return 1;
}

/* One place nearer to zero where all bits behind a tie's are 0: a tie is then below itself, and any other such number goes
 * where it went. 0 stays. */
static inline vf below_ties(const block_encoder *e, vf x)
{
    const vi bits = vi_bits(x), zero = vi_set(0);
    const vi less = vi_sub(bits, vi_set(1));
    const vi lowered = vi_select(vi_gt(magnitude_bits(x), zero), less, bits);

    return vf_bits(vi_select(vi_gt(vi_and(bits, e->tie_rest), zero), bits, lowered));
}

/* GROUP codes of q, none of it NaN. */
static inline void encode_group(const block_encoder *e, const vf q[4], uint8_t *dst)
{
    vi magnitudes[2];
    vi signs[2];

    for (size_t pair = 0; pair < 2; pair++) {
        const vf x = e->ties_to_zero ? below_ties(e, q[2 * pair]) : q[2 * pair];
        const vf y = e->ties_to_zero ? below_ties(e, q[2 * pair + 1]) : q[2 * pair + 1];
        magnitudes[pair] = half_mul_high(
            half_sub(pack_codes(magnitude_add(&e->k, x), magnitude_add(&e->k, y)), e->base),
            e->left);
        signs[pair] = pack_signs(x, y);
    }
    store_signed8(dst, magnitudes, signs, e->limit, e->sign);
}

/* Codes of numbers of the format's range, in whole lanes. */
static inline vi codes_of(const block_encoder *e, vf x)
{
    return vi_srl(vi_sub(magnitude_add(&e->k, x), vi_set(e->word_base)), e->word_left);
}

static inline vf rounding_addend(const block_encoder *e, vf x)
{
    const vi field = vi_and(vi_bits(x), vi_set(INF_BITS));

    return vf_mul(vf_bits(vi_max(field, e->k.lowest)), e->k.up);
}

/* x >= 0, at most the format's largest, rounded: by taking back what rounding had added. */
static inline vf rounded_value(const block_encoder *e, vf x)
{
    const vf addend = rounding_addend(e, x);

    return vf_sub(vf_add(x, addend), addend);
}

static inline int all_finite(vi amax)
{
    return !vm_any(vi_gt(amax, vi_set(INF_BITS - 1)));
}

typedef struct run_plan run_plan;

/* Where LANES blocks lie: element i of block k is src[k * apart + i * step]. */
typedef struct block_lie {
    const float *src;
    size_t apart, step;
} block_lie;

/* Stored bytes and factors of LANES blocks of finite amax; 0 where the reference must look at them. */
typedef int scale_fn(const run_plan *p, const block_lie *at, vi amax, vi *ret_bytes,
                     vf *ret_factors);

/* Everything about a run of blocks that is the same for all. */
struct run_plan {
    scale_fn *scale;
    const fpx_blocking *blocking;
    block_encoder element;
    float tensor_amax;
    size_t width; /* elements of a block */
    int emax;
    int top_fraction;         /* of max, as float32's 23 bits */
    float reciprocal;         /* 1 / max */
    float multiplier;         /* NVFP4_TE: S * (1/6); NVFP4_46: S */
    float tensor_scale;       /* torchao: t */
    float tensor_other;       /* NVFP4_TE, NVFP4_46: 1 / S; torchao: 1 / t */
    block_encoder scale_code; /* e4m3 */
};

#endif /* FPX_BLOCK_LANES_H */
