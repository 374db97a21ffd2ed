/* bench_train.c - whole training steps: by recipe against OpenBLAS, and with shadows and traces against
 * the plain step. */
#include <stdio.h>

#include "bench.h"
#include "bench_matmul.h"

/* The default experiment's model, and two that other trainers were measured with. */
static const bench_model models[] = { { "default", 128, 2, 4, 352, 64, 4, 256 },
                                      { "width-256", 256, 4, 4, 704, 256, 4, 512 },
                                      { "width-384", 384, 6, 6, 1024, 256, 4, 4096 } };
/* The last four need widths that are multiples of 64, which the default's are not. */
static const bench_run recipes[] = {
    { "fp32", "fp32", NULL, 0, 0 },
    { "bf16", "bf16", NULL, 0, 0 },
    { "fp8", "fp8", NULL, 0, 0 },
    { "fp8-lm-o3", "fp8-lm-o3", NULL, 0, 0 },
    { "coat", "coat", NULL, 0, 0 },
    { "fp8-hopper", "fp8-hopper", NULL, 0, 0 },
    { "deepseek-v3", "deepseek-v3", NULL, 0, 0 },
    { "mxfp8", "mxfp8", NULL, 0, 0 },
    { "nvfp4", "nvfp4", NULL, 0, 0 },
    { "mxfp4", "mxfp4", NULL, 0, 0 },
};
enum { RECIPES = sizeof recipes / sizeof recipes[0], BLOCKS = 4 };

static size_t recipes_of(const bench_model *m)
{
    return m->hidden % 64 == 0 ? RECIPES : RECIPES - BLOCKS;
}

static void add_rates(bench *b, const bench_model *m, const bench_job *jobs, double step_flops,
                      double peer_flops)
{
    const size_t n = recipes_of(m);

    const double tokens = (double)m->batch * m->sequence;
    bench_figure f = { .area = "train" };

    for (size_t i = 0; i < n; i++) {
        f.unit = "tokens/s";
        f.against = "its products at the rate of OpenBLAS, 1024^3";
        f.lower = 0;
        f.value = tokens / jobs[i].best;
        f.peer = tokens / (step_flops / (peer_flops / jobs[n].best));
        (void)snprintf(f.name, sizeof f.name, "%s/%s", m->name, recipes[i].name);
        bench_add(b, &f);
    }
    for (size_t i = 1; i < n; i++) {
        f.unit = "ms";
        f.against = "fp32 step";
        f.lower = 1;
        f.value = 1e3 * jobs[i].best;
        f.peer = 1e3 * jobs[0].best;
        (void)snprintf(f.name, sizeof f.name, "%s/%s-step", m->name, recipes[i].name);
        bench_add(b, &f);
    }
}

static fpx_status measure_model(bench *b, const bench_model *m, fpx_error *err)
{
    const size_t threads = b->threads ? *b->threads : 1;
    const size_t n = recipes_of(m);
    bench_job jobs[RECIPES + 1];
    double peer_flops = 0.0;
    matmul *product = NULL;
    bench_runs *runs = NULL;
    fpx_status status = bench_runs_new(m, recipes, n, threads, &runs, err);

    if (status == FPX_OK)
        status = matmul_best(b, threads, &product, &jobs[n], &peer_flops, err);
    for (size_t i = 0; i < n && status == FPX_OK; i++)
        jobs[i] = bench_runs_job(runs, i);
    if (status == FPX_OK)
        status = bench_measure(b, threads, jobs, n + 1, err);
    if (status == FPX_OK)
        add_rates(b, m, jobs, bench_runs_flops(runs), peer_flops);
    matmul_free(product);
    bench_runs_free(runs);
    return status;
}

static fpx_status run_train(bench *b, fpx_error *err)
{
    fpx_status status = FPX_OK;

    for (size_t i = 0; i < sizeof models / sizeof models[0] && status == FPX_OK; i++)
        status = measure_model(b, &models[i], err);
    return status;
}

static const bench_run watched[] = { { "plain", "fp8", NULL, 0, 0 },
                                     { "trace", "fp8", NULL, 1, 0 },
                                     { "trace-values", "fp8", NULL, 2, 0 },
                                     { "local:cpu", "fp8", "local:cpu", 0, 0 },
                                     { "local:fp32", "fp8", "local:fp32", 0, 0 },
                                     { "local:fp64", "fp8", "local:fp64", 0, 0 },
                                     { "free:fp64", "fp8", "free:fp64", 0, 0 },
                                     { "both:fp64", "fp8", "both:fp64", 0, 0 },
                                     { "local:fp32,every=16", "fp8", "local:fp32", 0, 16 },
                                     { "local:fp64,every=16", "fp8", "local:fp64", 0, 16 } };
enum { WATCHED = sizeof watched / sizeof watched[0] };

static fpx_status measure_shadows(bench *b, const bench_model *m, fpx_error *err)
{
    const size_t threads = b->threads ? *b->threads : 1;
    bench_job jobs[WATCHED];
    bench_runs *runs = NULL;
    fpx_status status = bench_runs_new(m, watched, WATCHED, threads, &runs, err);

    for (size_t i = 0; i < WATCHED && status == FPX_OK; i++)
        jobs[i] = bench_runs_job(runs, i);
    if (status == FPX_OK)
        status = bench_measure(b, threads, jobs, WATCHED, err);
    for (size_t i = 1; i < WATCHED && status == FPX_OK; i++) {
        bench_figure f = { .area = "shadow",
                           .value = 1e3 * jobs[i].best / (watched[i].every ? watched[i].every : 1),
                           .peer = 1e3 * jobs[0].best,
                           .unit = "ms",
                           .against = "plain fp8 step",
                           .lower = 1 };

        (void)snprintf(f.name, sizeof f.name, "%s/%s", m->name, watched[i].name);
        bench_add(b, &f);
    }
    bench_runs_free(runs);
    return status;
}

/* The widest takes minutes, and says little more. */
static fpx_status run_shadow(bench *b, fpx_error *err)
{
    fpx_status status = measure_shadows(b, &models[0], err);

    return status == FPX_OK ? measure_shadows(b, &models[1], err) : status;
}

const bench_area bench_train = { "train", "training steps", run_train };
const bench_area bench_shadow = { "shadow", "shadows and traces", run_shadow };
