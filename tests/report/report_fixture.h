/* report_fixture.h - small made-up traces: two layers, hostile names, figures with NaN, a planted bit. */
#ifndef FPX_REPORT_FIXTURE_H
#define FPX_REPORT_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/trace.h>

enum { FIXTURE_MAX_RECORDS = 400 };

#define FIXTURE_SCRIPT "<script>alert(\"1\")</script>&'"

typedef struct run_made {
    uint64_t steps;
    size_t layers;
    const char *modes[FPX_TRACE_MODES]; /* NULL: no more */
    uint64_t strike;   /* from this step on one bit of layer.1/attn.qkv/y[1,2] is flipped ... */
    uint64_t heal;     /* ... up to here; losses too are off then */
    double ratio;      /* the struck result's error / bound in mode 0; others 0.5 */
    double mismatches; /* and its mismatches */
    uint64_t nan_loss; /* this step's loss is NaN; UINT64_MAX: none */
    int values;
    int all_disagree; /* mode 0: the results not struck have r % 7 + 1 mismatches, and `ratio` */
    const char *texts[3]; /* experiment, overrides, recipe; NULL: a name only, "", "" */
} run_made;

/* 12 steps, 2 layers, no shadows, values, nothing struck. */
run_made run_plain(void);

char *scratch_new(void); /* a new empty folder; scratch_free removes it and what is in it */
void scratch_free(char *folder);
char *scratch_path(const char *folder, const char *name); /* valid until the next call but 7 */

/* Writes it and opens it for reading; aborts the test on failure. */
fpx_trace *run_write(const char *path, const run_made *made);

char *text_of(const char *path); /* a whole file; to be freed */

#endif /* FPX_REPORT_FIXTURE_H */
