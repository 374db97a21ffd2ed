/* test_shadow.c - shadows: what each mode compares with what, against computations by hand and separate
 * runs; that float32 lies within its bounds of float64 and the bounds say something; that a planted fault is
 * found and nothing else; that watching changes no bit. */
#include <fenv.h>
#include <math.h>

#include <fpx/convert.h>
#include <fpx/fault.h>
#include <fpx/opshape.h>
#include <fpx/optable.h>

#include "shadow_rig.h"

static const char *const recipes[] = { "fp32", "bf16", "fp8" };

START_TEST(names_and_specs)
{
    static const struct {
        const char *text, *names[2];
    } good[] = { { "local", { "local:fp64", NULL } },
                 { "operand:fp32", { "operand:fp32", NULL } },
                 { "free:fp64", { "free:fp64", NULL } },
                 { "both", { "local:fp64", "free:fp64" } },
                 { "both:fp32", { "local:fp32", "free:fp32" } },
                 { "local:cpu", { "local:cpu", NULL } },
                 { "local:hopper/wgmma/fp8-fp32", { "local:hopper/wgmma/fp8-fp32", NULL } },
                 { "local:hopper/wgmma/fp8-fp32,step=32,promote=128",
                   { "local:hopper/wgmma/fp8-fp32,step=32,promote=128", NULL } } };
    static const char *const bad[] = { "",          "loca",     "locall",      "local:",  ":fp64",
                                       "both:fp16", "free:cpu", "local:fp64 ", "both:cpu" };
    fpx_shadow_spec specs[FPX_SHADOW_MAX];
    char name[FPX_SHADOW_NAME];
    size_t count = 77;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        REFUSED(fpx_shadow_parse(bad[i], specs, &count, err), FPX_EINVAL,
                "expected local, operand, free or both");
    REFUSED(fpx_shadow_parse("local:hopper/wgmma/none", specs, &count, err), FPX_EINVAL,
            "no matrix unit is named hopper/wgmma/none");
    REFUSED(fpx_shadow_parse("free:hopper/wgmma/fp8-fp32", specs, &count, err), FPX_EINVAL,
            "expected local, operand, free or both");
    ck_assert_uint_eq(count, 77);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        MUST(fpx_shadow_parse(good[i].text, specs, &count, err));
        ck_assert_uint_eq(count, good[i].names[1] ? 2 : 1);
        for (size_t k = 0; k < count; k++) {
            fpx_shadow_name(&specs[k], name);
            ck_assert_str_eq(name, good[i].names[k]);
        }
    }
}
END_TEST

/* ---- local: within the bound ---- */
typedef struct bounds {
    const fpx_shadow *shadow;
    double worst[FPX_OP_KINDS];
    uint64_t figures;
} bounds;

static fpx_status check_bounds(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    bounds *b = context;

    (void)err;
    for (uint32_t o = 0; o < op->nout; o++) {
        const fpx_figure *f = fpx_shadow_figure(b->shadow, view->op, o);

        if (op->kind == FPX_OP_SCALE) { /* no scales in a widened program */
            ck_assert(isnan(f->ratio) && isnan(f->max_abs) && isnan(f->mismatches) == 0);
            continue;
        }
        if (!(f->ratio <= 1.0) || !(f->mismatches == 0.0) || !isfinite(f->max_abs))
            ck_abort_msg("step %" PRIu64 ", %s, output %u, element %.0f: %a, reference %a, error "
                         "%g is %g bounds, %g mismatches",
                         view->step, op->name, o, f->element, f->actual, f->expected, f->max_abs,
                         f->ratio, f->mismatches);
        if (f->ratio > b->worst[op->kind])
            b->worst[op->kind] = f->ratio;
        b->figures++;
    }
    return FPX_OK;
}

/* Operations that only move values have the bound 0, and squares are summed in float64 by both; others come near theirs: a bound of Inf, or one a
 * thousand times too wide, is no bound. */
