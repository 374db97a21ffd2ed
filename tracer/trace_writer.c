/* trace_writer.c - steps into segments. Values go to the file as they are put; everything else is
 * gathered in one buffer and written at commit, the counter last. */
#include "trace_writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace_layout.h"
#include "trace_master.h"

/* A segment is a unit of loss by damage and of opening time: 128 MiB, but never more steps than are
 * expected; without a hint 64, doubling with each segment. */
enum { SEGMENT_BYTES = 128 << 20, SEGMENT_STEPS = 64, SEGMENT_DOUBLINGS = 14 };

static uint8_t *row_of(const fpx_trace_writer *w, size_t column)
{
    return w->row + w->schema.columns[column].start;
}

static uint64_t segment_capacity(const fpx_trace_writer *w)
{
    const uint64_t fit = SEGMENT_BYTES / (w->schema.step_size > 0 ? w->schema.step_size : 1);
    const uint64_t doublings =
        w->segments < SEGMENT_DOUBLINGS ? w->segments : (uint64_t)SEGMENT_DOUBLINGS;
    const uint64_t want = w->left > 0 ? w->left : (uint64_t)SEGMENT_STEPS << doublings;

    if (fit == 0)
        return 1;
    return fit < want ? fit : want;
}

static fpx_status next_segment(fpx_trace_writer *w, fpx_error *err)
{
    fpx_segment fresh = FPX_NO_SEGMENT;
    fpx_status status = fpx_segment_close(&w->segment, err); /* a full disk may show only here */

    if (status == FPX_OK && w->segments >= FPX_TRACE_MAX_SEGMENTS)
        status = fpx_error_set(err, FPX_EUNSUPPORTED, "%s: too many segments", w->path);
    if (status == FPX_OK)
        status = fpx_segment_create(w->path, w->segments, &w->schema, w->layout_digest, w->chain,
                                    segment_capacity(w), &fresh, err);
    if (status != FPX_OK)
        return status;
    status = fpx_master_write(w->path, w->layout, w->segments + 1, w->planned, err);
    if (status != FPX_OK) {
        fpx_segment_close(&fresh, NULL); /* unnamed: the next attempt replaces it */
        return status;
    }
    w->segment = fresh;
    w->segments++;
    return FPX_OK;
}

/* While steps recorded before are compared, each must come again. */
static fpx_status check_earlier(const fpx_trace_writer *w, uint64_t step, fpx_error *err)
{
    const uint64_t expected = fpx_trace_step_at(w->earlier, w->earlier_index);

    if (step != expected)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: step %llu was begun where the recorded step %llu comes again",
                             w->path, (unsigned long long)step, (unsigned long long)expected);
    return FPX_OK;
}

/* Figures that are not put stay NaN: "no such shadow here". */
static void clear_figures(fpx_trace_writer *w)
{
    for (size_t mode = 0; mode < w->layout->nmodes; mode++) {
        double *figures = (double *)(void *)row_of(w, FPX_COLUMN_FIGURES + mode);
        for (size_t i = 0; i < w->layout->nrecords * FPX_FIGURE_COLUMNS; i++)
            figures[i] = (double)NAN;
    }
}

fpx_status fpx_trace_begin(fpx_trace_writer *w, uint64_t step, fpx_error *err)
{
    fpx_status status = FPX_OK;

    w->in_step = 0;
    if (w->diverged)
        return fpx_error_set(err, FPX_ENUMERIC, "%s", w->finding.text);
    if (w->has_last && step <= w->last)
        return fpx_error_set(err, FPX_EINVAL, "%s: step %llu does not follow step %llu", w->path,
                             (unsigned long long)step, (unsigned long long)w->last);
    if (w->earlier != NULL && w->earlier_index >= fpx_trace_steps(w->earlier)) {
        fpx_trace_free(w->earlier);
        w->earlier = NULL;
    }
    if (w->earlier != NULL)
        status = check_earlier(w, step, err);
    else if (w->segment.fd < 0 || w->segment.committed == w->segment.capacity)
        status = next_segment(w, err);
    if (status != FPX_OK)
        return status;
    clear_figures(w);
    w->in_step = 1;
    w->step = step;
    w->next = 0;
    return FPX_OK;
}

