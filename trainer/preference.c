/* preference.c - what DPO compares with: log-probabilities of the responses by the model as it was before the first step,
 * batch by batch as training will see them, so that at the first step nothing is preferred yet. */
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>

#include "trainer_state.h"

static int has_preferences(const fpx_trainer *t)
{
    return t->experiment->data.kind == FPX_DATA_PREFERENCE;
}

static size_t train_batches(const fpx_trainer *t)
{
    return (size_t)t->experiment->steps * t->experiment->data.accumulate;
}

static size_t batches(const fpx_trainer *t)
{
    return has_preferences(t) ? train_batches(t) + fpx_corpus_valid_batches(t->corpus) : 0;
}

size_t preference_count(const fpx_trainer *t)
{
    return batches(t) * t->experiment->data.batch;
}

fpx_status preference_new(fpx_trainer *t, fpx_error *err)
{
    if (!has_preferences(t))
        return FPX_OK;
    t->reference = calloc(preference_count(t), sizeof *t->reference);
    return t->reference != NULL ? FPX_OK
                                : fpx_error_set(err, FPX_ENOMEM, "preferences: out of memory");
}

static fpx_status prepare_one(fpx_trainer *t, fpx_error *err)
{
    const size_t n = t->experiment->data.batch, train = train_batches(t);
    fpx_status status = trainer_prepare_evaluation(t, err);

    if (status != FPX_OK)
        return status;
    const fpx_micro_batch *micro = &t->eval_model->micro[0];
    int32_t *tokens = fpx_exec_data(t->eval_exec, micro->tokens);
    int32_t *targets = fpx_exec_data(t->eval_exec, micro->targets);
    if (t->prepared < train)
        fpx_corpus_train(t->corpus, t->prepared, tokens, targets);
    else
        fpx_corpus_valid(t->corpus, t->prepared - train, tokens, targets);
    if ((status = fpx_exec_step(t->eval_exec, 0, err)) != FPX_OK)
        return status;
    memcpy(t->reference + t->prepared * n, fpx_exec_data(t->eval_exec, micro->logp),
           n * sizeof *t->reference);
    t->prepared++;
    return FPX_OK;
}

fpx_status fpx_trainer_prepare(fpx_trainer *trainer, size_t *ret_left, fpx_error *err)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const fpx_status status =
        trainer->prepared < batches(trainer) ? prepare_one(trainer, err) : FPX_OK;

    fpx_fpenv_leave(env);
    if (status == FPX_OK)
        *ret_left = batches(trainer) - trainer->prepared;
    return status;
}

fpx_status preference_finish(fpx_trainer *t, fpx_error *err)
{
    size_t left;
    fpx_status status;

    do
        status = fpx_trainer_prepare(t, &left, err);
    while (status == FPX_OK && left > 0);
    return status;
}

void preference_write(const fpx_trainer *t, size_t batch, fpx_exec *exec, uint32_t input)
{
    const size_t n = t->experiment->data.batch;

    if (input != FPX_NO_TENSOR)
        memcpy(fpx_exec_data(exec, input), t->reference + batch * n, n * sizeof *t->reference);
}

void preference_add(pair_count *count, const fpx_model *model, const float *margin)
{
    const size_t n =
        fpx_tensor_count(&fpx_program_tensor_at(model->program, model->micro[0].margin)->desc);

    for (size_t i = 0; i < n; i++) {
        count->sum += (double)margin[i];
        count->right += margin[i] > 0.0f;
    }
    count->n += n;
}

fpx_preference preference_of(const pair_count *count)
{
    const double n = count->n > 0 ? (double)count->n : 1.0;

    return (fpx_preference){ .margin = count->sum / n, .accuracy = (double)count->right / n };
}
