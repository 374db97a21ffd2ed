/* gemm_bounds.h - how far the sums of a product lie from the exact ones, and from what is proved of the unit: fpx gemm
 * --bounds. */
#ifndef CLI_GEMM_BOUNDS_H
#define CLI_GEMM_BOUNDS_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include <fpx/pool.h>

#include "gemm_job.h"

/* Ratios of error to bound, over the sums that have both. */
typedef struct gemm_ratios {
    double most, median;
} gemm_ratios;

typedef struct gemm_bounds {
    uint64_t sums, compared;    /* all; those that were looked at */
    uint64_t unbounded;         /* of those compared: NaN, Inf, or a possible overflow */
    uint64_t undecided;         /* of those compared: by the cheap bound alone */
    uint64_t violations;        /* errors above the tight bound */
    double max_error, max_ulps; /* ulps of the unit's format at the exact value */
    gemm_ratios cheap, tight;
    size_t product, row,
        column;          /* of the first violation; else of the largest error / tight bound */
    double error, bound; /* there */
} gemm_bounds;

/* job has its sums. Of a large product a sample is compared: rows and columns one from each of equal parts, the same in
 * every run. FPX_ENOMEM, FPX_EUNSUPPORTED with text. */
fpx_status gemm_bounds_judge(const gemm_job *job, fpx_pool *pool, gemm_bounds *ret_bounds,
                             fpx_error *err);

void gemm_bounds_print(FILE *out, const gemm_job *job, const gemm_bounds *bounds);
json_t *gemm_bounds_json(const gemm_bounds *bounds);

#endif /* CLI_GEMM_BOUNDS_H */
