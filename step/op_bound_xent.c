/* op_bound_xent.c - bounds of the cross entropy, of log-probabilities, their gradients and preferences, and of the
 * embedding's gradient. */
#include "op_bound.h"
#include "op_running.h"

/* e^(l - from), of at most OP_PIECE. */
static void powers(op_unit k, const double *l, double from, size_t n, double *restrict v,
                   double *restrict e)
{
    for (size_t j = 0; j < n; j++) {
        const op_value x = op_sub(k, op_exact(l[j]), op_exact(from));

        v[j] = x.v;
        e[j] = x.e;
    }
    op_exp_piece(k, v, e, n);
}

/* max + log(sum of e^(l - max)), the maximum exact. */
static op_value log_sum(op_unit k, const double *l, size_t n)
{
    op_value top = op_exact(l[0]);
    op_sum sum = { 0 };

    for (size_t j = 0; j < n; j++) {
        if (l[j] > top.v)
            top = op_exact(l[j]);
        if (!isfinite(l[j])) /* a comparison may pass it by */
            return (op_value){ l[j], HUGE_VAL };
    }
    for (size_t j = 0; j < n; j += OP_PIECE) {
        const size_t here = n - j < OP_PIECE ? n - j : OP_PIECE;
        double v[OP_PIECE], e[OP_PIECE];

        powers(k, l + j, top.v, here, v, e);
        for (size_t i = 0; i < here; i++)
            op_sum_add(&sum, (op_value){ v[i], e[i] });
    }
    return op_add(k, top, op_log(k, op_sum_end(k, &sum, op_row_depth(n))));
}

/* A negative target is none: its token adds nothing and is not counted. */
static op_value targets_of(op_unit k, const fpx_bound_args *args)
{
    const size_t rows = (size_t)args->call->in[0].shape[0];
    const int32_t *targets = (const int32_t *)args->in[1];
    double count = 0.0;

    for (size_t i = 0; i < rows; i++)
        count += targets[i] >= 0 ? 1.0 : 0.0;
    return op_rounded(k, count);
}

/* Mean of lse - logit of the target. Targets beyond the vocabulary are refused by every device. */
void OP_BOUND_NAME(op_bound_xent)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t rows = (size_t)args->call->in[0].shape[0], n = (size_t)args->call->in[0].shape[1];
    const int32_t *targets = (const int32_t *)args->in[1];
    op_sum sum = { 0 };

    for (size_t i = 0; i < rows; i++) {
        const double *l = (const double *)args->in[0] + i * n;
        const op_value lse = log_sum(k, l, n);

        args->bound[1][i] = op_bound_value(lse);
        if (targets[i] >= 0 && (size_t)targets[i] < n)
            op_sum_add(&sum, op_sub(k, lse, op_exact(l[targets[i]])));
    }
    const op_value total = op_sum_end(k, &sum, op_token_depth(rows, args->call->attr.tokens.leaf));
    args->bound[0][0] =
        op_bound_value(args->call->attr.tokens.sum ? total : op_div(k, total, targets_of(k, args)));
}

/* Slopes e^(l - lse) - [target] of a row of n, those of `first` to first + here - 1. */
static void slopes(op_unit k, const fpx_bound_args *args, size_t row, size_t first, size_t here,
                   double *v, double *e)
{
    const size_t n = (size_t)args->call->in[0].shape[1];
    const double *l = (const double *)args->in[0] + row * n, *lse = (const double *)args->in[2];
    const int32_t target = ((const int32_t *)args->in[1])[row];

    powers(k, l + first, lse[row], here, v, e);
    if (target >= 0 && (size_t)target >= first && (size_t)target - first < here) {
        const size_t j = (size_t)target - first;
        const op_value slope = op_sub(k, (op_value){ v[j], e[j] }, op_exact(1.0));

        v[j] = slope.v;
        e[j] = slope.e;
    }
}

/* Those over `by`, or times it; 0 in a row without a target. */
static inline void bound_slopes(op_unit k, const fpx_bound_args *args, size_t row, op_value by,
                                const int divided)
{
    const size_t n = (size_t)args->call->in[0].shape[1];
    const int has_target = ((const int32_t *)args->in[1])[row] >= 0;
    double *restrict bound = args->bound[0] + row * n;

    for (size_t j = 0; j < n; j += OP_PIECE) {
        const size_t here = n - j < OP_PIECE ? n - j : OP_PIECE;
        double v[OP_PIECE], e[OP_PIECE];

        slopes(k, args, row, j, here, v, e);
        for (size_t i = 0; i < here; i++) {
            const op_value slope = { v[i], e[i] };
            const op_value all = divided ? op_div(k, slope, by) : op_mul(k, slope, by);

            bound[j + i] = has_target ? op_bound_value(all) : 0.0;
        }
    }
}

/* Divided by the number of targets. */
void OP_BOUND_NAME(op_bound_xent_grad)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t rows = (size_t)args->call->in[0].shape[0];
    const op_value count =
        args->call->nin > 3 ? op_exact(((const double *)args->in[3])[0]) : targets_of(k, args);

    for (size_t i = 0; i < rows; i++)
        bound_slopes(k, args, i, count, 1);
}

