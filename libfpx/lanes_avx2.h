/* lanes_avx2.h - the vector operations that the conversion kernels are written in (encode_lanes.h,
 * decode_lanes.h, philox_lanes.h), for AVX2: 8 lanes of 32 bits; a mask is -1 or 0 in each lane. lanes_avx512.h has
 * the same names. */
#ifndef FPX_LANES_AVX2_H
#define FPX_LANES_AVX2_H

#include <immintrin.h>
#include <stdint.h>

enum { LANES = 8 };

typedef __m256i vi;
typedef __m256 vf;
typedef __m256i vm;

static inline vi vi_set(uint32_t x)
{
    return _mm256_set1_epi32((int32_t)x);
}

static inline vi vi_load(const void *p)
{
    return _mm256_loadu_si256(p);
}

/* LANES unsigned numbers of 16 or 8 bits. */
static inline vi vi_load_u16(const void *p)
{
    return _mm256_cvtepu16_epi32(_mm_loadu_si128(p));
}

static inline vi vi_load_u8(const void *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(p));
}

static inline void vi_store(void *p, vi a)
{
    _mm256_storeu_si256(p, a);
}

static inline vf vf_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline void vf_store(float *p, vf a)
{
    _mm256_storeu_ps(p, a);
}

static inline vf vf_set(float x)
{
    return _mm256_set1_ps(x);
}

static inline vf vf_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}

static inline vf vf_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}

static inline vf vf_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}

static inline vi vi_bits(vf a)
{
    return _mm256_castps_si256(a);
}

static inline vf vf_bits(vi a)
{
    return _mm256_castsi256_ps(a);
}

static inline vf vf_from_int(vi a)
{
    return _mm256_cvtepi32_ps(a);
}

static inline vi vi_add(vi a, vi b)
{
    return _mm256_add_epi32(a, b);
}

static inline vi vi_sub(vi a, vi b)
{
    return _mm256_sub_epi32(a, b);
}

/* Each lane's low half times that of b, plus its high half times that of b; halves are signed. */
static inline vi vi_dot_halves(vi a, vi b)
{
    return _mm256_madd_epi16(a, b);
}

static inline vi vi_and(vi a, vi b)
{
    return _mm256_and_si256(a, b);
}

static inline vi vi_or(vi a, vi b)
{
    return _mm256_or_si256(a, b);
}

static inline vi vi_xor(vi a, vi b)
{
    return _mm256_xor_si256(a, b);
}

static inline vi vi_min(vi a, vi b) /* signed, as vi_max and vi_gt */
{
    return _mm256_min_epi32(a, b);
}

static inline vi vi_max(vi a, vi b)
{
    return _mm256_max_epi32(a, b);
}

/* By one count for all lanes, known to the compiler or outside the hot loops: two steps on some processors. */
static inline vi vi_sll(vi a, int count)
{
    return _mm256_sll_epi32(a, _mm_cvtsi32_si128(count));
}

static inline vi vi_srl(vi a, int count)
{
    return _mm256_srl_epi32(a, _mm_cvtsi32_si128(count));
}

/* By a count for each lane. A count of 32 and more, or below 0, gives 0. */
static inline vi vi_sllv(vi a, vi count)
{
    return _mm256_sllv_epi32(a, count);
}

static inline vi vi_srlv(vi a, vi count)
{
    return _mm256_srlv_epi32(a, count);
}

/* -1 where the highest bit is set, else 0. */
static inline vi vi_sign(vi a)
{
    return _mm256_srai_epi32(a, 31);
}

static inline vm vi_gt(vi a, vi b)
{
    return _mm256_cmpgt_epi32(a, b);
}

static inline vm vi_eq(vi a, vi b)
{
    return _mm256_cmpeq_epi32(a, b);
}

/* a or b is NaN */
static inline vm vf_unordered(vf a, vf b)
{
    return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_UNORD_Q));
}

static inline vm vm_none(void)
{
    return _mm256_setzero_si256();
}

static inline vm vm_or(vm a, vm b)
{
    return _mm256_or_si256(a, b);
}

/* Bit i of the result: lane i of the mask. */
static inline uint32_t vm_bits(vm m)
{
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(m));
}

static inline int vm_any(vm m)
{
    return vm_bits(m) != 0;
}

/* a + 1 where the mask is set. */
static inline vi vi_add_one(vi a, vm m)
{
    return _mm256_sub_epi32(a, m);
}

/* yes where the mask is set, else no. */
static inline vi vi_select(vm m, vi yes, vi no)
{
    return _mm256_blendv_epi8(no, yes, m);
}

