/* op_running.h - running error analysis: a value with a bound on the error of its computed version.
 *
 * A bound function restates an operation's formula in these steps; each step adds what the judged
 * arithmetic may lose there (Higham, Accuracy and Stability, 2nd ed., 3.3). Every error is a sum
 * of products of non-negative terms in u, so with u = (unit judged) + (the reference's) a result covers
 * the distance between the two computations. A step that may overflow has error Inf. */
#ifndef FPX_STEP_OP_RUNNING_H
#define FPX_STEP_OP_RUNNING_H

#include <float.h>
#include <math.h>

#include <fpx/cpu.h>
#include <fpx/elemfn.h>
#include <fpx/optable.h>

typedef struct op_unit {
    double u;    /* unit roundoff of the judged arithmetic plus that of the reference */
    double tiny; /* the smallest subnormal: what a product may lose beyond u */
    double max;  /* the largest finite value */
} op_unit;

/* The reference is float64, whose elementary functions are within 2 ulp: 4 units of 2^-53. */
static inline op_unit op_unit_of(double unit)
{
    const int is_double = unit < 0x1p-50;

    return (op_unit){ .u = unit + 0x1p-51,
                      .tiny = is_double ? 0x1p-1074 : 0x1p-149,
                      .max = is_double ? DBL_MAX : (double)FLT_MAX };
}

typedef struct op_value {
    double v; /* as the reference has it */
    double e; /* |computed - v| <= e */
} op_value;

static inline op_value op_exact(double v)
{
    return (op_value){ v, 0.0 };
}

/* A constant, or anything else that is rounded once from float64. */
static inline op_value op_rounded(op_unit k, double v)
{
    return (op_value){ v, v == 0.0 ? 0.0 : k.u * fabs(v) + k.tiny };
}

/* One rounding of a value that is off by `e` before it. Also true of sums and fma with tiny 0: they
 * are exact below the normal range. */
static inline op_value op_round(op_unit k, double v, double e, double tiny)
{
    const double all = e + k.u * (fabs(v) + e) + tiny;

    return (op_value){ v, fabs(v) + all <= k.max ? all : HUGE_VAL };
}

static inline op_value op_add(op_unit k, op_value a, op_value b)
{
    return op_round(k, a.v + b.v, a.e + b.e, 0.0);
}

static inline op_value op_sub(op_unit k, op_value a, op_value b)
{
    return op_round(k, a.v - b.v, a.e + b.e, 0.0);
}

/* An exact zero stays one: no underflow where nothing was there. (Times Inf or NaN it is NaN, whose error is Inf.) As all
 * that follows without branches: compilers then make vectors of loops. */
static inline op_value op_mul(op_unit k, op_value a, op_value b)
{
    const double of_a = fabs(a.v) + a.e == 0.0 ? 0.0 : k.tiny;
    const double tiny = fabs(b.v) + b.e == 0.0 ? 0.0 : of_a;

    return op_round(k, a.v * b.v, fabs(a.v) * b.e + fabs(b.v) * a.e + a.e * b.e, tiny);
}

/* Inf where the divisor may be 0. */
static inline op_value op_div(op_unit k, op_value a, op_value b)
{
    const double least = fabs(b.v) - b.e, v = a.v / b.v;

    const op_value r = op_round(k, v, (a.e + fabs(v) * b.e) / least, k.tiny);

    return (op_value){ v, least > 0.0 ? r.e : HUGE_VAL };
}

/* Of a value that is >= 0 as computed too: |sqrt x - sqrt y| = |x - y| / (sqrt x + sqrt y), and is
 * never more than sqrt |x - y|. */
static inline op_value op_sqrt(op_unit k, op_value a)
{
    const double v = sqrt(a.v), steep = sqrt(a.e), flat = a.e / v;

    return op_round(k, v, a.e < v * steep ? flat : steep, 0.0);
}

/* e^(x + d) - e^x = e^x (e^d - 1), and e^d - 1 <= d + d^2 up to 1. */
static inline op_value op_exp(op_unit k, op_value a)
{
    const double v = fpx_exp_f64(a.v), grown = a.e <= 1.0 ? a.e + a.e * a.e : fpx_exp_f64(a.e);

    return op_round(k, v, v * grown, k.tiny);
}

/* The same of v[j] with the errors e[j], n at most OP_PIECE, in place: by the kernels of arrays, and in loops that compilers
 * make vectors of. */
enum { OP_PIECE = 128 };

