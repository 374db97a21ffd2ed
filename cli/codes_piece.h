/* codes_piece.h - a piece of an array between reading and writing: what quantizing and dequantizing share. */
#ifndef CLI_CODES_PIECE_H
#define CLI_CODES_PIECE_H

#include <time.h>

#include "codes_run.h"

/* A multiple of 8, for packed codes; all codes_buffers together, 0.9 MB, fit a second-level cache. */
enum { CODES_PIECE = 1 << 14 };

typedef struct codes_buffers {
    double raw[CODES_PIECE];    /* as read: codes of at most 8 bytes */
    double packed[CODES_PIECE]; /* before unpacking, or after packing */
    float x32[CODES_PIECE];
    double x64[CODES_PIECE];
    uint32_t random[CODES_PIECE];
    double codes[CODES_PIECE]; /* of at most 8 bytes */
    double y[CODES_PIECE], q[CODES_PIECE];
} codes_buffers;

/* Elements from `at` on, at most a piece of them. */
size_t codes_piece_at(uint64_t count, uint64_t at);

/* The next n codes into b->raw, unpacked. FPX_EFORMAT: a code that is wider than its format; FPX_EINTERRUPTED. */
fpx_status codes_read(const cli_codes_in *in, codes_buffers *b, uint64_t at, size_t n,
                      fpx_error *err);

/* n codes from b->codes, packed where out is. */
fpx_status codes_write(const cli_codes_out *out, const fpx_format *format, codes_buffers *b,
                       size_t n, fpx_error *err);

/* float32 has every value of the source, so that the way over it rounds nothing. */
int codes_over_f32(const fpx_format *format);

/* The values of b->raw into b->x32 or b->x64. */
fpx_status codes_values(const fpx_format *format, int is_f32, codes_buffers *b, size_t n);

/* The random bits of elements from `first` on, as fpx_encode_f32_stream takes them. */
void codes_random(const fpx_stream *stream, unsigned sr_bits, uint64_t first, uint32_t *dst,
                  size_t n);

/* For people only, and rarely. */
void codes_progress(const cli_codes_in *in, uint64_t done, time_t *last);

fpx_status codes_out_of_memory(const cli_codes_in *in, fpx_error *err);

#endif /* CLI_CODES_PIECE_H */
