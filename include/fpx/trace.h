/* fpx/trace.h - traces: HDF5 files that survive a kill at any moment. Layout: docs/trace-format.md.
 *
 * A trace is a list of steps; a step holds one record for each (operation, output) of the program, in
 * program order: digest and statistics always, values where asked for. */
#ifndef FPX_TRACE_H
#define FPX_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/digest.h>
#include <fpx/figure.h>
#include <fpx/metric.h>
#include <fpx/status.h>
#include <fpx/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FPX_TRACE_NAME = 64, FPX_TRACE_MODES = 4 };

/* One (operation, output). */
typedef struct fpx_trace_record {
    char tensor[FPX_TRACE_NAME]; /* "layer.0/attn.qkv/y" */
    char op[FPX_TRACE_NAME];     /* "layer.0/attn.qkv/fprop" */
    char kind[24];               /* "gemm" */
    char role[16];               /* "fprop" */
    char device[FPX_TRACE_NAME]; /* which device ran it */
    int32_t layer;               /* -1 outside the layers */
    uint32_t op_index;
    fpx_tensor desc; /* format and shape; places unused */
    uint32_t values; /* 1: every committed step holds the codes */
    uint32_t reserved;
} fpx_trace_record;

typedef struct fpx_trace_mode {
    char name[120]; /* "local:fp64", "free:fp64", "local:cpu", "local:hopper/wgmma/fp8-fp32" */
} fpx_trace_mode;

/* Whether a mode asks for equal bits: "local:" with anything but fp32 and fp64. */
int fpx_trace_demands_bits(const fpx_trace_mode *mode);

typedef struct fpx_trace_layout {
    const fpx_trace_record *records;
    size_t nrecords;
    fpx_trace_mode modes[FPX_TRACE_MODES];
    size_t nmodes;
    const char *experiment; /* the YAML text; texts may be "" (NULL when writing: "") */
    const char *overrides; /* lines of YAML that the command line put in their place: "seed: 7\n" */
    const char *recipe;    /* the recipe's YAML text */
    const char *device;    /* what fpx_device_describe said */
    const char *version;   /* of the tool */
} fpx_trace_layout;

/* ---- writing ---- */
typedef struct fpx_trace_writer fpx_trace_writer;

/* Makes a new trace at `path` (the master file) with segment files in `path`.seg/. FPX_EIO: the path
 * exists (a trace is never overwritten), the folder does not, or the disk is full. steps_hint: how many
 * steps are expected (0: unknown), sizes the segments, and is kept: a trace that has fewer is incomplete. The
 * layout is copied. */
fpx_status fpx_trace_create(const char *path, const fpx_trace_layout *layout, uint64_t steps_hint,
                            fpx_trace_writer **ret_writer, fpx_error *err);

/* Opens an existing trace to go on at `next_step`, in a new segment. Records and modes must be the
 * same (but for threads= and level= of the device `cpu`, which enter no bit), and next_step one of the recorded steps or the one after the last (any, where there is none),
 * else FPX_EINVAL; the trace keeps its own experiment, device and version. Steps at and after next_step
 * that are already there must all come again: they are compared, not written; other digests give
 * FPX_ENUMERIC (a finding) with text, and so does every fpx_trace_begin after that. FPX_EIO: also
 * where another process is writing the trace. */
fpx_status fpx_trace_append(const char *path, const fpx_trace_layout *layout, uint64_t next_step,
                            uint64_t steps_hint, fpx_trace_writer **ret_writer, fpx_error *err);

/* One step: begin, put each record once in order, figures where there are shadows, commit; anything
 * else is FPX_EINVAL. Step numbers rise. After commit returns, the step survives a kill. `codes` are
 * dense, packed as the record says; scale decodes them. FPX_EIO: the disk is full, or a file-size limit
 * (which raises SIGXFSZ first: ignore it to see this status) - the step is not committed, earlier
 * ones are safe, and begin may be tried again. begin drops a step that was not committed. Figures not put
 * read as NaN. */
