/* op_bound_remedy.c - bounds of FP4 training's remedies. The float64 reference passes gradients and operands through
 * unchanged, as quantizers do: what is bounded is how far a slope, or a clamp, may move a value. */
#include <math.h>
#include <stddef.h>

#include "op_bound.h"
#include "op_running.h"

/* A slope is in 0 .. cap; that of a NaN is one. 2^-7: of bf16's roundings, more than float32's. */
void op_bound_dge(const fpx_bound_args *args)
{
    const double *dw = (const double *)args->in[0], *w = (const double *)args->in[1];
    const size_t n = fpx_tensor_count(&args->call->in[0]);
    const double cap = args->call->attr.dge.cap, far = fmax(1.0, cap - 1.0) + cap * 0x1p-7;
    const double tiny = (cap + 1.0) * 0x1p-133; /* bf16's smallest */
    const op_unit k = op_unit_of(args->unit);

    for (size_t i = 0; i < n; i++)
        args->bound[0][i] = w[i] == w[i] && fabs(dw[i]) * (cap + 2.0) < k.max
                                ? op_bound_value((op_value){ dw[i], fabs(dw[i]) * far + tiny })
                                : HUGE_VAL;
}

/* ---- clamp ---- */
size_t op_scratch_clamp(const fpx_call *call)
{
    return fpx_tensor_count(&call->in[0]);
}

/* Element `rank` of n sorted ones, none of them NaN; x is reordered (Hoare's selection). */
static double selected(double *x, size_t n, size_t rank)
{
    ptrdiff_t low = 0, high = (ptrdiff_t)n - 1;
    const ptrdiff_t at = (ptrdiff_t)rank;

    while (low < high) {
        const double middle = x[low + (high - low) / 2];
        ptrdiff_t i = low, j = high;

        while (i <= j) {
            while (x[i] < middle)
                i++;
            while (x[j] > middle)
                j--;
            if (i <= j) {
                const double swapped = x[i];
                x[i++] = x[j];
                x[j--] = swapped;
            }
        }
        if (at <= j)
            high = j;
        else if (at >= i)
            low = i;
        else
            break;
    }
    return x[at];
}

/* One vector: Inf for all of it where one is NaN. An element within the quantiles stays as it is. */
static void clamp_vector(const fpx_bound_args *args, size_t at, size_t n, size_t step)
{
    const double *x = (const double *)args->in[0] + at, alpha = args->call->attr.clamp.alpha;
    double *bound = args->bound[0] + at, low = 0.0, high = 0.0;
    int whole = 1;

    for (size_t i = 0; i < n; i++) {
        args->scratch[i] = x[i * step];
        whole &= isfinite(x[i * step]);
    }
    if (whole) {
        low = selected(args->scratch, n, (size_t)((1.0 - alpha) * (double)n));
        high = selected(args->scratch, n, (size_t)(alpha * (double)n));
    }
    for (size_t i = 0; i < n; i++) {
        const double v = x[i * step];

        bound[i * step] = !whole ? HUGE_VAL : v < low ? low - v : v > high ? v - high : 0.0;
    }
}

void op_bound_clamp(const fpx_bound_args *args)
{
    const size_t rows = (size_t)args->call->in[0].shape[0],
                 cols = (size_t)args->call->in[0].shape[1];
    const uint32_t over = args->call->attr.clamp.over;

    if (over == FPX_CLAMP_TENSOR)
        clamp_vector(args, 0, rows * cols, 1);
    for (size_t r = 0; r < rows && over == FPX_CLAMP_ROW; r++)
        clamp_vector(args, r * cols, cols, 1);
    for (size_t c = 0; c < cols && over == FPX_CLAMP_COLUMN; c++)
        clamp_vector(args, c, rows, cols);
}

/* ---- the residual's product ---- */
/* Residuals that are not 0, and where they are. */
size_t op_scratch_add_residual(const fpx_call *call)
{
    return 2 * (size_t)call->in[1].shape[1];
}

void op_bound_add_residual(const fpx_bound_args *args)
{
    const size_t rows = (size_t)args->call->in[1].shape[0],
                 depth = (size_t)args->call->in[1].shape[1];
    const size_t cols = (size_t)args->call->in[3].shape[0];
    const double *base = (const double *)args->in[0], *w = (const double *)args->in[3];
    double *residual = args->scratch, *place = args->scratch + depth;
    const op_unit unit = op_unit_of(args->unit);

    for (size_t m = 0; m < rows; m++) {
        const double *x = (const double *)args->in[1] + m * depth,
                     *y = (const double *)args->in[2] + m * depth;
        size_t n = 0;

        for (size_t k = 0; k < depth; k++)
            if (!(x[k] - y[k] == 0.0)) {
                residual[n] = x[k] - y[k];
                place[n++] = (double)k;
            }
        for (size_t c = 0; c < cols; c++) {
            op_sum sum = { 0.0, 0.0, 0.0 };

            for (size_t i = 0; i < n; i++) {
                op_value weight = op_exact(w[c * depth + (size_t)place[i]]);

                for (uint32_t level = 0; level < args->call->in[3].nscales; level++)
                    weight = op_round(unit, weight.v, weight.e, unit.tiny);
                op_sum_add(&sum, op_mul(unit, op_round(unit, residual[i], 0.0, 0.0), weight));
            }
            args->bound[0][m * cols + c] = op_bound_value(
                op_add(unit, op_exact(base[m * cols + c]), op_sum_end(unit, &sum, (double)n)));
        }
    }
}
