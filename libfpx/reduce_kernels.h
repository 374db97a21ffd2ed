/* reduce_kernels.h - one table of kernels for each instruction set; the end of a sum, which every
 * instruction set shares. */
#ifndef FPX_REDUCE_KERNELS_H
#define FPX_REDUCE_KERNELS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { REDUCE_LANES = 16 };

/* As fpx/reduce.h says, except that add_* (x += y, element by element) leave NaNs as they are. */
struct reduce_kernels {
    float (*sum_f32)(const float *x, size_t n);
    double (*sum_f64)(const double *x, size_t n);
    float (*dot_f32)(const float *x, const float *y, size_t n);
    double (*dot_f64)(const double *x, const double *y, size_t n);
    double (*sumsq_f32)(const float *x, size_t n);
    float (*amax_f32)(const float *x, size_t n);
    double (*amax_f64)(const double *x, size_t n);
    void (*add_f32)(float *x, const float *y, size_t n);
    void (*add_f64)(double *x, const double *y, size_t n);
};

#ifdef FPX_HAVE_AVX2
extern const struct reduce_kernels reduce_kernels_avx2;
#endif

static inline float reduce_float(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline double reduce_double(uint64_t bits)
{
    double x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float reduce_canonical_f32(float x)
{
    return x != x ? reduce_float(0x7fc00000u) : x;
}

static inline double reduce_canonical_f64(double x)
{
    return x != x ? reduce_double(0x7ff8000000000000u) : x;
}

/* lane i += lane i+8 (i < 8), i+4, i+2, i+1: the result is in lane 0. */
static inline float reduce_lanes_f32(float *lane)
{
    for (size_t half = REDUCE_LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return reduce_canonical_f32(lane[0]);
}

static inline double reduce_lanes_f64(double *lane)
{
    for (size_t half = REDUCE_LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return reduce_canonical_f64(lane[0]);
}

/* From the largest magnitude as bits: every NaN is above the infinity. */
static inline float reduce_magnitude_f32(uint32_t bits)
{
    return reduce_float(bits > 0x7f800000u ? 0x7fc00000u : bits);
}

static inline double reduce_magnitude_f64(uint64_t bits)
{
    return reduce_double(bits > 0x7ff0000000000000u ? 0x7ff8000000000000u : bits);
}

#endif /* FPX_REDUCE_KERNELS_H */
