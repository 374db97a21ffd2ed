/* codes_piece.c - reading, unpacking, packing and writing a piece. */
#include "codes_piece.h"

#include <inttypes.h>
#include <unistd.h>

#include <fpx/pack.h>

#include "cli.h"

static size_t bytes_of(const fpx_format *format, int packed, size_t n)
{
    return packed ? n * format->bits / 8 : n * fpx_format_size(format);
}

size_t codes_piece_at(uint64_t count, uint64_t at)
{
    return count - at < CODES_PIECE ? (size_t)(count - at) : CODES_PIECE;
}

void codes_progress(const cli_codes_in *in, uint64_t done, time_t *last)
{
    const time_t now = time(NULL);

    if (now == *last || isatty(STDERR_FILENO) != 1)
        return;
    *last = now;
    (void)fputc('\r', stderr);
    cli_put(stderr, in->name);
    (void)fprintf(stderr, done == in->count ? ": done   \n" : ": %3.0f %%",
                  100.0 * (double)done / (double)(in->count > 0 ? in->count : 1));
}

/* A code of a narrow format with bits above it is another format's, or two packed ones. */
static fpx_status check_width(const cli_codes_in *in, const void *codes, uint64_t at, size_t n,
                              fpx_error *err)
{
    if (in->format.bits % 8 == 0)
        return FPX_OK;
    for (size_t i = 0; i < n; i++) {
        const uint64_t code = fpx_format_code(&in->format, codes, i);
        if (code >> in->format.bits != 0)
            return fpx_error_set(err, FPX_EFORMAT,
                                 "%s: element %" PRIu64 " is 0x%" PRIx64
                                 ", more than the %u bits of %s%s",
                                 in->name, at + i, code, in->format.bits, in->format.name,
                                 in->format.bits < 8 && in->wide != NULL ? in->wide : "");
    }
    return FPX_OK;
}

fpx_status codes_read(const cli_codes_in *in, codes_buffers *b, uint64_t at, size_t n,
                      fpx_error *err)
{
    fpx_status status;

    if (cli_interrupted())
        return fpx_error_set(err, FPX_EINTERRUPTED, "%s: interrupted; nothing is written",
                             in->name);
    status = in->read(in->context, in->packed ? b->packed : b->raw,
                      bytes_of(&in->format, in->packed, n), err);
    if (status == FPX_OK && in->packed)
        status = fpx_unpack(in->format.bits, (const uint8_t *)b->packed, n, (uint8_t *)b->raw);
    return status == FPX_OK ? check_width(in, b->raw, at, n, err) : status;
}

fpx_status codes_write(const cli_codes_out *out, const fpx_format *format, codes_buffers *b,
                       size_t n, fpx_error *err)
{
    if (out->packed)
        (void)fpx_pack(format->bits, (const uint8_t *)b->codes, n,
                       (uint8_t *)b->packed); /* 4 or 6 bits: cli_can_pack */
    return out->write(out->context, out->packed ? b->packed : b->codes,
                      bytes_of(format, out->packed, n), err);
}

int codes_over_f32(const fpx_format *format)
{
    return fpx_decode_f32(format, 1.0f, NULL, NULL, 0) == FPX_OK;
}

fpx_status codes_values(const fpx_format *format, int is_f32, codes_buffers *b, size_t n)
{
    return is_f32 ? fpx_decode_f32(format, 1.0f, b->raw, b->x32, n)
                  : fpx_decode_f64(format, 1.0, b->raw, b->x64, n);
}

void codes_random(const fpx_stream *stream, unsigned sr_bits, uint64_t first, uint32_t *dst,
                  size_t n)
{
    if (sr_bits > 16)
        fpx_stream_u32_array(stream, first, dst, n);
    for (size_t i = 0; i < n && sr_bits <= 16; i++)
        dst[i] = fpx_stream_u16(stream, first + i);
}

fpx_status codes_out_of_memory(const cli_codes_in *in, fpx_error *err)
{
    return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", in->name);
}
