/* block_avx2.c - AVX2 variants of block scaling, for elements rounded to nearest even and saturating. Eight blocks
 * at a time, so that their scales are computed in eight lanes by the same float32 operations as in block_scale.c;
 * elements are encoded as convert_avx2.c says. Where a NaN could arise, eight blocks go to the reference. */
#include <float.h>
#include <immintrin.h>
#include <string.h>

#include "block_kernels.h"
#include "format_bits.h"

enum { LANES = 8, GROUP = 32, BLOCKS = 8, INF_BITS = 0x7f800000, NVFP4_WIDTH = 16 };

/* What encoding needs to know of a format, in all lanes. */
typedef struct encode_plan {
    __m256i clamp;   /* float bits of 2^(emax + 1), which encodes above max_code */
    __m256i lowest;  /* float bits of 2^emin */
    __m256i up;      /* (23 - mbits) << 23 */
    __m256i limit;   /* max_code in each byte */
    __m128i down;    /* 23 - mbits */
    __m128i to_sign; /* 8 - bits */
} encode_plan;

static __m256i float_bits(int e) /* of 2^e */
{
    return _mm256_set1_epi32((int32_t)((uint32_t)(e + 127) << 23));
}

static encode_plan plan_encode(const fpx_format *f)
{
    encode_plan p;

    p.clamp = float_bits(fpx_block_emax(f) + 1);
    p.lowest = float_bits(1 - f->bias);
    p.up = _mm256_set1_epi32((23 - f->mbits) << 23);
    p.limit = _mm256_set1_epi8((char)f->max_code);
    p.down = _mm_cvtsi32_si128(23 - f->mbits);
    p.to_sign = _mm_cvtsi32_si128(8 - f->bits);
    return p;
}

/* The elements that these loops know, with every intermediate a normal float32. */
static int knows(const fpx_blocking *b)
{
    const fpx_conversion *const c = &b->element;
    const fpx_format *const f = &c->format;

    return f->cls == FPX_CLASS_FLOAT && f->specials <= FPX_SPECIALS_NONE && f->flags == 0 &&
           f->ebits >= 2 && f->mbits >= 1 && 1 - f->bias >= -126 && fpx_block_emax(f) >= 1 &&
           fpx_block_emax(f) + 24 - f->mbits <= 127 && c->round == FPX_RNE &&
           (c->overflow == FPX_SATFINITE || f->specials == FPX_SPECIALS_NONE) &&
           c->overflow_test == FPX_TEST_ROUNDED && !b->drops_negative_zero;
}

/* Magnitude codes of |x|, not yet limited. */
static inline __m256i magnitudes(const encode_plan *p, __m256 x)
{
    const __m256i bits = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(INT32_MAX));
    const __m256i a = _mm256_min_epi32(bits, p->clamp);
    const __m256i e = _mm256_max_epi32(_mm256_and_si256(a, _mm256_set1_epi32(INF_BITS)), p->lowest);
    const __m256i addend = _mm256_add_epi32(e, p->up);
    const __m256 sum = _mm256_add_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(addend));
    const __m256i units = _mm256_sub_epi32(_mm256_castps_si256(sum), addend);

    return _mm256_add_epi32(units, _mm256_srl_epi32(_mm256_sub_epi32(e, p->lowest), p->down));
}

static inline __m256i signs_of(const __m256 *q)
{
    const __m256i low = _mm256_packs_epi32(_mm256_castps_si256(q[0]), _mm256_castps_si256(q[1]));
    const __m256i high = _mm256_packs_epi32(_mm256_castps_si256(q[2]), _mm256_castps_si256(q[3]));

    return _mm256_and_si256(_mm256_packs_epi16(low, high), _mm256_set1_epi8(INT8_MIN));
}

