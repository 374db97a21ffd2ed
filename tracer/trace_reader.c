/* trace_reader.c - a trace as a list of steps over its segments, one of them open at a time. */
#include "trace_reader.h"

#include <stdlib.h>
#include <string.h>

#include "trace_master.h"

/* ---- opening ---- */
static fpx_status show(fpx_trace *trace, uint64_t segment, fpx_error *err)
{
    if (trace->view.path != NULL && trace->open == segment)
        return FPX_OK;
    fpx_segment_view_close(&trace->view);
    const fpx_status status = fpx_segment_open(trace->path, segment, &trace->schema,
                                               trace->layout_digest, &trace->view, err);
    if (status == FPX_OK)
        trace->open = segment;
    return status;
}

/* Adds the committed steps of one segment to the list; their numbers must rise. */
static fpx_status list_segment(fpx_trace *trace, uint64_t segment, fpx_error *err)
{
    fpx_status status = show(trace, segment, err);

    if (status != FPX_OK)
        return status;
    const size_t more = (size_t)trace->view.committed; /* their numbers lie in the file: it fits */
    trace->spans[segment] = (fpx_span){ trace->nsteps, trace->view.capacity };
    if (more == 0)
        return FPX_OK;
    uint64_t *steps = realloc(trace->steps, (trace->nsteps + more) * sizeof *steps);
    if (steps == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: no memory for step numbers", trace->path);
    trace->steps = steps;
    status = fpx_segment_get(&trace->view, &trace->schema, FPX_COLUMN_STEPS, 0, more,
                             steps + trace->nsteps, err);
    for (size_t i = 0; i < more && status == FPX_OK; i++) {
        const size_t at = trace->nsteps + i;
        if (at > 0 && steps[at] <= steps[at - 1])
            status = fpx_error_set(err, FPX_EFORMAT, "%s: dataset 'steps': step %llu follows %llu",
                                   trace->view.path, (unsigned long long)steps[at],
                                   (unsigned long long)steps[at - 1]);
    }
    trace->nsteps += more;
    return status;
}

static fpx_status allocate(fpx_trace *trace, fpx_error *err)
{
    trace->row = malloc(trace->schema.narrow_row);
    trace->spans = calloc((size_t)trace->nsegments + 1, sizeof *trace->spans);
    if (trace->row == NULL || trace->spans == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: no memory for a trace", trace->path);
    return FPX_OK;
}

fpx_status fpx_trace_open(const char *path, fpx_trace **ret_trace, fpx_error *err)
{
    fpx_trace *trace = calloc(1, sizeof *trace);
    fpx_status status = FPX_OK;

    if (trace == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: no memory for a trace", path);
    trace->view = FPX_NO_VIEW;
    trace->path = fpx_trace_home(path);
    if (trace->path == NULL)
        status = fpx_error_set(err, FPX_ENOMEM, "%s: no memory for a trace", path);
    if (status == FPX_OK)
        status = fpx_master_read(path, &trace->layout, &trace->layout_digest, &trace->nsegments,
                                 &trace->planned, err);
    if (status == FPX_OK)
        status = fpx_schema_make(trace->layout, &trace->schema, err);
    if (status == FPX_OK)
        status = allocate(trace, err);
    for (uint64_t i = 0; status == FPX_OK && i < trace->nsegments; i++)
        status = list_segment(trace, i, err);
    if (status != FPX_OK) {
        fpx_trace_free(trace);
        return status;
    }
    *ret_trace = trace;
    return FPX_OK;
}

void fpx_trace_free(fpx_trace *trace)
{
    if (trace == NULL)
        return;
    fpx_segment_view_close(&trace->view);
    fpx_schema_free(&trace->schema);
    free(trace->layout);
    free(trace->path);
    free(trace->spans);
    free(trace->steps);
    free(trace->row);
    free(trace);
}

/* ---- what it holds ---- */
const fpx_trace_layout *fpx_trace_layout_of(const fpx_trace *trace)
{
    return trace->layout;
}

size_t fpx_trace_steps(const fpx_trace *trace)
{
    return trace->nsteps;
}

uint64_t fpx_trace_planned(const fpx_trace *trace)
{
    return trace->planned;
}

int fpx_trace_incomplete(const fpx_trace *trace)
{
    return trace->nsteps < trace->planned;
}

uint64_t fpx_trace_step_at(const fpx_trace *trace, size_t index)
{
    return index < trace->nsteps ? trace->steps[index] : UINT64_MAX;
}

size_t fpx_trace_segments(const fpx_trace *trace)
{
    return (size_t)trace->nsegments;
}

size_t fpx_trace_ops(const fpx_trace *trace)
{
    return trace->schema.nops;
}

/* The last segment that starts at or before the step: empty ones share a start with the next. */
static uint64_t segment_of(const fpx_trace *trace, size_t index)
{
    uint64_t low = 0;
    uint64_t high = trace->nsegments;

    while (high - low > 1) {
        const uint64_t middle = low + (high - low) / 2;
        if (trace->spans[middle].first <= index)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Shows the segment of a step, and says which of its rows the step is. */
static fpx_status find_row(fpx_trace *trace, size_t index, uint64_t *ret_row, fpx_error *err)
{
    if (index >= trace->nsteps)
        return fpx_error_set(err, FPX_EINVAL, "%s: step index %zu of %zu", trace->path, index,
                             trace->nsteps);
    const uint64_t segment = segment_of(trace, index);
    const fpx_status status = show(trace, segment, err);
    if (status != FPX_OK)
        return status;
    const uint64_t row = index - trace->spans[segment].first;
    if (trace->view.capacity != trace->spans[segment].capacity || row >= trace->view.committed)
        return fpx_error_set(err, FPX_EFORMAT, "%s: changed while it was read", trace->view.path);
    *ret_row = row;
    return FPX_OK;
}

/* One row of a narrow column, in the trace's own buffer at the column's place. */
static fpx_status get_row(fpx_trace *trace, size_t index, size_t column, const void **ret_row,
                          fpx_error *err)
{
    unsigned char *buffer = trace->row + trace->schema.columns[column].start;
    uint64_t row = 0;
    fpx_status status = find_row(trace, index, &row, err);

    if (status == FPX_OK)
        status = fpx_segment_get(&trace->view, &trace->schema, column, row, 1, buffer, err);
    if (status == FPX_OK)
        *ret_row = buffer;
    return status;
}

static fpx_status get_digests(fpx_trace *trace, size_t index, size_t column, size_t n,
                              fpx_digest *ret_digests, fpx_error *err)
{
    const void *row = NULL;
    const fpx_status status = get_row(trace, index, column, &row, err);

    if (status == FPX_OK)
        memcpy(ret_digests, row, n * sizeof *ret_digests);
    return status;
}

fpx_status fpx_trace_chain_at(fpx_trace *trace, size_t index, fpx_digest *ret_chain, fpx_error *err)
{
    return get_digests(trace, index, FPX_COLUMN_CHAIN, 1, ret_chain, err);
}

fpx_status fpx_trace_step_digest(fpx_trace *trace, size_t index, fpx_digest *ret_digest,
                                 fpx_error *err)
{
    return get_digests(trace, index, FPX_COLUMN_STEP_DIGEST, 1, ret_digest, err);
}

fpx_status fpx_trace_digests(fpx_trace *trace, size_t index, fpx_digest *ret_digests,
                             fpx_error *err)
{
    return get_digests(trace, index, FPX_COLUMN_RECORD_DIGEST, trace->layout->nrecords, ret_digests,
                       err);
}

fpx_status fpx_trace_op_digests(fpx_trace *trace, size_t index, fpx_digest *ret_digests,
                                fpx_error *err)
{
    return get_digests(trace, index, FPX_COLUMN_OP_DIGEST, trace->schema.nops, ret_digests, err);
}

fpx_status fpx_trace_part(fpx_trace *trace, size_t index, size_t part, const void **ret_row,
                          fpx_error *err)
{
    const size_t column = fpx_schema_part_column(part);
    const void *digests = NULL, *row = NULL;
    fpx_digest recorded;
    fpx_status status = get_row(trace, index, FPX_COLUMN_PART_DIGEST, &digests, err);

    if (status == FPX_OK)
        status = get_row(trace, index, column, &row, err);
    if (status != FPX_OK)
        return status;
    memcpy(&recorded, (const fpx_digest *)digests + part, sizeof recorded);
    if (!fpx_digest_equal(recorded, fpx_digest_bytes(row, trace->schema.columns[column].row)))
        return fpx_error_set(err, FPX_EFORMAT,
                             "%s: step %llu: '%s' is not what was digested: the file is damaged",
                             trace->view.path, (unsigned long long)trace->steps[index],
                             trace->schema.columns[column].name);
    *ret_row = row;
    return FPX_OK;
}

fpx_status fpx_trace_stats(fpx_trace *trace, size_t index, fpx_stats *ret_stats, double *ret_scales,
                           fpx_error *err)
{
    const void *stats_row = NULL;
    const void *bins_row = NULL;
    fpx_stats stats;
    double scale;
    fpx_status status = fpx_trace_part(trace, index, FPX_PART_STATS, &stats_row, err);

    if (status == FPX_OK)
        status = fpx_trace_part(trace, index, FPX_PART_EXPONENTS, &bins_row, err);
    if (status != FPX_OK)
        return status;
    /* Twice: every row is checked before the caller's memory is touched. */
    for (int write = 0; write < 2; write++) {
        for (size_t i = 0; i < trace->layout->nrecords; i++) {
            const double *row = (const double *)stats_row + i * FPX_STATS_COLUMNS;
            const uint32_t *bins = (const uint32_t *)bins_row + i * FPX_STATS_BINS;

            if (!fpx_stats_from_row(row, bins, &stats, &scale))
                return fpx_error_set(err, FPX_EFORMAT,
                                     "%s: dataset 'stats', step %llu, record %zu: no such count",
                                     trace->view.path, (unsigned long long)trace->steps[index], i);
            if (write)
                ret_stats[i] = stats;
            if (write && ret_scales != NULL)
                ret_scales[i] = scale;
        }
    }
    return FPX_OK;
}

fpx_status fpx_trace_figures(fpx_trace *trace, size_t index, size_t mode, fpx_figure *ret_figures,
                             fpx_error *err)
{
    const void *row = NULL;

    if (mode >= trace->layout->nmodes)
        return fpx_error_set(err, FPX_EINVAL, "%s: shadow mode %zu of %zu", trace->path, mode,
                             trace->layout->nmodes);
    const fpx_status status = fpx_trace_part(trace, index, FPX_PART_FIGURES + mode, &row, err);
    for (size_t i = 0; i < trace->layout->nrecords && status == FPX_OK; i++)
        fpx_figure_from_row((const double *)row + i * FPX_FIGURE_COLUMNS, &ret_figures[i]);
    return status;
}

fpx_status fpx_trace_values(fpx_trace *trace, size_t index, size_t record, void *ret_codes,
                            fpx_error *err)
{
    uint64_t row = 0;

    if (record >= trace->layout->nrecords)
        return fpx_error_set(err, FPX_EINVAL, "%s: record %zu of %zu", trace->path, record,
                             trace->layout->nrecords);
    if (trace->schema.value_column[record] == FPX_NO_COLUMN)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: values of '%s' were not recorded, only digest and statistics",
                             trace->path, trace->layout->records[record].tensor);
    const fpx_status status = find_row(trace, index, &row, err);
    if (status != FPX_OK)
        return status;
    return fpx_segment_get(&trace->view, &trace->schema, trace->schema.value_column[record], row, 1,
                           ret_codes, err);
}
