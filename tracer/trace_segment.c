/* trace_segment.c - making and writing a segment. Its HDF5 structure is final before the master
 * names it; a kill can lose only rows that the counter does not count. */
#include "trace_segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace_image.h"
#include "trace_master.h"

/* ---- making ---- */
/* What plain HDF5 readers need to know about a column of codes. */
static herr_t describe_values(hid_t dataset, size_t index, const fpx_trace_record *record)
{
    const fpx_tensor *desc = &record->desc;
    herr_t rc = fpx_h5_put_u64(dataset, "record", index);

    if (rc >= 0)
        rc = fpx_h5_put_text(dataset, "tensor", record->tensor);
    if (rc >= 0)
        rc = fpx_h5_put_text(dataset, "op", record->op);
    if (rc >= 0)
        rc = fpx_h5_put_text(dataset, "fpx_format", fpx_format_alias(&desc->format));
    if (rc >= 0)
        rc = fpx_h5_put_text(dataset, "packing",
                             desc->packing == FPX_PACK_DENSE ? "low nibble first" : "none");
    if (rc >= 0 && desc->ndim > 0)
        rc = fpx_h5_put_u64s(dataset, "shape", desc->shape, desc->ndim);
    return rc;
}

static hid_t make_dataset(hid_t file, const fpx_column *column, uint64_t rows)
{
    hsize_t dims[FPX_H5_MAX_RANK];

    dims[0] = rows;
    for (size_t i = 1; i < column->rank; i++)
        dims[i] = column->dims[i];
    const hid_t space = H5Screate_simple((int)column->rank, dims, NULL);
    const hid_t plist = fpx_h5_dataset_properties();
    const hid_t dataset = H5Dcreate2(file, column->name, fpx_h5_type_id(column->type), space,
                                     H5P_DEFAULT, plist, H5P_DEFAULT);

    H5Pclose(plist);
    H5Sclose(space);
    return dataset;
}

static herr_t make_group(hid_t file, const char *name)
{
    const hid_t plist = fpx_h5_group_properties();
    const hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, plist, H5P_DEFAULT);

    H5Pclose(plist);
    return group < 0 ? -1 : H5Gclose(group);
}

static herr_t describe_column(hid_t dataset, const fpx_schema *schema, size_t column,
                              size_t *record)
{
    if (column == FPX_COLUMN_STATS)
        return fpx_h5_put_text(dataset, "columns", fpx_stats_names);
    if (column == FPX_COLUMN_EXPONENTS)
        return fpx_h5_put_u64(dataset, "bin_of_one", FPX_STATS_BIN_OF_ONE);
    if (column >= FPX_COLUMN_FIGURES && column < schema->nnarrow)
        return fpx_h5_put_text(dataset, "columns", fpx_figure_names);
    if (column < schema->nnarrow)
        return 0;
    while (schema->value_column[*record] != column) /* columns of values are in record order */
        ++*record;
    return describe_values(dataset, *record, &schema->layout->records[*record]);
}

/* Makes one dataset and says where its raw data lies. */
static herr_t place_column(hid_t file, const fpx_schema *schema, size_t column, uint64_t rows,
                           size_t *record, uint64_t *ret_offset)
{
    const hid_t dataset = make_dataset(file, &schema->columns[column], rows);

    if (dataset < 0)
        return -1;
    const haddr_t offset = H5Dget_offset(dataset);
    herr_t rc = describe_column(dataset, schema, column, record);
    if (H5Dclose(dataset) < 0 || offset == HADDR_UNDEF || offset % 8 != 0)
        rc = -1;
    *ret_offset = offset;
    return rc;
}

static herr_t place_counter(hid_t file, uint64_t *ret_offset)
{
    const fpx_column column = { .name = FPX_COMMITTED, .type = FPX_H5_U64, .rank = 1 };
    const hid_t dataset = make_dataset(file, &column, 1);

    if (dataset < 0)
        return -1;
    const haddr_t offset = H5Dget_offset(dataset);
    const herr_t rc = H5Dclose(dataset);
    *ret_offset = offset;
    return offset == HADDR_UNDEF || offset % 8 != 0 ? -1 : rc;
}

static herr_t make_content(hid_t file, uint64_t index, const fpx_schema *schema,
                           fpx_digest layout_digest, fpx_digest chain_before, fpx_segment *segment)
{
    char text[FPX_DIGEST_TEXT];
    size_t record = 0;
    herr_t rc = fpx_h5_put_u64(file, "fpx_segment", FPX_TRACE_FORMAT_VERSION);

    if (rc >= 0)
        rc = fpx_h5_put_u64(file, "index", index);
    if (rc >= 0) {
        fpx_digest_text(layout_digest, text);
        rc = fpx_h5_put_text(file, "layout_digest", text);
    }
    if (rc >= 0) {
        fpx_digest_text(chain_before, text);
        rc = fpx_h5_put_text(file, "chain_before", text);
    }
    if (rc >= 0)
        rc = make_group(file, "digest");
    if (rc >= 0)
        rc = make_group(file, "figures");
    if (rc >= 0)
        rc = make_group(file, "values");
    if (rc >= 0)
        rc = place_counter(file, &segment->counter);
    for (size_t i = 0; i < schema->ncolumns && rc >= 0; i++)
        rc = place_column(file, schema, i, segment->capacity, &record, &segment->offsets[i]);
    return rc;
}

