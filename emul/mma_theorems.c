/* mma_theorems.c - what cannot be seen of a model: each theorem rewrites a field to one value for all that give the same
 * outputs for every input of a domain.
 *
 * Words of the proofs. A number is `on` 2^g where it is a multiple of it. Cutting (toward zero or down) and rounding a
 * number on 2^g give a number on 2^g, and change nothing where the last place that is kept is 2^g or below. */
#include "mma_theorems.h"

#include <stdint.h>
#include <string.h>

#include "mma_trial.h"

/* What a model can meet in a domain. */
typedef struct facts {
    int products_on;     /* every product, scales included, is on 2^this */
    int product_least;   /* exponent that alignment sees: the least of a term that is not zero */
    int product_highest; /* of a product, scales included */
    int c_least;         /* exponent: the least of an accumulator, not zero, that a block meets */
    int c_on;            /* each is on 2^this */
    int out_last;        /* last place of the output's least numbers */
} facts;

static int larger(int x, int y)
{
    return x > y ? x : y;
}

static int smaller(int x, int y)
{
    return x < y ? x : y;
}

/* Every chain of blocks starts from +0: what they meet is rounded sums of products, never C. */
static int starts_at_zero(const fpx_mma_model *m)
{
    return m->c == FPX_MMA_C_LATE || m->promote > 0 || m->split > 1;
}

static int least_of(const fpx_mma_model *m, const fpx_format *f)
{
    return m->e_least != 0 ? larger(mma_exponent_lowest(f), m->e_least) : mma_least_exponent(f);
}

static facts facts_of(const fpx_mma_model *m, const fpx_mma_domain *d)
{
    const int is_scaled = d->scale_block > 0;
    const int scale_least = is_scaled ? 2 * mma_least_exponent(&d->scale) : 0;
    const int scale_on = is_scaled ? 2 * mma_exponent_lowest(&d->scale) : 0;
    facts f = { .products_on = mma_exponent_lowest(&d->a) + mma_exponent_lowest(&d->b) + scale_on };

    f.product_least = scale_least;
    if (m->group == 0)
        f.product_least += least_of(m, &d->a) + least_of(m, &d->b);
    f.product_highest = mma_exponent_highest(&d->a) + mma_exponent_highest(&d->b) + 1;
    if (is_scaled)
        f.product_highest += 2 * mma_exponent_highest(&d->scale) + 2;
    f.out_last = mma_least_exponent(&m->format) - m->fraction_out;
    /* A sum of numbers on 2^products_on, rounded, is on it, or on the last place: not zero, it is 2^that or more. */
    f.c_least = mma_least_exponent(&m->format);
    f.c_on = f.c_least - m->format.mbits;
    if (starts_at_zero(m))
        f.c_least = larger(f.c_least, f.products_on);
    return f;
}

/* Theorem 0. The schedule asks for split > 1 only (mma.c: output_code). */
static void one_split(const fpx_mma_domain *d, fpx_mma_model *m)
{
    (void)d;
    if (m->split == 1)
        m->split = 0;
}

/* Theorem 1. Serial is p0 + p1; pairwise has h = 1, no slot of two parts, and is p1 + p0. Addition commutes, NaN being one
 * code and the sign of a zero sum symmetric. */
static void two_splits(const fpx_mma_domain *d, fpx_mma_model *m)
{
    (void)d;
    if (m->split == 2)
        m->combine = FPX_MMA_SERIAL;
}

/* Theorem 2. mma_line_code drops bits of 32-bit operands with 23 fraction bits, and of no others. */
static void nothing_to_drop(const fpx_mma_domain *d, fpx_mma_model *m)
{
    if ((d->a.bits != 32 || d->a.mbits != 23) && (d->b.bits != 32 || d->b.mbits != 23))
        m->drop = 0;
}

/* Theorem 3. A chain of FMA goes on from product to product: where it is cut into blocks does not show; nor into
 * steps, where vectors do not change the order and nothing happens at a step's end. */
static void chain_of_fma(const fpx_mma_domain *d, fpx_mma_model *m)
{
    (void)d;
    if (m->sum != FPX_MMA_FMA)
        return;
    m->block = 0;
    if (m->vectors == 1 && !starts_at_zero(m))
        m->step = 0;
}

/* Theorem 4. A block has no more terms than the longest vector of a step, the first. */
static void block_beyond_step(const fpx_mma_domain *d, fpx_mma_model *m)
{
    (void)d;
    if (m->step == 0 || m->sum == FPX_MMA_FMA)
        return;
    const size_t width = m->vectors > 1 ? m->width : m->step, stride = width * m->vectors;
    const size_t rest = m->step % stride;
    const size_t longest = m->step / stride * width + (rest < width ? rest : width);
    if (m->block == 0 || m->block > longest)
        m->block = (uint32_t)longest;
}

