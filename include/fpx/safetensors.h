/* fpx/safetensors.h - read and write .safetensors files, which also guard their content.
 *
 *   [ n: 8 bytes, little-endian ][ JSON header: n bytes, spaces at its end ][ data of the tensors ]
 *
 * What is written here carries metadata "fpx.digest", 32 hexadecimal digits: XXH3 of 128 bits (seed 0,
 * canonical) over the content, whatever its layout in the file. Integers are 8 bytes, little-endian:
 *   number of pairs of metadata without fpx.digest; for each, keys in strcmp order:
 *     key, zero byte, value, zero byte
 *   number of tensors; for each, names in strcmp order:
 *     name, zero byte, dtype, zero byte, number of axes, extent of each axis, data */
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
 * with text (full disk, no folder); then nothing at `path` has changed and the .tmp is gone. FPX_EINVAL:
 * an entry that is not as above, a name or key that is empty, repeated or no UTF-8, the name
 * "__metadata__", the key "fpx.digest". */
fpx_status fpx_st_write(const char *path, const fpx_st_entry *entries, size_t nentries,
                        const fpx_st_pair *pairs, size_t npairs, fpx_error *err);

typedef struct fpx_st_file fpx_st_file;

/* Reads the whole file into memory. FPX_EIO: missing or unreadable. FPX_EFORMAT: header too long, not
 * JSON, unknown dtype, offsets that overlap, leave gaps, or pass the end, a digest that the content does
 * not have; the text names the file and the tensor. FPX_EUNSUPPORTED: a tensor of more than FPX_MAX_DIMS
 * axes or without elements. */
fpx_status fpx_st_open(const char *path, fpx_st_file **ret_file, fpx_error *err);
void fpx_st_close(fpx_st_file *file); /* NULL is fine */

size_t fpx_st_count(const fpx_st_file *file);
const fpx_st_entry *fpx_st_at(const fpx_st_file *file,
                              size_t index); /* file order; NULL: past the end */
const fpx_st_entry *fpx_st_find(const fpx_st_file *file, const char *name); /* NULL: absent */
/* NULL: absent. Where "fpx.digest" is present, fpx_st_open has checked it. */
const char *fpx_st_metadata(const fpx_st_file *file, const char *key);

#ifdef __cplusplus
}
#endif

#endif /* FPX_SAFETENSORS_H */
