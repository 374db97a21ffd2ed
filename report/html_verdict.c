/* html_verdict.c - the top of the page: the verdict in a sentence, what the runs are, and what is not claimed. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "html_parts.h"
#include "wording.h"

typedef enum tone { HOLDS, FINDING, UNDECIDED } tone;

static void open_verdict(FILE *f, tone t)
{
    static const char *const css[] = { "good", "bad", "unsure" };
    static const char *const words[] = { "\xe2\x9c\x93 Holds", "\xe2\x9c\x95 Finding",
                                         "? No verdict" };

    (void)fprintf(f, "<section class=\"verdict %s\"><p class=\"word\">%s</p><p class=\"sentence\">",
                  css[t], words[t]);
}

void html_put_code(FILE *f, const char *text)
{
    (void)fputs("<code>", f);
    html_put(f, text);
    (void)fputs("</code>", f);
}

void html_put_loss(FILE *f, const fpx_diff *d)
{
    if (!d->loss_compared) {
        (void)fputs("The loss was not compared: A and B have no loss of the same format.", f);
        return;
    }
    if (d->loss_bits == UINT64_MAX) {
        (void)fputs(
            "The loss keeps its bits in every step compared: it would never have shown this.", f);
        return;
    }
    (void)fprintf(f, "The loss first has other bits at step %" PRIu64, d->loss_bits);
    if (d->loss_visible == UINT64_MAX)
        (void)fputs(", but is never off by more than it usually changes from step to step (", f);
    else
        (void)fprintf(f,
                      "; from step %" PRIu64
                      " it is off by more than it usually changes from step to "
                      "step (",
                      d->loss_visible);
    html_put_number(f, d->loss_noise);
    (void)fputs(").", f);
}

static void put_incomplete(FILE *f, const char *name, uint64_t steps, uint64_t planned)
{
    if (steps < planned)
        (void)fprintf(
            f,
            "<p class=\"more\"><b>%s is incomplete: %" PRIu64 " of %" PRIu64
            " steps.</b> It ended in a crash, a kill or an interrupt, or still goes on.</p>",
            name, steps, planned);
}

static void put_shape(FILE *f, const fpx_tensor *t)
{
    char shape[96];

    wording_shape(t, shape, sizeof shape);
    html_put_code(f, shape);
}

static void put_unpaired(FILE *f, const fpx_unpaired *u)
{
    if (u->only_a + u->only_b + u->reshaped == 0)
        return;
    (void)fputs("<p class=\"more\">The programs differ.", f);
    if (u->only_a > 0) {
        (void)fprintf(f, " Only in A: %" PRIu64 " tensors, first ", u->only_a);
        html_put_code(f, u->first_a.tensor);
        (void)fputs(".", f);
    }
    if (u->only_b > 0) {
        (void)fprintf(f, " Only in B: %" PRIu64 " tensors, first ", u->only_b);
        html_put_code(f, u->first_b.tensor);
        (void)fputs(".", f);
    }
    if (u->reshaped > 0) {
        (void)fprintf(f, " Of other format or shape: %" PRIu64 ", first ", u->reshaped);
        html_put_code(f, u->reshaped_a.tensor);
        (void)fputs(": A ", f);
        put_shape(f, &u->reshaped_a.desc);
        (void)fputs(", B ", f);
        put_shape(f, &u->reshaped_b.desc);
        (void)fputs(".", f);
    }
    (void)fputs("</p>", f);
}

/* What the runs are, below what they gave. */
static void put_what_ran(FILE *f, const fpx_diff *d)
{
    if (d->nsettings > 0) {
        (void)fputs("<p class=\"more\">The experiments differ: ", f);
        for (size_t i = 0; i < d->nsettings && i < FPX_DIFF_SETTINGS; i++) {
            (void)fputs(i > 0 ? "; " : "", f);
            html_put_code(f, d->settings[i].key);
            (void)fputs(" A ", f);
            html_put(f, d->settings[i].a[0] != '\0' ? d->settings[i].a : "\xe2\x80\x93");
            (void)fputs(", B ", f);
            html_put(f, d->settings[i].b[0] != '\0' ? d->settings[i].b : "\xe2\x80\x93");
        }
        if (d->nsettings > FPX_DIFF_SETTINGS)
            (void)fprintf(f, "; and %" PRIu64 " more", d->nsettings - FPX_DIFF_SETTINGS);
        (void)fputs(".</p>", f);
    }
    put_unpaired(f, &d->unpaired);
    put_incomplete(f, "A", d->steps_a, d->planned_a);
    put_incomplete(f, "B", d->steps_b, d->planned_b);
    for (int side = 0; side < 2; side++) {
        const fpx_nonfinite *n = side ? &d->nonfinite_b : &d->nonfinite_a;

        if (!n->found)
            continue;
        (void)fprintf(f, "<p class=\"more\">%s holds NaN or Inf at step %" PRIu64 " in ",
                      side ? "B" : "A", n->step);
        html_put_code(f, n->record.tensor);
        (void)fputs(".</p>", f);
    }
}