/* Theorem 5. Steps of a whole number of blocks, one vector each, c not added at their end: the blocks begin at the same k
 * without them. Promotion and tiles, multiples of a step, are multiples of a block too, and at the end of K what is left
 * of a chain is promoted once, whatever length it is taken for. */
static void steps_of_whole_blocks(const fpx_mma_domain *d, fpx_mma_model *m)
{
    (void)d;
    if (m->vectors != 1 || m->c == FPX_MMA_C_LATE || m->step == 0 || m->block == 0 ||
        m->step % m->block != 0)
        return;
    m->step = m->promote > 0 || m->split > 1 ? m->block : 0;
}

/* Theorem 6. Let products that are not zero have exponents of p or more and be on 2^g, accumulators that are not zero have
 * exponents of q or more and be on 2^h. A block whose terms are on 2^(E - F) is summed as it is, whatever E, and rounding
 * depends on the number alone.
 * c zero: no product left, the sum is 0; e_zero <= p, E is the products'; e_zero - F <= g, nothing is cut where E is
 * e_zero, nor below. c not zero: e_zero <= q, E is c's or more anyway; e_zero - F <= g and h, nothing is cut where E is
 * e_zero, nor below.
 * JOINED: c has no part in E, but later E meets c's exponent, which is at least the format's least one (zero), or -1 (Inf,
 * NaN): with e_zero <= p and at most both, E is the products', or it is c's exponent that counts. */
static void exponent_of_zero(const fpx_mma_domain *d, fpx_mma_model *m)
{
    const facts f = facts_of(m, d);
    const int uncut = m->e_zero - m->fraction; /* 2^this is the last place where E is e_zero */
    const int at_zero_c = m->e_zero <= f.product_least || uncut <= f.products_on;
    const int at_c = m->e_zero <= f.c_least || (uncut <= f.products_on && uncut <= f.c_on);
    const int joined = m->e_zero <= f.product_least && m->e_zero <= -1 &&
                       m->e_zero <= mma_least_exponent(&m->format);

    if (m->sum == FPX_MMA_ALIGNED && (m->c == FPX_MMA_C_JOINED ? joined : at_zero_c && at_c))
        m->e_zero = FPX_MMA_ZERO_ABSENT;
}

/* Theorem 7. Let the output's last place be 2^u. Products are on it, and so is what a block has of c: C has the output's
 * format, of whose fraction no bit is beyond fraction_out; or C does not come into a block; or, in an EARLY aligned one,
 * E is c's exponent or more and c is cut to 2^(least - F) or above, which is not below 2^u. Cut sums stay on 2^u, and a
 * sum on it that is not zero is not rounded to zero. */
static void no_underflow(const fpx_mma_domain *d, fpx_mma_model *m)
{
    const facts f = facts_of(m, d);
    const int is_cut =
        m->sum == FPX_MMA_ALIGNED && m->c == FPX_MMA_C_EARLY && m->fraction <= m->fraction_out;

    if (f.products_on >= f.out_last &&
        (m->fraction_out == m->format.mbits || starts_at_zero(m) || is_cut))
        m->zero = FPX_MMA_ZERO_POSITIVE;
}

/* Theorem 8. TREE, inputs flushed: products are on 2^g, so are their rounded sums, none of them subnormal as g is not below
 * the least exponent. c + sum, sum not zero, c neither zero nor subnormal (it was flushed, or is such a result): where
 * the result is below 2^least, |c| > |sum| - 2^least >= 2^(g - 1), so c is on 2^(g - 1 - mbits), the result too: it is zero
 * or at least 2^least, as g - 1 - mbits >= least. sum zero: the result is c, or a zero. */
static void no_subnormal_result(const fpx_mma_domain *d, fpx_mma_model *m)
{
    const facts f = facts_of(m, d);

    if (m->sum == FPX_MMA_TREE && m->flush_inputs &&
        f.products_on - 1 - m->format.mbits >= mma_least_exponent(&m->format))
        m->flush_results = 0;
}

/* Theorem 9. No product reaches 2^e_infinite. */
static void no_infinite_product(const fpx_mma_domain *d, fpx_mma_model *m)
{
    if (m->e_infinite > facts_of(m, d).product_highest)
        m->e_infinite = 0;
}

/* Theorem 10. A group's exponent is its scales' alone. Where e_least is at or below the last places of both formats, every
 * operand has its value's own exponent. Where it is both formats' least exponent, that is what 0 means. */
static void least_exponent(const fpx_mma_domain *d, fpx_mma_model *m)
{
    const int lowest = smaller(mma_exponent_lowest(&d->a), mma_exponent_lowest(&d->b));

    if (m->group > 0 ||
        (m->e_least == mma_least_exponent(&d->a) && m->e_least == mma_least_exponent(&d->b)))
        m->e_least = 0;
    else if (m->e_least != 0 && m->e_least < lowest && lowest != 0)
        m->e_least = (int16_t)lowest;
}

