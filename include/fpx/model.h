/* fpx/model.h - from model and recipe to the step program of a decoder-only transformer.
 *
 *   x = embed(tokens)
 *   each layer:  x += out(attention(rope(qkv(rmsnorm(x)))));  x += down(act(up(rmsnorm(x))))
 *   loss = cross_entropy(head(rmsnorm(x)), targets), or DPO's of the targets' log-probabilities
 *
 * All weights are [outputs, inputs], y = x W^T, no biases. Names: "layer.0/attn.qkv/fprop" is an
 * operation, "layer.0/attn.qkv/y" its output, ".../w" the weight, ".../dw" its gradient, ".../w.m" and
 * ".../w.v" its moments, ".../x.e4m3" a quantized operand, ".../x.e4m3.scale" its scale. With blocks: ".../x.e2m1.nvfp4.row"
 * where they lie along rows (".col": columns), ".../x.e2m1.nvfp4.row.scales" their scales. Rotated along rows, then
 * quantized: ".../x.h16.row", ".../x.h16.e4m3.row". Short forms where a name would not fit: docs/experiment-format.md. */
#ifndef FPX_MODEL_H
#define FPX_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/config.h>
#include <fpx/program.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One of the step's micro-batches. Where there are several, its names begin with "micro.N/", and what is made of
 * parameters alone is made by the first. */
typedef struct fpx_micro_batch {
    uint32_t tokens, targets; /* int32[B*T] inputs */
    uint32_t draw; /* int32[2] input: step, micro-batch; FPX_NO_TENSOR where nothing is random */
    uint32_t end;  /* the operation after its last */
    /* Of data.kind preference, else FPX_NO_TENSOR: log-probabilities of the B sequences, fp32[B], by the reference (an
     * input) and by this model; the margins of their pairs, fp32[B / 2]. */
    uint32_t reference, logp, margin;
} fpx_micro_batch;

typedef struct fpx_model {
    fpx_program *program;
    fpx_micro_batch *micro; /* [accumulate]; one without training */
    uint32_t accumulate;
    uint32_t
        count; /* fp32[1] input: targets, or pairs, of the whole step; where there are several micro-batches */
    uint32_t hyper;      /* fp32[3]: learning rate, 1/(1-beta1^t), 1/(1-beta2^t); training only */
    uint32_t logits;     /* fp32[B*T, V] */
    uint32_t loss;       /* fp32[1]: mean over tokens, or pairs, in nats */
    uint32_t norm;       /* fp32[1]: gradient norm before clipping; training only */
    uint64_t parameters; /* trained values */
} fpx_model;

/* training 0: forward pass only, with the same names and tensors for parameters. batch and sequence
 * override the experiment's where not 0. FPX_EINVAL: an impossible shape, a rule of the recipe
 * that matches nothing, or that an operation refuses, with text. */
fpx_status fpx_model_build(const fpx_experiment *experiment, const fpx_recipe *recipe, int training,
                           uint32_t batch, uint32_t sequence, fpx_model **ret_model,
                           fpx_error *err);
void fpx_model_free(fpx_model *model); /* NULL is fine */

#ifdef __cplusplus
}
#endif

#endif /* FPX_MODEL_H */
