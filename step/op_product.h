/* op_product.h - what bounds of matrix products have in common: sizes, and what formats and scales allow. */
#ifndef STEP_OP_PRODUCT_H
#define STEP_OP_PRODUCT_H

#include <math.h>

#include <fpx/accel.h>
#include <fpx/format.h>

typedef struct product {
    size_t batch, m, n, k;
} product;

static inline product product_of(const fpx_call *call)
{
    const fpx_tensor *a = &call->in[0], *d = &call->out[0];
    const size_t ndim = d->ndim;
    product p = { .batch = 1, .m = (size_t)d->shape[ndim - 2], .n = (size_t)d->shape[ndim - 1] };

    p.k = (size_t)a->shape[call->attr.gemm.trans_a != 0 ? ndim - 2 : ndim - 1];
    for (size_t i = 0; i + 2 < ndim; i++)
        p.batch *= (size_t)d->shape[i];
    return p;
}

/* Smallest subnormal of a format. */
static inline double least(const fpx_format *format)
{
    return ldexp(1.0, 1 - format->bias - format->mbits);
}

/* Whether there is a scale for each block; one for the whole may follow. */
static inline int is_blocked(const fpx_tensor *t)
{
    uint64_t grid[FPX_MAX_DIMS];

    return t->nscales > 0 && (t->nscales > 1 || fpx_tensor_scales(t, 0, grid) > 1 ||
                              !fpx_format_equal(&t->scale[0].format, &fpx_fp32));
}

/* What alpha multiplies: a code, or a code times the scale of its block. */
static inline double largest_code(const fpx_tensor *t)
{
    return fpx_format_max(&t->format) *
           (t->nscales > 1 ? fpx_format_max(&t->scale[0].format) : 1.0);
}

#endif /* STEP_OP_PRODUCT_H */
