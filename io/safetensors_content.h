/* safetensors_content.h - what reader and writer of safetensors share: names of dtypes, tensors in order
 * of their names, the digest of the content, the header's text. */
#ifndef IO_SAFETENSORS_CONTENT_H
#define IO_SAFETENSORS_CONTENT_H

#include <xxhash.h>

#include <fpx/safetensors.h>

#define IO_ST_METADATA "__metadata__"
#define IO_ST_DIGEST "fpx.digest"

enum {
    IO_ST_MAX_HEADER = 100000000, /* the format's own limit */
    IO_ST_DIGEST_ROOM = 33        /* 128 bits as text */
};

/* One dtype of the file format. */
typedef struct io_st_dtype_row {
    const char *name;
    unsigned bits;
    const fpx_format *format; /* NULL: no format of ours */
} io_st_dtype_row;

/* NULL: the file format has no such dtype. */
const io_st_dtype_row *io_st_dtype_find(const char *name);
/* "F8_E4M3" and the like; NULL where the file format has no name for it. */
const char *io_st_dtype(const fpx_format *format);

/* Elements and bytes of a tensor. 0: the product overflows, or is no whole number of bytes. */
int io_st_size(unsigned bits, size_t ndim, const uint64_t *shape, uint64_t *ret_count,
               uint64_t *ret_bytes);

/* Pointers to the tensors, ordered by name; n + 1 of them, the last one NULL. NULL: out of memory. */
const fpx_st_info **io_st_by_name(const fpx_st_info *infos, size_t n);

/* The digest that fpx/safetensors.h defines, in this order: begin; for each tensor by name, its head and then its
 * data with XXH3_128bits_update; end, which frees the state. */
XXH3_state_t *io_st_digest_begin(const fpx_st_pair *pairs, size_t npairs, size_t ntensors);
void io_st_digest_head(XXH3_state_t *state, const fpx_st_info *info);
void io_st_digest_end(XXH3_state_t *state, char ret_text[IO_ST_DIGEST_ROOM]);

/* Length and header as they begin a file, for free(); infos' offsets are set by it. At *ret_digest_at stand the
 * 32 characters of the digest, all '0' until the caller puts it there. FPX_EINVAL: fpx_st_write's refusals. */
fpx_status io_st_make_head(const char *path, fpx_st_info *infos, size_t ninfos,
                           const fpx_st_pair *pairs, size_t npairs, char **ret_head,
                           size_t *ret_count, size_t *ret_digest_at, fpx_error *err);

#endif /* IO_SAFETENSORS_CONTENT_H */
