/* op_bound_act.c - bounds of the activations, their gradients, ADD and DROPOUT, element by element. */
#include <fpx/cpu.h>

#include "op_bound.h"
#include "op_running.h"

void OP_BOUND_NAME(op_bound_add)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const double *a = (const double *)args->in[0], *b = (const double *)args->in[1];
    const size_t n = fpx_tensor_count(&args->call->out[0]);

    for (size_t i = 0; i < n; i++)
        args->bound[0][i] = op_bound_value(op_add(k, op_exact(a[i]), op_exact(b[i])));
}

/* sigmoid of exact gates, at most OP_PIECE of them: values and their errors. */
static void sigmoids(op_unit k, const double *gate, size_t n, double *restrict v,
                     double *restrict e)
{
    double power[OP_PIECE];
    uint64_t far = 0;

    for (size_t j = 0; j < n; j++)
        power[j] = -gate[j];
    fpx_exp_f64_array(fpx_cpu_in_use(), power, power, n);
    for (size_t j = 0; j < n; j++) {
        const op_value p = op_round(k, power[j], power[j] * 0.0, k.tiny);
        const op_value s = op_sigmoid_near(k, p);

        v[j] = s.v;
        e[j] = s.e;
        far += p.e <= DBL_MAX ? 0 : 1;
    }
    for (size_t j = 0; far > 0 && j < n; j++) {
        const op_value s =
            op_sigmoid_of(k, op_exact(gate[j]), op_round(k, power[j], power[j] * 0.0, k.tiny));

        v[j] = s.v;
        e[j] = s.e;
    }
}

/* silu(g) up = g sigmoid(g) up */
static void swiglu_piece(op_unit k, const double *gate, const double *up, size_t n,
                         double *restrict bound)
{
    double v[OP_PIECE], e[OP_PIECE];

    sigmoids(k, gate, n, v, e);
    for (size_t j = 0; j < n; j++) {
        const op_value s = { v[j], e[j] };

        bound[j] = op_bound_value(op_mul(k, op_mul(k, op_exact(gate[j]), s), op_exact(up[j])));
    }
}

void OP_BOUND_NAME(op_bound_swiglu)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t rows = (size_t)args->call->out[0].shape[0];
    const size_t f = (size_t)args->call->out[0].shape[1];

    for (size_t i = 0; i < rows; i++) {
        const double *gate = (const double *)args->in[0] + i * 2 * f;

        for (size_t j = 0; j < f; j += OP_PIECE)
            swiglu_piece(k, gate + j, gate + f + j, f - j < OP_PIECE ? f - j : OP_PIECE,
                         args->bound[0] + i * f + j);
    }
}

/* With s = sigmoid(g): dgate = dy up s (1 + g (1 - s)), dup = dy g s. */
static void swiglu_grad_piece(op_unit k, const double *gate, const double *up, const double *dy,
                              size_t n, double *restrict to_gate, double *restrict to_up)
{
    const op_value one = op_exact(1.0);
    double v[OP_PIECE], e[OP_PIECE];

    sigmoids(k, gate, n, v, e);
    for (size_t j = 0; j < n; j++) {
        const op_value g = op_exact(gate[j]), d = op_exact(dy[j]), s = { v[j], e[j] };
        const op_value bent = op_add(k, one, op_mul(k, g, op_sub(k, one, s)));
        const op_value slope = op_mul(k, s, bent);

        to_gate[j] = op_bound_value(op_mul(k, op_mul(k, d, op_exact(up[j])), slope));
        to_up[j] = op_bound_value(op_mul(k, d, op_mul(k, g, s)));
    }
}

void OP_BOUND_NAME(op_bound_swiglu_grad)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t rows = (size_t)args->call->in[1].shape[0];
    const size_t f = (size_t)args->call->in[1].shape[1];

    for (size_t i = 0; i < rows; i++) {
        const double *gate = (const double *)args->in[0] + i * 2 * f;
        const double *dy = (const double *)args->in[1] + i * f;
        double *bound = args->bound[0] + i * 2 * f;

        for (size_t j = 0; j < f; j += OP_PIECE)
            swiglu_grad_piece(k, gate + j, gate + f + j, dy + j,
                              f - j < OP_PIECE ? f - j : OP_PIECE, bound + j, bound + f + j);
    }
}

static const double gelu_slope = 0x1.9884533d43651p-1; /* sqrt(2 / pi) */
static const double gelu_cubic = 0.044715;

/* tanh(sqrt(2/pi) (x + 0.044715 x^3)) */
static op_value gelu_tanh(op_unit k, op_value x)
{
    const op_value square = op_mul(k, x, x);
    const op_value cube = op_mul(k, op_rounded(k, gelu_cubic), op_mul(k, square, x));

    return op_tanh(k, op_mul(k, op_rounded(k, gelu_slope), op_add(k, x, cube)));
}

/* x/2 (1 + tanh(...)) */
void OP_BOUND_NAME(op_bound_gelu)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const double *x = (const double *)args->in[0];
    const size_t n = fpx_tensor_count(&args->call->in[0]);
    const op_value half = op_exact(0.5), one = op_exact(1.0);

    for (size_t i = 0; i < n; i++) {
        const op_value at = op_exact(x[i]), t = gelu_tanh(k, at);

        args->bound[0][i] = op_bound_value(op_mul(k, op_mul(k, half, at), op_add(k, one, t)));
    }
}

/* dy ((1 + t)/2 + x/2 (1 - t)(1 + t) sqrt(2/pi) (1 + 3 * 0.044715 x^2)). Inf from x^2 on that
 * overflows, where the operation gives 0 * Inf. */
void OP_BOUND_NAME(op_bound_gelu_grad)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const double *x = (const double *)args->in[0], *dy = (const double *)args->in[1];
    const size_t n = fpx_tensor_count(&args->call->in[0]);
    const op_value half = op_exact(0.5), one = op_exact(1.0);
    const op_value slope = op_rounded(k, gelu_slope), cubic = op_rounded(k, 3.0 * gelu_cubic);

    for (size_t i = 0; i < n; i++) {
        const op_value at = op_exact(x[i]), t = gelu_tanh(k, at);
        const op_value inner =
            op_mul(k, slope, op_add(k, one, op_mul(k, cubic, op_mul(k, at, at))));
        const op_value more = op_add(k, one, t), outer = op_mul(k, op_sub(k, one, t), more);
        const op_value bent = op_mul(k, op_mul(k, half, at), op_mul(k, outer, inner));
        const op_value all = op_add(k, op_mul(k, half, more), bent);

        args->bound[0][i] = op_bound_value(op_mul(k, op_exact(dy[i]), all));
    }
}

/* The same mask: what the reference has as 0 was dropped, or was 0; the factor is at least 1, so nothing underflows. */
void OP_BOUND_NAME(op_bound_dropout)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const double *x = (const double *)args->in[0];
    const op_value factor = op_rounded(k, 1.0 / (1.0 - args->call->attr.dropout.rate));
    const size_t n = fpx_tensor_count(&args->call->out[0]);

    for (size_t i = 0; i < n; i++)
        args->bound[0][i] =
            args->out[0][i] == 0.0 ? 0.0 : op_bound_value(op_mul(k, op_exact(x[i]), factor));
}
