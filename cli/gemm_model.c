/* gemm_model.c - units as hardware has them: what each takes is in the table of fpx/mma.h, and is asked there. */
#include "gemm_model.h"

#include <stdio.h>
#include <string.h>

enum { ROOM = 160 };

static const fpx_format *scale_of(const gemm_array *a)
{
    return a->scales != NULL ? &a->scale_format : NULL;
}

static int takes(const fpx_mma_preset *p, const gemm_array *a, const gemm_array *b)
{
    return fpx_mma_preset_takes(p, &a->format, &b->format) &&
           fpx_mma_preset_takes_scales(p, scale_of(a), a->scale_block);
}

/* "e4m3 by e5m2, scales e8m0/32". */
static void needs_text(const gemm_array *a, const gemm_array *b, char ret_text[ROOM])
{
    char scales[64] = "";

    if (a->scales != NULL)
        (void)snprintf(scales, sizeof scales, " with scales %s/%zu", a->scale_format.name,
                       a->scale_block);
    (void)snprintf(ret_text, ROOM, "%s by %s%s", a->format.name, b->format.name, scales);
}

/* Hardware that takes them: of the device of `name` first, then any. */
static int find_other(const char *name, const gemm_array *a, const gemm_array *b,
                      fpx_mma_preset *ret_preset)
{
    const size_t device = strcspn(name, "/");
    fpx_mma_preset p;

    for (int any = 0; any < 2; any++) {
        for (size_t i = 0; fpx_mma_preset_at(i, &p) == FPX_OK; i++) {
            const int is_of =
                strncmp(p.model.name, name, device) == 0 && p.model.name[device] == '/';
            if ((any || is_of) && p.provenance != FPX_MMA_DEFINITION && takes(&p, a, b)) {
                *ret_preset = p;
                return 1;
            }
        }
    }
    return 0;
}

/* name: of a unit or a device; subject: what it takes. */
static fpx_status not_taken(const char *name, const char *subject, const gemm_array *a,
                            const gemm_array *b, fpx_error *err)
{
    fpx_mma_preset other;
    char needs[ROOM];

    needs_text(a, b, needs);
    if (find_other(name, a, b, &other))
        return fpx_error_set(err, FPX_EINVAL, "%s; A and B are %s, which --model %s takes", subject,
                             needs, other.model.name);
    return fpx_error_set(err, FPX_EINVAL,
                         "%s; A and B are %s, which no known hardware takes (--model "
                         "ideal/exact/any-fp32 does): fpx quantize makes codes of other formats",
                         subject, needs);
}

static fpx_status by_row(const fpx_mma_preset *p, const gemm_array *a, const gemm_array *b,
                         fpx_error *err)
{
    char subject[384];

    if (takes(p, a, b) ||
        p->provenance == FPX_MMA_DEFINITION) /* what has no hardware, has no such limits */
        return FPX_OK;
    (void)snprintf(subject, sizeof subject, "%s multiplies %s %s%s", p->model.name,
                   p->inputs == NULL ? "any formats" : p->inputs,
                   p->scales == NULL ? "without block scales" : "with block scales ",
                   p->scales == NULL ? "" : p->scales);
    return not_taken(p->model.name, subject, a, b, err);
}

/* Whether the device has the path; else ret_text has its paths: "mma.sync, wgmma". */
static int has_path(const char *device, const char *path, char *ret_text, size_t room)
{
    const size_t n = strlen(device);
    const char *last = "";
    size_t length = 0;
    fpx_mma_preset p;

    ret_text[0] = '\0';
    for (size_t i = 0; fpx_mma_preset_at(i, &p) == FPX_OK; i++) {
        if (strncmp(p.model.name, device, n) != 0 || p.model.name[n] != '/')
            continue;
        char own[FPX_MMA_NAME_MAX];
        const char *const at = p.model.name + n + 1;
        (void)snprintf(own, sizeof own, "%.*s", (int)strcspn(at, "/"), at);
        if (strcmp(own, path) == 0)
            return 1;
        if (length < room && strstr(ret_text, own) == NULL)
            length += (size_t)snprintf(ret_text + length, room - length, "%s%s", last, own);
        last = ", ";
    }
    return 0;
}

static fpx_status by_device(const char *model, const char *path, const gemm_array *a,
                            const gemm_array *b, fpx_mma_preset *ret_preset, fpx_error *err)
{
    char device[FPX_MMA_NAME_MAX], subject[ROOM], paths[ROOM];
    const size_t length = strcspn(model, "/");
    const fpx_mma_wish wish = { .device = device,
                                .path = model[length] == '/' ? model + length + 1 : path,
                                .a = &a->format,
                                .b = &b->format,
                                .scale = scale_of(a),
                                .scale_block = a->scale_block };

    (void)snprintf(device, sizeof device, "%.*s", (int)length, model);
    if (fpx_mma_preset_select(&wish, ret_preset, NULL) == FPX_OK)
        return FPX_OK;
    if (wish.path != NULL && !has_path(device, wish.path, paths, sizeof paths))
        return fpx_error_set(err, FPX_EINVAL, "%s has no path %.60s; it has %s", device, wish.path,
                             paths);
    (void)snprintf(subject, sizeof subject, "no known unit of %s%s%.60s takes them (fpx models %s)",
                   device, wish.path == NULL ? "" : "/", wish.path == NULL ? "" : wish.path,
                   device);
    return not_taken(model, subject, a, b, err);
}

fpx_status gemm_model_choose(const char *model, const char *path, const gemm_array *a,
                             const gemm_array *b, cli_unit *ret_unit, fpx_error *err)
{
    cli_unit unit = { .file = NULL };
    char near[256];
    fpx_status status;

    if (path != NULL && (strchr(model, '/') != NULL || cli_unit_is_file(model)))
        return fpx_error_set(err, FPX_EINVAL,
                             "--path %.40s: goes with a device, and --model %s is none", path,
                             model);
    if (cli_unit_is_file(model)) /* one's own: what its like takes is not its limit */
        return cli_unit_read(model, ret_unit, err);
    if (model[0] == '\0' || cli_unit_count(model) == 0) {
        cli_unit_nearest(model, near, sizeof near);
        return fpx_error_set(err, FPX_EINVAL,
                             "--model: no matrix unit is named '%.60s'; near it are %s (fpx models "
                             "lists them; one's own is FILE.yaml)",
                             model, near);
    }
    if (fpx_mma_preset_find(model, &unit.preset, NULL) == FPX_OK)
        status = by_row(&unit.preset, a, b, err);
    else
        status = by_device(model, path, a, b, &unit.preset, err);
    if (status == FPX_OK)
        *ret_unit = unit;
    return status;
}
