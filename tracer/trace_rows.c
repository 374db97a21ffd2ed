/* trace_rows.c - a layout as tables of plain rows, and back. */
#include <stdlib.h>
#include <string.h>

#include "trace_layout.h"

/* The rows are digested and written as they lie in memory: no byte may be padding. */
_Static_assert(sizeof(fpx_format_row) == 88, "no padding in a row of formats");
_Static_assert(sizeof(fpx_record_row) == 408, "no padding in a row of records");

static fpx_format_row row_of_format(const fpx_format *format)
{
    fpx_format_row row;
    const char *alias = fpx_format_alias(format);
    const size_t length = strlen(alias);

    memset(&row, 0, sizeof row);
    memcpy(row.name, format->name, sizeof row.name);
    memcpy(row.alias, alias, length < sizeof row.alias ? length : sizeof row.alias - 1);
    row.cls = format->cls;
    row.bits = format->bits;
    row.ebits = format->ebits;
    row.mbits = format->mbits;
    row.specials = format->specials;
    row.flags = format->flags;
    row.bias = format->bias;
    row.max_code = format->max_code;
    row.nan_code = format->nan_code;
    return row;
}

/* 0 where a field does not fit: then the format is not valid either. */
static int format_of_row(const fpx_format_row *row, fpx_format *ret_format)
{
    fpx_format format;

    memset(&format, 0, sizeof format);
    if (row->cls > UINT8_MAX || row->bits > UINT8_MAX || row->ebits > UINT8_MAX ||
        row->mbits > UINT8_MAX || row->specials > UINT8_MAX || row->flags > UINT8_MAX ||
        row->bias > INT16_MAX || row->bias < INT16_MIN)
        return 0;
    memcpy(format.name, row->name, sizeof format.name);
    format.cls = (uint8_t)row->cls;
    format.bits = (uint8_t)row->bits;
    format.ebits = (uint8_t)row->ebits;
    format.mbits = (uint8_t)row->mbits;
    format.specials = (uint8_t)row->specials;
    format.flags = (uint8_t)row->flags;
    format.bias = (int16_t)row->bias;
    format.max_code = row->max_code;
    format.nan_code = row->nan_code;
    *ret_format = format;
    return fpx_format_is_valid(&format);
}

static const fpx_format_row *find_format(const fpx_layout_rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->nformats; i++) {
        if (strncmp(rows->formats[i].name, name, FPX_FORMAT_NAME_MAX) == 0)
            return &rows->formats[i];
    }
    return NULL;
}

static fpx_status add_format(fpx_layout_rows *rows, const fpx_format *format, fpx_error *err)
{
    const fpx_format_row row = row_of_format(format);
    const fpx_format_row *found = find_format(rows, row.name);

    if (found == NULL) {
        fpx_format_row *grown = realloc(rows->formats, (rows->nformats + 1) * sizeof *grown);
        if (grown == NULL)
            return fpx_error_set(err, FPX_ENOMEM, "no memory for the formats of a trace");
        rows->formats = grown;
        rows->formats[rows->nformats++] = row;
        return FPX_OK;
    }
    if (memcmp(found, &row, sizeof row) != 0)
        return fpx_error_set(err, FPX_EINVAL, "two formats of a trace are named '%s'", row.name);
    return FPX_OK;
}

static fpx_status add_record(fpx_layout_rows *rows, const fpx_trace_record *record, fpx_error *err)
{
    fpx_record_row *row = &rows->records[rows->nrecords];
    const fpx_tensor *desc = &record->desc;
    fpx_status status = add_format(rows, &desc->format, err);

    memset(row, 0, sizeof *row);
    memcpy(row->tensor, record->tensor, sizeof row->tensor);
    memcpy(row->op, record->op, sizeof row->op);
    memcpy(row->kind, record->kind, sizeof row->kind);
    memcpy(row->role, record->role, sizeof row->role);
    memcpy(row->device, record->device, sizeof row->device);
    memcpy(row->format, desc->format.name, sizeof row->format);
    row->layer = record->layer;
    row->op_index = record->op_index;
    row->values = record->values;
    row->packing = desc->packing;
    row->ndim = desc->ndim;
    row->nscales = desc->nscales;
    memcpy(row->shape, desc->shape, sizeof row->shape);
    for (size_t level = 0; level < desc->nscales && status == FPX_OK; level++) {
        const fpx_scaling *scale = &desc->scale[level];
        memcpy(row->scale_format[level], scale->format.name, sizeof row->scale_format[level]);
        row->scale_layout[level] = scale->layout;
        memcpy(row->scale_block[level], scale->block, sizeof row->scale_block[level]);
        status = add_format(rows, &scale->format, err);
    }
    rows->nrecords++;
    return status;
}

