/* verb_gemm.c - fpx gemm: the product of two files as a matrix unit computes it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "conversion_args.h"
#include "gemm_bounds.h"
#include "gemm_explain.h"
#include "gemm_job.h"
#include "outputs.h"
#include "owed.h"
#include "results.h"

enum {
    OPT_OUT,
    OPT_MODEL,
    OPT_PATH,
    OPT_C,
    OPT_A_FORMAT,
    OPT_B_FORMAT,
    OPT_C_FORMAT,
    OPT_A_SCALES,
    OPT_B_SCALES,
    OPT_SCALE_FORMAT,
    OPT_TRANS_A,
    OPT_TRANS_B,
    OPT_BIAS,
    OPT_BIAS_FORMAT,
    OPT_OUT_FORMAT,
    OPT_ROUND,
    OPT_OVERFLOW,
    OPT_SCALE,
    OPT_BOUNDS,
    OPT_THREADS,
    OPT_EXPLAIN,
    OPT_AGAINST,
    OPT_JSON
};

static const cli_option options[] = {
    [OPT_OUT] = { "-o", "D", "the file to write: .npy or .safetensors[:TENSOR]; - is a .npy pipe" },
    [OPT_MODEL] = { "--model", "M", "a unit (fpx models), a device, or FILE.yaml" },
    [OPT_PATH] = { "--path", "P", "of a device: mma.sync, wgmma, tcgen05, mfma, ..." },
    [OPT_C] = { "-c", "C", "what the sums start at; else +0" },
    [OPT_A_FORMAT] = { "--a-format", "F", "the format of A's codes, where the file does not say" },
    [OPT_B_FORMAT] = { "--b-format", "F", "of B's" },
    [OPT_C_FORMAT] = { "--c-format", "F", "of C's" },
    [OPT_A_SCALES] = { "--a-scales", "FILE", "of blocks of A along k, or one float32 for all" },
    [OPT_B_SCALES] = { "--b-scales", "FILE", "of B" },
    [OPT_SCALE_FORMAT] = { "--scale-format", "F", "of codes in them: e8m0, ue4m3" },
    [OPT_TRANS_A] = { "--trans-a", NULL, "A is stored as k x m" },
    [OPT_TRANS_B] = { "--trans-b", NULL, "B is stored as n x k" },
    [OPT_BIAS] = { "--bias", "FILE", "one number for each column, added to the scaled sums" },
    [OPT_BIAS_FORMAT] = { "--bias-format", "F", "of its codes" },
    [OPT_OUT_FORMAT] = { "--out-format", "F", "of D, where it is not the unit's own" },
    [OPT_ROUND] = { "--round", "R", "to that format: rne (default), rna, rz, ru, rd, ro" },
    [OPT_OVERFLOW] = { "--overflow", "O",
                       "of it: satfinite (8 bits and less), none (more), satpropagate" },
    [OPT_SCALE] = { "--scale", "S", "multiply D by this before it is rounded to its format" },
    [OPT_BOUNDS] = { "--bounds", NULL,
                     "compare sums with exact ones and proved bounds; -o may be left out" },
    [OPT_THREADS] = { "--threads", "N", "instead of FPX_THREADS, or as many as there are" },
    [OPT_EXPLAIN] = { "--explain", "I,J",
                      "show how one element comes about (of a batch P,I,J); -o may be left out" },
    [OPT_AGAINST] = { "--against", "M", "with --explain: another unit, and where the two part" },
    [OPT_JSON] = { "--json", "FILE",
                   "what was computed and by whom, as JSON; - is standard output" },
    { NULL, NULL, NULL }
};

/* How the work was done. */
typedef struct effort {
    const char *kernel;
    size_t threads;
    fpx_mma_shares shares;
    double seconds;
    int is_judged; /* --bounds */
    gemm_bounds bounds;
} effort;

