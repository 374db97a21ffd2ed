/* block_walk.c - the walk over blocks, and the scalar reference of what happens in one: a block's amax, its scale
 * (block_scale.c), then each element divided by it and rounded as convert.c rounds. */
#include <math.h>
#include <string.h>

#include <fpx/reduce.h>
#include <fpx/scale.h>

#include "block_kernels.h"
#include "convert_round.h"

enum { E8M0_NAN = 0xff, HALF_LINE = 8, LINES = 16 };

/* Where a block lies. */
typedef struct block_place {
    size_t row, col;   /* of its first element */
    size_t rows, cols; /* short at the edges */
    size_t index;      /* of its scale */
} block_place;

static block_place place_of(const fpx_block_job *job, size_t down, size_t across)
{
    const size_t row = down * job->height;
    const size_t col = across * job->width;
    const block_place p = { row, col, job->rows - row < job->height ? job->rows - row : job->height,
                            job->cols - col < job->width ? job->cols - col : job->width,
                            down * job->across + across };

    return p;
}

/* Bits of positive floats order as integers do, NaN above all. */
static uint32_t amax_ignoring(const float *x, size_t n, uint32_t amax)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, x + i, sizeof u);
        u &= 0x7fffffffu;
        if (u <= 0x7f800000u && u > amax)
            amax = u;
    }
    return amax;
}

uint32_t fpx_block_amax_bits(const fpx_blocking *b, fpx_cpu_level level, const float *x, size_t n,
                             uint32_t before)
{
    const uint32_t here = fpx_f32_bits(fpx_amax_f32(level, x, n));

    if (here > 0x7f800000u && b->amax_nan == FPX_AMAX_IGNORES)
        return amax_ignoring(x, n, before);
    return here > before ? here : before;
}

static float block_amax(const fpx_block_kernels *k, const fpx_block_job *job, block_place p)
{
    uint32_t amax = 0;

    for (size_t r = 0; r < p.rows; r++)
        amax = fpx_block_amax_bits(job->blocking, k->level,
                                   job->src + (p.row + r) * job->stride + p.col, p.cols, amax);
    return fpx_bits_f32(amax);
}

/* The number whose exponent is MX_STD's; fpx/block.h has the order. */
static float block_spread(const fpx_block_job *job, block_place p)
{
    const float n = (float)job->height * (float)job->width;
    float sum[LINES] = { 0.0f }, square[LINES] = { 0.0f };

    for (size_t r = 0; r < p.rows; r++)
        for (size_t c = 0; c < p.cols; c++) {
            const float x = job->src[(p.row + r) * job->stride + p.col + c];
            const size_t lane = (r * job->width + c) % LINES;

            sum[lane] += x;
            square[lane] = fmaf(x, x, square[lane]);
        }
    for (size_t half = HALF_LINE; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++) {
            sum[l] += sum[l + half];
            square[l] += square[l + half];
        }
    const float mean = sum[0] / n;
    const float mean_square = square[0] / n;
    const float product = mean * mean;
    const float variance = mean_square - product;
    const float spread = FPX_SPREAD_GAIN * sqrtf(variance < 0.0f ? 0.0f : variance);

    return spread + FPX_SPREAD_LEAST;
}

/* q of one element, exactly for MX. A NaN from the arithmetic takes the source's sign, as in convert.c. */
static fpx_fields quotient(const fpx_blocking *b, fpx_block_factor f, uint32_t source)
{
    const float x = fpx_bits_f32(source);
    fpx_fields q = fpx_fields_of(&fpx_fp32, source);

    if (b->rule == FPX_RULE_MX) {
        if (f.stored == E8M0_NAN)
            q.kind = FPX_KIND_NAN;
        q.q += 127 - (int)f.stored;
    } else {
        const float y = b->rule == FPX_RULE_TILE_DIVIDE ? x / f.factor : x * f.factor;
        const int negative = q.negative;
        q = fpx_fields_of(&fpx_fp32, fpx_f32_bits(y));
        if (q.kind == FPX_KIND_NAN)
            q.negative = negative;
    }
    if (b->drops_negative_zero && q.kind == FPX_KIND_FINITE && q.m == 0)
        q.negative = 0;
    /* Half a place nearer to zero: a tie is below itself then, and what is above one stays above. */
    if (b->ties_to_zero && b->element.round == FPX_RNA && q.kind == FPX_KIND_FINITE && q.m != 0) {
        q.m = 2 * q.m - 1;
        q.q -= 1;
    }
    return q;
}

