/* op_bound_attn.c - bounds of ROPE, SOFTMAX and their gradients. */
#include "op_bound.h"
#include "op_running.h"

/* Where the halves of a head lie: pair i of token t in head h of sequence b. */
typedef struct heads {
    size_t b, h, t, d;
} heads;

static heads heads_of(const fpx_tensor *tensor)
{
    return (heads){ (size_t)tensor->shape[0], (size_t)tensor->shape[1], (size_t)tensor->shape[2],
                    (size_t)tensor->shape[3] };
}

/* x cos - y sin, with rounded cos and sin: |x cos| + |y sin| <= |x| + |y|, three roundings each
 * (the table's, the product's, the sum's), and products and table entries that underflow. A table
 * entry is below the normal range only where it is 0. */
static double rotated(op_unit k, double x, double y)
{
    const double size = fabs(x) + fabs(y);
    const double e = op_gamma(k, 3.0) * size + 2.0 * k.tiny;

    /* An exact pair of zeros stays one. */
    return op_bound_value((op_value){ size, size == 0.0 ? 0.0 : size + e > k.max ? HUGE_VAL : e });
}

static double copied(double x)
{
    return isfinite(x) ? 0.0 : HUGE_VAL;
}

void OP_BOUND_NAME(op_bound_rope)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const heads s = heads_of(&args->call->out[0]);
    const double *qkv = (const double *)args->in[0];
    const size_t width = s.h * s.d, half = s.d / 2;
    size_t at = 0;

    for (size_t b = 0; b < s.b; b++)
        for (size_t h = 0; h < s.h; h++)
            for (size_t t = 0; t < s.t; t++, at += s.d) {
                const double *q = qkv + (b * s.t + t) * 3 * width + h * s.d;

                for (size_t i = 0; i < s.d; i++) {
                    const size_t pair = i < half ? i + half : i - half;

                    args->bound[0][at + i] = rotated(k, q[i], q[pair]);
                    args->bound[1][at + i] = rotated(k, q[width + i], q[width + pair]);
                    args->bound[2][at + i] = copied(q[2 * width + i]);
                }
            }
}

void OP_BOUND_NAME(op_bound_rope_grad)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const heads s = heads_of(&args->call->in[0]);
    const size_t width = s.h * s.d, half = s.d / 2;
    size_t at = 0;

    for (size_t b = 0; b < s.b; b++)
        for (size_t h = 0; h < s.h; h++)
            for (size_t t = 0; t < s.t; t++, at += s.d) {
                const double *dq = (const double *)args->in[0] + at;
                const double *dk = (const double *)args->in[1] + at;
                const double *dv = (const double *)args->in[2] + at;
                double *bound = args->bound[0] + (b * s.t + t) * 3 * width + h * s.d;

                for (size_t i = 0; i < s.d; i++) {
                    const size_t pair = i < half ? i + half : i - half;

                    bound[i] = rotated(k, dq[i], dq[pair]);
                    bound[width + i] = rotated(k, dk[i], dk[pair]);
                    bound[2 * width + i] = copied(dv[i]);
                }
            }
}

/* Two doubles for each element of a row. */
size_t OP_BOUND_NAME(op_scratch_rows)(const fpx_call *call)
{
    return 2 * (size_t)call->in[0].shape[call->in[0].ndim - 1];
}

/* e^(scale s - max), the maximum exact; over the sum of these. */
static void softmax_row(op_unit k, op_value scale, const double *s, size_t n, double *restrict v,
                        double *restrict e, double *restrict bound)
{
    op_value top = op_mul(k, scale, op_exact(s[0]));
    op_sum sum = { 0 };

    for (size_t j = 0; j < n; j++) {
        const op_value scaled = op_mul(k, scale, op_exact(s[j]));

        if (scaled.v > top.v)
            top = scaled;
        /* NaN and Inf end here, even where the comparison passes them by. */
        if (!isfinite(scaled.v + scaled.e))
            top.e = HUGE_VAL;
    }
    for (size_t j = 0; j < n; j++) {
        const op_value below = op_sub(k, op_mul(k, scale, op_exact(s[j])), top);

        v[j] = below.v;
        e[j] = below.e;
    }
    for (size_t j = 0; j < n; j += OP_PIECE)
        op_exp_piece(k, v + j, e + j, n - j < OP_PIECE ? n - j : OP_PIECE);
    for (size_t j = 0; j < n; j++)
        op_sum_add(&sum, (op_value){ v[j], e[j] });
    const op_value total = op_sum_end(k, &sum, op_row_depth(n));
    for (size_t j = 0; j < n; j++)
        bound[j] = op_bound_value(op_div(k, (op_value){ v[j], e[j] }, total));
}

/* Masked elements are 0 in every arithmetic. */
static size_t unmasked(const fpx_call *call, size_t row, double *bound)
{
    const size_t t = (size_t)call->in[0].shape[3];
    const size_t n = call->attr.softmax.causal != 0 ? row % t + 1 : t;

    for (size_t j = n; j < t; j++)
        bound[j] = 0.0;
    return n;
}

void OP_BOUND_NAME(op_bound_softmax)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t t = (size_t)args->call->in[0].shape[3];
    const size_t rows = fpx_tensor_count(&args->call->in[0]) / t;
    const op_value scale = op_rounded(k, args->call->attr.softmax.scale);

    for (size_t i = 0; i < rows; i++) {
        double *bound = args->bound[0] + i * t;

        softmax_row(k, scale, (const double *)args->in[0] + i * t, unmasked(args->call, i, bound),
                    args->scratch, args->scratch + t, bound);
    }
}

/* scale p (dp - sum p dp) */
void OP_BOUND_NAME(op_bound_softmax_grad)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t t = (size_t)args->call->in[0].shape[3];
    const size_t rows = fpx_tensor_count(&args->call->in[0]) / t;
    const op_value scale = op_rounded(k, args->call->attr.softmax.scale);

    for (size_t i = 0; i < rows; i++) {
        const double *p = (const double *)args->in[0] + i * t;
        const double *dp = (const double *)args->in[1] + i * t;
        double *bound = args->bound[0] + i * t;
        const size_t n = unmasked(args->call, i, bound);
        op_sum sum = { 0 };

        for (size_t j = 0; j < n; j++)
            op_sum_add(&sum, op_mul(k, op_exact(p[j]), op_exact(dp[j])));
        const op_value dot = op_sum_end(k, &sum, op_row_depth(n));
        for (size_t j = 0; j < n; j++) {
            const op_value inner = op_sub(k, op_exact(dp[j]), dot);

            bound[j] = op_bound_value(op_mul(k, scale, op_mul(k, op_exact(p[j]), inner)));
        }
    }
}
