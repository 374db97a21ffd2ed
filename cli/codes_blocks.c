/* codes_blocks.c - a matrix goes through in strips of whole blocks; its scales stay in memory until the codes are
 * written, because they are the next tensor of the file. */
#include "codes_blocks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codes_piece.h"

/* Elements of a strip, where blocks allow it. */
enum { STRIP = 1 << 16 };

typedef struct matrix {
    size_t rows, cols, strip; /* strip: rows at a time */
    size_t grid_cols;
    size_t scales_bytes, scale_size;
} matrix;

typedef struct strip_buffers {
    codes_buffers *pieces;
    float *values;
    uint8_t *codes;
    uint32_t *random;
    char *scales; /* of the whole matrix */
} strip_buffers;

fpx_status cli_block_parse(const char *name, fpx_blocking *ret_blocking, fpx_error *err)
{
    char all[512] = "";
    size_t length = 0;
    const char *source = NULL;
    fpx_blocking b;

    if (fpx_blocking_find(name, ret_blocking) == FPX_OK)
        return FPX_OK;
    for (size_t i = 0; fpx_blocking_at(i, &b, &source) == FPX_OK; i++)
        length +=
            (size_t)snprintf(all + length, sizeof all - length, "%s%s", i > 0 ? ", " : "", b.name);
    return fpx_error_set(err, FPX_EINVAL, "--block '%.32s': one of %s", name, all);
}

static int reads_amax(const fpx_blocking *b)
{
    return b->rule == FPX_RULE_NVFP4_TE || b->rule == FPX_RULE_NVFP4_TORCHAO ||
           b->rule == FPX_RULE_NVFP4_46;
}

/* Strips of whole blocks, and of whole bytes of packed codes. */
static matrix matrix_of(const fpx_blocking *b, const fpx_st_info *info)
{
    matrix m = { .cols = (size_t)info->shape[info->ndim - 1],
                 .scale_size = fpx_format_size(fpx_blocking_scale_format(b)) };
    const size_t unit = b->block[0] * 8;
    size_t grid_rows = 0;

    m.rows = (size_t)info->count / m.cols;
    fpx_blocking_grid(b, m.rows, m.cols, &grid_rows, &m.grid_cols);
    m.scales_bytes = grid_rows * m.grid_cols * m.scale_size;
    m.strip = unit == 0 ? m.rows : (STRIP / m.cols / unit + 1) * unit;
    m.strip = m.strip < m.rows ? m.strip : m.rows;
    return m;
}

static void release(strip_buffers *b)
{
    free(b->pieces);
    free(b->values);
    free(b->codes);
    free(b->random);
    free(b->scales);
}

static int reserve(const matrix *m, strip_buffers *ret_buffers)
{
    const size_t n = m->strip * m->cols;
    strip_buffers b = { .pieces = calloc(1, sizeof *b.pieces),
                        .values = calloc(n, sizeof *b.values),
                        .codes = calloc(n, 1),
                        .random = calloc(n, sizeof *b.random),
                        .scales = calloc(m->scales_bytes, 1) };

    *ret_buffers = b;
    return b.pieces != NULL && b.values != NULL && b.codes != NULL && b.random != NULL &&
           b.scales != NULL;
}

/* ---- to codes ---- */
static fpx_status find_amax(const fpx_blocking *blocking, const cli_codes_in *in, float *ret_amax,
                            fpx_error *err)
{
    codes_buffers *const b = calloc(1, sizeof *b);
    fpx_status status = b == NULL ? codes_out_of_memory(in, err) : in->rewind(in->context, err);
    float amax = 0.0f;

    for (uint64_t at = 0; at < in->count && status == FPX_OK; at += CODES_PIECE) {
        const size_t n = codes_piece_at(in->count, at);
        float here = 0.0f;
        status = codes_read(in, b, at, n, err);
        if (status == FPX_OK)
            status = codes_values(&in->format, 1, b, n);
        if (status == FPX_OK)
            status = fpx_blocking_amax(blocking, b->x32, n, &here);
        if (!(here <= amax)) /* a NaN stays */
            amax = isnan(amax) ? amax : here;
    }
    free(b);
    if (status == FPX_OK)
        status = in->rewind(in->context, err);
    *ret_amax = amax;
    return status;
}

static const char *scales_dtype(const fpx_format *format)
{
    /* ue4m3 is e4m3 without its sign bit, which is 0: that is how others store it. */
    return fpx_st_dtype(fpx_format_equal(format, &fpx_ue4m3) ? &fpx_e4m3 : format);
}

