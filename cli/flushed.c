/* flushed.c - a code counts as 0 where its value is: scales are never 0, so they need not be known. */
#include "flushed.h"

#include <fnmatch.h>

static int is_quantizer(uint32_t kind)
{
    return kind == FPX_OP_QUANTIZE || kind == FPX_OP_QUANTIZE_RANDOM ||
           kind == FPX_OP_QUANTIZE_BLOCK || kind == FPX_OP_QUANTIZE_BLOCK_RANDOM ||
           kind == FPX_OP_QUANTIZE_COAT;
}

static const fpx_program_tensor *output_of(const fpx_program *program, size_t op,
                                           const char *pattern)
{
    const fpx_program_op *o = fpx_program_op_at(program, op);

    if (!is_quantizer(o->kind))
        return NULL;
    const fpx_program_tensor *t = fpx_program_tensor_at(program, o->out[0]);
    return fnmatch(pattern, t->name, 0) == 0 ? t : NULL;
}

static fpx_status after_op(void *context, const fpx_op_view *view, fpx_error *err)
{
    flushed *f = context;
    const fpx_program_tensor *t =
        view->step == f->step ? output_of(view->program, view->op, f->pattern) : NULL;
    const float *before = view->in[0];

    (void)err;
    if (t == NULL)
        return FPX_OK;
    const size_t n = fpx_tensor_count(&t->desc);
    for (size_t i = 0; i < n; i++) {
        if (before[i] == 0.0f)
            continue;
        f->values++;
        f->zeros += fpx_format_value(&t->desc.format,
                                     fpx_format_code(&t->desc.format, view->out[0], i)) == 0.0;
    }
    return FPX_OK;
}

fpx_observer flushed_observer(flushed *f)
{
    return (fpx_observer){ .context = f, .after_op = after_op };
}

size_t flushed_matches(const fpx_program *program, const char *pattern)
{
    size_t n = 0;

    for (size_t i = 0; i < fpx_program_ops(program); i++)
        n += output_of(program, i, pattern) != NULL;
    return n;
}
