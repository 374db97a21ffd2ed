/* test_exec.c - the executor: where tensors lie, what observers see, which device runs what, that staging and
 * plugins change no bit, and that a step allocates nothing. */
#include <fpx/optable.h>
#include <fpx/shadow.h>

#include "tiny_run.h"

/* ---- an allocation is counted while `counting`; glibc lets a program replace its functions ---- */
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 1
static _Atomic size_t allocations;
static _Atomic int counting;

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);

void *malloc(size_t n)
{
    allocations += (size_t)counting;
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    allocations += (size_t)counting;
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    allocations += (size_t)counting;
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    allocations += (size_t)counting;
    return __libc_memalign(align, n);
}

int posix_memalign(void **ret, size_t align, size_t n)
{
    allocations += (size_t)counting;
    *ret = __libc_memalign(align, n);
    return *ret == NULL;
}
#endif

enum { STEPS = 5, SEED = 20250301 };

static fpx_model *build_model(const char *recipe_name, fpx_activation activation)
{
    fpx_experiment experiment = tiny_experiment(activation);
    fpx_recipe *recipe = tiny_recipe(recipe_name);
    fpx_model *model = NULL;

    MUST(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err));
    fpx_recipe_free(recipe);
    return model;
}

static fpx_exec *build_exec(const fpx_model *model, fpx_device *const *devices, size_t n,
                            unsigned keep)
{
    fpx_exec *exec = NULL;

    MUST(fpx_exec_new(model->program, devices, n, keep, &exec, err));
    tiny_fill(exec, SEED, 256);
    return exec;
}

static void new_batch(fpx_exec *exec, const fpx_model *model, uint64_t step)
{
    int32_t *tokens = fpx_exec_data(exec, model->micro[0].tokens);
    int32_t *targets = fpx_exec_data(exec, model->micro[0].targets);
    uint64_t state = SEED + step;

    for (size_t i = 0; i < 12; i++) {
        tokens[i] = (int32_t)(tiny_random(&state) % 256);
        targets[i] = (int32_t)(tiny_random(&state) % 256);
    }
}

static tiny_record run_steps(fpx_exec *exec, const fpx_model *model)
{
    tiny_record record;

    tiny_watch(exec, &record);
    for (uint64_t step = 0; step < STEPS; step++) {
        new_batch(exec, model, step);
        MUST(fpx_exec_step(exec, step, err));
    }
    return record;
}

/* ---- memory ---- */
typedef struct memory {
    const fpx_exec *exec;
    const fpx_program *program;
    const char *base;
    uint32_t *owner; /* of each 64 bytes of the arena; FPX_NO_TENSOR: nobody yet */
    size_t lines;
} memory;

static memory open_memory(const fpx_exec *exec)
{
    memory m = { .exec = exec, .program = fpx_exec_program(exec) };

    m.base = fpx_exec_data(exec, 0);
    for (size_t i = 0; i < fpx_program_tensors(m.program); i++) {
        const char *at = fpx_exec_data(exec, (uint32_t)i);
        m.base = at < m.base ? at : m.base;
    }
    m.lines = (size_t)fpx_exec_arena_bytes(exec) / 64 + 1;
    m.owner = malloc(m.lines * sizeof *m.owner);
    ck_assert_ptr_nonnull(m.owner);
    memset(m.owner, 0xff, m.lines * sizeof *m.owner);
    return m;
}

static size_t first_line(const memory *m, uint32_t id)
{
    const size_t at = (size_t)((const char *)fpx_exec_data(m->exec, id) - m->base);

    ck_assert_uint_eq(at % 64, 0);
    return at / 64;
}

static size_t end_line(const memory *m, uint32_t id)
{
    const size_t bytes = fpx_tensor_bytes(&fpx_program_tensor_at(m->program, id)->desc);
    const size_t end = first_line(m, id) + (bytes + 63) / 64;

    ck_assert_uint_lt(end, m->lines + 1);
    return end;
}

static void own(const memory *m, uint32_t id)
{
    for (size_t i = first_line(m, id); i < end_line(m, id); i++)
        m->owner[i] = id;
}

