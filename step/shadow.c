/* shadow.c - one mechanism for all modes: a second executor over the same program (widened, or as it is in
 * equal mode) runs each operation right after the first; the modes differ in what its inputs are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>
#include <fpx/opshape.h>

#include "shadow_state.h"

const fpx_figure fpx_figure_none = { .max_abs = (double)NAN,
                                     .rms = (double)NAN,
                                     .rms_reference = (double)NAN,
                                     .cosine = (double)NAN,
                                     .ratio = (double)NAN,
                                     .expected = (double)NAN,
                                     .actual = (double)NAN,
                                     .expected_bits = (double)NAN,
                                     .actual_bits = (double)NAN };

const fpx_figure fpx_figure_unseen = { (double)NAN, (double)NAN, (double)NAN, (double)NAN,
                                       (double)NAN, (double)NAN, (double)NAN, (double)NAN,
                                       (double)NAN, (double)NAN, (double)NAN };

fpx_status fpx_shadow_sample(fpx_shadow *sh, uint64_t every, const unsigned char *ops,
                             fpx_error *err)
{
    const size_t n = fpx_program_ops(fpx_exec_program(sh->watched));
    unsigned char *looked = NULL;

    if (sh->spec.mode == FPX_SHADOW_FREE)
        return fpx_error_set(err, FPX_EINVAL,
                             "a free shadow goes on from what it had before: it cannot leave steps "
                             "or layers out; sample local or operand");
    if (every == 0 || (ops != NULL && memchr(ops, 1, n) == NULL))
        return fpx_error_set(
            err, FPX_EINVAL,
            "a shadow that looks at nothing: no operation is of all that was asked");
    if (ops != NULL && (looked = malloc(n)) == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "shadow: out of memory");
    if (ops != NULL)
        memcpy(looked, ops, n);
    free(sh->looked);
    sh->looked = looked;
    sh->every = every;
    return FPX_OK;
}

int fpx_shadow_looks(const fpx_shadow *sh, uint64_t step, uint32_t op)
{
    return step % sh->every == 0 && (sh->looked == NULL || sh->looked[op] != 0);
}

/* What could say nothing is not run: but a free shadow lives on it. */
static int looks(const void *context, uint64_t step, uint32_t op)
{
    const fpx_shadow *sh = context;

    return fpx_shadow_looks(sh, step, op) &&
           (sh->spec.mode == FPX_SHADOW_FREE || fpx_shadow_informs(sh, op));
}

static fpx_status after_op(void *context, const fpx_op_view *view, fpx_error *err)
{
    fpx_shadow *sh = context;
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    fpx_status status;

    if (!looks(sh, view->step, view->op))
        return FPX_OK;
    const fpx_fpenv env = fpx_fpenv_enter(); /* bounds and figures are numbers too */

    if (sh->spec.mode != FPX_SHADOW_FREE)
        shadow_take_inputs(sh, view, op);
    status = fpx_exec_op(sh->exec, view->step, view->op, err);
    const double mismatches = status == FPX_OK ? shadow_judge(sh, view, op, 0) : 0.0;
    /* What another device's order explains is no finding; one that keeps to ours has the cpu device's figures. */
    if (mismatches > 0.0 && sh->spec.mode == FPX_SHADOW_LOCAL && op->kind == FPX_OP_GEMM &&
        !fpx_cpu_is_reproducible(view->device))
        (void)shadow_judge(sh, view, op, 1);
    fpx_fpenv_leave(env);
    return status;
}

/* free mode: step inputs always come from the watched program, state once. */
static fpx_status begin_step(void *context, const fpx_exec *exec, uint64_t step, fpx_error *err)
{
    fpx_shadow *sh = context;
    const fpx_program *program = fpx_exec_program(exec);

    (void)step;
    (void)err;
    if (sh->spec.mode != FPX_SHADOW_FREE)
        return FPX_OK;
    for (size_t i = 0; i < fpx_program_tensors(program); i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(program, i);
        const int state = fpx_tensor_class_lasts(t->cls);

        if (fpx_tensor_class_scales(t->cls))
            shadow_set_ones(sh, (uint32_t)i);
        else if (t->cls == FPX_TENSOR_INPUT || (state && !sh->restored))
            shadow_copy_in(sh, (uint32_t)i, (uint32_t)i, fpx_exec_data(exec, (uint32_t)i));
    }
    sh->restored = 1;
    return FPX_OK;
}

static size_t largest_tensor(const fpx_program *program)
{
    size_t n = 1;

    for (size_t i = 0; i < fpx_program_tensors(program); i++) {
        const size_t count = fpx_tensor_count(&fpx_program_tensor_at(program, i)->desc);
        n = count > n ? count : n;
    }
    return n;
}

static size_t largest_scratch(const fpx_program *program)
{
    size_t n = 1;

    for (size_t i = 0; i < fpx_program_ops(program); i++) {
        const fpx_op_info *info = fpx_op_info_of((fpx_op_kind)fpx_program_op_at(program, i)->kind);
        fpx_call call;

        fpx_program_call(program, i, &call);
        const size_t need = info->bound_scratch ? info->bound_scratch(&call) : 0;
        n = need > n ? need : n;
    }
    return n;
}

