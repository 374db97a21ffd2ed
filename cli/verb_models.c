/* verb_models.c - fpx models: the matrix units that are known, and a page on one: its parameters, and from where they are
 * known. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <fpx/config.h>
#include <fpx/mma.h>

#include "cli.h"
#include "models_vectors.h"
#include "results.h"

enum { OPT_JSON, OPT_VECTORS, OPT_OUT };

static const cli_option options[] = {
    [OPT_JSON] = { "--json", "FILE", "the same as JSON; - is standard output" },
    [OPT_VECTORS] = { "--vectors", "OTHER",
                      "an input that separates NAME from OTHER, or why there is none" },
    [OPT_OUT] = { "-o", "FOLDER", "that input as A.npy, B.npy, C.npy and scales" },
    { NULL, NULL, NULL }
};

/* 1 where `name` is the row's, or the first parts of it ("hopper", "hopper/wgmma"); NULL: any. */
static int is_of(const fpx_mma_preset *p, const char *name)
{
    const size_t length = name == NULL ? 0 : strlen(name);

    return length == 0 || (strncmp(p->model.name, name, length) == 0 &&
                           (p->model.name[length] == '\0' || p->model.name[length] == '/'));
}

static size_t count_of(const char *name)
{
    fpx_mma_preset p;
    size_t n = 0;

    for (size_t i = 0; fpx_mma_preset_at(i, &p) == FPX_OK; i++)
        n += (size_t)is_of(&p, name);
    return n;
}

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
        if (!is_of(&p, name))
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

        /* 0 says that the model does not have it, where it is not a choice. */
        if (fpx_mma_field_get(&p->model, i) == 0 && f->values == NULL)
            continue;
        if (p->model.split <= 1 &&
            (strcmp(f->name, "deal") == 0 || strcmp(f->name, "combine") == 0))
            continue;
        models_value_text(&p->model, i, value, sizeof value);
        (void)printf("  %-13s %-10s  %s\n", f->name, value, f->meaning);
    }
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
        if (is_of(&p, name))
            (void)json_array_append_new(list, preset_json(&p));
    }
    return json_pack("{s:s, s:o}", "schema", "fpx.models/1", "models", list);
}

/* Every name that fpx models takes: rows, and their first parts. */
enum { NAMES = 256 };
typedef struct name_list {
    char name[NAMES][FPX_MMA_NAME_MAX];
    size_t n;
} name_list;

static const char *name_at(const void *of, size_t i)
{
    const name_list *const list = of;

    return list->name[i];
}

static void name_add(name_list *list, const char *name, size_t length)
{
    char *const to = list->name[list->n];

    for (size_t i = 0; i < list->n; i++) {
        if (strlen(list->name[i]) == length && strncmp(list->name[i], name, length) == 0)
            return;
    }
    if (list->n + 1 < NAMES) {
        memcpy(to, name, length);
        to[length] = '\0';
        list->n++;
    }
}

static int no_such(const char *name)
{
    name_list list = { .n = 0 };
    fpx_mma_preset p;
    char near[256];

    for (size_t i = 0; fpx_mma_preset_at(i, &p) == FPX_OK; i++) {
        const char *const whole = p.model.name;
        name_add(&list, whole, strcspn(whole, "/"));
        name_add(&list, whole, (size_t)(strrchr(whole, '/') - whole));
        name_add(&list, whole, strlen(whole));
    }
    cli_nearest(name, name_at, &list, list.n, near, sizeof near);
    return cli_usage("models", "no matrix unit is named %.60s; near it are %s", name, near);
}

