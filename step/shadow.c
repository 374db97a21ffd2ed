/* shadow.c - one mechanism for all modes: a second executor over the same program (widened, or as it is in
 * equal mode) runs each operation right after the first; the modes differ in what its inputs are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/cpu.h>
#include <fpx/opshape.h>
#include <fpx/optable.h>
#include <fpx/shadow.h>

#include "shadow_figure.h"

struct fpx_shadow {
    fpx_shadow_spec spec;
    const fpx_exec *watched;
    fpx_program *program; /* widened; NULL in equal mode */
    fpx_exec *exec;
    int restored;                                   /* free mode: state is in place */
    fpx_figure *figures;                            /* ops * FPX_MAX_OUT */
    double *value, *reference, *bound[FPX_MAX_OUT]; /* as large as the largest tensor */
    double *input[FPX_MAX_IN], *scratch;
};

/* Writes the values of tensor `from` of the watched program into the shadow's tensor `id`. */
static void copy_in(const fpx_shadow *sh, uint32_t id, uint32_t from, const void *codes)
{
    const fpx_tensor *to = &fpx_program_tensor_at(fpx_exec_program(sh->exec), id)->desc;
    const fpx_tensor *desc = &fpx_program_tensor_at(fpx_exec_program(sh->watched), from)->desc;
    const size_t n = fpx_tensor_count(to);
    void *dst = fpx_exec_data(sh->exec, id);

    if (fpx_format_equal(&to->format, &desc->format) && desc->nscales == 0) {
        memcpy(dst, codes, fpx_tensor_bytes(to));
    } else if (fpx_format_equal(&to->format, &fpx_fp64)) {
        fpx_exec_decode(sh->watched, from, codes, dst);
    } else { /* a widened fp32 tensor: one rounding of what is exact in float64 */
        fpx_exec_decode(sh->watched, from, codes, sh->value);
        for (size_t i = 0; i < n; i++)
            ((float *)dst)[i] = (float)sh->value[i];
    }
}

/* A widened program has no scales: its quantizers multiply by one. */
static void set_ones(const fpx_shadow *sh, uint32_t id)
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

/* The inputs of one operation, as the mode has it; free mode uses what it has. */
static void take_inputs(const fpx_shadow *sh, const fpx_op_view *view, const fpx_program_op *op)
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
            set_ones(sh, id);
            continue;
        }
        uint32_t from = id;
        if (sh->spec.mode == FPX_SHADOW_OPERAND && t->unquantized != FPX_NO_TENSOR) {
            from = t->unquantized;
            codes = fpx_exec_data(view->exec, from);
        }
        copy_in(sh, id, from, codes);
    }
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

/* Whether a device's products are summed in the order of fpx/gemm.h: the cpu device's are, but by OpenBLAS. A name is what
 * a device was opened by. */
static int has_own_order(const char *device)
{
    return strncmp(device, "cpu", 3) == 0 && (device[3] == '\0' || device[3] == ',') &&
           strstr(device, "engine=openblas") == NULL;
}

/* The bound needs every input exactly: also the scales that the widened program leaves out. sh->value holds output 0. */
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

const fpx_figure fpx_figure_none = { .max_abs = (double)NAN,
                                     .rms = (double)NAN,
                                     .rms_reference = (double)NAN,
                                     .cosine = (double)NAN,
                                     .ratio = (double)NAN,
                                     .expected = (double)NAN,
                                     .actual = (double)NAN,
                                     .expected_bits = (double)NAN,
                                     .actual_bits = (double)NAN };

static void decode_output(const fpx_shadow *sh, const fpx_op_view *view, const fpx_program_op *op,
                          uint32_t o)
{
    fpx_exec_decode(view->exec, op->out[o], view->out[o], sh->value);
}

