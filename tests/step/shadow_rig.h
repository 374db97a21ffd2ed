/* shadow_rig.h - a tiny training step with one shadow beside it. */
#ifndef TESTS_SHADOW_RIG_H
#define TESTS_SHADOW_RIG_H

#include <fpx/shadow.h>

#include "tiny_run.h"

enum { STEPS = 4, SEED = 20250302 };

typedef struct rig {
    fpx_model *model;
    fpx_device *device, *reference;
    fpx_exec *exec;
    fpx_shadow *shadow;
} rig;

static inline fpx_model *build_model(const char *recipe_name, fpx_activation activation)
{
    fpx_experiment experiment = tiny_experiment(activation);
    fpx_recipe *recipe = tiny_recipe(recipe_name);
    fpx_model *model = NULL;

    MUST(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err));
    fpx_recipe_free(recipe);
    return model;
}

static inline fpx_shadow_spec spec_of(const char *text)
{
    fpx_shadow_spec specs[FPX_SHADOW_MAX];
    size_t count = 0;

    MUST(fpx_shadow_parse(text, specs, &count, err));
    ck_assert_uint_eq(count, 1);
    return specs[0];
}

/* device NULL: the cpu device watches itself. */
static inline rig open_rig(const char *recipe, fpx_activation activation, const char *shadow,
                           fpx_device *device)
{
    const fpx_shadow_spec spec = spec_of(shadow);
    rig r = { .model = build_model(recipe, activation),
              .reference = tiny_device("cpu,threads=1"),
              .device = device };
    fpx_observer observer;

    if (device == NULL)
        r.device = r.reference;
    MUST(fpx_exec_new(r.model->program, &r.device, 1, fpx_shadow_keep(&spec), &r.exec, err));
    tiny_fill(r.exec, SEED, 256);
    MUST(fpx_shadow_new(r.exec, &spec, r.reference, &r.shadow, err));
    observer = fpx_shadow_observer(r.shadow);
    ck_assert_int_eq(fpx_exec_attach(r.exec, &observer), FPX_OK);
    return r;
}

static inline void close_rig(rig *r)
{
    fpx_exec_free(r->exec);
    fpx_shadow_free(r->shadow);
    if (r->device != r->reference)
        fpx_device_close(r->device);
    fpx_device_close(r->reference);
    fpx_model_free(r->model);
}

static inline void new_batch(fpx_exec *exec, const fpx_model *model, uint64_t step)
{
    int32_t *tokens = fpx_exec_data(exec, model->micro[0].tokens);
    int32_t *targets = fpx_exec_data(exec, model->micro[0].targets);
    uint64_t state = SEED + step;

    for (size_t i = 0; i < 12; i++) {
        tokens[i] = (int32_t)(tiny_random(&state) % 9); /* some twice in a sequence */
        targets[i] = (int32_t)(tiny_random(&state) % 256);
    }
}

/* Attached after the shadow, so that its figures are there. */
static inline void attach(fpx_exec *exec, void *context,
                          fpx_status (*after_op)(void *, const fpx_op_view *, fpx_error *))
{
    const fpx_observer observer = { .context = context, .after_op = after_op };

    ck_assert_int_eq(fpx_exec_attach(exec, &observer), FPX_OK);
}

static inline void run_steps(const rig *r, uint64_t steps)
{
    for (uint64_t step = 0; step < steps; step++) {
        new_batch(r->exec, r->model, step);
        MUST(fpx_exec_step(r->exec, step, err));
    }
}

#endif /* TESTS_SHADOW_RIG_H */
