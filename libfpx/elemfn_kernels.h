/* elemfn_kernels.h - the slots that an instruction set may fill, and the constants of exp and tanh,
 * shared so that every variant runs the same IEEE operations on the same numbers. */
#ifndef FPX_ELEMFN_KERNELS_H
#define FPX_ELEMFN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/elemfn.h>

/* Every power is one function of x and n. */
enum { ELEMFN_POW_SLOT = FPX_ELEMFN_NAMED, ELEMFN_SLOTS };

/* One row for each instruction set; the contract of each slot is fpx/elemfn.h's. n: of x^n. */
typedef struct elemfn_kernels {
    const char *name;
    void (*f32[ELEMFN_SLOTS])(int n, const float *x, float *y, size_t count);
    void (*exp_f64)(const double *x, double *y, size_t n);
    void (*tanh_f64)(const double *x, double *y, size_t n);
} elemfn_kernels;

extern const elemfn_kernels fpx_elemfn_scalar, fpx_elemfn_avx2, fpx_elemfn_avx512;

void fpx_exp_f64_scalar(const double *x, double *y, size_t n);
void fpx_tanh_f64_scalar(const double *x, double *y, size_t n);
void fpx_exp_f64_avx2(const double *x, double *y, size_t n);
void fpx_tanh_f64_avx2(const double *x, double *y, size_t n);

/* f(x), exact where float64 has it, else the neighbour whose last bit is set (elemfn_odd.c). Results
 * above 2^130 or below 2^-160 in magnitude are only some number there with the right sign. */
double fpx_elemfn_f64_odd(fpx_elemfn f, float x);

/* f(x) correctly rounded, whatever it takes: what the kernels ask where they cannot tell. */
float fpx_elemfn_f32_judge(fpx_elemfn f, float x);

/* a = quadrant pi/2 + result + *ret_low, for finite a > pi/4, to 2^-103 of the result (elemfn_f64.c). */
double fpx_reduce_pio2(double a, unsigned *ret_quadrant, double *ret_low);

#define ELEMFN_PIO4 0x1.921fb54442d18p-1

/* erf at j/64 and its derivative there, from j = 0; the normal distribution at j/32 and its density, from
 * j = -256. Each the nearest float64. */
enum { ELEMFN_ERF_STEPS = 256, ELEMFN_PHI_STEPS = 512 };
extern const double fpx_elemfn_erf_table[2 * ELEMFN_ERF_STEPS];
extern const double fpx_elemfn_phi_table[2 * ELEMFN_PHI_STEPS];

/* y = k ln2 + r, |r| <= ln2 / 2. LN2_HI has 42 bits, so that k LN2_HI and the difference are exact
 * for |k| < 2^11; LN2_HI + LN2_LO is ln2 to 2^-97. */
#define ELEMFN_LN2 0x1.62e42fefa39efp-1
#define ELEMFN_INV_LN2 0x1.71547652b82fep+0
#define ELEMFN_LN2_HI 0x1.62e42fefa3800p-1
#define ELEMFN_LN2_LO 0x1.ef35793c76730p-45

/* Adding this rounds to an integer k and leaves k + 2046 in the low bits of the sum: halved, that is
 * the exponent field of 2^floor(k/2); the rest is the field of 2^ceil(k/2). Scaling by these two in
 * turn overflows to Inf and underflows gradually with a single rounding. */
#define ELEMFN_SHIFT (0x1.8p52 + 2046.0)
#define ELEMFN_SHIFT_MASK 0xFFFu

/* Beyond these the result no longer changes: e^710 overflows, e^-746 < 2^-1075 is 0, and
 * 1 - tanh(22) < 2^-54. */
#define ELEMFN_EXP_MAX 710.0
#define ELEMFN_EXP_MIN (-746.0)
#define ELEMFN_TANH_MAX 22.0

/* 1/3!, 1/4!, ... 1/14!: e^r - 1 - r - r^2/2 to 2^-61 of r.  */
#define ELEMFN_C3 0x1.5555555555555p-3
#define ELEMFN_C4 0x1.5555555555555p-5
#define ELEMFN_C5 0x1.1111111111111p-7
#define ELEMFN_C6 0x1.6c16c16c16c17p-10
#define ELEMFN_C7 0x1.a01a01a01a01ap-13
#define ELEMFN_C8 0x1.a01a01a01a01ap-16
#define ELEMFN_C9 0x1.71de3a556c734p-19
#define ELEMFN_C10 0x1.27e4fb7789f5cp-22
#define ELEMFN_C11 0x1.ae64567f544e4p-26
#define ELEMFN_C12 0x1.1eed8eff8d898p-29
#define ELEMFN_C13 0x1.6124613a86d09p-33
#define ELEMFN_C14 0x1.93974a8c07c9dp-37

#endif /* FPX_ELEMFN_KERNELS_H */
