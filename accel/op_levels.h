/* op_levels.h - the scales of a matrix operand as this device takes them: one for each block, one for the whole, or
 * both, the blocks first. */
#ifndef FPX_ACCEL_OP_LEVELS_H
#define FPX_ACCEL_OP_LEVELS_H

#include <fpx/tensor.h>

typedef struct op_levels {
    const fpx_scaling *block; /* e8m0, ue4m3 or fp32, of a matrix; NULL: none */
    const fpx_scaling *whole; /* one fp32; NULL: none */
} op_levels;

/* 1, or 0 where this device has no such scales. */
int op_levels_of(const fpx_tensor *tensor, op_levels *ret_levels);

/* 1 where code times scale is a float32 for every code of a block format of fpx/block.h, or beyond float32's largest
 * value: e8m0 and ue4m3. (tests/accel/test_ops_block.c goes through all.) */
int op_levels_exact(const op_levels *levels);

/* Where the scales of op(X) lie: of vector v (row of A, column of B) and k, number
 * (v / block_v) * stride_v + (k / block_k) * stride_k. */
typedef struct op_grid {
    size_t block_v, block_k, stride_v, stride_k;
} op_grid;

/* k_axis: 0 or 1, the axis of the stored matrix that is summed over. */
op_grid op_grid_of(const fpx_tensor *tensor, const fpx_scaling *block, int k_axis);

#endif /* FPX_ACCEL_OP_LEVELS_H */
