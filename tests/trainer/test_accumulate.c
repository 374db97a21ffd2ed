/* test_accumulate.c - micro-batches: the bits of one large batch, however it is cut; and a run that is cut between two
 * micro-batches goes on with the same bits. */
#include <math.h>

#include <fpx/file.h>
#include <fpx/recipe.h>
#include <fpx/train.h>

#include "tiny_run.h"

enum { LETTERS = 4800 };

static char folder[64], corpus_path[96];

static void make_folder(void)
{
    char text[LETTERS];
    uint64_t seed = 5;

    (void)snprintf(folder, sizeof folder, "/tmp/fpx-accumulate-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(corpus_path, sizeof corpus_path, "%s/text", folder);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + (int)(tiny_random(&seed) % 26));
    MUST(fpx_file_write(corpus_path, text, sizeof text, err));
}

static void remove_folder(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

typedef struct running {
    fpx_experiment experiment;
    fpx_recipe *recipe;
    fpx_device *device;
    fpx_trainer *trainer;
} running;

static void start_on(running *r, const char *device, const char *recipe, uint32_t batch,
                     uint32_t accumulate)
{
    r->experiment = tiny_experiment(FPX_SWIGLU);
    r->experiment.data.corpus = corpus_path;
    r->experiment.data.batch = batch;
    r->experiment.data.accumulate = accumulate;
    r->experiment.steps = 4;
    r->recipe = tiny_recipe(recipe);
    r->device = tiny_device(device);
    MUST(fpx_trainer_new(&r->experiment, r->recipe, &r->device, 1, 0, &r->trainer, err));
}

static void start(running *r, const char *recipe, uint32_t batch, uint32_t accumulate)
{
    start_on(r, "cpu,threads=1", recipe, batch, accumulate);
}

static void stop(running *r)
{
    fpx_trainer_free(r->trainer);
    fpx_device_close(r->device);
    fpx_recipe_free(r->recipe);
}

/* Bits of loss, norm and all state after the rest of the run. */
static fpx_digest finish(running *r)
{
    fpx_step_result result[8] = { { 0 } };

    while (fpx_trainer_next_step(r->trainer) < r->experiment.steps) {
        const uint64_t step = fpx_trainer_next_step(r->trainer);

        MUST(fpx_trainer_step(r->trainer, &result[step], err));
        ck_assert(isfinite(result[step].loss));
    }
    const fpx_step_result *last = &result[r->experiment.steps - 1];
    return fpx_digest_chain(fpx_digest_bytes(last, sizeof *last),
                            tiny_state(fpx_trainer_exec(r->trainer)));
}

/* Batches of 12 and 14 sequences are no power of two: the tree has missing children. */
static const struct {
    uint32_t batch, accumulate, whole;
} cuts[] = { { 4, 2, 8 },  { 2, 4, 8 },  { 1, 8, 8 },  { 2, 3, 6 },
             { 4, 3, 12 }, { 2, 7, 14 }, { 2, 5, 10 }, { 1, 11, 11 } };

START_TEST(the_bits_of_one_batch)
{
    running whole, cut;

    start(&whole, "fp32", cuts[_i].whole, 1);
    start(&cut, "fp32", cuts[_i].batch, cuts[_i].accumulate);
    SAME_DIGEST(finish(&whole), finish(&cut), "batch %u, accumulate %u", cuts[_i].batch,
                cuts[_i].accumulate);
    stop(&whole);
    stop(&cut);
}
END_TEST

/* Formats of states, and what is stored between micro-batches, do not stand in the way. */
static const char *const recipes[] = { "fp8",       "fp8-lm-o3",   "coat",
                                       "fp8-lm-o1", "fp4-dge-occ", "deepseek-v3" };
enum { RECIPES = sizeof recipes / sizeof recipes[0] };

/* _i / RECIPES micro-batches of 3 a step are done when the run is cut. */
START_TEST(resume_within_a_step)
{
    const char *const recipe = recipes[_i % RECIPES];
    const int micro = _i / RECIPES;
    running whole, first, second;
    char path[96], chain[64] = "";
    fpx_step_result result;
    int done = 0;

    (void)snprintf(path, sizeof path, "%s/m%d", folder, _i);
    start(&whole, recipe, 2, 3);
    start(&first, recipe, 2, 3);
    start(&second, recipe, 2, 3);
    for (int i = 0; i < micro; i++)
        MUST(fpx_trainer_micro_step(first.trainer, &done, &result, err));
    MUST(fpx_trainer_save(first.trainer, path, NULL, 0, "", err));
    MUST(fpx_trainer_load(second.trainer, path, NULL, 0, chain, err));
    ck_assert_uint_eq(fpx_trainer_next_step(second.trainer), (uint64_t)micro / 3);
    ck_assert_uint_eq(fpx_trainer_next_micro(second.trainer), (uint32_t)micro % 3);
    SAME_DIGEST(finish(&whole), finish(&second), "%s cut after %d micro-batches", recipe, micro);
    stop(&whole);
    stop(&first);
    stop(&second);
}
END_TEST

START_TEST(the_bits_of_any_device)
{
    running one, other;

    start_on(&one, "cpu,threads=1,level=scalar", recipes[_i], 2, 3);
    start_on(&other, "cpu,threads=2", recipes[_i], 2, 3);
    SAME_DIGEST(finish(&one), finish(&other), "recipe %s", recipes[_i]);
    stop(&one);
    stop(&other);
}
END_TEST

/* All that are shipped, in a model that every block and transform fits: on another device, and cut within a step. */
enum { SHIPPED = 32, CUT_AFTER = 4 };

static int begin(running *r, const char *device, const char *recipe)
{
    fpx_error why = { .text = "" };

    r->experiment = tiny_experiment(FPX_SWIGLU);
    r->experiment.model.width = r->experiment.model.hidden = 64;
    r->experiment.data.corpus = corpus_path;
    r->experiment.data.sequence = 32;
    r->experiment.data.accumulate = 3;
    r->experiment.steps = 2;
    r->recipe = tiny_recipe(recipe);
    r->device = tiny_device(device);
    r->trainer = NULL;
    if (fpx_trainer_new(&r->experiment, r->recipe, &r->device, 1, 0, &r->trainer, &why) == FPX_OK)
        return 1;
    ck_assert_msg(strstr(why.text, "learns from steps before this one") != NULL, "%s: %s", recipe,
                  why.text);
    stop(r);
    return 0;
}

START_TEST(every_recipe_accumulates)
{
    const char *const recipe = fpx_recipe_shipped((size_t)_i);
    running whole, first, second;
    char path[96], chain[64] = "";
    fpx_step_result result;
    int done = 0;

    ck_assert_ptr_null(fpx_recipe_shipped(SHIPPED));
    if (recipe == NULL || !begin(&whole, "cpu,threads=1", recipe))
        return;
    (void)snprintf(path, sizeof path, "%s/r%d", folder, _i);
    ck_assert(begin(&first, "cpu,threads=3", recipe));
    ck_assert(begin(&second, "cpu,threads=1,level=scalar", recipe));
    for (int i = 0; i < CUT_AFTER; i++)
        MUST(fpx_trainer_micro_step(first.trainer, &done, &result, err));
    MUST(fpx_trainer_save(first.trainer, path, NULL, 0, "", err));
    MUST(fpx_trainer_load(second.trainer, path, NULL, 0, chain, err));
    SAME_DIGEST(finish(&whole), finish(&second), "%s: other bits on another device", recipe);
    stop(&whole);
    stop(&first);
    stop(&second);
}
END_TEST

START_TEST(what_is_impossible_is_refused)
{
    running r;
    fpx_trainer *trainer = NULL;

    start(&r, "fp32", 2, 2);
    r.experiment.data.batch = 3;
    REFUSED(fpx_trainer_new(&r.experiment, r.recipe, &r.device, 1, 0, &trainer, err), FPX_EINVAL,
            "power of two");
    r.experiment.data.batch = 2;
    r.experiment.steps = 200;
    REFUSED(fpx_trainer_new(&r.experiment, r.recipe, &r.device, 1, 0, &trainer, err), FPX_EINVAL,
            "would repeat tokens; the corpus gives 159 steps");
    r.experiment.data.accumulate = 0;
    r.experiment.steps = 4;
    REFUSED(fpx_trainer_new(&r.experiment, r.recipe, &r.device, 1, 0, &trainer, err), FPX_EINVAL,
            "accumulate must be at least 1");
    fpx_recipe_free(r.recipe);
    r.recipe = tiny_recipe("te-delayed");
    r.experiment.data.accumulate = 2;
    REFUSED(fpx_trainer_new(&r.experiment, r.recipe, &r.device, 1, 0, &trainer, err), FPX_EINVAL,
            "scaling 'tensor-delayed' learns from steps before this one, not from micro-batches");
    stop(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("accumulate");
    TCase *tc = tcase_create("accumulate");

    tcase_set_timeout(tc, 60);
    tcase_add_unchecked_fixture(tc, make_folder, remove_folder);
    tcase_add_loop_test(tc, the_bits_of_one_batch, 0, sizeof cuts / sizeof cuts[0]);
    tcase_add_loop_test(tc, resume_within_a_step, 0, 7 * RECIPES);
    tcase_add_loop_test(tc, the_bits_of_any_device, 0, RECIPES);
    tcase_add_loop_test(tc, every_recipe_accumulates, 0, SHIPPED);
    tcase_add_test(tc, what_is_impossible_is_refused);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
