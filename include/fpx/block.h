/* fpx/block.h - block scaling: small codes that share a scale with their neighbours.
 *
 * A matrix of rows x cols float32, row-major, is cut into blocks; each block gets one scale from its amax (the
 * largest magnitude), each element becomes the code of (element / scale). The blocks at the right and lower edge
 * may be short: what is missing counts as zero.
 *
 *            block {1, 4}, along rows         block {2, 1}, along columns        block {2, 4}
 *            [a a a a][b b b b][c c]          [a][b][c] ...                      [a a a a][b b ...
 *            [d d d d][e e e e][f f]          [a][b][c] ...                      [a a a a][b b ...
 *
 * How scales come about differs between libraries in the order of operations, hence in bits: each order is a rule,
 * and a profile names what one library does (fpx_blocking_find). Every operation is float32, rounded to nearest
 * even, in the order written. */
#ifndef FPX_BLOCK_H
#define FPX_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/convert.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FPX_BLOCKING_NAME_MAX = 24 };

/* max: the element's largest value; amax: the block's; AMAX: the tensor's, given by the caller; E4M3(): rounded
 * to nearest even, at most 448. q: the value that is rounded to a code. Stored is what decoding multiplies by. */
typedef enum fpx_block_rule {
    /* Stored: 2^e as e8m0, e by fpx_mx_exponent, within -127..127. q = x * 2^-e, exactly. amax 0: 2^-127. */
    FPX_RULE_MX,
    /* enc = max / amax, 1 where amax is 0, Inf or NaN, quotient_max where that is Inf; power_of_two: its
     * fraction bits cleared. Stored: 1 / enc as fp32. q = x * enc. (Transformer Engine)
     * ms_amp: x in bf16, enc by fpx_scale_ms_amp_bf16 (1 where amax is 0, Inf or NaN), q in bf16; ties go up, what
     * becomes 0 is +0, a NaN is the largest. (MS-AMP's FP4) */
    FPX_RULE_TILE_TE,
    /* s = amax / max; power_of_two: rounded up to one (exponent at least -126). Stored: s as fp32.
     * q = x / s (DeepSeek-V3), or q = x * (1 / s) (DeepGEMM). */
    FPX_RULE_TILE_DIVIDE,
    FPX_RULE_TILE_RECIPROCAL,
    /* S = min(448 * 6 / AMAX, FLT_MAX), 1 where AMAX or S is 0; s = E4M3(amax * (S * (1/6))); stored: s as e4m3.
     * q = x * min(1 / (s * (1 / S)), FLT_MAX). Decoding: code * ((s * AMAX) * (1 / (448 * 6))). */
    FPX_RULE_NVFP4_TE,
    /* t = AMAX / (448 * 6); s = E4M3(clamp((amax / 6) / t, 2^-6, 448)); q = x * ((1 / t) / s).
     * Decoding: code * (t * s). AMAX = 2688 gives t = 1: torchao's scaling by blocks alone. */
    FPX_RULE_NVFP4_TORCHAO,
    /* "Four over six": S = min(bound * 6 / AMAX, FLT_MAX), 1 where AMAX or S is 0; base = (amax / 6) * S; two
     * candidates s = E4M3(1.5 * base) and s = E4M3(base), encoded as in NVFP4_TE; the first only where its
     * error is less. Decoding as in NVFP4_TE with bound for 448. */
    FPX_RULE_NVFP4_46
} fpx_block_rule;

/* With emax = floor(log2 max). RCEIL and RCEIL_FP32 differ where amax / max is next above 2^-127 (and for one
 * fraction of mxint8): a float32 product cannot tell. */
typedef enum fpx_mx_exponent {
    FPX_MX_FLOOR, /* floor(log2 amax) - emax                                    (OCP MX 1.0, 6.3) */
    FPX_MX_CEIL,  /* ceil(log2 amax) - emax */
    FPX_MX_EVEN, /* half an element ulp added to amax's bits, then as FLOOR    (half up, despite its name) */
    FPX_MX_RCEIL, /* ceil(log2(amax / max))                                     (cuBLAS, cuDNN) */
    FPX_MX_RCEIL_FP32, /* ceil(log2(amax * (1 / max))), product and reciprocal in float32      (TE, torchao) */
    /* floor(log2(std * RN(2.92247856 / 6) + RN(1e-8))), whatever the element; n elements, row by row, those that the
     * edge cut off as zeros:
     *   sum, square   16 lanes from +0, element i in lane i mod 16: sum += x, square = fma(x, x, square); then lane i
     *                 += lane i + 8 for i < 8, then + 4, + 2, + 1
     *   std           sqrt(square / n - (sum / n) * (sum / n)), 0 where that is below 0       (Quartet) */
    FPX_MX_STD
} fpx_mx_exponent;

/* What a NaN element does to its block's (and tensor's) amax. */
typedef enum fpx_amax_nan {
    FPX_AMAX_NAN,    /* amax is NaN: so is the scale of MX (0xff) and NVFP4 (0x7f); 1 for TILE_TE */
    FPX_AMAX_IGNORES /* it takes no part, as in CUDA's fmaxf; its own code is that of a NaN */
} fpx_amax_nan;

