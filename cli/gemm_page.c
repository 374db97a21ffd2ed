/* gemm_page.c - a table a block. Digits of one column have one weight, so that it is seen what falls off. */
#include "gemm_page.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum {
    LEFT = 45, /* columns before the bits: of operations, OPERATION_LEFT */
    OPERATION_LEFT = 61,
    WIDTH = 100,
    TABLE_DIGITS = 7, /* of a number in a table; its code is in the JSON */
    ACCUMULATOR_DIGITS = 9,
    SCALES_TEXT = 2 * GEMM_TEXT + 8,
    ROWS_MOST = 48,    /* of a table: beyond, terms that lose nothing are left out */
    DIGITS_BEFORE = 24 /* of an operation: significant digits before the mark that are drawn */
};

/* ---- numbers ---- */
static const char *code_text(const fpx_mma_code *x, int most, char ret_text[GEMM_TEXT])
{
    const int enough = x->format->mbits > 23 ? 17 : (x->format->mbits > 10 ? 9 : 6);
    const int digits = enough < most ? enough : most;
    const double value = fpx_format_value(x->format, x->code);

    if (isnan(value))
        (void)snprintf(ret_text, GEMM_TEXT, "NaN");
    else if (isinf(value))
        (void)snprintf(ret_text, GEMM_TEXT, value < 0.0 ? "-Inf" : "Inf");
    else
        (void)snprintf(ret_text, GEMM_TEXT, "%.*g", digits, value);
    return ret_text;
}

const char *gemm_code_text(const fpx_mma_code *x, char ret_text[GEMM_TEXT])
{
    return code_text(x, 17, ret_text);
}

int gemm_top(const fpx_mma_value *x)
{
    int top = -1;

    for (uint64_t m = x->m; m != 0; m >>= 1)
        top++;
    return top + x->q;
}

const char *gemm_value_text(const fpx_mma_value *x, char ret_text[GEMM_TEXT])
{
    if (x->kind != FPX_MMA_VALUE_FINITE)
        (void)snprintf(ret_text, GEMM_TEXT, "%s",
                       x->kind == FPX_MMA_VALUE_NAN ? "NaN" : (x->negative ? "-Inf" : "Inf"));
    else if (x->m == 0)
        (void)snprintf(ret_text, GEMM_TEXT, "nothing");
    else if (x->m == 1 && (x->q < -10 || x->q > 10))
        (void)snprintf(ret_text, GEMM_TEXT, "%s2^%d", x->negative ? "-" : "", x->q);
    else
        (void)snprintf(ret_text, GEMM_TEXT, "%.7Lg", gemm_near(x));
    return ret_text;
}

/* ---- bits ---- */
/* A window onto binary digits: weights from 2^top down, a mark after 2^at. */
typedef struct view {
    int top, at;
    int room; /* columns, the sign not among them */
} view;

typedef struct digits {
    char text[WIDTH + 8];
    size_t n, mark; /* its length; where the mark stands */
} digits;

static void put(digits *d, int room, const char *text)
{
    for (; *text != '\0' && d->n < (size_t)room; text++)
        d->text[d->n++] = *text;
    d->text[d->n] = '\0';
}

static int bit_of(const fpx_mma_value *x, int weight)
{
    const int shift = weight - x->q;

    return shift >= 0 && shift < 64 && (x->m >> shift & 1) != 0;
}

static digits draw(const fpx_mma_value *x, const view *v)
{
    digits d = { .n = 0 };
    const int first = x->m == 0 ? v->at : gemm_top(x);
    int weight = v->top;

    d.mark = WIDTH;
    if (x->m != 0 && first > v->top) {
        put(&d, v->room, "..");
        weight -= 2;
    }
    for (;; weight--) {
        if (weight == v->at - 1) {
            d.mark = d.n;
            put(&d, v->room, "|");
        }
        if (weight < v->at && (x->m == 0 || weight < x->q))
            break;
        if (d.n + 2 >= (size_t)v->room) {
            put(&d, v->room, "..");
            return d;
        }
        put(&d, v->room,
            weight > first ? (weight < v->at ? "0" : " ") : (bit_of(x, weight) ? "1" : "0"));
    }
    if (x->more)
        put(&d, v->room, "..");
    return d;
}

