/* gemm_table.c - a block of ALIGNED or EXACT as a table: digits of one column have one weight, so that it is seen what
 * falls off. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "gemm_text.h"

enum { BEYOND_MARK = 14 }; /* columns kept free for what is lost */

__attribute__((format(printf, 2, 3))) static void print_left(gemm_page *p, const char *format, ...)
{
    char text[GEMM_WIDTH];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)fprintf(p->out, "%-*s", GEMM_LEFT, text);
}

static const fpx_mma_event *product_of(const gemm_step *s, size_t k)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->events[i].kind == FPX_MMA_EVENT_PRODUCT && s->events[i].k == k)
            return &s->events[i];
    }
    return &s->events[0];
}

/* The weights that a table needs: its highest digit, and the place of the cut. */
static gemm_view view_of(const gemm_page *p, const gemm_step *s)
{
    gemm_view v = { .top = -100000, .at = 100000, .room = GEMM_WIDTH - GEMM_LEFT - 1 };

    for (size_t i = 0; i < s->n; i++) {
        const fpx_mma_event *const e = &s->events[i];
        if (e->kind == FPX_MMA_EVENT_BLOCK || e->exact.kind != FPX_MMA_VALUE_FINITE)
            continue;
        if (e->exact.m != 0 && gemm_top(&e->exact) > v.top)
            v.top = gemm_top(&e->exact);
        if (e->kind == FPX_MMA_EVENT_TERM && e->at < v.at)
            v.at = e->at;
        if (e->kind == FPX_MMA_EVENT_ROUND && v.at == 100000)
            v.at = gemm_last_place(p->model, e, p->model->fraction_out);
    }
    if (v.top < v.at)
        v.top = v.at;
    if (p->model->sum == FPX_MMA_EXACT && v.top - v.at > v.room - BEYOND_MARK)
        v.top = v.at + v.room - BEYOND_MARK; /* the place of the rounding is to be seen */
    return v;
}

static void scales_text(const fpx_mma_event *product, char text[GEMM_SCALES_TEXT])
{
    char a[GEMM_TEXT], b[GEMM_TEXT];

    text[0] = '\0';
    if (product->scale_a.format != NULL && product->scale_b.format != NULL)
        (void)snprintf(text, GEMM_SCALES_TEXT, "%s x %s", gemm_code_text(&product->scale_a, a),
                       gemm_code_text(&product->scale_b, b));
}

static void print_c(gemm_page *p, const gemm_step *s, const char *exponent)
{
    char text[GEMM_TEXT], c[GEMM_TEXT + 8];

    (void)snprintf(c, sizeof c, "%6s %15s", "c",
                   gemm_digits_text(&s->events[0].c, GEMM_ACCUMULATOR_DIGITS, text));
    print_left(p, "%-38s %5s ", c, exponent);
}

/* k, a, b, e; then the bits. */
static void print_term(gemm_page *p, const gemm_step *s, const fpx_mma_event *e, const gemm_view *v)
{
    const fpx_mma_event *const product = product_of(s, e->k);
    char a[GEMM_TEXT], b[GEMM_TEXT], scales[GEMM_SCALES_TEXT], exponent[16] = "";
    gemm_view own = *v;

    if (e->kind == FPX_MMA_EVENT_TERM) {
        own.at = e->at;
        if (e->has_e)
            (void)snprintf(exponent, sizeof exponent, "%d", e->e);
    } else {
        (void)snprintf(exponent, sizeof exponent, "%d", gemm_top(&e->exact));
    }
    if (e->kind == FPX_MMA_EVENT_TERM && e->count == 0) {
        print_c(p, s, exponent);
    } else if (e->kind == FPX_MMA_EVENT_TERM && p->model->group > 0) {
        char group[2 * GEMM_TEXT + GEMM_SCALES_TEXT];
        scales_text(product, scales);
        (void)snprintf(group, sizeof group, "%6zu-%zu, scales %s", e->k, e->k + e->count - 1,
                       scales[0] != '\0' ? scales : "none");
        print_left(p, "%-38s %5s ", group, exponent);
    } else {
        print_left(p, "%6zu %15s %15s %5s ", e->k,
                   gemm_element_text(&product->a, product->a_given, a),
                   gemm_element_text(&product->b, product->b_given, b), exponent);
    }
    gemm_print_digits(p, &e->exact, &own);
}

/* Zeros that follow one another, from event i on; their number. */
static size_t zeros_from(const gemm_step *s, size_t i, uint8_t kind)
{
    size_t n = 0;

    while (i + n < s->n && s->events[i + n].kind == kind && s->events[i + n].exact.m == 0 &&
           s->events[i + n].exact.kind == FPX_MMA_VALUE_FINITE && s->events[i + n].count > 0)
        n++;
    return n;
}

