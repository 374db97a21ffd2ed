/* fpx/diff.h - two traces compared: the first place where they differ; and the findings of one trace. */
#ifndef FPX_DIFF_H
#define FPX_DIFF_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/settings.h>
#include <fpx/status.h>
#include <fpx/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What counts as a difference. */
typedef struct fpx_diff_policy {
    uint64_t ulps; /* 0: any bit; N: more than N codes apart, which needs values in both traces */
} fpx_diff_policy;

/* "exact" or "ulp:N". FPX_EINVAL with text. */
fpx_status fpx_diff_policy_parse(const char *text, fpx_diff_policy *ret_policy, fpx_error *err);

typedef enum fpx_verdict {
    FPX_SAME,         /* every compared digest is equal */
    FPX_DIFFERENT,    /* the first divergence is below */
    FPX_OTHER_LAYOUT, /* a record is missing, or has another format or shape: named below */
    FPX_SHORTER       /* equal as far as both go, but one trace has more steps */
} fpx_verdict;

/* One element of one tensor of one step, and what two sides have there. */
typedef struct fpx_place_found {
    uint64_t step;
    fpx_trace_record record;      /* of the first trace; of the second where only that has it */
    int has_values;               /* 0: values were not recorded in both; the rest is unknown */
    uint64_t element;             /* first differing element, logical index */
    uint64_t index[FPX_MAX_DIMS]; /* the same as coordinates */
    uint64_t differing;           /* elements that differ in this tensor at this step */
    uint64_t code_a, code_b;      /* bit patterns there */
    double value_a, value_b;      /* decoded, scales included */
    char device_b
        [FPX_TRACE_NAME]; /* where the second trace's record ran; the first's: record.device; "": no such record */
} fpx_place_found;

/* Records that pair with none of the other trace, by (operation, tensor). */
typedef struct fpx_unpaired {
    uint64_t only_a, only_b, reshaped; /* reshaped: both have it, of other format or shape */
    fpx_trace_record first_a, first_b; /* the first of each kind, where there is one */
    fpx_trace_record reshaped_a, reshaped_b;
} fpx_unpaired;

/* Where a run leaves the finite numbers. */
typedef struct fpx_nonfinite {
    int found;
    uint64_t step;
    fpx_trace_record record;
} fpx_nonfinite;

enum { FPX_DIFF_SETTINGS = 8 };

typedef struct fpx_diff {
    uint32_t verdict; /* fpx_verdict */
    uint64_t ulps;    /* of the policy: 0: exact */
    uint64_t planned_a,
        planned_b;      /* steps that each was to have, 0: unknown; more than it has: incomplete */
    uint64_t nsettings; /* settings of the experiments that differ; the first of them: */
    fpx_setting settings[FPX_DIFF_SETTINGS];
    fpx_unpaired unpaired;
    uint64_t
        unpaired_before; /* DIFFERENT: so many of them come before the first, in either program */
    int nothing_before;  /* DIFFERENT: no compared result comes before it */
    fpx_nonfinite nonfinite_a,
        nonfinite_b; /* first NaN or Inf: DIFFERENT: anywhere; else: in the last
                                               common step only */
    uint64_t steps_compared;
    uint64_t records_compared; /* per step */
    uint64_t steps_a, steps_b; /* steps in each trace */
    fpx_place_found first;     /* DIFFERENT, OTHER_LAYOUT */
    /* DIFFERENT: what became of it. Step numbers; UINT64_MAX: never. */
    uint64_t records_differing; /* records that differ at the first differing step */
    uint64_t healed; /* first later step from which on every digest is equal again, and every
                                   value finite */
    int loss_compared; /* 0: no `loss` of one format in both, whatever operation wrote it; what follows says nothing */
    uint64_t loss_bits;    /* first step whose loss has other bits */
    uint64_t loss_visible; /* first step whose losses are further apart than `loss_noise` */
    double loss_noise;     /* root mean square change of the first trace's loss from step to step,
                         * where both are finite */
} fpx_diff;

/* The three answers, as exit codes have them. */
typedef enum fpx_outcome { FPX_HOLDS, FPX_FINDING, FPX_NO_VERDICT } fpx_outcome;

/* Same bits of two complete traces: holds. Same bits, but nothing to compare, or a run that ended early: no
 * verdict. */
fpx_outcome fpx_diff_outcome(const fpx_diff *diff);

/* FPX_EIO, FPX_EFORMAT from reading; FPX_EUNSUPPORTED: the policy needs values that a trace lacks. */
fpx_status fpx_diff_traces(fpx_trace *a, fpx_trace *b, const fpx_diff_policy *policy,
                           fpx_diff *ret_diff, fpx_error *err);

/* The first finding in one trace's own shadows: an equality shadow that disagrees, or an error above
 * its bound. */
typedef struct fpx_shadow_finding {
    int found;
    uint64_t step;
    size_t mode; /* of the trace's layout; meaningless where nonfinite > 0 */
    fpx_trace_record record;
    fpx_figure figure;
    uint64_t nonfinite; /* > 0: no shadow's finding, but this many NaN and Inf in the tensor; of the
                           figure only mismatches, and with has_element element and actual */
    int has_element;    /* 0: the trace lacks the values that would say which element */
    uint64_t index[FPX_MAX_DIMS]; /* of the figure's element */
    uint64_t findings;            /* (step, record, mode) triples with one */
    uint64_t nonfinite_results;   /* (step, record) pairs with a NaN or Inf */
    uint64_t
        unjudged; /* triples without verdict, for their bound is infinite; the first of them: */
    uint64_t unjudged_step;
    fpx_trace_record unjudged_record;
    double unjudged_expected, unjudged_actual;
    uint64_t steps, planned; /* of the trace, as fpx_trace_steps, fpx_trace_planned */
    uint64_t judged;         /* (step, record, mode) triples that could have had one; 0: no
                                     information, as of the same arithmetic on the same device */
    uint64_t
        looked_at; /* triples of which the shadow says anything: judged, unjudged, or measured only */
    /* Of each mode's steps * results (step, record) pairs: those in its sample, whether or not it had anything to say
     * there, and the steps that have one: a sampled shadow says nothing of the others; and as above. */
    uint64_t results;
    uint64_t seen[FPX_TRACE_MODES], seen_steps[FPX_TRACE_MODES];
    uint64_t mode_looked_at[FPX_TRACE_MODES], mode_judged[FPX_TRACE_MODES];
} fpx_shadow_finding;

/* A NaN or Inf is a finding too, with or without shadows: no operation of a healthy run makes one. In the same
 * tensor a shadow's finding goes first. */
fpx_outcome fpx_finding_outcome(const fpx_shadow_finding *finding);
fpx_status fpx_diff_shadows(fpx_trace *trace, fpx_shadow_finding *ret_finding, fpx_error *err);

/* Distance of two codes of a float format in codes, through zero: +0 and -0 are 0 apart, NaN and a
 * number UINT64_MAX. */
uint64_t fpx_ulp_distance(const fpx_format *format, uint64_t a, uint64_t b);

#ifdef __cplusplus
}
#endif

#endif /* FPX_DIFF_H */
