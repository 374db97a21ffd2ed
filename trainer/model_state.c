/* model_state.c - master weights, gradients and moments in the formats that the recipe gives them: codes between the
 * operations, fp32 in them. A scale is taken from the values whenever codes are made: just in time. */
#include <stdio.h>
#include <string.h>

#include <fpx/elemfn.h>

#include "model_build.h"

static fpx_stored stored_as(build *b, int layer, const char *op, const char *tensor)
{
    fpx_stored s = { .stored = 0 };

    if (b->status == FPX_OK)
        b->status = fpx_recipe_state(b->recipe, layer, b->layers, op, tensor, b->used, &s, b->err);
    return s;
}

static const uint64_t *dims_of(const fpx_tensor *t, uint64_t dims[FPX_MAX_DIMS])
{
    memset(dims, 0, FPX_MAX_DIMS * sizeof dims[0]);
    memcpy(dims, t->shape, t->ndim * sizeof dims[0]);
    return dims;
}

/* A tensor of fp32 or of codes; in front of codes their scale or groups. */
static uint32_t make(build *b, int layer, fpx_tensor_class cls, const fpx_stored *as,
                     const uint64_t dims[FPX_MAX_DIMS], uint32_t unquantized, const char *name)
{
    const int lasts = fpx_tensor_class_lasts((uint32_t)cls);
    fpx_program_tensor t = {
        .cls = cls, .layer = layer, .scale = FPX_NO_TENSOR, .unquantized = unquantized
    };
    uint32_t index = FPX_NO_TENSOR;
    size_t ndim = 0;

    if (!as->stored)
        return build_tensor(b, layer, cls, &fpx_fp32, dims, "%s", name);
    while (ndim < FPX_MAX_DIMS && dims[ndim] != 0)
        ndim++;
    if (as->scaling == FPX_STATE_POW2)
        t.scale = build_tensor(b, layer, lasts ? FPX_TENSOR_STATE_SCALE : FPX_TENSOR_SCALE,
                               &fpx_fp32, DIMS(2), "%s.scale", name);
    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    if (fpx_tensor_make(&as->format, ndim, dims, &t.desc) != FPX_OK ||
        strlen(name) >= sizeof t.name) {
        b->status = fpx_error_set(b->err, FPX_EINVAL, "%s: impossible shape or name", name);
        return FPX_NO_TENSOR;
    }
    memcpy(t.name, name, strlen(name) + 1);
    if (as->scaling == FPX_STATE_COAT)
        (void)build_tensor(b, layer, cls, &fpx_fp32,
                           DIMS((fpx_tensor_count(&t.desc) + 127) / 128, 3), "%s.groups", name);
    if (b->status == FPX_OK)
        b->status = fpx_program_add_tensor(b->program, &t, &index, b->err);
    return index;
}

static uint32_t groups_of(const build *b, const char *name)
{
    char groups[2 * FPX_NAME_MAX];

    (void)snprintf(groups, sizeof groups, "%s.groups", name);
    return fpx_program_find_tensor(b->program, groups);
}

uint32_t build_real(build *b, fpx_role role, uint32_t tensor, const char *as)
{
    uint64_t dims[FPX_MAX_DIMS];

    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    const fpx_program_tensor t = *fpx_program_tensor_at(b->program, tensor);
    if (fpx_format_equal(&t.desc.format, &fpx_fp32))
        return tensor;
    const uint32_t groups = groups_of(b, t.name);
    const uint32_t real =
        build_tensor(b, t.layer, role == FPX_FPROP ? FPX_TENSOR_ACTIVATION : FPX_TENSOR_GRADIENT,
                     &fpx_fp32, dims_of(&t.desc, dims), "%s.%s", t.name, as);
    if (b->status == FPX_OK)
        build_op(b, t.layer, groups == FPX_NO_TENSOR ? FPX_OP_DEQUANTIZE : FPX_OP_DEQUANTIZE_COAT,
                 role, fpx_program_tensor_at(b->program, real)->name, "dequantize",
                 LIST(tensor, groups), LIST(real), NULL);
    return real;
}

/* The state "<parameter>.factor" of a stored gradient: its factor and the steps until it is looked at, 0 at first. */
static uint32_t factor_of(build *b, size_t param, const fpx_stored *as)
{
    const fpx_program_tensor *p = fpx_program_tensor_at(b->program, b->params[param]);
    char name[2 * FPX_NAME_MAX];

    if (!as->factor.tuned)
        return FPX_NO_TENSOR;
    (void)snprintf(name, sizeof name, "%s.factor", p->name);
    const uint32_t factor = fpx_program_find_tensor(b->program, name);
    return factor != FPX_NO_TENSOR
               ? factor
               : build_tensor(b, p->layer, FPX_TENSOR_STATE, &fpx_fp32, DIMS(2), "%s", name);
}

