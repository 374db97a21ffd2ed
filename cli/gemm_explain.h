/* gemm_explain.h - fpx gemm --explain: one element of a product, step by step, by one unit or by two. */
#ifndef CLI_GEMM_EXPLAIN_H
#define CLI_GEMM_EXPLAIN_H

#include "gemm_job.h"

typedef struct gemm_explain_words {
    const char *element; /* --explain: "I,J", of a batch "P,I,J" */
    const char *against; /* --against: another unit; NULL: none */
    const char *json;    /* --json; NULL: none */
} gemm_explain_words;

/* Whether there is such an element: before anything is computed. FPX_EINVAL with text. */
fpx_status gemm_explain_check(const gemm_job *job, const char *element, fpx_error *err);

/* Prints the page, and writes the JSON (fpx.gemm-explain/1) where it is asked for. *ret_differ: the two units give
 * other results. FPX_EINVAL: no such element or unit; what gemm_model_choose and fpx_mma refuse; FPX_ENOMEM, FPX_EIO;
 * all with text. */
fpx_status gemm_explain(const gemm_job *job, const gemm_explain_words *words, int *ret_differ,
                        fpx_error *err);

#endif /* CLI_GEMM_EXPLAIN_H */
