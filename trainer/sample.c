/* sample.c - a checkpoint as a model that continues texts. */
#include <stdlib.h>
#include <string.h>

#include <fpx/config.h>
#include <fpx/cpu.h>
#include <fpx/recipe.h>
#include <fpx/safetensors.h>

#include "checkpoint_file.h"
#include "generate.h"

struct fpx_sampler {
    fpx_experiment *experiment;
    fpx_recipe *recipe;
    fpx_tokenizer *tokenizer;
    fpx_model *model;
    fpx_exec *exec;
};

static fpx_status parse_texts(const fpx_st_file *file, const char *path, fpx_sampler *s,
                              fpx_error *err)
{
    const char *experiment = fpx_st_metadata(file, CHECKPOINT_EXPERIMENT);
    const char *recipe = fpx_st_metadata(file, CHECKPOINT_RECIPE);
    const char *tokenizer = fpx_st_metadata(file, CHECKPOINT_TOKENIZER);
    fpx_status status;

    if (experiment == NULL || recipe == NULL)
        return fpx_error_set(err, FPX_EFORMAT,
                             "%s: no checkpoint of fpx train, or one that does not hold its "
                             "experiment: train --resume, one step more, writes one that does",
                             path);
    status = fpx_experiment_parse(path, experiment, &s->experiment, err);
    if (status == FPX_OK)
        status = fpx_recipe_parse(path, recipe, &s->recipe, err);
    if (status == FPX_OK && tokenizer != NULL)
        status = fpx_tokenizer_parse(path, tokenizer, strlen(tokenizer), &s->tokenizer, err);
    if (status == FPX_OK && s->tokenizer == NULL && s->experiment->data.tokens != NULL)
        status = fpx_error_set(err, FPX_EUNSUPPORTED,
                               "%s: was trained on tokens without a tokenizer: there is no text; "
                               "train with data.tokenizer",
                               path);
    return status;
}

/* Every parameter of the forward program is in the file, by its name. */
static fpx_status load(const fpx_st_file *file, const char *path, fpx_sampler *s, fpx_error *err)
{
    const fpx_program *program = s->model->program;

    for (size_t i = 0; i < fpx_program_tensors(program); i++) {
        const fpx_program_tensor *t = fpx_program_tensor_at(program, i);
        const fpx_st_entry *entry;

        if (!fpx_tensor_class_lasts(t->cls))
            continue;
        entry = fpx_st_find(file, t->name);
        fpx_tensor codes = t->desc;
        codes.nscales = 0; /* they are tensors of their own */
        if (entry == NULL || !fpx_tensor_same_kind(&entry->desc, &codes))
            return fpx_error_set(err, FPX_EFORMAT, "%s: %s %s", path, t->name,
                                 entry == NULL ? "is missing" : "has another format or shape");
        memcpy(fpx_exec_data(s->exec, (uint32_t)i), entry->data, fpx_tensor_bytes(&t->desc));
    }
    return FPX_OK;
}

static fpx_status open_sampler(const char *checkpoint, fpx_device *const *devices, size_t ndevices,
                               fpx_sampler *s, fpx_error *err)
{
    char path[CHECKPOINT_PATH];
    fpx_st_file *file = NULL;
    fpx_status status = checkpoint_find(checkpoint, path, err);

    if (status == FPX_OK)
        status = fpx_st_open(path, &file, err);
    if (status != FPX_OK)
        return status;
    status = parse_texts(file, path, s, err);
    if (status == FPX_OK && s->experiment->data.kind == FPX_DATA_PREFERENCE)
        s->experiment->data.kind = FPX_DATA_INSTRUCT; /* a text alone has no pair */
    if (status == FPX_OK)
        status = fpx_model_build(s->experiment, s->recipe, 0, 1, 0, &s->model, err);
    if (status == FPX_OK)
        status = fpx_exec_new(s->model->program, devices, ndevices, FPX_KEEP_ALL, &s->exec, err);
    if (status == FPX_OK)
        status = load(file, path, s, err);
    fpx_st_close(file);
    return status;
}

fpx_status fpx_sampler_open(const char *checkpoint, fpx_device *const *devices, size_t ndevices,
                            fpx_sampler **ret_sampler, fpx_error *err)
{
    fpx_sampler *s = calloc(1, sizeof *s);
    fpx_status status;

    if (s == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "sampler: out of memory");
    const fpx_fpenv env = fpx_fpenv_enter();

    status = open_sampler(checkpoint, devices, ndevices, s, err);
    fpx_fpenv_leave(env);
    if (status != FPX_OK) {
        fpx_sampler_free(s);
        return status;
    }
    *ret_sampler = s;
    return FPX_OK;
}

void fpx_sampler_free(fpx_sampler *sampler)
{
    if (sampler == NULL)
        return;
    fpx_exec_free(sampler->exec);
    fpx_model_free(sampler->model);
    fpx_tokenizer_free(sampler->tokenizer);
    fpx_recipe_free(sampler->recipe);
    fpx_experiment_free(sampler->experiment);
    free(sampler);
}

fpx_status fpx_sampler_run(fpx_sampler *sampler, const void *prompt, size_t count,
                           const fpx_sampling *sampling, char **ret_text, size_t *ret_count,
                           fpx_error *err)
{
    const fpx_experiment *e = sampler->experiment;
    const generator g = { .exec = sampler->exec,
                          .model = sampler->model,
                          .tokenizer = sampler->tokenizer,
                          .sequence = e->data.sequence,
                          .batch = 1,
                          .vocabulary = e->model.vocabulary,
                          .ends = e->data.kind != FPX_DATA_TEXT };
    const fpx_fpenv env = fpx_fpenv_enter();
    const fpx_status status = generate(&g, prompt, count, sampling, ret_text, ret_count, err);

    fpx_fpenv_leave(env);
    return status;
}
