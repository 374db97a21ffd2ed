/* kernelcheck_stream.c - rows for Philox: any first block and number of blocks, and a count that carries from the
 * lower word into the upper one in the middle of a vector. */
#include <stdlib.h>
#include <string.h>

#include "convert_kernels.h"
#include "kernelcheck.h"

static const uint64_t firsts[] = {
    0, 1, 5, 0xfffffff0, 0xfffffffb, 0xffffffff, 0x100000000, 0x123456789abcdef, 0xffffffffffffffbb
};

enum { FIRSTS = sizeof firsts / sizeof firsts[0] };

static size_t check_once(const kc_row *row, fpx_philox_fn *kernel, uint64_t first, size_t n,
                         size_t bad)
{
    static const uint32_t key[2] = { 0xa4093822, 0x299f31d0 };
    static const uint32_t where[2] = { 0x13198a2e, 0x03707344 };
    kc_buffer dst = kc_buffer_new(16 * n, n % 16 * 4);
    uint32_t want[4 * KC_LONGEST];
    size_t found = 0;

    fpx_philox_scalar(key, where, first, want, n);
    kernel(key, where, first, (uint32_t *)(void *)dst.data, n);
    if (memcmp(dst.data, want, 16 * n) != 0)
        kc_differ(row, bad + found++, "%zu blocks from %llx differ", n, (unsigned long long)first);
    if (!kc_buffer_intact(&dst))
        kc_differ(row, bad + found++, "n %zu: wrote outside its buffer", n);
    kc_buffer_free(&dst);
    return found;
}

static size_t check(const kc_row *row, fpx_cpu_level level)
{
    fpx_philox_fn *const kernel = fpx_convert_kernels_for(level)->philox;
    size_t bad = 0;

    for (size_t f = 0; f < FIRSTS; f++)
        for (size_t n = 0; n <= KC_LONGEST; n++)
            bad += check_once(row, kernel, firsts[f], n, bad);
    return bad;
}

static const char *generator(const kc_row *row, fpx_cpu_level level)
{
    const fpx_convert_kernels *const kernels = fpx_convert_kernels_for(level);

    (void)row;
    return kernels->philox == fpx_philox_scalar ? "scalar" : kernels->name;
}

/* An element is a word. */
static void bench(const kc_row *row, fpx_cpu_level level, const void *src, void *dst, size_t n)
{
    static const uint32_t zero[2] = { 0, 0 };

    (void)row;
    (void)src;
    fpx_convert_kernels_for(level)->philox(zero, zero, 0, dst, n / 4);
}

const kc_row kc_rows_stream[] = {
    { "philox4x32-10/words", 0, check, bench, 0, 4, generator },
    { 0 },
};
