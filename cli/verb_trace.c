/* verb_trace.c - fpx trace ls|show|stats|growth|verify: what a trace holds, in text. */
#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/growth.h>

#include "cli.h"

enum { OPT_STEP, OPT_TENSOR };

static const cli_option options[] = {
    [OPT_STEP] = { "--step", "N", "which step (default: the last)" },
    [OPT_TENSOR] = { "--tensor", "PATTERN", "only tensors whose names match (shell wildcards)" },
    { NULL, NULL, NULL }
};

static void print_shape(const fpx_tensor *t)
{
    (void)printf("%s[", t->format.name);
    for (size_t d = 0; d < t->ndim; d++)
        (void)printf("%s%" PRIu64, d ? "," : "", t->shape[d]);
    (void)printf("]");
}

static int selected(const cli_args *a, const fpx_trace_record *r)
{
    return a->option[OPT_TENSOR] == NULL || fnmatch(a->option[OPT_TENSOR], r->tensor, 0) == 0;
}

/* The longest name, so that columns hold: at least 34. */
static int column_width(const fpx_trace_layout *l, size_t offset)
{
    size_t most = 34;

    for (size_t i = 0; i < l->nrecords; i++) {
        const size_t n = strlen((const char *)&l->records[i] + offset);

        most = n > most ? n : most;
    }
    return (int)most;
}

static fpx_status list(const cli_args *a, fpx_trace *trace, size_t index, fpx_error *err)
{
    const fpx_trace_layout *l = fpx_trace_layout_of(trace);
    const size_t n = fpx_trace_steps(trace);
    const int tensor = column_width(l, offsetof(fpx_trace_record, tensor));
    const int op = column_width(l, offsetof(fpx_trace_record, op));

    (void)index;
    (void)err;
    (void)printf("%zu steps", n);
    if (n > 0)
        (void)printf(", %" PRIu64 " to %" PRIu64, fpx_trace_step_at(trace, 0),
                     fpx_trace_step_at(trace, n - 1));
    (void)printf("; %zu tensors a step; device: %s; fpx %s\n", l->nrecords, l->device, l->version);
    if (fpx_trace_incomplete(trace))
        (void)printf("incomplete: %zu of %" PRIu64 " steps\n", n, fpx_trace_planned(trace));
    for (size_t m = 0; m < l->nmodes; m++)
        (void)printf("shadow %s\n", l->modes[m].name);
    for (size_t i = 0; i < l->nrecords; i++) {
        const fpx_trace_record *r = &l->records[i];

        if (!selected(a, r))
            continue;
        (void)printf("%-*s %-*s %-14s %-9s %s", tensor, r->tensor, op, r->op, r->kind, r->role,
                     r->values ? "values " : "digests ");
        print_shape(&r->desc);
        (void)putchar('\n');
    }
    return FPX_OK;
}

static fpx_status stats(const cli_args *a, fpx_trace *trace, size_t index, fpx_error *err)
{
    const fpx_trace_layout *l = fpx_trace_layout_of(trace);
    const int width = column_width(l, offsetof(fpx_trace_record, tensor));
    fpx_stats *s = calloc(l->nrecords + 1, sizeof *s);
    fpx_status status;

    if (s == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "out of memory");
    status = fpx_trace_stats(trace, index, s, NULL, err);
    if (status == FPX_OK)
        (void)printf("step %" PRIu64 "\n%-*s %11s %11s %11s %9s %9s %6s %6s\n",
                     fpx_trace_step_at(trace, index), width, "tensor", "amax", "rms", "mean",
                     "zero", "saturated", "NaN", "Inf");
    for (size_t i = 0; i < l->nrecords && status == FPX_OK; i++)
        if (selected(a, &l->records[i]))
            (void)printf("%-*s %11.4g %11.4g %11.4g %9" PRIu64 " %9" PRIu64 " %6" PRIu64
                         " %6" PRIu64 "\n",
                         width, l->records[i].tensor, s[i].amax, s[i].rms, s[i].mean, s[i].zero,
                         s[i].saturated, s[i].nan, s[i].inf);
    free(s);
    return status;
}