/* 32 codes of q, none of it NaN. Packing leaves groups of four in the order 0, 2, 4, 6, 1, 3, 5, 7. */
static inline void encode32(const encode_plan *p, const __m256 *q, uint8_t *dst)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i bytes =
        _mm256_packus_epi16(_mm256_packus_epi32(magnitudes(p, q[0]), magnitudes(p, q[1])),
                            _mm256_packus_epi32(magnitudes(p, q[2]), magnitudes(p, q[3])));
    /* Of each byte only bit 7 is set: a 16-bit shift moves none into its neighbour. */
    const __m256i signs = _mm256_srl_epi16(signs_of(q), p->to_sign);
    const __m256i codes = _mm256_or_si256(_mm256_min_epu8(bytes, p->limit), signs);

    _mm256_storeu_si256((__m256i *)(void *)dst, _mm256_permutevar8x32_epi32(codes, order));
}

static inline void multiply32(const float *src, __m256 first, __m256 second, __m256 *q)
{
    q[0] = _mm256_mul_ps(_mm256_loadu_ps(src), first);
    q[1] = _mm256_mul_ps(_mm256_loadu_ps(src + 8), first);
    q[2] = _mm256_mul_ps(_mm256_loadu_ps(src + 16), second);
    q[3] = _mm256_mul_ps(_mm256_loadu_ps(src + 24), second);
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

static size_t encode_avx2(const fpx_blocking *b, fpx_block_factor f, const float *src,
                          uint8_t *codes, size_t n)
{
    if (n < LANES || !knows(b) || (b->rule == FPX_RULE_MX && f.stored == 255))
        return 0;

    const encode_plan p = plan_encode(&b->element.format);
    const __m256 factor =
        _mm256_set1_ps(b->rule == FPX_RULE_MX ? fpx_block_e8m0_value(254 - f.stored) : f.factor);
    float x[GROUP] = { 0.0f };
    uint8_t c[GROUP];
    size_t i = 0;
    for (; n - i >= GROUP; i += GROUP) {
        if (!encode_part(b, &p, factor, src + i, codes + i))
            return i;
    }
    if (i == n)
        return n;
    memcpy(x, src + i, (n - i) * sizeof *x);
    if (!encode_part(b, &p, factor, x, c))
        return i;
    memcpy(codes + i, c, n - i);
    return n;
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

static int all_finite(__m256i amax)
{
    const __m256i special = _mm256_cmpgt_epi32(amax, _mm256_set1_epi32(INF_BITS - 1));

    return _mm256_testz_si256(special, special);
}

typedef struct run_plan run_plan;

/* Where eight blocks lie: element i of block k is src[k * apart + i * step]. */
typedef struct eight {
    const float *src;
    size_t apart, step;
} eight;

/* Stored bytes and factors of eight blocks of finite amax; 0 where the reference must look at them. */
typedef int scale8_fn(const run_plan *p, const eight *at, __m256i amax, __m256i *ret_bytes,
                      __m256 *ret_factors);

/* Everything about a run of blocks that is the same for all. */
struct run_plan {
    scale8_fn *scale8;
    const fpx_blocking *blocking;
    encode_plan element;
    float tensor_amax;
    size_t width; /* elements of a block */
    int emax;
    int top_fraction;   /* of max, as float32's 23 bits */
    float reciprocal;   /* 1 / max */
    float multiplier;   /* NVFP4_TE: S * (1/6); NVFP4_46: S */
    float tensor_scale; /* torchao: t */
    float tensor_other; /* NVFP4_TE, NVFP4_46: 1 / S; torchao: 1 / t */
    encode_plan scale;  /* of e4m3 */
};

static inline __m256i above(__m256i x, int limit) /* 1 where x > limit */
{
    return _mm256_srli_epi32(_mm256_cmpgt_epi32(x, _mm256_set1_epi32(limit)), 31);
}

static inline __m256i round_up(
    __m256i bits, int limit) /* exponent field, and one where the rest is above limit */
{
    const __m256i fraction = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffff));

    return _mm256_add_epi32(_mm256_srli_epi32(bits, 23), above(fraction, limit));
}

