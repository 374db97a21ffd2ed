/* safetensors.c - the reader. Nothing in the file is believed: each number is checked against the bytes that
 * are there, tensors must tile the data exactly (which finds every truncation), and where there is a
 * digest it must be the content's. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/file.h>

#include "quote.h"
#include "safetensors_content.h"

struct fpx_st_file {
    char *bytes;
    json_t *header; /* owns all names and texts */
    fpx_st_entry *entries;
    const fpx_st_entry **by_name;
    void **copies; /* of the data of entry i where it is misaligned in the file */
    size_t nentries;
};

/* The file while it is read. */
typedef struct reading {
    const char *path;
    fpx_st_file *file;
    const char *data;
    uint64_t count; /* bytes of data */
    fpx_error *err;
} reading;

static fpx_status say(const reading *r, fpx_status status, const char *tensor, const char *what)
{
    char quoted[128];

    io_quote(tensor, quoted, sizeof quoted);
    return fpx_error_set(r->err, status, "%s: tensor '%s' %s", r->path, quoted, what);
}

static fpx_status malformed(const reading *r, const char *tensor, const char *what)
{
    return say(r, FPX_EFORMAT, tensor, what);
}

static fpx_status out_of_memory(const reading *r)
{
    return fpx_error_set(r->err, FPX_ENOMEM, "%s: out of memory", r->path);
}

/* A list of integers >= 0 of at most `room` entries: its length, or -1. */
static int read_numbers(const json_t *list, size_t room, uint64_t *ret_numbers)
{
    const size_t n = json_array_size(list);

    if (!json_is_array(list) || n > room)
        return -1;
    for (size_t i = 0; i < n; i++) {
        const json_t *number = json_array_get(list, i);
        if (!json_is_integer(number) || json_integer_value(number) < 0)
            return -1;
        ret_numbers[i] = (uint64_t)json_integer_value(number);
    }
    return (int)n;
}

static fpx_status read_shape(const reading *r, const char *name, const json_t *list,
                             const fpx_format *format, fpx_tensor *ret_desc)
{
    uint64_t shape[FPX_MAX_DIMS];

    if (json_is_array(list) && json_array_size(list) > FPX_MAX_DIMS)
        return say(r, FPX_EUNSUPPORTED, name, "has more than 4 axes");
    const int ndim = read_numbers(list, FPX_MAX_DIMS, shape);
    if (ndim < 0)
        return malformed(r, name, "has a shape that is no list of integers from 0 up");
    for (int axis = 0; axis < ndim; axis++) {
        if (shape[axis] == 0)
            return say(r, FPX_EUNSUPPORTED, name, "has no elements");
    }
    if (fpx_tensor_make(format, (size_t)ndim, shape, ret_desc) != FPX_OK)
        return malformed(r, name, "is larger than any memory");
    return FPX_OK;
}

static fpx_status read_entry(const reading *r, const char *name, const json_t *value,
                             fpx_st_entry *ret_entry)
{
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    const fpx_format *format = dtype != NULL ? io_st_format(dtype) : NULL;
    uint64_t offsets[2];
    fpx_tensor desc;

    if (name[0] == '\0')
        return malformed(r, name, "needs a name");
    if (format == NULL) {
        return malformed(r, name,
                         "has no known dtype; known: F64 F32 F16 BF16 F8_E4M3 F8_E5M2 I32");
    }
    const fpx_status status = read_shape(r, name, json_object_get(value, "shape"), format, &desc);
    if (status != FPX_OK)
        return status;
    if (read_numbers(json_object_get(value, "data_offsets"), 2, offsets) != 2)
        return malformed(r, name, "has data_offsets that are no two integers from 0 up");
    if (offsets[0] > offsets[1] || offsets[1] - offsets[0] != fpx_tensor_bytes(&desc))
        return malformed(r, name, "has data_offsets that do not fit its shape and dtype");
    if (offsets[1] > r->count)
        return malformed(r, name, "ends past the end of the file: was it cut?");
    *ret_entry = (fpx_st_entry){ .name = name, .desc = desc, .data = r->data + offsets[0] };
    return FPX_OK;
}

