/* gemm_avx512_dialect.h - gemm_avx2_dialect.h's names in AVX-512 (F, DQ). */
#ifndef FPX_GEMM_AVX512_DIALECT_H
#define FPX_GEMM_AVX512_DIALECT_H

#include <immintrin.h>

#define ISA_NAME "avx512"

/* 12 x 2 accumulators and two vectors of B leave registers for the elements of A; 24 chains cover the latency of two
 * fma units thrice, and 12 rows divide the A_ROWS of gemm_blocked.c. */
enum { MR = 12 };

#ifdef GEMM_F64

typedef double real;
typedef __m512d vec;
typedef __mmask8 lanes;
enum { LANES = 8 };
#define KERNELS gemm_kernels_avx512_f64
#define v_zero _mm512_setzero_pd
#define v_all _mm512_set1_pd
#define v_load _mm512_loadu_pd
#define v_store _mm512_storeu_pd
#define v_add _mm512_add_pd
#define v_mul _mm512_mul_pd
#define v_fma _mm512_fmadd_pd

static inline vec v_spread(const real *x)
{
    return _mm512_set1_pd(*x);
}

static inline lanes v_first(size_t count)
{
    return (lanes)(count < LANES ? (1u << count) - 1 : 0xff);
}

static inline vec v_load_some(const real *x, lanes some)
{
    return _mm512_maskz_loadu_pd(some, x);
}

static inline void v_store_some(real *to, lanes some, vec x)
{
    _mm512_mask_storeu_pd(to, some, x);
}

static inline vec v_canonical(vec x)
{
    const vec nan = _mm512_castsi512_pd(_mm512_set1_epi64(0x7ff8000000000000));

    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(x, x, _CMP_UNORD_Q), x, nan);
}

static inline void v_transpose(vec *r)
{
    vec t[8], u[8];

    UNROLL
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_pd(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_pd(r[i], r[i + 1]);
    }
    /* u[i]: quarters 0 and 2 of the rows i, i + 1 below and of i + 2, i + 3 above; u[i + 2]: 1 and 3. */
    UNROLL
    for (int i = 0; i < 8; i += 4)
        for (int odd = 0; odd < 2; odd++) {
            u[i + odd] = _mm512_shuffle_f64x2(t[i + odd], t[i + 2 + odd], 0x88);
            u[i + 2 + odd] = _mm512_shuffle_f64x2(t[i + odd], t[i + 2 + odd], 0xdd);
        }
    UNROLL
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f64x2(u[i], u[i + 4], 0x88);
        r[i + 4] = _mm512_shuffle_f64x2(u[i], u[i + 4], 0xdd);
    }
}

#else

typedef float real;
typedef __m512 vec;
typedef __mmask16 lanes;
enum { LANES = 16 };
#define v_zero _mm512_setzero_ps
#define v_all _mm512_set1_ps
#define v_load _mm512_loadu_ps
#define v_store _mm512_storeu_ps
#define v_add _mm512_add_ps
#define v_mul _mm512_mul_ps
#if defined(GEMM_BF16)
#define KERNELS gemm_kernels_avx512_bf16
#elif defined(GEMM_FP16)
#define KERNELS gemm_kernels_avx512_fp16
#elif defined(GEMM_TREE) && GEMM_TREE == 2
#define KERNELS gemm_kernels_avx512_tree2
#elif defined(GEMM_TREE)
#define KERNELS gemm_kernels_avx512_tree4
#else
#define KERNELS gemm_kernels_avx512_f32
#define v_fma _mm512_fmadd_ps
#endif

static inline vec v_spread(const real *x)
{
    return _mm512_set1_ps(*x);
}

static inline lanes v_first(size_t count)
{
    return (lanes)(count < LANES ? (1u << count) - 1 : 0xffff);
}

static inline vec v_load_some(const real *x, lanes some)
{
    return _mm512_maskz_loadu_ps(some, x);
}

static inline void v_store_some(real *to, lanes some, vec x)
{
    _mm512_mask_storeu_ps(to, some, x);
}

static inline vec v_canonical(vec x)
{
    const vec nan = _mm512_castsi512_ps(_mm512_set1_epi32(0x7fc00000));

    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x, nan);
}

static inline void v_transpose(vec *r)
{
    vec t[16], u[16];

    UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    /* u[i + c]: column 4 q + c of rows i to i + 3 in quarter q. */
    UNROLL
    for (int i = 0; i < 16; i += 4) {
        u[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        u[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    /* t: quarters 0 and 2, then 1 and 3, of eight rows. */
    UNROLL
    for (int c = 0; c < 4; c++) {
        t[c] = _mm512_shuffle_f32x4(u[c], u[c + 4], 0x88);
        t[c + 4] = _mm512_shuffle_f32x4(u[c], u[c + 4], 0xdd);
        t[c + 8] = _mm512_shuffle_f32x4(u[c + 8], u[c + 12], 0x88);
        t[c + 12] = _mm512_shuffle_f32x4(u[c + 8], u[c + 12], 0xdd);
    }
    UNROLL
    for (int c = 0; c < 4; c++) {
        r[c] = _mm512_shuffle_f32x4(t[c], t[c + 8], 0x88);
        r[c + 4] = _mm512_shuffle_f32x4(t[c + 4], t[c + 12], 0x88);
        r[c + 8] = _mm512_shuffle_f32x4(t[c], t[c + 8], 0xdd);
        r[c + 12] = _mm512_shuffle_f32x4(t[c + 4], t[c + 12], 0xdd);
    }
}

#ifdef GEMM_TREE
/* Subnormal numbers to zeros of their sign. */
static inline vec v_flushed(vec x)
{
    const vec sign = _mm512_set1_ps(-0.0f);
    const __m512i magnitude = _mm512_castps_si512(_mm512_andnot_ps(sign, x));

    return _mm512_mask_and_ps(x, _mm512_cmplt_epi32_mask(magnitude, _mm512_set1_epi32(0x00800000)),
                              sign, x);
}
#endif

#if defined(GEMM_BF16) || defined(GEMM_FP16)
#define v_fma_exact _mm512_fmadd_ps
#define v_fma_negated _mm512_fnmsub_ps
typedef __m512i bits;
#define b_of _mm512_castps_si512
#define b_all _mm512_set1_epi32
#define b_add _mm512_add_epi32
#define b_and _mm512_and_si512
#define b_shr _mm512_srli_epi32
#define v_of _mm512_castsi512_ps

static inline vec v_negate(vec x)
{
    return _mm512_xor_ps(x, _mm512_set1_ps(-0.0f));
}

static inline vec v_odd(vec x, vec y)
{
    return _mm512_mask_blend_ps(_mm512_test_epi32_mask(b_of(x), b_all(1)), y, x);
}

static inline vec v_through_half(vec x)
{
    return _mm512_cvtph_ps(_mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
#endif

#endif

#endif /* FPX_GEMM_AVX512_DIALECT_H */
