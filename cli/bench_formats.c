/* bench_formats.c - conversions against memcpy of as many bytes: where memory is the limit, nothing can be
 * faster. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>

#include "bench.h"

/* 64 Ki float32 are 256 KiB: in a second-level cache. 32 Mi are 128 MiB: in none that is one core's. */
enum { IN_CACHE = 1 << 16, IN_MEMORY = 1 << 25, GRAIN = 4096 };

typedef struct conversion_job {
    fpx_conversion conversion;
    int decode, copy;
    size_t n, bytes; /* of a code */
    const char *from;
    char *to;
    fpx_pool *pool;
} conversion_job;

static void range(void *context, size_t begin, size_t end, size_t worker)
{
    const conversion_job *j = context;
    const size_t n = end - begin;
    fpx_status status = FPX_OK;

    (void)worker;
    if (j->copy) /* reads and writes as many bytes in all as the conversion does */
        memcpy(j->to + begin * (4 + j->bytes) / 2, j->from + begin * (4 + j->bytes) / 2,
               n * (4 + j->bytes) / 2);
    else if (j->decode)
        status = fpx_decode_f32(&j->conversion.format, 1.0f, j->from + begin * j->bytes,
                                (float *)(void *)j->to + begin, n);
    else
        status = fpx_encode_f32(&j->conversion, 1.0f, (const float *)(const void *)j->from + begin,
                                j->to + begin * j->bytes, n);
    (void)status; /* the formats below are all there */
}

static fpx_status run_conversion(void *context, fpx_error *err)
{
    conversion_job *j = context;

    (void)err;
    fpx_parallel_for(j->pool, j->n, GRAIN, range, j);
    return FPX_OK;
}

static fpx_status measure(bench *b, const fpx_format *format, int decode, size_t n, char *from,
                          char *to, fpx_pool *pool, fpx_error *err)
{
    conversion_job mine = { .conversion = { .format = *format, .overflow = FPX_SATFINITE },
                            .decode = decode,
                            .n = n,
                            .bytes = fpx_format_size(format),
                            .from = from,
                            .to = to,
                            .pool = pool };
    conversion_job copy = mine;
    bench_job jobs[2] = { { .run = run_conversion, .context = &mine },
                          { .run = run_conversion, .context = &copy } };
    bench_figure figure = { .area = "formats",
                            .unit = "M/s",
                            .against = "memcpy moving as many bytes" };

    copy.copy = 1;
    const fpx_status status = bench_measure(b, fpx_pool_threads(pool), jobs, 2, err);
    (void)snprintf(figure.name, sizeof figure.name, "%s/%s/%s", decode ? "decode" : "encode",
                   format->name, n == IN_CACHE ? "cache" : "memory");
    figure.value = (double)n / jobs[0].best * 1e-6;
    figure.peer = (double)n / jobs[1].best * 1e-6;
    if (status == FPX_OK)
        bench_add(b, &figure);
    return status;
}

static fpx_status run(bench *b, fpx_error *err)
{
    static const fpx_format *const formats[] = { &fpx_e4m3, &fpx_e5m2, &fpx_e2m1, &fpx_bf16,
                                                 &fpx_fp16 };
    static const size_t sizes[] = { IN_CACHE, IN_MEMORY };
    float *from = malloc((size_t)IN_MEMORY * sizeof *from);
    float *to = malloc((size_t)IN_MEMORY * sizeof *to);
    fpx_pool *pool = NULL;
    fpx_status status = fpx_pool_new(b->threads ? *b->threads : 1, &pool, err);

    if (from == NULL || to == NULL)
        status = fpx_error_set(err, FPX_ENOMEM, "bench: 256 MiB are not there");
    if (status == FPX_OK) {
        bench_fill(from, IN_MEMORY);
        bench_fill(to, IN_MEMORY);
    }
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int decode = 0; decode < 2; decode++)
            for (size_t i = 0; i < sizeof formats / sizeof formats[0] && status == FPX_OK; i++)
                status =
                    measure(b, formats[i], decode, sizes[s], (char *)from, (char *)to, pool, err);
    fpx_pool_free(pool);
    free(from);
    free(to);
    return status;
}

const bench_area bench_formats = { "formats", "conversions", run };
