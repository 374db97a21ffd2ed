/* safetensors.c - a whole file in memory: its header taken apart (safetensors_header.c), each tensor's data
 * aligned, and where there is a digest it must be the content's. */
#include <stdlib.h>
#include <string.h>

#include <fpx/file.h>

#include "safetensors_header.h"

struct fpx_st_file {
    char *bytes;
    io_st_header header;
    fpx_st_entry *entries; /* entry i is of the header's tensor i */
    void **copies;         /* of the data of entry i where it is misaligned in the file */
};

static fpx_status out_of_memory(const char *path, fpx_error *err)
{
    return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
}

/* Data is used in place where it lies as its type needs it, which is so for what fpx_st_write made of
 * tensors of one width. */
static fpx_status read_entry(const char *path, const fpx_st_info *info, const char *data,
                             fpx_st_entry *ret_entry, void **ret_copy, fpx_error *err)
{
    fpx_st_entry e = { .name = info->name, .data = data + info->offset };

    if (info->ndim > FPX_MAX_DIMS)
        return io_st_refuse(path, FPX_EUNSUPPORTED, info->name, "has more than 4 axes", err);
    if (info->count == 0)
        return io_st_refuse(path, FPX_EUNSUPPORTED, info->name, "has no elements", err);
    if (info->format == NULL || info->bits < 8) {
        return io_st_refuse(path, FPX_EUNSUPPORTED, info->name,
                            "has a dtype that is not read here: no number of ours, or packed", err);
    }
    if (fpx_tensor_make(info->format, info->ndim, info->shape, &e.desc) != FPX_OK)
        return io_st_refuse(path, FPX_EFORMAT, info->name, "is larger than any memory", err);
    if ((uintptr_t)e.data % fpx_format_size(info->format) != 0) {
        *ret_copy = malloc((size_t)info->bytes);
        if (*ret_copy == NULL)
            return out_of_memory(path, err);
        memcpy(*ret_copy, e.data, (size_t)info->bytes);
        e.data = *ret_copy;
    }
    *ret_entry = e;
    return FPX_OK;
}

static fpx_status read_entries(const char *path, fpx_st_file *f, const char *data, fpx_error *err)
{
    f->entries = calloc(f->header.ninfos + 1, sizeof *f->entries);
    f->copies = calloc(f->header.ninfos + 1, sizeof *f->copies);
    if (f->entries == NULL || f->copies == NULL)
        return out_of_memory(path, err);
    for (size_t i = 0; i < f->header.ninfos; i++) {
        const fpx_status status =
            read_entry(path, &f->header.infos[i], data, &f->entries[i], &f->copies[i], err);
        if (status != FPX_OK)
            return status;
    }
    return FPX_OK;
}

static fpx_status check_digest(const char *path, const io_st_header *h, const char *data,
                               fpx_error *err)
{
    const char *stated = io_st_header_metadata(h, IO_ST_DIGEST);
    char digest[IO_ST_DIGEST_ROOM];

    if (stated == NULL)
        return FPX_OK;
    XXH3_state_t *state = io_st_digest_begin(h->pairs, h->npairs, h->ninfos);
    if (state == NULL)
        return out_of_memory(path, err);
    for (size_t i = 0; i < h->ninfos; i++) {
        io_st_digest_head(state, h->by_name[i]);
        (void)XXH3_128bits_update(state, data + h->by_name[i]->offset,
                                  (size_t)h->by_name[i]->bytes);
    }
    io_st_digest_end(state, digest);
    return io_st_compare_digest(path, stated, digest, err);
}

static fpx_status read_file(const char *path, fpx_st_file *f, fpx_error *err)
{
    size_t count = 0;
    size_t length = 0;
    fpx_status status = fpx_file_read(path, SIZE_MAX, &f->bytes, &count, err);

    if (status == FPX_OK)
        status = io_st_length(path, (const unsigned char *)f->bytes, count, count, &length, err);
    if (status == FPX_OK)
        status =
            io_st_header_parse(path, f->bytes + 8, length, count - 8 - length, &f->header, err);
    if (status == FPX_OK)
        status = read_entries(path, f, f->bytes + 8 + length, err);
    if (status == FPX_OK)
        status = check_digest(path, &f->header, f->bytes + 8 + length, err);
    return status;
}

fpx_status fpx_st_open(const char *path, fpx_st_file **ret_file, fpx_error *err)
{
    fpx_st_file *file = calloc(1, sizeof *file);

    if (file == NULL)
        return out_of_memory(path, err);
    const fpx_status status = read_file(path, file, err);
    if (status != FPX_OK) {
        fpx_st_close(file);
        return status;
    }
    *ret_file = file;
    return FPX_OK;
}

void fpx_st_close(fpx_st_file *file)
{
    if (file == NULL)
        return;
    for (size_t i = 0; i < file->header.ninfos && file->copies != NULL; i++)
        free(file->copies[i]);
    free(file->copies);
    free(file->entries);
    io_st_header_free(&file->header);
    free(file->bytes);
    free(file);
}

size_t fpx_st_count(const fpx_st_file *file)
{
    return file->header.ninfos;
}

const fpx_st_entry *fpx_st_at(const fpx_st_file *file, size_t index)
{
    return index < file->header.ninfos ? &file->entries[index] : NULL;
}

static int compare_name(const void *name, const void *info)
{
    const fpx_st_info *const *i = info;

    return strcmp(name, (*i)->name);
}

const fpx_st_entry *fpx_st_find(const fpx_st_file *file, const char *name)
{
    const fpx_st_info *const *found = bsearch(name, file->header.by_name, file->header.ninfos,
                                              sizeof(const fpx_st_info *), compare_name);

    return found != NULL ? &file->entries[*found - file->header.infos] : NULL;
}

const char *fpx_st_metadata(const fpx_st_file *file, const char *key)
{
    return io_st_header_metadata(&file->header, key);
}
