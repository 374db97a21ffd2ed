/* arith_exact.c - the operations of IEEE 754-2019 sections 5.3 to 5.4 and 9.6 in 128-bit integers. Products are
 * exact; sums, quotients and roots keep so many bits that one sticky bit says the rest. */
#include "arith_exact.h"

#include "convert_round.h"

static int top_bit(fpx_u128 m)
{
    const uint64_t high = (uint64_t)(m >> 64);

    return high != 0 ? 64 + fpx_top_bit(high) : fpx_top_bit((uint64_t)m);
}

static fpx_exact exact_of(fpx_fields x)
{
    return (fpx_exact){ x.kind, x.negative, x.m, x.q };
}

static fpx_exact zero_of(int negative)
{
    return (fpx_exact){ FPX_KIND_FINITE, negative, 0, 0 };
}

static fpx_exact infinity_of(int negative)
{
    return (fpx_exact){ FPX_KIND_INF, negative, 0, 0 };
}

/* The NaN of an invalid operation has no source, hence no sign. */
static fpx_exact invalid(unsigned *flags)
{
    *flags |= FPX_FLAG_INVALID;
    return (fpx_exact){ FPX_KIND_NAN, 0, 0, 0 };
}

fpx_operand fpx_operand_of(const fpx_format *format, uint64_t code)
{
    const fpx_format *const f = format;
    fpx_operand o = { fpx_fields_of(f, code), 0, 0 };

    /* Signaling NaN are IEEE 754's alone: the quiet bit is the fraction's highest. Formats of fewer bits have NaN
     * that nobody has told apart. */
    if (o.x.kind == FPX_KIND_NAN && f->specials == FPX_SPECIALS_IEEE && f->bits >= 16)
        o.is_signaling = (code >> (f->mbits - 1) & 1) == 0;
    o.is_signless_zero = o.x.kind == FPX_KIND_FINITE && o.x.m == 0 &&
                         (f->cls != FPX_CLASS_FLOAT || f->specials >= FPX_SPECIALS_FNUZ ||
                          (f->flags & FPX_FORMAT_UNSIGNED) != 0);
    return o;
}

/* m 2^-by; what falls out below makes the lowest bit 1. */
static fpx_u128 shift_down(fpx_u128 m, int by)
{
    if (by == 0)
        return m;
    if (by >= 128)
        return m != 0;
    return m >> by | ((m << (128 - by)) != 0);
}

static fpx_exact with_top_at(fpx_exact x, int top)
{
    const int up = top - top_bit(x.m);

    x.m <<= up;
    x.q -= up;
    return x;
}

/* x and y are exact and below 2^107, so that with their highest bit at 126 the lowest 19 bits are 0: a sticky bit
 * from y's end cannot be cancelled, since y then is less than 2^-18 of x. */
static fpx_exact sum(fpx_exact x, fpx_exact y, int round, unsigned *flags)
{
    if (x.kind == FPX_KIND_INF || y.kind == FPX_KIND_INF) {
        if (x.kind == y.kind && x.negative != y.negative)
            return invalid(flags);
        return x.kind == FPX_KIND_INF ? x : y;
    }
    if (x.m == 0 && y.m == 0)
        return zero_of(x.negative == y.negative ? x.negative : round == FPX_RD);
    if (x.m == 0 || y.m == 0)
        return x.m == 0 ? y : x;

    x = with_top_at(x, 126);
    y = with_top_at(y, 126);
    if (x.q < y.q || (x.q == y.q && x.m < y.m)) {
        const fpx_exact larger = y;
        y = x;
        x = larger;
    }
    y.m = shift_down(y.m, x.q - y.q);
    x.m = x.negative == y.negative ? x.m + y.m : x.m - y.m;
    return x.m == 0 ? zero_of(round == FPX_RD) : x;
}

static fpx_exact product(fpx_fields x, fpx_fields y, unsigned *flags)
{
    const int negative = x.negative != y.negative;

    if (x.kind == FPX_KIND_INF || y.kind == FPX_KIND_INF) {
        const int by_zero =
            (x.kind == FPX_KIND_FINITE && x.m == 0) || (y.kind == FPX_KIND_FINITE && y.m == 0);
        return by_zero ? invalid(flags) : infinity_of(negative);
    }
    return (fpx_exact){ FPX_KIND_FINITE, negative, (fpx_u128)x.m * y.m, x.q + y.q };
}

