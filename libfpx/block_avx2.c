/* block_avx2.c - AVX2 variants of block scaling. Eight blocks at a time, so that their scales are computed in eight
 * lanes (block_avx2_scale.c). Where a NaN could arise, eight blocks go to the reference. */
#include "block_avx2.h"

#include <float.h>
#include <string.h>

/* The elements that these loops know, with every intermediate a normal float32. */
static int knows(const fpx_blocking *b)
{
    const fpx_conversion *const c = &b->element;
    const fpx_format *const f = &c->format;

    return f->cls == FPX_CLASS_FLOAT && f->specials <= FPX_SPECIALS_NONE && f->flags == 0 &&
           f->ebits >= 2 && f->mbits >= 1 && 1 - f->bias >= -126 && fpx_block_emax(f) >= 2 &&
           fpx_block_emax(f) + 24 - f->mbits <= 127 && c->round == FPX_RNE &&
           (c->overflow == FPX_SATFINITE || f->specials == FPX_SPECIALS_NONE) &&
           c->overflow_test == FPX_TEST_ROUNDED && !b->drops_negative_zero;
}

/* ---- one block, whatever its scale ---- */

static inline void divide32(const float *src, __m256 divisor, __m256 *q)
{
    for (size_t i = 0; i < 4; i++)
        q[i] = _mm256_div_ps(_mm256_loadu_ps(src + i * LANES), divisor);
}

static int any_nan(const __m256 *q)
{
    const __m256 nan = _mm256_or_ps(_mm256_cmp_ps(q[0], q[1], _CMP_UNORD_Q),
                                    _mm256_cmp_ps(q[2], q[3], _CMP_UNORD_Q));

    return _mm256_movemask_ps(nan) != 0;
}

static int encode_part(const fpx_blocking *b, const encode_plan *p, __m256 factor, const float *src,
                       uint8_t *codes)
{
    __m256 q[4];

    if (b->rule == FPX_RULE_TILE_DIVIDE)
        divide32(src, factor, q);
    else
        multiply32(src, factor, factor, q);
    if (any_nan(q))
        return 0;
    encode32(p, q, codes);
    return 1;
}

static int encode_row(const fpx_blocking *b, const encode_plan *p, __m256 factor, const float *src,
                      uint8_t *codes, size_t n)
{
    float x[GROUP] = { 0.0f };
    uint8_t c[GROUP];
    size_t i = 0;

    for (; n - i >= GROUP; i += GROUP) {
        if (!encode_part(b, p, factor, src + i, codes + i))
            return 0;
    }
    if (i == n)
        return 1;
    memcpy(x, src + i, (n - i) * sizeof *x);
    if (!encode_part(b, p, factor, x, c))
        return 0;
    memcpy(codes + i, c, n - i);
    return 1;
}

static int encode_avx2(const fpx_blocking *b, fpx_block_factor f, const float *src, size_t stride,
                       uint8_t *codes, size_t rows, size_t cols)
{
    if (cols < LANES || !knows(b) || (b->rule == FPX_RULE_MX && f.stored == 255))
        return 0;

    const encode_plan p = plan_encode(&b->element.format);
    const __m256 factor =
        _mm256_set1_ps(b->rule == FPX_RULE_MX ? fpx_block_e8m0_value(254 - f.stored) : f.factor);
    for (size_t r = 0; r < rows; r++) {
        if (!encode_row(b, &p, factor, src + r * stride, codes + r * stride, cols))
            return 0;
    }
    return 1;
}

/* ---- eight blocks ---- */

/* Bits of the largest magnitude of `width` elements, by lanes; every NaN is above Inf. */
static inline __m256i lane_amax(const float *src, size_t width)
{
    const __m256i mask = _mm256_set1_epi32(INT32_MAX);
    __m256i amax = _mm256_setzero_si256();

    for (size_t i = 0; i < width; i += LANES) {
        const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(src + i));
        amax = _mm256_max_epi32(amax, _mm256_and_si256(x, mask));
    }
    return amax;
}

static inline __m256i max_of_pairs(__m256i a, __m256i b)
{
    return _mm256_max_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
}

static inline __m256i max_of_halves(__m256i a, __m256i b)
{
    return _mm256_max_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
}

