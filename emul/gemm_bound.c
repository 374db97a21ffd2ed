/* gemm_bound.c - Higham's bound on a sum of products, for the order that fpx/gemm.h fixes or for any, computed so that the
 * rounding of the computation itself cannot make it too small. */
#include <float.h>
#include <math.h>

#include <fpx/cpu.h>
#include <fpx/gemm.h>

/* Product p of a block of n meets the roundings of its own fma and of those after it: n - p, at most min(leaf, KC). Its
 * block's sum is then added to others, or others to it: the first one's meets all blocks - 1 additions of its leaf, the
 * most. A leaf's sum meets at most one addition in each level of the tree, of which there are log2 of the number of
 * leaves, rounded up. */
size_t fpx_gemm_depth(size_t k, size_t leaf)
{
    const size_t length = leaf == 0 ? k : leaf;
    const size_t blocks = length / FPX_GEMM_KC + (length % FPX_GEMM_KC != 0);
    size_t depth = blocks > 1 ? FPX_GEMM_KC + blocks - 1 : length;

    for (size_t leaves = length == 0 ? 1 : k / length; leaves > 1; leaves = leaves / 2 + leaves % 2)
        depth++;
    return depth;
}

/* Each rounding contributes a factor 1 + delta, |delta| <= unit, to the products that meet it, and the computed sum is the
 * exact one of products times at most depth such factors: off by gamma(depth) each. Two more: alpha, and the product
 * with it. Each fma may also lose up to half a smallest subnormal to underflow (sums do not), and later factors may
 * double that. */
double fpx_gemm_bound(size_t depth, size_t k, double unit, double magnitude)
{
    const double smallest = unit > 0x1p-53 ? 0x1p-149 : 0x1p-1074;
    const fpx_fpenv saved = fpx_fpenv_enter();
    const double slope = ((double)depth + 2.0) * unit;
    double bound = INFINITY; /* nothing is known */

    if (slope < 0.5) {
        const double gamma = slope / (1.0 - slope);

        /* 2^-49: fewer than eight roundings here, each 2^-53. What this line loses to underflow, less
         * than two smallest subnormals, is in the two terms above k. */
        bound = gamma * magnitude * (1.0 + 0x1p-49) + ((double)k + 2.0) * smallest;
        if (!(bound >= 0.0))
            bound = INFINITY; /* a norm is NaN, or 0 times infinity */
    }
    fpx_fpenv_leave(saved);
    return bound;
}

/* k roundings of 2^-53 in the sum, one in each product, two here; each product may lose half a smallest subnormal. */
double fpx_gemm_magnitude(const double *a, size_t a_step, const double *b, size_t b_step, size_t k)
{
    enum { LANES = 4 }; /* sums side by side do not wait for each other */
    const fpx_fpenv saved = fpx_fpenv_enter();
    double lane[LANES] = { 0.0 };

    for (size_t p = 0; p < k; p++)
        lane[p % LANES] += fabs(a[p * a_step] * b[p * b_step]);
    double sum = (lane[0] + lane[1]) + (lane[2] + lane[3]);
    sum = sum * (1.0 + ((double)k + 4.0) * 0x1p-52) + (double)k * DBL_TRUE_MIN;
    fpx_fpenv_leave(saved);
    return sum >= 0.0 ? sum : (double)INFINITY;
}
