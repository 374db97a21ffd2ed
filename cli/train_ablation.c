/* train_ablation.c - the plan of an ablation: what is to be run, what was run before, and the order in which the rest runs. */
#include "train_ablation.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <fpx/file.h>
#include <fpx/recipe.h>
#include <fpx/settings.h>

#include "ablation_table.h"
#include "cli.h"
#include "flushed.h"
#include "results.h"
#include "train_run.h"

typedef struct plan {
    const char *path, *json;
    char store_path[256];
    int made_folder; /* of it */
    fpx_ablation *ablation;
    fpx_experiment *experiment;
    fpx_recipe *recipes[FPX_ARMS_MAX];
    cli_file files[3]; /* what the command reads and writes beside a session's own */
    double rate;       /* the experiment's, where the file has none */
    ablation_results results;
    run_store *store;
} plan;

static fpx_status read_files(plan *p, fpx_error *err)
{
    fpx_status status = fpx_ablation_read(p->path, &p->ablation, err);

    if (status == FPX_OK)
        status = fpx_experiment_read(p->ablation->experiment, &p->experiment, err);
    for (unsigned i = 0; status == FPX_OK && i < p->ablation->narms; i++) {
        fpx_error why = { 0 };

        status = fpx_recipe_load(p->ablation->arms[i].recipe, &p->recipes[i], &why);
        if (status != FPX_OK)
            return fpx_error_set(err, status, "%s: arm %s: %s", p->path, p->ablation->arms[i].name,
                                 why.text);
    }
    if (status == FPX_OK && !(p->experiment->data.validation > 0.0))
        status = fpx_error_set(err, FPX_EINVAL,
                               "%s: data.validation is 0: an ablation needs a validation part",
                               p->ablation->experiment);
    return status;
}

static fpx_status list_files(plan *p, const char *runs, fpx_error *err)
{
    const fpx_ablation *a = p->ablation;

    (void)snprintf(p->store_path, sizeof p->store_path, "runs/%s.jsonl", a->name);
    if (runs != NULL && strlen(runs) >= sizeof p->store_path)
        return fpx_error_set(err, FPX_EINVAL, "--runs: a path of at most %zu characters",
                             sizeof p->store_path - 1);
    if (runs != NULL)
        (void)snprintf(p->store_path, sizeof p->store_path, "%s", runs);
    else if (!(p->made_folder = mkdir("runs", 0777) == 0) && errno != EEXIST)
        return fpx_error_set(err, FPX_EIO,
                             "runs: cannot make the folder: %s; name a file with "
                             "--runs",
                             strerror(errno));
    p->files[0] = (cli_file){ "the ablation", p->path, CLI_READS };
    p->files[1] = (cli_file){ "--runs", p->store_path, CLI_RUNS };
    p->files[2] = (cli_file){ "--json", p->json, CLI_JSON };
    return FPX_OK;
}

static session_options options_of(const plan *p, const fpx_arm *arm, double rate, uint64_t seed)
{
    session_options o = session_defaults(p->ablation->experiment);

    o.recipe = arm->recipe;
    o.learning_rate = rate;
    o.seed = seed;
    o.has_seed = 1;
    o.guard = 1;
    o.files = p->files;
    o.nfiles = sizeof p->files / sizeof p->files[0];
    return o;
}

/* Every arm is opened before the first is trained: a corpus too short, a rule that matches nothing, a file in the way. */
static fpx_status try_arms(plan *p, fpx_error *err)
{
    const fpx_ablation *a = p->ablation;
    size_t matches = 0;

    for (unsigned i = 0; i < a->narms; i++) {
        const session_options o = options_of(p, &a->arms[i], p->results.rates[0], 1);
        fpx_error why = { 0 };
        session s;
        const fpx_status status = session_open(&o, &s, &why);

        if (status != FPX_OK)
            return fpx_error_set(err, status, "%s: arm %s: %s", p->path, a->arms[i].name, why.text);
        if (a->flushed != NULL)
            matches += flushed_matches(fpx_trainer_model(s.trainer)->program, a->flushed);
        p->results.unit = fpx_trainer_unit(s.trainer);
        (void)session_close(&s, NULL);
    }
    if (a->flushed != NULL && matches == 0)
        return fpx_error_set(
            err, FPX_EINVAL,
            "%s: flushed: '%s' is the name of nothing that an arm quantizes; names "
            "are as in fpx trace ls: \"*.v\" (second moments), \"*/dy.e5m2\"",
            p->path, a->flushed);
    return FPX_OK;
}

