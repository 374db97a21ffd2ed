/* fpx/pack.h - how codes narrower than a byte, and block scales, lie in memory.
 *
 *   4 bits, dense    byte 0 [ c1 | c0 ]  byte 1 [ c3 | c2 ]             even elements in the low nibble
 *   6 bits, dense    byte 0 [ c1 . . | c0 ]  byte 1 [ c2 . . . | c1 ]  byte 2 [ c3 | c2 ]
 *   bytes            one code in the low bits of a byte, the upper ones 0
 *
 * Dense: the bits of all codes in a row, code 0 in the lowest, cut into bytes from the lowest. */
#ifndef FPX_PACK_H
#define FPX_PACK_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>
#include <fpx/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A layout by the name of who has it. */
typedef struct fpx_pack_layout {
    const char *name;
    uint8_t bits;    /* of a code */
    uint8_t packing; /* enum fpx_packing */
    const char *source;
} fpx_pack_layout;

/* Layouts in table order; NULL at and after the end. By name: NULL where there is none. */
const fpx_pack_layout *fpx_pack_layout_at(size_t index);
const fpx_pack_layout *fpx_pack_layout_find(const char *name);

/* Bytes that n dense codes of this many bits take, the last one filled up with 0: ceil(n * bits / 8).
 * bits is 1..8, else 0. */
size_t fpx_packed_bytes(unsigned bits, size_t n);

/* n codes, one a byte (bits above the width are dropped), to fpx_packed_bytes(bits, n) dense bytes, and back.
 * Buffers must not overlap; any alignment. FPX_EINVAL: bits outside 1..8. */
fpx_status fpx_pack(unsigned bits, const uint8_t *codes, size_t n, uint8_t *packed);
fpx_status fpx_unpack(unsigned bits, const uint8_t *packed, size_t n, uint8_t *codes);

/* Block scales of one byte as cuBLAS reads them (FPX_SCALE_CUBLAS; its manual, "1D block scaling factors
 * layout"): the rows x cols scales in tiles of 128 x 4, tiles in row-major order, each of 512 bytes: the
 * scale of row r, column c of a tile at byte (r mod 32) * 16 + (r / 32) * 4 + c. */
size_t fpx_scales_cublas_offset(size_t row, size_t col, size_t cols);

/* Bytes: 512 for each tile begun. SIZE_MAX where that overflows. */
size_t fpx_scales_cublas_bytes(size_t rows, size_t cols);

/* From row-major to tiles (what has no scale becomes 0), and back. Buffers must not overlap.
 * FPX_EINVAL: a size that overflows. */
fpx_status fpx_scales_to_cublas(const uint8_t *scales, size_t rows, size_t cols, uint8_t *tiles);
fpx_status fpx_scales_from_cublas(const uint8_t *tiles, size_t rows, size_t cols, uint8_t *scales);

#ifdef __cplusplus
}
#endif

#endif /* FPX_PACK_H */