/* The byte of an MX block whose amax is Inf (EVEN: whose addition reaches Inf). */
typedef enum fpx_mx_inf {
    FPX_MX_INF_NAN,    /* 0xff: every element is NaN (torchao) */
    FPX_MX_INF_LARGEST /* 0xfe: elements times 2^-127, Inf as overflow says (TE) */
} fpx_mx_inf;

/* Four over six. v = ((code * s) * AMAX) / (6 * bound) against x, or code * s against x * S (TE's fast math).
 * Summed over a row of the block in element order; 16 rows by halves 8, 4, 2, 1. */
typedef enum fpx_block_error {
    FPX_ERROR_ABS,
    FPX_ERROR_SQUARE,
    FPX_ERROR_ABS_SCALED,
    FPX_ERROR_SQUARE_SCALED
} fpx_block_error;

/* Plain data. */
typedef struct fpx_blocking {
    char name[FPX_BLOCKING_NAME_MAX]; /* of the profile it came from; not read */
    fpx_conversion element;           /* codes of at most 8 bits; NVFP4: e2m1 */
    uint64_t block[2];                /* rows, columns of a block; 0 = the whole axis */
    uint8_t rule;                     /* fpx_block_rule */
    uint8_t amax_nan;                 /* fpx_amax_nan */
    uint8_t mx_exponent;              /* MX: fpx_mx_exponent */
    uint8_t mx_inf;                   /* MX: fpx_mx_inf */
    uint8_t power_of_two;             /* TILE_*: 0 or 1 */
    uint8_t error;                    /* NVFP4_46: fpx_block_error */
    uint8_t drops_negative_zero;      /* 1: q = -0 becomes +0 (TE's Python reference) */
    uint8_t ties_to_zero;             /* 1: ties of FPX_RNA go toward zero; not read elsewhere */
    uint8_t ms_amp;                   /* TILE_TE of e2m1, to nearest even: 0 or 1 */
    float bound;                      /* NVFP4_46: 448 or 256 */
    float amax_floor;   /* TILE_*: a smaller amax counts as this (TE's epsilon); 0: none */
    float quotient_max; /* TILE_TE: the input type's largest value; 0: float32's */
} fpx_blocking;

/* What a library does, by name. Another element format or block may be put in
 * afterwards. FPX_EINVAL: there is no such profile. */
fpx_status fpx_blocking_find(const char *name, fpx_blocking *ret_blocking);

/* The profiles in table order, with where each is written down. FPX_EINVAL: at and after the end. */
fpx_status fpx_blocking_at(size_t index, fpx_blocking *ret_blocking, const char **ret_source);

/* FPX_OK; FPX_EINVAL: fpx_conversion_check, an element format of more than 8 bits or whose largest value is not
 * a normal float32, a field without such a value, a rule's format or bound (above), or a NVFP4_46 block other
 * than {1, 16}, {16, 1}, {16, 16}. The check that every function here makes first. */
fpx_status fpx_blocking_check(const fpx_blocking *blocking);

/* The format of the scales: fpx_e8m0, fpx_ue4m3, fpx_fp32. NULL for an invalid rule. */
const fpx_format *fpx_blocking_scale_format(const fpx_blocking *blocking);

/* Blocks along each axis: the shape of the scales, which are row-major, one of fpx_format_size bytes a block. */
void fpx_blocking_grid(const fpx_blocking *blocking, size_t rows, size_t cols, size_t *ret_rows,
                       size_t *ret_cols);

/* AMAX of n elements as this blocking takes it (amax_nan); +0 for n = 0. That of several parts of a tensor is the
 * largest of theirs. */
fpx_status fpx_blocking_amax(const fpx_blocking *blocking, const float *src, size_t n,
                             float *ret_amax);

/* src[rows * cols] to one code a byte, codes[rows * cols], and scales (above). tensor_amax is read by NVFP4_* only.
 * Buffers must not overlap; any alignment; rows or cols may be 0. On error nothing is written.
 * FPX_EINVAL: fpx_blocking_check, rows * cols overflows, NVFP4_* with a negative tensor_amax, or FPX_SR, which
 * needs random bits. */
fpx_status fpx_block_quantize(const fpx_blocking *blocking, float tensor_amax, const float *src,
                              size_t rows, size_t cols, uint8_t *codes, void *scales);

/* The same with element.round FPX_SR (else FPX_EINVAL): element i uses the low sr_bits bits of bits[i]. Scales do
 * not depend on them. */
fpx_status fpx_block_quantize_random(const fpx_blocking *blocking, float tensor_amax,
                                     const float *src, const uint32_t *bits, size_t rows,
                                     size_t cols, uint8_t *codes, void *scales);

/* dst[i] = value of the code times the block's stored scale (NVFP4: as its rule says), the last product as
 * fpx_decode_f32 has it. element.round may be anything. FPX_EINVAL as above. */
fpx_status fpx_block_dequantize(const fpx_blocking *blocking, float tensor_amax,
                                const uint8_t *codes, const void *scales, size_t rows, size_t cols,
                                float *dst);

/* The kernels that run here: "scalar", "avx2". */
const char *fpx_block_kernel_name(void);

#ifdef __cplusplus
}
#endif

#endif /* FPX_BLOCK_H */