static fpx_status build(fpx_shadow *sh, fpx_device *reference, fpx_error *err)
{
    const fpx_program *watched = fpx_exec_program(sh->watched);
    const size_t n = largest_tensor(watched);
    fpx_status status = FPX_OK;
    int whole;

    if (sh->spec.mode != FPX_SHADOW_EQUAL)
        status = fpx_program_widen(watched, &sh->spec.format, &sh->program, err);
    else if (sh->spec.unit[0] != '\0')
        status = shadow_name_unit(sh, reference, err);
    if (status == FPX_OK)
        status =
            fpx_exec_new(sh->program ? sh->program : watched, &reference, 1, 0, &sh->exec, err);
    if (status != FPX_OK)
        return status;
    sh->held = calloc(fpx_program_tensors(watched) + 1, sizeof *sh->held);
    sh->figures = calloc(fpx_program_ops(watched) * FPX_MAX_OUT + 1, sizeof *sh->figures);
    sh->value = calloc(n, sizeof(double));
    sh->scratch = calloc(largest_scratch(watched), sizeof(double));
    for (size_t i = 0; sh->figures && i < fpx_program_ops(watched) * FPX_MAX_OUT; i++)
        sh->figures[i] = fpx_figure_none;
    whole = sh->held && sh->figures && sh->value && sh->scratch;
    for (size_t i = 0; i < FPX_MAX_IN; i++)
        whole = (sh->input[i] = calloc(n, sizeof(double))) != NULL && whole;
    for (size_t i = 0; i < FPX_MAX_OUT; i++)
        whole = (sh->bound[i] = calloc(n, sizeof(double))) != NULL && whole;
    return whole ? FPX_OK : fpx_error_set(err, FPX_ENOMEM, "shadow: out of memory");
}

fpx_status fpx_shadow_new(const fpx_exec *exec, const fpx_shadow_spec *spec, fpx_device *reference,
                          fpx_shadow **ret_shadow, fpx_error *err)
{
    fpx_shadow *sh = calloc(1, sizeof *sh);
    fpx_status status;

    if (sh == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "shadow: out of memory");
    sh->spec = *spec;
    sh->watched = exec;
    sh->every = 1;
    if ((status = build(sh, reference, err)) != FPX_OK) {
        fpx_shadow_free(sh);
        return status;
    }
    *ret_shadow = sh;
    return FPX_OK;
}

void fpx_shadow_free(fpx_shadow *shadow)
{
    if (shadow == NULL)
        return;
    fpx_exec_free(shadow->exec);
    fpx_program_free(shadow->program);
    free(shadow->looked);
    free(shadow->held);
    free(shadow->on_unit);
    free(shadow->figures);
    free(shadow->value);
    free(shadow->scratch);
    for (size_t i = 0; i < FPX_MAX_IN; i++)
        free(shadow->input[i]);
    for (size_t i = 0; i < FPX_MAX_OUT; i++)
        free(shadow->bound[i]);
    free(shadow);
}

fpx_observer fpx_shadow_observer(fpx_shadow *shadow)
{
    return (fpx_observer){
        .context = shadow, .begin_step = begin_step, .after_op = after_op, .looks = looks
    };
}

const fpx_figure *fpx_shadow_figure(const fpx_shadow *shadow, uint32_t op, uint32_t out)
{
    return &shadow->figures[op * FPX_MAX_OUT + out];
}

const fpx_shadow_spec *fpx_shadow_spec_of(const fpx_shadow *shadow)
{
    return &shadow->spec;
}

/* Whether the shadow's program computes something else than the watched one in this operation: it does
 * where an input has a scale (it multiplies the product in one, the operand in the other) or where the
 * output is narrower. */
static int differs(const fpx_program *program, const fpx_program_op *op)
{
    int scaled = 0;

    for (uint32_t i = 0; i < op->nin; i++)
        scaled |= fpx_program_tensor_at(program, op->in[i])->scale != FPX_NO_TENSOR;
    for (uint32_t o = 0; o < op->nout; o++)
        scaled |= fpx_program_tensor_at(program, op->out[o])->unquantized != FPX_NO_TENSOR;
    return scaled;
}

int fpx_shadow_informs(const fpx_shadow *shadow, uint32_t op)
{
    const fpx_program *program = fpx_exec_program(shadow->watched);
    const int same_device =
        strcmp(fpx_exec_op_device(shadow->watched, op), fpx_exec_op_device(shadow->exec, op)) == 0;

    if (shadow->spec.mode == FPX_SHADOW_EQUAL)
        return !same_device || (shadow->on_unit != NULL && shadow->on_unit[op]);
    const uint32_t kind = fpx_program_op_at(program, op)->kind;
    if (kind == FPX_OP_SCALE || kind == FPX_OP_SCALE_DELAYED || kind == FPX_OP_SCALE_FACTOR)
        return 0; /* a widened program has no scales to compare with */
    if (!same_device || shadow->spec.mode == FPX_SHADOW_FREE ||
        shadow->spec.mode == FPX_SHADOW_OPERAND)
        return 1;
    return shadow->spec.format.bits == 64 || differs(program, fpx_program_op_at(program, op));
}

fpx_exec *fpx_shadow_exec(fpx_shadow *shadow)
{
    return shadow->spec.mode == FPX_SHADOW_FREE ? shadow->exec : NULL;
}

void fpx_shadow_restored(fpx_shadow *shadow)
{
    shadow->restored = 1;
}
