/* reduce.c - the sums of fpx/reduce.h, lane by lane as their contract states them (the judge of the
 * other instruction sets), the choice of kernels, and the tree. */
#include <math.h>

#include <fpx/reduce.h>

#include "reduce_kernels.h"

static float sum_f32(const float *x, size_t n)
{
    float lane[REDUCE_LANES] = { 0 };

    for (size_t i = 0; i < n; i++)
        lane[i % REDUCE_LANES] += x[i];
    return reduce_lanes_f32(lane);
}

static double sum_f64(const double *x, size_t n)
{
    double lane[REDUCE_LANES] = { 0 };

    for (size_t i = 0; i < n; i++)
        lane[i % REDUCE_LANES] += x[i];
    return reduce_lanes_f64(lane);
}

static float dot_f32(const float *x, const float *y, size_t n)
{
    float lane[REDUCE_LANES] = { 0 };

    for (size_t i = 0; i < n; i++)
        lane[i % REDUCE_LANES] = fmaf(x[i], y[i], lane[i % REDUCE_LANES]);
    return reduce_lanes_f32(lane);
}

static double dot_f64(const double *x, const double *y, size_t n)
{
    double lane[REDUCE_LANES] = { 0 };

    for (size_t i = 0; i < n; i++)
        lane[i % REDUCE_LANES] = fma(x[i], y[i], lane[i % REDUCE_LANES]);
    return reduce_lanes_f64(lane);
}

/* The square of a float32 is exact in float64, so that adding it is what fma would give. */
static double sumsq_f32(const float *x, size_t n)
{
    double lane[REDUCE_LANES] = { 0 };

    for (size_t i = 0; i < n; i++)
        lane[i % REDUCE_LANES] += (double)x[i] * (double)x[i];
    return reduce_lanes_f64(lane);
}

static float amax_f32(const float *x, size_t n)
{
    uint32_t top = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t bits;

        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffffu;
        top = bits > top ? bits : top;
    }
    return reduce_magnitude_f32(top);
}

static double amax_f64(const double *x, size_t n)
{
    uint64_t top = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t bits;

        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffffffffffffu;
        top = bits > top ? bits : top;
    }
    return reduce_magnitude_f64(top);
}

static void add_f32(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

static void add_f64(double *x, const double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

static const struct reduce_kernels reduce_kernels_scalar = { sum_f32,  sum_f64,   dot_f32,
                                                             dot_f64,  sumsq_f32, amax_f32,
                                                             amax_f64, add_f32,   add_f64 };

static const struct reduce_kernels *kernels(fpx_cpu_level level)
{
#ifdef FPX_HAVE_AVX2
    if (level >= FPX_CPU_AVX2)
        return &reduce_kernels_avx2;
#endif
    (void)level;
    return &reduce_kernels_scalar;
}

float fpx_sum_f32(fpx_cpu_level level, const float *x, size_t n)
{
    return kernels(level)->sum_f32(x, n);
}

double fpx_sum_f64(fpx_cpu_level level, const double *x, size_t n)
{
    return kernels(level)->sum_f64(x, n);
}

float fpx_dot_f32(fpx_cpu_level level, const float *x, const float *y, size_t n)
{
    return kernels(level)->dot_f32(x, y, n);
}

double fpx_dot_f64(fpx_cpu_level level, const double *x, const double *y, size_t n)
{
    return kernels(level)->dot_f64(x, y, n);
}

double fpx_sumsq_f32(fpx_cpu_level level, const float *x, size_t n)
{
    return kernels(level)->sumsq_f32(x, n);
}

float fpx_amax_f32(fpx_cpu_level level, const float *x, size_t n)
{
    return kernels(level)->amax_f32(x, n);
}

double fpx_amax_f64(fpx_cpu_level level, const double *x, size_t n)
{
    return kernels(level)->amax_f64(x, n);
}

/* At level l the node of leaves [j * 2^l, ...) is in row j * 2^l, so that a node whose right child is
 * missing is passed on by leaving it where it is. */
void fpx_tree_f32(fpx_cpu_level level, float *x, size_t leaves, size_t width)
{
    const struct reduce_kernels *k = kernels(level);

    for (size_t step = 1; step < leaves; step *= 2)
        for (size_t j = 0; j < leaves - step; j += 2 * step)
            k->add_f32(x + j * width, x + (j + step) * width, width);
    for (size_t i = 0; i < width; i++)
        x[i] = reduce_canonical_f32(x[i]);
}

void fpx_tree_f64(fpx_cpu_level level, double *x, size_t leaves, size_t width)
{
    const struct reduce_kernels *k = kernels(level);

    for (size_t step = 1; step < leaves; step *= 2)
        for (size_t j = 0; j < leaves - step; j += 2 * step)
            k->add_f64(x + j * width, x + (j + step) * width, width);
    for (size_t i = 0; i < width; i++)
        x[i] = reduce_canonical_f64(x[i]);
}
