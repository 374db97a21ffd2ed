/* kernelcheck_block.c - rows for block scaling: whole jobs by a level's kernels against the scalar ones. Matrices of
 * all widths up to KC_LONGEST and some wide ones hold blocks whose amax stands at a threshold of the scale, plain
 * ones, any bits at all, zeros, and now and then a NaN or an Inf. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "block_kernels.h"
#include "format_bits.h"
#include "kernelcheck.h"

static const struct {
    const char *profile;
    const fpx_format *element; /* NULL: the profile's */
    uint16_t block[2];
    uint8_t exponent; /* MX */
    uint8_t error;    /* NVFP4_46 */
    uint8_t round;    /* 0: the profile's */
} blockings[] = {
    { "mx-ocp", &fpx_e4m3, { 1, 32 }, FPX_MX_FLOOR, 0, 0 },
    { "mx-ocp", &fpx_e5m2, { 1, 32 }, FPX_MX_CEIL, 0, 0 },
    { "mx-torchao", &fpx_e3m2, { 1, 32 }, FPX_MX_EVEN, 0, 0 },
    { "mx-cublas", &fpx_e2m3, { 1, 32 }, FPX_MX_RCEIL, 0, 0 },
    { "mx-te", &fpx_e4m3, { 1, 32 }, FPX_MX_RCEIL_FP32, 0, 0 },
    { "mx-te", &fpx_e2m1, { 1, 16 }, FPX_MX_EVEN, 0, 0 },
    { "mx-te", &fpx_e2m1, { 1, 64 }, FPX_MX_FLOOR, 0, 0 },
    { "mx-ocp", &fpx_e4m3, { 32, 1 }, FPX_MX_FLOOR, 0, 0 },
    { "mx-te", &fpx_e5m2, { 7, 1 }, FPX_MX_RCEIL_FP32, 0, 0 },
    { "mx-ocp", &fpx_mxint8, { 1, 32 }, FPX_MX_FLOOR, 0, 0 },
    { "mx-ocp", &fpx_e4m3, { 8, 32 }, FPX_MX_FLOOR, 0, 0 },
    { "nvfp4-te", NULL, { 1, 16 }, 0, 0, 0 },
    { "nvfp4-te", NULL, { 16, 1 }, 0, 0, 0 },
    { "nvfp4-te", NULL, { 16, 16 }, 0, 0, 0 },
    { "nvfp4-te-python", NULL, { 1, 16 }, 0, 0, 0 },
    { "nvfp4-torchao", NULL, { 1, 16 }, 0, 0, 0 },
    { "nvfp4-46", NULL, { 1, 16 }, 0, FPX_ERROR_ABS, 0 },
    { "nvfp4-46-256", NULL, { 16, 16 }, 0, FPX_ERROR_ABS, 0 },
    { "nvfp4-46", NULL, { 16, 1 }, 0, FPX_ERROR_SQUARE, 0 },
    { "nvfp4-46-256", NULL, { 1, 16 }, 0, FPX_ERROR_ABS_SCALED, 0 },
    { "nvfp4-46", NULL, { 1, 16 }, 0, FPX_ERROR_SQUARE_SCALED, 0 },
    { "tile-te", NULL, { 1, 128 }, 0, 0, 0 },
    { "tile-te-pow2", NULL, { 16, 64 }, 0, 0, 0 },
    { "tile-te", &fpx_e5m2, { 0, 0 }, 0, 0, 0 },
    { "deepseek-v3", NULL, { 1, 128 }, 0, 0, 0 },
    { "deepgemm", NULL, { 1, 128 }, 0, 0, 0 },
    { "mx-ocp", &fpx_e4m3, { 1, 32 }, FPX_MX_FLOOR, 0, FPX_SR },
    { "mx-te", &fpx_e2m1, { 32, 1 }, FPX_MX_RCEIL, 0, FPX_SR },
    { "mx-ocp", &fpx_e2m1, { 32, 32 }, FPX_MX_EVEN, 0, FPX_SR },
    { "mx-ocp", &fpx_e5m2, { 1, 32 }, FPX_MX_CEIL, 0, FPX_RNA },
    { "mx-ocp", &fpx_e3m2, { 16, 8 }, FPX_MX_RCEIL, 0, FPX_RU },
    { "mx-ocp", &fpx_mxint8, { 1, 32 }, FPX_MX_FLOOR, 0, FPX_SR },
    { "nvfp4-te", NULL, { 1, 16 }, 0, 0, FPX_SR },
    { "nvfp4-te", NULL, { 16, 1 }, 0, 0, FPX_SR },
    { "nvfp4-te", NULL, { 16, 16 }, 0, 0, FPX_SR },
    { "nvfp4-te-python", NULL, { 1, 16 }, 0, 0, FPX_SR },
    { "nvfp4-torchao", NULL, { 16, 1 }, 0, 0, FPX_SR },
    { "nvfp4-46", NULL, { 1, 16 }, 0, FPX_ERROR_ABS, FPX_SR },
    { "tile-te", NULL, { 128, 1 }, 0, 0, 0 },
    { "tile-te", NULL, { 0, 1 }, 0, 0, 0 },
    { "tile-te", &fpx_e5m2, { 1, 0 }, 0, 0, FPX_SR },
    { "deepseek-v3", NULL, { 32, 48 }, 0, 0, 0 },
    { "deepgemm", NULL, { 35, 128 }, 0, 0, FPX_RD },
    { "mx-quest", NULL, { 1, 32 }, FPX_MX_STD, 0, FPX_RNA },
    { "mx-quest", &fpx_e4m3, { 32, 1 }, FPX_MX_STD, 0, FPX_RNA },
    { "mx-quest", NULL, { 5, 24 }, FPX_MX_STD, 0, FPX_RNA },
    { "mx-quest", NULL, { 32, 1 }, FPX_MX_STD, 0, FPX_SR },
    { "fp4-ms-amp-row", NULL, { 1, 0 }, 0, 0, 0 },
    { "fp4-ms-amp-column", NULL, { 32, 1 }, 0, 0, 0 },
};

