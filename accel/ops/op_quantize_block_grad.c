/* op_quantize_block_grad.c - the gradient of a block quantizer that clips: it passes where the element was within the range of
 * its block. From the element and its scale, since the largest code does not say what became it. */
#include "op_kernels.h"
#include "op_levels.h"

/* To real codes, as in float64, the quantizer is the identity. */
static int is_identity(const op_run *run)
{
    return fpx_format_equal(&run->call->in[0].format, &REAL_FORMAT);
}

fpx_status OP(op_quantize_block_grad_accept)(const op_run *run)
{
    const fpx_tensor *codes = &run->call->in[0];
    op_levels levels;

    if (is_identity(run))
        return FPX_OK;
    if (!op_levels_of(codes, &levels) || levels.block == NULL || levels.whole != NULL ||
        !fpx_format_equal(&levels.block->format, &fpx_e8m0))
        return op_refuse(run, FPX_EUNSUPPORTED,
                         "codes: this device takes scales in e8m0 for blocks, and none for the "
                         "whole");
    return FPX_OK;
}

typedef struct grad_job {
    const fpx_real *x, *dy;
    fpx_real *dx;
    const uint8_t *scales; /* NULL: the identity */
    fpx_real limit[256]; /* of each scale: the largest code's value. Inf above 2^125, NaN of NaN */
    op_grid grid;        /* v: rows, k: columns */
    size_t cols;
} grad_job;

/* Times 0, not 0: a NaN or Inf among gradients stays to be seen. */
static void grad_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const grad_job *j = context;

    (void)worker;
    for (size_t r = begin; r < end; r++) {
        const uint8_t *scales = j->scales + r / j->grid.block_v * j->grid.stride_v;

        for (size_t c = 0; c < j->cols; c++) {
            const size_t at = r * j->cols + c;
            const fpx_real x = j->x[at], limit = j->limit[scales[c / j->grid.block_k]];

            j->dx[at] = canonical(j->dy[at] * (fpx_real)(x < limit && x > -limit));
        }
    }
}

static void copy_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const grad_job *j = context;

    (void)worker;
    for (size_t i = begin * j->cols; i < end * j->cols; i++)
        j->dx[i] = canonical(j->dy[i]);
}

fpx_status OP(op_quantize_block_grad)(const op_run *run)
{
    const fpx_tensor *codes = &run->call->in[0];
    const fpx_real max = (fpx_real)fpx_format_max(&codes->format);
    const int identity = is_identity(run);
    grad_job j = { .x = run->in[1],
                   .dy = run->in[2],
                   .dx = run->out[0],
                   .scales = run->blocks[0],
                   .cols = (size_t)codes->shape[1] };
    uint8_t bytes[256];
    op_levels levels;

    if (!identity && op_levels_of(codes, &levels)) { /* accept has seen them */
        j.grid = op_grid_of(codes, levels.block, 1);
        for (size_t i = 0; i < 256; i++)
            bytes[i] = (uint8_t)i;
        (void)real_decode(&fpx_e8m0, 1, bytes, j.limit, 256);
        for (size_t i = 0; i < 256; i++)
            j.limit[i] *= max;
    }
    fpx_parallel_for(run->pool, (size_t)codes->shape[0], grain_rows(j.cols),
                     identity ? copy_rows : grad_rows, &j);
    return FPX_OK;
}
