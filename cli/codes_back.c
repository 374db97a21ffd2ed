/* codes_back.c - codes to what they stand for: exact values, or their quotients by a scale with one rounding. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codes_piece.h"

/* The quotient rounded to the odd float64: one more rounding, to a float of at most 51 bits, then gives what one
 * rounding of the quotient gives. The exponents stay out, so that the remainder is exact. */
static double divide_to_odd(double x, double scale)
{
    int x_exponent = 0;
    int scale_exponent = 0;
    uint64_t bits = 0;

    if (x == 0.0 || !isfinite(x))
        return x;
    const double y = frexp(x, &x_exponent);
    const double s = frexp(scale, &scale_exponent);
    double q = y / s;
    const double rest = fma(-q, s, y);

    memcpy(&bits, &q, sizeof bits);
    if (rest != 0.0 && (bits & 1) == 0)
        q = nextafter(q, rest > 0.0 ? INFINITY : -INFINITY);
    return ldexp(q, x_exponent - scale_exponent);
}

static void count_lost(double x, double y, cli_lost *lost)
{
    lost->overflowed += isfinite(x) && isinf(y);
    lost->underflowed += x != 0.0 && y == 0.0;
}

static void divide_f32(double scale, codes_buffers *b, size_t n, cli_lost *lost)
{
    float *const y = (float *)b->codes;

    for (size_t i = 0; i < n; i++) {
        y[i] = isnan(b->x32[i]) ? b->x32[i] : b->x32[i] / (float)scale;
        count_lost((double)b->x32[i], (double)y[i], lost);
    }
}

static void divide_f64(double scale, codes_buffers *b, size_t n, cli_lost *lost)
{
    for (size_t i = 0; i < n; i++) {
        b->codes[i] = isnan(b->x64[i]) ? b->x64[i] : b->x64[i] / scale;
        count_lost(b->x64[i], b->codes[i], lost);
    }
}

/* To 16 bits, or by a scale that float32 lacks. */
static fpx_status divide_narrow(const fpx_conversion *to, double scale, codes_buffers *b, size_t n,
                                cli_lost *lost)
{
    for (size_t i = 0; i < n; i++)
        b->y[i] = divide_to_odd(b->x64[i], scale);
    fpx_status status = fpx_encode_f64(to, 1.0, b->y, b->codes, n);
    if (status == FPX_OK)
        status = fpx_decode_f64(&to->format, 1.0, b->codes, b->q, n);
    for (size_t i = 0; i < n && status == FPX_OK; i++)
        count_lost(b->x64[i], b->q[i], lost);
    return status;
}

/* Can every magnitude of `from` be one of `to`'s? */
static int fits(const fpx_format *from, const fpx_format *to)
{
    const uint64_t least = (from->flags & FPX_FORMAT_NO_ZERO) != 0 ? 0 : 1;

    return fpx_format_max(from) <= fpx_format_max(to) &&
           fpx_format_value(from, least) >= fpx_format_value(to, 1);
}

static fpx_status decode(const fpx_format *to, double scale, const cli_codes_in *in,
                         codes_buffers *b, size_t n, cli_lost *lost)
{
    const fpx_conversion narrow = { .format = *to, .overflow = FPX_OVERFLOW_NONE };
    const int scaled = scale != 1.0;
    const int by_f32 = to->bits == 32 && (double)(float)scale == scale;
    fpx_status status;

    if (!scaled && to->bits == 32)
        return fpx_decode_f32(&in->format, 1.0f, b->raw, (float *)b->codes, n);
    if (!scaled && to->bits == 64)
        return fpx_decode_f64(&in->format, 1.0, b->raw, b->codes, n);
    if (!scaled && fits(&in->format, to))
        return fpx_encode_codes(&narrow, &in->format, b->raw, b->codes, n);
    status = codes_values(&in->format, by_f32, b, n);
    if (status != FPX_OK)
        return status;
    const fpx_fpenv env = fpx_fpenv_enter();
    if (by_f32)
        divide_f32(scale, b, n, lost);
    else if (to->bits == 64)
        divide_f64(scale, b, n, lost);
    else
        status = divide_narrow(&narrow, scale, b, n, lost);
    fpx_fpenv_leave(env);
    return status;
}

fpx_status cli_codes_dequantize(const fpx_format *to, double scale, const cli_codes_in *in,
                                const cli_codes_out *out, cli_lost *ret_lost, fpx_error *err)
{
    fpx_status status = FPX_OK;
    time_t last = time(NULL);
    uint64_t at = 0;

    *ret_lost = (cli_lost){ 0 };
    if (to->bits == 32 && !codes_over_f32(&in->format))
        return fpx_error_set(err, FPX_EUNSUPPORTED, "%s: fp32 lacks values of %s: take --to fp64",
                             in->name, in->format.name);
    codes_buffers *const b = calloc(1, sizeof *b);
    if (b == NULL)
        return codes_out_of_memory(in, err);
    while (status == FPX_OK) {
        const size_t n = codes_piece_at(in->count, at);
        status = codes_read(in, b, at, n, err);
        if (status == FPX_OK)
            status = decode(to, scale, in, b, n, ret_lost);
        if (status == FPX_OK)
            status = codes_write(out, to, b, n, err);
        at += n;
        codes_progress(in, at, &last);
        if (at == in->count)
            break;
    }
    free(b);
    return status;
}
