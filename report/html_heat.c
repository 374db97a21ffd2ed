/* html_heat.c - heat maps: operations down, in program order, steps across. Colour classes are logarithmic
 * over what the map holds; findings carry a mark, so that colour alone never says it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "html_parts.h"

enum { WIDTH = 880, LEFT = 196, RIGHT = 12, TOP = 26, ROW = 13, GAP = 7, SHADES = 12, REDS = 6 };

typedef struct map_view {
    const html_data *data;
    const html_map *map;
    const char *mode;   /* NULL: the difference map */
    double cell;        /* width */
    int shaded;         /* there is an error above 0 */
    double low, high;   /* log10 of the colours' ends: whole numbers */
    size_t row, column; /* of the first difference; nrows, ncolumns: none */
} map_view;

static size_t column_of_step(const html_data *d, uint64_t step)
{
    const html_run *run = html_columns_run(d);

    for (size_t i = 0; i < run->n; i++)
        if (run->step[i] == step)
            return html_column_of(d, i);
    return d->ncolumns;
}

static size_t row_of_first(const html_data *d)
{
    const fpx_diff *diff = d->in->diff;

    if (diff == NULL || diff->verdict != FPX_DIFFERENT)
        return d->nrows;
    for (size_t r = 0; r < d->layout->nrecords; r++)
        if (strcmp(d->layout->records[r].tensor, diff->first.record.tensor) == 0 &&
            strcmp(d->layout->records[r].op, diff->first.record.op) == 0)
            return d->row_of[r];
    return d->nrows;
}

/* 0: exactly nothing; 1 .. SHADES from little to much. */
static int shade(const map_view *v, double error, const html_row *row)
{
    int k;

    if (error == 0.0)
        return 0;
    if (v->mode == NULL)
        return 1 + (int)((REDS - 1) * error / (double)row->paired);
    if (isinf(error))
        return SHADES;
    k = 1 + (int)(SHADES * (html_log10(error) - v->low) / (v->high - v->low));
    return k < 1 ? 1 : k > SHADES ? SHADES : k;
}

static int is_marked(const html_cell *c)
{
    return c->ratio > 1.0 || c->mismatches > 0.0;
}

/* The largest of a cell are of one tensor or of several: named where it is not the one named first. */
static void put_of(FILE *f, const html_data *d, const html_cell *c, size_t record)
{
    (void)fputs("; ", f);
    if (record == c->record)
        return;
    (void)fputs("in ", f);
    html_put(f, d->layout->records[record].tensor);
    (void)fputs(" ", f);
}

static void put_tooltip(FILE *f, const map_view *v, size_t row, size_t column)
{
    const html_data *d = v->data;
    const html_cell *c = &v->map->cells[row * d->ncolumns + column];
    uint64_t first, last;

    html_column_steps(d, column, &first, &last);
    (void)fprintf(f,
                  first == last ? "step %llu: " : "steps %llu to %llu: ", (unsigned long long)first,
                  (unsigned long long)last);
    if (v->mode == NULL) {
        (void)fprintf(f, "%s%.0f of %zu tensors differ", first == last ? "" : "up to ", c->error,
                      d->rows[row].paired);
        return;
    }
    html_put_number(f, c->error);
    (void)fputs(" in ", f);
    html_put(f, d->layout->records[c->record].tensor);
    if (c->mismatches > 0.0) {
        put_of(f, d, c, c->mismatches_record);
        (void)fprintf(f, "%.0f element%s", c->mismatches,
                      c->mismatches == 1.0 ? " disagrees" : "s disagree");
    }
    if (c->ratio > 1.0) {
        put_of(f, d, c, c->ratio_record);
        (void)fputs("error is ", f);
        html_put_number(f, c->ratio);
        (void)fputs(" times its bound", f);
    }
}

