/* gemm_job.c - loads a product: arrays, then their shapes and scales, the unit, the epilogue, and room for D. */
#include "gemm_job.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conversion_args.h"
#include "gemm_model.h"
#include "gemm_scales.h"

static fpx_status read_operand(const gemm_word *word, const char *scales, const char *scale_format,
                               const char *option, size_t k_from_end, gemm_array *array,
                               fpx_error *err)
{
    /* The file's codes are e4m3, as quantize writes them; as scales their sign is ignored. */
    const int is_ue4m3 = scale_format != NULL && strcmp(scale_format, fpx_ue4m3.name) == 0;
    const gemm_word beside = { option, scales, is_ue4m3 ? fpx_e4m3.name : scale_format,
                               "--scale-format" };
    fpx_status status = gemm_array_read(word, array, err);

    if (status == FPX_OK && array->ndim < 2)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: has one axis; %s is a matrix, or a batch of them: reshape it",
                             array->label, word->what);
    if (status == FPX_OK && scales != NULL)
        status = gemm_scales_of_file(&beside, array->ndim - k_from_end, array, err);
    return status;
}

static fpx_status read_all(gemm_job *job, fpx_error *err)
{
    const gemm_words *const w = job->words;
    const gemm_word a = { "A", w->a, w->a_format, "--a-format" };
    const gemm_word b = { "B", w->b, w->b_format, "--b-format" };
    const gemm_word c = { "C", w->c, w->c_format, "--c-format" };
    const gemm_word bias = { "the bias", w->bias, w->bias_format, "--bias-format" };
    fpx_status status = read_operand(&a, w->a_scales, w->scale_format, "--a-scales",
                                     w->trans_a ? 2 : 1, &job->a, err);

    if (status == FPX_OK)
        status = read_operand(&b, w->b_scales, w->scale_format, "--b-scales", w->trans_b ? 1 : 2,
                              &job->b, err);
    if (status == FPX_OK && w->c != NULL)
        status = gemm_array_read(&c, &job->c, err);
    if (status == FPX_OK && w->bias != NULL)
        status = gemm_array_read(&bias, &job->bias, err);
    return status;
}

/* ---- shapes ---- */
/* Rows and columns of a matrix as it is stored, and the elements of a product's: 0 where all products share it. */
typedef struct extents {
    size_t rows, columns, batch, stride_batch;
} extents;

static extents extents_of(const gemm_array *a)
{
    const size_t rows = a->shape[a->ndim - 2], columns = a->shape[a->ndim - 1];

    return (extents){ rows, columns, a->ndim == 3 ? a->shape[0] : 0,
                      a->ndim == 3 ? rows * columns : 0 };
}

static fpx_mma_operand operand_of(const gemm_array *a, int k_is_last)
{
    const extents e = extents_of(a);

    return (fpx_mma_operand){ .format = a->format,
                              .codes = a->codes,
                              .stride_vector = k_is_last ? e.columns : 1,
                              .stride_k = k_is_last ? 1 : e.columns,
                              .stride_batch = e.stride_batch,
                              .scales = a->scales,
                              .scale_format = a->scale_format,
                              .scale_block = a->scale_block,
                              .scale_stride_vector = a->scale_stride_vector,
                              .scale_stride_k = a->scale_stride_k,
                              .scale_stride_batch = a->ndim == 3 ? a->scale_stride_batch : 0 };
}

static fpx_status shapes_differ(const gemm_job *job, const char *why, fpx_error *err)
{
    char a[GEMM_SHAPE_TEXT], b[GEMM_SHAPE_TEXT];

    gemm_shape_text(&job->a, a);
    gemm_shape_text(&job->b, b);
    return fpx_error_set(err, FPX_EINVAL, "A (%s) is %s%s and B (%s) %s%s: %s", job->a.label, a,
                         job->words->trans_a ? " with --trans-a" : "", job->b.label, b,
                         job->words->trans_b ? " with --trans-b" : "", why);
}

static fpx_status set_shapes(gemm_job *job, fpx_error *err)
{
    const gemm_words *const w = job->words;
    const extents a = extents_of(&job->a), b = extents_of(&job->b);
    fpx_mma_call *const call = &job->call;
    const size_t k = w->trans_a ? a.rows : a.columns;

    call->m = w->trans_a ? a.columns : a.rows;
    call->n = w->trans_b ? b.rows : b.columns;
    call->k = k;
    if (k != (w->trans_b ? b.columns : b.rows))
        return shapes_differ(job,
                             "they do not share k, the columns of A and the rows of B (--trans-a, "
                             "--trans-b: one is stored the other way)",
                             err);
    if (a.batch != 0 && b.batch != 0 && a.batch != b.batch)
        return shapes_differ(job, "the first axes are batches of the same number of products", err);
    job->is_batch = a.batch != 0 || b.batch != 0;
    job->batch = a.batch != 0 ? a.batch : (b.batch != 0 ? b.batch : 1);
    call->batch = job->batch;
    call->a = operand_of(&job->a, !w->trans_a);
    call->b = operand_of(&job->b, w->trans_b);
    return FPX_OK;
}

