/* atomic_file.h - a file that appears whole or not at all: written beside its place, synced, renamed. */
#ifndef IO_ATOMIC_FILE_H
#define IO_ATOMIC_FILE_H

#include <stddef.h>

#include <fpx/status.h>

typedef struct io_atomic_file {
    char *path; /* the file that will be replaced; symbolic links are followed to it */
    char *tmp;  /* beside it, a name that no other writer has: .NAME.PROCESS-NUMBER.tmp */
    int fd;
} io_atomic_file;

/* FPX_EIO: no folder, or something at `path` that is not a regular file. On failure nothing is left. */
fpx_status io_atomic_open(const char *path, io_atomic_file *ret_file, fpx_error *err);

fpx_status io_atomic_write(const io_atomic_file *file, const void *bytes, size_t count,
                           fpx_error *err);

/* Ends the file in any case. status is what the writing came to: on FPX_OK the new file takes its place,
 * otherwise, or where that fails, the old one stays and `tmp` goes. */
fpx_status io_atomic_close(io_atomic_file *file, fpx_status status, fpx_error *err);

#endif /* IO_ATOMIC_FILE_H */
