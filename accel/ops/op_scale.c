/* op_scale.c - the factors that map a tensor's largest magnitude to a format's largest value: one maximum,
 * two float32 divisions; or the maximum itself, for block scales under a scale of the whole. */
#include <float.h>

#include "op_block.h"
#include "op_kernels.h"

/* The largest magnitudes of ranges, one a cache line for each worker. */
size_t OP(op_scale_work)(const op_run *run)
{
    return op_times(fpx_pool_threads(run->pool), sizeof(fpx_real));
}

#if FPX_REAL_IS_DOUBLE
fpx_status OP(op_scale)(const op_run *run)
{
    fpx_real *scale = run->out[0];

    scale[0] = scale[1] = 1; /* in float64 quantizers are the identity */
    return FPX_OK;
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
static float amax_of(const op_run *run, const fpx_blocking *blocking)
{
    const size_t threads = fpx_pool_threads(run->pool);
    amax_job j = { run->level, blocking, run->in[0], run->work };

    for (size_t i = 0; i < threads; i++)
        j.amax[i] = 0.0f;
    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_GRAIN, amax_range, &j);
    return fpx_amax_f32(run->level, j.amax, threads);
}

fpx_status OP(op_scale)(const op_run *run)
{
    const fpx_format *target = &run->call->attr.scale.target;
    float *scale = run->out[0], encode = 1.0f;
    fpx_blocking blocking;

    if (run->call->attr.scale.rule == FPX_SCALE_AMAX && target->bits < 32) {
        (void)fpx_blocking_find(run->call->attr.scale.profile, &blocking); /* checked */
        scale[0] = amax_of(run, &blocking);
        scale[1] = canonical(op_block_decode(&blocking, scale[0]));
        return FPX_OK;
    }
    if (target->bits < 32) {
        const float amax = amax_of(run, NULL);
        if (amax > 0.0f && amax <= FLT_MAX)
            encode = (float)fpx_format_max(target) / amax;
        if (encode > FLT_MAX)
            encode = FLT_MAX;
    }
    scale[0] = encode;
    scale[1] = 1.0f / encode;
    return FPX_OK;
}
#endif
