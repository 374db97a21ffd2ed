/* elemfn_avx512.c - elemfn_fast.h for AVX-512 (F, DQ, VL): a vector of eight lanes. */
#include <immintrin.h>

#include "elemfn_kernels.h"

enum { BLOCK = 8 };

typedef __m512d vd;
typedef __m512i vi;
typedef __mmask8 vm;
typedef __m256 vf;

static inline vd v_set(double x)
{
    return _mm512_set1_pd(x);
}

static inline vi vi_set(long long i)
{
    return _mm512_set1_epi64(i);
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

static inline vd v_min(vd a, vd b)
{
    return _mm512_min_pd(a, b);
}

static inline vd v_max(vd a, vd b)
{
    return _mm512_max_pd(a, b);
}

static inline vi v_bits(vd a)
{
    return _mm512_castpd_si512(a);
}

static inline vd v_of_bits(vi a)
{
    return _mm512_castsi512_pd(a);
}

static inline vd v_and(vd a, vd b)
{
    return _mm512_and_pd(a, b);
}

static inline vd v_or(vd a, vd b)
{
    return _mm512_or_pd(a, b);
}

static inline vd v_xor(vd a, vd b)
{
    return _mm512_xor_pd(a, b);
}

static inline vi vi_add(vi a, vi b)
{
    return _mm512_add_epi64(a, b);
}

static inline vi vi_sub(vi a, vi b)
{
    return _mm512_sub_epi64(a, b);
}

static inline vi vi_and(vi a, vi b)
{
    return _mm512_and_si512(a, b);
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

static inline vd v_entry(const double *table, vi i, vd *ret_slope)
{
    const vi at = vi_add(i, i);

    *ret_slope = _mm512_i64gather_pd(at, table + 1, 8);
    return _mm512_i64gather_pd(at, table, 8);
}

static inline vm v_less(vd a, vd b)
{
    return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ);
}

static inline vm vm_or(vm a, vm b)
{
    return (vm)(a | b);
}

static inline vm vm_and(vm a, vm b)
{
    return (vm)(a & b);
}

static inline vm vm_not(vm a)
{
    return (vm)~a;
}

static inline vm vm_none(void)
{
    return 0;
}

static inline vd v_select(vm m, vd a, vd b)
{
    return _mm512_mask_blend_pd(m, b, a);
}

static inline vf vf_load(const float *x)
{
    return _mm256_loadu_ps(x);
}

static inline void vf_store(float *y, vf v)
{
    _mm256_storeu_ps(y, v);
}

/* Eight results; a bit of *ret_doubt for each lane that the kernel or its interval did not decide. */
static inline __attribute__((always_inline)) vf round_block(vd (*kernel)(vd, int, vm *), vf x,
                                                            int n, double bound,
                                                            unsigned *ret_doubt)
{
    const vd b = v_set(bound);
    vm outside = vm_none();
    const vd y = kernel(_mm512_cvtps_pd(x), n, &outside);
    const vf up = _mm512_cvtpd_ps(v_fma(y, b, y));
    const vf down = _mm512_cvtpd_ps(v_fnma(y, b, y));
    const vf nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FC00000));

    *ret_doubt = (unsigned)(_mm256_cmp_ps_mask(up, down, _CMP_NEQ_OQ) | outside);
    return _mm256_mask_blend_ps(_mm256_cmp_ps_mask(up, up, _CMP_UNORD_Q), up, nan);
}

/* The 29 bits that rounding drops: one half is 2^28. 0 where some lane is for round_block(). */
static inline __attribute__((always_inline)) int round_quick(vd (*kernel)(vd, int, vm *), vf x,
                                                             int n, double bound, int tiny,
                                                             vf *ret_y)
{
    const int reach = (int)(bound * 0x1p53) + 1;
    vm outside = vm_none();
    const vd v = kernel(_mm512_cvtps_pd(x), n, &outside);
    const vf y = _mm512_cvtpd_ps(v);
    const __m256i from = _mm256_and_si256(
        _mm256_add_epi32(_mm512_cvtepi64_epi32(v_bits(v)), _mm256_set1_epi32(reach - (1 << 28))),
        _mm256_set1_epi32((1 << 29) - 1));
    unsigned doubt = outside | _mm256_cmple_epi32_mask(from, _mm256_set1_epi32(2 * reach)) |
                     _mm256_cmp_ps_mask(y, y, _CMP_UNORD_Q);

    if (tiny) { /* 0 < |y| < 2^-126 */
        const __m256i size = _mm256_and_si256(_mm256_castps_si256(y), _mm256_set1_epi32(INT32_MAX));
        doubt |= _mm256_cmplt_epu32_mask(_mm256_sub_epi32(size, _mm256_set1_epi32(1)),
                                         _mm256_set1_epi32((1 << 23) - 1));
    }
    *ret_y = y;
    return doubt == 0;
}

#include "elemfn_fast.h"

const elemfn_kernels fpx_elemfn_avx512 = { "avx512", ELEMFN_F32_SLOTS, fpx_exp_f64_avx2,
                                           fpx_tanh_f64_avx2 };
