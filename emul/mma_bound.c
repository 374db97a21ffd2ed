/* mma_bound.c - the cheap bound of fpx/mma_bound.h, and what both tiers are made of.
 *
 * Everything a unit does is a sum with small departures. Let w be the sum of magnitudes |c| + |a| |b| + ... that went into
 * an accumulator, with all that departures added to it. Then |accumulator| <= w, its distance from the exact sum is at
 * most the sum of the departures (each value enters every later sum once, with weight 1: departures add), and one
 * departure is, with first(w) = 2^max(floor(log2 w), emin) and emin the output format's:
 *
 *   a conversion to f fraction bits   2^-f first(w) toward zero, half of it to nearest: the last place of a number below
 *                                     2 first(w) is at most 2^-f first(w). Below emin the last place is that of emin.
 *   ALIGNED, each term                what is cut toward zero at 2^(E-F): less than 2^(E-F), at most the term, nothing
 *                                     where its lowest bit is not below. E, the largest exponent that alignment sees
 *                                     (e(a) + e(b), not the product's own), is at most that of the products, of C below
 *                                     w, of e_zero: a larger E only cuts more.
 *   JOINED                            products as above without c; with two parities less than 2^(E-F) for the one with
 *                                     the smaller E; at the common exponent E' of E and c less than 2^(E'-fraction_sum)
 *                                     for the sum, 2^(E'-fraction_c) for c, or where c is dropped |c| < 2^(E'-gap_c);
 *                                     2^-fraction_all first(w) for both. Cutting down can raise a magnitude: it is
 *                                     added to w. Cutting toward zero cannot: it is not.
 *   FMA, TREE, additions              a conversion each; a flushed result less than 2^emin instead, and at most itself.
 *   an operand                        |a b - a' b'| <= |a - a'| |b| + |a'| |b - b'| where the model reads a', b'.
 *
 * Adding an exact zero to a number of the output's format departs from nothing. Where w stays below the largest finite
 * number, nothing overflowed; elsewhere the bound is Inf.
 *
 * The tight tier (mma_bound_tight.c) follows the schedule with the w of each accumulator. The cheap one has one w for all:
 * |a| |b| summed is at most the product of the 2-norms (Cauchy, Schwarz). Departures of conversions with first(w) <= w +
 * 2^emin are at most u w + u 2^emin, so that w after all of them is at most (|c| + norms + sum of all u 2^emin) times the
 * product of all 1 + u, which is at most e^(sum of u). */
#include <fpx/cpu.h>
#include <fpx/elemfn.h>

#include "mma_loss.h"

static double times_scale(double x, const mma_number *scale)
{
    return mma_times(x, ldexp((double)scale->m, scale->q));
}

mma_value mma_value_at(const fpx_mma_model *model, const fpx_mma_operand *o, size_t vector,
                       size_t k)
{
    static const fpx_mma_model reads_all = { .drop = 0 };
    const mma_line line = { o, vector, NULL };
    const uint64_t whole = mma_line_code(&reads_all, line, k);
    const uint64_t code = mma_line_code(model, line, k);
    const double given = fabs(fpx_format_value(&o->format, whole));
    const double read = code == whole ? given : fabs(fpx_format_value(&o->format, code));
    const mma_number x = mma_number_of(&o->format, code);
    mma_value v = {
        .read = read, .given = given, .e = mma_element_exponent(model, &x), .lowest = x.q
    };
    mma_number scale;

    v.is_open = !(given <= DBL_MAX) || !(read <= DBL_MAX);
    v.lost = v.is_open || given == read ? 0.0 : given - read; /* exact: bits of given */
    if (o->scales == NULL)
        return v;
    scale = mma_number_of(&o->scale_format, mma_line_scale(line, k));
    v.is_open |= scale.kind != MMA_FINITE;
    v.read = times_scale(v.read, &scale);
    v.given = times_scale(v.given, &scale);
    v.lost = times_scale(v.lost, &scale);
    v.scale_e = scale.e;
    v.e += scale.e;
    v.lowest += scale.q;
    return v;
}

mma_value mma_value_of_c(const fpx_mma_model *model, const fpx_mma_call *call, size_t i, size_t j)
{
    const fpx_mma_operand c = { .format = call->c_format,
                                .codes = call->c,
                                .stride_vector = call->stride_c_row,
                                .stride_k = call->stride_c_column };
    fpx_mma_model reads = *model;

    if (call->c == NULL)
        return (mma_value){ .e = MMA_NO_TERM };
    reads.drop = 0; /* of operands only */
    reads.e_least = 0;
    return mma_value_at(&reads, &c, i, j);
}

