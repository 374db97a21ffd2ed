/* elemfn_oracle.h - what MPFR says about the functions of fpx/elemfn.h. */
#ifndef FPX_ELEMFN_ORACLE_H
#define FPX_ELEMFN_ORACLE_H

#include <mpfr.h>
#include <stdint.h>

#include <fpx/elemfn.h>

/* Sets y, of 322 bits, to f(x) where 320 bits hold it, else to a number between the same two
 * neighbours of 320 bits: rounding y once, in any mode, to fewer bits rounds f(x). Results above
 * 2^130 or below 2^-160 in magnitude are only some number there. */
enum { ELEMFN_ORACLE_BITS = 322 };
void elemfn_oracle(fpx_elemfn f, float x, mpfr_t y);

/* y rounded to the float64 with an odd last bit, or exact. */
double elemfn_oracle_odd(const mpfr_t y);

/* Whether `odd` is that, or stands for a number beyond 2^130 or 2^-160 as y does. */
int elemfn_oracle_agrees(const mpfr_t y, double odd);

/* y rounded to float32, RNE; the bits. */
uint32_t elemfn_oracle_f32(const mpfr_t y);

/* The code of y in the destination, from the definitions of rounding and overflow. */
uint64_t elemfn_oracle_code(const fpx_conversion *to, const mpfr_t y);

#endif /* FPX_ELEMFN_ORACLE_H */
