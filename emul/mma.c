/* mma.c - the order in which blocks meet: vectors of a step, steps, promotion, split-K. The scalar reference. */
#include <string.h>

#include "mma_block.h"

static size_t least(size_t x, size_t y)
{
    return x < y ? x : y;
}

/* What one output is made of. */
typedef struct output {
    const fpx_mma_model *model;
    mma_line a, b;
    size_t k;
} output;

static mma_acc zero_of(const fpx_mma_model *model)
{
    return (mma_acc){ &model->format, 0 };
}

/* Vector h of the step [begin, begin + length). */
static mma_span span_of(const fpx_mma_model *model, size_t begin, size_t length, size_t h)
{
    const size_t width = model->vectors > 1 ? model->width : length;
    const size_t stride = width * model->vectors;
    const size_t whole = length / stride, rest = length % stride;
    const size_t last = rest > h * width ? least(rest - h * width, width) : 0;

    return (mma_span){ begin + h * width, whole * width + last, width, stride };
}

/* One instruction: k from begin to end. */
static mma_acc step_sum(const output *o, size_t begin, size_t end, mma_acc c)
{
    const fpx_mma_model *const model = o->model;
    mma_acc acc = model->c == FPX_MMA_C_LATE ? zero_of(model) : c;

    for (size_t h = 0; h < model->vectors; h++) {
        const mma_span span = span_of(model, begin, end - begin, h);
        const size_t block = model->block == 0 ? span.count : model->block;
        for (size_t t = 0; t < span.count; t += block)
            acc = mma_block(model, o->a, o->b, &span, t, least(block, span.count - t), acc);
    }
    return model->c == FPX_MMA_C_LATE ? mma_add(model, c, acc) : acc;
}

/* A sum under way: with promotion, acc is the chain since the last restart, `sum` what came before. */
typedef struct chain {
    mma_acc acc, sum;
    size_t length;
} chain;

static chain chain_from(const fpx_mma_model *model, mma_acc c)
{
    return model->promote > 0 ? (chain){ zero_of(model), c, 0 } : (chain){ c, c, 0 };
}

static void chain_promote(const fpx_mma_model *model, chain *x)
{
    x->sum = mma_add(model, x->sum, x->acc);
    x->acc = zero_of(model);
    x->length = 0;
}

static void chain_tile(const output *o, size_t begin, size_t end, chain *x)
{
    const fpx_mma_model *const model = o->model;
    const size_t step = model->step == 0 ? end - begin : model->step;

    for (size_t k = begin; k < end; k += step) {
        x->acc = step_sum(o, k, least(k + step, end), x->acc);
        x->length += step;
        if (model->promote > 0 && x->length >= model->promote)
            chain_promote(model, x);
        if (end - k <= step)
            break;
    }
}

static mma_acc chain_end(const fpx_mma_model *model, chain *x)
{
    if (model->promote == 0)
        return x->acc;
    if (x->length > 0)
        chain_promote(model, x);
    return x->sum;
}

/* What split s makes of its tiles. */
static mma_acc part_sum(const output *o, size_t s)
{
    const fpx_mma_model *const model = o->model;
    const size_t tiles = o->k / model->tile + (o->k % model->tile != 0);
    const size_t run = tiles / model->split + (tiles % model->split != 0);
    const int is_cyclic = model->deal == FPX_MMA_DEAL_CYCLIC;
    const size_t first = is_cyclic ? s : s * run;
    const size_t end = is_cyclic ? tiles : least(first + run, tiles);
    chain x = chain_from(model, zero_of(model));

    for (size_t t = first; t < end; t += is_cyclic ? model->split : 1)
        chain_tile(o, t * model->tile, least((t + 1) * model->tile, o->k), &x);
    return chain_end(model, &x);
}

static mma_acc split_sum(const output *o)
{
    const fpx_mma_model *const model = o->model;
    const size_t splits = model->split, half = splits / 2 + splits % 2;
    const int is_serial = model->combine == FPX_MMA_SERIAL;
    mma_acc sum = part_sum(o, is_serial ? 0 : splits - 1);

    for (size_t s = is_serial ? 1 : 0; s < (is_serial ? splits : half); s++) {
        mma_acc part = part_sum(o, s);
        if (!is_serial && s + half < splits - 1)
            part = mma_add(model, part, part_sum(o, s + half));
        sum = mma_add(model, sum, part);
    }
    return sum;
}

