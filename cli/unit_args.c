/* unit_args.c - names of matrix units, and files that describe one as a known one with changes. */
#include "unit_args.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"

int cli_unit_is_of(const fpx_mma_preset *preset, const char *part)
{
    const size_t length = part == NULL ? 0 : strlen(part);
    const char *const name = preset->model.name;

    return length == 0 ||
           (strncmp(name, part, length) == 0 && (name[length] == '\0' || name[length] == '/'));
}

size_t cli_unit_count(const char *part)
{
    fpx_mma_preset p;
    size_t n = 0;

    for (size_t i = 0; fpx_mma_preset_at(i, &p) == FPX_OK; i++)
        n += (size_t)cli_unit_is_of(&p, part);
    return n;
}

/* Every name that there is: rows, and their first parts. */
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

void cli_unit_nearest(const char *name, char *ret_text, size_t room)
{
    name_list list = { .n = 0 };
    fpx_mma_preset p;

    for (size_t i = 0; fpx_mma_preset_at(i, &p) == FPX_OK; i++) {
        const char *const whole = p.model.name;
        name_add(&list, whole, strcspn(whole, "/"));
        name_add(&list, whole, (size_t)(strrchr(whole, '/') - whole));
        name_add(&list, whole, strlen(whole));
    }
    cli_nearest(name, name_at, &list, list.n, ret_text, room);
}

/* What a file says that no single field shows. */
static fpx_status check_unit(const fpx_unit *unit, fpx_error *err)
{
    fpx_mma_preset known;

    if (strlen(unit->name) >= FPX_MMA_NAME_MAX)
        return fpx_error_set(err, FPX_EINVAL, "name: at most %d characters", FPX_MMA_NAME_MAX - 1);
    if (fpx_mma_preset_find(unit->name, &known, NULL) == FPX_OK)
        return fpx_error_set(err, FPX_EINVAL, "name: %s is a known unit; one's own has another",
                             unit->name);
    for (unsigned i = 0; i < unit->nchanges; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(unit->changes[i].field, unit->changes[j].field) == 0)
                return fpx_error_set(err, FPX_EINVAL, "changes: %.40s is given twice, %u. and %u.",
                                     unit->changes[i].field, j + 1, i + 1);
        }
    }
    if (unit->like[0] != '\0' && fpx_mma_preset_find(unit->like, &known, NULL) != FPX_OK &&
        cli_unit_count(unit->like) > 0)
        return fpx_error_set(err, FPX_EINVAL,
                             "like: %.60s is %zu units: fpx models %.60s lists them; name one",
                             unit->like, cli_unit_count(unit->like), unit->like);
    return FPX_OK;
}

/* A user's unit as a preset whose texts live as long as the file's content. */
static fpx_status preset_of(const char *path, const fpx_unit *unit, fpx_mma_preset *ret_preset,
                            fpx_error *err)
{
    fpx_error why = { 0 };
    fpx_status status = check_unit(unit, &why);

    if (status == FPX_OK)
        status = fpx_mma_preset_find(unit->like, ret_preset, &why);

    for (unsigned i = 0; status == FPX_OK && i < unit->nchanges; i++)
        status = fpx_mma_field_parse(&ret_preset->model, unit->changes[i].field,
                                     unit->changes[i].to, &why);
    if (status == FPX_OK) {
        (void)snprintf(ret_preset->model.name, FPX_MMA_NAME_MAX, "%s", unit->name);
        status = fpx_mma_model_check(&ret_preset->model, &why);
    }
    ret_preset->provenance = FPX_MMA_CUSTOM;
    ret_preset->source = unit->source;
    return status == FPX_OK ? FPX_OK : fpx_error_set(err, status, "%s: %s", path, why.text);
}

int cli_unit_is_file(const char *name)
{
    const size_t length = name == NULL ? 0 : strlen(name);

    return length > 5 && strcmp(name + length - 5, ".yaml") == 0;
}

fpx_status cli_unit_read(const char *path, cli_unit *ret_unit, fpx_error *err)
{
    cli_unit unit = { .file = NULL };
    fpx_status status = fpx_unit_read(path, &unit.file, err);

    if (status == FPX_OK)
        status = preset_of(path, unit.file, &unit.preset, err);
    if (status == FPX_OK)
        *ret_unit = unit;
    else
        fpx_unit_free(unit.file);
    return status;
}

void cli_unit_free(cli_unit *unit)
{
    fpx_unit_free(unit->file);
    unit->file = NULL;
}