static fpx_status show(const cli_args *a, fpx_trace *trace, size_t index, fpx_error *err)
{
    const fpx_trace_layout *l = fpx_trace_layout_of(trace);
    fpx_digest *d = calloc(l->nrecords + 1, sizeof *d), chain;
    char text[FPX_DIGEST_TEXT];
    fpx_status status;

    if (d == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "out of memory");
    status = fpx_trace_digests(trace, index, d, err);

    if (status == FPX_OK)
        status = fpx_trace_chain_at(trace, index, &chain, err);
    if (status == FPX_OK) {
        fpx_digest_text(chain, text);
        (void)printf("step %" PRIu64 "\n%s chain\n", fpx_trace_step_at(trace, index), text);
    }
    for (size_t i = 0; i < l->nrecords && status == FPX_OK; i++) {
        if (!selected(a, &l->records[i]))
            continue;
        fpx_digest_text(d[i], text);
        (void)printf("%s %s  %s\n", text, l->records[i].tensor, l->records[i].op);
    }
    free(d);
    return status;
}

static void print_number(double x)
{
    if (isnan(x))
        (void)printf(" %10s", "-");
    else
        (void)printf(" %10.3g", x);
}

/* Where the largest was; nothing where nothing was, or all are 0. */
static void print_place(const fpx_trace_layout *l, int width, double x, size_t record)
{
    (void)printf("  %-*s", width, x > 0.0 ? l->records[record].op : "");
}

static void print_growth(const fpx_trace_layout *l, const fpx_growth *g, size_t n, size_t mode)
{
    const int width = column_width(l, offsetof(fpx_trace_record, op));
    uint64_t seen = 0, judged = 0, steps = 0;

    for (size_t i = 0; i < n; i++) {
        seen += g[i].seen;
        judged += g[i].judged;
        steps += g[i].seen > 0;
    }
    (void)printf("shadow %s: judged %" PRIu64 " of %" PRIu64 " results (%" PRIu64
                 " looked at), in %" PRIu64 " of %zu steps\n",
                 l->modes[mode].name, judged, (uint64_t)n * l->nrecords, seen, steps, n);
    (void)printf("%8s %10s %10s %10s  %-*s %10s  %-*s %10s\n", "step", "parameters", "loss",
                 "error", width, "in", "of bound", width, "in", "disagree");
    for (size_t i = 0; i < n; i++) {
        (void)printf("%8" PRIu64, g[i].step);
        if (g[i].seen == 0) {
            (void)printf("  not looked at\n");
            continue;
        }
        print_number(g[i].parameters);
        print_number(g[i].loss);
        print_number(g[i].error);
        print_place(l, width, g[i].error, g[i].error_record);
        print_number(g[i].ratio);
        print_place(l, width, g[i].ratio, g[i].ratio_record);
        print_number(g[i].mismatches);
        (void)putchar('\n');
    }
}

static fpx_status growth(const cli_args *a, fpx_trace *trace, size_t index, fpx_error *err)
{
    const fpx_trace_layout *l = fpx_trace_layout_of(trace);
    const size_t n = fpx_trace_steps(trace);
    fpx_growth *g = calloc(n + 1, sizeof *g);
    fpx_status status = FPX_OK;

    (void)index;
    if (g == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "out of memory");
    if (l->nmodes == 0)
        status = fpx_error_set(err, FPX_EINVAL, "%s has no shadow: train with --shadow both",
                               a->positional[1]);
    for (size_t m = 0; m < l->nmodes && status == FPX_OK; m++) {
        status = fpx_growth_read(trace, m, g, err);
        if (status == FPX_OK)
            print_growth(l, g, n, m);
    }
    free(g);
    return status;
}

static fpx_status verify(const cli_args *a, fpx_trace *trace, size_t index, fpx_error *err)
{
    size_t checked = 0;
    const fpx_status status = fpx_trace_verify(trace, &checked, err);

    (void)a;
    (void)index;
    if (status == FPX_OK && fpx_trace_incomplete(trace))
        (void)printf("undamaged, but incomplete: %zu of %" PRIu64
                     " steps; %zu digests of values recomputed\n",
                     fpx_trace_steps(trace), fpx_trace_planned(trace), checked);
    else if (status == FPX_OK)
        (void)printf("whole: %zu steps, %zu digests of values recomputed\n", fpx_trace_steps(trace),
                     checked);
    return status;
}

