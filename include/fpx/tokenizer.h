/* fpx/tokenizer.h - byte-level byte-pair encoding: any bytes to tokens and back, without loss.
 *
 * Tokens 0 .. 255 are the bytes; token 256 + i is the i-th merge, the concatenation of two earlier tokens
 * (Sennrich et al. 2016, on bytes as in GPT-2).
 *
 * Text is first cut into pieces; no token crosses a cut. Every byte has a class:
 *   letter  A-Z a-z and all bytes from 0x80 on        blank  9 .. 13 and 32
 *   digit   0-9                                       other  the rest
 * A piece is a run of one class of at most FPX_TOKENIZER_PIECE bytes. A space (32) just before a byte that is
 * not blank begins that byte's piece, and counts as one of its bytes. (So a token's text has a known bound,
 * and work is linear in the text whatever is in it.)
 *
 * Training: every merge takes the pair of adjacent tokens that occurs most often in all pieces (positions are
 * counted: "aaa" has two pairs "aa"); of equally frequent ones that with the lower left token, then the lower
 * right token. In a piece the leftmost occurrence is merged first. It ends where no pair occurs twice.
 * Encoding: within a piece, the adjacent pair of the earliest merge, its leftmost occurrence, until there is
 * none. */
#ifndef FPX_TOKENIZER_H
#define FPX_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    FPX_TOKENIZER_MIN = 257,   /* tokens of a vocabulary: one merge at least */
    FPX_TOKENIZER_MAX = 65536, /* so that a token is a uint16_t */
    FPX_TOKENIZER_PIECE = 64   /* bytes */
};

typedef struct fpx_tokenizer fpx_tokenizer; /* never changes: any number of threads may use one */

/* Learns a vocabulary of at most `vocabulary` tokens. FPX_EINVAL: vocabulary is not within the limits above, or
 * no pair of the text occurs twice; FPX_ENOMEM (also: a text of 4 GiB or more). */
fpx_status fpx_tokenizer_train(const void *text, size_t count, uint32_t vocabulary,
                               fpx_tokenizer **ret_tokenizer, fpx_error *err);
void fpx_tokenizer_free(fpx_tokenizer *tokenizer); /* NULL is fine */

uint32_t fpx_tokenizer_vocabulary(const fpx_tokenizer *tokenizer);

/* The bytes of a token, 1 .. FPX_TOKENIZER_PIECE of them, owned by the tokenizer. token is below the
 * vocabulary. */
const void *fpx_tokenizer_bytes(const fpx_tokenizer *tokenizer, uint16_t token, size_t *ret_count);

/* Tokens of a text: at most `count` of them, for which ret_tokens has room. Returns how many. */
size_t fpx_tokenizer_encode(const fpx_tokenizer *tokenizer, const void *text, size_t count,
                            uint16_t *ret_tokens);

/* Bytes of n tokens: how many, and the bytes themselves where ret_bytes is not NULL (then it has room for
 * them). FPX_EINVAL: a token that is not in the vocabulary; the text says which. FPX_ENOMEM: overflow. */
fpx_status fpx_tokenizer_decode(const fpx_tokenizer *tokenizer, const uint16_t *tokens, size_t n,
                                void *ret_bytes, size_t *ret_count, fpx_error *err);

/* ---- files: ASCII, one form only, so that equal tokenizers are equal files ----
 *
 *   fpx-tokenizer 1
 *   vocabulary 4096
 *   116 104               left and right token of token 256, then of 257, ...
 *   ...
 *   sha256 HEX            of all bytes before this line */

/* FPX_EIO: cannot be read. FPX_EFORMAT: no such file, cut, changed, a merge of later tokens, a pair given twice,
 * a token longer than a piece; the text says the line. */
fpx_status fpx_tokenizer_read(const char *path, fpx_tokenizer **ret_tokenizer, fpx_error *err);
/* The same from `count` bytes; label stands for the file's name. */
fpx_status fpx_tokenizer_parse(const char *label, const char *text, size_t count,
                               fpx_tokenizer **ret_tokenizer, fpx_error *err);

/* The file's content, to be freed with free(); a zero byte that is not counted follows. FPX_ENOMEM. */
fpx_status fpx_tokenizer_text(const fpx_tokenizer *tokenizer, char **ret_text, size_t *ret_count,
                              fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_TOKENIZER_H */
