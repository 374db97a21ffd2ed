/* elemfn_scalar.c - elemfn_fast.h for one lane of plain C. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "elemfn_kernels.h"
#include "format_bits.h"

enum { BLOCK = 1 };

typedef double vd;
typedef uint64_t vi;
typedef float vf;
typedef int32_t vw;
typedef int vfm;

static inline vd v_set(double x)
{
    return x;
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

static inline vf vf_set(float x)
{
    return x;
}

static inline vf vf_add(vf a, vf b)
{
    return a + b;
}

static inline vf vf_sub(vf a, vf b)
{
    return a - b;
}

static inline vf vf_mul(vf a, vf b)
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

static inline vi v_bits(vd a)
{
    return fpx_f64_bits(a);
}

static inline vd v_of_bits(vi a)
{
    return fpx_bits_f64(a);
}

static inline vd v_xor(vd a, vd b)
{
    return v_of_bits(v_bits(a) ^ v_bits(b));
}

static inline vd v_wide(vf a)
{
    return (double)a;
}

static inline vd v_entry(const double *table, const uint32_t *at, vd *ret_slope)
{
    *ret_slope = table[*at + 1];
    return table[*at];
}

static inline vi vi_set(int64_t i)
{
    return (vi)i;
}

static inline vi vi_add(vi a, vi b)
{
    return a + b;
}

static inline vi vi_sub(vi a, vi b)
{
    return a - b;
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

static inline vf vf_min(vf a, vf b)
{
    return a < b ? a : b;
}

static inline vf vf_max(vf a, vf b)
{
    return a > b ? a : b;
}

static inline vw vf_bits(vf a)
{
    vw u;

    memcpy(&u, &a, sizeof u);
    return u;
}

static inline vf vf_of_bits(vw u)
{
    vf a;

    memcpy(&a, &u, sizeof a);
    return a;
}

static inline vf vf_and(vf a, vf b)
{
    return vf_of_bits(vf_bits(a) & vf_bits(b));
}

static inline vf vf_or(vf a, vf b)
{
    return vf_of_bits(vf_bits(a) | vf_bits(b));
}

static inline vf vf_xor(vf a, vf b)
{
    return vf_of_bits(vf_bits(a) ^ vf_bits(b));
}

static inline vf vf_of_integer(vw a)
{
    return (float)a;
}

static inline vw vf_to_integer(vf a)
{
    return (vw)nearbyintf(a);
}

static inline vw vw_set(int32_t i)
{
    return i;
}

/* Modulo 2^32. */
static inline vw vw_add(vw a, vw b)
{
    return (vw)((uint32_t)a + (uint32_t)b);
}

static inline vw vw_sub(vw a, vw b)
{
    return (vw)((uint32_t)a - (uint32_t)b);
}

static inline vw vw_and(vw a, vw b)
{
    return (vw)((uint32_t)a & (uint32_t)b);
}

static inline vw vw_shl(vw a, int n)
{
    return (vw)((uint32_t)a << n);
}

static inline vw vw_sar(vw a, int n)
{
    return a >> n;
}

static inline void vw_store(uint32_t *to, vw a)
{
    *to = (uint32_t)a;
}

static inline vfm vfm_none(void)
{
    return 0;
}

static inline vfm vfm_less(vf a, vf b)
{
    return a < b;
}

static inline vfm vfm_within(vf a, float low, float high)
{
    return a >= low && a < high;
}

/* NaN too. */
static inline vfm vfm_not_within(vf a, float low, float high)
{
    return !(a >= low && a <= high);
}

static inline vf vf_select(vfm m, vf a, vf b)
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

static inline vf vf_canonical_nan(vf y)
{
    return isnan(y) ? fpx_bits_f32(0x7FC00000u) : y;
}

static inline vf round_block(vd y, double bound, vfm outside, unsigned *ret_doubt)
{
    const float up = (float)fma(y, bound, y);
    const float down = (float)fma(-y, bound, y);

    *ret_doubt = (unsigned)(outside || up < down || up > down);
    return up;
}

static inline int round_quick(vd y, double bound, vfm outside, int tiny, vf *ret_y)
{
    unsigned doubt;

    (void)tiny;
    *ret_y = round_block(y, bound, outside, &doubt);
    return doubt == 0 && !isnan(*ret_y);
}

#include "elemfn_fast.h"

const elemfn_kernels fpx_elemfn_scalar = { "scalar", ELEMFN_F32_SLOTS, fpx_exp_f64_scalar,
                                           fpx_tanh_f64_scalar };
