/* verb_models.c - fpx models: the matrix units that are known, and a page on one: its parameters, and from where they are
 * known. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <fpx/mma.h>

#include "cli.h"
#include "models_vectors.h"
#include "owed.h"
#include "results.h"
#include "unit_args.h"

enum { OPT_JSON, OPT_VECTORS, OPT_OUT };

static const cli_option options[] = {
    [OPT_JSON] = { "--json", "FILE", "the same as JSON; - is standard output" },
    [OPT_VECTORS] = { "--vectors", "OTHER",
                      "an input that separates NAME from OTHER, or why there is none" },
    [OPT_OUT] = { "-o", "FOLDER", "that input as A.npy, B.npy, C.npy and scales" },
    { NULL, NULL, NULL }
};

static void print_row(const fpx_mma_preset *p)
{
    static const char *const sums[] = { "aligned", "exact", "fma", "tree" };
    static const char *const rounds[] = { "rne", "rna", "rz" };
    const fpx_mma_model *const m = &p->model;
    char block[16] = "-", fraction[16] = "-", zero[16] = "-";

    if (m->block > 0)
        (void)snprintf(block, sizeof block, "%" PRIu32, m->block);
    if (m->sum == FPX_MMA_ALIGNED)
        (void)snprintf(fraction, sizeof fraction, "%u", m->fraction);
    if (m->sum == FPX_MMA_ALIGNED && m->e_zero != FPX_MMA_ZERO_ABSENT)
        (void)snprintf(zero, sizeof zero, "%d", m->e_zero);
    (void)printf("%-37s %-7s %3s %3s %5s  %-3s %2u  %s\n", m->name, sums[m->sum], block, fraction,
                 zero, rounds[m->round], m->fraction_out, fpx_mma_provenance_name(p->provenance));
}

static void print_list(const char *name)
{
    fpx_mma_preset p;
    char last[FPX_MMA_NAME_MAX] = "";

    (void)printf("%-37s %-7s %3s %3s %5s  %-6s  %s\n", "device/path/inputs-output", "sum", "L", "F",
                 "zero", "rounds", "known from");
    for (size_t i = 0; fpx_mma_preset_at(i, &p) == FPX_OK; i++) {
        const size_t device = strcspn(p.model.name, "/");
        if (!cli_unit_is_of(&p, name))
            continue;
        if (last[0] != '\0' && strncmp(last, p.model.name, device + 1) != 0)
            (void)putchar('\n');
        memcpy(last, p.model.name, sizeof last);
        print_row(&p);
    }
    (void)fputs(
        "\nL: k summed at once. F: bits kept below the largest exponent. zero: the exponent of a\n"
        "zero term. rounds: to so many fraction bits. fpx models NAME: all of one.\n",
        stdout);
}

/* Text in lines of at most 80 columns after the label. */
static void print_wrapped(const char *label, const char *text)
{
    const size_t left = 16, width = 80 - left;

    (void)printf("  %-13s ", label);
    while (strlen(text) > width) {
        size_t cut = width;
        while (cut > 1 && text[cut] != ' ')
            cut--;
        (void)printf("%.*s\n%*s", (int)cut, text, (int)left, "");
        text += cut + 1;
    }
    (void)printf("%s\n", text);
}

/* A choice that means something in this model, a number other than 0, or a 0 that is one of its numbers. */
static int is_shown(const fpx_mma_model *m, size_t field)
{
    const fpx_mma_field *const f = fpx_mma_field_at(field);
    const int is_aligned = m->sum == FPX_MMA_ALIGNED;

    if (strcmp(f->name, "deal") == 0 || strcmp(f->name, "combine") == 0)
        return m->split > 1;
    if (strcmp(f->name, "zero") == 0)
        return is_aligned || m->sum == FPX_MMA_EXACT;
    if (strcmp(f->name, "e_zero") == 0 || strcmp(f->name, "fraction") == 0)
        return is_aligned;
    if (strcmp(f->name, "c") == 0)
        return is_aligned || m->c != FPX_MMA_C_EARLY;
    return f->values != NULL || fpx_mma_field_get(m, field) != 0;
}

static void print_page(const fpx_mma_preset *p)
{
    (void)printf("%s\n", p->model.name);
    print_wrapped("instruction", p->instruction);
    print_wrapped("A, B", p->inputs == NULL ? "any format" : p->inputs);
    print_wrapped("scales", p->scales == NULL ? "none" : p->scales);
    print_wrapped("D", p->model.format.name);
    print_wrapped("known from", fpx_mma_provenance_name(p->provenance));
    print_wrapped("source", p->source);
    (void)putchar('\n');
    for (size_t i = 0; fpx_mma_field_at(i) != NULL; i++) {
        const fpx_mma_field *const f = fpx_mma_field_at(i);
        char value[32];

        if (!is_shown(&p->model, i))
            continue;
        models_value_text(&p->model, i, value, sizeof value);
        (void)printf("  %-13s %-10s  %s\n", f->name, value, f->meaning);
    }
    (void)fputs("\n  What is not listed is absent: no block or step: all of k; no promote, split, "
                "group,\n  drop, flush, e_least, e_infinite: nothing of the kind is done.\n",
                stdout);
}

static json_t *preset_json(const fpx_mma_preset *p)
{
    json_t *const parameters = json_object();

    for (size_t i = 0; fpx_mma_field_at(i) != NULL; i++) {
        const fpx_mma_field *const f = fpx_mma_field_at(i);
        const int64_t value = fpx_mma_field_get(&p->model, i);
        char text[32];
        models_value_text(&p->model, i, text, sizeof text);
        const int is_text = f->values != NULL || strcmp(f->name, "nan_code") == 0;
        (void)json_object_set_new(parameters, f->name,
                                  is_text ? json_string(text) : json_integer(value));
    }
    return json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s, s:s, s:o}", "name", p->model.name,
                     "instruction", p->instruction, "inputs", p->inputs, "scales", p->scales,
                     "output", p->model.format.name, "provenance",
                     fpx_mma_provenance_name(p->provenance), "source", p->source, "parameters",
                     parameters);
}

