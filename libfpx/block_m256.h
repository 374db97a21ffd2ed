/* block_m256.h - what block scaling needs beside lanes_avx2.h, for AVX2. block_m512.h has the same names. */
#ifndef FPX_BLOCK_M256_H
#define FPX_BLOCK_M256_H

#include "lanes_avx2.h"

static inline vf vf_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}

static inline vf vf_sqrt(vf a)
{
    return _mm256_sqrt_ps(a);
}

static inline vf vf_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* The second operand where one is NaN. */
static inline vf vf_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}

static inline vf vf_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

static inline vm vf_less(vf a, vf b)
{
    return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

static inline vf vf_select(vm m, vf yes, vf no)
{
    return _mm256_blendv_ps(no, yes, _mm256_castsi256_ps(m));
}

/* Lane k in all lanes. */
static inline vf vf_lane(vf a, int k)
{
    return _mm256_permutevar8x32_ps(a, _mm256_set1_epi32(k));
}

/* src[lane * apart]. */
static inline vf vf_gather(const float *src, int apart)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

    return _mm256_i32gather_ps(src, _mm256_mullo_epi32(lanes, _mm256_set1_epi32(apart)), 4);
}

static inline vi vi_max_of_pairs(vi a, vi b)
{
    return _mm256_max_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
}

static inline vi vi_max_of_halves(vi a, vi b)
{
    return _mm256_max_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
}

/* Lane k: the largest of m[k]'s lanes. */
static inline vi vi_max_across(const vi m[LANES])
{
    const vi low = vi_max_of_halves(vi_max_of_pairs(m[0], m[1]), vi_max_of_pairs(m[2], m[3]));
    const vi high = vi_max_of_halves(vi_max_of_pairs(m[4], m[5]), vi_max_of_pairs(m[6], m[7]));

    return _mm256_max_epi32(_mm256_permute2x128_si256(low, high, 0x20),
                            _mm256_permute2x128_si256(low, high, 0x31));
}

/* Lanes below 256. */
static inline void vi_store_u8(uint8_t *dst, vi x)
{
    const __m128i shorts =
        _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));

    _mm_storel_epi64((__m128i *)(void *)dst, _mm_packus_epi16(shorts, shorts));
}

#endif /* FPX_BLOCK_M256_H */
