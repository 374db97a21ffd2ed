/* mma_lanes.c - a block of an aligned sum (T-FDPA) for one row and W columns: lanes are outputs, so that nothing of the
 * order changes. Compiled for each instruction set.
 *
 * Why a lane has the reference's bits. Let E be the largest exponent of the block, F the fraction.
 * 1. E: sums of int16 exponents. A zero, Inf or NaN element has MMA_NO_EXPONENT; two of them are -32768, one of them
 *    with any exponent stays below -16000: both below every true product.
 *    e_zero is not above the least exponent of C, so that zeros change E only where C and all products are 0: then the
 *    sum is +0 whatever E is. (`kind` PLAIN, fp32 C: where products are below the least normal exponent E counts as
 *    below `least`, and the lane goes to the reference.)
 * 2. A term is a b 2^(F - E). The product is exact: significands of 24 bits together, and |a b| < 2^127. Below 2^-126 it
 *    is flushed to 0; it would be cut to 0 anyway, for 2^(E - F) >= 2^-126 in every lane that is kept. Where products may
 *    be larger or operands subnormal, FRACTION: |sa sb| < 4, its least bit above 2^-47, scaled by a power of two that is
 *    built from the exponents, 0 where the term is below 2^-125. The scaling is exact or the term is below 1, and the
 *    conversion cuts toward zero: the term that the model says, below 2^(F + 2).
 * 3. terms_max of them fit 31 bits. Sums of such sums, and of C's term, are checked for overflow where they might.
 * 4. The int32 sum becomes float32 toward zero, as the model rounds; times 2^(E - F) it is between 2^-126 and 2^128 in
 *    lanes with least <= E <= most, so exact; then low bits of the fraction are cleared. fp16: the conversion is made to
 *    odd (its 24 bits leave 13 below fp16's 11, so that the second rounding, to nearest, is the only one that shows),
 *    and a zero of either sign becomes +0.
 * 5. Inf and NaN: the float32 sum of C and all products (of fractions) is not finite where one of them is not, NaN where
 *    IEEE 754 says so, as the model does: finite ones never overflow, toward zero.
 * 6. Above `most`, while 2^(F - E) is normal, the power of two is added to the exponent field instead.
 * Every other lane goes to the reference. NaN accumulators stay NaN through all operations: once a whole row of a
 * tile is NaN, its blocks are skipped. */
#ifdef __AVX512F__
#include "mma_avx512_dialect.h"
#else
#include "mma_avx2_dialect.h"
#endif
#include "mma_kernels.h"
#include "mma_pack.h"

#define INLINE static inline __attribute__((always_inline))

enum { BIAS = 127, EXPONENT_OF_NONE = -8192 };

enum kind {
    PLAIN,  /* fp32, and C with its exponents */
    NARROW, /* fp32, C of a format with fewer exponents */
    HALF    /* fp16 */
};

/* The constants of a block, spread. Exponents with BIAS added. */
typedef struct limits {
    i least, most, far, scale, fraction, mask, least_c, zero_c;
} limits;

/* Two vectors: WIDTH columns. */
typedef struct floats {
    f low, high;
} floats;

typedef struct ints {
    i low, high;
} ints;

INLINE i magnitude(f x)
{
    return i_and(f_bits(x), i_all(0x7fffffff));
}

INLINE m is_special(f x)
{
    return m_greater(magnitude(x), i_all(0x7f7fffff));
}

/* Exponents of C with the bias. */
INLINE i exponent_of(f c, const limits *l, const int kind)
{
    const i twice = i_shl(f_bits(c), 1);
    const i field = i_shr(twice, 24);

    if (kind == PLAIN)
        return field;
    return i_choose(m_equal(twice, i_zero()), l->zero_c, i_max(field, l->least_c));
}

/* Terms [begin, end) on top of `sum`; with special their products on top of `products`. base: E - F of each lane, as
 * FRACTION needs it. */
INLINE ints terms(const float *a, const int32_t *ea, const float *b, const int16_t *eb,
                  size_t begin, size_t end, floats scale, w base, ints sum, floats *products,
                  const int form)
{
#pragma GCC unroll 8
    for (size_t p = begin; p < end; p++) {
        const f x = f_spread(a + p);
        const f low = f_mul(x, f_load(b + p * WIDTH));
        const f high = f_mul(x, f_load(b + p * WIDTH + LANES));

        if (form & MMA_FORM_FRACTION) {
            const w e = w_add(w_load(eb + p * WIDTH), w_spread(ea + p));
            const w field = w_shl(w_max(w_subs(e, base), w_all(0)), 7);
            scale.low = f_cast(w_low(field));
            scale.high = f_cast(w_high(field));
        }
        if (form & MMA_FORM_SPECIAL) {
            products->low = f_add(products->low, low);
            products->high = f_add(products->high, high);
        }
        sum.low = i_add(sum.low, i_cut(f_mul(low, scale.low)));
        sum.high = i_add(sum.high, i_cut(f_mul(high, scale.high)));
    }
    return sum;
}

