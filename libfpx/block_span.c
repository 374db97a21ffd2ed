/* block_span.c - blocks beside each other that no kernel takes as a whole: tiles, any rounding, random bits. A span of up
 * to SPAN columns at a time: the columns' amaxes, the blocks' scales, then rows of quotients in float32, which the
 * conversion's kernels round. */
#include "block_kernels.h"
#include "convert_kernels.h"
#include "format_bits.h"

enum { SPAN = 512, INF_BITS = 0x7f800000, E8M0_NAN = 0xff };

/* MX's quotients are exact here where they are normal numbers. Below, what their rounding lost is beneath all that
 * these roundings look at: half the least code, or 32 random bits of it. */
static int knows_rounding(const fpx_blocking *b)
{
    const fpx_format *const f = &b->element.format;

    if (b->rule != FPX_RULE_MX)
        return 1;
    return f->bias + f->mbits < 64 && (b->element.round == FPX_RNE || b->element.round == FPX_RNA ||
                                       b->element.round == FPX_RZ || b->element.round == FPX_SR);
}

static int knows(const fpx_block_kernels *k, const fpx_blocking *b)
{
    return k->quotients != NULL && !b->drops_negative_zero && !b->ms_amp && knows_rounding(b);
}

/* Four over six, and a standard deviation, look at every element before they know a scale. */
size_t fpx_block_span(const fpx_block_kernels *k, const fpx_block_job *job, size_t across)
{
    const fpx_blocking *const b = job->blocking;
    const size_t most = SPAN / job->width, left = job->across - across;

    if (!knows(k, b) || b->rule == FPX_RULE_NVFP4_46 ||
        (b->rule == FPX_RULE_MX && b->mx_exponent == FPX_MX_STD))
        return 0;
    return left < most ? left : most;
}

/* One place nearer to zero: a tie is then below itself, and what is above one stays at least there. */
static void lower(float *q, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t u = fpx_f32_bits(q[i]);
        q[i] = fpx_bits_f32(u - ((u & 0x7fffffffu) != 0));
    }
}

/* Elements of columns first, first + 1, ..., by a factor each. */
static int encode_rows(const fpx_block_kernels *k, const fpx_block_job *job, size_t first,
                       size_t rows, size_t cols, const float *factors)
{
    fpx_encode_f32_fn *const encode = fpx_convert_kernels_for(k->level)->encode_f32[0];
    const int divides = job->blocking->rule == FPX_RULE_TILE_DIVIDE;
    float q[SPAN];

    for (size_t r = 0; r < rows; r++) {
        const size_t at = first + r * job->stride;
        if (!k->quotients(job->src + at, factors, divides, q, cols))
            return 0;
        if (job->blocking->ties_to_zero && job->blocking->element.round == FPX_RNA)
            lower(q, cols);
        encode(&job->blocking->element, 1.0f, q, job->bits == NULL ? NULL : job->bits + at,
               job->codes + at, cols);
    }
    return 1;
}

int fpx_block_span_encode(const fpx_block_kernels *k, const fpx_block_job *job, size_t row,
                          size_t col, size_t rows, size_t cols, fpx_block_factor factor)
{
    float factors[SPAN];
    const size_t most = cols < SPAN ? cols : SPAN;

    if (!knows(k, job->blocking) ||
        (job->blocking->rule == FPX_RULE_MX && factor.stored == E8M0_NAN))
        return 0;
    for (size_t i = 0; i < most; i++)
        factors[i] = fpx_block_quotient_factor(job->blocking, factor);
    for (size_t c = 0; c < cols; c += SPAN) {
        const size_t here = cols - c < SPAN ? cols - c : SPAN;
        if (!encode_rows(k, job, row * job->stride + col + c, rows, here, factors))
            return 0;
    }
    return 1;
}

/* amax: of the columns, then of the blocks. 0: one is not finite. */
static int fold_columns(uint32_t *amax, size_t cols, size_t width)
{
    uint32_t all = 0;

    for (size_t b = 0, c = 0; c < cols; b++) {
        const size_t end = cols - c < width ? cols : c + width;
        uint32_t most = 0;
        for (; c < end; c++)
            most = amax[c] > most ? amax[c] : most;
        amax[b] = most;
        all = most > all ? most : all;
    }
    return all < INF_BITS;
}

/* Stores the scales of blocks from `index` on. 0: one is NaN. */
static int scale_blocks(const fpx_block_kernels *k, const fpx_block_job *job, const uint32_t *amax,
                        size_t index, size_t count, float *factors)
{
    const fpx_blocking *const b = job->blocking;

    if (k->scales(b, job->tensor_amax, amax, count, (uint8_t *)job->scales + index, factors))
        return 1;
    for (size_t i = 0; i < count; i++) {
        const fpx_block_factor f =
            fpx_block_factor_of(b, job->tensor_amax, fpx_bits_f32(amax[i]), 0);
        if (b->rule == FPX_RULE_MX && f.stored == E8M0_NAN)
            return 0;
        fpx_block_store_scale(job, index + i, f.stored);
        factors[i] = fpx_block_quotient_factor(b, f);
    }
    return 1;
}

int fpx_block_span_quantize(const fpx_block_kernels *k, const fpx_block_job *job, size_t down,
                            size_t across, size_t count)
{
    const size_t row = down * job->height, col = across * job->width;
    const size_t rows = job->rows - row < job->height ? job->rows - row : job->height;
    const size_t cols = job->cols - col < count * job->width ? job->cols - col : count * job->width;
    const size_t first = row * job->stride + col;
    uint32_t amax[SPAN];
    float of_block[SPAN], factors[SPAN];

    k->maxima(job->src + first, job->stride, rows, cols, amax);
    if (!fold_columns(amax, cols, job->width) ||
        !scale_blocks(k, job, amax, down * job->across + across, count, of_block))
        return 0;
    for (size_t b = 0, c = 0; b < count; b++)
        for (const size_t end = cols - c < job->width ? cols : c + job->width; c < end; c++)
            factors[c] = of_block[b];
    return encode_rows(k, job, first, rows, cols, factors);
}
