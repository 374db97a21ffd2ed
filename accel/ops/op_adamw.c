/* op_adamw.c - one step of AdamW, element by element, in place or not: Loshchilov and Hutter, arXiv
 * 1711.05101. Attributes are float64 and rounded once, 1 - beta too, so that no cancellation enters. */
#include "op_kernels.h"

typedef struct adamw_job {
    fpx_real *param, *m, *v;
    const fpx_real *old, *old_m, *old_v, *grad;
    fpx_real factor, rate, fix1, fix2; /* fix: 1 / (1 - beta^t) */
    fpx_real beta1, beta2, rest1, rest2, eps, decay;
} adamw_job;

static void adamw_range(void *context, size_t begin, size_t end, size_t worker)
{
    const adamw_job j = *(const adamw_job *)context;
    fpx_real *param = j.param, *first = j.m, *second = j.v;
    const fpx_real *old = j.old, *old_m = j.old_m, *old_v = j.old_v;
    const fpx_real *grad = j.grad;

    (void)worker;
#pragma GCC ivdep /* outputs are their inputs, or overlap nothing */
    for (size_t i = begin; i < end; i++) {
        const fpx_real g = grad[i] * j.factor;
        const fpx_real m = j.beta1 * old_m[i] + j.rest1 * g;
        const fpx_real v = j.beta2 * old_v[i] + (j.rest2 * g) * g;
        const fpx_real update = (m * j.fix1) / (real_sqrt(v * j.fix2) + j.eps);

        first[i] = canonical(m);
        second[i] = canonical(v);
        param[i] = canonical(old[i] - j.rate * (update + j.decay * old[i]));
    }
}

fpx_status OP(op_adamw)(const op_run *run)
{
    const fpx_attr *a = &run->call->attr;
    const fpx_real *factor = run->in[4], *hyper = run->in[5];
    adamw_job j = { .param = run->out[0],
                    .m = run->out[1],
                    .old = run->in[0],
                    .old_m = run->in[1],
                    .v = run->out[2],
                    .old_v = run->in[2],
                    .grad = run->in[3],
                    .factor = factor[0],
                    .rate = hyper[0],
                    .fix1 = hyper[1],
                    .fix2 = hyper[2],
                    .beta1 = (fpx_real)a->adamw.beta1,
                    .beta2 = (fpx_real)a->adamw.beta2,
                    .rest1 = (fpx_real)(1.0 - a->adamw.beta1),
                    .rest2 = (fpx_real)(1.0 - a->adamw.beta2),
                    .eps = (fpx_real)a->adamw.eps,
                    .decay = (fpx_real)a->adamw.weight_decay };

    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_GRAIN, adamw_range, &j);
    return FPX_OK;
}