/* Only what was compared can be called equal. */
static void put_before(FILE *f, const fpx_diff *d)
{
    if (d->nothing_before) {
        (void)fputs(
            "Nothing that both recorded comes before it: its inputs (weights, data) may have "
            "differed already. ",
            f);
        return;
    }
    if (d->unpaired_before > 0)
        (void)fprintf(f,
                      "%" PRIu64 " tensors before it are in one run only, or of another shape: the "
                      "difference may come from them. What was compared before it ",
                      d->unpaired_before);
    else
        (void)fputs("What both runs computed before it ", f);
    if (d->ulps > 0)
        (void)fprintf(f, "is at most %" PRIu64 " codes apart. ", d->ulps);
    else
        (void)fputs("is equal in every bit. ", f);
}

static void put_diff_verdict(FILE *f, const fpx_diff *d)
{
    const fpx_place_found *p = &d->first;

    switch (d->verdict) {
    case FPX_SAME:
        open_verdict(f, fpx_diff_outcome(d) == FPX_HOLDS ? HOLDS : UNDECIDED);
        (void)fprintf(
            f, "Nothing differs: %" PRIu64 " steps of %" PRIu64 " tensors have the same bits.</p>",
            d->steps_compared, d->records_compared);
        break;
    case FPX_DIFFERENT:
        open_verdict(f, FINDING);
        (void)fprintf(f, "%s at step %" PRIu64 " in ",
                      d->unpaired.only_a + d->unpaired.only_b + d->unpaired.reshaped > 0
                          ? "Different programs; in what both have, the first difference is"
                          : "First difference",
                      p->step);
        html_put_code(f, p->record.op);
        (void)fputs(".</p>", f);
        put_what_ran(f, d);
        (void)fputs("<p class=\"more\">", f);
        put_before(f, d);
        html_put_loss(f, d);
        (void)fputs("</p>", f);
        break;
    case FPX_SHORTER:
        open_verdict(f, FINDING);
        (void)fprintf(f,
                      "The %" PRIu64 " common steps have the same bits, but A has %" PRIu64
                      " steps and B %" PRIu64 ".</p>",
                      d->steps_compared, d->steps_a, d->steps_b);
        break;
    default:
        open_verdict(f, FINDING);
        (void)fputs("The traces are of different programs: ", f);
        html_put_code(f, p->record.tensor);
        (void)fprintf(f,
                      " has no equal in the other.</p><p class=\"more\">The %" PRIu64
                      " common tensors have the same bits in %" PRIu64 " common steps.</p>",
                      d->records_compared, d->steps_compared);
    }
    if (d->verdict != FPX_DIFFERENT)
        put_what_ran(f, d);
}

static void put_finding_words(FILE *f, const fpx_trace_layout *layout, const fpx_shadow_finding *s)
{
    html_put_code(f, s->record.op);
    if (s->nonfinite > 0) {
        (void)fprintf(f, ": %" PRIu64 " element%s NaN or Inf", s->nonfinite,
                      s->nonfinite == 1 ? " is" : "s are");
    } else if (s->figure.ratio > 1.0) {
        (void)fputs(": the error is ", f);
        html_put_number(f, s->figure.ratio);
        (void)fputs(" times its bound", f);
    } else {
        (void)fprintf(f, ": %.0f element%s with the shadow ", s->figure.mismatches,
                      s->figure.mismatches == 1.0 ? " disagrees" : "s disagree");
        html_put_code(f, layout->modes[s->mode].name);
    }
}

