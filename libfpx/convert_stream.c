/* convert_stream.c - stochastic rounding with the bits of a stream, made a piece at a time: the words of a piece
 * stay in the first-level cache. */
#include <fpx/convert.h>

#include "convert_kernels.h"

/* Elements a piece; their words are 4 or 8 KiB. */
enum { PIECE = 2048, WORDS = PIECE + 4 };

/* Elements from `element` on that one piece takes: to its end, or to the last element there is. */
static size_t piece_of(uint64_t element, size_t skip, size_t n)
{
    const uint64_t until_end = UINT64_C(0) - element;
    size_t here = PIECE - skip;

    here = here < n ? here : n;
    return until_end != 0 && until_end < here ? (size_t)until_end : here;
}

static void run_stream(const fpx_conversion *c, float scale, const float *src,
                       const fpx_stream *stream, uint64_t first, void *dst, size_t n)
{
    const fpx_convert_kernels *const kernels = fpx_convert_kernels_in_use();
    const size_t slot = fpx_width_slot(&c->format);
    const size_t bytes = fpx_format_size(&c->format);
    const size_t in_block = c->sr_bits <= 16 ? 8 : 4;
    const uint32_t where[2] = { stream->step, stream->micro_batch };
    uint32_t key[2];
    union {
        uint32_t wide[WORDS];
        uint16_t half[2 * WORDS];
    } bits;

    fpx_stream_key(stream, key);
    for (size_t i = 0, here = 0; i < n; i += here) {
        const uint64_t element = first + i;
        const size_t skip = (size_t)(element % in_block);
        char *const to = (char *)dst + i * bytes;

        here = piece_of(element, skip, n - i);
        kernels->philox(key, where, element / in_block, bits.wide,
                        (skip + here + in_block - 1) / in_block);
        if (in_block == 8)
            kernels->encode_f32_u16[slot](c, scale, src + i, bits.half + skip, to, here);
        else
            kernels->encode_f32[slot](c, scale, src + i, bits.wide + skip, to, here);
    }
}

fpx_status fpx_encode_f32_stream(const fpx_conversion *conversion, float scale, const float *src,
                                 const fpx_stream *stream, uint64_t first, void *dst, size_t n)
{
    const fpx_status status = fpx_conversion_check(conversion);

    if (status != FPX_OK)
        return status;
    if (conversion->round != FPX_SR)
        return FPX_EINVAL;
    const fpx_fpenv env = fpx_fpenv_enter();
    run_stream(conversion, scale, src, stream, first, dst, n);
    fpx_fpenv_leave(env);
    return FPX_OK;
}
