/* elemfn_avx2.c - elemfn_fast.h for AVX2 and FMA: eight lanes in two registers. */
#include <immintrin.h>

typedef struct vd {
    __m256d low, high;
} vd;
typedef struct vi {
    __m256i low, high;
} vi;

#include "elemfn_m256.h"

#define BOTH(TYPE, NAME, OP)                                                                       \
    static inline TYPE NAME(TYPE a, TYPE b)                                                        \
    {                                                                                              \
        return (TYPE){ OP(a.low, b.low), OP(a.high, b.high) };                                     \
    }

BOTH(vd, v_add, _mm256_add_pd)
BOTH(vd, v_sub, _mm256_sub_pd)
BOTH(vd, v_mul, _mm256_mul_pd)
BOTH(vd, v_div, _mm256_div_pd)
BOTH(vd, v_xor, _mm256_xor_pd)
BOTH(vi, vi_add, _mm256_add_epi64)
BOTH(vi, vi_sub, _mm256_sub_epi64)
BOTH(vi, vi_or, _mm256_or_si256)

static inline vd v_set(double x)
{
    return (vd){ _mm256_set1_pd(x), _mm256_set1_pd(x) };
}

static inline vd v_sqrt(vd a)
{
    return (vd){ _mm256_sqrt_pd(a.low), _mm256_sqrt_pd(a.high) };
}

static inline vd v_fma(vd a, vd b, vd c)
{
    return (vd){ _mm256_fmadd_pd(a.low, b.low, c.low), _mm256_fmadd_pd(a.high, b.high, c.high) };
}

static inline vd v_fnma(vd a, vd b, vd c)
{
    return (vd){ _mm256_fnmadd_pd(a.low, b.low, c.low), _mm256_fnmadd_pd(a.high, b.high, c.high) };
}

static inline vi v_bits(vd a)
{
    return (vi){ _mm256_castpd_si256(a.low), _mm256_castpd_si256(a.high) };
}

static inline vd v_of_bits(vi a)
{
    return (vd){ _mm256_castsi256_pd(a.low), _mm256_castsi256_pd(a.high) };
}

static inline vi vi_set(int64_t i)
{
    return (vi){ _mm256_set1_epi64x(i), _mm256_set1_epi64x(i) };
}

static inline vi vi_shl(vi a, int n)
{
    return (vi){ _mm256_slli_epi64(a.low, n), _mm256_slli_epi64(a.high, n) };
}

static inline vi vi_shr(vi a, int n)
{
    return (vi){ _mm256_srli_epi64(a.low, n), _mm256_srli_epi64(a.high, n) };
}

static inline vd v_wide(vf a)
{
    return (vd){ _mm256_cvtps_pd(_mm256_castps256_ps128(a)),
                 _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)) };
}

static inline vf v_narrow(vd a)
{
    return _mm256_set_m128(_mm256_cvtpd_ps(a.high), _mm256_cvtpd_ps(a.low));
}

static inline vw v_low_words(vd a)
{
    return vf_bits(_mm256_shuffle_ps(_mm256_castpd_ps(a.low), _mm256_castpd_ps(a.high), 0x88));
}

static inline __m256d entry4(const double *table, const int32_t *at, __m256d *ret_slope)
{
    const __m256d a = _mm256_loadu2_m128d(table + 2 * at[2], table + 2 * at[0]);
    const __m256d b = _mm256_loadu2_m128d(table + 2 * at[3], table + 2 * at[1]);

    *ret_slope = _mm256_unpackhi_pd(a, b);
    return _mm256_unpacklo_pd(a, b);
}

/* Value and slope by one load of 128 bits: gathers take three times as long. */
static inline vd v_entry(const double *table, const int32_t *at, vd *ret_slope)
{
    vd value;

    value.low = entry4(table, at, &ret_slope->low);
    value.high = entry4(table, at + 4, &ret_slope->high);
    return value;
}

#include "elemfn_fast.h"

const elemfn_kernels fpx_elemfn_avx2 = { "avx2", ELEMFN_F32_SLOTS, fpx_exp_f64_avx2,
                                         fpx_tanh_f64_avx2 };
