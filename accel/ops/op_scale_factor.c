/* op_scale_factor.c - FP8-LM's automatic scaling: a factor of a gradient's scale that is halved where too many of its codes are
 * the format's largest, and grows where not (arXiv 2310.18313; MS-AMP's pull request 140). A count of integers has no
 * order. Of real values, which are not quantized, the factor stays. */
#include <string.h>

#include "op_kernels.h"

typedef struct count_job {
    const unsigned char *codes;
    size_t size; /* bytes of a code */
    uint32_t largest, magnitude;
    size_t *counts; /* of each worker */
} count_job;

size_t OP(op_scale_factor_work)(const op_run *run)
{
    return op_times(fpx_pool_threads(run->pool), sizeof(size_t));
}

/* Bits of the format's largest value. */
static fpx_status find_largest(const fpx_format *format, uint32_t *ret_code)
{
    const fpx_conversion conversion = { .format = *format };
    const fpx_real max = (fpx_real)fpx_format_max(format);
    unsigned char code[8] = { 0 };
    const fpx_status status = real_encode(&conversion, 1, &max, code, 1);

    if (status == FPX_OK)
        *ret_code = code[0] | (uint32_t)code[1] << 8;
    return status;
}

fpx_status OP(op_scale_factor_accept)(const op_run *run)
{
    const fpx_format *format = &run->call->in[1].format;
    uint32_t code;

    if (format->bits >= 32 || (format->bits <= 16 && find_largest(format, &code) == FPX_OK))
        return FPX_OK;
    return op_refuse(run, FPX_EUNSUPPORTED, "%.*s has no codes of at most 16 bits",
                     (int)sizeof format->name, format->name);
}

static void count_range(void *context, size_t begin, size_t end, size_t worker)
{
    const count_job *j = context;
    size_t n = 0;

    if (j->size == 1)
        for (size_t i = begin; i < end; i++)
            n += (j->codes[i] & j->magnitude) == j->largest;
    else
        for (size_t i = begin; i < end; i++)
            n += ((j->codes[2 * i] | (uint32_t)j->codes[2 * i + 1] << 8) & j->magnitude) ==
                 j->largest;
    j->counts[worker] += n;
}

/* How many of the codes are the largest value, in either sign. */
static size_t saturated(const op_run *run)
{
    const fpx_format *format = &run->call->in[1].format;
    const size_t threads = fpx_pool_threads(run->pool);
    const uint32_t sign =
        (format->flags & FPX_FORMAT_UNSIGNED) != 0 ? 0 : UINT32_C(1) << (format->bits - 1);
    count_job j = { .codes = run->in[1],
                    .size = fpx_format_size(format),
                    .magnitude = ~sign,
                    .counts = run->work };
    size_t n = 0;

    memset(j.counts, 0, threads * sizeof *j.counts);
    (void)find_largest(format, &j.largest); /* op_scale_factor_accept has asked */
    fpx_parallel_for(run->pool, fpx_tensor_count(&run->call->in[1]), OP_GRAIN, count_range, &j);
    for (size_t i = 0; i < threads; i++)
        n += j.counts[i];
    return n;
}

fpx_status OP(op_scale_factor)(const op_run *run)
{
    const fpx_real least = (fpx_real)0x1p-126, most = (fpx_real)0x1p126;
    const fpx_real *before = run->in[0];
    fpx_real *factor = run->out[0], f = before[0] == 0 ? 1 : before[0];
    const fpx_real wait = before[1];

    factor[0] = before[0];
    factor[1] = wait;
    if (run->call->in[1].format.bits >= 32)
        return FPX_OK;
    if (wait == 0) {
        const double share = (double)saturated(run) / (double)fpx_tensor_count(&run->call->in[1]);

        f = share > run->call->attr.factor.ratio ? f / 2
                                                 : f * (fpx_real)run->call->attr.factor.growth;
        f = f > most ? most : f < least ? least : f;
    }
    factor[0] = canonical(f);
    factor[1] = canonical((wait == 0 ? (fpx_real)run->call->attr.factor.every : wait) - 1);
    return FPX_OK;
}
