/* op_scale.c - the factors that map a tensor's largest magnitude to a format's largest value: one maximum,
 * two float32 divisions, or the power of two below. */
#include <float.h>

#include <fpx/scale.h>

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
    const float *x;
    float *amax;
} amax_job;

static void amax_range(void *context, size_t begin, size_t end, size_t worker)
{
    const amax_job *j = context;

    j->amax[worker] = fpx_amax_f32(j->level, j->x + begin, end - begin);
}

fpx_status OP(op_scale)(const op_run *run)
{
    const fpx_format *target = &run->call->attr.scale.target;
    const size_t threads = fpx_pool_threads(run->pool);
    amax_job j = { run->level, run->in[0], run->work };
    float *scale = run->out[0], encode = 1.0f;

    if (target->bits < 32) {
        for (size_t i = 0; i < threads; i++)
            j.amax[i] = 0.0f;
        fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_GRAIN, amax_range, &j);
        const float amax = fpx_amax_f32(run->level, j.amax, threads);
        if (run->call->attr.scale.rule == FPX_SCALE_POW2)
            encode = fpx_scale_pow2(target, amax);
        else if (amax > 0.0f && amax <= FLT_MAX)
            encode = (float)fpx_format_max(target) / amax;
        if (encode > FLT_MAX)
            encode = FLT_MAX;
    }
    scale[0] = encode;
    scale[1] = 1.0f / encode;
    return FPX_OK;
}
#endif
