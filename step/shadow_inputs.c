/* shadow_inputs.c - what a shadow's operation is given: the codes as they are, or the values they stand for. */
#include <string.h>

#include <fpx/convert.h>

#include "shadow_state.h"

int shadow_has_blocks(const fpx_exec *exec, uint32_t tensor)
{
    const fpx_program *program = fpx_exec_program(exec);
    const uint32_t scale = fpx_program_tensor_at(program, tensor)->scale;

    return scale != FPX_NO_TENSOR && fpx_program_tensor_at(program, scale)->desc.ndim != 1;
}

/* Writes the values of tensor `from` of the watched program into the shadow's tensor `id`. */
void shadow_copy_in(const fpx_shadow *sh, uint32_t id, uint32_t from, const void *codes)
{
    const fpx_tensor *to = &fpx_program_tensor_at(fpx_exec_program(sh->exec), id)->desc;
    const fpx_tensor *desc = &fpx_program_tensor_at(fpx_exec_program(sh->watched), from)->desc;
    const size_t n = fpx_tensor_count(to);
    void *dst = fpx_exec_data(sh->exec, id);

    if (fpx_format_equal(&to->format, &desc->format) && desc->nscales == 0) {
        memcpy(dst, codes, fpx_tensor_bytes(to));
    } else if (fpx_format_equal(&to->format, &fpx_fp64)) {
        fpx_exec_decode(sh->watched, from, codes, dst);
    } else if (!shadow_has_blocks(sh->watched, from) &&
               fpx_decode_f32(&desc->format, (float)fpx_exec_scale(sh->watched, from), codes, dst,
                              n) == FPX_OK) {
        return; /* one rounding of code times scale, as below */
    } else {    /* a widened fp32 tensor: one rounding of what is exact in float64 */
        fpx_exec_decode(sh->watched, from, codes, sh->value);
        for (size_t i = 0; i < n; i++)
            ((float *)dst)[i] = (float)sh->value[i];
    }
}

/* A widened program has no scales: its quantizers multiply by one. */
void shadow_set_ones(const fpx_shadow *sh, uint32_t id)
{
    const fpx_tensor *to = &fpx_program_tensor_at(fpx_exec_program(sh->exec), id)->desc;
    void *dst = fpx_exec_data(sh->exec, id);

    for (size_t i = 0; i < fpx_tensor_count(to); i++) {
        if (to->format.bits == 64)
            ((double *)dst)[i] = 1.0;
        else
            ((float *)dst)[i] = 1.0f;
    }
}

static void copy_raw(const fpx_shadow *sh, uint32_t id, const void *codes)
{
    const fpx_program_tensor *t = fpx_program_tensor_at(fpx_exec_program(sh->exec), id);

    memcpy(fpx_exec_data(sh->exec, id), codes, fpx_tensor_bytes(&t->desc));
    if (t->scale != FPX_NO_TENSOR)
        copy_raw(sh, t->scale, fpx_exec_data(sh->watched, t->scale));
}

/* Whether what was copied once in a step stays: every tensor is written by one operation, and its memory is its own from
 * there to its last use; what is updated in place is read before that. */
static int stays(const fpx_program_tensor *t)
{
    return t->cls == FPX_TENSOR_PARAM || !fpx_tensor_class_lasts(t->cls);
}

static void take_values(fpx_shadow *sh, const fpx_op_view *view, uint32_t id, const void *codes)
{
    const fpx_program_tensor *t = fpx_program_tensor_at(view->program, id);
    uint32_t from = id;

    if (sh->held[id])
        return;
    if (fpx_tensor_class_scales(t->cls)) {
        shadow_set_ones(sh, id);
        return;
    }
    if (sh->spec.mode == FPX_SHADOW_OPERAND && t->unquantized != FPX_NO_TENSOR) {
        from = t->unquantized;
        codes = fpx_exec_data(view->exec, from);
    }
    shadow_copy_in(sh, id, from, codes);
    sh->held[id] = (unsigned char)stays(t);
}

void shadow_take_inputs(fpx_shadow *sh, const fpx_op_view *view, const fpx_program_op *op)
{
    if (view->step != sh->step || view->op <= sh->last) /* a step begins, perhaps once more */
        memset(sh->held, 0, fpx_program_tensors(view->program));
    sh->step = view->step;
    sh->last = view->op;
    for (uint32_t i = 0; i < op->nin; i++) {
        if (sh->spec.mode == FPX_SHADOW_EQUAL)
            copy_raw(sh, op->in[i], view->in[i]);
        else
            take_values(sh, view, op->in[i], view->in[i]);
    }
    for (uint32_t o = 0; o < op->nout; o++) /* about to be overwritten */
        sh->held[op->out[o]] = 0;
}
