/* mma_edges.c - probes by edges: a sum of which every bit counts (a number of the output, or a tie between two), and a rest
 * beside it that one model sees and the other does not. */
#include "mma_probes.h"

static size_t larger(size_t x, size_t y)
{
    return x > y ? x : y;
}

/* Where the parts of an edge are. */
enum place { ALL_PRODUCTS, EDGE_IN_C, REST_IN_C };

/* What makes 2^top an edge, in units of the output's last place there, each a product of its own. */
static const struct shape {
    int carry;  /* 2^top comes as two products of 2^(top - 1): it lies a bit higher than E */
    int below;  /* units are of the numbers below 2^top, and taken off */
    int is_odd; /* a whole unit */
    int is_tie; /* half a unit */
} shapes[] = {
    { 0, 0, 0, 0 }, { 0, 0, 0, 1 }, { 0, 0, 1, 1 }, { 0, 1, 0, 1 },
    { 0, 1, 1, 1 }, { 1, 0, 0, 0 }, { 1, 0, 0, 1 }, { 1, 0, 1, 1 },
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

/* A sum on an edge, and something beside it. */
typedef struct edge {
    int top;
    enum place place;
    struct shape shape;
    int depth;   /* the rest is at 2^(top - depth) */
    int signs;   /* bit 0: the edge is negative, bit 1: the rest is opposite to it */
    int several; /* 2: the rest comes as two terms of half the size */
    int raise;   /* > 0: a pair +-2^(top + raise) is there too, which changes E alone */
    int lean;    /* of the pair: one has a small and b large, the other the opposite */
    size_t spacing;
} edge;

/* Where term i is, so that all are in one block as far as model 0 has room in it. */
static size_t k_of(const mma_trial *t, size_t spacing, size_t i)
{
    const fpx_mma_model *const m = t->model[0];

    return m->vectors > 1 ? i / m->width * m->width * m->vectors + i % m->width : i * spacing;
}

/* 1 where the formats have such a sum. */
static int build_edge(mma_trial *t, const edge *e)
{
    const struct shape *const s = &e->shape;
    const int unit = e->top - t->model[0]->fraction_out - s->below;
    const int negative = e->signs & 1, of_rest = negative ^ (e->signs >> 1 & 1);
    size_t i = 0;
    int ok = 1;

    if (k_of(t, e->spacing, 8) >= FPX_MMA_WITNESS_MAX)
        return 0;
    mma_trial_clear(t, 1 + k_of(t, e->spacing, 8));
    if (e->place == EDGE_IN_C)
        ok = mma_trial_put_c(t, negative, e->top);
    for (int n = 0; e->place != EDGE_IN_C && n < 1 + s->carry; n++)
        ok = ok && mma_trial_put(t, k_of(t, e->spacing, i++), negative, e->top - s->carry, 0);
    if (s->is_odd)
        ok = ok && mma_trial_put(t, k_of(t, e->spacing, i++), negative ^ s->below, unit, 0);
    if (s->is_tie)
        ok = ok && mma_trial_put(t, k_of(t, e->spacing, i++), negative ^ s->below, unit - 1, 0);
    if (e->place == REST_IN_C)
        ok = ok && mma_trial_put_c(t, of_rest, e->top - e->depth);
    for (int n = 0; e->place != REST_IN_C && n < e->several; n++)
        ok = ok && mma_trial_put(t, k_of(t, e->spacing, i++), of_rest,
                                 e->top - e->depth - (e->several - 1), 0);
    for (int n = 0; e->raise > 0 && n < 2; n++)
        ok = ok && mma_trial_put(t, k_of(t, e->spacing, i++), n, e->top + e->raise,
                                 n == 0 ? -e->lean : e->lean);
    t->at.k = i == 0 ? 1 : k_of(t, e->spacing, i - 1) + 1;
    return ok;
}

/* Exponents worth a trial: each end of what products and c have, the middle, and where zero's exponent lies. */
static size_t tops(const mma_trial *t, int *ret_tops)
{
    const fpx_format *const out = &t->model[0]->format;
    size_t n = 0;
    int low, high;

    mma_trial_range(&t->at.domain, &low, &high);
    const int ends[] = { 0,
                         4,
                         mma_least_exponent(out),
                         mma_exponent_lowest(out),
                         mma_exponent_lowest(out) + 1,
                         high,
                         high - 1,
                         high - 6,
                         low + 30 };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        ret_tops[n++] = ends[i];
    for (int i = 0; i < 2; i++) {
        if (t->model[i]->e_zero != FPX_MMA_ZERO_ABSENT && t->model[i]->sum == FPX_MMA_ALIGNED)
            ret_tops[n++] = t->model[i]->e_zero - 2;
    }
    return n;
}

/* Every shape, place and sign of one edge; a pair that raises E with some. */
static int edges_at(mma_trial *t, int top, int depth, size_t spacing)
{
    for (unsigned bits = 0; bits < 24 * SHAPES; bits++) {
        edge e = { .top = top,
                   .place = (enum place)(bits % 3),
                   .shape = shapes[bits / 24],
                   .depth = depth,
                   .signs = (int)(bits / 3 & 3),
                   .several = 1 + (int)(bits / 12 & 1),
                   .spacing = spacing };
        const int raises = e.shape.carry || e.shape.below ? 0 : 3;
        for (e.raise = 0; e.raise <= raises; e.raise++) {
            if (build_edge(t, &e) && mma_trial_differs(t))
                return 1;
        }
    }
    return 0;
}

/* The rest at depths where one of the models cuts. Terms of groups: each in one of its own, or two halves in one group of
 * the model with the larger ones. */
int mma_probe_edges(mma_trial *t)
{
    size_t depths[MMA_NUMBERS];
    const size_t n = mma_depths(t, depths);
    const size_t group[] = { t->model[0]->group, t->model[1]->group };
    const size_t smaller = group[0] < group[1] ? group[0] : group[1];
    const size_t spacing[] = { mma_spacing(t), larger(smaller, 1) };
    int top[16];
    const size_t ntops = tops(t, top);

    for (size_t s = 0; s < 1 + (size_t)(group[0] != group[1]); s++) {
        for (size_t i = 0; i < ntops * n; i++) {
            if (edges_at(t, top[i / n], (int)depths[i % n], spacing[s]))
                return 1;
        }
    }
    return 0;
}

/* The output's least numbers: an edge there, and what is added from the last bit of products up to it, so that a zero c, or
 * one lone term, has E. */
int mma_probe_least(mma_trial *t)
{
    const int last = mma_exponent_lowest(&t->model[0]->format);
    int low, high;

    mma_trial_range(&t->at.domain, &low, &high);
    for (int q = last + 2; q >= low && q > last - 80; q--) {
        for (unsigned bits = 0; bits < 128; bits++) {
            const edge e = { .top = last - 1 + (int)(bits & 3),
                             .depth = last - 1 + (int)(bits & 3) - q,
                             .signs = (int)(bits >> 2 & 3),
                             .several = 1 + (int)(bits >> 4 & 1),
                             .raise = (int)(bits >> 5) * 4,
                             .spacing = mma_spacing(t) };
            if (e.depth > 0 && build_edge(t, &e) && mma_trial_differs(t))
                return 1;
        }
    }
    return 0;
}

/* A pair that cancels and sets E by the exponents of its operands, one of them subnormal: what is left lies where E cuts,
 * by itself or on a tie of the output. */
int mma_probe_unnormalised(mma_trial *t)
{
    size_t depths[MMA_NUMBERS];
    const size_t n = mma_depths(t, depths);
    const int last = mma_exponent_lowest(&t->model[0]->format);
    int low, high;

    mma_trial_range(&t->at.domain, &low, &high);
    for (int q = high; q >= low; q--) {
        for (size_t i = 0; i < n; i++) {
            for (unsigned bits = 0; bits < 8; bits++) {
                const int rest = q - (int)depths[i],
                          top = bits & 4 && last > rest ? last : rest + 1;
                const edge e = { .top = top,
                                 .depth = top - rest,
                                 .signs = (int)(bits & 1) << 1,
                                 .several = 1,
                                 .raise = q - top,
                                 .lean = bits & 2 ? -99 : 99,
                                 .spacing = mma_spacing(t) };
                if (build_edge(t, &e) && mma_trial_differs(t))
                    return 1;
            }
        }
    }
    return 0;
}
