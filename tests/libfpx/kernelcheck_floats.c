/* kernelcheck_floats.c - inputs at which a conversion can go wrong: every code's value and every midpoint of neighbours,
 * each with the floats one and two steps beside it, the specials, and random bits. */
#include "kernelcheck_floats.h"

#include <stdlib.h>

#include "format_bits.h"
#include "kernelcheck.h"

static const uint32_t specials[] = {
    0x00000000, 0x00000001, 0x00000002, 0x003fffff, 0x00400000, 0x007fffff, 0x00800000,
    0x00800001, 0x007f8000, 0x00008000, 0x00018000, 0x00007fff, 0x3f7fffff, 0x3f800000,
    0x3f800001, 0x7f000000, 0x7f7f7fff, 0x7f7f8000, 0x7f7f8001, 0x7f7fffff, 0x7f800000,
    0x7f800001, 0x7fbfffff, 0x7fc00000, 0x7fc00001, 0x7fffffff,
};

enum { SPECIALS = sizeof specials / sizeof specials[0], RANDOMS = 2048 };

/* Float bits around each threshold of a format, both signs; returns their number. Formats with more
 * than 2^12 codes are sampled by an odd step. */
static size_t thresholds(const fpx_format *f, uint32_t *out, size_t room)
{
    const uint64_t codes = f->max_code;
    const uint64_t step = codes < 4096 ? 1 : codes / 2048 | 1;
    size_t n = 0;

    for (uint64_t code = 0; code <= codes && n + 20 < room; code += step) {
        /* The midpoint of a format of at most 22 fraction bits is a float32. */
        const double low = fpx_format_value(f, code);
        const double high = code < codes ? fpx_format_value(f, code + 1) : 2 * low;
        const float points[2] = { (float)low, (float)(0.5 * low + 0.5 * high) };
        for (int p = 0; p < 2; p++) {
            for (uint32_t d = 0; d < 5; d++) {
                const uint32_t u = fpx_f32_bits(points[p]) + d - 2;
                out[n++] = u & 0x7fffffffu;
                out[n++] = u | 0x80000000u;
            }
        }
    }
    return n;
}

float *kc_floats_new(const fpx_format *f, size_t *ret_n)
{
    const size_t room = 2 * SPECIALS + 20 * 4200 + RANDOMS;
    uint32_t *const bits = malloc(room * sizeof *bits);
    uint64_t state = 42;

    if (bits == NULL)
        abort();
    size_t n = thresholds(f, bits, 20 * 4200);
    for (size_t i = 0; i < SPECIALS; i++) {
        bits[n++] = specials[i];
        bits[n++] = specials[i] | 0x80000000u;
    }
    for (size_t i = 0; i < RANDOMS; i++)
        bits[n++] = (uint32_t)kc_random(&state);
    *ret_n = n;
    return (float *)(void *)bits;
}

size_t kc_floats_thin(float *x, size_t n, size_t step)
{
    const size_t first_special = n - RANDOMS - 2 * SPECIALS;
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (i % step == 0 || (i >= first_special && i < n - RANDOMS))
            x[kept++] = x[i];
    return kept;
}
