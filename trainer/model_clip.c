/* model_clip.c - the gradient of a forward product's quantized operands (QuEST, Quartet): the backward products take the copies
 * that the forward one took, and what comes out of them passes through the quantizer, then through its rotation. */
#include <stdio.h>

#include "model_build.h"

int build_is_clipped(build *b, const linear *l)
{
    fpx_operand_rule x = { .clipped = 0 }, w = { .clipped = 0 };
    char site[FPX_NAME_MAX];

    if (b->status == FPX_OK)
        b->status = fpx_recipe_operand(b->recipe, l->layer, b->layers, l->op, FPX_FPROP, "x",
                                       b->used, &x, b->err);
    if (b->status == FPX_OK)
        b->status = fpx_recipe_operand(b->recipe, l->layer, b->layers, l->op, FPX_FPROP, "w",
                                       b->used, &w, b->err);
    build_site(b, l->layer, l->op, site);
    if (b->status == FPX_OK && x.clipped != w.clipped)
        b->status = fpx_error_set(b->err, FPX_EINVAL,
                                  "recipe %s: estimator 'clip' is of x or of w of %s/fprop alone: "
                                  "the backward products take both copies, or none",
                                  b->recipe->name, site);
    return b->status == FPX_OK && x.clipped;
}

uint32_t build_decoded(build *b, const linear *l, fpx_role role, const char *tensor, uint32_t codes)
{
    char site[FPX_NAME_MAX], name[FPX_NAME_MAX + 16];
    uint32_t values;

    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    const fpx_program_tensor t = *fpx_program_tensor_at(b->program, codes);
    if (build_is_own(b, codes))
        build_site(b, l->layer, l->op, site);
    else
        build_shared_site(l->layer, l->op, site);
    (void)snprintf(name, sizeof name, "%s/%s.copy", site, tensor);
    if ((values = fpx_program_find_tensor(b->program, name)) != FPX_NO_TENSOR)
        return values;
    values = build_tensor(b, l->layer, FPX_TENSOR_ACTIVATION, &fpx_fp32,
                          DIMS(t.desc.shape[0], t.desc.shape[1]), "%s", name);
    build_op(b, l->layer, FPX_OP_DEQUANTIZE, role, name, "dequantize", LIST(codes), LIST(values),
             NULL);
    return values;
}

uint32_t build_clip(build *b, const linear *l, fpx_role role, const char *name, uint32_t codes,
                    uint32_t grad)
{
    static const uint32_t transposed[] = { [FPX_SIGNS_BEFORE] = FPX_SIGNS_AFTER,
                                           [FPX_SIGNS_AFTER] = FPX_SIGNS_BEFORE,
                                           [FPX_SIGNS_NONE] = FPX_SIGNS_NONE };
    char site[FPX_NAME_MAX], whole[FPX_NAME_MAX + 16];

    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    const fpx_program_tensor t = *fpx_program_tensor_at(b->program, grad);
    const uint32_t source = fpx_program_tensor_at(b->program, codes)->unquantized;
    const uint32_t producer = fpx_program_tensor_at(b->program, source)->producer;
    const fpx_program_op *made =
        producer == FPX_NO_TENSOR ? NULL : fpx_program_op_at(b->program, producer);
    const int rotated = made != NULL && made->kind == FPX_OP_HADAMARD;

    build_site(b, l->layer, l->op, site);
    (void)snprintf(whole, sizeof whole, "%s/%s", site, name);
    const uint32_t clipped =
        build_tensor(b, l->layer, FPX_TENSOR_GRADIENT, &fpx_fp32,
                     DIMS(t.desc.shape[0], t.desc.shape[1]), "%s%s", whole, rotated ? ".clip" : "");
    fpx_attr attr = { .words = { 0 } };
    uint32_t draw = FPX_NO_TENSOR;

    if (rotated) { /* before build_op, which may move operations */
        attr = made->attr;
        attr.hadamard.signs = transposed[attr.hadamard.signs];
        draw = made->nin > 1 ? made->in[1] : FPX_NO_TENSOR;
    }
    build_op(b, l->layer, FPX_OP_QUANTIZE_BLOCK_GRAD, role, whole, "clip",
             LIST(codes, source, grad), LIST(clipped), NULL);
    if (!rotated)
        return clipped;
    const uint32_t turned = build_tensor(b, l->layer, FPX_TENSOR_GRADIENT, &fpx_fp32,
                                         DIMS(t.desc.shape[0], t.desc.shape[1]), "%s", whole);
    build_op(b, l->layer, FPX_OP_HADAMARD, role, whole, "transform", LIST(clipped, draw),
             LIST(turned), &attr);
    return turned;
}
