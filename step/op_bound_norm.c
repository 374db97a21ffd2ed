/* op_bound_norm.c - bounds of RMSNORM and its gradient: the formulas of the `cpu` device, restated in
 * running error analysis. */
#include "op_bound.h"
#include "op_running.h"

/* Two doubles for each column: the error and the magnitude of its sum. */
size_t OP_BOUND_NAME(op_scratch_columns)(const fpx_call *call)
{
    return 2 * (size_t)call->in[0].shape[1];
}

/* 1 / sqrt(sum / C + eps); C is exact up to 2^24, rounded in any case. */
static op_value rstd_of(op_unit k, const double *x, size_t c, double eps)
{
    op_sum sum = { 0 };

    for (size_t j = 0; j < c; j++)
        op_sum_add(&sum, op_mul(k, op_exact(x[j]), op_exact(x[j])));
    const op_value total = op_sum_end(k, &sum, op_row_depth(c));
    const op_value mean = op_div(k, total, op_rounded(k, (double)c));
    return op_div(k, op_exact(1.0), op_sqrt(k, op_add(k, mean, op_rounded(k, eps))));
}

void OP_BOUND_NAME(op_bound_rmsnorm)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t rows = (size_t)args->call->in[0].shape[0], c = (size_t)args->call->in[0].shape[1];
    const double *gain = (const double *)args->in[1];

    for (size_t i = 0; i < rows; i++) {
        const double *x = (const double *)args->in[0] + i * c;
        const op_value rstd = rstd_of(k, x, c, args->call->attr.rmsnorm.eps);

        args->bound[1][i] = op_bound_value(rstd);
        for (size_t j = 0; j < c; j++) {
            const op_value y = op_mul(k, op_mul(k, op_exact(x[j]), rstd), op_exact(gain[j]));

            args->bound[0][i * c + j] = op_bound_value(y);
        }
    }
}

/* One row: with h = dy gain, dx = (h - x rstd mean) rstd, mean = sum(h x) rstd / C; dgain gathers
 * dy (x rstd). */
static void grad_row(op_unit k, size_t c, const double *x, const double *gain, double rstd,
                     const double *dy, double *bound, double *error, double *magnitude)
{
    const op_value r = op_exact(rstd);
    op_sum sum = { 0 };

    for (size_t j = 0; j < c; j++) {
        const op_value h = op_mul(k, op_exact(dy[j]), op_exact(gain[j]));
        const op_value term = op_mul(k, op_exact(dy[j]), op_mul(k, op_exact(x[j]), r));

        op_sum_add(&sum, op_mul(k, h, op_exact(x[j])));
        error[j] += term.e;
        magnitude[j] += fabs(term.v) + term.e;
    }
    const op_value scaled = op_mul(k, op_sum_end(k, &sum, op_row_depth(c)), r);
    const op_value mean = op_div(k, scaled, op_rounded(k, (double)c));
    for (size_t j = 0; j < c; j++) {
        const op_value h = op_mul(k, op_exact(dy[j]), op_exact(gain[j]));
        const op_value along = op_mul(k, op_mul(k, op_exact(x[j]), r), mean);

        bound[j] = op_bound_value(op_mul(k, op_sub(k, h, along), r));
    }
}

void OP_BOUND_NAME(op_bound_rmsnorm_grad)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t rows = (size_t)args->call->in[0].shape[0], c = (size_t)args->call->in[0].shape[1];
    const double *x = (const double *)args->in[0], *gain = (const double *)args->in[1];
    const double *rstd = (const double *)args->in[2], *dy = (const double *)args->in[3];
    const double depth = op_token_depth(rows, args->call->attr.rmsnorm.leaf);
    double *error = args->scratch, *magnitude = args->scratch + c;

    for (size_t j = 0; j < 2 * c; j++)
        args->scratch[j] = 0.0;
    for (size_t i = 0; i < rows; i++)
        grad_row(k, c, x + i * c, gain, rstd[i], dy + i * c, args->bound[0] + i * c, error,
                 magnitude);
    for (size_t j = 0; j < c; j++) {
        const op_sum sum = { .e = error[j], .magnitude = magnitude[j] };

        args->bound[1][j] = op_bound_value(op_sum_end(k, &sum, depth));
    }
}
