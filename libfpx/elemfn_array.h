/* elemfn_array.h - loops over arrays, for the end of elemfn_fast.h: a block is done by NAME_quick(), of elemfn_hot.h
 * where the instruction set has that and the function is there, and by NAME_rest() where that does not decide. */
#ifndef FPX_ELEMFN_ARRAY_H
#define FPX_ELEMFN_ARRAY_H

/* What NAME_quick() did not decide, and the shorter block at the end. y may be x. */
#define ELEMFN_ARRAY(NAME, ID, PRE, POST, BOUND)                                                   \
    static __attribute__((noinline)) void NAME##_rest(int n, double bound, const float *x,         \
                                                      float *y, size_t m)                          \
    {                                                                                              \
        float in[BLOCK] = { 0.0f };                                                                \
        float out[BLOCK];                                                                          \
        unsigned doubt;                                                                            \
        parts p;                                                                                   \
                                                                                                   \
        memcpy(in, x, m * sizeof *x);                                                              \
        const vf v = vf_load(in);                                                                  \
        const vfm outside = PRE(v, &p);                                                            \
        const wide w = { v_wide(v), v_wide(p.a), v_wide(p.b), p.at, n };                           \
        vf_store(out,                                                                              \
                 vf_canonical_nan(POST(round_block(NAME##_main(w), bound, outside, &doubt), v)));  \
        memcpy(y, out, m * sizeof *y);                                                             \
        for (size_t j = 0; doubt >> j != 0 && j < m; j++)                                          \
            if (doubt >> j & 1u)                                                                   \
                y[j] = fpx_elemfn_f32_judge((fpx_elemfn)(ID), in[j]);                              \
    }                                                                                              \
                                                                                                   \
    static void NAME##_array(int n, const float *x, float *y, size_t count)                        \
    {                                                                                              \
        size_t i = 0;                                                                              \
                                                                                                   \
        for (; i + BLOCK <= count; i += BLOCK) {                                                   \
            const vf v = vf_load(x + i);                                                           \
            vf r;                                                                                  \
                                                                                                   \
            if (NAME##_quick(n, x + i, v, &r))                                                     \
                vf_store(y + i, r);                                                                \
            else                                                                                   \
                NAME##_rest(n, (BOUND), x + i, y + i, BLOCK);                                      \
        }                                                                                          \
        if (i < count)                                                                             \
            NAME##_rest(n, (BOUND), x + i, y + i, count - i);                                      \
    }

/* NAME_quick() by the same operations. */
#define ELEMFN_QUICK(NAME, PRE, POST, BOUND, TINY)                                                 \
    static inline int NAME##_quick(int n, const float *at, vf x, vf *ret_y)                        \
    {                                                                                              \
        parts p;                                                                                   \
        (void)at;                                                                                  \
        const vfm outside = PRE(x, &p);                                                            \
        const wide w = { v_wide(x), v_wide(p.a), v_wide(p.b), p.at, n };                           \
        const int done = round_quick(NAME##_main(w), (BOUND), outside, TINY, ret_y);               \
                                                                                                   \
        *ret_y = POST(*ret_y, x);                                                                  \
        return done;                                                                               \
    }

#define ELEMFN_FUNCTION(NAME, ID, PRE, POST, BOUND, TINY)                                          \
    ELEMFN_QUICK(NAME, PRE, POST, BOUND, TINY)                                                     \
    ELEMFN_ARRAY(NAME, ID, PRE, POST, BOUND)

#ifdef ELEMFN_HOT
#include "elemfn_hot.h"
#define ELEMFN_HOT_FUNCTION(NAME, ID, PRE, POST, BOUND, TINY)                                      \
    ELEMFN_ARRAY(NAME, ID, PRE, POST, BOUND)
#else
#define ELEMFN_HOT_FUNCTION ELEMFN_FUNCTION
#endif

/* The last: 0 where only x that is subnormal has a subnormal result, x itself; 1 where others have; 2 where
 * one that lies at half of the least subnormal is not exactly there: f(2^-149) is nearly 2^-150. */
ELEMFN_HOT_FUNCTION(exp, FPX_ELEMFN_EXP, exp_pre, no_post, 0x1p-41, 1)
ELEMFN_HOT_FUNCTION(exp2, FPX_ELEMFN_EXP2, exp2_pre, no_post, 0x1p-41, 1)
ELEMFN_FUNCTION(expm1, FPX_ELEMFN_EXPM1, expm1_pre, or_sign_post, 0x1p-40, 0)
ELEMFN_HOT_FUNCTION(log, FPX_ELEMFN_LOG, log_pre, no_post, 0x1p-41, 0)
ELEMFN_HOT_FUNCTION(log2, FPX_ELEMFN_LOG2, log_pre, no_post, 0x1p-41, 0)
ELEMFN_HOT_FUNCTION(log1p, FPX_ELEMFN_LOG1P, log1p_pre, or_sign_post, 0x1p-41, 0)
ELEMFN_HOT_FUNCTION(sin, FPX_ELEMFN_SIN, sin_pre, sin_post, 0x1p-41, 0)
ELEMFN_HOT_FUNCTION(cos, FPX_ELEMFN_COS, sin_pre, no_post, 0x1p-41, 0)
ELEMFN_FUNCTION(tanh, FPX_ELEMFN_TANH, tanh_pre, or_sign_post, 0x1p-40, 0)
ELEMFN_FUNCTION(sigmoid, FPX_ELEMFN_SIGMOID, sigmoid_pre, no_post, 0x1p-41, 1)
ELEMFN_HOT_FUNCTION(erf, FPX_ELEMFN_ERF, erf_pre, or_sign_post, 0x1p-42, 1)
ELEMFN_FUNCTION(gelu, FPX_ELEMFN_GELU, gelu_pre, gelu_post, 0x1p-41, 2)
ELEMFN_FUNCTION(silu, FPX_ELEMFN_SILU, sigmoid_pre, no_post, 0x1p-41, 2)
ELEMFN_FUNCTION(rsqrt, FPX_ELEMFN_RSQRT, no_pre, no_post, 0x1p-50, 0)
ELEMFN_FUNCTION(cbrt, FPX_ELEMFN_CBRT, cbrt_pre, no_post, 0x1p-41, 0)
/* A square of a float32 is exact in float64; any bound as small as that will do, but 0 times Inf would not. */
ELEMFN_FUNCTION(pow, FPX_ELEMFN_POW + n, no_pre, no_post, n == 2 ? 0x1p-60 : 0x1p-48, 1)

#define ELEMFN_F32_SLOTS                                                                           \
    {                                                                                              \
        [FPX_ELEMFN_EXP] = exp_array, [FPX_ELEMFN_EXP2] = exp2_array,                              \
        [FPX_ELEMFN_EXPM1] = expm1_array, [FPX_ELEMFN_LOG] = log_array,                            \
        [FPX_ELEMFN_LOG2] = log2_array, [FPX_ELEMFN_LOG1P] = log1p_array,                          \
        [FPX_ELEMFN_SIN] = sin_array, [FPX_ELEMFN_COS] = cos_array,                                \
        [FPX_ELEMFN_TANH] = tanh_array, [FPX_ELEMFN_SIGMOID] = sigmoid_array,                      \
        [FPX_ELEMFN_ERF] = erf_array, [FPX_ELEMFN_GELU] = gelu_array,                              \
        [FPX_ELEMFN_SILU] = silu_array, [FPX_ELEMFN_RSQRT] = rsqrt_array,                          \
        [FPX_ELEMFN_CBRT] = cbrt_array, [ELEMFN_POW_SLOT] = pow_array,                             \
    }

#endif /* FPX_ELEMFN_ARRAY_H */