enum { ROWS_MOST = 35, COLS_MOST = 300 };

static fpx_blocking blocking_of(size_t param)
{
    fpx_blocking b;

    if (fpx_blocking_find(blockings[param].profile, &b) != FPX_OK)
        abort();
    if (blockings[param].element != NULL)
        b.element.format = *blockings[param].element;
    b.block[0] = blockings[param].block[0];
    b.block[1] = blockings[param].block[1];
    if (b.rule == FPX_RULE_MX)
        b.mx_exponent = blockings[param].exponent;
    b.error = blockings[param].error;
    if (blockings[param].round != 0)
        b.element.round = blockings[param].round;
    b.element.sr_bits = b.element.round == FPX_SR ? 32 : 0;
    return b;
}

/* The float next to a multiple of max at some power of two, where scales change: the same power and multiple for 32
 * elements, so that a block's amax is one of them. The smallest powers, where scales become 0, more often. */
static uint32_t threshold(const fpx_blocking *b, uint64_t chunk, uint64_t r)
{
    const double max = fpx_format_max(&b->element.format);
    const double steps[4] = { 1.0, max, 448.0 * 6.0, 1.0 + 0.0625 * (double)(chunk >> 50 & 15) };
    const int e = (chunk >> 60) < 4 ? -127 : (int)(chunk >> 32 & 255) - 127;
    const float x = (float)ldexp(steps[chunk >> 40 & 3], e);

    return fpx_f32_bits(x) + (uint32_t)(r % 3) - 1;
}

static void fill(const fpx_blocking *b, float *x, size_t n, uint64_t *state)
{
    uint64_t chunk = 0;

    for (size_t i = 0; i < n; i++) {
        const uint64_t r = kc_random(state);
        const size_t kind = i / 96 % 4;
        if (i % 32 == 0)
            chunk = kc_random(state);
        uint32_t u = fpx_f32_bits((float)(int32_t)r * 0x1p-28f);
        if (kind == 0 && b->ties_to_zero) /* many ties: multiples of 1/8, whose scale is 1 or 2 */
            u = fpx_f32_bits((float)((int)(r >> 40) % 65) * 0.125f);
        if (kind == 1)
            u = threshold(b, chunk, r) & 0x7fffffffu;
        if (kind == 2)
            u = (uint32_t)(r >> 32) % 0x7f800000u;
        if (kind == 3 && r >> 60 < 8)
            u = 0;
        if (i % 769 == 768)
            u = r >> 62 == 0 ? 0x7fc01234u : r >> 62 == 1 ? 0x7f800000u : u;
        x[i] = fpx_bits_f32(u | (uint32_t)(r >> 31 & 1) << 31);
    }
}

/* bits are read where the rounding is stochastic. */
static void run_job(const fpx_blocking *b, fpx_cpu_level level, float amax, const float *x,
                    const uint32_t *bits, size_t rows, size_t cols, uint8_t *codes, void *scales)
{
    fpx_block_job job = {
        .blocking = b, .tensor_amax = amax, .src = x, .rows = rows, .cols = cols
    };

    job.bits = b->element.round == FPX_SR ? bits : NULL;
    job.stride = cols;
    job.height = b->block[0] == 0 || b->block[0] > rows ? rows : b->block[0];
    job.width = b->block[1] == 0 || b->block[1] > cols ? cols : b->block[1];
    job.codes = codes;
    job.scales = scales;
    fpx_blocking_grid(b, rows, cols, &job.down, &job.across);
    fpx_block_run_job(fpx_block_kernels_for(level), &job);
}

