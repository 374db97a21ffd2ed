/* elemfn_sweep.h - what float64 functions of another library say about a block of arguments. */
#ifndef FPX_ELEMFN_SWEEP_H
#define FPX_ELEMFN_SWEEP_H

#include <stdint.h>

#include <fpx/elemfn.h>

enum { ELEMFN_SWEEP = 4096 };

/* want[i]: the bits of f(x[i]) in float32; certain[i]: 0 where the margin leaves it open. */
void elemfn_sweep_expect(fpx_elemfn f, const float *x, uint32_t *want, unsigned char *certain);

#endif /* FPX_ELEMFN_SWEEP_H */
