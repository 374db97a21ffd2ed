/* op_dropout.c - elements set to zero at random, the others scaled up. The mask is a function of the stream alone: forward
 * and backward pass, and both real types, have the same one. A dropped element is multiplied by zero, so that a NaN
 * or Inf is not hidden by chance. */
#include <fpx/stream.h>

#include "op_kernels.h"

typedef struct dropout_job {
    const fpx_real *x;
    fpx_real *y;
    fpx_real factor;
    uint32_t threshold; /* dropped where the random word is below */
    uint64_t first;
    fpx_stream stream;
} dropout_job;

static void dropout_range(void *context, size_t begin, size_t end, size_t worker)
{
    const dropout_job *j = context;
    uint32_t bits[OP_CHUNK];

    (void)worker;
    for (size_t i = begin; i < end; i += OP_CHUNK) {
        const size_t n = end - i < OP_CHUNK ? end - i : OP_CHUNK;
        const fpx_real *x = j->x + i;
        fpx_real *restrict y = j->y + i;

        fpx_stream_u32_array(&j->stream, j->first + i, bits, n);
        for (size_t k = 0; k < n; k++)
            y[k] = canonical(x[k] * (bits[k] < j->threshold ? 0 : j->factor));
    }
}

/* rate 2^32 is exact in float64, and below 2^32. */
fpx_status OP(op_dropout)(const op_run *run)
{
    const fpx_attr *a = &run->call->attr;
    const int32_t *draw = run->in[1];
    dropout_job j = {
        .x = run->in[0],
        .y = run->out[0],
        .factor = (fpx_real)(1.0 / (1.0 - a->dropout.rate)),
        .threshold = (uint32_t)(a->dropout.rate * 0x1p32),
        .first = a->dropout.first,
        .stream = { .seed = a->dropout.seed, .site = a->dropout.site, .step = (uint32_t)draw[0] }
    };

    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[0]), OP_GRAIN, dropout_range, &j);
    return FPX_OK;
}
