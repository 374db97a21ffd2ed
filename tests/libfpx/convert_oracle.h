/* convert_oracle.h - what encoding must give, from another principle than the library: the values of a
 * format's codes in rising order and the midpoints between them, all exact in float64. A magnitude
 * goes to code c where it lies between two midpoints, and at a midpoint to the even neighbour.
 * Parameters are written out anew here, from the specifications, not taken from the descriptors. */
#ifndef FPX_CONVERT_ORACLE_H
#define FPX_CONVERT_ORACLE_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <fpx/convert.h>

typedef struct oracle_format {
    const fpx_format *format;
    int ebits, mbits, bias;
    uint32_t max_code;
    uint32_t above; /* code of overflow without saturation */
    uint32_t nan;   /* sign 0 */
    int nan_signed; /* whether a NaN keeps its sign */
    uint32_t sign;  /* the sign bit of a code */
} oracle_format;

static const oracle_format oracle_formats[] = {
    { &fpx_e4m3, 4, 3, 7, 0x7e, 0x7f, 0x7f, 1, 0x80 },
    { &fpx_e5m2, 5, 2, 15, 0x7b, 0x7c, 0x7e, 1, 0x80 },
    { &fpx_e2m1, 2, 1, 1, 0x7, 0x7, 0x7, 0, 0x8 },
    { &fpx_bf16, 8, 7, 127, 0x7f7f, 0x7f80, 0x7fc0, 1, 0x8000 },
    { &fpx_fp16, 5, 10, 15, 0x7bff, 0x7c00, 0x7e00, 1, 0x8000 },
};

enum { ORACLE_FORMATS = sizeof oracle_formats / sizeof oracle_formats[0] };

/* |value| of a magnitude code; max_code + 1 is the next step of the grid, whatever the format says. */
static inline double oracle_value(const oracle_format *o, uint32_t code)
{
    const uint32_t fraction = code & ((1u << o->mbits) - 1);
    const int e = (int)(code >> o->mbits);

    return e == 0 ? ldexp((double)fraction, 1 - o->bias - o->mbits)
                  : ldexp((double)(fraction + (1u << o->mbits)), e - o->bias - o->mbits);
}

/* The midpoint between a code and the next. */
static inline double oracle_midpoint(const oracle_format *o, uint32_t code)
{
    return 0.5 * (oracle_value(o, code) + oracle_value(o, code + 1));
}

/* The magnitude code of x >= 0, max_code + 1 standing for overflow, by bisection over midpoints. */
static inline uint32_t oracle_magnitude(const oracle_format *o, double x)
{
    uint32_t low = 0;                /* code <= the answer */
    uint32_t high = o->max_code + 1; /* code >= the answer */

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const double m = oracle_midpoint(o, middle);
        if (x > m || (x == m && (middle & 1) != 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static inline uint32_t oracle_finish(const oracle_format *o, int overflow, uint32_t magnitude)
{
    if (magnitude <= o->max_code)
        return magnitude;
    return overflow == FPX_SATFINITE ? o->max_code : o->above;
}

static inline uint32_t oracle_encode(const oracle_format *o, int overflow, double x)
{
    const uint32_t sign = signbit(x) ? o->sign : 0;

    if (isnan(x))
        return o->nan_signed ? o->nan | sign : o->nan;
    return oracle_finish(o, overflow, oracle_magnitude(o, fabs(x))) | sign;
}

static inline fpx_conversion oracle_conversion(const oracle_format *o, int overflow)
{
    fpx_conversion c = { .round = FPX_RNE, .overflow = (uint8_t)overflow };

    c.format = *o->format;
    return c;
}

/* FPX_TEST_EFFORT: 1 by default, larger looks at more. */
static inline size_t oracle_effort(void)
{
    const char *const text = getenv("FPX_TEST_EFFORT");
    const long effort = text == NULL ? 1 : strtol(text, NULL, 10);

    return effort < 1 ? 1 : (size_t)effort;
}

#endif /* FPX_CONVERT_ORACLE_H */
