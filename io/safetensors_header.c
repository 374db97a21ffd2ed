/* safetensors_header.c - nothing in a header is believed: each number is checked against the bytes that are
 * there, and tensors must tile the data exactly, which finds every truncation. */
#include "safetensors_header.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "quote.h"

typedef struct reading {
    const char *path;
    io_st_header *header;
    uint64_t data_bytes;
    fpx_error *err;
} reading;

fpx_status io_st_refuse(const char *path, fpx_status status, const char *tensor, const char *what,
                        fpx_error *err)
{
    char quoted[128];

    io_quote(tensor, quoted, sizeof quoted);
    return fpx_error_set(err, status, "%s: tensor '%s' %s", path, quoted, what);
}

static fpx_status malformed(const reading *r, const char *tensor, const char *what)
{
    return io_st_refuse(r->path, FPX_EFORMAT, tensor, what, r->err);
}

static fpx_status out_of_memory(const reading *r)
{
    return fpx_error_set(r->err, FPX_ENOMEM, "%s: out of memory", r->path);
}

fpx_status io_st_length(const char *path, const unsigned char first[8], size_t got, uint64_t total,
                        size_t *ret_length, fpx_error *err)
{
    uint64_t length = 0;

    if (got < 8)
        return fpx_error_set(err, FPX_EFORMAT, "%s: %zu bytes are no safetensors file", path, got);
    for (size_t i = 8; i-- > 0;)
        length = length << 8 | first[i];
    if (length > IO_ST_MAX_HEADER) {
        return fpx_error_set(err, FPX_EFORMAT,
                             "%s: no safetensors file: its header would have %" PRIu64
                             " bytes; at most %d",
                             path, length, IO_ST_MAX_HEADER);
    }
    if (length > total - 8) {
        return fpx_error_set(err, FPX_EFORMAT,
                             "%s: the header has %" PRIu64 " bytes, the file %" PRIu64
                             ": was it cut?",
                             path, length, total);
    }
    *ret_length = (size_t)length;
    return FPX_OK;
}

/* A list of integers >= 0, for free(); NULL where it is none, or no memory. */
static uint64_t *read_numbers(const json_t *list, size_t *ret_n)
{
    const size_t n = json_array_size(list);
    uint64_t *numbers = json_is_array(list) ? calloc(n + 1, sizeof *numbers) : NULL;

    for (size_t i = 0; i < n && numbers != NULL; i++) {
        const json_t *number = json_array_get(list, i);
        if (!json_is_integer(number) || json_integer_value(number) < 0) {
            free(numbers);
            numbers = NULL;
        } else {
            numbers[i] = (uint64_t)json_integer_value(number);
        }
    }
    *ret_n = n;
    return numbers;
}

static fpx_status read_offsets(const reading *r, const json_t *list, fpx_st_info *info)
{
    size_t n = 0;
    uint64_t *offsets = read_numbers(list, &n);
    const uint64_t begin = offsets != NULL && n == 2 ? offsets[0] : 0;
    const uint64_t end = offsets != NULL && n == 2 ? offsets[1] : 0;
    const int is_pair = offsets != NULL && n == 2;

    free(offsets);
    if (!is_pair)
        return malformed(r, info->name, "has data_offsets that are no two integers from 0 up");
    if (begin > end || end - begin != info->bytes)
        return malformed(r, info->name, "has data_offsets that do not fit its shape and dtype");
    if (end > r->data_bytes)
        return malformed(r, info->name, "ends past the end of the file: was it cut?");
    info->offset = begin;
    return FPX_OK;
}

static fpx_status read_info(const reading *r, const char *name, const json_t *value,
                            fpx_st_info *ret_info)
{
    const char *dtype = json_string_value(json_object_get(value, "dtype"));
    const io_st_dtype_row *row = dtype != NULL ? io_st_dtype_find(dtype) : NULL;
    size_t ndim = 0;

    if (name[0] == '\0')
        return malformed(r, name, "needs a name");
    if (row == NULL) {
        return malformed(r, name,
                         "has no known dtype; known: F64 F32 F16 BF16 F8_E4M3 F8_E5M2 F8_E8M0 "
                         "F8_E4M3FNUZ F8_E5M2FNUZ F6_E2M3 F6_E3M2 F4 C64 BOOL, and I and U of 8 "
                         "to 64 bits");
    }
    *ret_info =
        (fpx_st_info){ .name = name, .dtype = row->name, .format = row->format, .bits = row->bits };
    ret_info->shape = read_numbers(json_object_get(value, "shape"), &ndim);
    ret_info->ndim = ndim;
    if (ret_info->shape == NULL)
        return malformed(r, name, "has a shape that is no list of integers from 0 up");
    if (!io_st_size(row->bits, ndim, ret_info->shape, &ret_info->count, &ret_info->bytes)) {
        return malformed(r, name,
                         row->bits < 8 ? "is no whole number of bytes, or larger than any memory"
                                       : "is larger than any memory");
    }
    return read_offsets(r, json_object_get(value, "data_offsets"), ret_info);
}

