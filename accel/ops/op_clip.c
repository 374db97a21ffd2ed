/* op_clip.c - the factor that brings the norm of all gradients to at most max_norm: computed in float64,
 * rounded once. A norm that is NaN gives a factor that is NaN. */
#include "op_kernels.h"

fpx_status OP(op_clip)(const op_run *run)
{
    const double *total = run->in[0];
    const double max_norm = run->call->attr.clip.max_norm, norm = sqrt(*total);
    fpx_real *factor = run->out[0], *ret_norm = run->out[1];
    double f = 1.0;

    if (max_norm > 0.0) {
        const double ratio = max_norm / norm;

        f = ratio > 1.0 ? 1.0 : ratio; /* NaN is not above 1 */
    }
    *factor = canonical((fpx_real)f);
    *ret_norm = canonical((fpx_real)norm);
    return FPX_OK;
}