static double least_ratio(fpx_op_kind kind)
{
    switch (kind) {
    case FPX_OP_EMBED:
    case FPX_OP_MERGE_HEADS:
    case FPX_OP_SPLIT_HEADS:
    case FPX_OP_SCALE:
    case FPX_OP_SUMSQ:
        return 0.0;
    default:
        return 1e-3;
    }
}

START_TEST(float32_is_within_its_bounds)
{
    rig r = open_rig(recipes[_i % 3], _i / 3 ? FPX_GELU : FPX_SWIGLU, "local:fp64", NULL);
    bounds b = { .shadow = r.shadow };
    int present[FPX_OP_KINDS] = { 0 };
    double worst = 0.0;

    attach(r.exec, &b, check_bounds);
    run_steps(&r, STEPS);
    for (uint32_t i = 0; i < fpx_program_ops(r.model->program); i++)
        present[fpx_program_op_at(r.model->program, i)->kind] = 1;
    for (uint32_t kind = 0; kind < FPX_OP_KINDS; kind++) {
        worst = b.worst[kind] > worst ? b.worst[kind] : worst;
        if (present[kind] && b.worst[kind] < least_ratio((fpx_op_kind)kind))
            ck_abort_msg("%s: never above %g of its bound",
                         fpx_op_shape_of((fpx_op_kind)kind)->name, b.worst[kind]);
    }
    ck_assert_double_gt(worst, 0.01);
    printf("%s, seed %d: %" PRIu64 " figures, worst error %.3f of its bound\n", recipes[_i % 3],
           (int)SEED, b.figures, worst);
    close_rig(&r);
}
END_TEST

/* ---- operand: by hand ---- */
static double *unquantized(const fpx_op_view *view, uint32_t id)
{
    const fpx_program_tensor *t = fpx_program_tensor_at(view->program, id);
    const uint32_t source = t->unquantized != FPX_NO_TENSOR ? t->unquantized : id;
    const fpx_tensor *desc = &fpx_program_tensor_at(view->program, source)->desc;
    const float *x = fpx_exec_data(view->exec, source);
    const size_t n = fpx_tensor_count(desc);
    double *wide = malloc(n * sizeof *wide);

    ck_assert(fpx_format_equal(&desc->format, &fpx_fp32));
    ck_assert_ptr_nonnull(wide);
    for (size_t i = 0; i < n; i++)
        wide[i] = (double)x[i];
    return wide;
}

/* d = op(a) op(b), 2-D, the plain triple loop. */
static void check_product(const fpx_op_view *view, const fpx_program_op *op, const fpx_figure *f)
{
    const fpx_tensor *ta = &fpx_program_tensor_at(view->program, op->in[0])->desc;
    const fpx_tensor *td = &fpx_program_tensor_at(view->program, op->out[0])->desc;
    const size_t rows = td->shape[0], columns = td->shape[1];
    const int trans_a = op->attr.gemm.trans_a != 0, trans_b = op->attr.gemm.trans_b != 0;
    const size_t inner = ta->shape[trans_a ? 0 : 1];
    double *a = unquantized(view, op->in[0]), *b = unquantized(view, op->in[1]);
    const float *got = view->out[0];
    double worst = 0.0, squares = 0.0, reference = 0.0;

    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            double sum = 0.0;

            for (size_t k = 0; k < inner; k++)
                sum += a[trans_a ? k * rows + i : i * inner + k] *
                       b[trans_b ? j * inner + k : k * columns + j];
            const double e = fabs((double)got[i * columns + j] - sum);
            worst = e > worst ? e : worst;
            squares += e * e;
            reference += sum * sum;
        }
    const double n = (double)(rows * columns);
    /* Only the order of float64 sums differs: 1e-12 of the values is generous. */
    ck_assert_msg(fabs(f->max_abs - worst) <= 1e-12 * sqrt(reference), "%s: %g, by hand %g",
                  op->name, f->max_abs, worst);
    ck_assert_msg(fabs(f->rms - sqrt(squares / n)) <= 1e-12 * sqrt(reference), "%s", op->name);
    ck_assert_msg(fabs(f->rms_reference - sqrt(reference / n)) <= 1e-12 * sqrt(reference), "%s",
                  op->name);
    ck_assert_msg(worst > 0.0 || reference == 0.0, "%s: quantizing costs nothing?", op->name);
    ck_assert(isnan(f->ratio));
    free(a);
    free(b);
}