/* All that decides what a run gives: settings, not comments. A corpus is in it by its sha256, where that is given. */
static void key_of(const plan *p, size_t arm, double rate, uint64_t seed, char ret_key[RUN_KEY])
{
    const fpx_settings settings = { .experiment = p->experiment->text,
                                    .recipe = p->recipes[arm]->text };
    char digest[FPX_DIGEST_TEXT],
        text[FPX_DIGEST_TEXT + 4096 + 128]; /* a pattern has at most 4096 */

    fpx_digest_text(fpx_settings_digest(&settings), digest);
    const int n =
        snprintf(text, sizeof text, "%s %a %llu %s %s", digest, rate, (unsigned long long)seed,
                 cli_version, p->ablation->flushed ? p->ablation->flushed : "");
    fpx_sha256_text(text, n < (int)sizeof text ? (size_t)n : sizeof text - 1, ret_key);
}

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Run number `index` of the order in which they run: seed by seed, so that what is stopped early has whole pairs. */
typedef struct place_of_run {
    uint64_t seed;
    size_t rate, arm;
    run_record *run;
} place_of_run;

static place_of_run place_of(const plan *p, size_t index)
{
    const size_t arms = p->ablation->narms, each = arms * p->results.nrates;
    place_of_run at = { .seed = index / each + 1,
                        .rate = index % each / arms,
                        .arm = index % arms };

    at.run = &p->results.runs[(at.rate * arms + at.arm) * p->ablation->seeds + index / each];
    return at;
}

static fpx_status run_one(plan *p, const place_of_run *at, fpx_error *err)
{
    const fpx_ablation *a = p->ablation;
    const double rate = p->results.rates[at->rate];
    const session_options o = options_of(p, &a->arms[at->arm], rate, at->seed);
    train_outcome outcome;
    const fpx_status status =
        train_run(&o, a->flushed, NULL, isatty(fileno(stderr)) != 1, &outcome, err);

    if (status != FPX_OK)
        return status;
    at->run->validation = outcome.validation;
    at->run->flushed = outcome.flushed;
    (void)snprintf(at->run->finding, sizeof at->run->finding, "%s", outcome.finding);
    run_line line = { .run = *at->run, .seed = at->seed, .rate = rate };
    (void)snprintf(line.arm, sizeof line.arm, "%s", a->arms[at->arm].name);
    return run_store_add(p->store, &line, err);
}

static void say(const plan *p, const place_of_run *at, size_t done, size_t all, double left)
{
    const fpx_ablation *a = p->ablation;
    char rate[32] = "";

    if (a->nrates > 0)
        (void)snprintf(rate, sizeof rate, ", rate %g", p->results.rates[at->rate]);
    (void)fprintf(stderr, "run %zu of %zu: %s%s, seed %llu: ", done, all, a->arms[at->arm].name,
                  rate, (unsigned long long)at->seed);
    if (at->run->finding[0] != '\0')
        (void)fprintf(stderr, "%s", at->run->finding);
    else
        (void)fprintf(stderr, "%.4f bits per %s", at->run->validation, p->results.unit);
    (void)fprintf(stderr, "; about %.0f s left\n", left);
}

/* Of another arm of the file, with other settings. A name that no arm has is that of one before it was renamed. */
static int is_of_another(const plan *p, const place_of_run *at, const run_line *line)
{
    char key[RUN_KEY];

    for (size_t i = 0; i < p->ablation->narms; i++) {
        if (strcmp(p->ablation->arms[i].name, line->arm) != 0)
            continue;
        key_of(p, i, p->results.rates[at->rate], at->seed, key);
        return strcmp(key, line->run.key) != 0;
    }
    return 0;
}

static int same_number(double x, double y)
{
    return x == y || (isnan(x) && isnan(y));
}

/* A line against the plan, by which its key was made, and against the first with that key. */
static fpx_status check_line(const plan *p, const place_of_run *at, const run_line *line,
                             const run_line *first, fpx_error *err)
{
    const double rate = p->results.rates[at->rate];

    if (line->seed != at->seed || line->rate != rate || is_of_another(p, at, line))
        return fpx_error_set(err, FPX_EINVAL,
                             "%s:%zu: says arm %s, seed %llu, learning rate %g, but its key is "
                             "that of %s, %llu, %g: remove that line to keep the others",
                             p->store_path, line->number, line->arm, (unsigned long long)line->seed,
                             line->rate, p->ablation->arms[at->arm].name,
                             (unsigned long long)at->seed, rate);
    if (!same_number(line->run.validation, first->run.validation) ||
        line->run.flushed != first->run.flushed ||
        strcmp(line->run.finding, first->run.finding) != 0)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s:%zu: is the run of line %zu with another result: remove both to "
                             "keep the others",
                             p->store_path, line->number, first->number);
    return FPX_OK;
}

