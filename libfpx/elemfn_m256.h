/* elemfn_m256.h - the float32 side of elemfn_fast.h on 256-bit registers, shared by AVX2 and AVX-512. A file
 * that includes it defines vd and the four functions on it that are declared here. */
#ifndef FPX_ELEMFN_M256_H
#define FPX_ELEMFN_M256_H

#include <immintrin.h>
#include <stdint.h>

enum { BLOCK = 8 };

typedef __m256 vf;
typedef __m256i vw;
typedef __m256 vfm;

static inline vf v_narrow(vd a);
static inline vw v_low_words(vd a); /* in any order */
static inline vd v_set(double x);
static inline vd v_fma(vd a, vd b, vd c);
static inline vd v_fnma(vd a, vd b, vd c);

static inline vf vf_set(float x)
{
    return _mm256_set1_ps(x);
}

static inline vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

static inline vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

static inline vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

static inline vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

static inline vf vf_and(vf a, vf b)
{
    return _mm256_and_ps(a, b);
}

static inline vf vf_or(vf a, vf b)
{
    return _mm256_or_ps(a, b);
}

static inline vf vf_xor(vf a, vf b)
{
    return _mm256_xor_ps(a, b);
}

static inline vw vf_bits(vf a)
{
    return _mm256_castps_si256(a);
}

static inline vf vf_of_bits(vw a)
{
    return _mm256_castsi256_ps(a);
}

static inline vf vf_of_integer(vw a)
{
    return _mm256_cvtepi32_ps(a);
}

static inline vw vf_to_integer(vf a)
{
    return _mm256_cvtps_epi32(a);
}

static inline vw vw_set(int32_t i)
{
    return _mm256_set1_epi32(i);
}

static inline vw vw_add(vw a, vw b)
{
    return _mm256_add_epi32(a, b);
}

static inline vw vw_sub(vw a, vw b)
{
    return _mm256_sub_epi32(a, b);
}

static inline vw vw_and(vw a, vw b)
{
    return _mm256_and_si256(a, b);
}

static inline vw vw_shl(vw a, int n)
{
    return _mm256_slli_epi32(a, n);
}

static inline vw vw_sar(vw a, int n)
{
    return _mm256_srai_epi32(a, n);
}

static inline void vw_store(int32_t *to, vw a)
{
    _mm256_storeu_si256((__m256i *)(void *)to, a);
}

static inline vfm vfm_none(void)
{
    return _mm256_setzero_ps();
}

static inline vfm vfm_less(vf a, vf b)
{
    return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}

static inline vfm vfm_within(vf a, float low, float high)
{
    return _mm256_and_ps(_mm256_cmp_ps(a, vf_set(low), _CMP_GE_OQ), vfm_less(a, vf_set(high)));
}

/* NaN too. */
static inline vfm vfm_not_within(vf a, float low, float high)
{
    return _mm256_or_ps(_mm256_cmp_ps(a, vf_set(low), _CMP_NGE_UQ),
                        _mm256_cmp_ps(a, vf_set(high), _CMP_NLE_UQ));
}

static inline vf vf_select(vfm m, vf a, vf b)
{
    return _mm256_blendv_ps(b, a, m);
}

static inline vf vf_load(const float *x)
{
    return _mm256_loadu_ps(x);
}

static inline void vf_store(float *y, vf v)
{
    _mm256_storeu_ps(y, v);
}

/* Eight results; a bit of *ret_doubt for each that its interval did not decide. */
static inline vf round_block(vd y, double bound, vfm outside, unsigned *ret_doubt)
{
    const vf up = v_narrow(v_fma(y, v_set(bound), y));
    const vf down = v_narrow(v_fnma(y, v_set(bound), y));
    const vf nan = vf_of_bits(vw_set(0x7FC00000));
    const vf doubt = _mm256_or_ps(outside, _mm256_cmp_ps(up, down, _CMP_NEQ_OQ));

    *ret_doubt = (unsigned)_mm256_movemask_ps(doubt);
    return vf_select(_mm256_cmp_ps(up, up, _CMP_UNORD_Q), nan, up);
}

/* 0 where some of the eight are for round_block(). Near: the 29 bits that rounding drops, on top of a word
 * with `reach` added, are a negative number near the least. Subnormal, with tiny: the words but for their
 * sign, doubled, are within 2^24 of 0, as are those of NaN, but not 0. */
static inline int round_quick(vd wide_y, double bound, vfm outside, int tiny, vf *ret_y)
{
    const int reach = ((int)(bound * 0x1p53) + 1) * 8;
    const vf y = v_narrow(wide_y);
    const vw dropped = vw_add(vw_shl(v_low_words(wide_y), 3), vw_set(reach));
    const vw near = _mm256_cmpgt_epi32(vw_set(INT32_MIN + 2 * reach + 8), dropped);
    vw doubt = _mm256_or_si256(near, vf_bits(outside));

    if (tiny) {
        const vw size = vw_sub(_mm256_abs_epi32(vw_shl(vf_bits(y), 1)), vw_set(1));
        const vw least = _mm256_min_epu32(size, vw_set((1 << 24) - 2));
        doubt = _mm256_or_si256(doubt, _mm256_cmpeq_epi32(size, least));
    } else {
        doubt = _mm256_or_si256(doubt, vf_bits(_mm256_cmp_ps(y, y, _CMP_UNORD_Q)));
    }
    *ret_y = y;
    return _mm256_movemask_ps(vf_of_bits(doubt)) == 0;
}

#endif /* FPX_ELEMFN_M256_H */