fpx_status fpx_layout_to_rows(const fpx_trace_layout *layout, fpx_layout_rows *ret_rows,
                              fpx_error *err)
{
    fpx_layout_rows rows = { .records = calloc(layout->nrecords, sizeof *rows.records) };
    fpx_status status = FPX_OK;

    if (rows.records == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "no memory for the records of a trace");
    for (size_t i = 0; i < layout->nrecords && status == FPX_OK; i++)
        status = add_record(&rows, &layout->records[i], err);
    if (status != FPX_OK) {
        fpx_layout_rows_free(&rows);
        return status;
    }
    rows.nmodes = layout->nmodes;
    memcpy(rows.modes, layout->modes, sizeof rows.modes);
    rows.digest = fpx_layout_rows_digest(&rows);
    *ret_rows = rows;
    return FPX_OK;
}

/* 0 where the row is not a possible record; fpx_layout_copy checks the rest. */
static int record_of_row(const fpx_layout_rows *rows, const fpx_record_row *row,
                         fpx_trace_record *ret_record)
{
    const fpx_format_row *format = find_format(rows, row->format);
    fpx_trace_record record;

    memset(&record, 0, sizeof record);
    memcpy(record.tensor, row->tensor, sizeof record.tensor);
    memcpy(record.op, row->op, sizeof record.op);
    memcpy(record.kind, row->kind, sizeof record.kind);
    memcpy(record.role, row->role, sizeof record.role);
    memcpy(record.device, row->device, sizeof record.device);
    record.layer = row->layer;
    record.op_index = row->op_index;
    record.values = row->values;
    if (format == NULL || !format_of_row(format, &record.desc.format) || row->ndim > FPX_MAX_DIMS ||
        row->packing > FPX_PACK_DENSE || row->nscales > FPX_MAX_SCALES)
        return 0;
    record.desc.ndim = (uint8_t)row->ndim;
    record.desc.packing = (uint8_t)row->packing;
    record.desc.nscales = (uint8_t)row->nscales;
    memcpy(record.desc.shape, row->shape, sizeof record.desc.shape);
    for (size_t level = 0; level < row->nscales; level++) {
        fpx_scaling *scale = &record.desc.scale[level];
        format = find_format(rows, row->scale_format[level]);
        if (format == NULL || !format_of_row(format, &scale->format))
            return 0;
        scale->layout = row->scale_layout[level];
        memcpy(scale->block, row->scale_block[level], sizeof scale->block);
    }
    *ret_record = record;
    return 1;
}

fpx_status fpx_layout_from_rows(const fpx_layout_rows *rows,
                                const char *const texts[FPX_LAYOUT_TEXTS],
                                fpx_trace_layout **ret_layout, fpx_error *err)
{
    fpx_trace_record *records = calloc(rows->nrecords + 1, sizeof *records);
    fpx_trace_layout layout = { .records = records,
                                .nrecords = rows->nrecords,
                                .nmodes = rows->nmodes,
                                .experiment = texts[0],
                                .overrides = texts[1],
                                .recipe = texts[2],
                                .device = texts[3],
                                .version = texts[4] };
    fpx_status status = FPX_OK;

    if (records == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "no memory for the records of a trace");
    memcpy(layout.modes, rows->modes, sizeof layout.modes);
    for (size_t i = 0; i < rows->nrecords && status == FPX_OK; i++) {
        if (!record_of_row(rows, &rows->records[i], &records[i]))
            status = fpx_error_set(err, FPX_EFORMAT, "row %zu of `records` is not a record", i);
    }
    if (status == FPX_OK)
        status = fpx_layout_copy(&layout, ret_layout, err);
    free(records);
    if (status == FPX_EINVAL) { /* the argument was the file's */
        status = FPX_EFORMAT;
        if (err != NULL)
            err->status = status;
    }
    return status;
}

size_t fpx_layout_pack_modes(const fpx_layout_rows *rows, char *packed)
{
    size_t size = FPX_SHORT_MODE;

    for (size_t i = 0; i < rows->nmodes; i++)
        if (memchr(rows->modes[i].name, '\0', FPX_SHORT_MODE) == NULL)
            size = sizeof rows->modes[i].name;
    for (size_t i = 0; i < rows->nmodes; i++)
        memcpy(packed + i * size, rows->modes[i].name, size);
    return size;
}

fpx_digest fpx_layout_rows_digest(const fpx_layout_rows *rows)
{
    char modes[sizeof rows->modes];
    const size_t mode = fpx_layout_pack_modes(rows, modes);
    const fpx_digest parts[3] = {
        fpx_digest_bytes(rows->formats, rows->nformats * sizeof *rows->formats),
        fpx_digest_bytes(rows->records, rows->nrecords * sizeof *rows->records),
        fpx_digest_bytes(modes, rows->nmodes * mode),
    };

    return fpx_digest_list(parts, 3);
}

void fpx_layout_rows_free(fpx_layout_rows *rows)
{
    free(rows->formats);
    free(rows->records);
    *rows = (fpx_layout_rows){ .formats = NULL };
}