static int compare_places(const void *a, const void *b)
{
    const fpx_st_entry *x = a, *y = b;
    const char *p = x->data, *q = y->data;

    return (p > q) - (p < q);
}

/* In file order each tensor begins where the one before ends, and the last one ends the file. */
static fpx_status check_tiling(const reading *r)
{
    const char *at = r->data;

    for (size_t i = 0; i < r->file->nentries; i++) {
        const fpx_st_entry *e = &r->file->entries[i];
        if ((const char *)e->data != at) {
            return malformed(r, e->name,
                             (const char *)e->data < at
                                 ? "overlaps the one before it"
                                 : "leaves a gap between it and the one before it");
        }
        at += fpx_tensor_bytes(&e->desc);
    }
    if (at != r->data + r->count) {
        return fpx_error_set(r->err, FPX_EFORMAT, "%s: %zu bytes after the last tensor", r->path,
                             (size_t)(r->data + r->count - at));
    }
    return FPX_OK;
}

static fpx_status read_entries(const reading *r)
{
    fpx_st_file *f = r->file;
    const size_t room = json_object_size(f->header) + 1;
    const char *name;
    json_t *value;

    f->entries = calloc(room, sizeof *f->entries);
    f->copies = calloc(room, sizeof *f->copies);
    if (f->entries == NULL || f->copies == NULL)
        return out_of_memory(r);
    json_object_foreach(f->header, name, value)
    {
        if (strcmp(name, IO_ST_METADATA) == 0)
            continue;
        const fpx_status status = read_entry(r, name, value, &f->entries[f->nentries]);
        if (status != FPX_OK)
            return status;
        f->nentries++;
    }
    if (f->nentries > 1)
        qsort(f->entries, f->nentries, sizeof *f->entries, compare_places);
    return check_tiling(r);
}

/* Data is used in place where it lies as its type needs it, which is so for what fpx_st_write made of
 * tensors of one width. */
static fpx_status align_entries(const reading *r)
{
    for (size_t i = 0; i < r->file->nentries; i++) {
        fpx_st_entry *e = &r->file->entries[i];
        const size_t bytes = fpx_tensor_bytes(&e->desc);

        if ((uintptr_t)e->data % fpx_format_size(&e->desc.format) == 0)
            continue;
        void *copy = malloc(bytes);
        if (copy == NULL)
            return out_of_memory(r);
        memcpy(copy, e->data, bytes);
        r->file->copies[i] = copy;
        e->data = copy;
    }
    return FPX_OK;
}

/* The pairs of __metadata__ without the digest. */
static fpx_status read_pairs(const reading *r, fpx_st_pair **ret_pairs, size_t *ret_npairs)
{
    json_t *metadata = json_object_get(r->file->header, IO_ST_METADATA);
    const char *key;
    json_t *value;
    size_t n = 0;

    if (metadata != NULL && !json_is_object(metadata))
        return fpx_error_set(r->err, FPX_EFORMAT, "%s: " IO_ST_METADATA " is no object", r->path);
    fpx_st_pair *pairs = calloc(json_object_size(metadata) + 1, sizeof *pairs);
    if (pairs == NULL)
        return out_of_memory(r);
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value)) {
            char quoted[128];
            io_quote(key, quoted, sizeof quoted);
            free(pairs);
            return fpx_error_set(r->err, FPX_EFORMAT, "%s: metadata '%s' is no text", r->path,
                                 quoted);
        }
        if (strcmp(key, IO_ST_DIGEST) != 0)
            pairs[n++] = (fpx_st_pair){ key, json_string_value(value) };
    }
    *ret_pairs = pairs;
    *ret_npairs = n;
    return FPX_OK;
}

static fpx_status check_digest(const reading *r)
{
    const char *stated = fpx_st_metadata(r->file, IO_ST_DIGEST);
    char digest[IO_ST_DIGEST_ROOM], quoted[64];
    fpx_st_pair *pairs = NULL;
    size_t npairs = 0;
    fpx_status status = read_pairs(r, &pairs, &npairs);

    if (status != FPX_OK || stated == NULL) {
        free(pairs);
        return status;
    }
    status = io_st_digest(r->file->by_name, r->file->nentries, pairs, npairs, digest);
    free(pairs);
    if (status != FPX_OK)
        return out_of_memory(r);
    if (strcmp(digest, stated) == 0)
        return FPX_OK;
    io_quote(stated, quoted, sizeof quoted);
    return fpx_error_set(r->err, FPX_EFORMAT,
                         "%s: is corrupt: the digest of its content is %s, but it was written "
                         "with %s",
                         r->path, digest, quoted);
}

