/* mma_draw.h - operands for tests of matrix units: formats of a preset, codes in kinds of data, each made for a limit of the
 * kernels. */
#ifndef FPX_MMA_DRAW_H
#define FPX_MMA_DRAW_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/format.h>
#include <fpx/mma.h>
#include <fpx/tensor.h>

static uint64_t state;

static uint64_t next(void) /* SplitMix64 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(size_t n)
{
    return (size_t)(next() % n);
}

static size_t between(size_t least, size_t most)
{
    return least + below(most - least + 1);
}

/* How codes are drawn. Exponent fields lie in a window of this width; its place is random where `anywhere`, else the
 * middle of the format. */
static const struct kind {
    const char *name;
    unsigned width;
    int anywhere;             /* 2: among the least fields */
    int ones;                 /* 1: fractions of ones, 2: also all signs positive */
    unsigned zeros, specials; /* of 256 */
    int pairs;                /* k odd: the same in A, the negative in B: sums cancel */
} kinds[] = {
    { "usual", 6, 0, 0, 2, 0, 0 },       { "any code", 255, 1, 0, 0, 4, 0 },
    { "finite", 255, 1, 0, 8, 0, 0 },    { "narrow", 3, 1, 0, 0, 0, 0 },
    { "wide", 40, 1, 0, 4, 0, 0 },       { "sparse", 8, 1, 0, 200, 0, 0 },
    { "full", 1, 0, 2, 0, 0, 0 },        { "full, signed", 2, 1, 1, 0, 0, 0 },
    { "cancelling", 12, 1, 0, 2, 0, 1 }, { "specials", 6, 0, 0, 2, 3, 0 },
    { "zeros", 1, 0, 0, 256, 0, 0 },     { "few specials", 30, 1, 0, 2, 1, 0 },
    { "tiny", 3, 2, 0, 100, 0, 0 },      { "small", 12, 2, 0, 30, 0, 0 },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static unsigned field_max(const fpx_format *f)
{
    return (unsigned)(f->max_code >> f->mbits);
}

/* The least field of a window. */
static unsigned window_of(const fpx_format *f, const struct kind *kind)
{
    const unsigned most = field_max(f);

    if (kind->anywhere)
        return (unsigned)below(kind->anywhere == 2 ? 3 : most + 1);
    return most / 2;
}

static uint64_t code_of(const fpx_format *f, const struct kind *kind, unsigned window)
{
    const uint64_t sign = kind->ones == 2 ? 0 : (next() & 1) << (f->bits - 1);
    const unsigned most = field_max(f);
    const unsigned half = kind->width / 2;
    const unsigned low = window > half ? window - half : 0;
    const uint64_t field = low + below(kind->width);
    const uint64_t ones = (UINT64_C(1) << f->mbits) - 1;
    uint64_t magnitude = (field > most ? most : field) << f->mbits;

    if (below(256) < kind->zeros)
        return sign;
    if (below(256) < kind->specials) {
        if (f->specials == FPX_SPECIALS_IEEE)
            return sign | (f->max_code + 1 + (below(2) ? below(1 + ones / 2) : 0));
        return f->nan_code == 0 ? sign : f->nan_code;
    }
    magnitude |= kind->ones ? ones : next() & ones;
    return sign | (magnitude > f->max_code ? f->max_code : magnitude);
}

static void put(const fpx_format *f, int packing, void *codes, size_t at, uint64_t code)
{
    unsigned char *const bytes = codes;
    const size_t size = fpx_format_size(f);

    if (packing == FPX_PACK_DENSE) {
        const unsigned shift = at % 2 * 4;
        bytes[at / 2] =
            (unsigned char)((bytes[at / 2] & ~(15u << shift)) | (unsigned)code << shift);
        return;
    }
    for (size_t b = 0; b < size; b++)
        bytes[at * size + b] = (unsigned char)(code >> 8 * b);
}

/* A format of the preset's list, of any where it has none; NULL: it has no such format. */
static const fpx_format *input_of(const fpx_mma_preset *p)
{
    static const fpx_format *const any[] = { &fpx_fp16, &fpx_bf16,     &fpx_e4m3,     &fpx_e5m2,
                                             &fpx_e2m1, &fpx_e3m2,     &fpx_e2m3,     &fpx_tf32,
                                             &fpx_fp32, &fpx_e4m3fnuz, &fpx_e5m2fnuz, &fpx_fp64 };
    enum { ANY = sizeof any / sizeof any[0] };
    const size_t start = below(ANY);

    for (size_t i = 0; i < ANY; i++) {
        const fpx_format *const f = any[(start + i) % ANY];
        if (fpx_mma_preset_takes(p, f, f))
            return f;
    }
    return NULL;
}

/* "e8m0/32 ue4m3/16": one of them. */
static const fpx_format *scale_of(const char *list, size_t *ret_block)
{
    const char *at = list;
    char name[FPX_FORMAT_NAME_MAX] = { 0 };

    for (size_t skip = below(3); skip > 0 && strchr(at, ' ') != NULL; skip--)
        at = strchr(at, ' ') + 1;
    memcpy(name, at, strcspn(at, "/"));
    *ret_block = (size_t)strtoul(strchr(at, '/') + 1, NULL, 10);
    return fpx_format_find(name);
}

#endif /* FPX_MMA_DRAW_H */
