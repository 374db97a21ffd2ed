/* gemm_explain_json.h - fpx.gemm-explain/1: all steps and events of an element, by one unit or by two. */
#ifndef CLI_GEMM_EXPLAIN_JSON_H
#define CLI_GEMM_EXPLAIN_JSON_H

#include <jansson.h>

#include "gemm_steps.h"

/* The result beside the exact product of what lies in memory. */
typedef struct gemm_summary {
    fpx_mma_code result, nearest; /* nearest: the exact product to nearest even */
    int is_exact, is_measured;    /* the exact product is a number; the result is one too: */
    long double exact;            /* NaN or Inf where it is none */
    long double error, ulps;      /* result - exact; in the result's last place */
} gemm_summary;

gemm_summary gemm_summary_of(const gemm_element *element, const gemm_story *story);

/* at: product, row, column. NULL: out of memory. */
json_t *gemm_explain_json(const gemm_element *elements, const gemm_story *stories,
                          const fpx_mma_preset *const *presets, size_t units, const size_t at[3]);

#endif /* CLI_GEMM_EXPLAIN_JSON_H */
