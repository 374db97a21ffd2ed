/* gemm_text.h - what the pages of an explanation are made of: numbers as text, binary digits in columns, a table. */
#ifndef CLI_GEMM_TEXT_H
#define CLI_GEMM_TEXT_H

#include "gemm_page.h"
#include "gemm_rows.h"

enum {
    GEMM_WIDTH = 100,
    GEMM_LEFT = 45, /* columns before the digits: of a table, of a row of operations */
    GEMM_OPERATION_LEFT = 61,
    GEMM_TABLE_DIGITS = 7, /* of a number in a table; its code is in the JSON */
    GEMM_ACCUMULATOR_DIGITS = 9,
    GEMM_SCALES_TEXT = 2 * GEMM_TEXT + 8
};

/* A code's value in so many digits at most. */
const char *gemm_digits_text(const fpx_mma_code *x, int most, char ret_text[GEMM_TEXT]);

/* The element as the unit reads it; a star where that is not what lies in memory. */
const char *gemm_element_text(const fpx_mma_code *read, uint64_t given, char ret_text[GEMM_TEXT]);

/* "toward zero". */
const char *gemm_round_text(const fpx_mma_model *model);

/* The exponent of the result's last place: of a rounding or an operation, to so many fraction bits. */
int gemm_last_place(const fpx_mma_model *model, const fpx_mma_event *event, int fraction);

/* A window onto binary digits: weights from 2^top down, a mark after 2^at. */
typedef struct gemm_view {
    int top, at;
    int room; /* columns, the sign not among them */
} gemm_view;

/* Sign and digits, and the end of the line; what lies beyond the window is "..". */
void gemm_print_digits(const gemm_page *page, const fpx_mma_value *x, const gemm_view *view);

/* "2^24          2^-1|": the weights of the first column and of the last one before the mark. */
void gemm_print_scale(const gemm_page *page, const gemm_view *view);

/* "12 more terms, of which nothing is cut"; nothing where none is left out. */
void gemm_print_left_out(gemm_page *page, const gemm_rows *rows, const char *what,
                         const char *verb);

/* The table of a block, its heading aside; the model is ALIGNED or EXACT. */
void gemm_print_block(gemm_page *page, const gemm_step *step);

#endif /* CLI_GEMM_TEXT_H */
