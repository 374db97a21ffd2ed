/* op_pattern.h - the whole row of an operation's shape: what is public, and what the check of a call is
 * made from. */
#ifndef FPX_ACCEL_OP_PATTERN_H
#define FPX_ACCEL_OP_PATTERN_H

#include <fpx/opshape.h>

/* Extents bound to the letters of the shape patterns: of['M' - 'A']. */
typedef struct op_dims {
    uint64_t of[26];
} op_dims;

/* A pattern is a letter for the format and a shape, "r[BT,3HD]".
 *   i int32   d fp64   r real: fp32 or fp64, the same for all of the call
 *   g any float; where it is fp32 or fp64, it is the call's real
 *   q any float, on its own terms (a quantizer's output)
 * A shape is [extent,...]; an extent is a product of a number and letters, a letter standing for the
 * same extent everywhere. [*] is any shape, the same at every [*]. */
typedef struct op_pattern {
    fpx_op_shape shape;
    const char *in[FPX_MAX_IN], *out[FPX_MAX_OUT];
    /* Replaces in and out where they depend on the call (GEMM); NULL elsewhere. */
    void (*patterns)(const fpx_call *call, const char **in, const char **out);
    /* Attributes, against the extents; NULL where there are none. */
    fpx_status (*attr)(const fpx_call *call, const op_dims *dims, fpx_error *err);
} op_pattern;

/* kind < FPX_OP_KINDS. */
const op_pattern *op_pattern_of(uint32_t kind);

int op_is_real(const fpx_format *format); /* fp32 or fp64 */

/* FPX_EINVAL, and every text reads: rmsnorm "layer.0/norm": ... */
fpx_status op_pattern_refuse(const fpx_call *call, fpx_error *err, const char *why);

/* Patterns and attribute checks of single kinds. */
void op_gemm_patterns(const fpx_call *call, const char **in, const char **out);
fpx_status op_attr_gemm(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_rmsnorm(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_rope(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_softmax(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_tokens(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_scale(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_quantize(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_quantize_random(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_quantize_block(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_hadamard(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_delayed(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_clip(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_adamw(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_sgd(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_coat(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_factor(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_dropout(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_logp(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_dpo(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_lion(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_dge(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_clamp(const fpx_call *call, const op_dims *dims, fpx_error *err);

#endif /* FPX_ACCEL_OP_PATTERN_H */
