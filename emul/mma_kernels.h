/* mma_kernels.h - what the vector kernels of matrix units are given: operands decoded once into planes, the schedule,
 * and the limits within which a lane is exact.
 *
 * A panel of B is W columns (zeros beyond the last); at position p of the schedule's order
 *     value[p W + j]     float32 of element j (times its scale)
 *     fraction[p W + j]  the same over 2^exponent, below 2 in magnitude (only where `is_wide`)
 *     exponent[p W + ?]  int16, the exponent that alignment sees, plus 127, in the order that unpacking restores
 * A row of A has the same, its exponent without the 127, twice in 32 bits. An element that is 0, Inf or NaN has
 * MMA_NO_EXPONENT: no sum with it reaches that of a true product. */
#ifndef FPX_MMA_KERNELS_H
#define FPX_MMA_KERNELS_H

#include <fpx/mma_run.h>

#include "mma_schedule.h"

enum {
    MMA_ROWS =
        32, /* of A under one panel at a time: their part of a block and their sums stay in L1 */
    MMA_WIDTH_MAX = 32,
    MMA_NO_EXPONENT = -16384,
    MMA_GROUP = 16,
    MMA_CHUNK = 64 /* positions decoded at a time */
};

/* Of a row of A or a panel of B. */
typedef struct mma_extent {
    int most;       /* largest exponent of a finite element that is not 0; MMA_NO_EXPONENT */
    int is_special; /* an Inf or NaN is there */
    int is_small; /* an element's float32 is no normal number, or has overflowed: only fractions are right */
} mma_extent;

typedef struct mma_planes {
    float *value, *fraction;
    int32_t *exponent_a;
    int16_t *exponent_b;
    mma_extent *extent;
} mma_planes;

/* The same for sums of groups (GST-FDPA) of e2m1, k padded with zeros to whole groups: G of them.
 *     row of A     value: int8, twice each element; one int32 a group: 12 times their sum;
 *                  used: a bit for each element that is not 0, twice in 32 bits; exponent likewise, of the scale;
 *                  scale: float64, a quarter of the scale
 *     panel of B   value: uint8, twice each element, plus 12; four of k by W columns;
 *                  used, exponent (plus 127), scale: of each group and column; the int16 in exponent_b's order */
typedef struct mma_groups {
    int8_t *value_a;
    uint8_t *value_b;
    int32_t *sum, *used_a, *exponent_a;
    int16_t *used_b, *exponent_b;
    double *scale;
} mma_groups;

struct mma_kernels;

/* One call. Everything but the planes' contents is constant once it is set up. */
typedef struct mma_job {
    const struct mma_kernels *kernels;
    const fpx_mma_model *model;
    const fpx_mma_call *call;
    unsigned char *d;
    mma_schedule schedule;
    const uint32_t *order; /* NULL: ascending */
    mma_planes a, b;
    mma_groups group_a, group_b; /* of kernels with is_group, instead */
    size_t groups;               /* G */
    size_t panels, strips;       /* of W columns, of MMA_ROWS rows */
    int is_wide;                 /* planes of fractions are there */
    int is_half;                 /* the model's format is fp16, else fp32 */
    int least_c;                 /* least exponent of C's format */
    int least_a, least_b;        /* of an element */
    uint32_t terms_max;          /* of products in an int32 sum: below 2^31 whatever they are */
    uint32_t mask;               /* bits of a float32 result that are kept */
    int least, most; /* E from least to most (as exponents) is within float32's reach both ways */
    unsigned char *states; /* of each worker: MMA_REGS x MMA_ROWS x W floats */
    size_t state_stride;
    fpx_mma_shares *shares; /* of each worker */
} mma_job;

/* Some rows under one panel. */
typedef struct mma_tile {
    const mma_job *job;
    size_t row, rows, panel, columns;
    float *state; /* (register r, row i, column j) at (r MMA_ROWS + i) W + j */
    fpx_mma_shares *shares;
    size_t fraction_rows;             /* those of MMA_FORM_FRACTION */
    uint8_t form[MMA_ROWS];           /* MMA_FORM_... */
    uint8_t dead[MMA_REGS][MMA_ROWS]; /* every column is NaN */
} mma_tile;

enum { MMA_FORM_SPECIAL = 1, MMA_FORM_FRACTION = 2 };

struct mma_kernels {
    const char *name;
    size_t width; /* W */
    int is_group;
    unsigned control; /* MXCSR of block: MMA_CSR_... */
    void (*pack_row)(const mma_job *job, size_t row);
    void (*pack_panel)(const mma_job *job, size_t panel);
    void (*block)(mma_tile *tile, const mma_op *op);
    void (*add)(mma_tile *tile, const mma_op *op); /* under MMA_CSR_NEAREST */
};

extern const struct mma_kernels mma_kernels_avx2, mma_kernels_avx512;
extern const struct mma_kernels mma_group_kernels_avx2, mma_group_kernels_avx512;

/* MXCSR: exceptions masked; toward zero with FTZ and DAZ, without; to nearest. */
enum { MMA_CSR_TRUNCATE = 0xffc0, MMA_CSR_TRUNCATE_ALL = 0x7f80, MMA_CSR_NEAREST = 0x1f80 };

/* The scalar reference's block for one lane; acc is the lane's float32 (of a fp16 accumulator too). Any control word. */
float mma_lane(const mma_tile *tile, const mma_op *op, size_t row, size_t column, float acc);

/* Elements [begin, begin + count) of the order, of vector `vector`, exact; scale_e: their E8M0 scales' exponents (NaN's
 * multiplied into the values), untouched where there are no scales. */
void mma_decode(const mma_job *job, const fpx_mma_operand *operand, size_t vector, size_t begin,
                size_t count, float *values, int16_t *scale_e);

/* The codes of these elements: fpx_format_size bytes each. */
void mma_codes(const mma_job *job, const fpx_mma_operand *operand, size_t vector, size_t begin,
               size_t count, unsigned char *codes);

/* Both sides' scale of a group of e2m1, NaN too; *ret_e its exponent, MMA_NO_EXPONENT where it is 0. */
double mma_group_scale(const fpx_mma_operand *operand, size_t vector, size_t group, int *ret_e);

#endif /* FPX_MMA_KERNELS_H */
