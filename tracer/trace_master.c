/* trace_master.c - writes the master by rename, so that a reader sees the old one or the new one;
 * reads it back as it would a stranger's. */
#include "trace_master.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace_hdf5.h"
#include "trace_image.h"
#include "trace_tables.h"

/* ---- names ---- */
char *fpx_segment_path(const char *path, const char *file)
{
    const size_t size = strlen(path) + strlen(file) + sizeof ".seg/";
    char *name = malloc(size);

    if (name != NULL)
        snprintf(name, size, "%s.seg%s%s", path, file[0] != '\0' ? "/" : "", file);
    return name;
}

char *fpx_trace_home(const char *path)
{
    struct stat info;
    char *real = NULL;

    if (lstat(path, &info) == 0 && S_ISLNK(info.st_mode))
        real = realpath(path, NULL);
    return real != NULL ? real : strdup(path);
}

/* ---- writing ---- */
/* A one-dimensional dataset, or a scalar one for rank 0. Takes over and closes `type`. */
static herr_t put_dataset(hid_t file, const char *name, hid_t type, size_t rank, size_t n,
                          const void *data)
{
    const hsize_t dim = n;
    const hid_t space = H5Screate_simple((int)rank, &dim, NULL);
    const hid_t plist = fpx_h5_dataset_properties();
    const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    herr_t rc = dataset < 0 ? -1 : 0;

    if (dataset >= 0 && n > 0)
        rc = H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    if (dataset >= 0)
        H5Dclose(dataset);
    H5Pclose(plist);
    H5Sclose(space);
    H5Tclose(type);
    return rc;
}

static herr_t put_string(hid_t file, const char *name, const char *text)
{
    const size_t length = strlen(text);

    return put_dataset(file, name, fpx_h5_string(length > 0 ? length : 1), 0, 1, text);
}

/* /segments/000000 ...: links that plain HDF5 follows relative to the master's folder. */
static herr_t put_links(hid_t file, const char *path, uint64_t segments)
{
    const char *slash = strrchr(path, '/');
    const hid_t plist = fpx_h5_group_properties();
    const hid_t group = H5Gcreate2(file, "segments", H5P_DEFAULT, plist, H5P_DEFAULT);
    herr_t rc = group < 0 ? -1 : 0;

    for (uint64_t i = 0; i < segments && rc >= 0; i++) {
        char name[32];
        snprintf(name, sizeof name, "%06llu.h5", (unsigned long long)i);
        char *target = fpx_segment_path(slash != NULL ? slash + 1 : path, name);

        name[strlen(name) - 3] = '\0';
        rc = target == NULL
                 ? -1
                 : H5Lcreate_external(target, "/", group, name, H5P_DEFAULT, H5P_DEFAULT);
        free(target);
    }
    if (group >= 0)
        H5Gclose(group);
    H5Pclose(plist);
    return rc;
}

static herr_t put_layout(hid_t file, const fpx_trace_layout *layout, const fpx_layout_rows *rows)
{
    char text[FPX_DIGEST_TEXT], modes[sizeof rows->modes];
    const size_t mode = fpx_layout_pack_modes(rows, modes);
    herr_t rc =
        put_dataset(file, "formats", fpx_format_row_type(), 1, rows->nformats, rows->formats);

    if (rc >= 0)
        rc = put_dataset(file, "records", fpx_record_row_type(), 1, rows->nrecords, rows->records);
    if (rc >= 0)
        rc = put_dataset(file, "modes", fpx_h5_string(mode), 1, rows->nmodes, modes);
    if (rc >= 0)
        rc = put_string(file, "experiment", layout->experiment);
    if (rc >= 0)
        rc = put_string(file, "overrides", layout->overrides);
    if (rc >= 0)
        rc = put_string(file, "recipe", layout->recipe);
    if (rc >= 0)
        rc = put_string(file, "device", layout->device);
    if (rc >= 0)
        rc = put_string(file, "version", layout->version);
    if (rc >= 0) {
        fpx_digest_text(rows->digest, text);
        rc = fpx_h5_put_text(file, "layout_digest", text);
    }
    return rc;
}

