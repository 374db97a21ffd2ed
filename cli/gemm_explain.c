/* gemm_explain.c - the page of an element: the unit, its steps, the result beside the exact product. Two units: the steps
 * in which their accumulators part. */
#include "gemm_explain.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli.h"
#include "gemm_explain_json.h"
#include "gemm_fold.h"
#include "gemm_model.h"
#include "gemm_page.h"
#include "results.h"

enum { ROWS = 100 }; /* of tables on a page: three screens */

/* ---- the end of the page ---- */
/* exact - result, near it. */
static long double distance(const gemm_story *s, const fpx_mma_value *result)
{
    fpx_accumulator rest = s->exact;
    fpx_mma_value left = { .kind = FPX_MMA_VALUE_FINITE };
    int sticky;

    if (result->m != 0)
        fpx_accumulator_add_number(&rest, !result->negative, result->m, result->q);
    left.negative = (uint8_t)fpx_accumulator_leading(&rest, &left.m, &left.q, &sticky);
    return gemm_near(&left);
}

gemm_summary gemm_summary_of(const gemm_element *element, const gemm_story *s)
{
    const fpx_format *const f = &element->model->format;
    const fpx_conversion nearest = { .format = *f,
                                     .round = FPX_RNE,
                                     .overflow = FPX_OVERFLOW_NONE,
                                     .nan = FPX_NAN_POSITIVE,
                                     .nan_code = element->model->nan_code };
    const int least = 1 - f->bias;
    gemm_summary out = { .result = { f, s->code }, .nearest = { f, 0 } };
    const fpx_mma_value result = fpx_mma_value_of(f, s->code);

    out.nearest.code = fpx_accumulator_round(&s->exact, &nearest, 0, NULL);
    const fpx_mma_value none = { .kind = FPX_MMA_VALUE_FINITE };
    out.is_exact = !s->is_special;
    out.exact =
        out.is_exact ? distance(s, &none) : (long double)fpx_format_value(f, out.nearest.code);
    out.is_measured = out.is_exact && result.kind == FPX_MMA_VALUE_FINITE;
    if (out.is_measured) {
        const int e = result.m != 0 && gemm_top(&result) > least ? gemm_top(&result) : least;
        out.error = -distance(s, &result);
        out.ulps = ldexpl(out.error, f->mbits - e);
    }
    return out;
}

static void print_code(FILE *out, const fpx_mma_code *x)
{
    char text[GEMM_TEXT];

    (void)fprintf(out, "%s (%s 0x%0*" PRIx64 ")", gemm_code_text(x, text), x->format->name,
                  (x->format->bits + 3) / 4, x->code);
}

/* NaN of numbers is Inf - Inf. */
static void print_error(FILE *out, const gemm_summary *x)
{
    if (!x->is_measured && x->result.code == x->nearest.code)
        (void)fputs("error          none: the exact product is beyond the largest number too\n",
                    out);
    else if (!x->is_measured)
        (void)fputs("error          no number: the accumulator went beyond the largest one\n", out);
    else if (x->error == 0.0L)
        (void)fputs("error          none: the result is the exact product\n", out);
    else
        (void)fprintf(out, "error          %+.6Lg, %.7Lg ulp of the result\n", x->error,
                      fabsl(x->ulps));
}

static void print_summary(FILE *out, const gemm_element *element, const gemm_story *s)
{
    static const char *const names[] = { [GEMM_LOSS_READING] = "in reading",
                                         [GEMM_LOSS_ALIGNING] = "cut off",
                                         [GEMM_LOSS_ROUNDING] = "rounded off",
                                         [GEMM_LOSS_ADDING] = "in additions beyond blocks" };
    const gemm_summary x = gemm_summary_of(element, s);
    const char *const lost = x.is_measured ? "lost" : "lost before";
    int is_more = 0;

    (void)fputs("result         ", out);
    print_code(out, &x.result);
    (void)fputs("\nexact product  ", out);
    if (x.is_exact)
        (void)fprintf(out, "%.10Lg, nearest ", x.exact);
    print_code(out, &x.nearest);
    (void)fputc('\n', out);
    if (!x.is_exact)
        return;
    print_error(out, &x);
    for (size_t i = 0; i < GEMM_LOSSES; i++) {
        if (s->lost[i] == 0.0L)
            continue;
        (void)fprintf(out, "%-15s%+.6Lg %s", is_more ? "" : lost, s->lost[i], names[i]);
        if (i == GEMM_LOSS_READING)
            (void)fprintf(out, " %zu element%s otherwise", s->misread, s->misread == 1 ? "" : "s");
        (void)fputc('\n', out);
        is_more = 1;
    }
}

