/* html_rows.c - which line of a heat map a record belongs to: its operation's site, grouped by layer in
 * program order; coarser where those would be too many to see. */
#include <stdlib.h>
#include <string.h>

#include "html_parts.h"

enum { SITE, PART, GROUP, LEVELS }; /* "layer.0/attn.qkv", "layer.0/attn", "layer.0" */

static void take(char *to, const char *from, size_t n)
{
    n = n < HTML_NAME - 1 ? n : HTML_NAME - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

/* Quantizers err by their format, arithmetic by its accumulator, a million times less: lines of
 * their own. */
static int is_quantizer(const fpx_trace_record *r)
{
    return strcmp(r->kind, "quantize") == 0 || strcmp(r->kind, "scale") == 0;
}

static html_row name_row(const fpx_trace_record *r, int level)
{
    const size_t first = strcspn(r->op, "/");
    const char *second = r->op[first] == '/' ? r->op + first + 1 : "";
    html_row row = { .nrecords = 1 };

    if (strcmp(r->role, "optimizer") == 0) {
        take(row.group, "optimizer", strlen("optimizer"));
        if (level < GROUP)
            take(row.label, r->op, first);
        return row;
    }
    take(row.group, r->op, first);
    if (r->layer >= 0 && level == SITE)
        take(row.label, second, strcspn(second, "/"));
    else if (r->layer >= 0 && level == PART)
        take(row.label, second, strcspn(second, "/."));
    if (level == SITE && is_quantizer(r)) {
        const size_t used = strlen(row.label);

        take(row.label + used, used ? " quantize" : "quantize",
             used < HTML_NAME - 12 ? strlen(used ? " quantize" : "quantize") : 0);
    }
    return row;
}

/* Index of the row, made after its group's last one where it is new. */
static size_t find_or_add(html_data *data, const html_row *row, size_t records_so_far)
{
    size_t at = data->nrows;
    int group_seen = 0;

    for (size_t i = data->nrows; i-- > 0;) {
        if (strcmp(data->rows[i].group, row->group) != 0)
            continue;
        if (strcmp(data->rows[i].label, row->label) == 0) {
            data->rows[i].nrecords++;
            return i;
        }
        at = group_seen ? at : i + 1;
        group_seen = 1;
    }
    memmove(data->rows + at + 1, data->rows + at, (data->nrows - at) * sizeof *row);
    data->rows[at] = *row;
    data->nrows++;
    for (size_t r = 0; r < records_so_far; r++)
        data->row_of[r] += data->row_of[r] >= at;
    return at;
}

static void make_level(html_data *data, int level)
{
    const fpx_trace_layout *layout = data->layout;

    data->nrows = 0;
    for (size_t r = 0; r < layout->nrecords; r++) {
        const html_row row = name_row(&layout->records[r], level);

        data->row_of[r] = find_or_add(data, &row, r);
    }
}

/* Neighbours become one, named by the first and the last. */
static void fold(html_data *data)
{
    const size_t share = (data->nrows + HTML_ROWS - 1) / HTML_ROWS;
    const size_t n = (data->nrows + share - 1) / share;

    for (size_t i = 0; i < n; i++) {
        const size_t end = (i + 1) * share < data->nrows ? (i + 1) * share : data->nrows;
        html_row row = data->rows[i * share];

        for (size_t k = i * share + 1; k < end; k++)
            row.nrecords += data->rows[k].nrecords;
        if (end - i * share > 1) {
            char label[2 * HTML_NAME + 8];

            (void)snprintf(label, sizeof label, "to %s", data->rows[end - 1].group);
            take(row.label, label, strlen(label));
        }
        data->rows[i] = row; /* i <= i * share: nothing unread is overwritten */
    }
    for (size_t r = 0; r < data->layout->nrecords; r++)
        data->row_of[r] /= share;
    data->nrows = n;
}

fpx_status html_rows_make(html_data *data)
{
    data->rows = calloc(data->layout->nrecords + 1, sizeof *data->rows);
    data->row_of = calloc(data->layout->nrecords + 1, sizeof *data->row_of);
    if (data->rows == NULL || data->row_of == NULL)
        return FPX_ENOMEM;
    make_level(data, SITE);
    for (int level = PART; level < LEVELS && data->nrows > HTML_ROWS; level++)
        make_level(data, level);
    if (data->nrows > HTML_ROWS)
        fold(data);
    return FPX_OK;
}
