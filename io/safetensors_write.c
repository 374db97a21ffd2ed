/* safetensors_write.c - the writer: everything is checked and the header made before the first byte is
 * written; data goes out from where it lies, in the order given. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"
#include "quote.h"
#include "safetensors_content.h"

/* Data begins at a multiple of this, so that a mapped file has its first tensor aligned for any vector. */
enum { ALIGNMENT = 64 };

static fpx_status refuse(const char *path, const char *name, const char *what, fpx_error *err)
{
    char quoted[128];

    io_quote(name, quoted, sizeof quoted);
    return fpx_error_set(err, FPX_EINVAL, "%s: '%s' %s", path, quoted, what);
}

static fpx_status out_of_memory(const char *path, fpx_error *err)
{
    return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
}

static fpx_status check_entry(const char *path, const fpx_st_entry *e, fpx_error *err)
{
    const fpx_tensor *t = &e->desc;

    if (e->name == NULL || e->name[0] == '\0' || strcmp(e->name, IO_ST_METADATA) == 0)
        return refuse(path, e->name != NULL ? e->name : "", "cannot be a tensor's name", err);
    if (t->ndim > FPX_MAX_DIMS || t->nscales != 0 || t->packing != FPX_PACK_NONE ||
        !fpx_tensor_is_dense(t) || e->data == NULL)
        return refuse(path, e->name, "is no dense, unpacked, unscaled tensor with data", err);
    if (io_st_dtype(&t->format) == NULL)
        return refuse(path, e->name, "has a format that safetensors cannot hold", err);
    /* Offsets are stored as JSON integers, which jansson holds in 63 bits. */
    if (fpx_tensor_count(t) == 0 || fpx_tensor_bytes(t) > SIZE_MAX / 4)
        return refuse(path, e->name, "has no elements, or more than any memory", err);
    return FPX_OK;
}

static fpx_status check_pair(const char *path, const fpx_st_pair *p, fpx_error *err)
{
    if (p->key == NULL || p->value == NULL || p->key[0] == '\0' ||
        strcmp(p->key, IO_ST_DIGEST) == 0)
        return refuse(path, p->key != NULL ? p->key : "", "cannot be a key of metadata", err);
    return FPX_OK;
}

/* Adds to an object. jansson refuses texts that are no UTF-8; value is NULL where it was refused. */
static fpx_status add(json_t *object, const char *path, const char *key, json_t *value,
                      fpx_error *err)
{
    if (json_object_get(object, key) != NULL) {
        json_decref(value);
        return refuse(path, key, "is given twice", err);
    }
    if (json_object_set_new(object, key, value) != 0)
        return refuse(path, key, "or its value is not a text in UTF-8", err);
    return FPX_OK;
}

static json_t *describe(const fpx_tensor *t, json_int_t begin)
{
    json_t *shape = json_array();

    for (size_t axis = 0; axis < t->ndim; axis++)
        (void)json_array_append_new(shape, json_integer((json_int_t)t->shape[axis]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", io_st_dtype(&t->format), "shape", shape,
                     "data_offsets", begin, begin + (json_int_t)fpx_tensor_bytes(t));
}

static fpx_status fill_header(json_t *root, const char *path, const fpx_st_entry *entries,
                              size_t nentries, const fpx_st_pair *pairs, size_t npairs,
                              fpx_error *err)
{
    json_t *metadata = json_object();
    json_int_t at = 0;
    fpx_status status = add(root, path, IO_ST_METADATA, metadata, err);

    for (size_t i = 0; i < npairs && status == FPX_OK; i++) {
        if ((status = check_pair(path, &pairs[i], err)) == FPX_OK)
            status = add(metadata, path, pairs[i].key, json_string(pairs[i].value), err);
    }
    for (size_t i = 0; i < nentries && status == FPX_OK; i++) {
        const fpx_st_entry *e = &entries[i];

        if ((status = check_entry(path, e, err)) != FPX_OK)
            break;
        if (at > INT64_MAX / 2)
            return refuse(path, e->name, "makes the file larger than any disk", err);
        status = add(root, path, e->name, describe(&e->desc, at), err);
        at += (json_int_t)fpx_tensor_bytes(&e->desc);
    }
    return status;
}

static fpx_status add_digest(json_t *root, const char *path, const fpx_st_entry *entries,
                             size_t nentries, const fpx_st_pair *pairs, size_t npairs,
                             fpx_error *err)
{
    const fpx_st_entry **by_name = io_st_by_name(entries, nentries);
    fpx_st_pair *sorted = calloc(npairs + 1, sizeof *sorted);
    char digest[IO_ST_DIGEST_ROOM];
    fpx_status status = FPX_ENOMEM;

    if (by_name != NULL && sorted != NULL) {
        for (size_t i = 0; i < npairs; i++)
            sorted[i] = pairs[i];
        status = io_st_digest(by_name, nentries, sorted, npairs, digest);
    }
    free(by_name);
    free(sorted);
    if (status != FPX_OK)
        return out_of_memory(path, err);
    return add(json_object_get(root, IO_ST_METADATA), path, IO_ST_DIGEST, json_string(digest), err);
}

/* The file up to the data: length, JSON, spaces. */
static fpx_status make_head(json_t *root, const char *path, char **ret_head, size_t *ret_count,
                            fpx_error *err)
{
    const size_t length = json_dumpb(root, NULL, 0, JSON_COMPACT);
    const size_t count = (8 + length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    if (count - 8 > IO_ST_MAX_HEADER) {
        return fpx_error_set(err, FPX_EINVAL, "%s: names and metadata need more than %d bytes",
                             path, IO_ST_MAX_HEADER);
    }
    char *head = malloc(count);
    if (head == NULL || length == 0 || json_dumpb(root, head + 8, length, JSON_COMPACT) != length) {
        free(head);
        return out_of_memory(path, err);
    }
    for (size_t i = 0; i < 8; i++)
        head[i] = (char)(unsigned char)((uint64_t)(count - 8) >> (8 * i));
    memset(head + 8 + length, ' ', count - 8 - length);
    *ret_head = head;
    *ret_count = count;
    return FPX_OK;
}

static fpx_status write_all(const char *path, const char *head, size_t count,
                            const fpx_st_entry *entries, size_t nentries, fpx_error *err)
{
    io_atomic_file file;
    fpx_status status = io_atomic_open(path, &file, err);

    if (status != FPX_OK)
        return status;
    status = io_atomic_write(&file, head, count, err);
    for (size_t i = 0; i < nentries && status == FPX_OK; i++)
        status = io_atomic_write(&file, entries[i].data, fpx_tensor_bytes(&entries[i].desc), err);
    return io_atomic_close(&file, status, err);
}

fpx_status fpx_st_write(const char *path, const fpx_st_entry *entries, size_t nentries,
                        const fpx_st_pair *pairs, size_t npairs, fpx_error *err)
{
    json_t *root = json_object();
    char *head = NULL;
    size_t count = 0;
    fpx_status status = root == NULL ? out_of_memory(path, err) : FPX_OK;

    if (status == FPX_OK)
        status = fill_header(root, path, entries, nentries, pairs, npairs, err);
    if (status == FPX_OK)
        status = add_digest(root, path, entries, nentries, pairs, npairs, err);
    if (status == FPX_OK)
        status = make_head(root, path, &head, &count, err);
    json_decref(root);
    if (status == FPX_OK)
        status = write_all(path, head, count, entries, nentries, err);
    free(head);
    return status;
}
