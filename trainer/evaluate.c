/* evaluate.c - the forward pass alone: bits per byte on the validation part, and text samples. */
#include <math.h>
#include <string.h>

#include <fpx/cpu.h>
#include <fpx/elemfn.h>
#include <fpx/stream.h>

#include "sites.h"
#include "trainer_state.h"

/* The forward program with today's parameters: names are the same in both programs. */
fpx_status trainer_prepare_evaluation(fpx_trainer *t, fpx_error *err)
{
    fpx_status status = FPX_OK;

    if (t->eval_model == NULL)
        status = fpx_model_build(t->experiment, t->recipe, 0, 0, 0, &t->eval_model, err);
    if (status == FPX_OK && t->eval_exec == NULL)
        status = fpx_exec_new(t->eval_model->program, t->devices, t->ndevices, FPX_KEEP_ALL,
                              &t->eval_exec, err);
    if (status != FPX_OK)
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

static fpx_status evaluate(fpx_trainer *t, double *ret_bits_per_byte, fpx_error *err)
{
    const size_t batches = fpx_corpus_valid_batches(t->corpus);
    fpx_status status;
    double sum = 0.0;

    if (batches == 0)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: data.validation is 0, there is nothing to evaluate",
                             t->experiment->name);
    if ((status = trainer_prepare_evaluation(t, err)) != FPX_OK)
        return status;
    for (size_t i = 0; i < batches; i++) {
        fpx_corpus_valid(t->corpus, i, fpx_exec_data(t->eval_exec, t->eval_model->micro[0].tokens),
                         fpx_exec_data(t->eval_exec, t->eval_model->micro[0].targets));
        if ((status = fpx_exec_step(t->eval_exec, 0, err)) != FPX_OK)
            return status;
        sum += (double)*(const float *)fpx_exec_data(t->eval_exec, t->eval_model->loss);
    }
    *ret_bits_per_byte = sum / (double)batches / 0x1.62e42fefa39efp-1; /* nats / ln 2 */
    return FPX_OK;
}

fpx_status fpx_trainer_evaluate(fpx_trainer *trainer, double *ret_bits_per_byte, fpx_error *err)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const fpx_status status = evaluate(trainer, ret_bits_per_byte, err);

    fpx_fpenv_leave(env);
    return status;
}

/* Inverse of the cumulative distribution at `uniform`: softmax of the logits at temperature 1. */
static int draw(const float *logits, size_t n, double uniform)
{
    double top = (double)logits[0], total = 0.0, at = 0.0;

    for (size_t i = 1; i < n; i++)
        top = (double)logits[i] > top ? (double)logits[i] : top;
    for (size_t i = 0; i < n; i++)
        total += fpx_exp_f64((double)logits[i] - top);
    for (size_t i = 0; i < n; i++) {
        at += fpx_exp_f64((double)logits[i] - top);
        if (at > uniform * total)
            return (int)i;
    }
    return (int)n - 1;
}

/* The window slides: the last `sequence` bytes of the text so far, in the batch's first row. Causal
 * attention makes what stands after the last byte irrelevant. */
static fpx_status next_byte(fpx_trainer *t, const char *text, size_t length, double uniform,
                            int *ret_byte, fpx_error *err)
{
    const size_t sequence = t->experiment->data.sequence,
                 vocabulary = t->experiment->model.vocabulary;
    const size_t seen = length < sequence ? length : sequence;
    int32_t *tokens = fpx_exec_data(t->eval_exec, t->eval_model->micro[0].tokens);
    int32_t *targets = fpx_exec_data(t->eval_exec, t->eval_model->micro[0].targets);
    const float *logits = fpx_exec_data(t->eval_exec, t->eval_model->logits);
    fpx_status status;

    for (size_t i = 0; i < sequence * t->experiment->data.batch; i++)
        tokens[i] = targets[i] = 0;
    for (size_t i = 0; i < seen; i++)
        tokens[i] = (unsigned char)text[length - seen + i];
    if ((status = fpx_exec_step(t->eval_exec, 0, err)) != FPX_OK)
        return status;
    *ret_byte = draw(logits + (seen - 1) * vocabulary, vocabulary, uniform);
    return FPX_OK;
}

static fpx_status sample(fpx_trainer *trainer, const char *prompt, size_t count, char *ret_text,
                         fpx_error *err)
{
    const fpx_stream stream = { .seed = trainer->experiment->seed, .site = SITE_SAMPLE };
    const size_t length = strlen(prompt), keep = trainer->experiment->data.sequence;
    fpx_status status;

    if (length == 0)
        return fpx_error_set(err, FPX_EINVAL, "a sample needs a prompt of at least one byte");
    if ((status = trainer_prepare_evaluation(trainer, err)) != FPX_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        char window[4096];
        const size_t room = keep < sizeof window ? keep : sizeof window;
        size_t used = 0;
        int byte = 0;

        for (size_t k = length + i > room ? length + i - room : 0; k < length + i; k++)
            window[used++] = *(k < length ? &prompt[k] : &ret_text[k - length]);
        status = next_byte(trainer, window, used, fpx_stream_uniform(&stream, i), &byte, err);
        if (status != FPX_OK)
            return status;
        ret_text[i] = (char)byte;
    }
    for (size_t i = 0; i < count; i++)
        if ((ret_text[i] < 32 || ret_text[i] > 126) && ret_text[i] != '\n')
            ret_text[i] = '?';
    ret_text[count] = '\0';
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
