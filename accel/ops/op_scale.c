/* op_scale.c - the factors that map a tensor's largest magnitude to a format's largest value: one maximum,
 * two float32 divisions, or the power of two below; or the maximum itself, for block scales under a scale of the whole; or
 * factors of the maxima of earlier steps. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/scale.h>

#include "op_block.h"
#include "op_kernels.h"

/* The largest magnitudes of ranges, one a cache line for each worker. */
size_t OP(op_scale_work)(const op_run *run)
{
    return op_times(fpx_pool_threads(run->pool), sizeof(fpx_real));
}

/* Float64, and targets that are no narrower than float32: quantizers are the identity. */
static fpx_status keep_history(const op_run *run)
{
    fpx_real *scale = run->out[1];

    if (run->out[0] != run->in[0])
        memcpy(run->out[0], run->in[0], fpx_tensor_count(&run->call->in[0]) * sizeof(fpx_real));
    scale[0] = scale[1] = 1;
    return FPX_OK;
}

#if FPX_REAL_IS_DOUBLE
fpx_status OP(op_scale)(const op_run *run)
{
    fpx_real *scale = run->out[0];

    scale[0] = scale[1] = 1; /* in float64 quantizers are the identity */
    return FPX_OK;
}

fpx_status OP(op_scale_delayed)(const op_run *run)
{
    return keep_history(run);
}
#else
typedef struct amax_job {
    fpx_cpu_level level;
    const fpx_blocking *blocking; /* NULL: NaN counts */
    const float *x;
    float *amax;
} amax_job;

static void amax_range(void *context, size_t begin, size_t end, size_t worker)
{
    const amax_job *j = context;

    if (j->blocking == NULL)
        j->amax[worker] = fpx_amax_f32(j->level, j->x + begin, end - begin);
    else
        (void)fpx_blocking_amax(j->blocking, j->x + begin, end - begin, &j->amax[worker]);
}

/* The largest of the ranges' largest. */
static float amax_of(const op_run *run, uint32_t in, const fpx_blocking *blocking)
{
    const size_t threads = fpx_pool_threads(run->pool);
    amax_job j = { run->level, blocking, run->in[in], run->work };

    for (size_t i = 0; i < threads; i++)
        j.amax[i] = 0.0f;
    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[in]), OP_GRAIN, amax_range, &j);
    return fpx_amax_f32(run->level, j.amax, threads);
}

static float te_scale(float max, float amax)
{
    return max / amax > FLT_MAX ? FLT_MAX : max / amax;
}

/* Exact but for the ends of the range, so that decode is finite. */
static float times_factor(float encode, float factor)
{
    const float y = encode * factor;

    return y > 0x1p126f ? 0x1p126f : y < 0x1p-126f ? 0x1p-126f : y;
}

/* The code of MS-AMP, common/tensor/meta.py: a logarithm in float32, 2^|exp|, times the factor (pull request 140), its
 * reciprocal where exp < 0. */
static float ms_amp_exact(float max, float amax, float old, float factor)
{
    const float exponent = floorf(fpx_elemfn_f32(FPX_ELEMFN_LOG2, max / amax));
    float power = old; /* also where the logarithm is NaN or infinite */

    if (amax > 0.0f && amax <= FLT_MAX)
        power = (fabsf(exponent) > 127.0f ? (float)INFINITY : ldexpf(1.0f, abs((int)exponent))) *
                factor;
    return exponent < 0.0f ? 1.0f / power : power;
}

/* A power of two by either rule, with the factor that may be there. */
static float power_of_two(const op_run *run, float amax)
{
    const fpx_format *target = &run->call->attr.scale.target;
    const float *in = run->call->nin > 1 ? run->in[1] : NULL;
    const float factor = in == NULL || in[0] == 0.0f ? 1.0f : in[0];
    const float encode = fpx_scale_pow2(target, amax);

    if (run->call->attr.scale.rule == FPX_SCALE_MS_AMP_EXACT)
        return ms_amp_exact((float)fpx_format_max(target), amax, 1.0f, factor);
    return amax > 0.0f && amax <= FLT_MAX ? times_factor(encode, factor) : encode;
}

