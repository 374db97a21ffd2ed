/* op_quantize.c - reals to codes of a format: times the encode factor, one rounding, stochastic where random bits
 * come with it. To the same format it is the identity, whatever the overflow rule: nothing is rounded, so nothing
 * overflows. */
#include <string.h>

#include <fpx/stream.h>

#include "op_kernels.h"

enum { SR_BITS = 32 }; /* all that the stream has: a finer choice than any float32 asks for */

typedef struct quantize_job {
    fpx_conversion conversion;
    fpx_real scale;
    const fpx_real *x;
    char *codes;
    size_t size; /* bytes of a code */
    fpx_stream stream;
} quantize_job;

static fpx_conversion conversion_of(const fpx_call *call)
{
    return (fpx_conversion){ .format = call->out[0].format,
                             .round = (uint8_t)call->attr.quantize.round,
                             .overflow = (uint8_t)call->attr.quantize.overflow,
                             .sr_bits = SR_BITS };
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
    const int random = run->call->kind == FPX_OP_QUANTIZE_RANDOM;
    if (conversion.round == FPX_SR && !random)
        return op_refuse(run, FPX_EUNSUPPORTED,
                         "stochastic rounding needs random bits: quantize_random");
    const fpx_status status = random ? real_encode_random(&conversion, 1, &none, NULL, code, 0)
                                     : real_encode(&conversion, 1, &none, code, 0);
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

static void random_range(void *context, size_t begin, size_t end, size_t worker)
{
    const quantize_job *j = context;
    uint32_t bits[OP_CHUNK];

    (void)worker;
    for (size_t i = begin; i < end; i += OP_CHUNK) {
        const size_t n = end - i < OP_CHUNK ? end - i : OP_CHUNK;

        fpx_stream_u32_array(&j->stream, i, bits, n);
        const fpx_status status =
            real_encode_random(&j->conversion, j->scale, j->x + i, bits, j->codes + i * j->size, n);
        (void)status; /* as above */
    }
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
    const int random = run->call->kind == FPX_OP_QUANTIZE_RANDOM;
    const fpx_real *scale = run->in[random ? 2 : 1];
    const int32_t *draw = random ? run->in[1] : NULL;
    quantize_job j = { .conversion = conversion_of(run->call),
                       .scale = scale == NULL ? 1 : scale[0],
                       .x = run->in[0],
                       .codes = run->out[0],
                       .size = fpx_format_size(&run->call->out[0].format) };
    const int same = fpx_format_equal(&j.conversion.format, &REAL_FORMAT);

    if (random)
        j.stream = (fpx_stream){ .seed = run->call->attr.quantize.seed,
                                 .site = run->call->attr.quantize.site,
                                 .step = (uint32_t)draw[0],
                                 .micro_batch = (uint32_t)draw[1] };
    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_GRAIN,
                     same     ? copy_range
                     : random ? random_range
                              : encode_range,
                     &j);
    return FPX_OK;
}