/* A cell whose tensors are not finite has no error to show: its own colour, and a cross. */
static void put_nonfinite(FILE *f, const map_view *v, size_t row, size_t column, double x)
{
    const html_data *d = v->data;
    const double wide = v->cell - (v->cell > 6.0 ? 1.0 : 0.4), middle = x + wide / 2.0;
    const size_t n = d->nonfinite[row * d->ncolumns + column];
    uint64_t first, last;

    html_column_steps(d, column, &first, &last);
    (void)fprintf(f, "<rect x=\"%.1f\" width=\"%.1f\" height=\"%d\" class=\"nan\"><title>", x, wide,
                  ROW - 1);
    (void)fprintf(f,
                  first == last ? "step %llu: " : "steps %llu to %llu: ", (unsigned long long)first,
                  (unsigned long long)last);
    (void)fprintf(f, "%zu of %zu tensors hold NaN or Inf</title></rect>", n, d->rows[row].nrecords);
    if (v->cell > 6.0)
        (void)fprintf(f, "<path class=\"nanmark\" d=\"M%.1f 3l6 6m0 -6l-6 6\"/>", middle - 3.0);
    (void)fputc('\n', f);
}

static void put_row(FILE *f, const map_view *v, size_t row, double y)
{
    const html_data *d = v->data;
    const html_row *r = &d->rows[row];
    const int starts = row == 0 || strcmp(r->group, d->rows[row - 1].group) != 0;

    (void)fprintf(f, "<g transform=\"translate(0 %.0f)\">", y);
    if (starts) {
        (void)fputs("<text x=\"0\" y=\"10\" class=\"group\">", f);
        html_put_cut(f, r->group, 12);
        (void)fputs("</text>", f);
    }
    (void)fprintf(f, "<text x=\"%d\" y=\"10\" class=\"end\">", LEFT - 8);
    html_put_cut(f, r->label[0] == '\0' && !starts ? r->group : r->label, 20);
    (void)fputs("<title>", f);
    html_put(f, r->group);
    (void)fputc(' ', f);
    html_put(f, r->label);
    (void)fprintf(f, ", %zu tensors</title></text>\n", r->nrecords);
    for (size_t c = 0; c < d->ncolumns; c++) {
        const html_cell *cell = &v->map->cells[row * d->ncolumns + c];
        const double x = LEFT + (double)c * v->cell;

        if (v->mode != NULL && d->nonfinite[row * d->ncolumns + c] > 0) {
            put_nonfinite(f, v, row, c, x);
            if (is_marked(cell))
                (void)fprintf(f, "<circle cx=\"%.1f\" cy=\"6\" r=\"3.4\" class=\"hit\"/>\n",
                              x + v->cell / 2.0 - 0.4);
            continue;
        }
        if (isnan(cell->error))
            continue;
        (void)fprintf(f, "<rect x=\"%.1f\" width=\"%.1f\" height=\"%d\" class=\"%c%d\"><title>", x,
                      v->cell - (v->cell > 6.0 ? 1.0 : 0.4), ROW - 1, v->mode ? 'k' : 'd',
                      shade(v, cell->error, r));
        put_tooltip(f, v, row, c);
        (void)fputs("</title></rect>\n", f);
        if (v->mode != NULL ? is_marked(cell) : row == v->row && c == v->column)
            (void)fprintf(f, "<circle cx=\"%.1f\" cy=\"6\" r=\"3.4\" class=\"hit\"/>\n",
                          x + v->cell / 2.0 - 0.4);
    }
    (void)fputs("</g>\n", f);
}

/* Step numbers above, each where its column starts, and the step that the page is about. */
static void put_columns(FILE *f, const map_view *v, double height)
{
    const html_data *d = v->data;
    const size_t each = 1 + (size_t)(64.0 / v->cell), at = v->column;
    uint64_t first, last;

    for (size_t c = 0; c < d->ncolumns; c += each) {
        const double x = LEFT + ((double)c + 0.5) * v->cell;

        html_column_steps(d, c, &first, &last);
        if (at < d->ncolumns && fabs((double)at - (double)c) * v->cell < 40.0)
            continue; /* the marked step's number is there */
        (void)fprintf(f, "<text x=\"%.1f\" y=\"16\" class=\"mid\">%llu</text>", x,
                      (unsigned long long)first);
    }
    if (at < d->ncolumns)
        (void)fprintf(f,
                      "<text x=\"%.1f\" y=\"16\" class=\"mid marktext\">step %llu</text><path "
                      "class=\"frame\" d=\"M%.1f %dh%.1fv%.0fh-%.1fz\"/>\n",
                      LEFT + ((double)at + 0.5) * v->cell - 0.5,
                      (unsigned long long)html_focus(d->in), LEFT + (double)at * v->cell - 1.0,
                      TOP - 3, v->cell + 1.0, height - TOP + 5.0, v->cell + 1.0);
    (void)fputs("<text x=\"0\" y=\"16\">operation</text>\n", f);
}

