/* mma.c - the order in which blocks meet: vectors of a step, steps, promotion, split-K. The scalar reference. */
#include "mma_watch.h"

static size_t least(size_t x, size_t y)
{
    return x < y ? x : y;
}

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
static mma_acc step_sum(const mma_output *o, size_t begin, size_t end, mma_acc c)
{
    const fpx_mma_model *const model = o->model;
    mma_acc acc = model->c == FPX_MMA_C_LATE ? zero_of(model) : c;

    for (size_t h = 0; h < model->vectors; h++) {
        const mma_span span = span_of(model, begin, end - begin, h);
        const size_t block = model->block == 0 ? span.count : model->block;
        for (size_t t = 0; t < span.count; t += block)
            acc = mma_block(o, &span, t, least(block, span.count - t), acc);
    }
    return model->c == FPX_MMA_C_LATE ? mma_add(o, FPX_MMA_PART_LATE, c, acc) : acc;
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

static void chain_promote(const mma_output *o, chain *x)
{
    x->sum = mma_add(o, FPX_MMA_PART_PROMOTE, x->sum, x->acc);
    x->acc = zero_of(o->model);
    x->length = 0;
}

static void chain_tile(const mma_output *o, size_t begin, size_t end, chain *x)
{
    const fpx_mma_model *const model = o->model;
    const size_t step = model->step == 0 ? end - begin : model->step;

    for (size_t k = begin; k < end; k += step) {
        x->acc = step_sum(o, k, least(k + step, end), x->acc);
        x->length += step;
        if (model->promote > 0 && x->length >= model->promote)
            chain_promote(o, x);
        if (end - k <= step)
            break;
    }
}

static mma_acc chain_end(const mma_output *o, chain *x)
{
    if (o->model->promote == 0)
        return x->acc;
    if (x->length > 0)
        chain_promote(o, x);
    return x->sum;
}

/* What split s makes of its tiles. */
static mma_acc part_sum(const mma_output *o, size_t s)
{
    const fpx_mma_model *const model = o->model;
    const size_t tiles = o->k / model->tile + (o->k % model->tile != 0);
    const size_t run = tiles / model->split + (tiles % model->split != 0);
    const int is_cyclic = model->deal == FPX_MMA_DEAL_CYCLIC;
    const size_t first = is_cyclic ? s : s * run;
    const size_t end = is_cyclic ? tiles : least(first + run, tiles);
    chain x = chain_from(model, zero_of(model));

    if (o->watch != NULL)
        mma_watch_start(o, s);
    for (size_t t = first; t < end; t += is_cyclic ? model->split : 1)
        chain_tile(o, t * model->tile, least((t + 1) * model->tile, o->k), &x);
    return chain_end(o, &x);
}

static mma_acc split_sum(const mma_output *o)
{
    const fpx_mma_model *const model = o->model;
    const size_t splits = model->split, half = splits / 2 + splits % 2;
    const int is_serial = model->combine == FPX_MMA_SERIAL;
    mma_acc sum = part_sum(o, is_serial ? 0 : splits - 1);

    for (size_t s = is_serial ? 1 : 0; s < (is_serial ? splits : half); s++) {
        mma_acc part = part_sum(o, s);
        if (!is_serial && s + half < splits - 1)
            part = mma_add(o, FPX_MMA_PART_PAIR, part, part_sum(o, s + half));
        sum = mma_add(o, FPX_MMA_PART_COMBINE, sum, part);
    }
    return sum;
}

static uint64_t output_code(const mma_output *o, const mma_acc *c)
{
    const fpx_mma_model *const model = o->model;

    if (model->split > 1) {
        const mma_acc sum = split_sum(o);
        return c == NULL ? sum.code : mma_add(o, FPX_MMA_PART_SPLIT_C, *c, sum).code;
    }
    chain x = chain_from(model, c == NULL ? zero_of(model) : *c);
    chain_tile(o, 0, o->k, &x);
    return chain_end(o, &x).code;
}

static uint64_t code_of_c(const fpx_mma_model *model, const fpx_mma_call *call, size_t i, size_t j)
{
    return mma_flushed(model, &call->c_format,
                       fpx_format_code(&call->c_format, call->c,
                                       i * call->stride_c_row + j * call->stride_c_column));
}

/* k = 0: D is C in the model's format. */
static uint64_t converted(const mma_output *o, mma_acc c)
{
    const fpx_mma_model *const model = o->model;
    const fpx_conversion conversion = { .format = model->format,
                                        .round = FPX_RNE,
                                        .overflow = FPX_OVERFLOW_NONE,
                                        .nan = FPX_NAN_POSITIVE,
                                        .nan_code = model->nan_code };
    unsigned char from[8], to[8] = { 0 };

    mma_code_store(c.format, from, 0, c.code);
    (void)fpx_encode_codes(&conversion, c.format, from, to, 1);
    const mma_acc out = { &model->format, fpx_format_code(&model->format, to, 0) };
    if (o->watch != NULL)
        mma_watch_operation(o, (mma_place){ FPX_MMA_PART_C, 0, 0 }, FPX_ARITH_CONVERT, &c, out.code,
                            out);
    return out.code;
}

/* A product of the batch begins in the middle of a byte. */
static int splits_byte(const fpx_mma_operand *operand)
{
    return operand->packing == FPX_PACK_DENSE && operand->stride_batch % 2 != 0;
}

fpx_status mma_call_check(const fpx_mma_model *model, const fpx_mma_call *call, fpx_error *err)
{
    fpx_status status = fpx_mma_model_check(model, err);

    if (status == FPX_OK)
        status = mma_block_room(model, call, err);
    if (status == FPX_OK && call->m > 1 && call->stride_d < call->n)
        status = fpx_error_set(err, FPX_EINVAL, "D: rows of %zu elements lie %zu apart", call->n,
                               call->stride_d);
    if (status == FPX_OK && call->batch > 1 && call->stride_d_batch < call->n)
        status =
            fpx_error_set(err, FPX_EINVAL, "D: products with rows of %zu elements lie %zu apart",
                          call->n, call->stride_d_batch);
    if (status == FPX_OK && call->batch > 1 && (splits_byte(&call->a) || splits_byte(&call->b)))
        status = fpx_error_set(err, FPX_EINVAL,
                               "a product of the batch begins within a byte of dense codes");
    return status;
}

/* The place of element `index` of an array of the format. */
static const void *place(const fpx_format *format, uint8_t packing, const void *codes, size_t index)
{
    if (codes == NULL || index == 0)
        return codes;
    return (const unsigned char *)codes +
           (packing == FPX_PACK_DENSE ? index / 2 : index * fpx_format_size(format));
}

static fpx_mma_operand operand_at(const fpx_mma_operand *operand, size_t p)
{
    fpx_mma_operand o = *operand;

    o.codes = place(&o.format, o.packing, o.codes, p * o.stride_batch);
    o.scales = place(&o.scale_format, FPX_PACK_NONE, o.scales, p * o.scale_stride_batch);
    return o;
}

fpx_mma_call fpx_mma_call_at(const fpx_mma_call *call, size_t p)
{
    fpx_mma_call one = *call;

    one.batch = 1;
    one.a = operand_at(&call->a, p);
    one.b = operand_at(&call->b, p);
    one.c = place(&call->c_format, FPX_PACK_NONE, call->c, p * call->stride_c_batch);
    return one;
}

size_t mma_products(const fpx_mma_call *call)
{
    return call->batch == 0 ? 1 : call->batch;
}

void *mma_d_at(const fpx_mma_model *model, const fpx_mma_call *call, void *d, size_t p)
{
    return (unsigned char *)d + p * call->stride_d_batch * fpx_format_size(&model->format);
}

uint64_t mma_output_code(const fpx_mma_model *model, const fpx_mma_call *call, mma_line a,
                         mma_line b, const struct mma_watch *watch)
{
    const mma_output o = { model, a, b, call->k, watch };
    mma_acc c = { &call->c_format, 0 };

    if (call->c == NULL)
        c.format = &model->format;
    else
        c.code = code_of_c(model, call, a.vector, b.vector);
    if (call->k == 0)
        return converted(&o, c);
    return output_code(&o, call->c == NULL ? NULL : &c);
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
                mma_code_store(&model->format, d, i * call->stride_d + first + j,
                               mma_output_code(model, call, a, b[j], NULL));
        }
    }
}

fpx_status fpx_mma(const fpx_mma_model *model, const fpx_mma_call *call, void *d, fpx_error *err)
{
    const fpx_status status = mma_call_check(model, call, err);

    for (size_t p = 0; status == FPX_OK && p < mma_products(call); p++) {
        const fpx_mma_call one = fpx_mma_call_at(call, p);
        mma_rows(model, &one, mma_d_at(model, call, d, p), 0, call->m);
    }
    return status;
}
