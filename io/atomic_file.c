/* atomic_file.c - write beside, sync, rename: rename is what POSIX makes atomic, and the sync before it
 * keeps a crash from leaving a new name with old or no bytes. The name beside is the writer's own: two that
 * write one file do not meet, the last to be done stays. */
#include "atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux writes at most 0x7ffff000 bytes a call; a round number below that is asked for. */
static const size_t chunk = (size_t)1 << 30;

static fpx_status refuse(const char *path, const char *doing, fpx_error *err)
{
    return fpx_error_set(err, FPX_EIO, "%s: cannot %s: %s", path, doing, strerror(errno));
}

/* Where the file really lies, for free(): renaming over a link would replace the link, renaming over a
 * device the device. NULL on failure. */
static char *resolve(const char *path, fpx_status *ret_status, fpx_error *err)
{
    struct stat st;
    char *real = NULL;

    if (lstat(path, &st) != 0) {
        if (errno != ENOENT) {
            *ret_status = refuse(path, "write", err);
            return NULL;
        }
        real = strdup(path);
        if (real == NULL)
            *ret_status = fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
        return real;
    }
    real = realpath(path, NULL);
    if (real != NULL && stat(real, &st) == 0 && S_ISREG(st.st_mode))
        return real;
    if (real == NULL) {
        *ret_status = refuse(path, "write", err);
    } else {
        *ret_status = fpx_error_set(err, FPX_EIO, "%s: cannot write: it is %s", path,
                                    S_ISDIR(st.st_mode) ? "a folder" : "no regular file");
    }
    free(real);
    return NULL;
}

/* path's folder, '.', path's name, the process, a number, ".tmp". O_EXCL makes it this writer's alone: what has the
 * name already (a killed run's, another machine's, a planted link) is left as it is, and the next number taken. */
static fpx_status create_beside(io_atomic_file *file, fpx_error *err)
{
    enum { NAME_KEPT = 200, DECORATION = 48, NUMBERS = 1000 };
    const char *const slash = strrchr(file->path, '/');
    const char *const name = slash != NULL ? slash + 1 : file->path;
    const size_t room = strlen(file->path) + DECORATION;

    file->tmp = malloc(room);
    if (file->tmp == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", file->path);
    for (int i = 0; i < NUMBERS && file->fd < 0; i++) {
        (void)snprintf(file->tmp, room, "%.*s.%.*s.%ld-%d.tmp", (int)(name - file->path),
                       file->path, NAME_KEPT, name, (long)getpid(), i);
        file->fd = open(file->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->fd < 0 && errno != EEXIST)
            break;
    }
    return file->fd >= 0 ? FPX_OK : refuse(file->path, "make a file beside it", err);
}

fpx_status io_atomic_open(const char *path, io_atomic_file *ret_file, fpx_error *err)
{
    fpx_status status = FPX_OK;
    io_atomic_file file = { .path = resolve(path, &status, err), .fd = -1 };

    if (file.path == NULL)
        return status;
    status = create_beside(&file, err);
    if (status != FPX_OK) {
        free(file.tmp);
        free(file.path);
        return status;
    }
    *ret_file = file;
    return FPX_OK;
}

fpx_status io_atomic_write(const io_atomic_file *file, const void *bytes, size_t count,
                           fpx_error *err)
{
    const char *from = bytes;

    while (count > 0) {
        const ssize_t n = write(file->fd, from, count < chunk ? count : chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return refuse(file->path, "write", err);
        from += n;
        count -= (size_t)n;
    }
    return FPX_OK;
}

/* The new name is on disk once its folder is. Not every file system can sync a folder, and the rename is
 * done by then: no error. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strdup(path);

    if (folder == NULL)
        return;
    if (slash != NULL)
        folder[slash == path ? 1 : slash - path] = '\0';
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    free(folder);
}

fpx_status io_atomic_close(io_atomic_file *file, fpx_status status, fpx_error *err)
{
    if (status == FPX_OK && fsync(file->fd) != 0)
        status = refuse(file->path, "write", err);
    if (close(file->fd) != 0 && status == FPX_OK) /* NFS tells of a full disk here */
        status = refuse(file->path, "write", err);
    if (status == FPX_OK && rename(file->tmp, file->path) != 0)
        status = refuse(file->path, "replace", err);
    if (status == FPX_OK) {
        sync_folder(file->path);
    } else {
        (void)unlink(file->tmp);
    }
    free(file->tmp);
    free(file->path);
    return status;
}
