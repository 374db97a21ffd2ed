/* op_unit.c - codes go to the unit as they lie, transposed by strides; scales of whole tensors come after it, as a
 * library's epilogue has it. */
#include "op_unit.h"

#include <fpx/mma_finish.h>
#include <fpx/mma_run.h>
#include <fpx/opshape.h>

/* Vectors of op(X): rows of A, columns of B, `inner` being the stored matrix's last extent. */
static fpx_mma_operand operand(const fpx_tensor *t, const void *codes, int along_k)
{
    const size_t inner = (size_t)t->shape[t->ndim - 1];

    return (fpx_mma_operand){ .format = t->format,
                              .codes = codes,
                              .stride_vector = along_k ? inner : 1,
                              .stride_k = along_k ? 1 : inner,
                              .stride_batch = inner * (size_t)t->shape[t->ndim - 2] };
}

fpx_status fpx_call_unit(const fpx_call *call, const void *a, const void *b,
                         fpx_mma_preset *ret_unit, fpx_mma_call *ret_mma, fpx_error *err)
{
    const fpx_tensor *d = &call->out[0];
    const size_t axis = (size_t)d->ndim - 2;
    const int trans_a = call->attr.gemm.trans_a != 0, trans_b = call->attr.gemm.trans_b != 0;
    const fpx_status status = fpx_mma_preset_parse(call->attr.gemm.unit, ret_unit, err);

    if (status == FPX_OK)
        *ret_mma =
            (fpx_mma_call){ .m = (size_t)d->shape[axis],
                            .n = (size_t)d->shape[axis + 1],
                            .k = (size_t)call->in[0].shape[axis + (trans_a ? 0 : 1)],
                            .batch = d->ndim == 4 ? (size_t)(d->shape[0] * d->shape[1]) : 1,
                            .a = operand(&call->in[0], a, !trans_a),
                            .b = operand(&call->in[1], b, trans_b),
                            .stride_d = (size_t)d->shape[axis + 1],
                            .stride_d_batch = (size_t)(d->shape[axis] * d->shape[axis + 1]) };
    return status;
}

static fpx_status unit_of(const op_run *run, fpx_mma_preset *ret_unit, fpx_mma_call *ret_mma)
{
    fpx_error err = { 0 };
    const fpx_status status =
        fpx_call_unit(run->call, run->in[0], run->in[1], ret_unit, ret_mma, &err);

    return status == FPX_OK ? FPX_OK : op_refuse(run, status, "%s", err.text);
}

fpx_status op_unit_accept(const op_run *run)
{
    const fpx_format *a = &run->call->in[0].format, *b = &run->call->in[1].format;
    fpx_mma_preset unit;
    fpx_mma_call mma;
    fpx_status status = unit_of(run, &unit, &mma);

    if (status != FPX_OK)
        return status;
    if (!fpx_mma_preset_takes(&unit, a, b))
        return op_refuse(run, FPX_EUNSUPPORTED, "%s takes %s, not %s and %s", unit.model.name,
                         unit.inputs, a->name, b->name);
    if (!fpx_format_equal(&unit.model.format, &fpx_fp32))
        return op_refuse(run, FPX_EUNSUPPORTED, "%s gives %s: a training step wants fp32",
                         unit.model.name, unit.model.format.name);
    if (unit.scales != NULL)
        return op_refuse(run, FPX_EUNSUPPORTED, "%s wants block scales, which this device lacks",
                         unit.model.name);
    fpx_error err = { 0 };
    status = fpx_mma(&unit.model, &(fpx_mma_call){ .a = mma.a, .b = mma.b }, run->out[0], &err);
    return status == FPX_OK ? FPX_OK : op_refuse(run, status, "%s", err.text);
}

size_t op_unit_work(const op_run *run)
{
    fpx_mma_preset unit;
    fpx_mma_call mma;

    return unit_of(run, &unit, &mma) == FPX_OK
               ? fpx_mma_scratch(&unit.model, &mma, run->level, fpx_pool_threads(run->pool))
               : 0;
}

typedef struct finish_job {
    fpx_mma_epilogue epilogue;
    float *d;
    size_t columns;
} finish_job;

static void finish_range(void *context, size_t begin, size_t end, size_t worker)
{
    const finish_job *j = context;

    (void)worker;
    (void)fpx_mma_finish(&j->epilogue, j->d + begin * j->columns, end - begin, j->columns,
                         j->d + begin * j->columns, NULL);
}

fpx_status op_unit_run(const op_run *run, float alpha)
{
    fpx_mma_preset unit;
    fpx_mma_call mma;
    fpx_error err = { 0 };
    fpx_status status = unit_of(run, &unit, &mma);

    if (status == FPX_OK)
        status = fpx_mma_run(&unit.model, &mma, run->out[0], run->work, run->pool, run->level, NULL,
                             &err);
    if (status != FPX_OK)
        return op_refuse(run, status, "%s", err.text);
    finish_job j = { .epilogue = { .scale_a = alpha,
                                   .scale_b = 1.0f,
                                   .scale_d = 1.0f,
                                   .sums = fpx_fp32,
                                   .to = fpx_mma_conversion(&fpx_fp32) },
                     .d = run->out[0],
                     .columns = mma.n };
    fpx_parallel_for(run->pool, mma.batch * mma.m, 8192 / (mma.n < 8192 ? mma.n : 8192),
                     finish_range, &j);
    return FPX_OK;
}
