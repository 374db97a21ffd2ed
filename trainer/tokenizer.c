/* tokenizer.c - pieces, encoding and decoding: fpx/tokenizer.h's rules in code. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer_parts.h"

enum letters { LETTER, DIGIT, BLANK, OTHER };

static enum letters class_of(unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80)
        return LETTER;
    if (c >= '0' && c <= '9')
        return DIGIT;
    return (c >= 9 && c <= 13) || c == ' ' ? BLANK : OTHER;
}

size_t tokenizer_piece(const unsigned char *text, size_t count)
{
    const size_t max = count < FPX_TOKENIZER_PIECE ? count : FPX_TOKENIZER_PIECE;
    const size_t first = count > 1 && text[0] == ' ' && class_of(text[1]) != BLANK ? 1 : 0;
    const enum letters class = class_of(text[first]);
    size_t n = first + 1;

    while (n < max && class_of(text[n]) == class)
        n++;
    if (class == BLANK && n < count && text[n - 1] == ' ' && class_of(text[n]) != BLANK)
        n--; /* that space begins the next piece; it is not the only byte: first would be 1 */
    return n;
}

size_t tokenizer_merge(uint16_t *tokens, size_t n, token_pair pair, uint16_t merged)
{
    size_t to = 0;

    for (size_t i = 0; i < n; to++) {
        const int hit = i + 1 < n && tokens[i] == pair.left && tokens[i + 1] == pair.right;

        tokens[to] = hit ? merged : tokens[i];
        i += hit ? 2 : 1;
    }
    return to;
}

/* ids[i]: what tokens i and i + 1 would become; a new token is later than the pair that made it, so that the
 * earliest one's occurrences are merged from left to right whichever is looked for first. */
static size_t encode_piece(const fpx_tokenizer *t, const unsigned char *text, size_t n,
                           uint16_t *tokens)
{
    uint32_t ids[FPX_TOKENIZER_PIECE];

    for (size_t i = 0; i < n; i++)
        tokens[i] = text[i];
    for (size_t i = 0; i + 1 < n; i++)
        ids[i] = pair_map_find(&t->ids, pair_key(tokens[i], tokens[i + 1]));
    while (n > 1) {
        size_t best = 0;

        for (size_t i = 1; i + 1 < n; i++)
            best = ids[i] < ids[best] ? i : best;
        if (ids[best] == PAIR_NONE)
            break;
        tokens[best] = (uint16_t)ids[best];
        n--;
        memmove(tokens + best + 1, tokens + best + 2, (n - best - 1) * sizeof *tokens);
        memmove(ids + best, ids + best + 1, (n - best) * sizeof *ids);
        if (best > 0)
            ids[best - 1] = pair_map_find(&t->ids, pair_key(tokens[best - 1], tokens[best]));
        if (best + 1 < n)
            ids[best] = pair_map_find(&t->ids, pair_key(tokens[best], tokens[best + 1]));
    }
    return n;
}

size_t fpx_tokenizer_encode(const fpx_tokenizer *tokenizer, const void *text, size_t count,
                            uint16_t *ret_tokens)
{
    const unsigned char *at = text;
    size_t n = 0;

    while (count > 0) {
        const size_t piece = tokenizer_piece(at, count);

        n += encode_piece(tokenizer, at, piece, ret_tokens + n);
        at += piece;
        count -= piece;
    }
    return n;
}

fpx_status fpx_tokenizer_decode(const fpx_tokenizer *tokenizer, const uint16_t *tokens, size_t n,
                                void *ret_bytes, size_t *ret_count, fpx_error *err)
{
    unsigned char *to = ret_bytes;
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        if (tokens[i] >= tokenizer->vocabulary)
            return fpx_error_set(err, FPX_EINVAL,
                                 "token %zu is %u; the tokenizer has 0 .. %zu: these tokens are "
                                 "another tokenizer's",
                                 i, tokens[i], tokenizer->vocabulary - 1);
        const size_t from = tokenizer->start[tokens[i]];
        const size_t length = tokenizer->start[tokens[i] + 1] - from;

        if (length > SIZE_MAX - count)
            return fpx_error_set(err, FPX_ENOMEM, "the text of %zu tokens is too long", n);
        if (to != NULL)
            memcpy(to + count, tokenizer->bytes + from, length);
        count += length;
    }
    *ret_count = count;
    return FPX_OK;
}

/* Texts of all tokens, and the map: start[] says where the parts of a merge are, for they are earlier. */
static fpx_status fill(fpx_tokenizer *t, fpx_error *err)
{
    size_t end = BYTE_TOKENS;

    for (size_t i = 0; i < BYTE_TOKENS; i++) {
        t->start[i] = i;
        t->bytes[i] = (unsigned char)i;
    }
    for (size_t i = BYTE_TOKENS; i < t->vocabulary; i++) {
        const token_pair *m = &t->merges[i - BYTE_TOKENS];
        const uint16_t parts[2] = { m->left, m->right };

        t->start[i] = end;
        for (size_t k = 0; k < 2; k++) {
            const size_t from = t->start[parts[k]], to = t->start[parts[k] + 1];

            if (end - t->start[i] + (to - from) > FPX_TOKENIZER_PIECE)
                return fpx_error_set(err, FPX_EINVAL,
                                     "merge %zu makes a token longer than a piece, %d bytes",
                                     i - BYTE_TOKENS, FPX_TOKENIZER_PIECE);
            memcpy(t->bytes + end, t->bytes + from, to - from);
            end += to - from;
        }
        if (pair_map_add(&t->ids, pair_key(m->left, m->right), (uint32_t)i) != FPX_OK)
            return fpx_error_set(err, FPX_ENOMEM, "tokenizer: out of memory");
    }
    t->start[t->vocabulary] = end;
    return FPX_OK;
}

fpx_status tokenizer_make(const token_pair *merges, size_t n, fpx_tokenizer **ret_tokenizer,
                          fpx_error *err)
{
    fpx_tokenizer *t = calloc(1, sizeof *t);
    fpx_status status = FPX_ENOMEM;

    if (t != NULL) {
        t->vocabulary = BYTE_TOKENS + n;
        t->merges = malloc((n + 1) * sizeof *t->merges);
        t->start = malloc((t->vocabulary + 1) * sizeof *t->start);
        t->bytes = malloc(t->vocabulary * FPX_TOKENIZER_PIECE);
    }
    if (t == NULL || t->merges == NULL || t->start == NULL || t->bytes == NULL ||
        pair_map_make(&t->ids) != FPX_OK) {
        status = fpx_error_set(err, FPX_ENOMEM, "tokenizer: out of memory");
    } else {
        memcpy(t->merges, merges, n * sizeof *merges);
        status = fill(t, err);
    }
    if (status != FPX_OK) {
        fpx_tokenizer_free(t);
        return status;
    }
    *ret_tokenizer = t;
    return FPX_OK;
}

void fpx_tokenizer_free(fpx_tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    free(tokenizer->merges);
    free(tokenizer->start);
    free(tokenizer->bytes);
    pair_map_free(&tokenizer->ids);
    free(tokenizer);
}

uint32_t fpx_tokenizer_vocabulary(const fpx_tokenizer *tokenizer)
{
    return (uint32_t)tokenizer->vocabulary;
}

const void *fpx_tokenizer_bytes(const fpx_tokenizer *tokenizer, uint16_t token, size_t *ret_count)
{
    *ret_count = tokenizer->start[token + (size_t)1] - tokenizer->start[token];
    return tokenizer->bytes + tokenizer->start[token];
}
