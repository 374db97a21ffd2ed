/* trace_fixture.h - one small layout with every kind of record, and codes that follow from (step,
 * record), so that any test can say what a trace must hold. */
#ifndef FPX_TRACE_FIXTURE_H
#define FPX_TRACE_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/trace.h>

enum { FIXTURE_RECORDS = 9, FIXTURE_MODES = 2, FIXTURE_OPS = 6, FIXTURE_MAX_BYTES = 16384 };

/* A layout in static memory; the same at each call. */
const fpx_trace_layout *fixture_layout(void);

/* The codes of one record at one step, fpx_tensor_bytes of them, all patterns of the format. */
void fixture_codes(uint64_t step, size_t record, uint8_t *ret_codes);
double fixture_scale(uint64_t step, size_t record);
fpx_figure fixture_figure(uint64_t step, size_t mode, size_t record);

/* Begins, puts and commits one step as above; the first status that is not FPX_OK. */
fpx_status fixture_step(fpx_trace_writer *writer, uint64_t step, fpx_error *err);

/* Aborts the test where the step at `index` is not what fixture_step wrote. */
void fixture_check_step(fpx_trace *trace, size_t index);
/* Opens, checks every step and the digests; returns the number of steps. The first has number `first`. */
size_t fixture_check(const char *path, uint64_t first);

/* A new empty folder; and its removal with what traces leave in it. */
char *fixture_folder(void);
char *fixture_path(const char *folder, const char *name); /* to be freed */
void fixture_remove(char *folder);                        /* frees it */

/* FPX_TEST_EFFORT, 1 without. */
size_t fixture_effort(void);

/* splitmix64: *state is the seed. */
uint64_t fixture_random(uint64_t *state);

#endif /* FPX_TRACE_FIXTURE_H */
