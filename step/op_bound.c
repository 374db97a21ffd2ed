/* op_bound.c - the way into every bound function, and the bounds of operations that only move numbers. */
#include "op_bound.h"

#include <math.h>

#include <fpx/cpu.h>

#include "op_row.h"

/* A bound computed under a caller's flush-to-zero or directed rounding would not be one. */
void op_bound(const fpx_bound_args *args)
{
    const fpx_fpenv saved = fpx_fpenv_enter();
    const op_row *row = op_row_of(args->call->kind);

    if (row->bound_avx2 != NULL && fpx_cpu_in_use() >= FPX_CPU_AVX2)
        row->bound_avx2(args);
    else
        row->bound(args);
    fpx_fpenv_leave(saved);
}

size_t op_scratch(const fpx_call *call)
{
    const op_row *row = op_row_of(call->kind);

    return row->scratch == NULL ? 0 : row->scratch(call);
}

static double moved(double x)
{
    return isfinite(x) ? 0.0 : HUGE_VAL;
}

void op_bound_heads(const fpx_bound_args *args)
{
    const size_t n = fpx_tensor_count(&args->call->out[0]);

    for (size_t i = 0; i < n; i++)
        args->bound[0][i] = moved(args->out[0][i]);
}

void op_bound_embed(const fpx_bound_args *args)
{
    op_bound_heads(args);
}

/* A scale of the reference is always 1. A block's scale is not among the arguments of a bound, and the error of a code is
 * its scale's: block quantizers are checked by equality (tests/accel/test_ops_block.c; a device beside the `cpu` device:
 * local:cpu). The reference of a group's power is the identity, and what a code is worth depends on its whole group. */
void op_bound_none(const fpx_bound_args *args)
{
    for (uint32_t o = 0; o < args->call->nout; o++)
        for (size_t i = 0; i < fpx_tensor_count(&args->call->out[o]); i++)
            args->bound[o][i] = HUGE_VAL;
}
