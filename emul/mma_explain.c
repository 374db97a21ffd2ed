/* mma_explain.c - what the scalar reference tells while it is watched, made into events: exact values out of its integers,
 * and what each rounding lost, by the long accumulator of fpx/exact.h. */
#include "mma_watch.h"

static fpx_mma_value no_number(enum mma_kind kind, int negative)
{
    return (fpx_mma_value){ .kind = (uint8_t)kind, .negative = (uint8_t)(negative != 0) };
}

static fpx_mma_value value_of_sum(const fpx_accumulator *sum)
{
    fpx_mma_value x = { .kind = FPX_MMA_VALUE_FINITE };
    int sticky;

    x.negative = (uint8_t)fpx_accumulator_leading(sum, &x.m, &x.q, &sticky);
    x.more = (uint8_t)(sticky != 0);
    while (x.m != 0 && (x.m & 1) == 0 && !x.more) {
        x.m >>= 1;
        x.q++;
    }
    if (x.m == 0)
        x.q = 0;
    return x;
}

static fpx_mma_value value_of_number(const mma_number *x)
{
    fpx_accumulator sum;

    if (x->kind != MMA_FINITE)
        return no_number(x->kind, x->negative);
    fpx_accumulator_clear(&sum);
    if (x->m != 0)
        fpx_accumulator_add_number(&sum, x->negative, x->m, x->q);
    return value_of_sum(&sum);
}

fpx_mma_value fpx_mma_value_of(const fpx_format *format, uint64_t code)
{
    const mma_number x = mma_number_of(format, code);

    return value_of_number(&x);
}

/* What is left of the exact value without what was kept of it. */
static fpx_mma_value lost_of(const fpx_accumulator *exact, const fpx_mma_value *kept)
{
    fpx_accumulator rest = *exact;

    if (kept->kind != FPX_MMA_VALUE_FINITE)
        return no_number(MMA_NAN, 0);
    if (kept->m != 0)
        fpx_accumulator_add_number(&rest, !kept->negative, kept->m, kept->q);
    return value_of_sum(&rest);
}

static void tell(const mma_output *o, const fpx_mma_event *event)
{
    o->watch->listener(o->watch->user, event);
}

static fpx_mma_code code_of(mma_acc x)
{
    return (fpx_mma_code){ x.format, x.code };
}

void mma_watch_start(const mma_output *o, size_t split)
{
    tell(o, &(fpx_mma_event){ .kind = FPX_MMA_EVENT_START, .k = split });
}

void mma_watch_block(const mma_output *o, size_t k, size_t count, mma_acc c)
{
    const fpx_mma_event event = {
        .kind = FPX_MMA_EVENT_BLOCK, .k = k, .count = count, .c = code_of(c)
    };

    tell(o, &event);
}

static fpx_mma_code scale_of(mma_line line, size_t k)
{
    const fpx_mma_operand *const o = line.operand;

    if (o->scales == NULL)
        return (fpx_mma_code){ NULL, 0 };
    return (fpx_mma_code){ &o->scale_format, mma_line_scale(line, k) };
}

/* The elements of A and B for k. */
static void fill_elements(const mma_output *o, size_t k, fpx_mma_event *event)
{
    event->k = k;
    event->count = 1;
    event->a = (fpx_mma_code){ &o->a.operand->format, mma_line_code(o->model, o->a, k) };
    event->b = (fpx_mma_code){ &o->b.operand->format, mma_line_code(o->model, o->b, k) };
    event->a_given = mma_line_given(o->a, k);
    event->b_given = mma_line_given(o->b, k);
    event->scale_a = scale_of(o->a, k);
    event->scale_b = scale_of(o->b, k);
}

void mma_watch_product(const mma_output *o, size_t k, enum mma_kind kind, int negative,
                       const fpx_accumulator *exact)
{
    fpx_mma_event event = { .kind = FPX_MMA_EVENT_PRODUCT };

    fill_elements(o, k, &event);
    event.exact = kind == MMA_FINITE ? value_of_sum(exact) : no_number(kind, negative);
    tell(o, &event);
}

void mma_watch_cut(const mma_output *o, fpx_mma_event_kind kind, mma_place place,
                   const mma_cut *cut)
{
    const mma_number kept = { MMA_FINITE, cut->kept < 0,
                              cut->kept < 0 ? (uint64_t)-cut->kept : (uint64_t)cut->kept, cut->at,
                              0 };
    fpx_mma_event event = { .kind = (uint8_t)kind,
                            .part = (uint8_t)place.part,
                            .k = place.k,
                            .count = place.count,
                            .exact = value_of_number(&cut->x),
                            .has_e = (uint8_t)cut->has_e,
                            .is_dropped = (uint8_t)cut->is_dropped,
                            .e = cut->e,
                            .at = cut->at };

    if (kind != FPX_MMA_EVENT_SUM) {
        event.kept = value_of_number(&kept);
        if (cut->x.kind != MMA_FINITE) {
            event.lost = event.exact;
        } else {
            fpx_accumulator exact;
            fpx_accumulator_clear(&exact);
            if (cut->x.m != 0)
                fpx_accumulator_add_number(&exact, cut->x.negative, cut->x.m, cut->x.q);
            event.lost = lost_of(&exact, &event.kept);
        }
    }
    tell(o, &event);
}

