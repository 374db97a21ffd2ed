/* block.c - block scaling, the public functions: checks, shapes, the choice of kernels, and the way back. */
#include <float.h>
#include <string.h>

#include "block_kernels.h"
#include "convert_kernels.h"
#include "format_bits.h"

enum { BLOCK_OF_46 = 16 };

static size_t blocks_along(size_t extent, uint64_t block)
{
    if (extent == 0)
        return 0;
    return block == 0 || block >= extent ? 1 : (extent - 1) / (size_t)block + 1;
}

static size_t block_extent(size_t extent, uint64_t block)
{
    return block == 0 || block > extent ? extent : (size_t)block;
}

void fpx_blocking_grid(const fpx_blocking *blocking, size_t rows, size_t cols, size_t *ret_rows,
                       size_t *ret_cols)
{
    *ret_rows = cols == 0 ? 0 : blocks_along(rows, blocking->block[0]);
    *ret_cols = rows == 0 ? 0 : blocks_along(cols, blocking->block[1]);
}

const fpx_format *fpx_blocking_scale_format(const fpx_blocking *blocking)
{
    switch (blocking->rule) {
    case FPX_RULE_MX:
        return &fpx_e8m0;
    case FPX_RULE_TILE_TE:
    case FPX_RULE_TILE_DIVIDE:
    case FPX_RULE_TILE_RECIPROCAL:
        return &fpx_fp32;
    case FPX_RULE_NVFP4_TE:
    case FPX_RULE_NVFP4_TORCHAO:
    case FPX_RULE_NVFP4_46:
        return &fpx_ue4m3;
    default:
        return NULL;
    }
}

static int is_block_of_46(const fpx_blocking *b)
{
    const uint64_t down = b->block[0];
    const uint64_t across = b->block[1];

    return (b->bound == 448.0f || b->bound == 256.0f) && (down == 1 || down == BLOCK_OF_46) &&
           (across == 1 || across == BLOCK_OF_46) && down * across >= BLOCK_OF_46;
}

fpx_status fpx_blocking_check(const fpx_blocking *b)
{
    const fpx_status status = fpx_conversion_check(&b->element);

    if (status != FPX_OK)
        return status;
    if (b->element.format.bits > 8 || fpx_format_max(&b->element.format) < (double)FLT_MIN ||
        fpx_decode_f32(&b->element.format, 1.0f, NULL, NULL, 0) != FPX_OK)
        return FPX_EINVAL;
    if (b->rule > FPX_RULE_NVFP4_46 || b->amax_nan > FPX_AMAX_IGNORES ||
        b->mx_exponent > FPX_MX_RCEIL_FP32 || b->mx_inf > FPX_MX_INF_LARGEST ||
        b->power_of_two > 1 || b->error > FPX_ERROR_SQUARE_SCALED || b->drops_negative_zero > 1)
        return FPX_EINVAL;
    if (!(b->amax_floor >= 0.0f && b->amax_floor <= FLT_MAX) ||
        !(b->quotient_max >= 0.0f && b->quotient_max <= FLT_MAX))
        return FPX_EINVAL;
    if (b->rule >= FPX_RULE_NVFP4_TE && !fpx_format_equal(&b->element.format, &fpx_e2m1))
        return FPX_EINVAL;
    if (b->rule == FPX_RULE_NVFP4_46 && !is_block_of_46(b))
        return FPX_EINVAL;
    return FPX_OK;
}

static const fpx_block_kernels scalar = { "scalar", FPX_CPU_SCALAR, NULL, NULL, NULL };

const fpx_block_kernels *fpx_block_kernels_for(fpx_cpu_level level)
{
#ifdef FPX_HAVE_AVX2
    if (level >= FPX_CPU_AVX2)
        return &fpx_block_kernels_avx2;
#endif
    (void)level;
    return &scalar;
}

static const fpx_block_kernels *kernels_in_use(void)
{
    return fpx_block_kernels_for(fpx_cpu_in_use());
}

const char *fpx_block_kernel_name(void)
{
    return kernels_in_use()->name;
}

fpx_status fpx_blocking_amax(const fpx_blocking *blocking, const float *src, size_t n,
                             float *ret_amax)
{
    const fpx_status status = fpx_blocking_check(blocking);

    if (status != FPX_OK)
        return status;
    const fpx_fpenv env = fpx_fpenv_enter();
    *ret_amax = fpx_bits_f32(fpx_block_amax_bits(blocking, kernels_in_use()->level, src, n, 0));
    fpx_fpenv_leave(env);
    return FPX_OK;
}

/* FPX_EINVAL where an argument of a quantization or dequantization is at fault. */
static fpx_status check_job(const fpx_blocking *b, float tensor_amax, size_t rows, size_t cols)
{
    const fpx_status status = fpx_blocking_check(b);

    if (status != FPX_OK)
        return status;
    if (cols != 0 && rows > SIZE_MAX / sizeof(float) / cols)
        return FPX_EINVAL;
    return b->rule >= FPX_RULE_NVFP4_TE && tensor_amax < 0.0f ? FPX_EINVAL : FPX_OK;
}

