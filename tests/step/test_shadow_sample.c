/* test_shadow_sample.c - a sampled shadow says what a whole one says, where it looks, and nothing elsewhere; a unit's
 * shadow agrees with a run that has its sums, differs from one that has others, and names what was planted. */
#include <math.h>

#include <fpx/fault.h>
#include <fpx/opshape.h>

#include "shadow_rig.h"

/* ---- sampling ---- */
enum { MOST = 600 };

typedef struct record {
    const fpx_shadow *shadow;
    fpx_digest figures[STEPS][MOST]; /* of each operation looked at, else 0 */
    uint64_t looked;
} record;

static fpx_status keep_figures(void *context, const fpx_op_view *view, fpx_error *err)
{
    record *r = context;

    (void)err;
    ck_assert_uint_lt(view->op, MOST);
    if (!fpx_shadow_looks(r->shadow, view->step, view->op))
        return FPX_OK;
    r->figures[view->step][view->op] =
        fpx_digest_bytes(fpx_shadow_figure(r->shadow, view->op, 0), sizeof(fpx_figure));
    r->looked++;
    return FPX_OK;
}

static const char *const sampled_modes[] = { "local:fp64", "local:fp32", "operand:fp64",
                                             "local:cpu" };

/* In-place operations too: their inputs are kept only where somebody looks. */
START_TEST(what_is_sampled_is_what_the_whole_shadow_said)
{
    static record records[2];
    unsigned char ops[MOST] = { 0 };
    const fpx_digest none = { { 0 } };
    uint64_t expected = 0;

    memset(records, 0, sizeof records);
    for (int sampled = 0; sampled < 2; sampled++) {
        rig r = open_rig("fp8", FPX_SWIGLU, sampled_modes[_i], NULL);
        const size_t n = fpx_program_ops(r.model->program);

        for (size_t i = 0; i < n; i++) {
            const fpx_program_op *op = fpx_program_op_at(r.model->program, i);
            ops[i] = op->layer == 1 || op->role == FPX_OPTIMIZER;
            expected += sampled && ops[i] ? STEPS / 2 : 0;
        }
        if (sampled)
            MUST(fpx_shadow_sample(r.shadow, 2, ops, err));
        records[sampled].shadow = r.shadow;
        attach(r.exec, &records[sampled], keep_figures);
        run_steps(&r, STEPS);
        close_rig(&r);
    }
    ck_assert_uint_eq(records[1].looked, expected);
    for (size_t step = 0; step < STEPS; step++)
        for (size_t i = 0; i < MOST; i++) {
            const int seen = step % 2 == 0 && ops[i] != 0;

            SAME_DIGEST(records[1].figures[step][i], seen ? records[0].figures[step][i] : none,
                        "step %zu, operation %zu: %s", step, i,
                        seen ? "another figure" : "was looked at");
        }
}
END_TEST

/* Nobody looks back: the copies of what is overwritten stay as they were. */
typedef struct copies {
    unsigned char at[STEPS][MOST];
    uint64_t fresh[STEPS];
} copies;

static fpx_status see_copies(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    copies *c = context;

    (void)err;
    if (op->kind == FPX_OP_ADAMW) {
        const fpx_digest here = fpx_digest_bytes(
            view->in[0], fpx_tensor_bytes(&fpx_program_tensor_at(view->program, op->in[0])->desc));
        const fpx_digest after = fpx_digest_bytes(
            view->out[0],
            fpx_tensor_bytes(&fpx_program_tensor_at(view->program, op->out[0])->desc));
        static fpx_digest last[MOST];

        /* A copy made now is what the parameter was after the step before. */
        c->fresh[view->step] += view->step > 0 && fpx_digest_equal(here, last[view->op]);
        last[view->op] = after;
    }
    return FPX_OK;
}

START_TEST(no_copy_where_nobody_looks)
{
    static copies c;
    rig r = open_rig("fp32", FPX_SWIGLU, "local:fp64", NULL);
    const fpx_observer o = { .context = &c, .after_op = see_copies, .looks = fpx_looks_at_outputs };

    MUST(fpx_shadow_sample(r.shadow, 2, NULL, err));
    ck_assert_int_eq(fpx_exec_attach(r.exec, &o), FPX_OK);
    run_steps(&r, STEPS);
    ck_assert_uint_gt(c.fresh[2], 0);
    ck_assert_uint_eq(c.fresh[1], 0);
    ck_assert_uint_eq(c.fresh[3], 0);
    close_rig(&r);
}
END_TEST

