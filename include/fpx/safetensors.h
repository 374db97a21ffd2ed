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
    fpx_tensor desc;  /* dense; format one of fp64 fp32 fp16 bf16 int32 e4m3 e5m2 e8m0
                         e4m3fnuz e5m2fnuz */
    const void *data; /* writing: the codes; reading: points into the file's memory */
} fpx_st_entry;

typedef struct fpx_st_pair {
    const char *key, *value; /* the header's __metadata__ */
} fpx_st_pair;

/* Writes beside `path` under a name of its own (.NAME.PROCESS-NUMBER.tmp), syncs, renames: at any
 * moment `path` is absent, the old or the new file. FPX_EIO with text (full disk, no folder); then
 * nothing at `path` has changed and nothing is left. FPX_EINVAL: an entry that is not as above, a name
 * or key that is empty, repeated or no UTF-8, the name "__metadata__", the key "fpx.digest". */
fpx_status fpx_st_write(const char *path, const fpx_st_entry *entries, size_t nentries,
                        const fpx_st_pair *pairs, size_t npairs, fpx_error *err);

typedef struct fpx_st_file fpx_st_file;

/* Reads the whole file into memory. FPX_EIO: missing or unreadable. FPX_EFORMAT: header too long, not
 * JSON, unknown dtype, offsets that overlap, leave gaps, or pass the end, a digest that the content does
 * not have; the text names the file and the tensor. FPX_EUNSUPPORTED: a tensor of more than FPX_MAX_DIMS
 * axes, without elements, or of a dtype that is packed (F4, F6) or no format of ours (BOOL, I64, ...). */
fpx_status fpx_st_open(const char *path, fpx_st_file **ret_file, fpx_error *err);
void fpx_st_close(fpx_st_file *file); /* NULL is fine */

size_t fpx_st_count(const fpx_st_file *file);
const fpx_st_entry *fpx_st_at(const fpx_st_file *file,
                              size_t index); /* file order; NULL: past the end */
const fpx_st_entry *fpx_st_find(const fpx_st_file *file, const char *name); /* NULL: absent */
/* NULL: absent. Where "fpx.digest" is present, fpx_st_open has checked it. */
const char *fpx_st_metadata(const fpx_st_file *file, const char *key);

/* In pieces: memory holds the header and what the caller asks for. */

/* A tensor of any dtype of the file format, BOOL and I64 too. */
typedef struct fpx_st_info {
    const char *name;
    const char *dtype;        /* "F8_E4M3" */
    const fpx_format *format; /* NULL: a dtype that is no format of ours */
    unsigned bits; /* of an element. Of 4 and 6 bits: packed, element 0 in the low bits of byte 0 */
    size_t ndim;
    uint64_t *shape; /* elements along each axis; 0 is allowed */
    uint64_t count;  /* elements */
    uint64_t bytes;  /* count * bits / 8, without rest */
    uint64_t offset; /* bytes from the start of the data */
} fpx_st_info;

typedef struct fpx_st_stream fpx_st_stream;

/* Reads the header, and once the whole file where there is a digest to check. Errors as fpx_st_open;
 * FPX_EUNSUPPORTED is only: a pipe. */
fpx_status fpx_st_stream_open(const char *path, fpx_st_stream **ret_stream, fpx_error *err);
void fpx_st_stream_close(fpx_st_stream *stream); /* NULL is fine */

/* In file order. */
const fpx_st_info *fpx_st_stream_infos(const fpx_st_stream *stream, size_t *ret_n);
/* The metadata without "fpx.digest". */
const fpx_st_pair *fpx_st_stream_pairs(const fpx_st_stream *stream, size_t *ret_n);

/* count bytes of a tensor from byte `from` on. FPX_EINVAL: beyond the tensor; FPX_EIO; FPX_EFORMAT: the file has
 * become shorter. */
fpx_status fpx_st_stream_read(fpx_st_stream *stream, const fpx_st_info *info, uint64_t from,
                              void *dst, size_t count, fpx_error *err);

typedef struct fpx_st_sink fpx_st_sink;

/* The name of a format's dtype, bits and all: "F4" for e2m1; NULL where the file format has none. */
const char *fpx_st_dtype(const fpx_format *format);

/* Begins a file of these tensors, whose name, dtype, ndim and shape are given; the rest is computed into infos,
 * which must stay as they are until the sink is closed, pairs too. FPX_EINVAL: as fpx_st_write, an unknown dtype,
 * or a shape that is no whole number of bytes. FPX_EIO. */
fpx_status fpx_st_sink_open(const char *path, fpx_st_info *infos, size_t ninfos,
                            const fpx_st_pair *pairs, size_t npairs, fpx_st_sink **ret_sink,
                            fpx_error *err);

/* The next bytes of the data, tensor after tensor in the order given. FPX_EINVAL: more than there are; FPX_EIO. */
fpx_status fpx_st_sink_write(fpx_st_sink *sink, const void *src, size_t count, fpx_error *err);

/* Ends the file in any case, as fpx_npy_finish does; it is read once more for its digest. */
fpx_status fpx_st_sink_close(fpx_st_sink *sink, fpx_status status, fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_SAFETENSORS_H */
