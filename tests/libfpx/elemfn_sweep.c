/* elemfn_sweep.c - float64 functions of glibc, four at a time where libmvec and AVX2 are there, else one by
 * one by libm (within 1 ulp), and the float32 that they leave no doubt about. */
#include "elemfn_sweep.h"

#include <math.h>
#include <mpfr.h>
#include <string.h>

#if defined(FPX_HAVE_LIBMVEC) && defined(__AVX2__)
#include <immintrin.h>

#define VECTOR(NAME)                                                                               \
    extern __m256d _ZGVdN4v_##NAME(__m256d);                                                       \
    static void many_##NAME(const double *x, double *y)                                            \
    {                                                                                              \
        for (int i = 0; i < ELEMFN_SWEEP; i += 4)                                                  \
            _mm256_storeu_pd(y + i, _ZGVdN4v_##NAME(_mm256_loadu_pd(x + i)));                      \
    }
#else
#define VECTOR(NAME)                                                                               \
    static void many_##NAME(const double *x, double *y)                                            \
    {                                                                                              \
        for (int i = 0; i < ELEMFN_SWEEP; i++)                                                     \
            y[i] = NAME(x[i]);                                                                     \
    }
#endif

VECTOR(exp)
VECTOR(exp2)
VECTOR(expm1)
VECTOR(log)
VECTOR(log2)
VECTOR(log1p)
VECTOR(sin)
VECTOR(cos)
VECTOR(tanh)
VECTOR(erf)
VECTOR(erfc)
VECTOR(cbrt)

/* Beyond +-700 e^x is 0 or Inf in float32, but libmvec would leave each such argument to slower code. */
static double near_enough(double x)
{
    return x > 700.0 ? 700.0 : x < -700.0 ? -700.0 : x;
}

static void many_near_exp(const double *x, double *y)
{
    double t[ELEMFN_SWEEP];

    for (int i = 0; i < ELEMFN_SWEEP; i++)
        t[i] = near_enough(x[i]);
    many_exp(t, y);
}

/* sigmoid(x) = 1 / (1 + e^-x): its error is e^-x's, at most. */
static void many_sigmoid(const double *x, double *y)
{
    double t[ELEMFN_SWEEP];

    for (int i = 0; i < ELEMFN_SWEEP; i++)
        t[i] = near_enough(-x[i]);
    many_exp(t, y);
    for (int i = 0; i < ELEMFN_SWEEP; i++)
        y[i] = 1.0 / (1.0 + y[i]);
}

static void many_silu(const double *x, double *y)
{
    many_sigmoid(x, y);
    for (int i = 0; i < ELEMFN_SWEEP; i++)
        y[i] *= x[i] < -700.0 ? -700.0 : x[i];
}

/* Below -20 any number as small as that at -20 will do: no Inf times 0. An error of 2^-53 of -x / sqrt2 becomes
 * x^2 2^-53 of erfc, below 2^-45 to x = -15. */
static void many_gelu(const double *x, double *y)
{
    double t[ELEMFN_SWEEP];

    for (int i = 0; i < ELEMFN_SWEEP; i++)
        t[i] = (x[i] < -20.0 ? -20.0 : x[i]) * -0x1.6a09e667f3bcdp-1;
    many_erfc(t, y);
    for (int i = 0; i < ELEMFN_SWEEP; i++)
        y[i] *= 0.5 * (x[i] < -20.0 ? -20.0 : x[i]);
}

/* Large arguments of sin and cos, which libmvec would leave to slower code: |x| = g + n quadrants. 2/pi times the
 * unit of x's last bit, modulo 4, in pieces of 28 bits by MPFR: their products with a fraction of 24 bits are
 * exact, and all of them leave out 2^-86. No float32 lies nearer to a multiple of pi/2 than 2^-31 of a quadrant,
 * so that g is right to 2^-50 of it. */
enum { PIECES = 4, PIECE_BITS = 28, LARGE = 127 + 20, FIELDS = 255 };

static double pieces[FIELDS][PIECES];

static void make_pieces(void)
{
    mpfr_t two_over_pi, rest, piece;

    mpfr_inits2(600, two_over_pi, rest, piece, (mpfr_ptr)0);
    mpfr_const_pi(two_over_pi, MPFR_RNDN);
    mpfr_ui_div(two_over_pi, 2, two_over_pi, MPFR_RNDN);
    for (int field = LARGE; field < FIELDS; field++) {
        mpfr_mul_2si(rest, two_over_pi, field - 127 - 23 - 2, MPFR_RNDN);
        mpfr_frac(rest, rest, MPFR_RNDN);
        mpfr_mul_2ui(rest, rest, 2, MPFR_RNDN);
        for (int i = 0, unit = PIECE_BITS - 2; i < PIECES; i++, unit += PIECE_BITS) {
            mpfr_mul_2si(piece, rest, unit, MPFR_RNDN);
            mpfr_trunc(piece, piece);
            mpfr_div_2si(piece, piece, unit, MPFR_RNDN);
            pieces[field][i] = mpfr_get_d(piece, MPFR_RNDN);
            mpfr_sub(rest, rest, piece, MPFR_RNDN);
        }
    }
    mpfr_clears(two_over_pi, rest, piece, (mpfr_ptr)0);
}

static double reduce(uint32_t field, uint32_t fraction, uint64_t *ret_n)
{
    const double m = (double)(1u << 23 | fraction);
    const double turns = m * pieces[field][0];
    const double p0 = turns - 4.0 * nearbyint(0.25 * turns);
    const double p1 = m * pieces[field][1];
    const double sum = p0 + p1;
    const double back = sum - p0;
    const double lost = (p0 - (sum - back)) + (p1 - back);
    const double tail = lost + m * pieces[field][2] + m * pieces[field][3];
    const double n = nearbyint(sum + tail);

    *ret_n = (uint64_t)(int64_t)n;
    return (sum - n) + tail;
}

/* sin of |x| + shift quadrants. */
static void many_sin_or_cos(const double *x, double *y, unsigned shift)
{
    double t[ELEMFN_SWEEP], s[ELEMFN_SWEEP], c[ELEMFN_SWEEP];
    uint64_t n[ELEMFN_SWEEP];
    int large = 0;

    if (pieces[LARGE][0] == 0.0)
        make_pieces();
    for (int i = 0; i < ELEMFN_SWEEP; i++) {
        const float narrow = (float)fabs(x[i]);
        uint32_t u;

        memcpy(&u, &narrow, sizeof u);
        n[i] = 0;
        t[i] = fabs(x[i]);
        if (u >> 23 >= LARGE && u >> 23 < FIELDS) {
            t[i] = reduce(u >> 23, u & 0x7FFFFFu, &n[i]) * 0x1.921fb54442d18p+0;
            large = 1;
        }
        n[i] += shift;
    }
    if (large || shift == 0)
        many_sin(t, s);
    if (large || shift == 1)
        many_cos(t, c);
    for (int i = 0; i < ELEMFN_SWEEP; i++) {
        const double r = (n[i] & 1u) ? c[i] : s[i];

        y[i] = (n[i] & 2u) ? -r : r;
    }
}

static void many_any_sin(const double *x, double *y)
{
    many_sin_or_cos(x, y, 0);
    for (int i = 0; i < ELEMFN_SWEEP; i++)
        y[i] = copysign(1.0, x[i]) * y[i];
}

static void many_any_cos(const double *x, double *y)
{
    many_sin_or_cos(x, y, 1);
}

static void many_rsqrt(const double *x, double *y)
{
    for (int i = 0; i < ELEMFN_SWEEP; i++)
        y[i] = 1.0 / sqrt(x[i]);
}

typedef void many(const double *x, double *y);

static many *const named[FPX_ELEMFN_NAMED] = {
    [FPX_ELEMFN_EXP] = many_near_exp, [FPX_ELEMFN_EXP2] = many_exp2,
    [FPX_ELEMFN_EXPM1] = many_expm1,  [FPX_ELEMFN_LOG] = many_log,
    [FPX_ELEMFN_LOG2] = many_log2,    [FPX_ELEMFN_LOG1P] = many_log1p,
    [FPX_ELEMFN_SIN] = many_any_sin,  [FPX_ELEMFN_COS] = many_any_cos,
    [FPX_ELEMFN_TANH] = many_tanh,    [FPX_ELEMFN_SIGMOID] = many_sigmoid,
    [FPX_ELEMFN_ERF] = many_erf,      [FPX_ELEMFN_GELU] = many_gelu,
    [FPX_ELEMFN_SILU] = many_silu,    [FPX_ELEMFN_RSQRT] = many_rsqrt,
    [FPX_ELEMFN_CBRT] = many_cbrt,
};

/* x^n from x^1, x^2, ... one by one; each product errs by 2^-53. */
static void many_pow(const double *x, double *y, int n)
{
    for (int i = 0; i < ELEMFN_SWEEP; i++)
        y[i] = 1.0;
    for (int k = 0; k < (n < 0 ? -n : n); k++)
        for (int i = 0; i < ELEMFN_SWEEP; i++)
            y[i] *= x[i];
    for (int i = 0; n < 0 && i < ELEMFN_SWEEP; i++)
        y[i] = 1.0 / y[i];
}

static int is_nan_bits(uint32_t u)
{
    return (u & 0x7FFFFFFFu) > 0x7F800000u;
}

/* x sigmoid(x) and x times the normal distribution at x are x/2 + c x^2 + ..., 0 < c < 1/2: while that is less than
 * the last bit of the float64 x/2, so much that both round alike, an odd x whose half is subnormal lies at a
 * midpoint or above it. */
static void tiny_halves(const float *x, uint32_t *want, unsigned char *certain)
{
    for (int i = 0; i < ELEMFN_SWEEP; i++) {
        if (x[i] != 0.0f && fabsf(x[i]) < 0x1p-60f) {
            const float y = (float)nextafter(0.5 * (double)x[i], (double)INFINITY);
            memcpy(&want[i], &y, sizeof y);
            certain[i] = 1;
        }
    }
}

void elemfn_sweep_expect(fpx_elemfn f, const float *x, uint32_t *want, unsigned char *certain)
{
    double wide[ELEMFN_SWEEP], y[ELEMFN_SWEEP];
    float up[ELEMFN_SWEEP], down[ELEMFN_SWEEP];

    for (int i = 0; i < ELEMFN_SWEEP; i++)
        wide[i] = (double)x[i];
    if (f < FPX_ELEMFN_NAMED)
        named[f](wide, y);
    else
        many_pow(wide, y, (int)f - FPX_ELEMFN_POW);
    for (int i = 0; i < ELEMFN_SWEEP; i++) {
        up[i] = (float)(y[i] * (1.0 + 0x1p-40));
        down[i] = (float)(y[i] * (1.0 - 0x1p-40));
    }
    for (int i = 0; i < ELEMFN_SWEEP; i++) {
        uint32_t u, d;

        memcpy(&u, &up[i], sizeof u);
        memcpy(&d, &down[i], sizeof d);
        want[i] = is_nan_bits(u) ? 0x7FC00000u : u;
        certain[i] = u == d || (is_nan_bits(u) && is_nan_bits(d));
    }
    if (f == FPX_ELEMFN_GELU || f == FPX_ELEMFN_SILU)
        tiny_halves(x, want, certain);
}