static void print_model(FILE *out, const fpx_mma_preset *p, const gemm_element *x,
                        const gemm_story *s)
{
    static const char *const entries[] = { "c is one of them", "c joins their sum",
                                           "c comes last" };
    static const char *const rounds[] = { "to nearest even", "to nearest", "toward zero" };
    const fpx_mma_model *const m = &p->model;

    (void)fprintf(out, "%s (known from: %s): k %zu", m->name,
                  fpx_mma_provenance_name(p->provenance), x->call.k);
    if (m->sum != FPX_MMA_FMA)
        (void)fprintf(out, " in %zu block%s", s->blocks, s->blocks == 1 ? "" : "s");
    if (m->sum == FPX_MMA_ALIGNED)
        (void)fprintf(out,
                      "\nterms keep %u bits below the largest exponent; %s; rounding %s, %u bits",
                      m->fraction, entries[m->c], rounds[m->round], m->fraction_out);
    else if (m->sum == FPX_MMA_EXACT)
        (void)fprintf(out, "\nc + the exact sum of a block's products, rounded %s",
                      rounds[m->round]);
    else if (m->sum == FPX_MMA_TREE)
        (void)fprintf(out,
                      "\nproducts, then their sums by halves, then c + their sum, each rounded %s",
                      rounds[m->round]);
    else
        (void)fprintf(out, "\none multiply-add after another, each rounded %s", rounds[m->round]);
    (void)fputc('\n', out);
    if (m->promote > 0)
        (void)fprintf(out, "a chain restarts from +0 after %" PRIu32 " of k; chains are added\n",
                      m->promote);
    if (m->split > 1)
        (void)fprintf(out, "K is dealt to %" PRIu32 " splits, which are added\n", m->split);
}

/* ---- two units ---- */
/* Steps up to which both accumulators are the same, and the first ones after which they differ. */
typedef struct parting {
    size_t a_begin, a_end, b_begin, b_end;
    size_t read; /* products that are in the accumulators before */
    int is_none;
} parting;

/* The last whole step that has read as much as the first one from i on does; n: none. */
static size_t next_whole(const gemm_story *s, size_t i)
{
    while (i < s->n && !s->marks[i].is_whole)
        i++;
    while (i + 1 < s->n && s->marks[i + 1].is_whole && s->marks[i + 1].read == s->marks[i].read)
        i++;
    return i;
}

static parting find_parting(const gemm_story *a, const gemm_story *b)
{
    parting p = { .is_none = 1 };
    size_t i = next_whole(a, 0), j = next_whole(b, 0);

    while (i < a->n && j < b->n) {
        if (a->marks[i].read < b->marks[j].read) {
            i = next_whole(a, i + 1);
            continue;
        }
        if (a->marks[i].read > b->marks[j].read) {
            j = next_whole(b, j + 1);
            continue;
        }
        p.a_end = i + 1;
        p.b_end = j + 1;
        if (!gemm_same_code(&a->marks[i].after, &b->marks[j].after)) {
            p.is_none = 0;
            return p;
        }
        p.a_begin = i + 1;
        p.b_begin = j + 1;
        p.read = a->marks[i].read;
        i = next_whole(a, i + 1);
        j = next_whole(b, j + 1);
    }
    return p;
}

static fpx_status print_both(FILE *out, const fpx_mma_preset *const p[2], const gemm_element *x,
                             const gemm_story *s, fpx_error *err)
{
    const parting at = find_parting(&s[0], &s[1]);
    const size_t begin[2] = { at.a_begin, at.b_begin }, end[2] = { at.a_end, at.b_end };
    fpx_status status = FPX_OK;

    if (at.is_none)
        (void)fputs("the two never part: after every step that both have, the same\n", out);
    else if (at.read == 0)
        (void)fputs("the two part in their first steps:\n", out);
    else
        (void)fprintf(out, "the two agree on k 0 to %zu, and part in the next steps:\n",
                      at.read - 1);
    for (size_t u = 0; u < 2 && status == FPX_OK; u++) {
        (void)fputc('\n', out);
        print_model(out, p[u], &x[u], &s[u]);
        if (!at.is_none) {
            (void)fputc('\n', out);
            status = gemm_print_steps(out, &x[u], &s[u], begin[u], end[u], ROWS / 2, err);
            if (end[u] < s[u].n && status == FPX_OK)
                (void)fprintf(out, "  [%zu steps follow]\n", s[u].n - end[u]);
            (void)fputc('\n', out);
        }
        print_summary(out, &x[u], &s[u]);
    }
    return status;
}

