/* shadow_judge.c - the outputs of an operation against those of its shadow: by bits, by distance, by the bound of the
 * very operands. */
#include <math.h>
#include <string.h>

#include <fpx/cpu.h>
#include <fpx/opshape.h>

#include "op_narrow.h"
#include "shadow_figure.h"
#include "shadow_state.h"

static int narrow_judge(const op_narrow *args, op_narrow_verdict *ret_verdict)
{
#ifdef FPX_HAVE_AVX2
    if (fpx_cpu_in_use() >= FPX_CPU_AVX2)
        return op_narrow_judge_avx2(args, ret_verdict);
#endif
    return op_narrow_judge(args, ret_verdict);
}

/* Whether the shadow's tensor of an input still is what take_inputs has decoded. */
static int holds_input(const fpx_shadow *sh, const fpx_program_op *op, uint32_t i)
{
    const fpx_program_tensor *t = fpx_program_tensor_at(fpx_exec_program(sh->exec), op->in[i]);
    const int in_place =
        (fpx_op_shape_of((fpx_op_kind)op->kind)->in_place >> i & 1) != 0 && op->in[i] == op->out[i];

    return !in_place && fpx_format_equal(&t->desc.format, &fpx_fp64) &&
           !fpx_tensor_class_scales(t->cls);
}

/* The bound needs every input exactly: also the scales that the widened program leaves out. A product's looks at what it
 * is to judge. */
static int compute_bound(const fpx_shadow *sh, const fpx_op_view *view, const fpx_program_op *op,
                         int any_order)
{
    const fpx_op_info *info = fpx_op_info_of((fpx_op_kind)op->kind);
    fpx_bound_args args = {
        .unit = 0x1p-24, .any_order = any_order, .value = sh->value, .scratch = sh->scratch
    };
    fpx_call call;

    if (sh->spec.mode != FPX_SHADOW_LOCAL || sh->spec.format.bits != 64 || info->bound == NULL)
        return 0;
    fpx_program_call(view->program, view->op, &call);
    args.call = &call;
    if (op->kind == FPX_OP_GEMM)
        fpx_exec_decode(view->exec, op->out[0], view->out[0], sh->value);
    for (uint32_t i = 0; i < op->nin; i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(view->program, op->in[i]);

        args.in[i] = view->in[i];
        if (op->kind == FPX_OP_GEMM) {
            args.codes[i] = view->in[i];
            args.decode[i] = fpx_exec_scale(view->exec, op->in[i]);
        }
        if (holds_input(sh, op, i)) {
            args.in[i] = fpx_exec_data(sh->exec, op->in[i]);
        } else if (t->desc.format.cls == FPX_CLASS_FLOAT) {
            fpx_exec_decode(view->exec, op->in[i], view->in[i], sh->input[i]);
            args.in[i] = sh->input[i];
        }
    }
    for (uint32_t o = 0; o < op->nout; o++) {
        args.out[o] = fpx_exec_data(sh->exec, op->out[o]);
        args.bound[o] = sh->bound[o];
    }
    info->bound(&args);
    return 1;
}

/* A local float32 shadow has bounds of products, where all numbers are finite or none of a pair is. */
static int has_narrow_bound(const fpx_shadow *sh, const fpx_program_op *op)
{
    return op->kind == FPX_OP_GEMM && sh->spec.mode == FPX_SHADOW_LOCAL &&
           sh->spec.format.bits == 32;
}

static void judge_product(const fpx_shadow *sh, const fpx_op_view *view, const fpx_program_op *op,
                          int any_order, fpx_figure *figure)
{
    fpx_call call;
    op_narrow args = { .call = &call,
                       .any_order = any_order,
                       .value = view->out[0],
                       .reference = fpx_exec_data(sh->exec, op->out[0]),
                       .scratch = sh->scratch };
    op_narrow_verdict verdict;

    fpx_program_call(view->program, view->op, &call);
    for (uint32_t i = 0; i < 2; i++) {
        args.decode[i] = fpx_exec_scale(view->exec, op->in[i]);
        args.in[i] = fpx_exec_data(sh->exec, op->in[i]);
    }
    if (!narrow_judge(&args, &verdict))
        return;
    figure->ratio = verdict.ratio;
    figure->mismatches = (double)verdict.above;
    figure->element = (double)verdict.element;
    figure->expected = (double)args.reference[verdict.element];
    figure->actual = (double)args.value[verdict.element];
}

/* Output o, whose id is `id`. Only scales of blocks need the values written out. */
static void compare_values(const fpx_shadow *sh, const fpx_op_view *view, uint32_t id, uint32_t o,
                           const double *bound, fpx_figure *figure)
{
    const fpx_tensor *desc = &fpx_program_tensor_at(view->program, id)->desc;
    const fpx_tensor *shadow = &fpx_program_tensor_at(fpx_exec_program(sh->exec), id)->desc;
    const fpx_coded reference = { &shadow->format, fpx_exec_scale(sh->exec, id),
                                  fpx_exec_data(sh->exec, id) };
    fpx_coded value = { &desc->format, fpx_exec_scale(view->exec, id), view->out[o] };

    if (shadow_has_blocks(view->exec, id)) {
        fpx_exec_decode(view->exec, id, view->out[o], sh->value);
        value = (fpx_coded){ &fpx_fp64, 1.0, sh->value };
    }
    shadow_compare_values(&value, &reference, bound, fpx_tensor_count(shadow), figure);
}

double shadow_judge(fpx_shadow *sh, const fpx_op_view *view, const fpx_program_op *op,
                    int any_order)
{
    const int equal = sh->spec.mode == FPX_SHADOW_EQUAL;
    double mismatches = 0.0;

    const int bounded = compute_bound(sh, view, op, any_order);

    for (uint32_t o = 0; o < op->nout; o++) {
        const uint32_t id = op->out[o];
        const fpx_tensor *desc = &fpx_program_tensor_at(view->program, id)->desc;
        fpx_figure *figure = &sh->figures[view->op * FPX_MAX_OUT + o];

        if (!equal && fpx_tensor_class_scales(fpx_program_tensor_at(view->program, id)->cls)) {
            *figure = fpx_figure_none; /* a widened program has no scales to compare with */
            continue;
        }
        if (equal)
            shadow_compare_codes(&desc->format, fpx_exec_scale(view->exec, id), view->out[o],
                                 fpx_exec_data(sh->exec, id), fpx_tensor_count(desc), figure);
        else
            compare_values(sh, view, id, o, bounded ? sh->bound[o] : NULL, figure);
        if (has_narrow_bound(sh, op) && figure->mismatches == 0.0)
            judge_product(sh, view, op, any_order, figure);
        mismatches += figure->mismatches;
    }
    return mismatches;
}
