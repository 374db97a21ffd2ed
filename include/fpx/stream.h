/* fpx/stream.h - counter-based random numbers: a number depends on where it is used, never on who asked
 * before. The generator is Philox4x32-10 (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3,
 * SC 2011).
 *
 *   key     = words 0 and 1 of Philox(counter = (seed low, seed high, site low, site high),
 *                                     key = (0x667078, 0))                     ("fpx" as bytes)
 *   block b = Philox(counter = (b low, b high, step, micro_batch), key)      four 32-bit words
 *
 *   u32 of element i      word i mod 4 of block i / 4
 *   u16 of element i      of word (i / 2) mod 4 of block i / 8 the lower half where i is even, the upper where
 *                         it is odd
 *   uniform of element i  words (i mod 2) * 2 (high) and + 1 (low) of block i / 2 as a 64-bit number;
 *                         its upper 53 bits times 2^-53
 *   normal of element i   Box and Muller on block i / 2: u and v are the uniforms of its words 0, 1 and
 *                         2, 3; r = sqrt(-2 log(u + 2^-54)); r cos(2 pi v) where i is even, r sin(2 pi v)
 *                         where it is odd
 *
 * The element is the logical index in the unsharded tensor before any transposition. One site serves one
 * kind of number: u32, u16 and uniform of the same site share their blocks. */
#ifndef FPX_STREAM_H
#define FPX_STREAM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where randomness is used; plain data. */
typedef struct fpx_stream {
    uint64_t seed; /* of the experiment */
    uint64_t site; /* which quantizer, parameter or shuffle */
    uint32_t step;
    uint32_t micro_batch;
} fpx_stream;

/* The generator itself: ten rounds. ret_block may be counter. */
void fpx_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t ret_block[4]);

/* The key of a stream, as above: for kernels that compute blocks themselves. */
void fpx_stream_key(const fpx_stream *stream, uint32_t ret_key[2]);

/* 32 uniform bits. */
uint32_t fpx_stream_u32(const fpx_stream *stream, uint64_t element);

/* 16 uniform bits: half the work a number, and enough for stochastic rounding with at most 16 bits. */
uint32_t fpx_stream_u16(const fpx_stream *stream, uint64_t element);

/* Uniform in [0, 1), a multiple of 2^-53. */
double fpx_stream_uniform(const fpx_stream *stream, uint64_t element);

/* Standard normal; the same bits everywhere (fpx/elemfn.h's float64 functions). |x| < 8.66. */
double fpx_stream_normal(const fpx_stream *stream, uint64_t element);

/* dst[i] = the number of element first + i, each block computed once. n may be 0. */
void fpx_stream_u32_array(const fpx_stream *stream, uint64_t first, uint32_t *dst, size_t n);
void fpx_stream_normal_array(const fpx_stream *stream, uint64_t first, double *dst, size_t n);

/* How PTX's cvt.rs deals the 32 random bits w of an instruction out to the four numbers {a, b, e, f} that it
 * converts, f the first in memory: 16 bits each.
 *   X4 (8- and 6-bit destinations)   b: w[31:16], a: its bits reversed; f: w[15:0], e: its bits reversed
 *   E2M1X4                           b: bytes 3, 1 of w, a: its bits reversed; f: bytes 2, 0, e: its bits reversed
 * Which half or bytes a pair shares is in the PTX ISA (9.0, cvt). How the two read them is not: measured on sm_100a
 * (e4m3x4, e2m1x4, all 16 bits) and on sm_103a (e4m3x4, e5m2x4, e2m1x4, the upper 8 bits) by two public projects; the
 * second has one byte a number, in order and not reversed, for 8-bit destinations on sm_100a. */
typedef enum fpx_ptx_rs { FPX_PTX_RS_X4, FPX_PTX_RS_E2M1X4 } fpx_ptx_rs;

/* ret_bits[i] = the 16 bits of element i from words[i / 4], as fpx_encode_f32_random takes them with sr_bits 16;
 * elements 0, 1, 2, 3 of four are f, e, b, a. The arrays must not overlap; n may be 0. */
void fpx_stream_ptx_rs(fpx_ptx_rs layout, const uint32_t *words, uint32_t *ret_bits, size_t n);

#ifdef __cplusplus
}
#endif

#endif /* FPX_STREAM_H */
