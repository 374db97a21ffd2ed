/* html_data.c - reads the traces once, step by step, into what the page shows: curves, binned maps and the
 * largest errors. Memory does not grow with records times steps. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/loss_band.h>

#include "html_parts.h"

static const size_t nowhere = SIZE_MAX;

static fpx_status no_memory(fpx_error *err)
{
    (void)fpx_error_set(err, FPX_ENOMEM, "making a page: out of memory");
    return FPX_ENOMEM;
}

uint64_t html_focus(const fpx_report_input *in)
{
    if (in->diff != NULL && in->diff->verdict == FPX_DIFFERENT)
        return in->diff->first.step;
    if (in->finding != NULL && in->finding->found)
        return in->finding->step;
    return UINT64_MAX;
}

const html_run *html_columns_run(const html_data *d)
{
    return d->shadowed == d->in->trace ? &d->a : &d->b;
}

size_t html_column_of(const html_data *d, size_t step_index)
{
    return step_index * d->ncolumns / html_columns_run(d)->n;
}

void html_column_steps(const html_data *d, size_t column, uint64_t *ret_first, uint64_t *ret_last)
{
    const html_run *run = html_columns_run(d);

    *ret_first = run->step[(column * run->n + d->ncolumns - 1) / d->ncolumns];
    *ret_last = run->step[((column + 1) * run->n + d->ncolumns - 1) / d->ncolumns - 1];
}

static size_t find_scalar(const fpx_trace_layout *layout, const char *tensor)
{
    for (size_t r = 0; r < layout->nrecords; r++)
        if (strcmp(layout->records[r].tensor, tensor) == 0 &&
            fpx_tensor_count(&layout->records[r].desc) == 1)
            return r;
    return nowhere;
}

/* The mean of one number is that number, exactly. */
static double scalar(const fpx_stats *s)
{
    return s->nan + s->inf > 0 ? (double)NAN : s->mean;
}

/* As the run itself said, which looked at each of its losses; a trace of later steps begins with an empty band. */
static void find_spikes(html_run *run)
{
    fpx_loss_band band = { .n = 0 };
    double median, limit;

    for (size_t i = 0; run->loss != NULL && i < run->n; i++)
        if (fpx_loss_band_add(&band, run->loss[i], &median, &limit) && run->nspikes++ < HTML_SPIKES)
            run->spike[run->nspikes - 1] = run->step[i];
}

static fpx_status read_run(fpx_trace *trace, html_run *run, fpx_error *err)
{
    const fpx_trace_layout *layout = fpx_trace_layout_of(trace);
    const size_t n = fpx_trace_steps(trace), loss = find_scalar(layout, "loss"),
                 norm = find_scalar(layout, "clip/norm");
    fpx_stats *stats = calloc(layout->nrecords + 1, sizeof *stats);
    fpx_status status = FPX_OK;

    run->n = n;
    run->step = calloc(n + 1, sizeof *run->step);
    run->loss = loss == nowhere ? NULL : calloc(n + 1, sizeof *run->loss);
    run->norm = norm == nowhere ? NULL : calloc(n + 1, sizeof *run->norm);
    if (stats == NULL || run->step == NULL || (run->loss == NULL && loss != nowhere) ||
        (run->norm == NULL && norm != nowhere))
        status = no_memory(err);
    for (size_t i = 0; i < n && status == FPX_OK; i++) {
        run->step[i] = fpx_trace_step_at(trace, i);
        if (loss == nowhere && norm == nowhere)
            continue;
        status = fpx_trace_stats(trace, i, stats, NULL, err);
        if (status == FPX_OK && run->loss != NULL)
            run->loss[i] = scalar(&stats[loss]);
        if (status == FPX_OK && run->norm != NULL)
            run->norm[i] = scalar(&stats[norm]);
    }
    free(stats);
    if (status == FPX_OK)
        find_spikes(run);
    return status;
}

static fpx_status make_gap(html_data *d, fpx_error *err)
{
    if (d->a.loss == NULL || d->b.loss == NULL)
        return FPX_OK;
    d->gap.step = calloc(d->a.n + 1, sizeof *d->gap.step);
    d->gap.gap = calloc(d->a.n + 1, sizeof *d->gap.gap);
    if (d->gap.step == NULL || d->gap.gap == NULL)
        return no_memory(err);
    for (size_t i = 0, j = 0; i < d->a.n && j < d->b.n;) {
        const uint64_t x = d->a.step[i], y = d->b.step[j];

        if (x == y) {
            d->gap.step[d->gap.n] = x;
            d->gap.gap[d->gap.n++] = fabs(d->a.loss[i] - d->b.loss[j]);
        }
        i += x <= y;
        j += y <= x;
    }
    return FPX_OK;
}

