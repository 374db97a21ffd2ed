/* op_unit.c - codes go to the unit as they lie, transposed by strides, and so do scales of blocks where it takes them, one
 * for each vector; scales of whole tensors come after it, as a library's epilogue has it. */
#include "op_unit.h"

#include <stdio.h>
#include <string.h>

#include <fpx/mma_finish.h>
#include <fpx/mma_run.h>
#include <fpx/opshape.h>

#include "op_levels.h"

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

int op_by_runs(const op_run *run)
{
    fpx_mma_preset unit = { .scales = NULL };
    fpx_mma_call mma = { .m = 0 };
    op_levels levels;
    int any = 0, single = 0;

    for (uint32_t i = 0; i < 2; i++)
        if (op_levels_of(&run->call->in[i], &levels) && levels.block != NULL) {
            any = 1;
            single |= !op_levels_exact(&levels);
        }
    if (!any || run->call->attr.gemm.unit[0] == '\0')
        return single;
    return unit_of(run, &unit, &mma) == FPX_OK && unit.scales == NULL;
}

/* Whether a list such as "e8m0/32 ue4m3/16" has this format with this many elements. */
static int lists(const char *list, const char *format, size_t block)
{
    const char *at = list;
    char word[FPX_FORMAT_NAME_MAX + 24];

    (void)snprintf(word, sizeof word, "%.*s/%zu", FPX_FORMAT_NAME_MAX, format, block);
    while ((at = strstr(at, word)) != NULL) {
        const char end = at[strlen(word)];

        if ((at == list || at[-1] == ' ') && (end == ' ' || end == '\0'))
            return 1;
        at++;
    }
    return 0;
}

/* A unit has one scale for a piece of one vector: the stored blocks may span several. */
typedef struct unit_scales {
    op_grid grid;
    const fpx_format *format;
    size_t vectors, across; /* as the unit takes them: across of each vector */
} unit_scales;

static int scales_of(const op_run *run, uint32_t i, const fpx_mma_call *mma,
                     unit_scales *ret_scales)
{
    const int k_axis =
        i == 0 ? run->call->attr.gemm.trans_a == 0 : run->call->attr.gemm.trans_b != 0;
    const fpx_tensor *t = &run->call->in[i];
    op_levels levels = { NULL };

    if (!op_levels_of(t, &levels) || levels.block == NULL)
        return 0;
    ret_scales->grid = op_grid_of(t, levels.block, k_axis);
    ret_scales->format = &levels.block->format;
    /* A row shorter than a block has one block of the stated length. */
    if (levels.block->block[k_axis] > ret_scales->grid.block_k)
        ret_scales->grid.block_k = (size_t)levels.block->block[k_axis];
    ret_scales->vectors = i == 0 ? mma->m : mma->n;
    ret_scales->across = mma->k == 0 ? 0 : (mma->k - 1) / ret_scales->grid.block_k + 1;
    return 1;
}

static fpx_status accept_scales(const op_run *run, const fpx_mma_preset *unit,
                                const fpx_mma_call *mma)
{
    for (uint32_t i = 0; i < 2; i++) {
        unit_scales s;

        if (!scales_of(run, i, mma, &s) || !lists(unit->scales, s.format->name, s.grid.block_k))
            return op_refuse(run, FPX_EUNSUPPORTED, "%s wants scales of blocks along k: %s",
                             run->call->attr.gemm.unit, unit->scales);
    }
    return FPX_OK;
}

fpx_status op_unit_accept(const op_run *run)
{
    const fpx_format *a = &run->call->in[0].format, *b = &run->call->in[1].format;
    fpx_mma_preset unit;
    fpx_mma_call mma = { .m = 0 };
    fpx_status status = unit_of(run, &unit, &mma);

    if (status != FPX_OK)
        return status;
    if (!fpx_mma_preset_takes(&unit, a, b))
        return op_refuse(run, FPX_EUNSUPPORTED, "%s takes %s, not %s and %s",
                         run->call->attr.gemm.unit, unit.inputs, a->name, b->name);
    if (!fpx_format_equal(&unit.model.format, &fpx_fp32))
        return op_refuse(run, FPX_EUNSUPPORTED, "%s gives %s: a training step wants fp32",
                         run->call->attr.gemm.unit, unit.model.format.name);
    if (unit.scales != NULL && (status = accept_scales(run, &unit, &mma)) != FPX_OK)
        return status;
    fpx_error err = { 0 };
    status = fpx_mma(&unit.model, &(fpx_mma_call){ .a = mma.a, .b = mma.b }, run->out[0], &err);
    return status == FPX_OK ? FPX_OK : op_refuse(run, status, "%s", err.text);
}

