/* op_kernels.h - the functions of all operations of one instance, for op_table.c. */
#ifndef FPX_ACCEL_OP_KERNELS_H
#define FPX_ACCEL_OP_KERNELS_H

#include "op_real.h"

fpx_status OP(op_embed)(const op_run *run);
fpx_status OP(op_embed_grad)(const op_run *run);
fpx_status OP(op_rmsnorm)(const op_run *run);
fpx_status OP(op_rmsnorm_grad)(const op_run *run);
fpx_status OP(op_gemm)(const op_run *run);
fpx_status OP(op_rope)(const op_run *run);
fpx_status OP(op_rope_grad)(const op_run *run);
fpx_status OP(op_softmax)(const op_run *run);
fpx_status OP(op_softmax_grad)(const op_run *run);
fpx_status OP(op_merge_heads)(const op_run *run);
fpx_status OP(op_split_heads)(const op_run *run);
fpx_status OP(op_swiglu)(const op_run *run);
fpx_status OP(op_swiglu_grad)(const op_run *run);
fpx_status OP(op_gelu)(const op_run *run);
fpx_status OP(op_gelu_grad)(const op_run *run);
fpx_status OP(op_add)(const op_run *run);
fpx_status OP(op_xent)(const op_run *run);
fpx_status OP(op_xent_grad)(const op_run *run);
fpx_status OP(op_scale)(const op_run *run);
fpx_status OP(op_quantize)(const op_run *run);
fpx_status OP(op_quantize_block)(const op_run *run);
fpx_status OP(op_hadamard)(const op_run *run);
fpx_status OP(op_scale_delayed)(const op_run *run);
fpx_status OP(op_sumsq)(const op_run *run);
fpx_status OP(op_clip)(const op_run *run);
fpx_status OP(op_adamw)(const op_run *run);
fpx_status OP(op_sgd)(const op_run *run);
fpx_status OP(op_lion)(const op_run *run);
fpx_status OP(op_divide)(const op_run *run);
fpx_status OP(op_dequantize)(const op_run *run);
fpx_status OP(op_quantize_coat)(const op_run *run);
fpx_status OP(op_dequantize_coat)(const op_run *run);
fpx_status OP(op_quantize_block_grad)(const op_run *run);
fpx_status OP(op_dge)(const op_run *run);
fpx_status OP(op_clamp)(const op_run *run);
fpx_status OP(op_add_residual)(const op_run *run);
fpx_status OP(op_scale_factor)(const op_run *run);
fpx_status OP(op_dropout)(const op_run *run);
fpx_status OP(op_logp)(const op_run *run);
fpx_status OP(op_logp_grad)(const op_run *run);
fpx_status OP(op_dpo)(const op_run *run);

size_t OP(op_embed_grad_work)(const op_run *run);
size_t OP(op_rmsnorm_grad_work)(const op_run *run);
size_t OP(op_gemm_work)(const op_run *run);
size_t OP(op_xent_work)(const op_run *run);
size_t OP(op_scale_work)(const op_run *run);
size_t OP(op_dpo_work)(const op_run *run);
size_t OP(op_quantize_block_work)(const op_run *run);
size_t OP(op_dequantize_work)(const op_run *run);
size_t OP(op_clamp_work)(const op_run *run);
size_t OP(op_add_residual_work)(const op_run *run);
size_t OP(op_scale_factor_work)(const op_run *run);

fpx_status OP(op_gemm_accept)(const op_run *run);
fpx_status OP(op_quantize_accept)(const op_run *run);
fpx_status OP(op_quantize_block_accept)(const op_run *run);
fpx_status OP(op_dequantize_accept)(const op_run *run);
fpx_status OP(op_coat_accept)(const op_run *run);
fpx_status OP(op_quantize_block_grad_accept)(const op_run *run);
fpx_status OP(op_add_residual_accept)(const op_run *run);
fpx_status OP(op_scale_factor_accept)(const op_run *run);

size_t OP(op_rope_table_bytes)(const fpx_call *call, uint64_t key[4]);
void OP(op_rope_table_fill)(const fpx_call *call, void *table);

#endif /* FPX_ACCEL_OP_KERNELS_H */
