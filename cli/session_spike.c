/* session_spike.c - losses that leave the band of those before them: said when they come, and at the end what to do next. */
#include "session_spike.h"

#include <stdio.h>
#include <unistd.h>

#include "session.h"

int spike_look(session *s, const fpx_step_result *r)
{
    session_spike spike = { .step = r->step, .loss = r->loss };

    if (!fpx_loss_band_add(&s->band, r->loss, &spike.median, &spike.limit))
        return 0;
    if (s->nspikes == 0) {
        s->kept_before = s->kept;
        s->has_kept_before = s->has_kept;
    }
    if (s->nspikes++ < SESSION_SPIKES)
        s->spikes[s->nspikes - 1] = spike;
    (void)fprintf(stderr,
                  "%sstep %llu: loss %.4f left its band: median %.4f of %d steps, limit %.4f\n",
                  isatty(fileno(stderr)) == 1 ? "\r\033[K" : "", (unsigned long long)spike.step,
                  spike.loss, spike.median, FPX_LOSS_BAND_STEPS, spike.limit);
    return 1;
}

void spike_print(const session *s, FILE *out)
{
    if (s->nspikes == 0)
        return;
    (void)fprintf(out, "%llu loss%s left %s band, the first at step %llu: ",
                  (unsigned long long)s->nspikes, s->nspikes == 1 ? "" : "es",
                  s->nspikes == 1 ? "its" : "their", (unsigned long long)s->spikes[0].step);
    if (s->options.trace != NULL && s->nshadows > 0)
        (void)fprintf(out,
                      "its shadow and trace have that step: fpx report %s -o PAGE.html, fpx diff "
                      "%s\n",
                      s->options.trace, s->options.trace);
    else if (s->has_kept_before) /* --resume takes a folder's newest: this one needs its own */
        (void)fprintf(out,
                      "the newest state before it is %s/step-%06llu.safetensors: copy it to a new "
                      "folder DIR, then fpx train %s --resume DIR --shadow local --trace FILE\n",
                      s->options.checkpoint, (unsigned long long)s->kept_before,
                      s->options.experiment);
    else
        (void)fprintf(out,
                      "run again with --shadow local --trace FILE (and --checkpoint DIR --every N "
                      "to come back near it), then fpx report FILE -o PAGE.html\n");
}