void mma_watch_round(const mma_output *o, const fpx_accumulator *sum, uint64_t code)
{
    fpx_mma_event event = { .kind = FPX_MMA_EVENT_ROUND,
                            .part = FPX_MMA_PART_ALL,
                            .result = { &o->model->format, code } };

    event.kept = fpx_mma_value_of(&o->model->format, code);
    event.exact = sum == NULL ? event.kept : value_of_sum(sum);
    event.lost = sum == NULL ? no_number(MMA_NAN, 0) : lost_of(sum, &event.kept);
    tell(o, &event);
}

/* The exact result of finite operands. */
static void exact_operation(fpx_arith_op op, const mma_acc *x, fpx_accumulator *ret_exact)
{
    fpx_accumulator_clear(ret_exact);
    if (op == FPX_ARITH_MUL || op == FPX_ARITH_FMA)
        fpx_accumulator_add_product(ret_exact, x[0].format, x[0].code, x[1].format, x[1].code);
    else
        fpx_accumulator_add(ret_exact, x[0].format, x[0].code);
    if (op == FPX_ARITH_ADD || op == FPX_ARITH_FMA) {
        const mma_acc *const last = &x[op == FPX_ARITH_FMA ? 2 : 1];
        fpx_accumulator_add(ret_exact, last->format, last->code);
    }
}

void mma_watch_operation(const mma_output *o, mma_place place, fpx_arith_op op,
                         const mma_acc *operands, uint64_t rounded, mma_acc result)
{
    static const uint8_t kinds[] = { [FPX_ARITH_ADD] = FPX_MMA_EVENT_ADD,
                                     [FPX_ARITH_MUL] = FPX_MMA_EVENT_MUL,
                                     [FPX_ARITH_FMA] = FPX_MMA_EVENT_FMA,
                                     [FPX_ARITH_CONVERT] = FPX_MMA_EVENT_CONVERT };
    static const uint8_t counts[] = {
        [FPX_ARITH_ADD] = 2, [FPX_ARITH_MUL] = 2, [FPX_ARITH_FMA] = 3, [FPX_ARITH_CONVERT] = 1
    };
    fpx_mma_event event = { .kind = kinds[op] };
    fpx_accumulator exact;
    int is_finite = 1;

    if (op == FPX_ARITH_MUL || op == FPX_ARITH_FMA) {
        fill_elements(o, place.k, &event);
    } else if (op == FPX_ARITH_ADD) {
        event.a = code_of(operands[0]);
        event.b = code_of(operands[1]);
        event.a_given = event.a.code;
        event.b_given = event.b.code;
    }
    if (op == FPX_ARITH_FMA || op == FPX_ARITH_CONVERT)
        event.c = code_of(operands[op == FPX_ARITH_FMA ? 2 : 0]);
    event.part = (uint8_t)place.part;
    event.k = place.k;
    event.count = place.count;
    event.rounded = rounded;
    event.result = code_of(result);
    event.kept = fpx_mma_value_of(result.format, result.code);
    for (size_t i = 0; i < counts[op]; i++)
        is_finite &= mma_number_of(operands[i].format, operands[i].code).kind == MMA_FINITE;
    if (is_finite) {
        exact_operation(op, operands, &exact);
        event.exact = value_of_sum(&exact);
        event.lost = lost_of(&exact, &event.kept);
    } else {
        event.exact = event.kept;
        event.lost = no_number(MMA_NAN, 0);
    }
    tell(o, &event);
}

fpx_status fpx_mma_explain(const fpx_mma_model *model, const fpx_mma_call *call, size_t i, size_t j,
                           fpx_mma_listener listener, void *user, uint64_t *ret_code,
                           fpx_error *err)
{
    const fpx_status status = mma_call_check(model, call, err);
    const struct mma_watch watch = { listener, user };

    if (status != FPX_OK)
        return status;
    if (i >= call->m || j >= call->n)
        return fpx_error_set(err, FPX_EINVAL, "element %zu,%zu: D is %zu x %zu, counted from 0", i,
                             j, call->m, call->n);
    *ret_code = mma_output_code(model, call, (mma_line){ &call->a, i, NULL },
                                (mma_line){ &call->b, j, NULL }, &watch);
    return FPX_OK;
}
