/* ops_cases.h - one call of every operation kind on random data, of odd sizes, large enough to be split
 * among threads: what is run on every variant of the device. */
#ifndef FPX_TESTS_OPS_CASES_H
#define FPX_TESTS_OPS_CASES_H

#include "ops_cases_real.h"

static inline fpx_call case_scale(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_SCALE);

    add_in(&c, uniform(f, real, 1e-3, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(2)));
    c.attr.scale.target = fpx_e4m3;
    return c;
}

static inline fpx_call case_quantize(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_QUANTIZE);
    const fpx_tensor scale = new_tensor(f, real, SHAPE(2));

    add_in(&c, uniform(f, real, 3, SHAPE(CM, CF)));
    add_in(&c, scale);
    set(f, &scale, 0, 150.3);
    set(f, &scale, 1, 1.0 / 150.3);
    add_out(&c, decoded_by(new_tensor(f, &fpx_e4m3, SHAPE(CM, CF)), &scale));
    return c;
}

static inline fpx_call case_cast(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_QUANTIZE);

    add_in(&c, uniform(f, real, 3, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, &fpx_bf16, SHAPE(CM, CF)));
    return c;
}

static inline fpx_call case_identity(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_QUANTIZE);

    add_in(&c, uniform(f, real, 3, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    return c;
}

static inline fpx_call case_pow2(fixture *f, const fpx_format *real)
{
    fpx_call c = case_scale(f, real);

    c.attr.scale.rule = FPX_SCALE_POW2;
    return c;
}

static inline fpx_call case_dequantize(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_DEQUANTIZE);

    add_in(&c, codes(f, &fpx_e4m3, 0.3f, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    return c;
}

static inline fpx_call case_quantize_coat(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_QUANTIZE_COAT);

    add_in(&c, uniform(f, real, 3, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, &fpx_e4m3, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE((CM * CF + 127) / 128, 3)));
    return c;
}

static inline fpx_call case_dequantize_coat(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_DEQUANTIZE_COAT);
    fpx_tensor t = codes(f, &fpx_e4m3, 1.0f, SHAPE(CM, CF));

    t.nscales = 0;
    add_in(&c, t);
    add_in(&c, random_tensor(f, real, 1.5, 0.4, SHAPE((CM * CF + 127) / 128, 3)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    return c;
}

static inline fpx_call case_sumsq(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_SUMSQ);

    add_in(&c, uniform(f, real, 1, SHAPE(CM, CF)));
    add_in(&c, random_tensor(f, &fpx_fp64, 2, 1, SHAPE(1)));
    add_out(&c, new_tensor(f, &fpx_fp64, SHAPE(1)));
    return c;
}

static inline fpx_call case_clip(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_CLIP);

    add_in(&c, random_tensor(f, &fpx_fp64, 40, 1, SHAPE(1)));
    add_out(&c, new_tensor(f, real, SHAPE(1)));
    add_out(&c, new_tensor(f, real, SHAPE(1)));
    c.attr.clip.max_norm = 1.3;
    return c;
}

static inline fpx_call case_adamw(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_ADAMW);
    const fpx_tensor factor = random_tensor(f, real, 0.5, 0.1, SHAPE(1));
    const fpx_tensor hyper = new_tensor(f, real, SHAPE(3));

    add_in(&c, uniform(f, real, 1, SHAPE(CM, CF)));
    add_in(&c, uniform(f, real, 0.01, SHAPE(CM, CF)));
    add_in(&c, random_tensor(f, real, 1e-4, 1e-4, SHAPE(CM, CF)));
    add_in(&c, uniform(f, real, 0.02, SHAPE(CM, CF)));
    add_in(&c, factor);
    add_in(&c, hyper);
    for (int i = 0; i < 3; i++)
        add_out(&c, c.in[i]);
    set(f, &hyper, 0, 3e-4);
    set(f, &hyper, 1, 1.0 / (1.0 - 0.9 * 0.9));
    set(f, &hyper, 2, 1.0 / (1.0 - 0.95 * 0.95));
    c.attr.adamw.beta1 = 0.9;
    c.attr.adamw.beta2 = 0.95;
    c.attr.adamw.eps = 1e-8;
    c.attr.adamw.weight_decay = 0.1;
    return c;
}

static inline fpx_tensor case_draw(fixture *f)
{
    const fpx_tensor t = new_tensor(f, &fpx_int32, SHAPE(2));

    ((int32_t *)data_of(f, &t))[0] = 17;
    ((int32_t *)data_of(f, &t))[1] = 3;
    return t;
}

