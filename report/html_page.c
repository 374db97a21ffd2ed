/* html_page.c - what was found, and where: facts and bit patterns in tables. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "html_parts.h"
#include "wording.h"

/* ---- place ---- */

static void open_fact(FILE *f, const char *name)
{
    (void)fprintf(f, "<tr><th scope=\"row\">%s</th><td>", name);
}

static void close_fact(FILE *f)
{
    (void)fputs("</td></tr>\n", f);
}

static void put_record_facts(FILE *f, uint64_t step, const fpx_trace_record *r)
{
    char shape[96];

    open_fact(f, "Step");
    (void)fprintf(f, "%" PRIu64, step);
    close_fact(f);
    open_fact(f, "Operation");
    html_put_code(f, r->op);
    (void)fputs(" <span class=\"soft\">", f);
    html_put(f, r->kind);
    (void)fputs(", ", f);
    html_put(f, r->role);
    (void)fputs(", on ", f);
    html_put(f, r->device);
    (void)fputs("</span>", f);
    close_fact(f);
    open_fact(f, "Tensor");
    html_put_code(f, r->tensor);
    wording_shape(&r->desc, shape, sizeof shape);
    (void)fputs(" <span class=\"soft\">", f);
    html_put(f, shape);
    (void)fputs("</span>", f);
    close_fact(f);
}

static void put_element_fact(FILE *f, const fpx_tensor *t, uint64_t element, const uint64_t *index)
{
    char text[96];

    wording_index(t, index, text, sizeof text);
    open_fact(f, "Element");
    (void)fprintf(
        f, "<code>%s</code> <span class=\"soft\">number %" PRIu64 " of %zu, counted from 0</span>",
        text, element, fpx_tensor_count(t));
    close_fact(f);
}

/* Sign, exponent and fraction apart; what the other side has otherwise is marked. */
static void put_bits(FILE *f, const fpx_format *format, uint64_t code, uint64_t other)
{
    for (unsigned b = format->bits; b-- > 0;) {
        const int differs = ((code ^ other) >> b & 1) != 0;

        (void)fprintf(f, differs ? "<b>%c</b>" : "%c", (int)('0' + (int)(code >> b & 1)));
        if (format->cls == FPX_CLASS_FLOAT && b > 0 &&
            (b + 1u == format->bits || b == format->mbits))
            (void)fputs(" \xc2\xb7 ", f);
    }
}

static void put_side(FILE *f, const char *name, const fpx_format *format, double value,
                     const uint64_t *code, const uint64_t *other)
{
    char text[32];

    (void)fprintf(f, "<tr><th scope=\"row\">%s</th><td>", name);
    if (isfinite(value))
        (void)fprintf(f, "%.*g", format->bits > 32 ? 17 : 9, value);
    else
        html_put_number(f, value);
    if (code != NULL) {
        wording_code(format, *code, text, sizeof text);
        (void)fprintf(f, "</td><td><code>%s</code></td><td class=\"bits\">", text);
        put_bits(f, format, *code, *other);
    }
    (void)fputs("</td></tr>\n", f);
}

static void put_pair(FILE *f, const fpx_format *format, const char *const names[2],
                     const double values[2], const uint64_t *codes)
{
    const uint64_t x = codes ? codes[0] ^ codes[1] : 0;
    int n = 0;

    for (unsigned b = 0; b < format->bits; b++)
        n += (int)(x >> b & 1);
    (void)fputs("<div class=\"wide\"><table class=\"pair\"><tr><th></th><th>value</th>", f);
    if (codes != NULL)
        (void)fprintf(f, "<th>code</th><th>bits%s; what differs is marked</th>",
                      format->cls == FPX_CLASS_FLOAT ? ": sign \xc2\xb7 exponent \xc2\xb7 fraction"
                                                     : "");
    (void)fputs("</tr>\n", f);
    put_side(f, names[0], format, values[0], codes, codes ? codes + 1 : NULL);
    put_side(f, names[1], format, values[1], codes ? codes + 1 : NULL, codes);
    (void)fputs("</table></div>\n", f);
    if (n > 0) {
        const uint64_t apart = fpx_ulp_distance(format, codes[0], codes[1]);

        (void)fprintf(f, "<p class=\"say\">%d bit%s", n, n == 1 ? " differs" : "s differ");
        if (apart != UINT64_MAX)
            (void)fprintf(f, "; the two lie %" PRIu64 " %s apart", apart,
                          apart == 1 ? "code" : "codes");
        (void)fputs(".</p>\n", f);
    }
}