START_TEST(what_cannot_be_sampled)
{
    rig r = open_rig("fp8", FPX_SWIGLU, "local:fp64", NULL);
    unsigned char none[MOST] = { 0 };

    REFUSED(fpx_shadow_sample(r.shadow, 0, NULL, err), FPX_EINVAL, "looks at nothing");
    REFUSED(fpx_shadow_sample(r.shadow, 1, none, err), FPX_EINVAL, "looks at nothing");
    MUST(fpx_shadow_sample(r.shadow, 3, NULL, err));
    ck_assert_int_eq(fpx_shadow_looks(r.shadow, 6, 0), 1);
    ck_assert_int_eq(fpx_shadow_looks(r.shadow, 7, 0), 0);
    close_rig(&r);
    r = open_rig("fp8", FPX_SWIGLU, "free:fp64", NULL);
    REFUSED(fpx_shadow_sample(r.shadow, 2, NULL, err), FPX_EINVAL, "a free shadow goes on");
    close_rig(&r);
    for (size_t i = 0; i < FPX_FIGURE_FIELDS; i++)
        ck_assert(isnan(((const double *)(const void *)&fpx_figure_unseen)[i]));
}
END_TEST

/* ---- float32 ---- */
typedef struct products {
    const fpx_shadow *shadow;
    const char *planted;
    double worst;
    uint64_t judged, above;
} products;

static fpx_status see_products(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    const fpx_figure *f = fpx_shadow_figure(((products *)context)->shadow, view->op, 0);
    products *p = context;

    (void)err;
    if (op->kind != FPX_OP_GEMM) {
        ck_assert_msg(isnan(f->ratio), "%s has bounds", op->name);
        return FPX_OK;
    }
    ck_assert_msg(f->ratio >= 0.0, "%s has no verdict", op->name);
    p->judged++;
    if (p->planted != NULL && strcmp(op->name, p->planted) == 0) {
        p->above += f->mismatches > 0.0 ? 1 : 0;
        ck_assert(f->mismatches == 0.0 ||
                  (f->mismatches == 1.0 && f->element == 17.0 && f->ratio > 1.0));
        return FPX_OK;
    }
    ck_assert_msg(f->ratio <= 1.0 && f->mismatches == 0.0, "%s: %g", op->name, f->ratio);
    p->worst = f->ratio > p->worst ? f->ratio : p->worst;
    return FPX_OK;
}

static products judge_in_float32(const char *recipe, const fpx_fault *fault)
{
    fpx_fault_report report = { 0 };
    fpx_device *device = NULL;

    if (fault == NULL)
        device = tiny_device("cpu,threads=2");
    else
        MUST(fpx_fault_device(&fpx_accel_cpu, "threads=1", fault, &report, &device, err));
    rig r = open_rig(recipe, FPX_SWIGLU, "local:fp32", device);
    products p = { .shadow = r.shadow, .planted = fault ? fault->op : NULL };

    attach(r.exec, &p, see_products);
    run_steps(&r, 2);
    close_rig(&r);
    p.shadow = NULL;
    return p;
}

START_TEST(float32_judges_products)
{
    static const char *const recipes[] = { "fp32", "bf16", "fp8" };
    const products p = judge_in_float32(recipes[_i], NULL);

    ck_assert_uint_gt(p.judged, 50);
    ck_assert(_i < 2 || p.worst > 1e-4); /* the others have the same sums */
}
END_TEST

START_TEST(float32_finds_a_wrong_product)
{
    for (uint32_t bit = 0; bit < 31; bit += 3) {
        const fpx_fault fault = {
            .kind = FPX_FAULT_BIT, .element = 17, .bit = bit, .op = "layer.0/mlp.up/fprop"
        };
        const products p = judge_in_float32("fp8", &fault);

        ck_assert_msg(bit > 3 || p.above == 0, "bit %u is a finding", bit);
        ck_assert_msg(bit < 21 || p.above == 1, "bit %u is none", bit);
    }
}
END_TEST

