/* op_bound_optim.c - bounds of the gradient norm, of clipping and of the optimizers. */
#include "op_bound.h"
#include "op_running.h"

/* Accumulated in float64 in every instance, hence that unit; both sides may be off. */
void OP_BOUND_NAME(op_bound_sumsq)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(0x1p-53);
    const double *x = (const double *)args->in[0];
    const size_t n = fpx_tensor_count(&args->call->in[0]);
    op_sum sum = { 0 };

    for (size_t i = 0; i < n; i++)
        op_sum_add(&sum, op_mul(k, op_exact(x[i]), op_exact(x[i])));
    op_value total = op_sum_end(k, &sum, op_row_depth(n));
    if (args->call->nin > 1)
        total = op_add(k, total, op_exact(((const double *)args->in[1])[0]));
    args->bound[0][0] = op_bound_value(total);
}

/* norm = sqrt(total), factor = min(1, max_norm / norm): in float64, rounded once. */
void OP_BOUND_NAME(op_bound_clip)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit), inner = op_unit_of(0x1p-53);
    const double total = ((const double *)args->in[0])[0];
    const double max_norm = args->call->attr.clip.max_norm;
    const op_value norm = op_sqrt(inner, op_exact(total));
    const op_value ratio = op_div(inner, op_exact(max_norm), norm);

    args->bound[1][0] = op_bound_value(op_round(k, norm.v, norm.e, k.tiny));
    /* The minimum with 1 moves two numbers no further apart; above 1 both are 1. */
    if (max_norm == 0.0 || total == 0.0 || ratio.v - ratio.e > 1.0)
        args->bound[0][0] = 0.0;
    else
        args->bound[0][0] = op_bound_value(op_round(k, ratio.v, ratio.e, k.tiny));
}

typedef struct adamw {
    op_value beta1, beta2, rest1, rest2, eps, decay, factor, rate, correct1, correct2;
} adamw;

static adamw adamw_of(op_unit k, const fpx_bound_args *args)
{
    const double *hyper = (const double *)args->in[5];
    const double beta1 = args->call->attr.adamw.beta1, beta2 = args->call->attr.adamw.beta2;

    return (adamw){ .beta1 = op_rounded(k, beta1),
                    .beta2 = op_rounded(k, beta2),
                    .rest1 = op_rounded(k, 1.0 - beta1),
                    .rest2 = op_rounded(k, 1.0 - beta2),
                    .eps = op_rounded(k, args->call->attr.adamw.eps),
                    .decay = op_rounded(k, args->call->attr.adamw.weight_decay),
                    .factor = op_exact(((const double *)args->in[4])[0]),
                    .rate = op_exact(hyper[0]),
                    .correct1 = op_exact(hyper[1]),
                    .correct2 = op_exact(hyper[2]) };
}

typedef struct states {
    const double *restrict param, *restrict m, *restrict v, *restrict grad;
} states;

/* g = grad factor; m += ...; v += ...; param -= rate (m c1 / (sqrt(v c2) + eps) + decay param). Told that nothing overlaps,
 * compilers make vectors of it. */
static void adamw_range(op_unit k, adamw w, states in, size_t n, double *restrict to_param,
                        double *restrict to_m, double *restrict to_v)
{
    for (size_t i = 0; i < n; i++) {
        const op_value param = op_exact(in.param[i]);
        const op_value g = op_mul(k, op_exact(in.grad[i]), w.factor);
        const op_value m = op_add(k, op_mul(k, w.beta1, op_exact(in.m[i])), op_mul(k, w.rest1, g));
        const op_value v =
            op_add(k, op_mul(k, w.beta2, op_exact(in.v[i])), op_mul(k, op_mul(k, w.rest2, g), g));
        const op_value root = op_add(k, op_sqrt(k, op_mul(k, v, w.correct2)), w.eps);
        const op_value step = op_div(k, op_mul(k, m, w.correct1), root);
        const op_value all = op_add(k, step, op_mul(k, w.decay, param));

        to_param[i] = op_bound_value(op_sub(k, param, op_mul(k, w.rate, all)));
        to_m[i] = op_bound_value(m);
        to_v[i] = op_bound_value(v);
    }
}

void OP_BOUND_NAME(op_bound_adamw)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const states in = { args->in[0], args->in[1], args->in[2], args->in[3] };

    adamw_range(k, adamw_of(k, args), in, fpx_tensor_count(&args->call->in[0]), args->bound[0],
                args->bound[1], args->bound[2]);
}

static op_value input(const fpx_bound_args *args, size_t tensor, size_t i)
{
    return op_exact(((const double *)args->in[tensor])[i]);
}

/* m = momentum m + (grad factor + decay param); param -= rate m */
void OP_BOUND_NAME(op_bound_sgd)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const op_value momentum = op_rounded(k, args->call->attr.sgd.momentum),
                   decay = op_rounded(k, args->call->attr.sgd.weight_decay),
                   factor = input(args, 3, 0), rate = input(args, 4, 0);
    const size_t n = fpx_tensor_count(&args->call->in[0]);

    for (size_t i = 0; i < n; i++) {
        const op_value param = input(args, 0, i);
        const op_value g = op_add(k, op_mul(k, input(args, 2, i), factor), op_mul(k, decay, param));
        const op_value m = op_add(k, op_mul(k, momentum, input(args, 1, i)), g);

        args->bound[0][i] = op_bound_value(op_sub(k, param, op_mul(k, rate, m)));
        args->bound[1][i] = op_bound_value(m);
    }
}

/* Certain where the error cannot reach 0; else two of -1, 0, 1 are 2 apart at most. */
static op_value sign(op_value a)
{
    const double v = a.v > 0.0 ? 1.0 : (a.v < 0.0 ? -1.0 : a.v);

    if (a.e == 0.0 || fabs(a.v) > a.e)
        return op_exact(v);
    return (op_value){ v, a.e <= DBL_MAX ? 2.0 : HUGE_VAL };
}

/* param -= rate (sign(beta1 m + rest1 g) + decay param), m = beta2 m + rest2 g, g = grad factor */
void OP_BOUND_NAME(op_bound_lion)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const double b1 = args->call->attr.lion.beta1, b2 = args->call->attr.lion.beta2;
    const op_value beta1 = op_rounded(k, b1), rest1 = op_rounded(k, 1.0 - b1),
                   beta2 = op_rounded(k, b2), rest2 = op_rounded(k, 1.0 - b2),
                   decay = op_rounded(k, args->call->attr.lion.weight_decay),
                   factor = input(args, 3, 0), rate = input(args, 4, 0);
    const size_t n = fpx_tensor_count(&args->call->in[0]);

    for (size_t i = 0; i < n; i++) {
        const op_value param = input(args, 0, i), m = input(args, 1, i);
        const op_value g = op_mul(k, input(args, 2, i), factor);
        const op_value mixed = op_add(k, op_mul(k, beta1, m), op_mul(k, rest1, g));
        const op_value all = op_add(k, sign(mixed), op_mul(k, decay, param));

        args->bound[0][i] = op_bound_value(op_sub(k, param, op_mul(k, rate, all)));
        args->bound[1][i] = op_bound_value(op_add(k, op_mul(k, beta2, m), op_mul(k, rest2, g)));
    }
}

void OP_BOUND_NAME(op_bound_divide)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t n = fpx_tensor_count(&args->call->in[0]);

    for (size_t i = 0; i < n; i++)
        args->bound[0][i] = op_bound_value(op_div(k, input(args, 0, i), input(args, 1, 0)));
}
