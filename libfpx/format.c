/* format.c - the format table as data, and what one code means. Values are assembled from integer
 * fields, so neither rounding mode nor FTZ/DAZ can touch them: the judge of every decoder. */
#include <string.h>

#include <fpx/format.h>

#include "format_bits.h"

/* Name, class, bits, ebits, mbits, bias, specials, flags, max_code, nan_code: NUMERICS' table. The quiet NaN of
 * e5m2 is 0x7e as in ml_dtypes and CUDA's double path; CUDA's float path writes 0x7f. */
/* clang-format off */
#define IEEE FPX_SPECIALS_IEEE
#define NAN_ONLY FPX_SPECIALS_NAN_ONLY
#define NONE FPX_SPECIALS_NONE
#define FNUZ FPX_SPECIALS_FNUZ
#define UNSIGNED FPX_FORMAT_UNSIGNED
const fpx_format fpx_e4m3 = { "e4m3", FPX_CLASS_FLOAT, 8, 4, 3, 7, NAN_ONLY, 0, 0x7e, 0x7f };
const fpx_format fpx_e5m2 = { "e5m2", FPX_CLASS_FLOAT, 8, 5, 2, 15, IEEE, 0, 0x7b, 0x7e };
const fpx_format fpx_e4m3fnuz = { "e4m3fnuz", FPX_CLASS_FLOAT, 8, 4, 3, 8, FNUZ, 0, 0x7f, 0x80 };
const fpx_format fpx_e5m2fnuz = { "e5m2fnuz", FPX_CLASS_FLOAT, 8, 5, 2, 16, FNUZ, 0, 0x7f, 0x80 };
const fpx_format fpx_e4m3b11fnuz = { "e4m3b11fnuz", FPX_CLASS_FLOAT, 8, 4, 3, 11, FNUZ, 0, 0x7f, 0x80 };
const fpx_format fpx_e3m4 = { "e3m4", FPX_CLASS_FLOAT, 8, 3, 4, 3, IEEE, 0, 0x6f, 0x78 };
const fpx_format fpx_ieee_e4m3 = { "ieee_e4m3", FPX_CLASS_FLOAT, 8, 4, 3, 7, IEEE, 0, 0x77, 0x7c };
const fpx_format fpx_e5m6 = { "e5m6", FPX_CLASS_FLOAT, 12, 5, 6, 15, IEEE, 0, 0x7bf, 0x7e0 };
const fpx_format fpx_e3m2 = { "e3m2", FPX_CLASS_FLOAT, 6, 3, 2, 3, NONE, 0, 0x1f, 0 };
const fpx_format fpx_e2m3 = { "e2m3", FPX_CLASS_FLOAT, 6, 2, 3, 1, NONE, 0, 0x1f, 0 };
const fpx_format fpx_e2m1 = { "e2m1", FPX_CLASS_FLOAT, 4, 2, 1, 1, NONE, 0, 0x7, 0 };
const fpx_format fpx_e1m2 = { "e1m2", FPX_CLASS_FLOAT, 4, 1, 2, -1, NONE, 0, 0x7, 0 };
const fpx_format fpx_mxint8 = { "mxint8", FPX_CLASS_FIXED, 8, 0, 6, 0, NONE, 0, 0x7f, 0 };
const fpx_format fpx_e8m0 = { "e8m0", FPX_CLASS_FLOAT, 8, 8, 0, 127, NAN_ONLY, UNSIGNED | FPX_FORMAT_NO_ZERO, 0xfe, 0xff };
const fpx_format fpx_ue4m3 = { "ue4m3", FPX_CLASS_FLOAT, 7, 4, 3, 7, NAN_ONLY, UNSIGNED, 0x7e, 0x7f };
const fpx_format fpx_ue5m3 = { "ue5m3", FPX_CLASS_FLOAT, 8, 5, 3, 15, NAN_ONLY, UNSIGNED, 0xfe, 0xff };
const fpx_format fpx_bf16 = { "bf16", FPX_CLASS_FLOAT, 16, 8, 7, 127, IEEE, 0, 0x7f7f, 0x7fc0 };
const fpx_format fpx_fp16 = { "fp16", FPX_CLASS_FLOAT, 16, 5, 10, 15, IEEE, 0, 0x7bff, 0x7e00 };
const fpx_format fpx_tf32 = { "tf32", FPX_CLASS_FLOAT, 19, 8, 10, 127, IEEE, 0, 0x3fbff, 0x3fe00 };
const fpx_format fpx_fp32 = { "fp32", FPX_CLASS_FLOAT, 32, 8, 23, 127, IEEE, 0, 0x7f7fffff, 0x7fc00000 };
const fpx_format fpx_fp64 = { "fp64", FPX_CLASS_FLOAT, 64, 11, 52, 1023, IEEE, 0, 0x7fefffffffffffff, 0x7ff8000000000000 };
const fpx_format fpx_int32 = { "int32", FPX_CLASS_INT, 32, 0, 0, 0, NONE, 0, 0x7fffffff, 0 };
#undef IEEE
#undef NAN_ONLY
#undef NONE
#undef FNUZ
#undef UNSIGNED
/* clang-format on */

