/* op_norms.h - norms of the operands of a product, float32 or float64. */
#ifndef STEP_OP_NORMS_H
#define STEP_OP_NORMS_H

#include <float.h>
#include <math.h>
#include <stddef.h>

/* Of sums and maxima in any order: what compilers make vectors of. */
enum { OP_LANES = 8 };

static inline __attribute__((always_inline)) double op_square(const void *x, int narrow, size_t i)
{
    const double v = narrow ? (double)((const float *)x)[i] : ((const double *)x)[i];

    return v * v;
}

static inline __attribute__((always_inline)) void op_norms_of(const void *x, const int narrow,
                                                              size_t count, size_t k, size_t step,
                                                              size_t stride, double *norm)
{
    const double inflate = 1.0 + ((double)k + 4.0) * 0x1p-53;

    for (size_t i = 0; i < count; i++) /* squares of float32 are exact */
        norm[i] = narrow ? 0.0 : (double)k * DBL_TRUE_MIN;
    /* In the order of memory. */
    if (stride == 1) {
        for (size_t i = 0; i < count; i++) {
            double lanes[OP_LANES] = { 0.0 };
            size_t j = 0;

            for (; k - j >= OP_LANES; j += OP_LANES)
                for (size_t lane = 0; lane < OP_LANES; lane++)
                    lanes[lane] += op_square(x, narrow, i * step + j + lane);
            for (; j < k; j++)
                lanes[0] += op_square(x, narrow, i * step + j);
            for (size_t lane = 0; lane < OP_LANES; lane++)
                norm[i] += lanes[lane];
        }
    } else {
        for (size_t j = 0; j < k; j++)
            for (size_t i = 0; i < count; i++)
                norm[i] += op_square(x, narrow, i + j * stride);
    }
    for (size_t i = 0; i < count; i++)
        norm[i] = sqrt(norm[i]) * inflate;
}

/* Norms of the `count` vectors of length k of x (float32 where narrow, else float64): vector i starts at i * step and
 * goes by stride. Each is inflated for its k + 4 roundings, and for squares that underflow. */
static inline void op_norms(const void *x, int narrow, size_t count, size_t k, size_t step,
                            size_t stride, double *norm)
{
    if (narrow)
        op_norms_of(x, 1, count, k, step, stride, norm);
    else
        op_norms_of(x, 0, count, k, step, stride, norm);
}

#endif /* STEP_OP_NORMS_H */
