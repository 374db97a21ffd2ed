/* bench_formats.c - conversions against the plainest loop that moves the same bytes in and out: a truncating
 * float to integer loop for encoding, stores of a constant for decoding. Stochastic rounding stands against the
 * making of its random words alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/stream.h>

#include "bench.h"

/* 64 Ki float32 are 256 KiB: in a second-level cache. 10^8 are 400 MB: in none. */
enum { IN_CACHE = 1 << 16, IN_MEMORY = 100000000, GRAIN = 4096 };

typedef enum direction { ENCODE, DECODE, STOCHASTIC } direction;

typedef struct conversion_job {
    fpx_conversion conversion;
    direction direction;
    int plain;       /* the loop to compare with */
    size_t n, bytes; /* of a code */
    const char *from;
    char *to;
    fpx_pool *pool;
} conversion_job;

static const fpx_stream stream = { 1, 2, 3, 4 };

/* The loops that one would write; a release build makes vectors of them. */
static inline void plain_loop(direction d, size_t bytes, const float *restrict from,
                              void *restrict to, size_t n)
{
    uint8_t *const bytes_to = to;
    uint16_t *const shorts_to = to;
    float *const floats_to = to;

    for (size_t i = 0; d == DECODE && i < n; i++)
        floats_to[i] = 1.0f;
    for (size_t i = 0; d == ENCODE && bytes == 1 && i < n; i++)
        bytes_to[i] = (uint8_t)from[i];
    for (size_t i = 0; d == ENCODE && bytes == 2 && i < n; i++)
        shorts_to[i] = (uint16_t)from[i];
}

#ifdef __x86_64__
__attribute__((target("avx2")))
#endif
static void
plain_avx2(direction d, size_t bytes, const float *from, void *to, size_t n)
{
    plain_loop(d, bytes, from, to, n);
}

static void plain_range(const conversion_job *j, size_t begin, size_t end)
{
    const float *const small = (const float *)(const void *)j->from + begin;

    void *const to = j->to + begin * (j->direction == DECODE ? sizeof(float) : j->bytes);

    if (j->direction != STOCHASTIC && fpx_cpu_detect() >= FPX_CPU_AVX2)
        plain_avx2(j->direction, j->bytes, small, to, end - begin);
    else if (j->direction != STOCHASTIC)
        plain_loop(j->direction, j->bytes, small, to, end - begin);
    else if (j->conversion.sr_bits <= 16) /* two elements a word */
        fpx_stream_u32_array(&stream, begin / 2, (uint32_t *)(void *)j->to + begin / 2,
                             (end - begin) / 2);
    else
        fpx_stream_u32_array(&stream, begin, (uint32_t *)(void *)j->to + begin, end - begin);
}

static void range(void *context, size_t begin, size_t end, size_t worker)
{
    const conversion_job *j = context;
    const float *const floats = (const float *)(const void *)j->from + begin;
    char *const codes = j->to + begin * j->bytes;
    fpx_status status = FPX_OK;

    (void)worker;
    if (j->plain)
        plain_range(j, begin, end);
    else if (j->direction == DECODE)
        status = fpx_decode_f32(&j->conversion.format, 1.0f, j->from + begin * j->bytes,
                                (float *)(void *)j->to + begin, end - begin);
    else if (j->direction == ENCODE)
        status = fpx_encode_f32(&j->conversion, 1.0f, floats, codes, end - begin);
    else
        status =
            fpx_encode_f32_stream(&j->conversion, 1.0f, floats, &stream, begin, codes, end - begin);
    (void)status; /* the conversions below are all valid */
}

static fpx_status run_conversion(void *context, fpx_error *err)
{
    conversion_job *j = context;

    (void)err;
    fpx_parallel_for(j->pool, j->n, GRAIN, range, j);
    return FPX_OK;
}