static fpx_status quantize(fpx_block_job *job)
{
    const fpx_blocking *const b = job->blocking;
    const fpx_status status = check_job(b, job->tensor_amax, job->rows, job->cols);

    if (status != FPX_OK)
        return status;
    if ((b->element.round == FPX_SR) != (job->bits != NULL))
        return FPX_EINVAL;
    job->height = block_extent(job->rows, b->block[0]);
    job->width = block_extent(job->cols, b->block[1]);
    fpx_blocking_grid(b, job->rows, job->cols, &job->down, &job->across);

    const fpx_fpenv env = fpx_fpenv_enter();
    fpx_block_run_job(kernels_in_use(), job);
    fpx_fpenv_leave(env);
    return FPX_OK;
}

fpx_status fpx_block_quantize(const fpx_blocking *blocking, float tensor_amax, const float *src,
                              size_t rows, size_t cols, uint8_t *codes, void *scales)
{
    fpx_block_job job = { .blocking = blocking,
                          .tensor_amax = tensor_amax,
                          .src = src,
                          .rows = rows,
                          .cols = cols,
                          .stride = cols,
                          .codes = codes,
                          .scales = scales };

    return quantize(&job);
}

fpx_status fpx_block_quantize_random(const fpx_blocking *blocking, float tensor_amax,
                                     const float *src, const uint32_t *bits, size_t rows,
                                     size_t cols, uint8_t *codes, void *scales)
{
    fpx_block_job job = { .blocking = blocking,
                          .tensor_amax = tensor_amax,
                          .src = src,
                          .bits = bits,
                          .rows = rows,
                          .cols = cols,
                          .stride = cols,
                          .codes = codes,
                          .scales = scales };

    return quantize(&job);
}

static uint32_t load_scale(const void *scales, size_t bytes, size_t index)
{
    uint32_t stored;

    if (bytes == 1)
        return ((const uint8_t *)scales)[index];
    memcpy(&stored, (const uint8_t *)scales + 4 * index, sizeof stored);
    return stored;
}

/* ---- back ---- */

enum { CHUNK = 64, NARROW = 8 };

typedef struct block_decoder {
    const fpx_blocking *blocking;
    float tensor_amax;
    const uint8_t *codes;
    const void *scales;
    size_t cols, height, width, across;
    fpx_decode_f32_fn *decode;
    float *dst;
} block_decoder;

/* One row of blocks too narrow for a kernel: values first, then the product that the kernel would make of them. */
static void decode_narrow(const block_decoder *d, size_t at, size_t n, const float *factors)
{
    d->decode(&d->blocking->element.format, 1.0f, d->codes + at, d->dst + at, n);
    for (size_t i = 0; i < n; i++) {
        float value;
        memcpy(&value, d->dst + at + i, sizeof value);
        const uint32_t sign = fpx_f32_bits(value) & 0x80000000u;
        float product = value * factors[i / d->width];
        if (product != product)
            product = fpx_bits_f32(0x7fc00000u | sign);
        memcpy(d->dst + at + i, &product, sizeof product);
    }
}

/* CHUNK blocks, or what is left, of the row of blocks that starts at row. */
static void decode_chunk(const block_decoder *d, size_t row, size_t rows, size_t first)
{
    const size_t count = d->across - first < CHUNK ? d->across - first : CHUNK;
    const size_t bytes = fpx_format_size(fpx_blocking_scale_format(d->blocking));
    const size_t index = row / d->height * d->across + first;
    const size_t col = first * d->width;
    const size_t n = d->cols - col < count * d->width ? d->cols - col : count * d->width;
    float factors[CHUNK];

    for (size_t k = 0; k < count; k++)
        factors[k] = fpx_block_decode_factor(d->blocking, d->tensor_amax,
                                             load_scale(d->scales, bytes, index + k));
    for (size_t r = 0; r < rows; r++) {
        const size_t at = (row + r) * d->cols + col;
        if (d->width < NARROW) {
            decode_narrow(d, at, n, factors);
            continue;
        }
        for (size_t k = 0; k < count; k++) {
            const size_t begin = k * d->width;
            d->decode(&d->blocking->element.format, factors[k], d->codes + at + begin,
                      d->dst + at + begin, n - begin < d->width ? n - begin : d->width);
        }
    }
}

fpx_status fpx_block_dequantize(const fpx_blocking *blocking, float tensor_amax,
                                const uint8_t *codes, const void *scales, size_t rows, size_t cols,
                                float *dst)
{
    const fpx_status status = check_job(blocking, tensor_amax, rows, cols);

    if (status != FPX_OK)
        return status;

    block_decoder d = { .blocking = blocking,
                        .tensor_amax = tensor_amax,
                        .codes = codes,
                        .scales = scales,
                        .cols = cols,
                        .height = block_extent(rows, blocking->block[0]),
                        .width = block_extent(cols, blocking->block[1]),
                        .decode = fpx_convert_kernels_for(kernels_in_use()->level)->decode_f32[0],
                        .dst = dst };
    size_t down = 0;
    fpx_blocking_grid(blocking, rows, cols, &down, &d.across);

    const fpx_fpenv env = fpx_fpenv_enter();
    for (size_t r = 0; r < rows; r += d.height) {
        for (size_t a = 0; a < d.across; a += CHUNK)
            decode_chunk(&d, r, rows - r < d.height ? rows - r : d.height, a);
    }
    fpx_fpenv_leave(env);
    return FPX_OK;
}