/* Finished runs from before: how many; ret_known[index] says which. */
static fpx_status recall(plan *p, size_t all, unsigned char *ret_known, size_t *ret_count,
                         fpx_error *err)
{
    fpx_status status = FPX_OK;
    size_t known = 0;

    for (size_t i = 0; i < all && status == FPX_OK; i++) {
        const place_of_run at = place_of(p, i);

        key_of(p, at.arm, p->results.rates[at.rate], at.seed, at.run->key);
        const run_line *first = run_store_find(p->store, at.run->key, NULL);
        for (const run_line *line = first; line != NULL && status == FPX_OK;
             line = run_store_find(p->store, at.run->key, line))
            status = check_line(p, &at, line, first, err);
        if (first != NULL)
            *at.run = first->run;
        known += ret_known[i] = first != NULL;
    }
    *ret_count = known;
    return status;
}

static fpx_status run_all(plan *p, fpx_error *err)
{
    const size_t all = p->results.nrates * p->ablation->narms * p->ablation->seeds;
    unsigned char *known = calloc(all, 1);
    const double start = seconds();
    size_t ran = 0, before = 0;

    if (known == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "out of memory");
    fpx_status status = recall(p, all, known, &before, err);
    if (status != FPX_OK) {
        free(known);
        return status;
    }
    (void)fprintf(stderr, "plan: %u arms x %zu learning rates x %u seeds = %zu runs of %u steps\n",
                  p->ablation->narms, p->results.nrates, p->ablation->seeds, all,
                  p->experiment->steps);

    if (before > 0)
        (void)fprintf(stderr, "%zu of %zu runs are in %s\n", before, all, p->store_path);
    for (size_t i = 0; i < all && status == FPX_OK; i++) {
        const place_of_run at = place_of(p, i);

        if (known[i] || (status = run_one(p, &at, err)) != FPX_OK)
            continue;
        ran++;
        say(p, &at, before + ran, all,
            (seconds() - start) / (double)ran * (double)(all - before - ran));
    }
    free(known);
    return status;
}

static fpx_status train(plan *p, const char *runs, fpx_error *err)
{
    fpx_status status = read_files(p, err);

    if (status != FPX_OK || (status = list_files(p, runs, err)) != FPX_OK)
        return status;
    p->rate = p->experiment->optimizer.learning_rate;
    p->results = (ablation_results){ .ablation = p->ablation,
                                     .experiment = p->experiment,
                                     .rates = p->ablation->nrates > 0 ? p->ablation->learning_rates
                                                                      : &p->rate,
                                     .nrates = p->ablation->nrates > 0 ? p->ablation->nrates : 1 };
    p->results.runs = calloc(p->results.nrates * p->ablation->narms * p->ablation->seeds,
                             sizeof *p->results.runs);
    if (p->results.runs == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "out of memory");
    if ((status = try_arms(p, err)) != FPX_OK ||
        (status = run_store_open(p->store_path, &p->store, err)) != FPX_OK)
        return status;
    cli_catch_interrupt();
    status = run_all(p, err);
    if (status == FPX_EINTERRUPTED) {
        const fpx_error said = *err;

        (void)fpx_error_set(err, status,
                            "%s; finished runs are in %s: the same command goes on from there",
                            said.text, p->store_path);
    }
    if (status == FPX_OK)
        ablation_print(&p->results, cli_text_stream(p->json, NULL));
    if (status == FPX_OK && p->json != NULL)
        status = cli_write_json(p->json, ablation_json(&p->results), err);
    return status;
}

int ablation_train(const char *path, const char *runs, const char *json)
{
    plan p = { .path = path, .json = json };
    fpx_error err = { 0 };
    const fpx_status status = train(&p, runs, &err);

    run_store_close(p.store);
    if (p.made_folder)
        (void)rmdir("runs"); /* only an empty one goes */
    free(p.results.runs);
    for (size_t i = 0; i < FPX_ARMS_MAX; i++)
        fpx_recipe_free(p.recipes[i]);
    fpx_experiment_free(p.experiment);
    fpx_ablation_free(p.ablation);
    return status == FPX_OK ? EXIT_HOLDS : cli_fail(&err);
}
