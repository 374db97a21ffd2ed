/* outputs.h - what a command reads and what it writes, as one table that is looked at before any work: no
 * output may be an input, another output, or a file that fpx did not write. */
#ifndef CLI_OUTPUTS_H
#define CLI_OUTPUTS_H

#include <stddef.h>

#include <fpx/status.h>

typedef enum cli_file_kind {
    CLI_READS,       /* an input */
    CLI_READS_TRACE, /* an input with its segments */
    CLI_JSON,        /* results: "-" is standard output, a file that exists must be one of fpx */
    CLI_JUNIT,
    CLI_HTML,
    CLI_GOLDEN,
    CLI_ARRAYS, /* .npy, .safetensors: another one is replaced, as `cp` would; "-" as above */
    CLI_TRACE,  /* made, or gone on with: it says itself what it does not replace */
    CLI_FOLDER, /* of checkpoints */
    CLI_TOKENIZER,
    CLI_RUNS /* run_store.h: gone on with, it says itself what is none */
} cli_file_kind;

typedef struct cli_file {
    const char *what; /* "--json", "the experiment": how messages call it */
    const char *path; /* NULL: not asked for */
    cli_file_kind kind;
} cli_file;

/* Files are the same where device and inode are, so links and "./" do not hide one; what is not there yet is
 * its folder's device and inode and its name. FPX_EINVAL: two are one, or one lies among a trace's segments; an
 * output exists and is none of fpx's. FPX_EIO: an output cannot be made or changed. Nothing is left made.
 * FPX_EINVAL withdraws what the command owes (owed.h). */
fpx_status cli_check_files(const cli_file *files, size_t n, fpx_error *err);

#endif /* CLI_OUTPUTS_H */
