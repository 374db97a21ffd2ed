/* model_linear.c - a linear layer as quantizers and matrix multiplications: three roles, each operand
 * quantized as the recipe says, an operand that two roles quantize alike quantized once. */
#include <stdio.h>
#include <string.h>

#include "model_build.h"

/* "x" of fprop and wgrad is the same tensor: where their rules agree, so is the quantized copy. The
 * name holds format, scaling and overflow (left out where usual: below 16 bits scaled and saturating,
 * else neither), so finding the name is finding the copy. */
static uint32_t quantized(build *b, const linear *l, fpx_role role, const char *tensor,
                          uint32_t source)
{
    char site[FPX_NAME_MAX], name[2 * FPX_NAME_MAX];
    fpx_operand_rule rule;
    const fpx_program_tensor *from;
    fpx_tensor desc;
    uint32_t scale = FPX_NO_TENSOR, codes;

    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    b->status =
        fpx_recipe_operand(b->recipe, l->layer, l->op, role, tensor, b->used, &rule, b->err);
    if (b->status != FPX_OK || !rule.quantized)
        return source;
    if (strcmp(tensor, "w") == 0) /* the same for every micro-batch */
        build_shared_site(l->layer, l->op, site);
    else
        build_site(b, l->layer, l->op, site);
    const int narrow = rule.conversion.format.bits < 16;
    const int open = rule.conversion.overflow != FPX_SATFINITE;

    (void)snprintf(name, sizeof name, "%s/%s.%s%s%s", site, tensor, rule.conversion.format.name,
                   rule.scaled == narrow ? "" : (rule.scaled ? ".scaled" : ".cast"),
                   open == !narrow ? "" : (open ? ".open" : ".saturated"));
    if (strlen(name) < FPX_NAME_MAX &&
        (codes = fpx_program_find_tensor(b->program, name)) != FPX_NO_TENSOR)
        return codes;
    if (rule.scaled) {
        const fpx_attr attr = { .scale = { .target = rule.conversion.format,
                                           .rule = (uint32_t)rule.scale_rule } };

        scale = build_tensor(b, l->layer, FPX_TENSOR_SCALE, &fpx_fp32, (uint64_t[4]){ 2, 0, 0, 0 },
                             "%s.scale", name);
        build_op(b, l->layer, FPX_OP_SCALE, role, name, "scale",
                 (uint32_t[]){ source, FPX_NO_TENSOR }, (uint32_t[]){ scale, FPX_NO_TENSOR },
                 &attr);
    }
    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    from = fpx_program_tensor_at(b->program, source);
    desc = from->desc;
    desc.format = rule.conversion.format;
    fpx_program_tensor t = { .desc = desc,
                             .cls = from->cls == FPX_TENSOR_GRADIENT ? FPX_TENSOR_GRADIENT
                                                                     : FPX_TENSOR_ACTIVATION,
                             .layer = l->layer,
                             .scale = scale,
                             .unquantized = source };
    if (strlen(name) >= sizeof t.name) {
        b->status = fpx_error_set(b->err, FPX_EINVAL, "%s: the name is too long", name);
        return FPX_NO_TENSOR;
    }
    memcpy(t.name, name, strlen(name) + 1);
    b->status = fpx_program_add_tensor(b->program, &t, &codes, b->err);
    const fpx_attr attr = { .quantize = { .round = rule.conversion.round,
                                          .overflow = rule.conversion.overflow } };
    build_op(b, l->layer, FPX_OP_QUANTIZE, role, name, "quantize",
             (uint32_t[]){ source, scale, FPX_NO_TENSOR }, (uint32_t[]){ codes, FPX_NO_TENSOR },
             &attr);
    return codes;
}

static void multiply(build *b, const linear *l, fpx_role role, uint32_t a, uint32_t x, uint32_t d,
                     uint32_t trans_a, uint32_t trans_b, uint64_t leaf)
{
    static const char *const suffix[FPX_ROLES] = { "fprop", "dgrad", "wgrad", "", "" };
    const fpx_attr attr = { .gemm = { .trans_a = trans_a, .trans_b = trans_b, .leaf = leaf } };
    char site[FPX_NAME_MAX];

    build_site(b, l->layer, l->op, site);
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
    const uint32_t xq = quantized(b, l, FPX_FPROP, "x", x);
    const uint32_t wq = quantized(b, l, FPX_FPROP, "w", l->w);
    multiply(b, l, FPX_FPROP, xq, wq, l->y, 0, 1, 0);
    return l->y;
}

uint32_t linear_backward(build *b, const linear *l, uint32_t dy)
{
    const uint64_t m = b->batch * b->sequence;
    char site[FPX_NAME_MAX];
    uint32_t dx, dw;

    build_site(b, l->layer, l->op, site);
    dx = build_tensor(b, l->layer, FPX_TENSOR_GRADIENT, &fpx_fp32,
                      (uint64_t[4]){ m, l->inputs, 0, 0 }, "%s/dx", site);
    dw = build_tensor(b, l->layer, FPX_TENSOR_GRADIENT, &fpx_fp32,
                      (uint64_t[4]){ l->outputs, l->inputs, 0, 0 }, "%s/dw", site);
    const uint32_t dyq = quantized(b, l, FPX_DGRAD, "dy", dy);
    const uint32_t wq = quantized(b, l, FPX_DGRAD, "w", l->w);
    multiply(b, l, FPX_DGRAD, dyq, wq, dx, 0, 0, 0);
    const uint32_t dyt = quantized(b, l, FPX_WGRAD, "dy", dy);
    const uint32_t xq = quantized(b, l, FPX_WGRAD, "x", l->x);
    multiply(b, l, FPX_WGRAD, dyt, xq, dw, 1, 0, b->sequence); /* one leaf a sequence */
    build_set_grad(b, l->w, dw);
    return dx;
}
