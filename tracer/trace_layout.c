/* trace_layout.c - what a layout must fulfil, and its two forms. A layout read from a file passes
 * through the same checks as one given by the caller. */
#include "trace_layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 1 where the field holds a terminated name that HDF5 and a terminal can take. */
static int name_is_valid(const char *name, size_t size)
{
    if (memchr(name, '\0', size) == NULL || name[0] == '\0' || strcmp(name, ".") == 0)
        return 0;
    for (const char *c = name; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return 0;
    }
    return 1;
}

static int text_is_valid(const char *text, size_t size)
{
    return text[0] == '\0' || name_is_valid(text, size);
}

/* Copies a terminated string into a field and fills the rest with zeros. */
static void set_name(char *field, size_t size, const char *name)
{
    char padded[256] = { 0 };

    snprintf(padded, sizeof padded, "%s", name);
    memcpy(field, padded, size);
}

static fpx_format normal_format(const fpx_format *format)
{
    fpx_format out = *format;

    set_name(out.name, sizeof out.name, format->name);
    return out;
}

/* NULL, or what is wrong with the descriptor; *ret_desc is it without places, in row-major order. */
static const char *normalize_desc(const fpx_tensor *desc, fpx_tensor *ret_desc)
{
    fpx_tensor out;

    if (!fpx_format_is_valid(&desc->format))
        return "its format is not a valid one";
    const fpx_format format = normal_format(&desc->format);
    if (fpx_tensor_make(&format, desc->ndim, desc->shape, &out) != FPX_OK)
        return "its shape is not a valid one";
    if (fpx_tensor_count(&out) > UINT32_MAX)
        return "it has 2^32 elements or more";
    if (desc->packing > FPX_PACK_DENSE || (desc->packing == FPX_PACK_DENSE && format.bits != 4))
        return "its packing does not fit its format";
    if (desc->nscales > FPX_MAX_SCALES)
        return "it has too many levels of scales";
    out.packing = desc->packing;
    out.nscales = desc->nscales;
    for (size_t level = 0; level < desc->nscales; level++) {
        const fpx_scaling *scale = &desc->scale[level];
        if (!fpx_format_is_valid(&scale->format) || scale->layout > FPX_SCALE_CUBLAS)
            return "its scaling is not a valid one";
        out.scale[level].format = normal_format(&scale->format);
        memcpy(out.scale[level].block, scale->block, sizeof scale->block);
        out.scale[level].layout = scale->layout;
    }
    *ret_desc = out;
    return NULL;
}

static const char *normalize_record(const fpx_trace_record *record, fpx_trace_record *out)
{
    if (!name_is_valid(record->tensor, sizeof record->tensor))
        return "its tensor's name is empty, not terminated or not printable";
    if (!name_is_valid(record->op, sizeof record->op))
        return "its operation's name is empty, not terminated or not printable";
    if (!text_is_valid(record->kind, sizeof record->kind) ||
        !text_is_valid(record->role, sizeof record->role) ||
        !text_is_valid(record->device, sizeof record->device))
        return "its kind, role or device is not terminated or not printable";
    if (record->values > 1)
        return "`values` is neither 0 nor 1";
    memset(out, 0, sizeof *out);
    set_name(out->tensor, sizeof out->tensor, record->tensor);
    set_name(out->op, sizeof out->op, record->op);
    set_name(out->kind, sizeof out->kind, record->kind);
    set_name(out->role, sizeof out->role, record->role);
    set_name(out->device, sizeof out->device, record->device);
    out->layer = record->layer;
    out->op_index = record->op_index;
    out->values = record->values;
    return normalize_desc(&record->desc, &out->desc);
}

typedef struct tensor_name {
    const char *text;
} tensor_name;

/* Order of names with '/' and ':' equal, as they are in the names of datasets. */
static int compare_texts(const char *x, const char *y)
{
    for (;; x++, y++) {
        const int cx = *x == '/' ? ':' : *x;
        const int cy = *y == '/' ? ':' : *y;
        if (cx != cy || cx == '\0')
            return cx - cy;
    }
}

static int compare_names(const void *a, const void *b)
{
    return compare_texts(((const tensor_name *)a)->text, ((const tensor_name *)b)->text);
}

static fpx_status check_unique(const fpx_trace_layout *layout, fpx_error *err)
{
    tensor_name *names = malloc(layout->nrecords * sizeof *names);
    fpx_status status = FPX_OK;

    if (names == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "no memory for the records of a trace");
    for (size_t i = 0; i < layout->nrecords; i++)
        names[i].text = layout->records[i].tensor;
    qsort(names, layout->nrecords, sizeof *names, compare_names);
    for (size_t i = 1; i < layout->nrecords && status == FPX_OK; i++) {
        if (compare_names(&names[i - 1], &names[i]) == 0)
            status = fpx_error_set(err, FPX_EINVAL,
                                   "two records of a trace have the tensor name '%s' ('/' and ':' "
                                   "count as the same)",
                                   names[i].text);
    }
    free(names);
    return status;
}

