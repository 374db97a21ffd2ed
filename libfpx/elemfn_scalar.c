/* elemfn_scalar.c - elemfn_fast.h for one lane of plain C. */
#include <math.h>

#include "elemfn_kernels.h"
#include "format_bits.h"

enum { BLOCK = 1 };

typedef double vd;
typedef uint64_t vi;
typedef int vm;
typedef float vf;

static inline vd v_set(double x)
{
    return x;
}

static inline vi vi_set(int64_t i)
{
    return (vi)i;
}

static inline vd v_add(vd a, vd b)
{
    return a + b;
}

static inline vd v_sub(vd a, vd b)
{
    return a - b;
}

static inline vd v_mul(vd a, vd b)
{
    return a * b;
}

static inline vd v_div(vd a, vd b)
{
    return a / b;
}

static inline vd v_sqrt(vd a)
{
    return sqrt(a);
}

static inline vd v_fma(vd a, vd b, vd c)
{
    return fma(a, b, c);
}

static inline vd v_fnma(vd a, vd b, vd c)
{
    return fma(-a, b, c);
}

static inline vd v_min(vd a, vd b)
{
    return a < b ? a : b;
}

static inline vd v_max(vd a, vd b)
{
    return a > b ? a : b;
}

static inline vi v_bits(vd a)
{
    return fpx_f64_bits(a);
}

static inline vd v_of_bits(vi a)
{
    return fpx_bits_f64(a);
}

static inline vd v_and(vd a, vd b)
{
    return v_of_bits(v_bits(a) & v_bits(b));
}

static inline vd v_or(vd a, vd b)
{
    return v_of_bits(v_bits(a) | v_bits(b));
}

static inline vd v_xor(vd a, vd b)
{
    return v_of_bits(v_bits(a) ^ v_bits(b));
}

static inline vi vi_add(vi a, vi b)
{
    return a + b;
}

static inline vi vi_sub(vi a, vi b)
{
    return a - b;
}

static inline vi vi_and(vi a, vi b)
{
    return a & b;
}

static inline vi vi_or(vi a, vi b)
{
    return a | b;
}

static inline vi vi_shl(vi a, int n)
{
    return a << n;
}

static inline vi vi_shr(vi a, int n)
{
    return a >> n;
}

static inline vd v_entry(const double *table, vi i, vd *ret_slope)
{
    *ret_slope = table[2 * i + 1];
    return table[2 * i];
}

static inline vm v_less(vd a, vd b)
{
    return a < b;
}

static inline vm vm_or(vm a, vm b)
{
    return a | b;
}

static inline vm vm_and(vm a, vm b)
{
    return a & b;
}

static inline vm vm_not(vm a)
{
    return !a;
}

static inline vm vm_none(void)
{
    return 0;
}

static inline vd v_select(vm m, vd a, vd b)
{
    return m ? a : b;
}

static inline vf vf_load(const float *x)
{
    return *x;
}

static inline void vf_store(float *y, vf v)
{
    *y = v;
}

static inline vf round_block(vd (*kernel)(vd, int, vm *), vf x, int n, double bound,
                             unsigned *ret_doubt)
{
    vm outside = vm_none();
    const vd y = kernel((double)x, n, &outside);
    const float up = (float)fma(y, bound, y);
    const float down = (float)fma(-y, bound, y);

    *ret_doubt = (unsigned)(outside || up < down || up > down);
    return isnan(up) ? fpx_bits_f32(0x7FC00000u) : up;
}

static inline int round_quick(vd (*kernel)(vd, int, vm *), vf x, int n, double bound, int tiny,
                              vf *ret_y)
{
    unsigned doubt;

    (void)tiny;
    *ret_y = round_block(kernel, x, n, bound, &doubt);
    return doubt == 0;
}

#include "elemfn_fast.h"

const elemfn_kernels fpx_elemfn_scalar = { "scalar", ELEMFN_F32_SLOTS, fpx_exp_f64_scalar,
                                           fpx_tanh_f64_scalar };
