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
    return larger(larger(t->at.domain.scale_block, 1),
                  larger(t->model[0]->group, t->model[1]->group));
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

/* What a sum on an edge is made of. */
typedef struct edge {
    int top;      /* the edge is at 2^top */
    int in_c;     /* it is c; else a product */
    int is_odd;   /* plus one unit in the last place of the output */
    int is_tie;   /* plus half of one */
    size_t depth; /* what is added lies so far below 2^top */
    int signs;    /* bit 0: the edge is negative, bit 1: what is added is */
    int several;  /* it comes as so many terms of the value's part */
    int raise;    /* > 0: a pair +-2^(top + raise) is there too, which changes E alone */
    size_t spacing;
} edge;

/* 1 where the formats have such a sum. */
static int build_edge(mma_trial *t, const edge *e)
{
    const int last = e->top - t->model[0]->fraction_out;
    const int negative = e->signs & 1, opposite = e->signs >> 1 & 1;
    size_t i = 0;
    int ok = 1;

    mma_trial_clear(t, 1 + 7 * e->spacing);
    if (e->in_c) {
        ok = mma_trial_put_c(t, negative, e->top);
        t->at.c += (uint64_t)e->is_odd << (t->model[0]->format.mbits - t->model[0]->fraction_out);
    } else {
        ok = mma_trial_put(t, i++ * e->spacing, negative, e->top, 0);
        if (e->is_odd)
            ok = ok && mma_trial_put(t, i++ * e->spacing, negative, last, 0);
    }
    if (e->is_tie)
        ok = ok && mma_trial_put(t, i++ * e->spacing, negative, last - 1, 0);
    for (int n = 0; n < e->several; n++)
        ok = ok && mma_trial_put(t, i++ * e->spacing, negative ^ opposite,
                                 e->top - (int)e->depth - (e->several - 1), 0);
    if (e->raise > 0) {
        ok = ok && mma_trial_put(t, i++ * e->spacing, 0, e->top + e->raise, 0);
        ok = ok && mma_trial_put(t, i++ * e->spacing, 1, e->top + e->raise, 0);
    }
    t->at.k = i == 0 ? 1 : (i - 1) * e->spacing + 1;
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

/* All edges with what is added at a depth where one of the models cuts. */
static int probe_edges(mma_trial *t)
{
    size_t depths[MMA_NUMBERS];
    const size_t n = mma_depths(t, depths);
    int top[16];
    const size_t ntops = tops(t, top);
    const size_t spacing = mma_spacing(t);

    for (size_t at = 0; at < ntops * n; at++) {
        for (unsigned bits = 0; bits < 384; bits++) {
            const edge e = { .top = top[at / n],
                             .in_c = bits & 1,
                             .is_odd = bits >> 3 & 1,
                             .is_tie = bits >> 4 & 1,
                             .depth = depths[at % n],
                             .signs = (int)(bits >> 1 & 3),
                             .several = 1 + (int)(bits >> 5 & 1),
                             .raise = (bits >> 6 & 1) != 0 ? 1 + (int)(bits >> 7) : 0,
                             .spacing = spacing };
            if (((bits >> 6 & 1) != 0 || bits < 128) && build_edge(t, &e) && mma_trial_differs(t))
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
                             .in_c = 0,
                             .is_odd = 0,
                             .is_tie = 0,
                             .depth = (size_t)(last + 2 - q),
                             .signs = (int)(bits >> 2 & 3),
                             .several = 1 + (int)(bits >> 4 & 1),
                             .raise = (int)(bits >> 5) * 4,
                             .spacing = mma_spacing(t) };
            if (build_edge(t, &e) && mma_trial_differs(t))
                return 1;
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
      "e_zero e_least zero flush_results", probe_least },
    { "subnormals", "subnormal operands times powers of two, and a subnormal c",
      "flush_inputs flush_results e_least e_zero", probe_subnormals },
    { "zeros", "zeros and least numbers of both signs, in c and in products",
      "zero flush_inputs flush_results c", probe_zeros },
    { "large products", "products up to the largest, alone, in pairs, and against Inf",
      "e_infinite gap_c", probe_large },
    { "single bits", "each fraction bit of an operand alone, times 1", "drop",
      probe_fraction_bits },
    { "NaN", "c is NaN: its code comes back as the model has it", "nan_code", probe_nan },
};

const mma_probe *mma_probe_at(size_t index)
{
    return index < sizeof probes / sizeof probes[0] ? &probes[index] : NULL;
}
