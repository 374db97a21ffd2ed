/* model_optim.c - the end of a step: squared norm over all gradients in program order, the clipping factor, then
 * one update a parameter by the experiment's optimizer. */
#include <string.h>

#include "model_build.h"

/* What an optimizer is to a program: its operation, and the moments it keeps for a parameter. */
typedef struct method {
    fpx_op_kind kind;
    const char *suffix;
    size_t nmoments; /* of "m", "v" */
} method;

static const method methods[] = {
    [FPX_ADAMW] = { FPX_OP_ADAMW, "adamw", 2 },
    [FPX_SGD] = { FPX_OP_SGD, "sgd", 1 },
    [FPX_LION] = { FPX_OP_LION, "lion", 1 },
};

static fpx_attr attributes(const fpx_optimizer_config *o, double decay)
{
    fpx_attr attr = { .words = { 0 } };

    switch ((fpx_optimizer)o->kind) {
    case FPX_ADAMW:
        attr.adamw.beta1 = o->beta1;
        attr.adamw.beta2 = o->beta2;
        attr.adamw.eps = o->eps;
        attr.adamw.weight_decay = decay;
        break;
    case FPX_SGD:
        attr.sgd.momentum = o->momentum;
        attr.sgd.weight_decay = decay;
        break;
    case FPX_LION:
        attr.lion.beta1 = o->beta1;
        attr.lion.beta2 = o->beta2;
        attr.lion.weight_decay = decay;
        break;
    }
    return attr;
}

/* Where the new value of a state goes: its place, or fp32 that will be stored there. */
static uint32_t next_of(build *b, uint32_t state, uint32_t now)
{
    uint64_t dims[FPX_MAX_DIMS] = { 0 };

    if (state == now || b->status != FPX_OK)
        return state;
    const fpx_program_tensor t = *fpx_program_tensor_at(b->program, state);
    memcpy(dims, t.desc.shape, t.desc.ndim * sizeof dims[0]);
    return build_tensor(b, t.layer, FPX_TENSOR_GRADIENT, &fpx_fp32, dims, "%s.next", t.name);
}

/* Norm gains, which have one axis, do not decay. */
static void update(build *b, const fpx_optimizer_config *o, size_t index, uint32_t factor,
                   uint32_t hyper)
{
    static const char *const states[] = { "master", "m", "v" };
    const method *by = &methods[o->kind];
    const fpx_program_tensor param = *fpx_program_tensor_at(b->program, b->params[index]);
    const fpx_attr attr = attributes(o, param.desc.ndim < 2 ? 0.0 : o->weight_decay);
    uint32_t state[3] = { b->params[index] }, in[FPX_MAX_IN + 1] = { 0 },
             out[FPX_MAX_OUT + 1] = { 0 };
    size_t n = 1;

    for (; n <= by->nmoments && n < sizeof state / sizeof state[0]; n++)
        state[n] = build_moment(b, index, states[n]);
    if (by->nmoments < 2) /* a recipe need not know the optimizer */
        build_no_moment(b, index, "v");
    for (size_t i = 0; i < n; i++) {
        in[i] = build_real(b, FPX_OPTIMIZER, state[i], "now");
        out[i] = next_of(b, state[i], in[i]);
    }
    const uint32_t grad = build_real(b, FPX_OPTIMIZER, b->grads[index], "now");
    memcpy(in + n, LIST(grad, factor, hyper), 4 * sizeof in[0]);
    out[n] = FPX_NO_TENSOR;
    build_op(b, param.layer, by->kind, FPX_OPTIMIZER, param.name, by->suffix, in, out, &attr);
    for (size_t i = 0; i < n; i++)
        build_store(b, FPX_OPTIMIZER, index, states[i], out[i], state[i]);
    build_factor(b,
                 index); /* behind all that can fail: a step that begins anew finds the old one */
}

void build_optimizer(build *b, const fpx_optimizer_config *o, fpx_model *m)
{
    const fpx_attr clip = { .clip = { .max_norm = o->clip } };
    uint32_t total = FPX_NO_TENSOR, factor;

    m->hyper = build_tensor(b, -1, FPX_TENSOR_INPUT, &fpx_fp32, DIMS(3), "hyper");
    for (size_t i = 0; i < b->nparams && b->status == FPX_OK; i++) {
        const fpx_program_tensor grad = *fpx_program_tensor_at(b->program, b->grads[i]);
        const uint32_t next = build_tensor(b, grad.layer, FPX_TENSOR_GRADIENT, &fpx_fp64, DIMS(1),
                                           "%s.total", grad.name);

        build_op(b, grad.layer, FPX_OP_SUMSQ, FPX_OPTIMIZER, grad.name, "sumsq",
                 LIST(build_real(b, FPX_OPTIMIZER, b->grads[i], "norm"), total), LIST(next), NULL);
        total = next;
    }
    factor = build_tensor(b, -1, FPX_TENSOR_GRADIENT, &fpx_fp32, DIMS(1), "clip/factor");
    m->norm = build_tensor(b, -1, FPX_TENSOR_GRADIENT, &fpx_fp32, DIMS(1), "clip/norm");
    build_op(b, -1, FPX_OP_CLIP, FPX_OPTIMIZER, "clip", "optimizer", LIST(total),
             LIST(factor, m->norm), &clip);
    for (size_t i = 0; i < b->nparams && b->status == FPX_OK; i++)
        update(b, o, i, factor, m->hyper);
}