/* x + y; *over gets the sign bit where it does not fit. */
INLINE i checked_add(i x, i y, i *over)
{
    const i sum = i_add(x, y);

    *over = i_or(*over, i_and(i_xor(x, sum), i_xor(y, sum)));
    return sum;
}

/* sum 2^(E - F), rounded; e is E with the bias. */
INLINE f rounded(i sum, i e, const limits *l, const int kind)
{
    const f power = f_cast(i_shl(i_sub(e, l->fraction), 23));
    f x = f_of_i(sum);

    if (kind != HALF)
        return f_cast(i_and(f_bits(f_mul(x, power)), l->mask));
    const i odd = i_unless(m_equal(i_cut(x), sum), i_all(1));
    x = f_mul(f_cast(i_or(f_bits(x), odd)), power);
    return f_add(f_through_half(x), f_zero());
}

/* The same of fp32 above `most`, in integers: 2^128 and more is Inf. E - F is so large that no result is subnormal. */
INLINE f raised(i sum, i e, const limits *l)
{
    const i bits = f_bits(f_of_i(sum));
    const i up = i_sub(i_sub(e, l->fraction), i_all(BIAS));
    const i field = i_add(i_shr(i_shl(bits, 1), 24), up);
    const i infinity = i_or(i_and(bits, i_all(INT32_MIN)), i_all(0x7f800000));
    const i finite = i_and(i_add(bits, i_shl(up, 23)), l->mask);

    return f_cast(
        i_unless(m_equal(sum, i_zero()), i_choose(m_greater(field, i_all(254)), infinity, finite)));
}

/* Lanes above `most` whose sum is right all the same: 2^(F - E) is a normal number still. */
INLINE m raisable(i e, i over, const limits *l)
{
    return m_but(m_or(m_negative(over), m_greater(e, l->far)), m_greater(e, l->most));
}

/* Lanes that cannot be kept, by the reference. */
static __attribute__((noinline)) void repair(mma_tile *tile, const mma_op *op, size_t row,
                                             unsigned lanes, const float *c)
{
    float *const acc = tile->state + (op->to * (size_t)MMA_ROWS + row) * WIDTH;

    for (size_t j = 0; j < tile->columns; j++) {
        if (lanes >> j & 1) {
            acc[j] = mma_lane(tile, op, row, j, c[j]);
            tile->shares->scalar_lanes++;
        }
    }
}

INLINE unsigned both(m low, m high)
{
    return m_bits(low) | m_bits(high) << LANES;
}

INLINE void block_row(mma_tile *tile, const mma_op *op, size_t row, const limits *l, const int form,
                      const int kind)
{
    const mma_job *const job = tile->job;
    const size_t k = job->schedule.nk, count = op->count;
    const size_t at_a = (tile->row + row) * k + op->at;
    const size_t at_b = (tile->panel * k + op->at) * WIDTH;
    const int32_t *const ea = job->a.exponent_a + at_a;
    const int16_t *const eb = job->b.exponent_b + at_b;
    const float *const a = (form & MMA_FORM_FRACTION ? job->a.fraction : job->a.value) + at_a;
    const float *const b = (form & MMA_FORM_FRACTION ? job->b.fraction : job->b.value) + at_b;
    float *const acc = tile->state + (op->to * (size_t)MMA_ROWS + row) * WIDTH;
    const floats c = { f_load(acc), f_load(acc + LANES) };
    w most = w_all(INT16_MIN);

#pragma GCC unroll 8
    for (size_t p = 0; p < count; p++)
        most = w_max(most, w_add(w_load(eb + p * WIDTH), w_spread(ea + p)));

    const ints products_e = { i_sar(w_low(most), 16), i_sar(w_high(most), 16) };
    const ints top = { i_max(products_e.low, exponent_of(c.low, l, kind)),
                       i_max(products_e.high, exponent_of(c.high, l, kind)) };
    const ints e = { i_max(top.low, l->least), i_max(top.high, l->least) };
    const floats scale = { f_cast(i_shl(i_sub(l->scale, e.low), 23)),
                           f_cast(i_shl(i_sub(l->scale, e.high), 23)) };
    const w base = w_pack(i_sub(i_sub(e.low, l->fraction), i_all(BIAS)),
                          i_sub(i_sub(e.high, l->fraction), i_all(BIAS)));
    ints sum = { i_cut(f_mul(c.low, scale.low)), i_cut(f_mul(c.high, scale.high)) };
    ints over = { i_zero(), i_zero() };
    floats products = c;

    if (count < job->terms_max) {
        sum = terms(a, ea, b, eb, 0, count, scale, base, sum, &products, form);
    } else {
        for (size_t p = 0; p < count; p += job->terms_max) {
            const size_t end = count - p < job->terms_max ? count : p + job->terms_max;
            ints part = { i_zero(), i_zero() };
            part = terms(a, ea, b, eb, p, end, scale, base, part, &products, form);
            sum.low = checked_add(sum.low, part.low, &over.low);
            sum.high = checked_add(sum.high, part.high, &over.high);
        }
    }

    floats out = { rounded(sum.low, e.low, l, kind), rounded(sum.high, e.high, l, kind) };
    m low = m_or(m_or(m_greater(e.low, top.low), m_greater(e.low, l->most)), m_negative(over.low));
    m high =
        m_or(m_or(m_greater(e.high, top.high), m_greater(e.high, l->most)), m_negative(over.high));
    if (!(form & MMA_FORM_SPECIAL) && both(low, high) == 0) {
        f_store(acc, out.low);
        f_store(acc + LANES, out.high);
        return;
    }

    if (kind != HALF) {
        const m up_low = raisable(e.low, over.low, l), up_high = raisable(e.high, over.high, l);
        out.low = f_choose(up_low, raised(sum.low, e.low, l), out.low);
        out.high = f_choose(up_high, raised(sum.high, e.high, l), out.high);
        low = m_but(up_low, low);
        high = m_but(up_high, high);
    }
    const m special_low = is_special(products.low), special_high = is_special(products.high);
    out.low = f_choose(special_low, products.low, out.low);
    out.high = f_choose(special_high, products.high, out.high);
    f_store(acc, out.low);
    f_store(acc + LANES, out.high);
    const m none_low = m_and(m_greater(i_all(EXPONENT_OF_NONE), products_e.low),
                             m_equal(magnitude(c.low), i_zero()));
    const m none_high = m_and(m_greater(i_all(EXPONENT_OF_NONE), products_e.high),
                              m_equal(magnitude(c.high), i_zero()));
    const unsigned lanes =
        both(m_but(m_or(special_low, none_low), low), m_but(m_or(special_high, none_high), high));
    if (lanes != 0) {
        float c_lanes[WIDTH];
        f_store(c_lanes, c.low);
        f_store(c_lanes + LANES, c.high);
        repair(tile, op, row, lanes, c_lanes);
    }
    const unsigned nan = both(m_greater(magnitude(out.low), i_all(0x7f800000)),
                              m_greater(magnitude(out.high), i_all(0x7f800000)));
    const unsigned columns = (unsigned)((UINT64_C(1) << tile->columns) - 1);
    tile->dead[op->to][row] = (nan & columns) == columns;
}

