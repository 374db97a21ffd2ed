/* block_avx2.h - what the AVX2 variants of block scaling share: elements encoded to nearest even and saturating as
 * convert_avx2.c says, and what is the same for all blocks of a run. */
#ifndef FPX_BLOCK_AVX2_H
#define FPX_BLOCK_AVX2_H

#include <immintrin.h>

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

static inline __m256i float_bits(int e) /* of 2^e */
{
    return _mm256_set1_epi32((int32_t)((uint32_t)(e + 127) << 23));
}

static inline encode_plan plan_encode(const fpx_format *f)
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

static inline int all_finite(__m256i amax)
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

scale8_fn fpx_block8_mx, fpx_block8_te, fpx_block8_torchao, fpx_block8_46;

#endif /* FPX_BLOCK_AVX2_H */