/* The low 8 or 16 bits of 4 (2) registers of codes that are below 256 (65536). */
static inline void store_codes8(void *dst, const vi *code)
{
    /* Packing works in halves of a register and leaves groups of four in the order 0 2 4 6 1 3 5 7. */
    const __m256i packed = _mm256_packus_epi16(_mm256_packus_epi32(code[0], code[1]),
                                               _mm256_packus_epi32(code[2], code[3]));

    _mm256_storeu_si256(
        dst, _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
}

static inline void store_codes16(void *dst, const vi *code)
{
    _mm256_storeu_si256(dst, _mm256_permute4x64_epi64(_mm256_packus_epi32(code[0], code[1]), 0xd8));
}

/* Two vectors to one of 16-bit lanes, in the order of the packing: codes below 65536, and the signs of floats (a
 * saturating pack keeps them). */
static inline vi pack_codes(vi a, vi b)
{
    return _mm256_packus_epi32(a, b);
}

static inline vi pack_signs(vf a, vf b)
{
    return _mm256_packs_epi32(vi_bits(a), vi_bits(b));
}

/* 4 * LANES codes of a byte: magnitudes, which are limited (at most 255), and signs from the two above, of vectors
 * 0, 1 and 2, 3; `sign` is a code's sign bit. */
static inline void store_signed8(void *dst, const vi magnitudes[2], const vi signs[2],
                                 uint8_t limit, uint8_t sign)
{
    const vi m = _mm256_packus_epi16(magnitudes[0], magnitudes[1]);
    const vi negative =
        _mm256_cmpgt_epi8(_mm256_setzero_si256(), _mm256_packs_epi16(signs[0], signs[1]));
    const vi code = _mm256_or_si256(_mm256_min_epu8(m, _mm256_set1_epi8((char)limit)),
                                    _mm256_and_si256(negative, _mm256_set1_epi8((char)sign)));

    _mm256_storeu_si256(
        dst, _mm256_permutevar8x32_epi32(code, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
}

/* table[code] of 16 entries; bits above the low four of a code are ignored. */
static inline vf vf_lookup16(const float table[16], vi code)
{
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), code);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), code);

    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(code, 28)));
}

/* ---- lanes of 16 bits, twice as many: float16 and its parts ---- */

static inline vi half_load_u8(const void *p)
{
    return _mm256_cvtepu8_epi16(_mm_loadu_si128(p));
}

static inline vi half_load_u16(const void *p)
{
    return _mm256_loadu_si256(p);
}

static inline vi half_set(uint16_t x)
{
    return _mm256_set1_epi16((int16_t)x);
}

static inline vi half_sub(vi a, vi b)
{
    return _mm256_sub_epi16(a, b);
}

/* The upper half of the product of unsigned numbers: a shift down, by one step on every processor. */
static inline vi half_mul_high(vi a, vi b)
{
    return _mm256_mulhi_epu16(a, b);
}

static inline vi half_mul_low(vi a, vi b)
{
    return _mm256_mullo_epi16(a, b);
}

/* Of signed numbers, in 2^15, rounded. */
static inline vi half_mul_fraction(vi a, vi b)
{
    return _mm256_mulhrs_epi16(a, b);
}

static inline vi half_max(vi a, vi b) /* signed */
{
    return _mm256_max_epi16(a, b);
}

/* Any lane with a > b (signed); with a == b. */
static inline int half_any_gt(vi a, vi b)
{
    return _mm256_movemask_epi8(_mm256_cmpgt_epi16(a, b)) != 0;
}

static inline int half_any_eq(vi a, vi b)
{
    return _mm256_movemask_epi8(_mm256_cmpeq_epi16(a, b)) != 0;
}

static inline vf half_low(vi a)
{
    return _mm256_cvtph_ps(_mm256_castsi256_si128(a));
}

static inline vf half_high(vi a)
{
    return _mm256_cvtph_ps(_mm256_extracti128_si256(a, 1));
}

/* ---- lanes of 64 bits that hold numbers of 32; their upper halves may hold anything ---- */

enum { WIDE_LANES = 4 };

/* The full products of the low halves. */
static inline vi wide_mul(vi a, vi b)
{
    return _mm256_mul_epu32(a, b);
}

static inline vi wide_high(vi a) /* a shuffle: the products keep the shifts' ports busy */
{
    return _mm256_shuffle_epi32(a, 0xf5);
}

static inline vi wide_xor3(vi a, vi b, vi c) /* a comes last */
{
    return _mm256_xor_si256(a, _mm256_xor_si256(b, c));
}

/* Block numbers first + 0 .. first + 3 as low and high words, in the order that wide_store expects. */
static inline void wide_counters(uint64_t first, vi *ret_low, vi *ret_high)
{
    const __m256i b =
        _mm256_add_epi64(_mm256_set1_epi64x((int64_t)first), _mm256_setr_epi64x(0, 2, 1, 3));

    *ret_low = b;
    *ret_high = _mm256_srli_epi64(b, 32);
}

/* Four blocks of four words, one after the other. */
static inline void wide_store(uint32_t *dst, vi c0, vi c1, vi c2, vi c3)
{
    const __m256i c01 = _mm256_blend_epi32(c0, _mm256_slli_epi64(c1, 32), 0xaa);
    const __m256i c23 = _mm256_blend_epi32(c2, _mm256_slli_epi64(c3, 32), 0xaa);

    _mm256_storeu_si256((void *)dst, _mm256_unpacklo_epi64(c01, c23));
    _mm256_storeu_si256((void *)(dst + 8), _mm256_unpackhi_epi64(c01, c23));
}

#endif /* FPX_LANES_AVX2_H */
