/* shadow_figure.h - decoding an output and comparing it with its shadow. */
#ifndef STEP_SHADOW_FIGURE_H
#define STEP_SHADOW_FIGURE_H

#include <stddef.h>

#include <fpx/figure.h>
#include <fpx/format.h>
#include <fpx/metric.h>

/* Any valid codes, integers too, to float64: the bits of fpx_decode_f64, sooner. */
void shadow_decode(const fpx_format *format, double scale, const void *codes, double *out,
                   size_t n);

/* float32 values times a scale, NaNs as fpx_decode_f64 has them; compiled as op_bound.h says. */
#ifdef STEP_AVX2
#define SHADOW_NAME(name) name##_avx2
#else
#define SHADOW_NAME(name) name
#endif
void shadow_widen(const float *x, double scale, double *out, size_t n);
void shadow_widen_avx2(const float *x, double scale, double *out, size_t n);

/* Values against a reference; bound may be NULL. */
void shadow_compare_values(const fpx_coded *value, const fpx_coded *reference, const double *bound,
                           size_t n, fpx_figure *ret_figure);

/* Codes of `format` against codes of the same format: bits, and the values they stand for. */
void shadow_compare_codes(const fpx_format *format, double scale, const void *code,
                          const void *reference, size_t n, fpx_figure *ret_figure);

#endif /* STEP_SHADOW_FIGURE_H */
