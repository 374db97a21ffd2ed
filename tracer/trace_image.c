/* trace_image.c - a virtual file driver over a table of pages; holes read as zeros. */
#include "trace_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, METADATA_BLOCK = 8192 };

typedef struct image_file {
    H5FD_t pub; /* first: HDF5 sees only this */
    fpx_image *image;
    haddr_t eoa, eof;
} image_file;

/* What the file access property list carries: HDF5 copies it byte by byte. */
typedef struct image_access {
    fpx_image *image;
} image_access;

static H5FD_t *image_open(const char *name, unsigned flags, hid_t access, haddr_t maxaddr)
{
    const image_access *info = H5Pget_driver_info(access);
    image_file *file = info != NULL ? calloc(1, sizeof *file) : NULL;

    (void)name;
    (void)flags;
    (void)maxaddr;
    if (file == NULL)
        return NULL;
    file->image = info->image;
    return &file->pub;
}

static image_file *file_of(H5FD_t *pub)
{
    return (image_file *)pub;
}

static herr_t image_close(H5FD_t *pub)
{
    image_file *file = file_of(pub);

    file->image->size = file->eoa;
    free(file);
    return 0;
}

static herr_t image_query(const H5FD_t *pub, unsigned long *flags)
{
    (void)pub;
    if (flags != NULL)
        *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
                 H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t image_get_eoa(const H5FD_t *pub, H5FD_mem_t type)
{
    (void)type;
    return ((const image_file *)pub)->eoa;
}

static herr_t image_set_eoa(H5FD_t *pub, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    file_of(pub)->eoa = address;
    return 0;
}

static haddr_t image_get_eof(const H5FD_t *pub, H5FD_mem_t type)
{
    (void)type;
    return ((const image_file *)pub)->eof;
}

static herr_t image_truncate(H5FD_t *pub, hid_t transfer, hbool_t closing)
{
    (void)transfer;
    (void)closing;
    file_of(pub)->eof = file_of(pub)->eoa;
    return 0;
}

static herr_t image_read(H5FD_t *pub, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                         void *buffer)
{
    const fpx_image *image = file_of(pub)->image;
    uint8_t *out = buffer;

    (void)type;
    (void)transfer;
    while (size > 0) {
        const size_t page = (size_t)(address / PAGE);
        const size_t start = (size_t)(address % PAGE);
        const size_t n = size < PAGE - start ? size : PAGE - start;

        if (page < image->npages && image->pages[page] != NULL)
            memcpy(out, image->pages[page] + start, n);
        else
            memset(out, 0, n);
        out += n;
        address += n;
        size -= n;
    }
    return 0;
}

/* The page for writing, or NULL: out of memory. */
static uint8_t *touch_page(fpx_image *image, size_t page)
{
    if (page >= image->npages) {
        const size_t want = page + 1 > 2 * image->npages ? page + 1 : 2 * image->npages;
        uint8_t **pages =
            want < SIZE_MAX / sizeof *pages ? realloc(image->pages, want * sizeof *pages) : NULL;
        if (pages == NULL)
            return NULL;
        memset(pages + image->npages, 0, (want - image->npages) * sizeof *pages);
        image->pages = pages;
        image->npages = want;
    }
    if (image->pages[page] == NULL)
        image->pages[page] = calloc(1, PAGE);
    return image->pages[page];
}

static herr_t image_write(H5FD_t *pub, H5FD_mem_t type, hid_t transfer, haddr_t address,
                          size_t size, const void *buffer)
{
    image_file *file = file_of(pub);
    const uint8_t *in = buffer;

    (void)type;
    (void)transfer;
    while (size > 0) {
        const size_t start = (size_t)(address % PAGE);
        const size_t n = size < PAGE - start ? size : PAGE - start;
        uint8_t *page = touch_page(file->image, (size_t)(address / PAGE));

        if (page == NULL)
            return -1;
        memcpy(page + start, in, n);
        in += n;
        address += n;
        size -= n;
    }
    if (address > file->eof)
        file->eof = address;
    return 0;
}

static const H5FD_class_t image_class = {
#if H5_VERSION_GE(1, 13, 2)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)256, /* the first of the range for private drivers */
#endif
    .name = "fpx_image",
    .maxaddr = (haddr_t)1 << 62,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(image_access),
    .open = image_open,
    .close = image_close,
    .query = image_query,
    .get_eoa = image_get_eoa,
    .set_eoa = image_set_eoa,
    .get_eof = image_get_eof,
    .read = image_read,
    .write = image_write,
    .truncate = image_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t fpx_image_create(fpx_image *image)
{
    const image_access info = { image };
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    const hid_t create = H5Pcreate(H5P_FILE_CREATE);
    hid_t file = H5I_INVALID_HID;

    image->driver = H5FDregister(&image_class);
    /* Rows of 8-byte numbers, and the counter that commits them, must not straddle. Metadata in
     * blocks keeps the pages between large datasets few. */
    if (image->driver >= 0 && access >= 0 && create >= 0 &&
        H5Pset_obj_track_times(create, 0) >= 0 &&
        H5Pset_driver(access, image->driver, &info) >= 0 && H5Pset_alignment(access, 1, 8) >= 0 &&
        H5Pset_meta_block_size(access, METADATA_BLOCK) >= 0 &&
        H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0)
        file = H5Fcreate("fpx image", H5F_ACC_TRUNC, create, access);
    H5Pclose(create);
    H5Pclose(access);
    return file;
}

void fpx_image_free(fpx_image *image)
{
    for (size_t page = 0; page < image->npages; page++)
        free(image->pages[page]);
    free(image->pages);
    if (image->driver >= 0)
        H5FDunregister(image->driver);
    *image = FPX_NO_IMAGE;
}

static int write_pages(const fpx_image *image, int fd)
{
    /* The size first: a file system that cannot hold it says so before anything is written. */
    if (image->size > INT64_MAX || ftruncate(fd, (off_t)image->size) != 0)
        return image->size > INT64_MAX ? EFBIG : errno;
    for (size_t page = 0; page < image->npages; page++) {
        const uint64_t start = (uint64_t)page * PAGE;

        if (image->pages[page] == NULL || start >= image->size)
            continue;
        const uint64_t left = image->size - start;
        const int error =
            fpx_pwrite(fd, image->pages[page], left < PAGE ? (size_t)left : PAGE, start);
        if (error != 0)
            return error;
    }
    return 0;
}

fpx_status fpx_image_save(const fpx_image *image, fpx_extent *holes, size_t nholes,
                          const char *temporary, const char *path, int *ret_fd, fpx_error *err)
{
    (void)unlink(temporary); /* a killed run's: the name is this trace's, and the trace is locked */
    int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int error = fd < 0 ? errno : write_pages(image, fd);

    if (error == 0)
        error = fpx_seal_write(fd, image->size, holes, nholes);
    if (error == 0 && ret_fd == NULL) { /* some file systems report a full disk only now */
        error = close(fd) != 0 ? errno : 0;
        fd = -1;
    }
    if (error == 0 && rename(temporary, path) != 0)
        error = errno;
    if (error == 0) {
        if (ret_fd != NULL)
            *ret_fd = fd;
        return FPX_OK;
    }
    if (fd >= 0)
        close(fd);
    unlink(temporary);
    return fpx_error_set(err, FPX_EIO, "%s: cannot be written: %s (%llu bytes)", path,
                         strerror(error), (unsigned long long)image->size);
}
