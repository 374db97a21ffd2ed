/* mma_number.c - numbers of the matrix-unit reference: decoding by fpx_format_value, which is exact for every format;
 * rounding by the definition. */
#include "mma_number.h"

#include <string.h>

int mma_top_bit(uint64_t x)
{
    return 63 - __builtin_clzll(x);
}

int mma_significand_bits(const fpx_format *format)
{
    return format->cls == FPX_CLASS_FLOAT ? format->mbits + 1 : format->bits;
}

int mma_least_exponent(const fpx_format *format)
{
    if (format->cls != FPX_CLASS_FLOAT)
        return 0;
    return (format->flags & FPX_FORMAT_NO_ZERO) != 0 ? -format->bias : 1 - format->bias;
}

mma_number mma_number_of(const fpx_format *format, uint64_t code)
{
    const double value = fpx_format_value(format, code);
    mma_number x = { .kind = MMA_FINITE, .e = mma_least_exponent(format) };
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    const int field = (int)(bits >> 52 & 0x7ff);
    x.negative = (int)(bits >> 63);
    x.m = bits & ((UINT64_C(1) << 52) - 1);
    if (field == 0x7ff) {
        x.kind = x.m == 0 ? MMA_INF : MMA_NAN;
        x.m = 0;
        x.e = -1;
        return x;
    }
    if (field != 0)
        x.m |= UINT64_C(1) << 52;
    x.q = (field != 0 ? field : 1) - 1023 - 52;
    if (x.m == 0)
        return x;
    const int zeros = __builtin_ctzll(x.m);
    x.m >>= zeros;
    x.q += zeros;
    const int top = mma_top_bit(x.m) + x.q;
    x.e = top > x.e ? top : x.e;
    return x;
}

int mma_element_exponent(const fpx_mma_model *model, const mma_number *x)
{
    if (model->e_least == 0 || x->m == 0)
        return x->e;
    const int top = mma_top_bit(x->m) + x->q;
    return top > model->e_least ? top : model->e_least;
}

void mma_code_store(const fpx_format *format, void *codes, size_t i, uint64_t code)
{
    const size_t size = fpx_format_size(format);
    unsigned char *const at = (unsigned char *)codes + i * size;

    for (size_t byte = 0; byte < size; byte++)
        at[byte] = (unsigned char)(code >> 8 * byte);
}

void mma_special_add(mma_special *special, enum mma_kind kind, int negative)
{
    special->nan |= kind == MMA_NAN;
    special->positive |= kind == MMA_INF && !negative;
    special->negative |= kind == MMA_INF && negative;
}

static uint64_t infinity(const fpx_format *format, int negative)
{
    return (uint64_t)negative << (format->bits - 1) | (format->max_code + 1);
}

int mma_special_code(const mma_special *special, const fpx_mma_model *model, uint64_t *ret_code)
{
    if (special->nan || (special->positive && special->negative))
        *ret_code = model->nan_code;
    else if (special->positive || special->negative)
        *ret_code = infinity(&model->format, special->negative);
    else
        return 0;
    return 1;
}

uint64_t mma_round(const fpx_mma_model *model, int negative, uint64_t m, int sticky, int q)
{
    const fpx_format *const f = &model->format;
    const int least = mma_least_exponent(f);
    uint64_t kept = m;

    if (m == 0)
        return 0; /* an exact zero is +0 */

    const int e = mma_top_bit(m) + q > least ? mma_top_bit(m) + q : least;
    const int last = e - model->fraction_out; /* exponent of the last place that is kept */
    const int drop = last - q;
    if (drop > 0) {
        const uint64_t half = drop <= 64 ? UINT64_C(1) << (drop - 1) : 0; /* beyond 64: m is less */
        const uint64_t rest = drop < 64 ? m & ((UINT64_C(1) << drop) - 1) : m;
        kept = drop < 64 ? m >> drop : 0;
        const int is_above = rest > half || (rest == half && (sticky || (kept & 1) != 0));
        if (half != 0 &&
            ((model->round == FPX_RNE && is_above) || (model->round == FPX_RNA && rest >= half)))
            kept++;
    } else {
        kept = m << -drop;
    }
    if (kept == 0 && model->zero == FPX_MMA_ZERO_POSITIVE)
        return 0;

    /* A subnormal has exponent field 0 and no hidden bit; a carry out of the fraction raises the exponent. */
    const int unused = f->mbits - model->fraction_out;
    uint64_t code = ((uint64_t)(e - least) << f->mbits) + (kept << unused);
    if (code > f->max_code)
        code = f->max_code + 1;
    return (uint64_t)negative << (f->bits - 1) | code;
}

uint64_t mma_round_sum(const fpx_mma_model *model, const fpx_accumulator *sum)
{
    uint64_t m;
    int q, sticky;
    const int negative = fpx_accumulator_leading(sum, &m, &q, &sticky);

    return mma_round(model, negative, m, sticky, q);
}

void mma_add_product(fpx_accumulator *sum, const mma_number *x, const mma_number *y)
{
    const int negative = x->negative != y->negative;
    const uint64_t half = UINT32_MAX;

    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            const uint64_t part = (x->m >> 32 * i & half) * (y->m >> 32 * j & half);
            if (part != 0)
                fpx_accumulator_add_number(sum, negative, part, x->q + y->q + 32 * (i + j));
        }
    }
}
