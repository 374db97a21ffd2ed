/* models_vectors.c - verdicts on pairs of matrix units as text and JSON. */
#include "models_vectors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "results.h"

/* Of a random search in each domain, after the probes: seconds. Any seed will do; the same gives the same vector. */
enum { TRIES = 200000, SEED = 1 };
enum { COLUMN = 26 }; /* of a code and its value */

/* One comparison. status: FPX_EUNSUPPORTED where the two have no input in common, and text says why. */
typedef struct comparison {
    const fpx_mma_preset *x, *y;
    const char *of; /* NULL: x's name */
    char what[256]; /* the other's name, or a mutant's field and value */
    fpx_status status;
    fpx_error err;
    fpx_mma_separation s;
} comparison;

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

static void compare(comparison *c)
{
    line shown = { time(NULL), 0 };
    const fpx_mma_watcher watcher = { is_over, &shown };

    c->status = fpx_mma_separate(c->x, c->y, TRIES, SEED, &watcher, &c->s, &c->err);
    if (shown.is_shown)
        (void)fprintf(stderr, "\r%*s\r", COLUMN, "");
}

static const char *first_of(const comparison *c)
{
    return c->of != NULL ? c->of : c->x->model.name;
}

static const char *verdict_of(const comparison *c)
{
    static const char *const names[] = { "equivalent", "separated", "unresolved" };

    return c->status == FPX_OK ? names[c->s.verdict] : "refused";
}

/* Names of the theorems that a proof needs: "a, b". */
static void theorems_text(uint64_t theorems, char *ret_text, size_t room)
{
    size_t used = 0;

    (void)snprintf(ret_text, room, "the same numbers");
    for (size_t i = 0; fpx_mma_theorem_at(i) != NULL && used < room; i++) {
        if ((theorems >> i & 1) != 0)
            used += (size_t)snprintf(ret_text + used, room - used, "%s%s", used > 0 ? ", " : "",
                                     fpx_mma_theorem_at(i)->name);
    }
}

static json_t *hex(uint64_t code)
{
    return json_sprintf("0x%" PRIx64, code);
}

static json_t *hex_array(const uint64_t *codes, size_t n)
{
    json_t *const array = json_array();

    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(array, hex(codes[i]));
    return array;
}

static size_t scales_of(const fpx_mma_witness *w)
{
    const size_t block = w->domain.scale_block;

    return block == 0 ? 0 : w->k / block + (w->k % block != 0);
}

static json_t *witness_json(const fpx_mma_witness *w, const fpx_format *out)
{
    json_t *const vector = json_pack(
        "{s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "a_format", w->domain.a.name, "b_format",
        w->domain.b.name, "c_format", out->name, "k", (json_int_t)w->k, "a", hex_array(w->a, w->k),
        "b", hex_array(w->b, w->k), "c", hex(w->c), "d", hex_array(w->d, 2));

    if (w->domain.scale_block > 0) {
        (void)json_object_set_new(vector, "scale_format", json_string(w->domain.scale.name));
        (void)json_object_set_new(vector, "scale_block",
                                  json_integer((json_int_t)w->domain.scale_block));
        (void)json_object_set_new(vector, "scale_a", hex_array(w->scale_a, scales_of(w)));
        (void)json_object_set_new(vector, "scale_b", hex_array(w->scale_b, scales_of(w)));
    }
    return vector;
}

static json_t *comparison_json(const comparison *c)
{
    json_t *const object = json_pack("{s:s, s:s}", "other", c->what, "verdict", verdict_of(c));

    if (c->status != FPX_OK) {
        (void)json_object_set_new(object, "reason", json_string(c->err.text));
        return object;
    }
    (void)json_object_set_new(object, "tries", json_integer((json_int_t)c->s.tries));
    if (c->s.verdict == FPX_MMA_UNRESOLVED) {
        (void)json_object_set_new(object, "k_most", json_integer(FPX_MMA_WITNESS_MAX));
        (void)json_object_set_new(object, "needs_more_k", json_boolean(c->s.is_long));
    }
    if (c->s.verdict == FPX_MMA_SEPARATED) {
        (void)json_object_set_new(object, "probe", json_string(c->s.probe));
        (void)json_object_set_new(object, "why", json_string(c->s.why));
        (void)json_object_set_new(object, "vector",
                                  witness_json(&c->s.witness, &c->x->model.format));
    }
    if (c->s.verdict == FPX_MMA_EQUIVALENT) {
        json_t *const names = json_array();
        for (size_t i = 0; fpx_mma_theorem_at(i) != NULL; i++) {
            if ((c->s.theorems >> i & 1) != 0)
                (void)json_array_append_new(names, json_string(fpx_mma_theorem_at(i)->name));
        }
        (void)json_object_set_new(object, "theorems", names);
    }
    return object;
}

static json_t *result_json(const char *name, json_t *comparisons)
{
    return json_pack("{s:s, s:s, s:o}", "schema", "fpx.vectors/1", "model", name, "comparisons",
                     comparisons);
}

/* "0x3c00 1", in a column of this width. */
static void print_code(const fpx_format *format, uint64_t code, int width)
{
    char text[48];

    (void)snprintf(text, sizeof text, "0x%0*" PRIx64 " %.17g", (format->bits + 3) / 4, code,
                   fpx_format_value(format, code));
    (void)printf("  %-*s", width, text);
}

static void print_line(const char *label, const fpx_format *format, uint64_t code, const char *of)
{
    (void)printf("  %-5s", label);
    print_code(format, code, COLUMN);
    (void)printf("  %s\n", of);
}

