/* session_run.c - runs the steps of an open session, looks at what they give, and says what was found. */
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <fpx/opshape.h>

#include "cli.h"
#include "session.h"
#include "session_guard.h"
#include "session_spike.h"

fpx_status session_step(session *s, fpx_step_result *ret_result, fpx_error *err)
{
    return fpx_trainer_step(s->trainer, ret_result, err);
}

static double seconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int on_terminal(void)
{
    return isatty(fileno(stderr)) == 1;
}

/* What comes next begins a line of its own. */
static void end_line(session *s)
{
    if (s->line)
        (void)fputc('\n', stderr);
    s->line = 0;
}

/* A line that rewrites itself on a terminal; when piped, only the last one. */
static void progress(session *s, const fpx_step_result *r, double since, int last)
{
    const double done = (double)(r->step + 1 - s->first_step);
    const double rate = since > 0.0 ? done / since : 0.0;
    const fpx_data_config *d = &s->experiment->data;
    const double tokens = rate * d->accumulate * d->batch * d->sequence;
    const double left = rate > 0.0 ? (double)(s->experiment->steps - r->step - 1) / rate : 0.0;
    const int terminal = on_terminal();

    if (!terminal && !last)
        return;
    s->line = !last;
    char pairs[64] = "";

    if (d->kind == FPX_DATA_PREFERENCE)
        (void)snprintf(pairs, sizeof pairs, "  margin %.4f  accuracy %.3f", r->preference.margin,
                       r->preference.accuracy);
    (void)fprintf(stderr,
                  "%sstep %llu/%u  loss %.4f%s  gradient norm %.3f  %.0f tokens/s  %.0f s left%s",
                  terminal ? "\r\033[K" : "", (unsigned long long)r->step + 1, s->experiment->steps,
                  r->loss, pairs, r->norm, tokens, left, last ? "\n" : "");
}

/* Of preferences: what the model before the first step thinks of them. It can take as long as a third of the steps. */
static fpx_status prepare(session *s, int quiet, fpx_error *err)
{
    const int shows = !quiet && on_terminal();
    const double start = seconds();
    double shown = 0.0;
    size_t left = 0;

    do {
        const fpx_status status = fpx_trainer_prepare(s->trainer, &left, err);

        if (status != FPX_OK)
            return status;
        const double now = seconds() - start;
        if (shows && left > 0 && now - shown > 0.2) {
            (void)fprintf(stderr, "\r\033[Kreference model: %zu batches left", left);
            shown = now;
            s->line = 1;
        }
    } while (left > 0 && !cli_interrupted());
    return left == 0 ? FPX_OK
                     : fpx_error_set(err, FPX_EINTERRUPTED,
                                     "interrupted before the first step, with %zu batches left "
                                     "for the reference model",
                                     left);
}

/* Without anything attached the loss is all that is seen. */
static void look_at_result(session *s, const fpx_step_result *r)
{
    if (spike_look(s, r))
        s->line = 0;
    session_spot *f = &s->finding.nonfinite;

    if (f->found || (isfinite(r->loss) && isfinite(r->norm)))
        return;
    f->found = 1;
    f->step = r->step;
    (void)snprintf(f->what, sizeof f->what, "the %s is %g",
                   isfinite(r->loss) ? "gradient's norm" : "loss",
                   isfinite(r->loss) ? r->norm : r->loss);
}

/* How near errors came to the bounds, in lines of 100 columns. */
static void print_ratios(const session_finding *f, FILE *out)
{
    enum { WIDTH = 100 };
    int at = 0;

    for (int kind = 0; kind < FPX_OP_KINDS; kind++) {
        char text[48];

        if (f->ratio[kind] == 0.0)
            continue;
        const int length = snprintf(text, sizeof text, "%s %.2g",
                                    fpx_op_shape_of((fpx_op_kind)kind)->name, f->ratio[kind]);
        if (at == 0)
            at = fprintf(out, "largest error / bound: %s", text);
        else if (at + length + 2 > WIDTH)
            at = fprintf(out, ",\n  %s", text) - 2;
        else
            at += fprintf(out, ", %s", text);
    }
    if (at != 0)
        (void)fputc('\n', out);
}

const session_spot *session_first(const session_finding *finding)
{
    return finding->shadow.found      ? &finding->shadow
           : finding->nonfinite.found ? &finding->nonfinite
                                      : NULL;
}

static void print_spot(const session_spot *f, FILE *out)
{
    if (f->found)
        (void)fprintf(out, "finding: step %llu%s%s%s%s: %s\n", (unsigned long long)f->step,
                      f->op[0] != '\0' ? ", " : "", f->op, f->op[0] != '\0' ? ", " : "", f->tensor,
                      f->what);
}

/* Why nothing was judged, and what would be. */
static const char *no_verdict(const session *s)
{
    const fpx_shadow_spec *spec = fpx_shadow_spec_of(s->shadows[0]);

    if (s->finding.seen == 0)
        return "no result was looked at";
    if (spec->mode == FPX_SHADOW_EQUAL)
        return "the cpu's arithmetic cannot contradict itself: --device PLUGIN.so names what it "
               "is to judge, --shadow local judges by error bounds";
    if (spec->mode == FPX_SHADOW_LOCAL)
        return spec->format.bits == 64 ? "none of these operations has an error bound"
                                       : "float32 judges none of these operations: --shadow local "
                                         "judges in float64";
    return "it has no error bounds: --shadow local has";
}

