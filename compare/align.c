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

/* The same record of another format or shape; nrecords: there is none. */
static size_t find_name(const fpx_trace_layout *layout, const fpx_trace_record *wanted)
{
    size_t i = 0;

    while (i < layout->nrecords && (strcmp(layout->records[i].tensor, wanted->tensor) != 0 ||
                                    strcmp(layout->records[i].op, wanted->op) != 0))
        i++;
    return i;
}

static void count_unpaired(fpx_unpaired *u, const fpx_trace_layout *other,
                           const fpx_trace_record *record, int second)
{
    const size_t there = find_name(other, record);

    if (there < other->nrecords) {
        if (second)
            return; /* was counted from the first's side */
        if (u->reshaped++ == 0) {
            u->reshaped_a = *record;
            u->reshaped_b = other->records[there];
        }
    } else if (second) {
        if (u->only_b++ == 0)
            u->first_b = *record;
    } else if (u->only_a++ == 0) {
        u->first_a = *record;
    }
}

int align_has_partner(const alignment *align, int second, size_t index)
{
    for (size_t i = 0; i < align->nrecords; i++)
        if ((second ? align->records[i].b : align->records[i].a) == index)
            return 1;
    return 0;
}

static void align_records(const fpx_trace_layout *la, const fpx_trace_layout *lb, alignment *al)
{
    int odd = 0;

    al->whole = la->nrecords == lb->nrecords;
    for (size_t i = 0; i < la->nrecords; i++) {
        const size_t j = find_record(lb, &la->records[i], i);

        if (j == lb->nrecords) {
            count_unpaired(&al->unpaired, lb, &la->records[i], 0);
            al->odd = odd ? al->odd : la->records[i];
            odd = 1;
            al->whole = 0;
            continue;
        }
        al->whole = al->whole && i == j;
        al->records[al->nrecords++] = (aligned){ i, j };
    }
    for (size_t j = 0; j < lb->nrecords; j++) {
        if (find_record(la, &lb->records[j], j) != la->nrecords)
            continue;
        count_unpaired(&al->unpaired, la, &lb->records[j], 1);
        al->odd = odd ? al->odd : lb->records[j];
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

uint64_t align_code(const fpx_tensor *desc, const void *codes, size_t i)
{
    if (desc->packing == FPX_PACK_DENSE)
        return ((const uint8_t *)codes)[i / 2] >> (i % 2 != 0 ? 4 : 0) & 15;
    return fpx_format_code(&desc->format, codes, i);
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

typedef struct loss {
    double value;      /* NaN where it is not finite */
    fpx_digest digest; /* tells Inf, NaN and zeros of either sign apart */
} loss;

/* The loss of a step is one number, whatever operation wrote it: with micro-batches, another one. nrecords: none. */
static size_t find_loss(const fpx_trace_layout *layout)
{
    size_t i = 0;

    while (i < layout->nrecords && (strcmp(layout->records[i].tensor, "loss") != 0 ||
                                    fpx_tensor_count(&layout->records[i].desc) != 1))
        i++;
    return i;
}

/* The loss is one number, so its mean in the statistics is it, exactly. */
static fpx_status losses(fpx_trace *trace, size_t record, loss *ret_loss, fpx_error *err)
{
    const size_t n = fpx_trace_steps(trace), nrecords = fpx_trace_layout_of(trace)->nrecords;
    fpx_stats *stats = calloc(nrecords, sizeof *stats);
    fpx_digest *digests = calloc(nrecords, sizeof *digests);
    fpx_status status = stats && digests ? FPX_OK : FPX_ENOMEM;

    if (status != FPX_OK)
        (void)fpx_error_set(err, status, "comparing losses: out of memory");
    for (size_t i = 0; i < n && status == FPX_OK; i++) {
        status = fpx_trace_stats(trace, i, stats, NULL, err);
        if (status == FPX_OK)
            status = fpx_trace_digests(trace, i, digests, err);
        ret_loss[i].value =
            stats[record].nan + stats[record].inf > 0 ? (double)NAN : stats[record].mean;
        ret_loss[i].digest = digests[record];
    }
    free(stats);
    free(digests);
    return status;
}

/* Over the changes between finite losses: one NaN late in a run says nothing about the others. */
static double step_to_step(const loss *x, size_t n)
{
    double sum = 0.0;
    size_t changes = 0;

    for (size_t i = 1; i < n; i++) {
        const double change = x[i].value - x[i - 1].value;

        if (isnan(change))
            continue;
        sum += change * change;
        changes++;
    }
    return changes > 0 ? sqrt(sum / (double)changes) : 0.0;
}

static void fill_losses(fpx_trace *a, const alignment *align, const loss *x, const loss *y,
                        fpx_diff *diff)
{
    diff->loss_noise = step_to_step(x, fpx_trace_steps(a));
    for (size_t s = 0; s < align->nsteps; s++) {
        const loss *u = &x[align->steps[s].a], *v = &y[align->steps[s].b];
        const uint64_t step = fpx_trace_step_at(a, align->steps[s].a);

        if (fpx_digest_equal(u->digest, v->digest))
            continue;
        if (diff->loss_bits == UINT64_MAX)
            diff->loss_bits = step;
        if (isnan(u->value) && isnan(v->value))
            continue;
        if (diff->loss_visible == UINT64_MAX && !(fabs(u->value - v->value) <= diff->loss_noise))
            diff->loss_visible = step;
    }
}

fpx_status align_losses(fpx_trace *a, fpx_trace *b, const alignment *align, fpx_diff *diff,
                        fpx_error *err)
{
    const fpx_trace_layout *la = fpx_trace_layout_of(a), *lb = fpx_trace_layout_of(b);
    const size_t at_a = find_loss(la), at_b = find_loss(lb);
    fpx_status status;

    diff->loss_compared = at_a < la->nrecords && at_b < lb->nrecords &&
                          fpx_tensor_same_kind(&la->records[at_a].desc, &lb->records[at_b].desc);
    if (!diff->loss_compared)
        return FPX_OK;
    loss *x = calloc(fpx_trace_steps(a) + 1, sizeof *x);
    loss *y = calloc(fpx_trace_steps(b) + 1, sizeof *y);

    if (x == NULL || y == NULL)
        status = fpx_error_set(err, FPX_ENOMEM, "comparing losses: out of memory");
    else
        status = losses(a, at_a, x, err);
    if (status == FPX_OK)
        status = losses(b, at_b, y, err);
    if (status == FPX_OK)
        fill_losses(a, align, x, y, diff);
    free(x);
    free(y);
    return status;
}
