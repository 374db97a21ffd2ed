/* op_rmsnorm.c - root-mean-square norm: rows by the 16-lane sums, the gain's gradient over tokens in the
 * order of a matrix product. */
#include <string.h>

#include "op_kernels.h"

typedef struct norm_job {
    fpx_cpu_level level;
    const fpx_real *x, *gain;
    fpx_real *y, *rstd;
    size_t width;
    fpx_real eps;
} norm_job;

static void norm_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const norm_job *j = context;
    const size_t n = j->width;

    (void)worker;
    for (size_t m = begin; m < end; m++) {
        const fpx_real *x = j->x + m * n;
        const fpx_real mean = real_dot(j->level, x, x, n) / (fpx_real)n;
        const fpx_real rstd = canonical(1 / real_sqrt(mean + j->eps));
        fpx_real *y = j->y + m * n;

        j->rstd[m] = rstd;
        for (size_t c = 0; c < n; c++)
            y[c] = canonical((x[c] * rstd) * j->gain[c]);
    }
}

fpx_status OP(op_rmsnorm)(const op_run *run)
{
    const fpx_tensor *x = &run->call->in[0];
    norm_job j = { run->level,
                   run->in[0],
                   run->in[1],
                   run->out[0],
                   run->out[1],
                   (size_t)x->shape[1],
                   (fpx_real)run->call->attr.rmsnorm.eps };

    fpx_parallel_for(run->pool, (size_t)x->shape[0], grain_rows(j.width), norm_rows, &j);
    return FPX_OK;
}

typedef struct norm_grad_job {
    fpx_cpu_level level;
    const fpx_real *x, *gain, *rstd, *dy;
    fpx_real *dx, *sums; /* [M,C], [leaves,C] */
    size_t width, leaf, leaves;
} norm_grad_job;

static void norm_grad_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const norm_grad_job *j = context;
    const size_t n = j->width;

    (void)worker;
    for (size_t m = begin; m < end; m++) {
        const fpx_real *x = j->x + m * n, *dy = j->dy + m * n;
        const fpx_real rstd = j->rstd[m];
        fpx_real *dx = j->dx + m * n;

        for (size_t c = 0; c < n; c++)
            dx[c] = dy[c] * j->gain[c];
        const fpx_real mean = (real_dot(j->level, dx, x, n) * rstd) / (fpx_real)n;
        for (size_t c = 0; c < n; c++)
            dx[c] = canonical((dx[c] - (x[c] * rstd) * mean) * rstd);
    }
}

/* sum[c] of one leaf: the chains of fpx/gemm.h over its tokens. */
static void gain_leaf(const norm_grad_job *j, size_t leaf, size_t begin, size_t n)
{
    const size_t first = leaf * j->leaf, last = first + j->leaf;
    fpx_real *sum = j->sums + leaf * j->width + begin;
    fpx_real block[OP_CHUNK];

    for (size_t from = first; from < last; from += FPX_GEMM_KC) {
        const size_t to = last - from < FPX_GEMM_KC ? last : from + FPX_GEMM_KC;

        memset(block, 0, n * sizeof *block);
        for (size_t m = from; m < to; m++) {
            const fpx_real *x = j->x + m * j->width + begin, *dy = j->dy + m * j->width + begin;
            const fpx_real rstd = j->rstd[m];

            for (size_t c = 0; c < n; c++)
                block[c] = real_fma(dy[c], x[c] * rstd, block[c]);
        }
        for (size_t c = 0; c < n; c++)
            sum[c] = from == first ? block[c] : sum[c] + block[c];
    }
}

static void gain_columns(void *context, size_t first, size_t last, size_t worker)
{
    const norm_grad_job *j = context;

    (void)worker;
    for (size_t leaf = 0; leaf < j->leaves; leaf++)
        for (size_t begin = first; begin < last; begin += OP_CHUNK)
            gain_leaf(j, leaf, begin, last - begin < OP_CHUNK ? last - begin : OP_CHUNK);
}

static size_t leaves_of(const fpx_call *call)
{
    return call->attr.rmsnorm.leaf == 0 ? 1
                                        : (size_t)(call->in[0].shape[0] / call->attr.rmsnorm.leaf);
}

size_t OP(op_rmsnorm_grad_work)(const op_run *run)
{
    return op_times(op_times(leaves_of(run->call), (size_t)run->call->in[0].shape[1]),
                    sizeof(fpx_real));
}

fpx_status OP(op_rmsnorm_grad)(const op_run *run)
{
    const size_t m = (size_t)run->call->in[0].shape[0];
    norm_grad_job j = { .level = run->level,
                        .x = run->in[0],
                        .gain = run->in[1],
                        .rstd = run->in[2],
                        .dy = run->in[3],
                        .dx = run->out[0],
                        .sums = run->work,
                        .width = (size_t)run->call->in[0].shape[1],
                        .leaves = leaves_of(run->call) };

    j.leaf = m / j.leaves;
    fpx_parallel_for(run->pool, m, grain_rows(j.width), norm_grad_rows, &j);
    fpx_parallel_for(run->pool, j.width, 16, gain_columns, &j);
    real_tree(run->level, j.sums, j.leaves, j.width);
    fpx_real *dgain = run->out[1];
    for (size_t c = 0; c < j.width; c++)
        dgain[c] = canonical(j.sums[c]);
    return FPX_OK;
}
