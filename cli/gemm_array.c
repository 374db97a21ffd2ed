/* gemm_array.c - arrays of a product by the readers of quantize and dequantize. */
#include "gemm_array.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "codes_metadata.h"
#include "codes_npy.h"
#include "codes_piece.h"
#include "conversion_args.h"
#include "gemm_scales.h"

fpx_status gemm_place_parse(const char *word, gemm_place *ret_place, fpx_error *err)
{
    static const char mark[] = ".safetensors:";
    const char *const at = strstr(word, mark);
    const size_t length = at == NULL ? strlen(word) : (size_t)(at - word) + sizeof mark - 2;

    if (length >= GEMM_PATH)
        return fpx_error_set(err, FPX_EINVAL, "%.64s...: the name is too long", word);
    memcpy(ret_place->path, word, length);
    ret_place->path[length] = '\0';
    ret_place->tensor = at == NULL ? NULL : at + sizeof mark - 1;
    return FPX_OK;
}

void gemm_shape_text(const gemm_array *array, char ret_text[GEMM_SHAPE_TEXT])
{
    size_t length = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; i < array->ndim; i++)
        length += (size_t)snprintf(ret_text + length, GEMM_SHAPE_TEXT - length, "%s%zu",
                                   i > 0 ? " x " : "", array->shape[i]);
}

static fpx_status set_shape(gemm_array *a, const uint64_t *shape, size_t ndim, fpx_error *err)
{
    if (ndim > GEMM_AXES)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: has %zu axes; a matrix has 2, a batch of them 3: reshape it",
                             a->label, ndim);
    a->ndim = ndim > 0 ? ndim : 1; /* a scalar is an array of one */
    a->shape[0] = 1;
    for (size_t i = 0; i < ndim; i++) {
        if (shape[i] == 0)
            return fpx_error_set(err, FPX_EINVAL,
                                 "%s: is empty, its axis %zu has no elements: there is nothing to "
                                 "multiply",
                                 a->label, i);
        a->shape[i] =
            (size_t)shape[i]; /* it has elements, all of which memory holds or the reader refuses */
    }
    return FPX_OK;
}

void *gemm_room(uint64_t count, size_t size)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const uint64_t most =
        pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : SIZE_MAX; /* not known */

    return count > most / size ? NULL : malloc((size_t)count * size);
}

/* All codes of `in`, unpacked. */
static fpx_status read_all(const cli_codes_in *in, void **ret_codes, fpx_error *err)
{
    const size_t size = fpx_format_size(&in->format);
    codes_buffers *const b = calloc(1, sizeof *b);
    unsigned char *const codes = gemm_room(in->count, size);
    fpx_status status = b == NULL ? codes_out_of_memory(in, err) : FPX_OK;

    if (status == FPX_OK && codes == NULL)
        status = fpx_error_set(err, FPX_ENOMEM,
                               "%s: %" PRIu64 " elements of %s: more than memory holds; multiply "
                               "parts of it",
                               in->name, in->count, in->format.name);
    for (uint64_t at = 0; b != NULL && at < in->count && status == FPX_OK; at += CODES_PIECE) {
        const size_t n = codes_piece_at(in->count, at);
        status = codes_read(in, b, at, n, err);
        if (status == FPX_OK)
            memcpy(codes + at * size, b->raw, n * size);
    }
    free(b);
    if (status == FPX_OK)
        *ret_codes = codes;
    else
        free(codes);
    return status;
}

static fpx_status check_format(const gemm_array *a, fpx_error *err)
{
    if (a->format.bits > 0 && a->format.cls == FPX_CLASS_FLOAT)
        return FPX_OK;
    return fpx_error_set(err, FPX_EINVAL,
                         "%s: holds %s; %s is to hold floats, or codes of a format", a->label,
                         a->format.bits > 0 ? a->format.name : "no numbers of a format", a->what);
}

static fpx_status read_npy(const gemm_word *word, const char *path, gemm_array *a, fpx_error *err)
{
    fpx_npy_reader *reader = NULL;
    fpx_format stated = { .bits = 0 };
    cli_codes_in in;
    fpx_status status =
        word->format != NULL ? fpx_format_parse(word->format, &stated, err) : FPX_OK;

    (void)snprintf(a->label, sizeof a->label, "%.500s",
                   strcmp(path, "-") == 0 ? "standard input" : path);
    if (status == FPX_OK)
        status = fpx_npy_open(path, &reader, err);
    if (status == FPX_OK && word->format == NULL && fpx_npy_array_of(reader)->kind != 'f')
        status = fpx_error_set(err, FPX_EINVAL,
                               "%s: holds codes of %u byte%s: say of which format with %s F (fpx "
                               "formats lists them)",
                               a->label, fpx_npy_array_of(reader)->size,
                               fpx_npy_array_of(reader)->size == 1 ? "" : "s", word->option);
    if (status == FPX_OK)
        status = cli_npy_in(reader, a->label, word->format != NULL ? &stated : NULL, 0, &in, err);
    if (status == FPX_OK) {
        in.wide = ": a .npy holds one code a byte here; packed ones are taken from .safetensors";
        a->format = in.format;
        status = check_format(a, err);
    }
    if (status == FPX_OK)
        status = set_shape(a, fpx_npy_array_of(reader)->shape, fpx_npy_array_of(reader)->ndim, err);
    if (status == FPX_OK)
        status = read_all(&in, &a->codes, err);
    fpx_npy_close(reader);
    return status;
}

