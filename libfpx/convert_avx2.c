/* convert_avx2.c - AVX2 variants of the float32 conversions, parameterised by the descriptor, so that
 * one loop serves every format of a code width. The kernel check compares them with convert.c.
 *
 * Encoding, |x| < 2^(emax + 1): adding 2^(E + 23 - mbits) to a number of exponent E makes the
 * addition itself round at the format's last place (RNE); with E held at emin or above, subnormals
 * too. The bits of the sum less those of the addend are then the significand in units of the last
 * place. bfloat16 and float32 share float32's exponent field, so integers round their bits. */
#include <immintrin.h>

#include "convert_kernels.h"
#include "format_bits.h"

enum {
    LANES = 8,
    PAIR = 2 * LANES,
    GROUP = 4 * LANES,
    /* Bytes of input prefetched ahead: 512 gave 5.4 G elements/s, 4096 6.4, 8192 6.8 (Zen 5, E4M3). */
    AHEAD = 8192
};

/* What the loop needs to know of a format, each in all lanes. */
typedef struct encode_plan {
    __m256i clamp;   /* float bits of 2^(emax + 1), which encodes above max_code */
    __m256i lowest;  /* float bits of 2^emin */
    __m256i up;      /* (23 - mbits) << 23 */
    __m256i limit;   /* max_code, or the code that overflow gives */
    __m256i nan;     /* canonical NaN, or max_code where the format has none */
    __m256i keep;    /* the sign bit where a NaN keeps its sign, else 0 */
    __m256i sign;    /* the sign bit of a code */
    __m128i down;    /* 23 - mbits */
    __m128i to_sign; /* 32 - bits: from float's sign to the code's */
    __m256 scale;
} encode_plan;

static int32_t exponent_bits(int e)
{
    return (int32_t)((uint32_t)(e + 127) << 23);
}

static int emax_of(const fpx_format *f)
{
    return (int)(f->max_code >> f->mbits) - f->bias;
}

static __m256i all_lanes(uint64_t bits)
{
    return _mm256_set1_epi32((int32_t)(uint32_t)bits);
}

static encode_plan plan_encode(const fpx_conversion *c, float scale)
{
    const fpx_format *const f = &c->format;
    const int clips = c->overflow == FPX_SATFINITE || f->specials == FPX_SPECIALS_NONE;
    const uint64_t sign = UINT64_C(1) << (f->bits - 1);
    const int has_nan = f->specials != FPX_SPECIALS_NONE;
    encode_plan p;

    p.clamp = _mm256_set1_epi32(exponent_bits(emax_of(f) + 1));
    p.lowest = _mm256_set1_epi32(exponent_bits(1 - f->bias));
    p.up = _mm256_set1_epi32((23 - f->mbits) << 23);
    p.limit = all_lanes(f->max_code + (clips ? 0 : 1));
    p.nan = all_lanes(has_nan ? f->nan_code : f->max_code);
    p.keep = all_lanes(has_nan ? sign : 0);
    p.sign = all_lanes(sign);
    p.down = _mm_cvtsi32_si128(23 - f->mbits);
    p.to_sign = _mm_cvtsi32_si128(32 - f->bits);
    p.scale = _mm256_set1_ps(scale);
    return p;
}

/* The policies that these loops know; the others are the scalar reference's. */
static int is_plain(const fpx_conversion *c)
{
    return c->format.cls == FPX_CLASS_FLOAT && c->format.specials <= FPX_SPECIALS_NONE &&
           c->format.flags == 0 && c->format.ebits >= 2 && c->format.mbits >= 1 &&
           c->round == FPX_RNE && (c->overflow != FPX_SATPROPAGATE) && c->nan == FPX_NAN_SIGNED &&
           c->overflow_test == FPX_TEST_ROUNDED && c->nan_code == 0;
}

/* Whether every intermediate of encode8_add stays a normal float32. */
static int adds_exactly(const fpx_format *f)
{
    return f->mbits <= 22 && 1 - f->bias >= -126 && emax_of(f) + 1 + 23 - f->mbits <= 127;
}

static int shares_f32_exponent(const fpx_format *f)
{
    return f->ebits == 8 && f->bias == 127 && f->specials == FPX_SPECIALS_IEEE;
}

/* Codes with sign; x is the scaled value, source the value before. */
static __m256i finish(const encode_plan *p, __m256 source, __m256 x, __m256i magnitude)
{
    const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    const __m256i sign = _mm256_srl_epi32(_mm256_castps_si256(x), p->to_sign);
    const __m256i nan_sign = _mm256_srl_epi32(_mm256_castps_si256(source), p->to_sign);
    const __m256i code =
        _mm256_or_si256(_mm256_min_epi32(magnitude, p->limit), _mm256_and_si256(sign, p->sign));
    const __m256i nan = _mm256_or_si256(p->nan, _mm256_and_si256(nan_sign, p->keep));

    return _mm256_blendv_epi8(code, nan, is_nan);
}

