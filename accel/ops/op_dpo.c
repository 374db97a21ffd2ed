/* op_dpo.c - direct preference optimization (Rafailov et al. 2023, arXiv 2305.18290, equation 7) on log-probabilities of
 * sequences: the loss -log sigmoid(margin) of each pair, and its slope. */
#include "op_kernels.h"

/* A term for each pair. */
size_t OP(op_dpo_work)(const op_run *run)
{
    return op_times((size_t)run->call->out[2].shape[0], sizeof(fpx_real));
}

/* Neither exponential can overflow where its result counts: exp(h) = Inf gives the slope 0. */
fpx_status OP(op_dpo)(const op_run *run)
{
    const size_t pairs = (size_t)run->call->out[2].shape[0];
    const fpx_real *logp = run->in[0], *reference = run->in[1], *given = run->in[2];
    const fpx_real beta = (fpx_real)run->call->attr.dpo.beta;
    const fpx_real count = given != NULL ? given[0] : (fpx_real)pairs;
    fpx_real *loss = run->out[0], *dlogp = run->out[1], *margin = run->out[2], *terms = run->work;

    for (size_t p = 0; p < pairs; p++) {
        const fpx_real chosen = logp[2 * p] - reference[2 * p];
        const fpx_real rejected = logp[2 * p + 1] - reference[2 * p + 1];
        const fpx_real h = beta * (chosen - rejected);
        fpx_real e[2] = { h < 0 ? h : -h, h };

        real_exp_array(run->level, e, e, 2);
        const fpx_real slope = (beta * (1 / (1 + e[1]))) / count;
        terms[p] = (h < 0 ? -h : 0) + real_log(1 + e[0]);
        margin[p] = canonical(h);
        dlogp[2 * p] = canonical(-slope);
        dlogp[2 * p + 1] = canonical(slope);
    }
    real_tree(run->level, terms, pairs, 1);
    loss[0] = canonical(run->call->attr.dpo.sum ? terms[0] : terms[0] / count);
    return FPX_OK;
}
