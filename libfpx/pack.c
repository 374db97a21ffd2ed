/* pack.c - dense codes as a stream of bits from the lowest, and cuBLAS's tiles of block scales: both are a formula
 * for where a code goes, applied in turn. */
#include <stdint.h>
#include <string.h>

#include <fpx/pack.h>

static const fpx_pack_layout layouts[] = {
    { "torch.float4_e2m1fn_x2", 4, FPX_PACK_DENSE,
      "PyTorch, Float4_e2m1fn_x2.h: two values a byte, the first in the low nibble" },
    { "safetensors.F4", 4, FPX_PACK_DENSE, "safetensors: torch's float4_e2m1fn_x2" },
    { "cublas.e2m1", 4, FPX_PACK_DENSE,
      "cuBLAS CUDA_R_4F_E2M1: PTX e2m1x2, lower element in the low nibble" },
    { "torchao.fp6", 6, FPX_PACK_NONE,
      "torchao mx_formats/kernels.py: one code a byte, upper bits 0" },
    { "safetensors.F6", 6, FPX_PACK_DENSE,
      "safetensors F6_E2M3, F6_E3M2: 6 bits an element by its size rule; the order within is not "
      "said there, here ONNX's" },
    { "onnx.float6", 6, FPX_PACK_DENSE,
      "ONNX 1.23 FLOAT6E2M3, FLOAT6E3M2: a stream of bits, the lowest first, filled up with 0" },
    { "cutlass.fp6", 6, FPX_PACK_DENSE,
      "CUTLASS: sub-byte elements one after the other from the lowest bit" },
};

enum { LAYOUTS = sizeof layouts / sizeof layouts[0] };

const fpx_pack_layout *fpx_pack_layout_at(size_t index)
{
    return index < LAYOUTS ? &layouts[index] : NULL;
}

const fpx_pack_layout *fpx_pack_layout_find(const char *name)
{
    for (size_t i = 0; i < LAYOUTS; i++) {
        if (strcmp(layouts[i].name, name) == 0)
            return &layouts[i];
    }
    return NULL;
}

size_t fpx_packed_bytes(unsigned bits, size_t n)
{
    if (bits < 1 || bits > 8)
        return 0;
    return n / 8 * bits + (n % 8 * bits + 7) / 8; /* 8 codes are `bits` whole bytes */
}

fpx_status fpx_pack(unsigned bits, const uint8_t *codes, size_t n, uint8_t *packed)
{
    if (bits < 1 || bits > 8)
        return FPX_EINVAL;

    const unsigned mask = (1u << bits) - 1;
    unsigned waiting = 0; /* bits not yet written, from the lowest */
    unsigned count = 0;
    for (size_t i = 0; i < n; i++) {
        waiting |= (codes[i] & mask) << count;
        count += bits;
        if (count >= 8) {
            *packed++ = (uint8_t)waiting;
            waiting >>= 8;
            count -= 8;
        }
    }
    if (count > 0)
        *packed = (uint8_t)waiting;
    return FPX_OK;
}

fpx_status fpx_unpack(unsigned bits, const uint8_t *packed, size_t n, uint8_t *codes)
{
    if (bits < 1 || bits > 8)
        return FPX_EINVAL;

    const unsigned mask = (1u << bits) - 1;
    unsigned waiting = 0;
    unsigned count = 0;
    for (size_t i = 0; i < n; i++) {
        if (count < bits) {
            waiting |= (unsigned)*packed++ << count;
            count += 8;
        }
        codes[i] = (uint8_t)(waiting & mask);
        waiting >>= bits;
        count -= bits;
    }
    return FPX_OK;
}

/* A tile of scales; a row of it lies in one of four groups of 32, which interleave. */
enum { TILE_ROWS = 128, TILE_COLS = 4, TILE_BYTES = TILE_ROWS * TILE_COLS, GROUP_ROWS = 32 };

static size_t tiles_of(size_t extent, size_t tile)
{
    return extent / tile + (extent % tile != 0);
}

size_t fpx_scales_cublas_offset(size_t row, size_t col, size_t cols)
{
    const size_t tile = row / TILE_ROWS * tiles_of(cols, TILE_COLS) + col / TILE_COLS;
    const size_t r = row % TILE_ROWS;

    return tile * TILE_BYTES + r % GROUP_ROWS * (TILE_BYTES / GROUP_ROWS) +
           r / GROUP_ROWS * TILE_COLS + col % TILE_COLS;
}

size_t fpx_scales_cublas_bytes(size_t rows, size_t cols)
{
    const size_t down = tiles_of(rows, TILE_ROWS);
    const size_t across = tiles_of(cols, TILE_COLS);

    if (across != 0 && down > (SIZE_MAX - 1) / TILE_BYTES / across)
        return SIZE_MAX;
    return down * across * TILE_BYTES;
}

fpx_status fpx_scales_to_cublas(const uint8_t *scales, size_t rows, size_t cols, uint8_t *tiles)
{
    const size_t bytes = fpx_scales_cublas_bytes(rows, cols);

    if (bytes == SIZE_MAX)
        return FPX_EINVAL;
    if (bytes > 0)
        memset(tiles, 0, bytes);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < cols; c++)
            tiles[fpx_scales_cublas_offset(r, c, cols)] = scales[r * cols + c];
    }
    return FPX_OK;
}

fpx_status fpx_scales_from_cublas(const uint8_t *tiles, size_t rows, size_t cols, uint8_t *scales)
{
    if (fpx_scales_cublas_bytes(rows, cols) == SIZE_MAX)
        return FPX_EINVAL;
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < cols; c++)
            scales[r * cols + c] = tiles[fpx_scales_cublas_offset(r, c, cols)];
    }
    return FPX_OK;
}