static uint64_t output_code(const output *o, const mma_acc *c)
{
    const fpx_mma_model *const model = o->model;

    if (model->split > 1) {
        const mma_acc sum = split_sum(o);
        return c == NULL ? sum.code : mma_add(model, *c, sum).code;
    }
    chain x = chain_from(model, c == NULL ? zero_of(model) : *c);
    if (o->k > 0)
        chain_tile(o, 0, o->k, &x);
    return chain_end(model, &x).code;
}

static uint64_t code_of_c(const fpx_mma_model *model, const fpx_mma_call *call, size_t i, size_t j)
{
    return mma_flushed(model, &call->c_format,
                       fpx_format_code(&call->c_format, call->c,
                                       i * call->stride_c_row + j * call->stride_c_column));
}

static void store(const fpx_format *format, void *d, size_t i, uint64_t code)
{
    const size_t size = fpx_format_size(format);
    unsigned char *const at = (unsigned char *)d + i * size;

    for (size_t byte = 0; byte < size; byte++)
        at[byte] = (unsigned char)(code >> 8 * byte);
}

/* k = 0: D is C in the model's format. */
static uint64_t converted(const fpx_mma_model *model, mma_acc c)
{
    const fpx_conversion conversion = { .format = model->format,
                                        .round = FPX_RNE,
                                        .overflow = FPX_OVERFLOW_NONE,
                                        .nan = FPX_NAN_POSITIVE,
                                        .nan_code = model->nan_code };
    unsigned char from[8], to[8] = { 0 };

    store(c.format, from, 0, c.code);
    (void)fpx_encode_codes(&conversion, c.format, from, to, 1);
    return fpx_format_code(&model->format, to, 0);
}

fpx_status mma_call_check(const fpx_mma_model *model, const fpx_mma_call *call, fpx_error *err)
{
    fpx_status status = fpx_mma_model_check(model, err);

    if (status == FPX_OK)
        status = mma_block_room(model, call, err);
    if (status == FPX_OK && call->m > 1 && call->stride_d < call->n)
        status = fpx_error_set(err, FPX_EINVAL, "D: rows of %zu elements lie %zu apart", call->n,
                               call->stride_d);
    return status;
}

static void store_output(const fpx_mma_model *model, const fpx_mma_call *call, mma_line a,
                         mma_line b, void *d)
{
    const output o = { model, a, b, call->k };
    mma_acc c = { &call->c_format, 0 };

    if (call->c != NULL)
        c.code = code_of_c(model, call, a.vector, b.vector);
    uint64_t code = output_code(&o, call->c == NULL ? NULL : &c);
    if (call->k == 0 && call->c != NULL)
        code = converted(model, c);
    store(&model->format, d, a.vector * call->stride_d + b.vector, code);
}

/* Reads the elements of a line where there is room for them and the sum asks for elements. */
static mma_line line_read(const fpx_mma_model *model, const fpx_mma_operand *operand, size_t vector,
                          size_t k, mma_element *room)
{
    mma_line line = { operand, vector, NULL };

    for (size_t i = 0; room != NULL && i < k; i++)
        room[i] = mma_line_element(model, line, i);
    line.elements = room;
    return line;
}

void mma_rows(const fpx_mma_model *model, const fpx_mma_call *call, void *d, size_t begin,
              size_t end)
{
    /* Short lines are read once a row and once a strip of columns, not once an output: 4 columns at least. */
    enum { ROOM = 1280, LINES = 1 + 4, STRIP = 32 };
    const int reads = (model->sum == FPX_MMA_ALIGNED || model->sum == FPX_MMA_EXACT) &&
                      call->k > 0 && call->k <= ROOM / LINES;
    const size_t k = call->k, columns = reads ? least(ROOM / k - 1, STRIP) : STRIP;
    mma_element room[ROOM];
    mma_line b[STRIP];

    for (size_t first = 0; first < call->n; first += columns) {
        const size_t count = least(columns, call->n - first);
        for (size_t j = 0; j < count; j++)
            b[j] = line_read(model, &call->b, first + j, k, reads ? room + (1 + j) * k : NULL);
        for (size_t i = begin; i < end; i++) {
            const mma_line a = line_read(model, &call->a, i, k, reads ? room : NULL);
            for (size_t j = 0; j < count; j++)
                store_output(model, call, a, b[j], d);
        }
    }
}

fpx_status fpx_mma(const fpx_mma_model *model, const fpx_mma_call *call, void *d, fpx_error *err)
{
    const fpx_status status = mma_call_check(model, call, err);

    if (status == FPX_OK)
        mma_rows(model, call, d, 0, call->m);
    return status;
}