/* one: the only one there is; NULL: all that `name` takes. */
static json_t *list_json(const char *name, const fpx_mma_preset *one)
{
    json_t *const list = json_array();
    fpx_mma_preset p;

    if (one != NULL)
        (void)json_array_append_new(list, preset_json(one));

    for (size_t i = 0; one == NULL && fpx_mma_preset_at(i, &p) == FPX_OK; i++) {
        if (cli_unit_is_of(&p, name))
            (void)json_array_append_new(list, preset_json(&p));
    }
    return json_pack("{s:s, s:o}", "schema", "fpx.models/1", "models", list);
}

static int no_such(const char *name)
{
    char near[256];

    cli_unit_nearest(name, near, sizeof near);
    return cli_usage("models", "no matrix unit is named %.60s; near it are %s", name, near);
}

static int show(const char *name, const fpx_mma_preset *one, const char *json)
{
    fpx_error err = { 0 };

    if (json != NULL && cli_write_json(json, list_json(name, one), &err) != FPX_OK)
        return cli_fail(&err);
    if (json != NULL && strcmp(json, "-") == 0)
        return EXIT_HOLDS;
    if (one != NULL)
        print_page(one);
    else
        print_list(name);
    return EXIT_HOLDS;
}

/* A unit by the name of its row, or from a file. */
static fpx_status unit_of(const char *name, cli_unit *ret_unit, fpx_error *err)
{
    if (cli_unit_is_file(name))
        return cli_unit_read(name, ret_unit, err);
    ret_unit->file = NULL;
    return fpx_mma_preset_find(name, &ret_unit->preset, err);
}

/* Why a name is that of no single unit. */
static int no_unit(const char *name, const fpx_error *err)
{
    if (cli_unit_is_file(name))
        return cli_fail(err);
    if (name[0] != '\0' && cli_unit_count(name) > 0)
        return cli_usage("models", "%.60s is %zu units: fpx models %.60s lists them; name one",
                         name, cli_unit_count(name), name);
    return no_such(name);
}

static int compare(const cli_unit *x, const char *name, const char *other, const char *json,
                   const char *folder)
{
    cli_unit y;
    fpx_error err = { 0 };

    if (strcmp(other, "mutants") == 0)
        return models_vectors_mutants(&x->preset, json);
    if (strcmp(other, "all") == 0)
        return models_vectors_all(&x->preset, json);
    if (unit_of(other, &y, &err) != FPX_OK)
        return no_unit(other, &err);
    const int code = models_vectors(&(models_side){ &x->preset, name },
                                    &(models_side){ &y.preset, other }, json, folder);
    cli_unit_free(&y);
    return code;
}

static int vectors(const char *name, const char *other, const char *json, const char *folder)
{
    const int is_many = strcmp(other, "mutants") == 0 || strcmp(other, "all") == 0;
    cli_unit x;
    fpx_error err = { 0 };

    if (name == NULL)
        return cli_usage("models", "--vectors: which unit is to be separated from %.60s?", other);
    if (folder != NULL && is_many)
        return cli_usage("models", "-o: one input, of NAME and one other unit, goes into a folder");
    if (unit_of(name, &x, &err) != FPX_OK)
        return no_unit(name, &err);
    cli_catch_interrupt();
    const int code = compare(&x, name, other, json, folder);
    cli_unit_free(&x);
    return code;
}

static int run(const cli_args *a)
{
    const char *const json = a->option[OPT_JSON];
    const char *const name = a->npositional > 0 ? a->positional[0] : NULL;
    fpx_mma_preset one;
    cli_unit unit;
    fpx_error err = { 0 };

    cli_owe(a, a->option[OPT_VECTORS] != NULL ? "fpx.vectors/1" : "fpx.models/1", json, NULL, "");
    if (a->option[OPT_VECTORS] != NULL)
        return vectors(name, a->option[OPT_VECTORS], json, a->option[OPT_OUT]);
    if (a->option[OPT_OUT] != NULL)
        return cli_usage("models",
                         "-o goes with --vectors OTHER: it is that input which is written");
    if (!cli_unit_is_file(name)) {
        if (cli_unit_count(name) == 0)
            return no_such(name);
        return show(name,
                    name != NULL && fpx_mma_preset_find(name, &one, NULL) == FPX_OK ? &one : NULL,
                    json);
    }
    if (cli_unit_read(name, &unit, &err) != FPX_OK)
        return cli_fail(&err);
    const int code = show(name, &unit.preset, json);
    cli_unit_free(&unit);
    return code;
}

const cli_verb verb_models = {
    "models",
    "[NAME|FILE.yaml] [--vectors OTHER] [-o FOLDER] [--json FILE]",
    "matrix units: how each sums, rounds, and from where that is known",
    "NAME: one of the list, or its first parts: hopper, hopper/wgmma. FILE.yaml: one's own, a\n"
    "known one with changes. docs/models.md says what the parameters mean, and how to write it.\n"
    "OTHER: a name, a FILE.yaml, `mutants` (NAME with one parameter changed, each way), or `all`\n"
    "(every unit of its types). Exit codes: 0 equivalent, proved; 1 separated; 2 neither. Of a\n"
    "list: 0 where each has a verdict.\n"
    "example: fpx models hopper/wgmma/fp8-fp32\n"
    "example: fpx models volta/mma.sync/fp16-fp32 --vectors mutants",
    options,
    0,
    1,
    run,
};