static gemm_words words_of(const cli_args *a)
{
    return (gemm_words){ .model = a->option[OPT_MODEL],
                         .path = a->option[OPT_PATH],
                         .a = a->positional[0],
                         .b = a->positional[1],
                         .c = a->option[OPT_C],
                         .bias = a->option[OPT_BIAS],
                         .a_format = a->option[OPT_A_FORMAT],
                         .b_format = a->option[OPT_B_FORMAT],
                         .c_format = a->option[OPT_C_FORMAT],
                         .bias_format = a->option[OPT_BIAS_FORMAT],
                         .a_scales = a->option[OPT_A_SCALES],
                         .b_scales = a->option[OPT_B_SCALES],
                         .scale_format = a->option[OPT_SCALE_FORMAT],
                         .trans_a = a->option[OPT_TRANS_A] != NULL,
                         .trans_b = a->option[OPT_TRANS_B] != NULL,
                         .out_format = a->option[OPT_OUT_FORMAT],
                         .round = a->option[OPT_ROUND],
                         .overflow = a->option[OPT_OVERFLOW],
                         .scale = a->option[OPT_SCALE],
                         .out = a->option[OPT_OUT] };
}

/* No output over an input: the files without the names of tensors. */
static fpx_status check_files(const gemm_words *w, const char *json, fpx_error *err)
{
    const struct {
        const char *what, *word;
        cli_file_kind kind;
    } rows[] = { { "A", w->a, CLI_READS },
                 { "B", w->b, CLI_READS },
                 { "-c", w->c, CLI_READS },
                 { "--bias", w->bias, CLI_READS },
                 { "--a-scales", w->a_scales, CLI_READS },
                 { "--b-scales", w->b_scales, CLI_READS },
                 { "--model", cli_unit_is_file(w->model) ? w->model : NULL, CLI_READS },
                 { "-o", w->out, CLI_ARRAYS },
                 { "--json", json, CLI_JSON } };
    enum { ROWS = sizeof rows / sizeof rows[0] };
    gemm_place places[ROWS];
    cli_file files[ROWS];
    const char *piped = NULL;

    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].word != NULL && gemm_place_parse(rows[i].word, &places[i], err) != FPX_OK)
            return err->status;
        files[i] =
            (cli_file){ rows[i].what, rows[i].word != NULL ? places[i].path : NULL, rows[i].kind };
        if (rows[i].kind != CLI_READS || rows[i].word == NULL || strcmp(rows[i].word, "-") != 0)
            continue;
        if (piped != NULL)
            return fpx_error_set(err, FPX_EINVAL, "%s and %s cannot both be standard input", piped,
                                 rows[i].what);
        piped = rows[i].what;
    }
    return cli_check_files(files, ROWS, err);
}

static double fast_share(const effort *e)
{
    const fpx_mma_shares *const s = &e->shares;

    return s->lanes == 0 ? 0.0 : (double)(s->lanes - s->scalar_lanes) / (double)s->lanes;
}

static void print_array(FILE *out, const gemm_array *a, int is_trans)
{
    char shape[GEMM_SHAPE_TEXT];

    gemm_shape_text(a, shape);
    cli_put(out, a->label);
    (void)fprintf(out, " (%s%s %s", is_trans ? "transposed " : "", shape, a->format.name);
    if (a->scales != NULL)
        (void)fprintf(out, ", %s/%zu", a->scale_format.name, a->scale_block);
    (void)fputc(')', out);
}

static void print_text(FILE *out, const gemm_job *job, const effort *e)
{
    const fpx_mma_preset *const p = &job->unit.preset;
    const fpx_mma_shares *const s = &e->shares;

    cli_put(out, job->words->out != NULL ? job->words->out : "D, not written,");
    (void)fputs(" = ", out);
    print_array(out, &job->a, job->words->trans_a);
    (void)fputs(" * ", out);
    print_array(out, &job->b, job->words->trans_b);
    if (job->c.codes != NULL) {
        (void)fputs(" + ", out);
        print_array(out, &job->c, 0);
    }
    (void)fputs(" as ", out);
    cli_put(out, p->model.name);
    (void)fprintf(out, " (known from: %s), ", fpx_mma_provenance_name(p->provenance));
    if (job->is_batch)
        (void)fprintf(out, "%zu x ", job->batch);
    (void)fprintf(out, "%zu x %zu %s; ", job->call.m, job->call.n, job->d_format.name);
    if (s->scalar_outputs > 0)
        (void)fputs("scalar reference, which no kernel replaces here", out);
    else if (s->scalar_lanes == 0)
        (void)fprintf(out, "%s, all lanes fast", e->kernel);
    else
        (void)fprintf(out,
                      "%s, %" PRIu64 " of %" PRIu64 " lanes by the scalar reference (%.3g %% fast)",
                      e->kernel, s->scalar_lanes, s->lanes, 100.0 * fast_share(e));
    (void)fprintf(out, ", %zu thread%s, %.3g s\n", e->threads, e->threads == 1 ? "" : "s",
                  e->seconds);
    if (e->is_judged)
        gemm_bounds_print(out, job, &e->bounds);
}

