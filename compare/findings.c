/* findings.c - what one trace's own shadows found: the first operation in program order whose equality
 * shadow disagrees, or whose error lies above its bound. Also the policies' parser. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/growth.h>

#include "align.h"

fpx_status fpx_diff_policy_parse(const char *text, fpx_diff_policy *ret_policy, fpx_error *err)
{
    char *end = NULL;

    if (strcmp(text, "exact") == 0) {
        *ret_policy = (fpx_diff_policy){ 0 };
        return FPX_OK;
    }
    if (strncmp(text, "ulp:", 4) == 0 && text[4] >= '0' && text[4] <= '9') {
        const unsigned long long n = strtoull(text + 4, &end, 10);

        if (*end == '\0' && n < UINT64_MAX) {
            *ret_policy = (fpx_diff_policy){ .ulps = n };
            return FPX_OK;
        }
    }
    return fpx_error_set(err, FPX_EINVAL, "policy '%s': expected exact or ulp:N", text);
}

/* A figure as a file has it may name any element: one that the tensor lacks is taken as the first. */
static fpx_figure with_element(fpx_figure f, const fpx_tensor *desc)
{
    if (!(f.element >= 0.0 && f.element < (double)fpx_tensor_count(desc)))
        f.element = 0.0;
    return f;
}

/* A figure that could be a finding: an equality shadow (no ratio, codes known), or one with a bound. */
static int decides(const fpx_trace_mode *mode, const fpx_figure *f)
{
    return (fpx_trace_demands_bits(mode) && !isnan(f->max_abs)) || f->ratio >= 0.0;
}

typedef struct search {
    fpx_trace *trace;
    const fpx_trace_layout *layout;
    fpx_figure *figures;
    fpx_stats *stats;
    fpx_shadow_finding found;
    size_t first; /* record of the finding, at its step */
} search;

/* Is this place before what is found so far? */
static int is_earlier(const search *q, uint64_t step, size_t record)
{
    return !q->found.found || step < q->found.step || (step == q->found.step && record < q->first);
}

static void take(search *q, uint64_t step, size_t record, const fpx_figure *figure)
{
    fpx_shadow_finding *f = &q->found;

    f->found = 1;
    f->step = step;
    f->record = q->layout->records[record];
    f->figure = with_element(*figure, &f->record.desc);
    f->nonfinite = 0;
    f->has_element = 1;
    align_index(&f->record.desc, (uint64_t)f->figure.element, f->index);
    q->first = record;
}

/* A result that is not in a shadow's sample has a figure of NaN alone; one that is there has mismatches, but else says
 * nothing where the shadow had nothing to say. */
static void count_seen(search *q, size_t mode)
{
    uint64_t seen = 0;

    for (size_t r = 0; r < q->layout->nrecords; r++) {
        const uint64_t says = (uint64_t)fpx_figure_says(&q->figures[r]);

        seen += isnan(q->figures[r].mismatches) ? 0 : 1;
        q->found.looked_at += says;
        q->found.mode_looked_at[mode] += says;
    }
    q->found.seen[mode] += seen;
    q->found.seen_steps[mode] += seen > 0;
}

static fpx_status look_at_shadow(search *q, size_t index, size_t mode, fpx_error *err)
{
    const uint64_t step = fpx_trace_step_at(q->trace, index);
    const fpx_status status = fpx_trace_figures(q->trace, index, mode, q->figures, err);

    if (status == FPX_OK)
        count_seen(q, mode);
    for (size_t r = 0; r < q->layout->nrecords && status == FPX_OK; r++) {
        const int judged = decides(&q->layout->modes[mode], &q->figures[r]);

        if (q->figures[r].ratio < 0.0 && q->found.unjudged++ == 0) {
            q->found.unjudged_step = step;
            q->found.unjudged_record = q->layout->records[r];
            q->found.unjudged_expected = q->figures[r].expected;
            q->found.unjudged_actual = q->figures[r].actual;
        }
        q->found.judged += (uint64_t)judged;
        q->found.mode_judged[mode] += (uint64_t)judged;
        if (!judged || !(q->figures[r].mismatches > 0.0))
            continue;
        q->found.findings++;
        if (is_earlier(q, step, r)) {
            take(q, step, r, &q->figures[r]);
            q->found.mode = mode;
        }
    }
    return status;
}

