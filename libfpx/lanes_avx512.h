/* lanes_avx512.h - lanes_avx2.h's operations in AVX-512 (F, BW, DQ, VL): 16 lanes of 32 bits; a mask has a bit for
 * each lane. */
#ifndef FPX_LANES_AVX512_H
#define FPX_LANES_AVX512_H

#include <immintrin.h>
#include <stdint.h>

enum { LANES = 16 };

typedef __m512i vi;
typedef __m512 vf;
typedef __mmask16 vm;

static inline vi vi_set(uint32_t x)
{
    return _mm512_set1_epi32((int32_t)x);
}

static inline vi vi_load(const void *p)
{
    return _mm512_loadu_si512(p);
}

static inline vi vi_load_u16(const void *p)
{
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(p));
}

static inline vi vi_load_u8(const void *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(p));
}

static inline void vi_store(void *p, vi a)
{
    _mm512_storeu_si512(p, a);
}

static inline vf vf_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void vf_store(float *p, vf a)
{
    _mm512_storeu_ps(p, a);
}

static inline vf vf_set(float x)
{
    return _mm512_set1_ps(x);
}

static inline vf vf_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}

static inline vf vf_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}

static inline vi vi_bits(vf a)
{
    return _mm512_castps_si512(a);
}

static inline vf vf_bits(vi a)
{
    return _mm512_castsi512_ps(a);
}

static inline vf vf_from_int(vi a)
{
    return _mm512_cvtepi32_ps(a);
}

static inline vi vi_add(vi a, vi b)
{
    return _mm512_add_epi32(a, b);
}

static inline vi vi_sub(vi a, vi b)
{
    return _mm512_sub_epi32(a, b);
}

static inline vi vi_dot_halves(vi a, vi b)
{
    return _mm512_madd_epi16(a, b);
}

static inline vi vi_and(vi a, vi b)
{
    return _mm512_and_si512(a, b);
}

static inline vi vi_or(vi a, vi b)
{
    return _mm512_or_si512(a, b);
}

static inline vi vi_xor(vi a, vi b)
{
    return _mm512_xor_si512(a, b);
}

static inline vi vi_min(vi a, vi b)
{
    return _mm512_min_epi32(a, b);
}

static inline vi vi_max(vi a, vi b)
{
    return _mm512_max_epi32(a, b);
}

static inline vi vi_sll(vi a, int count)
{
    return _mm512_sll_epi32(a, _mm_cvtsi32_si128(count));
}

static inline vi vi_srl(vi a, int count)
{
    return _mm512_srl_epi32(a, _mm_cvtsi32_si128(count));
}

static inline vi vi_sllv(vi a, vi count)
{
    return _mm512_sllv_epi32(a, count);
}

static inline vi vi_srlv(vi a, vi count)
{
    return _mm512_srlv_epi32(a, count);
}

static inline vi vi_sign(vi a)
{
    return _mm512_srai_epi32(a, 31);
}

static inline vm vi_gt(vi a, vi b)
{
    return _mm512_cmpgt_epi32_mask(a, b);
}

static inline vm vi_eq(vi a, vi b)
{
    return _mm512_cmpeq_epi32_mask(a, b);
}

static inline vm vf_unordered(vf a, vf b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q);
}

static inline vm vm_none(void)
{
    return 0;
}

static inline vm vm_or(vm a, vm b)
{
    return _mm512_kor(a, b);
}

static inline uint32_t vm_bits(vm m)
{
    return m;
}

static inline int vm_any(vm m)
{
    return m != 0;
}

static inline vi vi_add_one(vi a, vm m)
{
    return _mm512_mask_add_epi32(a, m, a, _mm512_set1_epi32(1));
}

static inline vi vi_select(vm m, vi yes, vi no)
{
    return _mm512_mask_blend_epi32(m, no, yes);
}

/* Packing works in quarters of a register: group g of four lands at 4 (g mod 4) + g / 4. */
static inline __m512i in_order8(__m512i packed)
{
    return _mm512_permutexvar_epi32(
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), packed);
}

