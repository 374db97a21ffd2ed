/* html_tables.c - the curves with their captions, the operations nearest to their bound, and what was run. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <fpx/loss_band.h>
#include <fpx/settings.h>

#include "html_parts.h"

static int nothing_apart(const html_gap *gap)
{
    for (size_t i = 0; i < gap->n; i++)
        if (!(gap->gap[i] == 0.0))
            return 0;
    return 1;
}

/* Curves over more than two decades are read on a logarithmic axis. */
static int spread(const html_run *run, const double *y)
{
    double low = (double)INFINITY, high = 0.0;

    for (size_t i = 0; i < run->n; i++) {
        if (!isfinite(y[i]))
            continue;
        low = y[i] < low ? y[i] : low;
        high = y[i] > high ? y[i] : high;
    }
    return low > 0.0 && high > 100.0 * low;
}

static const char *base_name(const char *path, const char *none)
{
    const char *slash = path ? strrchr(path, '/') : NULL;

    return slash ? slash + 1 : path ? path : none;
}

static void put_chart(FILE *f, const html_data *d, const char *label, const double *a,
                      const double *b)
{
    const fpx_report_input *in = d->in;
    const uint64_t focus = html_focus(in);
    const int differ = in->diff != NULL && in->diff->verdict == FPX_DIFFERENT;
    char name_a[96], name_b[96];
    html_chart c = {
        .label = label,
        .lines = { { d->a.step, a, d->a.n, "a", name_a }, { d->b.step, b, d->b.n, "b", name_b } },
        .nlines = b ? 2 : 1,
        .log = spread(&d->a, a) || (b && spread(&d->b, b)),
        .marks = { { focus, differ ? "first difference, step" : "first finding, step" },
                   { UINT64_MAX, "the loss shows it, step" } }
    };

    if (differ && in->diff->loss_visible != focus)
        c.marks[1].step = in->diff->loss_visible;
    (void)snprintf(name_a, sizeof name_a, "A: %s", base_name(in->trace_name, "run"));
    (void)snprintf(name_b, sizeof name_b, "B: %s", base_name(in->other_name, "run"));
    html_put_chart(f, &c);
}

static void put_gap(FILE *f, const html_data *d)
{
    const fpx_diff *diff = d->in->diff;
    const int differ = diff != NULL && diff->verdict == FPX_DIFFERENT;
    html_chart c = { .label = "distance of the two losses",
                     .lines = { { d->gap.step, d->gap.gap, d->gap.n, "a", "" } },
                     .nlines = 1,
                     .log = 1,
                     .marks = { { html_focus(d->in),
                                  differ ? "first difference, step" : "first finding, step" },
                                { UINT64_MAX, "" } } };

    if (nothing_apart(&d->gap) || (diff != NULL && diff->verdict == FPX_SAME)) {
        (void)fprintf(f, "<p class=\"say\">The two losses are equal in all %zu common steps.</p>\n",
                      d->gap.n);
        return;
    }
    if (differ && diff->loss_noise > 0.0) {
        c.level = diff->loss_noise;
        c.level_text = "what the loss usually changes from step to step";
    }
    (void)fputs(
        "<figure><p class=\"say\">The same two losses, subtracted, on a logarithmic axis. "
        "<b>Look at where the line leaves \xe2\x80\x9c"
        "equal\xe2\x80\x9d</b> and how long it "
        "stays below the dashed line: that long, nobody who watches the loss would notice.</p>\n",
        f);
    html_put_chart(f, &c);
    (void)fputs("</figure>\n", f);
}

/* What is no finding of the arithmetic, and yet what one looks for. */
static void put_spikes(FILE *f, const html_run *run, const char *whose)
{
    if (run->nspikes == 0)
        return;
    (void)fprintf(f, "<p class=\"say\"><b>In %s, %zu loss%s left %s band</b>: step%s", whose,
                  run->nspikes, run->nspikes == 1 ? "" : "es", run->nspikes == 1 ? "its" : "their",
                  run->nspikes == 1 ? "" : "s");
    for (size_t i = 0; i < run->nspikes && i < HTML_SPIKES; i++)
        (void)fprintf(f, "%s %" PRIu64, i > 0 ? "," : "", run->spike[i]);
    if (run->nspikes > HTML_SPIKES)
        (void)fprintf(f, " and %zu more", run->nspikes - HTML_SPIKES);
    (void)fprintf(f,
                  ": above the median of the %d losses before by more than %g robust deviations. "
                  "That alone is no fault of the arithmetic, and no part of the verdict.</p>\n",
                  FPX_LOSS_BAND_STEPS, FPX_LOSS_BAND_WIDTH);
}