fpx_status cli_blocks_plan(const fpx_blocking *blocking, const cli_tensor *tensor,
                           const cli_codes_in *in, cli_tensor_plan *plan, fpx_error *err)
{
    const fpx_st_info *const info = tensor->info;
    size_t grid_rows = 0, grid_cols = 0;

    if (!codes_over_f32(&in->format))
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: holds %s; block scaling is defined on float32: convert it first",
                             in->name, fpx_format_alias(&in->format));
    const size_t cols = (size_t)info->shape[info->ndim - 1];
    fpx_blocking_grid(blocking, (size_t)info->count / cols, cols, &grid_rows, &grid_cols);
    plan->block = blocking->name;
    plan->scales_dtype = scales_dtype(fpx_blocking_scale_format(blocking));
    plan->scales_ndim = blocking->block[0] == 1 ? info->ndim : 2;
    plan->scales_shape = calloc(info->ndim, sizeof *plan->scales_shape);
    if (plan->scales_shape == NULL)
        return codes_out_of_memory(in, err);
    if (blocking->block[0] == 1)
        memcpy(plan->scales_shape, info->shape, info->ndim * sizeof *info->shape);
    else
        plan->scales_shape[0] = grid_rows;
    plan->scales_shape[plan->scales_ndim - 1] = grid_cols;
    plan->states_amax = reads_amax(blocking);
    return plan->states_amax ? find_amax(blocking, in, &plan->amax, err) : FPX_OK;
}

/* n elements from `at` on as float32. */
static fpx_status read_values(const cli_codes_in *in, strip_buffers *b, uint64_t at, size_t n,
                              fpx_error *err)
{
    fpx_status status = FPX_OK;

    for (size_t done = 0; done < n && status == FPX_OK; done += CODES_PIECE) {
        const size_t here = codes_piece_at(n, done);
        status = codes_read(in, b->pieces, at + done, here, err);
        if (status == FPX_OK)
            status = codes_values(&in->format, 1, b->pieces, here);
        if (status == FPX_OK)
            memcpy(b->values + done, b->pieces->x32, here * sizeof *b->values);
    }
    return status;
}

static fpx_status write_codes(const cli_codes_out *out, const fpx_format *format, strip_buffers *b,
                              size_t n, fpx_error *err)
{
    fpx_status status = FPX_OK;

    for (size_t done = 0; done < n && status == FPX_OK; done += CODES_PIECE) {
        const size_t here = codes_piece_at(n, done);
        memcpy(b->pieces->codes, b->codes + done, here);
        status = codes_write(out, format, b->pieces, here, err);
    }
    return status;
}

static fpx_status quantize_strip(const fpx_blocking *blocking, float amax, const fpx_stream *stream,
                                 uint64_t at, size_t rows, size_t cols, strip_buffers *b,
                                 char *scales)
{
    const size_t n = rows * cols;

    if (blocking->element.round != FPX_SR)
        return fpx_block_quantize(blocking, amax, b->values, rows, cols, b->codes, scales);
    codes_random(stream, blocking->element.sr_bits, at, b->random, n);
    return fpx_block_quantize_random(blocking, amax, b->values, b->random, rows, cols, b->codes,
                                     scales);
}

fpx_status cli_blocks_quantize(const fpx_blocking *blocking, float amax, const fpx_stream *stream,
                               const cli_tensor *tensor, const cli_codes_in *in,
                               const cli_codes_out *out, fpx_error *err)
{
    const matrix m = matrix_of(blocking, tensor->info);
    time_t last = time(NULL);
    strip_buffers b;
    fpx_status status = FPX_OK;

    if (!reserve(&m, &b)) {
        release(&b);
        return codes_out_of_memory(in, err);
    }
    for (size_t row = 0; row < m.rows && status == FPX_OK; row += m.strip) {
        const size_t rows = m.rows - row < m.strip ? m.rows - row : m.strip;
        const size_t grid_row = blocking->block[0] == 0 ? 0 : row / blocking->block[0];
        const uint64_t at = (uint64_t)row * m.cols;
        status = read_values(in, &b, at, rows * m.cols, err);
        if (status == FPX_OK)
            status = quantize_strip(blocking, amax, stream, at, rows, m.cols, &b,
                                    b.scales + grid_row * m.grid_cols * m.scale_size);
        if (status == FPX_OK)
            status = write_codes(out, &blocking->element.format, &b, rows * m.cols, err);
        codes_progress(in, at + rows * m.cols, &last);
    }
    if (status == FPX_OK)
        status = out->write(out->context, b.scales, m.scales_bytes, err);
    release(&b);
    return status;
}

