/* op_heads.c - [BT,HD] to [B,H,T,D] and back: bits are moved, nothing is computed. */
#include <string.h>

#include "op_kernels.h"

typedef struct heads_job {
    const fpx_real *x;
    fpx_real *y;
    size_t heads, positions, width; /* H, T, D */
} heads_job;

static size_t in_heads(const heads_job *j, size_t m, size_t h)
{
    return ((m / j->positions * j->heads + h) * j->positions + m % j->positions) * j->width;
}

static void merge_tokens(void *context, size_t begin, size_t end, size_t worker)
{
    const heads_job *j = context;

    (void)worker;
    for (size_t m = begin; m < end; m++)
        for (size_t h = 0; h < j->heads; h++)
            memcpy(j->y + (m * j->heads + h) * j->width, j->x + in_heads(j, m, h),
                   j->width * sizeof *j->y);
}

static void split_tokens(void *context, size_t begin, size_t end, size_t worker)
{
    const heads_job *j = context;

    (void)worker;
    for (size_t m = begin; m < end; m++)
        for (size_t h = 0; h < j->heads; h++)
            memcpy(j->y + in_heads(j, m, h), j->x + (m * j->heads + h) * j->width,
                   j->width * sizeof *j->y);
}

static fpx_status all_tokens(const op_run *run, const fpx_tensor *by_head, fpx_range_fn *fn)
{
    heads_job j = { run->in[0], run->out[0], (size_t)by_head->shape[1], (size_t)by_head->shape[2],
                    (size_t)by_head->shape[3] };

    fpx_parallel_for(run->pool, (size_t)by_head->shape[0] * j.positions,
                     grain_rows(j.heads * j.width), fn, &j);
    return FPX_OK;
}

fpx_status OP(op_merge_heads)(const op_run *run)
{
    return all_tokens(run, &run->call->in[0], merge_tokens);
}

fpx_status OP(op_split_heads)(const op_run *run)
{
    return all_tokens(run, &run->call->out[0], split_tokens);
}
