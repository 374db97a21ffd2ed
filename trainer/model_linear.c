/* model_linear.c - a linear layer as quantizers (model_quantize.c) and matrix multiplications: three roles, each operand
 * quantized as the recipe says. */
#include <stdio.h>

#include "model_build.h"

/* The transform that made an operand, or its source; NULL: none. */
static const fpx_program_op *transform_of(const build *b, uint32_t operand)
{
    const fpx_program_tensor *t = fpx_program_tensor_at(b->program, operand);

    if (t->unquantized != FPX_NO_TENSOR)
        t = fpx_program_tensor_at(b->program, t->unquantized);
    if (t->producer == FPX_NO_TENSOR)
        return NULL;
    const fpx_program_op *op = fpx_program_op_at(b->program, t->producer);
    return op->kind == FPX_OP_HADAMARD ? op : NULL;
}

/* Same size and signs, drawn from the same place. */
static int same_transform(const build *b, uint32_t one, uint32_t other)
{
    const fpx_program_op *x = transform_of(b, one), *y = transform_of(b, other);

    if (x == NULL || y == NULL)
        return x == y;
    return x->attr.hadamard.size == y->attr.hadamard.size &&
           x->attr.hadamard.signs == y->attr.hadamard.signs && x->nin == y->nin &&
           (x->nin < 2 || x->in[1] == y->in[1]);
}

static void multiply(build *b, const linear *l, fpx_role role, uint32_t a, uint32_t x, uint32_t d,
                     uint32_t trans_a, uint32_t trans_b, uint64_t leaf)
{
    static const char *const suffix[FPX_ROLES] = { "fprop", "dgrad", "wgrad", "", "" };
    const fpx_attr attr = { .gemm = { .trans_a = trans_a, .trans_b = trans_b, .leaf = leaf } };
    char site[FPX_NAME_MAX];

    build_site(b, l->layer, l->op, site);
    if (b->status == FPX_OK && !same_transform(b, a, x)) {
        b->status = fpx_error_set(b->err, FPX_EINVAL,
                                  "recipe %s: one operand of %s/%s is transformed otherwise than "
                                  "the other: their transforms would not cancel",
                                  b->recipe->name, site, suffix[role]);
        return;
    }
    build_op(b, l->layer, FPX_OP_GEMM, role, site, suffix[role],
             (uint32_t[]){ a, x, FPX_NO_TENSOR }, (uint32_t[]){ d, FPX_NO_TENSOR }, &attr);
}

uint32_t linear_forward(build *b, linear *l, int layer, const char *op, uint32_t x, uint64_t inputs,
                        uint64_t outputs)
{
    const uint64_t m = b->batch * b->sequence;
    char site[FPX_NAME_MAX];

    *l = (linear){ .layer = layer, .op = op, .inputs = inputs, .outputs = outputs, .x = x };
    build_site(b, layer, op, site);
    l->w = build_param(b, layer, op, "w", DIMS(outputs, inputs));
    l->y = build_tensor(b, layer, FPX_TENSOR_ACTIVATION, &fpx_fp32,
                        (uint64_t[4]){ m, outputs, 0, 0 }, "%s/y", site);
    l->xq = build_quantized(b, l, FPX_FPROP, "x", 1, x);
    l->wq = build_quantized(b, l, FPX_FPROP, "w", 1, l->w);
    l->clipped = build_is_clipped(b, l);
    const fpx_compensation compensation = build_compensates(b, l);
    if (compensation == FPX_COMPENSATE_NONE) {
        multiply(b, l, FPX_FPROP, l->xq, l->wq, l->y, 0, 1, 0);
        return l->y;
    }
    const uint32_t base = build_tensor(b, layer, FPX_TENSOR_ACTIVATION, &fpx_fp32,
                                       (uint64_t[4]){ m, outputs, 0, 0 }, "%s/y.clamp", site);
    multiply(b, l, FPX_FPROP, l->xq, l->wq, base, 0, 1, 0);
    build_compensation(b, l, base, compensation == FPX_COMPENSATE_CODES ? l->wq : l->w);
    return l->y;
}

/* Where the result of a backward product goes: a tensor "<site>/<name>", or one of the copy's gradient. */
static uint32_t result(build *b, const linear *l, const char *name, uint64_t rows)
{
    char site[FPX_NAME_MAX];

    build_site(b, l->layer, l->op, site);
    return build_tensor(b, l->layer, FPX_TENSOR_GRADIENT, &fpx_fp32,
                        (uint64_t[4]){ rows, l->inputs, 0, 0 }, "%s/%s%s", site, name,
                        l->clipped ? ".copy" : "");
}

uint32_t linear_backward(build *b, const linear *l, uint32_t dy)
{
    uint32_t dx = result(b, l, "dx", b->batch * b->sequence);
    uint32_t dw = result(b, l, "dw", l->outputs);
    const uint32_t w = l->clipped ? build_decoded(b, l, FPX_DGRAD, "w", l->wq) : l->w;
    const uint32_t dyq = build_quantized(b, l, FPX_DGRAD, "dy", 1, dy);
    const uint32_t wq = build_quantized(b, l, FPX_DGRAD, "w", 0, w);

    multiply(b, l, FPX_DGRAD, dyq, wq, dx, 0, 0, 0);
    const uint32_t x = l->clipped ? build_decoded(b, l, FPX_WGRAD, "x", l->xq) : l->x;
    const uint32_t dyt = build_quantized(b, l, FPX_WGRAD, "dy", 0, dy);
    const uint32_t xq = build_quantized(b, l, FPX_WGRAD, "x", 0, x);
    multiply(b, l, FPX_WGRAD, dyt, xq, dw, 1, 0, b->sequence); /* one leaf a sequence */
    if (l->clipped) {
        dx = build_clip(b, l, FPX_DGRAD, "dx", l->xq, dx);
        dw = build_clip(b, l, FPX_WGRAD, "dw", l->wq, dw);
    }
    build_set_grad(b, l->w, build_estimated(b, l, dw));
    return dx;
}
