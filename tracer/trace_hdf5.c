/* trace_hdf5.c - typed access to HDF5. A reader believes nothing: types are compared, extents
 * multiplied with care, and raw data is read through an own descriptor inside the file's real size. */
#include "trace_hdf5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "trace_seal.h"

hid_t fpx_h5_type_id(fpx_h5_type type)
{
    switch (type) {
    case FPX_H5_U8:
        return H5T_STD_U8LE;
    case FPX_H5_U16:
        return H5T_STD_U16LE;
    case FPX_H5_U32:
        return H5T_STD_U32LE;
    case FPX_H5_U64:
        return H5T_STD_U64LE;
    case FPX_H5_F64:
        return H5T_IEEE_F64LE;
    }
    return H5I_INVALID_HID;
}

size_t fpx_h5_type_size(fpx_h5_type type)
{
    static const uint8_t sizes[] = { 1, 2, 4, 8, 8 };

    return sizes[type];
}

fpx_h5_muted fpx_h5_mute(void)
{
    fpx_h5_muted muted = { NULL, NULL };

    H5Eget_auto2(H5E_DEFAULT, &muted.function, &muted.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return muted;
}

void fpx_h5_unmute(fpx_h5_muted muted)
{
    H5Eset_auto2(H5E_DEFAULT, muted.function, muted.data);
}

struct reason {
    char *text;
    size_t size;
};

static herr_t take_innermost(unsigned n, const H5E_error2_t *error, void *data)
{
    const struct reason *reason = data;

    if (n == 0 && error->desc != NULL)
        snprintf(reason->text, reason->size, "%s", error->desc);
    return 0;
}

void fpx_h5_reason(char *ret_text, size_t size)
{
    struct reason reason = { ret_text, size };

    snprintf(ret_text, size, "unknown reason");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_innermost, &reason);
}

hid_t fpx_h5_string(size_t size)
{
    const hid_t type = H5Tcopy(H5T_C_S1);

    if (type >= 0 && (H5Tset_size(type, size) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0 ||
                      H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
        H5Tclose(type);
        return H5I_INVALID_HID;
    }
    return type;
}

hid_t fpx_h5_dataset_properties(void)
{
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);

    if (plist >= 0 && (H5Pset_layout(plist, H5D_CONTIGUOUS) < 0 ||
                       H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY) < 0 ||
                       H5Pset_fill_time(plist, H5D_FILL_TIME_NEVER) < 0 ||
                       H5Pset_obj_track_times(plist, 0) < 0)) {
        H5Pclose(plist);
        return H5I_INVALID_HID;
    }
    return plist;
}

hid_t fpx_h5_group_properties(void)
{
    const hid_t plist = H5Pcreate(H5P_GROUP_CREATE);

    if (plist >= 0 && H5Pset_obj_track_times(plist, 0) < 0) {
        H5Pclose(plist);
        return H5I_INVALID_HID;
    }
    return plist;
}

static herr_t put_attribute(hid_t object, const char *name, hid_t type, hid_t space,
                            const void *value)
{
    const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t rc = attribute < 0 ? -1 : H5Awrite(attribute, type, value);

    if (attribute >= 0 && H5Aclose(attribute) < 0)
        rc = -1;
    return rc;
}

herr_t fpx_h5_put_u64(hid_t object, const char *name, uint64_t value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const herr_t rc = put_attribute(object, name, H5T_STD_U64LE, space, &value);

    H5Sclose(space);
    return rc;
}

herr_t fpx_h5_put_text(hid_t object, const char *name, const char *text)
{
    const size_t length = strlen(text);
    const hid_t type = fpx_h5_string(length > 0 ? length : 1); /* HDF5 has no empty string type */
    const hid_t space = H5Screate(H5S_SCALAR);
    const herr_t rc = put_attribute(object, name, type, space, text);

    H5Sclose(space);
    H5Tclose(type);
    return rc;
}

herr_t fpx_h5_put_u64s(hid_t object, const char *name, const uint64_t *values, size_t n)
{
    const hsize_t dim = n;
    const hid_t space = H5Screate_simple(1, &dim, NULL);
    const herr_t rc = put_attribute(object, name, H5T_STD_U64LE, space, values);

    H5Sclose(space);
    return rc;
}

/* Reads a scalar attribute that has exactly this type. */
static int get_attribute(hid_t object, const char *name, hid_t type, void *ret_value)
{
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    int rc = -1;

    if (attribute < 0)
        return -1;
    const hid_t actual = H5Aget_type(attribute);
    const hid_t space = H5Aget_space(attribute);
    if (H5Tequal(actual, type) > 0 && H5Sget_simple_extent_type(space) == H5S_SCALAR &&
        H5Aread(attribute, type, ret_value) >= 0)
        rc = 0;
    H5Sclose(space);
    H5Tclose(actual);
    H5Aclose(attribute);
    return rc;
}

int fpx_h5_get_u64(hid_t object, const char *name, uint64_t *ret_value)
{
    return get_attribute(object, name, H5T_STD_U64LE, ret_value);
}

