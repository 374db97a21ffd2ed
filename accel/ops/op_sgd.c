/* op_sgd.c - one step of gradient descent with momentum, element by element, in place or not: the form of
 * PyTorch's SGD without dampening, which differs from Sutskever et al. (ICML 2013) by the rate's place. */
#include "op_kernels.h"

typedef struct sgd_job {
    fpx_real *param, *m;
    const fpx_real *old, *old_m, *grad;
    fpx_real factor, rate, momentum, decay;
} sgd_job;

static void sgd_range(void *context, size_t begin, size_t end, size_t worker)
{
    const sgd_job j = *(const sgd_job *)context;
    fpx_real *param = j.param, *first = j.m;
    const fpx_real *old = j.old, *old_m = j.old_m;
    const fpx_real *grad = j.grad;

    (void)worker;
#pragma GCC ivdep /* outputs are their inputs, or overlap nothing */
    for (size_t i = begin; i < end; i++) {
        const fpx_real g = grad[i] * j.factor + j.decay * old[i];
        const fpx_real m = j.momentum * old_m[i] + g;

        first[i] = canonical(m);
        param[i] = canonical(old[i] - j.rate * m);
    }
}

fpx_status OP(op_sgd)(const op_run *run)
{
    const fpx_attr *a = &run->call->attr;
    const fpx_real *factor = run->in[3], *hyper = run->in[4];
    sgd_job j = { .param = run->out[0],
                  .m = run->out[1],
                  .old = run->in[0],
                  .old_m = run->in[1],
                  .grad = run->in[2],
                  .factor = factor[0],
                  .rate = hyper[0],
                  .momentum = (fpx_real)a->sgd.momentum,
                  .decay = (fpx_real)a->sgd.weight_decay };

    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_GRAIN, sgd_range, &j);
    return FPX_OK;
}