static void check_whole(const memory *m, uint32_t id, const char *when)
{
    for (size_t i = first_line(m, id); i < end_line(m, id); i++)
        if (m->owner[i] != id)
            ck_abort_msg("%s: %s has lost its memory to %s", when,
                         fpx_program_tensor_at(m->program, id)->name,
                         m->owner[i] == FPX_NO_TENSOR
                             ? "nobody"
                             : fpx_program_tensor_at(m->program, m->owner[i])->name);
}

/* What an operation and its observers may look at: the tensor, the scale that decodes it, its source. */
static void check_readable(const memory *m, uint32_t id, unsigned keep, const char *when)
{
    const fpx_program_tensor *t = fpx_program_tensor_at(m->program, id);

    check_whole(m, id, when);
    if (t->scale != FPX_NO_TENSOR)
        check_whole(m, t->scale, when);
    if (t->unquantized != FPX_NO_TENSOR && (keep & FPX_KEEP_UNQUANTIZED))
        check_whole(m, t->unquantized, when);
}

static const unsigned keeps[] = { 0, FPX_KEEP_INPUTS, FPX_KEEP_UNQUANTIZED,
                                  FPX_KEEP_INPUTS | FPX_KEEP_UNQUANTIZED, FPX_KEEP_ALL };
enum { KEEPS = sizeof keeps / sizeof keeps[0] };

static uint64_t check_plan(const fpx_model *model, unsigned keep)
{
    fpx_device *device = tiny_device("cpu,threads=1");
    fpx_exec *exec = build_exec(model, &device, 1, keep);
    const memory m = open_memory(exec);
    const fpx_program *p = model->program;
    const uint64_t bytes = fpx_exec_arena_bytes(exec);

    for (uint32_t i = 0; i < fpx_program_tensors(p); i++)
        if (fpx_program_tensor_at(p, i)->producer == FPX_NO_TENSOR ||
            fpx_program_tensor_at(p, i)->cls <= FPX_TENSOR_STATE)
            own(&m, i);
    for (size_t i = 0; i < fpx_program_ops(p); i++) {
        const fpx_program_op *op = fpx_program_op_at(p, i);

        for (uint32_t k = 0; k < op->nin; k++)
            check_readable(&m, op->in[k], keep, op->name);
        for (uint32_t k = 0; k < op->nout; k++)
            own(&m, op->out[k]);
        for (uint32_t k = 0; k < op->nin; k++)
            check_readable(&m, op->in[k], keep, op->name);
        for (uint32_t k = 0; k < op->nout; k++)
            check_readable(&m, op->out[k], keep, op->name);
    }
    for (uint32_t i = 0; i < fpx_program_tensors(p); i++)
        if (fpx_program_tensor_at(p, i)->cls <= FPX_TENSOR_STATE || (keep & FPX_KEEP_ALL))
            check_whole(&m, i, "after the step");
    free(m.owner);
    fpx_exec_free(exec);
    fpx_device_close(device);
    return bytes;
}

START_TEST(living_tensors_never_overlap)
{
    static const char *const recipes[] = { "fp32", "bf16", "fp8" };
    fpx_model *model = build_model(recipes[_i % 3], _i / 3 ? FPX_GELU : FPX_SWIGLU);
    uint64_t bytes[KEEPS];

    for (size_t i = 0; i < KEEPS; i++)
        bytes[i] = check_plan(model, keeps[i]);
    ck_assert_uint_lt(bytes[0], bytes[1]); /* copies of parameters and moments */
    ck_assert_uint_le(bytes[0], bytes[2]);
    ck_assert_uint_lt(bytes[0], bytes[4]); /* memory is shared at all */
    fpx_model_free(model);
}
END_TEST

START_TEST(keeping_changes_no_bit)
{
    fpx_model *model = build_model("fp8", FPX_SWIGLU);
    fpx_device *device = tiny_device("cpu,threads=1");
    fpx_digest chain = { { 0 } }, state = chain;

    for (size_t i = 0; i < KEEPS; i++) {
        fpx_exec *exec = build_exec(model, &device, 1, keeps[i]);
        const tiny_record record = run_steps(exec, model);

        if (i > 0) {
            SAME_DIGEST(chain, record.chain, "keep %u: other outputs", keeps[i]);
            SAME_DIGEST(state, tiny_state(exec), "keep %u: other state", keeps[i]);
        }
        chain = record.chain;
        state = tiny_state(exec);
        fpx_exec_free(exec);
    }
    fpx_device_close(device);
    fpx_model_free(model);
}
END_TEST