/* ---- units ---- */
static const char unit[] = "local:hopper/wgmma/fp8-fp32";

typedef struct verdicts {
    const fpx_shadow *shadow;
    const char *planted; /* operation */
    uint64_t step;
    const fpx_fault_report *report;
    uint64_t agree, differ, found, products;
} verdicts;

static int is_fp8_product(const fpx_program *program, const fpx_program_op *op)
{
    return op->kind == FPX_OP_GEMM &&
           fpx_program_tensor_at(program, op->in[0])->desc.format.bits == 8 &&
           fpx_program_tensor_at(program, op->in[1])->desc.format.bits == 8;
}

static fpx_status count(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    const fpx_figure *f;
    verdicts *v = context;

    (void)err;
    f = fpx_shadow_figure(v->shadow, view->op, 0);
    v->products += (uint64_t)is_fp8_product(view->program, op);
    if (v->planted != NULL && strcmp(v->planted, op->name) == 0 && view->step == v->step) {
        ck_assert(f->mismatches == (double)v->report->changed && f->mismatches > 0.0);
        ck_assert(f->element == (double)v->report->element);
        ck_assert(f->expected_bits == (double)v->report->before);
        ck_assert(f->actual_bits == (double)v->report->after);
        v->found++;
        return FPX_OK;
    }
    if (f->mismatches > 0.0 && !is_fp8_product(view->program, op))
        ck_abort_msg("%s: %g elements differ", op->name, f->mismatches);
    v->differ += f->mismatches > 0.0 ? 1 : 0;
    v->agree += f->mismatches > 0.0 ? 0 : 1;
    return FPX_OK;
}

static const fpx_fault faults[] = {
    { .kind = FPX_FAULT_BIT, .step = 2, .element = 17, .bit = 3, .op = "layer.0/mlp.up/fprop" },
    { .kind = FPX_FAULT_ULP, .step = 1, .element = 95, .op = "layer.1/attn.qkv/wgrad" },
    { .kind = FPX_FAULT_TRUNCATE, .step = 3, .bit = 12, .op = "layer.0/attn.out/dgrad" },
    { .kind = FPX_FAULT_ULP, .step = 1, .element = 5, .op = "layer.1/attn.qkv/x.e4m3/quantize" },
    { .kind = FPX_FAULT_STALE, .step = 3, .op = "layer.0/attn.softmax/fprop" },
};

/* A device whose products of FP8 codes are a matrix unit's, whatever a recipe says: what a plugin for an H100 would be. */
static const char *device_unit;

static fpx_call as_device(const fpx_call *call)
{
    fpx_call own = *call;

    if (call->kind == FPX_OP_GEMM && call->in[0].format.bits == 8 && call->in[1].format.bits == 8) {
        own.attr.gemm.leaf = 0;
        (void)snprintf(own.attr.gemm.unit, sizeof own.attr.gemm.unit, "%s", device_unit);
    }
    return own;
}

static fpx_status unit_prepare(void *device, const fpx_call *call, char *text, size_t text_size)
{
    const fpx_call own = as_device(call);

    return fpx_accel_cpu.prepare(device, &own, text, text_size);
}

static fpx_status unit_run(void *device, const fpx_call *call, char *text, size_t text_size)
{
    const fpx_call own = as_device(call);

    return fpx_accel_cpu.run(device, &own, text, text_size);
}

