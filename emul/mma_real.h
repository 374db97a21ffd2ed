/* mma_real.h - operands, C and D of matrix units as matrices of float32 or float64, exactly. */
#ifndef FPX_MMA_REAL_H
#define FPX_MMA_REAL_H

#include <stdatomic.h>

#include <fpx/mma_run.h>

enum { MMA_REAL_SCALES = 256 };

/* An operand and the matrix that it becomes: a row for each vector, or for each k where the codes lie that way. */
typedef struct mma_real {
    const fpx_mma_model *model; /* one that drops no bits */
    const fpx_mma_operand *operand;
    size_t vectors, k;
    int is_double;
    void *to;                      /* float or double, row-major, no gaps */
    atomic_int *lost;              /* set to 1 where an element times its scale is no float32 */
    float scales[MMA_REAL_SCALES]; /* by code, where the operand has scales */
} mma_real;

/* 1 where it has none, or such as the table holds. */
int mma_real_has_scales(const fpx_mma_operand *operand);

/* Fills the table. */
void mma_real_set_scales(mma_real *real);

/* 1: a row for each k. */
int mma_real_is_across(const fpx_mma_operand *operand);

/* Rows [begin, end) of the matrix, flushed as the model says, for fpx_parallel_for; the context is a mma_real. NaN is
 * +-0x7fc00000. */
void mma_real_rows(void *real, size_t begin, size_t end, size_t worker);

/* Every NaN to 0x7fc00000: float32 decodes to itself, low bits too. */
void mma_real_plain_nans(float *x, size_t n);

/* Numbers of a format (float32 or float64: is_double): zeros and subnormals to +0. */
void mma_real_flush(const fpx_format *format, void *x, size_t n, int is_double);

/* 1 where float32 has every number of the format. */
int mma_real_fits_float(const fpx_format *format);

#endif /* FPX_MMA_REAL_H */