static inline fpx_call case_quantize_random(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_QUANTIZE_RANDOM);

    add_in(&c, uniform(f, real, 3, SHAPE(CM, CF)));
    add_in(&c, case_draw(f));
    add_out(&c, new_tensor(f, &fpx_e4m3, SHAPE(CM, CF)));
    c.attr.quantize.round = FPX_SR;
    c.attr.quantize.seed = 5;
    c.attr.quantize.site = UINT64_C(1) << 63;
    return c;
}

static inline fpx_call case_dropout(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_DROPOUT);

    add_in(&c, uniform(f, real, 3, SHAPE(CM, CF)));
    add_in(&c, case_draw(f));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    c.attr.dropout.rate = 0.3;
    c.attr.dropout.seed = 5;
    c.attr.dropout.site = 77;
    c.attr.dropout.first = 3;
    return c;
}

/* Some sequences have few targets. */
static inline fpx_call case_logp(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_LOGP);

    add_in(&c, uniform(f, real, 5, SHAPE(CM, CV)));
    add_in(&c, random_ids(f, CM, -300, CV));
    add_out(&c, new_tensor(f, real, SHAPE(CB)));
    add_out(&c, new_tensor(f, real, SHAPE(CM)));
    c.attr.tokens.leaf = CT;
    return c;
}

static inline fpx_call case_logp_grad(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_LOGP_GRAD);

    add_in(&c, uniform(f, real, 5, SHAPE(CM, CV)));
    add_in(&c, random_ids(f, CM, -7, CV));
    add_in(&c, random_tensor(f, real, 7, 0.5, SHAPE(CM)));
    add_in(&c, uniform(f, real, 0.1, SHAPE(CB)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CV)));
    c.attr.tokens.leaf = CT;
    return c;
}

static inline fpx_call case_dpo(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_DPO);

    add_in(&c, random_tensor(f, real, -90, 30, SHAPE(2 * CF)));
    add_in(&c, random_tensor(f, real, -90, 30, SHAPE(2 * CF)));
    add_out(&c, new_tensor(f, real, SHAPE(1)));
    add_out(&c, new_tensor(f, real, SHAPE(2 * CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CF)));
    c.attr.dpo.beta = 0.1;
    return c;
}

static inline fpx_call case_dpo_counted(fixture *f, const fpx_format *real)
{
    fpx_call c = case_dpo(f, real);
    const fpx_tensor count = new_tensor(f, real, SHAPE(1));

    set(f, &count, 0, 1000.0);
    add_in(&c, count);
    c.attr.dpo.sum = 1;
    return c;
}

#include "ops_cases_block.h"

static inline fpx_call case_hadamard(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_HADAMARD);

    add_in(&c, uniform(f, real, 3, SHAPE(CM, 96)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, 96)));
    c.attr.hadamard.size = 32;
    c.attr.hadamard.axis = 1;
    c.attr.hadamard.site = 4;
    return c;
}

static inline fpx_call case_hadamard_fresh(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_HADAMARD);

    add_in(&c, uniform(f, real, 3, SHAPE(128, CM)));
    add_in(&c, case_draw(f));
    add_out(&c, new_tensor(f, real, SHAPE(128, CM)));
    c.attr.hadamard.size = 128;
    c.attr.hadamard.site = 4;
    return c;
}

static inline fpx_call case_scale_delayed(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_SCALE_DELAYED);

    add_in(&c, random_tensor(f, real, 3, 1, SHAPE(2 + 16)));
    add_in(&c, uniform(f, real, 1e-3, SHAPE(CM, CF)));
    add_out(&c, c.in[0]);
    add_out(&c, new_tensor(f, real, SHAPE(2)));
    c.attr.delayed.target = fpx_e4m3;
    return c;
}

static inline fpx_call case_scale_times_factor(fixture *f, const fpx_format *real)
{
    fpx_call c = case_scale(f, real);

    c.attr.scale.rule = FPX_SCALE_POW2;
    add_in(&c, random_tensor(f, real, 1.5, 0.4, SHAPE(2)));
    return c;
}

static inline fpx_call case_scale_factor(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_SCALE_FACTOR);
    const fpx_tensor factor = new_tensor(f, real, SHAPE(2));

    set(f, &factor, 0, 0.7);
    add_in(&c, factor);
    add_in(&c, codes(f, &fpx_e4m3, 0.3f, SHAPE(CM, CF)));
    add_out(&c, c.in[0]);
    c.attr.factor.growth = 1.01;
    c.attr.factor.every = 10;
    return c;
}

