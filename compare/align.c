/* align.c - steps pair by number, records by (operation, tensor); what has no partner is named, never
 * skipped in silence. */
#include "align.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int same_record(const fpx_trace_record *x, const fpx_trace_record *y)
{
    return strcmp(x->tensor, y->tensor) == 0 && strcmp(x->op, y->op) == 0 &&
           fpx_tensor_same_kind(&x->desc, &y->desc);
}

/* Mostly both are the same program, so the partner is looked for first where the last one was. */
static size_t find_record(const fpx_trace_layout *layout, const fpx_trace_record *wanted,
                          size_t near)
{
    for (size_t k = 0; k < layout->nrecords; k++) {
        const size_t i = (near + k) % layout->nrecords;

        if (same_record(&layout->records[i], wanted))
            return i;
    }
    return layout->nrecords;
}

static void align_records(const fpx_trace_layout *la, const fpx_trace_layout *lb, alignment *al)
{
    int odd = 0;

    al->whole = la->nrecords == lb->nrecords;
    for (size_t i = 0; i < la->nrecords; i++) {
        const size_t j = find_record(lb, &la->records[i], i);

        if (j == lb->nrecords) {
            al->odd = odd ? al->odd : la->records[i];
            odd = 1;
            al->whole = 0;
            continue;
        }
        al->whole = al->whole && i == j;
        al->records[al->nrecords++] = (aligned){ i, j };
    }
    for (size_t j = 0; j < lb->nrecords && !odd; j++) {
        if (find_record(la, &lb->records[j], j) != la->nrecords)
            continue;
        al->odd = lb->records[j];
        odd = 1;
    }
    if (!al->whole && !odd &&
        al->nrecords > 0) /* same records in another order: name the first moved */
        for (size_t i = 0; i < al->nrecords && !odd; i++) {
            odd = al->records[i].a != al->records[i].b;
            al->odd = la->records[al->records[i].a];
        }
}

fpx_status align_traces(fpx_trace *a, fpx_trace *b, alignment *ret_align, fpx_error *err)
{
    const fpx_trace_layout *la = fpx_trace_layout_of(a), *lb = fpx_trace_layout_of(b);
    const size_t na = fpx_trace_steps(a), nb = fpx_trace_steps(b);
    alignment al = { 0 };

    al.records = calloc(la->nrecords + 1, sizeof *al.records);
    al.steps = calloc(na + 1, sizeof *al.steps);
    if (al.records == NULL || al.steps == NULL) {
        align_free(&al);
        return fpx_error_set(err, FPX_ENOMEM, "comparing traces: out of memory");
    }
    align_records(la, lb, &al);
    for (size_t i = 0, j = 0; i < na && j < nb;) {
        const uint64_t x = fpx_trace_step_at(a, i), y = fpx_trace_step_at(b, j);

        if (x == y)
            al.steps[al.nsteps++] = (aligned){ i, j };
        i += x <= y;
        j += y <= x;
    }
    al.same_start = al.nsteps > 0 && al.steps[0].a == 0 && al.steps[0].b == 0;
    *ret_align = al;
    return FPX_OK;
}

void align_free(alignment *align)
{
    free(align->records);
    free(align->steps);
}

void align_index(const fpx_tensor *desc, uint64_t i, uint64_t ret_index[FPX_MAX_DIMS])
{
    for (size_t d = 0; d < FPX_MAX_DIMS; d++)
        ret_index[d] = 0;
    for (size_t d = desc->ndim; d-- > 0;) {
        ret_index[d] = i % desc->shape[d];
        i /= desc->shape[d];
    }
}

uint64_t fpx_ulp_distance(const fpx_format *format, uint64_t a, uint64_t b)
{
    const uint64_t sign = UINT64_C(1) << (format->bits - 1);
    const uint64_t ma = a & (sign - 1), mb = b & (sign - 1);

    if (format->cls != FPX_CLASS_FLOAT)
        return a > b ? a - b : b - a;
    if (isnan(fpx_format_value(format, a)) || isnan(fpx_format_value(format, b)))
        return a == b ? 0 : UINT64_MAX;
    if ((a & sign) != (b & sign))
        return ma + mb;
    return ma > mb ? ma - mb : mb - ma;
}

/* The loss is one number, so its mean in the statistics is it, exactly. */
static fpx_status losses(fpx_trace *trace, size_t record, double *ret_loss, fpx_error *err)
{
    const size_t n = fpx_trace_steps(trace);
    fpx_stats *stats = calloc(fpx_trace_layout_of(trace)->nrecords, sizeof *stats);
    fpx_status status = FPX_OK;

    if (stats == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "comparing losses: out of memory");
    for (size_t i = 0; i < n && status == FPX_OK; i++) {
        status = fpx_trace_stats(trace, i, stats, NULL, err);
        ret_loss[i] = stats[record].nan + stats[record].inf > 0 ? (double)NAN : stats[record].mean;
    }
    free(stats);
    return status;
}

static double step_to_step(const double *loss, size_t n)
{
    double sum = 0.0;

    for (size_t i = 1; i < n; i++)
        sum += (loss[i] - loss[i - 1]) * (loss[i] - loss[i - 1]);
    return n > 1 ? sqrt(sum / (double)(n - 1)) : 0.0;
}

static void fill_losses(fpx_trace *a, const alignment *align, const double *x, const double *y,
                        fpx_diff *diff)
{
    diff->loss_noise = step_to_step(x, fpx_trace_steps(a));
    for (size_t s = 0; s < align->nsteps; s++) {
        const double u = x[align->steps[s].a], v = y[align->steps[s].b];
        const uint64_t step = fpx_trace_step_at(a, align->steps[s].a);

        if (u == v || (isnan(u) && isnan(v)))
            continue;
        if (diff->loss_bits == UINT64_MAX)
            diff->loss_bits = step;
        if (diff->loss_visible == UINT64_MAX && !(fabs(u - v) <= diff->loss_noise))
            diff->loss_visible = step;
    }
}

fpx_status align_losses(fpx_trace *a, fpx_trace *b, const alignment *align, fpx_diff *diff,
                        fpx_error *err)
{
    const fpx_trace_layout *la = fpx_trace_layout_of(a);
    double *x = calloc(fpx_trace_steps(a) + 1, sizeof *x);
    double *y = calloc(fpx_trace_steps(b) + 1, sizeof *y);
    fpx_status status = x && y ? FPX_OK : FPX_ENOMEM;

    if (status != FPX_OK)
        (void)fpx_error_set(err, status, "comparing losses: out of memory");
    for (size_t r = 0; r < align->nrecords && status == FPX_OK; r++) {
        if (strcmp(la->records[align->records[r].a].tensor, "loss") != 0)
            continue;
        status = losses(a, align->records[r].a, x, err);
        if (status == FPX_OK)
            status = losses(b, align->records[r].b, y, err);
        if (status == FPX_OK)
            fill_losses(a, align, x, y, diff);
        break;
    }
    free(x);
    free(y);
    return status;
}