/* ---- observers ---- */
typedef struct copies {
    char *before[3]; /* param, m, v as they were before the operation */
    uint64_t checked;
} copies;

/* State is saved when the first operation ends (nothing has touched it) and after each AdamW compared
 * with what the view says the inputs were. */
static fpx_status check_inputs(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    copies *c = context;

    (void)err;
    for (uint32_t i = 0; i < op->nin; i++) {
        const uint32_t id = op->in[i];
        const size_t bytes = fpx_tensor_bytes(&fpx_program_tensor_at(view->program, id)->desc);

        if (op->kind == FPX_OP_ADAMW && i < 3) {
            ck_assert_ptr_ne(view->in[i], view->out[i]);
            ck_assert_ptr_eq(view->out[i], fpx_exec_data(view->exec, id));
            ck_assert_msg(memcmp(view->in[i], c->before[i] + (size_t)id * 16384, bytes) == 0,
                          "%s: input %u is not what it was before", op->name, i);
            ck_assert_msg(memcmp(view->in[i], view->out[i], bytes) != 0,
                          "%s: changed nothing: the test says nothing", op->name);
            c->checked++;
        } else {
            ck_assert_ptr_eq(view->in[i], fpx_exec_data(view->exec, id));
        }
    }
    return FPX_OK;
}

static fpx_status save_state(void *context, const fpx_exec *exec, uint64_t step, fpx_error *err)
{
    const fpx_program *p = fpx_exec_program(exec);
    const copies *c = context;

    (void)step;
    (void)err;
    for (uint32_t i = 0; i < fpx_program_tensors(p); i++) {
        const size_t bytes = fpx_tensor_bytes(&fpx_program_tensor_at(p, i)->desc);

        ck_assert_uint_le(bytes, 16384);
        if (fpx_program_tensor_at(p, i)->cls <= FPX_TENSOR_STATE)
            for (int k = 0; k < 3; k++)
                memcpy(c->before[k] + (size_t)i * 16384, fpx_exec_data(exec, i), bytes);
    }
    return FPX_OK;
}

START_TEST(inputs_are_shown_as_they_were)
{
    fpx_model *model = build_model("fp8", FPX_SWIGLU);
    fpx_device *device = tiny_device("cpu,threads=1");
    fpx_exec *exec = build_exec(model, &device, 1, FPX_KEEP_INPUTS);
    copies c = { .checked = 0 };
    const fpx_observer observer = { .context = &c,
                                    .begin_step = save_state,
                                    .after_op = check_inputs };

    for (int k = 0; k < 3; k++)
        ck_assert_ptr_nonnull(c.before[k] = malloc(fpx_program_tensors(model->program) * 16384));
    ck_assert_int_eq(fpx_exec_attach(exec, &observer), FPX_OK);
    for (uint64_t step = 0; step < 3; step++)
        MUST(fpx_exec_step(exec, step, err));
    ck_assert_uint_eq(c.checked, 3 * 3 * 15); /* steps, inputs in place, parameters */
    for (int k = 0; k < 3; k++)
        free(c.before[k]);
    fpx_exec_free(exec);
    fpx_device_close(device);
    fpx_model_free(model);
}
END_TEST

typedef struct caller {
    char *log;
    char name;
    uint32_t fail_at; /* operation; FPX_NO_TENSOR: none */
} caller;

static void note(const caller *c, char what)
{
    const size_t n = strlen(c->log);

    if (n + 3 > 4096)
        return;
    c->log[n] = c->name;
    c->log[n + 1] = what;
    c->log[n + 2] = '\0';
}

static fpx_status on_begin(void *context, const fpx_exec *exec, uint64_t step, fpx_error *err)
{
    (void)exec, (void)step, (void)err;
    note(context, '<');
    return FPX_OK;
}

