/* byte_stream.h - bytes in from a file or standard input, bytes out to an atomic file or standard output. */
#ifndef IO_BYTE_STREAM_H
#define IO_BYTE_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>

#include "atomic_file.h"

typedef struct io_source {
    char *label; /* the path, or "standard input" */
    int fd;
    int is_regular; /* then size is known, and it can be read again */
    uint64_t start; /* where the descriptor stood: a shell may hand over the rest of a file */
    uint64_t size;  /* bytes from start */
    uint64_t at;    /* bytes read */
} io_source;

/* "-" is standard input. FPX_EIO: missing, a folder, unreadable. */
fpx_status io_source_open(const char *path, io_source *ret_source, fpx_error *err);
void io_source_close(io_source *source);

/* Reads until count bytes are there or the input ends. FPX_EIO. */
fpx_status io_source_read(io_source *source, void *dst, size_t count, size_t *ret_count,
                          fpx_error *err);

/* Goes to a byte from start. FPX_EUNSUPPORTED: a pipe. */
fpx_status io_source_seek(io_source *source, uint64_t at, fpx_error *err);

typedef struct io_sink {
    char *label;
    int is_stdout;
    io_atomic_file file; /* where it is not standard output */
} io_sink;

/* "-" is standard output, which must not be a terminal. FPX_EIO, FPX_EINVAL. */
fpx_status io_sink_open(const char *path, io_sink *ret_sink, fpx_error *err);
fpx_status io_sink_write(io_sink *sink, const void *src, size_t count, fpx_error *err);

/* Ends it in any case; status is what the writing came to, and what is returned unless closing fails. */
fpx_status io_sink_close(io_sink *sink, fpx_status status, fpx_error *err);

#endif /* IO_BYTE_STREAM_H */
