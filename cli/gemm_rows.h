/* gemm_rows.h - which rows of a long table a person needs to see. */
#ifndef CLI_GEMM_ROWS_H
#define CLI_GEMM_ROWS_H

#include "gemm_steps.h"

enum { GEMM_ROWS = 48 }; /* half of a page's, so that a page of two units has a table of each */

/* Of a step's events those that lose most. */
typedef struct gemm_rows {
    size_t at[GEMM_ROWS], n; /* numbers of events, those that lose most first */
    size_t left_out;
    long double lost; /* by those left out: sum of magnitudes */
} gemm_rows;

/* Among the events [begin, end) about products, of one kind or, with kind below 0, of any. Those that lose nothing are
 * left out. */
void gemm_rows_choose(const gemm_step *step, size_t begin, size_t end, int kind,
                      gemm_rows *ret_rows);

int gemm_rows_have(const gemm_rows *rows, size_t event);

#endif /* CLI_GEMM_ROWS_H */
