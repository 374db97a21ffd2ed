/* mma_avx512_dialect.h - mma_avx2_dialect.h's names in AVX-512 (F, BW, DQ). */
#ifndef FPX_MMA_AVX512_DIALECT_H
#define FPX_MMA_AVX512_DIALECT_H

#include <immintrin.h>
#include <stdint.h>

#define KERNELS mma_kernels_avx512
#define GROUP_KERNELS mma_group_kernels_avx512
#define ISA_NAME "avx512"

enum { LANES = 16, WIDTH = 2 * LANES };

typedef __m512 f;
typedef __m512i i;
typedef __m512i w;
typedef __mmask16 m;

#define f_load _mm512_loadu_ps
#define f_store _mm512_storeu_ps
#define f_mul _mm512_mul_ps
#define f_add _mm512_add_ps
#define f_sub _mm512_sub_ps
#define f_zero _mm512_setzero_ps
#define f_of_i _mm512_cvtepi32_ps
#define f_bits _mm512_castps_si512
#define f_cast _mm512_castsi512_ps

#define i_cut _mm512_cvttps_epi32
#define i_all _mm512_set1_epi32
#define i_zero _mm512_setzero_si512
#define i_add _mm512_add_epi32
#define i_sub _mm512_sub_epi32
#define i_max _mm512_max_epi32
#define i_and _mm512_and_si512
#define i_or _mm512_or_si512
#define i_xor _mm512_xor_si512
#define i_shl _mm512_slli_epi32
#define i_shr _mm512_srli_epi32
#define i_sar _mm512_srai_epi32
#define i_load _mm512_loadu_si512
#define i_store _mm512_storeu_si512

#define w_all _mm512_set1_epi16
#define w_load _mm512_loadu_si512
#define w_store _mm512_storeu_si512
#define w_add _mm512_add_epi16
#define w_subs _mm512_subs_epi16
#define w_max _mm512_max_epi16
#define w_shl _mm512_slli_epi16
#define w_spread(x) _mm512_set1_epi32(*(x))
#define w_pack _mm512_packs_epi32

#define m_greater _mm512_cmpgt_epi32_mask
#define m_equal _mm512_cmpeq_epi32_mask

static inline f f_spread(const float *x)
{
    return _mm512_set1_ps(*x);
}

static inline i w_low(w x)
{
    return _mm512_unpacklo_epi16(_mm512_setzero_si512(), x);
}

static inline i w_high(w x)
{
    return _mm512_unpackhi_epi16(_mm512_setzero_si512(), x);
}

static inline m m_or(m x, m y)
{
    return (m)(x | y);
}

static inline m m_and(m x, m y)
{
    return (m)(x & y);
}

static inline m m_but(m x, m y)
{
    return (m)(~x & y);
}

static inline m m_negative(i x)
{
    return _mm512_movepi32_mask(x);
}

static inline unsigned m_bits(m x)
{
    return x;
}

static inline f f_choose(m mask, f y, f x)
{
    return _mm512_mask_blend_ps(mask, x, y);
}

static inline i i_choose(m mask, i y, i x)
{
    return _mm512_mask_blend_epi32(mask, x, y);
}

static inline i i_unless(m mask, i x)
{
    return _mm512_maskz_mov_epi32((m)~mask, x);
}

static inline f f_through_half(f x)
{
    return _mm512_cvtph_ps(_mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

typedef __m512d d;

#define d_load _mm512_loadu_pd
#define d_mul _mm512_mul_pd
#define d_add _mm512_add_pd

static inline d d_spread(const double *x)
{
    return _mm512_set1_pd(*x);
}

static inline d d_cut(d x)
{
    return _mm512_roundscale_pd(x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
}

static inline __m256i i_half(i x, const int half)
{
    return half ? _mm512_extracti64x4_epi64(x, 1) : _mm512_castsi512_si256(x);
}

static inline d d_of_i(i x, const int half)
{
    return _mm512_cvtepi32_pd(i_half(x, half));
}

static inline d d_power(i x, const int half)
{
    return _mm512_castsi512_pd(_mm512_slli_epi64(_mm512_cvtepi32_epi64(i_half(x, half)), 52));
}

static inline d d_of_f(f x, const int half)
{
    return _mm512_cvtps_pd(half ? _mm512_extractf32x8_ps(x, 1) : _mm512_castps512_ps256(x));
}

static inline d d_bounded(d x)
{
    const d sign = _mm512_set1_pd(-0.0), infinity = _mm512_set1_pd(__builtin_inf());
    const __mmask8 over =
        _mm512_cmp_pd_mask(_mm512_andnot_pd(sign, x), _mm512_set1_pd(0x1p128), _CMP_GE_OQ);

    return _mm512_mask_or_pd(x, over, _mm512_and_pd(sign, x), infinity);
}

static inline f f_of_d(d low, d high)
{
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high),
                              1);
}

#define w_dot _mm512_maddubs_epi16
#define i_of_pairs(x) _mm512_madd_epi16(x, _mm512_set1_epi16(1))
#define w_and _mm512_and_si512

static inline w w_where_zero(w x, w y, w z)
{
    return _mm512_mask_blend_epi16(_mm512_cmpeq_epi16_mask(x, _mm512_setzero_si512()), z, y);
}

#endif /* FPX_MMA_AVX512_DIALECT_H */
