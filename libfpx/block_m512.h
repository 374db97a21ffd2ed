/* block_m512.h - block_m256.h's operations in AVX-512. */
#ifndef FPX_BLOCK_M512_H
#define FPX_BLOCK_M512_H

#include "lanes_avx512.h"

static inline vf vf_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}

static inline vf vf_sqrt(vf a)
{
    return _mm512_sqrt_ps(a);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vf vf_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}

static inline vf vf_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

static inline vm vf_less(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

static inline vf vf_select(vm m, vf yes, vf no)
{
    return _mm512_mask_blend_ps(m, no, yes);
}

static inline vf vf_lane(vf a, int k)
{
    return _mm512_permutexvar_ps(_mm512_set1_epi32(k), a);
}

static inline vf vf_gather(const float *src, int apart)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);

    return _mm512_i32gather_ps(_mm512_mullo_epi32(lanes, _mm512_set1_epi32(apart)), src, 4);
}

static inline vi vi_max_of_pairs(vi a, vi b)
{
    return _mm512_max_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

static inline vi vi_max_of_halves(vi a, vi b)
{
    return _mm512_max_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
}

/* Of each two quarters the larger: a's two, then b's. */
static inline vi vi_max_of_quarters(vi a, vi b)
{
    return _mm512_max_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
}

static inline vi vi_max_across(const vi m[LANES])
{
    vi four[4]; /* each quarter: candidates of m[4 i] to m[4 i + 3] */

    for (size_t i = 0; i < 4; i++)
        four[i] = vi_max_of_halves(vi_max_of_pairs(m[4 * i], m[4 * i + 1]),
                                   vi_max_of_pairs(m[4 * i + 2], m[4 * i + 3]));
    return vi_max_of_quarters(vi_max_of_quarters(four[0], four[1]),
                              vi_max_of_quarters(four[2], four[3]));
}

static inline void vi_store_u8(uint8_t *dst, vi x)
{
    _mm_storeu_si128((__m128i *)(void *)dst, _mm512_cvtepi32_epi8(x));
}

#endif /* FPX_BLOCK_M512_H */
