/* growth.c - the figures of a step as a few numbers: distances of a free shadow, errors of a local one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/growth.h>

static int is_parameter(const fpx_trace_layout *layout, size_t record)
{
    static const char *const kinds[] = { "adamw", "sgd", "lion" };
    const fpx_trace_record *r = &layout->records[record];

    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        if (strcmp(r->kind, kinds[k]) == 0)
            return record == 0 || layout->records[record - 1].op_index != r->op_index;
    return 0;
}

int fpx_figure_says(const fpx_figure *f)
{
    return !isnan(f->max_abs) || !isnan(f->ratio);
}

double fpx_figure_relative(const fpx_figure *f)
{
    if (isnan(f->rms) || f->rms == 0.0)
        return f->rms; /* no figure; no error, whatever the reference */
    return f->rms_reference > 0.0 ? f->rms / f->rms_reference : (double)INFINITY;
}

static void take_larger(double x, size_t record, double *most, size_t *ret_record)
{
    if (isnan(x) || x <= *most) /* not where the one so far is NaN */
        return;
    *most = x;
    *ret_record = record;
}

void fpx_growth_of(const fpx_trace_layout *layout, const fpx_trace_mode *mode,
                   const fpx_figure *figures, fpx_growth *ret_growth)
{
    const int bits = fpx_trace_demands_bits(mode);
    double distance = 0.0, length = 0.0, disagree = 0.0;
    uint64_t parameters = 0;
    fpx_growth g = { .step = ret_growth->step,
                     .parameters = (double)NAN,
                     .loss = (double)NAN,
                     .error = (double)NAN,
                     .ratio = (double)NAN,
                     .mismatches = (double)NAN };

    for (size_t r = 0; r < layout->nrecords; r++) {
        const fpx_figure *f = &figures[r];
        const double n = (double)fpx_tensor_count(&layout->records[r].desc);

        if (!fpx_figure_says(f))
            continue;
        g.seen++;
        take_larger(fpx_figure_relative(f), r, &g.error, &g.error_record);
        if (f->ratio > 1.0 || strcmp(layout->records[r].kind, "gemm") == 0)
            take_larger(f->ratio, r, &g.ratio, &g.ratio_record);
        if (bits ? !isnan(f->max_abs) : f->ratio >= 0.0) {
            g.judged++;
            disagree += f->mismatches > 0.0 ? 1.0 : 0.0;
        }
        if (is_parameter(layout, r) && !isnan(f->rms)) {
            parameters++;
            distance += f->rms * f->rms * n;
            length += f->rms_reference * f->rms_reference * n;
        }
        if (strcmp(layout->records[r].tensor, "loss") == 0)
            g.loss = f->max_abs;
    }
    if (g.judged > 0)
        g.mismatches = disagree;
    if (parameters > 0 && length > 0.0)
        g.parameters = sqrt(distance) / sqrt(length);
    *ret_growth = g;
}

fpx_status fpx_growth_read(fpx_trace *trace, size_t mode, fpx_growth *ret_rows, fpx_error *err)
{
    const fpx_trace_layout *layout = fpx_trace_layout_of(trace);
    fpx_figure *figures = calloc(layout->nrecords + 1, sizeof *figures);
    fpx_status status = FPX_OK;

    if (figures == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "reading shadows: out of memory");
    if (mode >= layout->nmodes)
        status = fpx_error_set(err, FPX_EINVAL, "shadow %zu of %zu", mode, layout->nmodes);
    for (size_t i = 0; i < fpx_trace_steps(trace) && status == FPX_OK; i++) {
        status = fpx_trace_figures(trace, i, mode, figures, err);
        ret_rows[i].step = fpx_trace_step_at(trace, i);
        if (status == FPX_OK)
            fpx_growth_of(layout, &layout->modes[mode], figures, &ret_rows[i]);
    }
    free(figures);
    return status;
}