static void check_codes(const fpx_op_view *view, const fpx_program_op *op, const fpx_figure *f)
{
    const fpx_tensor *t = &fpx_program_tensor_at(view->program, op->out[0])->desc;
    const size_t n = fpx_tensor_count(t);
    const float *x = view->in[0];
    double *value = malloc(n * sizeof *value), worst = 0.0;

    ck_assert_ptr_nonnull(value);
    ck_assert_int_eq(
        fpx_decode_f64(&t->format, fpx_exec_scale(view->exec, op->out[0]), view->out[0], value, n),
        FPX_OK);
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs(value[i] - (double)x[i]));
    ck_assert_msg(f->max_abs == worst, "%s: %a, by hand %a", op->name, f->max_abs, worst);
    free(value);
}

typedef struct hand {
    const fpx_shadow *shadow;
    uint64_t products, codes;
} hand;

static fpx_status check_by_hand(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    hand *h = context;

    (void)err;
    const fpx_figure *f = fpx_shadow_figure(h->shadow, view->op, 0);
    if (op->kind == FPX_OP_QUANTIZE) {
        check_codes(view, op, f);
        h->codes++;
    } else if (op->kind == FPX_OP_GEMM &&
               fpx_program_tensor_at(view->program, op->in[0])->unquantized != FPX_NO_TENSOR) {
        check_product(view, op, f);
        h->products++;
    }
    return FPX_OK;
}

START_TEST(operand_is_what_quantizing_cost)
{
    rig r = open_rig(recipes[_i], FPX_SWIGLU, "operand:fp64", NULL);
    hand h = { .shadow = r.shadow };

    attach(r.exec, &h, check_by_hand);
    run_steps(&r, 2);
    ck_assert_uint_eq(h.products, 2 * 27); /* 9 linear layers, 3 roles */
    ck_assert_uint_ge(h.codes, 2 * 27);    /* x, w, dy of each */
    close_rig(&r);
}
END_TEST

/* ---- free: a run of its own ---- */
static void widen_inputs(const fpx_exec *from, const fpx_exec *to, int state)
{
    const fpx_program *p = fpx_exec_program(from);

    for (uint32_t i = 0; i < fpx_program_tensors(p); i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(p, i);
        const int lasting = t->cls == FPX_TENSOR_PARAM || t->cls == FPX_TENSOR_STATE;
        const float *x = fpx_exec_data(from, i);

        if (t->desc.format.cls == FPX_CLASS_INT && t->cls == FPX_TENSOR_INPUT)
            memcpy(fpx_exec_data(to, i), x, fpx_tensor_bytes(&t->desc));
        else if (t->cls == FPX_TENSOR_INPUT || (lasting && state))
            for (size_t k = 0; k < fpx_tensor_count(&t->desc); k++)
                ((double *)fpx_exec_data(to, i))[k] = (double)x[k];
    }
}

/* Sum over parameters of the rms distance that the shadow gave at the optimizer. */
static double drift(const rig *r)
{
    double sum = 0.0;

    for (uint32_t i = 0; i < fpx_program_ops(r->model->program); i++)
        if (fpx_program_op_at(r->model->program, i)->kind == FPX_OP_ADAMW)
            sum += fpx_shadow_figure(r->shadow, i, 0)->rms;
    return sum;
}