void html_put_curves(FILE *f, const html_data *d)
{
    if (d->a.n == 0 || (d->a.loss == NULL && d->a.norm == NULL))
        return;
    (void)fputs("<section><h2>Loss and gradient</h2>\n", f);
    if (d->a.loss != NULL) {
        (void)fputs("<figure><p class=\"say\">", f);
        (void)fputs(d->b.loss
                        ? "The training loss of A as a thin line over that of B as a broad one: "
                          "<b>where only the thin line\xe2\x80\x99s colour is seen inside the "
                          "broad one, they agree</b>."
                        : "The training loss. <b>Look for jumps</b>: a cross at the top is a step "
                          "whose loss is not a finite number.",
                    f);
        (void)fputs("</p>\n", f);
        put_spikes(f, &d->a, d->b.loss != NULL ? "A" : "the run");
        put_spikes(f, &d->b, "B");
        put_chart(f, d, "loss", d->a.loss, d->b.loss);
        (void)fputs("</figure>\n", f);
    }
    if (d->gap.step != NULL)
        put_gap(f, d);
    if (d->a.norm != NULL) {
        (void)fputs(
            "<figure><p class=\"say\">The norm of the whole gradient, before clipping. A fault "
            "often shows here before it shows in the loss.</p>\n",
            f);
        put_chart(f, d, "gradient norm", d->a.norm, d->b.norm);
        (void)fputs("</figure>\n", f);
    }
    (void)fputs("</section>\n", f);
}

void html_put_top(FILE *f, const html_data *d)
{
    const int other_bits = d->ntop > 0 && isinf(d->top[0].ratio) && d->top[0].mismatches > 0.0 &&
                           fpx_trace_demands_bits(&d->layout->modes[d->top[0].mode]);

    char cut[64] = "";

    if (d->ntop == 0)
        return;
    if (d->top_of > d->ntop)
        (void)snprintf(cut, sizeof cut, ": %zu of %zu", d->ntop, d->top_of);
    (void)fprintf(
        f,
        "<section><h2>%s</h2><p class=\"say\">%s %s%s."
        "</p>\n<div class=\"wide\"><table class=\"top\"><tr><th>%s</th><th></th>"
        "<th>operation</th><th>tensor</th><th>step</th><th>shadow</th></tr>\n",
        other_bits ? "Operations that disagree" : "Largest errors, measured by their bounds",
        other_bits ? "Their shadow has the same arithmetic and yet other bits."
                   : "The bound is computed for each operation and the very numbers it had; "
                     "no correct arithmetic exceeds it. <b>Up to 1 all is well.</b>",
        other_bits
            ? "Worst first, the worst of each"
            : "Worst first: every operation above its bound and, of those below, the worst of "
              "each kind",
        cut, other_bits ? "elements" : "error / bound");
    for (size_t i = 0; i < d->ntop; i++) {
        const html_top *t = &d->top[i];
        const fpx_trace_record *r = &d->layout->records[t->record];
        const int bad = t->ratio > 1.0;

        (void)fprintf(f, "<tr%s><td>", bad ? " class=\"over\"" : "");
        if (other_bits && isinf(t->ratio))
            (void)fprintf(f, "%.0f", t->mismatches);
        else if (t->ratio < 1.0) /* never rounded up to the bound */
            (void)fprintf(f, "%.4f", t->ratio < 0.9999 ? t->ratio : 0.9999);
        else
            html_put_number(f, t->ratio);
        (void)fprintf(
            f,
            "%s</td><td><svg viewBox=\"0 0 80 8\" class=\"bar\"><rect width=\"80\" "
            "height=\"8\" class=\"k0\"/><rect width=\"%.1f\" height=\"8\" class=\"fill\"/>"
            "</svg></td><td><code>",
            bad ? " \xe2\x9c\x95" : "", 80.0 * (t->ratio < 1.0 ? t->ratio : 1.0));
        html_put(f, r->op);
        (void)fputs("</code></td><td><code>", f);
        html_put(f, r->tensor);
        (void)fprintf(f, "</code></td><td>%" PRIu64 "</td><td><code>", t->step);
        html_put(f, d->layout->modes[t->mode].name);
        (void)fputs("</code></td></tr>\n", f);
    }
    (void)fputs("</table></div></section>\n", f);
}

