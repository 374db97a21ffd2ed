/* train_table.c - paired comparison of recipes: for each seed the same initial weights and the same data, so
 * that the difference of two recipes is measured without the spread of the seeds. */
#include "train_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/recipe.h>

#include "cli.h"
#include "paired.h"
#include "results.h"
#include "train_run.h"

enum { MAX_RECIPES = 8, MAX_SEEDS = 32 };

typedef struct table {
    char names[MAX_RECIPES][FPX_NAME_MAX];
    size_t nrecipes, nseeds;
    cli_file files[MAX_RECIPES + 1]; /* the recipes that are files, and where the JSON goes */
    size_t nfiles;
    double bits[MAX_RECIPES][MAX_SEEDS];
    char samples[MAX_RECIPES][TRAIN_SAMPLE + 1]; /* of the first seed */
    const char *unit;                            /* of bits: "byte", "token" */
    char finding[TRAIN_FINDING +
                 2 * FPX_NAME_MAX]; /* the first run that left the finite numbers; "": none */
} table;

static fpx_status train_one(const char *experiment, uint64_t steps, table *t, size_t recipe,
                            size_t seed, fpx_error *err)
{
    session_options o = session_defaults(experiment);
    train_outcome run;
    fpx_status status;

    o.recipe = t->names[recipe];
    o.seed = seed + 1;
    o.has_seed = 1;
    o.steps = steps;
    o.files = t->files;
    o.nfiles = t->nfiles;
    o.guard = 1;
    (void)fprintf(stderr, "%s, seed %zu:\n", t->names[recipe], seed + 1);
    status = train_run(&o, NULL, seed == 0 ? "And the LORD said " : NULL, 0, &run, err);
    if (status != FPX_OK)
        return status;
    if (run.finding[0] != '\0' && t->finding[0] == '\0')
        (void)snprintf(t->finding, sizeof t->finding, "recipe %s, seed %zu, %s", t->names[recipe],
                       seed + 1, run.finding);
    t->bits[recipe][seed] = run.validation;
    t->unit = run.unit;
    if (seed == 0)
        memcpy(t->samples[recipe], run.sample, sizeof run.sample);
    return FPX_OK;
}

static void print_cell(double x, FILE *out)
{
    if (isfinite(x))
        (void)fprintf(out, " %10.4f", x);
    else
        (void)fprintf(out, " %10s", "-");
}

static void print_pair(const table *t, size_t r, FILE *out)
{
    const paired d = paired_difference(t->bits[r], t->bits[0], t->nseeds);

    (void)fprintf(out, "%s against %s, paired: ", t->names[r], t->names[0]);
    if (!isfinite(d.mean)) {
        (void)fprintf(out, "-, no comparison: a run left the finite numbers\n");
        return;
    }
    (void)fprintf(out, "%+.4f +- %.4f bits per %s (95 %%): %s\n", d.mean, d.half, t->unit,
                  !(d.half < (double)INFINITY) ? "one seed decides nothing"
                  : fabs(d.mean) <= d.half     ? "no difference seen"
                  : d.mean > 0.0               ? "worse"
                                               : "better");
}

static void print_table(const table *t, FILE *out)
{
    double mean, deviation;

    (void)fprintf(out, "validation, bits per %s (lower is better)\n%-10s", t->unit, "seed");
    for (size_t r = 0; r < t->nrecipes; r++)
        (void)fprintf(out, " %10s", t->names[r]);
    for (size_t i = 0; i < t->nseeds; i++) {
        (void)fprintf(out, "\n%-10zu", i + 1);
        for (size_t r = 0; r < t->nrecipes; r++)
            print_cell(t->bits[r][i], out);
    }
    (void)fprintf(out, "\n%-10s", "mean");
    for (size_t r = 0; r < t->nrecipes; r++) {
        mean_and_deviation(t->bits[r], t->nseeds, &mean, &deviation);
        print_cell(mean, out);
    }
    (void)fprintf(out, "\n%-10s", "deviation");
    for (size_t r = 0; r < t->nrecipes; r++) {
        mean_and_deviation(t->bits[r], t->nseeds, &mean, &deviation);
        print_cell(deviation, out);
    }
    (void)fprintf(out, "\n\n");
    for (size_t r = 1; r < t->nrecipes; r++)
        print_pair(t, r, out);
    for (size_t r = 0; r < t->nrecipes && strcmp(t->unit, "byte") == 0; r++)
        (void)fprintf(out, "\n%s, seed 1, continues \"And the LORD said \":\n%s\n", t->names[r],
                      t->samples[r]);
}

