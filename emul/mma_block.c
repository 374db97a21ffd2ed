/* mma_block.c - the sums of fpx/mma.h, written down: slow, obvious, the judge of every kernel that is fast. */
#include "mma_block.h"

#include <string.h>

#include <fpx/arith.h>

enum { NO_EXPONENT = -1000000 }; /* E of a sum that has no term with an exponent */

static uint64_t code_at(const fpx_format *format, int packing, const void *codes, size_t i)
{
    if (packing == FPX_PACK_DENSE)
        return ((const unsigned char *)codes)[i / 2] >> (i % 2 * 4) & 15;
    return fpx_format_code(format, codes, i);
}

uint64_t mma_flushed(const fpx_mma_model *model, const fpx_format *format, uint64_t code)
{
    const uint64_t magnitude = code & ((UINT64_C(1) << (format->bits - 1)) - 1);

    return model->flush_inputs && magnitude < UINT64_C(1) << format->mbits ? 0 : code;
}

uint64_t mma_line_code(const fpx_mma_model *model, mma_line line, size_t k)
{
    const fpx_mma_operand *const o = line.operand;
    uint64_t code =
        code_at(&o->format, o->packing, o->codes, line.vector * o->stride_vector + k * o->stride_k);

    if (model->drop > 0 && o->format.bits == 32 && o->format.mbits == 23)
        code = code >> model->drop << model->drop;
    return mma_flushed(model, &o->format, code);
}

/* NaN times anything is NaN, Inf times zero too. */
static enum mma_kind product_kind(const mma_number *x, const mma_number *y)
{
    if (x->kind == MMA_NAN || y->kind == MMA_NAN)
        return MMA_NAN;
    if (x->kind == MMA_FINITE && y->kind == MMA_FINITE)
        return MMA_FINITE;
    return (x->kind == MMA_FINITE && x->m == 0) || (y->kind == MMA_FINITE && y->m == 0) ? MMA_NAN
                                                                                        : MMA_INF;
}

static mma_number product_of(const mma_number *x, const mma_number *y)
{
    return (mma_number){ product_kind(x, y), x->negative != y->negative, x->m * y->m, x->q + y->q,
                         x->e + y->e };
}

static uint64_t scale_code(mma_line line, size_t k)
{
    const fpx_mma_operand *const o = line.operand;

    return fpx_format_code(&o->scale_format, o->scales,
                           line.vector * o->scale_stride_vector +
                               k / o->scale_block * o->scale_stride_k);
}

mma_element mma_line_element(const fpx_mma_model *model, mma_line line, size_t k)
{
    if (line.elements != NULL)
        return line.elements[k];

    const fpx_mma_operand *const o = line.operand;
    mma_element out = { mma_number_of(&o->format, mma_line_code(model, line, k)), 0 };

    if (model->e_least != 0 && out.x.m != 0) {
        const int top = mma_top_bit(out.x.m) + out.x.q;
        out.x.e = top > model->e_least ? top : model->e_least;
    }
    if (o->scales != NULL) {
        const mma_number scale = mma_number_of(&o->scale_format, scale_code(line, k));
        out.x = product_of(&out.x, &scale);
        out.scale_e = scale.e;
    }
    return out;
}

static size_t k_of(const mma_span *span, size_t t)
{
    return span->begin + t / span->width * span->stride + t % span->width;
}

/* A term of an aligned sum: (-1)^negative m 2^q, which alignment takes for one of exponent e. */
typedef struct term {
    int negative, has_e;
    uint64_t m;
    int q, e;
} term;

/* A finite number as a term: zero has the model's exponent of zero, or none. */
static term term_of(const fpx_mma_model *model, int negative, uint64_t m, int q, int e)
{
    if (m != 0)
        return (term){ negative, 1, m, q, e };
    return (term){ 0, model->e_zero != FPX_MMA_ZERO_ABSENT, 0, 0, model->e_zero };
}

