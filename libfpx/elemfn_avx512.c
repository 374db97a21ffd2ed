/* elemfn_avx512.c - elemfn_fast.h for AVX-512 (F, DQ, VL): eight lanes in one register. */
#include <immintrin.h>

typedef __m512d vd;
typedef __m512i vi;

#include "elemfn_m256.h"

static inline vd v_set(double x)
{
    return _mm512_set1_pd(x);
}

static inline vd v_add(vd a, vd b)
{
    return _mm512_add_pd(a, b);
}

static inline vd v_sub(vd a, vd b)
{
    return _mm512_sub_pd(a, b);
}

static inline vd v_mul(vd a, vd b)
{
    return _mm512_mul_pd(a, b);
}

static inline vd v_div(vd a, vd b)
{
    return _mm512_div_pd(a, b);
}

static inline vd v_xor(vd a, vd b)
{
    return _mm512_xor_pd(a, b);
}

static inline vd v_sqrt(vd a)
{
    return _mm512_sqrt_pd(a);
}

static inline vd v_fma(vd a, vd b, vd c)
{
    return _mm512_fmadd_pd(a, b, c);
}

static inline vd v_fnma(vd a, vd b, vd c)
{
    return _mm512_fnmadd_pd(a, b, c);
}

static inline vi v_bits(vd a)
{
    return _mm512_castpd_si512(a);
}

static inline vd v_of_bits(vi a)
{
    return _mm512_castsi512_pd(a);
}

static inline vi vi_set(int64_t i)
{
    return _mm512_set1_epi64(i);
}

static inline vi vi_add(vi a, vi b)
{
    return _mm512_add_epi64(a, b);
}

static inline vi vi_sub(vi a, vi b)
{
    return _mm512_sub_epi64(a, b);
}

static inline vi vi_or(vi a, vi b)
{
    return _mm512_or_si512(a, b);
}

static inline vi vi_shl(vi a, int n)
{
    return _mm512_slli_epi64(a, (unsigned)n);
}

static inline vi vi_shr(vi a, int n)
{
    return _mm512_srli_epi64(a, (unsigned)n);
}

static inline vd v_wide(vf a)
{
    return _mm512_cvtps_pd(a);
}

static inline vf v_narrow(vd a)
{
    return _mm512_cvtpd_ps(a);
}

static inline vw v_low_words(vd a)
{
    return _mm512_cvtepi64_epi32(v_bits(a));
}

static inline vd v_entry(const double *table, const int32_t *at, vd *ret_slope)
{
    const __m256i i = _mm256_slli_epi32(_mm256_loadu_si256((const __m256i *)(const void *)at), 1);

    *ret_slope = _mm512_i32gather_pd(i, table + 1, 8);
    return _mm512_i32gather_pd(i, table, 8);
}

#include "elemfn_fast.h"

const elemfn_kernels fpx_elemfn_avx512 = { "avx512", ELEMFN_F32_SLOTS, fpx_exp_f64_avx2,
                                           fpx_tanh_f64_avx2 };
