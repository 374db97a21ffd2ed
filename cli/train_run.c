/* train_run.c - a session from its opening to its end, without anything that is seen of it. */
#include "train_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "flushed.h"

/* As session_print_finding has it. */
static void say_spot(const session_spot *f, char ret_text[TRAIN_FINDING])
{
    const int named = f->op[0] != '\0';

    (void)snprintf(ret_text, TRAIN_FINDING, "step %llu%s%s%s%s: %s", (unsigned long long)f->step,
                   named ? ", " : "", f->op, named ? ", " : "", f->tensor, f->what);
}

static fpx_status run_open(session *s, const char *pattern, const char *prompt, int quiet,
                           train_outcome *r, fpx_error *err)
{
    flushed seen = { .pattern = pattern, .step = (uint64_t)s->experiment->steps - 1 };
    const fpx_observer observer = flushed_observer(&seen);
    fpx_step_result last;
    fpx_status status;

    if (s->experiment->data.validation <= 0.0) /* known before hours of training */
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: data.validation is 0: there is nothing to compare by; hold a "
                             "share of the text back (0.1)",
                             s->options.experiment);
    if (pattern != NULL && fpx_exec_attach(fpx_trainer_exec(s->trainer), &observer) != FPX_OK)
        return fpx_error_set(err, FPX_ENOMEM, "out of memory");
    r->unit = fpx_trainer_unit(s->trainer);
    status = session_run(s, 0, quiet, &last, err);
    if (status == FPX_OK && !s->ended)
        status = fpx_trainer_evaluate(s->trainer, &r->validation, err);
    if (status != FPX_OK)
        return status;
    if (!s->finding.nonfinite.found && !isfinite(r->validation)) {
        s->finding.nonfinite.found = 1;
        s->finding.nonfinite.step = (uint64_t)s->experiment->steps - 1;
        (void)snprintf(s->finding.nonfinite.what, sizeof s->finding.nonfinite.what,
                       "validation after it gives %g", r->validation);
    }
    if (s->finding.nonfinite.found)
        say_spot(&s->finding.nonfinite, r->finding);
    r->looked_at = seen.values;
    if (seen.values > 0)
        r->flushed = (double)seen.zeros / (double)seen.values;
    if (prompt != NULL && !s->finding.nonfinite.found && strcmp(r->unit, "byte") == 0)
        status = fpx_trainer_sample(s->trainer, prompt, TRAIN_SAMPLE, r->sample, err);
    return status;
}

fpx_status train_run(const session_options *options, const char *pattern, const char *prompt,
                     int quiet, train_outcome *ret_outcome, fpx_error *err)
{
    train_outcome r = { .validation = (double)NAN };
    fpx_status status;
    session s;

    if ((status = session_open(options, &s, err)) != FPX_OK)
        return status;
    status = run_open(&s, pattern, prompt, quiet, &r, err);
    (void)session_close(&s, NULL);
    if (status == FPX_OK)
        *ret_outcome = r;
    return status;
}
