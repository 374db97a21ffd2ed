/* op_xent.c - cross-entropy of logits against token ids, log-probabilities of whole sequences, and their gradients. A
 * negative target is no target: its token adds nothing and is not counted. */
#include <string.h>

#include "op_kernels.h"

typedef struct xent_job {
    fpx_cpu_level level;
    const fpx_real *logits, *lse_in, *dlogp;
    const int32_t *targets;
    fpx_real *lse, *dlogits;
    fpx_real *rows; /* for each worker [V] */
    size_t vocabulary, leaf;
    fpx_real count;
} xent_job;

/* Tokens that have a target. */
static size_t count_targets(const int32_t *targets, size_t m)
{
    size_t count = 0;

    for (size_t i = 0; i < m; i++)
        count += targets[i] >= 0;
    return count;
}

static void lse_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const xent_job *j = context;
    const size_t n = j->vocabulary;
    fpx_real *restrict e = j->rows + worker * n;

    for (size_t m = begin; m < end; m++) {
        const fpx_real *l = j->logits + m * n;
        const fpx_real top = row_max(l, n);

        for (size_t v = 0; v < n; v++)
            e[v] = l[v] - top;
        real_exp_array(j->level, e, e, n);
        j->lse[m] = canonical(top + real_log(real_sum(j->level, e, n)));
    }
}

static size_t leaves_of(const fpx_call *call)
{
    return call->attr.tokens.leaf == 0 ? 1
                                       : (size_t)(call->in[1].shape[0] / call->attr.tokens.leaf);
}

/* Work space: a sum for each leaf, then a row of exponentials for each worker. */
size_t OP(op_xent_work)(const op_run *run)
{
    const fpx_call *call = run->call;

    return op_plus(op_line(op_times(leaves_of(call), sizeof(fpx_real))),
                   op_times(op_times((size_t)call->in[0].shape[1], sizeof(fpx_real)),
                            fpx_pool_threads(run->pool)));
}

/* The terms of one leaf: chains of plain additions within blocks, as fpx/gemm.h orders them. */
static fpx_real leaf_loss(const xent_job *j, size_t first, size_t last)
{
    fpx_real sum = 0;

    for (size_t from = first; from < last; from += FPX_GEMM_KC) {
        const size_t to = last - from < FPX_GEMM_KC ? last : from + FPX_GEMM_KC;
        fpx_real block = 0;

        for (size_t m = from; m < to; m++)
            if (j->targets[m] >= 0)
                block += j->lse[m] - j->logits[m * j->vocabulary + (size_t)j->targets[m]];
        sum = from == first ? block : sum + block;
    }
    return sum;
}

/* Checks the targets and fills lse; *ret_job then gives the losses of leaves. */
static fpx_status start(const op_run *run, size_t m, size_t leaves, xent_job *ret_job)
{
    xent_job j = { .level = run->level,
                   .logits = run->in[0],
                   .targets = run->in[1],
                   .lse = run->out[1],
                   .vocabulary = (size_t)run->call->in[0].shape[1] };
    const fpx_status status = op_check_ids(run, j.targets, m, j.vocabulary, 1);

    if (status != FPX_OK)
        return status;
    j.rows = (fpx_real *)(void *)((char *)run->work + op_line(leaves * sizeof(fpx_real)));
    fpx_parallel_for(run->pool, m, grain_rows(j.vocabulary), lse_rows, &j);
    *ret_job = j;
    return FPX_OK;
}

fpx_status OP(op_xent)(const op_run *run)
{
    const size_t m = (size_t)run->call->in[0].shape[0], leaves = leaves_of(run->call);
    fpx_real *sums = run->work, *loss = run->out[0];
    xent_job j;
    const fpx_status status = start(run, m, leaves, &j);

    if (status != FPX_OK)
        return status;
    for (size_t leaf = 0; leaf < leaves; leaf++)
        sums[leaf] = leaf_loss(&j, leaf * (m / leaves), (leaf + 1) * (m / leaves));
    real_tree(run->level, sums, leaves, 1);
    loss[0] = canonical(
        run->call->attr.tokens.sum ? sums[0] : sums[0] / (fpx_real)count_targets(j.targets, m));
    return FPX_OK;
}