static const void *unpack(const fpx_trace_writer *w, const fpx_tensor *desc, const void *codes)
{
    const uint8_t *packed = codes;
    const size_t n = fpx_tensor_count(desc);

    if (desc->packing != FPX_PACK_DENSE)
        return codes;
    for (size_t i = 0; i < n; i++)
        w->unpacked[i] = (uint8_t)((packed[i / 2] >> (4 * (i % 2))) & 15);
    return w->unpacked;
}

fpx_status fpx_trace_put(fpx_trace_writer *w, size_t record, const void *codes, double scale,
                         fpx_error *err)
{
    fpx_stats stats;

    if (!w->in_step || record != w->next || record >= w->layout->nrecords)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: record %zu was put where record %zu of %zu is due", w->path,
                             record, w->in_step ? w->next : 0, w->layout->nrecords);
    const fpx_tensor *desc = &w->layout->records[record].desc;
    const fpx_status status = fpx_stats_codes(&desc->format, scale, unpack(w, desc, codes),
                                              fpx_tensor_count(desc), &stats);
    if (status != FPX_OK)
        return fpx_error_set(err, status, "%s: no statistics of '%s': %s", w->path,
                             w->layout->records[record].tensor, fpx_status_text(status));
    double *row = (double *)(void *)row_of(w, FPX_COLUMN_STATS);
    uint32_t *exponents = (uint32_t *)(void *)row_of(w, FPX_COLUMN_EXPONENTS);
    fpx_stats_to_row(&stats, scale, row + record * FPX_STATS_COLUMNS,
                     exponents + record * FPX_STATS_BINS);
    w->digests[record] = fpx_digest_tensor(desc, codes);

    const size_t column = w->schema.value_column[record];
    if (column != FPX_NO_COLUMN && w->earlier == NULL) {
        const fpx_status written = fpx_segment_put(&w->segment, &w->schema, column, codes, err);
        if (written != FPX_OK) {
            w->in_step = 0;
            return written;
        }
    }
    w->next++;
    return FPX_OK;
}

fpx_status fpx_trace_put_figure(fpx_trace_writer *w, size_t mode, size_t record,
                                const fpx_figure *figure, fpx_error *err)
{
    if (!w->in_step || mode >= w->layout->nmodes || record >= w->layout->nrecords)
        return fpx_error_set(err, FPX_EINVAL, "%s: a figure of mode %zu, record %zu: %s", w->path,
                             mode, record, w->in_step ? "there is none such" : "no step is begun");
    double *figures = (double *)(void *)row_of(w, FPX_COLUMN_FIGURES + mode);
    fpx_figure_to_row(figure, figures + record * FPX_FIGURE_COLUMNS);
    return FPX_OK;
}

/* The tree above the record digests. */
static fpx_digest step_digest(const fpx_trace_writer *w, fpx_digest *ops)
{
    size_t nops = 0;

    for (size_t from = 0, to; from < w->layout->nrecords; from = to) {
        to = fpx_layout_op_end(w->layout, from);
        ops[nops++] = fpx_digest_list(w->digests + from, to - from);
    }
    return fpx_digest_list(ops, nops);
}