/* Returns the elements that disagree. */
static double compare_outputs(fpx_shadow *sh, const fpx_op_view *view, const fpx_program_op *op,
                              int any_order)
{
    double mismatches = 0.0;

    if (sh->spec.mode != FPX_SHADOW_EQUAL)
        decode_output(sh, view, op, 0); /* which the bound looks at */
    const int bounded = compute_bound(sh, view, op, any_order);

    for (uint32_t o = 0; o < op->nout; o++) {
        const uint32_t id = op->out[o];
        const fpx_tensor *desc = &fpx_program_tensor_at(view->program, id)->desc;
        const fpx_tensor *shadow = &fpx_program_tensor_at(fpx_exec_program(sh->exec), id)->desc;
        fpx_figure *figure = &sh->figures[view->op * FPX_MAX_OUT + o];
        const double scale = fpx_exec_scale(view->exec, id);
        const double *reference = fpx_exec_data(sh->exec, id);

        if (sh->spec.mode != FPX_SHADOW_EQUAL &&
            fpx_tensor_class_scales(fpx_program_tensor_at(view->program, id)->cls)) {
            *figure = fpx_figure_none; /* a widened program has no scales to compare with */
            continue;
        }
        if (sh->spec.mode == FPX_SHADOW_EQUAL) {
            shadow_compare_codes(&desc->format, scale, view->out[o], reference,
                                 fpx_tensor_count(desc), figure);
            continue;
        }
        if (o > 0)
            decode_output(sh, view, op, o);
        if (shadow->format.bits != 64) {
            fpx_exec_decode(sh->exec, id, reference, sh->reference);
            reference = sh->reference;
        }
        shadow_compare_values(sh->value, reference, bounded ? sh->bound[o] : NULL,
                              fpx_tensor_count(desc), figure);
        mismatches += figure->mismatches;
    }
    return mismatches;
}

static fpx_status after_op(void *context, const fpx_op_view *view, fpx_error *err)
{
    fpx_shadow *sh = context;
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    fpx_status status;

    const fpx_fpenv env = fpx_fpenv_enter(); /* bounds and figures are numbers too */

    if (sh->spec.mode != FPX_SHADOW_FREE)
        take_inputs(sh, view, op);
    status = fpx_exec_op(sh->exec, view->step, view->op, err);
    const double mismatches = status == FPX_OK ? compare_outputs(sh, view, op, 0) : 0.0;
    /* What another device's order explains is no finding; one that keeps to ours has the cpu device's figures. */
    if (mismatches > 0.0 && sh->spec.mode == FPX_SHADOW_LOCAL && op->kind == FPX_OP_GEMM &&
        !has_own_order(view->device))
        (void)compare_outputs(sh, view, op, 1);
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
            set_ones(sh, (uint32_t)i);
        else if (t->cls == FPX_TENSOR_INPUT || (state && !sh->restored))
            copy_in(sh, (uint32_t)i, (uint32_t)i, fpx_exec_data(exec, (uint32_t)i));
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
    if (status == FPX_OK)
        status =
            fpx_exec_new(sh->program ? sh->program : watched, &reference, 1, 0, &sh->exec, err);
    if (status != FPX_OK)
        return status;
    sh->figures = calloc(fpx_program_ops(watched) * FPX_MAX_OUT + 1, sizeof *sh->figures);
    sh->value = calloc(n, sizeof(double));
    sh->reference = calloc(n, sizeof(double));
    sh->scratch = calloc(largest_scratch(watched), sizeof(double));
    whole = sh->figures && sh->value && sh->reference && sh->scratch;
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
    free(shadow->figures);
    free(shadow->value);
    free(shadow->reference);
    free(shadow->scratch);
    for (size_t i = 0; i < FPX_MAX_IN; i++)
        free(shadow->input[i]);
    for (size_t i = 0; i < FPX_MAX_OUT; i++)
        free(shadow->bound[i]);
    free(shadow);
}

fpx_observer fpx_shadow_observer(fpx_shadow *shadow)
{
    return (fpx_observer){ .context = shadow, .begin_step = begin_step, .after_op = after_op };
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
        return !same_device;
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
