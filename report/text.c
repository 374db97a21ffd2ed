/* text.c - verdicts for a terminal: a few aligned lines, the place first, then what follows from it. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <fpx/report.h>

#include "wording.h"

typedef struct page {
    char *text;
    size_t room, used;
} page;

static void put(page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(page *p, const char *format, ...)
{
    va_list args;
    int n;

    if (p->used >= p->room)
        return;
    va_start(args, format);
    n = vsnprintf(p->text + p->used, p->room - p->used, format, args);
    va_end(args);
    if (n > 0)
        p->used += (size_t)n < p->room - p->used ? (size_t)n : p->room - p->used - 1;
}

void wording_shape(const fpx_tensor *t, char *text, size_t room)
{
    page p = { text, room, 0 };

    put(&p, "%s[", t->format.name);
    for (size_t d = 0; d < t->ndim; d++)
        put(&p, "%s%" PRIu64, d ? "," : "", t->shape[d]);
    put(&p, "]");
}

void wording_index(const fpx_tensor *t, const uint64_t *index, char *text, size_t room)
{
    page p = { text, room, 0 };

    put(&p, "[");
    for (size_t d = 0; d < t->ndim; d++)
        put(&p, "%s%" PRIu64, d ? "," : "", index[d]);
    put(&p, "]");
}

void wording_code(const fpx_format *format, uint64_t code, char *text, size_t room)
{
    (void)snprintf(text, room, "0x%0*" PRIx64, (format->bits + 3) / 4, code);
}

int wording_codes(const fpx_format *format, const fpx_figure *figure, uint64_t *ret_expected,
                  uint64_t *ret_actual)
{
    if (!isnan(figure->expected_bits)) {
        *ret_expected = (uint64_t)figure->expected_bits;
        *ret_actual = (uint64_t)figure->actual_bits;
        return 1;
    }
    if (format->bits != 64 || !isnan(figure->ratio))
        return 0;
    memcpy(ret_expected, &figure->expected, sizeof *ret_expected);
    memcpy(ret_actual, &figure->actual, sizeof *ret_actual);
    return 1;
}

/* device_b: where the second of two traces ran it; NULL: there is one trace. */
static void put_record(page *p, uint64_t step, const fpx_trace_record *r, const char *device_b)
{
    char shape[96];

    wording_shape(&r->desc, shape, sizeof shape);
    put(p, "  step       %" PRIu64 "\n", step);
    if (device_b == NULL || device_b[0] == '\0' || strcmp(r->device, device_b) == 0)
        put(p, "  operation  %s  (%s, %s, on %s)\n", r->op, r->kind, r->role, r->device);
    else
        put(p, "  operation  %s  (%s, %s, A on %s, B on %s)\n", r->op, r->kind, r->role, r->device,
            device_b);
    put(p, "  tensor     %s  %s\n", r->tensor, shape);
}

static void put_value(page *p, const char *label, const fpx_format *format, double value,
                      uint64_t code)
{
    char bits[32];

    wording_code(format, code, bits, sizeof bits);
    put(p, "  %-9s  %-16.9g %s\n", label, value, bits);
}

static void put_loss(page *p, const fpx_diff *d)
{
    if (!d->loss_compared) {
        put(p, "  the loss   was not compared: A and B have no `loss` of the same format\n");
        return;
    }
    if (d->loss_bits == UINT64_MAX) {
        put(p,
            "  the loss   keeps its bits in every step compared: it would never have shown this\n");
        return;
    }
    put(p, "  the loss   first has other bits at step %" PRIu64, d->loss_bits);
    if (d->loss_visible == UINT64_MAX)
        put(p, ", and never moves by more than its own change from step to step (%.3g)\n",
            d->loss_noise);
    else
        put(p,
            "; from step %" PRIu64
            " it is off by more than its own change from step to step (%.3g)\n",
            d->loss_visible, d->loss_noise);
}