/* MS-AMP's FP4: a chain of "below this middle, then that code", whose last code NaN falls through to. A tie goes up
 * where half a unit in q's last place is added: less than any distance to another middle. */
static uint8_t ms_amp_code(const fpx_block_job *job, fpx_block_factor f, float x)
{
    const fpx_format *const format = &job->blocking->element.format;
    const float y = fpx_round_bf16(fpx_round_bf16(x) * f.factor);
    fpx_fields q = fpx_fields_of(&fpx_fp32, fpx_f32_bits(y));

    if (q.kind == FPX_KIND_NAN)
        return (uint8_t)format->max_code;
    if (q.kind == FPX_KIND_FINITE && q.m != 0) {
        q.m = q.negative ? 2 * q.m - 1 : 2 * q.m + 1;
        q.q -= 1;
    }
    const uint64_t code = fpx_round_fields(&job->blocking->element, q, 0, NULL);
    return (uint8_t)(fpx_format_value(format, code) == 0.0 ? 0 : code);
}

static uint8_t code_of(const fpx_block_job *job, fpx_block_factor f, size_t at)
{
    uint32_t random = 0;
    uint32_t source;

    if (job->bits != NULL)
        memcpy(&random, job->bits + at, sizeof random);
    memcpy(&source, job->src + at, sizeof source);
    if (job->blocking->ms_amp)
        return ms_amp_code(job, f, fpx_bits_f32(source));
    return (uint8_t)fpx_round_fields(&job->blocking->element, quotient(job->blocking, f, source),
                                     random, NULL);
}

static void encode_block(const fpx_block_kernels *k, const fpx_block_job *job, block_place p,
                         fpx_block_factor f)
{
    const size_t first = p.row * job->stride + p.col;

    if (fpx_block_span_encode(k, job, p.row, p.col, p.rows, p.cols, f))
        return;
    for (size_t r = 0; r < p.rows; r++) {
        for (size_t c = 0; c < p.cols; c++) {
            const size_t at = first + r * job->stride + c;
            job->codes[at] = code_of(job, f, at);
        }
    }
}

/* ---- four over six ---- */

static float element_error(const fpx_block_job *job, fpx_block_factor f, size_t at)
{
    const fpx_blocking *const b = job->blocking;
    const float scale = (float)fpx_format_value(&fpx_e4m3, f.stored);
    const float value = (float)fpx_format_value(&b->element.format, code_of(job, f, at));
    const float product = value * scale;
    float x;
    float difference;

    memcpy(&x, job->src + at, sizeof x);
    if (b->error >= FPX_ERROR_ABS_SCALED) {
        const float want = x * fpx_block_tensor_encode(b->bound, job->tensor_amax);
        difference = product - want;
    } else {
        const float decoded = product * job->tensor_amax / (6.0f * b->bound);
        difference = decoded - x;
    }
    if (b->error == FPX_ERROR_ABS || b->error == FPX_ERROR_ABS_SCALED)
        return difference < 0.0f ? -difference : difference;
    return difference * difference;
}

