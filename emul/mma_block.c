/* mma_block.c - the sums of fpx/mma.h, written down: slow, obvious, the judge of every kernel that is fast. ALIGNED and
 * EXACT; what rounds each operation is in mma_operate.c. */
#include "mma_watch.h"

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

uint64_t mma_line_given(mma_line line, size_t k)
{
    const fpx_mma_operand *const o = line.operand;

    return code_at(&o->format, o->packing, o->codes,
                   line.vector * o->stride_vector + k * o->stride_k);
}

uint64_t mma_line_code(const fpx_mma_model *model, mma_line line, size_t k)
{
    const fpx_mma_operand *const o = line.operand;
    uint64_t code = mma_line_given(line, k);

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

uint64_t mma_line_scale(mma_line line, size_t k)
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

    out.x.e = mma_element_exponent(model, &out.x);
    if (o->scales != NULL) {
        const mma_number scale = mma_number_of(&o->scale_format, mma_line_scale(line, k));
        out.x = product_of(&out.x, &scale);
        out.scale_e = scale.e;
    }
    return out;
}

size_t mma_block_k(const mma_span *span, size_t t)
{
    return span->begin + t / span->width * span->stride + t % span->width;
}

/* A term of an aligned sum: (-1)^negative m 2^q, which alignment takes for one of exponent e; `count` products from k
 * on, or c with none. */
typedef struct term {
    int negative, has_e;
    uint64_t m;
    int q, e;
    size_t k, count;
} term;

