/* generate.c - draws one token after the other. The window slides: the last `sequence` tokens so far, in the batch's
 * first row; causal attention makes what stands after the last one irrelevant, but for scales of whole tensors. */
#include "generate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>
#include <fpx/elemfn.h>
#include <fpx/stream.h>

#include "sites.h"

typedef struct candidate {
    double logit;
    size_t token;
} candidate;

/* Larger logits first, then lower tokens. */
static int compare(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return (x->token > y->token) - (x->token < y->token);
}

/* The last of the candidates that are kept; work has room for n. */
static candidate last_kept(const float *logits, size_t n, size_t keep, candidate *work)
{
    for (size_t i = 0; i < n; i++)
        work[i] = (candidate){ (double)logits[i], i };
    qsort(work, n, sizeof *work, compare);
    return work[keep - 1];
}

/* Inverse of the cumulative distribution at `uniform`. */
static uint16_t draw(const float *logits, size_t n, const fpx_sampling *s, candidate *work,
                     double uniform)
{
    const size_t all = s->top_k == 0 || s->top_k > n ? n : s->top_k;
    const size_t keep = s->temperature == 0.0 ? 1 : all;
    const candidate last =
        keep < n ? last_kept(logits, n, keep, work) : (candidate){ -(double)INFINITY, n - 1 };
    double top = (double)logits[0], total = 0.0, at = 0.0;
    size_t token = n - 1;

    if (keep == 1)
        return (uint16_t)last.token;
    for (size_t i = 1; i < n; i++)
        top = (double)logits[i] > top ? (double)logits[i] : top;
    for (size_t i = 0; i < n; i++) {
        const candidate c = { (double)logits[i], i };

        if (compare(&c, &last) <= 0)
            total += fpx_exp_f64((c.logit - top) / s->temperature);
    }
    for (size_t i = 0; i < n; i++) {
        const candidate c = { (double)logits[i], i };

        if (compare(&c, &last) > 0)
            continue;
        token = i;
        at += fpx_exp_f64((c.logit - top) / s->temperature);
        if (at > uniform * total)
            break;
    }
    return (uint16_t)token;
}

static fpx_status next_token(const generator *g, const uint16_t *text, size_t length,
                             const fpx_sampling *s, candidate *work, double uniform,
                             uint16_t *ret_token, fpx_error *err)
{
    const size_t seen = length < g->sequence ? length : g->sequence;
    const size_t has = g->tokenizer ? fpx_tokenizer_vocabulary(g->tokenizer) : 256;
    const size_t n = has < g->vocabulary ? has : g->vocabulary;
    int32_t *tokens = fpx_exec_data(g->exec, g->model->micro[0].tokens);
    int32_t *targets = fpx_exec_data(g->exec, g->model->micro[0].targets);
    const float *logits = fpx_exec_data(g->exec, g->model->logits);
    fpx_status status;

    for (size_t i = 0; i < g->sequence * g->batch; i++)
        tokens[i] = targets[i] = 0;
    for (size_t i = 0; i < seen; i++)
        tokens[i] = text[length - seen + i];
    if ((status = fpx_exec_step(g->exec, 0, err)) != FPX_OK)
        return status;
    logits += (seen - 1) * g->vocabulary;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(logits[i]))
            return fpx_error_set(err, FPX_ENUMERIC,
                                 "the logit of token %zu is %g: nothing can be drawn", i,
                                 (double)logits[i]);
    *ret_token = draw(logits, n, s, work, uniform);
    return FPX_OK;
}

static size_t encode(const generator *g, const unsigned char *prompt, size_t count,
                     uint16_t *tokens)
{
    if (g->tokenizer != NULL)
        return fpx_tokenizer_encode(g->tokenizer, prompt, count, tokens);
    for (size_t i = 0; i < count; i++)
        tokens[i] = prompt[i];
    return count;
}

/* Bytes of the tokens, which are the tokenizer's. */
static fpx_status text_of(const generator *g, const uint16_t *tokens, size_t n, char **ret_text,
                          size_t *ret_count, fpx_error *err)
{
    size_t count = n;
    char *text;

    if (g->tokenizer != NULL)
        (void)fpx_tokenizer_decode(g->tokenizer, tokens, n, NULL, &count, NULL);
    if ((text = calloc(count + 1, 1)) == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "sample: out of memory");
    for (size_t i = 0; i < n && g->tokenizer == NULL; i++)
        text[i] = (char)tokens[i];
    if (g->tokenizer != NULL)
        (void)fpx_tokenizer_decode(g->tokenizer, tokens, n, text, &count, NULL);
    *ret_text = text;
    *ret_count = count;
    return FPX_OK;
}

fpx_status generate(const generator *g, const void *prompt, size_t count,
                    const fpx_sampling *sampling, char **ret_text, size_t *ret_count,
                    fpx_error *err)
{
    const fpx_stream stream = { .seed = sampling->seed, .site = SITE_SAMPLE };
    const size_t room = sampling->tokens;
    fpx_status status = FPX_OK;

    if (count == 0)
        return fpx_error_set(err, FPX_EINVAL, "a sample needs a prompt of at least one byte");
    if (!(sampling->temperature >= 0.0) || isinf(sampling->temperature))
        return fpx_error_set(err, FPX_EINVAL, "a temperature of %g; it must be at least 0",
                             sampling->temperature);
    if (count > SIZE_MAX / 4 || room > SIZE_MAX / 4 - count)
        return fpx_error_set(err, FPX_ENOMEM, "sample: out of memory");
    uint16_t *tokens = calloc(count + room, sizeof *tokens);
    candidate *work = calloc(g->vocabulary, sizeof *work);
    size_t n = 0, given = 0;

    if (tokens == NULL || work == NULL)
        status = fpx_error_set(err, FPX_ENOMEM, "sample: out of memory");
    else
        n = given = encode(g, prompt, count, tokens);
    for (size_t i = 0; i < room && status == FPX_OK; i++) {
        status = next_token(g, tokens, n, sampling, work, fpx_stream_uniform(&stream, i),
                            &tokens[n], err);
        if (status == FPX_OK && g->ends && tokens[n] == 0)
            break;
        n++;
    }
    if (status == FPX_OK)
        status = text_of(g, tokens + given, n - given, ret_text, ret_count, err);
    free(tokens);
    free(work);
    return status;
}
