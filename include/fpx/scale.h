/* fpx/scale.h - the power of two that maps a largest magnitude to a format's largest value. */
#ifndef FPX_SCALE_H
#define FPX_SCALE_H

#include <fpx/format.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 2^floor(log2(max / amax)), max being the format's largest value; the exponent, computed exactly, is held in -126
 * .. 126, so that the scale and its reciprocal are normal float32. 1 where amax is 0, negative, Inf or NaN. The rule
 * of MS-AMP with margin 0 (arXiv 2310.18313), whose code takes a float32 logarithm and is one off near powers of
 * two. */
float fpx_scale_pow2(const fpx_format *target, float amax);

/* The same as MS-AMP's FP4 code computes it for a maximum of bf16 values: quotient, logarithm and power each rounded
 * to bf16, so that it may be twice the true one; Inf where the quotient overflows. */
float fpx_scale_ms_amp_bf16(const fpx_format *target, float amax);

/* To bf16 and back: nearest, ties to even; a NaN stays one. */
float fpx_round_bf16(float x);

#ifdef __cplusplus
}
#endif

#endif /* FPX_SCALE_H */
