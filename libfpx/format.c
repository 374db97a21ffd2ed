/* format.c - the format table as data, and what one code means. Values are assembled from integer
 * fields, so neither rounding mode nor FTZ/DAZ can touch them: the judge of every decoder. */
#include <string.h>

#include <fpx/format.h>

#include "format_bits.h"

/* Name, class, bits, ebits, mbits, bias, specials, reserved, max_code, nan_code. The quiet NaN of e5m2 is
 * 0x7e as in ml_dtypes and CUDA's double path; CUDA's float path writes 0x7f. */
/* clang-format off */
const fpx_format fpx_e4m3 = { "e4m3", FPX_CLASS_FLOAT, 8, 4, 3, 7, FPX_SPECIALS_NAN_ONLY, 0, 0x7e, 0x7f };
const fpx_format fpx_e5m2 = { "e5m2", FPX_CLASS_FLOAT, 8, 5, 2, 15, FPX_SPECIALS_IEEE, 0, 0x7b, 0x7e };
const fpx_format fpx_e2m1 = { "e2m1", FPX_CLASS_FLOAT, 4, 2, 1, 1, FPX_SPECIALS_NONE, 0, 0x7, 0 };
const fpx_format fpx_bf16 = { "bf16", FPX_CLASS_FLOAT, 16, 8, 7, 127, FPX_SPECIALS_IEEE, 0, 0x7f7f, 0x7fc0 };
const fpx_format fpx_fp16 = { "fp16", FPX_CLASS_FLOAT, 16, 5, 10, 15, FPX_SPECIALS_IEEE, 0, 0x7bff, 0x7e00 };
const fpx_format fpx_fp32 = { "fp32", FPX_CLASS_FLOAT, 32, 8, 23, 127, FPX_SPECIALS_IEEE, 0, 0x7f7fffff, 0x7fc00000 };
const fpx_format fpx_fp64 = { "fp64", FPX_CLASS_FLOAT, 64, 11, 52, 1023, FPX_SPECIALS_IEEE, 0, 0x7fefffffffffffff, 0x7ff8000000000000 };
const fpx_format fpx_int32 = { "int32", FPX_CLASS_INT, 32, 0, 0, 0, FPX_SPECIALS_NONE, 0, 0x7fffffff, 0 };
/* clang-format on */

static const struct {
    const fpx_format *format;
    const char *alias; /* ml_dtypes' or numpy's name */
} table[] = {
    { &fpx_e4m3, "float8_e4m3fn" }, { &fpx_e5m2, "float8_e5m2" }, { &fpx_e2m1, "float4_e2m1fn" },
    { &fpx_bf16, "bfloat16" },      { &fpx_fp16, "float16" },     { &fpx_fp32, "float32" },
    { &fpx_fp64, "float64" },       { &fpx_int32, "int32" },
};

enum { TABLE_LENGTH = sizeof table / sizeof table[0] };

const fpx_format *fpx_format_find(const char *name)
{
    if (name == NULL)
        return NULL;
    for (size_t i = 0; i < TABLE_LENGTH; i++) {
        if (strcmp(name, table[i].format->name) == 0 || strcmp(name, table[i].alias) == 0)
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
        if (fpx_format_equal(format, table[i].format))
            return table[i].alias;
    }
    return format->name;
}

int fpx_format_equal(const fpx_format *a, const fpx_format *b)
{
    return a->cls == b->cls && a->bits == b->bits && a->ebits == b->ebits && a->mbits == b->mbits &&
           a->bias == b->bias && a->specials == b->specials && a->max_code == b->max_code &&
           a->nan_code == b->nan_code;
}

/* A descriptor may come from a file or another process: everything that the arithmetic on codes
 * relies on is checked here. The exponent range must fit float64's, so that values are exact. */
int fpx_format_is_valid(const fpx_format *f)
{
    if (memchr(f->name, '\0', sizeof f->name) == NULL)
        return 0;
    if (f->cls == FPX_CLASS_INT)
        return f->bits == 32;
    if (f->cls != FPX_CLASS_FLOAT || f->specials > FPX_SPECIALS_NONE)
        return 0;
    if (f->ebits < 2 || f->ebits > 11 || f->mbits < 1 || f->mbits > 52 ||
        f->bits != 1 + f->ebits + f->mbits)
        return 0;

    const uint64_t infinity = ((UINT64_C(1) << f->ebits) - 1) << f->mbits;
    const uint64_t all = infinity | ((UINT64_C(1) << f->mbits) - 1);
    const int emax = (int)((f->max_code >> f->mbits) & 0x7ff) - f->bias;

    if (f->max_code > all || f->bias < 1 || f->bias > 1023 || emax > 1023)
        return 0;
    switch (f->specials) {
    case FPX_SPECIALS_IEEE:
        return f->max_code == infinity - 1 && f->nan_code > infinity && f->nan_code <= all;
    case FPX_SPECIALS_NAN_ONLY:
        return f->nan_code == f->max_code + 1 && f->nan_code <= all;
    default:
        return f->max_code == all && f->nan_code == 0;
    }
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
    if (format->cls == FPX_CLASS_INT)
        return (double)fpx_code_integer(code);
    return fpx_bits_f64(fpx_fields_f64(fpx_fields_of(format, code)));
}

double fpx_format_max(const fpx_format *format)
{
    return fpx_format_value(format, format->max_code);
}
