/* mma_exact.c - the exact value that a matrix unit approximates, and the distance of a code from it: integers in the long
 * accumulator of fpx/exact.h. */
#include "mma_loss.h"

/* Code of element k, whole: nothing dropped or flushed; with its scale, which has 4 bits. */
static mma_number element_at(const fpx_mma_operand *o, size_t vector, size_t k)
{
    static const fpx_mma_model reads_all = { .drop = 0 };
    const mma_line line = { o, vector, NULL };
    mma_number x = mma_number_of(&o->format, mma_line_code(&reads_all, line, k));

    if (o->scales != NULL) {
        const mma_number scale = mma_number_of(&o->scale_format, mma_line_scale(line, k));
        x.negative ^= scale.negative;
        x.m *= scale.m;
        x.q += scale.q;
    }
    return x;
}

/* Positive and negative terms apart: a long sum that changes its sign carries through all of its words. */
void fpx_mma_exact(const fpx_mma_call *call, size_t i, size_t j, fpx_accumulator *ret_sum)
{
    fpx_accumulator sums[2];

    fpx_accumulator_clear(&sums[0]);
    fpx_accumulator_clear(&sums[1]);
    if (call->c != NULL) {
        const mma_number c = mma_number_of(
            &call->c_format, fpx_format_code(&call->c_format, call->c,
                                             i * call->stride_c_row + j * call->stride_c_column));
        fpx_accumulator_add_number(&sums[c.negative], c.negative, c.m, c.q);
    }
    for (size_t k = 0; k < call->k; k++) {
        const mma_number a = element_at(&call->a, i, k), b = element_at(&call->b, j, k);
        if (a.m != 0 && b.m != 0)
            mma_add_product(&sums[a.negative != b.negative], &a, &b);
    }
    fpx_accumulator_merge(&sums[0], &sums[1]);
    *ret_sum = sums[0];
}

double fpx_mma_error(const fpx_mma_bounds *bounds, uint64_t code, const fpx_accumulator *exact)
{
    const mma_number d = mma_number_of(&bounds->model->format, code);
    fpx_accumulator rest = *exact;
    uint64_t m;
    int q, sticky;

    if (d.kind != MMA_FINITE)
        return HUGE_VAL;
    fpx_accumulator_add_number(&rest, !d.negative, d.m, d.q);
    (void)fpx_accumulator_leading(&rest, &m, &q, &sticky);
    if (m == 0)
        return 0.0;
    /* 53 of its 64 bits, and one more where others follow: at most 2^53, which ldexp rounds below 2^-1022 alone. */
    m = (m >> 11) + ((m & 2047) != 0 || sticky);
    const double error = ldexp((double)m, q + 11);
    return error < DBL_MIN ? error + DBL_TRUE_MIN : error;
}

/* Half a last place. Two numbers of the format that are both nearer than that to one value are the same number: so one of
 * them being the unit's own, which is within the tight bound, the other is too; and where the tight bound is not below half
 * a last place there is nothing to prove. */
double fpx_mma_bound_least(const fpx_mma_bounds *bounds, const fpx_accumulator *exact)
{
    const fpx_format *const f = &bounds->model->format;
    const int least = mma_least_exponent(f);
    uint64_t top;
    int q, sticky;

    (void)fpx_accumulator_leading(exact, &top, &q, &sticky);
    return mma_power((top != 0 && q + 63 > least ? q + 63 : least) - f->mbits - 1);
}