static inline void store_codes8(void *dst, const vi *code)
{
    const __m512i packed = _mm512_packus_epi16(_mm512_packus_epi32(code[0], code[1]),
                                               _mm512_packus_epi32(code[2], code[3]));

    _mm512_storeu_si512(dst, in_order8(packed));
}

static inline void store_codes16(void *dst, const vi *code)
{
    _mm512_storeu_si512(dst, _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7),
                                                      _mm512_packus_epi32(code[0], code[1])));
}

static inline vi pack_codes(vi a, vi b)
{
    return _mm512_packus_epi32(a, b);
}

static inline vi pack_signs(vf a, vf b)
{
    return _mm512_packs_epi32(vi_bits(a), vi_bits(b));
}

static inline void store_signed8(void *dst, const vi magnitudes[2], const vi signs[2],
                                 uint8_t limit, uint8_t sign)
{
    const vi m = _mm512_min_epu8(_mm512_packus_epi16(magnitudes[0], magnitudes[1]),
                                 _mm512_set1_epi8((char)limit));
    const __mmask64 negative = _mm512_movepi8_mask(_mm512_packs_epi16(signs[0], signs[1]));

    _mm512_storeu_si512(
        dst, in_order8(_mm512_mask_add_epi8(m, negative, m, _mm512_set1_epi8((char)sign))));
}

static inline vf vf_lookup16(const float table[16], vi code)
{
    return _mm512_permutexvar_ps(code, _mm512_loadu_ps(table));
}

static inline vi half_load_u8(const void *p)
{
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256(p));
}

static inline vi half_load_u16(const void *p)
{
    return _mm512_loadu_si512(p);
}

static inline vi half_set(uint16_t x)
{
    return _mm512_set1_epi16((int16_t)x);
}

static inline vi half_sub(vi a, vi b)
{
    return _mm512_sub_epi16(a, b);
}

static inline vi half_mul_high(vi a, vi b)
{
    return _mm512_mulhi_epu16(a, b);
}

static inline vi half_mul_low(vi a, vi b)
{
    return _mm512_mullo_epi16(a, b);
}

static inline vi half_mul_fraction(vi a, vi b)
{
    return _mm512_mulhrs_epi16(a, b);
}

static inline vi half_max(vi a, vi b)
{
    return _mm512_max_epi16(a, b);
}

static inline int half_any_gt(vi a, vi b)
{
    return _mm512_cmpgt_epi16_mask(a, b) != 0;
}

static inline int half_any_eq(vi a, vi b)
{
    return _mm512_cmpeq_epi16_mask(a, b) != 0;
}

static inline vf half_low(vi a)
{
    return _mm512_cvtph_ps(_mm512_castsi512_si256(a));
}

static inline vf half_high(vi a)
{
    return _mm512_cvtph_ps(_mm512_extracti64x4_epi64(a, 1));
}

enum { WIDE_LANES = 8 };

static inline vi wide_mul(vi a, vi b)
{
    return _mm512_mul_epu32(a, b);
}

static inline vi wide_high(vi a)
{
    return _mm512_srli_epi64(a, 32);
}

static inline vi wide_xor3(vi a, vi b, vi c)
{
    return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}

static inline void wide_counters(uint64_t first, vi *ret_low, vi *ret_high)
{
    const __m512i b = _mm512_add_epi64(_mm512_set1_epi64((int64_t)first),
                                       _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7));

    *ret_low = b;
    *ret_high = _mm512_srli_epi64(b, 32);
}

static inline void wide_store(uint32_t *dst, vi c0, vi c1, vi c2, vi c3)
{
    const __m512i c01 = _mm512_mask_blend_epi32(0xaaaa, c0, _mm512_slli_epi64(c1, 32));
    const __m512i c23 = _mm512_mask_blend_epi32(0xaaaa, c2, _mm512_slli_epi64(c3, 32));

    _mm512_storeu_si512(dst, _mm512_unpacklo_epi64(c01, c23));
    _mm512_storeu_si512(dst + 16, _mm512_unpackhi_epi64(c01, c23));
}

#endif /* FPX_LANES_AVX512_H */
