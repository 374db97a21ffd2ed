/* convert_avx512.c - AVX-512 variants of the float32 conversions and of Philox: the loops in 16 lanes. They run only
 * where FPX_CPU=avx512 asks for them (fpx/cpu.h). */
#include "decode_lanes.h"
#include "encode_slots.h"
#include "philox_lanes.h"

const fpx_convert_kernels fpx_convert_kernels_avx512 = {
    .name = "avx512",
    .encode_f32 = { encode_f32_lanes, encode_f32_lanes, encode_f32_lanes, fpx_encode_f32_scalar },
    .encode_f32_u16 = { encode_f32_u16_lanes, encode_f32_u16_lanes, encode_f32_u16_lanes,
                        fpx_encode_f32_u16_scalar },
    .decode_f32 = { decode1, decode2, decode4 },
    .philox = philox_blocks,
};
