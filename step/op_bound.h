/* op_bound.h - the bound functions of the table's rows. */
#ifndef FPX_STEP_OP_BOUND_H
#define FPX_STEP_OP_BOUND_H

#include <fpx/optable.h>

size_t op_scratch_gemm(const fpx_call *call);
size_t op_scratch_rows(const fpx_call *call);
size_t op_scratch_columns(const fpx_call *call);
size_t op_scratch_vocabulary(const fpx_call *call);

void op_bound_embed(const fpx_bound_args *args);
void op_bound_embed_grad(const fpx_bound_args *args);
void op_bound_rmsnorm(const fpx_bound_args *args);
void op_bound_rmsnorm_grad(const fpx_bound_args *args);
void op_bound_gemm(const fpx_bound_args *args);
void op_bound_rope(const fpx_bound_args *args);
void op_bound_rope_grad(const fpx_bound_args *args);
void op_bound_softmax(const fpx_bound_args *args);
void op_bound_softmax_grad(const fpx_bound_args *args);
void op_bound_heads(const fpx_bound_args *args); /* MERGE_HEADS, SPLIT_HEADS */
void op_bound_swiglu(const fpx_bound_args *args);
void op_bound_swiglu_grad(const fpx_bound_args *args);
void op_bound_gelu(const fpx_bound_args *args);
void op_bound_gelu_grad(const fpx_bound_args *args);
void op_bound_add(const fpx_bound_args *args);
void op_bound_xent(const fpx_bound_args *args);
void op_bound_xent_grad(const fpx_bound_args *args);
void op_bound_hadamard(const fpx_bound_args *args);
void op_bound_none(const fpx_bound_args *args); /* nothing is claimed */
void op_bound_quantize(const fpx_bound_args *args);
void op_bound_sumsq(const fpx_bound_args *args);
void op_bound_clip(const fpx_bound_args *args);
void op_bound_adamw(const fpx_bound_args *args);
void op_bound_sgd(const fpx_bound_args *args);
void op_bound_lion(const fpx_bound_args *args);
void op_bound_divide(const fpx_bound_args *args);
void op_bound_dequantize(const fpx_bound_args *args);
void op_bound_quantize_block_grad(const fpx_bound_args *args);

size_t op_scratch_clamp(const fpx_call *call);
size_t op_scratch_add_residual(const fpx_call *call);
void op_bound_dge(const fpx_bound_args *args);
void op_bound_clamp(const fpx_bound_args *args);
void op_bound_add_residual(const fpx_bound_args *args);
void op_bound_dropout(const fpx_bound_args *args);
void op_bound_logp(const fpx_bound_args *args);
void op_bound_logp_grad(const fpx_bound_args *args);
void op_bound_dpo(const fpx_bound_args *args);

/* Of a product with a matrix unit: its scratch, and its bounds without the reference's own error. */
size_t op_unit_scratch(size_t m, size_t n);
void op_bound_unit(const fpx_bound_args *args, double *scratch);

#endif /* FPX_STEP_OP_BOUND_H */
