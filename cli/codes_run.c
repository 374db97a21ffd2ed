/* codes_run.c - an array runs through a fixed set of buffers. What is computed depends on the element and its
 * index alone, so the size of the pieces never enters a number. */
#include "codes_run.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <fpx/pack.h>
#include <fpx/stream.h>

#include "cli.h"

/* A multiple of 8, for packed codes; all buffers together, 0.9 MB, fit a second-level cache. */
enum { PIECE = 1 << 14 };

typedef struct buffers {
    double raw[PIECE];    /* as read: codes of at most 8 bytes */
    double packed[PIECE]; /* before unpacking, or after packing */
    float x32[PIECE];
    double x64[PIECE];
    uint32_t random[PIECE];
    double codes[PIECE]; /* of at most 8 bytes */
    double y[PIECE], q[PIECE];
} buffers;

static size_t bytes_of(const fpx_format *format, int packed, size_t n)
{
    return packed ? n * format->bits / 8 : n * fpx_format_size(format);
}

static size_t piece_at(uint64_t count, uint64_t at)
{
    return count - at < PIECE ? (size_t)(count - at) : PIECE;
}

/* For people only, and rarely. */
static void progress(const cli_codes_in *in, uint64_t done, time_t *last)
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
                                 in->format.bits < 8 ? ": packed codes need --packed" : "");
    }
    return FPX_OK;
}

static fpx_status read_piece(const cli_codes_in *in, buffers *b, uint64_t at, size_t n,
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

static fpx_status write_piece(const cli_codes_out *out, const fpx_format *format, buffers *b,
                              size_t n, fpx_error *err)
{
    if (out->packed)
        (void)fpx_pack(format->bits, (const uint8_t *)b->codes, n,
                       (uint8_t *)b->packed); /* 4 or 6 bits: cli_can_pack */
    return out->write(out->context, out->packed ? b->packed : b->codes,
                      bytes_of(format, out->packed, n), err);
}

/* float32 has every value of the source, so that the way over it rounds nothing. */
static int over_f32(const fpx_format *format)
{
    return fpx_decode_f32(format, 1.0f, NULL, NULL, 0) == FPX_OK;
}

static fpx_status to_values(const cli_codes_in *in, int is_f32, buffers *b, size_t n)
{
    return is_f32 ? fpx_decode_f32(&in->format, 1.0f, b->raw, b->x32, n)
                  : fpx_decode_f64(&in->format, 1.0, b->raw, b->x64, n);
}

static fpx_status encode(const cli_quantizer *z, int is_f32, buffers *b, uint64_t at, size_t n)
{
    const fpx_stream stream = { .seed = z->seed, .site = z->site };
    const fpx_conversion *const c = &z->conversion;
    const float scale = (float)z->scale;

    if (c->round == FPX_SR) {
        fpx_stream_u32_array(&stream, at, b->random, n);
        return is_f32 ? fpx_encode_f32_random(c, scale, b->x32, b->random, b->codes, n)
                      : fpx_encode_f64_random(c, z->scale, b->x64, b->random, b->codes, n);
    }
    return is_f32 ? fpx_encode_f32(c, scale, b->x32, b->codes, n)
                  : fpx_encode_f64(c, z->scale, b->x64, b->codes, n);
}

static fpx_status add_loss(const cli_quantizer *z, int is_f32, buffers *b, size_t n, cli_loss *loss)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const float scale = (float)z->scale;

    for (size_t i = 0; i < n; i++)
        b->y[i] = is_f32 ? (double)(b->x32[i] * scale) : b->x64[i] * z->scale;
    const fpx_status status = fpx_decode_f64(&z->conversion.format, 1.0, b->codes, b->q, n);
    if (status == FPX_OK)
        cli_loss_add(loss, &z->conversion.format, b->y, b->q, n);
    fpx_fpenv_leave(env);
    return status;
}

/* Largest magnitude; Inf where there is an Inf or a NaN. */
static double amax_of(int is_f32, const buffers *b, size_t n, double amax)
{
    const fpx_fpenv env = fpx_fpenv_enter();

    for (size_t i = 0; i < n; i++) {
        const double x = fabs(is_f32 ? (double)b->x32[i] : b->x64[i]);
        if (!(x <= amax))
            amax = isnan(x) ? (double)INFINITY : x;
    }
    fpx_fpenv_leave(env);
    return amax;
}

/* The scale, in the precision that it multiplies in; DeepSeek's rule for what has no amax. */
static double scale_of(const fpx_format *format, int is_f32, double amax)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const double limit = is_f32 ? (double)FLT_MAX : DBL_MAX;
    const double largest = fmin(fpx_format_max(format), limit);
    double scale = is_f32 ? (double)((float)largest / (float)amax) : largest / amax;

    scale = fmin(scale, limit);
    fpx_fpenv_leave(env);
    return amax > 0.0 && isfinite(amax) && scale > 0.0 ? scale : 1.0;
}

