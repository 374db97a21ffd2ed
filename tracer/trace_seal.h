/* trace_seal.h - a digest over everything in a file that is final when the file is made. HDF5 1.10 leaks
 * and prints when it meets a damaged header, at worst it crashes: it is given only sealed bytes.
 *
 *   0                              size
 *   | HDF5 file, with holes for rows | extents | digest of them | of what they cover | n | "fpx-seal" |
 *                                      16 n      16               16                   8   8
 *   extent: u64le offset, u64le length; in order, apart, within the file before the seal. */
#ifndef FPX_TRACE_SEAL_H
#define FPX_TRACE_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>

typedef struct fpx_extent {
    uint64_t offset, length;
} fpx_extent;

/* Appends the seal to an open file whose first `size` bytes are complete; `holes` (sorted here) are not
 * covered: they may change later. 0 or an errno value. */
int fpx_seal_write(int fd, uint64_t size, fpx_extent *holes, size_t nholes);

/* *ret_size: bytes before the seal. FPX_EFORMAT: no seal, or a sealed byte has changed; FPX_EIO. */
fpx_status fpx_seal_check(int fd, const char *path, uint64_t *ret_size, fpx_error *err);

/* All n bytes; 0, an errno value, or -1 where the file ends before. */
int fpx_pread(int fd, void *data, size_t n, uint64_t offset);
int fpx_pwrite(int fd, const void *data, size_t n, uint64_t offset);

#endif /* FPX_TRACE_SEAL_H */