/* x 2^-by, by in any direction, cut toward minus infinity or, where toward_zero, toward zero. */
static int64_t cut(int64_t x, int by, int toward_zero)
{
    const uint64_t m = x < 0 ? (uint64_t)-x : (uint64_t)x;

    if (by <= 0)
        return x < 0 ? -(int64_t)(m << -by) : (int64_t)(m << -by);
    const uint64_t kept = by < 64 ? m >> by : 0;
    const int lost = by < 64 ? m != kept << by : m != 0;
    return x < 0 ? -(int64_t)(kept + (lost && !toward_zero)) : (int64_t)kept;
}

/* The sum of every `step`th term, each cut toward zero, in units of 2^(*ret_e - F); *ret_e is their largest exponent. */
static int64_t aligned_sum(const fpx_mma_model *model, const term *terms, size_t n, size_t step,
                           int *ret_e)
{
    int e = NO_EXPONENT;
    int64_t sum = 0;

    for (size_t i = 0; i < n; i += step) {
        if (terms[i].has_e && terms[i].e > e)
            e = terms[i].e;
    }
    for (size_t i = 0; i < n; i += step) {
        const int64_t m = (int64_t)terms[i].m;
        if (m != 0)
            sum += cut(terms[i].negative ? -m : m, e - model->fraction - terms[i].q, 1);
    }
    *ret_e = e;
    return sum;
}

/* The products of a block as terms, one each or one a group; their number. */
static size_t product_terms(const fpx_mma_model *model, mma_line a, mma_line b,
                            const mma_span *span, size_t first, size_t count, term *terms,
                            mma_special *special)
{
    const size_t group = model->group == 0 ? 1 : model->group;
    size_t n = 0;

    for (size_t t = 0; t < count; t += group) {
        const size_t some = count - t < group ? count - t : group;
        mma_number p[UINT8_MAX];
        int scale_e = 0;
        int least = 0; /* of the exponents q of those that are not 0 */
        int64_t sum = 0;
        int any = 0;

        for (size_t i = 0; i < some; i++) {
            const size_t k = k_of(span, first + t + i);
            const mma_element x = mma_line_element(model, a, k);
            const mma_element y = mma_line_element(model, b, k);
            p[i] = product_of(&x.x, &y.x);
            scale_e = x.scale_e + y.scale_e;
            if (p[i].kind == MMA_FINITE && p[i].m != 0 && model->e_infinite != 0 &&
                mma_top_bit(p[i].m) + p[i].q >= model->e_infinite)
                p[i].kind = MMA_INF;
            mma_special_add(special, p[i].kind, p[i].negative);
            if (p[i].kind != MMA_FINITE)
                p[i].m = 0;
            if (p[i].m != 0 && (!any || p[i].q < least))
                least = p[i].q;
            any |= p[i].m != 0;
        }
        if (model->group == 0) {
            terms[n++] = term_of(model, p[0].negative, p[0].m, p[0].q, p[0].e);
            continue;
        }
        for (size_t i = 0; i < some; i++) {
            const int64_t m = p[i].m == 0 ? 0 : (int64_t)(p[i].m << (p[i].q - least));
            sum += p[i].negative ? -m : m;
        }
        /* A sum that cancelled keeps the scales' exponent: only a group of zeros is a zero. */
        terms[n] = term_of(model, 0, (uint64_t)any, least, scale_e);
        terms[n].negative = sum < 0;
        terms[n++].m = sum < 0 ? (uint64_t)-sum : (uint64_t)sum;
    }
    return n;
}

/* The end of a JOINED block: sum 2^(e - F) and c are cut at their common exponent, added, cut again. */
static uint64_t joined(const fpx_mma_model *model, int64_t sum, int e, mma_number c)
{
    const int all =
        model->fraction_sum > model->fraction_c ? model->fraction_sum : model->fraction_c;
    const int e_both = e > c.e ? e : c.e;
    const int last = e_both - all; /* both in units of 2^last */
    int64_t both = 0;
    int64_t from_c = c.negative ? -(int64_t)c.m : (int64_t)c.m;
    int unit = last;

    if (sum != 0) {
        const int cut_at = e_both - model->fraction_sum;
        both = cut(sum, cut_at - (e - model->fraction), 0);
        both = cut(both, last - cut_at, 0);
    }
    if (from_c != 0 && (model->gap_c == 0 || c.e >= e_both - model->gap_c)) {
        const int cut_at = e_both - model->fraction_c;
        from_c = cut(from_c, cut_at - c.q, 0);
        both += cut(from_c, last - cut_at, 0);
    }
    if (both != 0 && model->fraction_all > 0) {
        const int own = mma_top_bit(both < 0 ? (uint64_t)-both : (uint64_t)both) + last;
        const int least = mma_least_exponent(&model->format);
        unit = (own > least ? own : least) - model->fraction_all;
        if (unit > last)
            both = cut(both, unit - last, 0);
        else
            unit = last;
    }
    return mma_round(model, both < 0, both < 0 ? (uint64_t)-both : (uint64_t)both, 0, unit);
}

