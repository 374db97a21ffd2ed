/* html_other.c - the map of how many tensors of a row differ between two traces, step by step. */
#include <stdlib.h>
#include <string.h>

#include "html_parts.h"

static const size_t nowhere = SIZE_MAX;

static size_t partner(const fpx_trace_layout *other, const fpx_trace_record *r, size_t near)
{
    for (size_t k = 0; k < other->nrecords; k++) {
        const fpx_trace_record *o = &other->records[(near + k) % other->nrecords];

        if (strcmp(o->tensor, r->tensor) == 0 && strcmp(o->op, r->op) == 0 &&
            fpx_tensor_same_kind(&o->desc, &r->desc))
            return (near + k) % other->nrecords;
    }
    return nowhere;
}

typedef struct digests {
    fpx_digest *a, *b;
    size_t *partner, *differing; /* of each record; in each row */
} digests;

static void count_differing(html_data *d, const digests *g, size_t step_index)
{
    for (size_t row = 0; row < d->nrows; row++)
        g->differing[row] = 0;
    for (size_t r = 0; r < d->layout->nrecords; r++)
        if (g->partner[r] != nowhere && !fpx_digest_equal(g->a[r], g->b[g->partner[r]]))
            g->differing[d->row_of[r]]++;
    for (size_t row = 0; row < d->nrows; row++) {
        html_cell *cell = &d->differ.cells[row * d->ncolumns + html_column_of(d, step_index)];
        const double n = (double)g->differing[row];

        d->differ.figures += g->differing[row];
        if (d->rows[row].paired > 0 && !(n <= cell->error)) /* NaN: nothing yet */
            cell->error = n;
    }
}

static fpx_trace *other_of(const html_data *d)
{
    return d->shadowed == d->in->trace ? d->in->other : d->in->trace;
}

static fpx_status read_differences(html_data *d, const digests *g, fpx_error *err)
{
    const html_run *rx = html_columns_run(d), *ry = rx == &d->a ? &d->b : &d->a;
    fpx_status status = html_map_new(d, &d->differ, err);

    for (size_t i = 0, j = 0; i < rx->n && j < ry->n && status == FPX_OK;) {
        const uint64_t s = rx->step[i], t = ry->step[j];

        if (s == t) {
            status = fpx_trace_digests(d->shadowed, i, g->a, err);
            if (status == FPX_OK)
                status = fpx_trace_digests(other_of(d), j, g->b, err);
            if (status == FPX_OK)
                count_differing(d, g, i);
        }
        i += s <= t;
        j += t <= s;
    }
    if (d->differ.figures == 0)
        html_map_free(&d->differ);
    return status;
}

fpx_status html_compare_traces(html_data *d, fpx_error *err)
{
    const fpx_trace_layout *other = fpx_trace_layout_of(other_of(d));
    const digests g = { calloc(d->layout->nrecords + 1, sizeof *g.a),
                        calloc(other->nrecords + 1, sizeof *g.b),
                        calloc(d->layout->nrecords + 1, sizeof *g.partner),
                        calloc(d->nrows + 1, sizeof *g.differing) };
    fpx_status status;

    if (g.a == NULL || g.b == NULL || g.partner == NULL || g.differing == NULL) {
        status = fpx_error_set(err, FPX_ENOMEM, "making a page: out of memory");
    } else {
        for (size_t r = 0; r < d->layout->nrecords; r++) {
            g.partner[r] = partner(other, &d->layout->records[r], r);
            d->rows[d->row_of[r]].paired += g.partner[r] != nowhere;
        }
        status = read_differences(d, &g, err);
    }
    free(g.a);
    free(g.b);
    free(g.partner);
    free(g.differing);
    return status;
}
