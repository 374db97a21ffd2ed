/* exact_sum.c - the long accumulator: each term is shifted to its place in a word and added there; carries and borrows
 * run upward. */
#include <string.h>

#include <fpx/exact.h>

#include "arith_exact.h"

enum {
    WORDS = FPX_ACCUMULATOR_WORDS,
    LOWEST = FPX_ACCUMULATOR_LOWEST,
    SEEN_NAN = 1,
    SEEN_INVALID = 2,
    SEEN_INF = 4,
    SEEN_NEGATIVE_INF = 8,
    SEEN_ZERO = 16,
    SEEN_NEGATIVE_ZERO = 32,
    SEEN_NUMBER = 64,
    SEEN_FINITE = SEEN_ZERO | SEEN_NEGATIVE_ZERO | SEEN_NUMBER
};

void fpx_accumulator_clear(fpx_accumulator *sum)
{
    memset(sum, 0, sizeof *sum);
}

/* Adds value 2^(64 at), or its complement, and runs the carry up. */
static void add_at(fpx_accumulator *sum, int negative, int at, const uint64_t part[3])
{
    uint64_t carry = 0;

    for (int i = at; i < WORDS && (i < at + 3 || carry != 0); i++) {
        const uint64_t x = i < at + 3 ? part[i - at] : 0;
        const uint64_t before = sum->word[i];
        if (negative) {
            sum->word[i] = before - x - carry;
            carry = before < x || (before == x && carry != 0);
        } else {
            sum->word[i] = before + x + carry;
            carry = sum->word[i] < before || (sum->word[i] == before && carry != 0);
        }
    }
}

/* (-1)^negative m 2^q, of a code or a product. */
static void add_number(fpx_accumulator *sum, int negative, fpx_u128 m, int q)
{
    if (m == 0) {
        sum->seen |= negative ? SEEN_NEGATIVE_ZERO : SEEN_ZERO;
        return;
    }
    const int place = q - LOWEST;
    const int shift = place % 64;
    const uint64_t low = (uint64_t)m;
    const uint64_t high = (uint64_t)(m >> 64);
    const uint64_t part[3] = {
        low << shift,
        shift == 0 ? high : high << shift | low >> (64 - shift),
        shift == 0 ? 0 : high >> (64 - shift),
    };

    sum->seen |= SEEN_NUMBER;
    add_at(sum, negative, place / 64, part);
}

void fpx_accumulator_add_number(fpx_accumulator *sum, int negative, uint64_t m, int q)
{
    add_number(sum, negative, m, q);
}

static void add_inf(fpx_accumulator *sum, int negative)
{
    sum->seen |= negative ? SEEN_NEGATIVE_INF : SEEN_INF;
}

void fpx_accumulator_add(fpx_accumulator *sum, const fpx_format *format, uint64_t code)
{
    const fpx_operand o = fpx_operand_of(format, code);

    if (o.x.kind == FPX_KIND_NAN)
        sum->seen |= SEEN_NAN | (o.is_signaling ? SEEN_INVALID : 0);
    else if (o.x.kind == FPX_KIND_INF)
        add_inf(sum, o.x.negative);
    else
        add_number(sum, o.x.negative, o.x.m, o.x.q);
}

void fpx_accumulator_add_product(fpx_accumulator *sum, const fpx_format *a_format, uint64_t a,
                                 const fpx_format *b_format, uint64_t b)
{
    const fpx_operand x = fpx_operand_of(a_format, a);
    const fpx_operand y = fpx_operand_of(b_format, b);
    const int negative = x.x.negative ^ y.x.negative;

    if (x.x.kind == FPX_KIND_NAN || y.x.kind == FPX_KIND_NAN) {
        sum->seen |= SEEN_NAN | (x.is_signaling || y.is_signaling ? SEEN_INVALID : 0);
    } else if (x.x.kind == FPX_KIND_INF || y.x.kind == FPX_KIND_INF) {
        const fpx_fields other = x.x.kind == FPX_KIND_INF ? y.x : x.x;
        if (other.kind == FPX_KIND_FINITE && other.m == 0)
            sum->seen |= SEEN_NAN | SEEN_INVALID;
        else
            add_inf(sum, negative);
    } else {
        add_number(sum, negative, (fpx_u128)x.x.m * y.x.m, x.x.q + y.x.q);
    }
}

void fpx_accumulator_merge(fpx_accumulator *sum, const fpx_accumulator *other)
{
    uint64_t carry = 0;

    for (int i = 0; i < WORDS; i++) {
        const uint64_t with = other->word[i] + carry;
        carry = with < carry;
        sum->word[i] += with;
        carry += sum->word[i] < with;
    }
    sum->seen |= other->seen;
}

