/* mma_select.c - presets by name, and by what they are to multiply. */
#include <stdio.h>
#include <string.h>

#include <fpx/mma.h>

#include "mma_words.h"

enum { WORD = 64 }; /* longer than any name or value */

fpx_status fpx_mma_preset_find(const char *name, fpx_mma_preset *ret_preset, fpx_error *err)
{
    fpx_mma_preset p;

    for (size_t i = 0; fpx_mma_preset_at(i, &p) == FPX_OK; i++) {
        if (strcmp(p.model.name, name) == 0) {
            *ret_preset = p;
            return FPX_OK;
        }
    }
    return fpx_error_set(err, FPX_EINVAL, "no matrix unit is named %.80s", name);
}

/* Changes "FIELD=VALUE,FIELD=VALUE". */
static fpx_status change(fpx_mma_model *model, const char *changes, fpx_error *err)
{
    fpx_status status = FPX_OK;

    while (status == FPX_OK && *changes != '\0') {
        const size_t length = strcspn(changes, ","), name = strcspn(changes, "=,");
        char field[WORD], value[WORD];

        if (name == length || name >= WORD || length - name > WORD)
            return fpx_error_set(err, FPX_EINVAL, "'%.*s': a change is FIELD=VALUE",
                                 (int)(length < WORD ? length : WORD), changes);
        (void)snprintf(field, sizeof field, "%.*s", (int)name, changes);
        (void)snprintf(value, sizeof value, "%.*s", (int)(length - name - 1), changes + name + 1);
        status = fpx_mma_field_parse(model, field, value, err);
        changes += length + (changes[length] == ',');
    }
    return status == FPX_OK ? fpx_mma_model_check(model, err) : status;
}

fpx_status fpx_mma_preset_parse(const char *text, fpx_mma_preset *ret_preset, fpx_error *err)
{
    const size_t length = strcspn(text, ",");
    char name[FPX_MMA_NAME_MAX];
    fpx_mma_preset p;
    fpx_status status;

    (void)snprintf(name, sizeof name, "%.*s", (int)(length < WORD ? length : WORD), text);
    status = fpx_mma_preset_find(length < sizeof name ? name : text, &p, err);
    if (status == FPX_OK && text[length] != '\0') {
        status = change(&p.model, text + length + 1, err);
        (void)snprintf(p.model.name, sizeof p.model.name, "%.*s", FPX_MMA_NAME_MAX - 1, text);
        p.provenance = FPX_MMA_CUSTOM;
        p.source = "a known unit with changes";
    }
    if (status == FPX_OK)
        *ret_preset = p;
    return status;
}

int fpx_mma_preset_takes(const fpx_mma_preset *preset, const fpx_format *a, const fpx_format *b)
{
    return preset->inputs == NULL ||
           (mma_has_word(preset->inputs, a->name) && mma_has_word(preset->inputs, b->name));
}

/* 1 where this is part `index` of the name, apart by slashes; NULL: any. */
static int is_part(const char *name, int index, const char *part)
{
    for (; index > 0; index--)
        name = strchr(name, '/') + 1;
    return part == NULL ||
           (strlen(part) == strcspn(name, "/") && strncmp(name, part, strlen(part)) == 0);
}

int fpx_mma_preset_takes_scales(const fpx_mma_preset *preset, const fpx_format *scale, size_t block)
{
    char word[FPX_FORMAT_NAME_MAX + 24];

    if (scale == NULL || preset->scales == NULL)
        return scale == NULL && preset->scales == NULL;
    (void)snprintf(word, sizeof word, "%s/%zu", scale->name, block);
    return mma_has_word(preset->scales, word);
}

static int fits(const fpx_mma_preset *p, const fpx_mma_wish *wish)
{
    return is_part(p->model.name, 0, wish->device) && is_part(p->model.name, 1, wish->path) &&
           fpx_mma_preset_takes(p, wish->a, wish->b) &&
           (wish->d == NULL || fpx_format_equal(wish->d, &p->model.format)) &&
           fpx_mma_preset_takes_scales(p, wish->scale, wish->scale_block);
}

fpx_status fpx_mma_preset_select(const fpx_mma_wish *wish, fpx_mma_preset *ret_preset,
                                 fpx_error *err)
{
    fpx_mma_preset p;

    for (size_t i = 0; fpx_mma_preset_at(i, &p) == FPX_OK; i++) {
        if (fits(&p, wish)) {
            *ret_preset = p;
            return FPX_OK;
        }
    }
    return fpx_error_set(
        err, FPX_EINVAL, "no unit of %.30s%s%.30s that is known multiplies %s by %s%s%s%s%s",
        wish->device, wish->path == NULL ? "" : ", ", wish->path == NULL ? "" : wish->path,
        wish->a->name, wish->b->name, wish->scale == NULL ? "" : " with scales of ",
        wish->scale == NULL ? "" : wish->scale->name, wish->d == NULL ? "" : " to ",
        wish->d == NULL ? "" : wish->d->name);
}

const char *fpx_mma_provenance_name(fpx_mma_provenance provenance)
{
    static const char *const names[] = { "hardware", "source", "definition", "custom" };

    return names[provenance];
}
