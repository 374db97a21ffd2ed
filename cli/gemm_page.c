/* gemm_page.c - a step for a person: operations in rows, blocks under a heading. */
#include "gemm_page.h"

#include <inttypes.h>

#include "gemm_text.h"

/* Of an operation: significant digits before the mark that are drawn. */
enum { DIGITS_BEFORE = 24 };

/* One operation in a row: what, operands, result; the exact significand with a mark where it is rounded. */
static void print_operation(gemm_page *p, const fpx_mma_event *e)
{
    const int at = gemm_last_place(p->model, e, p->model->format.mbits);
    const int top = e->exact.m == 0 ? at : gemm_top(&e->exact);
    const gemm_view v = { top - at > DIGITS_BEFORE ? at + DIGITS_BEFORE : (top > at ? top : at), at,
                          GEMM_WIDTH - GEMM_OPERATION_LEFT - 1 };
    char what[24], a[GEMM_TEXT], b[GEMM_TEXT], result[GEMM_TEXT], exponent[16] = "";
    const int is_product = e->kind == FPX_MMA_EVENT_MUL || e->kind == FPX_MMA_EVENT_FMA;

    if (is_product)
        (void)snprintf(what, sizeof what, "%zu", e->k);
    else if (e->part == FPX_MMA_PART_PRODUCTS)
        (void)snprintf(what, sizeof what, "+%zu", e->count);
    else
        (void)snprintf(what, sizeof what, "+");
    if (e->exact.m != 0)
        (void)snprintf(exponent, sizeof exponent, "%d", top);
    (void)fprintf(p->out, "%6s %15s %15s %15s%s%5s ", what, gemm_element_text(&e->a, e->a_given, a),
                  gemm_element_text(&e->b, e->b_given, b),
                  gemm_digits_text(&e->result, GEMM_ACCUMULATOR_DIGITS, result),
                  e->rounded != e->result.code ? "!" : " ", exponent);
    if (e->exact.kind == FPX_MMA_VALUE_FINITE)
        gemm_print_digits(p, &e->exact, &v);
    else
        (void)fputc('\n', p->out);
}

static void print_heading(gemm_page *p, const char *a, const char *b, const char *result)
{
    (void)fprintf(p->out, "%6s %15s %15s %15s %5s  exact, | where it is rounded\n", "k", a, b,
                  result, "2^");
}

static void print_tree(gemm_page *p, const gemm_step *s)
{
    const int leaves_out = s->n > GEMM_ROWS;
    gemm_rows rows;
    int flushes = 0;

    gemm_rows_choose(s, 1, s->n - 1, -1, &rows); /* c + their sum is shown in any case */
    print_heading(p, "a", "b", "result");
    for (size_t i = 1; i < s->n; i++) {
        if (leaves_out && i < s->n - 1 && !gemm_rows_have(&rows, i))
            continue;
        print_operation(p, &s->events[i]);
        flushes |= s->events[i].rounded != s->events[i].result.code;
    }
    if (leaves_out)
        gemm_print_left_out(p, &rows, "operations", "lost");
    if (flushes)
        (void)fputs("       ! a subnormal result, flushed to zero\n", p->out);
}

static const char *addition_name(fpx_mma_part part)
{
    static const char *const names[] = { [FPX_MMA_PART_LATE] = "c + the instruction's result",
                                         [FPX_MMA_PART_PROMOTE] =
                                             "what came before + the chain, which restarts from +0",
                                         [FPX_MMA_PART_PAIR] = "two splits",
                                         [FPX_MMA_PART_COMBINE] =
                                             "what the splits before made + this one",
                                         [FPX_MMA_PART_SPLIT_C] = "C + all splits" };

    return names[part];
}

static void print_addition(gemm_page *p, const fpx_mma_event *e)
{
    (void)fprintf(p->out, "%s, to nearest even:\n", addition_name((fpx_mma_part)e->part));
    print_operation(p, e);
}

static const fpx_mma_event *find(const gemm_step *s, fpx_mma_event_kind kind, fpx_mma_part part)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->events[i].kind == kind && s->events[i].part == part)
            return &s->events[i];
    }
    return NULL;
}

/* Among the elements that the table shows: of a block that is no number, only those that are none. */
static int is_misread(const gemm_step *s)
{
    const int is_number = s->events[s->n - 1].kind != FPX_MMA_EVENT_ROUND ||
                          s->events[s->n - 1].exact.kind == FPX_MMA_VALUE_FINITE;

    for (size_t i = 0; i < s->n; i++) {
        if (!is_number && s->events[i].exact.kind == FPX_MMA_VALUE_FINITE)
            continue;
        if (s->events[i].a_given != s->events[i].a.code ||
            s->events[i].b_given != s->events[i].b.code)
            return 1;
    }
    return 0;
}

static void print_block_heading(gemm_page *p, const gemm_step *s)
{
    const fpx_mma_event *const first = &s->events[0];
    char c[GEMM_TEXT];
    size_t last = first->k;

    for (size_t i = 1; i < s->n; i++)
        last = s->events[i].count > 0 && s->events[i].k > last ? s->events[i].k : last;
    (void)fprintf(p->out, "block %zu: %zu of k %zu to %zu, on %s", s->block, first->count, first->k,
                  last, gemm_code_text(&first->c, c));
    const fpx_mma_event *const sum = find(s, FPX_MMA_EVENT_SUM, FPX_MMA_PART_ALL);
    if (sum != NULL && sum->has_e)
        (void)fprintf(p->out, "; E = %d, terms are cut below 2^%d", sum->e, sum->at);
    (void)fputs(is_misread(s) ? "\n       * is not as it lies in memory\n" : "\n", p->out);
}

void gemm_page_step(gemm_page *p, const gemm_step *s)
{
    const fpx_mma_event *const first = &s->events[0];
    char c[GEMM_TEXT], d[GEMM_TEXT];

    if (first->kind == FPX_MMA_EVENT_FMA) {
        if (!p->in_rows)
            print_heading(p, "a", "b", "a b + c");
        print_operation(p, first);
        p->in_rows = 1;
        return;
    }
    p->in_rows = 0;
    if (first->kind == FPX_MMA_EVENT_START) {
        (void)fprintf(p->out, "split %zu of %" PRIu32 " starts from +0\n", first->k,
                      p->model->split);
    } else if (first->kind == FPX_MMA_EVENT_CONVERT) {
        (void)fprintf(p->out, "k is 0: D is C, %s of %s, in %s: %s\n", gemm_code_text(&first->c, c),
                      first->c.format->name, p->model->format.name,
                      gemm_code_text(&first->result, d));
    } else if (first->kind == FPX_MMA_EVENT_ADD) {
        print_addition(p, first);
    } else {
        print_block_heading(p, s);
        if (p->model->sum == FPX_MMA_TREE)
            print_tree(p, s);
        else
            gemm_print_block(p, s);
    }
}
