/* diff.c - the first divergence of two traces. Chained digests are monotone, so the first differing step is
 * found by bisection, also where the runs agree again later; in that step the first differing
 * record in program order is the culprit, because everything it read came before it. */
#include <stdlib.h>
#include <string.h>

#include <fpx/cpu.h>
#include <fpx/diff.h>

#include "align.h"

typedef struct pair {
    fpx_trace *a, *b;
    alignment align;
    fpx_digest *digests_a, *digests_b; /* of one step */
    void *codes_a, *codes_b;           /* of the largest record */
} pair;

static void pair_free(pair *p)
{
    align_free(&p->align);
    free(p->digests_a);
    free(p->digests_b);
    free(p->codes_a);
    free(p->codes_b);
}

static size_t largest_record(const fpx_trace_layout *layout)
{
    size_t n = 8;

    for (size_t i = 0; i < layout->nrecords; i++) {
        const size_t bytes = fpx_tensor_bytes(&layout->records[i].desc);
        n = bytes > n ? bytes : n;
    }
    return n;
}

static fpx_status pair_open(pair *p, fpx_error *err)
{
    const fpx_trace_layout *la = fpx_trace_layout_of(p->a), *lb = fpx_trace_layout_of(p->b);

    p->digests_a = calloc(la->nrecords + 1, sizeof *p->digests_a);
    p->digests_b = calloc(lb->nrecords + 1, sizeof *p->digests_b);
    p->codes_a = malloc(largest_record(la));
    p->codes_b = malloc(largest_record(lb));
    if (!p->digests_a || !p->digests_b || !p->codes_a || !p->codes_b)
        return fpx_error_set(err, FPX_ENOMEM, "comparing traces: out of memory");
    return align_traces(p->a, p->b, &p->align, err);
}

/* Index of the first common step whose chain differs; align.nsteps where none does. Only sound where
 * both chains began at the same step with the same records. */
static fpx_status bisect_chain(const pair *p, size_t *ret_index, fpx_error *err)
{
    size_t low = 0, high = p->align.nsteps; /* all below low are equal, high and above differ */
    fpx_status status = FPX_OK;

    while (low < high && status == FPX_OK) {
        const size_t middle = low + (high - low) / 2;
        fpx_digest x, y;

        status = fpx_trace_chain_at(p->a, p->align.steps[middle].a, &x, err);
        if (status == FPX_OK)
            status = fpx_trace_chain_at(p->b, p->align.steps[middle].b, &y, err);
        if (status == FPX_OK && fpx_digest_equal(x, y))
            low = middle + 1;
        else
            high = middle;
    }
    *ret_index = low;
    return status;
}

/* Number of common records that differ at a common step; the first in *ret_first. */
static fpx_status count_differing(pair *p, size_t step, size_t *ret_count, size_t *ret_first,
                                  fpx_error *err)
{
    fpx_status status = fpx_trace_digests(p->a, p->align.steps[step].a, p->digests_a, err);
    size_t count = 0;

    if (status == FPX_OK)
        status = fpx_trace_digests(p->b, p->align.steps[step].b, p->digests_b, err);
    for (size_t r = 0; r < p->align.nrecords && status == FPX_OK; r++) {
        const aligned *m = &p->align.records[r];

        if (!fpx_digest_equal(p->digests_a[m->a], p->digests_b[m->b]) && count++ == 0)
            *ret_first = r;
    }
    *ret_count = count;
    return status;
}

static fpx_status scale_at(fpx_trace *trace, size_t step, size_t record, double *ret_scale,
                           fpx_error *err)
{
    const size_t n = fpx_trace_layout_of(trace)->nrecords;
    fpx_stats *stats = calloc(n, sizeof *stats);
    double *scales = calloc(n, sizeof *scales);
    fpx_status status = FPX_ENOMEM;

    if (stats == NULL || scales == NULL)
        (void)fpx_error_set(err, FPX_ENOMEM, "comparing traces: out of memory");
    else
        status = fpx_trace_stats(trace, step, stats, scales, err);
    if (status == FPX_OK && scales != NULL)
        *ret_scale = scales[record];
    free(stats);
    free(scales);
    return status;
}

/* Fills place with the first element that the policy calls different; differing stays 0 where there is
 * none. Without values in both traces only has_values is set. */