/* Magnitude codes of |x|, not yet limited; a NaN counts as overflow. */
static __m256i magnitude_add(const encode_plan *p, __m256 x)
{
    const __m256 sign_mask = _mm256_castsi256_ps(_mm256_set1_epi32(INT32_MIN));
    /* Bits of positive floats order as integers do, NaN above all: clamped as integers. */
    const __m256i a =
        _mm256_min_epi32(_mm256_castps_si256(_mm256_andnot_ps(sign_mask, x)), p->clamp);
    const __m256i field = _mm256_and_si256(a, _mm256_set1_epi32(0x7f800000));
    const __m256i e = _mm256_max_epi32(field, p->lowest);
    const __m256i addend = _mm256_add_epi32(e, p->up);
    const __m256 sum = _mm256_add_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(addend));
    const __m256i units = _mm256_sub_epi32(_mm256_castps_si256(sum), addend);
    const __m256i base = _mm256_srl_epi32(_mm256_sub_epi32(e, p->lowest), p->down);

    return _mm256_add_epi32(units, base);
}

static __m256i encode8_add(const encode_plan *p, const float *src)
{
    const __m256 source = _mm256_loadu_ps(src);
    const __m256 x = _mm256_mul_ps(source, p->scale);

    return finish(p, source, x, magnitude_add(p, x));
}

/* Adds half a last place less one, and one more where the kept part is odd. */
static __m256i encode8_bits(const encode_plan *p, const float *src)
{
    const __m256 source = _mm256_loadu_ps(src);
    const __m256 x = _mm256_mul_ps(source, p->scale);
    const __m256i a = _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(INT32_MAX));
    const __m256i one = _mm256_set1_epi32(1);
    const __m256i last = _mm256_sll_epi32(one, p->down);
    const __m256i odd = _mm256_and_si256(_mm256_srl_epi32(a, p->down), one);
    /* last = 1 (float32 itself): half is 0, and 0 - 1 + odd must not carry. */
    const __m256i half = _mm256_srli_epi32(last, 1);
    const __m256i less = _mm256_min_epi32(half, one);
    const __m256i bump =
        _mm256_sub_epi32(_mm256_add_epi32(half, _mm256_and_si256(odd, less)), less);
    /* A NaN may wrap here: finish() replaces it. */
    return finish(p, source, x, _mm256_srl_epi32(_mm256_add_epi32(a, bump), p->down));
}

typedef __m256i encode8_fn(const encode_plan *plan, const float *src);

/* 32 codes below 256 from four vectors; packing works in halves of a register and leaves groups of four
 * in the order 0, 2, 4, 6, 1, 3, 5, 7. */
static __m256i narrow32(__m256i a, __m256i b, __m256i c, __m256i d)
{
    return _mm256_packus_epi16(_mm256_packus_epi32(a, b), _mm256_packus_epi32(c, d));
}

static __m256i narrow16(__m256i a, __m256i b)
{
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xd8);
}

/* Signs of 32 floats as bytes 0x80 or 0, in narrow32's order: saturating packs keep the sign. */
static __m256i narrow_signs(__m256 a, __m256 b, __m256 c, __m256 d)
{
    const __m256i bytes =
        _mm256_packs_epi16(_mm256_packs_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)),
                           _mm256_packs_epi32(_mm256_castps_si256(c), _mm256_castps_si256(d)));

    return _mm256_and_si256(bytes, _mm256_set1_epi8(INT8_MIN));
}

/* Limits and signs are put on 32 bytes at a time; a group with a NaN, which is rare, takes the way that
 * looks at every lane. */
