/* test_determinism.c - instruction set, threads and the caller's floating-point control word never enter a
 * number: five FP8 steps of the demo's model, both shadows, evaluation and a sample, digest by digest. */
#include <dirent.h>
#include <fenv.h>

#include <fpx/cpu.h>
#include <fpx/shadow.h>
#include <fpx/train.h>

#include "tiny_run.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

enum { STEPS = 5 };

/* All that a run said: outputs, figures of both shadows, losses, state, bits per byte, a sample. */
typedef struct outcome {
    tiny_record record;
    fpx_digest figures, results, state, shadow_state;
    double bits_per_byte;
    char sample[9];
    char device[256];
    size_t threads; /* of this process that have run, while the device was open */
} outcome;

typedef struct figures {
    const fpx_shadow *shadow[2];
    fpx_digest chain;
} figures;

static fpx_status add_figures(void *context, const fpx_op_view *view, fpx_error *err)
{
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    figures *f = context;

    (void)err;
    for (uint32_t o = 0; o < op->nout; o++)
        for (int s = 0; s < 2; s++)
            f->chain = fpx_digest_chain(
                f->chain,
                fpx_digest_bytes(fpx_shadow_figure(f->shadow[s], view->op, o), sizeof(fpx_figure)));
    return FPX_OK;
}

static fpx_experiment *read_demo(void)
{
    fpx_experiment *experiment = NULL;
    const char *root = getenv("FPX_TEST_SOURCE");
    char path[4096];

    ck_assert_ptr_nonnull(root);
    snprintf(path, sizeof path, "%s/experiments/demo.yaml", root);
    MUST(fpx_experiment_read(path, &experiment, err));
    experiment->data.validation = 0.005; /* a few batches: evaluation is as long as training */
    return experiment;
}

/* Threads of this process that have been on a processor for a millisecond: a pool's threads sleep where
 * they have nothing to do. 0 where the system does not tell. */
static size_t busy_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    size_t n = 0;

    if (tasks == NULL)
        return 0;
    for (const struct dirent *e = readdir(tasks); e != NULL; e = readdir(tasks)) {
        char path[512];
        unsigned long long nanoseconds = 0;

        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (f == NULL)
            continue;
        n += fscanf(f, "%llu", &nanoseconds) == 1 && nanoseconds > 1000000;
        (void)fclose(f);
    }
    (void)closedir(tasks);
    return n;
}

static unsigned control_word(void)
{
#if defined(__x86_64__)
    return _mm_getcsr() & 0xffc0u; /* without the flags, which operations raise */
#else
    return (unsigned)fegetround();
#endif
}

static void set_control(unsigned word)
{
#if defined(__x86_64__)
    _mm_setcsr(word);
#else
    ck_assert_int_eq(fesetround((int)word), 0);
#endif
}

/* control 0: as the program found it. Everything from the building on runs under the caller's word. */
static outcome run(const char *options, unsigned control)
{
    static const fpx_shadow_spec specs[2] = { { .mode = FPX_SHADOW_LOCAL },
                                              { .mode = FPX_SHADOW_FREE } };
    fpx_experiment *experiment = read_demo();
    fpx_recipe *recipe = tiny_recipe("fp8");
    const unsigned before = control_word();
    fpx_shadow *shadows[2];
    fpx_trainer *trainer = NULL;
    fpx_device *device = NULL;
    figures seen = { .shadow = { NULL } };
    void *opened = NULL;
    outcome o;
    char text[256] = "";

    memset(&o, 0, sizeof o);
    if (fpx_accel_cpu.open(options, &opened, text, sizeof text) != FPX_OK)
        ck_abort_msg("%s", text);
    MUST(fpx_device_from_table("cpu", &fpx_accel_cpu, opened, &device, err));
    if (control != 0)
        set_control(control);
    MUST(fpx_trainer_new(experiment, recipe, &device, 1, FPX_KEEP_INPUTS, &trainer, err));
    fpx_exec *exec = fpx_trainer_exec(trainer);
    for (int s = 0; s < 2; s++) {
        fpx_shadow_spec spec = specs[s];

        spec.format = fpx_fp64;
        MUST(fpx_shadow_new(exec, &spec, device, &shadows[s], err));
        const fpx_observer observer = fpx_shadow_observer(shadows[s]);
        ck_assert_int_eq(fpx_exec_attach(exec, &observer), FPX_OK);
        seen.shadow[s] = shadows[s];
    }
    const fpx_observer observer = { .context = &seen, .after_op = add_figures };
    ck_assert_int_eq(fpx_exec_attach(exec, &observer), FPX_OK);
    tiny_watch(exec, &o.record);
    for (int step = 0; step < STEPS; step++) {
        fpx_step_result result;

        MUST(fpx_trainer_step(trainer, &result, err));
        o.results = fpx_digest_chain(o.results, fpx_digest_bytes(&result, sizeof result));
    }
    MUST(fpx_trainer_evaluate(trainer, &o.bits_per_byte, err));
    MUST(fpx_trainer_sample(trainer, "And God", sizeof o.sample - 1, o.sample, err));
    if (control != 0) {
        ck_assert_uint_eq(control_word(), control & 0xffc0u); /* the caller's word is still there */
        set_control(before);
    }
    o.figures = seen.chain;
    o.state = tiny_state(exec);
    o.shadow_state = tiny_state(fpx_shadow_exec(shadows[1]));
    fpx_device_describe(device, o.device, sizeof o.device);
    o.threads = busy_threads();
    fpx_trainer_free(trainer);
    fpx_shadow_free(shadows[0]);
    fpx_shadow_free(shadows[1]);
    fpx_device_close(device);
    fpx_recipe_free(recipe);
    fpx_experiment_free(experiment);
    return o;
}

