/* op_shape.c - what each kind takes: names, arity, formats and shapes, in the order of fpx/accel.h. */
#include "op_pattern.h"

static const op_pattern patterns[FPX_OP_KINDS] = {
    [FPX_OP_EMBED] = {
        .shape = { .name = "embed", .min_in = 2, .max_in = 2, .nout = 1,
                   .in_names = { "tokens", "table" }, .out_names = { "y" } },
        .in = { "i[M]", "r[V,C]" }, .out = { "r[M,C]" },
    },
    [FPX_OP_EMBED_GRAD] = {
        .shape = { .name = "embed_grad", .min_in = 2, .max_in = 2, .nout = 1,
                   .in_names = { "tokens", "dy" }, .out_names = { "dtable" } },
        .in = { "i[M]", "r[M,C]" }, .out = { "r[V,C]" },
        .attr = op_attr_tokens,
    },
    [FPX_OP_RMSNORM] = {
        .shape = { .name = "rmsnorm", .min_in = 2, .max_in = 2, .nout = 2,
                   .in_names = { "x", "gain" }, .out_names = { "y", "rstd" } },
        .in = { "r[M,C]", "r[C]" }, .out = { "r[M,C]", "r[M]" },
        .attr = op_attr_rmsnorm,
    },
    [FPX_OP_RMSNORM_GRAD] = {
        .shape = { .name = "rmsnorm_grad", .min_in = 4, .max_in = 4, .nout = 2,
                   .in_names = { "x", "gain", "rstd", "dy" }, .out_names = { "dx", "dgain" } },
        .in = { "r[M,C]", "r[C]", "r[M]", "r[M,C]" }, .out = { "r[M,C]", "r[C]" },
        .attr = op_attr_rmsnorm,
    },
    [FPX_OP_GEMM] = {
        .shape = { .name = "gemm", .min_in = 2, .max_in = 2, .nout = 1,
                   .in_names = { "a", "b" }, .out_names = { "d" } },
        .patterns = op_gemm_patterns,
        .attr = op_attr_gemm,
    },
    [FPX_OP_ROPE] = {
        .shape = { .name = "rope", .min_in = 1, .max_in = 1, .nout = 3,
                   .in_names = { "qkv" }, .out_names = { "q", "k", "v" } },
        .in = { "r[BT,3HD]" }, .out = { "r[B,H,T,D]", "r[B,H,T,D]", "r[B,H,T,D]" },
        .attr = op_attr_rope,
    },
    [FPX_OP_ROPE_GRAD] = {
        .shape = { .name = "rope_grad", .min_in = 3, .max_in = 3, .nout = 1,
                   .in_names = { "dq", "dk", "dv" }, .out_names = { "dqkv" } },
        .in = { "r[B,H,T,D]", "r[B,H,T,D]", "r[B,H,T,D]" }, .out = { "r[BT,3HD]" },
        .attr = op_attr_rope,
    },
    [FPX_OP_SOFTMAX] = {
        .shape = { .name = "softmax", .min_in = 1, .max_in = 1, .nout = 1,
                   .in_names = { "s" }, .out_names = { "p" } },
        .in = { "r[B,H,T,T]" }, .out = { "r[B,H,T,T]" },
        .attr = op_attr_softmax,
    },
    [FPX_OP_SOFTMAX_GRAD] = {
        .shape = { .name = "softmax_grad", .min_in = 2, .max_in = 2, .nout = 1,
                   .in_names = { "p", "dp" }, .out_names = { "ds" } },
        .in = { "r[B,H,T,T]", "r[B,H,T,T]" }, .out = { "r[B,H,T,T]" },
        .attr = op_attr_softmax,
    },
    [FPX_OP_MERGE_HEADS] = {
        .shape = { .name = "merge_heads", .min_in = 1, .max_in = 1, .nout = 1,
                   .in_names = { "x" }, .out_names = { "y" } },
        .in = { "r[B,H,T,D]" }, .out = { "r[BT,HD]" },
    },
    [FPX_OP_SPLIT_HEADS] = {
        .shape = { .name = "split_heads", .min_in = 1, .max_in = 1, .nout = 1,
                   .in_names = { "x" }, .out_names = { "y" } },
        .in = { "r[BT,HD]" }, .out = { "r[B,H,T,D]" },
    },
    [FPX_OP_SWIGLU] = {
        .shape = { .name = "swiglu", .min_in = 1, .max_in = 1, .nout = 1,
                   .in_names = { "gu" }, .out_names = { "y" } },
        .in = { "r[M,2F]" }, .out = { "r[M,F]" },
    },
    [FPX_OP_SWIGLU_GRAD] = {
        .shape = { .name = "swiglu_grad", .min_in = 2, .max_in = 2, .nout = 1,
                   .in_names = { "gu", "dy" }, .out_names = { "dgu" } },
        .in = { "r[M,2F]", "r[M,F]" }, .out = { "r[M,2F]" },
    },
    [FPX_OP_GELU] = {
        .shape = { .name = "gelu", .min_in = 1, .max_in = 1, .nout = 1,
                   .in_names = { "x" }, .out_names = { "y" } },
        .in = { "r[M,F]" }, .out = { "r[M,F]" },
    },
    [FPX_OP_GELU_GRAD] = {
        .shape = { .name = "gelu_grad", .min_in = 2, .max_in = 2, .nout = 1,
                   .in_names = { "x", "dy" }, .out_names = { "dx" } },
        .in = { "r[M,F]", "r[M,F]" }, .out = { "r[M,F]" },
    },
    [FPX_OP_ADD] = {
        .shape = { .name = "add", .min_in = 2, .max_in = 2, .nout = 1,
                   .in_names = { "a", "b" }, .out_names = { "y" } },
        .in = { "r[*]", "r[*]" }, .out = { "r[*]" },
    },
    [FPX_OP_XENT] = {
        .shape = { .name = "xent", .min_in = 2, .max_in = 2, .nout = 2,
                   .in_names = { "logits", "targets" }, .out_names = { "loss", "lse" } },
        .in = { "r[M,V]", "i[M]" }, .out = { "r[1]", "r[M]" },
        .attr = op_attr_tokens,
    },
    [FPX_OP_XENT_GRAD] = {
        .shape = { .name = "xent_grad", .min_in = 3, .max_in = 4, .nout = 1,
                   .in_names = { "logits", "targets", "lse", "count" }, .out_names = { "dlogits" } },
        .in = { "r[M,V]", "i[M]", "r[M]", "r[1]" }, .out = { "r[M,V]" },
        .attr = op_attr_tokens,
    },
    [FPX_OP_SCALE] = {
        .shape = { .name = "scale", .min_in = 1, .max_in = 2, .nout = 1,
                   .in_names = { "x", "factor" }, .out_names = { "scale" } },
        .in = { "r[*]", "r[2]" }, .out = { "r[2]" },
        .attr = op_attr_scale,
    },
    [FPX_OP_QUANTIZE] = {
        .shape = { .name = "quantize", .min_in = 1, .max_in = 2, .nout = 1,
                   .in_names = { "x", "scale" }, .out_names = { "codes" } },
        .in = { "r[*]", "r[2]" }, .out = { "q[*]" },
        .attr = op_attr_quantize,
    },
    [FPX_OP_SUMSQ] = {
        .shape = { .name = "sumsq", .min_in = 1, .max_in = 2, .nout = 1,
                   .in_names = { "x", "total" }, .out_names = { "total" } },
        .in = { "r[*]", "d[1]" }, .out = { "d[1]" },
    },
    [FPX_OP_CLIP] = {
        .shape = { .name = "clip", .min_in = 1, .max_in = 1, .nout = 2,
                   .in_names = { "total" }, .out_names = { "factor", "norm" } },
        .in = { "d[1]" }, .out = { "r[1]", "r[1]" },
        .attr = op_attr_clip,
    },
    [FPX_OP_ADAMW] = {
        .shape = { .name = "adamw", .min_in = 6, .max_in = 6, .nout = 3, .in_place = 7,
                   .in_names = { "param", "m", "v", "grad", "factor", "hyper" }, .out_names = { "param", "m", "v" } },
        .in = { "r[*]", "r[*]", "r[*]", "r[*]", "r[1]", "r[3]" }, .out = { "r[*]", "r[*]", "r[*]" },
        .attr = op_attr_adamw,
    },
    [FPX_OP_QUANTIZE_RANDOM] = {
        .shape = { .name = "quantize_random", .min_in = 2, .max_in = 3, .nout = 1,
                   .in_names = { "x", "draw", "scale" }, .out_names = { "codes" } },
        .in = { "r[*]", "i[2]", "r[2]" }, .out = { "q[*]" },
        .attr = op_attr_quantize_random,
    },
    [FPX_OP_QUANTIZE_BLOCK] = {
        .shape = { .name = "quantize_block", .min_in = 1, .max_in = 2, .nout = 2,
                   .in_names = { "x", "scale" }, .out_names = { "codes", "scales" } },
        .in = { "r[R,C]", "r[2]" }, .out = { "q[R,C]", "q[P,Q]" },
        .attr = op_attr_quantize_block,
    },
    [FPX_OP_QUANTIZE_BLOCK_RANDOM] = {
        .shape = { .name = "quantize_block_random", .min_in = 2, .max_in = 3, .nout = 2,
                   .in_names = { "x", "draw", "scale" }, .out_names = { "codes", "scales" } },
        .in = { "r[R,C]", "i[2]", "r[2]" }, .out = { "q[R,C]", "q[P,Q]" },
        .attr = op_attr_quantize_block,
    },
    [FPX_OP_HADAMARD] = {
        .shape = { .name = "hadamard", .min_in = 1, .max_in = 2, .nout = 1,
                   .in_names = { "x", "draw" }, .out_names = { "y" } },
        .in = { "r[R,C]", "i[2]" }, .out = { "r[R,C]" },
        .attr = op_attr_hadamard,
    },
    [FPX_OP_SCALE_DELAYED] = {
        .shape = { .name = "scale_delayed", .min_in = 2, .max_in = 2, .nout = 2, .in_place = 1,
                   .in_names = { "history", "x" }, .out_names = { "history", "scale" } },
        .in = { "r[W]", "r[*]" }, .out = { "r[W]", "r[2]" },
        .attr = op_attr_delayed,
    },
    [FPX_OP_SGD] = {
        .shape = { .name = "sgd", .min_in = 5, .max_in = 5, .nout = 2, .in_place = 3,
                   .in_names = { "param", "m", "grad", "factor", "hyper" }, .out_names = { "param", "m" } },
        .in = { "r[*]", "r[*]", "r[*]", "r[1]", "r[3]" }, .out = { "r[*]", "r[*]" },
        .attr = op_attr_sgd,
    },
    [FPX_OP_LION] = {
        .shape = { .name = "lion", .min_in = 5, .max_in = 5, .nout = 2, .in_place = 3,
                   .in_names = { "param", "m", "grad", "factor", "hyper" }, .out_names = { "param", "m" } },
        .in = { "r[*]", "r[*]", "r[*]", "r[1]", "r[3]" }, .out = { "r[*]", "r[*]" },
        .attr = op_attr_lion,
    },
    [FPX_OP_DIVIDE] = {
        .shape = { .name = "divide", .min_in = 2, .max_in = 2, .nout = 1,
                   .in_names = { "a", "b" }, .out_names = { "y" } },
        .in = { "r[*]", "r[1]" }, .out = { "r[*]" },
    },
    [FPX_OP_DEQUANTIZE] = {
        .shape = { .name = "dequantize", .min_in = 1, .max_in = 1, .nout = 1,
                   .in_names = { "codes" }, .out_names = { "x" } },
        .in = { "g[*]" }, .out = { "r[*]" },
    },
    [FPX_OP_QUANTIZE_COAT] = {
        .shape = { .name = "quantize_coat", .min_in = 1, .max_in = 1, .nout = 2,
                   .in_names = { "x" }, .out_names = { "codes", "groups" } },
        .in = { "r[*]" }, .out = { "q[*]", "r[G,3]" },
        .attr = op_attr_coat,
    },
    [FPX_OP_DEQUANTIZE_COAT] = {
        .shape = { .name = "dequantize_coat", .min_in = 2, .max_in = 2, .nout = 1,
                   .in_names = { "codes", "groups" }, .out_names = { "x" } },
        .in = { "q[*]", "r[G,3]" }, .out = { "r[*]" },
        .attr = op_attr_coat,
    },
    [FPX_OP_QUANTIZE_BLOCK_GRAD] = {
        .shape = { .name = "quantize_block_grad", .min_in = 3, .max_in = 3, .nout = 1,
                   .in_names = { "codes", "x", "dy" }, .out_names = { "dx" } },
        .in = { "g[R,C]", "r[R,C]", "r[R,C]" }, .out = { "r[R,C]" },
    },
    [FPX_OP_DGE] = {
        .shape = { .name = "dge", .min_in = 2, .max_in = 2, .nout = 1,
                   .in_names = { "dw", "w" }, .out_names = { "dw" } },
        .in = { "r[R,C]", "r[R,C]" }, .out = { "r[R,C]" },
        .attr = op_attr_dge,
    },
    [FPX_OP_CLAMP] = {
        .shape = { .name = "clamp", .min_in = 1, .max_in = 1, .nout = 1,
                   .in_names = { "x" }, .out_names = { "y" } },
        .in = { "r[R,C]" }, .out = { "r[R,C]" },
        .attr = op_attr_clamp,
    },
    [FPX_OP_ADD_RESIDUAL] = {
        .shape = { .name = "add_residual", .min_in = 4, .max_in = 4, .nout = 1,
                   .in_names = { "base", "x", "y", "w" }, .out_names = { "d" } },
        .in = { "r[M,N]", "r[M,K]", "r[M,K]", "g[N,K]" }, .out = { "r[M,N]" },
    },
    [FPX_OP_SCALE_FACTOR] = {
        .shape = { .name = "scale_factor", .min_in = 2, .max_in = 2, .nout = 1, .in_place = 1,
                   .in_names = { "factor", "codes" }, .out_names = { "factor" } },
        .in = { "r[2]", "q[*]" }, .out = { "r[2]" },
        .attr = op_attr_factor,
    },
    [FPX_OP_DROPOUT] = {
        .shape = { .name = "dropout", .min_in = 2, .max_in = 2, .nout = 1,
                   .in_names = { "x", "draw" }, .out_names = { "y" } },
        .in = { "r[*]", "i[2]" }, .out = { "r[*]" },
        .attr = op_attr_dropout,
    },
    [FPX_OP_LOGP] = {
        .shape = { .name = "logp", .min_in = 2, .max_in = 2, .nout = 2,
                   .in_names = { "logits", "targets" }, .out_names = { "logp", "lse" } },
        .in = { "r[M,V]", "i[M]" }, .out = { "r[B]", "r[M]" },
        .attr = op_attr_logp,
    },
    [FPX_OP_LOGP_GRAD] = {
        .shape = { .name = "logp_grad", .min_in = 4, .max_in = 4, .nout = 1,
                   .in_names = { "logits", "targets", "lse", "dlogp" }, .out_names = { "dlogits" } },
        .in = { "r[M,V]", "i[M]", "r[M]", "r[B]" }, .out = { "r[M,V]" },
        .attr = op_attr_logp,
    },
    [FPX_OP_DPO] = {
        .shape = { .name = "dpo", .min_in = 2, .max_in = 3, .nout = 3,
                   .in_names = { "logp", "reference", "count" }, .out_names = { "loss", "dlogp", "margin" } },
        .in = { "r[2P]", "r[2P]", "r[1]" }, .out = { "r[1]", "r[2P]", "r[P]" },
        .attr = op_attr_dpo,
    },
};

const op_pattern *op_pattern_of(uint32_t kind)
{
    return &patterns[kind];
}

const fpx_op_shape *fpx_op_shape_of(fpx_op_kind kind)
{
    /* Through size_t: an enumeration may be signed. */
    return (size_t)kind < FPX_OP_KINDS ? &patterns[kind].shape : NULL;
}
