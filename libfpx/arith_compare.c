/* arith_compare.c - relations of IEEE 754-2019 section 5.11, between codes of any two formats. */
#include <fpx/arith.h>

#include "arith_exact.h"

enum { ALL_RELATIONS = FPX_LESS | FPX_EQUAL | FPX_GREATER | FPX_UNORDERED };

static fpx_relation relate(int is_signaling, const fpx_format *const *formats, uint64_t a,
                           uint64_t b, unsigned *flags)
{
    static const fpx_relation relations[3] = { FPX_LESS, FPX_EQUAL, FPX_GREATER };
    const fpx_operand x = fpx_operand_of(formats[0], a);
    const fpx_operand y = fpx_operand_of(formats[1], b);

    if (x.x.kind == FPX_KIND_NAN || y.x.kind == FPX_KIND_NAN) {
        if (is_signaling || x.is_signaling || y.is_signaling)
            *flags |= FPX_FLAG_INVALID;
        return FPX_UNORDERED;
    }
    return relations[1 + fpx_exact_compare(x.x, y.x)];
}

static fpx_status check(const fpx_format *const *formats)
{
    return fpx_format_is_valid(formats[0]) && fpx_format_is_valid(formats[1]) ? FPX_OK : FPX_EINVAL;
}

fpx_status fpx_arith_compare(int is_signaling, const fpx_format *const *formats,
                             const uint64_t *codes, fpx_relation *ret_relation, unsigned *ret_flags)
{
    const fpx_status status = check(formats);
    unsigned flags = 0;

    if (status != FPX_OK)
        return status;
    *ret_relation = relate(is_signaling, formats, codes[0], codes[1], &flags);
    if (ret_flags != NULL)
        *ret_flags = flags;
    return FPX_OK;
}

fpx_status fpx_arith_compare_array(unsigned predicate, int is_signaling,
                                   const fpx_format *const *formats, const void *const *codes,
                                   uint8_t *dst, size_t n, unsigned *ret_flags)
{
    const fpx_status status = check(formats);
    unsigned flags = 0;

    if (status != FPX_OK || (predicate & ~(unsigned)ALL_RELATIONS) != 0)
        return FPX_EINVAL;
    for (size_t i = 0; i < n; i++) {
        const uint64_t a = fpx_format_code(formats[0], codes[0], i);
        const uint64_t b = fpx_format_code(formats[1], codes[1], i);
        dst[i] = (relate(is_signaling, formats, a, b, &flags) & predicate) != 0;
    }
    if (ret_flags != NULL)
        *ret_flags = flags;
    return FPX_OK;
}
