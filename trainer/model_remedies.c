/* model_remedies.c - FP4 training's remedies in the program: an operand's outliers clamped, what that cut off multiplied apart and
 * added back (OCC), a weight's gradient times its quantizer's slope (DGE). Gradients pass a clamp as they pass a quantizer,
 * unchanged (the authors' own linear layer does so: msamp/megatron/layers.py of github.com/Mr-Philo/MS-AMP). */
#include <stdio.h>

#include "model_build.h"

static uint64_t rows_of(const build *b, uint32_t tensor)
{
    return fpx_program_tensor_at(b->program, tensor)->desc.shape[0];
}

static uint64_t cols_of(const build *b, uint32_t tensor)
{
    return fpx_program_tensor_at(b->program, tensor)->desc.shape[1];
}

uint32_t build_clamped(build *b, const linear *l, const fpx_operand_rule *rule, uint32_t x)
{
    const fpx_attr attr = { .clamp = { .alpha = rule->clamp, .over = (uint32_t)rule->clamp_over } };
    char site[FPX_NAME_MAX], name[FPX_NAME_MAX + 8];

    build_site(b, l->layer, l->op, site);
    (void)snprintf(name, sizeof name, "%s/x.clamp", site);
    const uint32_t y = build_tensor(b, l->layer, FPX_TENSOR_ACTIVATION, &fpx_fp32,
                                    DIMS(rows_of(b, x), cols_of(b, x)), "%s", name);
    build_op(b, l->layer, FPX_OP_CLAMP, FPX_FPROP, name, "clamp", LIST(x), LIST(y), &attr);
    return y;
}

fpx_compensation build_compensates(build *b, const linear *l)
{
    fpx_operand_rule rule = { .compensation = FPX_COMPENSATE_NONE };

    if (b->status == FPX_OK)
        b->status = fpx_recipe_operand(b->recipe, l->layer, b->layers, l->op, FPX_FPROP, "x",
                                       b->used, &rule, b->err);
    return b->status == FPX_OK ? rule.compensation : FPX_COMPENSATE_NONE;
}

void build_compensation(build *b, const linear *l, uint32_t base, uint32_t w)
{
    char site[FPX_NAME_MAX], name[FPX_NAME_MAX + 8];

    build_site(b, l->layer, l->op, site);
    (void)snprintf(name, sizeof name, "%s/x.clamp", site);
    build_op(b, l->layer, FPX_OP_ADD_RESIDUAL, FPX_FPROP, site, "compensate",
             LIST(base, l->x, fpx_program_find_tensor(b->program, name), w), LIST(l->y), NULL);
}

uint32_t build_estimated(build *b, const linear *l, uint32_t dw)
{
    fpx_operand_rule rule;
    char site[FPX_NAME_MAX];

    if (b->status != FPX_OK ||
        (b->status = fpx_recipe_operand(b->recipe, l->layer, b->layers, l->op, FPX_FPROP, "w",
                                        b->used, &rule, b->err)) != FPX_OK ||
        !rule.estimated)
        return dw;
    const fpx_attr attr = {
        .dge = { .k = rule.dge.k, .cap = rule.dge.cap, .rule = (uint32_t)rule.dge.rule }
    };
    build_site(b, l->layer, l->op, site);
    const uint32_t y = build_tensor(b, l->layer, FPX_TENSOR_GRADIENT, &fpx_fp32,
                                    DIMS(l->outputs, l->inputs), "%s/dw.dge", site);
    build_op(b, l->layer, FPX_OP_DGE, FPX_WGRAD, site, "estimate", LIST(dw, l->w), LIST(y), &attr);
    return y;
}
