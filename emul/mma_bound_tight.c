/* mma_bound_tight.c - the tight bound of fpx/mma_bound.h: the schedule of one output, each accumulator with the most it
 * can be. What each step may lose is proved in mma_bound.c. Also the exact value, and the distance from it. */
#include <fpx/cpu.h>

#include "mma_loss.h"

typedef struct walk {
    const fpx_mma_bounds *bounds;
    size_t i, j;
    double most[MMA_REGS]; /* no accumulator is larger */
    double error;
} walk;

/* A product, or a group's sum of them: the most it can be, its lowest bit, the exponent that alignment sees. */
typedef struct term {
    double most;
    int lowest, e;
} term;

static void lose(walk *w, double loss)
{
    w->error = mma_plus(w->error, loss);
}

static int larger(int x, int y)
{
    return x > y ? x : y;
}

static term product_at(walk *w, size_t k)
{
    const fpx_mma_model *const m = w->bounds->model;
    const fpx_mma_call *const call = w->bounds->call;
    const mma_value a = mma_value_at(m, &call->a, w->i, k), b = mma_value_at(m, &call->b, w->j, k);
    const term t = { mma_times(a.read, b.read), a.lowest + b.lowest,
                     m->group > 0 ? a.scale_e + b.scale_e : a.e + b.e };

    if (a.is_open || b.is_open || (m->e_infinite != 0 && t.most >= mma_power(m->e_infinite)))
        lose(w, HUGE_VAL);
    lose(w, mma_plus(mma_times(a.lost, b.given), mma_times(a.read, b.lost)));
    return t;
}

/* The terms of an ALIGNED block that are not zero, in order; *ret_sum: their magnitudes. Zeros keep a place: parities
 * count them. */
static size_t terms_of(walk *w, const mma_op *op, term *terms, double *ret_sum)
{
    const size_t group = w->bounds->model->group == 0 ? 1 : w->bounds->model->group;
    size_t n = 0;

    *ret_sum = 0.0;
    for (size_t t = 0; t < op->count; t += group) {
        term sum = { 0 };
        for (size_t i = t; i < t + group && i < op->count; i++) {
            const term p = product_at(w, mma_span_k(&op->span, op->first + i));
            if (p.most == 0.0)
                continue;
            if (sum.most == 0.0 || p.lowest < sum.lowest)
                sum.lowest = p.lowest;
            sum.e = p.e;
            sum.most = mma_plus(sum.most, p.most);
        }
        *ret_sum = mma_plus(*ret_sum, sum.most);
        terms[n++] = sum;
    }
    return n;
}

/* The largest exponent of every `step`th term, and of zeros. */
static int exponent_of(const fpx_mma_model *m, const term *terms, size_t n, size_t step)
{
    int e = m->e_zero == FPX_MMA_ZERO_ABSENT ? MMA_NO_TERM : m->e_zero;

    for (size_t i = 0; i < n; i += step)
        e = terms[i].most > 0.0 ? larger(e, terms[i].e) : e;
    return e;
}

/* What cutting every `step`th term toward zero below 2^(e - F) loses. */
static double cuts(const fpx_mma_model *m, const term *terms, size_t n, size_t step, int e)
{
    const double place = mma_power(e - m->fraction);
    double loss = 0.0;

    for (size_t i = 0; i < n; i += step) {
        if (terms[i].most > 0.0 && terms[i].lowest < e - m->fraction)
            loss = mma_plus(loss, terms[i].most < place ? terms[i].most : place);
    }
    return loss;
}

static double conversion(const fpx_mma_model *m, double x)
{
    return x == 0.0 ? 0.0 : mma_power(mma_first_place(&m->format, x) - mma_kept(m));
}

/* Of FMA and TREE, and no more than a flushed result. */
static double operation(const fpx_mma_model *m, double x)
{
    const double loss = conversion(m, x), least = mma_power(mma_least_exponent(&m->format));
    const double flushed = m->flush_results ? (x < least ? x : least) : 0.0;

    return loss > flushed ? loss : flushed;
}

/* The accumulator after a sum of at most x that then loses `loss` in a conversion. */
static void convert(walk *w, unsigned to, double x, double loss)
{
    lose(w, loss);
    if (w->bounds->model->round != FPX_RZ)
        x = mma_plus(x, loss);
    w->most[to] = x;
}

static void joined(walk *w, const mma_op *op, int least_c)
{
    const fpx_mma_model *const m = w->bounds->model;
    const double c = w->most[op->to];
    const int cut_c = m->gap_c > 0 && m->gap_c < m->fraction_c ? m->gap_c : m->fraction_c;
    const size_t parities = m->parities;
    term terms[FPX_MMA_BLOCK_MAX];
    double sum, up = 0.0; /* cuts that can raise a magnitude */
    const size_t n = terms_of(w, op, terms, &sum);
    int e = MMA_NO_TERM;

    for (size_t h = 0; h < parities && h < n; h++) {
        const int own = exponent_of(m, terms + h, n - h, parities);
        lose(w, cuts(m, terms + h, n - h, parities, own));
        e = larger(e, own);
    }
    const int e_both = larger(e, c > 0.0 ? larger(mma_exponent(c), least_c) : least_c);
    if (sum > 0.0 && parities == 2 && n > 1)
        up = mma_plus(up, mma_power(e - m->fraction));
    if (sum > 0.0)
        up = mma_plus(up, mma_power(e_both - m->fraction_sum));
    if (c > 0.0)
        up = mma_plus(up, mma_power(e_both - cut_c));
    double both = mma_plus(mma_plus(sum, c), up);
    if (both > 0.0 && m->fraction_all > 0) {
        const double cut = mma_power(mma_first_place(&m->format, both) - m->fraction_all);
        up = mma_plus(up, cut);
        both = mma_plus(both, cut);
    }
    lose(w, up);
    convert(w, op->to, both, conversion(m, both));
}