static fpx_status on_end(void *context, const fpx_exec *exec, uint64_t step, fpx_error *err)
{
    (void)exec, (void)step, (void)err;
    note(context, '>');
    return FPX_OK;
}

static fpx_status on_op(void *context, const fpx_op_view *view, fpx_error *err)
{
    const caller *c = context;

    ck_assert_uint_eq(view->step, 7);
    ck_assert_str_eq(view->device, "cpu,threads=1");
    if (view->op < 2)
        note(c, (char)('0' + view->op));
    return view->op == c->fail_at ? fpx_error_set(err, FPX_EIO, "the disk is full") : FPX_OK;
}

START_TEST(observers_are_called_in_order_and_can_stop)
{
    fpx_model *model = build_model("fp32", FPX_GELU);
    fpx_device *device = tiny_device("cpu,threads=1");
    fpx_exec *exec = build_exec(model, &device, 1, 0);
    char log[4096] = "";
    caller a = { log, 'a', FPX_NO_TENSOR }, b = { log, 'b', FPX_NO_TENSOR };
    const fpx_observer first = { &a, on_begin, on_op, on_end, NULL },
                       second = { &b, on_begin, on_op, on_end, NULL };
    const fpx_observer silent = { .context = NULL };

    ck_assert_int_eq(fpx_exec_attach(exec, &first), FPX_OK);
    ck_assert_int_eq(fpx_exec_attach(exec, &silent), FPX_OK);
    ck_assert_int_eq(fpx_exec_attach(exec, &second), FPX_OK);
    MUST(fpx_exec_step(exec, 7, err));
    ck_assert_str_eq(log, "a<b<a0b0a1b1a>b>");
    log[0] = '\0';
    a.fail_at = 1;
    REFUSED(fpx_exec_step(exec, 7, err), FPX_EIO, "the disk is full");
    ck_assert_str_eq(log, "a<b<a0b0a1");
    fpx_exec_free(exec);
    fpx_device_close(device);
    fpx_model_free(model);
}
END_TEST

/* ---- devices ---- */
static fpx_accel odd_table; /* the cpu device's, without adopt or with a run that fails */

static fpx_device *odd_device(const char *name)
{
    void *opened = NULL;
    fpx_device *device = NULL;
    char text[256] = "";

    ck_assert_int_eq(fpx_accel_cpu.open("threads=1", &opened, text, sizeof text), FPX_OK);
    MUST(fpx_device_from_table(name, &odd_table, opened, &device, err));
    return device;
}

static uint32_t last_failing;

static fpx_status failing_run(void *device, const fpx_call *call, char *text, size_t text_size)
{
    if (call->op != last_failing)
        return fpx_accel_cpu.run(device, call, text, text_size);
    snprintf(text, text_size, "the chip melted");
    return FPX_EIO;
}

static const char *plugin_file(const char *name)
{
    static char spec[4096];
    const char *folder = getenv("FPX_TEST_PLUGINS");

    ck_assert_ptr_nonnull(folder);
    snprintf(spec, sizeof spec, "%s/%s", folder, name);
    return spec;
}

static const char *const others[] = { "staged", "plugin_gemm.so", "plugin_gemm_staged.so" };