/* What the runs are, before what they gave: the experiments, then the programs, then how far they went. */
static void put_runs(page *p, const fpx_diff *d)
{
    const fpx_unpaired *u = &d->unpaired;
    const size_t shown = d->nsettings < FPX_DIFF_SETTINGS ? d->nsettings : FPX_DIFF_SETTINGS;
    char a[96], b[96];

    if (d->nsettings > 0)
        put(p, "the experiments differ:\n");
    for (size_t i = 0; i < shown; i++)
        put(p, "  %-28s A %s   B %s\n", d->settings[i].key,
            d->settings[i].a[0] != '\0' ? d->settings[i].a : "-",
            d->settings[i].b[0] != '\0' ? d->settings[i].b : "-");
    if (d->nsettings > shown)
        put(p, "  and %" PRIu64 " more\n", d->nsettings - shown);
    if (u->only_a + u->only_b + u->reshaped > 0)
        put(p, "the programs differ:\n");
    if (u->only_a > 0)
        put(p, "  only in A    %" PRIu64 " tensors, first %s (%s)\n", u->only_a, u->first_a.tensor,
            u->first_a.op);
    if (u->only_b > 0)
        put(p, "  only in B    %" PRIu64 " tensors, first %s (%s)\n", u->only_b, u->first_b.tensor,
            u->first_b.op);
    if (u->reshaped > 0) {
        wording_shape(&u->reshaped_a.desc, a, sizeof a);
        wording_shape(&u->reshaped_b.desc, b, sizeof b);
        put(p, "  other shape  %" PRIu64 " tensors, first %s: A %s, B %s\n", u->reshaped,
            u->reshaped_a.tensor, a, b);
    }
    if (d->steps_a < d->planned_a)
        put(p, "A is incomplete: %" PRIu64 " of %" PRIu64 " steps\n", d->steps_a, d->planned_a);
    if (d->steps_b < d->planned_b)
        put(p, "B is incomplete: %" PRIu64 " of %" PRIu64 " steps\n", d->steps_b, d->planned_b);
}

static void put_not_finite(page *p, const char *name, const fpx_nonfinite *n)
{
    if (n->found)
        put(p, "  %s          holds NaN or Inf at step %" PRIu64 " in %s\n", name, n->step,
            n->record.tensor);
}

static void put_first(page *p, const fpx_diff *d)
{
    const fpx_place_found *f = &d->first;
    char index[96];

    if (d->unpaired.only_a + d->unpaired.only_b + d->unpaired.reshaped > 0)
        put(p,
            "first difference among the %" PRIu64 " tensors that both have; %" PRIu64
            " without an equal come before it:\n",
            d->records_compared, d->unpaired_before);
    else
        put(p, "first difference:\n");
    put_record(p, f->step, &f->record, f->device_b);
    if (f->has_values) {
        wording_index(&f->record.desc, f->index, index, sizeof index);
        put(p, "  element    %" PRIu64 " = %s\n", f->element, index);
        put_value(p, "A", &f->record.desc.format, f->value_a, f->code_a);
        put_value(p, "B", &f->record.desc.format, f->value_b, f->code_b);
        put(p,
            "  extent     %" PRIu64 " of %zu elements here; %" PRIu64 " of %" PRIu64
            " tensors of this step\n",
            f->differing, fpx_tensor_count(&f->record.desc), d->records_differing,
            d->records_compared);
    } else {
        put(p,
            "  element    unknown: values of this tensor are not in both traces "
            "(train with --values '%s')\n",
            f->record.tensor);
        put(p, "  extent     %" PRIu64 " of %" PRIu64 " tensors of this step\n",
            d->records_differing, d->records_compared);
    }
    put_loss(p, d);
    if (d->healed != UINT64_MAX)
        put(p, "  afterwards every tensor is equal again from step %" PRIu64 " on\n", d->healed);
    if (d->nothing_before)
        put(p, "  before it  nothing was recorded: its inputs (weights, data) may have differed\n");
    put_not_finite(p, "A", &d->nonfinite_a);
    put_not_finite(p, "B", &d->nonfinite_b);
}

void fpx_report_diff_text(const fpx_diff *diff, char *text, size_t room)
{
    page p = { text, room, 0 };
    char shape[96];

    text[0] = '\0';
    put_runs(&p, diff);
    switch (diff->verdict) {
    case FPX_SAME:
        put(&p, "nothing differs: %" PRIu64 " steps of %" PRIu64 " tensors have the same bits%s\n",
            diff->steps_compared, diff->records_compared,
            diff->ulps > 0 ? ", or are as near as the policy asks" : "");
        put_not_finite(&p, "A", &diff->nonfinite_a);
        put_not_finite(&p, "B", &diff->nonfinite_b);
        break;
    case FPX_DIFFERENT:
        put_first(&p, diff);
        break;
    case FPX_SHORTER:
        put(&p,
            "the %" PRIu64 " common steps have the same bits, but A has %" PRIu64
            " steps and B %" PRIu64 "\n",
            diff->steps_compared, diff->steps_a, diff->steps_b);
        break;
    default:
        wording_shape(&diff->first.record.desc, shape, sizeof shape);
        put(&p,
            "the traces are of different programs: %s (%s %s) has no equal in the other; the "
            "%" PRIu64 " common tensors have the same bits in %" PRIu64 " common steps\n",
            diff->first.record.tensor, diff->first.record.op, shape, diff->records_compared,
            diff->steps_compared);
    }
}