#define CASE(FORM)                                                                                 \
    case FORM:                                                                                     \
        block_row(tile, op, row, l, FORM, kind);                                                   \
        break;

INLINE void block_rows(mma_tile *tile, const mma_op *op, const limits *l, const int kind)
{
    for (size_t row = 0; row < tile->rows; row++) {
        if (tile->dead[op->to][row]) {
            tile->shares->skipped_lanes += tile->columns;
            continue;
        }
        switch (tile->form[row]) {
            CASE(0)
            CASE(MMA_FORM_SPECIAL)
            CASE(MMA_FORM_FRACTION)
            CASE(MMA_FORM_FRACTION | MMA_FORM_SPECIAL)
        }
    }
}

static void block(mma_tile *tile, const mma_op *op)
{
    const mma_job *const job = tile->job;
    const int fraction = job->model->fraction;
    const int least_c = op->is_c ? job->least_c : job->is_half ? -14 : -126;
    const limits l = { .least = i_all(job->least + BIAS),
                       .most = i_all(job->most + BIAS),
                       .far = i_all(fraction + 2 * BIAS - 1),
                       .scale = i_all(fraction + 2 * BIAS),
                       .fraction = i_all(fraction),
                       .mask = i_all((int32_t)job->mask),
                       .least_c = i_all(least_c + BIAS),
                       .zero_c = i_all(job->model->e_zero + BIAS) };

    if (job->is_half)
        block_rows(tile, op, &l, HALF);
    else if (least_c > -126)
        block_rows(tile, op, &l, NARROW);
    else
        block_rows(tile, op, &l, PLAIN);
}

static void add(mma_tile *tile, const mma_op *op)
{
    for (size_t row = 0; row < tile->rows; row++) {
        float *const to = tile->state + (op->to * (size_t)MMA_ROWS + row) * WIDTH;
        const float *const from = tile->state + (op->from * (size_t)MMA_ROWS + row) * WIDTH;

        if (tile->dead[op->to][row])
            continue;
        for (size_t j = 0; j < WIDTH; j += LANES) {
            const f x = f_add(f_load(to + j), f_load(from + j));
            f_store(to + j, tile->job->is_half ? f_through_half(x) : x);
        }
        tile->dead[op->to][row] = tile->dead[op->from][row];
    }
}

const struct mma_kernels KERNELS = { .name = ISA_NAME,
                                     .width = WIDTH,
                                     .control = MMA_CSR_TRUNCATE,
                                     .pack_row = mma_pack_row,
                                     .pack_panel = mma_pack_panel,
                                     .block = block,
                                     .add = add };
