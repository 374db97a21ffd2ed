/* op_narrow.c - two products in float32 are within the bound of the exact one each, hence within twice that of each other. Norms
 * are taken of the shadow's operands, which are those judged, rounded once where they have a scale. */
#include "op_narrow.h"

#include <float.h>
#include <math.h>

#include <fpx/gemm.h>

#include "op_norms.h"
#include "op_product.h"

typedef struct limits {
    double slope, floor; /* bound = slope * norms + floor */
    double widest;       /* norm of the largest column */
} limits;

/* A scaled code is rounded to float32 once, relatively: where none is below the normal range. */
static int is_judged(const op_narrow *args, int scaled)
{
    const fpx_tensor *a = &args->call->in[0], *b = &args->call->in[1];

    for (int i = 0; i < 2; i++)
        if (is_blocked(&args->call->in[i]) ||
            (args->call->in[i].nscales > 0 &&
             !(least(&args->call->in[i].format) * args->decode[i] >= (double)FLT_MIN)))
            return 0;
    if (args->call->attr.gemm.unit[0] != '\0' ||
        !fpx_format_equal(&args->call->out[0].format, &fpx_fp32))
        return 0;
    return !scaled || (least(&a->format) * least(&b->format) >= 0x1p-149 &&
                       args->decode[0] * args->decode[1] < (double)FLT_MAX);
}

/* Of the product judged the line of op_bound_gemm.c: two roundings more decode operands, and alpha loses what underflows. The
 * other has the same roundings or fewer. Norms of rounded operands are off by two roundings: 2^-21 is plenty. */
static limits limits_of(const op_narrow *args, const product *p, int scaled)
{
    const fpx_call *call = args->call;
    const size_t depth =
        args->any_order ? p->k : fpx_gemm_depth(p->k, (size_t)call->attr.gemm.leaf);
    const size_t terms = depth + (scaled ? 2 : 0);
    limits l = { 2.0 * fpx_gemm_bound(terms, p->k, 0x1p-24, 1.0) * (1.0 + 0x1p-21),
                 2.0 * fpx_gemm_bound(terms, p->k + 2, 0x1p-24, 0.0), 0.0 };

    if (scaled)
        l.floor +=
            2.0 * 0x1p-149 * (double)p->k * largest_code(&call->in[0]) * largest_code(&call->in[1]);
    l.floor = l.floor * (1.0 + 0x1p-40);
    return l;
}

/* Whether no ratio of a row can be above `most`, at most 1, and every bound is finite: multiplying says so sooner than dividing.
 * A bound is far above the smallest float64; a NaN is never quiet. */
static int is_quiet(const limits *l, double most, double row, const double *columns, const float *v,
                    const float *r, size_t n)
{
    const double least = most >= 0x1p-100 && most <= 1.0 ? most * (1.0 - 0x1p-40) : 0.0;
    const double most_sum = row * l->widest;
    uint64_t loud = 0;

    if (!(most_sum + (l->slope * most_sum + l->floor) < (double)FLT_MAX))
        return 0;
    for (size_t j = 0; j < n; j++) {
        const double error = fabs((double)v[j] - (double)r[j]);

        loud += error <= (l->slope * (row * columns[j]) + l->floor) * least ? 0 : 1;
    }
    return loud == 0;
}

static void judge_row(const limits *l, double row, const double *columns, const float *v,
                      const float *r, size_t n, size_t first, op_narrow_verdict *verdict,
                      int *unbounded)
{
    for (size_t j = 0; j < n; j++) {
        const double error = fabs((double)v[j] - (double)r[j]), sum = row * columns[j];
        const double bound = l->slope * sum + l->floor;

        if (error == 0.0)
            continue;
        if (!(sum + bound < (double)FLT_MAX)) {
            *unbounded = 1;
            continue;
        }
        if (error > bound && verdict->above++ == 0)
            verdict->element = first + j;
        if (error / bound > verdict->ratio) {
            verdict->ratio = error / bound;
            verdict->element = verdict->above > 0 ? verdict->element : first + j;
        }
    }
}

int OP_BOUND_NAME(op_narrow_judge)(const op_narrow *args, op_narrow_verdict *ret_verdict)
{
    const fpx_call *call = args->call;
    const product p = product_of(call);
    const int scaled = call->in[0].nscales + call->in[1].nscales > 0;
    const int ta = call->attr.gemm.trans_a != 0, tb = call->attr.gemm.trans_b != 0;
    double *rows = args->scratch, *columns = args->scratch + p.m;
    op_narrow_verdict verdict = { 0.0, 0, 0 };
    int unbounded = 0;

    if (!is_judged(args, scaled))
        return 0;
    limits l = limits_of(args, &p, scaled);
    for (size_t z = 0; z < p.batch; z++) {
        op_norms(args->in[0] + z * p.m * p.k, 1, p.m, p.k, ta ? 1 : p.k, ta ? p.m : 1, rows);
        op_norms(args->in[1] + z * p.k * p.n, 1, p.n, p.k, tb ? p.k : 1, tb ? 1 : p.n, columns);
        l.widest = 0.0;
        for (size_t j = 0; j < p.n; j++)
            l.widest = columns[j] > l.widest ? columns[j] : l.widest;
        for (size_t i = 0; i < p.m; i++) {
            const size_t first = (z * p.m + i) * p.n;

            if (!is_quiet(&l, verdict.ratio, rows[i], columns, args->value + first,
                          args->reference + first, p.n))
                judge_row(&l, rows[i], columns, args->value + first, args->reference + first, p.n,
                          first, &verdict, &unbounded);
        }
    }
    if (unbounded && verdict.above == 0)
        verdict.ratio = -1.0;
    *ret_verdict = verdict;
    return 1;
}
