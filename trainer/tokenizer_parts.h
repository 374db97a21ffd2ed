/* tokenizer_parts.h - what a tokenizer is made of: shared by the tokenizer's files. */
#ifndef TRAINER_TOKENIZER_PARTS_H
#define TRAINER_TOKENIZER_PARTS_H

#include <fpx/tokenizer.h>

#include "pair_map.h"

enum { BYTE_TOKENS = 256 };

typedef struct token_pair {
    uint16_t left, right;
} token_pair;

struct fpx_tokenizer {
    size_t vocabulary;
    token_pair *merges; /* [vocabulary - 256] */
    size_t *start;      /* [vocabulary + 1]: token t has the bytes from start[t] to start[t + 1] */
    unsigned char *bytes;
    pair_map ids; /* pair -> merged token */
};

/* From merges whose tokens are earlier ones, no pair twice. FPX_EINVAL: a token would be longer than a piece; text
 * names the merge. FPX_ENOMEM. */
fpx_status tokenizer_make(const token_pair *merges, size_t n, fpx_tokenizer **ret_tokenizer,
                          fpx_error *err);

/* Bytes of the first piece of a text that has at least one byte. */
size_t tokenizer_piece(const unsigned char *text, size_t count);

/* Merges every occurrence of the pair, leftmost first; returns the new length. */
size_t tokenizer_merge(uint16_t *tokens, size_t n, token_pair pair, uint16_t merged);

#endif /* TRAINER_TOKENIZER_PARTS_H */
