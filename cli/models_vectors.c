/* models_vectors.c - verdicts on pairs of matrix units as text and JSON. */
#include "models_vectors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "results.h"
#include "vectors_comparison.h"

/* Of a random search in each domain, after the probes: seconds. Any seed will do; the same gives the same vector. */
enum { TRIES = 200000, SEED = 1 };

void models_value_text(const fpx_mma_model *model, size_t field, char *ret_text, size_t room)
{
    const fpx_mma_field *const f = fpx_mma_field_at(field);
    const int64_t value = fpx_mma_field_get(model, field);

    if (f->values != NULL)
        (void)snprintf(ret_text, room, "%s", f->values[value]);
    else
        (void)snprintf(ret_text, room, strcmp(f->name, "nan_code") == 0 ? "0x%" PRIx64 : "%" PRId64,
                       (uint64_t)value);
}

/* A line on a terminal, about once a second, where a search takes that long. */
typedef struct line {
    time_t last;
    int is_shown;
} line;

static int is_over(void *context, size_t tries)
{
    line *const shown = context;
    const time_t now = time(NULL);

    if (now != shown->last && isatty(STDERR_FILENO) == 1) {
        (void)fprintf(stderr, "\r%zu inputs tried", tries);
        shown->is_shown = 1;
    }
    shown->last = now;
    return cli_interrupted();
}

static void compare(vectors_comparison *c)
{
    line shown = { time(NULL), 0 };
    const fpx_mma_watcher watcher = { is_over, &shown };

    c->status = fpx_mma_separate(c->x, c->y, TRIES, SEED, &watcher, &c->s, &c->err);
    if (shown.is_shown)
        (void)fputs("\r\033[K", stderr);
}

const char *vectors_first(const vectors_comparison *c)
{
    return c->of != NULL ? c->of : c->x->model.name;
}

const char *vectors_verdict(const vectors_comparison *c)
{
    static const char *const names[] = { "equivalent", "separated", "unresolved" };

    return c->status == FPX_OK ? names[c->s.verdict] : "refused";
}

static json_t *result_json(const char *name, json_t *comparisons)
{
    return json_pack("{s:s, s:s, s:o}", "schema", "fpx.vectors/1", "model", name, "comparisons",
                     comparisons);
}

/* Two files that give their units one name are told apart by their own. */
static vectors_comparison comparison_of(const models_side *x, const models_side *y)
{
    const int is_same = strcmp(x->preset->model.name, y->preset->model.name) == 0;
    vectors_comparison c = { .x = x->preset, .y = y->preset, .of = is_same ? x->word : NULL };

    (void)snprintf(c.what, sizeof c.what, "%s", is_same ? y->word : y->preset->model.name);
    return c;
}

int models_vectors(const models_side *x, const models_side *y, const char *json, const char *folder)
{
    static const int codes[] = { EXIT_HOLDS, EXIT_FINDING, EXIT_NO_VERDICT };
    const char *const units[] = { x->word, y->word };
    vectors_comparison c = comparison_of(x, y);
    const fpx_format *const out = &x->preset->model.format;
    models_arrays arrays;
    fpx_error err = { 0 };

    if (folder != NULL && models_arrays_check(folder, &err) != FPX_OK)
        return cli_fail(&err);
    compare(&c);
    if (c.status != FPX_OK)
        return cli_fail(&c.err);
    const fpx_mma_witness *const w = c.s.verdict == FPX_MMA_SEPARATED ? &c.s.witness : NULL;
    if (folder != NULL && models_arrays_write(folder, w, out, &arrays, &err) != FPX_OK)
        return cli_fail(&err);
    if (json != NULL &&
        cli_write_json(json, result_json(vectors_first(&c), json_pack("[o]", vectors_json(&c))),
                       &err) != FPX_OK)
        return cli_fail(&err);
    if (json != NULL && strcmp(json, "-") == 0)
        return codes[c.s.verdict];
    vectors_print(&c);
    if (folder != NULL)
        models_arrays_print(folder, &arrays);
    if (folder != NULL && w != NULL)
        models_arrays_commands(folder, w, out, units);
    return codes[c.s.verdict];
}

