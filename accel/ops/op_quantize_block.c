/* op_quantize_block.c - float32 to codes and the scales of their blocks, by fpx/block.h; with random bits where the
 * rounding is stochastic. To real codes, as in float64, it is the identity, and every scale is 1. */
#include <string.h>

#include <fpx/block.h>
#include <fpx/stream.h>

#include "op_block.h"
#include "op_kernels.h"

static int is_random(const op_run *run)
{
    return run->call->kind == FPX_OP_QUANTIZE_BLOCK_RANDOM;
}

static int is_identity(const op_run *run)
{
    return fpx_format_equal(&run->call->out[0].format, &REAL_FORMAT);
}

fpx_status OP(op_quantize_block_accept)(const op_run *run)
{
    if (is_identity(run))
        return FPX_OK;
#if FPX_REAL_IS_DOUBLE
    return op_refuse(run, FPX_EUNSUPPORTED, "blocks are quantized from float32");
#else
    const int whole = run->call->nin > (is_random(run) ? 2u : 1u);
    fpx_blocking blocking;

    /* fpx_call_check has asked for the same; what is left is a second level that is not fp32. */
    if (op_block_of(run->call, &blocking) != FPX_OK ||
        (whole && !fpx_format_equal(&run->call->out[0].scale[1].format, &fpx_fp32)))
        return op_refuse(run, FPX_EUNSUPPORTED, "the scale of the whole tensor is not fp32");
    return FPX_OK;
#endif
}

/* Random bits of every element. */
size_t OP(op_quantize_block_work)(const op_run *run)
{
    return is_random(run) && !is_identity(run)
               ? op_times(fpx_tensor_count(&run->call->in[0]), sizeof(uint32_t))
               : 0;
}

typedef struct copy_job {
    const fpx_real *x;
    fpx_real *codes;
} copy_job;

static void copy_range(void *context, size_t begin, size_t end, size_t worker)
{
    const copy_job *j = context;

    (void)worker;
    memcpy(j->codes + begin, j->x + begin, (end - begin) * sizeof *j->x);
}

static fpx_status copy(const op_run *run)
{
    copy_job j = { run->in[0], run->out[0] };
    fpx_real *scales = run->out[1];

    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_GRAIN, copy_range, &j);
    for (size_t i = 0; i < fpx_tensor_count(&run->call->out[1]); i++)
        scales[i] = 1;
    return FPX_OK;
}

#if FPX_REAL_IS_DOUBLE
fpx_status OP(op_quantize_block)(const op_run *run)
{
    return copy(run);
}
#else
typedef struct block_job {
    fpx_blocking blocking,
        scaling; /* scaling: the same, rounding to nearest: scales do not depend on it */
    fpx_stream stream;
    float amax, gain; /* gain: 1 but for MX under a scale of the whole */
    const float *x;
    uint8_t *codes;
    char *scales;
    uint32_t *bits; /* NULL: not random */
    size_t rows, cols, height, line;
} block_job;

/* 2^(127 - e) of an e8m0 code e; NaN of its NaN. */
static float inverse(uint8_t e)
{
    const uint32_t bits = e == 0xff ? 0x7fc00000u : e == 0xfe ? 0x00400000u : (254u - e) << 23;
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The elements of a row of blocks anew, each times gain / (its block's scale), which is a float32: MX under a scale of
 * the whole. */
static void encode_rows(const block_job *j, size_t row, size_t last)
{
    const size_t width = j->blocking.block[1] == 0 ? j->cols : (size_t)j->blocking.block[1];
    const uint8_t *scale = (const uint8_t *)j->scales + row / j->height * j->line;
    float factor[OP_CHUNK], q[OP_CHUNK];

    for (size_t c = 0; c < j->cols; c += OP_CHUNK) {
        const size_t n = j->cols - c < OP_CHUNK ? j->cols - c : OP_CHUNK;

        for (size_t i = 0, block = c / width, end = width - c % width; i < n; end += width, block++)
            for (const float f = j->gain * inverse(scale[block]); i < n && i < end; i++)
                factor[i] = f;
        for (size_t at = row * j->cols + c; at < last * j->cols; at += j->cols) {
            for (size_t i = 0; i < n; i++)
                q[i] = j->x[at + i] * factor[i];
            if (j->bits == NULL)
                (void)fpx_encode_f32(&j->blocking.element, 1.0f, q, j->codes + at, n);
            else
                (void)fpx_encode_f32_random(&j->blocking.element, 1.0f, q, j->bits + at,
                                            j->codes + at, n);
        }
    }
}

/* Rows of blocks. */
static void block_range(void *context, size_t begin, size_t end, size_t worker)
{
    const block_job *j = context;
    const size_t row = begin * j->height;
    const size_t last = end * j->height < j->rows ? end * j->height : j->rows;
    const size_t at = row * j->cols, n = (last - row) * j->cols;
    void *scales = j->scales + begin * j->line;
    fpx_status status;

    (void)worker;
    if (j->bits != NULL)
        fpx_stream_u32_array(&j->stream, at, j->bits + at, n);
    if (j->bits == NULL || j->gain != 1.0f) {
        status = fpx_block_quantize(&j->scaling, j->amax, j->x + at, last - row, j->cols,
                                    j->codes + at, scales);
    } else {
        status = fpx_block_quantize_random(&j->blocking, j->amax, j->x + at, j->bits + at,
                                           last - row, j->cols, j->codes + at, scales);
    }
    (void)status; /* op_quantize_block_accept has asked for this blocking */
    for (size_t r = row; r < last && j->gain != 1.0f; r += j->height)
        encode_rows(j, r, last - r < j->height ? last : r + j->height);
}

fpx_status OP(op_quantize_block)(const op_run *run)
{
    const fpx_call *call = run->call;
    const int random = is_random(run);
    const int32_t *draw = random ? run->in[1] : NULL;
    const float *scale = run->in[random ? 2 : 1];
    block_job j = { .amax = scale == NULL ? 0.0f : scale[0],
                    .x = run->in[0],
                    .codes = run->out[0],
                    .scales = run->out[1],
                    .bits = random ? run->work : NULL,
                    .rows = (size_t)call->in[0].shape[0],
                    .cols = (size_t)call->in[0].shape[1],
                    .line = (size_t)call->out[1].shape[1] * fpx_format_size(&call->out[1].format) };

    if (is_identity(run))
        return copy(run);
    if (op_block_of(call, &j.blocking) != FPX_OK)
        return op_refuse(run, FPX_EINVAL, "the blocking was refused");
    if (random)
        j.stream = (fpx_stream){ .seed = call->attr.block.seed,
                                 .site = call->attr.block.site,
                                 .step = (uint32_t)draw[0],
                                 .micro_batch = (uint32_t)draw[1] };
    j.scaling = j.blocking;
    if (random)
        j.scaling.element.round = FPX_RNE;
    j.gain = scale != NULL && j.blocking.rule == FPX_RULE_MX ? scale[0] : 1.0f;
    j.height = j.blocking.block[0] == 0 || j.blocking.block[0] > j.rows
                   ? j.rows
                   : (size_t)j.blocking.block[0];
    fpx_parallel_for(run->pool, (size_t)call->out[1].shape[0], grain_rows(j.height * j.cols),
                     block_range, &j);
    return FPX_OK;
}
#endif
