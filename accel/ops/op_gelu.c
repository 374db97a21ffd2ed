/* op_gelu.c - GELU in its tanh form, as GPT-2 has it: Hendrycks and Gimpel, arXiv 1606.08415. */
#include "op_kernels.h"

static const fpx_real root = (fpx_real)0.79788456080286535588; /* sqrt(2 / pi) */
static const fpx_real cubic = (fpx_real)0.044715;
static const fpx_real slope3 = (fpx_real)0.134145; /* 3 * 0.044715 */

typedef struct gelu_job {
    fpx_cpu_level level;
    const fpx_real *x, *dy;
    fpx_real *y;
} gelu_job;

/* t[i] = tanh(root * (x + cubic * x^3)) */
static void inner_tanh(fpx_cpu_level level, const fpx_real *x, fpx_real *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        t[i] = root * (x[i] + cubic * ((x[i] * x[i]) * x[i]));
    real_tanh_array(level, t, t, n);
}

static void gelu_range(void *context, size_t begin, size_t end, size_t worker)
{
    const gelu_job *j = context;
    fpx_real t[OP_CHUNK];

    (void)worker;
    for (size_t at = begin; at < end; at += OP_CHUNK) {
        const size_t n = end - at < OP_CHUNK ? end - at : OP_CHUNK;
        const fpx_real *restrict x = j->x + at;
        fpx_real *restrict y = j->y + at;

        inner_tanh(j->level, x, t, n);
        for (size_t i = 0; i < n; i++)
            y[i] = canonical(((fpx_real)0.5 * x[i]) * (1 + t[i]));
    }
}

static void gelu_grad_range(void *context, size_t begin, size_t end, size_t worker)
{
    const gelu_job *j = context;
    fpx_real t[OP_CHUNK];

    (void)worker;
    for (size_t at = begin; at < end; at += OP_CHUNK) {
        const size_t n = end - at < OP_CHUNK ? end - at : OP_CHUNK;
        const fpx_real *restrict x = j->x + at, *restrict dy = j->dy + at;
        fpx_real *restrict dx = j->y + at;

        inner_tanh(j->level, x, t, n);
        for (size_t i = 0; i < n; i++) {
            const fpx_real inner = root * (1 + slope3 * (x[i] * x[i]));
            const fpx_real outer = (1 - t[i]) * (1 + t[i]);
            const fpx_real slope =
                (fpx_real)0.5 * (1 + t[i]) + ((fpx_real)0.5 * x[i]) * (outer * inner);

            dx[i] = canonical(dy[i] * slope);
        }
    }
}

fpx_status OP(op_gelu)(const op_run *run)
{
    gelu_job j = { run->level, run->in[0], NULL, run->out[0] };

    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_CHUNK, gelu_range, &j);
    return FPX_OK;
}

fpx_status OP(op_gelu_grad)(const op_run *run)
{
    gelu_job j = { run->level, run->in[0], run->in[1], run->out[0] };

    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_CHUNK, gelu_grad_range, &j);
    return FPX_OK;
}
