/* mma_number.c - numbers of the matrix-unit reference: decoding by fpx_format_value, which is exact for every format;
 * sums in two's complement; rounding by the definition. */
#include "mma_number.h"

#include <string.h>

int mma_top_bit(uint64_t x)
{
    int top = 0;

    for (int step = 32; step > 0; step /= 2) {
        if (x >> step != 0) {
            x >>= step;
            top += step;
        }
    }
    return top;
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
    while ((x.m & 1) == 0) {
        x.m >>= 1;
        x.q++;
    }
    const int top = mma_top_bit(x.m) + x.q;
    x.e = top > x.e ? top : x.e;
    return x;
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

void mma_long_add(mma_long *sum, int negative, uint64_t m, int q)
{
    const unsigned at = (unsigned)(q - MMA_LONG_LOWEST);
    const unsigned shift = at % 64;
    const uint64_t part[2] = { m << shift, shift == 0 ? 0 : m >> (64 - shift) };
    uint64_t carry = 0;

    for (size_t i = 0; at / 64 + i < MMA_LONG_WORDS && (i < 2 || carry != 0); i++) {
        uint64_t *const word = &sum->word[at / 64 + i];
        const uint64_t term = i < 2 ? part[i] : 0;
        const uint64_t one = negative ? *word - term : *word + term;
        const uint64_t both = negative ? one - carry : one + carry;
        carry = negative ? (one > *word) | (both > one) : (one < *word) | (both < one);
        *word = both;
    }
}

static void long_negate(mma_long *sum)
{
    uint64_t carry = 1;

    for (size_t i = 0; i < MMA_LONG_WORDS; i++) {
        sum->word[i] = ~sum->word[i] + carry;
        carry = carry != 0 && sum->word[i] == 0;
    }
}

uint64_t mma_long_round(const fpx_mma_model *model, mma_long *sum)
{
    const int negative = (int)(sum->word[MMA_LONG_WORDS - 1] >> 63);
    size_t top = MMA_LONG_WORDS;
    uint64_t below = 0;

    if (negative)
        long_negate(sum);
    while (top > 1 && sum->word[top - 1] == 0)
        top--;

    /* The 64 bits from the highest one down, and whether anything is below. */
    const uint64_t high = sum->word[top - 1];
    const int up = high == 0 ? 0 : 63 - mma_top_bit(high);
    const uint64_t next = top > 1 ? sum->word[top - 2] : 0;
    const uint64_t m = up == 0 ? high : high << up | next >> (64 - up);
    below = up == 0 ? next : next << up;
    for (size_t i = 0; i + 2 < top; i++)
        below |= sum->word[i];
    return mma_round(model, negative, m, below != 0, MMA_LONG_LOWEST + 64 * (int)(top - 1) - up);
}
