/* kernelcheck_reduce.c - rows for sums, dot products, maxima and trees: ordinary values of mixed size,
 * where another order of addition would show, then subnormals, and specials. */
#include <stdlib.h>
#include <string.h>

#include <fpx/reduce.h>

#include "kernelcheck.h"

/* Every reduction of n elements of x and y as the bits of its result. */
static uint64_t of_f32(float value)
{
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64_t of_f64(double value)
{
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64_t sum_f32(fpx_cpu_level level, const void *x, const void *y, size_t n)
{
    (void)y;
    return of_f32(fpx_sum_f32(level, x, n));
}

static uint64_t sum_f64(fpx_cpu_level level, const void *x, const void *y, size_t n)
{
    (void)y;
    return of_f64(fpx_sum_f64(level, x, n));
}

static uint64_t dot_f32(fpx_cpu_level level, const void *x, const void *y, size_t n)
{
    return of_f32(fpx_dot_f32(level, x, y, n));
}

static uint64_t dot_f64(fpx_cpu_level level, const void *x, const void *y, size_t n)
{
    return of_f64(fpx_dot_f64(level, x, y, n));
}

static uint64_t sumsq_f32(fpx_cpu_level level, const void *x, const void *y, size_t n)
{
    (void)y;
    return of_f64(fpx_sumsq_f32(level, x, n));
}

static uint64_t amax_f32(fpx_cpu_level level, const void *x, const void *y, size_t n)
{
    (void)y;
    return of_f32(fpx_amax_f32(level, x, n));
}

static uint64_t amax_f64(fpx_cpu_level level, const void *x, const void *y, size_t n)
{
    (void)y;
    return of_f64(fpx_amax_f64(level, x, n));
}

typedef uint64_t reduction(fpx_cpu_level level, const void *x, const void *y, size_t n);

static const struct {
    reduction *reduce;
    size_t width;
} reductions[] = {
    { sum_f32, 4 },   { sum_f64, 8 },  { dot_f32, 4 },  { dot_f64, 8 },
    { sumsq_f32, 4 }, { amax_f32, 4 }, { amax_f64, 8 },
};

enum { ELEMENTS = 4099, CLASSES = 4 };

/* class 0: exponents -10 .. 9; 1: subnormals; 2: class 0 with one NaN or Inf; 3: any bits. */
static void fill(unsigned char *x, size_t width, size_t n, int class, uint64_t seed)
{
    uint64_t state = seed;

    for (size_t i = 0; i < n; i++) {
        const uint64_t r = kc_random(&state);
        const uint64_t wide[3] = { 1013 + (r >> 52 & 0x7ff) % 20, 0, 1023 };
        const uint64_t narrow[3] = { 117 + (r >> 52 & 0x7ff) % 20, 0, 127 };
        uint64_t u64 = (r & UINT64_C(0x800fffffffffffff)) | wide[class % 3 == 2 ? 0 : class % 3]
                                                                << 52;
        uint32_t u32 =
            (uint32_t)(r & 0x807fffffu) | (uint32_t)narrow[class % 3 == 2 ? 0 : class % 3] << 23;
        if (class == 2 && i == seed % n) {
            u64 = (seed & 1) ? UINT64_C(0xfff0000000000000) : UINT64_C(0x7ff4000000000001);
            u32 = (seed & 1) ? 0xff800000u : 0xffa00001u;
        }
        if (class == 3) {
            u64 = r;
            u32 = (uint32_t)r;
        }
        memcpy(x + i * width, width == 4 ? (const void *)&u32 : (const void *)&u64, width);
    }
}

static size_t check(const kc_row *row, fpx_cpu_level level)
{
    const size_t width = reductions[row->param].width;
    size_t bad = 0;

    for (size_t k = 0; k <= KC_LONGEST + 3; k++) {
        const size_t n = k <= KC_LONGEST ? k : (size_t)ELEMENTS - 5 * (k - KC_LONGEST);
        for (int class = 0; class < CLASSES; class ++) {
            kc_buffer x = kc_buffer_new(n * width, k % 16 * width);
            kc_buffer y = kc_buffer_new(n * width, k % 5 * width);
            fill(x.data, width, n, class, k + 1);
            fill(y.data, width, n, 0, k + 1000);
            const uint64_t want = reductions[row->param].reduce(FPX_CPU_SCALAR, x.data, y.data, n);
            const uint64_t got = reductions[row->param].reduce(level, x.data, y.data, n);
            if (got != want)
                kc_differ(row, bad++, "class %d, n %zu: %llx, not %llx", class, n,
                          (unsigned long long)got, (unsigned long long)want);
            if (!kc_buffer_intact(&x) || !kc_buffer_intact(&y))
                kc_differ(row, bad++, "n %zu: wrote outside its buffers", n);
            kc_buffer_free(&x);
            kc_buffer_free(&y);
        }
    }
    return bad;
}

static void bench(const kc_row *row, fpx_cpu_level level, const void *src, void *dst, size_t n)
{
    const uint64_t bits = reductions[row->param].reduce(level, src, src, n);

    memcpy(dst, &bits, sizeof bits);
}

/* Trees combine rows in place: param is the width of an element. */
static size_t check_tree(const kc_row *row, fpx_cpu_level level)
{
    const size_t width = row->param;
    size_t bad = 0;

    for (size_t leaves = 1; leaves <= 19; leaves++) {
        for (size_t n = 0; n <= 35; n += leaves % 3 + 1) {
            kc_buffer want = kc_buffer_new(leaves * n * width, 0);
            kc_buffer got = kc_buffer_new(leaves * n * width, n % 16 * width);
            if (n > 0)
                fill(want.data, width, leaves * n, (int)(n % CLASSES), leaves * 100 + n);
            memcpy(got.data, want.data, leaves * n * width);
            if (width == 4) {
                fpx_tree_f32(FPX_CPU_SCALAR, (float *)(void *)want.data, leaves, n);
                fpx_tree_f32(level, (float *)(void *)got.data, leaves, n);
            } else {
                fpx_tree_f64(FPX_CPU_SCALAR, (double *)(void *)want.data, leaves, n);
                fpx_tree_f64(level, (double *)(void *)got.data, leaves, n);
            }
            if (memcmp(want.data, got.data, n * width) != 0)
                kc_differ(row, bad++, "%zu leaves of %zu differ", leaves, n);
            if (!kc_buffer_intact(&got))
                kc_differ(row, bad++, "%zu leaves of %zu: wrote outside", leaves, n);
            kc_buffer_free(&want);
            kc_buffer_free(&got);
        }
    }
    return bad;
}

#define ROW(NAME, INDEX, BYTES)                                                                    \
    {                                                                                              \
        NAME, INDEX, check, bench, BYTES, 0, kc_two_levels                                         \
    }

const kc_row kc_rows_reduce[] = {
    ROW("sum_f32", 0, 4),
    ROW("sum_f64", 1, 8),
    ROW("dot_f32", 2, 4), /* the bench multiplies an array by itself */
    ROW("dot_f64", 3, 8),
    ROW("sumsq_f32", 4, 4),
    ROW("amax_f32", 5, 4),
    ROW("amax_f64", 6, 8),
    { "tree_f32", 4, check_tree, NULL, 0, 0, kc_two_levels },
    { "tree_f64", 8, check_tree, NULL, 0, 0, kc_two_levels },
    { 0 },
};
