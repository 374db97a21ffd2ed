/* optable.c - the operation table: a row for each kind, in the order of fpx/accel.h. */
#include <stddef.h>

#include <fpx/optable.h>

#include "op_bound.h"
#include "op_row.h"

/* flops of a row: operations for each element of in[flops_in], as the formulas of the `cpu` device
 * are written; an elementary function, a division or a comparison counts 1. */
static double flops_rowwise(const fpx_call *call)
{
    const op_row *row = op_row_of(call->kind);

    return row->flops * (double)fpx_tensor_count(&call->in[row->flops_in]);
}

static double flops_gemm(const fpx_call *call)
{
    const fpx_tensor *a = &call->in[0];
    const size_t k_axis = (size_t)a->ndim - (call->attr.gemm.trans_a != 0 ? 2 : 1);

    return 2.0 * (double)fpx_tensor_count(&call->out[0]) * (double)a->shape[k_axis];
}

/* Half where causal: only the triangle is computed. */
static double flops_softmax(const fpx_call *call)
{
    return (call->attr.softmax.causal != 0 ? 0.5 : 1.0) * flops_rowwise(call);
}

/* A sign, an addition in each butterfly, the factor. */
static double flops_hadamard(const fpx_call *call)
{
    double each = 2.0;

    for (uint32_t n = call->attr.hadamard.size; n > 1; n /= 2)
        each += 1.0;
    return each * (double)fpx_tensor_count(&call->in[0]);
}

#ifdef FPX_HAVE_AVX2
#define BOUND(name) .bound = (name), .bound_avx2 = (name##_avx2)
#else
#define BOUND(name) .bound = (name)
#endif
#define OP(count) .info = { .flops = (count), .bound = op_bound, .bound_scratch = op_scratch }

