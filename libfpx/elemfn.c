/* elemfn.c - names, the choice of kernels, and functions of codes: decode exactly, round the true value
 * to odd at 53 bits, and let the one rounding of fpx_encode_f64 see an argument on which it cannot
 * err (53 >= 16 + 2). */
#include <stdint.h>
#include <string.h>

#include <fpx/elemfn.h>

#include "elemfn_kernels.h"

static const char *const names[FPX_ELEMFN_COUNT] = {
    "exp",    "exp2",    "expm1",  "log",    "log2",   "log1p",  "sin",   "cos",
    "tanh",   "sigmoid", "erf",    "gelu",   "silu",   "rsqrt",  "cbrt",  "pow-16",
    "pow-15", "pow-14",  "pow-13", "pow-12", "pow-11", "pow-10", "pow-9", "pow-8",
    "pow-7",  "pow-6",   "pow-5",  "pow-4",  "pow-3",  "pow-2",  "pow-1", "pow0",
    "pow1",   "pow2",    "pow3",   "pow4",   "pow5",   "pow6",   "pow7",  "pow8",
    "pow9",   "pow10",   "pow11",  "pow12",  "pow13",  "pow14",  "pow15", "pow16",
};

static const elemfn_kernels *const tables[FPX_CPU_LEVELS] = {
    [FPX_CPU_SCALAR] = &fpx_elemfn_scalar,
#ifdef FPX_HAVE_AVX2
    [FPX_CPU_AVX2] = &fpx_elemfn_avx2,
    [FPX_CPU_AVX512] = &fpx_elemfn_avx512,
#endif
};

static const elemfn_kernels *kernels(fpx_cpu_level level)
{
    return tables[level] != NULL ? tables[level] : &fpx_elemfn_scalar;
}

const char *fpx_elemfn_name(fpx_elemfn f)
{
    return (unsigned)f < FPX_ELEMFN_COUNT ? names[f] : NULL;
}

const char *fpx_elemfn_kernel_name(fpx_cpu_level level)
{
    return kernels(level)->name;
}

void fpx_elemfn_f32_array(fpx_elemfn f, fpx_cpu_level level, const float *x, float *y, size_t n)
{
    const int slot = f < FPX_ELEMFN_NAMED ? (int)f : ELEMFN_POW_SLOT;

    kernels(level)->f32[slot]((int)f - FPX_ELEMFN_POW, x, y, n);
}

float fpx_elemfn_f32(fpx_elemfn f, float x)
{
    float y;

    fpx_elemfn_f32_array(f, FPX_CPU_SCALAR, &x, &y, 1);
    return y;
}

/* At most 16 bits, and only values that float32 has. */
static fpx_status check_format(const fpx_format *f)
{
    float none;

    if (!fpx_format_is_valid(f) || f->cls != FPX_CLASS_FLOAT)
        return FPX_EINVAL;
    if (f->bits > 16 || fpx_decode_f32(f, 1.0f, &none, &none, 0) != FPX_OK)
        return FPX_EUNSUPPORTED;
    return FPX_OK;
}

fpx_status fpx_elemfn_codes(fpx_elemfn f, const fpx_format *source, const void *src,
                            const fpx_conversion *to, void *dst, size_t n)
{
    enum { BLOCK = 256 };
    float x[BLOCK];
    double y[BLOCK];
    fpx_status status = fpx_elemfn_name(f) != NULL ? check_format(source) : FPX_EINVAL;

    if (status == FPX_OK)
        status = check_format(&to->format);
    if (status == FPX_OK)
        status = fpx_encode_f64(to, 1.0, y, dst, 0);
    if (status != FPX_OK)
        return status;
    const size_t in = fpx_format_size(source);
    const size_t out = fpx_format_size(&to->format);
    const fpx_fpenv env = fpx_fpenv_enter();
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t m = n - i < BLOCK ? n - i : BLOCK;

        (void)fpx_decode_f32(source, 1.0f, (const char *)src + i * in, x, m);
        for (size_t j = 0; j < m; j++)
            y[j] = fpx_elemfn_f64_odd(f, x[j]);
        (void)fpx_encode_f64(to, 1.0, y, (char *)dst + i * out, m);
    }
    fpx_fpenv_leave(env);
    return FPX_OK;
}

float fpx_exp_f32(float x)
{
    return fpx_elemfn_f32(FPX_ELEMFN_EXP, x);
}

float fpx_log_f32(float x)
{
    return fpx_elemfn_f32(FPX_ELEMFN_LOG, x);
}

float fpx_sin_f32(float x)
{
    return fpx_elemfn_f32(FPX_ELEMFN_SIN, x);
}

float fpx_cos_f32(float x)
{
    return fpx_elemfn_f32(FPX_ELEMFN_COS, x);
}

float fpx_tanh_f32(float x)
{
    return fpx_elemfn_f32(FPX_ELEMFN_TANH, x);
}

void fpx_exp_f64_scalar(const double *x, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = fpx_exp_f64(x[i]);
}

void fpx_tanh_f64_scalar(const double *x, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = fpx_tanh_f64(x[i]);
}

void fpx_exp_f32_array(fpx_cpu_level level, const float *x, float *y, size_t n)
{
    fpx_elemfn_f32_array(FPX_ELEMFN_EXP, level, x, y, n);
}

void fpx_tanh_f32_array(fpx_cpu_level level, const float *x, float *y, size_t n)
{
    fpx_elemfn_f32_array(FPX_ELEMFN_TANH, level, x, y, n);
}

void fpx_exp_f64_array(fpx_cpu_level level, const double *x, double *y, size_t n)
{
    kernels(level)->exp_f64(x, y, n);
}

void fpx_tanh_f64_array(fpx_cpu_level level, const double *x, double *y, size_t n)
{
    kernels(level)->tanh_f64(x, y, n);
}