/* ---- shadows ---- */

static int larger(double x, double than)
{
    return !isnan(x) && !(x <= than); /* NaN: nothing yet */
}

/* Within its bound one of each kind of operation is enough: quantizers always come close to theirs and
 * would fill the list. */
static int stands_for(const html_data *d, const html_top *x, const html_top *y)
{
    const fpx_trace_record *rx = &d->layout->records[x->record],
                           *ry = &d->layout->records[y->record];

    return rx->op_index == ry->op_index ||
           (x->ratio <= 1.0 && y->ratio <= 1.0 && strcmp(rx->kind, ry->kind) == 0);
}

/* Other bits all have the ratio Inf: then the more elements the worse. Of equals the first. */
static int worse(const html_top *x, const html_top *y)
{
    return x->ratio != y->ratio ? x->ratio > y->ratio : x->mismatches > y->mismatches;
}

static void keep_worst(html_top *worst, const html_top *t)
{
    if (worse(t, &worst[t->record]))
        worst[t->record] = *t;
}

static int by_worst(const void *px, const void *py)
{
    const html_top *x = px, *y = py;

    if (worse(x, y) || worse(y, x))
        return worse(x, y) ? -1 : 1;
    if (x->mode != y->mode)
        return x->mode < y->mode ? -1 : 1;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    return x->record < y->record ? -1 : x->record > y->record;
}

/* From the worst of each record those that no worse one stands for. */
static void choose_top(html_data *d, html_top *worst)
{
    size_t chosen = 0;

    qsort(worst, d->layout->nrecords, sizeof *worst, by_worst);
    for (size_t r = 0; r < d->layout->nrecords && worst[r].ratio > 0.0; r++) {
        size_t i = 0;

        while (i < chosen && !stands_for(d, &worst[i], &worst[r]))
            i++;
        if (i < chosen)
            continue;
        worst[chosen++] = worst[r];
        d->top_of += isinf(worst[0].ratio) == isinf(worst[r].ratio);
    }
    d->ntop = chosen < HTML_TOP ? chosen : HTML_TOP;
    memcpy(d->top, worst, d->ntop * sizeof *worst);
}

static void add_figure(html_data *d, size_t mode, size_t step_index, size_t record,
                       const fpx_figure *f, html_top *worst)
{
    const int equality = fpx_trace_demands_bits(&d->layout->modes[mode]);
    const int odd = f->mismatches > 0.0 && (equality || f->ratio >= 0.0);
    html_map *map = &d->maps[mode];
    html_cell *cell = &map->cells[d->row_of[record] * d->ncolumns + html_column_of(d, step_index)];
    const double error = fpx_figure_relative(f);

    map->figures += isnan(error) ? 0 : 1;
    if (larger(error, cell->error)) {
        cell->error = error;
        cell->record = record;
    }
    if (larger(f->ratio, cell->ratio)) {
        cell->ratio = f->ratio;
        cell->ratio_record = record;
    }
    if (odd && f->mismatches > cell->mismatches) {
        cell->mismatches = f->mismatches;
        cell->mismatches_record = record;
    }
    map->judged += equality || f->ratio >= 0.0;
    if (odd && equality)
        keep_worst(worst, &(html_top){ (double)INFINITY, f->mismatches, mode, record,
                                       html_columns_run(d)->step[step_index], f->element });
    else if (f->ratio > 0.0)
        keep_worst(worst, &(html_top){ f->ratio, odd ? f->mismatches : 0.0, mode, record,
                                       html_columns_run(d)->step[step_index], f->element });
}

void html_map_free(html_map *map)
{
    free(map->cells);
    free(map->growth);
    map->cells = NULL;
    map->growth = NULL;
}

fpx_status html_map_new(const html_data *d, html_map *map, fpx_error *err)
{
    *map = (html_map){ .cells = calloc(d->nrows * d->ncolumns + 1, sizeof *map->cells),
                       .growth = calloc(html_columns_run(d)->n + 1, sizeof *map->growth) };
    if (map->cells == NULL || map->growth == NULL)
        return no_memory(err);
    for (size_t i = 0; i < d->nrows * d->ncolumns; i++)
        map->cells[i] = (html_cell){ .error = (double)NAN, .ratio = (double)NAN };
    return FPX_OK;
}

