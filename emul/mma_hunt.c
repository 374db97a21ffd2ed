/* mma_hunt.c - directed random search: terms at distances below a random top at which the models cut, pairs that cancel,
 * c near the negative of the sum; now and then any codes at all. */
#include "mma_hunt.h"

#include "mma_probes.h"

static int between(mma_trial *t, int least, int most)
{
    return least + (int)mma_trial_below(t, (size_t)(most - least) + 1);
}

/* 1 in one of n cases. */
static int rarely(mma_trial *t, unsigned n)
{
    return mma_trial_below(t, n) == 0;
}

/* The lengths and depths of the two models. */
typedef struct numbers {
    size_t length[MMA_NUMBERS], depth[MMA_NUMBERS];
    size_t nlengths, ndepths, spacing;
    int low, high; /* exponents of products */
} numbers;

static size_t length_of(mma_trial *t, const numbers *n)
{
    size_t k = mma_trial_below(t, 4) != 0 ? n->length[mma_trial_below(t, n->nlengths)]
                                          : 1 + mma_trial_below(t, 12);

    if (k > 80 && !rarely(t, 12)) /* the cost of an input is its length */
        k = 1 + mma_trial_below(t, 40);
    return k;
}

static int top_of(mma_trial *t, const numbers *n)
{
    const fpx_format *const out = &t->model[0]->format;

    switch (mma_trial_below(t, 5)) {
    case 0:
        return between(t, n->high - 8, n->high);
    case 1:
        return between(t, mma_exponent_lowest(out) - 3, mma_least_exponent(out) + 3);
    case 2:
        return between(t, n->low, n->high);
    default:
        return between(t, n->low / 4, n->high / 4);
    }
}

static int depth_of(mma_trial *t, const numbers *n)
{
    switch (mma_trial_below(t, 4)) {
    case 0:
        return between(t, 0, 4);
    case 1:
        return between(t, 0, 50);
    default:
        return (int)n->depth[mma_trial_below(t, n->ndepths)];
    }
}

/* Fraction bits of the two codes of a term: some, where they are normal. */
static void roughen(mma_trial *t, size_t i)
{
    const fpx_mma_domain *const d = &t->at.domain;
    const uint64_t bits_a = mma_trial_next(t) & mma_trial_next(t);
    const uint64_t bits_b = mma_trial_next(t) & mma_trial_next(t);

    t->at.a[i] |= bits_a & ((UINT64_C(1) << d->a.mbits) - 1);
    t->at.b[i] |= bits_b & ((UINT64_C(1) << d->b.mbits) - 1);
}

static void draw_terms(mma_trial *t, const numbers *n, int top)
{
    const size_t k = t->at.k;
    const size_t count = 1 + mma_trial_below(t, k < 8 ? k : rarely(t, 4) ? k : 8);
    const int is_rough = rarely(t, 3);

    for (size_t c = 0; c < count; c++) {
        const size_t i = mma_trial_below(t, k) / (rarely(t, 2) ? n->spacing : 1) *
                         (rarely(t, 2) ? n->spacing : 1);
        const int q = top - depth_of(t, n);
        const int lean = rarely(t, 3) ? between(t, -24, 24) : 0;
        const int negative = (int)mma_trial_below(t, 2);
        if (!mma_trial_put(t, i, negative, q, lean))
            continue;
        if (is_rough && rarely(t, 2))
            roughen(t, i);
        const size_t other = mma_trial_below(t, k);
        if (rarely(t, 3)) { /* the same again, negative */
            if (mma_trial_put(t, other, !negative, q, rarely(t, 2) ? lean : between(t, -9, 9)) &&
                other != i && rarely(t, 2)) {
                t->at.a[other] = t->at.a[i] ^ UINT64_C(1) << (t->at.domain.a.bits - 1);
                t->at.b[other] = t->at.b[i];
            }
        }
    }
    if (rarely(t, 10)) { /* everything else alike */
        const int q = top - depth_of(t, n);
        for (size_t i = 0; i < k; i++) {
            if (t->at.a[i] == 0)
                (void)mma_trial_put(t, i, 0, q, 0);
        }
    }
}

static void draw_c(mma_trial *t, const numbers *n, int top)
{
    const fpx_format *const out = &t->model[0]->format;
    const uint64_t sign = UINT64_C(1) << (out->bits - 1);

    switch (mma_trial_below(t, 6)) {
    case 0:
        t->at.c = 0;
        break;
    case 1: /* near the negative of what there is */
        t->at.c = 0;
        (void)mma_trial_differs(t);
        t->at.c = t->at.d[0] ^ sign ^ (rarely(t, 2) ? mma_trial_below(t, 4) : 0);
        break;
    case 2: /* small, or a zero of any sign */
        t->at.c = (mma_trial_below(t, 2) ? sign : 0) | mma_trial_below(t, 3);
        break;
    default:
        (void)mma_trial_put_c(t, (int)mma_trial_below(t, 2),
                              rarely(t, 2) ? top : top - depth_of(t, n));
        if (rarely(t, 2))
            t->at.c |= mma_trial_next(t) & mma_trial_next(t) & ((UINT64_C(1) << out->mbits) - 1);
        break;
    }
}

static void draw_codes(mma_trial *t)
{
    fpx_mma_witness *const w = &t->at;

    for (size_t i = 0; i < w->k; i++) {
        w->a[i] = mma_trial_next(t) >> (64 - w->domain.a.bits);
        w->b[i] = mma_trial_next(t) >> (64 - w->domain.b.bits);
    }
    w->c = mma_trial_next(t) >> (64 - t->model[0]->format.bits);
}

int mma_hunt(mma_trial *t, size_t tries)
{
    const size_t end = t->tries + tries;
    numbers n;

    n.nlengths = mma_lengths(t, n.length);
    n.ndepths = mma_depths(t, n.depth);
    n.spacing = mma_spacing(t);
    mma_trial_range(&t->at.domain, &n.low, &n.high);
    while (t->tries < end && !t->is_over) {
        const int top = top_of(t, &n);
        mma_trial_clear(t, length_of(t, &n));
        if (rarely(t, 16)) {
            draw_codes(t);
        } else {
            draw_terms(t, &n, top);
            draw_c(t, &n, top);
        }
        if (mma_trial_differs(t))
            return 1;
    }
    return 0;
}
