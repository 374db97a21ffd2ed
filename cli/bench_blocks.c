/* bench_blocks.c - block scaling against the plainest loop that narrows as many float32 to bytes: a store of the upper
 * byte of each, as the compiler vectorises it. In cache, on data whose blocks have wide exponents and zeros. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/block.h>

#include "bench.h"

/* 64 x 1024 float32 are 256 KiB: in a second-level cache. */
enum { ROWS = 64, COLS = 1024, N = ROWS * COLS };

static const struct {
    const char *profile;
    const fpx_format *element; /* NULL: the profile's */
    uint64_t block[2];         /* 0: the profile's */
} cases[] = {
    { "mx-ocp", &fpx_e4m3, { 0, 0 } },     { "mx-te", &fpx_e4m3, { 0, 0 } },
    { "mx-torchao", &fpx_e2m1, { 0, 0 } }, { "mx-ocp", &fpx_e4m3, { 32, 1 } },
    { "nvfp4-te", NULL, { 0, 0 } },        { "nvfp4-te-16x16", NULL, { 0, 0 } },
    { "nvfp4-torchao", NULL, { 0, 0 } },   { "nvfp4-46", NULL, { 0, 0 } },
    { "tile-te", NULL, { 0, 0 } },         { "tile-te-128x128", NULL, { 0, 0 } },
};

typedef struct block_job {
    fpx_blocking blocking;
    float amax;
    float *x;
    uint8_t *codes, *scales;
    int back;
} block_job;

/* bench_fill's numbers times 2^-8 .. 2^7; one row in eight is zeros. */
static void fill(float *x)
{
    bench_fill(x, N);
    for (size_t i = 0; i < N; i++)
        x[i] *= i / COLS % 8 == 7 ? 0.0f : (float)(1u << (i * 7 % 16)) * 0x1p-8f;
}

static fpx_status run_quantize(void *context, fpx_error *err)
{
    block_job *j = context;

    (void)err;
    return fpx_block_quantize(&j->blocking, j->amax, j->x, ROWS, COLS, j->codes, j->scales);
}

static fpx_status run_dequantize(void *context, fpx_error *err)
{
    block_job *j = context;

    (void)err;
    return fpx_block_dequantize(&j->blocking, j->amax, j->codes, j->scales, ROWS, COLS, j->x);
}

static inline void narrow(const float *x, uint8_t *codes)
{
    for (size_t i = 0; i < N; i++) {
        uint32_t u;
        memcpy(&u, x + i, sizeof u);
        codes[i] = (uint8_t)(u >> 24);
    }
}

#if defined(__x86_64__) && defined(__GNUC__)
/* The same loop with the instructions that the kernels have. */
__attribute__((target("avx2"), optimize("O3"))) static void narrow_avx2(const float *x,
                                                                        uint8_t *codes)
{
    for (size_t i = 0; i < N; i++) {
        uint32_t u;
        memcpy(&u, x + i, sizeof u);
        codes[i] = (uint8_t)(u >> 24);
    }
}
#else
#define narrow_avx2 narrow
#endif

static fpx_status run_narrowing(void *context, fpx_error *err)
{
    const block_job *j = context;

    (void)err;
    if (strcmp(fpx_block_kernel_name(), "scalar") == 0)
        narrow(j->x, j->codes);
    else
        narrow_avx2(j->x, j->codes);
    return FPX_OK;
}

static fpx_status measure(bench *b, size_t which, block_job *mine, int back, fpx_error *err)
{
    bench_job jobs[2] = { { .run = back ? run_dequantize : run_quantize, .context = mine },
                          { .run = run_narrowing, .context = mine } };
    bench_figure figure = { .area = "blocks", .unit = "M/s", .against = "plain narrowing loop" };
    const fpx_status status = bench_measure(b, 1, jobs, 2, err);

    (void)snprintf(figure.name, sizeof figure.name, "%s/%s/%s/%llux%llu", back ? "back" : "to",
                   cases[which].profile, mine->blocking.element.format.name,
                   (unsigned long long)mine->blocking.block[0],
                   (unsigned long long)mine->blocking.block[1]);
    figure.value = (double)N / jobs[0].best * 1e-6;
    figure.peer = (double)N / jobs[1].best * 1e-6;
    if (status == FPX_OK)
        bench_add(b, &figure);
    return status;
}

static fpx_status run_case(bench *b, size_t which, block_job *mine, int back, fpx_error *err)
{
    fpx_status status = fpx_blocking_find(cases[which].profile, &mine->blocking);

    if (cases[which].element != NULL)
        mine->blocking.element.format = *cases[which].element;
    if (cases[which].block[0] != 0)
        memcpy(mine->blocking.block, cases[which].block, sizeof mine->blocking.block);
    if (status == FPX_OK && !back)
        fill(mine->x);
    if (status == FPX_OK)
        status = fpx_blocking_amax(&mine->blocking, mine->x, N, &mine->amax);
    return status == FPX_OK ? measure(b, which, mine, back, err) : status;
}

static fpx_status run(bench *b, fpx_error *err)
{
    block_job mine = { .x = malloc(N * sizeof(float)),
                       .codes = malloc(N),
                       .scales = malloc((size_t)N * 4) };
    fpx_status status = FPX_OK;

    if (mine.x == NULL || mine.codes == NULL || mine.scales == NULL)
        status = fpx_error_set(err, FPX_ENOMEM, "bench: 1 MiB is not there");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0] && status == FPX_OK; i++) {
        status = run_case(b, i, &mine, 0, err);
        if (status == FPX_OK)
            status = run_case(b, i, &mine, 1, err);
    }
    free(mine.x);
    free(mine.codes);
    free(mine.scales);
    return status;
}

const bench_area bench_blocks = { "blocks", "block scaling", run };
