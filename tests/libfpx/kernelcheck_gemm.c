/* kernelcheck_gemm.c - rows for matrix products: ragged shapes around every tile, block and leaf, padded rows,
 * batches, scales, specials. What lies between the rows of D must stay as it was. */
#include <stdlib.h>
#include <string.h>

#include <fpx/gemm.h>

#include "kernelcheck.h"

/* param of a row */
enum { F64 = 1, TRANS_A = 2, TRANS_B = 4 };
/* DRAWS shapes a row take about 0.2 s of the scalar kernel. */
enum { DRAWS = 150, GUARD = 0x5a, BENCH_M = 1024, BENCH_K = 16 };

static size_t elem_of(const kc_row *row)
{
    return row->param & F64 ? sizeof(double) : sizeof(float);
}

static size_t below(uint64_t *state, size_t limit)
{
    return (size_t)(kc_random(state) % limit);
}

static fpx_gemm_call draw_call(const kc_row *row, uint64_t *state)
{
    static const size_t leaves[] = { 0, 1, 37, 256, 300 };
    fpx_gemm_call c = { .m = 1 + below(state, 40),
                        .n = 1 + below(state, 40),
                        .k = 1 + below(state, 600),
                        .trans_a = (row->param & TRANS_A) != 0,
                        .trans_b = (row->param & TRANS_B) != 0,
                        .batch = 1 + below(state, 2),
                        .leaf = leaves[below(state, sizeof leaves / sizeof leaves[0])],
                        .alpha = below(state, 3) == 0 ? 0x1.234568p-3f : 1.0f };

    if (c.leaf > 0)
        c.k = c.leaf * (1 + below(state, 600 / c.leaf));
    c.lda = (c.trans_a ? c.m : c.k) + below(state, 3);
    c.ldb = (c.trans_b ? c.k : c.n) + below(state, 3);
    c.ldd = c.n + below(state, 3);
    c.stride_a = (c.trans_a ? c.k : c.m) * c.lda;
    c.stride_b = (c.trans_b ? c.n : c.k) * c.ldb;
    c.stride_d = c.m * c.ldd;
    return c;
}

/* Values of mixed size and sign, so that another order would show; in one of four operands a zero, a
 * subnormal, an Inf and a NaN. */
static void fill(const kc_row *row, kc_buffer *x, uint64_t *state)
{
    static const double specials[] = { -0.0, 0x1p-140, (double)__builtin_inff(),
                                       (double)__builtin_nanf("") };
    const size_t n = x->bytes / elem_of(row);
    const int special = below(state, 4) == 0;

    for (size_t i = 0; i < n; i++) {
        const uint64_t r = kc_random(state);
        const int size = (int)(r >> 60);
        const double sign = (r & 1) ? -1.0 : 1.0;
        double value = sign * (double)(1 + (r >> 12 & 0xffffff)) / (double)(1u << (size + 16));

        if (special && r % 97 == 0)
            value = specials[r / 97 % 4];
        if (row->param & F64)
            ((double *)(void *)x->data)[i] = value;
        else
            ((float *)(void *)x->data)[i] = (float)value;
    }
}

static fpx_status multiply(const kc_row *row, fpx_gemm_call call, fpx_cpu_level level,
                           const void *a, const void *b, void *d)
{
    fpx_status status;
    void *scratch;

    call.level = level;
    scratch = malloc(
        1 + (row->param & F64 ? fpx_gemm_f64_scratch(&call, 1) : fpx_gemm_f32_scratch(&call, 1)));
    if (scratch == NULL)
        abort();
    status = row->param & F64 ? fpx_gemm_f64(&call, a, b, d, scratch, NULL)
                              : fpx_gemm_f32(&call, a, b, d, scratch, NULL);
    free(scratch);
    return status;
}

static size_t check(const kc_row *row, fpx_cpu_level level)
{
    const size_t elem = elem_of(row);
    uint64_t state = 7 + row->param;
    size_t bad = 0;

    for (int draw = 0; draw < DRAWS; draw++) {
        const fpx_gemm_call c = draw_call(row, &state);
        kc_buffer a = kc_buffer_new(c.batch * c.stride_a * elem, below(&state, 8) * elem);
        kc_buffer b = kc_buffer_new(c.batch * c.stride_b * elem, below(&state, 8) * elem);
        kc_buffer want = kc_buffer_new(c.batch * c.stride_d * elem, 0);
        kc_buffer got = kc_buffer_new(want.bytes, below(&state, 8) * elem);

        fill(row, &a, &state);
        fill(row, &b, &state);
        memset(want.data, GUARD, want.bytes);
        memset(got.data, GUARD, got.bytes);
        if (multiply(row, c, FPX_CPU_SCALAR, a.data, b.data, want.data) != FPX_OK ||
            multiply(row, c, level, a.data, b.data, got.data) != FPX_OK)
            kc_differ(row, bad++, "draw %d is refused", draw);
        else if (memcmp(want.data, got.data, want.bytes) != 0)
            kc_differ(row, bad++, "%zu x %zu x %zu, leaf %zu, batch %zu: other bits", c.m, c.n, c.k,
                      c.leaf, c.batch);
        if (!kc_buffer_intact(&got) || !kc_buffer_intact(&a) || !kc_buffer_intact(&b))
            kc_differ(row, bad++, "%zu x %zu x %zu: wrote outside its buffers", c.m, c.n, c.k);
        kc_buffer_free(&a);
        kc_buffer_free(&b);
        kc_buffer_free(&want);
        kc_buffer_free(&got);
    }
    return bad;
}

/* n elements of D, few steps of k: `fpx bench gemm` has the shapes that matter. */
static void bench(const kc_row *row, fpx_cpu_level level, const void *src, void *dst, size_t n)
{
    fpx_gemm_call c = { .m = BENCH_M,
                        .n = n / BENCH_M,
                        .k = BENCH_K,
                        .trans_a = (row->param & TRANS_A) != 0,
                        .trans_b = (row->param & TRANS_B) != 0,
                        .batch = 1,
                        .alpha = 1.0f };

    c.lda = c.trans_a ? c.m : c.k;
    c.ldb = c.trans_b ? c.k : c.n;
    c.ldd = c.n;
    (void)multiply(row, c, level, src, src, dst);
}

static const char *kernel(const kc_row *row, fpx_cpu_level level)
{
    (void)row;
    return fpx_gemm_kernel_name(level);
}

#define ROW(NAME, PARAM, BYTES)                                                                    \
    {                                                                                              \
        NAME, PARAM, check, bench, 0, BYTES, kernel                                                \
    }

const kc_row kc_rows_gemm[] = {
    ROW("gemm_f32/NN", 0, 4),
    ROW("gemm_f32/TN", TRANS_A, 4),
    ROW("gemm_f32/NT", TRANS_B, 4),
    ROW("gemm_f32/TT", TRANS_A | TRANS_B, 4),
    ROW("gemm_f64/NN", F64, 8),
    ROW("gemm_f64/TN", F64 | TRANS_A, 8),
    ROW("gemm_f64/NT", F64 | TRANS_B, 8),
    ROW("gemm_f64/TT", F64 | TRANS_A | TRANS_B, 8),
    { 0 },
};
