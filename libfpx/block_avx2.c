/* block_avx2.c - AVX2 variants of block scaling: the loops in 8 lanes. */
#include "block_slots.h"
#include "lanes_avx2.h"

const fpx_block_kernels fpx_block_kernels_avx2 = {
    .name = "avx2",
    .level = FPX_CPU_AVX2,
    .run = run_blocks,
    .columns = run_columns,
    .maxima = maxima_of_columns,
    .scales = scales_of_blocks,
    .quotients = quotients_of,
    .multiply = multiply_blocks,
};
