/* op_dge.c - the differentiable gradient estimator of FP4 training (arXiv 2501.17116): each element of a weight's
 * gradient times the slope, at the scaled weight, of a smooth function that E2M1's steps approximate. Powers are exp(p log t) in
 * float64, whose bits are the same everywhere; each is rounded once. In float64, where quantizers are the identity, so is this. */
#include <float.h>

#include <fpx/scale.h>

#include "op_kernels.h"

typedef struct dge_job {
    const fpx_real *dw, *w;
    fpx_real *out;
    size_t cols;
    double k, cap;
    uint32_t rule;
    fpx_cpu_level level;
} dge_job;

#if FPX_REAL_IS_DOUBLE
static void dge_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const dge_job *j = context;

    (void)worker;
    for (size_t i = begin * j->cols; i < end * j->cols; i++)
        j->out[i] = canonical(j->dw[i]);
}
#else
/* Where x lies between two codes, as t = |2 (x - lo) / width - 1|: 0 in their middle, 1 at either. The steps are the same on both
 * sides of 0. Negative: no slope. */
static float place(float x, int opens_below)
{
    static const float lo[] = { 0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f },
                       steps[] = { 4.0f, 4.0f, 4.0f, 4.0f, 2.0f, 2.0f, 1.0f }; /* 2 / width */
    const float a = fabsf(x);
    int i = (a >= 0.5f) + (a >= 1.0f) + (a >= 1.5f) + (a >= 2.0f) + (a >= 3.0f) + (a >= 4.0f);

    if (a > 6.0f)
        return opens_below && x < 0.0f ? fabsf(2.0f * (x + 6.0f) / 2.0f - 1.0f) : -1.0f;
    return fabsf((a - lo[i]) * steps[i] - 1.0f);
}

/* What a row's weights are multiplied by, and that of MS-AMP's code for weights of bf16. */
static float row_scale(const dge_job *j, float amax)
{
    if (j->rule == FPX_DGE_MS_AMP)
        return fpx_scale_ms_amp_bf16(&fpx_e2m1, fpx_round_bf16(amax));
    if (!(amax > 0.0f && amax <= FLT_MAX))
        return 1.0f;
    return 6.0f / amax <= FLT_MAX ? 6.0f / amax : FLT_MAX;
}

/* f[i] for n weights, at most OP_CHUNK. */
static void slopes(const dge_job *j, const float *w, float scale, int bounded, float *f, size_t n)
{
    const int ms_amp = j->rule == FPX_DGE_MS_AMP;
    const double power = 1.0 / j->k - 1.0;
    double q[OP_CHUNK];
    float t[OP_CHUNK];

    for (size_t i = 0; i < n; i++) {
        float x = ms_amp ? fpx_round_bf16(fpx_round_bf16(w[i]) * scale) : w[i] * scale;

        /* No weight is beyond its row's largest, which lies at 6: what is, is the scale's rounding. */
        if (!ms_amp && bounded && fabsf(x) > 6.0f)
            x = 6.0f;
        t[i] = place(x, ms_amp);
        q[i] = t[i] > 0.0f ? power * fpx_log_f64((double)t[i]) : 0.0;
        if (x != x)
            t[i] = ms_amp ? -1.0f : x; /* that code's comparisons are all false */
    }
    fpx_exp_f64_array(j->level, q, q, n);
    for (size_t i = 0; i < n; i++) {
        const double slope = t[i] == 0.0f ? j->cap : fmin(q[i] / j->k, j->cap);

        f[i] = t[i] < 0.0f ? 0.0f : t[i] != t[i] ? t[i] : (float)slope;
    }
}

static void dge_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const dge_job *j = context;
    const int ms_amp = j->rule == FPX_DGE_MS_AMP;
    float f[OP_CHUNK];

    (void)worker;
    for (size_t r = begin; r < end; r++) {
        const float amax = fpx_amax_f32(j->level, j->w + r * j->cols, j->cols);
        const float scale = row_scale(j, amax);

        for (size_t c = 0; c < j->cols; c += OP_CHUNK) {
            const size_t n = j->cols - c < OP_CHUNK ? j->cols - c : OP_CHUNK, at = r * j->cols + c;

            slopes(j, j->w + at, scale, amax <= FLT_MAX, f, n);
            for (size_t i = 0; i < n; i++)
                j->out[at + i] = canonical(
                    ms_amp ? fpx_round_bf16(fpx_round_bf16(j->dw[at + i]) * fpx_round_bf16(f[i]))
                           : j->dw[at + i] * f[i]);
        }
    }
}
#endif

fpx_status OP(op_dge)(const op_run *run)
{
    const fpx_call *call = run->call;
    dge_job j = { .dw = run->in[0],
                  .w = run->in[1],
                  .out = run->out[0],
                  .cols = (size_t)call->in[0].shape[1],
                  .k = call->attr.dge.k,
                  .cap = call->attr.dge.cap,
                  .rule = call->attr.dge.rule,
                  .level = run->level };

    fpx_parallel_for(run->pool, (size_t)call->in[0].shape[0], grain_rows(j.cols), dge_rows, &j);
    return FPX_OK;
}
