/* fpx/mma_finish.h - from the sums of a matrix unit to what a library returns: scales, a bias, another format.
 *
 *   alpha = RN32(scale_a * scale_b)
 *   y     = RN(sum * alpha + (+0))         one fma: -0 becomes +0
 *   y     = RN(y + bias[j])                where there is a bias; j is the column
 *   y     = RN(y * scale_d)
 *   d     = the conversion of y
 *
 * RN32: to nearest even in float32, and so is RN, but in float64 where sums are fp64. No operation depends on the
 * floating-point environment.
 *
 * What is known: with sums in fp32, no bias and fpx_mma_conversion to fp32, bf16, fp16 or 8 bits, and scale_d with 8 bits
 * only, this is what cuBLASLt 12.8 does with FP8 (mmaemu 0.1.0, validated by its authors on RTX 4060 and H100). The
 * rest is a definition, not seen on hardware: that a bias comes after alpha and before scale_d (as cuBLASLt's
 * documentation orders them) in a rounding of its own, other sums, other formats and policies. */
#ifndef FPX_MMA_FINISH_H
#define FPX_MMA_FINISH_H

#include <stddef.h>

#include <fpx/convert.h>
#include <fpx/format.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fpx_mma_epilogue {
    float scale_a, scale_b, scale_d; /* 1: none; any float32 */
    fpx_format sums;                 /* the format of the model: any float */
    const void *bias;                /* one code for each column, any alignment; NULL: none */
    fpx_format bias_format;          /* any float */
    fpx_conversion to;               /* any but FPX_SR */
} fpx_mma_epilogue;

/* cuBLASLt's conversion to a format: to nearest even; formats of 8 bits saturate, Inf too, wider ones overflow to Inf;
 * NaN has all bits set but the sign. Of fewer than 8 bits (a definition) as of 8; of a format that has another NaN or
 * none: as FPX_NAN_POSITIVE. */
fpx_conversion fpx_mma_conversion(const fpx_format *format);

/* rows x columns sums to as many codes of epilogue->to.format, both row-major without gaps, at any alignment; products
 * of a batch are more rows. dst may be sums where codes have the same size; else nothing overlaps. FPX_EINVAL with
 * text: sums or bias that are no floats, fpx_conversion_check, FPX_SR. On error dst is untouched. err may be NULL. */
fpx_status fpx_mma_finish(const fpx_mma_epilogue *epilogue, const void *sums, size_t rows,
                          size_t columns, void *dst, fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_MMA_FINISH_H */
