/* op_lion.c - one step of Lion, element by element, in place or not: Chen et al., arXiv 2302.06675, algorithm 2.
 * Attributes are float64 and rounded once, 1 - beta too, so that no cancellation enters. */
#include "op_kernels.h"

typedef struct lion_job {
    fpx_real *param, *m;
    const fpx_real *old, *old_m, *grad;
    fpx_real factor, rate, beta1, beta2, rest1, rest2, decay;
} lion_job;

/* +0 of either zero, as numpy and PyTorch have it; NaN stays. */
static fpx_real sign(fpx_real x)
{
    return x > 0 ? (fpx_real)1 : (x < 0 ? (fpx_real)-1 : (x == 0 ? (fpx_real)0 : x));
}

static void lion_range(void *context, size_t begin, size_t end, size_t worker)
{
    const lion_job j = *(const lion_job *)context;
    fpx_real *param = j.param, *first = j.m;
    const fpx_real *old = j.old, *old_m = j.old_m;
    const fpx_real *grad = j.grad;

    (void)worker;
#pragma GCC ivdep /* outputs are their inputs, or overlap nothing */
    for (size_t i = begin; i < end; i++) {
        const fpx_real g = grad[i] * j.factor;
        const fpx_real update = sign(j.beta1 * old_m[i] + j.rest1 * g);

        first[i] = canonical(j.beta2 * old_m[i] + j.rest2 * g);
        param[i] = canonical(old[i] - j.rate * (update + j.decay * old[i]));
    }
}

fpx_status OP(op_lion)(const op_run *run)
{
    const fpx_attr *a = &run->call->attr;
    const fpx_real *factor = run->in[3], *hyper = run->in[4];
    lion_job j = { .param = run->out[0],
                   .m = run->out[1],
                   .old = run->in[0],
                   .old_m = run->in[1],
                   .grad = run->in[2],
                   .factor = factor[0],
                   .rate = hyper[0],
                   .beta1 = (fpx_real)a->lion.beta1,
                   .beta2 = (fpx_real)a->lion.beta2,
                   .rest1 = (fpx_real)(1.0 - a->lion.beta1),
                   .rest2 = (fpx_real)(1.0 - a->lion.beta2),
                   .decay = (fpx_real)a->lion.weight_decay };

    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_GRAIN, lion_range, &j);
    return FPX_OK;
}