/* Two sums of alternate terms, brought to the larger exponent. */
static int64_t parity_sum(const fpx_mma_model *model, const term *terms, size_t n, int *ret_e)
{
    int e[2];
    const int64_t even = aligned_sum(model, terms, n, 2, &e[0]);
    const int64_t odd = n > 1 ? aligned_sum(model, terms + 1, n - 1, 2, &e[1]) : 0;

    if (n <= 1)
        e[1] = NO_EXPONENT;
    *ret_e = e[0] > e[1] ? e[0] : e[1];
    return cut(even, even == 0 ? 0 : *ret_e - e[0], 0) + cut(odd, odd == 0 ? 0 : *ret_e - e[1], 0);
}

static uint64_t aligned_block(const fpx_mma_model *model, mma_line a, mma_line b,
                              const mma_span *span, size_t first, size_t count, mma_acc acc)
{
    term terms[1 + FPX_MMA_BLOCK_MAX];
    const mma_number c = mma_number_of(acc.format, acc.code);
    mma_special special = { 0, 0, 0 };
    uint64_t code = 0;
    int e = 0;
    const size_t n = product_terms(model, a, b, span, first, count, terms + 1, &special);

    if (model->c == FPX_MMA_C_JOINED) {
        const int64_t sum = model->parities == 2 ? parity_sum(model, terms + 1, n, &e)
                                                 : aligned_sum(model, terms + 1, n, 1, &e);
        const int is_lost =
            c.kind != MMA_FINITE && model->gap_c != 0 && c.e < (e > c.e ? e : c.e) - model->gap_c;
        if (!is_lost)
            mma_special_add(&special, c.kind, c.negative);
        return mma_special_code(&special, model, &code) ? code : joined(model, sum, e, c);
    }
    mma_special_add(&special, c.kind, c.negative);
    if (mma_special_code(&special, model, &code))
        return code;
    terms[0] = term_of(model, c.negative, c.m, c.q, c.e);
    const int64_t sum = aligned_sum(model, terms, n + 1, 1, &e);
    return mma_round(model, sum < 0, sum < 0 ? (uint64_t)-sum : (uint64_t)sum, 0,
                     e - model->fraction);
}

/* x y exactly: significands of 57 bits, in halves of 32. */
static void add_product(fpx_accumulator *sum, const mma_number *x, const mma_number *y)
{
    const int negative = x->negative != y->negative;
    const uint64_t half = UINT32_MAX;

    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++)
            fpx_accumulator_add_number(sum, negative,
                                       (x->m >> 32 * i & half) * (y->m >> 32 * j & half),
                                       x->q + y->q + 32 * (i + j));
    }
}

static uint64_t exact_block(const fpx_mma_model *model, mma_line a, mma_line b,
                            const mma_span *span, size_t first, size_t count, mma_acc acc)
{
    const mma_number c = mma_number_of(acc.format, acc.code);
    fpx_accumulator sum;
    mma_special special = { 0, 0, 0 };
    uint64_t code = 0;

    mma_special_add(&special, c.kind, c.negative);
    fpx_accumulator_clear(&sum);
    fpx_accumulator_add_number(&sum, c.negative, c.m, c.q);
    for (size_t t = first; t < first + count; t++) {
        const mma_element x = mma_line_element(model, a, k_of(span, t));
        const mma_element y = mma_line_element(model, b, k_of(span, t));
        mma_special_add(&special, product_kind(&x.x, &y.x), x.x.negative != y.x.negative);
        if (x.x.m != 0 && y.x.m != 0)
            add_product(&sum, &x.x, &y.x);
    }
    return mma_special_code(&special, model, &code) ? code : mma_round_sum(model, &sum);
}

