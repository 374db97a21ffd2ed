/* op_row.h - the whole row of an operation: what the public table shows, and what its check, flops
 * and bounds are made from. */
#ifndef FPX_STEP_OP_ROW_H
#define FPX_STEP_OP_ROW_H

#include <fpx/optable.h>

/* Extents bound to the letters of the shape patterns: dim['M' - 'A']. */
typedef struct op_dims {
    uint64_t of[26];
} op_dims;

/* A pattern is a letter for the format and a shape, "r[BT,3HD]".
 *   i int32   d fp64   r real: fp32 or fp64, the same for all of the call
 *   g any float; where it is fp32 or fp64, it is the call's real
 *   q any float, on its own terms (a quantizer's output)
 * A shape is [extent,...]; an extent is a product of a number and letters, a letter standing for the
 * same extent everywhere. [*] is any shape, the same at every [*]. */
typedef struct op_row {
    fpx_op_info info;
    const char *in[FPX_MAX_IN], *out[FPX_MAX_OUT];
    /* Replaces in and out where they depend on the call (GEMM); NULL elsewhere. */
    void (*patterns)(const fpx_call *call, const char **in, const char **out);
    /* Attributes, against the extents; NULL where there are none. */
    fpx_status (*attr)(const fpx_call *call, const op_dims *dims, fpx_error *err);
    double flops; /* for each element of in[flops_in] */
    uint8_t flops_in;
    void (*bound)(const fpx_bound_args *args);
    size_t (*scratch)(const fpx_call *call); /* NULL: none */
} op_row;

/* kind < FPX_OP_KINDS. */
const op_row *op_row_of(uint32_t kind);

/* The public functions of every row. */
fpx_status op_check(const fpx_call *call, fpx_error *err);
void op_bound(const fpx_bound_args *args);
size_t op_scratch(const fpx_call *call);

/* Pattern and attribute checks of single kinds. */
void op_gemm_patterns(const fpx_call *call, const char **in, const char **out);
fpx_status op_attr_gemm(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_rmsnorm(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_rope(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_softmax(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_tokens(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_scale(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_quantize(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_clip(const fpx_call *call, const op_dims *dims, fpx_error *err);
fpx_status op_attr_adamw(const fpx_call *call, const op_dims *dims, fpx_error *err);

#endif /* FPX_STEP_OP_ROW_H */
