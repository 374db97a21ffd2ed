/* findings.c - what one trace's own shadows found: the first operation in program order whose equality
 * shadow disagrees, or whose error lies above its bound. Also the policies' parser. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* A figure that could be a finding: an equality shadow (no ratio, codes known), or one with a bound. */
static int decides(const fpx_trace_mode *mode, const fpx_figure *f)
{
    return (strcmp(mode->name, "local:cpu") == 0 && !isnan(f->max_abs)) || !isnan(f->ratio);
}

fpx_status fpx_diff_shadows(fpx_trace *trace, fpx_shadow_finding *ret_finding, fpx_error *err)
{
    const fpx_trace_layout *layout = fpx_trace_layout_of(trace);
    fpx_figure *figures = calloc(layout->nrecords + 1, sizeof *figures);
    fpx_shadow_finding found = { 0 };
    size_t first = layout->nrecords; /* record of the finding, at its step */
    fpx_status status = FPX_OK;

    if (figures == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "reading shadows: out of memory");
    for (size_t s = 0; s < fpx_trace_steps(trace) && status == FPX_OK; s++) {
        for (size_t m = 0; m < layout->nmodes && status == FPX_OK; m++) {
            status = fpx_trace_figures(trace, s, m, figures, err);
            for (size_t r = 0; r < layout->nrecords && status == FPX_OK; r++) {
                const uint64_t step = fpx_trace_step_at(trace, s);

                found.looked_at += (uint64_t)decides(&layout->modes[m], &figures[r]);
                if (!decides(&layout->modes[m], &figures[r]) || !(figures[r].mismatches > 0.0))
                    continue;
                found.findings++;
                if (found.found && (step > found.step || r >= first))
                    continue;
                found.found = 1;
                found.step = step;
                found.mode = m;
                found.record = layout->records[r];
                found.figure = figures[r];
                align_index(&layout->records[r].desc, (uint64_t)figures[r].element, found.index);
                first = r;
            }
        }
    }
    free(figures);
    if (status == FPX_OK)
        *ret_finding = found;
    return status;
}
