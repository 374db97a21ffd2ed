/* demo_scratch.h - a temporary folder that goes away whole, and programs run with their output in a file. */
#ifndef CLI_DEMO_SCRATCH_H
#define CLI_DEMO_SCRATCH_H

#include <stdint.h>

#include <fpx/status.h>

enum { SCRATCH_PATH = 4096 };

/* Makes a folder in TMPDIR (else /tmp) after making sure that `need` bytes are free there. FPX_EIO with
 * what is needed, what there is, and that TMPDIR can point elsewhere. */
fpx_status scratch_new(uint64_t need, char ret_path[SCRATCH_PATH], fpx_error *err);
void scratch_remove(const char *path); /* with everything in it */

/* Runs this very program with `argv` (NULL-terminated, argv[0] included), its standard output in the
 * file `output`. Returns its exit code, or -1. */
int scratch_run(const char *const *argv, const char *output);

#endif /* CLI_DEMO_SCRATCH_H */
