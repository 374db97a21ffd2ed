/* stream.c - Philox4x32-10 and the mapping from its words to numbers. Integers until the last step; the
 * normal deviates use float64 operations whose bits are the same on every machine. */
#include <math.h>

#include <fpx/cpu.h>
#include <fpx/elemfn.h>
#include <fpx/stream.h>

#include "convert_kernels.h"

/* Multipliers and Weyl increments from the paper, table 2 and section 4.2. */
static const uint32_t multiplier[2] = { 0xd2511f53, 0xcd9e8d57 };
static const uint32_t weyl[2] = { 0x9e3779b9, 0xbb67ae85 };

void fpx_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t ret_block[4])
{
    uint32_t c[4] = { counter[0], counter[1], counter[2], counter[3] };
    uint32_t k[2] = { key[0], key[1] };

    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)multiplier[0] * c[0];
        const uint64_t b = (uint64_t)multiplier[1] * c[2];

        c[0] = (uint32_t)(b >> 32) ^ c[1] ^ k[0];
        c[1] = (uint32_t)b;
        c[2] = (uint32_t)(a >> 32) ^ c[3] ^ k[1];
        c[3] = (uint32_t)a;
        k[0] += weyl[0];
        k[1] += weyl[1];
    }
    for (int i = 0; i < 4; i++)
        ret_block[i] = c[i];
}

void fpx_philox_scalar(const uint32_t key[2], const uint32_t where[2], uint64_t first,
                       uint32_t *dst, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t index = first + i;
        const uint32_t counter[4] = { (uint32_t)index, (uint32_t)(index >> 32), where[0],
                                      where[1] };
        fpx_philox4x32(counter, key, dst + 4 * i);
    }
}

void fpx_stream_key(const fpx_stream *stream, uint32_t ret_key[2])
{
    static const uint32_t key[2] = { 0x667078, 0 };
    const uint32_t counter[4] = { (uint32_t)stream->seed, (uint32_t)(stream->seed >> 32),
                                  (uint32_t)stream->site, (uint32_t)(stream->site >> 32) };
    uint32_t block[4];

    fpx_philox4x32(counter, key, block);
    ret_key[0] = block[0];
    ret_key[1] = block[1];
}

static void block_at(const fpx_stream *stream, const uint32_t key[2], uint64_t index,
                     uint32_t ret_block[4])
{
    const uint32_t counter[4] = { (uint32_t)index, (uint32_t)(index >> 32), stream->step,
                                  stream->micro_batch };

    fpx_philox4x32(counter, key, ret_block);
}

static double uniform_of(const uint32_t words[2])
{
    const uint64_t bits = (uint64_t)words[0] << 32 | words[1];

    return (double)(bits >> 11) * 0x1p-53; /* 53 bits: exact in any rounding mode */
}

/* Both deviates of a block. u + 2^-54 keeps the logarithm finite at u = 0; the sum is exact below 1/2 and
 * at most 1 above. */
static void normals_of(const uint32_t block[4], double ret_pair[2])
{
    static const double two_pi = 0x1.921fb54442d18p+2;
    const double radius = sqrt(-2.0 * fpx_log_f64(uniform_of(block) + 0x1p-54));
    const double angle = two_pi * uniform_of(block + 2);

    ret_pair[0] = radius * fpx_cos_f64(angle);
    ret_pair[1] = radius * fpx_sin_f64(angle);
}

uint32_t fpx_stream_u32(const fpx_stream *stream, uint64_t element)
{
    uint32_t value = 0;

    fpx_stream_u32_array(stream, element, &value, 1);
    return value;
}

double fpx_stream_uniform(const fpx_stream *stream, uint64_t element)
{
    uint32_t key[2];
    uint32_t block[4];

    fpx_stream_key(stream, key);
    block_at(stream, key, element / 2, block);
    return uniform_of(block + 2 * (element % 2));
}

double fpx_stream_normal(const fpx_stream *stream, uint64_t element)
{
    double value = 0.0;

    fpx_stream_normal_array(stream, element, &value, 1);
    return value;
}

uint32_t fpx_stream_u16(const fpx_stream *stream, uint64_t element)
{
    uint32_t key[2];
    uint32_t block[4];

    fpx_stream_key(stream, key);
    block_at(stream, key, element / 8, block);
    return block[element / 2 % 4] >> (16 * (element % 2)) & 0xffff;
}

/* The ends by single blocks, whole blocks between them at once, at most up to the last element there is, after
 * which 0 follows. */
void fpx_stream_u32_array(const fpx_stream *stream, uint64_t first, uint32_t *dst, size_t n)
{
    const uint32_t where[2] = { stream->step, stream->micro_batch };
    uint32_t key[2];
    uint32_t block[4];

    fpx_stream_key(stream, key);
    for (size_t i = 0; i < n;) {
        const uint64_t element = first + i;
        const uint64_t until_end = (UINT64_C(1) << 62) - element / 4;
        size_t blocks = (n - i) / 4;
        if (element % 4 != 0 || blocks == 0) {
            block_at(stream, key, element / 4, block);
            dst[i++] = block[element % 4];
            continue;
        }
        blocks = blocks < until_end ? blocks : (size_t)until_end;
        fpx_convert_kernels_in_use()->philox(key, where, element / 4, dst + i, blocks);
        i += 4 * blocks;
    }
}

/* Reversed: bit 0 becomes bit 15. */
static uint32_t reversed16(uint32_t x)
{
    uint32_t y = 0;

    for (int i = 0; i < 16; i++)
        y |= (x >> i & 1) << (15 - i);
    return y;
}

void fpx_stream_ptx_rs(fpx_ptx_rs layout, const uint32_t *words, uint32_t *ret_bits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t w = words[i / 4];
        const int upper = i % 4 >= 2;
        const uint32_t field = layout == FPX_PTX_RS_E2M1X4
                                   ? (w >> (16 + 8 * upper) & 0xff) << 8 | (w >> (8 * upper) & 0xff)
                                   : w >> (16 * upper) & 0xffff;
        ret_bits[i] = i % 2 == 0 ? field : reversed16(field);
    }
}

void fpx_stream_normal_array(const fpx_stream *stream, uint64_t first, double *dst, size_t n)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    uint32_t key[2];
    uint32_t block[4];
    double pair[2];

    fpx_stream_key(stream, key);
    for (size_t i = 0; i < n; i++) {
        const uint64_t element = first + i;
        if (i == 0 || element % 2 == 0) {
            block_at(stream, key, element / 2, block);
            normals_of(block, pair);
        }
        dst[i] = pair[element % 2];
    }
    fpx_fpenv_leave(env);
}
