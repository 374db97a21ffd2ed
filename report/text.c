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

static void put_record(page *p, uint64_t step, const fpx_trace_record *r)
{
    char shape[96];

    wording_shape(&r->desc, shape, sizeof shape);
    put(p, "  step       %" PRIu64 "\n", step);
    put(p, "  operation  %s  (%s, %s, on %s)\n", r->op, r->kind, r->role, r->device);
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

static void put_first(page *p, const fpx_diff *d)
{
    const fpx_place_found *f = &d->first;
    char index[96];

    put(p, "first difference:\n");
    put_record(p, f->step, &f->record);
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
}

void fpx_report_diff_text(const fpx_diff *diff, char *text, size_t room)
{
    page p = { text, room, 0 };
    char shape[96];

    text[0] = '\0';
    switch (diff->verdict) {
    case FPX_SAME:
        put(&p, "nothing differs: %" PRIu64 " steps of %" PRIu64 " tensors have the same bits\n",
            diff->steps_compared, diff->records_compared);
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

static void put_nonfinite(page *p, const fpx_shadow_finding *finding)
{
    char index[96];

    put(p, "first value that is not a finite number:\n");
    put_record(p, finding->step, &finding->record);
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

void fpx_report_finding_text(const fpx_trace_layout *layout, const fpx_shadow_finding *finding,
                             char *text, size_t room)
{
    const fpx_figure *f = &finding->figure;
    page p = { text, room, 0 };
    uint64_t expected, actual;
    char index[96];

    text[0] = '\0';
    if (finding->nonfinite > 0) {
        put_nonfinite(&p, finding);
        return;
    }
    if (layout->nmodes == 0) {
        put(&p, "this trace has no shadow: train with --shadow local:cpu or --shadow local\n");
        return;
    }
    if (finding->looked_at == 0) {
        put(&p, "no information: these shadows judge nothing (the same arithmetic on the same "
                "device, or "
                "no error bound); --shadow local has bounds\n");
        return;
    }
    if (!finding->found) {
        put(&p, "nothing found: %" PRIu64 " shadowed results agree\n", finding->looked_at);
        return;
    }
    put(&p, "first finding (shadow %s):\n", layout->modes[finding->mode].name);
    put_record(&p, finding->step, &finding->record);
    wording_index(&finding->record.desc, finding->index, index, sizeof index);
    put(&p, "  element    %.0f = %s\n", f->element, index);
    if (wording_codes(&finding->record.desc.format, f, &expected, &actual)) {
        put_value(&p, "expected", &finding->record.desc.format, f->expected, expected);
        put_value(&p, "got", &finding->record.desc.format, f->actual, actual);
    } else {
        put(&p, "  expected   %-16.9g\n  got        %-16.9g\n", f->expected, f->actual);
        put(&p, "  the error  is %.3g times its bound\n", f->ratio);
    }
    put(&p, "  extent     %.0f of %zu elements here; %" PRIu64 " such results in the whole run\n",
        f->mismatches, fpx_tensor_count(&finding->record.desc), finding->findings);
}