static fpx_status set_c(gemm_job *job, fpx_error *err)
{
    const gemm_array *const c = &job->c;
    fpx_mma_call *const call = &job->call;
    char have[GEMM_SHAPE_TEXT];

    if (c->codes == NULL)
        return FPX_OK;
    gemm_shape_text(c, have);
    if (c->is_scaled || c->block != NULL)
        return fpx_error_set(err, FPX_EUNSUPPORTED, "%s: C is scaled: fpx dequantize it first",
                             c->label);
    if (c->ndim < 2 || c->shape[c->ndim - 2] != call->m || c->shape[c->ndim - 1] != call->n ||
        (c->ndim == 3 && c->shape[0] != job->batch))
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: C is %s, and the product %zu x %zu (%zu of them): C has that "
                             "shape, with the batch in front or, for all the same, without",
                             c->label, have, call->m, call->n, job->batch);
    const extents e = extents_of(c);
    call->c = c->codes;
    call->c_format = c->format;
    call->stride_c_row = e.columns;
    call->stride_c_column = 1;
    call->stride_c_batch = e.stride_batch;
    return FPX_OK;
}

/* ---- scales ---- */
/* Hardware's scales lie along k, and A and B both have them, of one kind. */
static fpx_status check_scales(const gemm_job *job, fpx_error *err)
{
    const gemm_array *const a = &job->a, *const b = &job->b;
    const size_t k_of_a = a->ndim - (job->words->trans_a ? 2 : 1);
    const size_t k_of_b = b->ndim - (job->words->trans_b ? 1 : 2);

    if (a->scales == NULL && b->scales == NULL)
        return FPX_OK;
    if (a->scales == NULL || b->scales == NULL)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s has scales of blocks and %s none: a unit takes both or none "
                             "(fpx quantize --block, or --%c-scales)",
                             a->scales != NULL ? a->label : b->label,
                             a->scales != NULL ? b->label : a->label,
                             a->scales != NULL ? 'b' : 'a');
    if (a->scale_axis != k_of_a)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: its blocks lie along m, and those of a unit along k: quantize A "
                             "as m x k, and leave out --trans-a",
                             a->label);
    if (b->scale_axis != k_of_b)
        return fpx_error_set(
            err, FPX_EINVAL,
            "%s: its blocks lie along n, and those of a unit along k: quantize B's "
            "transpose, n x k, and give --trans-b",
            b->label);
    if (a->scale_block != b->scale_block || !fpx_format_equal(&a->scale_format, &b->scale_format))
        return fpx_error_set(err, FPX_EINVAL,
                             "%s has scales %s/%zu and %s %s/%zu: a unit takes one kind for both",
                             a->label, a->scale_format.name, a->scale_block, b->label,
                             b->scale_format.name, b->scale_block);
    return FPX_OK;
}

/* ---- what follows the sums ---- */
static fpx_status set_bias(gemm_job *job, fpx_error *err)
{
    const gemm_array *const bias = &job->bias;
    char have[GEMM_SHAPE_TEXT];

    if (bias->codes == NULL)
        return FPX_OK;
    gemm_shape_text(bias, have);
    if (bias->is_scaled || bias->block != NULL)
        return fpx_error_set(err, FPX_EUNSUPPORTED,
                             "%s: the bias is scaled: fpx dequantize it first", bias->label);
    if (bias->shape[bias->ndim - 1] != job->call.n || (bias->ndim > 1 && bias->shape[0] != 1) ||
        bias->ndim > 2)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s: the bias is %s, and D has %zu columns: it holds one number for "
                             "each",
                             bias->label, have, job->call.n);
    job->epilogue.bias = bias->codes;
    job->epilogue.bias_format = bias->format;
    return FPX_OK;
}