/* How much of the run each shadow's verdict is about. */
static void put_judged(page *p, const fpx_trace_layout *layout, const fpx_shadow_finding *f)
{
    for (size_t m = 0; m < layout->nmodes; m++)
        put(p, "shadow %s: judged %" PRIu64 " of %" PRIu64 " results (%" PRIu64 " looked at)\n",
            layout->modes[m].name, f->mode_judged[m], f->steps * f->results, f->mode_looked_at[m]);
}

/* What was left unseen. */
static void put_sampled(page *p, const fpx_trace_layout *layout, const fpx_shadow_finding *f)
{
    for (size_t m = 0; m < layout->nmodes; m++)
        if (f->seen[m] < f->steps * f->results)
            put(p,
                "sampled: shadow %s looked at %" PRIu64 " of %" PRIu64
                " steps; nothing is known of the "
                "rest\n",
                layout->modes[m].name, f->seen_steps[m], f->steps);
}

/* What was left without verdict. */
static void put_unjudged(page *p, const fpx_shadow_finding *f)
{
    if (f->unjudged > 0)
        put(p,
            "no verdict for %" PRIu64 " results: the bound is infinite (overflow), first at step "
            "%" PRIu64 " in %s, %s: expected %.9g, got %.9g\n",
            f->unjudged, f->unjudged_step, f->unjudged_record.op, f->unjudged_record.tensor,
            f->unjudged_expected, f->unjudged_actual);
    if (f->steps < f->planned)
        put(p, "incomplete: %" PRIu64 " of %" PRIu64 " steps\n", f->steps, f->planned);
}

static void put_nonfinite(page *p, const fpx_shadow_finding *finding)
{
    char index[96];

    put(p, "first value that is not a finite number:\n");
    put_record(p, finding->step, &finding->record, NULL);
    if (finding->has_element) {
        wording_index(&finding->record.desc, finding->index, index, sizeof index);
        put(p, "  element    %.0f = %s\n", finding->figure.element, index);
        put(p, "  got        %g\n", finding->figure.actual);
    } else {
        put(p,
            "  element    unknown: the trace holds no values of this tensor (train with --values "
            "'%s')\n",
            finding->record.tensor);
    }
    put(p, "  extent     %" PRIu64 " of %zu elements here are NaN or Inf\n", finding->nonfinite,
        fpx_tensor_count(&finding->record.desc));
}

static void put_finding(page *p, const fpx_trace_layout *layout, const fpx_shadow_finding *finding)
{
    const fpx_figure *f = &finding->figure;
    uint64_t expected, actual;
    char index[96];

    if (finding->nonfinite > 0) {
        put_nonfinite(p, finding);
        return;
    }
    if (layout->nmodes == 0) {
        put(p, "this trace has no shadow: train with --shadow local:cpu or --shadow local\n");
        return;
    }
    if (finding->judged == 0) {
        put(p, "no information: these shadows judge nothing (the same arithmetic on the same "
               "device, or "
               "no error bound); --shadow local has bounds\n");
        return;
    }
    if (!finding->found) {
        put(p, "nothing found: %" PRIu64 " shadowed results agree\n", finding->judged);
        return;
    }
    put(p, "first finding (shadow %s):\n", layout->modes[finding->mode].name);
    put_record(p, finding->step, &finding->record, NULL);
    wording_index(&finding->record.desc, finding->index, index, sizeof index);
    put(p, "  element    %.0f = %s\n", f->element, index);
    if (wording_codes(&finding->record.desc.format, f, &expected, &actual)) {
        put_value(p, "expected", &finding->record.desc.format, f->expected, expected);
        put_value(p, "got", &finding->record.desc.format, f->actual, actual);
    } else {
        put(p, "  expected   %-16.9g\n  got        %-16.9g\n", f->expected, f->actual);
        put(p, "  the error  is %.3g times its bound\n", f->ratio);
    }
    put(p, "  extent     %.0f of %zu elements here; %" PRIu64 " such results in the whole run\n",
        f->mismatches, fpx_tensor_count(&finding->record.desc), finding->findings);
}

void fpx_report_finding_text(const fpx_trace_layout *layout, const fpx_shadow_finding *finding,
                             char *text, size_t room)
{
    page p = { text, room, 0 };

    text[0] = '\0';
    put_finding(&p, layout, finding);
    put_judged(&p, layout, finding);
    put_sampled(&p, layout, finding);
    put_unjudged(&p, finding);
}