static size_t encode_bytes(const fpx_conversion *c, const encode_plan *p, const float *src,
                           uint8_t *dst, size_t n)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i limit = _mm256_shuffle_epi8(p->limit, _mm256_setzero_si256());
    const __m128i to_sign = _mm_cvtsi32_si128(8 - c->format.bits);
    size_t i = 0;

    for (; n - i >= GROUP; i += GROUP) {
        const float *const at = src + i;
        const __m256 x0 = _mm256_mul_ps(_mm256_loadu_ps(at), p->scale);
        const __m256 x1 = _mm256_mul_ps(_mm256_loadu_ps(at + LANES), p->scale);
        const __m256 x2 = _mm256_mul_ps(_mm256_loadu_ps(at + PAIR), p->scale);
        const __m256 x3 = _mm256_mul_ps(_mm256_loadu_ps(at + PAIR + LANES), p->scale);
        /* Unordered: either of the pair is NaN. */
        const __m256 is_nan =
            _mm256_or_ps(_mm256_cmp_ps(x0, x1, _CMP_UNORD_Q), _mm256_cmp_ps(x2, x3, _CMP_UNORD_Q));
        __m256i codes;

        _mm_prefetch((const char *)at + AHEAD, _MM_HINT_T0);
        _mm_prefetch((const char *)at + AHEAD + 64, _MM_HINT_T0);
        if (_mm256_movemask_ps(is_nan) != 0) {
            codes = narrow32(encode8_add(p, at), encode8_add(p, at + LANES),
                             encode8_add(p, at + PAIR), encode8_add(p, at + PAIR + LANES));
        } else {
            const __m256i magnitudes = narrow32(magnitude_add(p, x0), magnitude_add(p, x1),
                                                magnitude_add(p, x2), magnitude_add(p, x3));
            /* Of each byte only bit 7 is set: a 16-bit shift moves none into its neighbour. */
            const __m256i signs = _mm256_srl_epi16(narrow_signs(x0, x1, x2, x3), to_sign);
            codes = _mm256_or_si256(_mm256_min_epu8(magnitudes, limit), signs);
        }
        _mm256_storeu_si256((__m256i *)(void *)(dst + i),
                            _mm256_permutevar8x32_epi32(codes, order));
    }
    return i;
}

static inline __attribute__((always_inline)) size_t encode_shorts(encode8_fn *encode8,
                                                                  const encode_plan *p,
                                                                  const float *src, uint16_t *dst,
                                                                  size_t n)
{
    size_t i = 0;

    for (; n - i >= PAIR; i += PAIR) {
        _mm_prefetch((const char *)(src + i) + AHEAD, _MM_HINT_T0);
        const __m256i codes = narrow16(encode8(p, src + i), encode8(p, src + i + LANES));
        _mm256_storeu_si256((__m256i *)(void *)(dst + i), codes);
    }
    return i;
}

static void encode1(const fpx_conversion *c, float scale, const float *src, const uint32_t *bits,
                    void *dst, size_t n)
{
    size_t done = 0;

    if (is_plain(c) && adds_exactly(&c->format)) {
        const encode_plan p = plan_encode(c, scale);
        done = encode_bytes(c, &p, src, dst, n);
    }
    fpx_encode_f32_scalar(c, scale, src + done, bits == NULL ? NULL : bits + done,
                          (uint8_t *)dst + done, n - done);
}

static void encode2(const fpx_conversion *c, float scale, const float *src, const uint32_t *bits,
                    void *dst, size_t n)
{
    const encode_plan p = plan_encode(c, scale);
    size_t done = 0;

    if (is_plain(c) && shares_f32_exponent(&c->format))
        done = encode_shorts(encode8_bits, &p, src, dst, n);
    else if (is_plain(c) && adds_exactly(&c->format))
        done = encode_shorts(encode8_add, &p, src, dst, n);
    fpx_encode_f32_scalar(c, scale, src + done, bits == NULL ? NULL : bits + done,
                          (uint8_t *)dst + 2 * done, n - done);
}

static void encode4(const fpx_conversion *c, float scale, const float *src, const uint32_t *bits,
                    void *dst, size_t n)
{
    size_t done = 0;

    if (is_plain(c) && shares_f32_exponent(&c->format)) {
        const encode_plan p = plan_encode(c, scale);
        for (; n - done >= LANES; done += LANES)
            _mm256_storeu_si256((__m256i *)(void *)((uint8_t *)dst + 4 * done),
                                encode8_bits(&p, src + done));
    }
    fpx_encode_f32_scalar(c, scale, src + done, bits == NULL ? NULL : bits + done,
                          (uint8_t *)dst + 4 * done, n - done);
}

/* Decoding: the fields move into float32's place and the exponent is rebased by addition; a subnormal
 * gets a hidden bit, which is then subtracted in floating point, exactly. */
typedef struct decode_plan {
    __m256i magnitude; /* mask of a code without sign */
    __m256i rebase;    /* (127 - bias) << 23 */
    __m256i normal;    /* float bits, not rebased, of the smallest normal; 0 with bias 127 */
    __m256i hidden;    /* 1 << 23 */
    __m256 lowest;     /* 2^emin */
    __m256i finite;    /* max_code */
    __m256i infinite;  /* code of Inf, or max_code where the format has none */
    __m128i up;        /* 23 - mbits */
    __m128i to_sign;   /* 32 - bits */
    __m256 scale;
} decode_plan;

static decode_plan plan_decode(const fpx_format *f, float scale)
{
    const int native = f->bias == 127;
    decode_plan p;

    p.magnitude = all_lanes((UINT64_C(1) << (f->bits - 1)) - 1);
    p.rebase = _mm256_set1_epi32((127 - f->bias) << 23);
    p.normal = _mm256_set1_epi32(native ? 0 : 1 << 23);
    p.hidden = _mm256_set1_epi32(1 << 23);
    p.lowest = _mm256_castsi256_ps(_mm256_set1_epi32(exponent_bits(1 - f->bias)));
    p.finite = all_lanes(f->max_code);
    p.infinite = all_lanes(f->max_code + (f->specials == FPX_SPECIALS_IEEE ? 1 : 0));
    p.up = _mm_cvtsi32_si128(23 - f->mbits);
    p.to_sign = _mm_cvtsi32_si128(32 - f->bits);
    p.scale = _mm256_set1_ps(scale);
    return p;
}

