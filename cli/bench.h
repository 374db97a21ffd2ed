/* bench.h - what every area of fpx bench is made of: jobs that are timed in turn, and figures. */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <stddef.h>

#include <fpx/cpu.h>
#include <fpx/pool.h>
#include <fpx/status.h>

enum { BENCH_FIGURES = 128, BENCH_NAME = 40 };

/* One line of the table. The peer was measured in the same run and in turn with the value. */
typedef struct bench_figure {
    const char *area;
    char name[BENCH_NAME]; /* "encode/e4m3/cache": no spaces */
    double value, peer;
    const char *unit;
    const char *against; /* what the peer is */
    int lower;           /* a ratio below is better */
    /* A matrix unit's lanes (fpx/mma_run.h), in hundredths of them: computed by vector kernels, skipped. */
    int has_lanes;
    double fast, skipped;
} bench_figure;

typedef struct bench {
    double seconds; /* to spend on a figure */
    fpx_cpu_level level;
    const size_t *threads; /* thread counts that were asked for; NULL: each area's own choice */
    bench_figure figures[BENCH_FIGURES];
    size_t nfigures;
} bench;

/* Something to time. `repeat` is set by bench_measure so that one timing is long enough to trust. */
typedef struct bench_job {
    fpx_status (*run)(void *context, fpx_error *err);
    void *context;
    size_t repeat;
    double best; /* seconds of one run, the least of all rounds */
} bench_job;

/* Runs the jobs in turn, round after round, until `seconds` a job are spent, and at least three times.
 * With one thread the time is the process's own, so that other programs on a busy machine do not
 * count; with more it is the wall's. FPX_EINTERRUPTED: Ctrl-C. */
fpx_status bench_measure(const bench *b, size_t threads, bench_job *jobs, size_t njobs,
                         fpx_error *err);

/* Adds a figure and prints its line. */
void bench_add(bench *b, const bench_figure *figure);

/* Before its first use: OpenBLAS will run the kernels of this level, or those that OPENBLAS_CORETYPE names. */
void bench_hold_openblas(fpx_cpu_level level);

/* Numbers in [-1, 1), the same in every run. */
void bench_fill(float *x, size_t n);

typedef struct bench_area {
    const char *name, *summary;
    fpx_status (*run)(bench *b, fpx_error *err);
} bench_area;

extern const bench_area bench_formats, bench_blocks, bench_elemfn, bench_gemm, bench_mma,
    bench_train, bench_shadow;

/* ---- bench_steps.c: training runs as jobs ---- */
typedef struct bench_model {
    const char *name;
    unsigned width, layers, heads, hidden, sequence, batch, vocabulary;
} bench_model;

typedef struct bench_runs bench_runs;

typedef struct bench_run {
    const char *name, *recipe;
    const char *shadow; /* NULL: none */
    int trace;          /* 1: digests and statistics, 2: and all values */
    unsigned every;     /* the shadow's steps; 0: all */
} bench_run;

/* Opens a run for each row, in a scratch folder that bench_runs_free removes. */
fpx_status bench_runs_new(const bench_model *model, const bench_run *rows, size_t nrows,
                          size_t threads, bench_runs **ret_runs, fpx_error *err);
void bench_runs_free(bench_runs *runs);                 /* NULL is fine */
bench_job bench_runs_job(bench_runs *runs, size_t row); /* a step of that run, or `every` */
double bench_runs_flops(const bench_runs *runs); /* a step's products, causal attention half */

#endif /* CLI_BENCH_H */