static void early(walk *w, const mma_op *op, int least_c)
{
    const fpx_mma_model *const m = w->bounds->model;
    const double c = w->most[op->to];
    term terms[FPX_MMA_BLOCK_MAX];
    double sum;
    const size_t n = terms_of(w, op, terms, &sum);
    int e = exponent_of(m, terms, n, 1);

    if (c > 0.0) {
        e = larger(e, larger(mma_exponent(c), least_c));
        const double place = mma_power(e - m->fraction);
        lose(w, c < place ? c : place);
    }
    lose(w, cuts(m, terms, n, 1, e));
    sum = mma_plus(sum, c);
    convert(w, op->to, sum, conversion(m, sum));
}

static void exact(walk *w, const mma_op *op)
{
    double sum = w->most[op->to];

    for (size_t t = op->first; t < op->first + op->count; t++)
        sum = mma_plus(sum, product_at(w, mma_span_k(&op->span, t)).most);
    convert(w, op->to, sum, conversion(w->bounds->model, sum));
}

static void fma_chain(walk *w, const mma_op *op, int is_foreign)
{
    for (size_t t = op->first; t < op->first + op->count; t++) {
        const double p = product_at(w, mma_span_k(&op->span, t)).most;
        const double sum = mma_plus(w->most[op->to], p);
        const int is_kept = p == 0.0 && !(is_foreign && t == op->first);
        convert(w, op->to, sum, is_kept ? 0.0 : operation(w->bounds->model, sum));
    }
}

/* The most that the sum of two numbers of the output's format can be, with what it loses. */
static double tree_add(walk *w, double x, double y, int is_foreign)
{
    const double sum = mma_plus(x, y);
    const double loss =
        (x == 0.0 || y == 0.0) && !is_foreign ? 0.0 : operation(w->bounds->model, sum);

    lose(w, loss);
    return w->bounds->model->round == FPX_RZ ? sum : mma_plus(sum, loss);
}

static double tree_sum(walk *w, const mma_op *op, size_t first, size_t n)
{
    size_t half = 1;

    if (n == 1)
        return tree_add(w, product_at(w, mma_span_k(&op->span, first)).most, 0.0, 1);
    while (half < n - half)
        half *= 2;
    const double left = tree_sum(w, op, first, half);
    return tree_add(w, left, tree_sum(w, op, first + half, n - half), 0);
}

/* To nearest even, whatever the model's own conversion is. */
static void add(walk *w, const mma_op *op, int is_foreign)
{
    const fpx_format *const f = &w->bounds->model->format;
    const double x = w->most[op->to], y = w->most[op->from];
    double sum = mma_plus(x, y);

    if ((x != 0.0 && y != 0.0) || (is_foreign && sum != 0.0)) {
        const double loss = mma_power(mma_first_place(f, sum) - f->mbits - 1);
        lose(w, loss);
        sum = mma_plus(sum, loss);
    }
    w->most[op->to] = sum;
}

static void visit(void *context, const mma_op *op)
{
    walk *const w = context;
    const fpx_mma_model *const m = w->bounds->model;
    const fpx_mma_call *const call = w->bounds->call;
    const int is_foreign = op->is_c && !fpx_format_equal(&call->c_format, &m->format);
    const int least_c = mma_least_exponent(is_foreign ? &call->c_format : &m->format);

    switch ((enum mma_op_kind)op->kind) {
    case MMA_OP_ZERO:
        w->most[op->to] = 0.0;
        return;
    case MMA_OP_ADD:
        add(w, op, is_foreign);
        break;
    case MMA_OP_BLOCK:
        if (m->sum == FPX_MMA_EXACT)
            exact(w, op);
        else if (m->sum == FPX_MMA_FMA)
            fma_chain(w, op, is_foreign);
        else if (m->sum == FPX_MMA_TREE)
            w->most[op->to] =
                tree_add(w, w->most[op->to], tree_sum(w, op, op->first, op->count), is_foreign);
        else if (m->c == FPX_MMA_C_JOINED)
            joined(w, op, least_c);
        else
            early(w, op, least_c);
        break;
    }
    if (!(w->most[op->to] <= fpx_format_max(&m->format)))
        w->error = HUGE_VAL;
}

static double tight(const fpx_mma_bounds *b, size_t i, size_t j)
{
    const mma_value c = mma_value_of_c(b->model, b->call, i, j);
    walk w = { .bounds = b, .i = i, .j = j, .error = c.lost };
    mma_schedule schedule = { .visit = visit, .context = &w };

    if (c.is_open)
        return HUGE_VAL;
    w.most[MMA_REG_C] = c.read;
    mma_schedule_make(b->model, b->call->k, b->call->c != NULL, &schedule);
    return w.error <= DBL_MAX ? w.error : HUGE_VAL;
}

double fpx_mma_bound_tight(const fpx_mma_bounds *bounds, size_t i, size_t j)
{
    static const fpx_mma_extent none = { .most = MMA_NO_TERM };

    if (bounds->call->k == 0) /* both tiers see C alone */
        return fpx_mma_bound_cheap(bounds, i, j, &none, &none);
    const fpx_fpenv saved = fpx_fpenv_enter();
    const double bound = tight(bounds, i, j);
    fpx_fpenv_leave(saved);
    return bound;
}