/* A list of comparisons under way. */
typedef struct listing {
    const fpx_mma_preset *x;
    const char *json;
    json_t *comparisons;
    size_t n[4];       /* by verdict; refused */
    fpx_status status; /* FPX_EINTERRUPTED: it has no end */
    fpx_error err;
} listing;

static listing listing_begin(const fpx_mma_preset *x, const char *json, const char *with)
{
    if (json == NULL || strcmp(json, "-") != 0)
        (void)printf("%s and %s\n", x->model.name, with);
    return (listing){ .x = x, .json = json, .comparisons = json_array() };
}

/* FPX_EINTERRUPTED: the list ends here. */
static fpx_status listing_add(listing *l, vectors_comparison *c)
{
    compare(c);
    if (c->status == FPX_EINTERRUPTED) {
        l->status = fpx_error_set(&l->err, c->status, "%s", c->err.text);
        return c->status;
    }
    l->n[c->status == FPX_OK ? (int)c->s.verdict : 3]++;
    if (l->json != NULL)
        (void)json_array_append_new(l->comparisons, vectors_json(c));
    if (l->json == NULL || strcmp(l->json, "-") != 0)
        vectors_print_row(c);
    return FPX_OK;
}

static int listing_end(listing *l)
{
    fpx_error err = { 0 };
    const int is_silent = l->json != NULL && strcmp(l->json, "-") == 0;

    if (l->status != FPX_OK) {
        json_decref(l->comparisons);
        return cli_fail(&l->err);
    }
    if (!is_silent)
        (void)printf(
            "%zu separated, %zu equivalent, %zu unresolved, %zu without an input that both "
            "take\n",
            l->n[FPX_MMA_SEPARATED], l->n[FPX_MMA_EQUIVALENT], l->n[FPX_MMA_UNRESOLVED], l->n[3]);
    if (l->json == NULL)
        json_decref(l->comparisons);
    else if (cli_write_json(l->json, result_json(l->x->model.name, l->comparisons), &err) != FPX_OK)
        return cli_fail(&err);
    return l->n[FPX_MMA_UNRESOLVED] > 0 ? EXIT_NO_VERDICT : EXIT_HOLDS;
}

int models_vectors_mutants(const fpx_mma_preset *x, const char *json)
{
    listing l = listing_begin(x, json, "its single-parameter mutants");
    fpx_mma_preset mutant = *x;
    size_t cursor = 0, field;

    while (fpx_mma_mutant_next(&x->model, &cursor, &mutant.model, &field) == FPX_OK) {
        vectors_comparison c = { .x = x, .y = &mutant };
        char value[24];
        models_value_text(&mutant.model, field, value, sizeof value);
        (void)snprintf(c.what, sizeof c.what, "%s %s", fpx_mma_field_at(field)->name, value);
        if (listing_add(&l, &c) != FPX_OK)
            break;
    }
    return listing_end(&l);
}

int models_vectors_all(const fpx_mma_preset *x, const char *json)
{
    listing l = listing_begin(x, json, "all known units of its types");
    fpx_mma_preset y;
    fpx_mma_domain domain;

    for (size_t i = 0; fpx_mma_preset_at(i, &y) == FPX_OK; i++) {
        vectors_comparison c = { .x = x, .y = &y };
        if (fpx_mma_domain_at(x, &y, 0, &domain) != FPX_OK ||
            strcmp(x->model.name, y.model.name) == 0)
            continue;
        (void)snprintf(c.what, sizeof c.what, "%s", y.model.name);
        if (listing_add(&l, &c) != FPX_OK)
            break;
    }
    return listing_end(&l);
}