/* Which element it is, where the trace holds the values. */
static fpx_status locate(search *q, size_t index, size_t record, fpx_figure *figure, int *ret_known,
                         fpx_error *err)
{
    const fpx_tensor *desc = &q->layout->records[record].desc;
    void *codes = q->layout->records[record].values ? malloc(fpx_tensor_bytes(desc)) : NULL;
    fpx_status status = FPX_OK;

    *ret_known = 0;
    if (codes == NULL)
        return FPX_OK; /* memory too: the finding matters more than its element */
    status = fpx_trace_values(q->trace, index, record, codes, err);
    for (size_t i = 0; i < fpx_tensor_count(desc) && status == FPX_OK && !*ret_known; i++) {
        const double value = fpx_format_value(&desc->format, align_code(desc, codes, i));

        if (isfinite(value))
            continue;
        figure->element = (double)i;
        figure->actual = value;
        *ret_known = 1;
    }
    free(codes);
    return status;
}

/* The first tensor of a step that holds a NaN or Inf; those after it inherit it. */
static fpx_status look_at_values(search *q, size_t index, fpx_error *err)
{
    const uint64_t step = fpx_trace_step_at(q->trace, index);
    fpx_status status = fpx_trace_stats(q->trace, index, q->stats, NULL, err);

    for (size_t r = 0; r < q->layout->nrecords && status == FPX_OK; r++) {
        const uint64_t count = q->stats[r].nan + q->stats[r].inf;
        fpx_figure figure = { .mismatches = (double)count, .ratio = (double)NAN };
        int known = 0;

        if (count == 0)
            continue;
        q->found.nonfinite_results++;
        if (!is_earlier(q, step, r))
            continue;
        status = locate(q, index, r, &figure, &known, err);
        take(q, step, r, &figure);
        q->found.nonfinite = count;
        q->found.has_element = known;
    }
    return status;
}

fpx_outcome fpx_finding_outcome(const fpx_shadow_finding *finding)
{
    if (finding->found)
        return FPX_FINDING;
    return finding->judged == 0 || finding->unjudged > 0 || finding->steps < finding->planned
               ? FPX_NO_VERDICT
               : FPX_HOLDS;
}

fpx_status fpx_diff_shadows(fpx_trace *trace, fpx_shadow_finding *ret_finding, fpx_error *err)
{
    const size_t n = fpx_trace_layout_of(trace)->nrecords + 1;
    search q = { .trace = trace,
                 .layout = fpx_trace_layout_of(trace),
                 .figures = calloc(n, sizeof(fpx_figure)),
                 .stats = calloc(n, sizeof(fpx_stats)) };
    fpx_status status = q.figures && q.stats ? FPX_OK : FPX_ENOMEM;

    q.found.steps = fpx_trace_steps(trace);
    q.found.planned = fpx_trace_planned(trace);
    q.found.results = q.layout->nrecords;

    if (status != FPX_OK)
        (void)fpx_error_set(err, status, "reading shadows: out of memory");
    for (size_t s = 0; s < fpx_trace_steps(trace) && status == FPX_OK; s++) {
        for (size_t m = 0; m < q.layout->nmodes && status == FPX_OK; m++)
            status = look_at_shadow(&q, s, m, err);
        if (status == FPX_OK)
            status = look_at_values(&q, s, err);
    }
    free(q.figures);
    free(q.stats);
    if (status == FPX_OK)
        *ret_finding = q.found;
    return status;
}
