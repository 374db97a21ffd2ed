/* mma_pack.h - operands into planes (mma_kernels.h), for mma_lanes.c, which includes it after its dialect. */
#ifndef FPX_MMA_PACK_H
#define FPX_MMA_PACK_H

#include <string.h>

#include "mma_kernels.h"

/* The running extent of elements that lie in lanes. */
typedef struct mma_reach {
    i most;
    unsigned special, small;
} mma_reach;

/* Decoded values and their scales' exponents to planes; the elements' exponents. */
static inline __attribute__((always_inline)) i mma_pack_vector(float *value, float *fraction, f x,
                                                               i scale_e, const int is_scaled,
                                                               i least, mma_reach *reach)
{
    const i twice = i_shl(f_bits(x), 1), field = i_shr(twice, 24);
    const m zero = m_equal(twice, i_zero()), special = m_equal(field, i_all(255));
    const m none = m_or(zero, special);
    i e = i_max(i_sub(field, i_all(127)), least);

    /* Powers of two in halves: 2^-e and 2^scale_e need not be normal numbers. */
    if (fraction != NULL) {
        const i half = i_sar(e, 1);
        const f y = f_mul(x, f_cast(i_shl(i_sub(i_all(127), half), 23)));
        f_store(fraction, f_mul(y, f_cast(i_shl(i_sub(i_all(127), i_sub(e, half)), 23))));
    }
    if (is_scaled) {
        const i half = i_sar(scale_e, 1);
        x = f_mul(x, f_cast(i_shl(i_add(half, i_all(127)), 23)));
        x = f_mul(x, f_cast(i_shl(i_add(i_sub(scale_e, half), i_all(127)), 23)));
        e = i_add(e, scale_e);
    }
    const i scaled = i_shr(i_shl(f_bits(x), 1), 24);
    const m small = m_or(m_equal(scaled, i_zero()), m_equal(scaled, i_all(255)));
    f_store(value, x);
    reach->special |= m_bits(special);
    reach->small |= m_bits(m_but(none, small));
    e = i_choose(none, i_all(MMA_NO_EXPONENT), e);
    reach->most = i_max(reach->most, e);
    return e;
}

static inline void mma_reach_end(const mma_reach *reach, mma_extent *extent)
{
    int32_t most[LANES];

    i_store(most, reach->most);
    for (size_t j = 0; j < LANES; j++)
        extent->most = most[j] > extent->most ? most[j] : extent->most;
    extent->is_special = reach->special != 0;
    extent->is_small = reach->small != 0;
}

static void mma_pack_row(const mma_job *job, size_t row)
{
    const size_t k = job->schedule.nk;
    const fpx_mma_operand *const a = &job->call->a;
    const i least = i_all(job->least_a);
    mma_reach reach = { i_all(MMA_NO_EXPONENT), 0, 0 };
    mma_extent extent = { MMA_NO_EXPONENT, 0, 0 };

    for (size_t p = 0; p < k; p += MMA_CHUNK) {
        const size_t count = k - p < MMA_CHUNK ? k - p : MMA_CHUNK;
        float values[MMA_CHUNK] = { 0 }, fractions[MMA_CHUNK];
        int16_t scale_e[MMA_CHUNK] = { 0 };
        int32_t exponents[MMA_CHUNK];

        mma_decode(job, a, row, p, count, values, scale_e);
        for (size_t q = 0; q < MMA_CHUNK; q += LANES) {
            int32_t shift[LANES];
            for (size_t j = 0; j < LANES; j++)
                shift[j] = scale_e[q + j];
            const i e =
                mma_pack_vector(values + q, job->is_wide ? fractions + q : NULL, f_load(values + q),
                                i_load(shift), a->scales != NULL, least, &reach);
            i_store(exponents + q,
                    i_or(i_shl(e, 16), i_and(e, i_all(0xffff)))); /* twice in 32 bits */
        }
        memcpy(job->a.value + row * k + p, values, count * sizeof *values);
        memcpy(job->a.exponent_a + row * k + p, exponents, count * sizeof *exponents);
        if (job->is_wide)
            memcpy(job->a.fraction + row * k + p, fractions, count * sizeof *fractions);
    }
    mma_reach_end(&reach, &extent);
    job->a.extent[row] = extent;
}

static void mma_pack_panel(const mma_job *job, size_t panel)
{
    const size_t k = job->schedule.nk, column = panel * WIDTH;
    const size_t columns = job->call->n - column < WIDTH ? job->call->n - column : WIDTH;
    const fpx_mma_operand *const b = &job->call->b;
    const i least = i_all(job->least_b), bias = i_all(127);
    mma_reach reach = { i_all(MMA_NO_EXPONENT), 0, 0 };
    mma_extent extent = { MMA_NO_EXPONENT, 0, 0 };
    float values[WIDTH][MMA_CHUNK] = { { 0 } };
    int16_t scale_e[WIDTH][MMA_CHUNK] = { { 0 } };

    for (size_t p = 0; p < k; p += MMA_CHUNK) {
        const size_t count = k - p < MMA_CHUNK ? k - p : MMA_CHUNK;

        for (size_t j = 0; j < columns; j++)
            mma_decode(job, b, column + j, p, count, values[j], scale_e[j]);
        for (size_t q = 0; q < count; q++) {
            const size_t at = (panel * k + p + q) * WIDTH;
            float *const value = job->b.value + at;
            float *const fraction = job->is_wide ? job->b.fraction + at : NULL;
            float *const fraction_high = job->is_wide ? fraction + LANES : NULL;
            int32_t shift[WIDTH] = { 0 };
            for (size_t j = 0; j < WIDTH; j++)
                value[j] = values[j][q];
            for (size_t j = 0; b->scales != NULL && j < WIDTH; j++)
                shift[j] = scale_e[j][q];
            const i low = mma_pack_vector(value, fraction, f_load(value), i_load(shift),
                                          b->scales != NULL, least, &reach);
            const i high = mma_pack_vector(value + LANES, fraction_high, f_load(value + LANES),
                                           i_load(shift + LANES), b->scales != NULL, least, &reach);
            /* Saturation does not occur: MMA_NO_EXPONENT + 127 and all others are within 16 bits. */
            w_store(job->b.exponent_b + at, w_pack(i_add(low, bias), i_add(high, bias)));
        }
    }
    mma_reach_end(&reach, &extent);
    job->b.extent[panel] = extent;
}

#endif /* FPX_MMA_PACK_H */
