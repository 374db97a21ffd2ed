/* model_accumulate.c - gradients of micro-batches summed by the tree that one batch of all their sequences would
 * have: node(l, j) = node(l-1, 2j) + node(l-1, 2j+1), a missing right child passes the left one. Micro-batches are
 * whole subtrees, since their batch is a power of two; so this is the tree's upper part. */
#include <stdlib.h>

#include "model_build.h"

enum { LEVELS = 32 }; /* accumulate is a uint32_t */

/* Of one tensor: left + right, named after the right one, whose micro-batch closes the subtree. */
static uint32_t join(build *b, uint32_t left, uint32_t right)
{
    if (b->status != FPX_OK)
        return FPX_NO_TENSOR;
    const fpx_program_tensor t = *fpx_program_tensor_at(b->program, right);
    if (!fpx_format_equal(&t.desc.format,
                          &fpx_fp32)) /* stored: summed already, see build_set_grad */
        return right;
    const uint32_t sum =
        build_tensor(b, t.layer, (fpx_tensor_class)t.cls, &t.desc.format,
                     DIMS(t.desc.shape[0], t.desc.ndim > 1 ? t.desc.shape[1] : 0), "%s+", t.name);

    build_op(b, t.layer, FPX_OP_ADD, FPX_WGRAD, t.name, "accumulate", LIST(left, right), LIST(sum),
             NULL);
    return sum;
}

/* The subtree at this level joins what is in ret_nodes, which comes after it. */
static void join_all(build *b, const accumulation *a, size_t level, uint32_t *nodes)
{
    for (size_t i = 0; i < a->width; i++)
        nodes[i] = join(b, a->open[level * a->width + i], nodes[i]);
}

void build_accumulate(build *b, accumulation *a, uint32_t *loss)
{
    size_t level = 0;

    if (b->accumulate == 1 || b->status != FPX_OK)
        return;
    if (a->open == NULL) {
        a->width = b->nparams + 1;
        a->open = calloc(LEVELS * a->width, sizeof *a->open);
        if (a->open == NULL) {
            b->status = fpx_error_set(b->err, FPX_ENOMEM, "building a model: out of memory");
            return;
        }
    }
    /* The loss is one more tensor. A binary counter: as many subtrees close as micro ends in ones. */
    uint32_t *nodes = b->grads;
    nodes[b->nparams] = *loss;
    for (; b->micro >> level & 1; level++)
        join_all(b, a, level, nodes);
    for (size_t i = 0; i < a->width; i++)
        a->open[level * a->width + i] = nodes[i];
    if (b->micro + 1 == b->accumulate)
        for (level++; b->accumulate >> level != 0; level++)
            if (b->accumulate >> level & 1)
                join_all(b, a, level, nodes);
    *loss = nodes[b->nparams];
}