static json_t *array_json(const gemm_array *a)
{
    json_t *shape = NULL;

    if (a->codes == NULL)
        return json_null();
    shape = json_array();
    for (size_t i = 0; i < a->ndim; i++)
        (void)json_array_append_new(shape, json_integer((json_int_t)a->shape[i]));
    return json_pack("{s:s, s:s, s:o, s:s?, s:i}", "array", a->label, "format", a->format.name,
                     "shape", shape, "scale_format",
                     a->scales != NULL ? a->scale_format.name : NULL, "scale_block",
                     (int)a->scale_block);
}

static json_t *shares_json(const effort *e)
{
    const fpx_mma_shares *const s = &e->shares;

    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:f}", "lanes", (json_int_t)s->lanes,
                     "scalar_lanes", (json_int_t)s->scalar_lanes, "skipped_lanes",
                     (json_int_t)s->skipped_lanes, "fraction_lanes", (json_int_t)s->fraction_lanes,
                     "scalar_outputs", (json_int_t)s->scalar_outputs, "fast_share", fast_share(e));
}

static json_t *epilogue_json(const gemm_job *job)
{
    const fpx_mma_epilogue *const e = &job->epilogue;

    if (!job->finishes)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:o, s:s, s:s}", "scale_a", (double)e->scale_a, "scale_b",
                     (double)e->scale_b, "scale_d", (double)e->scale_d, "bias",
                     array_json(&job->bias), "round", cli_round_name(&e->to), "overflow",
                     cli_overflow_name(&e->to));
}

static json_t *result_json(const gemm_job *job, const effort *e)
{
    const fpx_mma_preset *const p = &job->unit.preset;

    return json_pack("{s:s, s:s, s:s, s:s, s:{s:I, s:I, s:I, s:I}, s:o, s:o, s:o, s:s?, s:s, s:o, "
                     "s:s, s:I, s:o, s:f, s:o}",
                     "schema", "fpx.gemm/1", "model", p->model.name, "provenance",
                     fpx_mma_provenance_name(p->provenance), "source", p->source, "shape", "batch",
                     (json_int_t)job->batch, "m", (json_int_t)job->call.m, "n",
                     (json_int_t)job->call.n, "k", (json_int_t)job->call.k, "a",
                     array_json(&job->a), "b", array_json(&job->b), "c", array_json(&job->c), "d",
                     job->words->out, "d_format", job->d_format.name, "epilogue",
                     epilogue_json(job), "kernel", e->kernel, "threads", (json_int_t)e->threads,
                     "shares", shares_json(e), "seconds", e->seconds, "bounds",
                     e->is_judged ? gemm_bounds_json(&e->bounds) : json_null());
}

static fpx_status write_results(const char *path, const gemm_job *job, const effort *e,
                                fpx_error *err)
{
    json_t *const root = result_json(job, e);

    if (root == NULL)
        return fpx_error_set(
            err, FPX_ENOMEM,
            "%s: D is written, but its names fit no JSON (one is not UTF-8, or there "
            "is no memory)",
            path);
    return cli_write_json(path, root, err);
}

