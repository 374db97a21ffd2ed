/* fpx/npy.h - read and write numpy's .npy files in pieces, so that memory stays bounded.
 *
 *   [ \x93NUMPY ][ major, minor ][ n: 2 bytes, 4 from version 2 on ][ header: n bytes ][ elements ]
 *   header: a Python dictionary, {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, blanks, newline
 *
 * Source: numpy.lib.format, versions 1.0, 2.0 and 3.0. Written is version 1.0, little-endian, C order. */
#ifndef FPX_NPY_H
#define FPX_NPY_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FPX_NPY_MAX_DIMS = 32 };

/* Plain data. kind is numpy's letter: 'f' of 2, 4, 8 bytes; 'u' of 1, 2, 4; 'i' of 4; 'V' of 1, 2: opaque bytes,
 * which is what numpy.save makes of ml_dtypes' arrays (bfloat16 is '<V2', the 8-bit ones '|V1'; an older
 * float8_e5m2 is '<f1', read as 'V' of 1). Their format is not in the file. */
typedef struct fpx_npy_array {
    char kind;
    uint8_t size; /* bytes of an element */
    uint8_t ndim; /* 0 (a scalar) .. FPX_NPY_MAX_DIMS */
    uint64_t shape[FPX_NPY_MAX_DIMS];
} fpx_npy_array;

/* Number of elements; 1 for a scalar, 0 where an axis is 0. What was read never overflows. */
uint64_t fpx_npy_count(const fpx_npy_array *array);

typedef struct fpx_npy_reader fpx_npy_reader;

/* Opens a file, or standard input for "-", and reads its header. Elements of the other byte order are swapped by
 * fpx_npy_read. The text says what, where, and what to do.
 *   FPX_EIO           missing, a folder, unreadable
 *   FPX_EFORMAT       no .npy file, a header that is cut, malformed or contradicts itself, a shape beyond any
 *                     memory; where the length is known: elements cut, or bytes after them
 *   FPX_EUNSUPPORTED  another dtype (objects, structures, complex), more axes, a later version, Fortran order
 *                     (where it is another order: more than one axis longer than 1) */
fpx_status fpx_npy_open(const char *path, fpx_npy_reader **ret_reader, fpx_error *err);
void fpx_npy_close(fpx_npy_reader *reader); /* NULL is fine */

const fpx_npy_array *fpx_npy_array_of(const fpx_npy_reader *reader);

/* The next n elements into dst, little-endian. FPX_EINVAL: more than are left; FPX_EFORMAT: the file ends before,
 * or goes on after the last one. FPX_EIO. */
fpx_status fpx_npy_read(fpx_npy_reader *reader, void *dst, size_t n, fpx_error *err);

/* Back to the first element. FPX_EUNSUPPORTED: a pipe. */
fpx_status fpx_npy_rewind(fpx_npy_reader *reader, fpx_error *err);

/* A whole file in the address space, read only: nothing is copied. Plain data. */
typedef struct fpx_npy_map {
    fpx_npy_array array;
    const void
        *data; /* the elements, little-endian; not aligned where the header's length is odd */
    const void *file; /* all bytes of the file */
    size_t bytes;
} fpx_npy_map;

/* Opens as fpx_npy_open does; the file must not be cut while it is mapped. FPX_EUNSUPPORTED: a pipe, or elements of
 * the other byte order. FPX_ENOMEM. */
fpx_status fpx_npy_map_open(const char *path, fpx_npy_map *ret_map, fpx_error *err);
void fpx_npy_map_close(fpx_npy_map *map); /* one of zeros is fine */

typedef struct fpx_npy_writer fpx_npy_writer;

/* A file that appears whole or not at all (fpx/file.h), or standard output for "-", which must not be a terminal.
 * FPX_EINVAL: an array that could not be read back; FPX_EIO. */
fpx_status fpx_npy_create(const char *path, const fpx_npy_array *array, fpx_npy_writer **ret_writer,
                          fpx_error *err);

/* The next n elements, little-endian. FPX_EINVAL: more than the shape says; FPX_EIO. */
fpx_status fpx_npy_write(fpx_npy_writer *writer, const void *src, size_t n, fpx_error *err);

/* Ends the file in any case. status is what the work came to: on FPX_OK the new file takes its place; otherwise,
 * or where that fails (FPX_EIO; FPX_EINVAL: elements are missing), what was at path has not changed. */
fpx_status fpx_npy_finish(fpx_npy_writer *writer, fpx_status status, fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_NPY_H */
