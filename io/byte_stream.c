/* byte_stream.c - plain read and write on descriptors: the callers move large pieces, so there is no buffer
 * between. Short reads of pipes are continued, a signal in between is not an error. */
#include "byte_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux reads at most 0x7ffff000 bytes a call. */
static const size_t piece = (size_t)1 << 30;

static fpx_status refuse(const char *label, const char *doing, fpx_error *err)
{
    return fpx_error_set(err, FPX_EIO, "%s: cannot %s: %s", label, doing, strerror(errno));
}

fpx_status io_source_open(const char *path, io_source *ret_source, fpx_error *err)
{
    const int is_stdin = strcmp(path, "-") == 0;
    io_source s = { .label = strdup(is_stdin ? "standard input" : path), .fd = -1 };
    fpx_status status = FPX_OK;
    struct stat st = { 0 };

    if (s.label == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
    if (path[0] == '\0') {
        io_source_close(&s);
        return fpx_error_set(err, FPX_EIO, "a name is missing: '' is no file");
    }
    s.fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (s.fd < 0)
        status = refuse(s.label, "open", err);
    else if (fstat(s.fd, &st) != 0)
        status = refuse(s.label, "read", err);
    else if (S_ISDIR(st.st_mode))
        status = fpx_error_set(err, FPX_EIO, "%s: cannot read: it is a folder", s.label);
    if (status != FPX_OK) {
        io_source_close(&s);
        return status;
    }
    const off_t start = lseek(s.fd, 0, SEEK_CUR);
    if (S_ISREG(st.st_mode) && start >= 0 && start <= st.st_size) {
        s.is_regular = 1;
        s.start = (uint64_t)start;
        s.size = (uint64_t)st.st_size - s.start;
    }
    *ret_source = s;
    return FPX_OK;
}

void io_source_close(io_source *source)
{
    if (source->fd > STDIN_FILENO)
        (void)close(source->fd);
    free(source->label);
    source->fd = -1;
    source->label = NULL;
}

fpx_status io_source_read(io_source *source, void *dst, size_t count, size_t *ret_count,
                          fpx_error *err)
{
    char *to = dst;
    size_t done = 0;

    while (done < count) {
        const size_t left = count - done;
        const ssize_t n = read(source->fd, to + done, left < piece ? left : piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return refuse(source->label, "read", err);
        if (n == 0)
            break;
        done += (size_t)n;
    }
    source->at += done;
    *ret_count = done;
    return FPX_OK;
}

fpx_status io_source_seek(io_source *source, uint64_t at, fpx_error *err)
{
    if (!source->is_regular) {
        return fpx_error_set(err, FPX_EUNSUPPORTED, "%s: a pipe cannot be read twice: give a file",
                             source->label);
    }
    if (lseek(source->fd, (off_t)(source->start + at), SEEK_SET) < 0)
        return refuse(source->label, "read", err);
    source->at = at;
    return FPX_OK;
}

fpx_status io_sink_open(const char *path, io_sink *ret_sink, fpx_error *err)
{
    io_sink s = { .is_stdout = strcmp(path, "-") == 0 };
    fpx_status status = FPX_OK;

    s.label = strdup(s.is_stdout ? "standard output" : path);
    if (s.label == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
    if (!s.is_stdout)
        status = io_atomic_open(path, &s.file, err);
    else if (isatty(STDOUT_FILENO) == 1)
        status = fpx_error_set(err, FPX_EINVAL,
                               "standard output is a terminal, and these are no characters: pipe "
                               "it, or name a file");
    if (status != FPX_OK) {
        free(s.label);
        return status;
    }
    *ret_sink = s;
    return FPX_OK;
}

fpx_status io_sink_write(io_sink *sink, const void *src, size_t count, fpx_error *err)
{
    const char *from = src;

    if (!sink->is_stdout)
        return io_atomic_write(&sink->file, src, count, err);
    while (count > 0) {
        const ssize_t n = write(STDOUT_FILENO, from, count < piece ? count : piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return refuse(sink->label, "write", err);
        from += n;
        count -= (size_t)n;
    }
    return FPX_OK;
}

fpx_status io_sink_close(io_sink *sink, fpx_status status, fpx_error *err)
{
    if (!sink->is_stdout)
        status = io_atomic_close(&sink->file, status, err);
    free(sink->label);
    sink->label = NULL;
    return status;
}