/* 2^-127 is the fraction 0x400000 of exponent field 0: byte 0 up to there. */
static inline __m256i round_up_quotient(const run_plan *p, __m256i amax)
{
    const __m256i bits = _mm256_castps_si256(
        _mm256_mul_ps(_mm256_castsi256_ps(amax), _mm256_set1_ps(p->reciprocal)));
    const __m256i normal = _mm256_cmpgt_epi32(bits, _mm256_set1_epi32(0x7fffff));

    return _mm256_blendv_epi8(above(bits, 0x400000), round_up(bits, 0), normal);
}

static inline __m256i mx_bytes(const run_plan *p, __m256i amax)
{
    const __m256i emax = _mm256_set1_epi32(p->emax);
    __m256i byte;

    switch (p->blocking->mx_exponent) {
    case FPX_MX_CEIL:
        byte = _mm256_sub_epi32(round_up(amax, 0), emax);
        break;
    case FPX_MX_RCEIL:
        byte = _mm256_sub_epi32(round_up(amax, p->top_fraction), emax);
        break;
    case FPX_MX_RCEIL_FP32:
        byte = round_up_quotient(p, amax);
        break;
    case FPX_MX_EVEN:
        amax = _mm256_add_epi32(amax,
                                _mm256_set1_epi32(1 << (22 - p->blocking->element.format.mbits)));
        byte = _mm256_sub_epi32(_mm256_srli_epi32(amax, 23), emax);
        break;
    default:
        byte = _mm256_sub_epi32(_mm256_srli_epi32(amax, 23), emax);
        break;
    }
    return _mm256_min_epi32(_mm256_max_epi32(byte, _mm256_setzero_si256()), _mm256_set1_epi32(254));
}

static int scale8_mx(const run_plan *p, const eight *at, __m256i amax, __m256i *ret_bytes,
                     __m256 *ret_factors)
{
    (void)at;
    const __m256i half = _mm256_set1_epi32(p->blocking->mx_exponent == FPX_MX_EVEN
                                               ? 1 << (22 - p->blocking->element.format.mbits)
                                               : 0);
    if (!all_finite(_mm256_add_epi32(amax, half)))
        return 0;

    const __m256i byte = mx_bytes(p, amax);
    const __m256i largest = _mm256_set1_epi32(254);
    const __m256i factor = _mm256_slli_epi32(_mm256_sub_epi32(largest, byte), 23);
    /* 2^-127 is a subnormal. */
    const __m256i tiny =
        _mm256_and_si256(_mm256_cmpeq_epi32(byte, largest), _mm256_set1_epi32(0x00400000));
    *ret_bytes = byte;
    *ret_factors = _mm256_castsi256_ps(_mm256_or_si256(factor, tiny));
    return 1;
}

/* x in [0, 448] rounded to e4m3: codes, and values by taking back what rounding had added. */
static inline __m256i e4m3_of(const run_plan *p, __m256 x, __m256 *ret_values)
{
    const __m256i e = _mm256_max_epi32(
        _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(INF_BITS)), p->scale.lowest);
    const __m256 addend = _mm256_castsi256_ps(_mm256_add_epi32(e, p->scale.up));

    *ret_values = _mm256_sub_ps(_mm256_add_ps(x, addend), addend);
    return magnitudes(&p->scale, x);
}

static int scale8_te(const run_plan *p, const eight *at, __m256i amax, __m256i *ret_bytes,
                     __m256 *ret_factors)
{
    (void)at;
    const __m256 product = _mm256_mul_ps(_mm256_castsi256_ps(amax), _mm256_set1_ps(p->multiplier));
    __m256 value;

    *ret_bytes = e4m3_of(p, _mm256_min_ps(product, _mm256_set1_ps(448.0f)), &value);
    const __m256 decode = _mm256_mul_ps(value, _mm256_set1_ps(p->tensor_other));
    *ret_factors =
        _mm256_min_ps(_mm256_div_ps(_mm256_set1_ps(1.0f), decode), _mm256_set1_ps(FLT_MAX));
    return 1;
}

