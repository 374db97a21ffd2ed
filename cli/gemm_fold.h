/* gemm_fold.h - steps of an element on a page: those that matter in full, runs of others in a line each. */
#ifndef CLI_GEMM_FOLD_H
#define CLI_GEMM_FOLD_H

#include <stdio.h>

#include "gemm_steps.h"

/* Steps [begin, end) of the story, tables of about `rows` rows in all. FPX_ENOMEM with text. */
fpx_status gemm_print_steps(FILE *out, const gemm_element *element, const gemm_story *story,
                            size_t begin, size_t end, size_t rows, fpx_error *err);

#endif /* CLI_GEMM_FOLD_H */