static size_t count_of(const gemm_step *s, uint8_t kind)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++)
        n += s->events[i].kind == kind && s->events[i].exact.m != 0;
    return n;
}

/* Scales that products from here on share, where they are others than before. */
static void print_scales(gemm_page *p, const gemm_step *s, const fpx_mma_event *e,
                         const fpx_mma_event **last)
{
    const fpx_mma_event *const product = product_of(s, e->k);
    char text[GEMM_SCALES_TEXT];

    if (e->count == 0 || p->model->group > 0 || product->scale_a.format == NULL)
        return;
    if (*last != NULL && (*last)->scale_a.code == product->scale_a.code &&
        (*last)->scale_b.code == product->scale_b.code)
        return;
    scales_text(product, text);
    (void)fprintf(p->out, "       scales %s\n", text);
    *last = product;
}

void gemm_print_left_out(gemm_page *p, const gemm_rows *rows, const char *what, const char *verb)
{
    if (rows->left_out > 0 && rows->lost > 0.0L)
        (void)fprintf(p->out, "       %zu more %s, %.3Lg %s by them\n", rows->left_out, what,
                      rows->lost, verb);
    else if (rows->left_out > 0)
        (void)fprintf(p->out, "       %zu more %s, of which nothing is %s\n", rows->left_out, what,
                      verb);
}

static void print_terms(gemm_page *p, const gemm_step *s, uint8_t kind, const gemm_view *v)
{
    const int leaves_out = count_of(s, kind) > GEMM_ROWS;
    const fpx_mma_event *scales = NULL;
    gemm_rows rows;

    gemm_rows_choose(s, 0, s->n, kind, &rows);
    for (size_t i = 0; i < s->n; i++) {
        const fpx_mma_event *const e = &s->events[i];
        if (e->kind != kind || (leaves_out && e->count > 0 && !gemm_rows_have(&rows, i)))
            continue;
        const size_t zeros = zeros_from(s, i, kind);
        if (zeros > 0) {
            char text[GEMM_TEXT + 32], exponent[16] = "";
            if (e->has_e)
                (void)snprintf(exponent, sizeof exponent, "%d", e->e);
            if (zeros > 1)
                (void)snprintf(text, sizeof text, "%6zu ..%4zu: %zu zeros", e->k,
                               s->events[i + zeros - 1].k, zeros);
            else
                (void)snprintf(text, sizeof text, "%6zu         a zero", e->k);
            (void)fprintf(p->out, "%-38s %5s\n", text, exponent);
            i += zeros - 1;
        } else {
            print_scales(p, s, e, &scales);
            print_term(p, s, e, v);
        }
    }
    if (leaves_out)
        gemm_print_left_out(p, &rows, "terms", "cut");
}

static const char *name_of(fpx_mma_part part)
{
    static const char *const names[] = { [FPX_MMA_PART_PRODUCTS] = "products",
                                         [FPX_MMA_PART_EVEN] = "even terms",
                                         [FPX_MMA_PART_ODD] = "odd terms",
                                         [FPX_MMA_PART_C] = "c",
                                         [FPX_MMA_PART_ALL] = "c + products" };

    return names[part];
}

/* What was cut toward minus infinity: the number with the mark, then, where that is not its digits, what it became. */
static void print_cut(gemm_page *p, const fpx_mma_event *e, const gemm_view *v)
{
    const gemm_view own = { v->top, e->at, v->room };

    if (e->lost.m == 0 && e->part != FPX_MMA_PART_C && e->part != FPX_MMA_PART_ALL)
        return;
    if (e->is_dropped) {
        print_left(p, "       c is too far below 2^%d: dropped", e->e);
        (void)fputc('\n', p->out);
        return;
    }
    print_left(p, "       %s, down to 2^%d ", name_of((fpx_mma_part)e->part), e->at);
    gemm_print_digits(p, &e->exact, &own);
    if (e->lost.m != 0 && e->exact.negative) {
        print_left(p, "       becomes ");
        gemm_print_digits(p, &e->kept, &own);
    }
}

/* What is lost by events of a kind. */
static long double lost_by(const gemm_step *s, uint8_t kind, uint8_t other)
{
    long double lost = 0.0L;

    for (size_t i = 0; i < s->n; i++) {
        if (s->events[i].kind == kind || s->events[i].kind == other)
            lost += gemm_near(&s->events[i].lost);
    }
    return lost;
}

