/* op_bound_gemm.c - bounds of a matrix product in two tiers: by Cauchy and Schwarz from row and column norms, which
 * costs a reading of the operands, not a second product; and from |A||B| for the few elements that the
 * first cannot decide, where the results to be judged are known. */
#include <float.h>
#include <math.h>

#include <fpx/gemm.h>

#include "op_bound.h"
#include "op_norms.h"
#include "op_product.h"
#include "op_running.h"

size_t OP_BOUND_NAME(op_scratch_gemm)(const fpx_call *call)
{
    const product p = product_of(call);

    return p.m + p.n + (call->attr.gemm.unit[0] != '\0' ? op_unit_scratch(p.m, p.n) : 0);
}

/* Largest scale that operand i can have been decoded with. */
static double largest_scale(const fpx_bound_args *args, size_t i)
{
    const fpx_tensor *tensor = &args->call->in[i];
    const double *x = args->in[i];
    const size_t n = fpx_tensor_count(tensor);
    double large[OP_LANES] = { 0.0 }, amax = 0.0;
    size_t j = 0;

    if (tensor->nscales == 0)
        return 1.0;
    if (!is_blocked(tensor) && args->decode[i] > 0.0)
        return args->decode[i];
    for (; n - j >= OP_LANES; j += OP_LANES)
        for (size_t lane = 0; lane < OP_LANES; lane++)
            large[lane] = fabs(x[j + lane]) > large[lane] ? fabs(x[j + lane]) : large[lane];
    for (; j < n; j++)
        large[0] = fabs(x[j]) > large[0] ? fabs(x[j]) : large[0];
    for (size_t lane = 0; lane < OP_LANES; lane++)
        amax = large[lane] > amax ? large[lane] : amax;
    return amax / least(&tensor->format);
}

/* What scaling adds: the product of codes is summed and multiplied by alpha = RN(scale_a * scale_b)
 * at the end. The roundings are in `terms`; here is what alpha loses where it underflows. Inf where
 * alpha may overflow, or where the codes' own products may underflow before they are scaled. */
static double scaling_loss(const fpx_bound_args *args, size_t k)
{
    const fpx_tensor *a = &args->call->in[0], *b = &args->call->in[1];
    const op_unit unit = op_unit_of(args->unit);

    if (a->nscales == 0 && b->nscales == 0)
        return 0.0;
    if (least(&a->format) * least(&b->format) < unit.tiny ||
        !(largest_scale(args, 0) * largest_scale(args, 1) < unit.max))
        return HUGE_VAL;
    return unit.tiny * (double)k * largest_code(a) * largest_code(b);
}

/* Blocks of float32 scales: each run of k ends in the rounding of both scales' product and of a fused
 * multiply-add. There are fewer than k runs. */
static size_t run_roundings(const fpx_tensor *t, size_t k)
{
    return t->nscales > 0 && fpx_format_equal(&t->scale[0].format, &fpx_fp32) && is_blocked(t)
               ? 2 * k
               : 0;
}

/* fpx_gemm_bound is affine in the product of the norms: bound = slope * norms + floor. */
typedef struct line {
    double slope, floor;
} line;

static line line_of(const fpx_bound_args *args, size_t k)
{
    const fpx_call *call = args->call;
    const size_t depth = args->any_order ? k : fpx_gemm_depth(k, (size_t)call->attr.gemm.leaf);
    /* The roundings of sums; two more decode the operands, where a device does that first, and two are
     * in fpx_gemm_bound for alpha. */
    const size_t terms = depth + (call->in[0].nscales + call->in[1].nscales > 0 ? 2 : 0) +
                         run_roundings(&call->in[0], k) + run_roundings(&call->in[1], k);
    line l = { fpx_gemm_bound(terms, k, args->unit, 1.0),
               fpx_gemm_bound(terms, k + 2, args->unit, 0.0) };

    l.slope += fpx_gemm_bound(k, k, 0x1p-53, 1.0); /* the reference's own */
    l.slope *= 1.0 + 0x1p-40;                      /* a few roundings here */
    l.floor += fpx_gemm_bound(k, k, 0x1p-53, 0.0) + scaling_loss(args, k);
    l.floor = l.floor * (1.0 + 0x1p-40) + DBL_TRUE_MIN; /* norms whose product underflows */
    return l;
}

/* `both` bounds every partial sum too. */
static double bound_of(const line *l, double both, double max)
{
    const double e = l->slope * both + l->floor;

    return both + e < max ? e : HUGE_VAL;
}

