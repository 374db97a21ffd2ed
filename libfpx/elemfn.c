/* elemfn.c - float32 elementary functions, correctly rounded, and the choice of array kernels.
 * A float64 result within an ulp, rounded once more, is the correctly rounded float32 unless the exact
 * value lies within 2^-28 ulp of the middle of two floats. The sweep of all 2^32 arguments
 * (tests/libfpx/test_elemfn_slow.c, its results are elemfn-proof.txt) found the cases listed here. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <fpx/elemfn.h>

#include "elemfn_kernels.h"

/* Bits of an argument whose float64 result rounds to the wrong neighbour, and of the right result. */
typedef struct hard_case {
    uint32_t x, y;
} hard_case;

static const hard_case log_hard[] = {
    { 0x3C413D3Au, 0xC08E158Fu }, { 0x41178FEBu, 0x400FE5E7u }, { 0x4C5D65A5u, 0x418F034Bu },
    { 0x65D890D3u, 0x4254D1F9u }, { 0x6F31A8ECu, 0x42845A89u },
};
static const hard_case sin_hard[] = { { 0x46199998u, 0xBEB1FA5Du }, { 0xC6199998u, 0x3EB1FA5Du } };
static const hard_case cos_hard[] = {
    { 0x5F18B878u, 0x3F7F14BBu },
    { 0xDF18B878u, 0x3F7F14BBu },
    { 0x6115CB11u, 0x3F78142Fu },
    { 0xE115CB11u, 0x3F78142Fu },
};

#define LENGTH(table) (sizeof(table) / sizeof(table)[0])

/* The float nearest to f(x), where approx = f(x) nearly. */
static float rounded(float x, double approx, const hard_case *hard, size_t n)
{
    float y = (float)approx;
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    for (size_t i = 0; i < n; i++) {
        if (u == hard[i].x)
            memcpy(&y, &hard[i].y, sizeof y);
    }
    return y;
}

float fpx_exp_f32(float x)
{
    return (float)fpx_exp_f64((double)x);
}

float fpx_log_f32(float x)
{
    return rounded(x, fpx_log_f64((double)x), log_hard, LENGTH(log_hard));
}

float fpx_sin_f32(float x)
{
    return rounded(x, fpx_sin_f64((double)x), sin_hard, LENGTH(sin_hard));
}

float fpx_cos_f32(float x)
{
    return rounded(x, fpx_cos_f64((double)x), cos_hard, LENGTH(cos_hard));
}

float fpx_tanh_f32(float x)
{
    return (float)fpx_tanh_f64((double)x);
}

static void exp_f32_scalar(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = fpx_exp_f32(x[i]);
}

static void tanh_f32_scalar(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = fpx_tanh_f32(x[i]);
}

static void exp_f64_scalar(const double *x, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = fpx_exp_f64(x[i]);
}

static void tanh_f64_scalar(const double *x, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = fpx_tanh_f64(x[i]);
}

static const elemfn_kernels scalar = { exp_f32_scalar, tanh_f32_scalar, exp_f64_scalar,
                                       tanh_f64_scalar };

/* The best variant of this build that level includes. */
static const elemfn_kernels *kernels(fpx_cpu_level level)
{
#ifdef FPX_HAVE_AVX2
    if (level >= FPX_CPU_AVX2)
        return &fpx_elemfn_avx2;
#endif
    (void)level;
    return &scalar;
}

void fpx_exp_f32_array(fpx_cpu_level level, const float *x, float *y, size_t n)
{
    kernels(level)->exp_f32(x, y, n);
}

void fpx_tanh_f32_array(fpx_cpu_level level, const float *x, float *y, size_t n)
{
    kernels(level)->tanh_f32(x, y, n);
}

void fpx_exp_f64_array(fpx_cpu_level level, const double *x, double *y, size_t n)
{
    kernels(level)->exp_f64(x, y, n);
}

void fpx_tanh_f64_array(fpx_cpu_level level, const double *x, double *y, size_t n)
{
    kernels(level)->tanh_f64(x, y, n);
}