static fpx_status save(const fpx_image *image, const char *path, fpx_error *err)
{
    const char *const slash = strrchr(path, '/');
    const char *const name = slash != NULL ? slash + 1 : path;
    const size_t size = strlen(path) + 32;
    char *temporary = malloc(size);

    if (temporary == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: no memory for a file name", path);
    /* Not NAME.tmp: that may be somebody's file. */
    snprintf(temporary, size, "%.*s.%.200s.%ld.tmp", (int)(name - path), path, name,
             (long)getpid());
    const fpx_status status = fpx_image_save(image, NULL, 0, temporary, path, NULL, err);
    free(temporary);
    return status;
}

fpx_status fpx_master_write(const char *path, const fpx_trace_layout *layout, uint64_t segments,
                            uint64_t planned, fpx_error *err)
{
    fpx_image image = FPX_NO_IMAGE;
    fpx_layout_rows rows;
    fpx_status status = fpx_layout_to_rows(layout, &rows, err);

    if (status != FPX_OK)
        return status;
    const fpx_h5_muted muted = fpx_h5_mute();
    const hid_t file = fpx_image_create(&image);
    herr_t rc = file < 0 ? -1 : fpx_h5_put_u64(file, "fpx_trace", FPX_TRACE_FORMAT_VERSION);
    if (rc >= 0)
        rc = fpx_h5_put_u64(file, "segment_count", segments);
    if (rc >= 0)
        rc = fpx_h5_put_u64(file, "planned_steps", planned);
    if (rc >= 0)
        rc = put_layout(file, layout, &rows);
    if (rc >= 0)
        rc = put_links(file, path, segments);
    if (file >= 0 && H5Fclose(file) < 0)
        rc = -1;
    if (rc >= 0) {
        status = save(&image, path, err);
    } else {
        char reason[256];
        fpx_h5_reason(reason, sizeof reason);
        status =
            fpx_error_set(err, FPX_ENOMEM, "%s: HDF5 could not build the file (%s)", path, reason);
    }
    fpx_h5_unmute(muted);
    fpx_image_free(&image);
    fpx_layout_rows_free(&rows);
    return status;
}

/* ---- reading ---- */
/* Reads a dataset of `type` (taken over and closed) into new memory with a zero byte after it.
 * rank 1 (*ret_n rows) or 0 (one). */
static fpx_status get_dataset(const fpx_h5_file *file, const char *path, const char *name,
                              hid_t type, size_t rank, size_t max, void **ret_data, size_t *ret_n,
                              fpx_error *err)
{
    uint64_t n = rank == 0;
    uint64_t offset = 0;
    const size_t size = H5Tget_size(type);
    fpx_status status = fpx_h5_locate(file, path, name, type, rank, &n, &offset, err);

    H5Tclose(type);
    if (status != FPX_OK)
        return status;
    if (n > max)
        return fpx_error_set(err, FPX_EFORMAT, "%s: dataset '%s' has %llu rows, more than %zu",
                             path, name, (unsigned long long)n, max);
    char *data = calloc(1, (size_t)n * size + 1); /* n * size is at most the file's size */
    if (data == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: no memory for dataset '%s'", path, name);
    status = fpx_h5_pread(file, path, offset, data, (size_t)n * size, err);
    if (status != FPX_OK) {
        free(data);
        return status;
    }
    *ret_data = data;
    if (ret_n != NULL)
        *ret_n = (size_t)n;
    return FPX_OK;
}

static fpx_status get_string(const fpx_h5_file *file, const char *path, const char *name,
                             char **ret_text, fpx_error *err)
{
    const hid_t dataset = H5Dopen2(file->id, name, H5P_DEFAULT);
    const hid_t actual = dataset >= 0 ? H5Dget_type(dataset) : H5I_INVALID_HID;
    size_t size = actual >= 0 ? H5Tget_size(actual) : 0;
    void *data = NULL;

    if (actual >= 0)
        H5Tclose(actual);
    if (dataset >= 0)
        H5Dclose(dataset);
    /* The exact comparison that follows refuses what is no string of this size. */
    const fpx_status status =
        get_dataset(file, path, name, fpx_h5_string(size > 0 ? size : 1), 0, 1, &data, NULL, err);
    if (status == FPX_OK)
        *ret_text = data;
    return status;
}

/* Bytes of a dataset's elements; 0: it cannot be told. */
static size_t element_size(const fpx_h5_file *file, const char *name)
{
    const hid_t dataset = H5Dopen2(file->id, name, H5P_DEFAULT);
    const hid_t type = dataset >= 0 ? H5Dget_type(dataset) : H5I_INVALID_HID;
    const size_t size = type >= 0 ? H5Tget_size(type) : 0;

    if (type >= 0)
        H5Tclose(type);
    if (dataset >= 0)
        H5Dclose(dataset);
    return size;
}

/* Names of one of the two lengths of fpx_layout_pack_modes. */
static fpx_status get_modes(const fpx_h5_file *file, const char *path, fpx_layout_rows *rows,
                            fpx_error *err)
{
    const size_t room = sizeof rows->modes[0].name;
    const size_t size = element_size(file, "modes") == room ? room : FPX_SHORT_MODE;
    void *modes = NULL;
    const fpx_status status = get_dataset(file, path, "modes", fpx_h5_string(size), 1,
                                          FPX_TRACE_MODES, &modes, &rows->nmodes, err);

    for (size_t i = 0; status == FPX_OK && i < rows->nmodes; i++)
        memcpy(rows->modes[i].name, (const char *)modes + i * size, size);
    free(modes);
    return status;
}

static fpx_status get_rows(const fpx_h5_file *file, const char *path, fpx_layout_rows *rows,
                           fpx_error *err)
{
    void *formats = NULL;
    void *records = NULL;
    fpx_status status = get_dataset(file, path, "formats", fpx_format_row_type(), 1,
                                    FPX_LAYOUT_RECORDS, &formats, &rows->nformats, err);

    rows->formats = formats;
    if (status == FPX_OK)
        status = get_dataset(file, path, "records", fpx_record_row_type(), 1, FPX_LAYOUT_RECORDS,
                             &records, &rows->nrecords, err);
    rows->records = records;
    if (status == FPX_OK)
        status = get_modes(file, path, rows, err);
    return status;
}

static fpx_status get_header(const fpx_h5_file *file, const char *path, uint64_t *ret_segments,
                             uint64_t *ret_planned, fpx_digest *ret_rows, fpx_error *err)
{
    uint64_t version = 0;

    if (H5Aexists(file->id, "fpx_segment") > 0)
        return fpx_error_set(err, FPX_EFORMAT,
                             "%s: a segment of a trace; open the trace itself (the file beside the "
                             "folder whose name ends in .seg)",
                             path);
    if (fpx_h5_get_u64(file->id, "fpx_trace", &version) != 0)
        return fpx_error_set(err, FPX_EFORMAT, "%s: HDF5, but not an fpx trace", path);
    if (version != FPX_TRACE_FORMAT_VERSION)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: a trace of structure version %llu; this build reads version %d",
                             path, (unsigned long long)version, FPX_TRACE_FORMAT_VERSION);
    if (fpx_h5_get_u64(file->id, "segment_count", ret_segments) != 0 ||
        fpx_h5_get_u64(file->id, "planned_steps", ret_planned) != 0 ||
        fpx_h5_get_digest(file->id, "layout_digest", ret_rows) != 0)
        return fpx_error_set(
            err, FPX_EFORMAT,
            "%s: attribute segment_count, planned_steps or layout_digest is missing "
            "or malformed",
            path);
    if (*ret_segments > FPX_TRACE_MAX_SEGMENTS)
        return fpx_error_set(err, FPX_EFORMAT, "%s: claims %llu segments", path,
                             (unsigned long long)*ret_segments);
    return FPX_OK;
}

static fpx_status get_layout(const fpx_h5_file *file, const char *path,
                             fpx_trace_layout **ret_layout, fpx_digest *ret_digest,
                             uint64_t *ret_segments, uint64_t *ret_planned, fpx_error *err)
{
    fpx_layout_rows rows = { .formats = NULL };
    fpx_trace_layout *layout = NULL;
    char *texts[FPX_LAYOUT_TEXTS] = { NULL };
    static const char *const names[FPX_LAYOUT_TEXTS] = { "experiment", "overrides", "recipe",
                                                         "device", "version" };
    uint64_t segments = 0, planned = 0;
    fpx_error inner = { .text = "" };
    fpx_status status = get_header(file, path, &segments, &planned, &rows.digest, err);

    if (status == FPX_OK)
        status = get_rows(file, path, &rows, err);
    for (int i = 0; i < FPX_LAYOUT_TEXTS && status == FPX_OK; i++)
        status = get_string(file, path, names[i], &texts[i], err);
    if (status == FPX_OK && !fpx_digest_equal(rows.digest, fpx_layout_rows_digest(&rows)))
        status =
            fpx_error_set(err, FPX_EFORMAT,
                          "%s: datasets formats, records, modes do not match layout_digest", path);
    if (status == FPX_OK) {
        status = fpx_layout_from_rows(&rows, (const char *const *)texts, &layout, &inner);
        if (status != FPX_OK)
            fpx_error_set(err, status, "%s: %s", path, inner.text);
    }
    if (status == FPX_OK) {
        *ret_layout = layout;
        *ret_digest = rows.digest;
        *ret_segments = segments;
        *ret_planned = planned;
    }
    for (int i = 0; i < FPX_LAYOUT_TEXTS; i++)
        free(texts[i]);
    fpx_layout_rows_free(&rows);
    return status;
}

fpx_status fpx_master_read(const char *path, fpx_trace_layout **ret_layout,
                           fpx_digest *ret_layout_digest, uint64_t *ret_segments,
                           uint64_t *ret_planned, fpx_error *err)
{
    fpx_h5_file file = FPX_H5_NO_FILE;
    const fpx_h5_muted muted = fpx_h5_mute();
    fpx_status status = fpx_h5_open(path, &file, err);

    if (status == FPX_OK)
        status =
            get_layout(&file, path, ret_layout, ret_layout_digest, ret_segments, ret_planned, err);
    fpx_h5_close(&file);
    fpx_h5_unmute(muted);
    return status;
}