fpx_status OP(op_scale)(const op_run *run)
{
    const fpx_format *target = &run->call->attr.scale.target;
    float *scale = run->out[0], encode = 1.0f;
    fpx_blocking blocking;

    if (run->call->attr.scale.rule == FPX_SCALE_AMAX && target->bits < 32) {
        (void)fpx_blocking_find(run->call->attr.scale.profile, &blocking); /* checked */
        scale[0] = amax_of(run, 0, &blocking);
        scale[1] = canonical(op_block_decode(&blocking, scale[0]));
        return FPX_OK;
    }
    if (run->call->attr.scale.rule == FPX_SCALE_THREE_QUARTERS && target->bits < 32) {
        encode = 0.75f;
    } else if (target->bits < 32) {
        const float amax = amax_of(run, 0, NULL);
        if (run->call->attr.scale.rule == FPX_SCALE_POW2 ||
            run->call->attr.scale.rule == FPX_SCALE_MS_AMP_EXACT)
            encode = power_of_two(run, amax);
        else if (amax > 0.0f && amax <= FLT_MAX)
            encode = te_scale((float)fpx_format_max(target), amax);
    }
    scale[0] = encode;
    scale[1] = 1.0f / encode;
    return FPX_OK;
}

/* ---- delayed scaling ---- */
/* The scale that maps amax to the largest value; old where amax says nothing. */
static float delayed_scale(const fpx_attr *attr, float amax, float old)
{
    const fpx_format *target = &attr->delayed.target;
    const float max = (float)fpx_format_max(target);

    if (attr->delayed.rule == FPX_DELAYED_MS_AMP_EXACT)
        return ms_amp_exact(max, amax, old, 1.0f);
    if (!(amax > 0.0f && amax <= FLT_MAX))
        return old;
    return attr->delayed.rule == FPX_DELAYED_TE ? te_scale(max, amax)
                                                : fpx_scale_pow2(target, amax);
}

/* history: the last scale (0: none yet), how many amax are known (at most W), then these, the latest first, 0 where
 * there is none. It moves on with each call (Transformer Engine) or with each step (MS-AMP), whose micro-batches share
 * the scale of its beginning and the first amax. */
fpx_status OP(op_scale_delayed)(const op_run *run)
{
    const fpx_attr *attr = &run->call->attr;
    const uint32_t part = attr->delayed.part;
    const size_t window = (size_t)run->call->in[0].shape[0] - 2;
    float *history = run->out[0], *scale = run->out[1], *slots = history + 2;
    const int te = attr->delayed.rule == FPX_DELAYED_TE;

    (void)keep_history(run);
    if (attr->delayed.target.bits >= 32)
        return FPX_OK;
    const float amax = amax_of(run, 1, NULL);
    /* FP8-LM's just-in-time scale: of the tensor at hand, until the window is full; a window of one never delays. */
    const int at_hand = !te && (window == 1 || history[1] < (float)window);
    float begin = history[0] != 0.0f ? history[0] : 1.0f;
    if ((part & FPX_PART_LATER) == 0) {
        begin = delayed_scale(attr, fpx_amax_f32(run->level, slots, window), begin);
        memmove(slots + 1, slots, (window - 1) * sizeof *slots);
        slots[0] = 0.0f;
    }
    scale[0] = at_hand ? delayed_scale(attr, amax, begin) : begin;
    scale[1] = 1.0f / scale[0];
    history[0] = scale[0];
    slots[0] = at_hand ? amax : fpx_amax_f32(run->level, (float[]){ slots[0], amax }, 2);
    if ((part & FPX_PART_OPEN) != 0)
        return FPX_OK;
    if (te || slots[0] <= FLT_MAX) {
        history[1] = history[1] < (float)window ? history[1] + 1.0f : history[1];
    } else { /* NaN or Inf: the window starts again */
        slots[0] = 0.0f;
        history[1] = 0.0f;
    }
    return FPX_OK;
}
#endif