static __m256 decode8(const decode_plan *p, __m256i code)
{
    const __m256i magnitude = _mm256_and_si256(code, p->magnitude);
    const __m256i sign =
        _mm256_and_si256(_mm256_sll_epi32(code, p->to_sign), _mm256_set1_epi32(INT32_MIN));
    const __m256i raw = _mm256_sll_epi32(magnitude, p->up);
    const __m256i rebased = _mm256_add_epi32(raw, p->rebase);
    const __m256 subnormal =
        _mm256_sub_ps(_mm256_castsi256_ps(_mm256_add_epi32(rebased, p->hidden)), p->lowest);
    const __m256 is_subnormal = _mm256_castsi256_ps(_mm256_cmpgt_epi32(p->normal, raw));
    const __m256 finite = _mm256_blendv_ps(_mm256_castsi256_ps(rebased), subnormal, is_subnormal);
    /* Inf and NaN: above max_code; one mask shows Inf's bits, the other adds NaN's. */
    const __m256i above = _mm256_cmpgt_epi32(magnitude, p->finite);
    const __m256i special = _mm256_or_si256(
        _mm256_set1_epi32(0x7f800000), _mm256_and_si256(_mm256_cmpgt_epi32(magnitude, p->infinite),
                                                        _mm256_set1_epi32(0x00400000)));
    const __m256 value =
        _mm256_blendv_ps(finite, _mm256_castsi256_ps(special), _mm256_castsi256_ps(above));
    const __m256 product = _mm256_mul_ps(value, p->scale);
    const __m256 is_nan = _mm256_cmp_ps(product, product, _CMP_UNORD_Q);
    const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000));

    /* value had no sign yet: neither NaN nor product can disturb it. */
    return _mm256_xor_ps(_mm256_blendv_ps(product, nan, is_nan), _mm256_castsi256_ps(sign));
}

/* float32 has room for the fields, and 2^emin is a normal float32. */
static int rebases(const fpx_format *f)
{
    return f->cls == FPX_CLASS_FLOAT && f->specials <= FPX_SPECIALS_NONE && f->flags == 0 &&
           f->ebits >= 2 && f->mbits >= 1 && f->mbits <= 23 && f->bias >= 1 && f->bias <= 127 &&
           f->bits <= 32;
}

static void decode1(const fpx_format *f, float scale, const void *src, float *dst, size_t n)
{
    const uint8_t *const codes = src;
    size_t i = 0;

    if (rebases(f)) {
        const decode_plan p = plan_decode(f, scale);
        for (; n - i >= LANES; i += LANES) {
            const __m128i load = _mm_loadl_epi64((const __m128i *)(const void *)(codes + i));
            _mm256_storeu_ps(dst + i, decode8(&p, _mm256_cvtepu8_epi32(load)));
        }
    }
    fpx_decode_f32_scalar(f, scale, codes + i, dst + i, n - i);
}

static void decode2(const fpx_format *f, float scale, const void *src, float *dst, size_t n)
{
    const uint8_t *const codes = src;
    size_t i = 0;

    if (rebases(f)) {
        const decode_plan p = plan_decode(f, scale);
        for (; n - i >= LANES; i += LANES) {
            const __m128i load = _mm_loadu_si128((const __m128i *)(const void *)(codes + 2 * i));
            _mm256_storeu_ps(dst + i, decode8(&p, _mm256_cvtepu16_epi32(load)));
        }
    }
    fpx_decode_f32_scalar(f, scale, codes + 2 * i, dst + i, n - i);
}

static void decode4(const fpx_format *f, float scale, const void *src, float *dst, size_t n)
{
    const uint8_t *const codes = src;
    size_t i = 0;

    if (rebases(f)) {
        const decode_plan p = plan_decode(f, scale);
        for (; n - i >= LANES; i += LANES) {
            const __m256i load = _mm256_loadu_si256((const __m256i *)(const void *)(codes + 4 * i));
            _mm256_storeu_ps(dst + i, decode8(&p, load));
        }
    }
    fpx_decode_f32_scalar(f, scale, codes + 4 * i, dst + i, n - i);
}

const fpx_convert_kernels fpx_convert_kernels_avx2 = {
    .name = "avx2",
    .encode_f32 = { encode1, encode2, encode4, fpx_encode_f32_scalar },
    .decode_f32 = { decode1, decode2, decode4 },
};