static inline void op_exp_piece(op_unit k, double *restrict v, double *restrict e, size_t n)
{
    double grown[OP_PIECE];
    uint64_t far = 0;

    fpx_exp_f64_array(fpx_cpu_in_use(), v, v, n);
    for (size_t j = 0; j < n; j++) {
        grown[j] = e[j] + e[j] * e[j];
        far += e[j] <= 1.0 ? 0 : 1;
    }
    for (size_t j = 0; far > 0 && j < n; j++)
        grown[j] = e[j] <= 1.0 ? grown[j] : fpx_exp_f64(e[j]);
    for (size_t j = 0; j < n; j++)
        e[j] = op_round(k, v[j], v[j] * grown[j], k.tiny).e;
}

static inline op_value op_log(op_unit k, op_value a)
{
    const double least = a.v - a.e;

    return least > 0.0 ? op_round(k, fpx_log_f64(a.v), a.e / least, 0.0)
                       : (op_value){ a.v, HUGE_VAL };
}

/* The slope is 1 / cosh^2 <= 4 e^(-2|x|), and at most 1. */
static inline op_value op_tanh(op_unit k, op_value a)
{
    const double near = fabs(a.v) - a.e > 0.0 ? fabs(a.v) - a.e : 0.0;
    const double slope = near < 1.0 ? 1.0 : 4.0 * fpx_exp_f64(-2.0 * near);
    const double moved = slope * a.e;

    return op_round(k, fpx_tanh_f64(a.v), moved < 2.0 ? moved : 2.0, k.tiny);
}

/* 1 / (1 + e^-x), `power` being e^-x. */
static inline op_value op_sigmoid_near(op_unit k, op_value power)
{
    return op_div(k, op_exact(1.0), op_add(k, op_exact(1.0), power));
}

/* The same. Where the power is beyond the range the computed value is 0 or as good, the true one
 * below 1 / max: off by itself. */
static inline op_value op_sigmoid_of(op_unit k, op_value a, op_value power)
{
    if (!isfinite(power.e) && isfinite(a.e) && isfinite(a.v)) {
        const double v = fpx_exp_f64(a.v); /* a.v is far below 0 */

        return (op_value){ v, 2.0 * v * fpx_exp_f64(a.e) + k.tiny };
    }
    return op_sigmoid_near(k, power);
}

static inline op_value op_sigmoid(op_unit k, op_value a)
{
    return op_sigmoid_of(k, a, op_exp(k, (op_value){ -a.v, a.e }));
}

/* gamma(n) = n u / (1 - n u): what n roundings in a row may add up to, relatively. */
static inline double op_gamma(op_unit k, double n)
{
    return n * k.u < 0.5 ? n * k.u / (1.0 - n * k.u) : HUGE_VAL;
}

/* A sum in progress: the true sum, the errors of its terms, the sum of magnitudes. */
typedef struct op_sum {
    double v, e, magnitude;
} op_sum;

static inline void op_sum_add(op_sum *sum, op_value term)
{
    sum->v += term.v;
    sum->e += term.e;
    sum->magnitude += fabs(term.v) + term.e;
}

/* Of which no term took part in more than `depth` additions. */
static inline op_value op_sum_end(op_unit k, const op_sum *sum, double depth)
{
    const double all = sum->e + op_gamma(k, depth) * sum->magnitude;

    return (op_value){ sum->v, sum->magnitude + all <= k.max ? all : HUGE_VAL };
}

/* Additions a term meets in the 16 lanes of fpx/reduce.h: its lane's, then 4 halvings. */
static inline double op_row_depth(size_t n)
{
    return (double)((n + 15) / 16 + 4);
}

/* ... and in a sum over tokens: its leaf in any order, then the tree. */
static inline double op_token_depth(size_t tokens, uint64_t leaf)
{
    double depth = leaf == 0 ? (double)tokens : (double)leaf;

    for (size_t leaves = leaf == 0 ? 1 : tokens / (size_t)leaf; leaves > 1;
         leaves = (leaves + 1) / 2)
        depth += 1.0;
    return depth;
}

/* The bound as it is written: inflated for its own rounding, which is below 2^-20 up to 2^30 terms;
 * Inf where there is none (overflow, NaN or Inf in the input). */
static inline double op_bound_value(op_value value)
{
    const double e = value.e * (1.0 + 0x1p-20);

    return (fabs(value.v) <= DBL_MAX) & (e <= DBL_MAX) ? e : HUGE_VAL;
}

#endif /* FPX_STEP_OP_RUNNING_H */