static void count(void *context, const mma_op *op)
{
    fpx_mma_bounds *const b = context;
    const unsigned group = b->model->group == 0 ? 1 : b->model->group;
    unsigned depth = 0;

    if (op->kind == MMA_OP_ADD)
        b->additions++;
    if (op->kind != MMA_OP_BLOCK)
        return;
    b->blocks++;
    b->terms += op->count / group + (op->count % group != 0);
    while (op->count > UINT64_C(1) << depth)
        depth++;
    b->depth = depth > b->depth ? depth : b->depth;
}

fpx_status fpx_mma_bounds_make(const fpx_mma_model *model, const fpx_mma_call *call,
                               fpx_mma_bounds *ret_bounds, fpx_error *err)
{
    fpx_mma_bounds b = { .model = model, .call = call };
    mma_schedule schedule = { .visit = count, .context = &b };
    const fpx_status status = mma_call_check(model, call, err);

    if (status != FPX_OK)
        return status;
    if (call->k > UINT32_MAX)
        return fpx_error_set(err, FPX_EUNSUPPORTED, "bounds: k is %zu, at most %u is counted",
                             call->k, UINT32_MAX);
    if (call->k > 0)
        mma_schedule_make(model, call->k, call->c != NULL, &schedule);
    *ret_bounds = b;
    return FPX_OK;
}

static fpx_mma_extent extent_of(const fpx_mma_bounds *b, const fpx_mma_operand *o, size_t vector)
{
    const fpx_fpenv saved = fpx_fpenv_enter();
    fpx_mma_extent x = { .most = MMA_NO_TERM };

    for (size_t k = 0; k < b->call->k; k++) {
        const mma_value v = mma_value_at(b->model, o, vector, k);
        const int e = b->model->group > 0 ? v.scale_e : v.e;

        x.is_open |= v.is_open;
        x.read = mma_plus(x.read, mma_times(v.read, v.read));
        x.given = mma_plus(x.given, mma_times(v.given, v.given));
        x.lost = mma_plus(x.lost, mma_times(v.lost, v.lost));
        x.nonzero += v.read != 0.0;
        x.most = v.read != 0.0 && e > x.most ? e : x.most;
    }
    x.read = mma_up(sqrt(x.read));
    x.given = mma_up(sqrt(x.given));
    x.lost = mma_up(sqrt(x.lost));
    fpx_fpenv_leave(saved);
    return x;
}

fpx_mma_extent fpx_mma_bound_row(const fpx_mma_bounds *bounds, size_t i)
{
    return extent_of(bounds, &bounds->call->a, i);
}

fpx_mma_extent fpx_mma_bound_column(const fpx_mma_bounds *bounds, size_t j)
{
    return extent_of(bounds, &bounds->call->b, j);
}

/* `times` departures of at most 2^(place - bits): place is `least` where FIXED, the first place of w where that is more
 * and FIRST; LINEAR ones are together at most times * w 2^-bits. All together are at most `all`, where that is not 0. */
typedef struct departure {
    enum { FIRST, FIXED, LINEAR } kind;
    double times;
    int least, bits;
    int grows; /* they can raise a magnitude */
    double all;
} departure;

enum { DEPARTURES_MAX = 8 };

static int larger(int x, int y)
{
    return x > y ? x : y;
}

/* All departures of an output whose products have exponents up to `most`, norms and `nonzero` terms. */
static size_t departures(const fpx_mma_bounds *b, double norms, double nonzero, int most,
                         departure *d)
{
    const fpx_mma_model *const m = b->model;
    const double blocks = (double)b->blocks, all = (double)b->terms;
    const double terms = nonzero < all ? nonzero : all;
    const int emin = mma_least_exponent(&m->format), keep = mma_kept(m), near = m->round != FPX_RZ;
    const int least_c =
        b->call->c == NULL ? emin : larger(emin, mma_least_exponent(&b->call->c_format));
    const int e = m->e_zero == FPX_MMA_ZERO_ABSENT ? most : larger(most, m->e_zero);
    const int e_c = larger(e, least_c);
    const int cut_c = m->gap_c > 0 && m->gap_c < m->fraction_c ? m->gap_c : m->fraction_c;
    const double flushed = m->flush_results ? blocks : 0.0;
    size_t n = 0;

    switch ((fpx_mma_sum)m->sum) {
    case FPX_MMA_ALIGNED:
        if (m->c == FPX_MMA_C_JOINED) {
            d[n++] = (departure){ FIXED, terms, e, m->fraction, 0, norms };
            d[n++] = (departure){ FIXED, m->parities == 2 ? blocks : 0, e, m->fraction, 1, 0 };
            d[n++] = (departure){ FIRST, blocks, e_c, m->fraction_sum, 1, 0 };
            d[n++] = (departure){ FIRST, blocks, e_c, cut_c, 1, 0 };
            d[n++] =
                (departure){ FIRST, m->fraction_all > 0 ? blocks : 0, emin, m->fraction_all, 1, 0 };
        } else {
            d[n++] = (departure){ FIRST, terms, e_c, m->fraction, 0, norms };
            d[n++] = (departure){ FIRST, blocks, e_c, m->fraction, 0, 0 };
        }
        d[n++] = (departure){ FIRST, blocks, emin, keep, near, 0 };
        break;
    case FPX_MMA_EXACT:
        d[n++] = (departure){ FIRST, blocks, emin, keep, near, 0 };
        break;
    case FPX_MMA_FMA: /* one more: C in a format of its own, plus zeros */
        d[n++] = (departure){ FIRST, nonzero + 1.0, emin, keep, near, 0 };
        break;
    case FPX_MMA_TREE: /* products, then each level of additions: all of one level sum up to w */
        d[n++] = (departure){ LINEAR, 1.0 + (double)b->depth, 0, keep, near, 0 };
        d[n++] = (departure){ FIXED, 2.0 * all, emin, m->flush_results ? 0 : keep, near, 0 };
        d[n++] = (departure){ FIRST, blocks, emin, keep, near, 0 };
        d[n++] = (departure){ FIXED, flushed, emin, 0, 0, 0 };
        break;
    }
    d[n++] = (departure){ FIRST, (double)b->additions, emin, m->format.mbits + 1, 1, 0 };
    return n;
}