/* The loss of a sequence, turned around. */
fpx_status OP(op_logp)(const op_run *run)
{
    const size_t m = (size_t)run->call->in[0].shape[0], leaves = leaves_of(run->call);
    fpx_real *logp = run->out[0];
    xent_job j;
    const fpx_status status = start(run, m, leaves, &j);

    if (status != FPX_OK)
        return status;
    for (size_t leaf = 0; leaf < leaves; leaf++)
        logp[leaf] = canonical(-leaf_loss(&j, leaf * (m / leaves), (leaf + 1) * (m / leaves)));
    return FPX_OK;
}

/* Of a row with a target: probabilities, less 1 for the target. Zeros, and 0, for another. */
static int slope_row(const xent_job *j, size_t m)
{
    const size_t n = j->vocabulary;
    const fpx_real *restrict l = j->logits + m * n;
    const fpx_real lse = j->lse_in[m];
    fpx_real *restrict d = j->dlogits + m * n;

    if (j->targets[m] < 0) {
        memset(d, 0, n * sizeof *d);
        return 0;
    }
    for (size_t v = 0; v < n; v++)
        d[v] = l[v] - lse;
    real_exp_array(j->level, d, d, n);
    d[j->targets[m]] -= 1;
    return 1;
}

static void xent_grad_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const xent_job *j = context;
    const size_t n = j->vocabulary;

    (void)worker;
    for (size_t m = begin; m < end; m++) {
        const fpx_real count = j->count;
        fpx_real *restrict d = j->dlogits + m * n;

        if (!slope_row(j, m))
            continue;
        for (size_t v = 0; v < n; v++)
            d[v] = canonical(d[v] / count);
    }
}

static void logp_grad_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const xent_job *j = context;
    const size_t n = j->vocabulary;

    (void)worker;
    for (size_t m = begin; m < end; m++) {
        const fpx_real by = -j->dlogp[m / j->leaf];
        fpx_real *restrict d = j->dlogits + m * n;

        if (!slope_row(j, m))
            continue;
        for (size_t v = 0; v < n; v++)
            d[v] = canonical(d[v] * by);
    }
}

fpx_status OP(op_xent_grad)(const op_run *run)
{
    const size_t m = (size_t)run->call->in[0].shape[0];
    const fpx_real *count = run->in[3];
    xent_job j = { .level = run->level,
                   .logits = run->in[0],
                   .targets = run->in[1],
                   .lse_in = run->in[2],
                   .dlogits = run->out[0],
                   .vocabulary = (size_t)run->call->in[0].shape[1] };
    const fpx_status status = op_check_ids(run, j.targets, m, j.vocabulary, 1);

    if (status != FPX_OK)
        return status;
    j.count = count != NULL ? *count : (fpx_real)count_targets(j.targets, m);
    fpx_parallel_for(run->pool, m, grain_rows(j.vocabulary), xent_grad_rows, &j);
    return FPX_OK;
}

fpx_status OP(op_logp_grad)(const op_run *run)
{
    const size_t m = (size_t)run->call->in[0].shape[0];
    xent_job j = { .level = run->level,
                   .logits = run->in[0],
                   .targets = run->in[1],
                   .lse_in = run->in[2],
                   .dlogp = run->in[3],
                   .dlogits = run->out[0],
                   .vocabulary = (size_t)run->call->in[0].shape[1],
                   .leaf = (size_t)run->call->attr.tokens.leaf };
    const fpx_status status = op_check_ids(run, j.targets, m, j.vocabulary, 1);

    if (status != FPX_OK)
        return status;
    fpx_parallel_for(run->pool, m, grain_rows(j.vocabulary), logp_grad_rows, &j);
    return FPX_OK;
}
