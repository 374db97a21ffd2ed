/* trace_view.c - a segment open for reading. Every dataset is looked up once, compared with what
 * the layout demands, and then read through the file's descriptor: never stale beside a writer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace_master.h"
#include "trace_segment.h"

/* Finds a column's raw data. capacity 0: unknown yet, taken from this dataset. */
static fpx_status locate(fpx_segment_view *view, const fpx_schema *schema, size_t column,
                         fpx_error *err)
{
    const fpx_column *c = &schema->columns[column];
    uint64_t dims[FPX_H5_MAX_RANK];

    memcpy(dims, c->dims, sizeof dims);
    dims[0] = view->capacity;
    const fpx_h5_muted muted = fpx_h5_mute();
    const fpx_status status =
        fpx_h5_locate(&view->file, view->path, c->name, fpx_h5_type_id(c->type), c->rank, dims,
                      &view->offsets[column], err);
    fpx_h5_unmute(muted);
    if (status == FPX_OK)
        view->capacity = dims[0];
    return status;
}

static fpx_status read_header(fpx_segment_view *view, uint64_t index, fpx_digest layout_digest,
                              fpx_error *err)
{
    const hid_t file = view->file.id;
    uint64_t version = 0;
    uint64_t own = 0;
    fpx_digest digest;

    if (fpx_h5_get_u64(file, "fpx_segment", &version) != 0 || version != FPX_TRACE_FORMAT_VERSION)
        return fpx_error_set(err, FPX_EFORMAT, "%s: not a segment of a trace of version %d",
                             view->path, FPX_TRACE_FORMAT_VERSION);
    if (fpx_h5_get_u64(file, "index", &own) != 0 || own != index)
        return fpx_error_set(err, FPX_EFORMAT, "%s: is not segment %llu, or was renamed",
                             view->path, (unsigned long long)index);
    if (fpx_h5_get_digest(file, "layout_digest", &digest) != 0 ||
        !fpx_digest_equal(digest, layout_digest))
        return fpx_error_set(err, FPX_EFORMAT, "%s: is a segment of another trace", view->path);
    if (fpx_h5_get_digest(file, "chain_before", &view->chain_before) != 0)
        return fpx_error_set(err, FPX_EFORMAT, "%s: attribute chain_before is missing or malformed",
                             view->path);
    return FPX_OK;
}

static fpx_status read_counter(fpx_segment_view *view, const fpx_schema *schema, fpx_error *err)
{
    uint64_t one = 1;
    uint64_t offset = 0;
    fpx_status status = fpx_h5_locate(&view->file, view->path, FPX_COMMITTED,
                                      fpx_h5_type_id(FPX_H5_U64), 1, &one, &offset, err);

    if (status == FPX_OK)
        status = fpx_h5_pread(&view->file, view->path, offset, &view->committed,
                              sizeof view->committed, err);
    if (status == FPX_OK)
        status = locate(view, schema, FPX_COLUMN_STEPS, err);
    if (status == FPX_OK && view->committed > view->capacity)
        status = fpx_error_set(err, FPX_EFORMAT, "%s: '%s' says %llu steps, there is room for %llu",
                               view->path, FPX_COMMITTED, (unsigned long long)view->committed,
                               (unsigned long long)view->capacity);
    return status;
}

fpx_status fpx_segment_open(const char *path, uint64_t index, const fpx_schema *schema,
                            fpx_digest layout_digest, fpx_segment_view *ret_view, fpx_error *err)
{
    fpx_segment_view view = FPX_NO_VIEW;
    char name[32];

    snprintf(name, sizeof name, "%06llu.h5", (unsigned long long)index);
    view.path = fpx_segment_path(path, name);
    view.offsets = malloc(schema->ncolumns * sizeof *view.offsets);
    if (view.path == NULL || view.offsets == NULL) {
        fpx_segment_view_close(&view);
        return fpx_error_set(err, FPX_ENOMEM, "%s: no memory for a segment", path);
    }
    memset(view.offsets, 0xff, schema->ncolumns * sizeof *view.offsets);
    const fpx_h5_muted muted = fpx_h5_mute();
    fpx_status status = fpx_h5_open(view.path, &view.file, err);
    if (status == FPX_EIO && access(view.path, F_OK) != 0)
        (void)fpx_error_set(err, status,
                            "%s: a segment of %s is missing: the folder %s.seg must lie beside the "
                            "file, wherever that is copied",
                            view.path, path, path);
    if (status == FPX_OK)
        status = read_header(&view, index, layout_digest, err);
    if (status == FPX_OK)
        status = read_counter(&view, schema, err);
    if (status != FPX_OK)
        fpx_segment_view_close(&view);
    fpx_h5_unmute(muted);
    if (status == FPX_OK)
        *ret_view = view;
    return status;
}

fpx_status fpx_segment_get(fpx_segment_view *view, const fpx_schema *schema, size_t column,
                           uint64_t row, uint64_t rows, void *ret_data, fpx_error *err)
{
    const size_t size = schema->columns[column].row;

    if (view->offsets[column] == UINT64_MAX) {
        const fpx_status status = locate(view, schema, column, err);
        if (status != FPX_OK)
            return status;
    }
    return fpx_h5_pread(&view->file, view->path, view->offsets[column] + row * size, ret_data,
                        (size_t)rows * size, err);
}

void fpx_segment_view_close(fpx_segment_view *view)
{
    const fpx_h5_muted muted = fpx_h5_mute();

    fpx_h5_close(&view->file);
    fpx_h5_unmute(muted);
    free(view->path);
    free(view->offsets);
    *view = FPX_NO_VIEW;
}