static inline fpx_call case_adamw_apart(fixture *f, const fpx_format *real)
{
    fpx_call c = case_adamw(f, real);

    for (int i = 0; i < 3; i++)
        c.out[i] = new_tensor(f, real, SHAPE(CM, CF));
    return c;
}

static inline fpx_call case_with_momentum(fixture *f, const fpx_format *real, fpx_op_kind kind)
{
    fpx_call c = new_call(kind);
    const fpx_tensor factor = random_tensor(f, real, 0.5, 0.1, SHAPE(1));
    const fpx_tensor hyper = new_tensor(f, real, SHAPE(3));

    add_in(&c, uniform(f, real, 1, SHAPE(CM, CF)));
    add_in(&c, uniform(f, real, 0.01, SHAPE(CM, CF)));
    add_in(&c, uniform(f, real, 0.02, SHAPE(CM, CF)));
    add_in(&c, factor);
    add_in(&c, hyper);
    for (int i = 0; i < 2; i++)
        add_out(&c, c.in[i]);
    set(f, &hyper, 0, 3e-4);
    return c;
}

static inline fpx_call case_sgd(fixture *f, const fpx_format *real)
{
    fpx_call c = case_with_momentum(f, real, FPX_OP_SGD);

    c.attr.sgd.momentum = 0.9;
    c.attr.sgd.weight_decay = 0.1;
    return c;
}

static inline fpx_call case_lion(fixture *f, const fpx_format *real)
{
    fpx_call c = case_with_momentum(f, real, FPX_OP_LION);

    c.attr.lion.beta1 = 0.9;
    c.attr.lion.beta2 = 0.99;
    c.attr.lion.weight_decay = 0.1;
    return c;
}

static inline fpx_call case_hadamard_after(fixture *f, const fpx_format *real)
{
    fpx_call c = case_hadamard_fresh(f, real);

    c.attr.hadamard.signs = FPX_SIGNS_AFTER;
    return c;
}

