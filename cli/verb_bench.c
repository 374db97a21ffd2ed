/* verb_bench.c - fpx bench: every figure beside a limit or a peer that was measured in the same run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <fpx/gemm.h>

#include "bench.h"
#include "cli.h"
#include "outputs.h"
#include "owed.h"
#include "results.h"

/* LEAST: one timing, seconds: long against the clock, short against a time slice. ROUNDS: a best does
 * not get better for ever, and traces of rounds need space. */
static const double least = 0.002;
enum { MIN_ROUNDS = 3, MAX_ROUNDS = 100 };

enum { OPT_THREADS, OPT_SECONDS, OPT_JSON };

static const cli_option options[] = {
    [OPT_THREADS] = { "--threads", "N", "instead of 1 (products: 1 and 2)" },
    [OPT_SECONDS] = { "--seconds", "S", "to spend on each figure (default 0.2)" },
    [OPT_JSON] = { "--json", "FILE", "results as JSON; - is standard output" },
    { NULL, NULL, NULL }
};

static const bench_area *const areas[] = { &bench_formats, &bench_blocks, &bench_elemfn,
                                           &bench_gemm,    &bench_mma,    &bench_train,
                                           &bench_shadow };
enum { AREAS = sizeof areas / sizeof areas[0] };

/* Idle threads of OpenBLAS spin for 2^26 cycles before they sleep, at half the speed of whoever shares their processor. */
static const struct timespec asleep = { 0, 40000000 };

static double now(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One timing of a side, which with threads begins with the other side's asleep and its own awake. */
static fpx_status time_job(bench_job *job, size_t threads, fpx_error *err)
{
    const clockid_t clock = threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    double took;

    if (threads > 1) {
        (void)nanosleep(&asleep, NULL);
        const fpx_status status = job->run(job->context, err);
        if (status != FPX_OK)
            return status;
    }
    const double start = now(clock);
    for (size_t i = 0; i < job->repeat; i++) {
        const fpx_status status = job->run(job->context, err);

        if (status != FPX_OK)
            return status;
    }
    took = (now(clock) - start) / (double)job->repeat;
    if (took < job->best)
        job->best = took;
    return FPX_OK;
}

fpx_status bench_measure(const bench *b, size_t threads, bench_job *jobs, size_t njobs,
                         fpx_error *err)
{
    fpx_status status = FPX_OK;

    /* Twice unmeasured: caches and pages, then how often to repeat. */
    for (size_t i = 0; i < 2 * njobs && status == FPX_OK; i++) {
        bench_job *job = &jobs[i % njobs];

        job->repeat = 1;
        job->best = 1e9;
        status = time_job(job, threads, err);
        if (job->best < least)
            job->repeat = 1 + (size_t)(least / (job->best + 1e-9));
    }
    for (size_t i = 0; i < njobs; i++)
        jobs[i].best = 1e9;
    const double start = now(CLOCK_MONOTONIC);
    for (int round = 0; round < MAX_ROUNDS && status == FPX_OK; round++) {
        if (round >= MIN_ROUNDS && now(CLOCK_MONOTONIC) - start > b->seconds * (double)njobs)
            break;
        for (size_t i = 0; i < njobs && status == FPX_OK; i++)
            status = time_job(&jobs[i], threads, err);
        if (status == FPX_OK && cli_interrupted())
            return fpx_error_set(err, FPX_EINTERRUPTED, "interrupted");
    }
    return status;
}

void bench_add(bench *b, const bench_figure *figure)
{
    if (b->nfigures == BENCH_FIGURES)
        return;
    b->figures[b->nfigures++] = *figure;
    (void)printf("%-8s %-26s %12.1f %12.1f %-9s %7.3f  %s%s", figure->area, figure->name,
                 figure->value, figure->peer, figure->unit, figure->value / figure->peer,
                 figure->against, figure->lower ? " (less is better)" : "");
    if (figure->has_lanes)
        (void)printf("; lanes %.1f %% fast, %.1f %% skipped", figure->fast, figure->skipped);
    (void)putchar('\n');
    (void)fflush(stdout);
}

void bench_fill(float *x, size_t n)
{
    uint32_t state = 1;

    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(state >> 8) * 0x1p-23f - 1.0f;
    }
}

