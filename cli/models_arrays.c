/* models_arrays.c - a separating input as .npy files: what another program, or the hardware itself, is to be given. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <fpx/npy.h>

#include "codes_npy.h"
#include "models_vectors.h"

enum { PATH_ROOM = 4096, CODE_BYTES = 8 };

/* rows x columns of codes, one of the two being 1. */
static fpx_status write_array(const char *folder, const char *name, const fpx_format *format,
                              const uint64_t *codes, size_t rows, size_t columns, fpx_error *err)
{
    const size_t size = fpx_format_size(format), n = rows * columns;
    const fpx_npy_array shape = { .ndim = 2, .shape = { rows, columns } };
    fpx_npy_array array;
    fpx_npy_writer *writer = NULL;
    char path[PATH_ROOM];
    fpx_status status = cli_npy_shape(&shape, NULL, format, 0, name, &array, err);

    if (snprintf(path, sizeof path, "%s/%s.npy", folder, name) >= (int)sizeof path)
        return fpx_error_set(err, FPX_EINVAL, "-o: the folder's name is too long");
    if (status == FPX_OK)
        status = fpx_npy_create(path, &array, &writer, err);
    if (status != FPX_OK)
        return status;
    for (size_t i = 0; i < n && status == FPX_OK; i++) {
        unsigned char bytes[CODE_BYTES];
        for (size_t byte = 0; byte < size; byte++)
            bytes[byte] = (unsigned char)(codes[i] >> 8 * byte);
        status = fpx_npy_write(writer, bytes, 1, err);
    }
    return fpx_npy_finish(writer, status, err);
}

fpx_status models_write_arrays(const char *folder, const fpx_mma_witness *w, const fpx_format *out,
                               fpx_error *err)
{
    const fpx_mma_domain *const d = &w->domain;
    const size_t scales =
        d->scale_block == 0 ? 0 : w->k / d->scale_block + (w->k % d->scale_block != 0);
    fpx_status status = FPX_OK;

    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return fpx_error_set(err, FPX_EIO, "-o %s: cannot make the folder: %s", folder,
                             strerror(errno));
    status = write_array(folder, "A", &d->a, w->a, 1, w->k, err);
    if (status == FPX_OK)
        status = write_array(folder, "B", &d->b, w->b, w->k, 1, err);
    if (status == FPX_OK)
        status = write_array(folder, "C", out, &w->c, 1, 1, err);
    if (status == FPX_OK && scales > 0)
        status = write_array(folder, "A-scales", &d->scale, w->scale_a, 1, scales, err);
    if (status == FPX_OK && scales > 0)
        status = write_array(folder, "B-scales", &d->scale, w->scale_b, scales, 1, err);
    return status;
}
