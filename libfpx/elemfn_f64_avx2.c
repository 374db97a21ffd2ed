/* elemfn_f64_avx2.c - float64 exp and tanh over arrays with AVX2 and FMA: lane by lane the operations of
 * elemfn_f64.c, in their order. */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include <fpx/elemfn.h>

#include "elemfn_kernels.h"

typedef struct pair4 {
    __m256d hi, lo;
} pair4;

static inline __m256d set4(double x)
{
    return _mm256_set1_pd(x);
}

static inline __m256d fma4(__m256d a, __m256d b, __m256d c)
{
    return _mm256_fmadd_pd(a, b, c);
}

static inline __m256d line4(double c1, double c0, __m256d r)
{
    return fma4(set4(c1), r, set4(c0));
}

static inline __m256d pow2(__m256i exponent_field)
{
    return _mm256_castsi256_pd(_mm256_slli_epi64(exponent_field, 52));
}

static inline __m256d nan_where_nan(__m256d x, __m256d y)
{
    const __m256d nan = _mm256_castsi256_pd(_mm256_set1_epi64x(0x7FF8000000000000));

    return _mm256_blendv_pd(y, nan, _mm256_cmp_pd(x, x, _CMP_UNORD_Q));
}

/* expm1_reduced() of elemfn_f64.c. */
static inline pair4 expm1_reduced4(__m256d y, __m256i *ret_k)
{
    const __m256d t = fma4(y, set4(ELEMFN_INV_LN2), set4(ELEMFN_SHIFT));
    const __m256d k = _mm256_sub_pd(t, set4(ELEMFN_SHIFT));
    const __m256d r0 = _mm256_fnmadd_pd(k, set4(ELEMFN_LN2_HI), y);
    const __m256d d = _mm256_mul_pd(k, set4(ELEMFN_LN2_LO));
    const __m256d r = _mm256_sub_pd(r0, d);
    const __m256d rl = _mm256_sub_pd(_mm256_sub_pd(r0, r), d);
    const __m256d z = _mm256_mul_pd(r, r);
    const __m256d zl = _mm256_fmsub_pd(r, r, z);
    const __m256d z2 = _mm256_mul_pd(z, z);
    const __m256d z4 = _mm256_mul_pd(z2, z2);
    const __m256d p0 = line4(ELEMFN_C4, ELEMFN_C3, r);
    const __m256d p1 = line4(ELEMFN_C6, ELEMFN_C5, r);
    const __m256d p2 = line4(ELEMFN_C8, ELEMFN_C7, r);
    const __m256d p3 = line4(ELEMFN_C10, ELEMFN_C9, r);
    const __m256d p4 = line4(ELEMFN_C12, ELEMFN_C11, r);
    const __m256d p5 = line4(ELEMFN_C14, ELEMFN_C13, r);
    const __m256d a = fma4(p1, z, p0);
    const __m256d b = fma4(p3, z, p2);
    const __m256d c = fma4(p5, z, p4);
    const __m256d p = fma4(c, z4, fma4(b, z2, a));
    const __m256d h = _mm256_mul_pd(set4(0.5), z);
    const __m256d q = _mm256_add_pd(r, h);
    const __m256d ql = _mm256_sub_pd(h, _mm256_sub_pd(q, r));
    const __m256d tail = fma4(_mm256_mul_pd(r, z), p, fma4(set4(0.5), zl, fma4(r, rl, rl)));

    *ret_k = _mm256_and_si256(_mm256_castpd_si256(t), _mm256_set1_epi64x(ELEMFN_SHIFT_MASK));
    return (pair4){ q, _mm256_add_pd(ql, tail) };
}

static inline __m256d exp4(__m256d x)
{
    const __m256d one = set4(1.0);
    const __m256d low = _mm256_max_pd(x, set4(ELEMFN_EXP_MIN));
    const __m256d y = _mm256_min_pd(low, set4(ELEMFN_EXP_MAX));
    __m256i k;
    const pair4 q = expm1_reduced4(y, &k);
    const __m256d hi = _mm256_add_pd(one, q.hi);
    const __m256d lo = _mm256_sub_pd(q.hi, _mm256_sub_pd(hi, one));
    const __m256d p = _mm256_add_pd(hi, _mm256_add_pd(lo, q.lo));
    const __m256i half = _mm256_srli_epi64(k, 1);
    const __m256d scaled = _mm256_mul_pd(p, pow2(half));

    return nan_where_nan(x, _mm256_mul_pd(scaled, pow2(_mm256_sub_epi64(k, half))));
}

static inline __m256d tanh4(__m256d x)
{
    const __m256d sign = _mm256_and_pd(x, set4(-0.0));
    const __m256d two = set4(2.0);
    const __m256d a = _mm256_min_pd(_mm256_xor_pd(x, sign), set4(ELEMFN_TANH_MAX));
    __m256i k;
    const pair4 q = expm1_reduced4(_mm256_add_pd(a, a), &k);
    const __m256d s = pow2(_mm256_sub_epi64(k, _mm256_set1_epi64x(1023)));
    const __m256d s1 = _mm256_sub_pd(s, set4(1.0));
    const __m256d sq = _mm256_mul_pd(s, q.hi);
    const __m256d e0 = _mm256_add_pd(s1, sq);
    const __m256d e1 = fma4(s, q.lo, _mm256_sub_pd(sq, _mm256_sub_pd(e0, s1)));
    const __m256d e = _mm256_add_pd(e0, e1);
    const __m256d el = _mm256_sub_pd(e1, _mm256_sub_pd(e, e0));
    const __m256d den = _mm256_add_pd(e, two);
    const __m256d big = _mm256_max_pd(e, two);
    const __m256d small = _mm256_min_pd(two, e);
    const __m256d denl = _mm256_add_pd(_mm256_sub_pd(small, _mm256_sub_pd(den, big)), el);
    const __m256d inv = _mm256_div_pd(set4(1.0), den);
    const __m256d t = _mm256_mul_pd(e, inv);
    const __m256d rest = _mm256_fnmadd_pd(t, denl, _mm256_add_pd(_mm256_fnmadd_pd(t, den, e), el));

    return nan_where_nan(x, _mm256_or_pd(fma4(rest, inv, t), sign));
}

/* A last vector shorter than four goes through a buffer. */
static inline __attribute__((always_inline)) void apply_f64(__m256d (*kernel)(__m256d),
                                                            const double *x, double *y, size_t n)
{
    size_t i = 0;
    double rest[4] = { 0.0 };

    for (; i + 4 <= n; i += 4)
        _mm256_storeu_pd(y + i, kernel(_mm256_loadu_pd(x + i)));
    if (i == n)
        return;
    memcpy(rest, x + i, (n - i) * sizeof *x);
    _mm256_storeu_pd(rest, kernel(_mm256_loadu_pd(rest)));
    memcpy(y + i, rest, (n - i) * sizeof *y);
}

void fpx_exp_f64_avx2(const double *x, double *y, size_t n)
{
    apply_f64(exp4, x, y, n);
}

void fpx_tanh_f64_avx2(const double *x, double *y, size_t n)
{
    apply_f64(tanh4, x, y, n);
}