/* A block of one column is one line; else each row is. Lines that the edge cut off have no error. */
static float block_error(const fpx_block_job *job, block_place p, fpx_block_factor f)
{
    const int upright = job->blocking->block[1] == 1;
    const size_t lines = upright ? 1 : p.rows;
    const size_t length = upright ? p.rows : p.cols;
    float sum[LINES] = { 0.0f };

    for (size_t l = 0; l < lines; l++) {
        for (size_t i = 0; i < length; i++) {
            const size_t row = p.row + (upright ? i : l);
            const size_t col = p.col + (upright ? 0 : i);
            sum[l] += element_error(job, f, row * job->stride + col);
        }
    }
    for (size_t half = HALF_LINE; half > 0; half /= 2) {
        for (size_t l = 0; l < half; l++)
            sum[l] += sum[l + half];
    }
    return sum[0];
}

static fpx_block_factor better_of(const fpx_block_job *job, block_place p, float amax)
{
    const fpx_block_factor four = fpx_block_factor_of(job->blocking, job->tensor_amax, amax, 1);
    const fpx_block_factor six = fpx_block_factor_of(job->blocking, job->tensor_amax, amax, 0);

    return block_error(job, p, four) < block_error(job, p, six) ? four : six;
}

/* ---- the walk ---- */

void fpx_block_store_scale(const fpx_block_job *job, size_t index, uint32_t stored)
{
    const uint8_t byte = (uint8_t)stored;

    if (fpx_blocking_scale_format(job->blocking)->bits == 32)
        memcpy((uint8_t *)job->scales + 4 * index, &stored, sizeof stored);
    else
        memcpy((uint8_t *)job->scales + index, &byte, sizeof byte);
}

static void quantize_block(const fpx_block_kernels *k, const fpx_block_job *job, block_place p)
{
    const int spread =
        job->blocking->rule == FPX_RULE_MX && job->blocking->mx_exponent == FPX_MX_STD;
    const float amax = spread ? block_spread(job, p) : block_amax(k, job, p);
    const fpx_block_factor f = job->blocking->rule == FPX_RULE_NVFP4_46
                                   ? better_of(job, p, amax)
                                   : fpx_block_factor_of(job->blocking, job->tensor_amax, amax, 0);

    fpx_block_store_scale(job, p.index, f.stored);
    encode_block(k, job, p, f);
}

/* How many blocks, from the first of a row of the grid on, a kernel has done. Whole blocks {1, width} follow each
 * other in memory; where rows hold nothing else, those of all rows do. */
static size_t run_row(const fpx_block_kernels *k, const fpx_block_job *job, size_t down)
{
    const size_t whole = job->cols / job->width;
    const size_t at = down * job->height * job->stride;
    void *const scales =
        (uint8_t *)job->scales +
        down * job->across * fpx_format_size(fpx_blocking_scale_format(job->blocking));

    if (k->run == NULL || job->bits != NULL)
        return 0;
    if (job->height == 1 && job->width > 1)
        return k->run(job->blocking, job->tensor_amax, job->width, job->src + at, job->codes + at,
                      scales,
                      whole * job->width == job->stride ? whole * (job->down - down) : whole);
    if (job->width == 1 && (down + 1) * job->height <= job->rows)
        return k->columns(job->blocking, job->tensor_amax, job->height, job->src + at, job->stride,
                          job->codes + at, scales, job->cols);
    return 0;
}

void fpx_block_run_job(const fpx_block_kernels *kernels, const fpx_block_job *job)
{
    size_t done = 0; /* blocks that a run over several rows has done */

    for (size_t down = 0; down < job->down; down++) {
        const size_t first = down * job->across;
        if (done <= first)
            done = first + run_row(kernels, job, down);
        for (size_t across = done <= first ? 0 : done - first, next; across < job->across;
             across = next) {
            const size_t span = fpx_block_span(kernels, job, across);
            next = across + (span == 0 ? 1 : span);
            if (span > 0 && fpx_block_span_quantize(kernels, job, down, across, span))
                continue;
            for (size_t i = across; i < next; i++)
                quantize_block(kernels, job, place_of(job, down, i));
        }
    }
}
