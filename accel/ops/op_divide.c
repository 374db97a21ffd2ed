/* op_divide.c - every element by one number: a sum over the tokens of several micro-batches becomes a mean. */
#include "op_kernels.h"

fpx_status OP(op_divide)(const op_run *run)
{
    const size_t n = fpx_tensor_count(&run->call->in[0]);
    const fpx_real *a = run->in[0], *b = run->in[1];
    fpx_real *y = run->out[0];

    for (size_t i = 0; i < n; i++)
        y[i] = canonical(a[i] / b[0]);
    return FPX_OK;
}