static double seconds_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static fpx_status compute(gemm_job *job, size_t threads, int is_judged, effort *ret_effort,
                          fpx_error *err)
{
    fpx_pool *pool = NULL;
    fpx_cpu_level level = FPX_CPU_SCALAR;
    effort e = { .kernel = "scalar", .is_judged = is_judged };
    const double start = seconds_now();
    fpx_status status = fpx_cpu_choose(&level, err);

    if (status == FPX_OK)
        status = fpx_pool_new(threads, &pool, err);
    if (status == FPX_OK)
        status = gemm_job_run(job, pool, level, &e.shares, err);
    e.kernel = fpx_mma_kernel_name(&job->unit.preset.model, &job->call, level);
    e.threads = fpx_pool_threads(pool);
    e.seconds = seconds_now() - start;
    if (status == FPX_OK && is_judged)
        status = gemm_bounds_judge(job, pool, &e.bounds, err);
    fpx_pool_free(pool);
    *ret_effort = e;
    return status;
}

/* Computes D, writes it and says so. *ret_finding: a sum is beyond its bound. */
static fpx_status multiply(gemm_job *job, size_t threads, int is_judged, const char *json,
                           int *ret_finding, fpx_error *err)
{
    const char *const to = job->words->out;
    const int is_piped = to != NULL && strcmp(to, "-") == 0;
    effort e;
    fpx_status status = compute(job, threads, is_judged, &e, err);

    if (status == FPX_OK && job->words->out != NULL)
        status = gemm_job_write(job, err);
    if (status == FPX_OK && json != NULL)
        status = write_results(json, job, &e, err);
    if (status == FPX_OK)
        print_text(is_piped ? stderr : cli_text_stream(json, NULL), job, &e);
    if (status == FPX_OK)
        *ret_finding = e.is_judged && e.bounds.violations > 0;
    return status;
}

static int run(const cli_args *a)
{
    const char *const json = a->option[OPT_JSON];
    const gemm_explain_words explain = { a->option[OPT_EXPLAIN], a->option[OPT_AGAINST], json };
    const gemm_words words = words_of(a);
    const int judges = a->option[OPT_BOUNDS] != NULL;
    int differ = 0, is_finding = 0;
    uint64_t threads = 0;
    gemm_job job;
    fpx_error err = { 0 };

    if (explain.against != NULL && explain.element == NULL)
        return cli_usage("gemm", "--against M: compares one element: --explain I,J is needed");
    if (words.out == NULL && explain.element == NULL && !judges)
        return cli_usage("gemm", "-o D is needed");
    if (words.model == NULL)
        return cli_usage("gemm", "--model M is needed: a unit of fpx models, a device, FILE.yaml");
    cli_owe(a, explain.element != NULL ? "fpx.gemm-explain/1" : "fpx.gemm/1", json, NULL, "");
    if (a->option[OPT_THREADS] != NULL &&
        cli_number("--threads", a->option[OPT_THREADS], 1, 1024, &threads, &err) != FPX_OK)
        return cli_fail(&err);
    if (check_files(&words, json, &err) != FPX_OK)
        return cli_fail(&err);
    cli_catch_interrupt();
    fpx_status status = gemm_job_load(&words, &job, &err);
    if (status == FPX_OK && explain.element != NULL)
        status = gemm_explain_check(&job, explain.element, &err);
    if (status == FPX_OK && (words.out != NULL || judges))
        status = multiply(&job, (size_t)threads, judges, explain.element == NULL ? json : NULL,
                          &is_finding, &err);
    if (status == FPX_OK && explain.element != NULL)
        status = gemm_explain(&job, &explain, &differ, &err);
    gemm_job_release(&job);
    if (status != FPX_OK)
        return cli_fail(&err);
    return differ || is_finding ? EXIT_FINDING : EXIT_HOLDS;
}

const cli_verb verb_gemm = {
    "gemm",
    "A B [-c C] -o D --model M [OPTIONS]",
    "the product of two files, bit for bit as a matrix unit computes it",
    "A is m x k and B k x n; a third axis in front is a batch. Files are .npy (floats, or codes "
    "of\n"
    "--a-format) or FILE.safetensors:TENSOR, with formats, scales and blocks as quantize noted "
    "them.\n"
    "Scales of blocks go into the unit, those of whole tensors, a bias and another format of D "
    "follow\n"
    "its sums: docs/gemm.md.\n"
    "example: fpx gemm weights.npy weights.npy --trans-b -o product.npy --model ampere",
    options,
    2,
    2,
    run,
};
