/* session_watch.c - the observer that writes the trace, collects the golden and sees what shadows find: the only place where
 * programs, shadows and files meet. Attached after the shadows, so that their figures are there. */
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fpx/growth.h>
#include <fpx/opshape.h>
#include <fpx/optable.h>
#include <fpx/settings.h>

#include "cli.h"
#include "session.h"
#include "session_guard.h"

struct watch {
    session *s;
    fpx_trace_writer *writer;
    fpx_trace_record *records;
    size_t nrecords;
    size_t *first; /* record of an operation's first output */
    fpx_golden *golden;
    fpx_digest *rows;    /* one for each operation, then one for each shadow */
    fpx_figure *figures; /* [shadow][record], of the step */
};

static void make_record(const watch *w, const fpx_program *program, size_t op, uint32_t out,
                        fpx_trace_record *record)
{
    const fpx_program_op *o = fpx_program_op_at(program, op);
    const fpx_program_tensor *t = fpx_program_tensor_at(program, o->out[out]);
    const char *values = w->s->options.values;

    memset(record, 0, sizeof *record);
    (void)snprintf(record->tensor, sizeof record->tensor, "%s", t->name);
    (void)snprintf(record->op, sizeof record->op, "%s", o->name);
    (void)snprintf(record->kind, sizeof record->kind, "%s",
                   fpx_op_shape_of((fpx_op_kind)o->kind)->name);
    (void)snprintf(record->role, sizeof record->role, "%s", fpx_role_name((fpx_role)o->role));
    (void)snprintf(record->device, sizeof record->device, "%s",
                   fpx_exec_op_device(fpx_trainer_exec(w->s->trainer), (uint32_t)op));
    record->layer = o->layer;
    record->op_index = (uint32_t)op;
    record->desc = t->desc;
    record->values = values != NULL && fnmatch(values, t->name, 0) == 0;
}

static fpx_status make_records(watch *w, fpx_error *err)
{
    const fpx_program *program = fpx_trainer_model(w->s->trainer)->program;
    const size_t nops = fpx_program_ops(program);

    w->records = calloc(nops * FPX_MAX_OUT + 1, sizeof *w->records);
    w->first = calloc(nops + 1, sizeof *w->first);
    w->rows = calloc(nops + FPX_SHADOW_MAX, sizeof *w->rows);
    if (w->records == NULL || w->first == NULL || w->rows == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "out of memory");
    for (size_t i = 0; i < nops; i++) {
        w->first[i] = w->nrecords;
        for (uint32_t o = 0; o < fpx_program_op_at(program, i)->nout; o++)
            make_record(w, program, i, o, &w->records[w->nrecords++]);
    }
    w->figures = calloc(w->nrecords * FPX_SHADOW_MAX + 1, sizeof *w->figures);
    return w->figures ? FPX_OK : fpx_error_set(err, FPX_ENOMEM, "out of memory");
}

static const char *tensor_at(const void *records, size_t i)
{
    return ((const fpx_trace_record *)records)[i].tensor;
}

/* A pattern that asks for no values is a slip: the run would end without what it was made for. */
static fpx_status check_values(const watch *w, fpx_error *err)
{
    const char *pattern = w->s->options.values;
    char nearest[256];
    size_t matched = 0;

    for (size_t i = 0; i < w->nrecords; i++)
        matched += w->records[i].values;
    if (pattern == NULL || matched > 0)
        return FPX_OK;
    cli_nearest(pattern, tensor_at, w->records, w->nrecords, nearest, sizeof nearest);
    return fpx_error_set(err, FPX_EINVAL,
                         "--values '%s' matches no tensor; nearest: %s ('*' for all)", pattern,
                         nearest);
}