static fpx_status read_figures(html_data *d, fpx_error *err)
{
    fpx_figure *figures = calloc(d->layout->nrecords + 1, sizeof *figures);
    html_top *worst = calloc(d->layout->nrecords + 1, sizeof *worst); /* of each record */
    fpx_status status = figures && worst ? FPX_OK : no_memory(err);

    for (size_t m = 0; m < d->nmaps && status == FPX_OK; m++) {
        status = html_map_new(d, &d->maps[m], err);
        for (size_t i = 0; i < html_columns_run(d)->n && status == FPX_OK; i++) {
            status = fpx_trace_figures(d->shadowed, i, m, figures, err);
            for (size_t r = 0; r < d->layout->nrecords && status == FPX_OK; r++)
                add_figure(d, m, i, r, &figures[r], worst);
            d->maps[m].growth[i].step = html_columns_run(d)->step[i];
            if (status == FPX_OK)
                fpx_growth_of(d->layout, &d->layout->modes[m], figures, &d->maps[m].growth[i]);
        }
    }
    if (status == FPX_OK)
        choose_top(d, worst);
    free(figures);
    free(worst);
    return status;
}

/* Figures are over finite elements: where there are none an error of nothing would stand. */
static fpx_status read_nonfinite(html_data *d, fpx_error *err)
{
    const size_t n = d->layout->nrecords;
    fpx_stats *stats = calloc(n + 1, sizeof *stats);
    size_t *counts = calloc(d->nrows + 1, sizeof *counts);
    fpx_status status = FPX_OK;

    d->nonfinite = calloc(d->nrows * d->ncolumns + 1, sizeof *d->nonfinite);
    if (stats == NULL || counts == NULL || d->nonfinite == NULL)
        status = no_memory(err);
    for (size_t i = 0; i < html_columns_run(d)->n && status == FPX_OK; i++) {
        status = fpx_trace_stats(d->shadowed, i, stats, NULL, err);
        memset(counts, 0, d->nrows * sizeof *counts);
        for (size_t r = 0; r < n && status == FPX_OK; r++)
            counts[d->row_of[r]] += stats[r].nan + stats[r].inf > 0;
        for (size_t row = 0; row < d->nrows && status == FPX_OK; row++) {
            size_t *cell = &d->nonfinite[row * d->ncolumns + html_column_of(d, i)];

            d->nonfinite_cells += *cell == 0 && counts[row] > 0;
            *cell = counts[row] > *cell ? counts[row] : *cell;
        }
    }
    free(stats);
    free(counts);
    return status;
}

/* ---- all ---- */

static void set_columns(html_data *d)
{
    const size_t maps = d->nmaps + (d->in->other != NULL);
    const size_t fit = HTML_CELLS / ((d->nrows ? d->nrows : 1) * (maps ? maps : 1));

    d->ncolumns = fit < HTML_COLUMNS ? fit : HTML_COLUMNS;
    d->ncolumns = d->ncolumns < html_columns_run(d)->n ? d->ncolumns : html_columns_run(d)->n;
}

fpx_status html_data_read(const fpx_report_input *input, html_data *ret_data, fpx_error *err)
{
    html_data d = { .in = input, .shadowed = input->finding_of ? input->finding_of : input->trace };
    fpx_status status = read_run(input->trace, &d.a, err);

    d.layout = fpx_trace_layout_of(d.shadowed);
    d.nmaps = d.layout->nmodes < HTML_MAPS ? d.layout->nmodes : HTML_MAPS;
    if (status == FPX_OK && input->other != NULL)
        status = read_run(input->other, &d.b, err);
    if (status == FPX_OK)
        status = make_gap(&d, err);
    if (status == FPX_OK && html_rows_make(&d) != FPX_OK)
        status = no_memory(err);
    if (status == FPX_OK) {
        set_columns(&d);
        status = read_figures(&d, err);
    }
    if (status == FPX_OK && d.nmaps > 0)
        status = read_nonfinite(&d, err);
    if (status == FPX_OK && input->other != NULL)
        status = html_compare_traces(&d, err);
    if (status != FPX_OK)
        html_data_free(&d);
    else
        *ret_data = d;
    return status;
}

static void free_run(html_run *run)
{
    free(run->step);
    free(run->loss);
    free(run->norm);
}

void html_data_free(html_data *d)
{
    free_run(&d->a);
    free_run(&d->b);
    free(d->gap.step);
    free(d->gap.gap);
    free(d->rows);
    free(d->row_of);
    for (size_t m = 0; m < HTML_MAPS; m++)
        html_map_free(&d->maps[m]);
    html_map_free(&d->differ);
    free(d->nonfinite);
}
