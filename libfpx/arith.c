/* arith.c - one result: operands taken apart, the exact result (arith_exact.c), one rounding (convert_round.c). */
#include <fpx/arith.h>

#include "arith_codes.h"
#include "arith_exact.h"

/* The flags are those of convert_round.h, so that no table stands between them. */
_Static_assert((int)FPX_FLAG_INEXACT == (int)FPX_RAISED_INEXACT &&
                   (int)FPX_FLAG_OVERFLOW == (int)FPX_RAISED_OVERFLOW &&
                   (int)FPX_FLAG_UNDERFLOW_BEFORE == (int)FPX_RAISED_TINY_BEFORE &&
                   (int)FPX_FLAG_UNDERFLOW_AFTER == (int)FPX_RAISED_TINY_AFTER &&
                   (int)FPX_FLAG_INVALID == (int)FPX_RAISED_INVALID,
               "flags and what a rounding raises are the same bits");

enum { ARITY_MAX = 3 };

static const struct row {
    const char *name;
    int arity;
    int takes_nan; /* decides on NaN operands itself: else one of them makes NaN of the result */
    fpx_exact_fn *exact;
} rows[FPX_ARITH_OPS] = {
    [FPX_ARITH_ADD] = { "add", 2, 0, fpx_exact_add },
    [FPX_ARITH_SUB] = { "sub", 2, 0, fpx_exact_sub },
    [FPX_ARITH_MUL] = { "mul", 2, 0, fpx_exact_mul },
    [FPX_ARITH_DIV] = { "div", 2, 0, fpx_exact_div },
    [FPX_ARITH_SQRT] = { "sqrt", 1, 0, fpx_exact_sqrt },
    [FPX_ARITH_FMA] = { "fma", 3, 0, fpx_exact_fma },
    [FPX_ARITH_REMAINDER] = { "remainder", 2, 0, fpx_exact_remainder },
    [FPX_ARITH_FMOD] = { "fmod", 2, 0, fpx_exact_fmod },
    [FPX_ARITH_MINIMUM] = { "minimum", 2, 0, fpx_exact_minimum },
    [FPX_ARITH_MAXIMUM] = { "maximum", 2, 0, fpx_exact_maximum },
    [FPX_ARITH_MINIMUM_NUMBER] = { "minimum_number", 2, 1, fpx_exact_minimum_number },
    [FPX_ARITH_MAXIMUM_NUMBER] = { "maximum_number", 2, 1, fpx_exact_maximum_number },
    [FPX_ARITH_INTEGRAL] = { "integral", 1, 0, fpx_exact_integral },
    [FPX_ARITH_CONVERT] = { "convert", 1, 0, fpx_exact_convert },
};

static const struct row *row_of(fpx_arith_op op)
{
    return (unsigned)op < FPX_ARITH_OPS ? &rows[op] : NULL;
}

const char *fpx_arith_name(fpx_arith_op op)
{
    const struct row *const row = row_of(op);

    return row != NULL ? row->name : NULL;
}

int fpx_arith_arity(fpx_arith_op op)
{
    const struct row *const row = row_of(op);

    return row != NULL ? row->arity : 0;
}

/* A NaN operand: the result is the first one, invalid where any is signaling. */
static int nan_among(const fpx_operand *o, int arity, fpx_exact *ret_nan, unsigned *flags)
{
    int found = 0;

    for (int i = arity; i-- > 0;) {
        if (o[i].x.kind != FPX_KIND_NAN)
            continue;
        found = 1;
        *ret_nan = (fpx_exact){ FPX_KIND_NAN, o[i].x.negative, 0, 0 };
        *flags |= o[i].is_signaling ? FPX_FLAG_INVALID : 0;
    }
    return found;
}

/* The highest bit goes to the top of the upper 64. What is above every format's range is 2^1024, which overflows as
 * well and keeps the code's arithmetic within 64 bits. */
uint64_t fpx_round_exact(const fpx_conversion *c, fpx_exact x, uint32_t random, unsigned *flags)
{
    fpx_fields high = { x.kind, x.negative, 0, 0 };
    uint64_t low = 0;
    unsigned raised = 0;

    if (x.kind == FPX_KIND_FINITE && x.m != 0) {
        const uint64_t top = (uint64_t)(x.m >> 64);
        const int up = top != 0 ? 63 - fpx_top_bit(top) : 127 - fpx_top_bit((uint64_t)x.m);
        x.m <<= up;
        high.m = (uint64_t)(x.m >> 64);
        high.q = x.q - up + 64;
        low = (uint64_t)x.m;
        if (high.q + 63 >= 1024) {
            high.m = UINT64_C(1) << 63;
            high.q = 1024 - 63;
            low = 0;
        }
    }
    const uint64_t code = fpx_round_wide(c, high, low, random, &raised);
    *flags |= fpx_flags_of(raised);
    return code;
}

static uint64_t run(const struct row *row, const fpx_conversion *c,
                    const fpx_format *const *formats, const uint64_t *codes, uint32_t random,
                    unsigned *flags)
{
    fpx_operand o[ARITY_MAX];
    fpx_exact x = { FPX_KIND_NAN, 0, 0, 0 };

    for (int i = 0; i < row->arity; i++)
        o[i] = fpx_operand_of(formats[i], codes[i]);
    if (row->takes_nan || !nan_among(o, row->arity, &x, flags))
        x = row->exact(o, c, random, flags);
    return fpx_round_exact(c, x, random, flags);
}

static fpx_status check(const struct row *row, const fpx_conversion *c,
                        const fpx_format *const *formats)
{
    if (row == NULL)
        return FPX_EINVAL;
    for (int i = 0; i < row->arity; i++) {
        if (!fpx_format_is_valid(formats[i]))
            return FPX_EINVAL;
    }
    return fpx_conversion_check(c);
}

fpx_status fpx_arith(fpx_arith_op op, const fpx_conversion *conversion,
                     const fpx_format *const *formats, const uint64_t *codes, uint32_t random,
                     uint64_t *ret_code, unsigned *ret_flags)
{
    const struct row *const row = row_of(op);
    const fpx_status status = check(row, conversion, formats);
    unsigned flags = 0;

    if (status != FPX_OK)
        return status;
    *ret_code = run(row, conversion, formats, codes, random, &flags);
    if (ret_flags != NULL)
        *ret_flags = flags;
    return FPX_OK;
}

fpx_status fpx_arith_array(fpx_arith_op op, const fpx_conversion *conversion,
                           const fpx_format *const *formats, const void *const *codes,
                           const uint32_t *random, void *dst, size_t n, unsigned *ret_flags)
{
    const struct row *const row = row_of(op);
    fpx_status status = check(row, conversion, formats);
    unsigned flags = 0;

    if (status == FPX_OK)
        status = fpx_check_random(conversion, random);
    if (status != FPX_OK)
        return status;
    const size_t bytes = fpx_format_size(&conversion->format);
    for (size_t i = 0; i < n; i++) {
        uint64_t element[ARITY_MAX] = { 0 };
        for (int k = 0; k < row->arity; k++)
            element[k] = fpx_format_code(formats[k], codes[k], i);
        const uint32_t word = fpx_random_word(random, i);
        fpx_word_store(dst, bytes, i, run(row, conversion, formats, element, word, &flags));
    }
    if (ret_flags != NULL)
        *ret_flags = flags;
    return FPX_OK;
}