void build_store(build *b, fpx_role role, size_t param, const char *tensor, uint32_t real,
                 uint32_t codes)
{
    if (b->status != FPX_OK || real == codes)
        return;
    const fpx_program_tensor t = *fpx_program_tensor_at(b->program, codes);
    const uint32_t groups = groups_of(b, t.name);
    /* Scaled values never overflow, nor do those of a cast to 16 bits go unseen where they do. */
    const fpx_attr cast = {
        .quantize = { .round = FPX_RNE,
                      .overflow = t.desc.format.bits < 16 ? FPX_SATFINITE : FPX_OVERFLOW_NONE }
    };
    const fpx_stored as = stored_as(b, t.layer, b->ops[param], tensor);
    const fpx_attr scale = { .scale = { .target = t.desc.format, .rule = (uint32_t)as.rule } };

    if (t.scale != FPX_NO_TENSOR)
        build_op(b, t.layer, FPX_OP_SCALE, role, t.name, "scale",
                 LIST(real, factor_of(b, param, &as)), LIST(t.scale), &scale);
    if (groups != FPX_NO_TENSOR)
        build_op(b, t.layer, FPX_OP_QUANTIZE_COAT, role, t.name, "quantize", LIST(real),
                 LIST(codes, groups), NULL);
    else
        build_op(b, t.layer, FPX_OP_QUANTIZE, role, t.name, "quantize", LIST(real, t.scale),
                 LIST(codes), &cast);
}

uint32_t build_param(build *b, int layer, const char *op, const char *name,
                     const uint64_t dims[FPX_MAX_DIMS])
{
    char site[FPX_NAME_MAX], whole[2 * FPX_NAME_MAX];

    build_shared_site(layer, op, site);
    (void)snprintf(whole, sizeof whole, "%s/%s", site, name);
    for (size_t i = 0; b->micro > 0 && i < b->nparams; i++)
        if (strcmp(fpx_program_tensor_at(b->program, b->params[i])->name, whole) == 0)
            return b->weights[i];
    const fpx_stored as = stored_as(b, layer, op, "master");
    const uint32_t param = make(b, layer, FPX_TENSOR_PARAM, &as, dims, FPX_NO_TENSOR, whole);
    if (b->status == FPX_OK && b->nparams == BUILD_MAX_PARAMS)
        b->status =
            fpx_error_set(b->err, FPX_EINVAL, "more than %d parameter tensors", BUILD_MAX_PARAMS);
    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    const size_t i = b->nparams++;
    b->params[i] = param;
    b->ops[i] = op;
    return b->weights[i] = build_real(b, FPX_FPROP, param, "real");
}

void build_factor(build *b, size_t param)
{
    if (b->status != FPX_OK)
        return;
    const fpx_program_tensor p = *fpx_program_tensor_at(b->program, b->params[param]);
    const fpx_stored as = stored_as(b, p.layer, b->ops[param], "grad");
    if (b->status != FPX_OK || !as.factor.tuned)
        return;
    const uint32_t factor = factor_of(b, param, &as);
    const fpx_attr attr = { .factor = { .ratio = as.factor.ratio,
                                        .growth = fpx_exp_f64(0x1.62e42fefa39efp-1 / /* ln 2 */
                                                              (double)as.factor.window),
                                        .every = as.factor.every } };

    build_op(b, p.layer, FPX_OP_SCALE_FACTOR, FPX_OPTIMIZER, p.name, "factor",
             LIST(factor, b->grads[param]), LIST(factor), &attr);
}

/* Codes of micro-batches before this one join its gradient in fp32, and all is rounded again: MS-AMP's order. */
void build_set_grad(build *b, uint32_t weight, uint32_t grad)
{
    uint64_t dims[FPX_MAX_DIMS];
    char name[2 * FPX_NAME_MAX];
    size_t i = 0;

    while (i < b->nparams && b->weights[i] != weight)
        i++;
    if (b->status != FPX_OK || i == b->nparams)
        return;
    const fpx_program_tensor t = *fpx_program_tensor_at(b->program, grad);
    const fpx_stored as = stored_as(b, t.layer, b->ops[i], "grad");
    if (as.stored && b->micro > 0) {
        const uint32_t before = build_real(b, FPX_WGRAD, b->grads[i], "before");
        const uint32_t sum = build_tensor(b, t.layer, FPX_TENSOR_GRADIENT, &fpx_fp32,
                                          dims_of(&t.desc, dims), "%s+", t.name);

        build_op(b, t.layer, FPX_OP_ADD, FPX_WGRAD, t.name, "accumulate", LIST(before, grad),
                 LIST(sum), NULL);
        grad = sum;
    }
    b->grads[i] = grad;
    if (!as.stored || b->status != FPX_OK)
        return;
    (void)snprintf(name, sizeof name, "%s.%s", fpx_program_tensor_at(b->program, grad)->name,
                   as.format.name);
    b->grads[i] = make(b, t.layer, FPX_TENSOR_GRADIENT, &as, dims_of(&t.desc, dims), grad, name);
    build_store(b, FPX_WGRAD, i, "grad", grad, b->grads[i]);
}

uint32_t build_moment(build *b, size_t param, const char *name)
{
    const fpx_program_tensor p = *fpx_program_tensor_at(b->program, b->params[param]);
    const fpx_stored as = stored_as(b, p.layer, b->ops[param], name);
    uint64_t dims[FPX_MAX_DIMS];
    char whole[2 * FPX_NAME_MAX];

    (void)snprintf(whole, sizeof whole, "%s.%s", p.name, name);
    return make(b, p.layer, FPX_TENSOR_STATE, &as, dims_of(&p.desc, dims), FPX_NO_TENSOR, whole);
}

void build_no_moment(build *b, size_t param, const char *name)
{
    if (b->status == FPX_OK)
        (void)stored_as(b, fpx_program_tensor_at(b->program, b->params[param])->layer,
                        b->ops[param], name);
}
