/* file.c - whole files in and out, and SHA-256 (libmd's). Reading does not believe the size that the
 * system states: a pipe states none, and a file may grow meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fpx/file.h>

#include "atomic_file.h"

static fpx_status too_large(const char *path, size_t max, fpx_error *err)
{
    return fpx_error_set(err, FPX_EFORMAT, "%s: larger than the %zu bytes allowed here", path, max);
}

/* Reads to the end, or one byte past max, into memory that starts with room for `hint` bytes. */
static fpx_status read_all(int fd, const char *path, size_t max, size_t hint, char **ret_bytes,
                           size_t *ret_count, fpx_error *err)
{
    size_t room = hint < max ? hint + 1 : max + 1, count = 0; /* the terminator not counted */
    char *bytes = malloc(room + 1);
    fpx_status status = bytes == NULL ? FPX_ENOMEM : FPX_OK;

    while (status == FPX_OK) {
        const ssize_t n = read(fd, bytes + count, room - count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            status = fpx_error_set(err, FPX_EIO, "%s: cannot read: %s", path, strerror(errno));
            break;
        }
        count += (size_t)n;
        if (n == 0)
            break;
        if (count > max) {
            status = too_large(path, max, err);
        } else if (count == room) {
            room = room > max / 2 ? max + 1 : 2 * room;
            char *larger = realloc(bytes, room + 1);
            if (larger == NULL) {
                status = FPX_ENOMEM;
            } else {
                bytes = larger;
            }
        }
    }
    if (status != FPX_OK) {
        free(bytes);
        return status == FPX_ENOMEM ? fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path)
                                    : status;
    }
    bytes[count] = '\0';
    *ret_bytes = bytes;
    *ret_count = count;
    return FPX_OK;
}

fpx_status fpx_file_read(const char *path, size_t max, char **ret_bytes, size_t *ret_count,
                         fpx_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    fpx_status status;

    if (fd < 0)
        return fpx_error_set(err, FPX_EIO, "%s: cannot open: %s", path, strerror(errno));
    if (max > SIZE_MAX / 2 - 2) /* no memory is larger, and no sum below wraps */
        max = SIZE_MAX / 2 - 2;
    if (fstat(fd, &st) != 0) {
        status = fpx_error_set(err, FPX_EIO, "%s: cannot read: %s", path, strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        status = fpx_error_set(err, FPX_EIO, "%s: cannot read: it is a folder", path);
    } else if (S_ISREG(st.st_mode) && st.st_size > 0 && (uintmax_t)st.st_size > max) {
        status = too_large(path, max, err);
    } else {
        status = read_all(fd, path, max, st.st_size > 0 ? (size_t)st.st_size : 4096, ret_bytes,
                          ret_count, err);
    }
    (void)close(fd);
    return status;
}

fpx_status fpx_file_write(const char *path, const void *bytes, size_t count, fpx_error *err)
{
    io_atomic_file file;
    fpx_status status = io_atomic_open(path, &file, err);

    if (status != FPX_OK)
        return status;
    status = io_atomic_write(&file, bytes, count, err);
    return io_atomic_close(&file, status, err);
}

void fpx_sha256_text(const void *bytes, size_t count, char ret_text[65])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum[SHA256_DIGEST_LENGTH];
    SHA2_CTX context;

    SHA256Init(&context);
    SHA256Update(&context, bytes, count);
    SHA256Final(sum, &context);
    for (size_t i = 0; i < sizeof sum; i++) {
        ret_text[2 * i] = digits[sum[i] >> 4];
        ret_text[2 * i + 1] = digits[sum[i] & 15];
    }
    ret_text[64] = '\0';
}