static const struct {
    const char *name;
    fpx_status (*run)(const cli_args *a, fpx_trace *trace, size_t index, fpx_error *err);
    int takes[2]; /* OPT_STEP, OPT_TENSOR */
} actions[] = { { "ls", list, { 0, 1 } },
                { "show", show, { 1, 1 } },
                { "stats", stats, { 1, 1 } },
                { "growth", growth, { 0, 0 } },
                { "verify", verify, { 0, 0 } } };

static const char *tensor_at(const void *layout, size_t i)
{
    return ((const fpx_trace_layout *)layout)->records[i].tensor;
}

static fpx_status check_pattern(const cli_args *a, const fpx_trace *trace, fpx_error *err)
{
    const fpx_trace_layout *l = fpx_trace_layout_of(trace);
    char nearest[256];

    for (size_t i = 0; i < l->nrecords; i++)
        if (selected(a, &l->records[i]))
            return FPX_OK;
    if (a->option[OPT_TENSOR] == NULL)
        return FPX_OK;
    cli_nearest(a->option[OPT_TENSOR], tensor_at, l, l->nrecords, nearest, sizeof nearest);
    return fpx_error_set(
        err, FPX_EINVAL,
        "%s: --tensor '%s' matches no tensor; nearest: %s (fpx trace ls lists all)",
        a->positional[1], a->option[OPT_TENSOR], nearest);
}

static fpx_status find_step(const cli_args *a, fpx_trace *trace, size_t *ret_index, fpx_error *err)
{
    const size_t n = fpx_trace_steps(trace);
    uint64_t step = 0;
    fpx_status status;

    *ret_index = n ? n - 1 : 0;
    if (a->option[OPT_STEP] == NULL)
        return FPX_OK;
    if ((status = cli_number("--step", a->option[OPT_STEP], 0, UINT64_MAX, &step, err)) != FPX_OK)
        return status;
    for (size_t i = 0; i < n; i++)
        if (fpx_trace_step_at(trace, i) == step) {
            *ret_index = i;
            return FPX_OK;
        }
    if (n == 0)
        return fpx_error_set(err, FPX_EINVAL, "%s holds no committed step", a->positional[1]);
    return fpx_error_set(
        err, FPX_EINVAL, "%s holds no step %" PRIu64 "; it holds %" PRIu64 " to %" PRIu64,
        a->positional[1], step, fpx_trace_step_at(trace, 0), fpx_trace_step_at(trace, n - 1));
}

static int run(const cli_args *a)
{
    fpx_error err = { 0 };
    fpx_trace *trace;
    size_t index = 0, k = 0;
    fpx_status status;

    while (k < sizeof actions / sizeof actions[0] && strcmp(actions[k].name, a->positional[0]) != 0)
        k++;
    if (k == sizeof actions / sizeof actions[0])
        return cli_usage("trace", "'%s': expected ls, show, stats, growth or verify",
                         a->positional[0]);
    for (size_t i = 0; options[i].name != NULL; i++)
        if (a->option[i] && !actions[k].takes[i])
            return cli_usage("trace", "%s looks at everything: leave %s out", actions[k].name,
                             options[i].name);
    if (fpx_trace_open(a->positional[1], &trace, &err) != FPX_OK)
        return cli_fail(&err);
    status = find_step(a, trace, &index, &err);
    if (status == FPX_OK)
        status = check_pattern(a, trace, &err);
    if (status == FPX_OK && fpx_trace_steps(trace) == 0 && k != 0)
        status = fpx_error_set(&err, FPX_EINVAL, "%s holds no committed step", a->positional[1]);
    if (status == FPX_OK)
        status = actions[k].run(a, trace, index, &err);
    fpx_trace_free(trace);
    return status == FPX_OK ? EXIT_HOLDS : cli_fail(&err);
}

const cli_verb verb_trace = {
    "trace",
    "ls|show|stats|growth|verify FILE [OPTIONS]",
    "what a trace holds: tensors, digests, statistics; whether it is whole",
    "ls: the tensors. show: digests of a step. stats: statistics of a step. growth: of each "
    "shadow\n"
    "and step the relative distance of the parameters, the distance of the loss, the largest "
    "relative\n"
    "error, the largest error / bound of a product, results that disagree. verify: recomputes "
    "every\n"
    "digest: of the values, the tree and the chain, of statistics and figures.\n"
    "example: fpx trace stats run.h5 --step 12 --tensor 'layer.0/*'",
    options,
    2,
    2,
    run,
};
