/* html_parts.h - the parts of the page: what is read from traces (html_data, html_rows), and who draws
 * which section. All write to one memory stream; nothing else keeps state. */
#ifndef REPORT_HTML_PARTS_H
#define REPORT_HTML_PARTS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <fpx/growth.h>
#include <fpx/report.h>

enum {
    HTML_NAME = 80,
    HTML_MAPS = 3,     /* shadows drawn: one map each */
    HTML_ROWS = 96,    /* more do not fit a screen: coarser rows then */
    HTML_COLUMNS = 80, /* a cell stays wide enough to point at */
    HTML_CELLS = 9000, /* of all maps, about 110 bytes each: the page stays near 1 MB */
    HTML_TOP = 10,
    HTML_SPIKES = 5
};

/* What one run recorded at each step; NULL: not recorded. NaN: was not a finite number. */
typedef struct html_run {
    size_t n;
    uint64_t *step;
    double *loss, *norm;
    uint64_t spike
        [HTML_SPIKES]; /* steps whose loss left its band (fpx/loss_band.h): the first of nspikes */
    size_t nspikes;
} html_run;

/* |loss of A - loss of B| over the steps that both have. */
typedef struct html_gap {
    size_t n;
    uint64_t *step;
    double *gap;
} html_gap;

/* A line of a heat map: operations that belong together. */
typedef struct html_row {
    char group[HTML_NAME], label[HTML_NAME];
    size_t nrecords, paired; /* paired: that the other trace has, too */
} html_row;

/* Steps [first, last] of a row. */
typedef struct html_cell {
    double error;      /* largest rms / rms_reference; NaN: no figure; in the difference map: most
                          tensors that differ in one step */
    double ratio;      /* largest error / bound, NaN: none */
    double mismatches; /* of the result that has most */
    size_t record, ratio_record, mismatches_record; /* that have the largest */
} html_cell;

typedef struct html_map {
    html_cell *cells;       /* [row][column] */
    fpx_growth *growth;     /* of each step */
    size_t figures, judged; /* that say something; that could be a finding */
} html_map;

/* The largest of one operation. */
typedef struct html_top {
    double ratio;      /* Inf: other bits */
    double mismatches; /* at that step */
    size_t mode, record;
    uint64_t step;
    double element;
} html_top;

typedef struct html_data {
    const fpx_report_input *in;
    const fpx_trace_layout *layout; /* of `shadowed`: rows and maps are in its terms */
    fpx_trace *shadowed;            /* in->finding_of or in->trace */
    html_run a, b;
    html_gap gap;
    size_t nrows, ncolumns;
    html_row *rows;
    size_t *row_of; /* of each record */
    html_map maps[HTML_MAPS];
    size_t nmaps;
    size_t *
        nonfinite; /* [row][column]: most tensors that hold NaN or Inf in one step; NULL: no maps */
    size_t nonfinite_cells;
    html_map differ;        /* cells NULL: nothing to compare with, or nothing differs */
    html_top top[HTML_TOP]; /* worst first */
    size_t ntop, top_of;    /* listed; of how many such as the first */
} html_data;

/* FPX_ENOMEM, or what reading the traces gives; then nothing is left to free. */
fpx_status html_data_read(const fpx_report_input *input, html_data *ret_data, fpx_error *err);
void html_data_free(html_data *data);

/* A map of the page's rows and columns, whose cells have no error (NaN); freeing one of zeros is fine. */
fpx_status html_map_new(const html_data *data, html_map *ret_map, fpx_error *err);
void html_map_free(html_map *map);

/* Fills differ, and of each row how many tensors both traces have. As html_data_read. */
fpx_status html_compare_traces(html_data *data, fpx_error *err);

/* Fills rows, row_of. FPX_ENOMEM: what is there is freed by html_data_free. */
fpx_status html_rows_make(html_data *data);

/* The run of `shadowed`: its steps are the columns, which share them evenly. */
const html_run *html_columns_run(const html_data *data);
size_t html_column_of(const html_data *data, size_t step_index);
void html_column_steps(const html_data *data, size_t column, uint64_t *ret_first,
                       uint64_t *ret_last);

/* The step that the page is about: of the difference, else of the shadows' finding; UINT64_MAX: none. */
uint64_t html_focus(const fpx_report_input *input);

/* ---- text ---- */
void html_put(FILE *f, const char *text);                        /* escaped; bad UTF-8 as U+FFFD */
void html_put_cut(FILE *f, const char *text, size_t most);       /* at most so many characters */
void html_put_number(FILE *f, double x);                         /* 4 digits, "NaN", "infinity" */
void html_put_name(FILE *f, const char *path, const char *none); /* without its folders */
const char *html_mode_words(const char *mode);                   /* what a shadow means */

void html_put_code(FILE *f, const char *text);     /* as code, escaped */
void html_put_loss(FILE *f, const fpx_diff *diff); /* when the loss shows it */
const char *html_whose(const html_data *data);     /* "A" or "B" where there are two */

/* ---- axes ---- */
double html_log10(double x); /* x > 0 and finite; good to 1e-9, the same on every machine */
double html_power10(int e);
void html_put_power(FILE *f, int e); /* 10 with e as superscript */

/* ---- charts ---- */
typedef struct html_line {
    const uint64_t *step;
    const double *y;
    size_t n;
    const char *css;  /* class */
    const char *name; /* legend */
} html_line;

typedef struct html_mark {
    uint64_t step; /* UINT64_MAX: not drawn */
    const char *text;
} html_mark;

typedef struct html_chart {
    const char *label;
    html_line lines[2];
    size_t nlines;
    html_mark marks[2];
    int log;      /* zeros lie in a lane of their own, below the axis */
    double level; /* a horizontal line at this value, where > 0 */
    const char *level_text;
} html_chart;

void html_put_chart(FILE *f, const html_chart *chart);
void html_put_step_ticks(FILE *f, double left, double wide, double y, uint64_t first,
                         uint64_t last);

/* ---- sections ---- */
extern const char *const html_style[]; /* ends with NULL */
void html_put_verdict(FILE *f, const html_data *data);
void html_put_places(FILE *f, const html_data *data);
void html_put_curves(FILE *f, const html_data *data);
void html_put_heat(FILE *f, const html_data *data);
void html_put_growth(FILE *f, const html_data *data);
void html_put_top(FILE *f, const html_data *data);
void html_put_runs(FILE *f, const html_data *data);

#endif /* REPORT_HTML_PARTS_H */