static void print_digits(gemm_page *p, const fpx_mma_value *x, const view *v)
{
    const digits d = draw(x, v);
    const int has_lost = d.mark + 1 < d.n;
    const size_t kept = has_lost ? d.mark + 1 : d.n;

    (void)fprintf(p->out, "%c%.*s%s%s%s\n", x->negative ? '-' : ' ', (int)kept, d.text,
                  has_lost && p->colours ? "\033[31m" : "", d.text + kept,
                  has_lost && p->colours ? "\033[0m" : "");
}

/* "2^24          2^-1|": the weights of the first column and of the last one before the mark. */
static void print_scale(gemm_page *p, const view *v)
{
    char first[16], last[16];
    const int columns = v->top - v->at + 1;

    (void)snprintf(first, sizeof first, "2^%d", v->top);
    (void)snprintf(last, sizeof last, "2^%d", v->at);
    const int gap = columns - (int)strlen(first) - (int)strlen(last);
    if (columns > v->room || gap < 1)
        (void)fprintf(p->out, " %*s|\n", columns > v->room ? 1 : columns, last);
    else
        (void)fprintf(p->out, " %s%*s%s|\n", first, gap, "", last);
}

__attribute__((format(printf, 2, 3))) static void print_left(gemm_page *p, const char *format, ...)
{
    char text[WIDTH];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)fprintf(p->out, "%-*s", LEFT, text);
}

/* ---- ALIGNED and EXACT ---- */
static const fpx_mma_event *product_of(const gemm_step *s, size_t k)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->events[i].kind == FPX_MMA_EVENT_PRODUCT && s->events[i].k == k)
            return &s->events[i];
    }
    return &s->events[0];
}

static const fpx_mma_event *find(const gemm_step *s, fpx_mma_event_kind kind, fpx_mma_part part)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->events[i].kind == kind && s->events[i].part == part)
            return &s->events[i];
    }
    return NULL;
}

/* Exponent of the result's last place. */
static int last_place(const fpx_mma_model *model, const fpx_mma_event *e, int fraction)
{
    const int least = 1 - model->format.bias;
    const fpx_mma_value *const x =
        e->kept.kind == FPX_MMA_VALUE_FINITE && e->kept.m != 0 ? &e->kept : &e->exact;
    const int top = x->m == 0 ? least : gemm_top(x);

    return (top > least ? top : least) - fraction;
}

/* The weights that a table needs: its highest digit, and the place of the cut. */
static view view_of(const gemm_page *p, const gemm_step *s)
{
    view v = { .top = -100000, .at = 100000, .room = WIDTH - LEFT - 1 };

    for (size_t i = 0; i < s->n; i++) {
        const fpx_mma_event *const e = &s->events[i];
        if (e->kind == FPX_MMA_EVENT_BLOCK || e->exact.kind != FPX_MMA_VALUE_FINITE)
            continue;
        if (e->exact.m != 0 && gemm_top(&e->exact) > v.top)
            v.top = gemm_top(&e->exact);
        if (e->kind == FPX_MMA_EVENT_TERM && e->at < v.at)
            v.at = e->at;
        if (e->kind == FPX_MMA_EVENT_ROUND && v.at == 100000)
            v.at = last_place(p->model, e, p->model->fraction_out);
    }
    if (v.top < v.at)
        v.top = v.at;
    return v;
}

static void scales_text(const fpx_mma_event *product, char text[SCALES_TEXT])
{
    char a[GEMM_TEXT], b[GEMM_TEXT];

    text[0] = '\0';
    if (product->scale_a.format != NULL && product->scale_b.format != NULL)
        (void)snprintf(text, SCALES_TEXT, "%s x %s", gemm_code_text(&product->scale_a, a),
                       gemm_code_text(&product->scale_b, b));
}

/* The element as the unit reads it; a mark where that is not what lies in memory. */
static const char *element_text(const fpx_mma_code *read, uint64_t given, char text[GEMM_TEXT])
{
    const size_t n = strlen(code_text(read, TABLE_DIGITS, text));

    if (read->code != given && n + 2 < GEMM_TEXT)
        memcpy(text + n, "*", 2);
    return text;
}

