/* gemm_bound.c - Higham's bound on a sum of k products, computed so that the rounding of the computation
 * itself cannot make it too small. */
#include <math.h>

#include <fpx/cpu.h>
#include <fpx/gemm.h>

/* Each of at most k + 2 roundings contributes a factor 1 + delta, |delta| <= unit: hence gamma. Each of the k
 * products may also lose up to half a smallest subnormal to underflow (sums do not), and later
 * factors may double that. */
double fpx_gemm_bound(size_t k, double unit, double row_norm, double column_norm)
{
    const double smallest = unit > 0x1p-53 ? 0x1p-149 : 0x1p-1074;
    const fpx_fpenv saved = fpx_fpenv_enter();
    const double terms = (double)k + 2.0;
    const double slope = terms * unit;
    double bound = INFINITY; /* nothing is known */

    if (slope < 0.5) {
        const double gamma = slope / (1.0 - slope);

        /* 2^-49: fewer than eight roundings here, each 2^-53. What this line loses to underflow, less
         * than two smallest subnormals, is in the two terms above k. */
        bound = gamma * (row_norm * column_norm) * (1.0 + 0x1p-49) + terms * smallest;
        if (!(bound >= 0.0))
            bound = INFINITY; /* a norm is NaN, or 0 times infinity */
    }
    fpx_fpenv_leave(saved);
    return bound;
}