/* ---- tensors ---- */
static const char *name_at(const void *of, size_t i)
{
    return ((const fpx_st_info *)of)[i].name;
}

/* The tensor of that name; where none is named, the only one, beside scales of it. */
static fpx_status find_tensor(const gemm_word *word, const gemm_place *place, fpx_st_stream *stream,
                              cli_tensor *ret_tensor, fpx_error *err)
{
    const fpx_st_info *only = NULL;
    size_t n = 0, matching = 0;
    const fpx_st_info *const infos = fpx_st_stream_infos(stream, &n);
    char near[160];

    for (size_t i = 0; i < n; i++) {
        const size_t length = strlen(infos[i].name);
        const int is_scales =
            length > strlen(SCALES) && strcmp(infos[i].name + length - strlen(SCALES), SCALES) == 0;
        if (place->tensor == NULL ? !is_scales : strcmp(infos[i].name, place->tensor) == 0) {
            only = &infos[i];
            matching++;
        }
    }
    if (matching == 1)
        return cli_tensor_describe(place->path, stream, only, ret_tensor, err);
    cli_nearest(place->tensor == NULL ? "*" : place->tensor, name_at, infos, n, near, sizeof near);
    if (place->tensor == NULL)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: holds %zu tensors: say which is %s as %s:TENSOR (%s, ...)",
                             place->path, n, word->what, place->path, near);
    return fpx_error_set(err, FPX_EINVAL, "%s: has no tensor '%.64s'; nearest: %s", place->path,
                         place->tensor, near);
}

/* quantize --scale S: a value is its code's / S. */
static fpx_status set_factor(gemm_array *a, double scale, fpx_error *err)
{
    a->is_scaled = 1;
    a->factor = (float)(1.0 / scale); /* of a float32 S: rounded once, as 53 >= 2 24 + 2 */
    if (a->factor > 0.0f && isfinite(a->factor))
        return FPX_OK;
    return fpx_error_set(err, FPX_EUNSUPPORTED,
                         "%s: its scale is %g, and float32 lacks the reciprocal: fpx dequantize it "
                         "first",
                         a->label, scale);
}

static fpx_status read_tensor(const gemm_word *word, const gemm_place *place, gemm_array *a,
                              fpx_error *err)
{
    fpx_st_stream *stream = NULL;
    cli_tensor_cursor cursor;
    cli_tensor tensor = { NULL };
    cli_codes_in in;
    fpx_status status = fpx_st_stream_open(place->path, &stream, err);

    if (status == FPX_OK)
        status = find_tensor(word, place, stream, &tensor, err);
    if (status == FPX_OK && word->format != NULL) {
        fpx_format stated;
        status = fpx_format_parse(word->format, &stated, err);
        if (status == FPX_OK && tensor.format.bits > 0 &&
            !fpx_format_equal(&stated, &tensor.format))
            status =
                fpx_error_set(err, FPX_EINVAL, "%s %s: tensor '%.64s' of %s holds %s", word->option,
                              stated.name, tensor.info->name, place->path, tensor.format.name);
        if (status == FPX_OK && fpx_format_size(&stated) * 8 != tensor.info->bits &&
            tensor.format.bits == 0)
            status = fpx_error_set(
                err, FPX_EINVAL, "%s %s: tensor '%.64s' of %s has elements of %u bits",
                word->option, stated.name, tensor.info->name, place->path, tensor.info->bits);
        if (status == FPX_OK)
            tensor.format = stated;
    }
    if (status == FPX_OK) {
        in = cli_tensor_in(place->path, &tensor, &cursor);
        (void)snprintf(a->label, sizeof a->label, "%s", in.name);
        a->format = tensor.format;
        status = check_format(a, err);
    }
    if (status == FPX_OK && tensor.is_scaled)
        status = set_factor(a, tensor.scale, err);
    if (status == FPX_OK)
        status = set_shape(a, tensor.info->shape, tensor.info->ndim, err);
    if (status == FPX_OK && tensor.block != NULL)
        status = gemm_scales_of_tensor(&tensor, &in, a, err);
    if (status == FPX_OK)
        status = read_all(&in, &a->codes, err);
    fpx_st_stream_close(stream);
    return status;
}

fpx_status gemm_array_read(const gemm_word *word, gemm_array *ret_array, fpx_error *err)
{
    gemm_place place;
    fpx_status status = gemm_place_parse(word->file, &place, err);

    *ret_array = (gemm_array){ .what = word->what, .factor = 1.0f };
    if (status != FPX_OK)
        return status;
    return cli_is_safetensors(place.path) ? read_tensor(word, &place, ret_array, err)
                                          : read_npy(word, place.path, ret_array, err);
}

void gemm_array_release(gemm_array *array)
{
    free(array->codes);
    free(array->scales);
    array->codes = NULL;
    array->scales = NULL;
}
