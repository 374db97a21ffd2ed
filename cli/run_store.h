/* run_store.h - runs that are finished, a line of JSON each, in a file that only grows: a command that was stopped goes
 * on where it was. */
#ifndef CLI_RUN_STORE_H
#define CLI_RUN_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/ablation.h>
#include <fpx/status.h>

enum { RUN_KEY = 65, RUN_FINDING = 640 };

typedef struct run_record {
    char key[RUN_KEY];         /* digest of all that decides its result */
    double validation;         /* bits per byte or token; NaN: the run was ended */
    double flushed;            /* share of values stored as 0 */
    char finding[RUN_FINDING]; /* why it was ended; "": it was not */
} run_record;

/* A line of the file: the run, and what it is to a reader. */
typedef struct run_line {
    run_record run;
    char arm[FPX_ARM_NAME + 1];
    uint64_t seed;
    double rate;
    size_t number; /* in the file, from 1; 0: added since */
} run_line;

typedef struct run_store run_store;

/* Opens or makes the file, and locks it. A last line that was cut off, when the machine or the process died, is taken
 * away, as are zero bytes at the end, which a file system leaves after a power cut; blank lines are no lines. FPX_EIO;
 * FPX_EINVAL: it holds other lines, named by their number, or another process has it. */
fpx_status run_store_open(const char *path, run_store **ret_store, fpx_error *err);
void run_store_close(run_store *store); /* NULL is fine */

/* The first line with this key behind `after` (NULL: of all); NULL: there is none. Valid until the next is added. */
const run_line *run_store_find(const run_store *store, const char *key, const run_line *after);

/* One write, on the disk before it returns. FPX_EIO, FPX_ENOMEM. */
fpx_status run_store_add(run_store *store, const run_line *line, fpx_error *err);

#endif /* CLI_RUN_STORE_H */
