/* convert_plan.c - the numbers of a plan, from a format and its policies. */
#include "convert_plan.h"

#include "convert_round.h"

/* Edges for what is cut off with its top bit inverted: INT32_MIN is exceeded by anything that is cut off at all,
 * INT32_MAX by nothing, 0 by more than half, -1 by half and more. */
static const struct {
    uint32_t edge, odd, negative;
} edges[] = {
    [FPX_RNE] = { 0, UINT32_MAX, 0 },
    [FPX_RNA] = { UINT32_MAX, 0, 0 },
    [FPX_RZ] = { INT32_MAX, 0, 0 },
    [FPX_RU] = { 0x80000000u, 0, UINT32_MAX },
    [FPX_RD] = { INT32_MAX, 0, UINT32_MAX },
    [FPX_RO] = { 0x80000000u, UINT32_MAX, 0 },
    [FPX_SR] = { 0, 0, 0 },
};

static uint32_t code_of(const fpx_conversion *c, enum fpx_kind kind, int negative, uint64_t m)
{
    /* 2^2000 is above every format. */
    const fpx_fields x = { kind, negative, m, m == 0 ? 0 : 2000 };

    return (uint32_t)fpx_round_fields(c, x, 0, NULL);
}

static void plan_specials(const fpx_conversion *c, fpx_encode_plan *p)
{
    const fpx_format *const f = &c->format;
    const int refuses_negatives =
        (f->flags & FPX_FORMAT_UNSIGNED) != 0 && c->negative != FPX_NEGATIVE_ABS;

    for (int negative = 0; negative < 2; negative++) {
        p->over[negative] = code_of(c, FPX_KIND_FINITE, negative, 1);
        p->inf[negative] = code_of(c, FPX_KIND_INF, negative, 0);
        p->nan[negative] = code_of(c, FPX_KIND_NAN, negative, 0);
        p->zero[negative] = code_of(c, FPX_KIND_FINITE, negative, 0);
    }
    p->max[0] = p->max[1] = (int32_t)f->max_code;
    if (refuses_negatives) /* only what rounds to zero is not over */
        p->max[1] = (f->flags & FPX_FORMAT_NO_ZERO) != 0 ? -1 : 0;
    p->max_before = c->overflow_test == FPX_TEST_SOURCE && f->cls == FPX_CLASS_FLOAT
                        ? (int32_t)f->max_code
                        : INT32_MAX;
    p->zero_is_special = (f->flags & FPX_FORMAT_NO_ZERO) != 0;
}

/* Fixed point is a float format of which only the subnormals are used: all have the same last place. */
static int plan_cut(const fpx_format *f, fpx_encode_plan *p)
{
    const int is_fixed = f->cls == FPX_CLASS_FIXED;
    const int no_zero = (f->flags & FPX_FORMAT_NO_ZERO) != 0;
    const int width = is_fixed ? f->bits - 1 : f->ebits + f->mbits;
    const int mbits = is_fixed ? width : f->mbits;
    const int emin = is_fixed ? width - f->mbits : (no_zero ? 0 : 1) - f->bias;

    /* A significand has 24 bits and float32's exponents end at -126; one below, a subnormal source is still cut at
     * a place that is the format's. */
    if (mbits > 23 || width > 31 || emin > 127 || emin < -127 || (emin == -127 && mbits > 22))
        return 0;
    p->mbits = mbits;
    p->least = (uint32_t)(emin + 127);
    p->first = (p->least + (uint32_t)no_zero) << mbits;
    p->is_fixed = is_fixed;
    p->all = (uint32_t)fpx_low_mask(f->bits);
    p->sign = (f->flags & FPX_FORMAT_UNSIGNED) != 0 ? 0 : UINT32_C(1) << width;
    p->lone = f->specials >= FPX_SPECIALS_FNUZ ? UINT32_MAX : 0;
    return 1;
}

int fpx_encode_plan_make(const fpx_conversion *c, fpx_encode_plan *ret_plan)
{
    fpx_encode_plan *const p = ret_plan;
    const fpx_format *const f = &c->format;

    if (!plan_cut(f, p))
        return 0;
    p->signs =
        (f->flags & FPX_FORMAT_UNSIGNED) != 0 && c->negative == FPX_NEGATIVE_ABS ? 0 : UINT32_MAX;
    p->edge = edges[c->round].edge;
    p->edge_odd = edges[c->round].odd;
    p->edge_negative = edges[c->round].negative;
    p->sr_bits = c->round == FPX_SR ? c->sr_bits : 0;
    p->sr_half = p->sr_low = 0;
    if (c->round == FPX_SR && c->sr_variant == FPX_SR_B) {
        p->sr_half = p->sr_bits < 32 ? UINT32_C(1) << (31 - p->sr_bits) : 0;
        p->sr_low = p->sr_bits == 32;
    }
    plan_specials(c, p);
    return 1;
}

/* Up to the limit every sum is a normal float32, and its significand in units of the last place a number of 16 bits
 * with sign. */
static int adds_exactly(const fpx_format *f, const fpx_fast_plan *fast)
{
    const int field = (int)((fast->lowest >> 23) - 1 + (fast->limit >> f->mbits));

    return f->mbits <= 13 && 1 - f->bias >= -126 && field + fast->down <= 254;
}

