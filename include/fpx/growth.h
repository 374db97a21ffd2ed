/* fpx/growth.h - what a trace's shadow said of each step as a whole: how its distances and errors grow. */
#ifndef FPX_GROWTH_H
#define FPX_GROWTH_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>
#include <fpx/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One step of one shadow. NaN: it says nothing of that, or did not look. */
typedef struct fpx_growth {
    uint64_t step;
    uint64_t seen;   /* results looked at (fpx_figure_says); 0: the rest says nothing */
    uint64_t judged; /* of these, results that the shadow could contradict */
    double
        parameters; /* of all parameters after the update: |theirs - the shadow's| / |the shadow's|, Euclidean */
    double loss; /* |loss - the shadow's| */
    double
        error; /* largest rms / rms_reference of a result; Inf: an error where the reference is 0 */
    double
        ratio; /* largest error / bound of a product, or of any result where that is above 1: what rounds
                     once, a quantizer or an addition, comes to its bound in every step */
    double mismatches; /* results that disagree: where the shadow judges, else NaN */
    size_t error_record, ratio_record; /* where the largest were */
} fpx_growth;

/* 0 for the figure of a result that the shadow did not look at: it was not in the sample, or the shadow has nothing to
 * say of it and did not run it (fpx_figure_unseen, fpx_figure_none of fpx/shadow.h). */
int fpx_figure_says(const fpx_figure *figure);

/* rms / rms_reference; 0 where there is no error, Inf where the reference is 0, NaN where there is no figure. */
double fpx_figure_relative(const fpx_figure *figure);

/* From the figures of one step, layout->nrecords of them, ret_growth->step being the caller's. Parameters are what
 * adamw, sgd and lion have as their first output. */
void fpx_growth_of(const fpx_trace_layout *layout, const fpx_trace_mode *mode,
                   const fpx_figure *figures, fpx_growth *ret_growth);

/* All steps of mode `mode`: fpx_trace_steps rows. FPX_EINVAL: there is no such mode; as fpx_trace_figures; FPX_ENOMEM. */
fpx_status fpx_growth_read(fpx_trace *trace, size_t mode, fpx_growth *ret_rows, fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_GROWTH_H */