/* of: the device's unit; NULL: the cpu's own arithmetic. fault NULL and of NULL: the cpu watches itself. */
static verdicts judge_device(const char *recipe, const char *shadow, const char *of,
                             const fpx_fault *fault)
{
    static const fpx_fault nothing = { .kind = FPX_FAULT_BIT, .op = "nothing is planted" };
    fpx_fault_report report = { 0 };
    fpx_device *device = NULL;
    fpx_accel table = fpx_accel_cpu;

    device_unit = of;
    table.prepare = unit_prepare;
    table.run = unit_run;
    if (fault != NULL || of != NULL)
        MUST(fpx_fault_device(of ? &table : &fpx_accel_cpu, "threads=1", fault ? fault : &nothing,
                              &report, &device, err));
    rig r = open_rig(recipe, FPX_SWIGLU, shadow, device);
    verdicts v = { .shadow = r.shadow, .report = &report };

    if (fault != NULL) {
        v.planted = fault->op;
        v.step = fault->step;
    }
    attach(r.exec, &v, count);
    run_steps(&r, STEPS);
    for (uint32_t i = 0; i < fpx_program_ops(r.model->program); i++) {
        const fpx_program_op *op = fpx_program_op_at(r.model->program, i);

        /* On the same device only the unit's products say something. */
        ck_assert_int_eq(fpx_shadow_informs(r.shadow, i),
                         device != NULL || is_fp8_product(r.model->program, op));
    }
    close_rig(&r);
    v.report = NULL;
    return v;
}

static verdicts judge(const char *recipe, const fpx_fault *fault)
{
    return judge_device(recipe, unit, NULL, fault);
}

/* The recipe names no unit: what the device's products are is its own affair, and this shadow's to check. */
START_TEST(a_device_of_this_unit_agrees)
{
    const verdicts same = judge_device("fp8", unit, "hopper/wgmma/fp8-fp32", NULL);
    const verdicts other = judge_device("fp8", "local:cpu", "hopper/wgmma/fp8-fp32", NULL);
    const verdicts narrow = judge_device("fp8", unit, "hopper/wgmma/fp8-fp32,fraction=12", NULL);
    const verdicts broken = judge_device("fp8", unit, "hopper/wgmma/fp8-fp32", &faults[_i]);

    ck_assert(same.differ == 0 && same.agree > same.products && same.products >= 2 * 4 * 3 * STEPS);
    ck_assert_uint_gt(other.differ, other.products / 2);
    ck_assert_uint_gt(narrow.differ, narrow.products / 20);
    ck_assert(broken.found == 1 && broken.differ == 0);
}
END_TEST

START_TEST(a_run_with_the_units_sums_agrees)
{
    const verdicts v = judge("fp8-hopper", NULL);

    ck_assert_uint_eq(v.differ, 0);
    ck_assert_uint_gt(v.products, 0);
}
END_TEST

/* Sums of few products are exact in both now and then. */
START_TEST(a_run_with_other_sums_differs)
{
    const verdicts v = judge("fp8", NULL);

    ck_assert_uint_gt(v.differ, v.products / 2);
    ck_assert_uint_le(v.differ, v.products);
}
END_TEST

START_TEST(a_planted_fault_is_named)
{
    const verdicts v = judge("fp8-hopper", &faults[_i]);

    ck_assert_uint_eq(v.found, 1);
    ck_assert_uint_eq(v.differ, 0);
}
END_TEST

START_TEST(a_unit_that_takes_nothing_is_refused)
{
    rig r = open_rig("fp32", FPX_SWIGLU, "local:cpu", NULL);
    const fpx_shadow_spec spec = spec_of(unit);
    fpx_shadow *shadow = NULL;

    REFUSED(fpx_shadow_new(r.exec, &spec, r.reference, &shadow, err), FPX_EINVAL,
            "no product of this recipe can run on that unit: it takes e4m3 e5m2");
    ck_assert_ptr_null(shadow);
    close_rig(&r);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, what_is_sampled_is_what_the_whole_shadow_said, 0,
                        sizeof sampled_modes / sizeof sampled_modes[0]);
    tcase_add_test(tc, no_copy_where_nobody_looks);
    tcase_add_test(tc, what_cannot_be_sampled);
    tcase_add_loop_test(tc, float32_judges_products, 0, 3);
    tcase_add_test(tc, float32_finds_a_wrong_product);
    tcase_add_test(tc, a_run_with_the_units_sums_agrees);
    tcase_add_test(tc, a_run_with_other_sums_differs);
    tcase_add_loop_test(tc, a_device_of_this_unit_agrees, 0, 3);
    tcase_add_loop_test(tc, a_planted_fault_is_named, 0, sizeof faults / sizeof faults[0]);
    tcase_add_test(tc, a_unit_that_takes_nothing_is_refused);
}

int main(void)
{
    return tiny_run("shadow-sample", add);
}
