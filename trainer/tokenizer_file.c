/* tokenizer_file.c - a tokenizer as a text that a person can read, and back without trust. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/file.h>

#include "tokenizer_parts.h"

/* The largest file there can be: 65280 lines of two numbers of five digits. */
enum { FIRST_LINES = 64, MERGE_LINE = 12, LAST_LINE = 72 };
enum { FILE_MAX = FIRST_LINES + FPX_TOKENIZER_MAX * MERGE_LINE + LAST_LINE };
static const char start[] = "fpx-tokenizer 1\n";

fpx_status fpx_tokenizer_text(const fpx_tokenizer *tokenizer, char **ret_text, size_t *ret_count,
                              fpx_error *err)
{
    const fpx_tokenizer *t = tokenizer;
    const size_t room = FIRST_LINES + t->vocabulary * MERGE_LINE + LAST_LINE + 1;
    char *text = malloc(room), sum[65];
    size_t n;

    if (text == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "tokenizer: out of memory");
    n = (size_t)snprintf(text, room, "%svocabulary %zu\n", start, t->vocabulary);
    for (size_t i = 0; i < t->vocabulary - BYTE_TOKENS; i++)
        n += (size_t)snprintf(text + n, room - n, "%u %u\n", t->merges[i].left, t->merges[i].right);
    fpx_sha256_text(text, n, sum);
    n += (size_t)snprintf(text + n, room - n, "sha256 %s\n", sum);
    *ret_text = text;
    *ret_count = n;
    return FPX_OK;
}

typedef struct reader {
    const char *label, *text;
    size_t count, at, line; /* line: from 1, of `at` */
} reader;

static fpx_status refuse(const reader *r, const char *what, fpx_error *err)
{
    return fpx_error_set(err, FPX_EFORMAT, "%s:%zu: %s", r->label, r->line, what);
}

/* Takes the word if the text goes on with it. */
static int take(reader *r, const char *word)
{
    const size_t n = strlen(word);

    if (r->count - r->at < n || memcmp(r->text + r->at, word, n) != 0)
        return 0;
    r->at += n;
    r->line += n > 0 && word[n - 1] == '\n';
    return 1;
}

/* A number as printf writes it, at most `max`. */
static int take_number(reader *r, size_t max, size_t *ret_number)
{
    const size_t from = r->at;
    size_t number = 0;

    for (; r->at < r->count && r->text[r->at] >= '0' && r->text[r->at] <= '9'; r->at++) {
        number = 10 * number + (size_t)(r->text[r->at] - '0');
        if (number > max)
            return 0;
    }
    *ret_number = number;
    return r->at > from && (r->text[from] != '0' || r->at == from + 1);
}

static fpx_status take_merge(reader *r, size_t token, pair_map *seen, token_pair *ret_pair,
                             fpx_error *err)
{
    size_t left, right;
    char what[128];

    if (!take_number(r, token - 1, &left) || !take(r, " ") || !take_number(r, token - 1, &right) ||
        !take(r, "\n")) {
        (void)snprintf(what, sizeof what,
                       "token %zu must be two earlier tokens, '%s', as in '116 104'", token,
                       "LEFT RIGHT");
        return refuse(r, what, err);
    }
    r->line--; /* of the line just read */
    if (pair_map_find(seen, pair_key((uint32_t)left, (uint32_t)right)) != PAIR_NONE)
        return refuse(r, "this pair is merged already, in a line above", err);
    if (pair_map_add(seen, pair_key((uint32_t)left, (uint32_t)right), 0) != FPX_OK)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", r->label);
    r->line++;
    *ret_pair = (token_pair){ (uint16_t)left, (uint16_t)right };
    return FPX_OK;
}

static fpx_status take_merges(reader *r, size_t vocabulary, token_pair *merges, fpx_error *err)
{
    pair_map seen;
    fpx_status status = pair_map_make(&seen);

    if (status != FPX_OK)
        return fpx_error_set(err, status, "%s: out of memory", r->label);
    for (size_t i = BYTE_TOKENS; i < vocabulary && status == FPX_OK; i++)
        status = take_merge(r, i, &seen, &merges[i - BYTE_TOKENS], err);
    pair_map_free(&seen);
    return status;
}

static fpx_status take_sum(reader *r, fpx_error *err)
{
    char sum[65], line[80];

    fpx_sha256_text(r->text, r->at, sum);
    (void)snprintf(line, sizeof line, "sha256 %s\n", sum);
    if (!take(r, "sha256 "))
        return refuse(r, "more or fewer merges than the vocabulary of line 2 says, or cut", err);
    r->at -= strlen("sha256 ");
    if (!take(r, line))
        return refuse(r, "the sha256 is another: the file was changed or is damaged", err);
    return r->at == r->count ? FPX_OK : refuse(r, "something follows the last line", err);
}

fpx_status fpx_tokenizer_parse(const char *label, const char *text, size_t count,
                               fpx_tokenizer **ret_tokenizer, fpx_error *err)
{
    reader r = { label, text, count, 0, 1 };
    size_t vocabulary;
    fpx_error why = { 0 };
    fpx_status status;

    if (!take(&r, start))
        return refuse(&r,
                      "is no tokenizer of fpx ('fpx-tokenizer 1'); fpx tokenize train "
                      "makes one",
                      err);
    if (!take(&r, "vocabulary ") || !take_number(&r, FPX_TOKENIZER_MAX, &vocabulary) ||
        vocabulary < FPX_TOKENIZER_MIN || !take(&r, "\n"))
        return refuse(&r, "expected 'vocabulary N' with N from 257 to 65536", err);
    token_pair *merges = calloc(vocabulary - BYTE_TOKENS, sizeof *merges);

    if (merges == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    status = take_merges(&r, vocabulary, merges, err);
    if (status == FPX_OK)
        status = take_sum(&r, err);
    if (status == FPX_OK &&
        (status = tokenizer_make(merges, vocabulary - BYTE_TOKENS, ret_tokenizer, &why)) != FPX_OK)
        status = fpx_error_set(err, status == FPX_EINVAL ? FPX_EFORMAT : status, "%s: %s", label,
                               why.text);
    free(merges);
    return status;
}

fpx_status fpx_tokenizer_read(const char *path, fpx_tokenizer **ret_tokenizer, fpx_error *err)
{
    char *text = NULL;
    size_t count = 0;
    fpx_status status = fpx_file_read(path, FILE_MAX, &text, &count, err);

    if (status == FPX_OK)
        status = fpx_tokenizer_parse(path, text, count, ret_tokenizer, err);
    free(text);
    return status;
}