START_TEST(free_shadow_is_a_run_of_its_own)
{
    rig r = open_rig(recipes[_i], _i == 1 ? FPX_GELU : FPX_SWIGLU, "free:fp64", NULL);
    fpx_program *wide = NULL;
    fpx_exec *alone = NULL;
    double at[STEPS];

    MUST(fpx_program_widen(r.model->program, &fpx_fp64, &wide, err));
    MUST(fpx_exec_new(wide, &r.reference, 1, 0, &alone, err));
    widen_inputs(r.exec, alone, 1);
    for (uint64_t step = 0; step < STEPS; step++) {
        new_batch(r.exec, r.model, step);
        widen_inputs(r.exec, alone, 0);
        MUST(fpx_exec_step(r.exec, step, err));
        MUST(fpx_exec_step(alone, step, err));
        SAME_DIGEST(tiny_state(alone), tiny_state(fpx_shadow_exec(r.shadow)),
                    "step %" PRIu64 ": the free shadow is not the float64 run", step);
        at[step] = drift(&r);
        ck_assert_msg(at[step] > (step ? at[step - 1] : 0.0), "step %" PRIu64 ": no drift", step);
    }
    printf("%s: drift of all parameters %.2e after one step, %.2e after %d\n", recipes[_i], at[0],
           at[STEPS - 1], (int)STEPS);
    fpx_exec_free(alone);
    fpx_program_free(wide);
    close_rig(&r);
}
END_TEST

/* A restored shadow keeps its state; a new one takes the run's. */
START_TEST(restored_state_stays)
{
    rig r = open_rig("fp8", FPX_SWIGLU, "free:fp64", NULL);
    const uint32_t w = fpx_program_find_tensor(r.model->program, "embed/w");
    double *own = fpx_exec_data(fpx_shadow_exec(r.shadow), w);
    const float *watched = fpx_exec_data(r.exec, w);

    if (_i)
        fpx_shadow_restored(r.shadow);
    own[0] = 1000.0;
    run_steps(&r, 1);
    ck_assert((fabs(own[0] - (double)watched[0]) > 900.0) == (_i == 1));
    ck_assert_ptr_eq(fpx_shadow_spec_of(r.shadow), fpx_shadow_spec_of(r.shadow));
    ck_assert_uint_eq(fpx_shadow_spec_of(r.shadow)->mode, FPX_SHADOW_FREE);
    close_rig(&r);

    rig local = open_rig("fp8", FPX_SWIGLU, "local:fp64", NULL);
    ck_assert_ptr_null(fpx_shadow_exec(local.shadow));
    close_rig(&local);
}
END_TEST

/* ---- equal: finds exactly what was planted ---- */
static const fpx_fault faults[] = {
    { .kind = FPX_FAULT_KINDS, .op = "nothing is planted" },
    { .kind = FPX_FAULT_BIT, .step = 2, .element = 17, .bit = 3, .op = "layer.0/mlp.up/fprop" },
    { .kind = FPX_FAULT_BIT, .step = 0, .element = 0, .bit = 31, .op = "loss/fprop" },
    { .kind = FPX_FAULT_ULP, .step = 1, .element = 95, .op = "layer.1/attn.qkv/wgrad" },
    { .kind = FPX_FAULT_ULP, .step = 1, .element = 5, .op = "layer.1/attn.qkv/x.e4m3/quantize" },
    { .kind = FPX_FAULT_ULP, .step = 2, .element = 1, .op = "layer.0/mlp.down/dy.e5m2/scale" },
    { .kind = FPX_FAULT_ULP, .step = 3, .element = 0, .op = "embed/dw/sumsq" },
    { .kind = FPX_FAULT_ULP, .step = 3, .element = 9, .out = 2, .op = "embed/w/adamw" },
    { .kind = FPX_FAULT_STALE, .step = 3, .op = "layer.0/attn.softmax/fprop" },
    { .kind = FPX_FAULT_TRUNCATE, .step = 1, .bit = 12, .op = "norm/dgrad" },
};

typedef struct search {
    const rig *r;
    const fpx_fault *fault;
    const fpx_fault_report *report;
    uint64_t found;
} search;

