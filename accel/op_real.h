/* op_real.h - `fpx_real`, float or double, and the library's functions under one name for both: what an
 * operation's source is written over. The build compiles each of those once for each real type and
 * instruction set, with FPX_REAL_IS_DOUBLE 0 or 1 and FPX_OP_SUFFIX the end of the exported names. */
#ifndef FPX_ACCEL_OP_REAL_H
#define FPX_ACCEL_OP_REAL_H

#include <math.h>

#include <fpx/convert.h>
#include <fpx/elemfn.h>
#include <fpx/gemm.h>
#include <fpx/reduce.h>

#include "op_run.h"

#define OP_JOIN2(name, suffix) name##suffix
#define OP_JOIN(name, suffix) OP_JOIN2(name, suffix)
#define OP(name) OP_JOIN(name, FPX_OP_SUFFIX)

#if FPX_REAL_IS_DOUBLE
typedef double fpx_real;
#define REAL_FORMAT fpx_fp64
#define REAL_NAN ((fpx_real)__builtin_nan(""))
#define real_sqrt sqrt
#define real_fma fma
#define real_log fpx_log_f64
#define real_exp_array fpx_exp_f64_array
#define real_tanh_array fpx_tanh_f64_array
#define real_sum fpx_sum_f64
#define real_dot fpx_dot_f64
#define real_amax fpx_amax_f64
#define real_tree fpx_tree_f64
#define real_gemm fpx_gemm_f64
#define real_gemm_scratch fpx_gemm_f64_scratch
#define real_encode fpx_encode_f64
#define real_encode_random fpx_encode_f64_random
#define real_decode fpx_decode_f64
#else
typedef float fpx_real;
#define REAL_FORMAT fpx_fp32
#define REAL_NAN ((fpx_real)__builtin_nanf(""))
#define real_sqrt sqrtf
#define real_fma fmaf
#define real_log fpx_log_f32
#define real_exp_array fpx_exp_f32_array
#define real_tanh_array fpx_tanh_f32_array
#define real_sum fpx_sum_f32
#define real_dot fpx_dot_f32
#define real_amax fpx_amax_f32
#define real_tree fpx_tree_f32
#define real_gemm fpx_gemm_f32
#define real_gemm_scratch fpx_gemm_f32_scratch
#define real_encode fpx_encode_f32
#define real_encode_random fpx_encode_f32_random
#define real_decode fpx_decode_f32
#endif

/* The one place that decides what a computed NaN is: 0x7FC00000 (0x7FF8000000000000). Every operation
 * that computes stores through it; it is a compare and a blend. */
static inline fpx_real canonical(fpx_real x)
{
    return x == x ? x : REAL_NAN;
}

/* Elements that an operation works on at a time in buffers on the stack: 4 or 8 KiB each, small
 * enough for the first cache, and a multiple of every lane count. */
enum { OP_CHUNK = 1024 };

/* A loop over rows is split so that a range holds about this many elements: below it, waking a
 * thread costs more than the arithmetic. Never a matter of bits. */
enum { OP_GRAIN = 8192 };

static inline size_t grain_rows(size_t width)
{
    return width < OP_GRAIN ? OP_GRAIN / width : 1;
}

/* Largest of x[0..n), NaN passed over, -Inf for none: NaN reaches the result through the sum that
 * follows. 16 lanes for the compiler to vectorise; a maximum has no order. */
static inline fpx_real row_max(const fpx_real *x, size_t n)
{
    fpx_real lane[16];
    size_t i = 0;

    for (size_t j = 0; j < 16; j++)
        lane[j] = (fpx_real)-INFINITY;
    for (; i + 16 <= n; i += 16)
        for (size_t j = 0; j < 16; j++)
            lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
    for (; i < n; i++)
        lane[0] = x[i] > lane[0] ? x[i] : lane[0];
    for (size_t j = 1; j < 16; j++)
        lane[0] = lane[j] > lane[0] ? lane[j] : lane[0];
    return lane[0];
}

/* The float64 and float32 instances of the table; see op_table.c. */
extern const op_impl OP(op_table)[FPX_OP_KINDS];

#endif /* FPX_ACCEL_OP_REAL_H */
