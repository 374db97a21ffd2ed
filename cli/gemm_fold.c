/* gemm_fold.c - which steps a person needs to see: those that lose something, and of too many those that lose most; what is
 * folded is said. */
#include "gemm_fold.h"

#include <stdlib.h>

#include "cli.h"
#include "gemm_page.h"

enum { SPLITS_NAMED = 16 }; /* with more, their starts are folded too */

/* ---- what is shown ---- */
/* Steps [begin, end) of a story, and which of them are shown. */
typedef struct excerpt {
    const gemm_story *story;
    size_t begin, end;
    unsigned char *shown; /* by number of the step */
} excerpt;

static int is_loud(const gemm_mark *m)
{
    return m->lost > 0.0L || m->turns_special;
}

/* Lines that a step takes, the one of what is folded before it with them. */
static size_t lines_of(const gemm_mark *m)
{
    return m->rows + 1;
}

/* The step to be seen first among those not shown that have room; `end`: none. */
static size_t loudest(const excerpt *x, size_t rows)
{
    const gemm_mark *const marks = x->story->marks;
    size_t best = x->end;

    for (size_t i = x->begin; i < x->end; i++) {
        if (x->shown[i] || !is_loud(&marks[i]) || lines_of(&marks[i]) > rows)
            continue;
        if (best == x->end || marks[i].turns_special > marks[best].turns_special ||
            (marks[i].turns_special == marks[best].turns_special &&
             marks[i].lost > marks[best].lost))
            best = i;
    }
    return best;
}

static void choose(const excerpt *x, const fpx_mma_model *model, size_t rows)
{
    const gemm_mark *const marks = x->story->marks;
    size_t total = 0;

    for (size_t i = x->begin; i < x->end; i++) {
        x->shown[i] = marks[i].kind == FPX_MMA_EVENT_START && model->split <= SPLITS_NAMED;
        total += is_loud(&marks[i]) ? marks[i].rows : 0;
    }
    if (total == 0) /* an example, where nothing is lost */
        x->shown[x->begin] = 1;
    if (total <= rows)
        rows = SIZE_MAX;
    else if (loudest(x, rows) == x->end) /* each alone is too long: one of them */
        rows = lines_of(&marks[loudest(x, SIZE_MAX)]);
    for (size_t i = loudest(x, rows); i < x->end; i = loudest(x, rows)) {
        x->shown[i] = 1;
        rows -= lines_of(&marks[i]);
    }
}

/* ---- printing ---- */
typedef struct printer {
    gemm_page page;
    const excerpt *excerpt;
    size_t folded; /* steps since the last one shown */
} printer;

static void count_text(FILE *out, size_t n, const char *what, int *is_more)
{
    if (n > 0)
        (void)fprintf(out, "%s%zu %s%s", *is_more ? ", " : "", n, what, n == 1 ? "" : "s");
    *is_more |= n > 0;
}

/* The steps [begin, end), in one line. */
static void print_fold(printer *p, size_t begin, size_t end)
{
    const gemm_mark *const marks = p->excerpt->story->marks;
    FILE *const out = p->page.out;
    size_t blocks = 0, fmas = 0, additions = 0, k = SIZE_MAX, last_k = 0;
    const fpx_mma_code *before = NULL, *after = NULL;
    char from[GEMM_TEXT], to[GEMM_TEXT];
    long double lost = 0.0L;
    int is_more = 0;

    for (size_t i = begin; i < end; i++) {
        const gemm_mark *const m = &marks[i];
        blocks += m->kind == FPX_MMA_EVENT_BLOCK;
        fmas += m->kind == FPX_MMA_EVENT_FMA;
        additions += m->kind == FPX_MMA_EVENT_ADD;
        k = m->count > 0 && m->k < k ? m->k : k;
        last_k = m->count > 0 && m->last_k > last_k ? m->last_k : last_k;
        lost += m->lost;
        before = before == NULL && m->before.format != NULL ? &m->before : before;
        after = m->after.format != NULL ? &m->after : after;
    }
    if (blocks + fmas + additions == 0)
        return;
    (void)fputs("  [", out);
    count_text(out, blocks, "block", &is_more);
    count_text(out, fmas, "multiply-add", &is_more);
    count_text(out, additions, "addition", &is_more);
    if (k != SIZE_MAX)
        (void)fprintf(out, ", k %zu to %zu", k, last_k);
    if (before != NULL && after != NULL && gemm_same_code(before, after))
        (void)fprintf(out, ": %s stays", gemm_code_text(before, from));
    else if (before != NULL && after != NULL)
        (void)fprintf(out, ": %s becomes %s", gemm_code_text(before, from),
                      gemm_code_text(after, to));
    if (before != NULL && gemm_is_special(before) && lost == 0.0L) /* there is nothing to lose */
        (void)fputs("]\n", out);
    else if (lost > 0.0L)
        (void)fprintf(out, ", %.3Lg lost in all]\n", lost);
    else
        (void)fputs(", nothing lost]\n", out);
}

static void on_step(void *user, const gemm_step *step)
{
    printer *const p = user;
    const excerpt *const x = p->excerpt;

    if (step->number < x->begin || step->number >= x->end)
        return;
    if (!x->shown[step->number]) {
        p->folded++;
        return;
    }
    if (p->folded > 0)
        print_fold(p, step->number - p->folded, step->number);
    p->folded = 0;
    gemm_page_step(&p->page, step);
}

static fpx_status print_excerpt(FILE *out, const gemm_element *element, const excerpt *x,
                                fpx_error *err)
{
    printer p = { { out, element->model, out == stdout && cli_colour(stdout), 0 }, x, 0 };
    uint64_t code;
    const fpx_status status = gemm_steps_walk(element, on_step, &p, &code, err);

    if (p.folded > 0)
        print_fold(&p, x->end - p.folded, x->end);
    return status;
}

static fpx_status start_excerpt(const gemm_story *s, size_t begin, size_t end, excerpt *ret_x,
                                fpx_error *err)
{
    *ret_x = (excerpt){ s, begin, end, calloc(s->n + 1, 1) };
    return ret_x->shown == NULL
               ? fpx_error_set(err, FPX_ENOMEM, "the explanation of %zu steps: out of memory", s->n)
               : FPX_OK;
}

fpx_status gemm_print_steps(FILE *out, const gemm_element *element, const gemm_story *s,
                            size_t begin, size_t end, size_t rows, fpx_error *err)
{
    excerpt x;
    fpx_status status = start_excerpt(s, begin, end, &x, err);

    if (status == FPX_OK) {
        choose(&x, element->model, rows);
        status = print_excerpt(out, element, &x, err);
    }
    free(x.shown);
    return status;
}
