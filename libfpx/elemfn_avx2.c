/* elemfn_avx2.c - elemfn_fast.h for AVX2 and FMA: sixteen lanes in four registers. */
#include <immintrin.h>

typedef struct vd {
    __m256d a, b, c, d;
} vd;
typedef struct vi {
    __m256i a, b, c, d;
} vi;

#include "elemfn_m256.h"

#define ALL1(RET, NAME, ARG, OP)                                                                   \
    static inline RET NAME(ARG x)                                                                  \
    {                                                                                              \
        return (RET){ OP(x.a), OP(x.b), OP(x.c), OP(x.d) };                                        \
    }
#define ALL2(RET, NAME, OP)                                                                        \
    static inline RET NAME(RET x, RET y)                                                           \
    {                                                                                              \
        return (RET){ OP(x.a, y.a), OP(x.b, y.b), OP(x.c, y.c), OP(x.d, y.d) };                    \
    }
#define ALL3(RET, NAME, OP)                                                                        \
    static inline RET NAME(RET x, RET y, RET z)                                                    \
    {                                                                                              \
        return (RET){ OP(x.a, y.a, z.a), OP(x.b, y.b, z.b), OP(x.c, y.c, z.c),                     \
                      OP(x.d, y.d, z.d) };                                                         \
    }
#define SHIFT(NAME, OP)                                                                            \
    static inline vi NAME(vi x, int n)                                                             \
    {                                                                                              \
        return (vi){ OP(x.a, n), OP(x.b, n), OP(x.c, n), OP(x.d, n) };                             \
    }

ALL2(vd, v_add, _mm256_add_pd)
ALL2(vd, v_sub, _mm256_sub_pd)
ALL2(vd, v_mul, _mm256_mul_pd)
ALL2(vd, v_div, _mm256_div_pd)
ALL2(vd, v_xor, _mm256_xor_pd)
ALL1(vd, v_sqrt, vd, _mm256_sqrt_pd)
ALL3(vd, v_fma, _mm256_fmadd_pd)
ALL3(vd, v_fnma, _mm256_fnmadd_pd)
ALL1(vi, v_bits, vd, _mm256_castpd_si256)
ALL1(vd, v_of_bits, vi, _mm256_castsi256_pd)
ALL2(vi, vi_add, _mm256_add_epi64)
ALL2(vi, vi_sub, _mm256_sub_epi64)
ALL2(vi, vi_or, _mm256_or_si256)
SHIFT(vi_shl, _mm256_slli_epi64)
SHIFT(vi_shr, _mm256_srli_epi64)

static inline vd v_set(double x)
{
    const __m256d v = _mm256_set1_pd(x);

    return (vd){ v, v, v, v };
}

static inline vi vi_set(int64_t i)
{
    const __m256i v = _mm256_set1_epi64x(i);

    return (vi){ v, v, v, v };
}

static inline vd v_wide(vf x)
{
    return (vd){ _mm256_cvtps_pd(_mm256_castps256_ps128(x.a)),
                 _mm256_cvtps_pd(_mm256_extractf128_ps(x.a, 1)),
                 _mm256_cvtps_pd(_mm256_castps256_ps128(x.b)),
                 _mm256_cvtps_pd(_mm256_extractf128_ps(x.b, 1)) };
}

/* The same: a conversion from memory is one operation less than from half a register. */
static inline vd v_wide_load(const float *x)
{
    return (vd){ _mm256_cvtps_pd(_mm_loadu_ps(x)), _mm256_cvtps_pd(_mm_loadu_ps(x + 4)),
                 _mm256_cvtps_pd(_mm_loadu_ps(x + 8)), _mm256_cvtps_pd(_mm_loadu_ps(x + 12)) };
}

static inline vf v_narrow(vd x)
{
    return (vf){ _mm256_set_m128(_mm256_cvtpd_ps(x.b), _mm256_cvtpd_ps(x.a)),
                 _mm256_set_m128(_mm256_cvtpd_ps(x.d), _mm256_cvtpd_ps(x.c)) };
}

static inline __m256i low_words(__m256d x, __m256d y)
{
    return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castpd_ps(x), _mm256_castpd_ps(y), 0x88));
}

static inline vw v_low_words(vd x)
{
    return (vw){ low_words(x.a, x.b), low_words(x.c, x.d) };
}

static inline __m256d entry4(const double *table, const uint32_t *at, __m256d *ret_slope)
{
    const __m256d x = _mm256_loadu2_m128d(table + at[2], table + at[0]);
    const __m256d y = _mm256_loadu2_m128d(table + at[3], table + at[1]);

    *ret_slope = _mm256_unpackhi_pd(x, y);
    return _mm256_unpacklo_pd(x, y);
}

/* Value and slope by one load of 128 bits: gathers take three times as long. */
static inline vd v_entry(const double *table, const uint32_t *at, vd *ret_slope)
{
    vd value;

    value.a = entry4(table, at, &ret_slope->a);
    value.b = entry4(table, at + 4, &ret_slope->b);
    value.c = entry4(table, at + 8, &ret_slope->c);
    value.d = entry4(table, at + 12, &ret_slope->d);
    return value;
}

/* Interleaving words of two registers takes 0, 1 and 4, 5, then 2, 3 and 6, 7. */
static inline __m256i spread8(__m256i x)
{
    return _mm256_permute4x64_epi64(x, 0xD8);
}

static inline vw vw_spread(vw x)
{
    return (vw){ spread8(x.a), spread8(x.b) };
}

static inline vd v_of_words(vw low, vw high)
{
    return (vd){ _mm256_castsi256_pd(_mm256_unpacklo_epi32(low.a, high.a)),
                 _mm256_castsi256_pd(_mm256_unpackhi_epi32(low.a, high.a)),
                 _mm256_castsi256_pd(_mm256_unpacklo_epi32(low.b, high.b)),
                 _mm256_castsi256_pd(_mm256_unpackhi_epi32(low.b, high.b)) };
}

/* Even words of the table, or odd ones. */
static inline vw words_of(const double *table, vw spread, int odd)
{
    const __m256 x = _mm256_loadu_ps((const float *)(const void *)table);
    const __m256 y = _mm256_loadu_ps((const float *)(const void *)(table + 4));
    const __m256 z = odd ? _mm256_shuffle_ps(x, y, 0xDD) : _mm256_shuffle_ps(x, y, 0x88);
    const __m256i words = spread8(_mm256_castps_si256(z));

    return (vw){ _mm256_permutevar8x32_epi32(words, spread.a),
                 _mm256_permutevar8x32_epi32(words, spread.b) };
}

static inline vd v_eighth(const double *table, vw spread, vw less)
{
    return v_of_words(words_of(table, spread, 0), vw_sub(words_of(table, spread, 1), less));
}

#include "elemfn_fast.h"

const elemfn_kernels fpx_elemfn_avx2 = { "avx2", ELEMFN_F32_SLOTS, fpx_exp_f64_avx2,
                                         fpx_tanh_f64_avx2 };
