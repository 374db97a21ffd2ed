/* config.c - experiments and recipes from files: read, loaded by their schema, checked, made whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/config.h>
#include <fpx/file.h>

#include "config_load.h"
#include "yaml_scan.h"

fpx_status io_config_text(const char *path, char **ret_text, size_t *ret_count, fpx_error *err)
{
    char *text = NULL;
    size_t count = 0;
    const fpx_status status = fpx_file_read(path, IO_CONFIG_BYTES, &text, &count, err);

    if (status != FPX_OK)
        return status;
    if (memchr(text, '\0', count) != NULL) { /* also UTF-16, which libyaml would take */
        free(text);
        return fpx_error_set(err, FPX_EFORMAT, "%s: holds zero bytes: not a text in UTF-8", path);
    }
    *ret_text = text;
    *ret_count = count;
    return FPX_OK;
}

fpx_status io_config_relative(const char *file, char **name, fpx_error *err)
{
    const char *slash = strrchr(file, '/');

    if (*name == NULL || slash == NULL || (*name)[0] == '/')
        return FPX_OK;
    const size_t folder = (size_t)(slash - file) + 1, room = folder + strlen(*name) + 1;
    char *joined = malloc(room);
    if (joined == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", file);
    (void)snprintf(joined, room, "%.*s%s", (int)folder, file, *name);
    free(*name);
    *name = joined;
    return FPX_OK;
}

int io_is_recipe_file(const char *recipe)
{
    const size_t length = strlen(recipe);

    return length > 5 && strcmp(recipe + length - 5, ".yaml") == 0;
}

/* text is taken over. */
static fpx_status experiment_of(const char *label, char *text, size_t count,
                                fpx_experiment **ret_experiment, fpx_error *err)
{
    fpx_experiment *e = calloc(1, sizeof *e);
    void *texts = NULL;
    fpx_status status;

    if (e == NULL) {
        free(text);
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    }
    e->text = text;
    status = io_config_load(label, e->text, count, &io_experiment_schema, &texts, err);
    if (status == FPX_OK)
        status = io_experiment_fill(label, e->text, texts, e, err);
    char **const paths[] = { &e->data.corpus, &e->data.tokens, &e->data.tokenizer };

    for (size_t i = 0; i < sizeof paths / sizeof paths[0] && status == FPX_OK; i++)
        status = io_config_relative(label, paths[i], err);
    if (status == FPX_OK && io_is_recipe_file(e->recipe))
        status = io_config_relative(label, &e->recipe, err);
    io_config_free(&io_experiment_schema, texts);
    if (status != FPX_OK) {
        fpx_experiment_free(e);
        return status;
    }
    *ret_experiment = e;
    return FPX_OK;
}

fpx_status fpx_experiment_read(const char *path, fpx_experiment **ret_experiment, fpx_error *err)
{
    char *text = NULL;
    size_t count = 0;
    const fpx_status status = io_config_text(path, &text, &count, err);

    return status == FPX_OK ? experiment_of(path, text, count, ret_experiment, err) : status;
}

fpx_status fpx_experiment_parse(const char *label, const char *text,
                                fpx_experiment **ret_experiment, fpx_error *err)
{
    const size_t count = strlen(text);
    char *copy;

    if (count > IO_CONFIG_BYTES)
        return fpx_error_set(err, FPX_EFORMAT, "%s: larger than the %d bytes allowed here", label,
                             IO_CONFIG_BYTES);
    if ((copy = strdup(text)) == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    return experiment_of(label, copy, count, ret_experiment, err);
}

void fpx_experiment_free(fpx_experiment *experiment)
{
    if (experiment == NULL)
        return;
    free(experiment->name);
    free(experiment->data.corpus);
    free(experiment->data.sha256);
    free(experiment->data.tokens);
    free(experiment->data.tokenizer);
    free(experiment->recipe);
    free(experiment->text);
    free(experiment);
}

fpx_status fpx_recipe_parse(const char *label, const char *text, fpx_recipe **ret_recipe,
                            fpx_error *err)
{
    const size_t count = strlen(text);
    void *data = NULL;
    fpx_status status;

    if (count > IO_CONFIG_BYTES) {
        return fpx_error_set(err, FPX_EFORMAT, "%s: larger than the %d bytes allowed here", label,
                             IO_CONFIG_BYTES);
    }
    status = io_config_load(label, text, count, &io_recipe_schema, &data, err);
    if (status != FPX_OK)
        return status;
    fpx_recipe *recipe = data;
    recipe->text = strdup(text);
    if (recipe->text == NULL) {
        fpx_recipe_free(recipe);
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    }
    *ret_recipe = recipe;
    return FPX_OK;
}

fpx_status fpx_recipe_read(const char *path, fpx_recipe **ret_recipe, fpx_error *err)
{
    char *text = NULL;
    size_t count = 0;
    fpx_status status = io_config_text(path, &text, &count, err);

    if (text != NULL)
        status = fpx_recipe_parse(path, text, ret_recipe, err);
    free(text);
    return status;
}

size_t fpx_recipe_line(const fpx_recipe *recipe, const char *list, unsigned index)
{
    io_yaml_place key, value;
    char path[64];

    (void)snprintf(path, sizeof path, "%ss[%u]", list, index);
    return recipe->text != NULL &&
                   io_yaml_find(recipe->text, strlen(recipe->text), path, 1, &key, &value)
               ? value.line
               : 0;
}

void fpx_recipe_free(fpx_recipe *recipe)
{
    if (recipe == NULL)
        return;
    free(recipe->text);
    io_config_free(&io_recipe_schema, recipe);
}