static int ceil_log2(size_t n)
{
    int bits = 0;

    while (n > (size_t)1 << bits)
        bits++;
    return bits;
}

/* Theorem 11. JOINED, A = fraction_all > 0. The sum T of L products is on 2^(E - F), |T| < 2^(E + H), H = 3 + log2(L): each
 * is below 2^(E + 2), and parities' cuts add less than another factor of 2. Let s = fraction_sum be at least F, fraction_c,
 * A + 1 and F + H.
 * E not below c's exponent e: T is cut at 2^(E - s), below 2^(E - F): not at all. Else T is cut only where e - s > E - F,
 * which makes |T| < 2^(e - s + F + H) <= 2^e, and, as both are integers, e - s >= E - F + 1 makes |T| <= 2^(e - 1). c is a
 * normal number, 2^e or more, or e is the format's least exponent: so the sum's own exponent is e - 1 or more (or taken
 * for the least), and the last cut, down at own - A <= e - A, is at 2^(e - 1 - A) or above, thus at or above 2^(e - s). c
 * is on 2^(e - s) once cut, so cutting T down and then the sum down is cutting the sum down: s does not show. (Where
 * the first cut carries a negative sum to a power of two, the last one would have carried it to the same.) */
static void bits_of_the_sum(const fpx_mma_domain *d, fpx_mma_model *m)
{
    if (m->c != FPX_MMA_C_JOINED || m->fraction_all == 0 || m->group > 0)
        return;
    const int head = 3 + ceil_log2(m->block) + (d->scale_block > 0 ? 2 : 0);
    const int enough = larger(larger(m->fraction + head, m->fraction_c), m->fraction_all + 1);
    if (m->fraction_sum > enough)
        m->fraction_sum = (uint8_t)enough;
}

static const struct {
    fpx_mma_theorem theorem;
    void (*rewrite)(const fpx_mma_domain *domain, fpx_mma_model *model);
} theorems[] = {
    { { "one split", "split 1 is no split" }, one_split },
    { { "two splits", "p0 + p1 = p1 + p0: two parts have one order" }, two_splits },
    { { "nothing to drop", "no operand is a float32: drop has none to read less of" },
      nothing_to_drop },
    { { "chain of fma", "one fused multiply-add follows another wherever a block or step ends" },
      chain_of_fma },
    { { "block beyond step", "a block holds no more than a step has for it" }, block_beyond_step },
    { { "whole blocks", "steps of whole blocks leave the blocks where they are" },
      steps_of_whole_blocks },
    { { "exponent of zero",
        "e_zero is below every exponent that c and products have, or cuts below their last bit" },
      exponent_of_zero },
    { { "no underflow", "every term is a multiple of the output's last place: none rounds to 0" },
      no_underflow },
    { { "no subnormal result", "products of flushed inputs are too coarse to leave a subnormal" },
      no_subnormal_result },
    { { "no infinite product", "no product of these formats reaches 2^e_infinite" },
      no_infinite_product },
    { { "least exponent", "e_least is below every operand's exponent, or the formats' own; or "
                          "exponents are scales'" },
      least_exponent },
    { { "bits of the sum",
        "what fraction_sum cuts, fraction_all cuts again: the cut of a cut is the coarser one" },
      bits_of_the_sum },
};
enum { THEOREMS = sizeof theorems / sizeof theorems[0] };

const fpx_mma_theorem *fpx_mma_theorem_at(size_t index)
{
    return index < THEOREMS ? &theorems[index].theorem : NULL;
}

size_t mma_fields_apart(const fpx_mma_model *x, const fpx_mma_model *y)
{
    size_t n = !fpx_format_equal(&x->format, &y->format);

    for (size_t i = 0; fpx_mma_field_at(i) != NULL; i++)
        n += fpx_mma_field_get(x, i) != fpx_mma_field_get(y, i);
    return n;
}

size_t mma_reduce(const fpx_mma_domain *domain, fpx_mma_model *x, fpx_mma_model *y,
                  uint64_t *ret_theorems)
{
    fpx_mma_model was_x, was_y;

    do {
        was_x = *x;
        was_y = *y;
        for (size_t i = 0; i < THEOREMS; i++) {
            const size_t apart = mma_fields_apart(x, y);
            theorems[i].rewrite(domain, x);
            theorems[i].rewrite(domain, y);
            if (mma_fields_apart(x, y) < apart)
                *ret_theorems |= UINT64_C(1) << i;
        }
    } while (mma_fields_apart(&was_x, x) + mma_fields_apart(&was_y, y) > 0);
    return mma_fields_apart(x, y);
}

fpx_mma_model fpx_mma_normal_form(const fpx_mma_model *model, const fpx_mma_domain *domain)
{
    fpx_mma_model x = *model, y = *model;
    uint64_t used = 0;

    (void)mma_reduce(domain, &x, &y, &used);
    return x;
}