int fpx_exact_compare(fpx_fields x, fpx_fields y)
{
    unsigned unused = 0;

    if (x.kind == FPX_KIND_INF && y.kind == FPX_KIND_INF)
        return y.negative - x.negative;
    y.negative = !y.negative;
    const fpx_exact d = sum(exact_of(x), exact_of(y), FPX_RNE, &unused);
    if (d.kind == FPX_KIND_FINITE && d.m == 0)
        return 0;
    return d.negative ? -1 : 1;
}

fpx_exact fpx_exact_add(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                        unsigned *flags)
{
    (void)random;
    return sum(exact_of(o[0].x), exact_of(o[1].x), c->round, flags);
}

fpx_exact fpx_exact_sub(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                        unsigned *flags)
{
    fpx_exact y = exact_of(o[1].x);

    (void)random;
    y.negative = !y.negative;
    return sum(exact_of(o[0].x), y, c->round, flags);
}

fpx_exact fpx_exact_mul(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                        unsigned *flags)
{
    (void)c;
    (void)random;
    return product(o[0].x, o[1].x, flags);
}

fpx_exact fpx_exact_fma(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                        unsigned *flags)
{
    const fpx_exact p = product(o[0].x, o[1].x, flags);

    (void)random;
    return p.kind == FPX_KIND_NAN ? p : sum(p, exact_of(o[2].x), c->round, flags);
}

/* The quotient of significands in two digits: the first of 75 or 76 bits, the second of 52. */
static fpx_exact quotient(fpx_fields x, fpx_fields y)
{
    const int up_x = 127 - fpx_top_bit(x.m);
    const int up_y = 52 - fpx_top_bit(y.m);
    const fpx_u128 dividend = (fpx_u128)x.m << up_x;
    const uint64_t divisor = y.m << up_y;
    const fpx_u128 rest = dividend % divisor << 52;
    const fpx_u128 m = dividend / divisor << 52 | rest / divisor | (rest % divisor != 0);

    return (fpx_exact){ FPX_KIND_FINITE, x.negative != y.negative, m,
                        x.q - up_x - (y.q - up_y) - 52 };
}

/* By a zero that has no sign the quotient's sign is unknown: NaN, as IEEE P3109 has it. */
fpx_exact fpx_exact_div(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                        unsigned *flags)
{
    const fpx_fields x = o[0].x;
    const fpx_fields y = o[1].x;
    const int negative = x.negative != y.negative;

    (void)c;
    (void)random;
    if (x.kind == FPX_KIND_INF)
        return y.kind == FPX_KIND_INF || o[1].is_signless_zero ? invalid(flags)
                                                               : infinity_of(negative);
    if (y.kind == FPX_KIND_INF)
        return zero_of(negative);
    if (y.m == 0) {
        if (x.m == 0)
            return invalid(flags);
        *flags |= FPX_FLAG_DIVIDE_BY_ZERO;
        return (fpx_exact){ o[1].is_signless_zero ? FPX_KIND_NAN : FPX_KIND_INF,
                            negative && !o[1].is_signless_zero, 0, 0 };
    }
    return x.m == 0 ? zero_of(negative) : quotient(x, y);
}

