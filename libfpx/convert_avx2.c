/* convert_avx2.c - AVX2 variants of the float32 conversions and of Philox: the loops in 8 lanes. */
#include "decode_lanes.h"
#include "encode_slots.h"
#include "philox_lanes.h"

const fpx_convert_kernels fpx_convert_kernels_avx2 = {
    .name = "avx2",
    .encode_f32 = { encode_f32_lanes, encode_f32_lanes, encode_f32_lanes, fpx_encode_f32_scalar },
    .encode_f32_u16 = { encode_f32_u16_lanes, encode_f32_u16_lanes, encode_f32_u16_lanes,
                        fpx_encode_f32_u16_scalar },
    .decode_f32 = { decode1, decode2, decode4 },
    .philox = philox_blocks,
};