int fpx_h5_get_digest(hid_t object, const char *name, fpx_digest *ret_digest)
{
    char text[FPX_DIGEST_TEXT] = { 0 };
    const hid_t type = fpx_h5_string(sizeof text - 1);
    const int rc = get_attribute(object, name, type, text);

    H5Tclose(type);
    return rc == 0 && fpx_digest_parse(text, ret_digest) == FPX_OK ? 0 : -1;
}

fpx_status fpx_h5_open(const char *path, fpx_h5_file *ret_file, fpx_error *err)
{
    fpx_h5_file file = FPX_H5_NO_FILE;
    char reason[256];

    file.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block */
    if (file.fd < 0)
        return fpx_error_set(err, FPX_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    const fpx_status status = fpx_seal_check(file.fd, path, &file.size, err);
    if (status != FPX_OK) {
        fpx_h5_close(&file);
        return status;
    }
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access >= 0 && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0)
        file.id = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (file.id < 0)
        fpx_h5_reason(reason, sizeof reason);
    H5Pclose(access);
    if (file.id < 0) {
        fpx_h5_close(&file);
        return fpx_error_set(err, FPX_EFORMAT, "%s: cannot be opened as HDF5 (%s)", path, reason);
    }
    *ret_file = file;
    return FPX_OK;
}

void fpx_h5_close(fpx_h5_file *file)
{
    if (file->id >= 0)
        H5Fclose(file->id);
    if (file->fd >= 0)
        close(file->fd);
    *file = FPX_H5_NO_FILE;
}

/* 1 where the dataset's file is the one at `path`: a link may lead elsewhere, where the address of
 * raw data means nothing. */
static int lies_in(hid_t dataset, const char *path)
{
    const hid_t file = H5Iget_file_id(dataset);
    char name[4096];
    int same = 0;

    if (file >= 0) {
        const ssize_t n = H5Fget_name(file, name, sizeof name);
        same = n > 0 && (size_t)n < sizeof name && strcmp(name, path) == 0;
        H5Fclose(file);
    }
    return same;
}

/* NULL where the dataset is as expected, else what is wrong with it. */
static const char *check_dataset(hid_t dataset, const fpx_h5_file *file, hid_t type, size_t rank,
                                 uint64_t *dims, uint64_t *ret_offset)
{
    const hid_t actual = H5Dget_type(dataset);
    const hid_t space = H5Dget_space(dataset);
    const int type_ok = H5Tequal(actual, type) > 0;
    hsize_t extent[H5S_MAX_RANK] = { 0 };
    const int simple = H5Sget_simple_extent_type(space) != H5S_NULL;
    const int actual_rank = simple ? H5Sget_simple_extent_dims(space, extent, NULL) : -1;
    uint64_t bytes = H5Tget_size(actual);

    H5Sclose(space);
    H5Tclose(actual);
    if (!type_ok)
        return "has another element type";
    if (actual_rank < 0 || (size_t)actual_rank != rank)
        return "has another number of dimensions";
    for (size_t i = 0; i < rank; i++) {
        if (dims[i] != 0 && extent[i] != dims[i])
            return "has another shape";
        if (extent[i] != 0 && bytes > UINT64_MAX / extent[i])
            return "has an impossible shape";
        bytes *= extent[i];
    }
    /* Chunked, compact, external or without space: there is no such address, HADDR_UNDEF. */
    const haddr_t offset = bytes > 0 ? H5Dget_offset(dataset) : 0;
    if (offset > file->size || bytes > file->size - offset)
        return "is not contiguous, or lies outside the file";
    for (size_t i = 0; i < rank; i++)
        dims[i] = extent[i];
    *ret_offset = offset;
    return NULL;
}

fpx_status fpx_h5_locate(const fpx_h5_file *file, const char *path, const char *dataset, hid_t type,
                         size_t rank, uint64_t *dims, uint64_t *ret_offset, fpx_error *err)
{
    const hid_t id = H5Dopen2(file->id, dataset, H5P_DEFAULT);
    const char *wrong = NULL;

    if (id < 0) {
        char reason[256];

        fpx_h5_reason(reason, sizeof reason);
        return fpx_error_set(err, FPX_EFORMAT, "%s: no readable dataset '%s' (%s)", path, dataset,
                             reason);
    }
    wrong = lies_in(id, path) ? check_dataset(id, file, type, rank, dims, ret_offset)
                              : "is a link to another file";
    H5Dclose(id);
    if (wrong != NULL)
        return fpx_error_set(err, FPX_EFORMAT, "%s: dataset '%s' %s", path, dataset, wrong);
    return FPX_OK;
}

fpx_status fpx_h5_pread(const fpx_h5_file *file, const char *path, uint64_t offset, void *data,
                        size_t n, fpx_error *err)
{
    const int error = fpx_pread(file->fd, data, n, offset);

    if (error > 0)
        return fpx_error_set(err, FPX_EIO, "%s: cannot be read: %s", path, strerror(error));
    if (error < 0)
        return fpx_error_set(err, FPX_EFORMAT, "%s: truncated while it was read", path);
    return FPX_OK;
}
