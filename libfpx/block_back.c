/* block_back.c - codes and scales back to float32: the decoder's values times a factor for each block. */
#include <string.h>

#include "block_kernels.h"
#include "convert_kernels.h"
#include "format_bits.h"

static uint32_t load_scale(const void *scales, size_t bytes, size_t index)
{
    uint32_t stored;

    if (bytes == 1)
        return ((const uint8_t *)scales)[index];
    memcpy(&stored, (const uint8_t *)scales + 4 * index, sizeof stored);
    return stored;
}

/* Elements and blocks of a row taken at once: half of a first-level cache. Blocks of WIDE elements keep the decoder
 * busy by themselves. */
enum { CHUNK_ELEMENTS = 4096, CHUNK = 512, WIDE = 256 };

typedef struct block_decoder {
    const fpx_blocking *blocking;
    float tensor_amax;
    const uint8_t *codes;
    const void *scales;
    size_t cols, height, width, across;
    fpx_decode_f32_fn *decode;
    fpx_block_multiply_fn *multiply;
    const float *factor_of; /* NULL, or of each stored byte */
    float *dst;
} block_decoder;

static float factor_at(const block_decoder *d, size_t index)
{
    if (d->factor_of != NULL)
        return d->factor_of[((const uint8_t *)d->scales)[index]];
    return fpx_block_decode_factor(
        d->blocking, d->tensor_amax,
        load_scale(d->scales, fpx_format_size(fpx_blocking_scale_format(d->blocking)), index));
}

/* The products that the decoder would make of values and factors. */
static void multiply_reference(float *x, const float *factors, size_t width, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float value;
        memcpy(&value, x + i, sizeof value);
        const uint32_t sign = fpx_f32_bits(value) & 0x80000000u;
        float product = value * factors[i / width];
        if (product != product)
            product = fpx_bits_f32(0x7fc00000u | sign);
        memcpy(x + i, &product, sizeof product);
    }
}

/* One row of narrow blocks: values first, then the products. */
static void decode_narrow(const block_decoder *d, size_t at, size_t n, const float *factors)
{
    const fpx_format *const element = &d->blocking->element.format;
    const size_t whole = n / d->width;
    size_t done = 0;

    d->decode(element, 1.0f, d->codes + at, d->dst + at, n);
    if (d->multiply != NULL) {
        if (d->multiply(d->dst + at, factors, d->width, whole))
            done = whole;
        else
            d->decode(element, 1.0f, d->codes + at, d->dst + at, n);
    }
    multiply_reference(d->dst + at + done * d->width, factors + done, d->width,
                       n - done * d->width);
}

/* `most` blocks, or what is left, of the row of blocks that starts at row. */
static void decode_chunk(const block_decoder *d, size_t row, size_t rows, size_t first, size_t most)
{
    const size_t count = d->across - first < most ? d->across - first : most;
    const size_t index = row / d->height * d->across + first;
    const size_t col = first * d->width;
    const size_t n = d->cols - col < count * d->width ? d->cols - col : count * d->width;
    float factors[CHUNK];

    for (size_t k = 0; k < count; k++)
        factors[k] = factor_at(d, index + k);
    for (size_t r = 0; r < rows; r++) {
        const size_t at = (row + r) * d->cols + col;
        if (d->width < WIDE) {
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

void fpx_block_back(const fpx_block_kernels *kernels, const fpx_blocking *blocking,
                    float tensor_amax, const uint8_t *codes, const void *scales, size_t rows,
                    size_t cols, float *dst)
{
    block_decoder d = { .blocking = blocking,
                        .tensor_amax = tensor_amax,
                        .codes = codes,
                        .scales = scales,
                        .cols = cols,
                        .height = fpx_block_extent(rows, blocking->block[0]),
                        .width = fpx_block_extent(cols, blocking->block[1]),
                        .decode = fpx_convert_kernels_for(kernels->level)->decode_f32[0],
                        .multiply = kernels->multiply,
                        .dst = dst };
    const size_t fit = d.width == 0 || d.width > CHUNK_ELEMENTS ? 1 : CHUNK_ELEMENTS / d.width;
    const size_t most = fit < CHUNK ? fit : CHUNK;
    float factor_of[256];
    size_t down = 0;

    fpx_blocking_grid(blocking, rows, cols, &down, &d.across);
    if (fpx_format_size(fpx_blocking_scale_format(blocking)) == 1 && down * d.across > 256) {
        for (uint32_t byte = 0; byte < 256; byte++)
            factor_of[byte] = fpx_block_decode_factor(blocking, tensor_amax, byte);
        d.factor_of = factor_of;
    }
    for (size_t r = 0; r < rows; r += d.height) {
        for (size_t a = 0; a < d.across; a += most)
            decode_chunk(&d, r, rows - r < d.height ? rows - r : d.height, a, most);
    }
}
