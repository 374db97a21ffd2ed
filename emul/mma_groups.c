/* mma_groups.c - a block of groups of 16 products of e2m1 (GST-FDPA) for one row and W columns. Compiled for each
 * instruction set.
 *
 * Why a lane has the reference's bits. Four times a group's sum is an integer: (2 b + 12) 2 a over 16 elements is below
 * 4608 in magnitude, so that int16 holds pairs of it, and 12 times the row's own sum is taken off again. Times the scales,
 * 4 bits each, it is exact in float64. E is the largest of the scales' exponents of groups in which some product is not 0
 * (a bit of the row and the same of the column), and of C, zero with e_zero. Each term times 2^(F - E) is cut to an
 * integer; the plan saw to it that all of them stay below 2^53, so that their sum is exact in any order. It goes to
 * float32 under rounding toward zero, subnormals too; 2^128 and more becomes Inf first, -0 becomes +0 last. NaN scales, and
 * C's Inf and NaN, pass through as IEEE 754 has it: no group is ever infinite. */
#ifdef __AVX512F__
#include "mma_avx512_dialect.h"
#else
#include "mma_avx2_dialect.h"
#endif
#include <string.h>

#include "mma_kernels.h"

#define INLINE static inline __attribute__((always_inline))

enum { BIAS = 127, BIAS64 = 1023, OFFSET = 12, DOUBLES = LANES / 2 };