static inline fpx_call case_dequantize_blocks(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_DEQUANTIZE);

    add_in(&c, blocked(f, &fpx_e4m3, &fpx_e8m0, 1, 32, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    return c;
}

static inline fpx_call case_quantize_block_grad(fixture *f, const fpx_format *real)
{
    fpx_call c = new_call(FPX_OP_QUANTIZE_BLOCK_GRAD);

    add_in(&c, blocked(f, &fpx_e2m1, &fpx_e8m0, 32, 1, SHAPE(CM, CF)));
    add_in(&c, uniform(f, real, 3, SHAPE(CM, CF)));
    add_in(&c, uniform(f, real, 1, SHAPE(CM, CF)));
    add_out(&c, new_tensor(f, real, SHAPE(CM, CF)));
    return c;
}

#include "ops_cases_remedy.h"

static const op_case op_cases[] = {
    { "embed", FPX_OP_EMBED, case_embed, 1, 0 },
    { "embed_grad", FPX_OP_EMBED_GRAD, case_embed_grad, 0, 0 },
    { "rmsnorm", FPX_OP_RMSNORM, case_rmsnorm, 0, 0 },
    { "rmsnorm_grad", FPX_OP_RMSNORM_GRAD, case_rmsnorm_grad, 0, 0 },
    { "gemm", FPX_OP_GEMM, case_gemm, 0, 0 },
    { "gemm of codes", FPX_OP_GEMM, case_gemm_codes, 0, 0 },
    { "batched gemm", FPX_OP_GEMM, case_gemm_batched, 0, 0 },
    { "rope", FPX_OP_ROPE, case_rope, 1, 0 }, /* v is moved */
    { "rope_grad", FPX_OP_ROPE_GRAD, case_rope_grad, 1, 0 },
    { "softmax", FPX_OP_SOFTMAX, case_softmax, 0, 0 },
    { "whole softmax", FPX_OP_SOFTMAX, case_softmax_whole, 0, 0 },
    { "softmax_grad", FPX_OP_SOFTMAX_GRAD, case_softmax_grad, 0, 0 },
    { "merge_heads", FPX_OP_MERGE_HEADS, case_merge, 1, 0 },
    { "split_heads", FPX_OP_SPLIT_HEADS, case_split, 1, 0 },
    { "swiglu", FPX_OP_SWIGLU, case_swiglu, 0, 0 },
    { "swiglu_grad", FPX_OP_SWIGLU_GRAD, case_swiglu_grad, 0, 0 },
    { "gelu", FPX_OP_GELU, case_gelu, 0, 0 },
    { "gelu_grad", FPX_OP_GELU_GRAD, case_gelu_grad, 0, 0 },
    { "add", FPX_OP_ADD, case_add, 0, 0 },
    { "xent", FPX_OP_XENT, case_xent, 0, 0 },
    { "xent_grad", FPX_OP_XENT_GRAD, case_xent_grad, 0, 0 },
    { "scale", FPX_OP_SCALE, case_scale, 0, 0 },
    { "quantize", FPX_OP_QUANTIZE, case_quantize, 0, 0 },
    { "cast", FPX_OP_QUANTIZE, case_cast, 0, 0 },
    { "identity", FPX_OP_QUANTIZE, case_identity, 1, 0 },
    { "sumsq", FPX_OP_SUMSQ, case_sumsq, 0, 1 },
    { "clip", FPX_OP_CLIP, case_clip, 0, 1 },
    { "adamw", FPX_OP_ADAMW, case_adamw, 0, 0 },
    { "quantize_random", FPX_OP_QUANTIZE_RANDOM, case_quantize_random, 0, 0 },
    { "quantize_block", FPX_OP_QUANTIZE_BLOCK, case_quantize_block, 0, 0 },
    { "quantize_block_random", FPX_OP_QUANTIZE_BLOCK_RANDOM, case_quantize_block_random, 0, 0 },
    { "scale_delayed", FPX_OP_SCALE_DELAYED, case_scale_delayed, 0, 0 },
    { "hadamard", FPX_OP_HADAMARD, case_hadamard, 0, 0 },
    { "hadamard of new signs", FPX_OP_HADAMARD, case_hadamard_fresh, 0, 0 },
    { "gemm of blocks", FPX_OP_GEMM, case_gemm_blocks, 0, 0 },
    { "gemm of tiles", FPX_OP_GEMM, case_gemm_tiles, 0, 0 },
    { "sgd", FPX_OP_SGD, case_sgd, 0, 0 },
    { "lion", FPX_OP_LION, case_lion, 0, 0 },
    { "summed xent", FPX_OP_XENT, case_xent_sum, 0, 0 },
    { "counted xent_grad", FPX_OP_XENT_GRAD, case_xent_grad_counted, 0, 0 },
    { "divide", FPX_OP_DIVIDE, case_divide, 0, 1 },
    { "adamw, not in place", FPX_OP_ADAMW, case_adamw_apart, 0, 0 },
    { "power of two", FPX_OP_SCALE, case_pow2, 0, 0 },
    { "dequantize", FPX_OP_DEQUANTIZE, case_dequantize, 0, 0 },
    { "quantize_coat", FPX_OP_QUANTIZE_COAT, case_quantize_coat, 0, 0 },
    { "dequantize_coat", FPX_OP_DEQUANTIZE_COAT, case_dequantize_coat, 0, 0 },
    { "hadamard, signs after", FPX_OP_HADAMARD, case_hadamard_after, 0, 0 },
    { "dequantize of blocks", FPX_OP_DEQUANTIZE, case_dequantize_blocks, 0, 0 },
    { "quantize_block_grad", FPX_OP_QUANTIZE_BLOCK_GRAD, case_quantize_block_grad, 0, 0 },
    { "dge", FPX_OP_DGE, case_dge, 0, 0 },
    { "dge of the code", FPX_OP_DGE, case_dge_ms_amp, 0, 0 },
    { "clamp", FPX_OP_CLAMP, case_clamp, 1, 0 },
    { "clamp of rows", FPX_OP_CLAMP, case_clamp_rows, 1, 0 },
    { "clamp of columns", FPX_OP_CLAMP, case_clamp_columns, 1, 0 },
    { "add_residual", FPX_OP_ADD_RESIDUAL, case_add_residual, 0, 0 },
    { "add_residual of codes", FPX_OP_ADD_RESIDUAL, case_add_residual_codes, 0, 0 },
    { "scale times factor", FPX_OP_SCALE, case_scale_times_factor, 0, 0 },
    { "scale_factor", FPX_OP_SCALE_FACTOR, case_scale_factor, 0, 0 },
    { "dropout", FPX_OP_DROPOUT, case_dropout, 0, 0 },
    { "logp", FPX_OP_LOGP, case_logp, 0, 0 },
    { "logp_grad", FPX_OP_LOGP_GRAD, case_logp_grad, 0, 0 },
    { "dpo", FPX_OP_DPO, case_dpo, 0, 1 },
    { "counted dpo", FPX_OP_DPO, case_dpo_counted, 0, 1 },
};

enum { OP_CASES = sizeof op_cases / sizeof op_cases[0] };

#endif /* FPX_TESTS_OPS_CASES_H */
