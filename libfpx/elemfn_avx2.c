/* elemfn_avx2.c - elemfn_fast.h for AVX2 and FMA: two vectors of four lanes. */
#include <immintrin.h>

#include "elemfn_kernels.h"

enum { BLOCK = 8 };

typedef __m256d vd;
typedef __m256i vi;
typedef __m256d vm;
typedef __m256 vf;

static inline vd v_set(double x)
{
    return _mm256_set1_pd(x);
}

static inline vi vi_set(long long i)
{
    return _mm256_set1_epi64x(i);
}

static inline vd v_add(vd a, vd b)
{
    return _mm256_add_pd(a, b);
}

static inline vd v_sub(vd a, vd b)
{
    return _mm256_sub_pd(a, b);
}

static inline vd v_mul(vd a, vd b)
{
    return _mm256_mul_pd(a, b);
}

static inline vd v_div(vd a, vd b)
{
    return _mm256_div_pd(a, b);
}

static inline vd v_sqrt(vd a)
{
    return _mm256_sqrt_pd(a);
}

static inline vd v_fma(vd a, vd b, vd c)
{
    return _mm256_fmadd_pd(a, b, c);
}

static inline vd v_fnma(vd a, vd b, vd c)
{
    return _mm256_fnmadd_pd(a, b, c);
}

static inline vd v_min(vd a, vd b)
{
    return _mm256_min_pd(a, b);
}

static inline vd v_max(vd a, vd b)
{
    return _mm256_max_pd(a, b);
}

static inline vi v_bits(vd a)
{
    return _mm256_castpd_si256(a);
}

static inline vd v_of_bits(vi a)
{
    return _mm256_castsi256_pd(a);
}

static inline vd v_and(vd a, vd b)
{
    return _mm256_and_pd(a, b);
}

static inline vd v_or(vd a, vd b)
{
    return _mm256_or_pd(a, b);
}

static inline vd v_xor(vd a, vd b)
{
    return _mm256_xor_pd(a, b);
}

static inline vi vi_add(vi a, vi b)
{
    return _mm256_add_epi64(a, b);
}

static inline vi vi_sub(vi a, vi b)
{
    return _mm256_sub_epi64(a, b);
}

static inline vi vi_and(vi a, vi b)
{
    return _mm256_and_si256(a, b);
}

static inline vi vi_or(vi a, vi b)
{
    return _mm256_or_si256(a, b);
}

static inline vi vi_shl(vi a, int n)
{
    return _mm256_slli_epi64(a, n);
}

static inline vi vi_shr(vi a, int n)
{
    return _mm256_srli_epi64(a, n);
}

/* A pair by a load of 128 bits: two gathers take three times as long. */
static inline vd v_entry(const double *table, vi i, vd *ret_slope)
{
    long long at[4];

    _mm256_storeu_si256((__m256i *)(void *)at, i);
    const __m256d a = _mm256_loadu2_m128d(table + 2 * at[2], table + 2 * at[0]);
    const __m256d b = _mm256_loadu2_m128d(table + 2 * at[3], table + 2 * at[1]);

    *ret_slope = _mm256_unpackhi_pd(a, b);
    return _mm256_unpacklo_pd(a, b);
}

static inline vm v_less(vd a, vd b)
{
    return _mm256_cmp_pd(a, b, _CMP_LT_OQ);
}

static inline vm vm_or(vm a, vm b)
{
    return _mm256_or_pd(a, b);
}

static inline vm vm_and(vm a, vm b)
{
    return _mm256_and_pd(a, b);
}

static inline vm vm_not(vm a)
{
    return _mm256_xor_pd(a, _mm256_castsi256_pd(_mm256_set1_epi64x(-1)));
}

static inline vm vm_none(void)
{
    return _mm256_setzero_pd();
}

static inline vd v_select(vm m, vd a, vd b)
{
    return _mm256_blendv_pd(b, a, m);
}

static inline vf vf_load(const float *x)
{
    return _mm256_loadu_ps(x);
}

static inline void vf_store(float *y, vf v)
{
    _mm256_storeu_ps(y, v);
}

static inline __m256 narrow8(__m256d low, __m256d high)
{
    return _mm256_set_m128(_mm256_cvtpd_ps(high), _mm256_cvtpd_ps(low));
}

/* Eight results; a bit of *ret_doubt for each lane that the kernel or its interval did not decide. */
static inline __attribute__((always_inline)) vf round_block(vd (*kernel)(vd, int, vm *), vf x,
                                                            int n, double bound,
                                                            unsigned *ret_doubt)
{
    const vd b = v_set(bound);
    vm outside_low = vm_none();
    vm outside_high = vm_none();
    const vd low = kernel(_mm256_cvtps_pd(_mm256_castps256_ps128(x)), n, &outside_low);
    const vd high = kernel(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)), n, &outside_high);
    const vf up = narrow8(v_fma(low, b, low), v_fma(high, b, high));
    const vf down = narrow8(v_fnma(low, b, low), v_fnma(high, b, high));
    const vf nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FC00000));
    const int outside = _mm256_movemask_pd(outside_low) | _mm256_movemask_pd(outside_high) << 4;

    *ret_doubt = (unsigned)(_mm256_movemask_ps(_mm256_cmp_ps(up, down, _CMP_NEQ_OQ)) | outside);
    return _mm256_blendv_ps(up, nan, _mm256_cmp_ps(up, up, _CMP_UNORD_Q));
}

/* The 29 bits that rounding drops, of all eight in some order: one half is 2^28. 0 where some lane is for
 * round_block(). */
static inline __attribute__((always_inline)) int round_quick(vd (*kernel)(vd, int, vm *), vf x,
                                                             int n, double bound, int tiny,
                                                             vf *ret_y)
{
    const int reach = (int)(bound * 0x1p53) + 1;
    vm outside_low = vm_none();
    vm outside_high = vm_none();
    const vd low = kernel(_mm256_cvtps_pd(_mm256_castps256_ps128(x)), n, &outside_low);
    const vd high = kernel(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)), n, &outside_high);
    const vf y = narrow8(low, high);
    const __m256i dropped =
        _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castpd_ps(low), _mm256_castpd_ps(high), 0x88));
    const __m256i from =
        _mm256_and_si256(_mm256_add_epi32(dropped, _mm256_set1_epi32(reach - (1 << 28))),
                         _mm256_set1_epi32((1 << 29) - 1));
    const __m256i near = _mm256_cmpgt_epi32(_mm256_set1_epi32(2 * reach + 1), from);
    vf doubt = _mm256_or_ps(_mm256_castsi256_ps(near), _mm256_cmp_ps(y, y, _CMP_UNORD_Q));

    if (tiny) { /* 0 < |y| < 2^-126 */
        const __m256i less =
            _mm256_sub_epi32(_mm256_and_si256(_mm256_castps_si256(y), _mm256_set1_epi32(INT32_MAX)),
                             _mm256_set1_epi32(1));
        const __m256i least = _mm256_min_epu32(less, _mm256_set1_epi32((1 << 23) - 2));
        doubt = _mm256_or_ps(doubt, _mm256_castsi256_ps(_mm256_cmpeq_epi32(less, least)));
    }
    *ret_y = y;
    return (_mm256_movemask_ps(doubt) | _mm256_movemask_pd(vm_or(outside_low, outside_high))) == 0;
}

#include "elemfn_fast.h"

const elemfn_kernels fpx_elemfn_avx2 = { "avx2", ELEMFN_F32_SLOTS, fpx_exp_f64_avx2,
                                         fpx_tanh_f64_avx2 };
