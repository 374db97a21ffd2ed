/* mma_avx2_dialect.h - the names with which mma_lanes.c and mma_groups.c are written, in AVX2: f is LANES of float32, i of
 * int32, w twice as many of int16, m a mask of LANES. */
#ifndef FPX_MMA_AVX2_DIALECT_H
#define FPX_MMA_AVX2_DIALECT_H

#include <immintrin.h>
#include <stdint.h>

#define KERNELS mma_kernels_avx2
#define GROUP_KERNELS mma_group_kernels_avx2
#define ISA_NAME "avx2"

enum { LANES = 8, WIDTH = 2 * LANES };

typedef __m256 f;
typedef __m256i i;
typedef __m256i w;
typedef __m256i m;

#define f_load _mm256_loadu_ps
#define f_store _mm256_storeu_ps
#define f_spread _mm256_broadcast_ss
#define f_mul _mm256_mul_ps
#define f_add _mm256_add_ps
#define f_sub _mm256_sub_ps
#define f_zero _mm256_setzero_ps
#define f_of_i _mm256_cvtepi32_ps /* rounds as MXCSR says */
#define f_bits _mm256_castps_si256
#define f_cast _mm256_castsi256_ps

#define i_cut _mm256_cvttps_epi32 /* toward zero, whatever MXCSR says */
#define i_all _mm256_set1_epi32
#define i_zero _mm256_setzero_si256
#define i_add _mm256_add_epi32
#define i_sub _mm256_sub_epi32
#define i_max _mm256_max_epi32
#define i_and _mm256_and_si256
#define i_or _mm256_or_si256
#define i_xor _mm256_xor_si256
#define i_shl _mm256_slli_epi32
#define i_shr _mm256_srli_epi32
#define i_sar _mm256_srai_epi32

#define w_all _mm256_set1_epi16
#define w_add _mm256_add_epi16
#define w_subs _mm256_subs_epi16 /* saturates */
#define w_max _mm256_max_epi16
#define w_shl _mm256_slli_epi16
#define w_spread(x) _mm256_set1_epi32(*(x)) /* a pair of equal int16 */
#define w_pack _mm256_packs_epi32 /* within 128 bits: the order that w_low and w_high restore */

static inline w w_load(const int16_t *x)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)x);
}

static inline void w_store(int16_t *to, w x)
{
    _mm256_storeu_si256((__m256i *)(void *)to, x);
}

static inline i i_load(const int32_t *x)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)x);
}

static inline void i_store(int32_t *to, i x)
{
    _mm256_storeu_si256((__m256i *)(void *)to, x);
}

/* The halves of a w as the upper 16 bits of int32, the lower ones 0. */
static inline i w_low(w x)
{
    return _mm256_unpacklo_epi16(_mm256_setzero_si256(), x);
}

static inline i w_high(w x)
{
    return _mm256_unpackhi_epi16(_mm256_setzero_si256(), x);
}

#define m_greater _mm256_cmpgt_epi32
#define m_equal _mm256_cmpeq_epi32
#define m_or _mm256_or_si256
#define m_and _mm256_and_si256
#define m_but _mm256_andnot_si256 /* not the first, and the second */

static inline m m_negative(i x)
{
    return _mm256_srai_epi32(x, 31);
}

static inline unsigned m_bits(m x)
{
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(x));
}

/* y where the mask is set, else x. */
static inline f f_choose(m mask, f y, f x)
{
    return _mm256_blendv_ps(x, y, _mm256_castsi256_ps(mask));
}

static inline i i_choose(m mask, i y, i x)
{
    return _mm256_blendv_epi8(x, y, mask);
}

/* x where the mask is clear, else 0. */
static inline i i_unless(m mask, i x)
{
    return _mm256_andnot_si256(mask, x);
}

/* float32 to binary16 and back, to nearest even. */
static inline f f_through_half(f x)
{
    return _mm256_cvtph_ps(_mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* Sums of groups: d is LANES / 2 of float64; half 0 or 1 of a vector of LANES. */
typedef __m256d d;

#define d_load _mm256_loadu_pd
#define d_spread _mm256_broadcast_sd
#define d_mul _mm256_mul_pd
#define d_add _mm256_add_pd

static inline d d_cut(d x)
{
    return _mm256_round_pd(x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
}

static inline __m128i i_half(i x, const int half)
{
    return half ? _mm256_extracti128_si256(x, 1) : _mm256_castsi256_si128(x);
}

static inline d d_of_i(i x, const int half)
{
    return _mm256_cvtepi32_pd(i_half(x, half));
}

/* 2^(x - 1023). */
static inline d d_power(i x, const int half)
{
    return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_cvtepi32_epi64(i_half(x, half)), 52));
}

static inline d d_of_f(f x, const int half)
{
    return _mm256_cvtps_pd(half ? _mm256_extractf128_ps(x, 1) : _mm256_castps256_ps128(x));
}

/* Inf of its sign where 2^128 or more. */
static inline d d_bounded(d x)
{
    const d sign = _mm256_set1_pd(-0.0), infinity = _mm256_set1_pd(__builtin_inf());
    const d over = _mm256_cmp_pd(_mm256_andnot_pd(sign, x), _mm256_set1_pd(0x1p128), _CMP_GE_OQ);

    return _mm256_blendv_pd(x, _mm256_or_pd(_mm256_and_pd(sign, x), infinity), over);
}

static inline f f_of_d(d low, d high)
{
    return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
}

/* Each 32 bits: four products of uint8 and int8, in pairs of int16. */
#define w_dot _mm256_maddubs_epi16
#define i_of_pairs(x) _mm256_madd_epi16(x, _mm256_set1_epi16(1))
#define w_and _mm256_and_si256

/* y where x is 0, else z. */
static inline w w_where_zero(w x, w y, w z)
{
    return _mm256_blendv_epi8(z, y, _mm256_cmpeq_epi16(x, _mm256_setzero_si256()));
}

#endif /* FPX_MMA_AVX2_DIALECT_H */