static void put_row(FILE *f, const char *name, const char *x, const char *y)
{
    (void)fprintf(f, "<tr><th scope=\"row\">%s</th><td>", name);
    html_put(f, x);
    if (y != NULL) {
        (void)fputs("</td><td>", f);
        html_put(f, y);
    }
    (void)fputs("</td></tr>\n", f);
}

static void steps_text(const html_run *run, char *text, size_t room)
{
    if (run->n == 0)
        (void)snprintf(text, room, "none");
    else
        (void)snprintf(text, room, "%zu, from %" PRIu64 " to %" PRIu64, run->n, run->step[0],
                       run->step[run->n - 1]);
}

static int is_empty(const char *text)
{
    return text == NULL || text[0] == '\0';
}

static int same_text(const char *x, const char *y)
{
    return strcmp(is_empty(x) ? "" : x, is_empty(y) ? "" : y) == 0;
}

static void put_experiment(FILE *f, const char *name, const fpx_trace_layout *l)
{
    if (is_empty(l->experiment))
        return;
    (void)fprintf(f, "<details><summary>Experiment%s</summary>", name);
    if (!is_empty(l->overrides)) {
        (void)fputs("<p>The command line put in place of the file\xe2\x80\x99s own:</p><pre>", f);
        html_put(f, l->overrides);
        (void)fputs("</pre><p>The file:</p>", f);
    }
    (void)fputs("<pre>", f);
    html_put(f, l->experiment);
    (void)fputs("</pre></details>\n", f);
}

static void put_recipe(FILE *f, const char *name, const fpx_trace_layout *l)
{
    if (is_empty(l->recipe))
        return;
    (void)fprintf(f, "<details><summary>Recipe%s</summary><pre>", name);
    html_put(f, l->recipe);
    (void)fputs("</pre></details>\n", f);
}

/* What the run had, whatever the experiment's file says. No row where neither says it. */
static void put_setting(FILE *f, const char *name, const char *key, const fpx_trace_layout *a,
                        const fpx_trace_layout *b)
{
    const fpx_settings sa = { a->experiment, a->overrides, a->recipe };
    char va[FPX_SETTING_VALUE] = "", vb[FPX_SETTING_VALUE] = "";
    int there = fpx_settings_find(&sa, key, va);

    if (b != NULL) {
        const fpx_settings sb = { b->experiment, b->overrides, b->recipe };

        there |= fpx_settings_find(&sb, key, vb);
    }
    if (there)
        put_row(f, name, va, b != NULL ? vb : NULL);
}

void html_put_runs(FILE *f, const html_data *d)
{
    const fpx_report_input *in = d->in;
    const fpx_trace_layout *a = fpx_trace_layout_of(in->trace),
                           *b = in->other ? fpx_trace_layout_of(in->other) : NULL;
    const int same = b == NULL || (same_text(a->experiment, b->experiment) &&
                                   same_text(a->overrides, b->overrides));
    const int same_recipe = b == NULL || same_text(a->recipe, b->recipe);
    char sa[96], sb[96], ta[32], tb[32];

    steps_text(&d->a, sa, sizeof sa);
    steps_text(&d->b, sb, sizeof sb);
    (void)snprintf(ta, sizeof ta, "%zu", a->nrecords);
    (void)snprintf(tb, sizeof tb, "%zu", b ? b->nrecords : 0);
    (void)fprintf(f,
                  "<section><h2>What was run</h2><div class=\"wide\"><table class=\"facts\">%s\n",
                  b ? "<tr><th></th><th>A</th><th>B</th></tr>" : "");
    put_row(f, "Trace", in->trace_name ? in->trace_name : "A",
            b ? (in->other_name ? in->other_name : "B") : NULL);
    put_setting(f, "Recipe", "recipe", a, b);
    put_setting(f, "Seed", "seed", a, b);
    put_setting(f, "Steps", "steps", a, b);
    put_row(f, "Steps in the trace", sa, b ? sb : NULL);
    put_row(f, "Tensors a step", ta, b ? tb : NULL);
    put_row(f, "Device", a->device, b ? b->device : NULL);
    put_row(f, "Version", a->version, b ? b->version : NULL);
    (void)fputs("</table></div>\n", f);
    put_experiment(f, same ? "" : " A", a);
    if (!same)
        put_experiment(f, " B", b);
    put_recipe(f, same_recipe ? "" : " A", a);
    if (!same_recipe)
        put_recipe(f, " B", b);
    (void)fputs("</section>\n", f);
}
