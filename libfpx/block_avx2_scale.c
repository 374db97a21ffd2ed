/* block_avx2_scale.c - the scales of eight blocks in eight lanes, by the same float32 operations in the same order as in
 * block_scale.c. The amaxes are finite. */
#include <float.h>

#include "block_avx2.h"

static inline __m256i above(__m256i x, int limit) /* 1 where x > limit */
{
    return _mm256_srli_epi32(_mm256_cmpgt_epi32(x, _mm256_set1_epi32(limit)), 31);
}

static inline __m256i round_up(
    __m256i bits, int limit) /* exponent field, and one where the rest is above limit */
{
    const __m256i fraction = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffff));

    return _mm256_add_epi32(_mm256_srli_epi32(bits, 23), above(fraction, limit));
}

/* 2^-127 is the fraction 0x400000 of exponent field 0: byte 0 up to there. */
static inline __m256i round_up_quotient(const run_plan *p, __m256i amax)
{
    const __m256i bits = _mm256_castps_si256(
        _mm256_mul_ps(_mm256_castsi256_ps(amax), _mm256_set1_ps(p->reciprocal)));
    const __m256i normal = _mm256_cmpgt_epi32(bits, _mm256_set1_epi32(0x7fffff));

    return _mm256_blendv_epi8(above(bits, 0x400000), round_up(bits, 0), normal);
}

static inline __m256i mx_bytes(const run_plan *p, __m256i amax)
{
    const __m256i emax = _mm256_set1_epi32(p->emax);
    __m256i byte;

    switch (p->blocking->mx_exponent) {
    case FPX_MX_CEIL:
        byte = _mm256_sub_epi32(round_up(amax, 0), emax);
        break;
    case FPX_MX_RCEIL:
        byte = _mm256_sub_epi32(round_up(amax, p->top_fraction), emax);
        break;
    case FPX_MX_RCEIL_FP32:
        byte = round_up_quotient(p, amax);
        break;
    case FPX_MX_EVEN:
        amax = _mm256_add_epi32(amax,
                                _mm256_set1_epi32(1 << (22 - p->blocking->element.format.mbits)));
        byte = _mm256_sub_epi32(_mm256_srli_epi32(amax, 23), emax);
        break;
    default:
        byte = _mm256_sub_epi32(_mm256_srli_epi32(amax, 23), emax);
        break;
    }
    return _mm256_min_epi32(_mm256_max_epi32(byte, _mm256_setzero_si256()), _mm256_set1_epi32(254));
}

int fpx_block8_mx(const run_plan *p, const eight *at, __m256i amax, __m256i *ret_bytes,
                  __m256 *ret_factors)
{
    (void)at;
    const __m256i half = _mm256_set1_epi32(p->blocking->mx_exponent == FPX_MX_EVEN
                                               ? 1 << (22 - p->blocking->element.format.mbits)
                                               : 0);
    if (!all_finite(_mm256_add_epi32(amax, half)))
        return 0;

    const __m256i byte = mx_bytes(p, amax);
    /* At most 253 (emax is 2 or more): 2^-byte is no subnormal. */
    const __m256i factor = _mm256_slli_epi32(_mm256_sub_epi32(_mm256_set1_epi32(254), byte), 23);

    *ret_bytes = byte;
    *ret_factors = _mm256_castsi256_ps(factor);
    return 1;
}

/* x in [0, 448] rounded to e4m3: codes, and values by taking back what rounding had added. */
static inline __m256i e4m3_of(const run_plan *p, __m256 x, __m256 *ret_values)
{
    const __m256i e = _mm256_max_epi32(
        _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(INF_BITS)), p->scale.lowest);
    const __m256 addend = _mm256_castsi256_ps(_mm256_add_epi32(e, p->scale.up));

    *ret_values = _mm256_sub_ps(_mm256_add_ps(x, addend), addend);
    return magnitudes(&p->scale, x);
}

int fpx_block8_te(const run_plan *p, const eight *at, __m256i amax, __m256i *ret_bytes,
                  __m256 *ret_factors)
{
    (void)at;
    const __m256 product = _mm256_mul_ps(_mm256_castsi256_ps(amax), _mm256_set1_ps(p->multiplier));
    __m256 value;

    *ret_bytes = e4m3_of(p, _mm256_min_ps(product, _mm256_set1_ps(448.0f)), &value);
    const __m256 decode = _mm256_mul_ps(value, _mm256_set1_ps(p->tensor_other));
    *ret_factors =
        _mm256_min_ps(_mm256_div_ps(_mm256_set1_ps(1.0f), decode), _mm256_set1_ps(FLT_MAX));
    return 1;
}