static double map_height(const html_data *d)
{
    double height = TOP;

    for (size_t r = 0; r < d->nrows; r++)
        height += ROW + (r > 0 && strcmp(d->rows[r].group, d->rows[r - 1].group) != 0 ? GAP : 0);
    return height;
}

static void put_map(FILE *f, const map_view *v)
{
    const html_data *d = v->data;
    const double height = map_height(d);
    double y = TOP;

    (void)fprintf(f,
                  "<div class=\"wide\"><svg viewBox=\"0 0 %d %.0f\" role=\"img\" "
                  "aria-label=\"heat map: operations by steps\">\n",
                  WIDTH, height + 6.0);
    for (size_t r = 0; r < d->nrows; r++) {
        y += r > 0 && strcmp(d->rows[r].group, d->rows[r - 1].group) != 0 ? GAP : 0;
        put_row(f, v, r, y);
        y += ROW;
    }
    put_columns(f, v, height);
    (void)fputs("</svg></div>\n", f);
}

/* Below a map: the colour of nothing, n colours `wide` apart, the dot. Returns where the colours end. */
static int open_scale(FILE *f, const map_view *v, int n, int wide, const char *nothing,
                      const char *dot)
{
    const char css = v->mode ? 'k' : 'd';

    (void)fprintf(
        f,
        "<div class=\"wide\"><svg viewBox=\"0 0 %d 48\" role=\"img\" aria-label=\"legend\">\n"
        "<rect x=\"0\" y=\"4\" width=\"28\" height=\"12\" class=\"%c0\"/>"
        "<text x=\"36\" y=\"14\">%s</text>",
        WIDTH, css, nothing);
    if (dot != NULL)
        (void)fprintf(f,
                      "<circle cx=\"14\" cy=\"31\" r=\"4\" class=\"hit\"/>"
                      "<text x=\"36\" y=\"35\">%s</text>\n",
                      dot);
    for (int k = 0; k < n; k++)
        (void)fprintf(f, "<rect x=\"%d\" y=\"4\" width=\"%d\" height=\"12\" class=\"%c%d\"/>",
                      LEFT + k * wide, wide, css, k + 1);
    return LEFT + n * wide;
}

static void put_error_scale(FILE *f, const map_view *v)
{
    const int end = open_scale(f, v, v->shaded ? SHADES : 0, 28, "no error",
                               v->map->judged > 0 ? "a finding" : NULL);

    /* A number is up to 36 wide: of many decades only some have one. */
    const int decades = v->shaded ? (int)(v->high - v->low) : 1;
    const int each = 1 + (40 * decades - 1) / (SHADES * 28);

    if (v->data->nonfinite_cells > 0)
        (void)fprintf(f,
                      "<rect x=\"%d\" y=\"25\" width=\"16\" height=\"12\" class=\"nan\"/><path "
                      "class=\"nanmark\" d=\"M%d 28l6 6m0 -6l-6 6\"/>"
                      "<text x=\"%d\" y=\"35\">NaN or Inf</text>\n",
                      end + 32, end + 37, end + 56);
    for (int e = (int)v->low; e <= (int)v->high && v->shaded; e += each) {
        (void)fprintf(f, "<text x=\"%.0f\" y=\"31\" class=\"mid\">",
                      LEFT + (e - v->low) / (v->high - v->low) * (end - LEFT));
        html_put_power(f, e);
        (void)fputs("</text>\n", f);
    }
    if (v->shaded)
        (void)fprintf(f, "<text x=\"%d\" y=\"14\">error (rms), relative to the result</text>",
                      end + 12);
    (void)fputs("</svg></div>\n", f);
}

