/* arena.c - shared memory on a memfd: no name, no limit of /dev/shm, gone with its last user. */
#define _GNU_SOURCE /* memfd_create, file seals */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fpx/device.h>

#include "arena_memfd.h"

struct fpx_arena {
    int fd;
    void *address;
    uint64_t bytes;  /* as asked for */
    uint64_t mapped; /* at least 1 */
};

fpx_status fpx_memfd_new(const char *name, uint64_t bytes, int *ret_fd, void **ret_address,
                         fpx_error *err)
{
    /* Half of the address space: no off_t and no pointer difference overflows below it. */
    if (bytes > SIZE_MAX / 2)
        return fpx_error_set(err, FPX_ENOMEM, "%llu bytes of shared memory: too large",
                             (unsigned long long)bytes);

    const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return fpx_error_set(err, FPX_EIO, "memfd_create: %s", strerror(errno));
    void *address = MAP_FAILED;
    if (ftruncate(fd, (off_t)bytes) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        address = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) {
        const int cause = errno;
        close(fd);
        return fpx_error_set(err, FPX_ENOMEM, "%llu bytes of shared memory: %s",
                             (unsigned long long)bytes, strerror(cause));
    }
    *ret_fd = fd;
    *ret_address = address;
    return FPX_OK;
}

fpx_status fpx_arena_new(uint64_t bytes, fpx_arena **ret_arena, fpx_error *err)
{
    fpx_arena *arena = malloc(sizeof *arena);
    if (arena == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "an arena: out of memory");

    arena->bytes = bytes;
    arena->mapped = bytes > 0 ? bytes : 1; /* an empty mapping does not exist */
    const fpx_status status =
        fpx_memfd_new("fpx-arena", arena->mapped, &arena->fd, &arena->address, err);
    if (status != FPX_OK) {
        free(arena);
        return status;
    }
    *ret_arena = arena;
    return FPX_OK;
}

void fpx_arena_free(fpx_arena *arena)
{
    if (arena == NULL)
        return;
    munmap(arena->address, (size_t)arena->mapped);
    close(arena->fd);
    free(arena);
}

void *fpx_arena_address(const fpx_arena *arena)
{
    return arena->address;
}

uint64_t fpx_arena_bytes(const fpx_arena *arena)
{
    return arena->bytes;
}

int fpx_arena_fd(const fpx_arena *arena)
{
    return arena->fd;
}
