/* html_growth.c - what the shadows say of each step as a whole, as curves: how far a free one has come apart, how near a
 * local one is to its bounds. Steps that were not looked at have no point. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "html_parts.h"

/* What is drawn of a shadow, and of which: a prefix of its name. */
static const struct curve {
    const char *mode;
    size_t offset; /* in fpx_growth */
    const char *label, *words;
    double level;
    const char *level_text;
} curves[] = {
    { "free", offsetof(fpx_growth, parameters), "distance of all parameters, relative",
      "How far the parameters have come from those of the free shadow, after each step. <b>A "
      "straight "
      "climb is the usual drift; a jump is an event.</b>",
      0.0, NULL },
    { "free", offsetof(fpx_growth, loss), "distance of the loss",
      "The loss minus the free shadow\xe2\x80\x99s.", 0.0, NULL },
    { "local", offsetof(fpx_growth, ratio), "largest error / bound of a product",
      "The product of each step that came nearest to its bound, or whatever is above its own. "
      "<b>Above "
      "the line is a finding.</b>",
      1.0, "the bound" },
    { "operand", offsetof(fpx_growth, error), "largest relative error",
      "The operation of each step that quantizing cost most.", 0.0, NULL },
};

static double value_of(const fpx_growth *g, size_t offset)
{
    double x;

    memcpy(&x, (const char *)g + offset, sizeof x);
    return x;
}

static void put_curve(FILE *f, const html_data *d, size_t mode, const struct curve *c,
                      uint64_t *step, double *y, int *open)
{
    const fpx_growth *growth = d->maps[mode].growth;
    html_chart chart = { .label = c->label,
                         .lines = { { step, y, 0, "a", "" } },
                         .nlines = 1,
                         .marks = { { UINT64_MAX, "" }, { UINT64_MAX, "" } },
                         .log = 1,
                         .level = c->level,
                         .level_text = c->level_text };
    size_t n = 0;

    for (size_t i = 0; i < html_columns_run(d)->n; i++) {
        y[n] = value_of(&growth[i], c->offset);
        step[n] = growth[i].step;
        n += isnan(y[n]) || y[n] < 0.0 ? 0 : 1; /* no figure; no verdict */
    }
    chart.lines[0].n = n;
    if (n == 0)
        return;
    if (!*open)
        (void)fputs("<section><h2>Error over the steps</h2>\n", f);
    *open = 1;
    (void)fputs("<figure><h3>Shadow <code>", f);
    html_put(f, d->layout->modes[mode].name);
    (void)fprintf(f, "</code></h3><p class=\"say\">%s</p>\n", c->words);
    html_put_chart(f, &chart);
    (void)fputs("</figure>\n", f);
}

void html_put_growth(FILE *f, const html_data *d)
{
    const size_t n = html_columns_run(d)->n;
    uint64_t *step = calloc(n + 1, sizeof *step);
    double *y = calloc(n + 1, sizeof *y);
    int open = 0; /* no section without a curve */

    for (size_t m = 0; step != NULL && y != NULL && m < d->nmaps; m++)
        for (size_t c = 0; c < sizeof curves / sizeof curves[0]; c++)
            if (strncmp(d->layout->modes[m].name, curves[c].mode, strlen(curves[c].mode)) == 0)
                put_curve(f, d, m, &curves[c], step, y, &open);
    if (open)
        (void)fputs("</section>\n", f);
    free(step);
    free(y);
}