int session_print_finding(const session *s, FILE *out)
{
    const session_finding *f = &s->finding;
    const int found = session_first(f) != NULL;

    print_spot(&f->shadow, out);
    print_spot(&f->nonfinite, out);
    if (s->nshadows > 0 && f->judged == 0)
        (void)fprintf(out, "shadow %s: no information: %s\n", s->options.shadow, no_verdict(s));
    else if (s->nshadows > 0)
        (void)fprintf(
            out, "shadow %s: judged %llu of %llu results (%llu looked at), %llu contradicted\n",
            s->options.shadow, (unsigned long long)f->judged,
            (unsigned long long)f->seen + (unsigned long long)f->unseen,
            (unsigned long long)f->looked_at, (unsigned long long)f->contradicted);
    if (f->unseen > 0)
        (void)fprintf(out,
                      "sampled: %llu of %llu results were looked at, nothing is known of the "
                      "rest\n",
                      (unsigned long long)f->looked_at,
                      (unsigned long long)f->seen + (unsigned long long)f->unseen);
    print_ratios(f, out);
    spike_print(s, out);
    if (s->ended && guard_kept(s->guard))
        (void)fprintf(
            out,
            "the state before step %llu is in %s: to see it happen again, with every value: "
            "--resume %s --trace FILE --values '*'\n",
            (unsigned long long)f->nonfinite.step, s->options.checkpoint, s->options.checkpoint);
    if (found && s->options.trace != NULL)
        (void)fprintf(out, "see: fpx diff %s\n", s->options.trace);
    else if (found)
        (void)fprintf(out, "to see more: --trace FILE%s, then fpx diff FILE\n",
                      s->nshadows == 0 ? " --shadow local" : "");
    return found;
}

/* A step, or as much of it as is done when Ctrl-C comes. */
static fpx_status run_step(session *s, fpx_step_result *r, int *ret_whole, fpx_error *err)
{
    fpx_status status = FPX_OK;

    *ret_whole = 0;
    while (!*ret_whole && status == FPX_OK &&
           !(cli_interrupted() && stops_within(s) && fpx_trainer_next_micro(s->trainer) > 0))
        status = fpx_trainer_micro_step(s->trainer, ret_whole, r, err);
    return status;
}

static fpx_status stop_within(session *s, fpx_error *err)
{
    const fpx_status status = s->options.checkpoint != NULL ? session_save(s, err) : FPX_OK;

    if (status != FPX_OK)
        return status;
    return fpx_error_set(
        err, FPX_EINTERRUPTED, "interrupted after %llu of %u steps and %u of %u micro-batches%s%s",
        (unsigned long long)fpx_trainer_next_step(s->trainer), s->experiment->steps,
        fpx_trainer_next_micro(s->trainer), s->experiment->data.accumulate,
        s->options.checkpoint ? "; the state is saved, go on with --resume " : "",
        s->options.checkpoint ? s->options.checkpoint : "");
}

static fpx_status run_all(session *s, uint64_t max_steps, int quiet, fpx_step_result *ret_last,
                          fpx_error *err)
{
    const uint64_t all = s->experiment->steps;
    fpx_step_result r = { 0 };
    double shown = 0.0;
    uint64_t done = 0;
    const fpx_status prepared = prepare(s, quiet, err);

    if (prepared != FPX_OK)
        return prepared;
    const double start = seconds();

    while (fpx_trainer_next_step(s->trainer) < all && (max_steps == 0 || done < max_steps)) {
        int whole = 0;
        fpx_status status = run_step(s, &r, &whole, err);
        const double now = seconds() - start;
        const uint64_t next = fpx_trainer_next_step(s->trainer);
        const int stop = cli_interrupted(); /* asked once: what is said below is what was done */
        const int last = next == all || ++done == max_steps || stop;

        if (s->guard != NULL && status == FPX_ENUMERIC && guard_caught(s->guard, err)) {
            s->ended = 1;
            return FPX_OK;
        }
        if (status != FPX_OK)
            return status;
        if (!whole)
            return stop_within(s, err);
        look_at_result(s, &r);
        if (!quiet && (last || now - shown > 0.2)) {
            progress(s, &r, now, last);
            shown = now;
        }
        *ret_last = r;
        if (s->guard != NULL && s->finding.nonfinite.found) {
            s->ended = 1;
            return FPX_OK;
        }
        if (s->options.checkpoint != NULL &&
            (last || (s->options.every > 0 && next % s->options.every == 0)) &&
            (status = session_save(s, err)) != FPX_OK)
            return status;
        if (stop && next < all)
            return fpx_error_set(
                err, FPX_EINTERRUPTED, "interrupted after %llu of %llu steps%s%s",
                (unsigned long long)next, (unsigned long long)all,
                s->options.checkpoint ? "; the state is saved, go on with --resume " : "",
                s->options.checkpoint ? s->options.checkpoint : "");
    }
    return FPX_OK;
}

fpx_status session_run(session *s, uint64_t max_steps, int quiet, fpx_step_result *ret_last,
                       fpx_error *err)
{
    const fpx_status status = run_all(s, max_steps, quiet, ret_last, err);

    end_line(s);
    return status;
}