static double departure_most(const departure *d, double w)
{
    const int place = d->kind == FIRST ? larger(mma_exponent(w), d->least) : d->least;
    const double each =
        d->kind == LINEAR ? mma_times(w, mma_power(-d->bits)) : mma_power(place - d->bits);
    const double sum = mma_times(d->times, each);

    return d->all > 0.0 && d->all < sum ? d->all : sum;
}

/* An upper bound of w, as the head of this file has it. */
static double grown(const departure *d, size_t n, double w)
{
    double slope = 0.0;

    for (size_t i = 0; i < n; i++) {
        if (!d[i].grows)
            continue;
        if (d[i].kind != FIXED)
            slope = mma_plus(slope, mma_times(d[i].times, mma_power(-d[i].bits)));
        if (d[i].kind != LINEAR)
            w = mma_plus(w, mma_times(d[i].times, mma_power(d[i].least - d[i].bits)));
    }
    return slope == 0.0 ? w : mma_times(w, fpx_exp_f64(slope) * (1.0 + 0x1p-50)); /* 2 ulp */
}

/* k = 0: C in the model's format, to nearest even. */
static double converted(const fpx_mma_bounds *b, const mma_value *c)
{
    const fpx_format *const f = &b->model->format;
    double loss = c->lost;

    if (c->read != 0.0 && !fpx_format_equal(&b->call->c_format, f))
        loss = mma_plus(loss, mma_power(mma_first_place(f, c->read) - f->mbits - 1));
    return c->is_open || mma_plus(c->read, loss) > fpx_format_max(f) ? HUGE_VAL : loss;
}

static double cheap(const fpx_mma_bounds *b, const mma_value *c, const fpx_mma_extent *row,
                    const fpx_mma_extent *column)
{
    const fpx_mma_model *const m = b->model;
    const double norms = mma_times(row->read, column->read);
    const double nonzero =
        (double)(row->nonzero < column->nonzero ? row->nonzero : column->nonzero);
    const int most = norms == 0.0 ? MMA_NO_TERM : row->most + column->most;
    double error = mma_plus(
        c->lost, mma_plus(mma_times(row->lost, column->given), mma_times(row->read, column->lost)));
    departure d[DEPARTURES_MAX];
    const double start = mma_plus(c->read, norms);

    if (c->is_open || row->is_open || column->is_open ||
        (m->e_infinite != 0 && norms >= mma_power(m->e_infinite)))
        return HUGE_VAL;
    if (b->call->k == 0)
        return converted(b, c);
    if (start == 0.0)
        return error; /* zeros, and nothing but zeros */
    const size_t n = departures(b, norms, nonzero, most, d);
    const double w = grown(d, n, start);
    for (size_t i = 0; i < n; i++)
        error = mma_plus(error, departure_most(&d[i], w));
    return w <= fpx_format_max(&m->format) && error <= DBL_MAX ? error : HUGE_VAL;
}

double fpx_mma_bound_cheap(const fpx_mma_bounds *bounds, size_t i, size_t j,
                           const fpx_mma_extent *row, const fpx_mma_extent *column)
{
    const fpx_fpenv saved = fpx_fpenv_enter();
    const mma_value c = mma_value_of_c(bounds->model, bounds->call, i, j);
    const double bound = cheap(bounds, &c, row, column);

    fpx_fpenv_leave(saved);
    return bound;
}
