/* mma_avx512_dialect.h - mma_avx2_dialect.h's names in AVX-512 (F, BW, DQ). */
#ifndef FPX_MMA_AVX512_DIALECT_H
#define FPX_MMA_AVX512_DIALECT_H

#include <immintrin.h>
#include <stdint.h>

#define KERNELS mma_kernels_avx512
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

#endif /* FPX_MMA_AVX512_DIALECT_H */