static outcome expected; /* scalar, one thread */

static void run_expected(void)
{
    expected = run("level=scalar,threads=1", 0);
}

static void check(const outcome *o, const char *what)
{
    SAME_DIGEST(expected.record.chain, o->record.chain, "%s: other outputs", what);
    ck_assert_uint_eq(expected.record.outputs, o->record.outputs);
    SAME_DIGEST(expected.figures, o->figures, "%s: other figures of shadows", what);
    SAME_DIGEST(expected.results, o->results, "%s: other loss, norm or rate", what);
    SAME_DIGEST(expected.state, o->state, "%s: other state", what);
    SAME_DIGEST(expected.shadow_state, o->shadow_state, "%s: other state of the free shadow", what);
    ck_assert_msg(memcmp(&expected.bits_per_byte, &o->bits_per_byte, sizeof(double)) == 0,
                  "%s: %.17g bits per byte, not %.17g", what, o->bits_per_byte,
                  expected.bits_per_byte);
    ck_assert_str_eq(expected.sample, o->sample);
}

static const struct {
    fpx_cpu_level level;
    int threads;
} variants[] = { { FPX_CPU_SCALAR, 5 }, { FPX_CPU_AVX2, 1 }, { FPX_CPU_AVX2, 5 } };

START_TEST(kernels_and_threads)
{
    const char *level = fpx_cpu_level_name(variants[_i].level);
    char options[64], kernels[64], threads[64];

    if (variants[_i].level > fpx_cpu_detect()) {
        printf("%s is not run: this machine has no more than %s\n", level,
               fpx_cpu_level_name(fpx_cpu_detect()));
        return;
    }
    snprintf(options, sizeof options, "level=%s,threads=%d", level, variants[_i].threads);
    snprintf(kernels, sizeof kernels, "kernels %s,", level);
    snprintf(threads, sizeof threads, " %d thread%s,", variants[_i].threads,
             variants[_i].threads == 1 ? "" : "s");
    const outcome o = run(options, 0);
    ck_assert_msg(strstr(o.device, kernels) && strstr(o.device, threads), "%s", o.device);
    if (o.threads > 0)
        ck_assert_uint_eq(o.threads, (size_t)variants[_i].threads);
    check(&o, options);
}
END_TEST

#if defined(__x86_64__)
/* FTZ 0x8000, DAZ 0x0040, exceptions masked 0x1f80; rounding down 0x2000, up 0x4000, to zero 0x6000. */
static const unsigned words[] = { 0xbfc0, 0xdfc0, 0xffc0 };
#else
static const unsigned words[] = { FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO };
#endif

START_TEST(hostile_callers)
{
    const unsigned word = words[_i];
    const outcome o = run("threads=2", word);
    char what[64];

    snprintf(what, sizeof what, "control word %04x", word);
    ck_assert_msg(strstr(o.device, " 2 threads,") != NULL, "%s", o.device);
    ck_assert(o.threads == 0 || o.threads == 2);
    check(&o, what);
}
END_TEST

/* The schedule and the data too, which depend on numbers of the experiment alone. */
START_TEST(schedule_and_data_under_any_rounding)
{
    fpx_experiment *e = read_demo();
    fpx_corpus *plain = NULL, *odd = NULL;
    double rates[40];

    e->data.validation = 0.3; /* times 295,692 bytes: not a whole number, above or below one */
    MUST(fpx_corpus_new(e, &plain, err));
    for (uint64_t step = 0; step < 40; step++)
        rates[step] = fpx_learning_rate(e, step);
    const unsigned before = control_word();
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        set_control(words[i]);
        MUST(fpx_corpus_new(e, &odd, err));
        ck_assert_uint_eq(fpx_corpus_valid_batches(odd), fpx_corpus_valid_batches(plain));
        ck_assert_uint_eq(fpx_corpus_train_steps(odd), fpx_corpus_train_steps(plain));
        for (uint64_t step = 0; step < 40; step++) {
            const double rate = fpx_learning_rate(e, step);
            ck_assert_mem_eq(&rate, &rates[step], sizeof rate);
        }
        set_control(before);
        fpx_corpus_free(odd);
    }
    fpx_corpus_free(plain);
    fpx_experiment_free(e);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, run_expected, NULL);
    tcase_add_loop_test(tc, kernels_and_threads, 0, sizeof variants / sizeof variants[0]);
    tcase_add_loop_test(tc, hostile_callers, 0, sizeof words / sizeof words[0]);
    tcase_add_test(tc, schedule_and_data_under_any_rounding);
}

int main(void)
{
    return tiny_run("determinism", add);
}