static int is_misread(const gemm_step *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->events[i].a_given != s->events[i].a.code ||
            s->events[i].b_given != s->events[i].b.code)
            return 1;
    }
    return 0;
}

static void print_c(gemm_page *p, const gemm_step *s, const char *exponent)
{
    char text[GEMM_TEXT], c[GEMM_TEXT + 8];

    (void)snprintf(c, sizeof c, "%6s %15s", "c",
                   code_text(&s->events[0].c, ACCUMULATOR_DIGITS, text));
    print_left(p, "%-38s %5s ", c, exponent);
}

/* k, a, b, e; then the bits. */
static void print_term(gemm_page *p, const gemm_step *s, const fpx_mma_event *e, const view *v)
{
    const fpx_mma_event *const product = product_of(s, e->k);
    char a[GEMM_TEXT], b[GEMM_TEXT], scales[SCALES_TEXT], exponent[16] = "";
    view own = *v;

    if (e->kind == FPX_MMA_EVENT_TERM) {
        own.at = e->at;
        if (e->has_e)
            (void)snprintf(exponent, sizeof exponent, "%d", e->e);
    }
    if (e->kind == FPX_MMA_EVENT_TERM && e->count == 0) {
        print_c(p, s, exponent);
    } else if (e->kind == FPX_MMA_EVENT_TERM && p->model->group > 0) {
        char group[2 * GEMM_TEXT + SCALES_TEXT];
        scales_text(product, scales);
        (void)snprintf(group, sizeof group, "%6zu-%zu, scales %s", e->k, e->k + e->count - 1,
                       scales[0] != '\0' ? scales : "none");
        print_left(p, "%-38s %5s ", group, exponent);
    } else {
        print_left(p, "%6zu %15s %15s %5s ", e->k, element_text(&product->a, product->a_given, a),
                   element_text(&product->b, product->b_given, b), exponent);
    }
    print_digits(p, &e->exact, &own);
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
    char text[SCALES_TEXT];

    if (e->count == 0 || p->model->group > 0 || product->scale_a.format == NULL)
        return;
    if (*last != NULL && (*last)->scale_a.code == product->scale_a.code &&
        (*last)->scale_b.code == product->scale_b.code)
        return;
    scales_text(product, text);
    (void)fprintf(p->out, "       scales %s\n", text);
    *last = product;
}

static void print_terms(gemm_page *p, const gemm_step *s, uint8_t kind, const view *v)
{
    const int leaves_out = count_of(s, kind) > ROWS_MOST;
    const fpx_mma_event *scales = NULL;
    size_t left_out = 0;

    for (size_t i = 0; i < s->n; i++) {
        const fpx_mma_event *const e = &s->events[i];
        const size_t zeros = zeros_from(s, i, kind);
        if (e->kind != kind)
            continue;
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
        } else if (leaves_out && e->lost.m == 0 && e->count > 0) {
            left_out++;
        } else {
            print_scales(p, s, e, &scales);
            print_term(p, s, e, v);
        }
    }
    if (left_out > 0)
        (void)fprintf(p->out, "       %zu more terms, of which nothing is cut\n", left_out);
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
static void print_cut(gemm_page *p, const fpx_mma_event *e, const view *v)
{
    const view own = { v->top, e->at, v->room };

    if (e->lost.m == 0 && e->part != FPX_MMA_PART_C && e->part != FPX_MMA_PART_ALL)
        return;
    if (e->is_dropped) {
        print_left(p, "       c is too far below 2^%d: dropped", e->e);
        (void)fputc('\n', p->out);
        return;
    }
    print_left(p, "       %s, down to 2^%d ", name_of((fpx_mma_part)e->part), e->at);
    print_digits(p, &e->exact, &own);
    if (e->lost.m != 0 && e->exact.negative) {
        print_left(p, "       becomes ");
        print_digits(p, &e->kept, &own);
    }
}

