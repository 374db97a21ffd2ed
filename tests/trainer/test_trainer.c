/* test_trainer.c - data without a repeated token, the schedule, resume at every step, and checkpoints that do not
 * fit: refused, with the trainer as it was. */
#include <math.h>
#include <sys/stat.h>

#include <fpx/file.h>
#include <fpx/shadow.h>
#include <fpx/train.h>

#include "tiny_run.h"

enum { LETTERS = 1200 };

static char folder[64], corpus_path[96];

/* A text whose windows are all different: position in three bytes. */
static fpx_experiment experiment_of(fpx_activation activation)
{
    fpx_experiment e = tiny_experiment(activation);

    e.data.corpus = corpus_path;
    return e;
}

static void make_folder(void)
{
    char text[LETTERS];

    (void)snprintf(folder, sizeof folder, "/tmp/fpx-trainer-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(corpus_path, sizeof corpus_path, "%s/text", folder);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i % 3 == 0 ? 'a' + (int)(i / 3 / 20) : 'A' + (int)(i / 3 % 20));
    MUST(fpx_file_write(corpus_path, text, sizeof text, err));
}

static void remove_folder(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Every position of the training part is an input at most once; targets are the next byte; the order
 * depends on the seed alone. */
START_TEST(no_token_repeats)
{
    fpx_experiment e = experiment_of(FPX_SWIGLU);
    const size_t batch = (size_t)e.data.batch * e.data.sequence;
    int32_t tokens[64], targets[64], again[64];
    unsigned char seen[LETTERS] = { 0 };
    fpx_corpus *corpus, *other;
    char *bytes;
    size_t count, different = 0;

    MUST(fpx_file_read(corpus_path, 1 << 20, &bytes, &count, err));
    MUST(fpx_corpus_new(&e, &corpus, err));
    e.seed++;
    MUST(fpx_corpus_new(&e, &other, err));
    ck_assert_uint_eq(fpx_corpus_tokens(corpus), LETTERS);
    ck_assert_uint_eq(fpx_corpus_train_steps(corpus), (960 - 1) / 6 / 2);
    for (size_t step = 0; step < fpx_corpus_train_steps(corpus); step++) {
        fpx_corpus_train(corpus, step, tokens, targets);
        fpx_corpus_train(other, step, again, targets);
        different += memcmp(tokens, again, batch * sizeof tokens[0]) != 0;
        fpx_corpus_train(corpus, step, tokens, targets);
        for (size_t s = 0; s < batch; s += e.data.sequence) {
            size_t at = 0;

            while (at < 960 && (at % e.data.sequence != 0 || bytes[at] != tokens[s] ||
                                bytes[at + 1] != tokens[s + 1] || bytes[at + 3] != tokens[s + 3]))
                at++;
            ck_assert_uint_lt(at, 960);
            for (size_t i = 0; i < e.data.sequence; i++) {
                if (bytes[at + i] != tokens[s + i] || bytes[at + i + 1] != targets[s + i])
                    ck_abort_msg("step %zu: the window at %zu is not the text", step, at);
                if (seen[at + i]++ != 0)
                    ck_abort_msg("step %zu: byte %zu is an input for the second time", step,
                                 at + i);
            }
        }
    }
    ck_assert_uint_gt(different, fpx_corpus_train_steps(corpus) / 2);
    for (size_t i = 0; i < fpx_corpus_valid_batches(corpus); i++) {
        fpx_corpus_valid(corpus, i, tokens, targets);
        ck_assert_int_eq(tokens[0], bytes[960 + i * batch]);
        ck_assert_int_eq(targets[batch - 1], bytes[960 + (i + 1) * batch]);
    }
    free(bytes);
    fpx_corpus_free(corpus);
    fpx_corpus_free(other);
}
END_TEST

START_TEST(texts_that_do_not_fit_are_refused)
{
    static char sum[] = "0000000000000000000000000000000000000000000000000000000000000000";
    fpx_experiment e = experiment_of(FPX_SWIGLU);
    fpx_device *device = tiny_device("cpu,threads=1");
    fpx_recipe *recipe = tiny_recipe("fp32");
    fpx_trainer *trainer = NULL;
    fpx_corpus *corpus = NULL;

    e.data.sha256 = sum;
    REFUSED(fpx_corpus_new(&e, &corpus, err), FPX_EFORMAT, "sha256");
    e.data.sha256 = NULL;
    e.data.sequence = 900;
    REFUSED(fpx_corpus_new(&e, &corpus, err), FPX_EINVAL, "too short");
    e = experiment_of(FPX_SWIGLU);
    e.steps = 80;
    REFUSED(fpx_trainer_new(&e, recipe, &device, 1, 0, &trainer, err), FPX_EINVAL, "79");
    ck_assert_ptr_null(trainer);
    ck_assert_ptr_null(corpus);
    fpx_recipe_free(recipe);
    fpx_device_close(device);
}
END_TEST

/* Linear warm-up, then half a cosine down to the final share at the last step. */
START_TEST(the_schedule_is_warm_up_and_cosine)
{
    fpx_experiment e = tiny_experiment(FPX_SWIGLU);

    e.steps = 11;
    e.optimizer.warmup = 4;
    for (uint64_t step = 0; step < 4; step++)
        ck_assert_double_eq_tol(fpx_learning_rate(&e, step), 0.01 * (double)(step + 1) / 4.0,
                                1e-17);
    for (uint64_t step = 4; step < 11; step++) {
        const double expected =
            0.01 *
            (0.1 + 0.9 * 0.5 * (1.0 + cos(3.14159265358979323846 * (double)(step - 4) / 6.0)));

        ck_assert_double_eq_tol(fpx_learning_rate(&e, step), expected, 1e-16);
    }
}
END_TEST

START_TEST(the_other_schedules)
{
    fpx_experiment e = tiny_experiment(FPX_SWIGLU);

    e.steps = 11;
    e.optimizer.warmup = 4;
    e.optimizer.schedule = FPX_LINEAR;
    for (uint64_t step = 4; step < 11; step++)
        ck_assert_double_eq_tol(fpx_learning_rate(&e, step),
                                0.01 * (1.0 - 0.9 * (double)(step - 4) / 6.0), 1e-16);
    e.steps = 20;
    e.optimizer.schedule = FPX_WSD;
    e.optimizer.decay_share = 0.2; /* 4 steps */
    for (uint64_t step = 4; step < 16; step++)
        ck_assert_double_eq(fpx_learning_rate(&e, step), 0.01);
    for (uint64_t step = 16; step < 20; step++)
        ck_assert_double_eq_tol(fpx_learning_rate(&e, step),
                                0.01 * (1.0 - 0.9 * (double)(step - 15) / 4.0), 1e-16);
    e.optimizer.decay_share = 1e-9; /* the last step still has the final share */
    ck_assert_double_eq(fpx_learning_rate(&e, 18), 0.01);
    ck_assert_double_eq_tol(fpx_learning_rate(&e, 19), 0.001, 1e-16);
}
END_TEST

typedef struct running {
    fpx_experiment experiment;
    fpx_recipe *recipe;
    fpx_device *device;
    fpx_trainer *trainer;
    fpx_shadow *shadow;
    fpx_checkpoint_extra extra;
} running;

static void start(running *r, const char *recipe)
{
    const fpx_shadow_spec spec = { .mode = FPX_SHADOW_FREE, .format = fpx_fp64 };
    fpx_observer observer;

    r->experiment = experiment_of(FPX_GELU);
    r->recipe = tiny_recipe(recipe);
    r->device = tiny_device("cpu,threads=1");
    MUST(fpx_trainer_new(&r->experiment, r->recipe, &r->device, 1, fpx_shadow_keep(&spec),
                         &r->trainer, err));
    MUST(fpx_shadow_new(fpx_trainer_exec(r->trainer), &spec, r->device, &r->shadow, err));
    observer = fpx_shadow_observer(r->shadow);
    ck_assert_int_eq(fpx_exec_attach(fpx_trainer_exec(r->trainer), &observer), FPX_OK);
    r->extra =
        (fpx_checkpoint_extra){ .prefix = "shadow.free", .exec = fpx_shadow_exec(r->shadow) };
}

static void stop(running *r)
{
    fpx_trainer_free(r->trainer);
    fpx_shadow_free(r->shadow);
    fpx_device_close(r->device);
    fpx_recipe_free(r->recipe);
}

static void advance(running *r, uint64_t to)
{
    fpx_step_result result = { 0 };

    while (fpx_trainer_next_step(r->trainer) < to)
        MUST(fpx_trainer_step(r->trainer, &result, err));
    ck_assert_uint_eq(result.step, to - 1);
    ck_assert(isfinite(result.loss) && result.norm > 0.0);
}

static fpx_digest whole_state(const running *r)
{
    return fpx_digest_chain(tiny_state(fpx_trainer_exec(r->trainer)), tiny_state(r->extra.exec));
}

/* _i: the step after which the run is cut. The continued run has all bits of the uninterrupted one, those of the
 * free shadow too. */
START_TEST(resume_gives_the_same_bits)
{
    const uint64_t cut = (uint64_t)_i;
    running whole, first, second;
    char path[96], chain[64] = "";

    (void)snprintf(path, sizeof path, "%s/c%d", folder, _i);
    start(&whole, "fp8");
    advance(&whole, whole.experiment.steps);
    start(&first, "fp8");
    advance(&first, cut);
    MUST(fpx_trainer_save(first.trainer, path, &first.extra, 1, "a chain", err));
    start(&second, "fp8");
    MUST(fpx_trainer_load(second.trainer, path, &second.extra, 1, chain, err));
    fpx_shadow_restored(second.shadow);
    ck_assert_str_eq(chain, "a chain");
    ck_assert_uint_eq(fpx_trainer_next_step(second.trainer), cut);
    SAME_DIGEST(whole_state(&first), whole_state(&second), "after loading, cut %d", _i);
    advance(&second, second.experiment.steps);
    SAME_DIGEST(whole_state(&whole), whole_state(&second), "at the end, cut %d", _i);
    stop(&whole);
    stop(&first);
    stop(&second);
}
END_TEST

/* Fails once, at the last operation of a step's backward pass. */
typedef struct failing {
    const fpx_model *model;
    int armed;
} failing;

static fpx_status fail_once(void *context, const fpx_op_view *view, fpx_error *err)
{
    failing *f = context;

    if (!f->armed || view->op + 1 != f->model->micro[0].end)
        return FPX_OK;
    f->armed = 0;
    return fpx_error_set(err, FPX_ENUMERIC, "fails once");
}

/* A step that failed behind all new amax begins anew with the histories that it found: delayed scales have the bits of a run
 * without a failure. _i: the recipe. */
START_TEST(a_failed_step_begins_anew)
{
    static const char *const recipes[] = { "te-delayed", "fp8-lm-gemm" };
    running whole, failed;
    fpx_step_result result;

    start(&whole, recipes[_i]);
    start(&failed, recipes[_i]);
    failing f = { .model = fpx_trainer_model(failed.trainer) };
    const fpx_observer observer = { .context = &f, .after_op = fail_once };

    ck_assert_int_eq(fpx_exec_attach(fpx_trainer_exec(failed.trainer), &observer), FPX_OK);
    advance(&failed, 3);
    const fpx_digest before = tiny_state(fpx_trainer_exec(failed.trainer));
    f.armed = 1;
    REFUSED(fpx_trainer_step(failed.trainer, &result, err), FPX_ENUMERIC, "fails once");
    ck_assert_msg(!fpx_digest_equal(before, tiny_state(fpx_trainer_exec(failed.trainer))),
                  "the failed step left no trace: the test shows nothing");
    fpx_trainer_rewind(failed.trainer);
    SAME_DIGEST(before, tiny_state(fpx_trainer_exec(failed.trainer)), "%s: rewound", recipes[_i]);
    advance(&failed, failed.experiment.steps);
    advance(&whole, whole.experiment.steps);
    SAME_DIGEST(tiny_state(fpx_trainer_exec(whole.trainer)),
                tiny_state(fpx_trainer_exec(failed.trainer)), "%s: at the end", recipes[_i]);
    stop(&whole);
    stop(&failed);
}
END_TEST

START_TEST(checkpoints_that_do_not_fit_are_refused)
{
    static char other[] = "another text";
    running r, wrong;
    char path[96], chain[64] = "untouched";
    fpx_digest before;

    (void)snprintf(path, sizeof path, "%s/misfit", folder);
    start(&r, "fp8");
    advance(&r, 3);
    MUST(fpx_trainer_save(r.trainer, path, NULL, 0, "", err));
    start(&wrong, "bf16");
    before = whole_state(&wrong);
    REFUSED(fpx_trainer_load(wrong.trainer, path, NULL, 0, chain, err), FPX_EINVAL, "recipe");
    stop(&wrong);
    start(&wrong, "fp8");
    REFUSED(fpx_trainer_load(wrong.trainer, path, &wrong.extra, 1, chain, err), FPX_EINVAL,
            "shadow.free/");
    SAME_DIGEST(before, whole_state(&wrong), "a refused checkpoint changed the trainer");
    ck_assert_uint_eq(fpx_trainer_next_step(wrong.trainer), 0);
    wrong.experiment.steps++;
    REFUSED(fpx_trainer_load(wrong.trainer, path, NULL, 0, chain, err), FPX_EINVAL, "steps=");
    wrong.experiment.steps--;
    wrong.experiment.text = other;
    REFUSED(fpx_trainer_load(wrong.trainer, path, NULL, 0, chain, err), FPX_EINVAL, "experiment");
    REFUSED(fpx_trainer_load(wrong.trainer, folder, NULL, 0, chain, err), FPX_EIO, "no checkpoint");
    ck_assert_str_eq(chain, "untouched");
    stop(&wrong);
    stop(&r);
}
END_TEST

/* Damage anywhere, and files that are no checkpoint at all: the text says which file, nothing changes. */
START_TEST(damaged_checkpoints_are_refused)
{
    char path[96], file[160], chain[64] = "untouched", *good;
    running r;
    size_t count;

    (void)snprintf(path, sizeof path, "%s/damaged", folder);
    (void)snprintf(file, sizeof file, "%s/step-000003.safetensors", path);
    start(&r, "fp8");
    advance(&r, 3);
    MUST(fpx_trainer_save(r.trainer, path, &r.extra, 1, "", err));
    MUST(fpx_file_read(file, 1 << 24, &good, &count, err));
    advance(&r, 4);
    const fpx_digest before = whole_state(&r);
    for (size_t i = 0; i < 96; i++) { /* 32 flipped bits, 32 lengths, 32 bytes of the header */
        const size_t at = i % 32 * (count - 1) / 31, header = i % 32 * 40;
        char *bad = malloc(count);

        ck_assert_ptr_nonnull(bad);
        memcpy(bad, good, count);
        bad[i < 32 ? at : header] ^= 1;
        MUST(fpx_file_write(file, i / 32 == 1 ? good : bad,
                            i / 32 == 1 ? at - (at == count - 1 ? 1 : 0) : count, err));
        REFUSED(fpx_trainer_load(r.trainer, path, &r.extra, 1, chain, err), FPX_EFORMAT,
                "step-000003.safetensors");
        free(bad);
    }
    MUST(fpx_file_write(file, "{}", 2, err));
    REFUSED(fpx_trainer_load(r.trainer, path, &r.extra, 1, chain, err), FPX_EFORMAT, file);
    SAME_DIGEST(before, whole_state(&r), "a damaged checkpoint changed the trainer");
    ck_assert_uint_eq(fpx_trainer_next_step(r.trainer), 4);
    ck_assert_str_eq(chain, "untouched");
    MUST(fpx_file_write(file, good, count, err));
    MUST(fpx_trainer_load(r.trainer, path, &r.extra, 1, chain, err));
    ck_assert_uint_eq(fpx_trainer_next_step(r.trainer), 3);
    free(good);
    stop(&r);
}
END_TEST

START_TEST(evaluation_and_samples_are_deterministic)
{
    running a, b;
    double x = 0.0, y = 1.0;
    char s[33], t[33];

    start(&a, "fp8");
    start(&b, "fp8");
    advance(&a, 2);
    MUST(fpx_trainer_evaluate(a.trainer, &x, err)); /* looking does not change the run */
    MUST(fpx_trainer_sample(a.trainer, "ABC", 32, s, err));
    advance(&a, 4);
    advance(&b, 4);
    SAME_DIGEST(tiny_state(fpx_trainer_exec(a.trainer)), tiny_state(fpx_trainer_exec(b.trainer)),
                "evaluation changed the run");
    MUST(fpx_trainer_evaluate(a.trainer, &x, err));
    MUST(fpx_trainer_evaluate(b.trainer, &y, err));
    MUST(fpx_trainer_sample(a.trainer, "ABC", 32, s, err));
    MUST(fpx_trainer_sample(b.trainer, "ABC", 32, t, err));
    ck_assert_mem_eq(&x, &y, sizeof x);
    ck_assert_double_gt(x, 0.5);
    ck_assert_str_eq(s, t);
    ck_assert_uint_eq(strlen(s), 32);
    stop(&a);
    stop(&b);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, no_token_repeats);
    tcase_add_test(tc, texts_that_do_not_fit_are_refused);
    tcase_add_test(tc, the_schedule_is_warm_up_and_cosine);
    tcase_add_test(tc, the_other_schedules);
    tcase_add_loop_test(tc, resume_gives_the_same_bits, 1, 8);
    tcase_add_loop_test(tc, a_failed_step_begins_anew, 0, 2);
    tcase_add_test(tc, checkpoints_that_do_not_fit_are_refused);
    tcase_add_test(tc, damaged_checkpoints_are_refused);
    tcase_add_test(tc, evaluation_and_samples_are_deterministic);
}

int main(void)
{
    return tiny_run("trainer", add);
}
