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

#define OP(label, least, most, outputs)                                                            \
    .name = (label), .min_in = (least), .max_in = (most), .nout = (outputs), .check = op_check,    \
    .bound = op_bound, .bound_scratch = op_scratch

static const op_row rows[FPX_OP_KINDS] = {
    [FPX_OP_EMBED] = {
        .info = { OP("embed", 2, 2, 1), .flops = flops_rowwise,
                  .in_names = { "tokens", "table" }, .out_names = { "y" } },
        .in = { "i[M]", "r[V,C]" }, .out = { "r[M,C]" },
        .flops = 0,
        .bound = op_bound_embed,
    },
    [FPX_OP_EMBED_GRAD] = {
        .info = { OP("embed_grad", 2, 2, 1), .flops = flops_rowwise,
                  .in_names = { "tokens", "dy" }, .out_names = { "dtable" } },
        .in = { "i[M]", "r[M,C]" }, .out = { "r[V,C]" }, .attr = op_attr_tokens,
        .flops = 1, .flops_in = 1,
        .bound = op_bound_embed_grad, .scratch = op_scratch_vocabulary,
    },
    [FPX_OP_RMSNORM] = {
        .info = { OP("rmsnorm", 2, 2, 2), .flops = flops_rowwise,
                  .in_names = { "x", "gain" }, .out_names = { "y", "rstd" } },
        .in = { "r[M,C]", "r[C]" }, .out = { "r[M,C]", "r[M]" }, .attr = op_attr_rmsnorm,
        .flops = 4,
        .bound = op_bound_rmsnorm,
    },
    [FPX_OP_RMSNORM_GRAD] = {
        .info = { OP("rmsnorm_grad", 4, 4, 2), .flops = flops_rowwise,
                  .in_names = { "x", "gain", "rstd", "dy" }, .out_names = { "dx", "dgain" } },
        .in = { "r[M,C]", "r[C]", "r[M]", "r[M,C]" }, .out = { "r[M,C]", "r[C]" },
        .attr = op_attr_rmsnorm, .flops = 10,
        .bound = op_bound_rmsnorm_grad, .scratch = op_scratch_columns,
    },
    [FPX_OP_GEMM] = {
        .info = { OP("gemm", 2, 2, 1), .flops = flops_gemm,
                  .in_names = { "a", "b" }, .out_names = { "d" } },
        .patterns = op_gemm_patterns, .attr = op_attr_gemm,
        .bound = op_bound_gemm, .scratch = op_scratch_gemm,
    },
    [FPX_OP_ROPE] = { /* of 3 elements, 2 are rotated: 3 operations each */
        .info = { OP("rope", 1, 1, 3), .flops = flops_rowwise,
                  .in_names = { "qkv" }, .out_names = { "q", "k", "v" } },
        .in = { "r[BT,3HD]" }, .out = { "r[B,H,T,D]", "r[B,H,T,D]", "r[B,H,T,D]" },
        .attr = op_attr_rope, .flops = 2,
        .bound = op_bound_rope,
    },
    [FPX_OP_ROPE_GRAD] = {
        .info = { OP("rope_grad", 3, 3, 1), .flops = flops_rowwise,
                  .in_names = { "dq", "dk", "dv" }, .out_names = { "dqkv" } },
        .in = { "r[B,H,T,D]", "r[B,H,T,D]", "r[B,H,T,D]" }, .out = { "r[BT,3HD]" },
        .attr = op_attr_rope, .flops = 6,
        .bound = op_bound_rope_grad,
    },
    [FPX_OP_SOFTMAX] = {
        .info = { OP("softmax", 1, 1, 1), .flops = flops_softmax,
                  .in_names = { "s" }, .out_names = { "p" } },
        .in = { "r[B,H,T,T]" }, .out = { "r[B,H,T,T]" }, .attr = op_attr_softmax,
        .flops = 6,
        .bound = op_bound_softmax, .scratch = op_scratch_rows,
    },
    [FPX_OP_SOFTMAX_GRAD] = {
        .info = { OP("softmax_grad", 2, 2, 1), .flops = flops_softmax,
                  .in_names = { "p", "dp" }, .out_names = { "ds" } },
        .in = { "r[B,H,T,T]", "r[B,H,T,T]" }, .out = { "r[B,H,T,T]" }, .attr = op_attr_softmax,
        .flops = 5,
        .bound = op_bound_softmax_grad,
    },
    [FPX_OP_MERGE_HEADS] = {
        .info = { OP("merge_heads", 1, 1, 1), .flops = flops_rowwise,
                  .in_names = { "x" }, .out_names = { "y" } },
        .in = { "r[B,H,T,D]" }, .out = { "r[BT,HD]" },
        .flops = 0,
        .bound = op_bound_heads,
    },
    [FPX_OP_SPLIT_HEADS] = {
        .info = { OP("split_heads", 1, 1, 1), .flops = flops_rowwise,
                  .in_names = { "x" }, .out_names = { "y" } },
        .in = { "r[BT,HD]" }, .out = { "r[B,H,T,D]" },
        .flops = 0,
        .bound = op_bound_heads,
    },
    [FPX_OP_SWIGLU] = {
        .info = { OP("swiglu", 1, 1, 1), .flops = flops_rowwise,
                  .in_names = { "gu" }, .out_names = { "y" } },
        .in = { "r[M,2F]" }, .out = { "r[M,F]" },
        .flops = 2.5,
        .bound = op_bound_swiglu,
    },
    [FPX_OP_SWIGLU_GRAD] = {
        .info = { OP("swiglu_grad", 2, 2, 1), .flops = flops_rowwise,
                  .in_names = { "gu", "dy" }, .out_names = { "dgu" } },
        .in = { "r[M,2F]", "r[M,F]" }, .out = { "r[M,2F]" },
        .flops = 6,
        .bound = op_bound_swiglu_grad,
    },
    [FPX_OP_GELU] = {
        .info = { OP("gelu", 1, 1, 1), .flops = flops_rowwise,
                  .in_names = { "x" }, .out_names = { "y" } },
        .in = { "r[M,F]" }, .out = { "r[M,F]" },
        .flops = 9,
        .bound = op_bound_gelu,
    },
    [FPX_OP_GELU_GRAD] = {
        .info = { OP("gelu_grad", 2, 2, 1), .flops = flops_rowwise,
                  .in_names = { "x", "dy" }, .out_names = { "dx" } },
        .in = { "r[M,F]", "r[M,F]" }, .out = { "r[M,F]" },
        .flops = 18,
        .bound = op_bound_gelu_grad,
    },
    [FPX_OP_ADD] = {
        .info = { OP("add", 2, 2, 1), .flops = flops_rowwise,
                  .in_names = { "a", "b" }, .out_names = { "y" } },
        .in = { "r[*]", "r[*]" }, .out = { "r[*]" },
        .flops = 1,
        .bound = op_bound_add,
    },
    [FPX_OP_XENT] = {
        .info = { OP("xent", 2, 2, 2), .flops = flops_rowwise,
                  .in_names = { "logits", "targets" }, .out_names = { "loss", "lse" } },
        .in = { "r[M,V]", "i[M]" }, .out = { "r[1]", "r[M]" }, .attr = op_attr_tokens,
        .flops = 4,
        .bound = op_bound_xent,
    },
    [FPX_OP_XENT_GRAD] = {
        .info = { OP("xent_grad", 3, 3, 1), .flops = flops_rowwise,
                  .in_names = { "logits", "targets", "lse" }, .out_names = { "dlogits" } },
        .in = { "r[M,V]", "i[M]", "r[M]" }, .out = { "r[M,V]" }, .attr = op_attr_tokens,
        .flops = 3,
        .bound = op_bound_xent_grad,
    },
    [FPX_OP_SCALE] = {
        .info = { OP("scale", 1, 1, 1), .flops = flops_rowwise,
                  .in_names = { "x" }, .out_names = { "scale" } },
        .in = { "r[*]" }, .out = { "r[2]" }, .attr = op_attr_scale,
        .flops = 1,
        .bound = op_bound_scale,
    },
    [FPX_OP_QUANTIZE] = {
        .info = { OP("quantize", 1, 2, 1), .flops = flops_rowwise,
                  .in_names = { "x", "scale" }, .out_names = { "codes" } },
        .in = { "r[*]", "r[2]" }, .out = { "q[*]" }, .attr = op_attr_quantize,
        .flops = 1,
        .bound = op_bound_quantize,
    },
    [FPX_OP_SUMSQ] = {
        .info = { OP("sumsq", 1, 2, 1), .flops = flops_rowwise,
                  .in_names = { "x", "total" }, .out_names = { "total" } },
        .in = { "r[*]", "d[1]" }, .out = { "d[1]" },
        .flops = 2,
        .bound = op_bound_sumsq,
    },
    [FPX_OP_CLIP] = {
        .info = { OP("clip", 1, 1, 2), .flops = flops_rowwise,
                  .in_names = { "total" }, .out_names = { "factor", "norm" } },
        .in = { "d[1]" }, .out = { "r[1]", "r[1]" }, .attr = op_attr_clip,
        .flops = 3,
        .bound = op_bound_clip,
    },
    [FPX_OP_ADAMW] = {
        .info = { OP("adamw", 6, 6, 3), .in_place = 7, .flops = flops_rowwise,
                  .in_names = { "param", "m", "v", "grad", "factor", "hyper" },
                  .out_names = { "param", "m", "v" } },
        .in = { "r[*]", "r[*]", "r[*]", "r[*]", "r[1]", "r[3]" },
        .out = { "r[*]", "r[*]", "r[*]" }, .attr = op_attr_adamw,
        .flops = 16,
        .bound = op_bound_adamw,
    },
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