static int compare_places(const void *a, const void *b)
{
    const fpx_st_info *x = a, *y = b;

    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes); /* empty ones first */
}

/* In file order each tensor begins where the one before ends, and the last one ends the file. */
static fpx_status check_tiling(const reading *r)
{
    uint64_t at = 0;

    for (size_t i = 0; i < r->header->ninfos; i++) {
        const fpx_st_info *info = &r->header->infos[i];
        if (info->offset != at) {
            return malformed(r, info->name,
                             info->offset < at ? "overlaps the one before it"
                                               : "leaves a gap between it and the one before it");
        }
        at += info->bytes;
    }
    if (at != r->data_bytes) {
        return fpx_error_set(r->err, FPX_EFORMAT, "%s: %" PRIu64 " bytes after the last tensor",
                             r->path, r->data_bytes - at);
    }
    return FPX_OK;
}

static fpx_status read_infos(const reading *r)
{
    io_st_header *h = r->header;
    const char *name;
    json_t *value;

    h->infos = calloc(json_object_size(h->json) + 1, sizeof *h->infos);
    if (h->infos == NULL)
        return out_of_memory(r);
    json_object_foreach(h->json, name, value)
    {
        if (strcmp(name, IO_ST_METADATA) == 0)
            continue;
        const fpx_status status = read_info(r, name, value, &h->infos[h->ninfos++]);
        if (status != FPX_OK)
            return status;
    }
    if (h->ninfos > 1)
        qsort(h->infos, h->ninfos, sizeof *h->infos, compare_places);
    h->by_name = io_st_by_name(h->infos, h->ninfos);
    return h->by_name == NULL ? out_of_memory(r) : check_tiling(r);
}

static fpx_status read_pairs(const reading *r)
{
    json_t *metadata = json_object_get(r->header->json, IO_ST_METADATA);
    const char *key;
    json_t *value;

    if (metadata != NULL && !json_is_object(metadata))
        return fpx_error_set(r->err, FPX_EFORMAT, "%s: " IO_ST_METADATA " is no object", r->path);
    r->header->pairs = calloc(json_object_size(metadata) + 1, sizeof *r->header->pairs);
    if (r->header->pairs == NULL)
        return out_of_memory(r);
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value)) {
            char quoted[128];
            io_quote(key, quoted, sizeof quoted);
            return fpx_error_set(r->err, FPX_EFORMAT, "%s: metadata '%s' is no text", r->path,
                                 quoted);
        }
        if (strcmp(key, IO_ST_DIGEST) != 0)
            r->header->pairs[r->header->npairs++] = (fpx_st_pair){ key, json_string_value(value) };
    }
    return FPX_OK;
}

fpx_status io_st_header_parse(const char *path, const char *text, size_t length,
                              uint64_t data_bytes, io_st_header *ret_header, fpx_error *err)
{
    io_st_header header = { 0 };
    const reading r = { path, &header, data_bytes, err };
    char quoted[JSON_ERROR_TEXT_LENGTH];
    json_error_t wrong;
    fpx_status status;

    if (length > 0 && text[0] == '{') { /* the format wants no space before it */
        header.json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &wrong);
    } else {
        (void)strcpy(wrong.text, "'{' expected at its start");
    }
    if (header.json == NULL) {
        io_quote(wrong.text, quoted, sizeof quoted);
        return fpx_error_set(err, FPX_EFORMAT, "%s: the header is malformed: %s", path, quoted);
    }
    status = read_infos(&r);
    if (status == FPX_OK)
        status = read_pairs(&r);
    if (status != FPX_OK) {
        io_st_header_free(&header);
        return status;
    }
    *ret_header = header;
    return FPX_OK;
}

void io_st_header_free(io_st_header *header)
{
    for (size_t i = 0; i < header->ninfos; i++)
        free(header->infos[i].shape);
    free(header->infos);
    free(header->by_name);
    free(header->pairs);
    json_decref(header->json);
}

const char *io_st_header_metadata(const io_st_header *header, const char *key)
{
    return json_string_value(json_object_get(json_object_get(header->json, IO_ST_METADATA), key));
}

fpx_status io_st_compare_digest(const char *path, const char *stated, const char *digest,
                                fpx_error *err)
{
    char quoted[64];

    if (strcmp(digest, stated) == 0)
        return FPX_OK;
    io_quote(stated, quoted, sizeof quoted);
    return fpx_error_set(err, FPX_EFORMAT,
                         "%s: is corrupt: the digest of its content is %s, but it was written "
                         "with %s",
                         path, digest, quoted);
}