/* The same five FP8 steps; every GEMM on the plugin, everything else where it must be. */
START_TEST(devices_give_the_bits_of_cpu)
{
    fpx_model *model = build_model("fp8", _i == 1 ? FPX_GELU : FPX_SWIGLU);
    fpx_device *devices[2] = { NULL, tiny_device("cpu,threads=1") };
    size_t gemms = 0;

    odd_table = fpx_accel_cpu;
    odd_table.adopt = NULL;
    devices[0] = _i == 0 ? odd_device(others[0]) : tiny_device(plugin_file(others[_i]));
    fpx_exec *cpu = build_exec(model, devices + 1, 1, FPX_KEEP_INPUTS);
    fpx_exec *other = build_exec(model, devices, 2, FPX_KEEP_INPUTS);

    for (uint32_t i = 0; i < fpx_program_ops(model->program); i++) {
        const int gemm = fpx_program_op_at(model->program, i)->kind == FPX_OP_GEMM;
        const fpx_device *where = devices[gemm || _i == 0 ? 0 : 1];

        ck_assert_str_eq(fpx_exec_op_device(other, i), fpx_device_name(where));
        gemms += (size_t)gemm;
    }
    ck_assert_uint_eq(gemms, 3 * 9 + 2 * 6);
    const tiny_record expected = run_steps(cpu, model), got = run_steps(other, model);
    ck_assert_uint_eq(expected.outputs, got.outputs);
    SAME_DIGEST(expected.chain, got.chain, "%s: other outputs than cpu", others[_i]);
    SAME_DIGEST(tiny_state(cpu), tiny_state(other), "%s: other state than cpu", others[_i]);
    fpx_exec_free(cpu);
    fpx_exec_free(other);
    fpx_device_close(devices[0]);
    fpx_device_close(devices[1]);
    fpx_model_free(model);
}
END_TEST

/* Operation by operation is the step. */
START_TEST(operations_alone_are_the_step)
{
    fpx_model *model = build_model("bf16", FPX_SWIGLU);
    fpx_device *device = tiny_device("cpu,threads=1");
    fpx_exec *whole = build_exec(model, &device, 1, 0), *parts = build_exec(model, &device, 1, 0);
    tiny_record a, b;

    tiny_watch(whole, &a);
    tiny_watch(parts, &b);
    MUST(fpx_exec_step(whole, 3, err));
    for (uint32_t i = 0; i < fpx_program_ops(model->program); i++)
        MUST(fpx_exec_op(parts, 3, i, err));
    SAME_DIGEST(a.chain, b.chain, "one by one gives other outputs");
    SAME_DIGEST(tiny_state(whole), tiny_state(parts), "one by one gives another state");
    fpx_exec_free(whole);
    fpx_exec_free(parts);
    fpx_device_close(device);
    fpx_model_free(model);
}
END_TEST

START_TEST(failures_name_the_operation)
{
    fpx_model *model = build_model("fp8", FPX_SWIGLU);
    fpx_device *plugin = tiny_device(plugin_file("plugin_gemm.so"));
    fpx_exec *exec = NULL;
    tiny_record record;

    REFUSED(fpx_exec_new(model->program, NULL, 0, 0, &exec, err), FPX_EINVAL,
            "at least one device");
    REFUSED(fpx_exec_new(model->program, &plugin, 1, 0, &exec, err), FPX_EUNSUPPORTED,
            "embed/fprop: no device offers embed");
    ck_assert_ptr_null(exec);
    odd_table = fpx_accel_cpu;
    odd_table.run = failing_run;
    last_failing = fpx_program_find_op(model->program, "layer.1/attn.out/fprop");
    fpx_device *device = odd_device("hot");
    exec = build_exec(model, &device, 1, 0);
    tiny_watch(exec, &record);
    const fpx_digest before = tiny_state(exec);
    REFUSED(fpx_exec_step(exec, 4, err), FPX_EIO, "'layer.1/attn.out/fprop'");
    REFUSED(fpx_exec_step(exec, 4, err), FPX_EIO, "the chip melted");
    SAME_DIGEST(before, tiny_state(exec), "state changed before the optimizer ran");
    ck_assert_uint_gt(record.outputs, 0);
    fpx_exec_free(exec);
    fpx_device_close(device);
    fpx_device_close(plugin);
    fpx_model_free(model);
}
END_TEST