/* Whether values are recorded is part of a trace: where that is what differs, the option is named. */
static int values_differ(const watch *w)
{
    fpx_trace *there = NULL;
    int differ = 0;

    if (fpx_trace_open(w->s->options.trace, &there, NULL) != FPX_OK)
        return 0;
    const fpx_trace_layout *l = fpx_trace_layout_of(there);
    for (size_t i = 0; l->nrecords == w->nrecords && i < l->nrecords; i++)
        differ |= l->records[i].values != w->records[i].values;
    fpx_trace_free(there);
    return differ;
}

static fpx_status append_trace(watch *w, const fpx_trace_layout *layout, uint64_t hint,
                               fpx_error *err)
{
    fpx_error why = { 0 };
    const fpx_status status =
        fpx_trace_append(w->s->options.trace, layout, w->s->first_step, hint, &w->writer, &why);

    if (status == FPX_EINVAL && values_differ(w))
        return fpx_error_set(
            err, status,
            "%s: was begun with other --values: go on with the same --values PATTERN, or "
            "into a new trace (%s)",
            w->s->options.trace, why.text);
    return status == FPX_OK ? FPX_OK : fpx_error_set(err, status, "%s", why.text);
}

/* What the command line put in place of the experiment's own, as YAML. */
static void describe_overrides(const session_options *o, char *text, size_t room)
{
    char seed[40] = "", steps[40] = "";

    if (o->has_seed)
        (void)snprintf(seed, sizeof seed, "seed: %llu\n", (unsigned long long)o->seed);
    if (o->steps != UINT64_MAX)
        (void)snprintf(steps, sizeof steps, "steps: %llu\n", (unsigned long long)o->steps);
    (void)snprintf(text, room, "%s%s%s%s%s", seed, steps, o->recipe ? "recipe: " : "",
                   o->recipe ? o->recipe : "", o->recipe ? "\n" : "");
}

static fpx_status open_trace(watch *w, fpx_error *err)
{
    const session *s = w->s;
    fpx_trace_layout layout = { .records = w->records,
                                .nrecords = w->nrecords,
                                .nmodes = s->nshadows,
                                .experiment = s->experiment->text,
                                .version = cli_version };
    char device[512], overrides[512];
    const uint64_t hint = s->experiment->steps - s->first_step;

    for (size_t m = 0; m < s->nshadows; m++)
        fpx_shadow_name(fpx_shadow_spec_of(s->shadows[m]), layout.modes[m].name);
    fpx_device_describe(s->devices[0], device, sizeof device);
    layout.device = device;
    describe_overrides(&s->options, overrides, sizeof overrides);
    layout.overrides = overrides;
    layout.recipe = s->recipe->text;
    if (s->options.resume && access(s->options.trace, F_OK) == 0)
        return append_trace(w, &layout, hint, err);
    return fpx_trace_create(s->options.trace, &layout, hint, &w->writer, err);
}

static fpx_status open_golden(watch *w, fpx_error *err)
{
    const fpx_program *program = fpx_trainer_model(w->s->trainer)->program;
    const size_t nops = fpx_program_ops(program), n = nops + w->s->nshadows;
    const char **names = calloc(n + 1, sizeof *names);
    char modes[FPX_SHADOW_MAX][FPX_SHADOW_NAME + 8];
    const fpx_settings settings = { w->s->experiment->text, NULL, w->s->recipe->text };
    fpx_status status = FPX_ENOMEM;

    for (size_t i = 0; names != NULL && i < nops; i++)
        names[i] = fpx_program_op_at(program, i)->name;
    for (size_t m = 0; names != NULL && m < w->s->nshadows; m++) {
        char name[FPX_SHADOW_NAME];

        fpx_shadow_name(fpx_shadow_spec_of(w->s->shadows[m]), name);
        (void)snprintf(modes[m], sizeof modes[m], "shadow:%s", name);
        names[nops + m] = modes[m];
    }
    if (names != NULL)
        status = fpx_golden_new(w->s->experiment->name, w->s->recipe->name,
                                w->s->options.shadow ? w->s->options.shadow : "none",
                                fpx_settings_digest(&settings), names, n, &w->golden);
    free(names);
    return status == FPX_OK ? FPX_OK : fpx_error_set(err, status, "golden: out of memory");
}

