/* op_bound_hadamard.c - bound of a random Hadamard transform: each result is a signed sum of its block, by a tree of
 * log2(size) additions, times a factor that is itself rounded twice (root and quotient). */
#include <float.h>
#include <math.h>

#include "op_bound.h"
#include "op_running.h"

void op_bound_hadamard(const fpx_bound_args *args)
{
    const fpx_call *call = args->call;
    const size_t size = call->attr.hadamard.size, axis = call->attr.hadamard.axis;
    const size_t rows = (size_t)call->in[0].shape[0], cols = (size_t)call->in[0].shape[1];
    const size_t step = axis == 0 ? cols : 1, line = axis == 0 ? 1 : cols;
    const size_t lines = axis == 0 ? cols : rows, along = axis == 0 ? rows : cols;
    const double *x = (const double *)args->in[0], factor = 1.0 / sqrt((double)size);
    const op_unit unit = op_unit_of(args->unit);
    double roundings = 4.0; /* factor: two; product: one; float64's own: less than one more */

    for (size_t n = size; n > 1; n /= 2)
        roundings += 1.0;
    for (size_t l = 0; l < lines; l++)
        for (size_t b = 0; b < along; b += size) {
            const size_t at = l * line + b * step;
            double sum = 0.0;

            for (size_t i = 0; i < size; i++)
                sum += fabs(x[at + i * step]);
            const double e = 1.01 * roundings * args->unit * sum * factor + 2.0 * unit.tiny;
            /* `sum` bounds every partial sum. NaN and Inf fail the comparison. */
            for (size_t i = 0; i < size; i++)
                args->bound[0][at + i * step] = sum * 1.01 < unit.max ? e : HUGE_VAL;
        }
}
