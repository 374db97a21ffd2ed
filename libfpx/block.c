/* block.c - block scaling, the public functions: checks, shapes, the choice of kernels, and the way back. */
#include <float.h>
#include <string.h>

#include "block_kernels.h"
#include "format_bits.h"

enum { BLOCK_OF_46 = 16 };

static size_t blocks_along(size_t extent, uint64_t block)
{
    if (extent == 0)
        return 0;
    return block == 0 || block >= extent ? 1 : (extent - 1) / (size_t)block + 1;
}

size_t fpx_block_extent(size_t extent, uint64_t block)
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
        b->mx_exponent > FPX_MX_STD || b->mx_inf > FPX_MX_INF_LARGEST || b->power_of_two > 1 ||
        b->error > FPX_ERROR_SQUARE_SCALED || b->drops_negative_zero > 1 || b->ties_to_zero > 1)
        return FPX_EINVAL;
    if (b->ms_amp > 1 ||
        (b->ms_amp == 1 && (b->rule != FPX_RULE_TILE_TE || b->element.round != FPX_RNE ||
                            !fpx_format_equal(&b->element.format, &fpx_e2m1))))
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

static const fpx_block_kernels scalar = { .name = "scalar", .level = FPX_CPU_SCALAR };

const fpx_block_kernels *fpx_block_kernels_for(fpx_cpu_level level)
{
#ifdef FPX_HAVE_AVX512
    if (level >= FPX_CPU_AVX512)
        return &fpx_block_kernels_avx512;
#endif
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
    job->height = fpx_block_extent(job->rows, b->block[0]);
    job->width = fpx_block_extent(job->cols, b->block[1]);
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

fpx_status fpx_block_dequantize(const fpx_blocking *blocking, float tensor_amax,
                                const uint8_t *codes, const void *scales, size_t rows, size_t cols,
                                float *dst)
{
    const fpx_status status = check_job(blocking, tensor_amax, rows, cols);

    if (status != FPX_OK)
        return status;

    const fpx_fpenv env = fpx_fpenv_enter();
    fpx_block_back(kernels_in_use(), blocking, tensor_amax, codes, scales, rows, cols, dst);
    fpx_fpenv_leave(env);
    return FPX_OK;
}