static fpx_status set_conversion(gemm_job *job, fpx_error *err)
{
    const gemm_words *const w = job->words;
    const fpx_format *const own = &job->unit.preset.model.format;
    cli_conversion_words words = { .format = w->out_format, .round = w->round };
    fpx_conversion asked = { .format = *own };

    if (w->out_format == NULL && (w->round != NULL || w->overflow != NULL))
        return fpx_error_set(err, FPX_EINVAL, "%s: is about the conversion to --out-format F",
                             w->round != NULL ? "--round" : "--overflow");
    words.overflow = w->overflow;
    if (w->out_format != NULL) {
        const fpx_status status = cli_conversion_parse(&words, &asked, err);
        if (status != FPX_OK)
            return status;
    }
    if (asked.round == FPX_SR)
        return fpx_error_set(
            err, FPX_EINVAL,
            "--round sr: is not offered here: write D in fp32 and fpx quantize it");
    job->d_format = asked.format;
    job->epilogue.to = fpx_mma_conversion(&asked.format);
    job->epilogue.to.round = asked.round;
    if (w->overflow != NULL)
        job->epilogue.to.overflow = asked.overflow;
    return FPX_OK;
}

static fpx_status set_epilogue(gemm_job *job, fpx_error *err)
{
    const gemm_words *const w = job->words;
    fpx_mma_epilogue *const e = &job->epilogue;
    const int scaled = job->a.is_scaled || job->b.is_scaled;
    fpx_status status = set_bias(job, err);

    e->sums = job->unit.preset.model.format;
    e->scale_a = job->a.factor;
    e->scale_b = job->b.factor;
    e->scale_d = 1.0f;
    job->scale = 1.0;
    if (status == FPX_OK)
        status = set_conversion(job, err);
    if (status == FPX_OK && w->scale != NULL) {
        status = cli_scale_parse(w->scale, &job->scale, err);
        e->scale_d = (float)job->scale;
        if (status == FPX_OK && !(e->scale_d > 0.0f && isfinite(e->scale_d)))
            status = fpx_error_set(err, FPX_EINVAL, "--scale %s: float32 lacks it", w->scale);
        job->scale = (double)e->scale_d;
    }
    if (status != FPX_OK)
        return status;
    job->finishes = scaled || w->scale != NULL || w->bias != NULL || w->out_format != NULL;
    if (scaled && w->c != NULL)
        return fpx_error_set(err, FPX_EINVAL,
                             "-c %s: the sums start at C, and the scale of A or B as a whole "
                             "multiplies them afterwards, C too: use --bias, or add C to D",
                             w->c);
    return FPX_OK;
}

/* ---- room ---- */
static fpx_status reserve(gemm_job *job, fpx_error *err)
{
    const fpx_mma_call *const call = &job->call;
    const size_t size = fpx_format_size(&job->unit.preset.model.format);
    const size_t d_size = fpx_format_size(&job->d_format);
    size_t n = 0;
    const int fits =
        !__builtin_mul_overflow(call->m, call->n, &n) && !__builtin_mul_overflow(n, job->batch, &n);

    if (fits) {
        job->sums = gemm_room(n, size);
        job->d = job->finishes ? gemm_room(n, d_size) : job->sums;
    }
    if (job->sums == NULL || job->d == NULL)
        return fpx_error_set(
            err, FPX_ENOMEM,
            "D is %zu x %zu x %zu: more than memory holds; multiply parts of A or B", job->batch,
            call->m, call->n);
    job->call.stride_d = call->n;
    job->call.stride_d_batch = call->m * call->n;
    return FPX_OK;
}

fpx_status gemm_job_load(const gemm_words *words, gemm_job *ret_job, fpx_error *err)
{
    gemm_job *const job = ret_job;
    fpx_status status;

    *job = (gemm_job){ .words = words };
    if (words->scale_format != NULL && words->a_scales == NULL && words->b_scales == NULL)
        return fpx_error_set(err, FPX_EINVAL,
                             "--scale-format: is that of --a-scales and --b-scales");
    if (words->c_format != NULL && words->c == NULL)
        return fpx_error_set(err, FPX_EINVAL, "--c-format: is that of -c C");
    if (words->bias_format != NULL && words->bias == NULL)
        return fpx_error_set(err, FPX_EINVAL, "--bias-format: is that of --bias FILE");
    status = read_all(job, err);
    if (status == FPX_OK)
        status = set_shapes(job, err);
    if (status == FPX_OK)
        status = set_c(job, err);
    if (status == FPX_OK)
        status = check_scales(job, err);
    if (status == FPX_OK)
        status = gemm_model_choose(words->model, words->path, &job->a, &job->b, &job->unit, err);
    if (status == FPX_OK)
        status = set_epilogue(job, err);
    return status == FPX_OK ? reserve(job, err) : status;
}

void gemm_job_release(gemm_job *job)
{
    if (job->d != job->sums)
        free(job->d);
    free(job->sums);
    gemm_array_release(&job->a);
    gemm_array_release(&job->b);
    gemm_array_release(&job->c);
    gemm_array_release(&job->bias);
    cli_unit_free(&job->unit);
}
