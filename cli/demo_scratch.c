/* demo_scratch.c - folders and processes for the demo. */
#include "demo_scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

fpx_status scratch_new(uint64_t need, char ret_path[SCRATCH_PATH], fpx_error *err)
{
    const char *base = getenv("TMPDIR");
    struct statvfs disk;
    uint64_t room;

    if (base == NULL || base[0] == '\0')
        base = "/tmp";
    if (statvfs(base, &disk) != 0)
        return fpx_error_set(err, FPX_EIO, "%s: %s; set TMPDIR to a folder for temporary files",
                             base, strerror(errno));
    room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (room < need)
        return fpx_error_set(
            err, FPX_EIO,
            "%s: %llu MB are free, %llu MB are needed for the traces; set TMPDIR to a "
            "folder with room",
            base, (unsigned long long)(room >> 20), (unsigned long long)(need >> 20));
    if (snprintf(ret_path, SCRATCH_PATH, "%s/fpx-demo-XXXXXX", base) >= SCRATCH_PATH ||
        mkdtemp(ret_path) == NULL)
        return fpx_error_set(err, FPX_EIO, "%s: cannot make a folder: %s", base, strerror(errno));
    return FPX_OK;
}

static void remove_at(int parent, const char *name)
{
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL) {
        if (fd >= 0)
            (void)close(fd);
        (void)unlinkat(parent, name, 0);
        return;
    }
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            remove_at(dirfd(dir), e->d_name);
    (void)closedir(dir);
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

void scratch_remove(const char *path)
{
    remove_at(AT_FDCWD, path);
}

int scratch_run(const char *const *argv, const char *output)
{
    const pid_t child = fork();
    int state = 0;

    if (child == 0) {
        const int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0666);

        if (fd < 0 || dup2(fd, 1) < 0)
            _exit(2);
        (void)execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
        _exit(2);
    }
    while (child > 0 && waitpid(child, &state, 0) < 0)
        if (errno != EINTR)
            return -1;
    return child > 0 && WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}
