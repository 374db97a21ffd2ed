/* op_add_residual.c - what clamping cut off, times the weights, added to the product of what it left: one chain of fma for each
 * element, over the k whose residual is not 0, in order. Few are: the rest costs a reading of x and y. */
#include "op_gemm_runs.h"
#include "op_kernels.h"
#include "op_levels.h"

enum { TILE = 32 };

typedef struct residual_job {
    const fpx_real *base, *x, *y, *w;
    fpx_real *d, *turned; /* turned: w^T, so that a chain's step goes along memory */
    fpx_real scale;       /* of the whole of w */
    size_t n, k;
} residual_job;

/* Rows of w^T, in tiles that stay in the first cache. */
static void turn_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const residual_job *j = context;

    (void)worker;
    for (size_t at = 0; at < j->n; at += TILE) {
        const size_t stop = j->n - at < TILE ? j->n : at + TILE;

        for (size_t k = begin; k < end; k++)
            for (size_t n = at; n < stop; n++)
                j->turned[k * j->n + n] = j->w[n * j->k + k] * j->scale;
    }
}

static void chain_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const residual_job *j = context;

    (void)worker;
    for (size_t m = begin; m < end; m++) {
        const fpx_real *const x = j->x + m * j->k, *const y = j->y + m * j->k;
        const fpx_real *const base = j->base + m * j->n;
        fpx_real *const d = j->d + m * j->n;

        for (size_t n = 0; n < j->n; n++)
            d[n] = 0;
        for (size_t k = 0; k < j->k; k++) {
            const fpx_real r = x[k] - y[k], *const w = j->turned + k * j->n;

            if (r == 0)
                continue;
            for (size_t n = 0; n < j->n; n++)
                d[n] = real_fma(r, w[n], d[n]);
        }
        for (size_t n = 0; n < j->n; n++)
            d[n] = canonical(base[n] + d[n]);
    }
}

static int is_real(const fpx_tensor *t)
{
    return fpx_format_equal(&t->format, &REAL_FORMAT);
}

fpx_status OP(op_add_residual_accept)(const op_run *run)
{
    const fpx_tensor *w = &run->call->in[3];
    const char code[8] = { 0 };
    op_levels levels;
    fpx_real x;

    if (!op_levels_of(w, &levels) || (is_real(w) && w->nscales > 0) ||
        (!is_real(w) && real_decode(&w->format, 1, code, &x, 1) != FPX_OK))
        return op_refuse(run, FPX_EUNSUPPORTED,
                         "w: this device takes reals, or codes that it can decode with one fp32 "
                         "scale for the whole and scales in e8m0, ue4m3 or fp32 for blocks");
    return FPX_OK;
}

/* w turned; of codes also their values, and the scales of their blocks. */
static size_t matrix_bytes(const op_run *run)
{
    return op_line(op_times(fpx_tensor_count(&run->call->in[3]), sizeof(fpx_real)));
}

size_t OP(op_add_residual_work)(const op_run *run)
{
    const fpx_tensor *w = &run->call->in[3];
    uint64_t grid[FPX_MAX_DIMS];
    op_levels levels;
    size_t bytes = matrix_bytes(run);

    if (is_real(w))
        return bytes;
    bytes = op_plus(bytes, bytes);
    return op_levels_of(w, &levels) && levels.block != NULL
               ? op_plus(bytes, op_times(fpx_tensor_scales(w, 0, grid), sizeof(fpx_real)))
               : bytes;
}

static const fpx_real *values_of(const op_run *run)
{
    char *const values = (char *)run->work + matrix_bytes(run);

    if (is_real(&run->call->in[3]))
        return run->in[3];
    OP(op_gemm_decode_blocks)
    (run, 3, (fpx_real *)(void *)values, (fpx_real *)(void *)(values + matrix_bytes(run)));
    return (const fpx_real *)(const void *)values;
}

fpx_status OP(op_add_residual)(const op_run *run)
{
    residual_job j = { .base = run->in[0],
                       .x = run->in[1],
                       .y = run->in[2],
                       .w = values_of(run),
                       .d = run->out[0],
                       .turned = run->work,
                       .scale = run->decode[3] == NULL ? 1 : (fpx_real)*run->decode[3],
                       .n = (size_t)run->call->in[3].shape[0],
                       .k = (size_t)run->call->in[3].shape[1] };

    fpx_parallel_for(run->pool, j.k, grain_rows(j.n), turn_rows, &j);
    fpx_parallel_for(run->pool, (size_t)run->call->in[0].shape[0], grain_rows(j.k), chain_rows, &j);
    return FPX_OK;
}
