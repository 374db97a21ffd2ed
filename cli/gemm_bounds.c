/* gemm_bounds.c - sums of a unit against exact ones and proved bounds. */
#include "gemm_bounds.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include <fpx/mma_bound.h>
#include <fpx/stream.h>

#include "results.h"

/* What a sample may cost: some seconds on one processor, and 32 MiB. */
enum { COMPARED_MAX = 1 << 20 };
static const double products_max = 5e6;

/* What is looked at: one of each of equal parts of products, rows and columns. */
typedef struct sample {
    size_t products, rows, columns;
} sample;

/* Of one sum. bound Inf: there is none. */
typedef struct verdict {
    double error, ulps, cheap, tight;
    int is_undecided;
} verdict;

typedef struct judge {
    const gemm_job *job;
    sample sample;
    fpx_mma_extent *extents; /* products x columns */
    verdict *verdicts;       /* products x rows x columns */
} judge;

static size_t smaller(size_t x, double y)
{
    return (double)x <= y ? x : y < 1.0 ? 1 : (size_t)y;
}

static sample sample_of(const gemm_job *job)
{
    const fpx_mma_call *const call = &job->call;
    const double fitting = products_max / (double)(call->k > 0 ? call->k : 1);
    const double most = fitting < COMPARED_MAX ? fitting : COMPARED_MAX;
    const size_t products = smaller(job->batch, most);
    const double each = most / (double)products;
    const size_t columns = smaller(call->n, fmax(sqrt(each), each / (double)call->m));

    return (sample){ products, smaller(call->m, each / (double)columns), columns };
}

/* The member that is taken from part `index` of n things cut into `parts`: all of them where parts is n. */
static size_t member(size_t n, size_t parts, size_t index, uint64_t axis)
{
    const fpx_stream stream = { .seed = 1, .site = axis };
    const size_t whole = n / parts, rest = n % parts;
    const size_t first = index * whole + (index < rest ? index : rest);

    return first + fpx_stream_u32(&stream, index) % (whole + (index < rest));
}

enum axis { PRODUCT, ROW, COLUMN };

static void place_of(const judge *j, size_t at, size_t *ret_product, size_t *ret_row,
                     size_t *ret_column)
{
    const sample *const s = &j->sample;
    const fpx_mma_call *const call = &j->job->call;

    *ret_product = member(j->job->batch, s->products, at / s->columns / s->rows, PRODUCT);
    *ret_row = member(call->m, s->rows, at / s->columns % s->rows, ROW);
    *ret_column = member(call->n, s->columns, at % s->columns, COLUMN);
}

static verdict verdict_of(const fpx_mma_bounds *bounds, size_t i, size_t j, uint64_t code,
                          const fpx_mma_extent *row, const fpx_mma_extent *column)
{
    verdict v = { .cheap = fpx_mma_bound_cheap(bounds, i, j, row, column),
                  .tight = fpx_mma_bound_tight(bounds, i, j) };
    fpx_accumulator exact;

    fpx_mma_exact(bounds->call, i, j, &exact);
    const double least = fpx_mma_bound_least(bounds, &exact);
    v.error = fpx_mma_error(bounds, code, &exact);
    v.ulps = v.error / (2.0 * least);
    v.is_undecided = v.error >= least && v.error <= v.cheap && isfinite(v.tight);
    return v;
}

/* gemm_bounds_judge has asked whether there are bounds. */
static fpx_mma_bounds bounds_of(const judge *w, const fpx_mma_call *product)
{
    fpx_mma_bounds bounds = { 0 };

    (void)fpx_mma_bounds_make(&w->job->unit.preset.model, product, &bounds, NULL);
    return bounds;
}

static void extend_columns(void *context, size_t begin, size_t end, size_t worker)
{
    const judge *const w = context;

    (void)worker;
    for (size_t c = begin; c < end; c++) {
        size_t p, i, j;
        place_of(w,
                 c / w->sample.columns * w->sample.columns * w->sample.rows + c % w->sample.columns,
                 &p, &i, &j);
        const fpx_mma_call product = fpx_mma_call_at(&w->job->call, p);
        const fpx_mma_bounds bounds = bounds_of(w, &product);
        w->extents[c] = fpx_mma_bound_column(&bounds, j);
    }
}

static void judge_rows(void *context, size_t begin, size_t end, size_t worker)
{
    const judge *const w = context;
    const size_t columns = w->sample.columns;
    const fpx_mma_call *const call = &w->job->call;

    (void)worker;
    for (size_t r = begin; r < end; r++) {
        size_t p, i, j;
        place_of(w, r * columns, &p, &i, &j);
        const fpx_mma_call product = fpx_mma_call_at(call, p);
        const fpx_mma_bounds bounds = bounds_of(w, &product);
        const fpx_mma_extent row = fpx_mma_bound_row(&bounds, i);
        for (size_t c = 0; c < columns; c++) {
            place_of(w, r * columns + c, &p, &i, &j);
            const uint64_t code = fpx_format_code(&bounds.model->format, w->job->sums,
                                                  (p * call->m + i) * call->n + j);
            w->verdicts[r * columns + c] = verdict_of(
                &bounds, i, j, code, &row, &w->extents[r / w->sample.rows * columns + c]);
        }
    }
}

static double ratio(double error, double bound)
{
    return error == 0.0 ? 0.0 : error / bound;
}

static int compare(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;

    return (a > b) - (a < b);
}

