/* test_preference.c - preferences: pairs of sequences, a reference that is the model before the first step, bits that
 * accumulation, resuming and devices keep; a margin that rises. */
#include <math.h>

#include <fpx/file.h>
#include <fpx/train.h>

#include "tiny_run.h"

enum { T = 8, RECORDS = 64 };

static char folder[64], path[96];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/fpx-preference-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/pairs", folder);
}

static void remove_folder(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static fpx_experiment experiment_of(const char *text)
{
    fpx_experiment e = tiny_experiment(FPX_SWIGLU);

    MUST(fpx_file_write(path, text, strlen(text), err));
    e.data.corpus = path;
    e.data.kind = FPX_DATA_PREFERENCE;
    e.data.beta = 0.5;
    e.data.sequence = T;
    e.data.batch = 2;
    return e;
}

/* By hand: inputs are all tokens but the last; targets begin where the response does, and end with 0. */
static const char two[] =
    "\xef\xbb\xbf" /* a byte order mark is no part of it */
    "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"xy\"}\n\n"
    "{\"rejected\": \"R\", \"chosen\": \"STU\", \"id\": 7, \"prompt\": \"pqr\"}\n";
static const struct {
    int32_t tokens[2 * T], targets[2 * T];
} expected[2] = {
    { { 'a', 'b', 0, 0, 0, 0, 0, 0, 'a', 'x', 'y', 0, 0, 0, 0, 0 },
      { 'b', 0, -1, -1, -1, -1, -1, -1, 'x', 'y', 0, -1, -1, -1, -1, -1 } },
    { { 'p', 'q', 'r', 'S', 'T', 'U', 0, 0, 'p', 'q', 'r', 'R', 0, 0, 0, 0 },
      { -1, -1, 'S', 'T', 'U', 0, -1, -1, -1, -1, 'R', 0, -1, -1, -1, -1 } },
};

START_TEST(a_pair_is_two_sequences)
{
    fpx_experiment e = experiment_of(two);
    fpx_corpus *corpus = NULL;
    int32_t tokens[2 * T], targets[2 * T];

    e.data.validation = 0.5;
    MUST(fpx_corpus_new(&e, &corpus, err));
    ck_assert_uint_eq(fpx_corpus_train_steps(corpus), 1);
    ck_assert_uint_eq(fpx_corpus_valid_batches(corpus), 1);
    for (size_t i = 0; i < 2; i++) {
        i == 0 ? fpx_corpus_train(corpus, 0, tokens, targets)
               : fpx_corpus_valid(corpus, 0, tokens, targets);
        ck_assert_mem_eq(tokens, expected[i].tokens, sizeof tokens);
        ck_assert_mem_eq(targets, expected[i].targets, sizeof targets);
    }
    fpx_corpus_free(corpus);
}
END_TEST

START_TEST(what_is_no_preference)
{
    static const struct {
        const char *text;
        fpx_status status;
        const char *words;
    } bad[] = {
        { "", FPX_EFORMAT, "has no records; a line is {\"prompt\": \"...\", \"chosen\"" },
        { "{\"prompt\": \"a\", \"response\": \"b\"}", FPX_EFORMAT, ":1: expected {\"prompt\": " },
        { "{\"prompt\": \"a\", \"chosen\": \"b\"}", FPX_EFORMAT, "\"rejected\": \"...\"}" },
        { "\n{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": 1}", FPX_EFORMAT,
          ":2: expected" },
        { "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"\"}", FPX_EFORMAT,
          ":1: the rejected is empty" },
        { "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"12345678\"}", FPX_EINVAL,
          ":1: prompt, rejected response and end are 10 tokens" },
        { "{\"prompt\": \"a\", \"chosen\": \"12345678\", \"rejected\": \"1\"}", FPX_EINVAL,
          ":1: prompt, response and end are 10 tokens" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fpx_experiment e = experiment_of(bad[i].text);
        fpx_corpus *corpus = NULL;

        REFUSED(fpx_corpus_new(&e, &corpus, err), bad[i].status, bad[i].words);
    }
    fpx_experiment e = experiment_of(two);
    fpx_recipe *recipe = tiny_recipe("fp32");
    fpx_model *model = NULL;

    e.data.batch = 3;
    REFUSED(fpx_model_build(&e, recipe, 1, 0, 0, &model, err), FPX_EINVAL, "batch 3 must be even");
    fpx_recipe_free(recipe);
}
END_TEST

/* A letter is answered by the next one, not by the same. */
static void write_letters(char *text, size_t room)
{
    size_t at = 0;

    for (int i = 0; i < RECORDS; i++) {
        const char c = (char)('a' + i * 7 % 16);

        at += (size_t)snprintf(
            text + at, room - at,
            "{\"prompt\": \"%c?\", \"chosen\": \"%c\", \"rejected\": \"%c%c\"}\n", c, c + 1, c, c);
    }
}

static uint32_t steps; /* of what is started next */

typedef struct running {
    fpx_experiment experiment;
    fpx_recipe *recipe;
    fpx_device *device;
    fpx_trainer *trainer;
} running;

static void start(running *r, const char *device, const char *recipe, uint32_t batch,
                  uint32_t accumulate)
{
    char text[RECORDS * 64];

    write_letters(text, sizeof text);
    r->experiment = experiment_of(text);
    r->experiment.data.batch = batch;
    r->experiment.data.accumulate = accumulate;
    r->experiment.steps = steps;
    r->recipe = tiny_recipe(recipe);
    r->device = tiny_device(device);
    MUST(fpx_trainer_new(&r->experiment, r->recipe, &r->device, 1, 0, &r->trainer, err));
}

static void stop(running *r)
{
    fpx_trainer_free(r->trainer);
    fpx_device_close(r->device);
    fpx_recipe_free(r->recipe);
}

static fpx_step_result step(running *r)
{
    fpx_step_result result;

    MUST(fpx_trainer_step(r->trainer, &result, err));
    ck_assert(isfinite(result.loss));
    return result;
}

/* Bits of all state and of the last step's loss after the rest of the run. */
static fpx_digest finish(running *r, fpx_step_result *ret_last)
{
    while (fpx_trainer_next_step(r->trainer) < r->experiment.steps)
        *ret_last = step(r);
    return fpx_digest_chain(fpx_digest_bytes(&ret_last->loss, sizeof ret_last->loss),
                            tiny_state(fpx_trainer_exec(r->trainer)));
}

static const char *const recipes[] = { "fp32", "fp8", "te-delayed", "fp8-lm-o3" };
enum { RECIPES = sizeof recipes / sizeof recipes[0] };

/* The reference has seen the same batches: not a bit lies between. */
START_TEST(at_first_nothing_is_preferred)
{
    running r;

    start(&r, "cpu,threads=1", recipes[_i], 4, 1);
    const fpx_step_result first = step(&r);
    ck_assert(first.preference.margin == 0.0 && first.preference.accuracy == 0.0);
    ck_assert((float)first.loss == (float)log(2.0));
    const fpx_step_result second = step(&r);
    ck_assert(second.preference.margin != 0.0);
    stop(&r);
}
END_TEST

START_TEST(the_margin_rises)
{
    running r;
    fpx_step_result last;
    fpx_preference before, after;
    double loss[2];

    steps = 12;
    start(&r, "cpu,threads=1", "fp32", 8, 1);
    MUST(fpx_trainer_evaluate_pairs(r.trainer, &loss[0], &before, err));
    ck_assert(before.margin == 0.0 && fabs(loss[0] - 1.0) < 1e-6); /* a bit a pair: log 2 */
    r.experiment.optimizer.learning_rate = 0.05;
    (void)finish(&r, &last);
    MUST(fpx_trainer_evaluate_pairs(r.trainer, &loss[1], &after, err));
    printf("validation: %g bits a pair, margin %g, accuracy %g\n", loss[1], after.margin,
           after.accuracy);
    ck_assert(loss[1] < 0.8 && after.margin > 0.3 && after.accuracy > 0.8);
    ck_assert(last.loss < log(2.0) && last.preference.margin > 0.3);
    ck_assert_str_eq(fpx_trainer_unit(r.trainer), "pair");
    stop(&r);
}
END_TEST

static const struct {
    uint32_t batch, accumulate, whole;
} cuts[] = { { 4, 2, 8 }, { 2, 4, 8 }, { 2, 3, 6 } };

START_TEST(the_bits_of_one_batch)
{
    running whole, cut;
    fpx_step_result a, b;

    start(&whole, "cpu,threads=1", "fp32", cuts[_i].whole, 1);
    start(&cut, "cpu,threads=2", "fp32", cuts[_i].batch, cuts[_i].accumulate);
    SAME_DIGEST(finish(&whole, &a), finish(&cut, &b), "batch %u, accumulate %u", cuts[_i].batch,
                cuts[_i].accumulate);
    ck_assert(a.preference.margin == b.preference.margin &&
              a.preference.accuracy == b.preference.accuracy);
    stop(&whole);
    stop(&cut);
}
END_TEST

START_TEST(the_bits_of_any_device)
{
    running one, other;
    fpx_step_result a, b;

    start(&one, "cpu,threads=1,level=scalar", recipes[_i], 4, 1);
    start(&other, "cpu,threads=2", recipes[_i], 4, 1);
    SAME_DIGEST(finish(&one, &a), finish(&other, &b), "recipe %s", recipes[_i]);
    stop(&one);
    stop(&other);
}
END_TEST

/* The reference travels in the checkpoint: what is trained by then is not it. _i: micro-batches of 2 a step. */
START_TEST(resume_keeps_the_reference)
{
    running whole, first, second;
    fpx_step_result a, b, result;
    char to[128], chain[64] = "";
    size_t left = 1;
    int done = 0;

    (void)snprintf(to, sizeof to, "%s/c%d", folder, _i);
    start(&whole, "cpu,threads=1", "fp8", 4, 2);
    start(&first, "cpu,threads=1", "fp8", 4, 2);
    start(&second, "cpu,threads=1", "fp8", 4, 2);
    if (_i == 0) { /* a part of the reference is no reference */
        MUST(fpx_trainer_prepare(first.trainer, &left, err));
        ck_assert_uint_eq(left, 6 * 2 + 6 - 1);
    }
    for (int i = 0; i < _i; i++)
        MUST(fpx_trainer_micro_step(first.trainer, &done, &result, err));
    MUST(fpx_trainer_save(first.trainer, to, NULL, 0, "", err));
    MUST(fpx_trainer_load(second.trainer, to, NULL, 0, chain, err));
    MUST(fpx_trainer_prepare(second.trainer, &left, err));
    ck_assert_uint_eq(left, _i == 0 ? 6 * 2 + 6 - 1 : 0);
    SAME_DIGEST(finish(&whole, &a), finish(&second, &b), "cut after %d micro-batches", _i);
    ck_assert(a.preference.margin == b.preference.margin);
    MUST(fpx_trainer_evaluate_pairs(whole.trainer, &a.norm, &a.preference, err));
    MUST(fpx_trainer_evaluate_pairs(second.trainer, &b.norm, &b.preference, err));
    ck_assert(a.norm == b.norm && a.preference.margin == b.preference.margin);
    stop(&whole);
    stop(&first);
    stop(&second);
}
END_TEST

static void few_steps(void) /* also where tests share a process */
{
    steps = 6;
}

static void add(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, make_folder, remove_folder);
    tcase_add_checked_fixture(tc, few_steps, NULL);
    tcase_add_test(tc, a_pair_is_two_sequences);
    tcase_add_test(tc, what_is_no_preference);
    tcase_add_loop_test(tc, at_first_nothing_is_preferred, 0, RECIPES);
    tcase_add_test(tc, the_margin_rises);
    tcase_add_loop_test(tc, the_bits_of_one_batch, 0, sizeof cuts / sizeof cuts[0]);
    tcase_add_loop_test(tc, the_bits_of_any_device, 0, RECIPES);
    tcase_add_loop_test(tc, resume_keeps_the_reference, 0, 5);
}

int main(void)
{
    return tiny_run("preference", add);
}
