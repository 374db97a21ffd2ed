/* fpx/elemfn.h - elementary functions whose bits are the same on every machine.
 *
 * float32: correctly rounded (RNE), hence unique. Codes of 16 bits or fewer: correctly rounded in every
 * deterministic rounding. float64: within 2 ulp, and the same bits on every instruction set, because
 * each variant runs the same sequence of IEEE operations and fma. */
#ifndef FPX_ELEMFN_H
#define FPX_ELEMFN_H

#include <stddef.h>

#include <fpx/convert.h>
#include <fpx/cpu.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The functions, a row each in the tables of libfpx, tests, proofs and bench. Special values are those
 * of IEEE 754-2019, section 9.2.1 where it has the function, else the limit. A NaN argument, or one
 * outside the domain, gives the canonical positive quiet NaN. */
typedef enum fpx_elemfn {
    FPX_ELEMFN_EXP,
    FPX_ELEMFN_EXP2,
    FPX_ELEMFN_EXPM1,
    FPX_ELEMFN_LOG, /* of a zero: -Inf */
    FPX_ELEMFN_LOG2,
    FPX_ELEMFN_LOG1P,
    FPX_ELEMFN_SIN, /* every finite argument */
    FPX_ELEMFN_COS,
    FPX_ELEMFN_TANH,
    FPX_ELEMFN_SIGMOID, /* 1 / (1 + e^-x) */
    FPX_ELEMFN_ERF,
    FPX_ELEMFN_GELU, /* x (1 + erf(x / sqrt 2)) / 2, the exact form, not the one by tanh; -Inf: -0 */
    FPX_ELEMFN_SILU,     /* x sigmoid(x); -Inf: -0 */
    FPX_ELEMFN_RSQRT,    /* of +-0: +-Inf */
    FPX_ELEMFN_CBRT,     /* cube root, of negative numbers too */
    FPX_ELEMFN_NAMED,    /* how many the above are; FPX_ELEMFN_POW + n is x^n for n in -16 .. 16, */
    FPX_ELEMFN_POW = 31, /* IEEE's pown: x^0 is 1 even where x is NaN */
    FPX_ELEMFN_COUNT = FPX_ELEMFN_POW + 17
} fpx_elemfn;

enum { FPX_ELEMFN_POW_MAX = 16 };

/* "exp", ..., "cbrt", "pow-16", ..., "pow16"; NULL outside 0 .. FPX_ELEMFN_COUNT - 1. */
const char *fpx_elemfn_name(fpx_elemfn f);

/* y[i] = f(x[i]) for i in [0, n), correctly rounded, by the kernels of this level (or of the highest
 * one below it that has some): same bits at every level. x and y may be the same array, otherwise must
 * not overlap. f is one of the above; level must not exceed fpx_cpu_detect(). The caller has entered
 * fpx_fpenv (pool workers have). */
void fpx_elemfn_f32_array(fpx_elemfn f, fpx_cpu_level level, const float *x, float *y, size_t n);
float fpx_elemfn_f32(fpx_elemfn f, float x);

/* The kernels that level runs: "scalar", "avx2", "avx512". */
const char *fpx_elemfn_kernel_name(fpx_cpu_level level);

/* Codes src[0..n) of a source format to codes dst[0..n) of `to->format`, fpx_format_size bytes each:
 * the exact value of the code, the function, one rounding (to->round, any but FPX_SR), then to->overflow
 * as fpx_encode_f64 does; the result of a NaN is a positive NaN. Both formats have at most 16 bits and
 * only values that float32 has. src and dst may be the same array where both codes have as many
 * bytes, otherwise must not overlap. Any alignment. FPX_EINVAL: an unknown f, or a format that is
 * invalid or of integers. FPX_EUNSUPPORTED: a wider format, or what fpx_encode_f64 does not support.
 * On error dst is untouched. */
fpx_status fpx_elemfn_codes(fpx_elemfn f, const fpx_format *source, const void *src,
                            const fpx_conversion *to, void *dst, size_t n);

/* One value of a function with a name of its own, in the caller's fpx_fpenv as well. */
float fpx_exp_f32(float x);
float fpx_log_f32(float x);
float fpx_sin_f32(float x);
float fpx_cos_f32(float x);
float fpx_tanh_f32(float x);
double fpx_exp_f64(double x);
double fpx_log_f64(double x);
double fpx_sin_f64(double x);
double fpx_cos_f64(double x);
double fpx_tanh_f64(double x);

/* As fpx_elemfn_f32_array; float64 has variants of these three only. */
void fpx_exp_f32_array(fpx_cpu_level level, const float *x, float *y, size_t n);
void fpx_tanh_f32_array(fpx_cpu_level level, const float *x, float *y, size_t n);
void fpx_exp_f64_array(fpx_cpu_level level, const double *x, double *y, size_t n);
void fpx_tanh_f64_array(fpx_cpu_level level, const double *x, double *y, size_t n);
void fpx_log_f64_array(fpx_cpu_level level, const double *x, double *y, size_t n);

#ifdef __cplusplus
}
#endif

#endif /* FPX_ELEMFN_H */
