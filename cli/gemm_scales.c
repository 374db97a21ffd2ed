/* gemm_scales.c - scales of blocks as the units take them: one for some elements along k, for each row or column. */
#include "gemm_scales.h"

#include <stdlib.h>
#include <string.h>

#include "codes_piece.h"

static size_t rows_of(const cli_tensor *t)
{
    return (size_t)(t->info->count / t->info->shape[t->info->ndim - 1]);
}

/* A block of several rows becomes as many rows of equal scales. */
static fpx_status spread(const cli_tensor *t, const fpx_blocking *b, const cli_codes_in *in,
                         gemm_array *a, fpx_error *err)
{
    const size_t rows = rows_of(t), cols = (size_t)t->info->shape[t->info->ndim - 1];
    const size_t size = fpx_format_size(&a->scale_format);
    size_t grid_rows = 0, grid_cols = 0;
    fpx_status status = FPX_OK;

    fpx_blocking_grid(b, rows, cols, &grid_rows, &grid_cols);
    const size_t row_bytes = grid_cols * size;
    unsigned char *const scales = calloc(rows, row_bytes);
    if (scales == NULL)
        return codes_out_of_memory(in, err);
    for (size_t i = 0; i < rows && status == FPX_OK; i++) {
        if (i % b->block[0] == 0)
            status = fpx_st_stream_read(t->stream, t->scales, i / b->block[0] * row_bytes,
                                        scales + i * row_bytes, row_bytes, err);
        else
            memcpy(scales + i * row_bytes, scales + (i - 1) * row_bytes, row_bytes);
    }
    a->scales = scales;
    a->scale_block = (size_t)b->block[1];
    a->scale_axis = a->ndim - 1;
    a->scale_stride_k = 1;
    a->scale_stride_vector = grid_cols;
    a->scale_stride_batch = a->shape[a->ndim - 2] * grid_cols;
    return status;
}

/* What multiplies beside the scale of a block: fpx/block.h's decoding, with one division. */
static float scale_beside(const fpx_blocking *b, float amax)
{
    switch ((fpx_block_rule)b->rule) {
    case FPX_RULE_NVFP4_TE:
    case FPX_RULE_NVFP4_TORCHAO:
        return amax / (448.0f * 6.0f);
    case FPX_RULE_NVFP4_46:
        return amax / (b->bound * 6.0f);
    case FPX_RULE_MX:
    case FPX_RULE_TILE_TE:
    case FPX_RULE_TILE_DIVIDE:
    case FPX_RULE_TILE_RECIPROCAL:
        break;
    }
    return 1.0f;
}

fpx_status gemm_scales_of_tensor(const cli_tensor *tensor, const cli_codes_in *in,
                                 gemm_array *array, fpx_error *err)
{
    fpx_blocking b = { .block = { 0, 0 } };
    const fpx_status status = cli_blocks_of(tensor, in, &b, err);

    if (status != FPX_OK)
        return status;
    const fpx_format *const scale = fpx_blocking_scale_format(&b);
    array->block = b.name;
    if (b.block[0] == 0 && b.block[1] == 0) {
        array->is_scaled = 1;
        return fpx_st_stream_read(tensor->stream, tensor->scales, 0, &array->factor,
                                  sizeof array->factor, err);
    }
    if (scale->bits > 8)
        return fpx_error_set(
            err, FPX_EUNSUPPORTED,
            "%s: blocks of '%s' have scales in %s, which no matrix unit takes: "
            "dequantize it, or quantize with --block mx-..., nvfp4-... or tensor-te",
            in->name, b.name, scale->name);
    array->scale_format = *scale;
    array->is_scaled = b.rule != FPX_RULE_MX;
    array->factor = scale_beside(&b, tensor->amax);
    return spread(tensor, &b, in, array, err);
}

/* ---- a file of its own ---- */
/* Elements that share a scale, where `blocks` of them cover k: the sizes that hardware has, or a whole part; 0: none. */
static size_t block_of(size_t k, size_t blocks, const fpx_format *scale)
{
    const size_t first = scale->mbits > 0 ? 16 : 32; /* NVFP4's, MX's */
    const size_t sizes[] = { first, 48 - first };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (k / sizes[i] + (k % sizes[i] != 0) == blocks)
            return sizes[i];
    }
    return k % blocks == 0 ? k / blocks : 0;
}

static fpx_status misfit(const gemm_array *a, const gemm_array *s, size_t axis, fpx_error *err)
{
    char have[GEMM_SHAPE_TEXT], of[GEMM_SHAPE_TEXT], want[GEMM_SHAPE_TEXT];
    gemm_array fit = *a;

    gemm_shape_text(s, have);
    gemm_shape_text(a, of);
    fit.shape[axis] = a->shape[axis] / 32 + (a->shape[axis] % 32 != 0);
    gemm_shape_text(&fit, want);
    return fpx_error_set(err, FPX_EINVAL,
                         "%s: scales of %s do not fit %s of %s: one float32 for all of it, or one "
                         "code for each block along k (%s for blocks of 32)",
                         s->label, have, a->what, of, want);
}

static fpx_status take_blocks(gemm_array *s, size_t axis, gemm_array *a, fpx_error *err)
{
    const size_t last = a->ndim - 1, k = a->shape[axis], blocks = s->shape[axis];
    const int is_e4m3 = fpx_format_equal(&s->format, &fpx_e4m3);

    for (size_t i = 0; i < a->ndim; i++) {
        if (i != axis && s->shape[i] != a->shape[i])
            return misfit(a, s, axis, err);
    }
    a->scale_format = is_e4m3 ? fpx_ue4m3 : s->format; /* as quantize writes ue4m3 */
    a->scale_block = block_of(k, blocks, &a->scale_format);
    if (a->scale_block == 0)
        return misfit(a, s, axis, err);
    a->scale_axis = axis;
    a->scale_stride_k = axis == last ? 1 : s->shape[last];
    a->scale_stride_vector = axis == last ? blocks : 1;
    a->scale_stride_batch = s->shape[last - 1] * s->shape[last];
    a->scales = s->codes;
    s->codes = NULL;
    return FPX_OK;
}

static fpx_status take_one(const gemm_array *s, size_t axis, gemm_array *a, fpx_error *err)
{
    size_t count = 1;

    for (size_t i = 0; i < s->ndim; i++)
        count *= s->shape[i];
    if (count != 1 || !fpx_format_equal(&s->format, &fpx_fp32))
        return misfit(a, s, axis, err);
    memcpy(&a->factor, s->codes, sizeof a->factor);
    a->is_scaled = 1;
    return FPX_OK;
}

fpx_status gemm_scales_of_file(const gemm_word *word, size_t axis, gemm_array *array,
                               fpx_error *err)
{
    gemm_array s;
    fpx_status status;

    if (array->scales != NULL || array->is_scaled || array->block != NULL)
        return fpx_error_set(err, FPX_EINVAL, "%s: has scales of its own: leave out the file %s",
                             array->label, word->file);
    status = gemm_array_read(word, &s, err);
    if (status == FPX_OK && (s.scales != NULL || s.is_scaled))
        status = fpx_error_set(err, FPX_EINVAL, "%s: scales that are scaled themselves", s.label);
    if (status == FPX_OK && s.format.bits <= 8)
        status = s.ndim == array->ndim ? take_blocks(&s, axis, array, err)
                                       : misfit(array, &s, axis, err);
    else if (status == FPX_OK)
        status = take_one(&s, axis, array, err);
    gemm_array_release(&s);
    return status;
}
