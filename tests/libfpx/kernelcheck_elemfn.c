/* kernelcheck_elemfn.c - rows for the arrays of elementary functions: specials, every exponent, and
 * arguments where the functions are neither 0, 1 nor overflowing. */
#include <stdlib.h>
#include <string.h>

#include <fpx/elemfn.h>

#include "kernelcheck.h"

/* A row's param: a function of float32, or one of these. */
enum { EXP_F64 = FPX_ELEMFN_COUNT, TANH_F64, LOG_F64 };
enum { INPUTS = 20000 };

static size_t width_of(const kc_row *row)
{
    return row->param < FPX_ELEMFN_COUNT ? 4 : 8;
}

static void run(const kc_row *row, fpx_cpu_level level, const void *x, void *y, size_t n)
{
    if (row->param < FPX_ELEMFN_COUNT)
        fpx_elemfn_f32_array((fpx_elemfn)row->param, level, x, y, n);
    else if (row->param == EXP_F64)
        fpx_exp_f64_array(level, x, y, n);
    else if (row->param == LOG_F64)
        fpx_log_f64_array(level, x, y, n);
    else
        fpx_tanh_f64_array(level, x, y, n);
}

static const char *kernel(const kc_row *row, fpx_cpu_level level)
{
    return row->param < FPX_ELEMFN_COUNT ? fpx_elemfn_kernel_name(level)
                                         : kc_two_levels(row, level);
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

/* The domain of log, but for an eighth. */
static void make_positive(unsigned char *x)
{
    for (size_t i = 0; i < INPUTS; i++)
        if (i % 64 < 56)
            x[8 * i + 7] &= 0x7f;
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
    if (row->param == LOG_F64)
        make_positive(x);
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

#define ROW(NAME, F, BYTES)                                                                        \
    {                                                                                              \
        NAME, F, check, bench, BYTES, BYTES, kernel                                                \
    }
#define POW(N) ROW("pow" #N "_f32", (size_t)(FPX_ELEMFN_POW + (N)), 4)

const kc_row kc_rows_elemfn[] = {
    ROW("exp_f32", FPX_ELEMFN_EXP, 4),
    ROW("exp2_f32", FPX_ELEMFN_EXP2, 4),
    ROW("expm1_f32", FPX_ELEMFN_EXPM1, 4),
    ROW("log_f32", FPX_ELEMFN_LOG, 4),
    ROW("log2_f32", FPX_ELEMFN_LOG2, 4),
    ROW("log1p_f32", FPX_ELEMFN_LOG1P, 4),
    ROW("sin_f32", FPX_ELEMFN_SIN, 4),
    ROW("cos_f32", FPX_ELEMFN_COS, 4),
    ROW("tanh_f32", FPX_ELEMFN_TANH, 4),
    ROW("sigmoid_f32", FPX_ELEMFN_SIGMOID, 4),
    ROW("erf_f32", FPX_ELEMFN_ERF, 4),
    ROW("gelu_f32", FPX_ELEMFN_GELU, 4),
    ROW("silu_f32", FPX_ELEMFN_SILU, 4),
    ROW("rsqrt_f32", FPX_ELEMFN_RSQRT, 4),
    ROW("cbrt_f32", FPX_ELEMFN_CBRT, 4),
    POW(-16),
    POW(-3),
    POW(-1),
    POW(0),
    POW(1),
    POW(2),
    POW(3),
    POW(16),
    ROW("exp_f64", EXP_F64, 8),
    ROW("tanh_f64", TANH_F64, 8),
    ROW("log_f64", LOG_F64, 8),
    { 0 },
};
