/* op_softmax.c - softmax over the last axis, causal or whole, and its gradient. The output row is the
 * only buffer; what lies above the diagonal is +0 and takes no part in any sum. */
#include <string.h>

#include "op_kernels.h"

typedef struct softmax_job {
    fpx_cpu_level level;
    const fpx_real *x, *dy; /* s; or p and dp */
    fpx_real *y;
    size_t columns;
    int causal;
    fpx_real scale;
} softmax_job;

static size_t valid_columns(const softmax_job *j, size_t row)
{
    return j->causal ? row % j->columns + 1 : j->columns;
}

static void softmax_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const softmax_job *j = context;

    (void)worker;
    for (size_t row = begin; row < end; row++) {
        const size_t n = valid_columns(j, row);
        const fpx_real *s = j->x + row * j->columns;
        fpx_real *p = j->y + row * j->columns;

        for (size_t c = 0; c < n; c++)
            p[c] = s[c] * j->scale;
        const fpx_real top = row_max(p, n);
        for (size_t c = 0; c < n; c++)
            p[c] -= top;
        real_exp_array(j->level, p, p, n);
        const fpx_real sum = real_sum(j->level, p, n);
        for (size_t c = 0; c < n; c++)
            p[c] = canonical(p[c] / sum);
        memset(p + n, 0, (j->columns - n) * sizeof *p);
    }
}

static void softmax_grad_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const softmax_job *j = context;

    (void)worker;
    for (size_t row = begin; row < end; row++) {
        const size_t n = valid_columns(j, row);
        const fpx_real *p = j->x + row * j->columns, *dp = j->dy + row * j->columns;
        const fpx_real sum = real_dot(j->level, p, dp, n);
        fpx_real *ds = j->y + row * j->columns;

        for (size_t c = 0; c < n; c++)
            ds[c] = canonical((p[c] * (dp[c] - sum)) * j->scale);
        memset(ds + n, 0, (j->columns - n) * sizeof *ds);
    }
}

static fpx_status all_rows(const op_run *run, fpx_range_fn *fn)
{
    const fpx_tensor *s = &run->call->in[0];
    softmax_job j = { .level = run->level,
                      .x = run->in[0],
                      .dy = run->in[1],
                      .y = run->out[0],
                      .columns = (size_t)s->shape[3],
                      .causal = run->call->attr.softmax.causal != 0,
                      .scale = (fpx_real)run->call->attr.softmax.scale };

    fpx_parallel_for(run->pool, fpx_tensor_count(s) / j.columns, grain_rows(j.columns), fn, &j);
    return FPX_OK;
}

fpx_status OP(op_softmax)(const op_run *run)
{
    return all_rows(run, softmax_rows);
}

fpx_status OP(op_softmax_grad)(const op_run *run)
{
    return all_rows(run, softmax_grad_rows);
}
