/* fpx/safetensors.h - read and write .safetensors files: 8-byte length, JSON header, data. */
#ifndef FPX_SAFETENSORS_H
#define FPX_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>
#include <fpx/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fpx_st_entry {
    const char *name;
    fpx_tensor desc;  /* dense; format one of fp64 fp32 fp16 bf16 e4m3 e5m2 int32 */
    const void *data; /* writing: the codes; reading: points into the file's memory */
} fpx_st_entry;

typedef struct fpx_st_pair {
    const char *key, *value; /* the header's __metadata__ */
} fpx_st_pair;

/* Writes to `path`.tmp, syncs, renames: at any moment `path` is absent, the old or the new file. FPX_EIO
 * with text (full disk, no folder); then nothing at `path` has changed and the .tmp is gone. */
fpx_status fpx_st_write(const char *path, const fpx_st_entry *entries, size_t nentries,
                        const fpx_st_pair *pairs, size_t npairs, fpx_error *err);

typedef struct fpx_st_file fpx_st_file;

/* FPX_EIO: missing or unreadable. FPX_EFORMAT: header too long, not JSON, unknown dtype, offsets that
 * overlap, leave gaps, or pass the end; the text names the file and the tensor. */
fpx_status fpx_st_open(const char *path, fpx_st_file **ret_file, fpx_error *err);
void fpx_st_close(fpx_st_file *file); /* NULL is fine */

size_t fpx_st_count(const fpx_st_file *file);
const fpx_st_entry *fpx_st_at(const fpx_st_file *file, size_t index);       /* in file order */
const fpx_st_entry *fpx_st_find(const fpx_st_file *file, const char *name); /* NULL: absent */
const char *fpx_st_metadata(const fpx_st_file *file, const char *key);      /* NULL: absent */

#ifdef __cplusplus
}
#endif

#endif /* FPX_SAFETENSORS_H */