static void print_end(gemm_page *p, const gemm_step *s, const fpx_mma_event *e, const gemm_view *v)
{
    const gemm_view own = { v->top, gemm_last_place(p->model, e, p->model->fraction_out), v->room };
    const gemm_view result = { v->top > own.at ? v->top : own.at, own.at, v->room };
    char text[GEMM_TEXT], lost[GEMM_TEXT];

    if (e->exact.kind == FPX_MMA_VALUE_FINITE &&
        (e->lost.m != 0 || p->model->sum == FPX_MMA_EXACT)) {
        print_left(p, "       sum, %s at 2^%d ", gemm_round_text(p->model), own.at);
        gemm_print_digits(p, &e->exact, &result);
    }
    if (e->lost.m != 0 && e->kept.kind == FPX_MMA_VALUE_FINITE) {
        print_left(p, "       result ");
        gemm_print_digits(p, &e->kept, &result);
    }
    (void)fprintf(p->out, "       = %s (0x%0*" PRIx64 ")", gemm_code_text(&e->result, text),
                  (e->result.format->bits + 3) / 4, e->result.code);
    if (e->exact.kind == FPX_MMA_VALUE_FINITE) {
        const long double cut = lost_by(s, FPX_MMA_EVENT_TERM, FPX_MMA_EVENT_CUT);
        if (p->model->sum == FPX_MMA_ALIGNED)
            (void)fprintf(p->out, cut == 0.0L ? "; cut off: nothing" : "; cut off: %.7Lg", cut);
        (void)fprintf(p->out, "; rounded off: %s",
                      e->kept.kind == FPX_MMA_VALUE_FINITE ? gemm_value_text(&e->lost, lost)
                                                           : "it is beyond the largest number");
    }
    (void)fputs("\n", p->out);
}

/* Products that are no numbers, or only c is none. */
static void print_specials(gemm_page *p, const gemm_step *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const fpx_mma_event *const e = &s->events[i];
        char a[GEMM_TEXT], b[GEMM_TEXT], x[GEMM_TEXT];
        if (e->kind != FPX_MMA_EVENT_PRODUCT || e->exact.kind == FPX_MMA_VALUE_FINITE)
            continue;
        (void)fprintf(p->out, "%6zu %15s %15s       = %s\n", e->k,
                      gemm_element_text(&e->a, e->a_given, a),
                      gemm_element_text(&e->b, e->b_given, b), gemm_value_text(&e->exact, x));
    }
}

void gemm_print_block(gemm_page *p, const gemm_step *s)
{
    const fpx_mma_event *const end = &s->events[s->n - 1];
    const gemm_view v = view_of(p, s);
    const uint8_t kind =
        p->model->sum == FPX_MMA_ALIGNED ? FPX_MMA_EVENT_TERM : FPX_MMA_EVENT_PRODUCT;
    const int is_number = end->exact.kind == FPX_MMA_VALUE_FINITE;

    if (!is_number) {
        print_specials(p, s);
        print_end(p, s, end, &v);
        return;
    }
    (void)fprintf(p->out, "%6s %15s %15s %5s ", "k", "a", "b",
                  p->model->sum == FPX_MMA_ALIGNED ? "e" : "2^");
    gemm_print_scale(p, &v);
    if (p->model->sum == FPX_MMA_EXACT) {
        const fpx_mma_value c = fpx_mma_value_of(s->events[0].c.format, s->events[0].c.code);
        char exponent[16] = "";
        if (c.kind == FPX_MMA_VALUE_FINITE && c.m != 0)
            (void)snprintf(exponent, sizeof exponent, "%d", gemm_top(&c));
        print_c(p, s, exponent);
        gemm_print_digits(p, &c, &v);
    }
    print_terms(p, s, kind, &v);
    for (size_t i = 0; i < s->n; i++) {
        const fpx_mma_event *const e = &s->events[i];
        if (e->kind == FPX_MMA_EVENT_SUM && (e->part != FPX_MMA_PART_ALL || end->lost.m == 0)) {
            const gemm_view own = { v.top, e->has_e ? e->at : v.at, v.room };
            if (e->part == FPX_MMA_PART_ALL)
                print_left(p, "       sum ");
            else if (!e->has_e)
                print_left(p, "       sum of %s ", name_of((fpx_mma_part)e->part));
            else
                print_left(p, "       sum of %s (E = %d) ", name_of((fpx_mma_part)e->part), e->e);
            gemm_print_digits(p, &e->exact, &own);
        } else if (e->kind == FPX_MMA_EVENT_CUT) {
            print_cut(p, e, &v);
        }
    }
    print_end(p, s, end, &v);
}