/* A user's unit as a preset whose texts live as long as the file's content. */
static fpx_status preset_of(const char *path, const fpx_unit *unit, fpx_mma_preset *ret_preset,
                            fpx_error *err)
{
    fpx_error why = { 0 };
    fpx_status status = fpx_mma_preset_find(unit->like, ret_preset, &why);

    for (unsigned i = 0; status == FPX_OK && i < unit->nchanges; i++)
        status = fpx_mma_field_parse(&ret_preset->model, unit->changes[i].field,
                                     unit->changes[i].to, &why);
    if (status == FPX_OK && strlen(unit->name) >= FPX_MMA_NAME_MAX)
        status =
            fpx_error_set(&why, FPX_EINVAL, "name: at most %d characters", FPX_MMA_NAME_MAX - 1);
    if (status == FPX_OK) {
        (void)snprintf(ret_preset->model.name, FPX_MMA_NAME_MAX, "%s", unit->name);
        status = fpx_mma_model_check(&ret_preset->model, &why);
    }
    ret_preset->provenance = FPX_MMA_CUSTOM;
    ret_preset->source = unit->source;
    return status == FPX_OK ? FPX_OK : fpx_error_set(err, status, "%s: %s", path, why.text);
}

static int is_file(const char *name)
{
    const size_t length = name == NULL ? 0 : strlen(name);

    return length > 5 && strcmp(name + length - 5, ".yaml") == 0;
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

/* One unit: a row's name, or a file. ret_unit is NULL or to be freed after the preset's last use. */
static fpx_status unit_of(const char *name, fpx_unit **ret_unit, fpx_mma_preset *ret_preset,
                          fpx_error *err)
{
    fpx_status status;

    if (!is_file(name))
        return fpx_mma_preset_find(name, ret_preset, err);
    status = fpx_unit_read(name, ret_unit, err);
    return status == FPX_OK ? preset_of(name, *ret_unit, ret_preset, err) : status;
}

/* Why a name is that of no single unit. */
static int no_unit(const char *name, const fpx_error *err)
{
    if (is_file(name))
        return cli_fail(err);
    if (name[0] != '\0' && count_of(name) > 0)
        return cli_usage("models", "%.60s is %zu units: fpx models %.60s lists them; name one",
                         name, count_of(name), name);
    return no_such(name);
}

static int vectors(const char *name, const char *other, const char *json, const char *folder)
{
    const int is_mutants = strcmp(other, "mutants") == 0, is_all = strcmp(other, "all") == 0;
    fpx_unit *unit = NULL, *other_unit = NULL;
    fpx_mma_preset x, y;
    fpx_error err = { 0 };
    int code;

    if (name == NULL)
        return cli_usage("models", "--vectors: which unit is to be separated from %.60s?", other);
    if (folder != NULL && (is_mutants || is_all))
        return cli_usage("models", "-o: one input, of NAME and one other unit, goes into a folder");
    if (unit_of(name, &unit, &x, &err) != FPX_OK)
        code = no_unit(name, &err);
    else if (is_mutants)
        code = models_vectors_mutants(&x, json);
    else if (is_all)
        code = models_vectors_all(&x, json);
    else if (unit_of(other, &other_unit, &y, &err) != FPX_OK)
        code = no_unit(other, &err);
    else
        code = models_vectors(&x, &y, json, folder);
    fpx_unit_free(unit);
    fpx_unit_free(other_unit);
    return code;
}

static int run(const cli_args *a)
{
    const char *const json = a->option[OPT_JSON];
    const char *const name = a->npositional > 0 ? a->positional[0] : NULL;
    fpx_mma_preset one;
    fpx_unit *unit = NULL;
    fpx_error err = { 0 };
    int code = EXIT_NO_VERDICT;

    if (a->option[OPT_VECTORS] != NULL)
        return vectors(name, a->option[OPT_VECTORS], json, a->option[OPT_OUT]);
    if (a->option[OPT_OUT] != NULL)
        return cli_usage("models",
                         "-o goes with --vectors OTHER: it is that input which is written");
    if (!is_file(name)) {
        if (count_of(name) == 0)
            return no_such(name);
        return show(name,
                    name != NULL && fpx_mma_preset_find(name, &one, NULL) == FPX_OK ? &one : NULL,
                    json);
    }
    if (unit_of(name, &unit, &one, &err) != FPX_OK)
        code = cli_fail(&err);
    else
        code = show(name, &one, json);
    fpx_unit_free(unit);
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
