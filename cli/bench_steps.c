/* bench_steps.c - training runs as jobs, in a scratch folder with a corpus of its own making: nothing but the
 * program is needed, and the time of a step does not depend on the text. */
#include <stdio.h>
#include <stdlib.h>

#include <fpx/optable.h>

#include "bench.h"
#include "demo_scratch.h"
#include "session.h"

/* More steps than any measurement takes (verb_bench.c bounds the rounds). */
enum { STEPS = 4000, PATH = SCRATCH_PATH + 64 };

typedef struct open_run {
    session session;
    unsigned steps; /* of a timing: a whole round of a sampled shadow */
    char trace[PATH];
} open_run;

/* Sessions keep pointers to the texts they were opened with. */
struct bench_runs {
    char folder[SCRATCH_PATH], experiment[PATH], device[64];
    size_t opened;
    open_run *runs;
};

static fpx_status write_corpus(const char *path, size_t bytes, fpx_error *err)
{
    FILE *f = fopen(path, "w");
    int failed = f == NULL;

    for (size_t i = 0; i < bytes && !failed; i++)
        failed = fputc('a' + (int)(i * 2654435761u >> 16 & 15), f) == EOF;
    if (f != NULL)
        failed |= fclose(f) != 0;
    return failed ? fpx_error_set(err, FPX_EIO, "%s: cannot be written", path) : FPX_OK;
}

static fpx_status write_experiment(const char *path, const bench_model *m, fpx_error *err)
{
    FILE *f = fopen(path, "w");
    int failed = f == NULL;

    if (f != NULL) {
        failed = fprintf(f,
                         "name: bench\n"
                         "model: {width: %u, layers: %u, heads: %u, hidden: %u, vocabulary: %u, "
                         "activation: swiglu}\n"
                         "data: {corpus: corpus.txt, sequence: %u, batch: %u, validation: 0.0}\n"
                         "optimizer: {learning_rate: 0.001, warmup: 10}\n"
                         "steps: %d\nseed: 1\nrecipe: fp32\n",
                         m->width, m->layers, m->heads, m->hidden, m->vocabulary, m->sequence,
                         m->batch, STEPS) < 0;
        failed |= fclose(f) != 0;
    }
    return failed ? fpx_error_set(err, FPX_EIO, "%s: cannot be written", path) : FPX_OK;
}

static fpx_status add_run(bench_runs *r, const bench_run *row, fpx_error *err)
{
    session_options o = session_defaults(r->experiment);
    open_run *run = &r->runs[r->opened];
    fpx_status status;

    (void)snprintf(run->trace, sizeof run->trace, "%s/%zu.h5", r->folder, r->opened);
    o.device = r->device;
    o.recipe = row->recipe;
    o.shadow = row->shadow;
    o.shadow_every = row->every;
    o.trace = row->trace ? run->trace : NULL;
    o.values = row->trace > 1 ? "*" : NULL;
    run->steps = row->every > 0 ? row->every : 1;
    status = session_open(&o, &run->session, err);
    r->opened += status == FPX_OK;
    return status;
}

fpx_status bench_runs_new(const bench_model *model, const bench_run *rows, size_t nrows,
                          size_t threads, bench_runs **ret_runs, fpx_error *err)
{
    const size_t tokens = (size_t)model->batch * model->sequence * STEPS;
    bench_runs *r = calloc(1, sizeof *r);
    char corpus[PATH];
    fpx_status status;

    if (r == NULL || (r->runs = calloc(nrows, sizeof *r->runs)) == NULL) {
        free(r);
        return fpx_error_set(err, FPX_ENOMEM, "bench: out of memory");
    }
    if ((status = scratch_new(UINT64_C(2) << 30, r->folder, err)) != FPX_OK) {
        free(r->runs);
        free(r);
        return status;
    }
    (void)snprintf(corpus, sizeof corpus, "%s/corpus.txt", r->folder);
    (void)snprintf(r->experiment, sizeof r->experiment, "%s/bench.yaml", r->folder);
    (void)snprintf(r->device, sizeof r->device, "cpu,threads=%zu", threads);
    status = write_corpus(corpus, tokens + 2 * (size_t)model->batch * model->sequence, err);
    if (status == FPX_OK)
        status = write_experiment(r->experiment, model, err);
    for (size_t i = 0; i < nrows && status == FPX_OK; i++)
        status = add_run(r, &rows[i], err);
    *ret_runs = r;
    if (status != FPX_OK) {
        bench_runs_free(r);
        *ret_runs = NULL;
    }
    return status;
}

void bench_runs_free(bench_runs *runs)
{
    if (runs == NULL)
        return;
    for (size_t i = 0; i < runs->opened; i++)
        (void)session_close(&runs->runs[i].session, NULL); /* a trace that is thrown away anyway */
    scratch_remove(runs->folder);
    free(runs->runs);
    free(runs);
}

static fpx_status run_steps(void *context, fpx_error *err)
{
    open_run *run = context;
    fpx_step_result result;
    fpx_status status = FPX_OK;

    for (unsigned i = 0; i < run->steps && status == FPX_OK; i++)
        status = session_step(&run->session, &result, err);
    return status;
}

bench_job bench_runs_job(bench_runs *runs, size_t row)
{
    return (bench_job){ .run = run_steps, .context = &runs->runs[row] };
}

/* Attention's products (those of four axes) count half: what lies above the diagonal is computed here, but a
 * causal model does not need it, and a peer that leaves it out must not look slower. */
double bench_runs_flops(const bench_runs *runs)
{
    const fpx_program *program = fpx_trainer_model(runs->runs[0].session.trainer)->program;
    double sum = 0.0;

    for (size_t i = 0; i < fpx_program_ops(program); i++) {
        fpx_call call;

        fpx_program_call(program, i, &call);
        if (call.kind == FPX_OP_GEMM)
            sum += fpx_op_info_of(FPX_OP_GEMM)->flops(&call) * (call.out[0].ndim == 4 ? 0.5 : 1.0);
    }
    return sum;
}