static void put_finding_verdict(FILE *f, const fpx_trace_layout *layout,
                                const fpx_shadow_finding *s)
{
    if (!s->found && (layout->nmodes == 0 || s->judged == 0)) {
        open_verdict(f, UNDECIDED);
        (void)fprintf(
            f,
            "%s</p><p class=\"more\">Train with <code class=\"opt\">--shadow local:cpu</code> or "
            "<code class=\"opt\">--shadow local</code> to have every result judged.</p>",
            layout->nmodes == 0 ? "This trace has no shadow to judge it."
                                : "The shadows of this trace hold nothing to judge by.");
        return;
    }
    open_verdict(f, s->found ? FINDING : fpx_finding_outcome(s) == FPX_HOLDS ? HOLDS : UNDECIDED);
    if (!s->found) {
        (void)fprintf(f, "Nothing found: %" PRIu64 " shadowed results agree.</p>", s->judged);
        return;
    }
    (void)fprintf(f, "First finding at step %" PRIu64 " in ", s->step);
    put_finding_words(f, layout, s);
    if (s->nonfinite > 0) {
        (void)fputs(
            ".</p><p class=\"more\">No operation of a healthy run makes one; what comes after "
            "it inherits it.</p>",
            f);
        return;
    }
    (void)fprintf(f,
                  ".</p><p class=\"more\">%" PRIu64 " such results of %" PRIu64
                  " judged in the whole run.</p>",
                  s->findings, s->judged);
}

static void put_sampled(FILE *f, const fpx_trace_layout *layout, const fpx_shadow_finding *s)
{
    for (size_t m = 0; s != NULL && m < layout->nmodes; m++) {
        if (s->seen[m] >= s->steps * s->results)
            continue;
        (void)fputs("<p class=\"more\">Sampled: the shadow ", f);
        html_put_code(f, layout->modes[m].name);
        (void)fprintf(f,
                      " judged %" PRIu64 " of %" PRIu64 " results (%" PRIu64
                      " looked at), in %" PRIu64 " of %" PRIu64
                      " steps; nothing is known of the rest.</p>",
                      s->mode_judged[m], s->steps * s->results, s->mode_looked_at[m],
                      s->seen_steps[m], s->steps);
    }
}

static void put_unjudged(FILE *f, const fpx_shadow_finding *s)
{
    if (s == NULL || s->unjudged == 0)
        return;
    (void)fprintf(f,
                  "<p class=\"more\">No verdict for %" PRIu64
                  " results: the bound is infinite (overflow). First overflow: step %" PRIu64 ", ",
                  s->unjudged, s->unjudged_step);
    html_put_code(f, s->unjudged_record.op);
    (void)fputs(": expected ", f);
    html_put_number(f, s->unjudged_expected);
    (void)fputs(", got ", f);
    html_put_number(f, s->unjudged_actual);
    (void)fputs(".</p>", f);
}

/* "A" or "B" where there are two runs. */
const char *html_whose(const html_data *d)
{
    return d->in->other == NULL ? "the run" : d->shadowed == d->in->trace ? "A" : "B";
}

void html_put_verdict(FILE *f, const html_data *data)
{
    const fpx_report_input *in = data->in;

    const int found = in->finding != NULL && in->finding->found;

    if (found && in->diff != NULL && in->diff->verdict == FPX_SAME) {
        put_finding_verdict(f, data->layout, in->finding);
        put_what_ran(f, in->diff);
        (void)fprintf(f,
                      "<p class=\"more\">The two runs have the same bits in all %" PRIu64
                      " steps: both have this finding.</p>",
                      in->diff->steps_compared);
    } else if (in->diff != NULL) {
        put_diff_verdict(f, in->diff);
        if (found) {
            (void)fprintf(f,
                          "<p class=\"more\">%s\xe2\x80\x99s own shadows, without the other run, "
                          "found: step %" PRIu64 ", ",
                          html_whose(data), in->finding->step);
            put_finding_words(f, data->layout, in->finding);
            (void)fputs(".</p>", f);
        }
    } else if (in->finding != NULL) {
        put_finding_verdict(f, data->layout, in->finding);
        put_incomplete(f, "The run", in->finding->steps, in->finding->planned);
    } else {
        open_verdict(f, UNDECIDED);
        (void)fputs("One run as it was recorded; it was compared with nothing.</p>", f);
    }
    put_sampled(f, data->layout, in->finding);
    put_unjudged(f, in->finding);
    (void)fputs("</section>\n", f);
}