/* The same plan without an arena, and what the device would have made; nothing can be run. */
START_TEST(a_plan_is_that_of_the_executor)
{
    fpx_model *model = build_model("fp8", FPX_SWIGLU);
    fpx_device *device = tiny_device("cpu,threads=1"), *planner = tiny_device("cpu,threads=1");
    fpx_device *plugin = tiny_device(plugin_file("plugin_gemm.so"));

    fpx_device_plan(planner);
    fpx_device_plan(plugin);
    for (size_t k = 0; k < KEEPS; k++) {
        fpx_exec *exec = build_exec(model, &device, 1, keeps[k]), *plan = NULL;

        MUST(fpx_exec_new(model->program, &planner, 1, keeps[k] | FPX_PLAN_ONLY, &plan, err));
        ck_assert_uint_eq(fpx_exec_arena_bytes(plan), fpx_exec_arena_bytes(exec));
        for (uint32_t i = 0; i < fpx_program_tensors(model->program); i++) {
            uint32_t first[2], last[2];

            fpx_exec_span(exec, i, &first[0], &last[0]);
            fpx_exec_span(plan, i, &first[1], &last[1]);
            ck_assert_uint_eq(first[0], first[1]);
            ck_assert_uint_eq(last[0], last[1]);
        }
        REFUSED(fpx_exec_step(plan, 0, err), FPX_EINVAL, "buffer 0");
        fpx_exec_free(plan);
        fpx_exec_free(exec);
    }
    ck_assert_uint_gt(fpx_device_planned(planner), 0);
    ck_assert_uint_eq(fpx_device_planned(device), 0);
    ck_assert_uint_eq(fpx_device_planned(plugin), 0);

    fpx_exec *exec = NULL; /* with an arena, but on a device that only plans */
    MUST(fpx_exec_new(model->program, &planner, 1, 0, &exec, err));
    tiny_fill(exec, SEED, 256);
    REFUSED(fpx_exec_step(exec, 0, err), FPX_EINVAL, "not prepared");
    fpx_exec_free(exec);
    fpx_device_close(plugin);
    fpx_device_close(planner);
    fpx_device_close(device);
    fpx_model_free(model);
}
END_TEST

/* The first step too: what is needed is there when fpx_exec_new returns. */
START_TEST(a_step_allocates_nothing)
{
#ifdef COUNTS_ALLOCATIONS
    fpx_model *model = build_model("fp8", FPX_SWIGLU);
    fpx_device *device = tiny_device("cpu,threads=2");
    fpx_exec *exec = build_exec(model, &device, 1, FPX_KEEP_INPUTS | FPX_KEEP_UNQUANTIZED);
    fpx_shadow *shadows[FPX_SHADOW_MAX];

    counting = 1;
    void *volatile seen = malloc(1); /* volatile, or there would be nothing to count */
    counting = 0;
    free(seen);
    ck_assert_uint_ge(allocations, 1); /* it counts */
    for (int shadowed = 0; shadowed < 2; shadowed++) {
        allocations = 0;
        counting = 1;
        for (uint64_t step = 0; step < 2; step++)
            MUST(fpx_exec_step(exec, step, err));
        counting = 0;
        ck_assert_msg(allocations == 0, "%zu allocations in two steps, %s", allocations,
                      shadowed ? "shadowed" : "plain");
        for (uint32_t mode = 0; mode < FPX_SHADOW_MAX && !shadowed; mode++) {
            const fpx_shadow_spec spec = { .mode = mode, .format = fpx_fp64 };
            fpx_observer observer;

            MUST(fpx_shadow_new(exec, &spec, device, &shadows[mode], err));
            observer = fpx_shadow_observer(shadows[mode]);
            ck_assert_int_eq(fpx_exec_attach(exec, &observer), FPX_OK);
        }
    }
    fpx_exec_free(exec);
    for (size_t mode = 0; mode < FPX_SHADOW_MAX; mode++)
        fpx_shadow_free(shadows[mode]);
    fpx_device_close(device);
    fpx_model_free(model);
#else
    printf("not counted: another allocator is in the way\n");
#endif
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_loop_test(tc, living_tensors_never_overlap, 0, 6);
    tcase_add_test(tc, keeping_changes_no_bit);
    tcase_add_test(tc, inputs_are_shown_as_they_were);
    tcase_add_test(tc, observers_are_called_in_order_and_can_stop);
    tcase_add_loop_test(tc, devices_give_the_bits_of_cpu, 0, 3);
    tcase_add_test(tc, operations_alone_are_the_step);
    tcase_add_test(tc, failures_name_the_operation);
    tcase_add_test(tc, a_plan_is_that_of_the_executor);
    tcase_add_test(tc, a_step_allocates_nothing);
}

int main(void)
{
    return tiny_run("exec", add);
}
