/* op_quantize.c - reals to codes of a format: times the encode factor, one rounding. To the same format it
 * is the identity, whatever the overflow rule: nothing is rounded, so nothing overflows. */
#include <string.h>

#include "op_kernels.h"

typedef struct quantize_job {
    fpx_conversion conversion;
    fpx_real scale;
    const fpx_real *x;
    char *codes;
    size_t size; /* bytes of a code */
} quantize_job;

static fpx_conversion conversion_of(const fpx_call *call)
{
    return (fpx_conversion){ .format = call->out[0].format,
                             .round = (uint8_t)call->attr.quantize.round,
                             .overflow = (uint8_t)call->attr.quantize.overflow };
}

fpx_status OP(op_quantize_accept)(const op_run *run)
{
    const fpx_conversion conversion = conversion_of(run->call);
    fpx_real none = 0;
    char code[8];

    if (run->call->attr.quantize.round > FPX_SR ||
        run->call->attr.quantize.overflow > FPX_OVERFLOW_NONE)
        return op_refuse(run, FPX_EINVAL, "round or overflow is unknown");
    if (fpx_format_equal(&conversion.format, &REAL_FORMAT))
        return FPX_OK;
    if (conversion.round == FPX_SR)
        return op_refuse(run, FPX_EUNSUPPORTED,
                         "stochastic rounding needs random bits, which a call lacks");
    const fpx_status status = real_encode(&conversion, 1, &none, code, 0);
    return status == FPX_OK ? FPX_OK
                            : op_refuse(run, status, "%.*s with this rounding and overflow: %s",
                                        (int)sizeof conversion.format.name, conversion.format.name,
                                        fpx_status_text(status));
}

static void encode_range(void *context, size_t begin, size_t end, size_t worker)
{
    const quantize_job *j = context;
    const fpx_status status = real_encode(&j->conversion, j->scale, j->x + begin,
                                          j->codes + begin * j->size, end - begin);

    (void)worker;
    (void)status; /* op_quantize_accept has asked for this conversion */
}

static void copy_range(void *context, size_t begin, size_t end, size_t worker)
{
    const quantize_job *j = context;
    fpx_real *y = (fpx_real *)(void *)j->codes;

    (void)worker;
    if (j->scale == 1)
        memcpy(y + begin, j->x + begin, (end - begin) * sizeof *y);
    else
        for (size_t i = begin; i < end; i++)
            y[i] = canonical(j->x[i] * j->scale);
}

fpx_status OP(op_quantize)(const op_run *run)
{
    const fpx_real *scale = run->in[1];
    quantize_job j = { .conversion = conversion_of(run->call),
                       .scale = scale == NULL ? 1 : scale[0],
                       .x = run->in[0],
                       .codes = run->out[0],
                       .size = fpx_format_size(&run->call->out[0].format) };
    const int same = fpx_format_equal(&j.conversion.format, &REAL_FORMAT);

    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_GRAIN,
                     same ? copy_range : encode_range, &j);
    return FPX_OK;
}