static fpx_status write_json(const char *path, const table *t, fpx_error *err)
{
    char key[32];

    (void)snprintf(key, sizeof key, "bits_per_%s", t->unit);
    json_t *root = json_pack("{s:s, s:{}}", "schema", "fpx.compare/1", key);
    json_t *recipes = json_object_get(root, key);

    for (size_t r = 0; r < t->nrecipes; r++) {
        json_t *list = json_array();

        for (size_t i = 0; i < t->nseeds; i++)
            (void)json_array_append_new(list, cli_json_number(t->bits[r][i]));
        (void)json_object_set_new(recipes, t->names[r], list);
    }
    return cli_write_json(path, root, err);
}

/* All recipes are looked at before the first is trained. */
static fpx_status check_recipe(const char *name, fpx_error *err)
{
    fpx_recipe *recipe = NULL;
    const fpx_status status = fpx_recipe_load(name, &recipe, err);

    if (status == FPX_OK)
        fpx_recipe_free(recipe);
    return status;
}

static fpx_status read_names(const char *recipes, table *t, fpx_error *err)
{
    for (const char *at = recipes; *at != '\0';) {
        const size_t n = strcspn(at, ",");

        if (n == 0 || n >= FPX_NAME_MAX || t->nrecipes == MAX_RECIPES)
            return fpx_error_set(err, FPX_EINVAL, "--compare '%s': expected 1 to %d recipes",
                                 recipes, MAX_RECIPES);
        memcpy(t->names[t->nrecipes], at, n);
        t->names[t->nrecipes][n] = '\0';
        for (size_t i = 0; i < t->nrecipes; i++)
            if (strcmp(t->names[i], t->names[t->nrecipes]) == 0)
                return fpx_error_set(err, FPX_EINVAL,
                                     "--compare '%s': %s is named twice: the same recipe gives the "
                                     "same bits, there is nothing to compare",
                                     recipes, t->names[i]);
        const fpx_status status = check_recipe(t->names[t->nrecipes++], err);
        if (status != FPX_OK)
            return status;
        if (strstr(t->names[t->nrecipes - 1], ".yaml") != NULL)
            t->files[t->nfiles++] =
                (cli_file){ "the recipe", t->names[t->nrecipes - 1], CLI_READS };
        at += n;
        if (*at == ',' && *++at == '\0')
            return fpx_error_set(err, FPX_EINVAL, "--compare '%s': a recipe is missing at the end",
                                 recipes);
    }
    return t->nrecipes ? FPX_OK : fpx_error_set(err, FPX_EINVAL, "--compare: no recipe is named");
}

int train_table(const char *experiment, const char *recipes, const char *seeds, const char *steps,
                const char *json)
{
    table *t = calloc(1, sizeof *t);
    uint64_t nseeds = 0, nsteps = UINT64_MAX;
    fpx_error err = { 0 };
    fpx_status status;

    if (t == NULL)
        return EXIT_NO_VERDICT;
    t->files[t->nfiles++] = (cli_file){ "--json", json, CLI_JSON };
    status = read_names(recipes, t, &err);
    if (status == FPX_OK)
        status = cli_number("--seeds", seeds, 1, MAX_SEEDS, &nseeds, &err);
    if (status == FPX_OK && steps != NULL)
        status = cli_number("--steps", steps, 1, UINT32_MAX, &nsteps, &err);
    t->nseeds = (size_t)nseeds;
    cli_catch_interrupt();
    for (size_t i = 0; i < t->nseeds && status == FPX_OK; i++)
        for (size_t r = 0; r < t->nrecipes && status == FPX_OK; r++)
            status = train_one(experiment, nsteps, t, r, i, &err);
    if (status == FPX_OK)
        print_table(t, cli_text_stream(json, NULL));
    if (status == FPX_OK && json != NULL)
        status = write_json(json, t, &err);
    const int found = t->finding[0] != '\0';

    if (found)
        (void)fprintf(cli_text_stream(json, NULL), "finding: %s\n", t->finding);
    free(t);
    const int code = status == FPX_OK ? EXIT_HOLDS : cli_fail(&err);

    return found ? EXIT_FINDING : code;
}