static fpx_status out_of_memory(const cli_codes_in *in, fpx_error *err)
{
    return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", in->name);
}

fpx_status cli_codes_find_scale(const fpx_format *to, const cli_codes_in *in, double *ret_scale,
                                fpx_error *err)
{
    const int is_f32 = over_f32(&in->format);
    fpx_status status = in->rewind(in->context, err); /* refused by a pipe, before it is read */
    double amax = 0.0;

    if (status != FPX_OK)
        return status;
    buffers *const b = calloc(1, sizeof *b);
    if (b == NULL)
        return out_of_memory(in, err);
    for (uint64_t at = 0; at < in->count && status == FPX_OK; at += PIECE) {
        const size_t n = piece_at(in->count, at);
        status = read_piece(in, b, at, n, err);
        if (status == FPX_OK)
            status = to_values(in, is_f32, b, n);
        if (status == FPX_OK)
            amax = amax_of(is_f32, b, n, amax);
    }
    free(b);
    if (status == FPX_OK)
        status = in->rewind(in->context, err);
    if (status == FPX_OK)
        *ret_scale = scale_of(to, is_f32, amax);
    return status;
}

fpx_status cli_codes_quantize(const cli_quantizer *quantizer, const cli_codes_in *in,
                              const cli_codes_out *out, cli_loss *loss, fpx_error *err)
{
    buffers *const b = calloc(1, sizeof *b);
    const int is_f32 = over_f32(&in->format);
    fpx_status status = b == NULL ? out_of_memory(in, err) : FPX_OK;
    time_t last = time(NULL);
    uint64_t at = 0;

    while (status == FPX_OK) { /* once where it is empty: the end is looked at, too */
        const size_t n = piece_at(in->count, at);
        status = read_piece(in, b, at, n, err);
        if (status == FPX_OK)
            status = to_values(in, is_f32, b, n);
        if (status == FPX_OK)
            status = encode(quantizer, is_f32, b, at, n);
        if (status == FPX_OK && loss != NULL)
            status = add_loss(quantizer, is_f32, b, n, loss);
        if (status == FPX_OK)
            status = write_piece(out, &quantizer->conversion.format, b, n, err);
        at += n;
        progress(in, at, &last);
        if (at == in->count)
            break;
    }
    free(b);
    return status;
}

static void divide(const fpx_format *to, double scale, void *values, size_t n)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const float scale32 = (float)scale;

    for (size_t i = 0; i < n && to->bits == 32; i++) {
        float *const x = (float *)values + i;
        *x = isnan(*x) ? *x : *x / scale32;
    }
    for (size_t i = 0; i < n && to->bits == 64; i++) {
        double *const x = (double *)values + i;
        *x = isnan(*x) ? *x : *x / scale;
    }
    fpx_fpenv_leave(env);
}

static fpx_status decode(const fpx_format *to, double scale, const cli_codes_in *in, buffers *b,
                         size_t n)
{
    const fpx_conversion narrow = { .format = *to, .overflow = FPX_OVERFLOW_NONE };
    fpx_status status;

    if (to->bits == 16)
        return fpx_encode_codes(&narrow, &in->format, b->raw, b->codes, n);
    status = to->bits == 32 ? fpx_decode_f32(&in->format, 1.0f, b->raw, (float *)b->codes, n)
                            : fpx_decode_f64(&in->format, 1.0, b->raw, b->codes, n);
    if (status == FPX_OK && scale != 1.0)
        divide(to, scale, b->codes, n);
    return status;
}

fpx_status cli_codes_dequantize(const fpx_format *to, double scale, const cli_codes_in *in,
                                const cli_codes_out *out, fpx_error *err)
{
    fpx_status status = FPX_OK;
    time_t last = time(NULL);
    uint64_t at = 0;

    if (to->bits == 16 && scale != 1.0)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: a scale and %s would round twice: dequantize to fp32, then "
                             "quantize to %s",
                             in->name, to->name, to->name);
    if (to->bits == 32 && !over_f32(&in->format))
        return fpx_error_set(err, FPX_EUNSUPPORTED, "%s: fp32 lacks values of %s: take --to fp64",
                             in->name, in->format.name);
    buffers *const b = calloc(1, sizeof *b);
    if (b == NULL)
        return out_of_memory(in, err);
    while (status == FPX_OK) {
        const size_t n = piece_at(in->count, at);
        status = read_piece(in, b, at, n, err);
        if (status == FPX_OK)
            status = decode(to, scale, in, b, n);
        if (status == FPX_OK)
            status = write_piece(out, to, b, n, err);
        at += n;
        progress(in, at, &last);
        if (at == in->count)
            break;
    }
    free(b);
    return status;
}
