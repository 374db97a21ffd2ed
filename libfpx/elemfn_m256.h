/* elemfn_m256.h - the float32 side of elemfn_fast.h, sixteen lanes in two 256-bit registers, shared by AVX2 and
 * AVX-512: with fewer lanes in step, each waits for the latency of its own operations. A file that
 * includes it defines vd and the functions on it that are declared here. */
#ifndef FPX_ELEMFN_M256_H
#define FPX_ELEMFN_M256_H

#include <immintrin.h>
#include <stdint.h>

enum { BLOCK = 16 };
#define ELEMFN_HOT 1 /* elemfn_hot.h */

typedef struct vf {
    __m256 a, b;
} vf;
typedef struct vw {
    __m256i a, b;
} vw;
typedef vf vfm;

static inline vf v_narrow(vd x);
static inline vw v_low_words(vd x); /* in any order */
static inline vd v_set(double x);
static inline vd v_fma(vd x, vd y, vd z);
static inline vd v_fnma(vd x, vd y, vd z);

/* A function of one or two arguments, on both registers. */
#define EACH1(RET, NAME, ARG, OP)                                                                  \
    static inline RET NAME(ARG x)                                                                  \
    {                                                                                              \
        return (RET){ OP(x.a), OP(x.b) };                                                          \
    }
#define EACH2(RET, NAME, OP)                                                                       \
    static inline RET NAME(RET x, RET y)                                                           \
    {                                                                                              \
        return (RET){ OP(x.a, y.a), OP(x.b, y.b) };                                                \
    }

EACH2(vf, vf_add, _mm256_add_ps)
EACH2(vf, vf_sub, _mm256_sub_ps)
EACH2(vf, vf_mul, _mm256_mul_ps)
EACH2(vf, vf_min, _mm256_min_ps)
EACH2(vf, vf_max, _mm256_max_ps)
EACH2(vf, vf_and, _mm256_and_ps)
EACH2(vf, vf_or, _mm256_or_ps)
EACH2(vf, vf_xor, _mm256_xor_ps)
EACH1(vw, vf_bits, vf, _mm256_castps_si256)
EACH1(vf, vf_of_bits, vw, _mm256_castsi256_ps)
EACH1(vf, vf_of_integer, vw, _mm256_cvtepi32_ps)
EACH1(vw, vf_to_integer, vf, _mm256_cvtps_epi32)
EACH2(vw, vw_add, _mm256_add_epi32)
EACH2(vw, vw_sub, _mm256_sub_epi32)
EACH2(vw, vw_and, _mm256_and_si256)
EACH2(vw, vw_or, _mm256_or_si256)
EACH2(vw, vw_greater, _mm256_cmpgt_epi32)
EACH2(vw, vw_equal, _mm256_cmpeq_epi32)
EACH2(vw, vw_min_unsigned, _mm256_min_epu32)
EACH1(vw, vw_abs, vw, _mm256_abs_epi32)

static inline vf vf_set(float x)
{
    return (vf){ _mm256_set1_ps(x), _mm256_set1_ps(x) };
}

/* Hidden from gcc 12, which would make each constant anew from a general register by two shuffles. */
static inline vw vw_set(int32_t i)
{
    __m256i x = _mm256_set1_epi32(i);

    __asm__("" : "+x"(x));
    return (vw){ x, x };
}

static inline vw vw_shl(vw x, int n)
{
    return (vw){ _mm256_slli_epi32(x.a, n), _mm256_slli_epi32(x.b, n) };
}

static inline vw vw_shr(vw x, int n)
{
    return (vw){ _mm256_srli_epi32(x.a, n), _mm256_srli_epi32(x.b, n) };
}

static inline vw vw_sar(vw x, int n)
{
    return (vw){ _mm256_srai_epi32(x.a, n), _mm256_srai_epi32(x.b, n) };
}

/* For loads by each: gcc would take them out of registers one by one. */
static inline void vw_store(uint32_t to[BLOCK], vw x)
{
    _mm256_storeu_si256((__m256i *)(void *)to, x.a);
    _mm256_storeu_si256((__m256i *)(void *)(to + 8), x.b);
    __asm__("" : "+m"(*(uint32_t(*)[BLOCK])to));
}

#define COMPARE(NAME, PREDICATE)                                                                   \
    static inline vfm NAME(vf x, vf y)                                                             \
    {                                                                                              \
        return (vfm){ _mm256_cmp_ps(x.a, y.a, PREDICATE), _mm256_cmp_ps(x.b, y.b, PREDICATE) };    \
    }

COMPARE(vfm_less, _CMP_LT_OQ)
COMPARE(vfm_not_less, _CMP_GE_OQ)
COMPARE(vfm_neither_equal_nor_nan, _CMP_NEQ_OQ)
COMPARE(vfm_not_above, _CMP_NGE_UQ)
COMPARE(vfm_not_below, _CMP_NLE_UQ)
COMPARE(vfm_unordered, _CMP_UNORD_Q)

static inline vfm vfm_none(void)
{
    return vf_set(0.0f);
}

static inline vfm vfm_within(vf x, float low, float high)
{
    return vf_and(vfm_not_less(x, vf_set(low)), vfm_less(x, vf_set(high)));
}

/* NaN too. */
static inline vfm vfm_not_within(vf x, float low, float high)
{
    return vf_or(vfm_not_above(x, vf_set(low)), vfm_not_below(x, vf_set(high)));
}

