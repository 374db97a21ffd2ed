/* flushed.h - an observer that counts what a quantizer makes 0: values that were not 0 and are stored as 0. */
#ifndef CLI_FLUSHED_H
#define CLI_FLUSHED_H

#include <fpx/exec.h>

typedef struct flushed {
    const char *pattern; /* shell pattern of the names of quantizers' outputs, "*.v" */
    uint64_t step;       /* the one that is looked at */
    uint64_t values;     /* that were not 0 before */
    uint64_t zeros;      /* of them, after */
} flushed;

/* Attach to the run before its steps; f must outlive it. */
fpx_observer flushed_observer(flushed *f);

/* Quantizers of the program whose output the pattern matches. */
size_t flushed_matches(const fpx_program *program, const char *pattern);

#endif /* CLI_FLUSHED_H */
