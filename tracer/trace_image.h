/* trace_image.h - an HDF5 file made in memory and saved by plain writes. HDF5 1.10 leaves dangling
 * identifiers behind when closing a file fails (full disk); here it can fail only for want of memory. */
#ifndef FPX_TRACE_IMAGE_H
#define FPX_TRACE_IMAGE_H

#include <hdf5.h>
#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>

#include "trace_seal.h"

/* Only the pages that HDF5 wrote (metadata, small data) take memory: early-allocated datasets are
 * holes, in memory and in the saved file. */
typedef struct fpx_image {
    uint8_t **pages; /* NULL: a hole */
    size_t npages;
    uint64_t size; /* bytes, once HDF5 has closed the file */
    hid_t driver;  /* must outlive the file: HDF5 calls it while it drops its last reference */
} fpx_image;

#define FPX_NO_IMAGE ((fpx_image){ .pages = NULL, .driver = H5I_INVALID_HID })

/* A new HDF5 file kept in *image (FPX_NO_IMAGE on entry), which must outlive it; negative on failure.
 * Metadata is of HDF5 1.8's format, whose every structure carries a checksum. */
hid_t fpx_image_create(fpx_image *image);

/* After H5Fclose: writes the image to `temporary`, seals it except for `holes` (sorted here), and renames
 * it to `path`. *ret_fd, if asked for, is a descriptor for writing to it. FPX_EIO; nothing is left of
 * `temporary` then. */
fpx_status fpx_image_save(const fpx_image *image, fpx_extent *holes, size_t nholes,
                          const char *temporary, const char *path, int *ret_fd, fpx_error *err);

/* Only after H5Fclose. FPX_NO_IMAGE is fine. */
void fpx_image_free(fpx_image *image);

#endif /* FPX_TRACE_IMAGE_H */