/* The way back from any codes and scales: those of a job, one in eight of them replaced. */
static size_t back_once(const kc_row *row, fpx_cpu_level level, const fpx_blocking *b, float amax,
                        size_t rows, size_t cols, kc_buffer *codes, const kc_buffer *scales,
                        uint64_t *state, size_t bad)
{
    const size_t n = rows * cols;
    kc_buffer back = kc_buffer_new(n * 4, cols % 16 * 4);
    kc_buffer want = kc_buffer_new(n * 4, 0);
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        const uint64_t r = kc_random(state);
        if (cols % 2 == 0 && r >> 61 == 0)
            codes->data[i] = (unsigned char)(r & ((1u << b->element.format.bits) - 1));
    }
    fpx_block_back(fpx_block_kernels_for(level), b, amax, codes->data, scales->data, rows, cols,
                   (float *)(void *)back.data);
    fpx_block_back(fpx_block_kernels_for(FPX_CPU_SCALAR), b, amax, codes->data, scales->data, rows,
                   cols, (float *)(void *)want.data);
    for (size_t i = 0; i < 4 * n; i++) {
        if (back.data[i] != want.data[i])
            kc_differ(row, bad + found++, "%zu x %zu, amax %a, back: byte %zu: %02x, not %02x",
                      rows, cols, (double)amax, i, back.data[i], want.data[i]);
    }
    if (!kc_buffer_intact(&back))
        kc_differ(row, bad + found++, "%zu x %zu: back wrote outside its buffer", rows, cols);
    kc_buffer_free(&back);
    kc_buffer_free(&want);
    return found;
}

static size_t job_once(const kc_row *row, fpx_cpu_level level, const fpx_blocking *b, float amax,
                       size_t rows, size_t cols, uint64_t *state, size_t bad)
{
    const size_t n = rows * cols;
    const size_t scale_bytes = fpx_format_size(fpx_blocking_scale_format(b));
    size_t down = 0;
    size_t across = 0;
    fpx_blocking_grid(b, rows, cols, &down, &across);
    const size_t m = down * across * scale_bytes;
    kc_buffer src = kc_buffer_new(n * 4, cols % 16 * 4);
    kc_buffer bits = kc_buffer_new(n * 4, cols % 8 * 4);
    kc_buffer codes = kc_buffer_new(n, cols % 31);
    kc_buffer scales = kc_buffer_new(m, cols % 7 * scale_bytes);
    kc_buffer want = kc_buffer_new(n, 0);
    kc_buffer want_scales = kc_buffer_new(m, 0);
    size_t found = 0;

    fill(b, (float *)(void *)src.data, n, state);
    for (size_t i = 0; i < n; i++) {
        const uint32_t r = (uint32_t)(kc_random(state) >> 32);
        memcpy(bits.data + 4 * i, &r, sizeof r);
    }
    run_job(b, level, amax, (const float *)(const void *)src.data,
            (const uint32_t *)(const void *)bits.data, rows, cols, codes.data, scales.data);
    run_job(b, FPX_CPU_SCALAR, amax, (const float *)(const void *)src.data,
            (const uint32_t *)(const void *)bits.data, rows, cols, want.data, want_scales.data);
    for (size_t i = 0; i < n; i++) {
        if (codes.data[i] != want.data[i])
            kc_differ(row, bad + found++, "%zu x %zu, amax %a, [%zu]: code %02x, not %02x", rows,
                      cols, (double)amax, i, codes.data[i], want.data[i]);
    }
    for (size_t i = 0; i < m; i++) {
        if (scales.data[i] != want_scales.data[i])
            kc_differ(row, bad + found++, "%zu x %zu, amax %a, scale byte %zu: %02x, not %02x",
                      rows, cols, (double)amax, i, scales.data[i], want_scales.data[i]);
    }
    if (!kc_buffer_intact(&src) || !kc_buffer_intact(&codes) || !kc_buffer_intact(&scales))
        kc_differ(row, bad + found++, "%zu x %zu: wrote outside its buffer", rows, cols);
    found += back_once(row, level, b, amax, rows, cols, &codes, &scales, state, bad + found);
    kc_buffer_free(&src);
    kc_buffer_free(&bits);
    kc_buffer_free(&codes);
    kc_buffer_free(&scales);
    kc_buffer_free(&want);
    kc_buffer_free(&want_scales);
    return found;
}