/* Lane k: the bits of block k's amax. */
static inline __m256i amax8(const float *src, size_t width)
{
    __m256i m[BLOCKS];

    for (size_t k = 0; k < BLOCKS; k++)
        m[k] = lane_amax(src + k * width, width);
    const __m256i low = max_of_halves(max_of_pairs(m[0], m[1]), max_of_pairs(m[2], m[3]));
    const __m256i high = max_of_halves(max_of_pairs(m[4], m[5]), max_of_pairs(m[6], m[7]));
    return _mm256_max_epi32(_mm256_permute2x128_si256(low, high, 0x20),
                            _mm256_permute2x128_si256(low, high, 0x31));
}

static inline void store_bytes(__m256i x, uint8_t *dst) /* eight lanes below 256 */
{
    const __m128i shorts =
        _mm_packus_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));

    _mm_storel_epi64((__m128i *)(void *)dst, _mm_packus_epi16(shorts, shorts));
}

/* rows x cols elements in blocks {rows, 1} or {1, width}. */
static void reference(const run_plan *p, size_t rows, size_t cols, size_t width, const float *src,
                      size_t stride, uint8_t *codes, uint8_t *scales)
{
    const fpx_block_job job = { .blocking = p->blocking,
                                .tensor_amax = p->tensor_amax,
                                .src = src,
                                .rows = rows,
                                .cols = cols,
                                .stride = stride,
                                .height = rows,
                                .width = width,
                                .down = 1,
                                .across = cols / width,
                                .codes = codes,
                                .scales = scales };

    fpx_block_run_job(fpx_block_kernels_for(FPX_CPU_SCALAR), &job);
}

static inline void encode_wide(const run_plan *p, const float *src, __m256 factors, uint8_t *codes)
{
    for (int k = 0; k < BLOCKS; k++) {
        const __m256 f = _mm256_permutevar8x32_ps(factors, _mm256_set1_epi32(k));
        for (size_t i = 0; i < p->width; i += GROUP) {
            const size_t at = (size_t)k * p->width + i;
            __m256 q[4];
            multiply32(src + at, f, f, q);
            encode32(&p->element, q, codes + at);
        }
    }
}

static inline void encode_narrow(const run_plan *p, const float *src, __m256 factors,
                                 uint8_t *codes)
{
    for (int k = 0; k < BLOCKS; k += 2) {
        const __m256 first = _mm256_permutevar8x32_ps(factors, _mm256_set1_epi32(k));
        const __m256 second = _mm256_permutevar8x32_ps(factors, _mm256_set1_epi32(k + 1));
        const size_t at = (size_t)k * NVFP4_WIDTH;
        __m256 q[4];
        multiply32(src + at, first, second, q);
        encode32(&p->element, q, codes + at);
    }
}

/* Eight blocks. */
static inline void run8(const run_plan *p, const float *src, uint8_t *codes, uint8_t *scales,
                        size_t width)
{
    const eight at = { src, width, 1 };
    const __m256i amax = amax8(src, width);
    __m256i bytes;
    __m256 factors;

    if (!all_finite(amax) || !p->scale8(p, &at, amax, &bytes, &factors)) {
        reference(p, 1, BLOCKS * width, width, src, BLOCKS * width, codes, scales);
        return;
    }
    store_bytes(bytes, scales);
    if (width == NVFP4_WIDTH)
        encode_narrow(p, src, factors, codes);
    else
        encode_wide(p, src, factors, codes);
}

/* The last blocks are filled up to eight with zeros. */
static void run_last(const run_plan *p, const float *src, uint8_t *codes, uint8_t *scales,
                     size_t count, size_t width)
{
    float x[BLOCKS * GROUP] = { 0.0f };
    uint8_t c[BLOCKS * GROUP];
    uint8_t s[BLOCKS];

    memcpy(x, src, count * width * sizeof *x);
    run8(p, x, c, s, width);
    memcpy(codes, c, count * width);
    memcpy(scales, s, count);
}

static inline __attribute__((always_inline)) size_t run_all(const run_plan *p, const float *src,
                                                            uint8_t *codes, uint8_t *scales,
                                                            size_t count, size_t width)
{
    size_t i = 0;

    for (; count - i >= BLOCKS; i += BLOCKS)
        run8(p, src + i * width, codes + i * width, scales + i, width);
    if (i == count || width > GROUP)
        return i;
    run_last(p, src + i * width, codes + i * width, scales + i, count - i, width);
    return count;
}

