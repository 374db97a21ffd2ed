/* session.h - one training run with everything attached to it: where trainer, devices, shadows, trace and
 * golden meet. The verbs train, golden and demo differ in what they ask for. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <stdio.h>

#include <fpx/accel.h>
#include <fpx/device.h>
#include <fpx/golden.h>
#include <fpx/loss_band.h>
#include <fpx/shadow.h>
#include <fpx/trace.h>
#include <fpx/train.h>

#include "outputs.h"

typedef struct session_options {
    const char *experiment; /* path; required */
    const char *recipe;     /* NULL: the experiment's */
    const char *device;     /* spec; NULL: cpu */
    fpx_device *injected;   /* instead of `device`: an opened one, stays the caller's */
    const char *shadow;     /* NULL: none */
    uint64_t shadow_every;  /* the steps that it divides are looked at; 0: all */
    const char *shadow_layers, *shadow_roles; /* words behind commas; NULL: all */
    const char *trace;                        /* path; NULL: none */
    const char *values;     /* shell pattern of the tensors whose values are traced; NULL: none */
    const char *checkpoint; /* folder; NULL: none */
    uint64_t every;         /* steps between checkpoints; 0: only at the end */
    const char *init; /* checkpoint whose parameters a new run starts from; NULL: the seed's */
    int samples;      /* a text is asked for at the end */
    int resume;       /* start from the folder's newest checkpoint */
    int golden;       /* collect a golden */
    int plan;         /* only what it needs: FPX_PLAN_ONLY */
    int guard;        /* end the run where a NaN or Inf is made */
    const cli_file
        *files; /* what else the command reads and writes, checked with the session's own */
    size_t nfiles;
    uint64_t steps; /* overrides the experiment's where not UINT64_MAX */
    uint64_t seed;  /* overrides the experiment's where has_seed: any number is one */
    int has_seed;
    double learning_rate; /* overrides the experiment's where not 0 */
} session_options;

/* Where something was found, and what. */
typedef struct session_spot {
    int found;
    uint64_t step;
    char op[FPX_TRACE_NAME], tensor[FPX_TRACE_NAME]; /* "": only the loss was looked at */
    char what[320];
} session_spot;

/* What a run's own checks found first, each kind for itself, for only the second ends a run: a result that a shadow
 * contradicts (not looked for behind a NaN or Inf, so it is the earlier of two), and a value that is not finite. */
typedef struct session_finding {
    session_spot shadow, nonfinite;
    uint64_t judged, contradicted; /* results that a shadow could contradict; that one did */
    uint64_t seen, unseen; /* results of all shadows that were in the sample, and that were not */
    uint64_t looked_at;    /* of seen: those that a shadow says anything of */
    double ratio[FPX_OP_KINDS]; /* the largest error / bound by kind of operation; 0: none seen */
} session_finding;

/* A loss that left the band of those before it: fpx/loss_band.h. */
typedef struct session_spike {
    uint64_t step;
    double loss, median, limit;
} session_spike;

enum { SESSION_SPIKES = 16 };

typedef struct session {
    session_options options;
    fpx_experiment *experiment;
    fpx_recipe *recipe;
    fpx_device *devices[2]; /* the asked one (if any), the cpu */
    fpx_device *own;        /* the asked one, if the session opened it */
    fpx_device *reference;  /* runs the shadows */
    size_t ndevices;
    fpx_trainer *trainer;
    fpx_shadow *shadows[FPX_SHADOW_MAX];
    size_t nshadows;
    session_finding finding;
    struct watch *watch; /* trace, golden, findings: session_watch.c */
    struct guard *guard; /* session_guard.c; NULL: none */
    fpx_loss_band band;
    session_spike spikes[SESSION_SPIKES];
    uint64_t nspikes; /* of which the first are in spikes[] */
    /* The step before which the folder's newest whole state lies; the same of the newest that was there at the first spike. */
    uint64_t kept, kept_before;
    int has_kept, has_kept_before;
    uint64_t first_step; /* where this run began */
    int ended;           /* by the guard, before the last step */
    int line;            /* a line of progress stands on the terminal */
    int lock;            /* the folder of checkpoints, locked; -1: none: session_folder.c */
    int made_folder;
} session;

/* Whether a run may stop between micro-batches: no trace, golden or shadow counts on whole steps. */
int stops_within(const session *s);

/* Options with nothing set. */
session_options session_defaults(const char *experiment);

fpx_status session_open(const session_options *options, session *ret_session, fpx_error *err);
fpx_status session_save(session *s, fpx_error *err);

/* Ends the trace and frees everything; FPX_EIO where the trace could not be finished. */
fpx_status session_close(session *s, fpx_error *err);

/* ---- session_run.c ---- */
fpx_status session_step(session *s, fpx_step_result *ret_result, fpx_error *err);

/* Runs the rest of the experiment, or up to max_steps steps (0: all); stops in order on Ctrl-C with
 * FPX_EINTERRUPTED. Saves checkpoints as asked. quiet: no progress. */
fpx_status session_run(session *s, uint64_t max_steps, int quiet, fpx_step_result *ret_last,
                       fpx_error *err);
/* The first finding of any kind; NULL: none. */
const session_spot *session_first(const session_finding *finding);
/* The findings, and what shadows judged, a line each; 1 where there is a finding. Silent where nothing is
 * to be said. */
int session_print_finding(const session *s, FILE *out);

/* ---- session_sample.c ---- */
/* Which steps, layers and roles the shadows look at. FPX_EINVAL: a word that names none, with those there are. */
fpx_status sample_shadows(session *s, fpx_error *err);

/* ---- session_folder.c ---- */
/* The folder of checkpoints: made where it is not there, locked, and fit for this run. FPX_EIO, FPX_EINVAL. */
fpx_status folder_open(session *s, fpx_error *err);
/* Unlocks; takes a folder away that was made and holds nothing. */
void folder_close(session *s);

/* ---- session_watch.c ---- */
typedef struct watch watch;
/* Whether a step is traced, recorded or looked at by a shadow. */
int watch_looks(const session *s, uint64_t step);
fpx_status watch_new(session *s, watch **ret_watch, fpx_error *err);
fpx_status watch_free(watch *w, fpx_error *err);
const fpx_golden *watch_golden(const watch *w);
fpx_digest watch_chain(const watch *w); /* of the trace; zeros without one */

#endif /* CLI_SESSION_H */
