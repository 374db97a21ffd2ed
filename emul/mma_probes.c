/* mma_probes.c - constructed inputs, a table of them: which field each shows, and why it does. */
#include "mma_probes.h"

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

/* Products of zeros and least numbers of both signs: bits of kind are, for each of two products, a's sign and the codes. */
static int zeros_with(mma_trial *t, uint64_t c, unsigned kind)
{
    const fpx_mma_domain *const d = &t->at.domain;

    mma_trial_clear(t, 1 + (kind >= 8));
    t->at.c = c;
    for (size_t k = 0; k < t->at.k; k++) {
        const unsigned product = kind >> 3 * k & 7;
        t->at.a[k] = (product & 1 ? sign_bit(&d->a) : 0) | product >> 1;
        t->at.b[k] = product >> 1;
    }
    return mma_trial_differs(t);
}

/* These with c zero, the least number, the least normal one; then every single bit of c. */
static int probe_zeros(mma_trial *t)
{
    const fpx_format *const out = &t->model[0]->format;
    const uint64_t sign = sign_bit(out), c[] = { 0, 1, UINT64_C(1) << out->mbits };

    for (size_t i = 0; i < sizeof c / sizeof c[0]; i++) {
        for (unsigned kind = 0; kind < 64; kind++) {
            if (zeros_with(t, c[i], kind) || zeros_with(t, c[i] | sign, kind))
                return 1;
        }
    }
    for (uint64_t bit = 1; bit < sign; bit *= 2) {
        if (zeros_with(t, bit, 0) || zeros_with(t, bit | sign, 0))
            return 1;
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
    for (unsigned bit = 0; bit < 2 * 52; bit++) { /* float64 has 52 */
        const uint64_t fraction = UINT64_C(1) << bit / 2;
        mma_trial_clear(t, 1);
        t->at.a[0] = one_a | (bit % 2 == 0 && bit / 2 < d->a.mbits ? fraction : 0);
        t->at.b[0] = one_b | (bit % 2 != 0 && bit / 2 < d->b.mbits ? fraction : 0);
        if (mma_trial_differs(t))
            return 1;
    }
    return 0;
}

enum { LONGEST = 600 }; /* K of this probe: past promotions of 128 in each of four splits */

/* +M at i, -M at j, ones elsewhere, which M swallows: what is left counts the ones that were added apart from it (FPRev). */
static int order_at(mma_trial *t, size_t k, int top, int depth, int mask)
{
    size_t places[MMA_NUMBERS];
    size_t n = 0, lengths[MMA_NUMBERS];
    const size_t nlengths = mma_lengths(t, lengths);

    for (size_t i = 0; i < nlengths; i++) {
        if (lengths[i] <= k)
            mma_numbers_insert(places, &n, lengths[i] - 1, k - 1);
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

/* M swallows what lies just below the last bit that a term keeps, or the accumulator. */
static int probe_order(mma_trial *t)
{
    const size_t last[] = { t->model[0]->fraction, t->model[1]->fraction,
                            t->model[0]->fraction_out + (size_t)1, t->model[0]->fraction_sum };
    size_t lengths[MMA_NUMBERS], depths[MMA_NUMBERS];
    const size_t n = mma_lengths(t, lengths);
    size_t ndepths = 0;
    int low, high;

    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++) {
        if (last[i] > 0)
            mma_numbers_insert(depths, &ndepths, last[i] + 1, last[i] + 1);
    }
    mma_trial_range(&t->at.domain, &low, &high);
    const int top =
        high < 12 ? high : 12; /* room for the sum of many ones below what formats hold */
    for (size_t i = 0; i < n && lengths[i] <= LONGEST; i++) {
        for (size_t j = 0; j < ndepths; j++) {
            if (order_at(t, lengths[i], top, (int)depths[j], 1) ||
                order_at(t, lengths[i], top, (int)depths[j], 0))
                return 1;
        }
    }
    return 0;
}

static const mma_probe probes[] = {
    { "edge",
      "a number on an edge of rounding, plus what only one of the models still sees below it",
      "fraction fraction_out fraction_sum fraction_c fraction_all gap_c round c sum group",
      mma_probe_edges },
    { "order", "+M and -M with ones that M swallows: what is left counts those added apart from it",
      "block step vectors width promote split tile deal combine parities group", probe_order },
    { "least numbers", "sums at the output's last place, where a zero term has the exponent E",
      "e_zero zero flush_results", mma_probe_least },
    { "unnormalised pair",
      "a pair that cancels sets E by a subnormal operand: the rest lies where E cuts", "e_least",
      mma_probe_unnormalised },
    { "single bits", "each fraction bit of an operand alone, times 1", "drop",
      probe_fraction_bits },
    { "subnormals", "subnormal operands times powers of two, and a subnormal c",
      "flush_inputs flush_results e_least e_zero drop", probe_subnormals },
    { "zeros", "zeros and least numbers of both signs, in c and in products",
      "zero flush_inputs flush_results c", probe_zeros },
    { "large products", "products up to the largest, alone, in pairs, and against Inf",
      "e_infinite", probe_large },
    { "NaN", "c is NaN: its code comes back as the model has it", "nan_code", probe_nan },
};

const mma_probe *mma_probe_at(size_t index)
{
    return index < sizeof probes / sizeof probes[0] ? &probes[index] : NULL;
}
