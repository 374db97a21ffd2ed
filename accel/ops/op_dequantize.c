/* op_dequantize.c - codes to reals: exact, then one multiplication by the decode factor. */
#include "op_kernels.h"
#include "op_levels.h"

typedef struct dequantize_job {
    const fpx_format *format;
    fpx_real scale;
    const char *codes;
    fpx_real *x;
    size_t size; /* bytes of a code */
} dequantize_job;

static void decode_range(void *context, size_t begin, size_t end, size_t worker)
{
    const dequantize_job *j = context;
    const fpx_status status =
        real_decode(j->format, j->scale, j->codes + begin * j->size, j->x + begin, end - begin);

    (void)worker;
    (void)status; /* op_dequantize_accept has asked for this format */
    for (size_t i = begin; i < end; i++)
        j->x[i] = canonical(j->x[i]);
}

fpx_status OP(op_dequantize_accept)(const op_run *run)
{
    const fpx_format *format = &run->call->in[0].format;
    const char code[8] = { 0 };
    op_levels levels;
    fpx_real x;

    if (!op_levels_of(&run->call->in[0], &levels) || levels.block != NULL)
        return op_refuse(run, FPX_EUNSUPPORTED,
                         "codes has scales of blocks: here it has one, or none");

    if (real_decode(format, 1, code, &x, 1) == FPX_OK)
        return FPX_OK;
    return op_refuse(run, FPX_EUNSUPPORTED, "%.*s cannot be decoded to this real",
                     (int)sizeof format->name, format->name);
}

fpx_status OP(op_dequantize)(const op_run *run)
{
    const fpx_tensor *codes = &run->call->in[0];
    dequantize_job j = { .format = &codes->format,
                         .scale = run->decode[0] == NULL ? 1 : (fpx_real)*run->decode[0],
                         .codes = run->in[0],
                         .x = run->out[0],
                         .size = fpx_format_size(&codes->format) };

    fpx_parallel_for(run->pool, fpx_tensor_count(codes), OP_GRAIN, decode_range, &j);
    return FPX_OK;
}
