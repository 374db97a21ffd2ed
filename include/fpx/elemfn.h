/* fpx/elemfn.h - elementary functions whose bits are the same on every machine.
 *
 * float32: correctly rounded (RNE), hence unique. float64: within 2 ulp, and the same bits on every
 * instruction set, because each variant runs the same sequence of IEEE operations and fma. */
#ifndef FPX_ELEMFN_H
#define FPX_ELEMFN_H

#include <stddef.h>

#include <fpx/cpu.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One value. A NaN argument, or an argument outside the domain, gives the canonical quiet NaN
 * (0x7FC00000, 0x7FF8000000000000). log(0) is -Inf. exp overflows to Inf and has gradual underflow.
 * sin and cos accept every finite argument. */
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

/* y[i] = f(x[i]) for i in [0, n), the bits of the functions above, vectorised where this level has a
 * variant. x and y may be the same array, otherwise must not overlap. level must not exceed
 * fpx_cpu_detect(). The caller has entered fpx_fpenv (pool workers have). */
void fpx_exp_f32_array(fpx_cpu_level level, const float *x, float *y, size_t n);
void fpx_tanh_f32_array(fpx_cpu_level level, const float *x, float *y, size_t n);
void fpx_exp_f64_array(fpx_cpu_level level, const double *x, double *y, size_t n);
void fpx_tanh_f64_array(fpx_cpu_level level, const double *x, double *y, size_t n);

#ifdef __cplusplus
}
#endif

#endif /* FPX_ELEMFN_H */
