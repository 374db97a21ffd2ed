/* gemm_page.h - steps of one element for a person: 100 columns, each number's bits below the largest exponent, a mark
 * where the unit cuts, what is lost to the right of it. */
#ifndef CLI_GEMM_PAGE_H
#define CLI_GEMM_PAGE_H

#include <stdio.h>

#include "gemm_steps.h"

typedef struct gemm_page {
    FILE *out;
    const fpx_mma_model *model;
    int colours;
    int in_rows; /* the last line was one of a table of operations */
} gemm_page;

enum { GEMM_TEXT = 64 };

/* A code's value, in as few digits as its format needs. */
const char *gemm_code_text(const fpx_mma_code *x, char ret_text[GEMM_TEXT]);

/* "-0.375", "2^-25", "nothing". */
const char *gemm_value_text(const fpx_mma_value *x, char ret_text[GEMM_TEXT]);

/* floor(log2 |x|); x is a number and not 0. */
int gemm_top(const fpx_mma_value *x);

/* One step: a table, or a row of a table of operations that goes on until another kind of step. */
void gemm_page_step(gemm_page *page, const gemm_step *step);

#endif /* CLI_GEMM_PAGE_H */
