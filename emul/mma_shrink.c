/* mma_shrink.c - a separating input made small: each change is kept where the models still differ, until none is. */
#include <string.h>

#include "mma_hunt.h"

/* Bounds the work: an input of a thousand k has about so many changes to try in a few rounds. */
enum { SHRINK_TRIES = 20000 };

/* 1 where the models differ on the changed input; else the input is as it was. */
static int keeps(mma_trial *t, const fpx_mma_witness *was)
{
    if (mma_trial_differs(t))
        return 1;
    t->at = *was;
    return 0;
}

static void remove_at(uint64_t *codes, size_t k, size_t i)
{
    memmove(codes + i, codes + i + 1, (k - i - 1) * sizeof codes[0]);
}

static int without_k(mma_trial *t, fpx_mma_witness *was)
{
    int any = 0;

    for (size_t i = t->at.k; i-- > 0 && t->at.k > 1;) {
        *was = t->at;
        remove_at(t->at.a, t->at.k, i);
        remove_at(t->at.b, t->at.k, i);
        t->at.k--;
        any |= keeps(t, was);
    }
    return any;
}

static uint64_t one_of(const fpx_format *format)
{
    uint64_t one = 0;

    (void)mma_power_of_two(format, 0, 0, &one);
    return one;
}

/* The code becomes the first of these simpler ones that still separates. */
static int simpler(mma_trial *t, fpx_mma_witness *was, uint64_t *code, const fpx_format *format)
{
    const uint64_t sign =
        (format->flags & FPX_FORMAT_UNSIGNED) != 0 ? 0 : UINT64_C(1) << (format->bits - 1);
    const uint64_t fraction = (UINT64_C(1) << format->mbits) - 1;
    const uint64_t tries[] = { 0,
                               one_of(format),
                               one_of(format) | sign,
                               *code & ~fraction & ~sign,
                               *code & ~fraction,
                               *code & ~sign };

    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        if (tries[i] == *code)
            return 0; /* already as simple as that */
        *was = t->at;
        *code = tries[i];
        if (keeps(t, was))
            return 1;
    }
    return 0;
}

/* Product i becomes 0 times 0. */
static int without_product(mma_trial *t, fpx_mma_witness *was, size_t i)
{
    if (t->at.a[i] == 0 && t->at.b[i] == 0)
        return 0;
    *was = t->at;
    t->at.a[i] = t->at.b[i] = 0;
    return keeps(t, was);
}

void mma_shrink(mma_trial *t)
{
    fpx_mma_witness *const w = &t->at;
    fpx_mma_witness was;
    const size_t end = t->tries + SHRINK_TRIES;
    int any = 1;

    while (any && t->tries < end) {
        any = without_k(t, &was);
        for (size_t i = 0; i < w->k; i++)
            any |= without_product(t, &was, i);
        any |= simpler(t, &was, &w->c, &t->model[0]->format);
        for (size_t i = 0; i < w->k; i++) {
            any |= simpler(t, &was, &w->a[i], &w->domain.a);
            any |= simpler(t, &was, &w->b[i], &w->domain.b);
        }
        for (size_t i = 0; w->domain.scale_block > 0 && i * w->domain.scale_block < w->k; i++) {
            any |= simpler(t, &was, &w->scale_a[i], &w->domain.scale);
            any |= simpler(t, &was, &w->scale_b[i], &w->domain.scale);
        }
    }
    (void)mma_trial_differs(t); /* d is this input's */
}