static fpx_status begin_step(void *context, const fpx_exec *exec, uint64_t step, fpx_error *err)
{
    const watch *w = context;

    (void)exec;
    return w->writer ? fpx_trace_begin(w->writer, step, err) : FPX_OK;
}

static session_spot *find_here(watch *w, uint64_t step, size_t record)
{
    session_spot *f = &w->s->finding.shadow;

    f->found = 1;
    f->step = step;
    (void)snprintf(f->op, sizeof f->op, "%s", w->records[record].op);
    (void)snprintf(f->tensor, sizeof f->tensor, "%s", w->records[record].tensor);
    return f;
}

/* "", or the first element with its bits, where a figure has them. */
static const char *first_bits(const fpx_tensor *desc, const fpx_figure *g, char *text, size_t room)
{
    const int digits = (desc->format.bits + 3) / 4;

    text[0] = '\0';
    if (!isnan(g->expected_bits))
        (void)snprintf(text, room, "; element %.0f: expected 0x%0*llx, got 0x%0*llx", g->element,
                       digits, (unsigned long long)g->expected_bits, digits,
                       (unsigned long long)g->actual_bits);
    return text;
}

/* As fpx_diff_shadows does afterwards, from a trace. */
static void judge(watch *w, uint64_t step, uint32_t kind, size_t record, const void *codes)
{
    session_finding *f = &w->s->finding;
    size_t at;

    for (size_t m = 0; m < w->s->nshadows; m++) {
        const fpx_figure *g = &w->figures[m * w->nrecords + record];
        const int equality = fpx_shadow_spec_of(w->s->shadows[m])->mode == FPX_SHADOW_EQUAL;
        char name[FPX_SHADOW_NAME], bits[96];

        f->seen += isnan(g->mismatches) ? 0 : 1;
        f->unseen += isnan(g->mismatches) ? 1 : 0;
        f->looked_at += (uint64_t)fpx_figure_says(g);
        if (equality ? isnan(g->max_abs) : !(g->ratio >= 0.0))
            continue;
        f->judged++;
        if (!equality && g->ratio > f->ratio[kind])
            f->ratio[kind] = g->ratio;
        if (!(g->mismatches > 0.0))
            continue;
        f->contradicted++;
        if (f->shadow.found || f->nonfinite.found)
            continue;
        session_spot *here = find_here(w, step, record);
        fpx_shadow_name(fpx_shadow_spec_of(w->s->shadows[m]), name);
        (void)snprintf(here->what, sizeof here->what, "%.0f of %zu elements %s (shadow %s)%s",
                       g->mismatches, fpx_tensor_count(&w->records[record].desc),
                       equality ? "have other bits" : "are off by more than the bound", name,
                       first_bits(&w->records[record].desc, g, bits, sizeof bits));
    }
    if (f->nonfinite.found ||
        (at = guard_first_nonfinite(&w->records[record].desc, codes)) == SIZE_MAX)
        return;
    guard_find(w->s, step, w->records[record].op, w->records[record].tensor,
               &w->records[record].desc, at);
}

int watch_looks(const session *s, uint64_t step)
{
    const uint64_t every = s->options.shadow_every > 0 ? s->options.shadow_every : 1;

    return s->options.trace != NULL || s->options.golden || (s->nshadows > 0 && step % every == 0);
}