static fpx_status look(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    search *s = context;

    (void)err;
    for (uint32_t o = 0; o < op->nout; o++) {
        const fpx_figure *f = fpx_shadow_figure(s->r->shadow, view->op, o);
        const int planted = strcmp(op->name, s->fault->op) == 0 && o == s->fault->out &&
                            view->step == s->fault->step;

        ck_assert(isnan(f->ratio));
        if (!planted) {
            ck_assert_msg(f->mismatches == 0.0 && f->max_abs == 0.0 && f->cosine == 1.0,
                          "step %" PRIu64 ", %s, output %u: %g mismatches", view->step, op->name, o,
                          f->mismatches);
            continue;
        }
        ck_assert_double_gt((double)s->report->changed, 0.0);
        ck_assert_msg(f->mismatches == (double)s->report->changed, "%s: %g, changed %" PRIu64,
                      op->name, f->mismatches, s->report->changed);
        ck_assert(f->element == (double)s->report->element);
        const fpx_format *format = &fpx_program_tensor_at(view->program, op->out[o])->desc.format;
        const double scale = fpx_exec_scale(view->exec, op->out[o]);
        if (format->bits < 64) {
            ck_assert(f->expected_bits == (double)s->report->before);
            ck_assert(f->actual_bits == (double)s->report->after);
        } else {
            ck_assert(isnan(f->expected_bits) && isnan(f->actual_bits));
        }
        ck_assert(f->expected == fpx_format_value(format, s->report->before) * scale);
        ck_assert(f->actual == fpx_format_value(format, s->report->after) * scale);
        ck_assert(f->max_abs >= fabs(f->expected - f->actual));
        s->found++;
    }
    return FPX_OK;
}

START_TEST(equality_finds_the_planted_fault)
{
    const fpx_fault *fault = &faults[_i];
    const int clean = fault->kind == FPX_FAULT_KINDS;
    fpx_fault_report report = { 0 };
    fpx_device *device = NULL;

    if (clean)
        device = tiny_device("cpu,threads=2"); /* another device, the same bits */
    else
        MUST(fpx_fault_device(&fpx_accel_cpu, "threads=1", fault, &report, &device, err));
    rig r = open_rig("fp8", FPX_SWIGLU, "local:cpu", device);
    search s = { .r = &r, .fault = fault, .report = &report };

    attach(r.exec, &s, look);
    run_steps(&r, STEPS);
    ck_assert_msg(s.found == (clean ? 0 : 1), "%s, %s: not found", fault->op,
                  clean ? "" : fpx_fault_name((fpx_fault_kind)fault->kind));
    for (uint32_t i = 0; i < fpx_program_ops(r.model->program); i++)
        ck_assert_int_eq(fpx_shadow_informs(r.shadow, i), 1);
    close_rig(&r);
}
END_TEST

/* ---- local: another device's order ---- */
typedef struct forgiveness {
    const rig *r;
    const fpx_fault *fault;
    uint64_t forgiven, found;
} forgiveness;

/* The tight bounds of the planted element, as the shadow should have them. */
static fpx_status look_at_order(void *context, const fpx_op_view *view, fpx_error *err)
{
    static double in[2][4096], reference[4096], value[4096], bound[4096], scratch[4096];
    forgiveness *s = context;
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    const fpx_figure *f = fpx_shadow_figure(s->r->shadow, view->op, 0);
    const size_t e = (size_t)s->fault->element;
    double limits[2];
    fpx_call call;

    (void)err;
    if (strcmp(op->name, s->fault->op) != 0 || f->element != (double)e)
        return FPX_OK;
    fpx_program_call(view->program, view->op, &call);
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_le(fpx_tensor_count(&call.in[i]), 4096);
        for (size_t k = 0; k < fpx_tensor_count(&call.in[i]); k++)
            in[i][k] = (double)((const float *)view->in[i])[k];
    }
    for (size_t k = 0; k < fpx_tensor_count(&call.out[0]); k++)
        reference[k] = value[k] = (double)((const float *)view->out[0])[k];
    reference[e] = f->expected;
    for (int any = 0; any < 2; any++) {
        const fpx_bound_args args = { .call = &call,
                                      .unit = 0x1p-24,
                                      .any_order = any,
                                      .in = { in[0], in[1] },
                                      .out = { reference },
                                      .value = value,
                                      .bound = { bound },
                                      .scratch = scratch };
        fpx_op_info_of(FPX_OP_GEMM)->bound(&args);
        limits[any] = bound[e];
    }
    const double error = fabs(value[e] - reference[e]);
    ck_assert(error <= limits[1] ? f->mismatches == 0.0 : f->mismatches == 1.0);
    s->forgiven += error > limits[0] && error <= limits[1];
    s->found += error > limits[1];
    return FPX_OK;
}