static void print_witness(const comparison *c)
{
    const fpx_mma_witness *const w = &c->s.witness;
    const fpx_mma_domain *const d = &w->domain;
    const fpx_format *const out = &c->x->model.format;

    (void)printf(
        "  K = %zu; products that are not listed are +0 times +0\n\n  %-5s  A: %-23s  B: %s\n",
        w->k, "k", d->a.name, d->b.name);
    for (size_t k = 0; k < w->k; k++) {
        const size_t block = d->scale_block > 0 ? k / d->scale_block : 0;
        if (d->scale_block > 0 && k % d->scale_block == 0) {
            (void)printf("  scale");
            print_code(&d->scale, w->scale_a[block], COLUMN);
            print_code(&d->scale, w->scale_b[block], COLUMN);
            (void)printf("  %s, from k = %zu\n", d->scale.name, k);
        }
        if (w->a[k] == 0 && w->b[k] == 0)
            continue;
        (void)printf("  %-5zu", k);
        print_code(&d->a, w->a[k], COLUMN);
        print_code(&d->b, w->b[k], 0);
        (void)putchar('\n');
    }
    print_line("C", out, w->c, out->name);
    (void)putchar('\n');
    print_line("D", out, w->d[0], first_of(c));
    print_line("D", out, w->d[1], c->what);
}

/* Lengths along k that no input here reaches. */
static void print_long(const comparison *c)
{
    (void)printf("  an input has at most %d k here, too few to tell them apart; a longer one may\n",
                 FPX_MMA_WITNESS_MAX);
    for (size_t i = 0; fpx_mma_field_at(i) != NULL; i++) {
        const int64_t x = fpx_mma_field_get(&c->x->model, i),
                      y = fpx_mma_field_get(&c->y->model, i);
        if (x != y && (x > FPX_MMA_WITNESS_MAX || y > FPX_MMA_WITNESS_MAX))
            (void)printf("  %s: %" PRId64 " and %" PRId64 "\n", fpx_mma_field_at(i)->name, x, y);
    }
}

static void print_one(const comparison *c)
{
    (void)printf("%s and %s: %s\n", first_of(c), c->what, verdict_of(c));
    switch (c->s.verdict) {
    case FPX_MMA_SEPARATED:
        (void)printf("  by %s: %s\n", c->s.probe, c->s.why);
        print_witness(c);
        break;
    case FPX_MMA_EQUIVALENT:
        if (c->s.theorems == 0)
            (void)puts("  every parameter is the same");
        for (size_t i = 0; fpx_mma_theorem_at(i) != NULL; i++) {
            if ((c->s.theorems >> i & 1) != 0)
                (void)printf("  %s: %s\n", fpx_mma_theorem_at(i)->name,
                             fpx_mma_theorem_at(i)->statement);
        }
        break;
    case FPX_MMA_UNRESOLVED:
        if (c->s.is_long)
            print_long(c);
        else
            (void)printf("  no proof, and no input of %zu, with at most %d k, separates them: a "
                         "longer one may\n",
                         c->s.tries, FPX_MMA_WITNESS_MAX);
        break;
    }
}

static void print_row(const comparison *c)
{
    char text[256];

    if (c->status != FPX_OK)
        (void)snprintf(text, sizeof text, "no input that both take");
    else if (c->s.verdict == FPX_MMA_SEPARATED)
        (void)snprintf(text, sizeof text, "by %s, K = %zu", c->s.probe, c->s.witness.k);
    else if (c->s.verdict == FPX_MMA_EQUIVALENT)
        theorems_text(c->s.theorems, text, sizeof text);
    else if (c->s.is_long)
        (void)snprintf(text, sizeof text, "more than %d k are needed", FPX_MMA_WITNESS_MAX);
    else
        (void)snprintf(text, sizeof text, "after %zu inputs of at most %d k", c->s.tries,
                       FPX_MMA_WITNESS_MAX);
    (void)printf("  %-37s %-10s  %s\n", c->what, verdict_of(c), text);
}

/* Two files that give their units one name are told apart by their own. */
static comparison comparison_of(const models_side *x, const models_side *y)
{
    const int is_same = strcmp(x->preset->model.name, y->preset->model.name) == 0;
    comparison c = { .x = x->preset, .y = y->preset, .of = is_same ? x->word : NULL };

    (void)snprintf(c.what, sizeof c.what, "%s", is_same ? y->word : y->preset->model.name);
    return c;
}

int models_vectors(const models_side *x, const models_side *y, const char *json, const char *folder)
{
    static const int codes[] = { EXIT_HOLDS, EXIT_FINDING, EXIT_NO_VERDICT };
    const char *const units[] = { x->word, y->word };
    comparison c = comparison_of(x, y);
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
        cli_write_json(json, result_json(first_of(&c), json_pack("[o]", comparison_json(&c))),
                       &err) != FPX_OK)
        return cli_fail(&err);
    if (json != NULL && strcmp(json, "-") == 0)
        return codes[c.s.verdict];
    print_one(&c);
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
static fpx_status listing_add(listing *l, comparison *c)
{
    compare(c);
    if (c->status == FPX_EINTERRUPTED) {
        l->status = fpx_error_set(&l->err, c->status, "%s", c->err.text);
        return c->status;
    }
    l->n[c->status == FPX_OK ? (int)c->s.verdict : 3]++;
    if (l->json != NULL)
        (void)json_array_append_new(l->comparisons, comparison_json(c));
    if (l->json == NULL || strcmp(l->json, "-") != 0)
        print_row(c);
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
        comparison c = { .x = x, .y = &mutant };
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
        comparison c = { .x = x, .y = &y };
        if (fpx_mma_domain_at(x, &y, 0, &domain) != FPX_OK ||
            strcmp(x->model.name, y.model.name) == 0)
            continue;
        (void)snprintf(c.what, sizeof c.what, "%s", y.model.name);
        if (listing_add(&l, &c) != FPX_OK)
            break;
    }
    return listing_end(&l);
}
