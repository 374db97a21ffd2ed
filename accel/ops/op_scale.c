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

/* Exact but for the ends of the range, so that decode is finite. */
static float times_factor(const op_run *run, float encode, float amax)
{
    const float *factor = run->call->nin > 1 ? run->in[1] : NULL;

    if (factor == NULL || factor[0] == 0.0f || !(amax > 0.0f && amax <= FLT_MAX))
        return encode;
    encode *= factor[0];
    return encode > 0x1p126f ? 0x1p126f : encode < 0x1p-126f ? 0x1p-126f : encode;
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
        if (run->call->attr.scale.rule == FPX_SCALE_POW2)
            encode = times_factor(run, fpx_scale_pow2(target, amax), amax);
        else if (amax > 0.0f && amax <= FLT_MAX)
            encode = (float)fpx_format_max(target) / amax;
        if (encode > FLT_MAX)
            encode = FLT_MAX;
    }
    scale[0] = encode;
    scale[1] = 1.0f / encode;
    return FPX_OK;
}

/* ---- delayed scaling ---- */
/* floor(log2(max / amax)) of positive normal numbers, exactly: by exponents, and by which fraction is larger. */
static int quotient_exponent(float max, float amax)
{
    int above, below;

    return frexpf(max, &above) < frexpf(amax, &below) ? above - below - 1 : above - below;
}

/* The code of MS-AMP, common/tensor/meta.py: a logarithm in float32, 2^|exp|, its reciprocal where exp < 0. */
static float ms_amp_exact(float max, float amax, float old)
{
    const float exponent = floorf(fpx_elemfn_f32(FPX_ELEMFN_LOG2, max / amax));
    float power = old; /* also where the logarithm is NaN or infinite */

    if (amax > 0.0f && amax <= FLT_MAX)
        power = fabsf(exponent) > 127.0f ? (float)INFINITY : ldexpf(1.0f, abs((int)exponent));
    return exponent < 0.0f ? 1.0f / power : power;
}

/* The scale that maps amax to max; old where amax says nothing. */
static float delayed_scale(uint32_t rule, float max, float amax, float old)
{
    if (rule == FPX_DELAYED_MS_AMP_EXACT)
        return ms_amp_exact(max, amax, old);
    if (!(amax > 0.0f && amax <= FLT_MAX))
        return old;
    if (rule == FPX_DELAYED_TE)
        return max / amax > FLT_MAX ? FLT_MAX : max / amax;
    const int exponent = quotient_exponent(max, amax);
    return ldexpf(1.0f, exponent > 126 ? 126 : exponent < -126 ? -126 : exponent);
}

/* history: the last scale (0: none yet), how many amax are known (at most W), then these, the latest first, 0 where
 * there is none. It moves on with each call (Transformer Engine) or with each step (MS-AMP), whose micro-batches share
 * the scale of its beginning and the first amax. */
fpx_status OP(op_scale_delayed)(const op_run *run)
{
    const fpx_format *target = &run->call->attr.delayed.target;
    const uint32_t rule = run->call->attr.delayed.rule, part = run->call->attr.delayed.part;
    const size_t window = (size_t)run->call->in[0].shape[0] - 2;
    const float max = (float)fpx_format_max(target);
    float *history = run->out[0], *scale = run->out[1], *slots = history + 2;
    const int te = rule == FPX_DELAYED_TE;

    (void)keep_history(run);
    if (target->bits >= 32)
        return FPX_OK;
    const float amax = amax_of(run, 1, NULL);
    /* FP8-LM's just-in-time scale: of the tensor at hand, until the window is full; a window of one never delays. */
    const int at_hand = !te && (window == 1 || history[1] < (float)window);
    float begin = history[0] != 0.0f ? history[0] : 1.0f;
    if ((part & FPX_PART_LATER) == 0) {
        begin = delayed_scale(rule, max, fpx_amax_f32(run->level, slots, window), begin);
        memmove(slots + 1, slots, (window - 1) * sizeof *slots);
        slots[0] = 0.0f;
    }
    scale[0] = at_hand ? delayed_scale(rule, max, amax, begin) : begin;
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
