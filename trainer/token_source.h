/* token_source.h - from where an experiment's tokens come: a text's bytes, a text through a tokenizer, or a .npy file;
 * checked before the first step. */
#ifndef TRAINER_TOKEN_SOURCE_H
#define TRAINER_TOKEN_SOURCE_H

#include <stddef.h>
#include <string.h>

#include <fpx/config.h>
#include <fpx/npy.h>
#include <fpx/tokenizer.h>

typedef struct token_source {
    const char *path; /* the experiment's, for messages */
    const unsigned char *data;
    size_t size;              /* bytes of a token: 1, 2, 4; little-endian, not aligned */
    size_t count;             /* tokens */
    fpx_tokenizer *tokenizer; /* NULL: none */
    char *text;               /* what holds the tokens: one of these three */
    uint16_t *encoded;
    fpx_npy_map map;
} token_source;

/* FPX_EIO: cannot be read; FPX_EFORMAT: another sha256, no tokens; FPX_EINVAL: a token beyond model.vocabulary. */
fpx_status token_source_open(const fpx_experiment *experiment, token_source *ret_source,
                             fpx_error *err);
void token_source_close(token_source *source);

/* Parts of it, for data of another form: the whole text (checked against sha256), and the tokenizer, or NULL where the
 * experiment has none; both the caller's. */
fpx_status token_source_text(const fpx_experiment *experiment, char **ret_text, size_t *ret_count,
                             fpx_error *err);
fpx_status token_source_tokenizer(const fpx_experiment *experiment, fpx_tokenizer **ret_tokenizer,
                                  fpx_error *err);

static inline int32_t token_source_at(const token_source *source, size_t i)
{
    uint32_t token = 0;

    memcpy(&token, source->data + i * source->size, source->size); /* little-endian: io/npy.c */
    return (int32_t)token;
}

#endif /* TRAINER_TOKEN_SOURCE_H */