fpx_status fpx_trace_begin(fpx_trace_writer *writer, uint64_t step, fpx_error *err);
fpx_status fpx_trace_put(fpx_trace_writer *writer, size_t record, const void *codes, double scale,
                         fpx_error *err);
fpx_status fpx_trace_put_figure(fpx_trace_writer *writer, size_t mode, size_t record,
                                const fpx_figure *figure, fpx_error *err);
fpx_status fpx_trace_commit(fpx_trace_writer *writer, fpx_error *err);

fpx_digest fpx_trace_chain(const fpx_trace_writer *writer); /* after the last committed step */

/* Frees in any case; an error while closing is reported. NULL is fine. */
fpx_status fpx_trace_close(fpx_trace_writer *writer, fpx_error *err);

/* ---- reading ---- *
 * A reader sees the steps that were committed when it was opened, also while a writer goes on. It opens
 * a segment at a time; one thread at a time may use it. HDF5 itself must be thread-safe (Debian's is)
 * where several threads use traces at once. */
typedef struct fpx_trace fpx_trace;

/* FPX_EIO: missing; FPX_EFORMAT: not HDF5, not an fpx trace, truncated, with what and where. */
fpx_status fpx_trace_open(const char *path, fpx_trace **ret_trace, fpx_error *err);
void fpx_trace_free(fpx_trace *trace); /* NULL is fine */

const fpx_trace_layout *fpx_trace_layout_of(const fpx_trace *trace);
size_t fpx_trace_segments(const fpx_trace *trace);
size_t fpx_trace_ops(const fpx_trace *trace);   /* operations: runs of records of one op_index */
size_t fpx_trace_steps(const fpx_trace *trace); /* committed steps */
/* Steps that the run was to have (the writer's steps_hint); 0: unknown. Incomplete: it has fewer, for it
 * ended in a crash, a kill or an interrupt, or is still going on. */
uint64_t fpx_trace_planned(const fpx_trace *trace);
int fpx_trace_incomplete(const fpx_trace *trace);
/* Rising step numbers; UINT64_MAX for an index past the end. */
uint64_t fpx_trace_step_at(const fpx_trace *trace, size_t index);

/* index: 0 .. steps - 1, record: 0 .. nrecords - 1, all others FPX_EINVAL. */
fpx_status fpx_trace_chain_at(fpx_trace *trace, size_t index, fpx_digest *ret_chain,
                              fpx_error *err);
fpx_status fpx_trace_step_digest(fpx_trace *trace, size_t index, fpx_digest *ret_digest,
                                 fpx_error *err);
fpx_status fpx_trace_digests(fpx_trace *trace, size_t index, fpx_digest *ret_digests, /* nrecords */
                             fpx_error *err);
fpx_status fpx_trace_op_digests(fpx_trace *trace, size_t index,
                                fpx_digest *ret_digests, /* fpx_trace_ops */
                                fpx_error *err);
fpx_status fpx_trace_stats(fpx_trace *trace, size_t index, fpx_stats *ret_stats, /* nrecords */
                           double *ret_scales, /* nrecords or NULL */
                           fpx_error *err);
fpx_status fpx_trace_figures(fpx_trace *trace, size_t index, size_t mode,
                             fpx_figure *ret_figures, /* nrecords */
                             fpx_error *err);
/* The codes, fpx_tensor_bytes(desc) of them. FPX_EUNSUPPORTED: this record has no values. A read that
 * fails midway may leave a part in ret_codes. */
fpx_status fpx_trace_values(fpx_trace *trace, size_t index, size_t record, void *ret_codes,
                            fpx_error *err);

/* Computes every digest again: of records from their values, of operations, steps and the chain from
 * what lies below them, of step numbers, statistics and figures from their rows. *ret_checked: how many records' values were digested. FPX_ENUMERIC (a finding):
 * names the first step and record or operation that does not fit. */
fpx_status fpx_trace_verify(fpx_trace *trace, size_t *ret_checked, fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_TRACE_H */
