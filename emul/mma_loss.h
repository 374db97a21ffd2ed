/* mma_loss.h - parts of the proofs in mma_bound.c: numbers that are rounded upward, what one rounding may lose, and an
 * element of an operand as a bound sees it. */
#ifndef FPX_MMA_LOSS_H
#define FPX_MMA_LOSS_H

#include <float.h>
#include <math.h>

#include <fpx/mma_bound.h>

#include "mma_schedule.h"

enum { MMA_NO_TERM = -100000 }; /* below the exponent of any term */

/* At least the number whose float64 rounding to nearest x is, after an addition or a multiplication of what is not 0: two
 * roundings of 2^-53 each are made good, and an underflow. 0 stays 0, so that what is not there loses nothing. */
static inline double mma_up(double x)
{
    const double up = x * (1.0 + 0x1p-51);

    return up < DBL_MIN && x != 0.0 ? up + DBL_TRUE_MIN : up; /* subnormals are slow */
}

static inline double mma_plus(double x, double y)
{
    return mma_up(x + y);
}

static inline double mma_times(double x, double y)
{
    const double up = x * y * (1.0 + 0x1p-51);

    return up < DBL_MIN && x != 0.0 && y != 0.0 ? up + DBL_TRUE_MIN : up;
}

/* 2^e, or more where float64 ends. */
static inline double mma_power(int e)
{
    return ldexp(1.0, e < -1074 ? -1074 : e);
}

/* floor(log2 x) of x > 0; that of Inf is beyond any format's. */
static inline int mma_exponent(double x)
{
    int e;

    if (!(x <= DBL_MAX))
        return DBL_MAX_EXP;
    (void)frexp(x, &e);
    return e - 1;
}

/* floor(log2 x), at least the format's least exponent: the place of the first bit of everything up to x. */
static inline int mma_first_place(const fpx_format *format, double x)
{
    const int e = mma_exponent(x), least = mma_least_exponent(format);

    return e > least ? e : least;
}

/* Bits below the first place at which a conversion starts to lose: to nearest it loses half of the last one. */
static inline int mma_kept(const fpx_mma_model *model)
{
    return model->fraction_out + (model->round != FPX_RZ);
}

/* An element: magnitudes of what the model reads, of what was given, of their difference, all with the scale; the exponent
 * that alignment sees, the scale's part of it, and the exponent of the lowest bit that is set. */
typedef struct mma_value {
    double read, given, lost;
    int e, scale_e, lowest;
    int is_open; /* NaN or Inf */
} mma_value;

mma_value mma_value_at(const fpx_mma_model *model, const fpx_mma_operand *operand, size_t vector,
                       size_t k);

/* C[i][j]: what is read, and what flushing takes; an element without scale. */
mma_value mma_value_of_c(const fpx_mma_model *model, const fpx_mma_call *call, size_t i, size_t j);

#endif /* FPX_MMA_LOSS_H */