int fpx_block8_torchao(const run_plan *p, const eight *at, __m256i amax, __m256i *ret_bytes,
                       __m256 *ret_factors)
{
    (void)at;
    const __m256 sixth = _mm256_div_ps(_mm256_castsi256_ps(amax), _mm256_set1_ps(6.0f));
    const __m256 scaled = _mm256_div_ps(sixth, _mm256_set1_ps(p->tensor_scale));
    const __m256 kept =
        _mm256_min_ps(_mm256_max_ps(scaled, _mm256_set1_ps(0x1p-6f)), _mm256_set1_ps(448.0f));
    __m256 value;

    *ret_bytes = e4m3_of(p, kept, &value);
    *ret_factors = _mm256_div_ps(_mm256_set1_ps(p->tensor_other), value);
    return 1;
}

/* ---- four over six: both candidates in eight lanes, errors summed in element order ---- */

typedef struct candidate {
    __m256i bytes;
    __m256 values, factors, error;
} candidate;

static candidate candidate_of(const run_plan *p, __m256 scale)
{
    candidate c;

    c.bytes = e4m3_of(p, _mm256_min_ps(scale, _mm256_set1_ps(448.0f)), &c.values);
    const __m256 decode = _mm256_mul_ps(c.values, _mm256_set1_ps(p->tensor_other));
    c.factors = _mm256_min_ps(_mm256_div_ps(_mm256_set1_ps(1.0f), decode), _mm256_set1_ps(FLT_MAX));
    c.error = _mm256_setzero_ps();
    return c;
}

/* The value of q's code, by taking back what rounding had added. */
static inline __m256 e2m1_value(const run_plan *p, __m256 q)
{
    const __m256 sign_mask = _mm256_set1_ps(-0.0f);
    const __m256 a = _mm256_min_ps(_mm256_andnot_ps(sign_mask, q), _mm256_set1_ps(6.0f));
    const __m256i field = _mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(INF_BITS));
    const __m256i e = _mm256_max_epi32(field, p->element.lowest);
    const __m256 addend = _mm256_castsi256_ps(_mm256_add_epi32(e, p->element.up));
    const __m256 rounded = _mm256_sub_ps(_mm256_add_ps(a, addend), addend);

    return _mm256_or_ps(rounded, _mm256_and_ps(q, sign_mask));
}

static inline void add_error(const run_plan *p, __m256 x, candidate *c)
{
    const uint8_t error = p->blocking->error;
    const __m256 product = _mm256_mul_ps(e2m1_value(p, _mm256_mul_ps(x, c->factors)), c->values);
    __m256 difference;

    if (error >= FPX_ERROR_ABS_SCALED) {
        difference = _mm256_sub_ps(product, _mm256_mul_ps(x, _mm256_set1_ps(p->multiplier)));
    } else {
        const __m256 times = _mm256_mul_ps(product, _mm256_set1_ps(p->tensor_amax));
        const __m256 bound = _mm256_set1_ps(6.0f * p->blocking->bound);
        difference = _mm256_sub_ps(_mm256_div_ps(times, bound), x);
    }
    if (error == FPX_ERROR_ABS || error == FPX_ERROR_ABS_SCALED)
        difference = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), difference);
    else
        difference = _mm256_mul_ps(difference, difference);
    c->error = _mm256_add_ps(c->error, difference);
}

int fpx_block8_46(const run_plan *p, const eight *at, __m256i amax, __m256i *ret_bytes,
                  __m256 *ret_factors)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i index = _mm256_mullo_epi32(lanes, _mm256_set1_epi32((int)at->apart));
    const __m256 sixth = _mm256_div_ps(_mm256_castsi256_ps(amax), _mm256_set1_ps(6.0f));
    const __m256 base = _mm256_mul_ps(sixth, _mm256_set1_ps(p->multiplier));
    candidate four = candidate_of(p, _mm256_mul_ps(base, _mm256_set1_ps(1.5f)));
    candidate six = candidate_of(p, base);

    for (size_t i = 0; i < NVFP4_WIDTH; i++) {
        const __m256 x = _mm256_i32gather_ps(at->src + i * at->step, index, 4);
        add_error(p, x, &four);
        add_error(p, x, &six);
    }
    const __m256 better = _mm256_cmp_ps(four.error, six.error, _CMP_LT_OQ);
    *ret_bytes = _mm256_blendv_epi8(six.bytes, four.bytes, _mm256_castps_si256(better));
    *ret_factors = _mm256_blendv_ps(six.factors, four.factors, better);
    return 1;
}
