/* kernelcheck_elemfn.c - rows for the arrays of elementary functions: specials, every exponent, and
 * arguments where the functions are neither 0, 1 nor overflowing. */
#include <stdlib.h>
#include <string.h>

#include <fpx/elemfn.h>

#include "kernelcheck.h"

typedef void f32_array(fpx_cpu_level level, const float *x, float *y, size_t n);
typedef void f64_array(fpx_cpu_level level, const double *x, double *y, size_t n);

static const struct {
    f32_array *f32;
    f64_array *f64;
} functions[] = {
    { fpx_exp_f32_array, NULL },
    { fpx_tanh_f32_array, NULL },
    { NULL, fpx_exp_f64_array },
    { NULL, fpx_tanh_f64_array },
};

enum { INPUTS = 20000 };

static size_t width_of(const kc_row *row)
{
    return functions[row->param].f32 != NULL ? 4 : 8;
}

static void run(const kc_row *row, fpx_cpu_level level, const void *x, void *y, size_t n)
{
    if (functions[row->param].f32 != NULL)
        functions[row->param].f32(level, x, y, n);
    else
        functions[row->param].f64(level, x, y, n);
}

/* Bit patterns: an eighth specials and random bits, else random with an exponent in -40 .. 11. */
static void fill(unsigned char *x, size_t width)
{
    static const uint64_t f64_specials[] = { 0, 1, 0x7ff, 0x7fe };
    uint64_t state = 17;

    for (size_t i = 0; i < INPUTS; i++) {
        const uint64_t r = kc_random(&state);
        const uint64_t sign = r >> 63;
        const uint64_t field = i % 8 == 0   ? f64_specials[r >> 3 & 3]
                               : i % 8 == 1 ? r >> 52 & 0x7ff
                                            : 1023 - 40 + (r >> 52 & 0x7ff) % 52;
        const uint64_t fraction = (r & 7) == 0 ? 0 : r & ((UINT64_C(1) << 52) - 1);
        const uint64_t u64 = sign << 63 | field << 52 | fraction;
        const uint64_t narrow = field == 0x7ff       ? 255
                                : field < 1023 - 126 ? 0
                                : field > 1023 + 127 ? 254
                                                     : field - 1023 + 127;
        const uint32_t u32 = (uint32_t)(sign << 31 | narrow << 23 | fraction >> 29);
        memcpy(x + i * width, width == 4 ? (const void *)&u32 : (const void *)&u64, width);
    }
}

static size_t run_once(const kc_row *row, fpx_cpu_level level, const unsigned char *x, size_t n,
                       size_t misalign, const unsigned char *want, size_t bad)
{
    const size_t width = width_of(row);
    kc_buffer src = kc_buffer_new(n * width, misalign * width);
    kc_buffer dst = kc_buffer_new(n * width, misalign * 3 * width);
    size_t found = 0;

    memcpy(src.data, x, n * width);
    for (int in_place = 0; in_place < 2; in_place++) {
        kc_buffer *const out = in_place ? &src : &dst;
        run(row, level, src.data, out->data, n);
        for (size_t i = 0; i < n; i++) {
            uint64_t at = 0;
            memcpy(&at, x + i * width, width);
            if (memcmp(out->data + i * width, want + i * width, width) != 0)
                kc_differ(row, bad + found++, "n %zu, [%zu] of %llx differs%s", n, i,
                          (unsigned long long)at, in_place ? " in place" : "");
        }
    }
    if (!kc_buffer_intact(&src) || !kc_buffer_intact(&dst))
        kc_differ(row, bad + found++, "n %zu: wrote outside its buffer", n);
    kc_buffer_free(&src);
    kc_buffer_free(&dst);
    return found;
}

static size_t check(const kc_row *row, fpx_cpu_level level)
{
    const size_t width = width_of(row);
    unsigned char *const x = malloc(INPUTS * width);
    unsigned char *const want = malloc(INPUTS * width);

    if (x == NULL || want == NULL)
        abort();
    fill(x, width);
    run(row, FPX_CPU_SCALAR, x, want, INPUTS);
    size_t bad = run_once(row, level, x, INPUTS, 0, want, 0);
    for (size_t length = 0; length <= KC_LONGEST; length++) {
        const size_t at = length * 131 % (INPUTS - KC_LONGEST);
        bad += run_once(row, level, x + at * width, length, length % 8, want + at * width, bad);
    }
    free(x);
    free(want);
    return bad;
}

static void bench(const kc_row *row, fpx_cpu_level level, const void *src, void *dst, size_t n)
{
    run(row, level, src, dst, n);
}

#define ROW(NAME, INDEX, BYTES)                                                                    \
    {                                                                                              \
        NAME, INDEX, check, bench, BYTES, BYTES, kc_two_levels                                     \
    }

const kc_row kc_rows_elemfn[] = {
    ROW("exp_f32", 0, 4), ROW("tanh_f32", 1, 4), ROW("exp_f64", 2, 8), ROW("tanh_f64", 3, 8), { 0 },
};