static size_t check_blocks(const kc_row *row, fpx_cpu_level level)
{
    static const size_t wide[] = { 96, 128, 160, 256, 257, COLS_MOST };
    static const float amaxes[] = { 8.0f,      0.0f,      448.0f * 6.0f,
                                    0x1p-126f, 0x1p-140f, 0x1.fffffep127f,
                                    INFINITY,  NAN };
    const fpx_blocking b = blocking_of(row->param);
    const size_t amax_count = b.rule >= FPX_RULE_NVFP4_TE ? sizeof amaxes / sizeof amaxes[0] : 1;
    uint64_t state = 4;
    size_t bad = 0;

    for (size_t a = 0; a < amax_count; a++) {
        for (size_t cols = 1; cols <= KC_LONGEST; cols++)
            bad += job_once(row, level, &b, amaxes[a], 1 + cols % 5, cols, &state, bad);
        for (size_t k = 0; k < sizeof wide / sizeof wide[0]; k++)
            bad += job_once(row, level, &b, amaxes[a], ROWS_MOST, wide[k], &state, bad);
    }
    return bad;
}

static const char *kernel_of(const kc_row *row, fpx_cpu_level level)
{
    (void)row;
    return fpx_block_kernels_for(level)->name;
}

/* Rows of 1024 elements; scales lie behind the codes. */
static void bench_blocks(const kc_row *row, fpx_cpu_level level, const void *src, void *dst,
                         size_t n)
{
    const fpx_blocking b = blocking_of(row->param);

    run_job(&b, level, 8.0f, src, src, n / 1024, 1024, dst, (uint8_t *)dst + n);
}

#define ROW(i, name)                                                                               \
    {                                                                                              \
        name, i, check_blocks, NULL, 4, 1, kernel_of                                               \
    }
#define BENCH(i, name)                                                                             \
    {                                                                                              \
        name, i, check_blocks, bench_blocks, 4, 1, kernel_of                                       \
    }

const kc_row kc_rows_block[] = {
    BENCH(0, "block/mx/e4m3/floor"),
    ROW(1, "block/mx/e5m2/ceil"),
    ROW(2, "block/mx/e3m2/even"),
    ROW(3, "block/mx/e2m3/rceil"),
    BENCH(4, "block/mx/e4m3/rceil_fp32"),
    ROW(5, "block/mx/e2m1/1x16"),
    ROW(6, "block/mx/e2m1/1x64"),
    BENCH(7, "block/mx/e4m3/32x1"),
    ROW(8, "block/mx/e5m2/7x1"),
    ROW(9, "block/mx/mxint8"),
    ROW(10, "block/mx/e4m3/8x32"),
    BENCH(11, "block/nvfp4/te"),
    ROW(12, "block/nvfp4/te/16x1"),
    BENCH(13, "block/nvfp4/te/16x16"),
    ROW(14, "block/nvfp4/te/python"),
    BENCH(15, "block/nvfp4/torchao"),
    BENCH(16, "block/nvfp4/46"),
    ROW(17, "block/nvfp4/46/16x16"),
    ROW(18, "block/nvfp4/46/16x1/square"),
    ROW(19, "block/nvfp4/46/256/abs_scaled"),
    ROW(20, "block/nvfp4/46/square_scaled"),
    BENCH(21, "block/tile/te"),
    ROW(22, "block/tile/te/pow2"),
    ROW(23, "block/tile/te/tensor"),
    BENCH(24, "block/tile/deepseek"),
    ROW(25, "block/tile/deepgemm"),
    BENCH(26, "block/mx/e4m3/sr"),
    ROW(27, "block/mx/e2m1/32x1/sr"),
    ROW(28, "block/mx/e2m1/32x32/even/sr"),
    ROW(29, "block/mx/e5m2/rna"),
    ROW(30, "block/mx/e3m2/16x8/ru"),
    ROW(31, "block/mx/mxint8/sr"),
    BENCH(32, "block/nvfp4/te/sr"),
    BENCH(33, "block/nvfp4/te/16x1/sr"),
    ROW(34, "block/nvfp4/te/16x16/sr"),
    ROW(35, "block/nvfp4/te/python/sr"),
    ROW(36, "block/nvfp4/torchao/16x1/sr"),
    ROW(37, "block/nvfp4/46/sr"),
    BENCH(38, "block/tile/te/128x1"),
    ROW(39, "block/tile/te/column"),
    ROW(40, "block/tile/te/e5m2/row/sr"),
    BENCH(41, "block/tile/deepseek/32x48"),
    ROW(42, "block/tile/deepgemm/35x128/rd"),
    BENCH(43, "block/mx/quest"),
    ROW(44, "block/mx/quest/e4m3/32x1"),
    ROW(45, "block/mx/quest/5x24"),
    ROW(46, "block/mx/quest/32x1/sr"),
    ROW(47, "block/fp4/ms-amp/row"),
    ROW(48, "block/fp4/ms-amp/32x1"),
    { NULL, 0, NULL, NULL, 0, 0, NULL },
};