/* ---- the element ---- */
static fpx_status parse_element(const gemm_job *job, const char *text, size_t at[3], fpx_error *err)
{
    const size_t extents[3] = { job->batch, job->call.m, job->call.n };
    const size_t first = job->is_batch ? 0 : 1;
    const char *rest = text;
    int is_bad = 0;

    at[0] = 0;
    for (size_t i = first; i < 3 && !is_bad; i++) {
        char number[24];
        uint64_t value = 0;
        const size_t n = strcspn(rest, ",");
        (void)snprintf(number, sizeof number, "%.*s", (int)(n < 23 ? n : 23), rest);
        is_bad = n == 0 || n > 20 || (i < 2 ? rest[n] != ',' : rest[n] != '\0') ||
                 cli_number("--explain", number, 0, extents[i] - 1, &value, NULL) != FPX_OK;
        at[i] = (size_t)value;
        rest += n + (rest[n] == ',');
    }
    if (!is_bad)
        return FPX_OK;
    if (job->is_batch)
        return fpx_error_set(err, FPX_EINVAL,
                             "--explain %.40s: is P,I,J with product P below %zu, row I below %zu "
                             "and column J below %zu",
                             text, extents[0], extents[1], extents[2]);
    return fpx_error_set(err, FPX_EINVAL,
                         "--explain %.40s: is I,J with row I below %zu and column J below %zu",
                         text, extents[1], extents[2]);
}

fpx_status gemm_explain_check(const gemm_job *job, const char *element, fpx_error *err)
{
    size_t at[3];

    return parse_element(job, element, at, err);
}

/* What follows the sum: scales, bias, another format. */
static void print_finish(FILE *out, const gemm_job *job, const gemm_story *s, size_t column)
{
    fpx_mma_epilogue e = job->epilogue;
    const size_t size = fpx_format_size(&job->unit.preset.model.format);
    unsigned char sum[8] = { 0 }, d[8] = { 0 };

    if (!job->finishes)
        return;
    if (e.bias != NULL)
        e.bias = (const unsigned char *)e.bias + column * fpx_format_size(&e.bias_format);
    for (size_t i = 0; i < size; i++)
        sum[i] = (unsigned char)(s->code >> 8 * i);
    if (fpx_mma_finish(&e, sum, 1, 1, d, NULL) != FPX_OK)
        return;
    const fpx_mma_code code = { &job->d_format, fpx_format_code(&job->d_format, d, 0) };
    (void)fputs("D's element    ", out);
    print_code(out, &code);
    (void)fputs(", after the scales, the bias and the format that follow the sum\n", out);
}

fpx_status gemm_explain(const gemm_job *job, const gemm_explain_words *words, int *ret_differ,
                        fpx_error *err)
{
    size_t at[3];
    cli_unit other = { .file = NULL };
    const fpx_mma_preset *const presets[2] = { &job->unit.preset, &other.preset };
    const size_t units = words->against == NULL ? 1 : 2;
    gemm_element x[2] = { { NULL } };
    gemm_story s[2] = { { .n = 0 }, { .n = 0 } };
    const int is_piped = job->words->out != NULL && strcmp(job->words->out, "-") == 0;
    FILE *const out = is_piped ? stderr : cli_text_stream(words->json, NULL);
    fpx_status status = parse_element(job, words->element, at, err);

    if (status == FPX_OK && units == 2)
        status = gemm_model_choose(words->against, NULL, &job->a, &job->b, &other, err);
    for (size_t u = 0; u < units && status == FPX_OK; u++) {
        x[u] =
            (gemm_element){ &presets[u]->model, fpx_mma_call_at(&job->call, at[0]), at[1], at[2] };
        status = gemm_story_make(&x[u], &s[u], err);
    }
    if (status == FPX_OK) {
        (void)fprintf(out, "element %zu,%zu", at[1], at[2]);
        if (job->is_batch)
            (void)fprintf(out, " of product %zu", at[0]);
        (void)fputs(": ", out);
        if (units == 2)
            (void)fprintf(out, "%s and %s\n", presets[0]->model.name, presets[1]->model.name);
    }
    if (status == FPX_OK && units == 1) {
        print_model(out, presets[0], &x[0], &s[0]);
        (void)fputc('\n', out);
        status = gemm_print_steps(out, &x[0], &s[0], 0, s[0].n, ROWS, err);
        (void)fputc('\n', out);
        if (status == FPX_OK)
            print_summary(out, &x[0], &s[0]);
        if (status == FPX_OK)
            print_finish(out, job, &s[0], at[2]);
    } else if (status == FPX_OK) {
        status = print_both(out, presets, x, s, err);
    }
    if (status == FPX_OK && words->json != NULL)
        status = cli_write_json(words->json, gemm_explain_json(x, s, presets, units, at), err);
    if (status == FPX_OK)
        *ret_differ = units == 2 &&
                      !gemm_same_code(&s[0].marks[s[0].n - 1].after, &s[1].marks[s[1].n - 1].after);
    gemm_story_release(&s[0]);
    gemm_story_release(&s[1]);
    cli_unit_free(&other);
    return status;
}
