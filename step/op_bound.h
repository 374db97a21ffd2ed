/* op_bound.h - the bound functions of the table's rows. */
#ifndef FPX_STEP_OP_BOUND_H
#define FPX_STEP_OP_BOUND_H

#include <fpx/optable.h>

/* Loops over elements are compiled plain and (x86) with AVX2, where a name ends in _avx2: the same bits, for nothing is
 * fused and every sum has its order. Wherever those are not, the plain ones do. */
#ifdef STEP_AVX2
#define OP_BOUND_NAME(name) name##_avx2
#else
#define OP_BOUND_NAME(name) name
#endif
#define OP_BOUND(name)                                                                             \
    void name(const fpx_bound_args *args);                                                         \
    void name##_avx2(const fpx_bound_args *args)

size_t OP_BOUND_NAME(op_scratch_gemm)(const fpx_call *call);
size_t OP_BOUND_NAME(op_scratch_rows)(const fpx_call *call);
size_t OP_BOUND_NAME(op_scratch_columns)(const fpx_call *call);
size_t OP_BOUND_NAME(op_scratch_vocabulary)(const fpx_call *call);

void op_bound_embed(const fpx_bound_args *args);
OP_BOUND(op_bound_embed_grad);
OP_BOUND(op_bound_rmsnorm);
OP_BOUND(op_bound_rmsnorm_grad);
OP_BOUND(op_bound_gemm);
OP_BOUND(op_bound_rope);
OP_BOUND(op_bound_rope_grad);
OP_BOUND(op_bound_softmax);
OP_BOUND(op_bound_softmax_grad);
void op_bound_heads(const fpx_bound_args *args); /* MERGE_HEADS, SPLIT_HEADS */
OP_BOUND(op_bound_swiglu);
OP_BOUND(op_bound_swiglu_grad);
OP_BOUND(op_bound_gelu);
OP_BOUND(op_bound_gelu_grad);
OP_BOUND(op_bound_add);
OP_BOUND(op_bound_xent);
OP_BOUND(op_bound_xent_grad);
void op_bound_hadamard(const fpx_bound_args *args);
void op_bound_none(const fpx_bound_args *args); /* nothing is claimed */
OP_BOUND(op_bound_quantize);
OP_BOUND(op_bound_sumsq);
OP_BOUND(op_bound_clip);
OP_BOUND(op_bound_adamw);
OP_BOUND(op_bound_sgd);
OP_BOUND(op_bound_lion);
OP_BOUND(op_bound_divide);
OP_BOUND(op_bound_dequantize);
OP_BOUND(op_bound_quantize_block_grad);

size_t op_scratch_clamp(const fpx_call *call);
size_t op_scratch_add_residual(const fpx_call *call);
void op_bound_dge(const fpx_bound_args *args);
void op_bound_clamp(const fpx_bound_args *args);
void op_bound_add_residual(const fpx_bound_args *args);
OP_BOUND(op_bound_dropout);
OP_BOUND(op_bound_logp);
OP_BOUND(op_bound_logp_grad);
OP_BOUND(op_bound_dpo);

/* Of a product with a matrix unit: its scratch, and its bounds without the reference's own error. */
size_t op_unit_scratch(size_t m, size_t n);
void op_bound_unit(const fpx_bound_args *args, double *scratch);

#endif /* FPX_STEP_OP_BOUND_H */
