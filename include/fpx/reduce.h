/* fpx/reduce.h - sums whose order is contract, not tuning: the same bits on every machine.
 *
 * Within a row, and over parameters: 16 lanes, each starting at +0; lane i adds the elements
 * congruent to i modulo 16 in order; then lane i += lane i+8 (i < 8), i+4, i+2, i+1.
 * Over sequences: leaves combine by node(l, j) = node(l-1, 2j) + node(l-1, 2j+1); a missing right
 * child passes the left one on. */
#ifndef FPX_REDUCE_H
#define FPX_REDUCE_H

#include <stddef.h>

#include <fpx/cpu.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All arrays: any alignment, n may be 0 (the sum is then +0). The caller has entered fpx_fpenv.
 * A NaN result is canonical. */
float fpx_sum_f32(fpx_cpu_level level, const float *x, size_t n);
double fpx_sum_f64(fpx_cpu_level level, const double *x, size_t n);

/* Sum of x[i] * y[i]: lanes accumulate by fma. */
float fpx_dot_f32(fpx_cpu_level level, const float *x, const float *y, size_t n);
double fpx_dot_f64(fpx_cpu_level level, const double *x, const double *y, size_t n);

/* Sum of squares of float32 values in float64 (each converted exactly, then fma). */
double fpx_sumsq_f32(fpx_cpu_level level, const float *x, size_t n);

/* max |x[i]|, +0 for n = 0; any NaN gives the canonical NaN. Order-free. */
float fpx_amax_f32(fpx_cpu_level level, const float *x, size_t n);
double fpx_amax_f64(fpx_cpu_level level, const double *x, size_t n);

/* Combines `leaves` rows of `width` elements, row i at x + i * width, by the sequence tree, in place:
 * the result is in row 0, the other rows are overwritten. leaves >= 1. */
void fpx_tree_f32(fpx_cpu_level level, float *x, size_t leaves, size_t width);
void fpx_tree_f64(fpx_cpu_level level, double *x, size_t leaves, size_t width);

#ifdef __cplusplus
}
#endif

#endif /* FPX_REDUCE_H */