/* The root digit by digit, as on paper: of m (at most 54 bits, q even) and 96 pairs of zeros behind it. */
fpx_exact fpx_exact_sqrt(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                         unsigned *flags)
{
    fpx_fields x = o[0].x;
    fpx_u128 root = 0;
    fpx_u128 rest = 0;

    (void)c;
    (void)random;
    if (x.kind == FPX_KIND_FINITE && x.m == 0)
        return zero_of(x.negative);
    if (x.negative)
        return invalid(flags);
    if (x.kind == FPX_KIND_INF)
        return infinity_of(0);
    if (x.q % 2 != 0) {
        x.m <<= 1;
        x.q--;
    }
    for (int pair = fpx_top_bit(x.m) / 2; pair >= -96; pair--) {
        const fpx_u128 trial = root << 2 | 1;

        rest = rest << 2 | (pair >= 0 ? x.m >> 2 * pair & 3 : 0);
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    return (fpx_exact){ FPX_KIND_FINITE, 0, root << 1 | (rest != 0), x.q / 2 - 97 };
}

/* x - n y, n being x / y rounded to the nearest integer (ties to even) or toward zero. All in units of the finer
 * operand's last place, modulo 2 |y|, which keeps n's parity; 64 bits of a large quotient at a time. */
static fpx_exact rest_of(const fpx_operand *o, int is_truncated, unsigned *flags)
{
    const fpx_fields x = o[0].x;
    const fpx_fields y = o[1].x;
    int gap = x.q - y.q;

    if (x.kind == FPX_KIND_INF || (y.kind == FPX_KIND_FINITE && y.m == 0))
        return invalid(flags);
    /* Below 2^53 2^-70 of y's last place x is its own remainder. */
    if (y.kind == FPX_KIND_INF || x.m == 0 || gap < -70)
        return exact_of(x);

    const fpx_u128 divisor = (fpx_u128)y.m << (gap < 0 ? -gap : 0);
    fpx_u128 rest = x.m % (2 * divisor);
    const int q = gap < 0 ? x.q : y.q;
    for (; gap > 0; gap -= 64)
        rest = (rest << (gap < 64 ? gap : 64)) % (2 * divisor);
    const int is_odd = rest >= divisor;
    if (is_odd)
        rest -= divisor;
    const int is_over = !is_truncated && (2 * rest > divisor || (2 * rest == divisor && is_odd));
    return (fpx_exact){ FPX_KIND_FINITE, x.negative != is_over, is_over ? divisor - rest : rest,
                        q };
}

fpx_exact fpx_exact_remainder(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                              unsigned *flags)
{
    (void)c;
    (void)random;
    return rest_of(o, 0, flags);
}

fpx_exact fpx_exact_fmod(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                         unsigned *flags)
{
    (void)c;
    (void)random;
    return rest_of(o, 1, flags);
}

fpx_exact fpx_exact_integral(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                             unsigned *flags)
{
    const fpx_fields x = o[0].x;
    int inexact = 0;

    if (x.kind != FPX_KIND_FINITE || x.q >= 0)
        return exact_of(x);
    const uint64_t m = fpx_round_integral(c, x, random, &inexact);
    *flags |= inexact ? FPX_FLAG_INEXACT : 0;
    return (fpx_exact){ FPX_KIND_FINITE, x.negative, m, 0 };
}

fpx_exact fpx_exact_convert(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                            unsigned *flags)
{
    (void)c;
    (void)random;
    (void)flags;
    return exact_of(o[0].x);
}

/* The lesser (sign 1) or the greater (sign 0) of two that are not NaN; -0 is less than +0. */
static fpx_exact extreme(fpx_fields x, fpx_fields y, int sign)
{
    const int order = fpx_exact_compare(x, y);

    if (order == 0)
        return exact_of(x.negative == sign ? x : y);
    return exact_of((order < 0) == sign ? x : y);
}

/* A number wins over NaN; the NaN of two is the first. Signaling ones raise invalid all the same. */
static fpx_exact extreme_number(const fpx_operand *o, int sign, unsigned *flags)
{
    const fpx_fields x = o[0].x;
    const fpx_fields y = o[1].x;

    if (o[0].is_signaling || o[1].is_signaling)
        *flags |= FPX_FLAG_INVALID;
    if (y.kind == FPX_KIND_NAN)
        return exact_of(x);
    return x.kind == FPX_KIND_NAN ? exact_of(y) : extreme(x, y, sign);
}

fpx_exact fpx_exact_minimum(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                            unsigned *flags)
{
    (void)c;
    (void)random;
    (void)flags;
    return extreme(o[0].x, o[1].x, 1);
}

fpx_exact fpx_exact_maximum(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                            unsigned *flags)
{
    (void)c;
    (void)random;
    (void)flags;
    return extreme(o[0].x, o[1].x, 0);
}

fpx_exact fpx_exact_minimum_number(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                                   unsigned *flags)
{
    (void)c;
    (void)random;
    return extreme_number(o, 1, flags);
}

fpx_exact fpx_exact_maximum_number(const fpx_operand *o, const fpx_conversion *c, uint32_t random,
                                   unsigned *flags)
{
    (void)c;
    (void)random;
    return extreme_number(o, 0, flags);
}