static const struct {
    const fpx_format *format;
    const char *alias; /* ml_dtypes' or numpy's name; NULL: none */
} table[] = {
    { &fpx_e4m3, "float8_e4m3fn" },
    { &fpx_e5m2, "float8_e5m2" },
    { &fpx_e4m3fnuz, "float8_e4m3fnuz" },
    { &fpx_e5m2fnuz, "float8_e5m2fnuz" },
    { &fpx_e4m3b11fnuz, "float8_e4m3b11fnuz" },
    { &fpx_e3m4, "float8_e3m4" },
    { &fpx_ieee_e4m3, "float8_e4m3" },
    { &fpx_e5m6, NULL },
    { &fpx_e3m2, "float6_e3m2fn" },
    { &fpx_e2m3, "float6_e2m3fn" },
    { &fpx_e2m1, "float4_e2m1fn" },
    { &fpx_e1m2, NULL },
    { &fpx_mxint8, NULL },
    { &fpx_e8m0, "float8_e8m0fnu" },
    { &fpx_ue4m3, NULL },
    { &fpx_ue5m3, NULL },
    { &fpx_bf16, "bfloat16" },
    { &fpx_fp16, "float16" },
    { &fpx_tf32, NULL },
    { &fpx_fp32, "float32" },
    { &fpx_fp64, "float64" },
    { &fpx_int32, "int32" },
};

enum { TABLE_LENGTH = sizeof table / sizeof table[0] };

const fpx_format *fpx_format_find(const char *name)
{
    if (name == NULL)
        return NULL;
    for (size_t i = 0; i < TABLE_LENGTH; i++) {
        const char *const alias = table[i].alias;
        if (strcmp(name, table[i].format->name) == 0 || (alias && strcmp(name, alias) == 0))
            return table[i].format;
    }
    return NULL;
}

const fpx_format *fpx_format_at(size_t index)
{
    return index < TABLE_LENGTH ? table[index].format : NULL;
}

const char *fpx_format_alias(const fpx_format *format)
{
    for (size_t i = 0; i < TABLE_LENGTH; i++) {
        if (table[i].alias && fpx_format_equal(format, table[i].format))
            return table[i].alias;
    }
    return format->name;
}

int fpx_format_equal(const fpx_format *a, const fpx_format *b)
{
    return a->cls == b->cls && a->bits == b->bits && a->ebits == b->ebits && a->mbits == b->mbits &&
           a->bias == b->bias && a->specials == b->specials && a->flags == b->flags &&
           a->max_code == b->max_code && a->nan_code == b->nan_code;
}

static int is_valid_integer(const fpx_format *f)
{
    if (f->specials != FPX_SPECIALS_NONE || f->flags != 0 || f->nan_code != 0)
        return 0;
    if (f->cls == FPX_CLASS_INT)
        return f->bits == 32;
    return f->bits >= 2 && f->bits <= 32 && f->mbits < f->bits && f->ebits == 0 && f->bias == 0 &&
           f->max_code == (UINT64_C(1) << (f->bits - 1)) - 1;
}

/* Do the codes above max_code, and the NaN code, mean what specials says? all: the largest magnitude. */
static int specials_fit(const fpx_format *f, uint64_t all)
{
    const int is_unsigned = (f->flags & FPX_FORMAT_UNSIGNED) != 0;

    switch (f->specials) {
    case FPX_SPECIALS_IEEE: /* unsigned P3109 has Inf and one NaN at the very end, at any precision */
        return f->max_code + 1 < f->nan_code && f->nan_code <= all &&
               (f->max_code + 1 == all - fpx_low_mask(f->mbits) ||
                (is_unsigned && f->max_code + 2 == all));
    case FPX_SPECIALS_NAN_ONLY:
        return f->nan_code == f->max_code + 1 && f->nan_code <= all;
    case FPX_SPECIALS_NONE:
        return f->max_code == all && f->nan_code == 0;
    case FPX_SPECIALS_FNUZ:
        return f->max_code == all && f->nan_code == all + 1 && !is_unsigned;
    default:
        return f->max_code + 1 == all && f->nan_code == all + 1 && !is_unsigned;
    }
}

/* A descriptor may come from a file or another process: everything that the arithmetic on codes
 * relies on is checked here. The exponent range must fit float64's, so that values are exact. */
int fpx_format_is_valid(const fpx_format *f)
{
    if (memchr(f->name, '\0', sizeof f->name) == NULL)
        return 0;
    if (f->cls == FPX_CLASS_INT || f->cls == FPX_CLASS_FIXED)
        return is_valid_integer(f);
    if (f->cls != FPX_CLASS_FLOAT || f->specials > FPX_SPECIALS_P3109 ||
        (f->flags & ~(FPX_FORMAT_UNSIGNED | FPX_FORMAT_NO_ZERO)) != 0)
        return 0;

    const int width = f->ebits + f->mbits;
    if (f->ebits > 11 || f->mbits > 52 || width < 1 ||
        f->bits != width + ((f->flags & FPX_FORMAT_UNSIGNED) == 0))
        return 0;

    const uint64_t all = (UINT64_C(1) << width) - 1;
    if (f->max_code < 1 || f->max_code > all)
        return 0;
    const int field = (int)(f->max_code >> f->mbits);
    const int no_zero = (f->flags & FPX_FORMAT_NO_ZERO) != 0;
    if ((field > 1 ? field : 1) - f->bias > 1023 || (no_zero ? 0 : 1) - f->bias - f->mbits < -1074)
        return 0;
    return specials_fit(f, all);
}

size_t fpx_format_size(const fpx_format *format)
{
    if (format->bits <= 8)
        return 1;
    if (format->bits <= 16)
        return 2;
    return format->bits <= 32 ? 4 : 8;
}

double fpx_format_value(const fpx_format *format, uint64_t code)
{
    return fpx_bits_f64(fpx_fields_f64(fpx_fields_of(format, code)));
}

double fpx_format_max(const fpx_format *format)
{
    return fpx_format_value(format, format->max_code);
}
