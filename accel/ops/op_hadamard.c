/* op_hadamard.c - the random Hadamard transform along one axis of a matrix, in blocks: signs, butterflies, one factor, or
 * signs behind these. Sixteen blocks go side by side, whatever the axis. */
#include <fpx/stream.h>

#include "op_kernels.h"

enum { LANES = 16, SIZE_MAX_H = 128 };

typedef struct hadamard_job {
    const fpx_real *x;
    fpx_real *y;
    fpx_real sign[SIZE_MAX_H], factor[SIZE_MAX_H]; /* of inputs; of outputs, their signs included */
    size_t size, blocks;                           /* elements of a block; blocks along the axis */
    size_t lines;                                  /* vectors across the axis */
    size_t step, line; /* from one element to the next, from one vector to the next */
} hadamard_job;

/* Element i of lane l lies at i * step + l * line. */
static void transform(const hadamard_job *j, size_t at, size_t lanes)
{
    fpx_real v[SIZE_MAX_H][LANES];

    for (size_t i = 0; i < j->size; i++)
        for (size_t l = 0; l < lanes; l++)
            v[i][l] = j->x[at + i * j->step + l * j->line] * j->sign[i];
    for (size_t half = j->size / 2; half > 0; half /= 2)
        for (size_t i = 0; i < j->size; i++) {
            if ((i & half) != 0)
                continue;
            for (size_t l = 0; l < lanes; l++) {
                const fpx_real a = v[i][l], b = v[i + half][l];

                v[i][l] = a + b;
                v[i + half][l] = a - b;
            }
        }
    for (size_t i = 0; i < j->size; i++)
        for (size_t l = 0; l < lanes; l++)
            j->y[at + i * j->step + l * j->line] = canonical(v[i][l] * j->factor[i]);
}

/* Groups of up to 16 vectors; a group has all blocks of the axis. */
static void group_range(void *context, size_t begin, size_t end, size_t worker)
{
    const hadamard_job *j = context;

    (void)worker;
    for (size_t g = begin; g < end; g++) {
        const size_t first = g * LANES, left = j->lines - first;

        for (size_t b = 0; b < j->blocks; b++)
            transform(j, first * j->line + b * j->size * j->step, left < LANES ? left : LANES);
    }
}

fpx_status OP(op_hadamard)(const op_run *run)
{
    const fpx_call *call = run->call;
    const size_t cols = (size_t)call->in[0].shape[1], axis = call->attr.hadamard.axis;
    const int32_t *draw = run->in[1];
    const fpx_stream stream = { .seed = call->attr.hadamard.seed,
                                .site = call->attr.hadamard.site,
                                .step = draw == NULL ? 0 : (uint32_t)draw[0],
                                .micro_batch = draw == NULL ? 0 : (uint32_t)draw[1] };
    hadamard_job j = { .x = run->in[0],
                       .y = run->out[0],
                       .size = call->attr.hadamard.size,
                       .lines = (size_t)call->in[0].shape[!axis],
                       .step = axis == 0 ? cols : 1,
                       .line = axis == 0 ? 1 : cols };

    j.blocks = (size_t)call->in[0].shape[axis] / j.size;
    const uint32_t signs = call->attr.hadamard.signs;
    const fpx_real factor = 1 / real_sqrt((fpx_real)j.size);
    for (size_t i = 0; i < j.size; i++) {
        const int minus = signs != FPX_SIGNS_NONE && fpx_stream_u32(&stream, i) >> 31 != 0;

        j.sign[i] = minus && signs == FPX_SIGNS_BEFORE ? (fpx_real)-1 : (fpx_real)1;
        j.factor[i] = minus && signs == FPX_SIGNS_AFTER ? -factor : factor;
    }
    fpx_parallel_for(run->pool, (j.lines + LANES - 1) / LANES,
                     grain_rows(j.blocks * j.size * LANES), group_range, &j);
    return FPX_OK;
}