/* Twice the value of each code of e2m1. */
static const int8_t twice[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

/* Codes of a group to twice their values; the bits of those that are not 0. */
INLINE unsigned group_values(const mma_job *job, const fpx_mma_operand *o, size_t vector, size_t g,
                             int8_t *values)
{
    const size_t k = job->schedule.nk, begin = g * MMA_GROUP;
    const size_t count = k - begin < MMA_GROUP ? k - begin : MMA_GROUP;
    unsigned char codes[MMA_GROUP] = { 0 };
    unsigned used = 0;

    mma_codes(job, o, vector, begin, count, codes);
    for (unsigned t = 0; t < MMA_GROUP; t++) {
        values[t] = twice[codes[t] & 15];
        used |= (unsigned)(values[t] != 0) << t;
    }
    return used;
}

/* An int16 twice in 32 bits. */
static int32_t pair(int x)
{
    const uint32_t low = (uint16_t)x;

    return (int32_t)(low | low << 16);
}

static void pack_row(const mma_job *job, size_t row)
{
    const mma_groups *const a = &job->group_a;

    for (size_t g = 0; g < job->groups; g++) {
        const size_t at = row * job->groups + g;
        int8_t *const values = a->value_a + at * MMA_GROUP;
        int e, sum = 0;

        a->used_a[at] = pair((int)group_values(job, &job->call->a, row, g, values));
        a->scale[at] = 0.25 * mma_group_scale(&job->call->a, row, g, &e);
        a->exponent_a[at] = pair(e);
        for (size_t t = 0; t < MMA_GROUP; t++)
            sum += values[t];
        a->sum[at] = OFFSET * sum;
    }
}

static void pack_panel(const mma_job *job, size_t panel)
{
    const mma_groups *const b = &job->group_b;
    const size_t column = panel * WIDTH;
    const size_t columns = job->call->n - column < WIDTH ? job->call->n - column : WIDTH;

    for (size_t g = 0; g < job->groups; g++) {
        const size_t at = (panel * job->groups + g) * WIDTH;
        int32_t used[WIDTH] = { 0 }, exponents[WIDTH];

        for (size_t j = 0; j < WIDTH; j++) {
            int8_t values[MMA_GROUP] = { 0 };
            int e = MMA_NO_EXPONENT - BIAS;
            b->scale[at + j] = 0;
            if (j < columns) {
                used[j] = (int16_t)group_values(job, &job->call->b, column + j, g, values);
                b->scale[at + j] = mma_group_scale(&job->call->b, column + j, g, &e);
            }
            exponents[j] = e + BIAS;
            for (size_t t = 0; t < MMA_GROUP; t++)
                b->value_b[at * MMA_GROUP + (t / 4 * WIDTH + j) * 4 + t % 4] =
                    (uint8_t)(values[t] + OFFSET);
        }
        w_store(b->used_b + at, w_pack(i_load(used), i_load(used + LANES)));
        w_store(b->exponent_b + at, w_pack(i_load(exponents), i_load(exponents + LANES)));
    }
}

/* Exponents of C with the bias. */
INLINE i exponent_of(f c, i least_c, i zero_c)
{
    const i magnitude = i_shl(f_bits(c), 1);

    return i_choose(m_equal(magnitude, i_zero()), zero_c, i_max(i_shr(magnitude, 24), least_c));
}

/* Four times the sum of products of one group, of LANES columns. */
INLINE i group_sum(const int8_t *a, const uint8_t *b, const int32_t *row_sum)
{
    w sum = i_zero();

    for (size_t q = 0; q < MMA_GROUP / 4; q++) {
        int32_t four;
        memcpy(&four, a + 4 * q, sizeof four);
        sum = w_add(sum,
                    w_dot(w_load((const int16_t *)(const void *)(b + q * 4 * WIDTH)), i_all(four)));
    }
    return i_sub(i_of_pairs(sum), i_all(*row_sum));
}

INLINE void block_row(mma_tile *tile, const mma_op *op, size_t row, i least_c, i zero_c)
{
    const mma_job *const job = tile->job;
    const mma_groups *const ga = &job->group_a, *const gb = &job->group_b;
    const size_t first = op->at / MMA_GROUP, groups = (op->count + MMA_GROUP - 1) / MMA_GROUP;
    const size_t at_a = (tile->row + row) * job->groups + first;
    const size_t at_b = (tile->panel * job->groups + first) * WIDTH;
    const i fraction = i_all(job->model->fraction);
    const i mask = i_all((int32_t)job->mask);
    float *const acc = tile->state + (op->to * (size_t)MMA_ROWS + row) * WIDTH;
    w most = w_all(INT16_MIN);

    for (size_t g = 0; g < groups; g++) {
        const w used =
            w_and(w_load(gb->used_b + at_b + g * WIDTH), w_spread(ga->used_a + at_a + g));
        const w e =
            w_add(w_load(gb->exponent_b + at_b + g * WIDTH), w_spread(ga->exponent_a + at_a + g));
        most = w_max(most, w_where_zero(used, w_all(INT16_MIN), e));
    }
#pragma GCC unroll 2
    for (size_t v = 0; v < 2; v++) {
        const f c = f_load(acc + v * LANES);
        const i e =
            i_max(i_sar(v == 0 ? w_low(most) : w_high(most), 16), exponent_of(c, least_c, zero_c));
        /* F - E and E - F, as float64's fields. */
        const i down = i_sub(i_add(fraction, i_all(BIAS + BIAS64)), e);
        const i up = i_sub(e, i_add(fraction, i_all(BIAS - BIAS64)));
        const d scale[2] = { d_power(down, 0), d_power(down, 1) };
        d sum[2] = { d_cut(d_mul(d_of_f(c, 0), scale[0])), d_cut(d_mul(d_of_f(c, 1), scale[1])) };

        for (size_t g = 0; g < groups; g++) {
            const size_t at = at_b + g * WIDTH + v * LANES;
            const d alpha = d_spread(ga->scale + at_a + g);
            const i p = group_sum(ga->value_a + (at_a + g) * MMA_GROUP,
                                  gb->value_b + (at_b + g * WIDTH) * MMA_GROUP + v * LANES * 4,
                                  ga->sum + at_a + g);
            const d low = d_mul(d_of_i(p, 0), d_mul(alpha, d_load(gb->scale + at)));
            const d high = d_mul(d_of_i(p, 1), d_mul(alpha, d_load(gb->scale + at + DOUBLES)));
            sum[0] = d_add(sum[0], d_cut(d_mul(low, scale[0])));
            sum[1] = d_add(sum[1], d_cut(d_mul(high, scale[1])));
        }
        const f out = f_of_d(d_bounded(d_mul(sum[0], d_power(up, 0))),
                             d_bounded(d_mul(sum[1], d_power(up, 1))));
        f_store(acc + v * LANES, f_add(f_cast(i_and(f_bits(out), mask)), f_zero()));
    }
}

static void block(mma_tile *tile, const mma_op *op)
{
    const int least_c = op->is_c ? tile->job->least_c : -126;
    const i least = i_all(least_c + BIAS), zero = i_all(tile->job->model->e_zero + BIAS);

    for (size_t row = 0; row < tile->rows; row++)
        block_row(tile, op, row, least, zero);
}

/* Models with additions beyond the blocks have no groups here. */
const struct mma_kernels GROUP_KERNELS = { .name = ISA_NAME,
                                           .width = WIDTH,
                                           .is_group = 1,
                                           .control = MMA_CSR_TRUNCATE_ALL,
                                           .pack_row = pack_row,
                                           .pack_panel = pack_panel,
                                           .block = block };
