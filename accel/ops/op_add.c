/* op_add.c - the sum of two tensors, element by element. */
#include "op_kernels.h"

typedef struct add_job {
    const fpx_real *a, *b;
    fpx_real *y;
} add_job;

static void add_range(void *context, size_t begin, size_t end, size_t worker)
{
    const add_job *j = context;
    const fpx_real *a = j->a, *b = j->b;
    fpx_real *restrict y = j->y;

    (void)worker;
    for (size_t i = begin; i < end; i++)
        y[i] = canonical(a[i] + b[i]);
}

fpx_status OP(op_add)(const op_run *run)
{
    add_job j = { run->in[0], run->in[1], run->out[0] };

    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_GRAIN, add_range, &j);
    return FPX_OK;
}
