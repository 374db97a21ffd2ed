/* mma_operate.c - the reference's IEEE 754 operations, by fpx/arith.h: blocks that round each one, and the additions
 * beyond blocks. */
#include <string.h>

#include "mma_watch.h"

/* One of IEEE 754's operations. */
typedef struct operation {
    fpx_arith_op op;
    fpx_round round;
    int flushes; /* a subnormal result becomes a zero of its sign */
} operation;

/* Rounded into the model's format; NaN is the model's. */
static mma_acc operate(const mma_output *o, operation what, mma_place place,
                       const mma_acc *operands)
{
    const fpx_mma_model *const model = o->model;
    const fpx_conversion conversion = { .format = model->format,
                                        .round = (uint8_t)what.round,
                                        .overflow = FPX_OVERFLOW_NONE,
                                        .nan = FPX_NAN_POSITIVE,
                                        .nan_code = model->nan_code };
    const size_t third = what.op == FPX_ARITH_FMA ? 2 : 1;
    const fpx_format *const formats[] = { operands[0].format, operands[1].format,
                                          operands[third].format };
    const uint64_t codes[] = { operands[0].code, operands[1].code, operands[third].code };
    const uint64_t sign = UINT64_C(1) << (model->format.bits - 1);
    mma_acc out = { &model->format, model->nan_code };

    (void)fpx_arith(what.op, &conversion, formats, codes, 0, &out.code, NULL);
    const uint64_t before = out.code;
    if (what.flushes && (out.code & (sign - 1)) < UINT64_C(1) << model->format.mbits)
        out.code &= sign;
    if (o->watch != NULL)
        mma_watch_operation(o, place, what.op, operands, before, out);
    return out;
}

mma_acc mma_add(const mma_output *o, fpx_mma_part part, mma_acc x, mma_acc y)
{
    const mma_acc both[] = { x, y };

    return operate(o, (operation){ FPX_ARITH_ADD, FPX_RNE, 0 }, (mma_place){ part, 0, 0 }, both);
}

/* Element times scale is exact in float64, whatever the rounding mode: mma_block_room saw to it. */
static mma_acc operand_at(const mma_output *o, mma_line line, size_t k)
{
    const fpx_mma_operand *const operand = line.operand;
    mma_acc out = { &operand->format, mma_line_code(o->model, line, k) };

    if (operand->scales != NULL) {
        const double value = fpx_format_value(out.format, out.code) *
                             fpx_format_value(&operand->scale_format, mma_line_scale(line, k));
        memcpy(&out.code, &value, sizeof value);
        out.format = &fpx_fp64;
    }
    return out;
}

static mma_acc tree_operate(const mma_output *o, fpx_arith_op op, mma_place place, mma_acc x,
                            mma_acc y)
{
    const fpx_mma_model *const model = o->model;
    const mma_acc both[] = { x, y };

    return operate(o, (operation){ op, (fpx_round)model->round, model->flush_results }, place,
                   both);
}

static mma_acc tree_sum(const mma_output *o, const mma_span *span, size_t first, size_t count)
{
    const mma_place place = { FPX_MMA_PART_PRODUCTS, mma_block_k(span, first), count };
    size_t half = 1;

    if (count == 1)
        return tree_operate(o, FPX_ARITH_MUL, place, operand_at(o, o->a, place.k),
                            operand_at(o, o->b, place.k));
    while (half < count - half)
        half *= 2;
    const mma_acc left = tree_sum(o, span, first, half);
    const mma_acc right = tree_sum(o, span, first + half, count - half);
    return tree_operate(o, FPX_ARITH_ADD, place, left, right);
}

mma_acc mma_fma_chain(const mma_output *o, const mma_span *span, size_t first, size_t count,
                      mma_acc c)
{
    const operation fma = { FPX_ARITH_FMA, (fpx_round)o->model->round, 0 };

    for (size_t t = first; t < first + count; t++) {
        const size_t k = mma_block_k(span, t);
        const mma_acc three[] = { operand_at(o, o->a, k), operand_at(o, o->b, k), c };
        c = operate(o, fma, (mma_place){ FPX_MMA_PART_ALL, k, 1 }, three);
    }
    return c;
}

mma_acc mma_tree(const mma_output *o, const mma_span *span, size_t first, size_t count, mma_acc c)
{
    const mma_place place = { FPX_MMA_PART_C, 0, count };

    return tree_operate(o, FPX_ARITH_ADD, place, c, tree_sum(o, span, first, count));
}
