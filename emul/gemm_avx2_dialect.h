/* gemm_avx2_dialect.h - the names with which gemm_tiles.c is written, for AVX2: MR rows of a tile, LANES of a vector,
 * and the operations on vectors, of float32 or (with GEMM_F64) float64. */
#ifndef FPX_GEMM_AVX2_DIALECT_H
#define FPX_GEMM_AVX2_DIALECT_H

#include <immintrin.h>

#define ISA_NAME "avx2"

/* 6 x 2 accumulators, two vectors of B and one element of A fill the 16 registers, and 12 chains cover the latency of
 * two fma units. */
enum { MR = 6 };

typedef __m256i lanes;

#ifdef GEMM_F64

typedef double real;
typedef __m256d vec;
enum { LANES = 4 };
#define KERNELS gemm_kernels_avx2_f64
#define v_zero _mm256_setzero_pd
#define v_all _mm256_set1_pd
#define v_spread _mm256_broadcast_sd
#define v_load _mm256_loadu_pd
#define v_store _mm256_storeu_pd
#define v_load_some _mm256_maskload_pd
#define v_store_some _mm256_maskstore_pd
#define v_add _mm256_add_pd
#define v_mul _mm256_mul_pd
#define v_fma _mm256_fmadd_pd

/* The first `count` lanes; count may exceed LANES. */
static inline lanes v_first(size_t count)
{
    const __m256i lane = _mm256_set_epi64x(3, 2, 1, 0);

    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count < 4 ? (long long)count : 4), lane);
}

/* Every NaN becomes 0x7ff8000000000000. */
static inline vec v_canonical(vec x)
{
    const vec nan = _mm256_castsi256_pd(_mm256_set1_epi64x(0x7ff8000000000000));

    return _mm256_blendv_pd(x, nan, _mm256_cmp_pd(x, x, _CMP_UNORD_Q));
}

static inline void v_transpose(vec *r)
{
    const vec t0 = _mm256_unpacklo_pd(r[0], r[1]), t1 = _mm256_unpackhi_pd(r[0], r[1]);
    const vec t2 = _mm256_unpacklo_pd(r[2], r[3]), t3 = _mm256_unpackhi_pd(r[2], r[3]);

    r[0] = _mm256_permute2f128_pd(t0, t2, 0x20);
    r[1] = _mm256_permute2f128_pd(t1, t3, 0x20);
    r[2] = _mm256_permute2f128_pd(t0, t2, 0x31);
    r[3] = _mm256_permute2f128_pd(t1, t3, 0x31);
}

#else

typedef float real;
typedef __m256 vec;
enum { LANES = 8 };
#define v_zero _mm256_setzero_ps
#define v_all _mm256_set1_ps
#define v_spread _mm256_broadcast_ss
#define v_load _mm256_loadu_ps
#define v_store _mm256_storeu_ps
#define v_load_some _mm256_maskload_ps
#define v_store_some _mm256_maskstore_ps
#define v_add _mm256_add_ps
#define v_mul _mm256_mul_ps
#if defined(GEMM_BF16)
#define KERNELS gemm_kernels_avx2_bf16
#elif defined(GEMM_FP16)
#define KERNELS gemm_kernels_avx2_fp16
#elif defined(GEMM_TREE) && GEMM_TREE == 2
#define KERNELS gemm_kernels_avx2_tree2
#elif defined(GEMM_TREE)
#define KERNELS gemm_kernels_avx2_tree4
#else
#define KERNELS gemm_kernels_avx2_f32
#define v_fma _mm256_fmadd_ps
#endif

static inline lanes v_first(size_t count)
{
    const __m256i lane = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);

    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count < 8 ? (int)count : 8), lane);
}

/* Every NaN becomes 0x7fc00000. */
static inline vec v_canonical(vec x)
{
    const vec nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000));

    return _mm256_blendv_ps(x, nan, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

static inline void v_transpose(vec *r)
{
    vec t[8], u[8];

    UNROLL
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL
    for (int i = 0; i < 8; i += 4) {
        u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
}

#ifdef GEMM_TREE
/* Subnormal numbers to zeros of their sign. */
static inline vec v_flushed(vec x)
{
    const vec sign = _mm256_set1_ps(-0.0f);
    const __m256i magnitude = _mm256_castps_si256(_mm256_andnot_ps(sign, x));
    const __m256i small = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x00800000), magnitude);

    return _mm256_blendv_ps(x, _mm256_and_ps(sign, x), _mm256_castsi256_ps(small));
}
#endif

#if defined(GEMM_BF16) || defined(GEMM_FP16)
/* What gemm_narrow.h is written with. */
#define v_fma_exact _mm256_fmadd_ps
#define v_fma_negated _mm256_fnmsub_ps
typedef __m256i bits;
#define b_of _mm256_castps_si256
#define b_all _mm256_set1_epi32
#define b_add _mm256_add_epi32
#define b_and _mm256_and_si256
#define b_shr _mm256_srli_epi32
#define v_of _mm256_castsi256_ps

static inline vec v_negate(vec x)
{
    return _mm256_xor_ps(x, _mm256_set1_ps(-0.0f));
}

/* The one of two neighbours whose last bit is 1; where x is y, x. */
static inline vec v_odd(vec x, vec y)
{
    return _mm256_blendv_ps(y, x, v_of(_mm256_slli_epi32(b_of(x), 31)));
}

static inline vec v_through_half(vec x)
{
    return _mm256_cvtph_ps(_mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#endif

#endif

#endif /* FPX_GEMM_AVX2_DIALECT_H */