static const struct {
    direction direction;
    const char *format;
    uint8_t round, sr_bits;
} rows[] = {
    { ENCODE, "e4m3", FPX_RNE, 0 },     { ENCODE, "e5m2", FPX_RNE, 0 },
    { ENCODE, "e2m1", FPX_RNE, 0 },     { ENCODE, "e4m3fnuz", FPX_RNE, 0 },
    { ENCODE, "e8m0", FPX_RU, 0 },      { ENCODE, "e4m3", FPX_RZ, 0 },
    { ENCODE, "bf16", FPX_RNE, 0 },     { ENCODE, "fp16", FPX_RNE, 0 },
    { STOCHASTIC, "e4m3", FPX_SR, 16 }, { STOCHASTIC, "e4m3", FPX_SR, 32 },
    { STOCHASTIC, "e5m2", FPX_SR, 16 }, { STOCHASTIC, "e2m1", FPX_SR, 16 },
    { STOCHASTIC, "bf16", FPX_SR, 16 }, { DECODE, "e4m3", FPX_RNE, 0 },
    { DECODE, "e5m2", FPX_RNE, 0 },     { DECODE, "e2m1", FPX_RNE, 0 },
    { DECODE, "e8m0", FPX_RNE, 0 },     { DECODE, "bf16", FPX_RNE, 0 },
    { DECODE, "fp16", FPX_RNE, 0 },
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static void name_row(size_t row, size_t n, bench_figure *ret_figure)
{
    static const char *const rounds[] = { "", "-rna", "-rz", "-ru", "-rd", "-ro", "-sr" };
    static const char *const against[] = { "float to integer loop, same bytes",
                                           "stores of a constant, same bytes",
                                           "its random words alone" };
    const char *const verb = rows[row].direction == DECODE ? "decode" : "encode";
    char bits[8] = "";

    if (rows[row].direction == STOCHASTIC)
        (void)snprintf(bits, sizeof bits, "%d", rows[row].sr_bits);
    (void)snprintf(ret_figure->name, sizeof ret_figure->name, "%s%s%s/%s/%s", verb,
                   rounds[rows[row].round], bits, rows[row].format,
                   n == IN_CACHE ? "cache" : "memory");
    ret_figure->against = against[rows[row].direction];
}

static fpx_status measure(bench *b, size_t row, size_t n, const float *values, const float *small,
                          char *codes, char *to, fpx_pool *pool, fpx_error *err)
{
    const fpx_format *const format = fpx_format_find(rows[row].format);
    conversion_job mine = {
        .conversion = { .format = *format, .round = rows[row].round, .sr_bits = rows[row].sr_bits },
        .direction = rows[row].direction,
        .n = n,
        .bytes = fpx_format_size(format),
        .from = (const char *)values,
        .to = to,
        .pool = pool
    };
    conversion_job plain = mine;
    bench_job jobs[2] = { { .run = run_conversion, .context = &mine },
                          { .run = run_conversion, .context = &plain } };
    bench_figure figure = { .area = "formats", .unit = "M/s" };
    fpx_status status = FPX_OK;

    if (mine.direction == DECODE) { /* codes as an encoder leaves them */
        status = fpx_encode_f32(&mine.conversion, 1.0f, values, codes, n);
        mine.from = codes;
    }
    plain.plain = 1;
    plain.from = (const char *)small;
    if (status == FPX_OK)
        status = bench_measure(b, fpx_pool_threads(pool), jobs, 2, err);
    name_row(row, n, &figure);
    figure.value = (double)n / jobs[0].best * 1e-6;
    figure.peer = (double)n / jobs[1].best * 1e-6;
    if (status == FPX_OK)
        bench_add(b, &figure);
    return status;
}

/* Exponents from 2^-14 to 2^9, either sign: subnormals and overflow of the 8-bit formats among them. One in 64
 * is zero, one in 256 a subnormal float32, one in 4096 Inf or NaN. */
static void fill(float *x, size_t n)
{
    uint32_t state = 1;

    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        const uint32_t random = state ^ state >> 16;
        const uint32_t exponent = 113 + (random >> 24) * 24 / 256;
        uint32_t bits = (random & 0x807fffffu) | exponent << 23;
        if (state >> 26 == 1)
            bits &= 0x80000000u;
        else if (state >> 24 == 8)
            bits &= 0x807fffffu;
        else if (state >> 20 == 0xfff)
            bits |= 0x7f800000u | (random & 1) << 22;
        memcpy(x + i, &bits, sizeof bits);
    }
}

static fpx_status run(bench *b, fpx_error *err)
{
    static const size_t sizes[] = { IN_CACHE, IN_MEMORY };
    float *const values = malloc((size_t)IN_MEMORY * sizeof *values);
    float *const small = malloc((size_t)IN_MEMORY * sizeof *small);
    char *const codes = malloc((size_t)IN_MEMORY * 2); /* the widest above has 2 bytes */
    char *const to = malloc((size_t)IN_MEMORY * 4);    /* floats */
    const int have = values != NULL && small != NULL && codes != NULL && to != NULL;
    fpx_pool *pool = NULL;
    fpx_status status = fpx_pool_new(b->threads ? *b->threads : 1, &pool, err);

    if (status == FPX_OK && !have)
        status = fpx_error_set(err, FPX_ENOMEM, "bench: 1400 MB are not there");
    if (have && status == FPX_OK)
        fill(values, IN_MEMORY);
    for (size_t i = 0; have && i < IN_MEMORY && status == FPX_OK; i++)
        small[i] = (float)(i % 251);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (size_t row = 0; row < ROWS && status == FPX_OK; row++)
            status = measure(b, row, sizes[s], values, small, codes, to, pool, err);
    fpx_pool_free(pool);
    free(values);
    free(small);
    free(codes);
    free(to);
    return status;
}

const bench_area bench_formats = { "formats", "conversions", run };
