/* safetensors_header.h - the header of a safetensors file, taken apart and held against the file's length. */
#ifndef IO_SAFETENSORS_HEADER_H
#define IO_SAFETENSORS_HEADER_H

#include <jansson.h>

#include "safetensors_content.h"

typedef struct io_st_header {
    json_t *json;       /* owns all names and texts */
    fpx_st_info *infos; /* in file order; they tile the data */
    size_t ninfos;
    const fpx_st_info **by_name;
    fpx_st_pair *pairs; /* of the metadata, without the digest */
    size_t npairs;
} io_st_header;

/* The length in the first 8 bytes (got of them are there) of a file of `total` bytes. FPX_EFORMAT. */
fpx_status io_st_length(const char *path, const unsigned char first[8], size_t got, uint64_t total,
                        size_t *ret_length, fpx_error *err);

/* text: `length` bytes, behind which data_bytes bytes follow. FPX_EFORMAT, FPX_ENOMEM. */
fpx_status io_st_header_parse(const char *path, const char *text, size_t length,
                              uint64_t data_bytes, io_st_header *ret_header, fpx_error *err);
void io_st_header_free(io_st_header *header);

/* NULL: absent. */
const char *io_st_header_metadata(const io_st_header *header, const char *key);

/* FPX_EFORMAT where the digest that the metadata state is another one. */
fpx_status io_st_compare_digest(const char *path, const char *stated, const char *digest,
                                fpx_error *err);

/* path: tensor 'name' what. */
fpx_status io_st_refuse(const char *path, fpx_status status, const char *tensor, const char *what,
                        fpx_error *err);

#endif /* IO_SAFETENSORS_HEADER_H */