static void plan_add(const fpx_format *f, fpx_fast_plan *fast)
{
    /* An exponent lies 7 bits up in its half: the parts meet at the higher of the two places. */
    const int place = f->mbits > 7 ? f->mbits : 7;

    fast->up = (uint32_t)(127 + fast->down) << 23;
    fast->left = place - f->mbits;
    fast->parts = UINT32_C(1) << (place - 7 + 16) | UINT32_C(1) << fast->left;
    fast->base = ((fast->lowest >> 23) + (uint32_t)fast->down) << place;
}

/* Below the last place a word has 23 - mbits bits: as many of the random ones go there, and half a step of variant B.
 * Where that is not all, the rest can only matter by a carry into bits that are all set. */
static void plan_random(const fpx_conversion *c, const fpx_encode_plan *p, fpx_fast_plan *fast)
{
    const int below = p->sr_bits + (c->sr_variant == FPX_SR_B);

    fast->random_half = p->sr_half >> (32 - fast->down);
    fast->full = below > fast->down ? (UINT32_C(1) << fast->down) - 1 : 0;
    fast->base = (p->least - 1) << c->format.mbits;
}

/* What Inf's bits come to is the limit or more, and so is what is above. */
static int adds_random(const fpx_conversion *c, const fpx_encode_plan *p, const fpx_fast_plan *fast)
{
    const int mbits = c->format.mbits;

    return c->sr_variant != FPX_SR_C && mbits <= 22 && p->least >= 1 &&
           fast->limit + ((uint64_t)(p->least - 1) << mbits) <= UINT64_C(255) << mbits;
}

static int shares_f32_exponent(const fpx_format *f)
{
    return f->ebits == 8 && f->bias == 127 && f->specials == FPX_SPECIALS_IEEE;
}

static fpx_fast_kind fast_kind(const fpx_conversion *c, const fpx_encode_plan *p,
                               const fpx_fast_plan *fast)
{
    const fpx_format *const f = &c->format;

    if (c->round == FPX_SR)
        return adds_random(c, p, fast) ? FPX_FAST_SR : FPX_FAST_NONE;
    if (c->round != FPX_RNE)
        return FPX_FAST_NONE;
    if (shares_f32_exponent(f))
        return FPX_FAST_BITS;
    /* The sum's parity is the code's only where a fraction bit is stored. */
    return f->mbits >= 1 && adds_exactly(f, fast) ? FPX_FAST_ADD : FPX_FAST_NONE;
}

fpx_fast_plan fpx_fast_plan_make(const fpx_conversion *c, const fpx_encode_plan *p)
{
    const fpx_format *const f = &c->format;
    const uint64_t limit = p->over[0];
    fpx_fast_plan fast = { .kind = FPX_FAST_NONE };

    if (f->cls != FPX_CLASS_FLOAT || f->flags != 0 || p->lone != 0 ||
        c->overflow_test != FPX_TEST_ROUNDED || limit - f->max_code > 1 ||
        p->over[1] != (limit | p->sign) || p->inf[0] != limit || p->inf[1] != p->over[1] ||
        limit >> f->mbits == 0)
        return fast;
    fast.down = 23 - f->mbits;
    fast.to_sign = 32 - f->bits;
    fast.limit = (uint32_t)limit;
    fast.lowest = p->least << 23;
    fast.half = (UINT32_C(1) << fast.down) >> 1;
    fast.kind = fast_kind(c, p, &fast);
    if (fast.kind == FPX_FAST_ADD)
        plan_add(f, &fast);
    if (fast.kind == FPX_FAST_SR)
        plan_random(c, p, &fast);
    return fast;
}

/* Signed or not, with or without a lone sign bit; 2^emin is a normal float32. */
static int rebases(const fpx_format *f)
{
    return f->cls == FPX_CLASS_FLOAT && (f->flags & FPX_FORMAT_NO_ZERO) == 0 && f->ebits >= 1 &&
           f->mbits <= 23 && f->ebits + f->mbits <= 31 && f->bias >= -126 && f->bias <= 127;
}

/* Float16 has every finite value, times a power of two that the scale can take exactly: then the product is that
 * of value and scale. A finite scale makes no NaN. */
static int is_half(const fpx_format *f, float scale)
{
    const uint32_t bits = fpx_f32_bits(scale) & 0x7fffffffu;
    const int field = (int)(bits >> 23) + 15 - f->bias;
    const int scale_is_normal = bits >= 0x00800000u && bits < 0x7f800000u;

    return f->bits <= 16 && f->ebits <= 5 && f->mbits <= 10 && f->max_code >> f->mbits <= 30 &&
           (bits == 0 || (scale_is_normal && field >= 1 && field <= 254));
}

fpx_decode_way fpx_decode_way_of(const fpx_format *f, float scale, size_t n)
{
    /* Below these a table takes longer to make than the codes to decode. */
    enum { TABLE16_FROM = 64, TABLE256_FROM = 512 };

    if (f->bits <= 4 && n >= TABLE16_FROM)
        return FPX_DECODE_TABLE16;
    if (shares_f32_exponent(f) && f->flags == 0 && f->bits <= 32)
        return FPX_DECODE_UPPER;
    if (rebases(f))
        return is_half(f, scale) ? FPX_DECODE_HALF : FPX_DECODE_FIELDS;
    if (f->cls == FPX_CLASS_FIXED && f->bits <= 24)
        return FPX_DECODE_FIXED;
    return f->bits <= 8 && n >= TABLE256_FROM ? FPX_DECODE_TABLE256 : FPX_DECODE_SCALAR;
}
