/* reduce_avx2.c - the 16 lanes of fpx/reduce.h held in vectors; what is left over after the last full
 * 16 elements goes to its lanes one by one, so that no padding enters a sum. */
#include <immintrin.h>
#include <math.h>

#include "reduce_kernels.h"

static float sum_f32(const float *x, size_t n)
{
    __m256 low = _mm256_setzero_ps(), high = low;
    float lane[REDUCE_LANES];
    size_t i = 0;

    for (; n - i >= REDUCE_LANES; i += REDUCE_LANES) {
        low = _mm256_add_ps(low, _mm256_loadu_ps(x + i));
        high = _mm256_add_ps(high, _mm256_loadu_ps(x + i + 8));
    }
    _mm256_storeu_ps(lane, low);
    _mm256_storeu_ps(lane + 8, high);
    for (size_t l = 0; i + l < n; l++)
        lane[l] += x[i + l];
    return reduce_lanes_f32(lane);
}

static float dot_f32(const float *x, const float *y, size_t n)
{
    __m256 low = _mm256_setzero_ps(), high = low;
    float lane[REDUCE_LANES];
    size_t i = 0;

    for (; n - i >= REDUCE_LANES; i += REDUCE_LANES) {
        low = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i), low);
        high = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 8), _mm256_loadu_ps(y + i + 8), high);
    }
    _mm256_storeu_ps(lane, low);
    _mm256_storeu_ps(lane + 8, high);
    for (size_t l = 0; i + l < n; l++)
        lane[l] = fmaf(x[i + l], y[i + l], lane[l]);
    return reduce_lanes_f32(lane);
}

/* The four float64 sums differ only in what they add to lanes 4v .. 4v+3. */
static double sum_f64(const double *x, size_t n)
{
    __m256d sum[4] = { _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(),
                       _mm256_setzero_pd() };
    double lane[REDUCE_LANES];
    size_t i = 0;

    for (; n - i >= REDUCE_LANES; i += REDUCE_LANES)
        for (size_t v = 0; v < 4; v++)
            sum[v] = _mm256_add_pd(sum[v], _mm256_loadu_pd(x + i + 4 * v));
    for (size_t v = 0; v < 4; v++)
        _mm256_storeu_pd(lane + 4 * v, sum[v]);
    for (size_t l = 0; i + l < n; l++)
        lane[l] += x[i + l];
    return reduce_lanes_f64(lane);
}

static double dot_f64(const double *x, const double *y, size_t n)
{
    __m256d sum[4] = { _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(),
                       _mm256_setzero_pd() };
    double lane[REDUCE_LANES];
    size_t i = 0;

    for (; n - i >= REDUCE_LANES; i += REDUCE_LANES)
        for (size_t v = 0; v < 4; v++)
            sum[v] = _mm256_fmadd_pd(_mm256_loadu_pd(x + i + 4 * v), _mm256_loadu_pd(y + i + 4 * v),
                                     sum[v]);
    for (size_t v = 0; v < 4; v++)
        _mm256_storeu_pd(lane + 4 * v, sum[v]);
    for (size_t l = 0; i + l < n; l++)
        lane[l] = fma(x[i + l], y[i + l], lane[l]);
    return reduce_lanes_f64(lane);
}

static double sumsq_f32(const float *x, size_t n)
{
    __m256d sum[4] = { _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(),
                       _mm256_setzero_pd() };
    double lane[REDUCE_LANES];
    size_t i = 0;

    for (; n - i >= REDUCE_LANES; i += REDUCE_LANES)
        for (size_t v = 0; v < 4; v++) {
            const __m256d y = _mm256_cvtps_pd(_mm_loadu_ps(x + i + 4 * v));

            sum[v] = _mm256_fmadd_pd(y, y, sum[v]);
        }
    for (size_t v = 0; v < 4; v++)
        _mm256_storeu_pd(lane + 4 * v, sum[v]);
    for (size_t l = 0; i + l < n; l++)
        lane[l] = fma((double)x[i + l], (double)x[i + l], lane[l]);
    return reduce_lanes_f64(lane);
}

static float amax_f32(const float *x, size_t n)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i low = _mm256_setzero_si256(), high = low;
    uint32_t lane[8], top = 0;
    size_t i = 0;

    for (; n - i >= 16; i += 16) {
        const __m256i a = _mm256_castps_si256(_mm256_loadu_ps(x + i));
        const __m256i b = _mm256_castps_si256(_mm256_loadu_ps(x + i + 8));

        low = _mm256_max_epi32(low, _mm256_and_si256(a, magnitude));
        high = _mm256_max_epi32(high, _mm256_and_si256(b, magnitude));
    }
    _mm256_storeu_si256((__m256i *)lane, _mm256_max_epi32(low, high));
    for (size_t l = 0; l < 8; l++)
        top = lane[l] > top ? lane[l] : top;
    for (; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffffu;
        top = bits > top ? bits : top;
    }
    return reduce_magnitude_f32(top);
}

static __m256i max_epi64(__m256i a, __m256i b)
{
    return _mm256_blendv_epi8(a, b, _mm256_cmpgt_epi64(b, a));
}

static double amax_f64(const double *x, size_t n)
{
    const __m256i magnitude = _mm256_set1_epi64x(0x7fffffffffffffff);
    __m256i low = _mm256_setzero_si256(), high = low;
    uint64_t lane[4], top = 0;
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        const __m256i a = _mm256_castpd_si256(_mm256_loadu_pd(x + i));
        const __m256i b = _mm256_castpd_si256(_mm256_loadu_pd(x + i + 4));

        low = max_epi64(low, _mm256_and_si256(a, magnitude));
        high = max_epi64(high, _mm256_and_si256(b, magnitude));
    }
    _mm256_storeu_si256((__m256i *)lane, max_epi64(low, high));
    for (size_t l = 0; l < 4; l++)
        top = lane[l] > top ? lane[l] : top;
    for (; i < n; i++) {
        uint64_t bits;

        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffffffffffffu;
        top = bits > top ? bits : top;
    }
    return reduce_magnitude_f64(top);
}

static void add_f32(float *x, const float *y, size_t n)
{
    size_t i = 0;

    for (; n - i >= 8; i += 8)
        _mm256_storeu_ps(x + i, _mm256_add_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
    for (; i < n; i++)
        x[i] += y[i];
}

static void add_f64(double *x, const double *y, size_t n)
{
    size_t i = 0;

    for (; n - i >= 4; i += 4)
        _mm256_storeu_pd(x + i, _mm256_add_pd(_mm256_loadu_pd(x + i), _mm256_loadu_pd(y + i)));
    for (; i < n; i++)
        x[i] += y[i];
}

const struct reduce_kernels reduce_kernels_avx2 = { sum_f32,  sum_f64,  dot_f32, dot_f64, sumsq_f32,
                                                    amax_f32, amax_f64, add_f32, add_f64 };
