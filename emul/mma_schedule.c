/* mma_schedule.c - mma.c's recursion written out as a list: each function here is the one there of the same purpose, and
 * test_mma_run.c compares what comes of both. */
#include "mma_schedule.h"

static size_t least(size_t x, size_t y)
{
    return x < y ? x : y;
}

mma_span mma_span_of(const fpx_mma_model *model, size_t begin, size_t length, size_t h)
{
    const size_t width = model->vectors > 1 ? model->width : length;
    const size_t stride = width * model->vectors;
    const size_t whole = length / stride, rest = length % stride;
    const size_t last = rest > h * width ? least(rest - h * width, width) : 0;

    return (mma_span){ begin + h * width, whole * width + last, width, stride };
}

size_t mma_span_k(const mma_span *span, size_t t)
{
    return span->begin + t / span->width * span->stride + t % span->width;
}

static void emit(mma_schedule *s, mma_op op)
{
    op.is_c = op.to == MMA_REG_C && s->is_c_as_given;
    if (op.to == MMA_REG_C)
        s->is_c_as_given = 0;
    if (s->ops != NULL)
        s->ops[s->nops] = op;
    if (s->visit != NULL)
        s->visit(s->context, &op);
    s->nops++;
    if (op.kind != MMA_OP_BLOCK)
        return;
    for (size_t t = 0; t < op.count; t++) {
        const size_t k = mma_span_k(&op.span, op.first + t);
        s->is_ascending &= k == s->nk;
        if (s->order != NULL)
            s->order[s->nk] = (uint32_t)k;
        s->nk++;
    }
}

static void zero(mma_schedule *s, unsigned reg)
{
    emit(s, (mma_op){ .kind = MMA_OP_ZERO, .to = (uint8_t)reg });
}

static void add(mma_schedule *s, unsigned to, unsigned from)
{
    emit(s, (mma_op){ .kind = MMA_OP_ADD, .to = (uint8_t)to, .from = (uint8_t)from });
}

/* One instruction: k from begin to end, on top of register acc. */
static void step(const fpx_mma_model *model, mma_schedule *s, size_t begin, size_t end,
                 unsigned acc)
{
    const int is_late = model->c == FPX_MMA_C_LATE;
    const unsigned to = is_late ? MMA_REG_STEP : acc;

    if (is_late)
        zero(s, to);
    for (size_t h = 0; h < model->vectors; h++) {
        const mma_span span = mma_span_of(model, begin, end - begin, h);
        const size_t block = model->block == 0 ? span.count : model->block;
        for (size_t t = 0; t < span.count; t += block)
            emit(s, (mma_op){ .kind = MMA_OP_BLOCK,
                              .to = (uint8_t)to,
                              .count = (uint32_t)least(block, span.count - t),
                              .first = t,
                              .at = s->nk,
                              .span = span });
    }
    if (is_late)
        add(s, acc, to);
}

/* A sum under way in register `sum`: with promotion, CHAIN is what came since the last restart. */
typedef struct chain {
    unsigned sum, acc;
    size_t length;
} chain;

static chain chain_from(const fpx_mma_model *model, mma_schedule *s, unsigned sum)
{
    if (model->promote == 0)
        return (chain){ sum, sum, 0 };
    zero(s, MMA_REG_CHAIN);
    return (chain){ sum, MMA_REG_CHAIN, 0 };
}

static void chain_tile(const fpx_mma_model *model, mma_schedule *s, size_t begin, size_t end,
                       chain *x)
{
    const size_t length = model->step == 0 ? end - begin : model->step;

    for (size_t k = begin; k < end; k += length) {
        step(model, s, k, least(k + length, end), x->acc);
        x->length += length;
        if (model->promote > 0 && x->length >= model->promote) {
            add(s, x->sum, x->acc);
            zero(s, x->acc);
            x->length = 0;
        }
        if (end - k <= length)
            break;
    }
}

static void chain_end(const fpx_mma_model *model, mma_schedule *s, const chain *x)
{
    if (model->promote > 0 && x->length > 0)
        add(s, x->sum, x->acc);
}

/* What split p makes of its tiles, in register `to`. */
static void part(const fpx_mma_model *model, mma_schedule *s, size_t k, size_t p, unsigned to)
{
    const size_t tiles = k / model->tile + (k % model->tile != 0);
    const size_t run = tiles / model->split + (tiles % model->split != 0);
    const int is_cyclic = model->deal == FPX_MMA_DEAL_CYCLIC;
    const size_t first = is_cyclic ? p : p * run;
    const size_t end = is_cyclic ? tiles : least(first + run, tiles);

    zero(s, to);
    chain x = chain_from(model, s, to);
    for (size_t t = first; t < end; t += is_cyclic ? model->split : 1)
        chain_tile(model, s, t * model->tile, least((t + 1) * model->tile, k), &x);
    chain_end(model, s, &x);
}

static void splits(const fpx_mma_model *model, mma_schedule *s, size_t k)
{
    const size_t n = model->split, half = n / 2 + n % 2;
    const int is_serial = model->combine == FPX_MMA_SERIAL;

    part(model, s, k, is_serial ? 0 : n - 1, MMA_REG_TOTAL);
    for (size_t p = is_serial ? 1 : 0; p < (is_serial ? n : half); p++) {
        part(model, s, k, p, MMA_REG_PART);
        if (!is_serial && p + half < n - 1) {
            part(model, s, k, p + half, MMA_REG_PAIR);
            add(s, MMA_REG_PART, MMA_REG_PAIR);
        }
        add(s, MMA_REG_TOTAL, MMA_REG_PART);
    }
}

void mma_schedule_make(const fpx_mma_model *model, size_t k, int has_c, mma_schedule *s)
{
    s->nops = s->nk = 0;
    s->is_ascending = 1;
    s->has_c = s->is_c_as_given = has_c;
    s->result = MMA_REG_C;
    if (model->split > 1) {
        splits(model, s, k);
        s->result = has_c ? MMA_REG_C : MMA_REG_TOTAL;
        if (has_c)
            add(s, MMA_REG_C, MMA_REG_TOTAL);
        return;
    }
    chain x = chain_from(model, s, MMA_REG_C);
    chain_tile(model, s, 0, k, &x);
    chain_end(model, s, &x);
}
