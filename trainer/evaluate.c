/* evaluate.c - the forward pass alone: bits per byte on the validation part, and text samples. */
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>

#include "generate.h"
#include "trainer_state.h"

/* The forward program with today's parameters and histories of scales: names are the same in both programs. */
fpx_status trainer_prepare_evaluation(fpx_trainer *t, fpx_error *err)
{
    fpx_status status = FPX_OK;

    if (t->eval_model == NULL)
        status = fpx_model_build(t->experiment, t->recipe, 0, 0, 0, &t->eval_model, err);
    if (status == FPX_OK && t->eval_exec == NULL)
        status = fpx_exec_new(t->eval_model->program, t->devices, t->ndevices,
                              FPX_KEEP_ALL | t->plan, &t->eval_exec, err);
    if (status != FPX_OK || t->plan)
        return status;
    for (size_t i = 0; i < fpx_program_tensors(t->eval_model->program); i++) {
        const fpx_program_tensor *p = fpx_program_tensor_at(t->eval_model->program, i);

        if (fpx_tensor_class_lasts(p->cls))
            memcpy(fpx_exec_data(t->eval_exec, (uint32_t)i),
                   fpx_exec_data(t->exec, fpx_program_find_tensor(t->model->program, p->name)),
                   fpx_tensor_bytes(&p->desc));
    }
    return FPX_OK;
}

/* Of a batch: how many targets, and how many bytes they stand for. */
static void count_targets(const fpx_trainer *t, const int32_t *targets, size_t n, size_t *targets_n,
                          size_t *bytes_n)
{
    const fpx_tokenizer *tokenizer = fpx_corpus_tokenizer(t->corpus);

    for (size_t i = 0; i < n; i++) {
        size_t bytes = 1;

        if (targets[i] < 0)
            continue;
        if (tokenizer != NULL)
            (void)fpx_tokenizer_bytes(tokenizer, (uint16_t)targets[i], &bytes);
        *targets_n += 1;
        *bytes_n += bytes;
    }
}

/* A batch weighs as many targets as it has; where all are full, or pairs are counted, that is 1. */
static fpx_status evaluate(fpx_trainer *t, double *ret_bits, fpx_preference *ret_preference,
                           fpx_error *err)
{
    const size_t batches = fpx_corpus_valid_batches(t->corpus);
    const size_t trained = (size_t)t->experiment->steps * t->experiment->data.accumulate;
    const int pairs = t->reference != NULL;
    pair_count counted = { .n = 0 };
    fpx_status status = preference_finish(t, err);
    double sum = 0.0, weights = 0.0;
    size_t targets = 0, bytes = 0;
    const size_t full = (size_t)t->experiment->data.batch * t->experiment->data.sequence;

    if (status != FPX_OK)
        return status;
    if (batches == 0)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: data.validation is 0, there is nothing to evaluate",
                             t->experiment->name);
    for (size_t i = 0; i < batches; i++) {
        if ((status = trainer_prepare_evaluation(t, err)) !=
            FPX_OK) /* a batch leaves no trace in a history */
            return status;
        fpx_corpus_valid(t->corpus, i, fpx_exec_data(t->eval_exec, t->eval_model->micro[0].tokens),
                         fpx_exec_data(t->eval_exec, t->eval_model->micro[0].targets));
        preference_write(t, trained + i, t->eval_exec, t->eval_model->micro[0].reference);
        if ((status = fpx_exec_step(t->eval_exec, 0, err)) != FPX_OK)
            return status;
        const size_t before = targets;

        count_targets(t, fpx_exec_data(t->eval_exec, t->eval_model->micro[0].targets), full,
                      &targets, &bytes);
        const double weight = pairs ? 1.0 : (double)(targets - before) / (double)full;

        if (pairs)
            preference_add(&counted, t->eval_model,
                           fpx_exec_data(t->eval_exec, t->eval_model->micro[0].margin));

        sum += weight * (double)*(const float *)fpx_exec_data(t->eval_exec, t->eval_model->loss);
        weights += weight;
    }
    *ret_bits = sum / weights / 0x1.62e42fefa39efp-1 * /* nats / ln 2 */
                (pairs ? 1.0 : (double)targets / (double)bytes);
    *ret_preference = preference_of(&counted);
    return FPX_OK;
}

fpx_status fpx_trainer_evaluate_pairs(fpx_trainer *trainer, double *ret_bits,
                                      fpx_preference *ret_preference, fpx_error *err)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const fpx_status status = evaluate(trainer, ret_bits, ret_preference, err);

    fpx_fpenv_leave(env);
    return status;
}

fpx_status fpx_trainer_evaluate(fpx_trainer *trainer, double *ret_bits_per_byte, fpx_error *err)
{
    fpx_preference preference;

    return fpx_trainer_evaluate_pairs(trainer, ret_bits_per_byte, &preference, err);
}

const char *fpx_trainer_unit(const fpx_trainer *trainer)
{
    if (trainer->reference != NULL)
        return "pair";
    return trainer->experiment->data.tokens != NULL && fpx_corpus_tokenizer(trainer->corpus) == NULL
               ? "token"
               : "byte";
}

/* The trainer's own forward program, whose batch is the experiment's: temperature 1, the seed's stream. */
static fpx_status sample(fpx_trainer *trainer, const char *prompt, size_t count, char *ret_text,
                         fpx_error *err)
{
    const fpx_experiment *e = trainer->experiment;
    const fpx_sampling sampling = { .tokens = count, .temperature = 1.0, .seed = e->seed };
    generator g = { .tokenizer = fpx_corpus_tokenizer(trainer->corpus),
                    .sequence = e->data.sequence,
                    .batch = e->data.batch,
                    .vocabulary = e->model.vocabulary,
                    .ends = e->data.kind != FPX_DATA_TEXT };
    fpx_status status;
    char *text = NULL;
    size_t n = 0;

    if (g.tokenizer == NULL && e->data.tokens != NULL)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: tokens without a tokenizer are no text: give data.tokenizer",
                             e->name);
    if ((status = trainer_prepare_evaluation(trainer, err)) != FPX_OK)
        return status;
    g.exec = trainer->eval_exec;
    g.model = trainer->eval_model;
    status = generate(&g, prompt, strlen(prompt), &sampling, &text, &n, err);
    if (status != FPX_OK)
        return status;
    n = n < count ? n : count;
    for (size_t i = 0; i < n; i++)
        ret_text[i] = (char)((text[i] < 32 || text[i] > 126) && text[i] != '\n' ? '?' : text[i]);
    ret_text[n] = '\0';
    free(text);
    return FPX_OK;
}

fpx_status fpx_trainer_sample(fpx_trainer *trainer, const char *prompt, size_t count,
                              char *ret_text, fpx_error *err)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const fpx_status status = sample(trainer, prompt, count, ret_text, err);

    fpx_fpenv_leave(env);
    return status;
}