static const op_row rows[FPX_OP_KINDS] = {
    [FPX_OP_EMBED] = { OP(flops_rowwise), .flops = 0, .bound = op_bound_embed },
    [FPX_OP_EMBED_GRAD] = { OP(flops_rowwise), .flops = 1, .flops_in = 1,
                            BOUND(op_bound_embed_grad), .scratch = op_scratch_vocabulary },
    [FPX_OP_RMSNORM] = { OP(flops_rowwise), .flops = 4, BOUND(op_bound_rmsnorm) },
    [FPX_OP_RMSNORM_GRAD] = { OP(flops_rowwise), .flops = 10, BOUND(op_bound_rmsnorm_grad),
                              .scratch = op_scratch_columns },
    [FPX_OP_GEMM] = { OP(flops_gemm), BOUND(op_bound_gemm), .scratch = op_scratch_gemm },
    /* Of 3 elements, 2 are rotated: 3 operations each. */
    [FPX_OP_ROPE] = { OP(flops_rowwise), .flops = 2, BOUND(op_bound_rope) },
    [FPX_OP_ROPE_GRAD] = { OP(flops_rowwise), .flops = 6, BOUND(op_bound_rope_grad) },
    [FPX_OP_SOFTMAX] = { OP(flops_softmax), .flops = 6, BOUND(op_bound_softmax),
                         .scratch = op_scratch_rows },
    [FPX_OP_SOFTMAX_GRAD] = { OP(flops_softmax), .flops = 5, BOUND(op_bound_softmax_grad) },
    [FPX_OP_MERGE_HEADS] = { OP(flops_rowwise), .flops = 0, .bound = op_bound_heads },
    [FPX_OP_SPLIT_HEADS] = { OP(flops_rowwise), .flops = 0, .bound = op_bound_heads },
    [FPX_OP_SWIGLU] = { OP(flops_rowwise), .flops = 2.5, BOUND(op_bound_swiglu) },
    [FPX_OP_SWIGLU_GRAD] = { OP(flops_rowwise), .flops = 6, BOUND(op_bound_swiglu_grad) },
    [FPX_OP_GELU] = { OP(flops_rowwise), .flops = 9, BOUND(op_bound_gelu) },
    [FPX_OP_GELU_GRAD] = { OP(flops_rowwise), .flops = 18, BOUND(op_bound_gelu_grad) },
    [FPX_OP_ADD] = { OP(flops_rowwise), .flops = 1, BOUND(op_bound_add) },
    [FPX_OP_XENT] = { OP(flops_rowwise), .flops = 4, BOUND(op_bound_xent) },
    [FPX_OP_XENT_GRAD] = { OP(flops_rowwise), .flops = 3, BOUND(op_bound_xent_grad) },
    [FPX_OP_SCALE] = { OP(flops_rowwise), .flops = 1, .bound = op_bound_none },
    [FPX_OP_QUANTIZE] = { OP(flops_rowwise), .flops = 1, BOUND(op_bound_quantize) },
    [FPX_OP_SUMSQ] = { OP(flops_rowwise), .flops = 2, BOUND(op_bound_sumsq) },
    [FPX_OP_CLIP] = { OP(flops_rowwise), .flops = 3, BOUND(op_bound_clip) },
    [FPX_OP_ADAMW] = { OP(flops_rowwise), .flops = 16, BOUND(op_bound_adamw) },
    [FPX_OP_QUANTIZE_RANDOM] = { OP(flops_rowwise), .flops = 1, BOUND(op_bound_quantize) },
    /* A maximum and a multiplication. */
    [FPX_OP_QUANTIZE_BLOCK] = { OP(flops_rowwise), .flops = 2, .bound = op_bound_none },
    [FPX_OP_QUANTIZE_BLOCK_RANDOM] = { OP(flops_rowwise), .flops = 2, .bound = op_bound_none },
    [FPX_OP_SCALE_DELAYED] = { OP(flops_rowwise), .flops = 1, .flops_in = 1,
                               .bound = op_bound_none },
    [FPX_OP_HADAMARD] = { OP(flops_hadamard), .bound = op_bound_hadamard },
    [FPX_OP_SGD] = { OP(flops_rowwise), .flops = 7, BOUND(op_bound_sgd) },
    [FPX_OP_LION] = { OP(flops_rowwise), .flops = 12, BOUND(op_bound_lion) },
    [FPX_OP_DIVIDE] = { OP(flops_rowwise), .flops = 1, BOUND(op_bound_divide) },
    [FPX_OP_DEQUANTIZE] = { OP(flops_rowwise), .flops = 1, BOUND(op_bound_dequantize) },
    [FPX_OP_QUANTIZE_COAT] = { OP(flops_rowwise), .flops = 5, .bound = op_bound_none },
    [FPX_OP_DEQUANTIZE_COAT] = { OP(flops_rowwise), .flops = 5, .bound = op_bound_none },
    /* Two comparisons and a multiplication. */
    [FPX_OP_QUANTIZE_BLOCK_GRAD] = { OP(flops_rowwise), .flops = 3,
                                     BOUND(op_bound_quantize_block_grad) },
    [FPX_OP_DGE] = { OP(flops_rowwise), .flops = 9, .bound = op_bound_dge },
    [FPX_OP_CLAMP] = { OP(flops_rowwise), .flops = 2, .bound = op_bound_clamp,
                       .scratch = op_scratch_clamp },
    /* The sum and the residuals; how many of these are multiplied, only the data says. */
    [FPX_OP_ADD_RESIDUAL] = { OP(flops_rowwise), .flops = 1, .flops_in = 1,
                              .bound = op_bound_add_residual, .scratch = op_scratch_add_residual },
    /* It compares codes. */
    [FPX_OP_SCALE_FACTOR] = { OP(flops_rowwise), .flops = 0, .bound = op_bound_none },
    [FPX_OP_DROPOUT] = { OP(flops_rowwise), .flops = 1, BOUND(op_bound_dropout) },
    [FPX_OP_LOGP] = { OP(flops_rowwise), .flops = 4, BOUND(op_bound_logp) },
    [FPX_OP_LOGP_GRAD] = { OP(flops_rowwise), .flops = 3, BOUND(op_bound_logp_grad) },
    [FPX_OP_DPO] = { OP(flops_rowwise), .flops = 7, BOUND(op_bound_dpo) },
};

const op_row *op_row_of(uint32_t kind)
{
    return &rows[kind];
}

const fpx_op_info *fpx_op_info_of(fpx_op_kind kind)
{
    /* Through size_t: an enumeration may be signed. */
    return (size_t)kind < FPX_OP_KINDS ? &rows[kind].info : NULL;
}

const char *fpx_role_name(fpx_role role)
{
    static const char *const names[FPX_ROLES] = {
        [FPX_FPROP] = "fprop",         [FPX_DGRAD] = "dgrad", [FPX_WGRAD] = "wgrad",
        [FPX_OPTIMIZER] = "optimizer", [FPX_COMM] = "comm",
    };

    return (size_t)role < FPX_ROLES ? names[role] : NULL;
}