static void put_diff_place(FILE *f, const fpx_diff *d)
{
    static const char *const names[2] = { "A", "B" };
    const fpx_place_found *p = &d->first;
    const double values[2] = { p->value_a, p->value_b };
    const uint64_t codes[2] = { p->code_a, p->code_b };

    (void)fputs("<section><h2>What was found, and where</h2><table class=\"facts\">\n", f);
    put_record_facts(f, p->step, &p->record);
    if (p->has_values)
        put_element_fact(f, &p->record.desc, p->element, p->index);
    open_fact(f, "Extent");
    if (p->has_values)
        (void)fprintf(f, "%" PRIu64 " of %zu elements of this tensor; ", p->differing,
                      fpx_tensor_count(&p->record.desc));
    (void)fprintf(f, "%" PRIu64 " of %" PRIu64 " tensors of this step", d->records_differing,
                  d->records_compared);
    close_fact(f);
    open_fact(f, "In the loss");
    html_put_loss(f, d);
    close_fact(f);
    open_fact(f, "Afterwards");
    if (d->healed == UINT64_MAX)
        (void)fputs(d->nonfinite_a.found || d->nonfinite_b.found
                        ? "the runs never become equal again with finite values"
                        : "the runs never become equal again for good",
                    f);
    else
        (void)fprintf(f, "every tensor is equal again from step %" PRIu64 " on", d->healed);
    close_fact(f);
    (void)fputs("</table>\n", f);
    if (p->has_values)
        put_pair(f, &p->record.desc.format, names, values, codes);
    else
        (void)fputs(
            "<p class=\"say\">The element is unknown: the values of this tensor are not in both "
            "traces (train with <code class=\"opt\">--values</code>).</p>\n",
            f);
    (void)fputs("</section>\n", f);
}

static void put_nonfinite_place(FILE *f, const html_data *data, const fpx_shadow_finding *s)
{
    (void)fprintf(f, "<section><h2>Where %s stops being finite</h2><table class=\"facts\">\n",
                  html_whose(data));
    put_record_facts(f, s->step, &s->record);
    if (s->has_element)
        put_element_fact(f, &s->record.desc, (uint64_t)s->figure.element, s->index);
    open_fact(f, "Extent");
    (void)fprintf(f, "%" PRIu64 " of %zu elements of this tensor are NaN or Inf", s->nonfinite,
                  fpx_tensor_count(&s->record.desc));
    close_fact(f);
    (void)fputs("</table></section>\n", f);
}

static void put_finding_place(FILE *f, const html_data *data, const fpx_shadow_finding *s)
{
    const fpx_trace_layout *layout = data->layout;
    static const char *const names[2] = { "expected", "got" };
    const fpx_figure *g = &s->figure;
    const double values[2] = { g->expected, g->actual };
    uint64_t codes[2];
    const int bits = wording_codes(&s->record.desc.format, g, &codes[0], &codes[1]);

    if (s->nonfinite > 0) {
        put_nonfinite_place(f, data, s);
        return;
    }
    (void)fprintf(
        f, "<section><h2>What %s\xe2\x80\x99s own shadow found</h2><table class=\"facts\">\n",
        html_whose(data));
    put_record_facts(f, s->step, &s->record);
    put_element_fact(f, &s->record.desc, (uint64_t)g->element, s->index);
    open_fact(f, "Shadow");
    html_put_code(f, layout->modes[s->mode].name);
    (void)fprintf(f, "<span class=\"soft\">: %s</span>",
                  html_mode_words(layout->modes[s->mode].name));
    close_fact(f);
    if (g->ratio >= 0.0) {
        open_fact(f, "Error");
        html_put_number(f, g->ratio);
        (void)fputs(" times its bound", f);
        close_fact(f);
    }
    open_fact(f, "Extent");
    (void)fprintf(f,
                  "%.0f of %zu elements of this tensor; %" PRIu64 " such results in the whole run",
                  g->mismatches, fpx_tensor_count(&s->record.desc), s->findings);
    close_fact(f);
    (void)fputs("</table>\n", f);
    put_pair(f, &s->record.desc.format, names, values, bits ? codes : NULL);
    (void)fputs("</section>\n", f);
}

void html_put_places(FILE *f, const html_data *data)
{
    const fpx_report_input *in = data->in;

    if (in->diff != NULL && in->diff->verdict == FPX_DIFFERENT)
        put_diff_place(f, in->diff);
    if (in->finding != NULL && in->finding->found)
        put_finding_place(f, data, in->finding);
}
