/* op_swiglu.c - silu(gate) * up on rows gate | up. Where exp(-gate) overflows, 1 / (1 + Inf) is the exact
 * limit 0, so no case is special. */
#include "op_kernels.h"

typedef struct swiglu_job {
    fpx_cpu_level level;
    const fpx_real *gu, *dy;
    fpx_real *out; /* y[M,F] or dgu[M,2F] */
    size_t width;  /* F */
} swiglu_job;

/* q[i] = 1 + exp(-gate[i]) */
static void denominator(fpx_cpu_level level, const fpx_real *gate, fpx_real *q, size_t n)
{
    for (size_t i = 0; i < n; i++)
        q[i] = -gate[i];
    real_exp_array(level, q, q, n);
    for (size_t i = 0; i < n; i++)
        q[i] = 1 + q[i];
}

static void forward(const swiglu_job *j, const fpx_real *gate, const fpx_real *up, fpx_real *y,
                    size_t n)
{
    fpx_real q[OP_CHUNK];

    denominator(j->level, gate, q, n);
    for (size_t i = 0; i < n; i++)
        y[i] = canonical((gate[i] / q[i]) * up[i]);
}

static void backward(const swiglu_job *j, const fpx_real *restrict gate,
                     const fpx_real *restrict dy, fpx_real *restrict dgate, size_t n)
{
    const fpx_real *restrict up = gate + j->width;
    fpx_real *restrict dup = dgate + j->width;
    fpx_real q[OP_CHUNK];

    denominator(j->level, gate, q, n);
    for (size_t i = 0; i < n; i++) {
        const fpx_real sigma = 1 / q[i];
        const fpx_real slope = sigma * (1 + gate[i] * (1 - sigma));

        dgate[i] = canonical((dy[i] * up[i]) * slope);
        dup[i] = canonical(dy[i] * (gate[i] / q[i]));
    }
}

static void swiglu_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const swiglu_job *j = context;

    (void)worker;
    for (size_t m = begin; m < end; m++)
        for (size_t c = 0; c < j->width; c += OP_CHUNK) {
            const size_t n = j->width - c < OP_CHUNK ? j->width - c : OP_CHUNK;
            const fpx_real *gate = j->gu + 2 * m * j->width + c;

            if (j->dy == NULL)
                forward(j, gate, gate + j->width, j->out + m * j->width + c, n);
            else
                backward(j, gate, j->dy + m * j->width + c, j->out + 2 * m * j->width + c, n);
        }
}

static fpx_status all_rows(const op_run *run, const fpx_real *dy)
{
    const fpx_tensor *gu = &run->call->in[0];
    swiglu_job j = { run->level, run->in[0], dy, run->out[0], (size_t)gu->shape[1] / 2 };

    fpx_parallel_for(run->pool, (size_t)gu->shape[0], grain_rows(j.width), swiglu_rows, &j);
    return FPX_OK;
}

fpx_status OP(op_swiglu)(const op_run *run)
{
    return all_rows(run, NULL);
}

fpx_status OP(op_swiglu_grad)(const op_run *run)
{
    return all_rows(run, run->in[1]);
}