START_TEST(another_order_is_no_fault)
{
    uint64_t forgiven = 0, found = 0;

    for (uint64_t element = 0; element < 24; element++)
        for (uint32_t bit = 2; bit < 6; bit++) {
            const fpx_fault fault = {
                .kind = FPX_FAULT_BIT, .element = element, .bit = bit, .op = "layer.0/mlp.up/wgrad"
            };
            fpx_fault_report report = { 0 };
            fpx_device *device = NULL;

            MUST(fpx_fault_device(&fpx_accel_cpu, "threads=1", &fault, &report, &device, err));
            rig r = open_rig("fp32", FPX_SWIGLU, "local:fp64", device);
            forgiveness s = { .r = &r, .fault = &fault };
            attach(r.exec, &s, look_at_order);
            run_steps(&r, 1);
            forgiven += s.forgiven;
            found += s.found;
            close_rig(&r);
        }
    ck_assert_uint_gt(forgiven, 0);
    ck_assert_uint_gt(found, 0);
}
END_TEST

/* ---- what holds for all modes ---- */
START_TEST(watching_changes_no_bit)
{
    static const char *const all[] = { "local:fp64", "local:fp32", "operand:fp64",
                                       "free:fp64",  "free:fp32",  "local:cpu" };
    enum { ALL = sizeof all / sizeof all[0] };
    fpx_model *model = build_model(recipes[_i], FPX_SWIGLU);
    fpx_device *device = tiny_device("cpu,threads=1");
    fpx_shadow *shadows[ALL] = { NULL };
    fpx_digest chain = { { 0 } }, state = chain;

    for (int watched = 0; watched < 2; watched++) {
        const unsigned keep = watched ? FPX_KEEP_INPUTS | FPX_KEEP_UNQUANTIZED : 0;
        tiny_record record;
        fpx_exec *exec = NULL;

        MUST(fpx_exec_new(model->program, &device, 1, keep, &exec, err));
        tiny_fill(exec, SEED, 256);
        for (size_t i = 0; i < ALL && watched; i++) {
            const fpx_shadow_spec spec = spec_of(all[i]);

            MUST(fpx_shadow_new(exec, &spec, device, &shadows[i], err));
            const fpx_observer observer = fpx_shadow_observer(shadows[i]);
            ck_assert_int_eq(fpx_exec_attach(exec, &observer), FPX_OK);
        }
        tiny_watch(exec, &record);
        for (uint64_t step = 0; step < STEPS; step++) {
            new_batch(exec, model, step);
            MUST(fpx_exec_step(exec, step, err));
        }
        if (watched) {
            SAME_DIGEST(chain, record.chain, "%s: a watched run has other outputs", recipes[_i]);
            SAME_DIGEST(state, tiny_state(exec), "%s: a watched run ends elsewhere", recipes[_i]);
        }
        chain = record.chain;
        state = tiny_state(exec);
        fpx_exec_free(exec);
    }
    for (size_t i = 0; i < ALL; i++)
        fpx_shadow_free(shadows[i]);
    fpx_device_close(device);
    fpx_model_free(model);
}
END_TEST

static fpx_status add_figure(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    fpx_digest *chain = ((void **)context)[1];

    (void)err;
    for (uint32_t o = 0; o < op->nout; o++)
        *chain = fpx_digest_chain(
            *chain, fpx_digest_bytes(fpx_shadow_figure(((void **)context)[0], view->op, o),
                                     sizeof(fpx_figure)));
    return FPX_OK;
}

