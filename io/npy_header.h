/* npy_header.h - the text between magic and elements of a .npy file: parsed without trust, and written. */
#ifndef IO_NPY_HEADER_H
#define IO_NPY_HEADER_H

#include <stddef.h>

#include <fpx/npy.h>

enum {
    IO_NPY_PREFIX = 8,         /* magic and version */
    IO_NPY_MAX_HEADER = 65535, /* what version 1.0 can state; a shape of 32 axes needs below 1000 */
    IO_NPY_ROOM = 1024         /* for a written header */
};

/* text: n bytes, a zero byte behind them. ret_swap: elements are big-endian. FPX_EFORMAT, FPX_EUNSUPPORTED, with
 * text that begins with the label. */
fpx_status io_npy_parse(const char *label, const char *text, size_t n, fpx_npy_array *ret_array,
                        int *ret_swap, fpx_error *err);

/* The whole start of a file, IO_NPY_PREFIX included; its length, a multiple of 64. */
size_t io_npy_format(const fpx_npy_array *array, char ret_bytes[IO_NPY_ROOM]);

/* 1 where kind, size, axes and the product of the extents are such as io_npy_parse gives. */
int io_npy_is_valid(const fpx_npy_array *array);

#endif /* IO_NPY_HEADER_H */