/* ---- back ---- */
fpx_status cli_blocks_of(const cli_tensor *t, const cli_codes_in *in, fpx_blocking *ret_blocking,
                         fpx_error *err)
{
    fpx_blocking b = { .block = { 0, 0 } };
    int fits = fpx_blocking_find(t->block, &b) == FPX_OK && t->format.bits > 0 &&
               t->info->ndim >= 2 && t->info->count > 0 && !t->is_scaled;

    if (fits) {
        b.element.format = t->format;
        fits = fpx_blocking_check(&b) == FPX_OK &&
               strcmp(t->scales->dtype, scales_dtype(fpx_blocking_scale_format(&b))) == 0 &&
               t->scales->bytes == matrix_of(&b, t->info).scales_bytes &&
               (!reads_amax(&b) || !(t->amax < 0.0f));
    }
    if (!fits)
        return fpx_error_set(err, FPX_EFORMAT,
                             "%s: metadata say blocks of '%.32s', which does not fit it or its "
                             "scales",
                             in->name, t->block);
    *ret_blocking = b;
    return FPX_OK;
}

static fpx_status read_codes(const cli_codes_in *in, strip_buffers *b, uint64_t at, size_t n,
                             fpx_error *err)
{
    fpx_status status = FPX_OK;

    for (size_t done = 0; done < n && status == FPX_OK; done += CODES_PIECE) {
        const size_t here = codes_piece_at(n, done);
        status = codes_read(in, b->pieces, at + done, here, err);
        if (status == FPX_OK)
            memcpy(b->codes + done, b->pieces->raw, here);
    }
    return status;
}

static fpx_status write_values(const cli_codes_out *out, const fpx_format *to, strip_buffers *b,
                               size_t n, cli_lost *lost, fpx_error *err)
{
    const fpx_conversion c = { .format = *to, .overflow = FPX_OVERFLOW_NONE };
    codes_buffers *const p = b->pieces;
    fpx_status status = FPX_OK;

    for (size_t done = 0; done < n && status == FPX_OK; done += CODES_PIECE) {
        const size_t here = codes_piece_at(n, done);
        status = fpx_encode_f32(&c, 1.0f, b->values + done, p->codes, here);
        if (status == FPX_OK)
            status = fpx_decode_f64(to, 1.0, p->codes, p->y, here);
        for (size_t i = 0; i < here && status == FPX_OK; i++) {
            const float x = b->values[done + i];
            lost->overflowed += isfinite(x) && isinf(p->y[i]);
            lost->underflowed += x != 0.0f && p->y[i] == 0.0;
        }
        if (status == FPX_OK)
            status = codes_write(out, to, p, here, err);
    }
    return status;
}

fpx_status cli_blocks_dequantize(const fpx_format *to, const cli_tensor *tensor,
                                 const cli_codes_in *in, const cli_codes_out *out,
                                 cli_lost *ret_lost, fpx_error *err)
{
    fpx_blocking blocking = { .block = { 0, 0 } };
    strip_buffers b;
    time_t last = time(NULL);
    fpx_status status = cli_blocks_of(tensor, in, &blocking, err);

    *ret_lost = (cli_lost){ 0 };
    if (status != FPX_OK)
        return status;
    const matrix m = matrix_of(&blocking, tensor->info);
    if (!reserve(&m, &b)) {
        release(&b);
        return codes_out_of_memory(in, err);
    }
    status = fpx_st_stream_read(tensor->stream, tensor->scales, 0, b.scales, m.scales_bytes, err);
    for (size_t row = 0; row < m.rows && status == FPX_OK; row += m.strip) {
        const size_t rows = m.rows - row < m.strip ? m.rows - row : m.strip;
        const size_t grid_row = blocking.block[0] == 0 ? 0 : row / blocking.block[0];
        const uint64_t at = (uint64_t)row * m.cols;
        status = read_codes(in, &b, at, rows * m.cols, err);
        if (status == FPX_OK)
            status = fpx_block_dequantize(&blocking, tensor->amax, b.codes,
                                          b.scales + grid_row * m.grid_cols * m.scale_size, rows,
                                          m.cols, b.values);
        if (status == FPX_OK)
            status = write_values(out, to, &b, rows * m.cols, ret_lost, err);
        codes_progress(in, at + rows * m.cols, &last);
    }
    release(&b);
    return status;
}
