/* op_sumsq.c - a running sum of squares in float64: 16 lanes over the whole tensor, then added to the
 * total, so that a chain of these is the squared norm of all gradients. */
#include "op_kernels.h"

fpx_status OP(op_sumsq)(const op_run *run)
{
    const size_t n = fpx_tensor_count(&run->call->in[0]);
    const double *before = run->in[1];
    double *total = run->out[0];
#if FPX_REAL_IS_DOUBLE
    const double sum = fpx_dot_f64(run->level, run->in[0], run->in[0], n);
#else
    const double sum = fpx_sumsq_f32(run->level, run->in[0], n);
#endif
    const double result = (before == NULL ? 0.0 : *before) + sum;

    *total = result == result ? result : __builtin_nan("");
    return FPX_OK;
}
