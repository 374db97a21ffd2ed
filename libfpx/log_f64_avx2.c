/* log_f64_avx2.c - float64 log over arrays with AVX2 and FMA: lane by lane the operations of fpx_log_f64, in their
 * order. What is not a positive normal number goes to that function itself. */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include <fpx/elemfn.h>

#include "elemfn_kernels.h"
#include "log_f64.h"

enum { WIDTH = 4, TERMS = 11 };

#define MANTISSA INT64_C(0x000FFFFFFFFFFFFF)
#define SQRT2_MANTISSA INT64_C(0x6A09E667F3BCD) /* of the double above sqrt(2) */
#define INT_SHIFT 0x1.8p52                      /* adds an integer below 2^51 into the low bits */

static inline __m256d fma4(__m256d a, __m256d b, __m256d c)
{
    return _mm256_fmadd_pd(a, b, c);
}

static inline __m256d bits4(__m256i x)
{
    return _mm256_castsi256_pd(x);
}

static inline __m256i set64(int64_t x)
{
    return _mm256_set1_epi64x(x);
}

/* A float64 of each integer below 2^31. */
static inline __m256d double_of(__m256i k)
{
    const __m256d shift = _mm256_set1_pd(INT_SHIFT);

    return _mm256_sub_pd(bits4(_mm256_add_epi64(k, _mm256_castpd_si256(shift))), shift);
}

static inline __m256d log4(__m256d x)
{
    static const double c[TERMS] = {
        0x1.5555555555555p-1, 0x1.999999999999ap-2, 0x1.2492492492492p-2, 0x1.c71c71c71c71cp-3,
        0x1.745d1745d1746p-3, 0x1.3b13b13b13b14p-3, 0x1.1111111111111p-3, 0x1.e1e1e1e1e1e1ep-4,
        0x1.af286bca1af28p-4, 0x1.8618618618618p-4, 0x1.642c8590b2164p-4
    }; /* 2/3 ... 2/23 */
    const __m256d one = _mm256_set1_pd(1.0), two = _mm256_set1_pd(2.0);
    const __m256i u = _mm256_castpd_si256(x);
    const __m256i m = _mm256_and_si256(u, set64(MANTISSA));
    const __m256i halve = _mm256_cmpgt_epi64(m, set64(SQRT2_MANTISSA - 1)); /* -1 where so */
    const __m256i field = _mm256_add_epi64(set64(1023), halve);
    const __m256d f = _mm256_sub_pd(bits4(_mm256_or_si256(m, _mm256_slli_epi64(field, 52))), one);
    const __m256d k = double_of(
        _mm256_sub_epi64(_mm256_add_epi64(_mm256_srli_epi64(u, 52), set64(-1023)), halve));

    const __m256d den = _mm256_add_pd(two, f);
    const __m256d den_lo = _mm256_sub_pd(f, _mm256_sub_pd(den, two));
    const __m256d s = _mm256_div_pd(f, den);
    const __m256d left = _mm256_fnmadd_pd(s, den_lo, _mm256_fnmadd_pd(s, den, f));
    const __m256d sl = _mm256_div_pd(left, den);
    const __m256d z = _mm256_mul_pd(s, s);
    __m256d p = _mm256_set1_pd(c[TERMS - 1]);
    for (int i = TERMS - 2; i >= 0; i--)
        p = fma4(p, z, _mm256_set1_pd(c[i]));
    const __m256d low = fma4(k, _mm256_set1_pd(ELEMFN_LN2_LO), _mm256_mul_pd(two, sl));
    const __m256d tail = fma4(_mm256_mul_pd(s, z), p, low);
    const __m256d big = _mm256_mul_pd(k, _mm256_set1_pd(ELEMFN_LN2_HI));
    const __m256d small = _mm256_mul_pd(two, s);
    const __m256d sum = _mm256_add_pd(big, small);
    const __m256d sum_lo = _mm256_sub_pd(small, _mm256_sub_pd(sum, big));

    return _mm256_add_pd(sum, _mm256_add_pd(sum_lo, tail));
}

/* Lanes that are not positive normal numbers. Bits of those order as integers, and negative ones are below 0. */
static inline int odd_lanes(__m256d x)
{
    const __m256i u = _mm256_castpd_si256(x);
    const __m256i below = _mm256_cmpgt_epi64(set64(MANTISSA + 1), u);
    const __m256i above = _mm256_cmpgt_epi64(u, set64(INT64_C(0x7FEFFFFFFFFFFFFF)));

    return _mm256_movemask_pd(bits4(_mm256_or_si256(below, above)));
}

static void log_piece(const double *x, double *y)
{
    const __m256d v = _mm256_loadu_pd(x);
    const int odd = odd_lanes(v);
    double here[WIDTH];

    if (odd == 0) {
        _mm256_storeu_pd(y, log4(v));
        return;
    }
    memcpy(here, x, sizeof here); /* x may be y */
    _mm256_storeu_pd(y, log4(v));
    for (int i = 0; i < WIDTH; i++) {
        if ((odd >> i & 1) != 0)
            y[i] = fpx_log_f64(here[i]);
    }
}

void fpx_log_f64_avx2(const double *x, double *y, size_t n)
{
    double rest[WIDTH] = { 1.0, 1.0, 1.0, 1.0 };
    size_t i = 0;

    for (; n - i >= WIDTH; i += WIDTH)
        log_piece(x + i, y + i);
    memcpy(rest, x + i, (n - i) * sizeof *x);
    log_piece(rest, rest);
    memcpy(y + i, rest, (n - i) * sizeof *y);
}