static gemm_ratios ratios_of(const judge *w, size_t n, int is_tight, double *room)
{
    size_t used = 0;

    for (size_t i = 0; i < n; i++) {
        const verdict *const v = &w->verdicts[i];
        if (isfinite(v->tight))
            room[used++] = ratio(v->error, is_tight ? v->tight : v->cheap);
    }
    qsort(room, used, sizeof *room, compare);
    return used == 0 ? (gemm_ratios){ 0.0, 0.0 } : (gemm_ratios){ room[used - 1], room[used / 2] };
}

static void sum_up(const judge *w, size_t n, double *room, gemm_bounds *b)
{
    double worst = -1.0;

    for (size_t i = 0; i < n; i++) {
        const verdict *const v = &w->verdicts[i];
        const int is_violation = v->error > v->tight;

        b->unbounded += isfinite(v->tight) ? 0 : 1;
        b->undecided += (uint64_t)v->is_undecided;
        if (!isfinite(v->tight))
            continue;
        b->max_error = fmax(b->max_error, v->error);
        b->max_ulps = fmax(b->max_ulps, v->ulps);
        if (b->violations == 0 && (is_violation || ratio(v->error, v->tight) > worst)) {
            worst = ratio(v->error, v->tight);
            place_of(w, i, &b->product, &b->row, &b->column);
            b->error = v->error;
            b->bound = v->tight;
        }
        b->violations += (uint64_t)is_violation;
    }
    b->cheap = ratios_of(w, n, 0, room);
    b->tight = ratios_of(w, n, 1, room);
}

fpx_status gemm_bounds_judge(const gemm_job *job, fpx_pool *pool, gemm_bounds *ret_bounds,
                             fpx_error *err)
{
    judge w = { .job = job, .sample = sample_of(job) };
    const size_t rows = w.sample.products * w.sample.rows, n = rows * w.sample.columns;
    gemm_bounds b = { .sums = (uint64_t)job->batch * job->call.m * job->call.n, .compared = n };
    fpx_mma_bounds unused;
    const fpx_status status =
        fpx_mma_bounds_make(&job->unit.preset.model, &job->call, &unused, err);

    if (status != FPX_OK)
        return status;
    const size_t columns = w.sample.products * w.sample.columns;
    double *const room = calloc(n, sizeof *room);
    w.extents = calloc(columns, sizeof *w.extents);
    w.verdicts = calloc(n, sizeof *w.verdicts);
    const int has_room = room != NULL && w.extents != NULL && w.verdicts != NULL;
    if (has_room) {
        fpx_parallel_for(pool, columns, 1, extend_columns, &w);
        fpx_parallel_for(pool, rows, 1, judge_rows, &w);
        sum_up(&w, n, room, &b);
        *ret_bounds = b;
    }
    free(room);
    free(w.extents);
    free(w.verdicts);
    return has_room ? FPX_OK
                    : fpx_error_set(err, FPX_ENOMEM, "--bounds: no memory for %zu sums", n);
}

static void print_place(FILE *out, const gemm_job *job, const gemm_bounds *b)
{
    if (job->is_batch)
        (void)fprintf(out, "[%zu, %zu, %zu]", b->product, b->row, b->column);
    else
        (void)fprintf(out, "[%zu, %zu]", b->row, b->column);
}

void gemm_bounds_print(FILE *out, const gemm_job *job, const gemm_bounds *b)
{
    (void)fprintf(out, "bounds: %" PRIu64 " of %" PRIu64 " sums compared with the exact ones",
                  b->compared, b->sums);
    if (b->unbounded > 0)
        (void)fprintf(out, ", of which %" PRIu64 " have no bound (NaN, Inf, possible overflow)",
                      b->unbounded);
    if (b->unbounded < b->compared) {
        (void)fprintf(
            out,
            "\nlargest error %.4g, %.4g ulp of %s\n"
            "error / bound  cheap: at most %.3g, median %.3g; tight: at most %.3g, median "
            "%.3g\n"
            "the cheap bound leaves %" PRIu64 " undecided; ",
            b->max_error, b->max_ulps, job->unit.preset.model.format.name, b->cheap.most,
            b->cheap.median, b->tight.most, b->tight.median, b->undecided);
        if (b->violations == 0)
            (void)fputs("none is beyond the tight one", out);
        else
            (void)fprintf(out, "BEYOND the tight one: %" PRIu64 ", first ", b->violations);
        if (b->violations > 0) {
            print_place(out, job, b);
            (void)fprintf(out, ": error %.6g, bound %.6g", b->error, b->bound);
        }
    }
    (void)fputc('\n', out);
}

static json_t *ratios_json(const gemm_ratios *r)
{
    return json_pack("{s:o, s:o}", "max", cli_json_number(r->most), "median",
                     cli_json_number(r->median));
}

json_t *gemm_bounds_json(const gemm_bounds *b)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:[I, I, I], s:o, s:o}", "sums",
                     (json_int_t)b->sums, "compared", (json_int_t)b->compared, "unbounded",
                     (json_int_t)b->unbounded, "undecided", (json_int_t)b->undecided, "violations",
                     (json_int_t)b->violations, "max_error", cli_json_number(b->max_error),
                     "max_ulps", cli_json_number(b->max_ulps), "cheap", ratios_json(&b->cheap),
                     "tight", ratios_json(&b->tight), "place", (json_int_t)b->product,
                     (json_int_t)b->row, (json_int_t)b->column, "error", cli_json_number(b->error),
                     "bound", cli_json_number(b->bound));
}