static void put_difference_scale(FILE *f, const map_view *v)
{
    const int end = open_scale(f, v, REDS, 56, "same bits", "the first difference");

    (void)fprintf(f,
                  "<text x=\"%d\" y=\"31\">few</text><text x=\"%d\" y=\"31\" class=\"end\">all "
                  "tensors of the row differ</text></svg></div>\n",
                  LEFT, end);
}

static int ascending(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;

    return (a > b) - (a < b);
}

/* Colours span all errors but the lowest and the highest fiftieth, which take the end colours: one odd
 * scalar would otherwise leave a single shade to all the rest. */
static int find_range(map_view *v)
{
    const size_t cells = v->data->nrows * v->data->ncolumns;
    double errors[HTML_CELLS];
    size_t n = 0;

    for (size_t i = 0; i < cells && n < HTML_CELLS; i++)
        if (v->map->cells[i].error > 0.0 && isfinite(v->map->cells[i].error))
            errors[n++] = v->map->cells[i].error;
    if (n == 0)
        return 0;
    qsort(errors, n, sizeof *errors, ascending);
    v->low = floor(html_log10(errors[n / 50]));
    v->high = ceil(html_log10(errors[n - 1 - n / 50]));
    v->high = v->high > v->low ? v->high : v->low + 1.0;
    return 1;
}

static void put_shadow_map(FILE *f, map_view *v)
{
    const html_map *map = v->map;
    size_t hits = 0;

    for (size_t i = 0; i < v->data->nrows * v->data->ncolumns; i++)
        hits += (size_t)is_marked(&map->cells[i]);
    (void)fputs("<figure><h3>Shadow <code>", f);
    html_put(f, v->mode);
    (void)fputs("</code></h3><p class=\"say\">", f);
    (void)fprintf(f, "Here the shadow is %s ", html_mode_words(v->mode));
    if (map->figures == 0) {
        (void)fputs("It holds no figure.</p></figure>\n", f);
        return;
    }
    (void)fputs(
        map->judged == 0 ? "It judges nothing: <b>look for rows and steps that stand out.</b>"
        : hits ? "<b>Look for the red dots:</b> there the error is above its bound, or elements "
                 "disagree."
               : "No cell holds a finding.",
        f);
    (void)fputs("</p>\n", f);
    v->shaded = find_range(v);
    put_map(f, v);
    put_error_scale(f, v);
    (void)fputs("</figure>\n", f);
}

static void put_difference_map(FILE *f, map_view *v)
{
    (void)fputs(
        "<section><h2>Where the two runs differ</h2><figure><p class=\"say\">Each cell: how many "
        "of "
        "this row\xe2\x80\x99s tensors have other bits in B than in A. Steps go to the right; "
        "within a "
        "step the forward pass goes down the rows, the backward pass up again. <b>Start at the "
        "red dot</b>, the first difference, and see how it spread. Blank: not in both runs.</p>\n",
        f);
    put_map(f, v);
    put_difference_scale(f, v);
    (void)fputs("</figure></section>\n", f);
}

void html_put_heat(FILE *f, const html_data *d)
{
    map_view v = { .data = d };

    if (d->ncolumns == 0 || d->nrows == 0)
        return;
    v.cell = (double)(WIDTH - LEFT - RIGHT) / (double)d->ncolumns;
    v.cell = v.cell < 28.0 ? v.cell : 28.0;
    v.row = row_of_first(d);
    v.column = column_of_step(d, html_focus(d->in));
    if (d->differ.cells != NULL) {
        v.map = &d->differ;
        put_difference_map(f, &v);
    }
    if (d->nmaps == 0)
        return;
    (void)fprintf(
        f,
        "<section><h2>Error by layer and step%s</h2><p class=\"say\">Rows are operations in "
        "program "
        "order, grouped by layer; quantizers have rows of their own, because their error is that "
        "of their format. Point at a cell for its figure and tensor. Blank: the shadow has "
        "no figure there, or did not look.</p>\n",
        d->in->other == NULL          ? ""
        : d->shadowed == d->in->trace ? ", in A"
                                      : ", in B");
    for (size_t m = 0; m < d->nmaps; m++) {
        v.map = &d->maps[m];
        v.mode = d->layout->modes[m].name;
        put_shadow_map(f, &v);
    }
    (void)fputs("</section>\n", f);
}