static fpx_status look_inside(pair *p, size_t step, size_t r, const fpx_diff_policy *policy,
                              fpx_place_found *place, fpx_error *err)
{
    const aligned *m = &p->align.records[r];
    const aligned *s = &p->align.steps[step];
    const fpx_trace_record *record = &fpx_trace_layout_of(p->a)->records[m->a];
    const fpx_trace_record *other = &fpx_trace_layout_of(p->b)->records[m->b];
    const size_t n = fpx_tensor_count(&record->desc);
    double scale_a = 1.0, scale_b = 1.0;
    fpx_status status;

    memset(place, 0, sizeof *place);
    place->step = fpx_trace_step_at(p->a, s->a);
    place->record = *record;
    memcpy(place->device_b, other->device, sizeof place->device_b);
    if (!record->values || !other->values)
        return FPX_OK;
    status = fpx_trace_values(p->a, s->a, m->a, p->codes_a, err);
    if (status == FPX_OK)
        status = fpx_trace_values(p->b, s->b, m->b, p->codes_b, err);
    if (status == FPX_OK)
        status = scale_at(p->a, s->a, m->a, &scale_a, err);
    if (status == FPX_OK)
        status = scale_at(p->b, s->b, m->b, &scale_b, err);
    if (status != FPX_OK)
        return status;
    place->has_values = 1;
    for (size_t i = 0; i < n; i++) {
        const uint64_t x = align_code(&record->desc, p->codes_a, i);
        const uint64_t y = align_code(&record->desc, p->codes_b, i);

        if (x == y ||
            (policy->ulps > 0 && fpx_ulp_distance(&record->desc.format, x, y) <= policy->ulps))
            continue;
        if (place->differing++ > 0)
            continue;
        place->element = i;
        place->code_a = x;
        place->code_b = y;
        place->value_a = fpx_format_value(&record->desc.format, x) * scale_a;
        place->value_b = fpx_format_value(&record->desc.format, y) * scale_b;
        align_index(&record->desc, i, place->index);
    }
    return FPX_OK;
}

/* The first place at or after common step `from`. exact: the first differing record is it. ulp:N: the
 * first record with an element further apart. */
static fpx_status find_first(pair *p, const fpx_diff_policy *policy, size_t from, fpx_diff *diff,
                             size_t *ret_step, fpx_error *err)
{
    fpx_status status = FPX_OK;

    for (size_t s = from; s < p->align.nsteps && status == FPX_OK; s++) {
        size_t count = 0, first = 0;

        status = count_differing(p, s, &count, &first, err);
        for (size_t r = first; count > 0 && r < p->align.nrecords && status == FPX_OK; r++) {
            const aligned *m = &p->align.records[r];

            if (fpx_digest_equal(p->digests_a[m->a], p->digests_b[m->b]))
                continue;
            status = look_inside(p, s, r, policy, &diff->first, err);
            if (status == FPX_OK && policy->ulps > 0 && !diff->first.has_values)
                return fpx_error_set(
                    err, FPX_EUNSUPPORTED,
                    "%s at step %llu differs, but its values are not in both traces: "
                    "train with --values to compare in ulps, or use --policy exact",
                    diff->first.record.tensor, (unsigned long long)diff->first.step);
            if (status == FPX_OK && (policy->ulps == 0 || diff->first.differing > 0)) {
                diff->verdict = FPX_DIFFERENT;
                diff->records_differing = count;
                *ret_step = s;
                return FPX_OK;
            }
        }
    }
    return status;
}

/* From which step on is everything equal again? Searched from the end. */
static fpx_status find_healing(pair *p, size_t step, fpx_diff *diff, fpx_error *err)
{
    size_t healed = p->align.nsteps;
    fpx_status status = FPX_OK;

    while (healed > step + 1 && status == FPX_OK) {
        size_t count = 0, first = 0;

        status = count_differing(p, healed - 1, &count, &first, err);
        if (count > 0)
            break;
        healed--;
    }
    diff->healed =
        healed < p->align.nsteps ? fpx_trace_step_at(p->a, p->align.steps[healed].a) : UINT64_MAX;
    return status;
}

/* The first NaN or Inf at or after step index `from`. */
static fpx_status find_nonfinite(fpx_trace *trace, size_t from, size_t to, fpx_nonfinite *ret,
                                 fpx_error *err)
{
    const fpx_trace_layout *layout = fpx_trace_layout_of(trace);
    fpx_stats *stats = calloc(layout->nrecords + 1, sizeof *stats);
    fpx_status status = FPX_OK;

    if (stats == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "comparing traces: out of memory");
    for (size_t i = from; i < to && status == FPX_OK && !ret->found; i++) {
        status = fpx_trace_stats(trace, i, stats, NULL, err);
        for (size_t r = 0; r < layout->nrecords && status == FPX_OK && !ret->found; r++)
            if (stats[r].nan + stats[r].inf > 0)
                *ret = (fpx_nonfinite){ 1, fpx_trace_step_at(trace, i), layout->records[r] };
    }
    free(stats);
    return status;
}

/* Equal bits of NaN are no recovery. */
static fpx_status look_at_finite(const pair *p, fpx_diff *diff, fpx_error *err)
{
    const size_t n = p->align.nsteps;
    const int all = diff->verdict == FPX_DIFFERENT;
    fpx_status status;

    if (n == 0)
        return FPX_OK;
    status = find_nonfinite(p->a, all ? 0 : p->align.steps[n - 1].a, p->align.steps[n - 1].a + 1,
                            &diff->nonfinite_a, err);
    if (status == FPX_OK)
        status = find_nonfinite(p->b, all ? 0 : p->align.steps[n - 1].b,
                                p->align.steps[n - 1].b + 1, &diff->nonfinite_b, err);
    if (status != FPX_OK || diff->healed == UINT64_MAX)
        return status;
    for (size_t s = 0; s < n && status == FPX_OK && diff->healed != UINT64_MAX; s++) {
        fpx_nonfinite later = { 0 };

        if (fpx_trace_step_at(p->a, p->align.steps[s].a) < diff->healed)
            continue;
        status = find_nonfinite(p->a, p->align.steps[s].a, p->align.steps[s].a + 1, &later, err);
        if (later.found)
            diff->healed = UINT64_MAX;
    }
    return status;
}

