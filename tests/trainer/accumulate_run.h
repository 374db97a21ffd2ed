/* accumulate_run.h - what tests of micro-batches share: a corpus of letters, a run of four steps, and the bits of all that it
 * leaves. Every program has a folder of its own. */
#ifndef TESTS_ACCUMULATE_RUN_H
#define TESTS_ACCUMULATE_RUN_H

#include <math.h>

#include <fpx/file.h>
#include <fpx/recipe.h>
#include <fpx/train.h>

#include "tiny_run.h"

enum { LETTERS = 4800 };

static char folder[64], corpus_path[96]; /* of the fixture */

static inline void make_folder(void)
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

static inline void remove_folder(void)
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

/* A shipped one; "tuned": fp8-lm-o3 whose factors move at each second step. */
static inline fpx_recipe *find_recipe(const char *name)
{
    static const char word[] = ", factor: \"adaptive,freq=2,ratio=0.01,window=3\"";

    if (strcmp(name, "tuned") != 0)
        return tiny_recipe(name);
    fpx_recipe *o3 = tiny_recipe("fp8-lm-o3"), *tuned = NULL;
    const char *const main = strstr(o3->text, ", factor: main");
    char text[4096];

    ck_assert_ptr_nonnull(main);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(main - o3->text), o3->text, word,
                   main + strlen(", factor: main"));
    MUST(fpx_recipe_parse("tuned", text, &tuned, err));
    fpx_recipe_free(o3);
    return tuned;
}

static double dropout; /* of what is started next */

static inline void start_on(running *r, const char *device, const char *recipe, uint32_t batch,
                            uint32_t accumulate)
{
    r->experiment = tiny_experiment(FPX_SWIGLU);
    r->experiment.model.dropout = dropout;
    r->experiment.data.corpus = corpus_path;
    r->experiment.data.batch = batch;
    r->experiment.data.accumulate = accumulate;
    r->experiment.steps = 4;
    r->recipe = find_recipe(recipe);
    r->device = tiny_device(device);
    MUST(fpx_trainer_new(&r->experiment, r->recipe, &r->device, 1, 0, &r->trainer, err));
}

static inline void start(running *r, const char *recipe, uint32_t batch, uint32_t accumulate)
{
    start_on(r, "cpu,threads=1", recipe, batch, accumulate);
}

static inline void stop(running *r)
{
    fpx_trainer_free(r->trainer);
    fpx_device_close(r->device);
    fpx_recipe_free(r->recipe);
}

/* Bits of loss, norm and all state after the rest of the run. */
static inline fpx_digest finish(running *r)
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

#endif /* TESTS_ACCUMULATE_RUN_H */
