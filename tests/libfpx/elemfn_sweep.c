/* elemfn_sweep.c - float64 functions of glibc, four at a time where libmvec and AVX2 are there, else one by
 * one by libm (within 1 ulp), and the float32 that they leave no doubt about. */
#include "elemfn_sweep.h"

#include <math.h>
#include <string.h>

#if defined(FPX_HAVE_LIBMVEC) && defined(__AVX2__)
#include <immintrin.h>

#define VECTOR(NAME)                                                                               \
    extern __m256d _ZGVdN4v_##NAME(__m256d);                                                       \
    static void many_##NAME(const double *x, double *y)                                            \
    {                                                                                              \
        for (int i = 0; i < ELEMFN_SWEEP; i += 4)                                                  \
            _mm256_storeu_pd(y + i, _ZGVdN4v_##NAME(_mm256_loadu_pd(x + i)));                      \
    }
#else
#define VECTOR(NAME)                                                                               \
    static void many_##NAME(const double *x, double *y)                                            \
    {                                                                                              \
        for (int i = 0; i < ELEMFN_SWEEP; i++)                                                     \
            y[i] = NAME(x[i]);                                                                     \
    }
#endif

VECTOR(exp)
VECTOR(exp2)
VECTOR(expm1)
VECTOR(log)
VECTOR(log2)
VECTOR(log1p)
VECTOR(sin)
VECTOR(cos)
VECTOR(tanh)
VECTOR(erf)
VECTOR(erfc)
VECTOR(cbrt)

/* sigmoid(x) = 1 / (1 + e^-x): its error is e^-x's, at most. */
static void many_sigmoid(const double *x, double *y)
{
    double t[ELEMFN_SWEEP];

    for (int i = 0; i < ELEMFN_SWEEP; i++)
        t[i] = -x[i] > 700.0 ? 700.0 : -x[i] < -700.0 ? -700.0 : -x[i];
    many_exp(t, y);
    for (int i = 0; i < ELEMFN_SWEEP; i++)
        y[i] = 1.0 / (1.0 + y[i]);
}

static void many_silu(const double *x, double *y)
{
    many_sigmoid(x, y);
    for (int i = 0; i < ELEMFN_SWEEP; i++)
        y[i] *= x[i] < -700.0 ? -700.0 : x[i];
}

/* Below -20 any number as small as that at -20 will do: no Inf times 0. An error of 2^-53 of -x / sqrt2 becomes x^2 2^-53 of erfc, below 2^-45 to x = -15. */
static void many_gelu(const double *x, double *y)
{
    double t[ELEMFN_SWEEP];

    for (int i = 0; i < ELEMFN_SWEEP; i++)
        t[i] = (x[i] < -20.0 ? -20.0 : x[i]) * -0x1.6a09e667f3bcdp-1;
    many_erfc(t, y);
    for (int i = 0; i < ELEMFN_SWEEP; i++)
        y[i] *= 0.5 * (x[i] < -20.0 ? -20.0 : x[i]);
}

static void many_rsqrt(const double *x, double *y)
{
    for (int i = 0; i < ELEMFN_SWEEP; i++)
        y[i] = 1.0 / sqrt(x[i]);
}

typedef void many(const double *x, double *y);

static many *const named[FPX_ELEMFN_NAMED] = {
    [FPX_ELEMFN_EXP] = many_exp,     [FPX_ELEMFN_EXP2] = many_exp2,
    [FPX_ELEMFN_EXPM1] = many_expm1, [FPX_ELEMFN_LOG] = many_log,
    [FPX_ELEMFN_LOG2] = many_log2,   [FPX_ELEMFN_LOG1P] = many_log1p,
    [FPX_ELEMFN_SIN] = many_sin,     [FPX_ELEMFN_COS] = many_cos,
    [FPX_ELEMFN_TANH] = many_tanh,   [FPX_ELEMFN_SIGMOID] = many_sigmoid,
    [FPX_ELEMFN_ERF] = many_erf,     [FPX_ELEMFN_GELU] = many_gelu,
    [FPX_ELEMFN_SILU] = many_silu,   [FPX_ELEMFN_RSQRT] = many_rsqrt,
    [FPX_ELEMFN_CBRT] = many_cbrt,
};

/* x^n from x^1, x^2, ... one by one; each product errs by 2^-53. */
static void many_pow(const double *x, double *y, int n)
{
    for (int i = 0; i < ELEMFN_SWEEP; i++)
        y[i] = 1.0;
    for (int k = 0; k < (n < 0 ? -n : n); k++)
        for (int i = 0; i < ELEMFN_SWEEP; i++)
            y[i] *= x[i];
    for (int i = 0; n < 0 && i < ELEMFN_SWEEP; i++)
        y[i] = 1.0 / y[i];
}

void elemfn_sweep_expect(fpx_elemfn f, const float *x, uint32_t *want, unsigned char *certain)
{
    double wide[ELEMFN_SWEEP], y[ELEMFN_SWEEP];

    for (int i = 0; i < ELEMFN_SWEEP; i++)
        wide[i] = (double)x[i];
    if (f < FPX_ELEMFN_NAMED)
        named[f](wide, y);
    else
        many_pow(wide, y, (int)f - FPX_ELEMFN_POW);
    for (int i = 0; i < ELEMFN_SWEEP; i++) {
        const float up = (float)(y[i] + y[i] * 0x1p-40);
        const float down = (float)(y[i] - y[i] * 0x1p-40);
        uint32_t u, d;

        memcpy(&u, &up, sizeof u);
        memcpy(&d, &down, sizeof d);
        if (isinf(y[i]) || y[i] == 0.0) /* Inf less Inf is NaN, and -0 less -0 is +0 */
            d = u;
        if (isnan(y[i]))
            u = d = 0x7FC00000u;
        want[i] = u;
        certain[i] = u == d;
    }
}
