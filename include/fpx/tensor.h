/* fpx/tensor.h - everything that is to be said about an array of numbers, as plain data.
 *
 * A tensor names its memory by (buffer handle, byte offset), so that it can cross a process or
 * device boundary; whoever owns the buffers turns that into an address. */
#ifndef FPX_TENSOR_H
#define FPX_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/format.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FPX_MAX_DIMS = 4, FPX_MAX_SCALES = 2 };

/* How codes narrower than a byte lie in memory. */
enum fpx_packing {
    FPX_PACK_NONE, /* one code in each 1, 2, 4 or 8 bytes (fpx_format_size) */
    FPX_PACK_DENSE /* 4-bit codes two a byte, even element in the low nibble */
};

/* Order of the scale values of a blocked scaling. */
enum fpx_scale_layout {
    FPX_SCALE_ROWMAJOR, /* one scale a block, blocks in row-major order */
    FPX_SCALE_CUBLAS    /* 128x4 tiles as cuBLAS stores block scales */
};

typedef struct fpx_place {
    uint32_t buffer;   /* handle given by the owner's alloc; 0 is never a buffer */
    uint32_t reserved; /* 0 */
    uint64_t offset;   /* bytes from the buffer's start */
} fpx_place;

/* One level of scales: element value = code value * scale[block of the element] (* next level).
 * The scale stored here multiplies when *decoding*. */
typedef struct fpx_scaling {
    fpx_format format;            /* of the scale values: fp32, e8m0, ue4m3 */
    uint64_t block[FPX_MAX_DIMS]; /* elements one scale covers along each axis; 0 = whole axis */
    uint32_t layout;              /* enum fpx_scale_layout */
    uint32_t reserved;            /* 0 */
    fpx_place place;              /* where the scale values start */
} fpx_scaling;

typedef struct fpx_tensor {
    fpx_format format;
    uint8_t packing; /* enum fpx_packing */
    uint8_t ndim;    /* 0 (a scalar) .. FPX_MAX_DIMS */
    uint8_t nscales; /* 0 .. FPX_MAX_SCALES, finest first */
    uint8_t reserved[5];
    uint64_t shape[FPX_MAX_DIMS];   /* elements; entries at and above ndim are 1 */
    uint64_t strides[FPX_MAX_DIMS]; /* elements, row-major when made by fpx_tensor_make */
    fpx_scaling scale[FPX_MAX_SCALES];
    fpx_place place;
} fpx_tensor;

/* A row-major, unpacked, unscaled tensor without a place. shape has ndim entries, all >= 1.
 * FPX_EINVAL: ndim > FPX_MAX_DIMS, a zero extent, or a size in bytes above SIZE_MAX. */
fpx_status fpx_tensor_make(const fpx_format *format, size_t ndim, const uint64_t *shape,
                           fpx_tensor *ret_tensor);

/* Number of elements; 1 for a scalar; SIZE_MAX where that overflows (a foreign descriptor). */
size_t fpx_tensor_count(const fpx_tensor *tensor);

/* Bytes from the first to past the last element, packing and strides counted; SIZE_MAX, which no
 * buffer has, where that overflows. */
size_t fpx_tensor_bytes(const fpx_tensor *tensor);

/* Scales of a level along each axis, ret_grid[axis] (1 at and above ndim), and their number; SIZE_MAX where that
 * overflows. level < nscales. */
size_t fpx_tensor_scales(const fpx_tensor *tensor, size_t level, uint64_t ret_grid[FPX_MAX_DIMS]);

/* 1 where elements lie in row-major order without gaps. */
int fpx_tensor_is_dense(const fpx_tensor *tensor);

/* Same format, packing, shape and scaling shape; places and strides may differ. */
int fpx_tensor_same_kind(const fpx_tensor *a, const fpx_tensor *b);

#ifdef __cplusplus
}
#endif

#endif /* FPX_TENSOR_H */
