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

static const char no_digest[] = "00000000000000000000000000000000";

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

static json_t *describe(const fpx_st_info *info)
{
    const uint64_t end = info->offset + info->bytes;
    json_t *shape = json_array();

    for (size_t axis = 0; axis < info->ndim; axis++)
        (void)json_array_append_new(shape, json_integer((json_int_t)info->shape[axis]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", info->dtype, "shape", shape, "data_offsets",
                     (json_int_t)info->offset, (json_int_t)end);
}

static fpx_status fill_header(json_t *root, const char *path, fpx_st_info *infos, size_t ninfos,
                              const fpx_st_pair *pairs, size_t npairs, fpx_error *err)
{
    json_t *metadata = json_object();
    uint64_t at = 0;
    fpx_status status = add(root, path, IO_ST_METADATA, metadata, err);

    if (status == FPX_OK) /* the first of all: its place is known */
        status = add(metadata, path, IO_ST_DIGEST, json_string(no_digest), err);
    for (size_t i = 0; i < npairs && status == FPX_OK; i++) {
        if ((status = check_pair(path, &pairs[i], err)) == FPX_OK)
            status = add(metadata, path, pairs[i].key, json_string(pairs[i].value), err);
    }
    for (size_t i = 0; i < ninfos && status == FPX_OK; i++) {
        if (infos[i].name == NULL || infos[i].name[0] == '\0' ||
            strcmp(infos[i].name, IO_ST_METADATA) == 0) {
            return refuse(path, infos[i].name != NULL ? infos[i].name : "",
                          "cannot be a tensor's name", err);
        }
        /* Offsets are stored as JSON integers, which jansson holds in 63 bits. */
        if (infos[i].bytes > INT64_MAX / 4 || at > INT64_MAX / 2)
            return refuse(path, infos[i].name, "makes the file larger than any disk", err);
        infos[i].offset = at;
        at += infos[i].bytes;
        status = add(root, path, infos[i].name, describe(&infos[i]), err);
    }
    return status;
}

/* Length and header, with spaces so that data begins aligned. */
static fpx_status dump_head(const json_t *root, const char *path, char **ret_head,
                            size_t *ret_count, fpx_error *err)
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

fpx_status io_st_make_head(const char *path, fpx_st_info *infos, size_t ninfos,
                           const fpx_st_pair *pairs, size_t npairs, char **ret_head,
                           size_t *ret_count, size_t *ret_digest_at, fpx_error *err)
{
    json_t *root = json_object();
    fpx_status status = root == NULL ? out_of_memory(path, err) : FPX_OK;

    if (status == FPX_OK)
        status = fill_header(root, path, infos, ninfos, pairs, npairs, err);
    if (status == FPX_OK)
        status = dump_head(root, path, ret_head, ret_count, err);
    json_decref(root);
    *ret_digest_at = 8 + strlen("{\"" IO_ST_METADATA "\":{\"" IO_ST_DIGEST "\":\"");
    return status;
}

static fpx_status check_entry(const char *path, const fpx_st_entry *e, fpx_st_info *ret_info,
                              fpx_error *err)
{
    const fpx_tensor *t = &e->desc;
    const char *const name = e->name != NULL ? e->name : "";

    if (t->ndim > FPX_MAX_DIMS || t->nscales != 0 || t->packing != FPX_PACK_NONE ||
        !fpx_tensor_is_dense(t) || e->data == NULL)
        return refuse(path, name, "is no dense, unpacked, unscaled tensor with data", err);
    const char *const dtype = t->format.bits >= 8 ? io_st_dtype(&t->format) : NULL;
    if (dtype == NULL)
        return refuse(path, name, "has a format that safetensors cannot hold", err);
    if (fpx_tensor_count(t) == 0 || fpx_tensor_bytes(t) > SIZE_MAX / 4)
        return refuse(path, name, "has no elements, or more than any memory", err);
    *ret_info = (fpx_st_info){ .name = e->name,
                               .dtype = dtype,
                               .format = &t->format,
                               .bits = t->format.bits,
                               .ndim = t->ndim,
                               .count = fpx_tensor_count(t),
                               .bytes = fpx_tensor_bytes(t) };
    ret_info->shape = malloc(sizeof t->shape);
    if (ret_info->shape == NULL)
        return out_of_memory(path, err);
    memcpy(ret_info->shape, t->shape, sizeof t->shape);
    return FPX_OK;
}

static fpx_status make_digest(const char *path, const fpx_st_entry *entries,
                              const fpx_st_info *infos, size_t n, const fpx_st_pair *pairs,
                              size_t npairs, char ret_text[IO_ST_DIGEST_ROOM], fpx_error *err)
{
    const fpx_st_info **by_name = io_st_by_name(infos, n);
    XXH3_state_t *state = by_name != NULL ? io_st_digest_begin(pairs, npairs, n) : NULL;

    if (state == NULL) {
        free(by_name);
        return out_of_memory(path, err);
    }
    for (size_t i = 0; i < n; i++) {
        io_st_digest_head(state, by_name[i]);
        (void)XXH3_128bits_update(state, entries[by_name[i] - infos].data,
                                  (size_t)by_name[i]->bytes);
    }
    io_st_digest_end(state, ret_text);
    free(by_name);
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
    fpx_st_info *infos = calloc(nentries + 1, sizeof *infos);
    char digest[IO_ST_DIGEST_ROOM];
    char *head = NULL;
    size_t count = 0;
    size_t digest_at = 0;
    fpx_status status = FPX_OK;

    if (infos == NULL)
        return out_of_memory(path, err);
    for (size_t i = 0; i < nentries && status == FPX_OK; i++)
        status = check_entry(path, &entries[i], &infos[i], err);
    if (status == FPX_OK) /* first: it checks the texts that the digest takes */
        status =
            io_st_make_head(path, infos, nentries, pairs, npairs, &head, &count, &digest_at, err);
    if (status == FPX_OK)
        status = make_digest(path, entries, infos, nentries, pairs, npairs, digest, err);
    if (status == FPX_OK)
        memcpy(head + digest_at, digest, IO_ST_DIGEST_ROOM - 1);
    if (status == FPX_OK)
        status = write_all(path, head, count, entries, nentries, err);
    free(head);
    for (size_t i = 0; i < nentries; i++)
        free(infos[i].shape);
    free(infos);
    return status;
}