static inline vf vf_select(vfm m, vf x, vf y)
{
    return (vf){ _mm256_blendv_ps(y.a, x.a, m.a), _mm256_blendv_ps(y.b, x.b, m.b) };
}

static inline vf vf_load(const float *x)
{
    return (vf){ _mm256_loadu_ps(x), _mm256_loadu_ps(x + 8) };
}

static inline void vf_store(float *to, vf x)
{
    _mm256_storeu_ps(to, x.a);
    _mm256_storeu_ps(to + 8, x.b);
}

static inline vf vf_canonical_nan(vf y)
{
    return vf_select(vfm_unordered(y, y), vf_of_bits(vw_set(0x7FC00000)), y);
}

/* All results; a bit of *ret_doubt for each that its interval did not decide. */
static inline vf round_block(vd y, double bound, vfm outside, unsigned *ret_doubt)
{
    const vf up = v_narrow(v_fma(y, v_set(bound), y));
    const vf down = v_narrow(v_fnma(y, v_set(bound), y));
    const vf doubt = vf_or(outside, vfm_neither_equal_nor_nan(up, down));

    *ret_doubt = (unsigned)(_mm256_movemask_ps(doubt.a) | _mm256_movemask_ps(doubt.b) << 8);
    return up;
}

/* 0 where one of them is for round_block(). Near: the 29 bits that rounding drops, on top of a word with
 * `reach` added, are a negative number near the least. Subnormal, with tiny: the words but for their
 * sign, doubled, are within 2^24 of 0, as are those of NaN, but with tiny = 1 not 0. */
static inline int round_quick(vd wide_y, double bound, vfm outside, int tiny, vf *ret_y)
{
    const int reach = ((int)(bound * 0x1p53) + 1) * 8;
    const vf y = v_narrow(wide_y);
    const vw dropped = vw_add(vw_shl(v_low_words(wide_y), 3), vw_set(reach));
    vw doubt = vw_or(vw_greater(vw_set(INT32_MIN + 2 * reach + 8), dropped), vf_bits(outside));

    if (tiny) {
        const vw size = vw_sub(vw_abs(vw_shl(vf_bits(y), 1)), vw_set(tiny == 1));
        doubt = vw_or(doubt, vw_equal(size, vw_min_unsigned(size, vw_set((1 << 24) - 2))));
    } else {
        doubt = vw_or(doubt, vf_bits(vfm_unordered(y, y)));
    }
    *ret_y = y;
    return _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_or_si256(doubt.a, doubt.b))) == 0;
}

/* Lanes as v_of_words() and v_eighth() want them. */
static inline vw vw_spread(vw x);
/* float64 from their words. */
static inline vd v_of_words(vw low, vw high);
/* An entry of eight by the low three bits of each lane; less `less` in its high word. */
static inline vd v_eighth(const double *table, vw spread, vw less);

static inline vw vw_eighth(const uint32_t *table, vw spread)
{
    const __m256i all = _mm256_loadu_si256((const __m256i *)(const void *)table);

    return (vw){ _mm256_permutevar8x32_epi32(all, spread.a),
                 _mm256_permutevar8x32_epi32(all, spread.b) };
}

/* v_wide() through memory, whose conversions take one operation less than those of half a register. */
static inline vd v_wide_load(const float *x);
static inline vd v_wide_float(vf x)
{
    float memory[BLOCK];

    vf_store(memory, x);
    __asm__("" : "+m"(memory));
    return v_wide_load(memory);
}

/* 0 where the bits that rounding drops are within `reach`, a power of two, of one half. */
static inline vw vw_dropped(vd y, int reach)
{
    const int mask = (1 << 29) - 2 * reach;

    return vw_and(vw_add(v_low_words(y), vw_set((1 << 28) + reach)), vw_set(mask));
}

/* Signs of a block, those of different lanes together. */
typedef __m256i signs;

static inline signs negative(vw x)
{
    return _mm256_or_si256(x.a, x.b);
}

/* Negative where an |x| is above the number of these bits, or NaN. */
static inline signs above(vf x, int32_t limit_bits)
{
    const vw size = vf_bits(vf_and(x, vf_of_bits(vw_set(INT32_MAX))));

    return _mm256_sub_epi32(_mm256_set1_epi32(limit_bits), _mm256_max_epi32(size.a, size.b));
}

/* Negative but where every x is from the number of these bits to the last finite one. */
static inline signs not_positive_from(vf x, int32_t first_bits)
{
    const vw u = vf_bits(x);
    const __m256i least = _mm256_min_epi32(u.a, u.b);
    const __m256i most = _mm256_max_epi32(u.a, u.b);

    return _mm256_or_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(first_bits), least),
                           _mm256_cmpgt_epi32(most, _mm256_set1_epi32(0x7F7FFFFF)));
}

/* 1 where no lane of `dropped` is 0 and none of `outside` is negative. */
static inline int decided(vw dropped, signs outside)
{
    const __m256i least = _mm256_min_epu32(dropped.a, dropped.b);
    const __m256i doubt = _mm256_or_si256(_mm256_sub_epi32(least, _mm256_set1_epi32(1)), outside);

    return _mm256_movemask_ps(_mm256_castsi256_ps(doubt)) == 0;
}

#endif /* FPX_ELEMFN_M256_H */