/* Figures and bounds are numbers of the library: the caller's rounding mode is not theirs. */
START_TEST(figures_under_any_rounding)
{
    static const int modes[] = { FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO };
    static const char *const shadows[] = { "local:fp64", "operand:fp64", "free:fp64" };
    fpx_digest first = { { 0 } };

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        rig r = open_rig("fp8", FPX_SWIGLU, shadows[_i], NULL);
        fpx_digest chain = { { 0 } };
        void *context[2] = { r.shadow, &chain };

        attach(r.exec, context, add_figure);
        ck_assert_int_eq(fesetround(modes[i]), 0);
        run_steps(&r, 2);
        ck_assert_int_eq(fegetround(), modes[i]);
        ck_assert_int_eq(fesetround(FE_TONEAREST), 0);
        if (i > 0)
            SAME_DIGEST(first, chain, "%s, rounding mode %d: other figures", shadows[_i], modes[i]);
        first = chain;
        close_rig(&r);
    }
}
END_TEST

typedef struct silence {
    const fpx_shadow *asked, *shadow;
    uint64_t silent, told;
} silence;

/* Where a shadow on the same device says that it could say nothing, one of another device, which runs everything, has
 * nothing to say. */
static fpx_status check_silence(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    silence *s = context;

    (void)err;
    for (uint32_t o = 0; o < op->nout; o++) {
        const fpx_figure *f = fpx_shadow_figure(s->shadow, view->op, o);

        if (fpx_shadow_informs(s->asked, view->op)) {
            s->told += f->max_abs > 0.0;
            continue;
        }
        ck_assert_msg(!(f->max_abs > 0.0) && !(f->mismatches > 0.0),
                      "%s informs about nothing, but is off by %g", op->name, f->max_abs);
        s->silent++;
    }
    return FPX_OK;
}

START_TEST(no_information_means_no_difference)
{
    static const struct {
        const char *recipe, *shadow;
        int tells, is_silent;
    } cases[] = { { "fp32", "local:fp32", 0, 1 }, { "bf16", "local:fp32", 1, 1 },
                  { "fp8", "local:fp32", 1, 1 },  { "fp8", "local:cpu", 0, 1 },
                  { "fp8", "local:fp64", 1, 1 },  { "fp8", "operand:fp32", 1, 1 },
                  { "fp32", "free:fp64", 1, 0 } };
    rig same = open_rig(cases[_i].recipe, FPX_SWIGLU, cases[_i].shadow, NULL);
    rig r = open_rig(cases[_i].recipe, FPX_SWIGLU, cases[_i].shadow,
                     tiny_device("cpu,threads=2")); /* the same bits by another name */
    silence s = { .asked = same.shadow, .shadow = r.shadow };
    uint64_t unsaid = 0;

    attach(r.exec, &s, check_silence);
    run_steps(&r, 2);
    ck_assert_int_eq(s.told > 0, cases[_i].tells);
    ck_assert_int_eq(s.silent > 0, cases[_i].is_silent);
    run_steps(&same, 1);
    for (uint32_t i = 0; i < fpx_program_ops(same.model->program); i++)
        if (!fpx_shadow_informs(same.shadow, i)) {
            ck_assert(isnan(fpx_shadow_figure(same.shadow, i, 0)->max_abs)); /* it was not run */
            unsaid++;
        }
    ck_assert_int_eq(unsaid > 0, cases[_i].is_silent);
    close_rig(&r);
    close_rig(&same);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, names_and_specs);
    tcase_add_loop_test(tc, float32_is_within_its_bounds, 0, 6);
    tcase_add_loop_test(tc, operand_is_what_quantizing_cost, 1, 3);
    tcase_add_loop_test(tc, free_shadow_is_a_run_of_its_own, 0, 3);
    tcase_add_loop_test(tc, restored_state_stays, 0, 2);
    tcase_add_test(tc, another_order_is_no_fault);
    tcase_add_loop_test(tc, equality_finds_the_planted_fault, 0, sizeof faults / sizeof faults[0]);
    tcase_add_loop_test(tc, watching_changes_no_bit, 0, 3);
    tcase_add_loop_test(tc, figures_under_any_rounding, 0, 3);
    tcase_add_loop_test(tc, no_information_means_no_difference, 0, 7);
}

int main(void)
{
    return tiny_run("shadow", add);
}
