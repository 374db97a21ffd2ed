/* arith_integer.c - integers to codes and back (IEEE 754-2019 sections 5.4.1 and 5.8), one rounding each. */
#include <fpx/arith.h>

#include "arith_codes.h"
#include "format_bits.h"

static const struct type {
    int bits;
    int is_signed;
} types[FPX_INTEGERS] = {
    [FPX_INTEGER_I32] = { 32, 1 },
    [FPX_INTEGER_U32] = { 32, 0 },
    [FPX_INTEGER_I64] = { 64, 1 },
    [FPX_INTEGER_U64] = { 64, 0 },
};

/* The largest magnitude of this sign. */
static uint64_t limit_of(const struct type *type, int negative)
{
    const uint64_t all = fpx_low_mask(type->bits);

    if (!type->is_signed)
        return negative ? 0 : all;
    return negative ? (all >> 1) + 1 : all >> 1;
}

static uint64_t to_integer(const fpx_conversion *c, const struct type *type, fpx_fields x,
                           uint32_t random, unsigned *flags)
{
    const uint64_t limit = limit_of(type, x.negative);
    uint64_t magnitude = x.m;
    int inexact = 0;
    int over = x.kind == FPX_KIND_INF;

    if (x.kind == FPX_KIND_NAN) {
        *flags |= FPX_FLAG_INVALID;
        return 0;
    }
    if (!over && x.m != 0) {
        over = x.q > 0 && fpx_top_bit(x.m) + x.q > 63;
        if (x.q < 0)
            magnitude = fpx_round_integral(c, x, random, &inexact);
        else if (!over)
            magnitude <<= x.q;
    }
    if (over || magnitude > limit) {
        *flags |= FPX_FLAG_INVALID;
        magnitude = limit;
    } else if (inexact) {
        *flags |= FPX_FLAG_INEXACT;
    }
    return x.negative ? UINT64_C(0) - magnitude : magnitude;
}

static uint64_t from_integer(const fpx_conversion *c, const struct type *type, uint64_t value,
                             uint32_t random, unsigned *flags)
{
    const uint64_t all = fpx_low_mask(type->bits);
    const int negative = type->is_signed && (value >> (type->bits - 1) & 1) != 0;
    const fpx_fields x = { FPX_KIND_FINITE, negative,
                           (negative ? UINT64_C(0) - value : value) & all, 0 };
    unsigned raised = 0;
    const uint64_t code = fpx_round_fields(c, x, random, &raised);

    *flags |= fpx_flags_of(raised);
    return code;
}

/* Of the conversion only its rounding counts here. */
static fpx_status check_to(const fpx_conversion *c, const fpx_format *format, fpx_integer type)
{
    const fpx_conversion rounding = {
        .format = fpx_fp32, .round = c->round, .sr_bits = c->sr_bits, .sr_variant = c->sr_variant
    };

    if ((unsigned)type >= FPX_INTEGERS || !fpx_format_is_valid(format))
        return FPX_EINVAL;
    return fpx_conversion_check(&rounding);
}

static fpx_status check_from(const fpx_conversion *c, fpx_integer type)
{
    return (unsigned)type < FPX_INTEGERS ? fpx_conversion_check(c) : FPX_EINVAL;
}

fpx_status fpx_arith_to_integer(const fpx_conversion *conversion, const fpx_format *format,
                                uint64_t code, uint32_t random, fpx_integer type,
                                uint64_t *ret_value, unsigned *ret_flags)
{
    const fpx_status status = check_to(conversion, format, type);
    unsigned flags = 0;

    if (status != FPX_OK)
        return status;
    *ret_value = to_integer(conversion, &types[type], fpx_fields_of(format, code), random, &flags);
    if (ret_flags != NULL)
        *ret_flags = flags;
    return FPX_OK;
}

fpx_status fpx_arith_from_integer(const fpx_conversion *conversion, fpx_integer type,
                                  uint64_t value, uint32_t random, uint64_t *ret_code,
                                  unsigned *ret_flags)
{
    const fpx_status status = check_from(conversion, type);
    unsigned flags = 0;

    if (status != FPX_OK)
        return status;
    *ret_code = from_integer(conversion, &types[type], value, random, &flags);
    if (ret_flags != NULL)
        *ret_flags = flags;
    return FPX_OK;
}

fpx_status fpx_arith_to_integer_array(const fpx_conversion *conversion, const fpx_format *format,
                                      const void *src, const uint32_t *random, fpx_integer type,
                                      void *dst, size_t n, unsigned *ret_flags)
{
    fpx_status status = check_to(conversion, format, type);
    unsigned flags = 0;

    if (status == FPX_OK)
        status = fpx_check_random(conversion, random);
    if (status != FPX_OK)
        return status;
    const size_t bytes = (size_t)types[type].bits / 8;
    for (size_t i = 0; i < n; i++) {
        const fpx_fields x = fpx_fields_of(format, fpx_format_code(format, src, i));
        const uint32_t word = fpx_random_word(random, i);
        fpx_word_store(dst, bytes, i, to_integer(conversion, &types[type], x, word, &flags));
    }
    if (ret_flags != NULL)
        *ret_flags = flags;
    return FPX_OK;
}

fpx_status fpx_arith_from_integer_array(const fpx_conversion *conversion, fpx_integer type,
                                        const void *src, const uint32_t *random, void *dst,
                                        size_t n, unsigned *ret_flags)
{
    fpx_status status = check_from(conversion, type);
    unsigned flags = 0;

    if (status == FPX_OK)
        status = fpx_check_random(conversion, random);
    if (status != FPX_OK)
        return status;
    const size_t bytes = fpx_format_size(&conversion->format);
    const fpx_format *const word_format = types[type].bits == 32 ? &fpx_fp32 : &fpx_fp64;
    for (size_t i = 0; i < n; i++) {
        const uint64_t value = fpx_format_code(word_format, src, i); /* 4 or 8 bytes as they are */
        const uint32_t word = fpx_random_word(random, i);
        fpx_word_store(dst, bytes, i, from_integer(conversion, &types[type], value, word, &flags));
    }
    if (ret_flags != NULL)
        *ret_flags = flags;
    return FPX_OK;
}
