/* op_rope.c - rotary positions: q and k of a fused row are rotated pair by pair and laid out by head, v is
 * only moved. Angles are computed in float64 in both instances and rounded once, so that float32 and
 * its float64 shadow turn by the same angle up to one rounding. */
#include <string.h>

#include "op_kernels.h"

/* Positions and pairs of a call: from q or dq [B,H,T,D]. */
static const fpx_tensor *heads_of(const fpx_call *call)
{
    return call->kind == FPX_OP_ROPE ? &call->out[0] : &call->in[0];
}

/* Table: cos[T][D/2], then sin[T][D/2]. */
size_t OP(op_rope_table_bytes)(const fpx_call *call, uint64_t key[4])
{
    const fpx_tensor *q = heads_of(call);

    key[0] = q->shape[2];
    key[1] = q->shape[3];
    memcpy(&key[2], &call->attr.rope.base, sizeof key[2]);
    key[3] = sizeof(fpx_real);
    return op_times(op_times((size_t)q->shape[2], (size_t)q->shape[3]), sizeof(fpx_real));
}

void OP(op_rope_table_fill)(const fpx_call *call, void *table)
{
    const size_t t = (size_t)heads_of(call)->shape[2], half = (size_t)heads_of(call)->shape[3] / 2;
    const double log_base = fpx_log_f64(call->attr.rope.base);
    fpx_real *cosine = table, *sine = cosine + t * half;

    for (size_t i = 0; i < half; i++) {
        const double frequency = fpx_exp_f64(-((double)(2 * i) / (double)(2 * half)) * log_base);

        for (size_t position = 0; position < t; position++) {
            const double angle = (double)position * frequency;

            cosine[position * half + i] = (fpx_real)fpx_cos_f64(angle);
            sine[position * half + i] = (fpx_real)fpx_sin_f64(angle);
        }
    }
}

typedef struct rope_job {
    const fpx_real *cosine, *sine;
    const fpx_real *in[3];
    fpx_real *out[3];
    size_t nheads, positions, half;
} rope_job;

/* sign +1 turns forward, -1 back. */
static void rotate(const fpx_real *restrict x, fpx_real *restrict y, const fpx_real *cosine,
                   const fpx_real *sine, size_t half, fpx_real sign)
{
    for (size_t i = 0; i < half; i++) {
        const fpx_real s = sign * sine[i]; /* exact */

        y[i] = canonical(x[i] * cosine[i] - x[i + half] * s);
        y[i + half] = canonical(x[i] * s + x[i + half] * cosine[i]);
    }
}

/* Where head h of token m starts in a fused row [BT,3HD] (part 0 q, 1 k, 2 v) and in [B,H,T,D]. */
static size_t in_row(const rope_job *j, size_t m, size_t part, size_t h)
{
    return ((m * 3 + part) * j->nheads + h) * 2 * j->half;
}

static size_t in_heads(const rope_job *j, size_t m, size_t h)
{
    return ((m / j->positions * j->nheads + h) * j->positions + m % j->positions) * 2 * j->half;
}

static void rope_tokens(void *context, size_t begin, size_t end, size_t worker)
{
    const rope_job *j = context;

    (void)worker;
    for (size_t m = begin; m < end; m++)
        for (size_t h = 0; h < j->nheads; h++) {
            const size_t angle = m % j->positions * j->half, to = in_heads(j, m, h);

            for (size_t part = 0; part < 2; part++)
                rotate(j->in[0] + in_row(j, m, part, h), j->out[part] + to, j->cosine + angle,
                       j->sine + angle, j->half, 1);
            memcpy(j->out[2] + to, j->in[0] + in_row(j, m, 2, h), 2 * j->half * sizeof(fpx_real));
        }
}

static void rope_grad_tokens(void *context, size_t begin, size_t end, size_t worker)
{
    const rope_job *j = context;

    (void)worker;
    for (size_t m = begin; m < end; m++)
        for (size_t h = 0; h < j->nheads; h++) {
            const size_t angle = m % j->positions * j->half, from = in_heads(j, m, h);

            for (size_t part = 0; part < 2; part++)
                rotate(j->in[part] + from, j->out[0] + in_row(j, m, part, h), j->cosine + angle,
                       j->sine + angle, j->half, -1);
            memcpy(j->out[0] + in_row(j, m, 2, h), j->in[2] + from, 2 * j->half * sizeof(fpx_real));
        }
}

static void rotate_all(const op_run *run, fpx_range_fn *fn)
{
    const fpx_tensor *q = heads_of(run->call);
    rope_job j = { .nheads = (size_t)q->shape[1],
                   .positions = (size_t)q->shape[2],
                   .half = (size_t)q->shape[3] / 2 };

    j.cosine = run->table;
    j.sine = j.cosine + j.positions * j.half;
    for (uint32_t i = 0; i < run->call->nin; i++)
        j.in[i] = run->in[i];
    for (uint32_t i = 0; i < run->call->nout; i++)
        j.out[i] = run->out[i];
    fpx_parallel_for(run->pool, (size_t)(q->shape[0] * q->shape[2]),
                     grain_rows(6 * j.half * j.nheads), fn, &j);
}

fpx_status OP(op_rope)(const op_run *run)
{
    rotate_all(run, rope_tokens);
    return FPX_OK;
}

fpx_status OP(op_rope_grad)(const op_run *run)
{
    rotate_all(run, rope_grad_tokens);
    return FPX_OK;
}
