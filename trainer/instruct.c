/* instruct.c - records to tokens. Prompt and response are encoded each for itself, as they are when a model is asked;
 * token 0, the zero byte, which no record holds, ends the response and is learnt. */
#include "instruct.h"

#include <stdlib.h>

#include <fpx/records.h>

/* Tokens of a text at tokens[*n]; room for its bytes. */
static size_t encode(const token_source *s, const char *text, uint16_t *tokens)
{
    const size_t count = strlen(text);

    if (s->tokenizer != NULL)
        return fpx_tokenizer_encode(s->tokenizer, text, count, tokens);
    for (size_t i = 0; i < count; i++)
        tokens[i] = (unsigned char)text[i];
    return count;
}

/* A sequence behind those that are there. */
static fpx_status add(const fpx_experiment *e, const fpx_record *r, const char *response,
                      token_source *s, instruct *of, fpx_error *err)
{
    const size_t i = of->n++;

    of->prompts[i] = encode(s, r->prompt, s->encoded + s->count);
    s->count += of->prompts[i];
    s->count += encode(s, response, s->encoded + s->count);
    s->encoded[s->count++] = 0;
    of->start[i + 1] = s->count;
    if (s->count - of->start[i] > (size_t)e->data.sequence + 1)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s:%zu: prompt, %s and end are %zu tokens; data.sequence %lu takes "
                             "%lu: raise it, or shorten the record",
                             s->path, r->line,
                             response == r->rejected ? "rejected response" : "response",
                             s->count - of->start[i], (unsigned long)e->data.sequence,
                             (unsigned long)e->data.sequence + 1);
    return FPX_OK;
}

/* Room for texts that no vocabulary has made shorter. */
static size_t room_of(const fpx_records *records)
{
    size_t room = 1;

    for (size_t i = 0; i < records->n; i++) {
        const fpx_record *r = &records->at[i];

        room += strlen(r->prompt) + strlen(r->response) + 1;
        if (r->rejected != NULL)
            room += strlen(r->prompt) + strlen(r->rejected) + 1;
    }
    return room;
}

static fpx_status fill(const fpx_experiment *e, const fpx_records *records, token_source *s,
                       instruct *of, fpx_error *err)
{
    fpx_status status = FPX_OK;

    of->group = e->data.kind == FPX_DATA_PREFERENCE ? 2 : 1;
    s->encoded = calloc(room_of(records), sizeof *s->encoded);
    of->start = calloc(of->group * records->n + 1, sizeof *of->start);
    of->prompts = calloc(of->group * records->n, sizeof *of->prompts);
    if (s->encoded == NULL || of->start == NULL || of->prompts == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", s->path);
    for (size_t i = 0; i < records->n && status == FPX_OK; i++) {
        const fpx_record *r = &records->at[i];

        status = add(e, r, r->response, s, of, err);
        if (status == FPX_OK && r->rejected != NULL)
            status = add(e, r, r->rejected, s, of, err);
    }
    s->data = (const unsigned char *)s->encoded;
    s->size = sizeof *s->encoded;
    return status;
}

fpx_status instruct_open(const fpx_experiment *experiment, token_source *ret_source,
                         instruct *ret_instruct, fpx_error *err)
{
    token_source s = { .path = experiment->data.corpus };
    instruct of = { .n = 0 };
    fpx_records records = { .n = 0 };
    size_t count = 0;
    fpx_status status = token_source_tokenizer(experiment, &s.tokenizer, err);

    if (status == FPX_OK)
        status = token_source_text(experiment, &s.text, &count, err);
    if (status == FPX_OK)
        status = fpx_records_parse(s.path, s.text, count,
                                   experiment->data.kind == FPX_DATA_PREFERENCE, &records, err);
    if (status == FPX_OK)
        status = fill(experiment, &records, &s, &of, err);
    fpx_records_free(&records);
    free(s.text);
    s.text = NULL;
    if (status != FPX_OK) {
        token_source_close(&s);
        instruct_close(&of);
        return status;
    }
    *ret_source = s;
    *ret_instruct = of;
    return FPX_OK;
}

void instruct_close(instruct *of)
{
    free(of->start);
    free(of->prompts);
    *of = (instruct){ .n = 0 };
}