/* The highest 128 bits of the magnitude, the lowest of them sticky. */
static fpx_exact number_of(const fpx_accumulator *sum)
{
    fpx_exact x = { FPX_KIND_FINITE, (int)(sum->word[WORDS - 1] >> 63), 0, 0 };
    uint64_t word[WORDS];
    uint64_t carry = 1;
    int top = WORDS - 1;

    for (int i = 0; i < WORDS; i++) {
        word[i] = x.negative ? ~sum->word[i] + carry : sum->word[i];
        carry = carry != 0 && word[i] == 0;
    }
    while (top > 0 && word[top] == 0)
        top--;
    if (word[top] == 0)
        return x;
    const int up = 63 - fpx_top_bit(word[top]);
    const uint64_t next = top > 0 ? word[top - 1] : 0;
    const uint64_t third = top > 1 ? word[top - 2] : 0;
    const int down = 64 - up;
    const uint64_t high = up == 0 ? word[top] : word[top] << up | next >> down;
    const uint64_t low = up == 0 ? next : next << up | third >> down;
    uint64_t rest = up == 0 ? third : third << up;

    for (int i = 0; i < top - 2; i++)
        rest |= word[i];
    x.m = (fpx_u128)high << 64 | low | (rest != 0);
    x.q = LOWEST + 64 * (top - 1) - up;
    return x;
}

int fpx_accumulator_leading(const fpx_accumulator *sum, uint64_t *ret_m, int *ret_q,
                            int *ret_sticky)
{
    const fpx_exact x = number_of(sum);

    *ret_m = (uint64_t)(x.m >> 64);
    *ret_q = x.q + 64;
    *ret_sticky = (uint64_t)x.m != 0;
    return x.negative;
}

/* Zeros of one sign keep it; others cancel. */
static int zero_is_negative(const fpx_accumulator *sum, const fpx_conversion *conversion)
{
    const uint64_t finite = sum->seen & SEEN_FINITE;

    return finite == SEEN_NEGATIVE_ZERO ||
           (finite != SEEN_ZERO && finite != 0 && conversion->round == FPX_RD);
}

uint64_t fpx_accumulator_round(const fpx_accumulator *sum, const fpx_conversion *conversion,
                               uint32_t random, unsigned *ret_flags)
{
    const uint64_t infinities = sum->seen & (SEEN_INF | SEEN_NEGATIVE_INF);
    const int opposite = infinities == (SEEN_INF | SEEN_NEGATIVE_INF);
    unsigned flags = (sum->seen & SEEN_INVALID) != 0 ? FPX_FLAG_INVALID : 0;
    fpx_exact x = { FPX_KIND_NAN, 0, 0, 0 };

    if ((sum->seen & SEEN_NAN) == 0 && !opposite) {
        if (infinities != 0) {
            x.kind = FPX_KIND_INF;
            x.negative = infinities == SEEN_NEGATIVE_INF;
        } else {
            x = number_of(sum);
            if (x.m == 0)
                x.negative = zero_is_negative(sum, conversion);
        }
    } else if ((sum->seen & SEEN_NAN) == 0) {
        flags |= FPX_FLAG_INVALID;
    }
    const uint64_t code = fpx_round_exact(conversion, x, random, &flags);
    if (ret_flags != NULL)
        *ret_flags = flags;
    return code;
}

fpx_status fpx_exact_dot(const fpx_format *a_format, const void *a, size_t a_stride,
                         const fpx_format *b_format, const void *b, size_t b_stride, size_t n,
                         const fpx_conversion *conversion, uint32_t random, uint64_t *ret_code,
                         unsigned *ret_flags)
{
    const fpx_status status = fpx_conversion_check(conversion);
    fpx_accumulator sum;

    if (status != FPX_OK)
        return status;
    if (!fpx_format_is_valid(a_format) || !fpx_format_is_valid(b_format) ||
        (n > 0 && (a == NULL || b == NULL)))
        return FPX_EINVAL;
    fpx_accumulator_clear(&sum);
    for (size_t i = 0; i < n; i++)
        fpx_accumulator_add_product(&sum, a_format, fpx_format_code(a_format, a, i * a_stride),
                                    b_format, fpx_format_code(b_format, b, i * b_stride));
    *ret_code = fpx_accumulator_round(&sum, conversion, random, ret_flags);
    return FPX_OK;
}