/* Whether a difference that is within the cheap bound may be beyond the tight one: it is not where it is below what the
 * tight one is at least, |A||B| being at least |A B|. 2^-20 is for the reference's own error. */
static int is_open(const line *l, double difference, double reference, double bound)
{
    return (difference <= bound) &
           (difference > l->slope * fabs(reference) * (1.0 - 0x1p-20) + l->floor);
}

/* Vectors along k: number i begins at i * step and goes by stride. */
typedef struct vectors {
    const double *x;
    size_t step, stride;
} vectors;

/* The tight bound for those elements of row i that the cheap one leaves open. */
static void tighten(const line *l, double max, const vectors *a, const vectors *b, size_t i,
                    const product *p, const double *value, const double *reference, double *bound)
{
    size_t open = 0;

    for (size_t j = 0; j < p->n; j++) /* most rows have none */
        open += is_open(l, fabs(value[j] - reference[j]), reference[j], bound[j]) ? 1 : 0;
    for (size_t j = 0; j < p->n && open > 0; j++)
        if (is_open(l, fabs(value[j] - reference[j]), reference[j], bound[j]))
            bound[j] =
                fmin(bound[j], bound_of(l,
                                        fpx_gemm_magnitude(a->x + i * a->step, a->stride,
                                                           b->x + j * b->step, b->stride, p->k),
                                        max));
}

/* A unit's sums, of which another order says nothing. */
static void bound_unit(const fpx_bound_args *args, const product *p)
{
    const double reference = fpx_gemm_bound(p->k, p->k, 0x1p-53, 1.0);
    const double floor = fpx_gemm_bound(p->k, p->k, 0x1p-53, 0.0);
    const int ta = args->call->attr.gemm.trans_a != 0, tb = args->call->attr.gemm.trans_b != 0;
    double *rows = args->scratch, *columns = args->scratch + p->m;

    if (is_blocked(&args->call->in[0]) || is_blocked(&args->call->in[1])) {
        op_bound_none(args); /* sums of runs, or scales in the unit: not worked out */
        return;
    }
    op_bound_unit(args, args->scratch + p->m + p->n);
    for (size_t z = 0; z < p->batch; z++) {
        const double *a = (const double *)args->in[0] + z * p->m * p->k;
        const double *b = (const double *)args->in[1] + z * p->k * p->n;
        double *bound = args->bound[0] + z * p->m * p->n;

        op_norms(a, 0, p->m, p->k, ta ? 1 : p->k, ta ? p->m : 1, rows);
        op_norms(b, 0, p->n, p->k, tb ? p->k : 1, tb ? 1 : p->n, columns);
        for (size_t i = 0; i < p->m; i++)
            for (size_t j = 0; j < p->n; j++)
                bound[i * p->n + j] += (reference * rows[i] * columns[j] + floor) * (1.0 + 0x1p-40);
    }
}

void OP_BOUND_NAME(op_bound_gemm)(const fpx_bound_args *args)
{
    const fpx_call *call = args->call;
    const product p = product_of(call);
    const int ta = call->attr.gemm.trans_a != 0, tb = call->attr.gemm.trans_b != 0;
    const double max = op_unit_of(args->unit).max;
    const line l = line_of(args, p.k);
    double *rows = args->scratch, *columns = args->scratch + p.m;

    if (call->attr.gemm.unit[0] != '\0') {
        bound_unit(args, &p);
        return;
    }
    for (size_t z = 0; z < p.batch; z++) {
        const vectors a = { (const double *)args->in[0] + z * p.m * p.k, ta ? 1 : p.k,
                            ta ? p.m : 1 };
        const vectors b = { (const double *)args->in[1] + z * p.k * p.n, tb ? p.k : 1,
                            tb ? 1 : p.n };

        op_norms(a.x, 0, p.m, p.k, a.step, a.stride, rows);
        op_norms(b.x, 0, p.n, p.k, b.step, b.stride, columns);
        for (size_t i = 0; i < p.m; i++) {
            const size_t first = (z * p.m + i) * p.n;
            double *bound = args->bound[0] + first;

            for (size_t j = 0; j < p.n; j++)
                bound[j] = bound_of(&l, rows[i] * columns[j], max);
            if (args->value != NULL)
                tighten(&l, max, &a, &b, i, &p, args->value + first, args->out[0] + first, bound);
        }
    }
}
