/* op_dequantize.c - codes to reals: exact, times the scales of their blocks where there are such, then one multiplication by
 * the decode factor of the whole. */
#include "op_gemm_runs.h"
#include "op_kernels.h"
#include "op_levels.h"

fpx_status OP(op_dequantize_accept)(const op_run *run)
{
    const fpx_tensor *codes = &run->call->in[0];
    const char code[8] = { 0 };
    op_levels levels;
    fpx_real x;

    if (real_decode(&codes->format, 1, code, &x, 1) != FPX_OK)
        return op_refuse(run, FPX_EUNSUPPORTED, "%.*s cannot be decoded to this real",
                         (int)sizeof codes->format.name, codes->format.name);
    if (!op_levels_of(codes, &levels) || (levels.whole != NULL && !op_levels_exact(&levels)))
        return op_refuse(run, FPX_EUNSUPPORTED,
                         "codes: this device takes one fp32 scale for a whole tensor, and scales "
                         "in e8m0 or ue4m3 for blocks of a matrix, or in fp32 for these alone");
    return FPX_OK;
}

/* The scales of blocks as reals. */
size_t OP(op_dequantize_work)(const op_run *run)
{
    const fpx_tensor *codes = &run->call->in[0];
    uint64_t grid[FPX_MAX_DIMS];
    op_levels levels;

    return op_levels_of(codes, &levels) && levels.block != NULL
               ? op_times(fpx_tensor_scales(codes, 0, grid), sizeof(fpx_real))
               : 0;
}

typedef struct dequantize_job {
    const fpx_real *from; /* may be x */
    fpx_real *x, factor;
} dequantize_job;

static void multiply_range(void *context, size_t begin, size_t end, size_t worker)
{
    const dequantize_job *j = context;

    (void)worker;
    for (size_t i = begin; i < end; i++)
        j->x[i] = canonical(j->from[i] * j->factor);
}

fpx_status OP(op_dequantize)(const op_run *run)
{
    const fpx_tensor *codes = &run->call->in[0];
    const int real = fpx_format_equal(&codes->format, &REAL_FORMAT);
    dequantize_job j = { .from = real ? run->in[0] : run->out[0],
                         .x = run->out[0],
                         .factor = run->decode[0] == NULL ? 1 : (fpx_real)*run->decode[0] };

    if (!real)
        OP(op_gemm_decode_blocks)(run, 0, run->out[0], run->work);
    fpx_parallel_for(run->pool, fpx_tensor_count(codes), OP_GRAIN, multiply_range, &j);
    return FPX_OK;
}
