/* tiny_run.h - what tests of programs, shadows and training share: a transformer of a few hundred
 * parameters, its recipe and corpus, data drawn from a printed seed, and a digest of all that a run does. */
#ifndef TESTS_TINY_RUN_H
#define TESTS_TINY_RUN_H

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fpx/device.h>
#include <fpx/digest.h>
#include <fpx/exec.h>
#include <fpx/model.h>
#include <fpx/recipe.h>

/* Fails with the library's own text. */
#define MUST(call)                                                                                 \
    do {                                                                                           \
        fpx_error must_err = { .text = "" };                                                       \
        fpx_error *err = &must_err;                                                                \
        const fpx_status must_status = (call);                                                     \
        if (must_status != FPX_OK)                                                                 \
            ck_abort_msg("%s: %d %s", #call, (int)must_status, must_err.text);                     \
    } while (0)

/* The call fails with this status, and its text holds these words. */
#define REFUSED(call, wanted, words)                                                               \
    do {                                                                                           \
        fpx_error must_err = { .text = "" };                                                       \
        fpx_error *err = &must_err;                                                                \
        const fpx_status must_status = (call);                                                     \
        if (must_status != (wanted) || strstr(must_err.text, (words)) == NULL)                     \
            ck_abort_msg("%s: status %d, text '%s', expected %d and '%s'", #call,                  \
                         (int)must_status, must_err.text, (int)(wanted), (words));                 \
    } while (0)

static inline uint64_t tiny_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline double tiny_unit(uint64_t *state) /* in [-1, 1) */
{
    return (double)(int64_t)tiny_random(state) * 0x1p-63;
}

/* width 8: heads of 4; 2 sequences of 6 tokens. Numbers that are no multiples of anything. */
static inline fpx_experiment tiny_experiment(fpx_activation activation)
{
    static char name[] = "tiny", text[] = "tiny experiment", recipe[] = "fp32";

    return (
        fpx_experiment){ .name = name,
                         .model = { .width = 8,
                                    .layers = 2,
                                    .heads = 2,
                                    .hidden = 11,
                                    .vocabulary = 256,
                                    .activation = activation,
                                    .norm_eps = 1e-5,
                                    .rope_base = 10000.0,
                                    .init_std = 0.2 },
                         .data = { .sequence = 6, .batch = 2, .accumulate = 1, .validation = 0.2 },
                         .optimizer = { .learning_rate = 0.01,
                                        .final_share = 0.1,
                                        .warmup = 2,
                                        .beta1 = 0.9,
                                        .beta2 = 0.95,
                                        .eps = 1e-8,
                                        .weight_decay = 0.1,
                                        .clip = 1.0 },
                         .steps = 8,
                         .seed = 7,
                         .recipe = recipe,
                         .text = text };
}

static inline fpx_recipe *tiny_recipe(const char *name)
{
    fpx_recipe *recipe = NULL;

    MUST(fpx_recipe_load(name, &recipe, err));
    return recipe;
}

static inline fpx_device *tiny_device(const char *spec)
{
    fpx_device *device = NULL;

    MUST(fpx_device_open(spec, &device, err));
    return device;
}

static inline void tiny_set(const fpx_format *format, void *data, size_t i, double value)
{
    if (format->bits == 64)
        ((double *)data)[i] = value;
    else
        ((float *)data)[i] = (float)value;
}

/* Inputs and parameters of any width of program: the values depend on the seed alone and fit fp32. */
static inline void tiny_fill(const fpx_exec *exec, uint64_t seed, uint32_t vocabulary)
{
    const fpx_program *program = fpx_exec_program(exec);

    for (size_t i = 0; i < fpx_program_tensors(program); i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(program, i);
        void *data = fpx_exec_data(exec, (uint32_t)i);
        uint64_t state = seed;

        for (const char *c = t->name; *c != '\0'; c++)
            state = state * 31 + (unsigned char)*c;
        for (size_t k = 0; k < fpx_tensor_count(&t->desc); k++) {
            const uint64_t bits = tiny_random(&state);
            const double u = (double)(float)((double)(int64_t)bits * 0x1p-63);

            if (t->cls == FPX_TENSOR_INPUT && t->desc.format.cls == FPX_CLASS_INT)
                ((int32_t *)data)[k] = (int32_t)(bits % vocabulary);
            else if (t->cls == FPX_TENSOR_INPUT)
                tiny_set(&t->desc.format, data, k, k == 0 ? 0x1p-7 : 1.0); /* rate, corrections */
            else if (t->cls == FPX_TENSOR_PARAM)
                tiny_set(&t->desc.format, data, k,
                         (double)(float)(t->desc.ndim < 2 ? 1.0 + 0.3 * u : 0.7 * u));
        }
    }
}

/* Everything that a run computes: every output's digest in order, chained. */
typedef struct tiny_record {
    fpx_digest chain;
    uint64_t outputs;
} tiny_record;

static inline fpx_status tiny_after_op(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    tiny_record *record = context;

    (void)err;
    for (uint32_t o = 0; o < op->nout; o++) {
        const fpx_tensor *desc = &fpx_program_tensor_at(view->program, op->out[o])->desc;

        record->chain = fpx_digest_chain(record->chain, fpx_digest_tensor(desc, view->out[o]));
        record->outputs++;
    }
    return FPX_OK;
}

static inline void tiny_watch(fpx_exec *exec, tiny_record *record)
{
    const fpx_observer observer = { .context = record, .after_op = tiny_after_op };

    *record = (tiny_record){ .outputs = 0 };
    ck_assert_int_eq(fpx_exec_attach(exec, &observer), FPX_OK);
}

/* Digest of all tensors that live across steps. */
static inline fpx_digest tiny_state(const fpx_exec *exec)
{
    const fpx_program *program = fpx_exec_program(exec);
    fpx_digest state = { { 0 } };

    for (size_t i = 0; i < fpx_program_tensors(program); i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(program, i);

        if (fpx_tensor_class_lasts(t->cls))
            state = fpx_digest_chain(state,
                                     fpx_digest_tensor(&t->desc, fpx_exec_data(exec, (uint32_t)i)));
    }
    return state;
}

#define SAME_DIGEST(a, b, ...)                                                                     \
    do {                                                                                           \
        if (!fpx_digest_equal((a), (b)))                                                           \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)

/* Runs a suite of one case; *_loop tests come from `add`. */
static inline int tiny_run(const char *name, void (*add)(TCase *tc))
{
    Suite *s = suite_create(name);
    TCase *tc = tcase_create(name);
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 120);
    add(tc);
    suite_add_tcase(s, tc);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif /* TESTS_TINY_RUN_H */
