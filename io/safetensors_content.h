/* safetensors_content.h - what reader and writer of safetensors share: names of formats, tensors in order
 * of their names, and the digest of the content. */
#ifndef IO_SAFETENSORS_CONTENT_H
#define IO_SAFETENSORS_CONTENT_H

#include <fpx/safetensors.h>

#define IO_ST_METADATA "__metadata__"
#define IO_ST_DIGEST "fpx.digest"

enum {
    IO_ST_MAX_HEADER = 100000000, /* the format's own limit */
    IO_ST_DIGEST_ROOM = 33        /* 128 bits as text */
};

/* "F8_E4M3" and the like; NULL where the file format has no name for it, or we have no format. */
const char *io_st_dtype(const fpx_format *format);
const fpx_format *io_st_format(const char *dtype);

/* Pointers to the entries, ordered by name; n + 1 of them, the last one NULL. NULL: out of memory. */
const fpx_st_entry **io_st_by_name(const fpx_st_entry *entries, size_t n);

/* The digest that fpx/safetensors.h defines. pairs: sorted here, in place; IO_ST_DIGEST not among them.
 * FPX_ENOMEM. */
fpx_status io_st_digest(const fpx_st_entry *const *by_name, size_t nentries, fpx_st_pair *pairs,
                        size_t npairs, char ret_text[IO_ST_DIGEST_ROOM]);

#endif /* IO_SAFETENSORS_CONTENT_H */
