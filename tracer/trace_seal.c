/* trace_seal.c - writes and checks the seal. The table of extents has a digest of its own, so that a
 * damaged length never decides how much is read. */
#include "trace_seal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fpx/digest.h>

typedef struct trailer {
    fpx_digest table, content;
    uint64_t n;
    char magic[8];
} trailer;

_Static_assert(sizeof(trailer) == 48 && sizeof(fpx_extent) == 16, "written as they lie in memory");

static const char magic[8] = { 'f', 'p', 'x', '-', 's', 'e', 'a', 'l' };

int fpx_pwrite(int fd, const void *data, size_t n, uint64_t offset)
{
    const uint8_t *in = data;

    while (n > 0) {
        const ssize_t put = pwrite(fd, in, n, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) /* a write of nothing would loop */
            return put < 0 ? errno : EIO;
        in += put;
        offset += (uint64_t)put;
        n -= (size_t)put;
    }
    return 0;
}

int fpx_pread(int fd, void *data, size_t n, uint64_t offset)
{
    uint8_t *out = data;

    while (n > 0) {
        const ssize_t got = pread(fd, out, n, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : -1;
        out += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

/* Digest of each extent's bytes, then of the list. */
static int digest_content(int fd, const fpx_extent *extents, size_t n, fpx_digest *ret_digest)
{
    fpx_digest *digests = malloc((n + 1) * sizeof *digests);
    uint8_t *bytes = NULL;
    uint64_t longest = 1;
    int error = digests == NULL ? ENOMEM : 0;

    for (size_t i = 0; i < n; i++)
        longest = extents[i].length > longest ? extents[i].length : longest;
    if (error == 0 && longest <= SIZE_MAX)
        bytes = malloc((size_t)longest);
    if (bytes == NULL)
        error = ENOMEM;
    for (size_t i = 0; i < n && error == 0; i++) {
        error = fpx_pread(fd, bytes, (size_t)extents[i].length, extents[i].offset);
        if (error == 0)
            digests[i] = fpx_digest_bytes(bytes, (size_t)extents[i].length);
    }
    if (error == 0)
        *ret_digest = fpx_digest_list(digests, n);
    free(bytes);
    free(digests);
    return error;
}

static int by_offset(const void *a, const void *b)
{
    const fpx_extent *x = a;
    const fpx_extent *y = b;

    return (x->offset > y->offset) - (x->offset < y->offset);
}

int fpx_seal_write(int fd, uint64_t size, fpx_extent *holes, size_t nholes)
{
    fpx_extent *extents = calloc(nholes + 1, sizeof *extents);
    trailer end = { .n = 0 };
    uint64_t from = 0;
    int error = extents == NULL ? ENOMEM : 0;

    if (nholes > 0)
        qsort(holes, nholes, sizeof *holes, by_offset);
    for (size_t i = 0; i <= nholes && error == 0; i++) {
        const uint64_t to = i < nholes ? holes[i].offset : size;
        if (to > from)
            extents[end.n++] = (fpx_extent){ from, to - from };
        from = i < nholes ? to + holes[i].length : to;
    }
    if (error == 0)
        error = digest_content(fd, extents, (size_t)end.n, &end.content);
    if (error == 0) {
        const size_t bytes = (size_t)end.n * sizeof *extents;
        end.table = fpx_digest_bytes(extents, bytes);
        memcpy(end.magic, magic, sizeof magic);
        error = fpx_pwrite(fd, extents, bytes, size);
        if (error == 0)
            error = fpx_pwrite(fd, &end, sizeof end, size + bytes);
    }
    free(extents);
    return error < 0 ? EIO : error;
}

/* 1 where the extents are in order, apart, and end within `size` bytes. */
static int extents_fit(const fpx_extent *extents, size_t n, uint64_t size)
{
    uint64_t from = 0;

    for (size_t i = 0; i < n; i++) {
        if (extents[i].offset < from || extents[i].offset > size ||
            extents[i].length > size - extents[i].offset)
            return 0;
        from = extents[i].offset + extents[i].length;
    }
    return 1;
}

static fpx_status check_content(int fd, const char *path, const trailer *end, uint64_t size,
                                fpx_error *err)
{
    const size_t bytes = (size_t)end->n * sizeof(fpx_extent);
    fpx_extent *extents = calloc(1, bytes + 1);
    fpx_digest content;
    int error = extents == NULL ? ENOMEM : fpx_pread(fd, extents, bytes, size);
    int damaged = 0;

    if (error == 0)
        damaged = !fpx_digest_equal(end->table, fpx_digest_bytes(extents, bytes)) ||
                  !extents_fit(extents, (size_t)end->n, size);
    if (error == 0 && !damaged) {
        error = digest_content(fd, extents, (size_t)end->n, &content);
        damaged = error == 0 && !fpx_digest_equal(end->content, content);
    }
    free(extents);
    if (error == ENOMEM)
        return fpx_error_set(err, FPX_ENOMEM, "%s: no memory to check its seal", path);
    if (error > 0)
        return fpx_error_set(err, FPX_EIO, "%s: cannot be read: %s", path, strerror(error));
    if (error < 0 || damaged)
        return fpx_error_set(err, FPX_EFORMAT,
                             "%s: damaged: its structure is not what was written (a trace must not "
                             "be edited in place)",
                             path);
    return FPX_OK;
}

static fpx_status not_sealed(int fd, const char *path, fpx_error *err)
{
    static const char hdf5[8] = { '\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n' };
    char start[8] = { 0 };

    if (fpx_pread(fd, start, sizeof start, 0) == 0 && memcmp(start, hdf5, sizeof hdf5) == 0)
        return fpx_error_set(err, FPX_EFORMAT,
                             "%s: HDF5, but not an fpx trace, or one that was truncated", path);
    return fpx_error_set(err, FPX_EFORMAT, "%s: not an fpx trace (not HDF5)", path);
}

fpx_status fpx_seal_check(int fd, const char *path, uint64_t *ret_size, fpx_error *err)
{
    struct stat info;
    trailer end;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return fpx_error_set(err, FPX_EIO, "%s: not a regular file", path);
    const uint64_t whole = (uint64_t)info.st_size;
    if (whole < sizeof end || fpx_pread(fd, &end, sizeof end, whole - sizeof end) != 0 ||
        memcmp(end.magic, magic, sizeof magic) != 0 ||
        end.n > (whole - sizeof end) / sizeof(fpx_extent))
        return not_sealed(fd, path, err);
    const uint64_t size = whole - sizeof end - end.n * sizeof(fpx_extent);
    const fpx_status status = check_content(fd, path, &end, size, err);
    if (status == FPX_OK)
        *ret_size = size;
    return status;
}
