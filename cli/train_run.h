/* train_run.h - one whole run for a table: trained, evaluated, and nothing left of it but its results. */
#ifndef CLI_TRAIN_RUN_H
#define CLI_TRAIN_RUN_H

#include "session.h"

enum { TRAIN_SAMPLE = 120, TRAIN_FINDING = 640 };

typedef struct train_outcome {
    double validation; /* bits; NaN where the run was ended at a NaN or Inf */
    const char *unit;  /* of them: "byte", "token", "pair" */
    double
        flushed; /* share of the values that are not 0, of the tensors asked for, that the last step stored as 0 */
    uint64_t looked_at; /* how many such values there were */
    char finding
        [TRAIN_FINDING]; /* the first value that is not finite: "step 3, op, tensor: ..."; "": none */
    char sample[TRAIN_SAMPLE + 1]; /* "" where none was asked for, or tokens are no text */
} train_outcome;

/* flushed: shell pattern of quantized tensors, or NULL; prompt: of the sample, or NULL; quiet: no progress.
 * FPX_EINTERRUPTED, FPX_EINVAL where nothing is held back for validation, and what a session gives. */
fpx_status train_run(const session_options *options, const char *pattern, const char *prompt,
                     int quiet, train_outcome *ret_outcome, fpx_error *err);

#endif /* CLI_TRAIN_RUN_H */