static int scale8_torchao(const run_plan *p, const eight *at, __m256i amax, __m256i *ret_bytes,
                          __m256 *ret_factors)
{
    (void)at;
    const __m256 sixth = _mm256_div_ps(_mm256_castsi256_ps(amax), _mm256_set1_ps(6.0f));
    const __m256 scaled = _mm256_div_ps(sixth, _mm256_set1_ps(p->tensor_scale));
    const __m256 kept =
        _mm256_min_ps(_mm256_max_ps(scaled, _mm256_set1_ps(0x1p-6f)), _mm256_set1_ps(448.0f));
    __m256 value;

    *ret_bytes = e4m3_of(p, kept, &value);
    *ret_factors = _mm256_div_ps(_mm256_set1_ps(p->tensor_other), value);
    return 1;
}

/* ---- four over six: both candidates in eight lanes, errors summed in element order ---- */

typedef struct candidate {
    __m256i bytes;
    __m256 values, factors, error;
} candidate;

static candidate candidate_of(const run_plan *p, __m256 scale)
{
    candidate c;

    c.bytes = e4m3_of(p, _mm256_min_ps(scale, _mm256_set1_ps(448.0f)), &c.values);
    const __m256 decode = _mm256_mul_ps(c.values, _mm256_set1_ps(p->tensor_other));
    c.factors = _mm256_min_ps(_mm256_div_ps(_mm256_set1_ps(1.0f), decode), _mm256_set1_ps(FLT_MAX));
    c.error = _mm256_setzero_ps();
    return c;
}

/* The value of q's code, by taking back what rounding had added. */
static inline __m256 e2m1_value(const run_plan *p, __m256 q)
{
    const __m256 sign_mask = _mm256_set1_ps(-0.0f);
    const __m256 a = _mm256_min_ps(_mm256_andnot_ps(sign_mask, q), _mm256_set1_ps(6.0f));
    const __m256i field = _mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(INF_BITS));
    const __m256i e = _mm256_max_epi32(field, p->element.lowest);
    const __m256 addend = _mm256_castsi256_ps(_mm256_add_epi32(e, p->element.up));
    const __m256 rounded = _mm256_sub_ps(_mm256_add_ps(a, addend), addend);

    return _mm256_or_ps(rounded, _mm256_and_ps(q, sign_mask));
}

static inline void add_error(const run_plan *p, __m256 x, candidate *c)
{
    const uint8_t error = p->blocking->error;
    const __m256 product = _mm256_mul_ps(e2m1_value(p, _mm256_mul_ps(x, c->factors)), c->values);
    __m256 difference;

    if (error >= FPX_ERROR_ABS_SCALED) {
        difference = _mm256_sub_ps(product, _mm256_mul_ps(x, _mm256_set1_ps(p->multiplier)));
    } else {
        const __m256 times = _mm256_mul_ps(product, _mm256_set1_ps(p->tensor_amax));
        const __m256 bound = _mm256_set1_ps(6.0f * p->blocking->bound);
        difference = _mm256_sub_ps(_mm256_div_ps(times, bound), x);
    }
    if (error == FPX_ERROR_ABS || error == FPX_ERROR_ABS_SCALED)
        difference = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), difference);
    else
        difference = _mm256_mul_ps(difference, difference);
    c->error = _mm256_add_ps(c->error, difference);
}