/* A step that came again: equal, or a finding that names the first record that differs. */
static fpx_status compare_earlier(fpx_trace_writer *w, fpx_digest digest, fpx_error *err)
{
    fpx_digest recorded;
    fpx_status status = fpx_trace_step_digest(w->earlier, w->earlier_index, &recorded, err);

    if (status != FPX_OK || fpx_digest_equal(digest, recorded))
        return status;
    fpx_digest *there = malloc(w->layout->nrecords * sizeof *there);
    if (there == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: no memory for digests", w->path);
    status = fpx_trace_digests(w->earlier, w->earlier_index, there, err);
    size_t first = 0;
    if (status == FPX_OK) {
        while (first < w->layout->nrecords && fpx_digest_equal(there[first], w->digests[first]))
            first++;
    }
    free(there);
    if (status != FPX_OK)
        return status;
    w->diverged = 1;
    if (first == w->layout->nrecords)
        fpx_error_set(&w->finding, FPX_ENUMERIC,
                      "%s: step %llu came again with the same records, but its recorded digest "
                      "differs: the file is damaged",
                      w->path, (unsigned long long)w->step);
    else
        fpx_error_set(&w->finding, FPX_ENUMERIC,
                      "%s: step %llu came again with other bits, first in '%s', written by '%s'",
                      w->path, (unsigned long long)w->step, w->layout->records[first].tensor,
                      w->layout->records[first].op);
    return fpx_error_set(err, FPX_ENUMERIC, "%s", w->finding.text);
}

static fpx_status write_step(fpx_trace_writer *w, fpx_digest step, fpx_digest chain, fpx_error *err)
{
    const size_t nrecords = w->layout->nrecords;
    uint8_t *parts = row_of(w, FPX_COLUMN_PART_DIGEST);
    fpx_status status = FPX_OK;

    memcpy(row_of(w, FPX_COLUMN_STEPS), &w->step, sizeof w->step);
    memcpy(row_of(w, FPX_COLUMN_RECORD_DIGEST), w->digests, nrecords * sizeof *w->digests);
    memcpy(row_of(w, FPX_COLUMN_OP_DIGEST), w->digests + nrecords,
           w->schema.nops * sizeof *w->digests);
    memcpy(row_of(w, FPX_COLUMN_STEP_DIGEST), &step, sizeof step);
    memcpy(row_of(w, FPX_COLUMN_CHAIN), &chain, sizeof chain);
    for (size_t i = 0; i < fpx_schema_parts(&w->schema); i++) {
        const size_t column = fpx_schema_part_column(i);
        const fpx_digest digest =
            fpx_digest_bytes(row_of(w, column), w->schema.columns[column].row);

        memcpy(parts + i * sizeof digest, &digest, sizeof digest);
    }
    for (size_t i = 0; i < w->schema.nnarrow && status == FPX_OK; i++)
        status = fpx_segment_put(&w->segment, &w->schema, i, row_of(w, i), err);
    return status == FPX_OK ? fpx_segment_commit(&w->segment, err) : status;
}

fpx_status fpx_trace_commit(fpx_trace_writer *w, fpx_error *err)
{
    if (!w->in_step || w->next != w->layout->nrecords)
        return fpx_error_set(err, FPX_EINVAL, "%s: commit after %zu of %zu records", w->path,
                             w->in_step ? w->next : 0, w->layout->nrecords);
    const fpx_digest step = step_digest(w, w->digests + w->layout->nrecords);
    const fpx_digest chain = fpx_digest_chain(w->chain, step);
    const fpx_status status =
        w->earlier != NULL ? compare_earlier(w, step, err) : write_step(w, step, chain, err);

    w->in_step = 0;
    if (status != FPX_OK)
        return status;
    if (w->earlier != NULL)
        w->earlier_index++;
    if (w->left > 0)
        w->left--;
    w->has_last = 1;
    w->last = w->step;
    w->chain = chain;
    return FPX_OK;
}

fpx_digest fpx_trace_chain(const fpx_trace_writer *writer)
{
    return writer->chain;
}

fpx_status fpx_trace_close(fpx_trace_writer *w, fpx_error *err)
{
    if (w == NULL)
        return FPX_OK;
    const fpx_status status = fpx_segment_close(&w->segment, err);
    if (w->lock >= 0)
        close(w->lock); /* and with it the lock */
    fpx_trace_free(w->earlier);
    fpx_schema_free(&w->schema);
    free(w->layout);
    free(w->path);
    free(w->row);
    free(w->unpacked);
    free(w->digests);
    free(w);
    return status;
}