/* IEEE 754's operation, rounded into the model's format; NaN is the model's. */
static mma_acc operate(const fpx_mma_model *model, fpx_arith_op op, fpx_round round,
                       const mma_acc *operands)
{
    const fpx_conversion conversion = { .format = model->format,
                                        .round = (uint8_t)round,
                                        .overflow = FPX_OVERFLOW_NONE,
                                        .nan = FPX_NAN_POSITIVE,
                                        .nan_code = model->nan_code };
    const fpx_format *const formats[] = { operands[0].format, operands[1].format,
                                          operands[op == FPX_ARITH_FMA ? 2 : 1].format };
    const uint64_t codes[] = { operands[0].code, operands[1].code,
                               operands[op == FPX_ARITH_FMA ? 2 : 1].code };
    mma_acc out = { &model->format, model->nan_code };

    (void)fpx_arith(op, &conversion, formats, codes, 0, &out.code, NULL);
    return out;
}

mma_acc mma_add(const fpx_mma_model *model, mma_acc x, mma_acc y)
{
    const mma_acc both[] = { x, y };

    return operate(model, FPX_ARITH_ADD, FPX_RNE, both);
}

/* Element times scale is exact in float64, whatever the rounding mode: mma_block_room saw to it. */
static mma_acc operand_at(const fpx_mma_model *model, mma_line line, size_t k)
{
    const fpx_mma_operand *const o = line.operand;
    mma_acc out = { &o->format, mma_line_code(model, line, k) };

    if (o->scales != NULL) {
        const double value = fpx_format_value(out.format, out.code) *
                             fpx_format_value(&o->scale_format, scale_code(line, k));
        memcpy(&out.code, &value, sizeof value);
        out.format = &fpx_fp64;
    }
    return out;
}

/* A subnormal result becomes a zero of its sign. */
static mma_acc flushed_result(const fpx_mma_model *model, mma_acc x)
{
    const uint64_t sign = UINT64_C(1) << (model->format.bits - 1);

    if (model->flush_results && (x.code & (sign - 1)) < UINT64_C(1) << model->format.mbits)
        x.code &= sign;
    return x;
}

static mma_acc tree_add(const fpx_mma_model *model, mma_acc x, mma_acc y)
{
    const mma_acc both[] = { x, y };

    return flushed_result(model, operate(model, FPX_ARITH_ADD, (fpx_round)model->round, both));
}

static mma_acc tree_sum(const fpx_mma_model *model, mma_line a, mma_line b, const mma_span *span,
                        size_t first, size_t count)
{
    size_t half = 1;

    if (count == 1) {
        const size_t k = k_of(span, first);
        const mma_acc both[] = { operand_at(model, a, k), operand_at(model, b, k) };
        return flushed_result(model, operate(model, FPX_ARITH_MUL, (fpx_round)model->round, both));
    }
    while (half < count - half)
        half *= 2;
    return tree_add(model, tree_sum(model, a, b, span, first, half),
                    tree_sum(model, a, b, span, first + half, count - half));
}

mma_acc mma_block(const fpx_mma_model *model, mma_line a, mma_line b, const mma_span *span,
                  size_t first, size_t count, mma_acc c)
{
    switch ((fpx_mma_sum)model->sum) {
    case FPX_MMA_ALIGNED:
        c.code = aligned_block(model, a, b, span, first, count, c);
        break;
    case FPX_MMA_EXACT:
        c.code = exact_block(model, a, b, span, first, count, c);
        break;
    case FPX_MMA_TREE:
        return tree_add(model, c, tree_sum(model, a, b, span, first, count));
    case FPX_MMA_FMA:
        for (size_t t = first; t < first + count; t++) {
            const size_t k = k_of(span, t);
            const mma_acc three[] = { operand_at(model, a, k), operand_at(model, b, k), c };
            c = operate(model, FPX_ARITH_FMA, (fpx_round)model->round, three);
        }
        return c;
    }
    c.format = &model->format;
    return c;
}
