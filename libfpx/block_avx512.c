/* block_avx512.c - AVX-512 variants of block scaling: the loops in 16 lanes. */
#include "block_slots.h"
#include "lanes_avx512.h"

const fpx_block_kernels fpx_block_kernels_avx512 = {
    .name = "avx512",
    .level = FPX_CPU_AVX512,
    .run = run_blocks,
    .columns = run_columns,
    .maxima = maxima_of_columns,
    .scales = scales_of_blocks,
    .quotients = quotients_of,
    .multiply = multiply_blocks,
};
