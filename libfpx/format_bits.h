/* format_bits.h - a number taken apart, value = (-1)^negative * m * 2^q, by integer arithmetic only; the
 * steps are those of the IEEE 754-2019 definitions. */
#ifndef FPX_FORMAT_BITS_H
#define FPX_FORMAT_BITS_H

#include <stdint.h>
#include <string.h>

#include <fpx/format.h>

enum fpx_kind { FPX_KIND_FINITE, FPX_KIND_INF, FPX_KIND_NAN };

typedef struct fpx_fields {
    enum fpx_kind kind;
    int negative;
    uint64_t m; /* 0 is a zero; below 2^53 where it comes from a code */
    int q;
} fpx_fields;

static inline uint32_t fpx_f32_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline float fpx_bits_f32(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline uint64_t fpx_f64_bits(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static inline double fpx_bits_f64(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Position of the highest set bit; u must not be 0. */
static inline int fpx_top_bit(uint64_t u)
{
#ifdef __GNUC__
    return 63 - __builtin_clzll(u);
#else
    int top = 0;
    for (int step = 32; step > 0; step >>= 1) {
        if (u >> step != 0) {
            u >>= step;
            top += step;
        }
    }
    return top;
#endif
}

/* Bits of a code without its sign. */
static inline int fpx_magnitude_width(const fpx_format *f)
{
    return f->cls == FPX_CLASS_FLOAT ? f->ebits + f->mbits : f->bits - 1;
}

static inline uint64_t fpx_low_mask(int bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

/* Two's complement; a FIXED has mbits bits after its point, an INT none. */
static inline fpx_fields fpx_integer_fields(const fpx_format *f, uint64_t code)
{
    const uint64_t all = fpx_low_mask(f->bits);
    const int negative = (int)((code >> (f->bits - 1)) & 1);
    const fpx_fields out = { FPX_KIND_FINITE, negative,
                             negative ? (UINT64_C(0) - code) & all : code & all,
                             f->cls == FPX_CLASS_FIXED ? -f->mbits : 0 };

    return out;
}

static inline fpx_fields fpx_fields_of(const fpx_format *f, uint64_t code)
{
    if (f->cls != FPX_CLASS_FLOAT)
        return fpx_integer_fields(f, code);

    const int width = f->ebits + f->mbits;
    const uint64_t magnitude = code & fpx_low_mask(width);
    const uint64_t fraction = magnitude & fpx_low_mask(f->mbits);
    const int e = (int)(magnitude >> f->mbits);
    const int is_signed = (f->flags & FPX_FORMAT_UNSIGNED) == 0;
    const int has_zero = (f->flags & FPX_FORMAT_NO_ZERO) == 0;
    fpx_fields out = { FPX_KIND_FINITE, is_signed && ((code >> width) & 1) != 0, 0, 0 };

    if (magnitude > f->max_code) {
        const int has_inf = f->specials == FPX_SPECIALS_IEEE || f->specials == FPX_SPECIALS_P3109;
        out.kind = has_inf && magnitude == f->max_code + 1 ? FPX_KIND_INF : FPX_KIND_NAN;
        return out;
    }
    if (f->specials >= FPX_SPECIALS_FNUZ && magnitude == 0 && out.negative) {
        out.kind = FPX_KIND_NAN; /* one NaN, without a sign of its own */
        out.negative = 0;
        return out;
    }
    if (e == 0 && has_zero) {
        out.m = fraction;
        out.q = 1 - f->bias - f->mbits;
    } else {
        out.m = fraction | (UINT64_C(1) << f->mbits);
        out.q = e - f->bias - f->mbits;
    }
    return out;
}

/* The float64 with these fields, which must be representable in it. */
static inline uint64_t fpx_fields_f64(fpx_fields x)
{
    const uint64_t sign = x.negative ? UINT64_C(1) << 63 : 0;

    if (x.kind == FPX_KIND_NAN)
        return sign | UINT64_C(0x7ff8000000000000);
    if (x.kind == FPX_KIND_INF)
        return sign | UINT64_C(0x7ff0000000000000);
    if (x.m == 0)
        return sign;

    const int top = fpx_top_bit(x.m);
    const int e = top + x.q;
    if (e < -1022)
        return sign | (x.m << (x.q + 1074));
    return sign | (((uint64_t)(e + 1022) << 52) + (x.m << (52 - top)));
}

#endif /* FPX_FORMAT_BITS_H */
