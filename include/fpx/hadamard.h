/* fpx/hadamard.h - the random Hadamard transform of 16 elements, which spreads an outlier over its neighbours
 * before they are quantized (NVFP4 training, arXiv 2509.25149; Transformer Engine).
 *
 *   forward   y = ((x * signs) . H) / 4        inverse   x = ((y . H) / 4) * signs
 *
 * H[i][j] = (-1)^(number of ones in i & j), Sylvester's order; H . H = 16, so that each undoes the other but for
 * rounding. The order of the float32 additions: (a, b) becomes (a + b, a - b) for elements 8 apart, then 4, 2
 * and 1 apart. (Tensor cores add in another.) */
#ifndef FPX_HADAMARD_H
#define FPX_HADAMARD_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bit i set: sign i is minus. Transformer Engine's vector is + + + - + - - - - - - + - + - -. */
enum { FPX_HADAMARD_SIZE = 16, FPX_HADAMARD_SIGNS_TE = 0xd7e8 };

/* Each 16 elements of src[0..n) by themselves. dst may be src, else they must not overlap; any alignment. A NaN result
 * is 0x7fc00000. FPX_EINVAL: n is not a multiple of 16. */
fpx_status fpx_hadamard_forward(uint16_t signs, const float *src, size_t n, float *dst);
fpx_status fpx_hadamard_inverse(uint16_t signs, const float *src, size_t n, float *dst);

/* The same, each result rounded to bf16 (nearest even) and written as float32: what training quantizes. */
fpx_status fpx_hadamard_forward_bf16(uint16_t signs, const float *src, size_t n, float *dst);
fpx_status fpx_hadamard_inverse_bf16(uint16_t signs, const float *src, size_t n, float *dst);

#ifdef __cplusplus
}
#endif

#endif /* FPX_HADAMARD_H */
