/* elemfn_avx512.c - elemfn_fast.h for AVX-512 (F, DQ, VL): sixteen lanes in two registers. */
#include <immintrin.h>

typedef struct vd {
    __m512d a, b;
} vd;
typedef struct vi {
    __m512i a, b;
} vi;

#include "elemfn_m256.h"

#define ALL3(RET, NAME, OP)                                                                        \
    static inline RET NAME(RET x, RET y, RET z)                                                    \
    {                                                                                              \
        return (RET){ OP(x.a, y.a, z.a), OP(x.b, y.b, z.b) };                                      \
    }
#define SHIFT(NAME, OP)                                                                            \
    static inline vi NAME(vi x, int n)                                                             \
    {                                                                                              \
        return (vi){ OP(x.a, (unsigned)n), OP(x.b, (unsigned)n) };                                 \
    }

EACH2(vd, v_add, _mm512_add_pd)
EACH2(vd, v_sub, _mm512_sub_pd)
EACH2(vd, v_mul, _mm512_mul_pd)
EACH2(vd, v_div, _mm512_div_pd)
EACH2(vd, v_xor, _mm512_xor_pd)
EACH1(vd, v_sqrt, vd, _mm512_sqrt_pd)
ALL3(vd, v_fma, _mm512_fmadd_pd)
ALL3(vd, v_fnma, _mm512_fnmadd_pd)
EACH1(vi, v_bits, vd, _mm512_castpd_si512)
EACH1(vd, v_of_bits, vi, _mm512_castsi512_pd)
EACH2(vi, vi_add, _mm512_add_epi64)
EACH2(vi, vi_sub, _mm512_sub_epi64)
EACH2(vi, vi_or, _mm512_or_si512)
SHIFT(vi_shl, _mm512_slli_epi64)
SHIFT(vi_shr, _mm512_srli_epi64)

static inline vd v_set(double x)
{
    const __m512d v = _mm512_set1_pd(x);

    return (vd){ v, v };
}

static inline vi vi_set(int64_t i)
{
    const __m512i v = _mm512_set1_epi64(i);

    return (vi){ v, v };
}

static inline vd v_wide(vf x)
{
    return (vd){ _mm512_cvtps_pd(x.a), _mm512_cvtps_pd(x.b) };
}

static inline vd v_wide_load(const float *x)
{
    return (vd){ _mm512_cvtps_pd(_mm256_loadu_ps(x)), _mm512_cvtps_pd(_mm256_loadu_ps(x + 8)) };
}

static inline vf v_narrow(vd x)
{
    return (vf){ _mm512_cvtpd_ps(x.a), _mm512_cvtpd_ps(x.b) };
}

static inline vw v_low_words(vd x)
{
    return (vw){ _mm512_cvtepi64_epi32(_mm512_castpd_si512(x.a)),
                 _mm512_cvtepi64_epi32(_mm512_castpd_si512(x.b)) };
}

static inline __m256d entry4(const double *table, const uint32_t *at, __m256d *ret_slope)
{
    const __m256d x = _mm256_loadu2_m128d(table + at[2], table + at[0]);
    const __m256d y = _mm256_loadu2_m128d(table + at[3], table + at[1]);

    *ret_slope = _mm256_unpackhi_pd(x, y);
    return _mm256_unpacklo_pd(x, y);
}

static inline __m512d entry8(const double *table, const uint32_t *at, __m512d *ret_slope)
{
    __m256d low, high;
    const __m256d x = entry4(table, at, &low);
    const __m256d y = entry4(table, at + 4, &high);

    *ret_slope = _mm512_insertf64x4(_mm512_castpd256_pd512(low), high, 1);
    return _mm512_insertf64x4(_mm512_castpd256_pd512(x), y, 1);
}

/* Value and slope by one load of 128 bits: gathers take three times as long. */
static inline vd v_entry(const double *table, const uint32_t *at, vd *ret_slope)
{
    vd value;

    value.a = entry8(table, at, &ret_slope->a);
    value.b = entry8(table, at + 8, &ret_slope->b);
    return value;
}

static inline vw vw_spread(vw x)
{
    return x;
}

static inline __m512d of_words(__m256i low, __m256i high)
{
    return _mm512_castsi512_pd(_mm512_or_si512(_mm512_cvtepu32_epi64(low),
                                               _mm512_slli_epi64(_mm512_cvtepu32_epi64(high), 32)));
}

static inline vd v_of_words(vw low, vw high)
{
    return (vd){ of_words(low.a, high.a), of_words(low.b, high.b) };
}

static inline vd v_eighth(const double *table, vw spread, vw less)
{
    const __m512d all = _mm512_loadu_pd(table);
    const vd x = { _mm512_permutexvar_pd(_mm512_cvtepu32_epi64(spread.a), all),
                   _mm512_permutexvar_pd(_mm512_cvtepu32_epi64(spread.b), all) };
    const vi high = { _mm512_cvtepu32_epi64(less.a), _mm512_cvtepu32_epi64(less.b) };

    return v_of_bits(vi_sub(v_bits(x), vi_shl(high, 32)));
}

#include "elemfn_fast.h"

const elemfn_kernels fpx_elemfn_avx512 = { "avx512", ELEMFN_F32_SLOTS, fpx_exp_f64_avx2,
                                           fpx_tanh_f64_avx2 };
