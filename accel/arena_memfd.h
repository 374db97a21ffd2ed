/* arena_memfd.h - memory that a second process can map: the arena's and the wire's common ground. */
#ifndef FPX_ACCEL_ARENA_MEMFD_H
#define FPX_ACCEL_ARENA_MEMFD_H

#include <stdint.h>

#include <fpx/status.h>

/* Zeroed shared memory of exactly `bytes` (>= 1) behind a close-on-exec descriptor. Its size is
 * sealed: a process that it was lent to cannot shrink it, which would be a SIGBUS here.
 * FPX_ENOMEM: the size or the mapping; FPX_EIO: the system has no memfd or no descriptor left. */
fpx_status fpx_memfd_new(const char *name, uint64_t bytes, int *ret_fd, void **ret_address,
                         fpx_error *err);

/* The descriptor of an arena, open as long as the arena lives. */
struct fpx_arena;
int fpx_arena_fd(const struct fpx_arena *arena);

#endif /* FPX_ACCEL_ARENA_MEMFD_H */