/* Scales as the unit takes them, `to` onwards; NULL: only said that there are some. Returns their end. */
static char *add_scales(const op_run *run, uint32_t i, fpx_mma_call *mma, char *to)
{
    static const char nothing = 0;
    fpx_mma_operand *o = i == 0 ? &mma->a : &mma->b;
    unit_scales s;

    if (!scales_of(run, i, mma, &s))
        return to;
    o->scales = to == NULL ? &nothing : to;
    o->scale_format = *s.format;
    o->scale_block = s.grid.block_k;
    o->scale_stride_vector = s.across;
    o->scale_stride_k = 1;
    if (to == NULL)
        return NULL;
    const uint8_t *from = run->blocks[i]; /* of one byte: e8m0, ue4m3 */
    for (size_t v = 0; v < s.vectors; v++)
        for (size_t k = 0; k < s.across; k++)
            *to++ = (char)from[v / s.grid.block_v * s.grid.stride_v + k * s.grid.stride_k];
    return to;
}

static size_t scales_bytes(const op_run *run, const fpx_mma_call *mma)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < 2; i++) {
        unit_scales s;

        if (scales_of(run, i, mma, &s))
            bytes = op_plus(bytes, op_times(s.vectors, s.across));
    }
    return bytes;
}

size_t op_unit_work(const op_run *run)
{
    fpx_mma_preset unit;
    fpx_mma_call mma = { .m = 0 };

    if (unit_of(run, &unit, &mma) != FPX_OK)
        return 0;
    for (uint32_t i = 0; i < 2; i++)
        (void)add_scales(run, i, &mma, NULL);
    return op_plus(op_line(scales_bytes(run, &mma)),
                   fpx_mma_scratch(&unit.model, &mma, run->level, fpx_pool_threads(run->pool)));
}

size_t op_unit_slice_work(const op_run *run, size_t length)
{
    fpx_mma_preset unit;
    fpx_mma_call mma = { .m = 0 };

    if (unit_of(run, &unit, &mma) != FPX_OK)
        return 0;
    mma.k = length;
    return fpx_mma_scratch(&unit.model, &mma, run->level, fpx_pool_threads(run->pool));
}

static fpx_status multiply(const op_run *run, const fpx_mma_preset *unit, const fpx_mma_call *mma,
                           float *d, void *work)
{
    fpx_error err = { 0 };
    const fpx_status status =
        fpx_mma_run(&unit->model, mma, d, work, run->pool, run->level, NULL, &err);

    return status == FPX_OK ? FPX_OK : op_refuse(run, status, "%s", err.text);
}

fpx_status op_unit_slice(const op_run *run, size_t k, size_t length, float *sums, void *work)
{
    fpx_mma_preset unit;
    fpx_mma_call mma = { .m = 0 };
    const fpx_status status = unit_of(run, &unit, &mma);

    if (status != FPX_OK)
        return status;
    mma.k = length;
    mma.a.codes = (const char *)mma.a.codes + k * mma.a.stride_k * fpx_format_size(&mma.a.format);
    mma.b.codes = (const char *)mma.b.codes + k * mma.b.stride_k * fpx_format_size(&mma.b.format);
    return multiply(run, &unit, &mma, sums, work);
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
    fpx_mma_call mma = { .m = 0 };
    fpx_status status = unit_of(run, &unit, &mma);

    if (status != FPX_OK)
        return status;
    char *const scratch = (char *)run->work + op_line(scales_bytes(run, &mma)), *to = run->work;
    for (uint32_t i = 0; i < 2; i++)
        to = add_scales(run, i, &mma, to);
    if ((status = multiply(run, &unit, &mma, run->out[0], scratch)) != FPX_OK)
        return status;
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
