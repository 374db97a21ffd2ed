/* mma_probes.c - constructed inputs. Each works by making a number on an edge of rounding (a number of the output, or a
 * tie) and adding what one model sees and the other does not. */
#include "mma_probes.h"

#include <string.h>

static size_t larger(size_t x, size_t y)
{
    return x > y ? x : y;
}

static void insert(size_t *numbers, size_t *n, size_t number, size_t most)
{
    size_t i = 0;

    if (number > most || *n == MMA_NUMBERS)
        return;
    while (i < *n && numbers[i] < number)
        i++;
    if (i < *n && numbers[i] == number)
        return;
    memmove(numbers + i + 1, numbers + i, (*n - i) * sizeof numbers[0]);
    numbers[i] = number;
    ++*n;
}

size_t mma_lengths(const mma_trial *t, size_t numbers[MMA_NUMBERS])
{
    size_t n = 0;

    for (size_t k = 1; k <= 3; k++)
        insert(numbers, &n, k, FPX_MMA_WITNESS_MAX);
    for (int i = 0; i < 2; i++) {
        const fpx_mma_model *const m = t->model[i];
        const size_t lengths[] = { m->block,
                                   m->step,
                                   m->group,
                                   m->width,
                                   (size_t)m->width * m->vectors,
                                   m->promote,
                                   m->tile,
                                   2 * (size_t)m->block,
                                   (size_t)m->tile * m->split,
                                   2 * (size_t)m->step };
        for (size_t j = 0; j < sizeof lengths / sizeof lengths[0]; j++) {
            for (size_t k = larger(lengths[j], 2) - 1; lengths[j] > 0 && k <= lengths[j] + 1; k++)
                insert(numbers, &n, k, FPX_MMA_WITNESS_MAX);
        }
    }
    return n;
}

size_t mma_depths(const mma_trial *t, size_t numbers[MMA_NUMBERS])
{
    size_t n = 0;

    for (int i = 0; i < 2; i++) {
        const fpx_mma_model *const m = t->model[i];
        const size_t depths[] = { m->fraction,   m->fraction_out, m->fraction_sum,
                                  m->fraction_c, m->fraction_all, m->gap_c };
        for (size_t j = 0; j < sizeof depths / sizeof depths[0]; j++) {
            for (size_t d = larger(depths[j], 2) - 2; depths[j] > 0 && d <= depths[j] + 3; d++)
                insert(numbers, &n, d, 300);
        }
    }
    return n;
}

size_t mma_spacing(const mma_trial *t)
{
    const size_t group = larger(t->model[0]->group, t->model[1]->group);

    return group == 0 ? 1 : larger(group, t->at.domain.scale_block);
}

static uint64_t sign_bit(const fpx_format *f)
{
    return UINT64_C(1) << (f->bits - 1);
}

/* C alone is NaN. */
static int probe_nan(mma_trial *t)
{
    for (int i = 0; i < 2; i++) {
        mma_trial_clear(t, 1);
        t->at.c = t->model[i]->format.nan_code;
        if (mma_trial_differs(t))
            return 1;
    }
    return 0;
}

/* Zeros and the least numbers of both signs, in c and in one or two products. */
static int probe_zeros(mma_trial *t)
{
    const fpx_format *const out = &t->model[0]->format;
    const fpx_mma_domain *const d = &t->at.domain;
    const uint64_t c[] = { 0, sign_bit(out), 1, sign_bit(out) | 1, UINT64_C(1) << out->mbits };

    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        for (unsigned kinds = 0; kinds < 64; kinds++) {
            mma_trial_clear(t, 1 + (kinds >= 8));
            t->at.c = c[i];
            for (size_t k = 0; k < t->at.k; k++) {
                const unsigned kind = kinds >> 3 * k & 7;
                t->at.a[k] = kind & 1 ? sign_bit(&d->a) : 0;
                t->at.a[k] |= kind >> 1;
                t->at.b[k] = kind >> 1;
            }
            if (mma_trial_differs(t))
                return 1;
        }
    }
    return 0;
}

/* The least and the largest subnormal of A or B times powers of two; a subnormal c. */
static int probe_subnormals(mma_trial *t)
{
    const fpx_mma_domain *const d = &t->at.domain;
    const fpx_format *const out = &t->model[0]->format;

    for (int side = 0; side < 2; side++) {
        const fpx_format *const small = side ? &d->b : &d->a, *const other = side ? &d->a : &d->b;
        for (int q = mma_exponent_lowest(other); q <= mma_exponent_highest(other); q++) {
            for (unsigned kind = 0; kind < 8; kind++) {
                mma_trial_clear(t, 1);
                uint64_t *const from = side ? t->at.b : t->at.a, *const to =
                                                                     side ? t->at.a : t->at.b;
                from[0] = kind & 1 ? (UINT64_C(1) << small->mbits) - 1 : 1;
                t->at.c = (kind & 2 ? sign_bit(out) : 0) |
                          (kind & 4 ? (UINT64_C(1) << out->mbits) - 1 : 0);
                if (mma_power_of_two(other, (int)(kind & 1), q, &to[0]) && mma_trial_differs(t))
                    return 1;
            }
        }
    }
    return 0;
}