static fpx_status read_header(reading *r, size_t count)
{
    const char *bytes = r->file->bytes;
    uint64_t length = 0;
    json_error_t wrong;
    char quoted[JSON_ERROR_TEXT_LENGTH];

    if (count < 8) {
        return fpx_error_set(r->err, FPX_EFORMAT, "%s: %zu bytes are no safetensors file", r->path,
                             count);
    }
    for (size_t i = 8; i-- > 0;)
        length = length << 8 | (unsigned char)bytes[i];
    if (length > IO_ST_MAX_HEADER) {
        return fpx_error_set(r->err, FPX_EFORMAT,
                             "%s: no safetensors file: its header would have %" PRIu64
                             " bytes; at most %d",
                             r->path, length, IO_ST_MAX_HEADER);
    }
    if (length > count - 8) {
        return fpx_error_set(r->err, FPX_EFORMAT,
                             "%s: the header has %" PRIu64 " bytes, the file %zu: was it cut?",
                             r->path, length, count);
    }
    if (length > 0 && bytes[8] == '{') { /* the format wants no space before it */
        r->file->header = json_loadb(bytes + 8, (size_t)length, JSON_REJECT_DUPLICATES, &wrong);
    } else {
        (void)strcpy(wrong.text, "'{' expected at its start");
    }
    if (r->file->header == NULL) {
        io_quote(wrong.text, quoted, sizeof quoted);
        return fpx_error_set(r->err, FPX_EFORMAT, "%s: the header is malformed: %s", r->path,
                             quoted);
    }
    r->data = bytes + 8 + length;
    r->count = count - 8 - length;
    return FPX_OK;
}

static fpx_status read_file(reading *r)
{
    size_t count = 0;
    fpx_status status = fpx_file_read(r->path, SIZE_MAX, &r->file->bytes, &count, r->err);

    if (status != FPX_OK || (status = read_header(r, count)) != FPX_OK ||
        (status = read_entries(r)) != FPX_OK || (status = align_entries(r)) != FPX_OK)
        return status;
    r->file->by_name = io_st_by_name(r->file->entries, r->file->nentries);
    if (r->file->by_name == NULL)
        return out_of_memory(r);
    return check_digest(r);
}

fpx_status fpx_st_open(const char *path, fpx_st_file **ret_file, fpx_error *err)
{
    reading r = { .path = path, .file = calloc(1, sizeof *r.file), .err = err };

    if (r.file == NULL)
        return out_of_memory(&r);
    const fpx_status status = read_file(&r);
    if (status != FPX_OK) {
        fpx_st_close(r.file);
        return status;
    }
    *ret_file = r.file;
    return FPX_OK;
}

void fpx_st_close(fpx_st_file *file)
{
    if (file == NULL)
        return;
    for (size_t i = 0; i < file->nentries; i++)
        free(file->copies[i]);
    free(file->copies);
    free(file->by_name);
    free(file->entries);
    json_decref(file->header);
    free(file->bytes);
    free(file);
}

size_t fpx_st_count(const fpx_st_file *file)
{
    return file->nentries;
}

const fpx_st_entry *fpx_st_at(const fpx_st_file *file, size_t index)
{
    return index < file->nentries ? &file->entries[index] : NULL;
}

static int compare_name(const void *name, const void *entry)
{
    const fpx_st_entry *const *e = entry;

    return strcmp(name, (*e)->name);
}

const fpx_st_entry *fpx_st_find(const fpx_st_file *file, const char *name)
{
    const fpx_st_entry *const *found =
        bsearch(name, file->by_name, file->nentries, sizeof(const fpx_st_entry *), compare_name);

    return found != NULL ? *found : NULL;
}

const char *fpx_st_metadata(const fpx_st_file *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->header, IO_ST_METADATA), key));
}