/* Minus the sum of lse - logit of the target over a sequence. */
void OP_BOUND_NAME(op_bound_logp)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t n = (size_t)args->call->in[0].shape[1],
                 leaf = (size_t)args->call->attr.tokens.leaf;
    const size_t sequences = (size_t)args->call->out[0].shape[0];
    const int32_t *targets = (const int32_t *)args->in[1];

    for (size_t b = 0; b < sequences; b++) {
        op_sum sum = { 0 };

        for (size_t i = b * leaf; i < (b + 1) * leaf; i++) {
            const double *l = (const double *)args->in[0] + i * n;
            const op_value lse = log_sum(k, l, n);

            args->bound[1][i] = op_bound_value(lse);
            if (targets[i] >= 0 && (size_t)targets[i] < n)
                op_sum_add(&sum, op_sub(k, lse, op_exact(l[targets[i]])));
        }
        args->bound[0][b] = op_bound_value(op_sum_end(k, &sum, (double)leaf));
    }
}

void OP_BOUND_NAME(op_bound_logp_grad)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t rows = (size_t)args->call->in[0].shape[0];
    const size_t leaf = (size_t)args->call->attr.tokens.leaf;
    const double *dlogp = (const double *)args->in[3];

    for (size_t i = 0; i < rows; i++)
        bound_slopes(k, args, i, op_exact(dlogp[i / leaf]), 0);
}

/* h = beta ((c - c') - (r - r')); the loss max(-h, 0) + log(1 + e^-|h|), which a change of h changes by no more; the
 * slopes +-beta sigmoid(-h) / count. */
void OP_BOUND_NAME(op_bound_dpo)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t pairs = (size_t)args->call->out[2].shape[0];
    const double *logp = (const double *)args->in[0], *reference = (const double *)args->in[1];
    const op_value beta = op_rounded(k, args->call->attr.dpo.beta);
    const op_value count = args->call->nin > 2 ? op_exact(((const double *)args->in[2])[0])
                                               : op_rounded(k, (double)pairs);
    const uint64_t one = 1;
    op_sum sum = { 0 };

    for (size_t p = 0; p < pairs; p++) {
        op_value gain[2];

        for (size_t i = 0; i < 2; i++)
            gain[i] = op_sub(k, op_exact(logp[2 * p + i]), op_exact(reference[2 * p + i]));
        const op_value h = op_mul(k, beta, op_sub(k, gain[0], gain[1]));
        const op_value e = op_exp(k, (op_value){ -fabs(h.v), h.e });
        const op_value term = op_add(k, (op_value){ h.v < 0.0 ? -h.v : 0.0, h.e },
                                     op_log(k, op_add(k, op_exact(1.0), e)));
        const op_value share = op_sigmoid_of(k, (op_value){ -h.v, h.e }, op_exp(k, h));
        const op_value slope = op_div(k, op_mul(k, beta, share), count);

        op_sum_add(&sum, term);
        args->bound[2][p] = op_bound_value(h);
        args->bound[1][2 * p] = args->bound[1][2 * p + 1] = op_bound_value(slope);
    }
    const op_value total = op_sum_end(k, &sum, op_token_depth(pairs, one));
    args->bound[0][0] = op_bound_value(args->call->attr.dpo.sum ? total : op_div(k, total, count));
}

/* A double for each row of the table: how often its token occurs. */
size_t OP_BOUND_NAME(op_scratch_vocabulary)(const fpx_call *call)
{
    return (size_t)call->out[0].shape[0];
}

/* A row is the sum of dy over its token's places: `count` terms, in any order. */
void OP_BOUND_NAME(op_bound_embed_grad)(const fpx_bound_args *args)
{
    const op_unit k = op_unit_of(args->unit);
    const size_t tokens = (size_t)args->call->in[1].shape[0];
    const size_t c = (size_t)args->call->in[1].shape[1];
    const size_t vocabulary = (size_t)args->call->out[0].shape[0];
    const int32_t *token = (const int32_t *)args->in[0];
    double *magnitude = args->bound[0], *count = args->scratch;

    for (size_t i = 0; i < vocabulary; i++)
        count[i] = 0.0;
    for (size_t i = 0; i < vocabulary * c; i++)
        magnitude[i] = 0.0;
    for (size_t i = 0; i < tokens; i++) {
        const double *dy = (const double *)args->in[1] + i * c;

        if (token[i] < 0 || (size_t)token[i] >= vocabulary)
            continue; /* refused by every device */
        count[token[i]] += 1.0;
        for (size_t j = 0; j < c; j++)
            magnitude[(size_t)token[i] * c + j] += fabs(dy[j]);
    }
    for (size_t i = 0; i < vocabulary; i++)
        for (size_t j = 0; j < c; j++) {
            const op_sum sum = { .v = magnitude[i * c + j], .magnitude = magnitude[i * c + j] };
            const double depth = count[i] > 1.0 ? count[i] - 1.0 : 0.0;

            args->bound[0][i * c + j] = op_bound_value(op_sum_end(k, &sum, depth));
        }
}
