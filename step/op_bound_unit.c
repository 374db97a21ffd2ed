/* op_bound_unit.c - bound of a product whose sums are a matrix unit's: that of the unit (fpx/mma_bound.h, the cheap tier: the
 * tight one costs as much as the scalar reference), times the decode factor, and what the factor itself loses. */
#include <math.h>

#include <fpx/mma_bound.h>
#include <fpx/opshape.h>

#include "op_bound.h"
#include "op_running.h"

enum { EXTENT = (sizeof(fpx_mma_extent) + sizeof(double) - 1) / sizeof(double) };

size_t op_unit_scratch(size_t m, size_t n)
{
    return (m + n) * EXTENT;
}

/* With s the unit's sum, S the exact one, a = RN(x y) the factor and t = x y: the result is RN(s a), the reference S t, and
 * |RN(s a) - S t| <= u |s a| + tiny + |a| |s - S| + |S| |a - t|, where |a - t| <= u |t| (a is normal) and |s| <= |S| + e. The
 * reference has S t with a small error, which 2 u instead of u covers. */
static double scaled(double e, double a, double reference, op_unit k)
{
    const double most = fabs(reference) + 2.0 * a * e;
    const double bound = (a * e + 4.0 * k.u * most) * (1.0 + 0x1p-40) + k.tiny;

    return most + bound < k.max ? bound : HUGE_VAL;
}

static void bound_product(const fpx_bound_args *args, const fpx_mma_bounds *bounds, double a,
                          const double *reference, double *bound, fpx_mma_extent *rows)
{
    const size_t m = bounds->call->m, n = bounds->call->n;
    const op_unit k = op_unit_of(args->unit);
    fpx_mma_extent *const columns = rows + m;

    for (size_t i = 0; i < m; i++)
        rows[i] = fpx_mma_bound_row(bounds, i);
    for (size_t j = 0; j < n; j++)
        columns[j] = fpx_mma_bound_column(bounds, j);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            bound[i * n + j] = scaled(fpx_mma_bound_cheap(bounds, i, j, &rows[i], &columns[j]), a,
                                      reference[i * n + j], k);
}

void op_bound_unit(const fpx_bound_args *args, double *scratch)
{
    const double a = fabs((double)(float)(args->decode[0] * args->decode[1]));
    fpx_mma_preset unit;
    fpx_mma_call mma;
    fpx_mma_bounds bounds;

    if (fpx_call_unit(args->call, args->codes[0], args->codes[1], &unit, &mma, NULL) != FPX_OK ||
        !(a >= 0x1p-126 && isfinite(a))) {
        op_bound_none(args);
        return;
    }
    for (size_t p = 0; p < mma.batch; p++) {
        const fpx_mma_call one = fpx_mma_call_at(&mma, p);

        if (fpx_mma_bounds_make(&unit.model, &one, &bounds, NULL) != FPX_OK) {
            op_bound_none(args);
            return;
        }
        bound_product(args, &bounds, a, args->out[0] + p * mma.m * mma.n,
                      args->bound[0] + p * mma.m * mma.n, (fpx_mma_extent *)(void *)scratch);
    }
}
