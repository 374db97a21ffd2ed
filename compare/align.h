/* align.h - which steps and records of two traces belong together, by number and by name. */
#ifndef COMPARE_ALIGN_H
#define COMPARE_ALIGN_H

#include <fpx/diff.h>
#include <fpx/trace.h>

typedef struct aligned {
    size_t a, b; /* index in each trace */
} aligned;

typedef struct alignment {
    aligned *records, *steps;
    size_t nrecords, nsteps;
    int whole;      /* both traces have the same records in the same order */
    int same_start; /* both begin at the same step, so chains can be compared */
    fpx_unpaired unpaired;
    fpx_trace_record odd; /* not whole: the first record that has no equal */
} alignment;

fpx_status align_traces(fpx_trace *a, fpx_trace *b, alignment *ret_align, fpx_error *err);
/* 1 where record `index` of the first (second = 0) or the second trace has a partner. */
int align_has_partner(const alignment *align, int second, size_t index);
void align_free(alignment *align);

/* Code i as it lies in a trace: 4-bit codes may be two a byte, the even one low. */
uint64_t align_code(const fpx_tensor *desc, const void *codes, size_t i);

/* Coordinates of logical element i. */
void align_index(const fpx_tensor *desc, uint64_t i, uint64_t ret_index[FPX_MAX_DIMS]);

/* Fills the loss fields of diff from the records named "loss", where both traces have one of the same
 * format, whatever operation wrote it; loss_compared says whether. */
fpx_status align_losses(fpx_trace *a, fpx_trace *b, const alignment *align, fpx_diff *diff,
                        fpx_error *err);

#endif /* COMPARE_ALIGN_H */