static const char *round_name(const fpx_mma_model *model)
{
    static const char *const names[] = { "to nearest even", "to nearest", "toward zero" };

    return names[model->round];
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

static void print_end(gemm_page *p, const gemm_step *s, const fpx_mma_event *e, const view *v)
{
    const view own = { v->top, last_place(p->model, e, p->model->fraction_out), v->room };
    const view result = { v->top > own.at ? v->top : own.at, own.at, v->room };
    char text[GEMM_TEXT], lost[GEMM_TEXT];

    if (e->exact.kind == FPX_MMA_VALUE_FINITE &&
        (e->lost.m != 0 || p->model->sum == FPX_MMA_EXACT)) {
        print_left(p, "       sum, %s at 2^%d ", round_name(p->model), own.at);
        print_digits(p, &e->exact, &result);
    }
    if (e->lost.m != 0 && e->kept.kind == FPX_MMA_VALUE_FINITE) {
        print_left(p, "       result ");
        print_digits(p, &e->kept, &result);
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
                      element_text(&e->a, e->a_given, a), element_text(&e->b, e->b_given, b),
                      gemm_value_text(&e->exact, x));
    }
}

static void print_block(gemm_page *p, const gemm_step *s)
{
    const fpx_mma_event *const end = &s->events[s->n - 1];
    const view v = view_of(p, s);
    const uint8_t kind =
        p->model->sum == FPX_MMA_ALIGNED ? FPX_MMA_EVENT_TERM : FPX_MMA_EVENT_PRODUCT;
    const int is_number = end->exact.kind == FPX_MMA_VALUE_FINITE;

    if (!is_number) {
        print_specials(p, s);
        print_end(p, s, end, &v);
        return;
    }
    (void)fprintf(p->out, "%6s %15s %15s %5s ", "k", "a", "b",
                  p->model->sum == FPX_MMA_ALIGNED ? "e" : "");
    print_scale(p, &v);
    if (p->model->sum == FPX_MMA_EXACT) {
        const fpx_mma_value c = fpx_mma_value_of(s->events[0].c.format, s->events[0].c.code);
        print_c(p, s, "");
        print_digits(p, &c, &v);
    }
    print_terms(p, s, kind, &v);
    for (size_t i = 0; i < s->n; i++) {
        const fpx_mma_event *const e = &s->events[i];
        if (e->kind == FPX_MMA_EVENT_SUM && (e->part != FPX_MMA_PART_ALL || end->lost.m == 0)) {
            const view own = { v.top, e->has_e ? e->at : v.at, v.room };
            if (e->part == FPX_MMA_PART_ALL)
                print_left(p, "       sum ");
            else if (!e->has_e)
                print_left(p, "       sum of %s ", name_of((fpx_mma_part)e->part));
            else
                print_left(p, "       sum of %s (E = %d) ", name_of((fpx_mma_part)e->part), e->e);
            print_digits(p, &e->exact, &own);
        } else if (e->kind == FPX_MMA_EVENT_CUT) {
            print_cut(p, e, &v);
        }
    }
    print_end(p, s, end, &v);
}

/* ---- operations ---- */
/* One operation in a row: what, operands, result; the exact significand with a mark where it is rounded. */
static void print_operation(gemm_page *p, const fpx_mma_event *e)
{
    const int at = last_place(p->model, e, p->model->format.mbits);
    const int top = e->exact.m == 0 ? at : gemm_top(&e->exact);
    const view v = { top - at > DIGITS_BEFORE ? at + DIGITS_BEFORE : (top > at ? top : at), at,
                     WIDTH - OPERATION_LEFT - 1 };
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
    (void)fprintf(p->out, "%6s %15s %15s %15s%s%5s ", what, element_text(&e->a, e->a_given, a),
                  element_text(&e->b, e->b_given, b),
                  code_text(&e->result, ACCUMULATOR_DIGITS, result),
                  e->rounded != e->result.code ? "!" : " ", exponent);
    if (e->exact.kind == FPX_MMA_VALUE_FINITE)
        print_digits(p, &e->exact, &v);
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
    int flushes = 0;

    print_heading(p, "a", "b", "result");
    for (size_t i = 1; i < s->n; i++) {
        print_operation(p, &s->events[i]);
        flushes |= s->events[i].rounded != s->events[i].result.code;
    }
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
            print_block(p, s);
    }
}