/* Records of one operation lie together, in program order. */
static fpx_status check_order(const fpx_trace_layout *layout, fpx_error *err)
{
    for (size_t i = 1; i < layout->nrecords; i++) {
        const fpx_trace_record *a = &layout->records[i - 1];
        const fpx_trace_record *b = &layout->records[i];
        if (b->op_index < a->op_index ||
            (b->op_index == a->op_index) != (strcmp(b->op, a->op) == 0))
            return fpx_error_set(err, FPX_EINVAL,
                                 "record %zu ('%s', operation %u '%s') does not follow '%s', "
                                 "operation %u: op_index must not fall, and be one for each name",
                                 i, b->tensor, (unsigned)b->op_index, b->op, a->op,
                                 (unsigned)a->op_index);
    }
    return FPX_OK;
}

static fpx_status check_counts(const fpx_trace_layout *layout, fpx_error *err)
{
    if (layout->nrecords == 0 || layout->nrecords > FPX_LAYOUT_RECORDS || layout->records == NULL)
        return fpx_error_set(err, FPX_EINVAL, "a trace has 1 to %d records, not %zu",
                             FPX_LAYOUT_RECORDS, layout->nrecords);
    if (layout->nmodes > FPX_TRACE_MODES)
        return fpx_error_set(err, FPX_EINVAL, "a trace has at most %d modes, not %zu",
                             FPX_TRACE_MODES, layout->nmodes);
    for (size_t i = 0; i < layout->nmodes; i++) {
        const char *name = layout->modes[i].name;
        if (!name_is_valid(name, sizeof layout->modes[i].name))
            return fpx_error_set(err, FPX_EINVAL, "mode %zu of a trace has no usable name", i);
        for (size_t j = 0; j < i; j++) {
            if (compare_texts(name, layout->modes[j].name) == 0)
                return fpx_error_set(err, FPX_EINVAL,
                                     "two modes of a trace are named '%s' ('/' and ':' "
                                     "are the same here)",
                                     name);
        }
    }
    return FPX_OK;
}

fpx_status fpx_layout_copy(const fpx_trace_layout *layout, fpx_trace_layout **ret_copy,
                           fpx_error *err)
{
    const char *texts[FPX_LAYOUT_TEXTS] = { layout->experiment, layout->overrides, layout->recipe,
                                            layout->device, layout->version };
    size_t sizes[FPX_LAYOUT_TEXTS];
    size_t size = sizeof *layout;
    fpx_status status = check_counts(layout, err);

    if (status != FPX_OK)
        return status;
    size += layout->nrecords * sizeof *layout->records;
    for (int i = 0; i < FPX_LAYOUT_TEXTS; i++) {
        sizes[i] = texts[i] != NULL ? strlen(texts[i]) : 0;
        size += sizes[i] + 1;
    }
    fpx_trace_layout *copy = calloc(1, size);
    if (copy == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "no memory for the layout of a trace");

    fpx_trace_record *records = (fpx_trace_record *)(copy + 1);
    char *text = (char *)(records + layout->nrecords);
    for (size_t i = 0; i < layout->nrecords && status == FPX_OK; i++) {
        const char *wrong = normalize_record(&layout->records[i], &records[i]);
        if (wrong != NULL)
            status = fpx_error_set(err, FPX_EINVAL, "record %zu of a trace ('%.*s'): %s", i,
                                   FPX_TRACE_NAME - 1, layout->records[i].tensor, wrong);
    }
    copy->records = records;
    copy->nrecords = layout->nrecords;
    copy->nmodes = layout->nmodes;
    for (size_t i = 0; i < layout->nmodes; i++)
        set_name(copy->modes[i].name, sizeof copy->modes[i].name, layout->modes[i].name);
    const char **fields[FPX_LAYOUT_TEXTS] = { &copy->experiment, &copy->overrides, &copy->recipe,
                                              &copy->device, &copy->version };
    for (int i = 0; i < FPX_LAYOUT_TEXTS; i++) {
        if (sizes[i] > 0)
            memcpy(text, texts[i], sizes[i]);
        *fields[i] = text;
        text += sizes[i] + 1;
    }
    if (status == FPX_OK)
        status = check_order(copy, err);
    if (status == FPX_OK)
        status = check_unique(copy, err);
    if (status != FPX_OK) {
        free(copy);
        return status;
    }
    *ret_copy = copy;
    return FPX_OK;
}

size_t fpx_layout_op_end(const fpx_trace_layout *layout, size_t record)
{
    size_t end = record + 1;

    while (end < layout->nrecords &&
           layout->records[end].op_index == layout->records[record].op_index)
        end++;
    return end;
}

size_t fpx_layout_ops(const fpx_trace_layout *layout)
{
    size_t ops = 0;

    for (size_t i = 0; i < layout->nrecords; i = fpx_layout_op_end(layout, i))
        ops++;
    return ops;
}

int fpx_trace_demands_bits(const fpx_trace_mode *mode)
{
    return strncmp(mode->name, "local:", 6) == 0 && strcmp(mode->name + 6, "fp32") != 0 &&
           strcmp(mode->name + 6, "fp64") != 0;
}