static fpx_status write_json(const char *path, const bench *b, fpx_error *err)
{
    json_t *list = json_array();

    for (size_t i = 0; i < b->nfigures; i++) {
        const bench_figure *f = &b->figures[i];

        json_t *const one = json_pack(
            "{s:s, s:s, s:o, s:o, s:s, s:o, s:s, s:b}", "area", f->area, "figure", f->name, "value",
            cli_json_number(f->value), "peer", cli_json_number(f->peer), "unit", f->unit, "ratio",
            cli_json_number(f->value / f->peer), "against", f->against, "less_is_better", f->lower);

        if (f->has_lanes) {
            (void)json_object_set_new(one, "fast_lanes_percent", cli_json_number(f->fast));
            (void)json_object_set_new(one, "skipped_lanes_percent", cli_json_number(f->skipped));
        }
        (void)json_array_append_new(list, one);
    }
    return cli_write_json(path,
                          json_pack("{s:s, s:s, s:s, s:s?, s:o}", "schema", "fpx.bench/1",
                                    "version", cli_version, "level", fpx_cpu_level_name(b->level),
                                    "openblas", fpx_gemm_openblas_core(), "figures", list),
                          err);
}

static fpx_status read_seconds(const char *text, double *ret_seconds, fpx_error *err)
{
    char *end;
    const double s = strtod(text, &end);

    if (end == text || *end != '\0' || !(s > 0.0 && s <= 60.0))
        return fpx_error_set(err, FPX_EINVAL,
                             "--seconds '%s': expected a number above 0, at most 60", text);
    *ret_seconds = s;
    return FPX_OK;
}

static fpx_status run_areas(bench *b, const char *only, fpx_error *err)
{
    fpx_status status = FPX_OK;

    const char *const core = fpx_gemm_openblas_core();

    (void)printf(
        "level %s; %s%s\n", fpx_cpu_level_name(b->level),
        core == NULL ? "no OpenBLAS here" : "the kernels of OpenBLAS: ", core == NULL ? "" : core);
    (void)printf("%-8s %-26s %12s %12s %-9s %7s  %s\n", "area", "figure", "value", "peer", "unit",
                 "ratio", "peer is");
    for (size_t i = 0; i < AREAS && status == FPX_OK; i++)
        if (only == NULL || strcmp(only, areas[i]->name) == 0)
            status = areas[i]->run(b, err);
    return status;
}

static int run(const cli_args *a)
{
    const char *only = a->npositional ? a->positional[0] : NULL;
    bench b = { .seconds = 0.2 };
    fpx_error err = { 0 };
    fpx_status status = fpx_cpu_choose(&b.level, &err);
    uint64_t asked = 1;
    size_t known = only == NULL, threads;

    for (size_t i = 0; i < AREAS; i++)
        known += only != NULL && strcmp(only, areas[i]->name) == 0;
    if (known == 0)
        return cli_usage(
            "bench", "no area '%s'; there are formats, blocks, elemfn, gemm, mma, train, shadow",
            only);
    cli_owe(a, "fpx.bench/1", a->option[OPT_JSON], NULL, "");
    if (status == FPX_OK && a->option[OPT_THREADS])
        status = cli_number("--threads", a->option[OPT_THREADS], 1, 1024, &asked, &err);
    threads = (size_t)asked;
    b.threads = a->option[OPT_THREADS] ? &threads : NULL;
    if (status == FPX_OK && a->option[OPT_SECONDS])
        status = read_seconds(a->option[OPT_SECONDS], &b.seconds, &err);
    const cli_file json = { "--json", a->option[OPT_JSON], CLI_JSON };
    if (status == FPX_OK)
        status = cli_check_files(&json, 1, &err);
    if (status == FPX_OK)
        bench_hold_openblas(b.level);
    cli_catch_interrupt();
    if (status == FPX_OK)
        status = run_areas(&b, only, &err);
    if (status == FPX_OK && a->option[OPT_JSON])
        status = write_json(a->option[OPT_JSON], &b, &err);
    return status == FPX_OK ? EXIT_HOLDS : cli_fail(&err);
}

const cli_verb verb_bench = {
    "bench",
    "[AREA] [OPTIONS]",
    "each figure as a ratio to a limit or a peer measured in the same run",
    "AREA is formats (conversions against plain loops), blocks (block scaling against a plain\n"
    "narrowing loop), elemfn (elementary functions against glibc's vectorised libm), gemm\n"
    "(reproducible products against OpenBLAS), mma (emulated matrix units against OpenBLAS), "
    "train\n"
    "(a model against OpenBLAS at its best size) or shadow (what shadows and traces cost); "
    "without\n"
    "it, all. Figures are the best of rounds in which both sides take turns; with one thread, "
    "time\n"
    "of this process only.\n"
    "example: fpx bench gemm --threads 2",
    options,
    0,
    1,
    run,
};
