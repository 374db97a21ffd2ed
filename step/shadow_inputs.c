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

void shadow_take_inputs(const fpx_shadow *sh, const fpx_op_view *view, const fpx_program_op *op)
{
    for (uint32_t i = 0; i < op->nin; i++) {
        const uint32_t id = op->in[i];
        const fpx_program_tensor *t = fpx_program_tensor_at(view->program, id);
        const void *codes = view->in[i];

        if (sh->spec.mode == FPX_SHADOW_EQUAL) {
            copy_raw(sh, id, codes);
            continue;
        }
        if (fpx_tensor_class_scales(t->cls)) {
            shadow_set_ones(sh, id);
            continue;
        }
        uint32_t from = id;
        if (sh->spec.mode == FPX_SHADOW_OPERAND && t->unquantized != FPX_NO_TENSOR) {
            from = t->unquantized;
            codes = fpx_exec_data(view->exec, from);
        }
        shadow_copy_in(sh, id, from, codes);
    }
}