/* What comes before the first difference: nothing that was compared; some that have no partner. */
static void look_before(const pair *p, size_t step, fpx_diff *diff)
{
    const fpx_trace_layout *la = fpx_trace_layout_of(p->a);
    size_t first = 0;

    while (first < p->align.nrecords) {
        const fpx_trace_record *r = &la->records[p->align.records[first].a];

        if (strcmp(r->tensor, diff->first.record.tensor) == 0 &&
            strcmp(r->op, diff->first.record.op) == 0)
            break;
        first++;
    }
    if (first == p->align.nrecords)
        return;
    for (size_t i = 0; !p->align.whole && i < p->align.records[first].a; i++)
        diff->unpaired_before += !align_has_partner(&p->align, 0, i);
    for (size_t i = 0; !p->align.whole && i < p->align.records[first].b; i++)
        diff->unpaired_before += !align_has_partner(&p->align, 1, i);
    diff->nothing_before = step == 0 && first == 0 && diff->unpaired_before == 0;
}

static void compare_settings(const pair *p, fpx_diff *diff)
{
    const fpx_trace_layout *la = fpx_trace_layout_of(p->a), *lb = fpx_trace_layout_of(p->b);
    const fpx_settings a = { la->experiment, la->overrides, la->recipe };
    const fpx_settings b = { lb->experiment, lb->overrides, lb->recipe };

    diff->nsettings = fpx_settings_differ(&a, &b, diff->settings, FPX_DIFF_SETTINGS);
}

fpx_outcome fpx_diff_outcome(const fpx_diff *diff)
{
    if (diff->verdict != FPX_SAME)
        return FPX_FINDING;
    return diff->steps_compared == 0 || diff->steps_a < diff->planned_a ||
                   diff->steps_b < diff->planned_b
               ? FPX_NO_VERDICT
               : FPX_HOLDS;
}

static fpx_status compare(fpx_trace *a, fpx_trace *b, const fpx_diff_policy *policy,
                          fpx_diff *ret_diff, fpx_error *err)
{
    pair p = { .a = a, .b = b };
    fpx_diff diff = { .verdict = FPX_SAME,
                      .healed = UINT64_MAX,
                      .loss_bits = UINT64_MAX,
                      .loss_visible = UINT64_MAX };
    size_t from = 0, at = 0;
    fpx_status status = pair_open(&p, err);

    if (status == FPX_OK) {
        diff.steps_a = fpx_trace_steps(a);
        diff.steps_b = fpx_trace_steps(b);
        diff.steps_compared = p.align.nsteps;
        diff.records_compared = p.align.nrecords;
        diff.ulps = policy->ulps;
        diff.planned_a = fpx_trace_planned(a);
        diff.planned_b = fpx_trace_planned(b);
        diff.unpaired = p.align.unpaired;
        compare_settings(&p, &diff);
        if (p.align.whole && p.align.same_start)
            status = bisect_chain(&p, &from, err);
    }
    if (status == FPX_OK)
        status = find_first(&p, policy, from, &diff, &at, err);
    if (status == FPX_OK && diff.verdict == FPX_DIFFERENT) {
        look_before(&p, at, &diff);
        status = find_healing(&p, at, &diff, err);
        if (status == FPX_OK)
            status = align_losses(a, b, &p.align, &diff, err);
    }
    if (status == FPX_OK)
        status = look_at_finite(&p, &diff, err);
    if (diff.verdict == FPX_SAME) /* what was looked at, but is no difference by the policy */
        memset(&diff.first, 0, sizeof diff.first);
    if (status == FPX_OK && diff.verdict == FPX_SAME && !p.align.whole) {
        diff.verdict = FPX_OTHER_LAYOUT;
        diff.first.record = p.align.odd;
    } else if (status == FPX_OK && diff.verdict == FPX_SAME &&
               (diff.steps_a != p.align.nsteps || diff.steps_b != p.align.nsteps)) {
        diff.verdict = FPX_SHORTER;
    }
    pair_free(&p);
    if (status == FPX_OK)
        *ret_diff = diff;
    return status;
}

fpx_status fpx_diff_traces(fpx_trace *a, fpx_trace *b, const fpx_diff_policy *policy,
                           fpx_diff *ret_diff, fpx_error *err)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const fpx_status status = compare(a, b, policy, ret_diff, err);

    fpx_fpenv_leave(env);
    return status;
}
