/* fpx/report.h - results for people and programs: one self-contained HTML page, JSON, JUnit XML. */
#ifndef FPX_REPORT_H
#define FPX_REPORT_H

#include <stddef.h>

#include <fpx/diff.h>
#include <fpx/status.h>
#include <fpx/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a page shows. Any pointer but `trace` may be NULL. */
typedef struct fpx_report_input {
    fpx_trace *trace;       /* the run */
    const char *trace_name; /* as the user gave it */
    fpx_trace *other;       /* compared with it */
    const char *other_name;
    const fpx_diff *diff;              /* of trace and other */
    const fpx_shadow_finding *finding; /* of one trace's own shadows */
    fpx_trace *finding_of;             /* that trace: the page draws its shadows; NULL: `trace` */
    const char *title;
} fpx_report_input;

/* One file without any reference outside itself: the verdict in a sentence, loss curves of both runs with
 * the first divergence marked, error by layer and step as heat maps (from the shadows of
 * finding_of), which records differ as one more, what was found and where, the experiment.
 * Works without JavaScript, prints well, light and dark. Path "-" is standard output. FPX_EIO. */
fpx_status fpx_report_html(const char *path, const fpx_report_input *input, fpx_error *err);

/* Verdict in a few lines of plain text: step, operation, tensor, element, both values and bit patterns,
 * when the loss shows it. `room` bytes; always terminated. */
void fpx_report_diff_text(const fpx_diff *diff, char *text, size_t room);
void fpx_report_finding_text(const fpx_trace_layout *layout, const fpx_shadow_finding *finding,
                             char *text, size_t room);

/* The same for programs. Path "-" is standard output. JSON: schema "fpx.diff/1"; NaN and Inf are
 * strings, bit patterns hexadecimal strings. FPX_EIO. */
fpx_status fpx_report_diff_json(const char *path, const fpx_diff *diff, fpx_error *err);

/* The same of one trace's own finding; schema "fpx.finding/1". */
fpx_status fpx_report_finding_json(const char *path, const fpx_trace_layout *layout,
                                   const fpx_shadow_finding *finding, fpx_error *err);

/* JUnit XML with one test case; failure: its text, or NULL where it passed. FPX_EIO. */
fpx_status fpx_report_junit(const char *path, const char *suite, const char *name,
                            const char *failure, fpx_error *err);

/* The same where there was nothing to compare, because the run itself failed: text says how. */
fpx_status fpx_report_junit_error(const char *path, const char *suite, const char *name,
                                  const char *text, fpx_error *err);

/* Puts `count` bytes at `path`: a file is written whole or not at all, a pipe or device is written
 * into, "-" is standard output. Every result above goes this way. FPX_EIO, FPX_ENOMEM. */
fpx_status fpx_report_write(const char *path, const char *text, size_t count, fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_REPORT_H */