/* A finite number as a term: zero has the model's exponent of zero, or none. */
static term term_of(const fpx_mma_model *model, int negative, uint64_t m, int q, int e)
{
    if (m != 0)
        return (term){ negative, 1, m, q, e, 0, 0 };
    return (term){ 0, model->e_zero != FPX_MMA_ZERO_ABSENT, 0, 0, model->e_zero, 0, 0 };
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

static mma_number number_of(int64_t x, int q)
{
    return (mma_number){ MMA_FINITE, x < 0, x < 0 ? (uint64_t)-x : (uint64_t)x, q, 0 };
}

static void tell_term(const mma_output *o, fpx_mma_part part, const term *x, int at, int64_t kept)
{
    const mma_place place = { x->count == 0 ? FPX_MMA_PART_C : part, x->k, x->count };
    const mma_number number = { MMA_FINITE, x->negative, x->m, x->q, 0 };

    mma_watch_cut(o, FPX_MMA_EVENT_TERM, place, &(mma_cut){ number, kept, at, x->has_e, x->e, 0 });
}

/* Of x that is cut to `kept`, or of a sum; E is e. */
static void tell_cut(const mma_output *o, fpx_mma_event_kind kind, fpx_mma_part part, mma_number x,
                     int64_t kept, int at, int e)
{
    const int has_e = e != NO_EXPONENT;

    if (o->watch != NULL)
        mma_watch_cut(o, kind, (mma_place){ part, 0, 0 },
                      &(mma_cut){ x, kept, at, has_e, has_e ? e : 0, 0 });
}

/* The sum of every `step`th term, each cut toward zero, in units of 2^(*ret_e - F); *ret_e is their largest exponent. */
static int64_t aligned_sum(const mma_output *o, fpx_mma_part part, const term *terms, size_t n,
                           size_t step, int *ret_e)
{
    int e = NO_EXPONENT;
    int64_t sum = 0;

    for (size_t i = 0; i < n; i += step) {
        if (terms[i].has_e && terms[i].e > e)
            e = terms[i].e;
    }
    const int at = e == NO_EXPONENT ? 0 : e - o->model->fraction;
    for (size_t i = 0; i < n; i += step) {
        const int64_t m = (int64_t)terms[i].m;
        const int64_t kept = m == 0 ? 0 : cut(terms[i].negative ? -m : m, at - terms[i].q, 1);
        sum += kept;
        if (o->watch != NULL)
            tell_term(o, part, &terms[i], at, kept);
    }
    *ret_e = e;
    tell_cut(o, FPX_MMA_EVENT_SUM, part, number_of(sum, at), sum, at, e);
    return sum;
}

static void tell_product(const mma_output *o, size_t k, enum mma_kind kind, const mma_number *x,
                         const mma_number *y)
{
    fpx_accumulator exact;

    fpx_accumulator_clear(&exact);
    mma_add_product(&exact, x, y);
    mma_watch_product(o, k, kind, x->negative != y->negative, &exact);
}

/* The products of a block as terms, one each or one a group; their number. */
static size_t product_terms(const mma_output *o, const mma_span *span, size_t first, size_t count,
                            term *terms, mma_special *special)
{
    const fpx_mma_model *const model = o->model;
    const size_t group = model->group == 0 ? 1 : model->group;
    size_t n = 0;

    for (size_t t = 0; t < count; t += group) {
        const size_t some = count - t < group ? count - t : group;
        mma_number p[UINT8_MAX];
        int scale_e = 0;
        int least = 0; /* of the exponents q of those that are not 0 */
        int64_t sum = 0;
        int any = 0;
        size_t first_k = 0;

        for (size_t i = 0; i < some; i++) {
            const size_t k = mma_block_k(span, first + t + i);
            first_k = i == 0 ? k : first_k;
            const mma_element x = mma_line_element(model, o->a, k);
            const mma_element y = mma_line_element(model, o->b, k);
            p[i] = product_of(&x.x, &y.x);
            scale_e = x.scale_e + y.scale_e;
            if (p[i].kind == MMA_FINITE && p[i].m != 0 && model->e_infinite != 0 &&
                mma_top_bit(p[i].m) + p[i].q >= model->e_infinite)
                p[i].kind = MMA_INF;
            mma_special_add(special, p[i].kind, p[i].negative);
            if (o->watch != NULL)
                tell_product(o, k, p[i].kind, &x.x, &y.x);
            if (p[i].kind != MMA_FINITE)
                p[i].m = 0;
            if (p[i].m != 0 && (!any || p[i].q < least))
                least = p[i].q;
            any |= p[i].m != 0;
        }
        if (model->group == 0) {
            terms[n] = term_of(model, p[0].negative, p[0].m, p[0].q, p[0].e);
            terms[n].k = first_k;
            terms[n++].count = 1;
            continue;
        }
        for (size_t i = 0; i < some; i++) {
            const int64_t m = p[i].m == 0 ? 0 : (int64_t)(p[i].m << (p[i].q - least));
            sum += p[i].negative ? -m : m;
        }
        /* A sum that cancelled keeps the scales' exponent: only a group of zeros is a zero. */
        terms[n] = term_of(model, 0, (uint64_t)any, least, scale_e);
        terms[n].k = first_k;
        terms[n].count = some;
        terms[n].negative = sum < 0;
        terms[n++].m = sum < 0 ? (uint64_t)-sum : (uint64_t)sum;
    }
    return n;
}

/* The last conversion of sum 2^q. */
static uint64_t rounded(const mma_output *o, int64_t sum, int q)
{
    const mma_number x = number_of(sum, q);
    const uint64_t code = mma_round(o->model, x.negative, x.m, 0, q);

    if (o->watch != NULL) {
        fpx_accumulator exact;
        fpx_accumulator_clear(&exact);
        fpx_accumulator_add_number(&exact, x.negative, x.m, x.m == 0 ? 0 : q);
        mma_watch_round(o, &exact, code);
    }
    return code;
}

/* A block whose sum is no number. */
static uint64_t special_end(const mma_output *o, uint64_t code)
{
    if (o->watch != NULL)
        mma_watch_round(o, NULL, code);
    return code;
}

/* c is too far below E to count. */
static int is_dropped(const fpx_mma_model *model, const mma_number *c, int e_both)
{
    return model->gap_c != 0 && c->e < e_both - model->gap_c;
}

/* The end of a JOINED block: sum 2^(e - F) and c are cut at their common exponent, added, cut again. */
static uint64_t joined(const mma_output *o, int64_t sum, int e, mma_number c)
{
    const fpx_mma_model *const model = o->model;
    const int all =
        model->fraction_sum > model->fraction_c ? model->fraction_sum : model->fraction_c;
    const int e_both = e > c.e ? e : c.e;
    const int last = e_both - all; /* both in units of 2^last */
    const int at_sum = e_both - model->fraction_sum, at_c = e_both - model->fraction_c;
    int64_t from_sum = 0, from_c = 0;
    int unit = last;

    if (sum != 0)
        from_sum = cut(sum, at_sum - (e - model->fraction), 0);
    tell_cut(o, FPX_MMA_EVENT_CUT, FPX_MMA_PART_PRODUCTS,
             number_of(sum, sum == 0 ? 0 : e - model->fraction), from_sum, at_sum, e_both);
    if (c.m != 0 && !is_dropped(model, &c, e_both))
        from_c = cut(c.negative ? -(int64_t)c.m : (int64_t)c.m, at_c - c.q, 0);
    if (o->watch != NULL)
        mma_watch_cut(o, FPX_MMA_EVENT_CUT, (mma_place){ FPX_MMA_PART_C, 0, 0 },
                      &(mma_cut){ c, from_c, at_c, 1, e_both, is_dropped(model, &c, e_both) });

    const int64_t whole = cut(from_sum, last - at_sum, 0) + cut(from_c, last - at_c, 0);
    int64_t both = whole;
    if (both != 0 && model->fraction_all > 0) {
        const int own = mma_top_bit(both < 0 ? (uint64_t)-both : (uint64_t)both) + last;
        const int least = mma_least_exponent(&model->format);
        unit = (own > least ? own : least) - model->fraction_all;
        if (unit > last)
            both = cut(both, unit - last, 0);
        else
            unit = last;
    }
    tell_cut(o, FPX_MMA_EVENT_CUT, FPX_MMA_PART_ALL, number_of(whole, last), both, unit, e_both);
    return rounded(o, both, unit);
}

/* Two sums of alternate terms, brought to the larger exponent. */
static int64_t parity_sum(const mma_output *o, const term *terms, size_t n, int *ret_e)
{
    int e[2] = { NO_EXPONENT, NO_EXPONENT };
    int64_t sum[2] = { 0, 0 }, kept[2] = { 0, 0 };

    for (size_t h = 0; h < 2 && h < n; h++)
        sum[h] = aligned_sum(o, h == 0 ? FPX_MMA_PART_EVEN : FPX_MMA_PART_ODD, terms + h, n - h, 2,
                             &e[h]);
    *ret_e = e[0] > e[1] ? e[0] : e[1];
    for (size_t h = 0; h < 2 && h < n; h++) {
        const int own = e[h] - o->model->fraction, at = *ret_e - o->model->fraction;
        if (sum[h] != 0)
            kept[h] = cut(sum[h], at - own, 0);
        tell_cut(o, FPX_MMA_EVENT_CUT, h == 0 ? FPX_MMA_PART_EVEN : FPX_MMA_PART_ODD,
                 number_of(sum[h], sum[h] == 0 ? 0 : own), kept[h], *ret_e == NO_EXPONENT ? 0 : at,
                 *ret_e);
    }
    return kept[0] + kept[1];
}

static uint64_t aligned_block(const mma_output *o, const mma_span *span, size_t first, size_t count,
                              mma_acc acc)
{
    const fpx_mma_model *const model = o->model;
    term terms[1 + FPX_MMA_BLOCK_MAX];
    const mma_number c = mma_number_of(acc.format, acc.code);
    mma_special special = { 0, 0, 0 };
    uint64_t code = 0;
    int e = 0;
    const size_t n = product_terms(o, span, first, count, terms + 1, &special);

    if (model->c == FPX_MMA_C_JOINED) {
        const int64_t sum = model->parities == 2
                                ? parity_sum(o, terms + 1, n, &e)
                                : aligned_sum(o, FPX_MMA_PART_PRODUCTS, terms + 1, n, 1, &e);
        if (c.kind == MMA_FINITE || !is_dropped(model, &c, e > c.e ? e : c.e))
            mma_special_add(&special, c.kind, c.negative);
        return mma_special_code(&special, model, &code) ? special_end(o, code)
                                                        : joined(o, sum, e, c);
    }
    mma_special_add(&special, c.kind, c.negative);
    if (mma_special_code(&special, model, &code))
        return special_end(o, code);
    terms[0] = term_of(model, c.negative, c.m, c.q, c.e);
    const int64_t sum = aligned_sum(o, FPX_MMA_PART_ALL, terms, n + 1, 1, &e);
    return rounded(o, sum, sum == 0 ? 0 : e - model->fraction);
}

static uint64_t exact_block(const mma_output *o, const mma_span *span, size_t first, size_t count,
                            mma_acc acc)
{
    const fpx_mma_model *const model = o->model;
    const mma_number c = mma_number_of(acc.format, acc.code);
    fpx_accumulator sum;
    mma_special special = { 0, 0, 0 };
    uint64_t code = 0;

    mma_special_add(&special, c.kind, c.negative);
    fpx_accumulator_clear(&sum);
    fpx_accumulator_add_number(&sum, c.negative, c.m, c.q);
    for (size_t t = first; t < first + count; t++) {
        const size_t k = mma_block_k(span, t);
        const mma_element x = mma_line_element(model, o->a, k);
        const mma_element y = mma_line_element(model, o->b, k);
        const enum mma_kind kind = product_kind(&x.x, &y.x);
        mma_special_add(&special, kind, x.x.negative != y.x.negative);
        if (o->watch != NULL)
            tell_product(o, k, kind, &x.x, &y.x);
        if (x.x.m != 0 && y.x.m != 0)
            mma_add_product(&sum, &x.x, &y.x);
    }
    if (mma_special_code(&special, model, &code))
        return special_end(o, code);
    code = mma_round_sum(model, &sum);
    if (o->watch != NULL)
        mma_watch_round(o, &sum, code);
    return code;
}

mma_acc mma_block(const mma_output *o, const mma_span *span, size_t first, size_t count, mma_acc c)
{
    if (o->watch != NULL)
        mma_watch_block(o, mma_block_k(span, first), count, c);
    switch ((fpx_mma_sum)o->model->sum) {
    case FPX_MMA_ALIGNED:
        c.code = aligned_block(o, span, first, count, c);
        break;
    case FPX_MMA_EXACT:
        c.code = exact_block(o, span, first, count, c);
        break;
    case FPX_MMA_TREE:
        return mma_tree(o, span, first, count, c);
    case FPX_MMA_FMA:
        return mma_fma_chain(o, span, first, count, c);
    }
    c.format = &o->model->format;
    return c;
}
