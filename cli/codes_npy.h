/* codes_npy.h - .npy files as arrays of codes: which format an element has, and shapes of packed arrays. */
#ifndef CLI_CODES_NPY_H
#define CLI_CODES_NPY_H

#include <fpx/npy.h>

#include "codes_run.h"

/* The array of a reader. stated: the format that the user names for codes; NULL: none. packed: its last axis counts
 * bytes. FPX_EINVAL with text: codes without a format, a format for floats, or one of another width. */
fpx_status cli_npy_in(fpx_npy_reader *reader, const char *name, const fpx_format *stated,
                      int packed, cli_codes_in *ret_in, fpx_error *err);

/* What holds `format` in the shape of `from`: floats as 'f', all else as 'u'. packed: whole bytes along the last
 * axis, else FPX_EINVAL. from_packed: the format in which from is packed; NULL: it is not. */
fpx_status cli_npy_shape(const fpx_npy_array *from, const fpx_format *from_packed,
                         const fpx_format *format, int packed, const char *name,
                         fpx_npy_array *ret_array, fpx_error *err);

/* FPX_EINVAL where format cannot be packed: it is not of 4 or 6 bits. */
fpx_status cli_can_pack(const fpx_format *format, fpx_error *err);

/* A writer and the bytes of its elements: must live as long as what cli_npy_out makes of it. */
typedef struct cli_npy_target {
    fpx_npy_writer *writer;
    size_t size;
} cli_npy_target;

cli_codes_out cli_npy_out(cli_npy_target *target, int packed);

#endif /* CLI_CODES_NPY_H */
