/* codes_run.c - an array runs through a fixed set of buffers. What is computed depends on the element and its
 * index alone, so the size of the pieces never enters a number. */
#include "codes_run.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include <fpx/stream.h>

#include "codes_piece.h"

static fpx_status encode(const cli_quantizer *z, int is_f32, codes_buffers *b, uint64_t at,
                         size_t n)
{
    const fpx_stream stream = { .seed = z->seed, .site = z->site };
    const fpx_conversion *const c = &z->conversion;
    const float scale = (float)z->scale;

    if (c->round == FPX_SR) {
        if (is_f32)
            return fpx_encode_f32_stream(c, scale, b->x32, &stream, at, b->codes, n);
        codes_random(&stream, c->sr_bits, at, b->random, n);
        return fpx_encode_f64_random(c, z->scale, b->x64, b->random, b->codes, n);
    }
    return is_f32 ? fpx_encode_f32(c, scale, b->x32, b->codes, n)
                  : fpx_encode_f64(c, z->scale, b->x64, b->codes, n);
}

static fpx_status add_loss(const cli_quantizer *z, int is_f32, codes_buffers *b, size_t n,
                           cli_loss *loss)
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

/* Takes the finite elements: one NaN must not switch the scaling of all others off. */
static void add_amax(int is_f32, const codes_buffers *b, size_t n, cli_amax *amax)
{
    const fpx_fpenv env = fpx_fpenv_enter();

    for (size_t i = 0; i < n; i++) {
        const double x = fabs(is_f32 ? (double)b->x32[i] : b->x64[i]);
        amax->nan += isnan(x) != 0;
        amax->inf += isinf(x) != 0;
        if (isfinite(x) && x > amax->largest)
            amax->largest = x;
    }
    amax->count += n;
    fpx_fpenv_leave(env);
}

/* The scale, in the precision that it multiplies in; 1 for what has no amax. */
static double scale_of(const fpx_format *format, int is_f32, double amax)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const double limit = is_f32 ? (double)FLT_MAX : DBL_MAX;
    const double largest = fmin(fpx_format_max(format), limit);
    double scale = is_f32 ? (double)((float)largest / (float)amax) : largest / amax;

    scale = fmin(scale, limit);
    fpx_fpenv_leave(env);
    return amax > 0.0 && scale > 0.0 ? scale : 1.0;
}

fpx_status cli_codes_find_scale(const fpx_format *to, const cli_codes_in *in, cli_amax *ret_amax,
                                fpx_error *err)
{
    const int is_f32 = codes_over_f32(&in->format);
    fpx_status status = in->rewind(in->context, err); /* refused by a pipe, before it is read */
    cli_amax amax = { .scale = 1.0 };

    if (status != FPX_OK)
        return status;
    codes_buffers *const b = calloc(1, sizeof *b);
    if (b == NULL)
        return codes_out_of_memory(in, err);
    for (uint64_t at = 0; at < in->count && status == FPX_OK; at += CODES_PIECE) {
        const size_t n = codes_piece_at(in->count, at);
        status = codes_read(in, b, at, n, err);
        if (status == FPX_OK)
            status = codes_values(&in->format, is_f32, b, n);
        if (status == FPX_OK)
            add_amax(is_f32, b, n, &amax);
    }
    free(b);
    if (status == FPX_OK)
        status = in->rewind(in->context, err);
    if (status != FPX_OK)
        return status;
    amax.scale = scale_of(to, is_f32, amax.largest);
    *ret_amax = amax;
    return FPX_OK;
}

fpx_status cli_codes_check_scale(const cli_codes_in *in, double *scale, fpx_error *err)
{
    if (!codes_over_f32(&in->format))
        return FPX_OK;
    if (!((float)*scale > 0.0f) || !isfinite((float)*scale))
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: --scale %g: %s is multiplied in float32, which has 1.4e-45 to "
                             "3.4e38 (float64 takes what float64 has)",
                             in->name, *scale, in->format.name);
    *scale = (double)(float)*scale;
    return FPX_OK;
}

fpx_status cli_codes_quantize(const cli_quantizer *quantizer, const cli_codes_in *in,
                              const cli_codes_out *out, cli_loss *loss, fpx_error *err)
{
    codes_buffers *const b = calloc(1, sizeof *b);
    const int is_f32 = codes_over_f32(&in->format);
    fpx_status status = b == NULL ? codes_out_of_memory(in, err) : FPX_OK;
    time_t last = time(NULL);
    uint64_t at = 0;

    while (status == FPX_OK) { /* once where it is empty: the end is looked at, too */
        const size_t n = codes_piece_at(in->count, at);
        status = codes_read(in, b, at, n, err);
        if (status == FPX_OK)
            status = codes_values(&in->format, is_f32, b, n);
        if (status == FPX_OK)
            status = encode(quantizer, is_f32, b, at, n);
        if (status == FPX_OK && loss != NULL)
            status = add_loss(quantizer, is_f32, b, n, loss);
        if (status == FPX_OK)
            status = codes_write(out, &quantizer->conversion.format, b, n, err);
        at += n;
        codes_progress(in, at, &last);
        if (at == in->count)
            break;
    }
    free(b);
    return status;
}
