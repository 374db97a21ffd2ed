/* golden_parts.h - a golden in memory, and the checks that its text carries: shared by its writer and its
 * reader. */
#ifndef COMPARE_GOLDEN_PARTS_H
#define COMPARE_GOLDEN_PARTS_H

#include <fpx/golden.h>

/* MARK: bytes of a row's digest that are kept. CHECK: digits that end each line of a step or a row. */
enum { GOLDEN_MARK = 3, GOLDEN_HEADERS = 4, GOLDEN_CHECK = 6 };

extern const char golden_first_line[];
extern const char *const golden_header_keys[GOLDEN_HEADERS]; /* lines 2 .. */

struct fpx_golden {
    char headers[GOLDEN_HEADERS][FPX_GOLDEN_NAME];
    char (*rows)[FPX_GOLDEN_NAME];
    size_t nrows;
    fpx_digest *chain;             /* [steps] */
    uint8_t (*marks)[GOLDEN_MARK]; /* [steps][nrows] */
    size_t steps, room;
};

/* A word that the text form can hold: without white space where it ends at the next space. */
int golden_fits(const char *text, int one_word);

/* The first digits of the digest of a line's n bytes. */
void golden_check_of(const char *line, size_t n, char ret_check[GOLDEN_CHECK + 1]);

#endif /* COMPARE_GOLDEN_PARTS_H */