static int scale8_46(const run_plan *p, const eight *at, __m256i amax, __m256i *ret_bytes,
                     __m256 *ret_factors)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i index = _mm256_mullo_epi32(lanes, _mm256_set1_epi32((int)at->apart));
    const __m256 sixth = _mm256_div_ps(_mm256_castsi256_ps(amax), _mm256_set1_ps(6.0f));
    const __m256 base = _mm256_mul_ps(sixth, _mm256_set1_ps(p->multiplier));
    candidate four = candidate_of(p, _mm256_mul_ps(base, _mm256_set1_ps(1.5f)));
    candidate six = candidate_of(p, base);

    for (size_t i = 0; i < NVFP4_WIDTH; i++) {
        const __m256 x = _mm256_i32gather_ps(at->src + i * at->step, index, 4);
        add_error(p, x, &four);
        add_error(p, x, &six);
    }
    const __m256 better = _mm256_cmp_ps(four.error, six.error, _CMP_LT_OQ);
    *ret_bytes = _mm256_blendv_epi8(six.bytes, four.bytes, _mm256_castps_si256(better));
    *ret_factors = _mm256_blendv_ps(six.factors, four.factors, better);
    return 1;
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
static inline __attribute__((always_inline)) void run8(scale8_fn *scale8, const run_plan *p,
                                                       const float *src, uint8_t *codes,
                                                       uint8_t *scales, size_t width)
{
    const eight at = { src, width, 1 };
    const __m256i amax = amax8(src, width);
    __m256i bytes;
    __m256 factors;

    if (!all_finite(amax) || !scale8(p, &at, amax, &bytes, &factors)) {
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
static inline __attribute__((always_inline)) void run_last(scale8_fn *scale8, const run_plan *p,
                                                           const float *src, uint8_t *codes,
                                                           uint8_t *scales, size_t count,
                                                           size_t width)
{
    float x[BLOCKS * GROUP] = { 0.0f };
    uint8_t c[BLOCKS * GROUP];
    uint8_t s[BLOCKS];

    memcpy(x, src, count * width * sizeof *x);
    run8(scale8, p, x, c, s, width);
    memcpy(codes, c, count * width);
    memcpy(scales, s, count);
}

static inline __attribute__((always_inline)) size_t run_all(scale8_fn *scale8, const run_plan *p,
                                                            const float *src, uint8_t *codes,
                                                            uint8_t *scales, size_t count,
                                                            size_t width)
{
    size_t i = 0;

    for (; count - i >= BLOCKS; i += BLOCKS)
        run8(scale8, p, src + i * width, codes + i * width, scales + i, width);
    if (i == count || width > GROUP)
        return i;
    run_last(scale8, p, src + i * width, codes + i * width, scales + i, count - i, width);
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

    p->scale8 = scale8_mx;
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
        p->scale8 = is_46 ? scale8_46 : scale8_te;
        p->multiplier = is_46 ? encode : encode * (1.0f / 6.0f);
        p->tensor_other = 1.0f / encode;
        return !is_46 || p->width == NVFP4_WIDTH;
    }
    p->scale8 = scale8_torchao;
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

/* The scale function and the usual widths are constants here, so that each has its own loop. */
static size_t run_avx2(const fpx_blocking *b, float tensor_amax, size_t width, const float *src,
                       uint8_t *codes, void *scales, size_t count)
{
    run_plan p;

    if ((width != NVFP4_WIDTH && width % GROUP != 0) || !plan_run(b, tensor_amax, width, &p))
        return 0;
    if (b->rule == FPX_RULE_MX && width == GROUP)
        return run_all(scale8_mx, &p, src, codes, scales, count, GROUP);
    if (b->rule == FPX_RULE_NVFP4_TE && width == NVFP4_WIDTH)
        return run_all(scale8_te, &p, src, codes, scales, count, NVFP4_WIDTH);
    if (b->rule == FPX_RULE_NVFP4_TORCHAO && width == NVFP4_WIDTH)
        return run_all(scale8_torchao, &p, src, codes, scales, count, NVFP4_WIDTH);
    return run_all(p.scale8, &p, src, codes, scales, count, width);
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