/* What changes after the file is made: the rows and their counter. */
static fpx_extent *find_holes(const fpx_schema *schema, const fpx_segment *segment)
{
    fpx_extent *holes = malloc((schema->ncolumns + 1) * sizeof *holes);

    if (holes == NULL)
        return NULL;
    for (size_t i = 0; i < schema->ncolumns; i++)
        holes[i] = (fpx_extent){ segment->offsets[i], segment->capacity * schema->columns[i].row };
    holes[schema->ncolumns] = (fpx_extent){ segment->counter, sizeof(uint64_t) };
    return holes;
}

/* Builds the image and saves it; segment->path and offsets are allocated. */
static fpx_status make_file(const char *temporary, uint64_t index, const fpx_schema *schema,
                            fpx_digest layout_digest, fpx_digest chain_before, fpx_segment *segment,
                            fpx_error *err)
{
    fpx_image image = FPX_NO_IMAGE;
    fpx_status status = FPX_OK;
    const fpx_h5_muted muted = fpx_h5_mute();
    const hid_t file = fpx_image_create(&image);
    herr_t rc =
        file < 0 ? -1 : make_content(file, index, schema, layout_digest, chain_before, segment);

    if (file >= 0 && H5Fclose(file) < 0)
        rc = -1;
    if (rc >= 0) {
        fpx_extent *holes = find_holes(schema, segment);
        status = holes == NULL ? fpx_error_set(err, FPX_ENOMEM, "%s: no memory", segment->path)
                               : fpx_image_save(&image, holes, schema->ncolumns + 1, temporary,
                                                segment->path, &segment->fd, err);
        free(holes);
    } else {
        char reason[256];
        fpx_h5_reason(reason, sizeof reason);
        status = fpx_error_set(err, FPX_ENOMEM, "%s: HDF5 could not build the file (%s)",
                               segment->path, reason);
    }
    fpx_h5_unmute(muted);
    fpx_image_free(&image);
    return status;
}

fpx_status fpx_segment_create(const char *path, uint64_t index, const fpx_schema *schema,
                              fpx_digest layout_digest, fpx_digest chain_before, uint64_t capacity,
                              fpx_segment *ret_segment, fpx_error *err)
{
    fpx_segment segment = FPX_NO_SEGMENT;
    fpx_status status = FPX_ENOMEM;
    char name[32];

    snprintf(name, sizeof name, "%06llu.h5", (unsigned long long)index);
    char *temporary = fpx_segment_path(path, "making.tmp");
    segment.path = fpx_segment_path(path, name);
    segment.capacity = capacity;
    segment.offsets = calloc(schema->ncolumns, sizeof *segment.offsets);
    if (temporary == NULL || segment.path == NULL || segment.offsets == NULL)
        fpx_error_set(err, status, "%s: no memory for a segment", path);
    else
        status = make_file(temporary, index, schema, layout_digest, chain_before, &segment, err);
    free(temporary);
    if (status != FPX_OK) {
        fpx_segment_close(&segment, NULL);
        return status;
    }
    *ret_segment = segment;
    return FPX_OK;
}

/* ---- writing ---- */
static fpx_status write_failed(const fpx_segment *segment, const char *what, uint64_t left,
                               int error, fpx_error *err)
{
    return fpx_error_set(err, FPX_EIO,
                         "%s: '%s' cannot be written: %s; what is committed is safe; the rest of "
                         "this segment takes up to %llu bytes",
                         segment->path, what, strerror(error), (unsigned long long)left);
}

fpx_status fpx_segment_put(const fpx_segment *segment, const fpx_schema *schema, size_t column,
                           const void *row, fpx_error *err)
{
    const fpx_column *c = &schema->columns[column];
    const int error = fpx_pwrite(segment->fd, row, c->row,
                                 segment->offsets[column] + segment->committed * c->row);

    if (error != 0)
        return write_failed(segment, c->name,
                            (segment->capacity - segment->committed) * schema->step_size, error,
                            err);
    return FPX_OK;
}

fpx_status fpx_segment_commit(fpx_segment *segment, fpx_error *err)
{
    const uint64_t committed = segment->committed + 1;
    const int error = fpx_pwrite(segment->fd, &committed, sizeof committed, segment->counter);

    if (error != 0)
        return write_failed(segment, FPX_COMMITTED, sizeof committed, error, err);
    segment->committed = committed;
    return FPX_OK;
}

fpx_status fpx_segment_close(fpx_segment *segment, fpx_error *err)
{
    fpx_status status = FPX_OK;

    if (segment->fd >= 0 && close(segment->fd) != 0)
        status =
            fpx_error_set(err, FPX_EIO, "%s: cannot be closed: %s", segment->path, strerror(errno));
    free(segment->path);
    free(segment->offsets);
    *segment = FPX_NO_SEGMENT;
    return status;
}