static fpx_status after_op(void *context, const fpx_op_view *view, fpx_error *err)
{
    watch *w = context;
    const fpx_program_op *op = fpx_program_op_at(view->program, view->op);
    fpx_digest digests[FPX_MAX_OUT];
    fpx_status status = FPX_OK;

    if (!watch_looks(
            w->s, view->step)) { /* nothing is paid; the guard looks as it does without shadows */
        w->s->finding.unseen += (uint64_t)op->nout * w->s->nshadows;
        return FPX_OK;
    }

    for (uint32_t o = 0; o < op->nout && status == FPX_OK; o++) {
        const size_t r = w->first[view->op] + o;

        if (w->golden != NULL)
            digests[o] = fpx_digest_tensor(&w->records[r].desc, view->out[o]);
        if (w->writer != NULL)
            status = fpx_trace_put(w->writer, r, view->out[o],
                                   fpx_exec_scale(view->exec, op->out[o]), err);
        for (size_t m = 0; m < w->s->nshadows && status == FPX_OK; m++) {
            const fpx_shadow *sh = w->s->shadows[m];
            const fpx_figure *figure =
                !fpx_shadow_looks(sh, view->step, view->op) ? &fpx_figure_unseen
                : fpx_shadow_informs(sh, view->op)          ? fpx_shadow_figure(sh, view->op, o)
                                                            : &fpx_figure_none;

            w->figures[m * w->nrecords + r] = *figure;
            if (w->writer != NULL)
                status = fpx_trace_put_figure(w->writer, m, r, figure, err);
        }
        judge(w, view->step, op->kind, r, view->out[o]);
    }
    if (w->golden != NULL)
        w->rows[view->op] = fpx_digest_list(digests, op->nout);
    return status;
}

static fpx_status end_step(void *context, const fpx_exec *exec, uint64_t step, fpx_error *err)
{
    watch *w = context;
    const size_t nops = fpx_program_ops(fpx_exec_program(exec));

    (void)step;
    if (w->golden != NULL) {
        for (size_t m = 0; m < w->s->nshadows; m++)
            w->rows[nops + m] =
                fpx_digest_bytes(w->figures + m * w->nrecords, w->nrecords * sizeof *w->figures);
        if (fpx_golden_add_step(w->golden, w->rows) != FPX_OK)
            return fpx_error_set(err, FPX_ENOMEM, "golden: out of memory");
    }
    return w->writer ? fpx_trace_commit(w->writer, err) : FPX_OK;
}

fpx_status watch_new(session *s, watch **ret_watch, fpx_error *err)
{
    watch *w = calloc(1, sizeof *w);
    fpx_observer observer = { .context = w,
                              .begin_step = begin_step,
                              .after_op = after_op,
                              .end_step = end_step,
                              .looks = fpx_looks_at_outputs };
    fpx_status status;

    if (w == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "out of memory");
    *ret_watch = w;
    w->s = s;
    if (s->options.trace == NULL && !s->options.golden && s->nshadows == 0)
        return FPX_OK; /* nothing to watch: nothing is attached, nothing is paid */
    if ((status = make_records(w, err)) != FPX_OK || (status = check_values(w, err)) != FPX_OK ||
        (s->options.trace != NULL && (status = open_trace(w, err)) != FPX_OK) ||
        (s->options.golden && (status = open_golden(w, err)) != FPX_OK))
        return status;
    if (fpx_exec_attach(fpx_trainer_exec(s->trainer), &observer) != FPX_OK)
        return fpx_error_set(err, FPX_ENOMEM, "out of memory");
    return FPX_OK;
}

fpx_status watch_free(watch *w, fpx_error *err)
{
    fpx_status status = FPX_OK;

    if (w == NULL)
        return FPX_OK;
    if (w->writer != NULL)
        status = fpx_trace_close(w->writer, err);
    fpx_golden_free(w->golden);
    free(w->records);
    free(w->first);
    free(w->rows);
    free(w->figures);
    free(w);
    return status;
}

const fpx_golden *watch_golden(const watch *w)
{
    return w->golden;
}

fpx_digest watch_chain(const watch *w)
{
    const fpx_digest none = { { 0 } };

    return w->writer ? fpx_trace_chain(w->writer) : none;
}
