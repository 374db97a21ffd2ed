/* format_bits.h - a number taken apart, value = (-1)^negative * m * 2^q, by integer arithmetic only.
 * Shared by format.c, convert.c and metric.c; the steps are those of the IEEE 754-2019 definitions. */
#ifndef FPX_FORMAT_BITS_H
#define FPX_FORMAT_BITS_H

#include <stdint.h>
#include <string.h>

#include <fpx/format.h>

enum fpx_kind { FPX_KIND_FINITE, FPX_KIND_INF, FPX_KIND_NAN };

typedef struct fpx_fields {
    enum fpx_kind kind;
    int negative;
    uint64_t m; /* below 2^53; 0 is a zero */
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

static inline int32_t fpx_code_integer(uint64_t code)
{
    const uint32_t u = (uint32_t)code;
    int32_t value;
    memcpy(&value, &u, sizeof value);
    return value;
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

static inline fpx_fields fpx_fields_of(const fpx_format *f, uint64_t code)
{
    const int width = f->ebits + f->mbits;
    const uint64_t magnitude = code & ((UINT64_C(1) << width) - 1);
    const uint64_t fraction = magnitude & ((UINT64_C(1) << f->mbits) - 1);
    const int e = (int)(magnitude >> f->mbits);
    fpx_fields out = { FPX_KIND_FINITE, (int)((code >> width) & 1), 0, 0 };

    if (f->specials != FPX_SPECIALS_NONE && magnitude > f->max_code) {
        const int inf = f->specials == FPX_SPECIALS_IEEE && magnitude == f->max_code + 1;
        out.kind = inf ? FPX_KIND_INF : FPX_KIND_NAN;
        return out;
    }
    out.m = e == 0 ? fraction : fraction | (UINT64_C(1) << f->mbits);
    out.q = (e == 0 ? 1 : e) - f->bias - f->mbits;
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
