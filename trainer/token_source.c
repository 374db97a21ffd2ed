/* token_source.c - opens what data.corpus, data.tokens and data.tokenizer name, and looks at every token once. */
#include "token_source.h"

#include <stdlib.h>

#include <fpx/file.h>

enum { TEXT_MAX = 1 << 30 }; /* 1 GiB in memory; larger ones are mapped: data.tokens */

static fpx_status check_sum(const fpx_experiment *e, const char *path, const void *bytes,
                            size_t count, fpx_error *err)
{
    char sum[65];

    if (e->data.sha256 == NULL)
        return FPX_OK;
    fpx_sha256_text(bytes, count, sum);
    return strcmp(sum, e->data.sha256) == 0
               ? FPX_OK
               : fpx_error_set(err, FPX_EFORMAT,
                               "%s: sha256 is %s, but the experiment expects %s: it is another %s",
                               path, sum, e->data.sha256, e->data.tokens ? "file" : "text");
}

fpx_status token_source_text(const fpx_experiment *experiment, char **ret_text, size_t *ret_count,
                             fpx_error *err)
{
    const char *path = experiment->data.corpus;
    char *text = NULL;
    size_t count = 0;
    fpx_status status = fpx_file_read(path, TEXT_MAX, &text, &count, err);

    if (status == FPX_OK)
        status = check_sum(experiment, path, text, count, err);
    if (status != FPX_OK) {
        free(text);
        return status;
    }
    *ret_text = text;
    *ret_count = count;
    return FPX_OK;
}

fpx_status token_source_tokenizer(const fpx_experiment *experiment, fpx_tokenizer **ret_tokenizer,
                                  fpx_error *err)
{
    const char *path = experiment->data.tokenizer;
    fpx_tokenizer *tokenizer = NULL;

    if (path == NULL)
        return FPX_OK;
    const fpx_status status = fpx_tokenizer_read(path, &tokenizer, err);
    if (status != FPX_OK)
        return status;
    if (fpx_tokenizer_vocabulary(tokenizer) > experiment->model.vocabulary) {
        const uint32_t needed = fpx_tokenizer_vocabulary(tokenizer);

        fpx_tokenizer_free(tokenizer);
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: has %lu tokens, but model.vocabulary is %lu: set it to %lu", path,
                             (unsigned long)needed, (unsigned long)experiment->model.vocabulary,
                             (unsigned long)needed);
    }
    *ret_tokenizer = tokenizer;
    return FPX_OK;
}

static fpx_status open_text(const fpx_experiment *e, token_source *s, fpx_error *err)
{
    size_t count = 0;
    const fpx_status status = token_source_text(e, &s->text, &count, err);

    if (status != FPX_OK)
        return status;
    s->data = (const unsigned char *)s->text;
    s->size = 1;
    s->count = count;
    if (s->tokenizer == NULL)
        return FPX_OK;
    if ((s->encoded = malloc((count + 1) * sizeof *s->encoded)) == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", s->path);
    s->count = fpx_tokenizer_encode(s->tokenizer, s->text, count, s->encoded);
    s->data = (const unsigned char *)s->encoded;
    s->size = sizeof *s->encoded;
    free(s->text);
    s->text = NULL;
    return FPX_OK;
}

static fpx_status check_tokens(const fpx_experiment *e, const token_source *s, fpx_error *err)
{
    const uint32_t vocabulary =
        s->tokenizer ? fpx_tokenizer_vocabulary(s->tokenizer) : e->model.vocabulary;

    for (size_t i = 0; i < s->count; i++) {
        uint32_t token = 0;

        memcpy(&token, s->data + i * s->size, s->size);
        if (token >= vocabulary)
            return fpx_error_set(err, FPX_EINVAL, "%s: token %zu is %lu, but the %s has 0 .. %lu",
                                 s->path, i, (unsigned long)token,
                                 s->tokenizer ? "tokenizer" : "vocabulary of the model",
                                 (unsigned long)vocabulary - 1);
    }
    return FPX_OK;
}

static fpx_status open_tokens(const fpx_experiment *e, token_source *s, fpx_error *err)
{
    fpx_status status = fpx_npy_map_open(s->path, &s->map, err);
    const fpx_npy_array *array = &s->map.array;

    if (status == FPX_OK &&
        (array->kind != 'u' || (array->size != 2 && array->size != 4) || array->ndim != 1))
        status = fpx_error_set(err, FPX_EFORMAT,
                               "%s: tokens are one axis of uint16 or uint32 (fpx tokenize encode "
                               "writes them)",
                               s->path);
    if (status == FPX_OK)
        status = check_sum(e, s->path, s->map.file, s->map.bytes, err);
    if (status != FPX_OK)
        return status;
    s->data = s->map.data;
    s->size = array->size;
    s->count = (size_t)fpx_npy_count(array);
    return check_tokens(e, s, err);
}

fpx_status token_source_open(const fpx_experiment *experiment, token_source *ret_source,
                             fpx_error *err)
{
    const fpx_data_config *d = &experiment->data;
    token_source s = { .path = d->tokens ? d->tokens : d->corpus };
    fpx_status status = token_source_tokenizer(experiment, &s.tokenizer, err);

    if (status == FPX_OK)
        status = d->tokens ? open_tokens(experiment, &s, err) : open_text(experiment, &s, err);
    if (status != FPX_OK) {
        token_source_close(&s);
        return status;
    }
    *ret_source = s;
    return FPX_OK;
}

void token_source_close(token_source *source)
{
    free(source->text);
    free(source->encoded);
    fpx_npy_map_close(&source->map);
    fpx_tokenizer_free(source->tokenizer);
    *source = (token_source){ .path = NULL };
}