/* 32 columns: four vectors of blocks. */
static void columns32(const run_plan *p, const float *src, size_t stride, uint8_t *codes,
                      uint8_t *scales)
{
    const __m256i mask = _mm256_set1_epi32(INT32_MAX);
    __m256i bytes[4];
    __m256 factors[4];

    for (size_t v = 0; v < 4; v++) {
        const eight at = { src + v * LANES, 1, stride };
        __m256i amax = _mm256_setzero_si256();
        for (size_t r = 0; r < p->width; r++) {
            const float *const x8 = at.src + r * stride;
            const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)x8);
            amax = _mm256_max_epi32(amax, _mm256_and_si256(x, mask));
        }
        if (!all_finite(amax) || !p->scale8(p, &at, amax, &bytes[v], &factors[v])) {
            reference(p, p->width, GROUP, 1, src, stride, codes, scales);
            return;
        }
    }
    for (size_t v = 0; v < 4; v++)
        store_bytes(bytes[v], scales + v * LANES);
    for (size_t r = 0; r < p->width; r++) {
        __m256 q[4];
        for (size_t v = 0; v < 4; v++)
            q[v] = _mm256_mul_ps(_mm256_loadu_ps(src + r * stride + v * LANES), factors[v]);
        encode32(&p->element, q, codes + r * stride);
    }
}

static void plan_mx(run_plan *p)
{
    const fpx_format *const f = &p->blocking->element.format;

    p->scale8 = fpx_block8_mx;
    p->emax = fpx_block_emax(f);
    p->top_fraction = (int)(fpx_f32_bits((float)fpx_format_max(f)) & 0x7fffffu);
    p->reciprocal = (float)(1.0 / fpx_format_max(f));
}

/* tensor_amax comes from outside: where S or 1 / t might be no ordinary number, there is no plan. */
static int plan_nvfp4(run_plan *p)
{
    if (!(p->tensor_amax >= FLT_MIN && p->tensor_amax <= FLT_MAX))
        return 0;
    p->scale = plan_encode(&fpx_e4m3);
    if (p->blocking->rule != FPX_RULE_NVFP4_TORCHAO) {
        const int is_46 = p->blocking->rule == FPX_RULE_NVFP4_46;
        const float encode =
            fpx_block_tensor_encode(is_46 ? p->blocking->bound : 448.0f, p->tensor_amax);
        p->scale8 = is_46 ? fpx_block8_46 : fpx_block8_te;
        p->multiplier = is_46 ? encode : encode * (1.0f / 6.0f);
        p->tensor_other = 1.0f / encode;
        return !is_46 || p->width == NVFP4_WIDTH;
    }
    p->scale8 = fpx_block8_torchao;
    p->tensor_scale = p->tensor_amax / (448.0f * 6.0f);
    p->tensor_other = 1.0f / p->tensor_scale;
    return p->tensor_other <= FLT_MAX;
}

/* 0: only the reference knows this. */
static int plan_run(const fpx_blocking *b, float tensor_amax, size_t width, run_plan *ret_plan)
{
    run_plan p = { .blocking = b, .tensor_amax = tensor_amax, .width = width };

    if (!knows(b))
        return 0;
    p.element = plan_encode(&b->element.format);
    switch (b->rule) {
    case FPX_RULE_MX:
        plan_mx(&p);
        break;
    case FPX_RULE_NVFP4_TE:
    case FPX_RULE_NVFP4_TORCHAO:
    case FPX_RULE_NVFP4_46:
        if (!plan_nvfp4(&p))
            return 0;
        break;
    default:
        return 0;
    }
    *ret_plan = p;
    return 1;
}

static size_t run_avx2(const fpx_blocking *b, float tensor_amax, size_t width, const float *src,
                       uint8_t *codes, void *scales, size_t count)
{
    run_plan p;

    if ((width != NVFP4_WIDTH && width % GROUP != 0) || !plan_run(b, tensor_amax, width, &p))
        return 0;
    /* The usual widths are constants, so that each has its own loop. */
    if (width == GROUP)
        return run_all(&p, src, codes, scales, count, GROUP);
    if (width == NVFP4_WIDTH)
        return run_all(&p, src, codes, scales, count, NVFP4_WIDTH);
    return run_all(&p, src, codes, scales, count, width);
}

static size_t columns_avx2(const fpx_blocking *b, float tensor_amax, size_t height,
                           const float *src, size_t stride, uint8_t *codes, void *scales,
                           size_t count)
{
    run_plan p;
    size_t i = 0;

    if (count < GROUP || !plan_run(b, tensor_amax, height, &p))
        return 0;
    for (; count - i >= GROUP; i += GROUP)
        columns32(&p, src + i, stride, codes + i, (uint8_t *)scales + i);
    return i;
}

const fpx_block_kernels fpx_block_kernels_avx2 = { "avx2", FPX_CPU_AVX2, run_avx2, columns_avx2,
                                                   encode_avx2 };
