/* fpx/metric.h - statistics of one array, and how far an array is from a reference. */
#ifndef FPX_METRIC_H
#define FPX_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/format.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FPX_STATS_BINS = 64, FPX_STATS_BIN_OF_ONE = 40 };

/* Figures of finite values only, in float64; all 0 where there is none. Sums run in 16 lanes: lane i
 * takes the elements congruent to i modulo 16 in order, then halves 8, 4, 2, 1; NaN and Inf count as
 * +0. Squares overflow above 1e154. min and max of zeros are +0. */
typedef struct fpx_stats {
    uint64_t count; /* all elements */
    uint64_t nan, inf, zero;
    uint64_t subnormal; /* of the array's own format, zeros not counted */
    uint64_t saturated; /* magnitude of max_code; 0 for formats of 32 bits and more */
    double amax, min, max, mean, rms;
    /* Code values (before the scale) by exponent: bin = clamp(floor(log2 |x|) + 40, 0, 63). Zeros,
     * NaN and Inf are not counted. */
    uint64_t exponent[FPX_STATS_BINS];
} fpx_stats;

/* Statistics of n unpacked codes (fpx_format_size bytes each, any alignment): fpx_fp32 or fpx_fp64 for
 * plain arrays. scale multiplies amax, min, max, mean and rms (one float64 multiplication each).
 * FPX_EINVAL: an invalid format. */
fpx_status fpx_stats_codes(const fpx_format *format, double scale, const void *codes, size_t n,
                           fpx_stats *ret_stats);

/* Error of element i: |x[i] - reference[i]|; 0 where both are NaN or the same Inf, Inf where only one
 * of them is finite or they are different specials. Sums as above; an Inf error makes rms_error Inf. */
typedef struct fpx_comparison {
    uint64_t count;
    uint64_t nonfinite; /* elements with an Inf error by the rule above */
    double max_abs_error;
    uint64_t max_abs_index; /* the first such element; 0 where all errors are 0 */
    double rms_error, rms_reference;
    double relative_rms_error; /* rms_error / rms_reference; 0 where both are 0, Inf for x / 0 */
    double cosine; /* over elements finite in both; 1 where both are all zeros, 0 where one is */
    double max_bound_ratio;   /* of error / bound; 0 without bounds; an error above a bound of 0, or
                                 any error other than 0 with a NaN bound, is Inf */
    uint64_t max_bound_index; /* the first such element */
    uint64_t above_bound;     /* elements with error > bound, or a NaN bound and an error */
    uint64_t unbounded;       /* elements that are not equal (NaN never is), with a bound of Inf */
    uint64_t unbounded_index; /* the first of them */
} fpx_comparison;

/* Compares x[0..n) with reference[0..n); bound is NULL or n bounds on the absolute error. */
fpx_status fpx_compare_f64(const double *x, const double *reference, const double *bound, size_t n,
                           fpx_comparison *ret_comparison);

/* The same of unpacked codes (as of fpx_stats_codes) times a scale, one float64 multiplication each; nothing is kept as
 * float64. FPX_EINVAL: an invalid format. */
typedef struct fpx_coded {
    const fpx_format *format;
    double scale;
    const void *codes;
} fpx_coded;
fpx_status fpx_compare_codes(const fpx_coded *x, const fpx_coded *reference, const double *bound,
                             size_t n, fpx_comparison *ret_comparison);

#ifdef __cplusplus
}
#endif

#endif /* FPX_METRIC_H */