/* Products from every power of two up, with c zero, Inf, or what takes the product away; twice the largest product. */
static int probe_large(mma_trial *t)
{
    const fpx_format *const out = &t->model[0]->format;
    const fpx_mma_domain *const d = &t->at.domain;
    int low, high;

    mma_trial_range(d, &low, &high);
    for (int q = high; q >= low; q--) {
        for (unsigned kind = 0; kind < 8; kind++) {
            mma_trial_clear(t, 2);
            t->at.c = out->max_code + (kind & 1) + (kind & 2 ? sign_bit(out) : 0);
            if (!mma_trial_put(t, 0, 0, q, 0) || (kind >= 4 && !mma_trial_put(t, 1, 1, q, 0)))
                continue;
            if (mma_trial_differs(t))
                return 1;
        }
        mma_trial_clear(t, 1);
        if (mma_trial_put(t, 0, 0, q, 0) && mma_trial_differs(t))
            return 1;
    }
    for (unsigned kind = 0; kind < 8; kind++) {
        mma_trial_clear(t, 2);
        for (size_t k = 0; k < 2; k++) {
            t->at.a[k] = d->a.max_code;
            t->at.b[k] = d->b.max_code;
        }
        t->at.c = (kind & 1 ? sign_bit(out) | out->max_code : 0);
        t->at.a[1] = kind & 2 ? 0 : d->a.max_code;
        if (mma_trial_differs(t))
            return 1;
    }
    return 0;
}

/* Every single fraction bit of A or B, times 1. */
static int probe_fraction_bits(mma_trial *t)
{
    const fpx_mma_domain *const d = &t->at.domain;
    uint64_t one_a = 0, one_b = 0;

    if (!mma_power_of_two(&d->a, 0, 0, &one_a) || !mma_power_of_two(&d->b, 0, 0, &one_b))
        return 0;
    for (unsigned bit = 0; bit < 2u * FPX_MMA_BLOCK_MAX && bit < 104; bit++) {
        const uint64_t fraction = UINT64_C(1) << bit / 2;
        mma_trial_clear(t, 1);
        t->at.a[0] = one_a | (bit % 2 == 0 && bit / 2 < d->a.mbits ? fraction : 0);
        t->at.b[0] = one_b | (bit % 2 != 0 && bit / 2 < d->b.mbits ? fraction : 0);
        if (mma_trial_differs(t))
            return 1;
    }
    return 0;
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
static int probe_edges(mma_trial *t)
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
static int probe_least(mma_trial *t)
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
static int probe_unnormalised(mma_trial *t)
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

/* +M at i, -M at j, ones elsewhere, which M swallows: what is left counts the ones that were added apart from it (FPRev). */
static int order_at(mma_trial *t, size_t k, int top, int depth, int mask)
{
    size_t places[MMA_NUMBERS];
    size_t n = 0, lengths[MMA_NUMBERS];
    const size_t nlengths = mma_lengths(t, lengths);

    for (size_t i = 0; i < nlengths; i++) {
        if (lengths[i] <= k)
            insert(places, &n, lengths[i] - 1, k - 1);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            int ok = 1;
            mma_trial_clear(t, k);
            ok = mma_trial_put(t, places[i], 0, top, 0) && mma_trial_put(t, places[j], 1, top, 0);
            for (size_t p = 0; ok && p < k; p++) {
                if (p != places[i] && p != places[j] && (mask || p == k - 1 || p == 0))
                    (void)mma_trial_put(t, p, 0, top - depth, 0);
            }
            if (ok && mma_trial_differs(t))
                return 1;
        }
    }
    return 0;
}

static int probe_order(mma_trial *t)
{
    size_t lengths[MMA_NUMBERS], depths[MMA_NUMBERS];
    const size_t n = mma_lengths(t, lengths), ndepths = mma_depths(t, depths);
    int low, high;

    mma_trial_range(&t->at.domain, &low, &high);
    for (size_t i = 0; i < n && lengths[i] <= 300; i++) {
        for (size_t j = 0; j < ndepths; j += 3) {
            if (order_at(t, lengths[i], high < 12 ? high : 12, (int)depths[j], 1) ||
                order_at(t, lengths[i], high < 12 ? high : 12, (int)depths[j], 0))
                return 1;
        }
    }
    return 0;
}

static const mma_probe probes[] = {
    { "edge",
      "a number on an edge of rounding, plus what only one of the models still sees below it",
      "fraction fraction_out fraction_sum fraction_c fraction_all gap_c round c sum group",
      probe_edges },
    { "order", "+M and -M with ones that M swallows: what is left counts those added apart from it",
      "block step vectors width promote split tile deal combine parities group", probe_order },
    { "least numbers", "sums at the output's last place, where a zero term has the exponent E",
      "e_zero zero flush_results", probe_least },
    { "unnormalised pair",
      "a pair that cancels sets E by a subnormal operand: the rest lies where E cuts", "e_least",
      probe_unnormalised },
    { "subnormals", "subnormal operands times powers of two, and a subnormal c",
      "flush_inputs flush_results e_least e_zero drop", probe_subnormals },
    { "zeros", "zeros and least numbers of both signs, in c and in products",
      "zero flush_inputs flush_results c", probe_zeros },
    { "large products", "products up to the largest, alone, in pairs, and against Inf",
      "e_infinite", probe_large },
    { "single bits", "each fraction bit of an operand alone, times 1", "drop",
      probe_fraction_bits },
    { "NaN", "c is NaN: its code comes back as the model has it", "nan_code", probe_nan },
};

const mma_probe *mma_probe_at(size_t index)
{
    return index < sizeof probes / sizeof probes[0] ? &probes[index] : NULL;
}
