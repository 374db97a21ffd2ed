/* gemm_text.c - numbers of an explanation: in decimals, and as binary digits with a mark. */
#include "gemm_text.h"

#include <math.h>
#include <string.h>

const char *gemm_digits_text(const fpx_mma_code *x, int most, char ret_text[GEMM_TEXT])
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
    return gemm_digits_text(x, 17, ret_text);
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
typedef struct digits {
    char text[GEMM_WIDTH + 8];
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

static digits draw(const fpx_mma_value *x, const gemm_view *v)
{
    digits d = { .n = 0 };
    const int first = x->m == 0 ? v->at : gemm_top(x);
    int weight = v->top;

    d.mark = GEMM_WIDTH;
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

void gemm_print_digits(const gemm_page *p, const fpx_mma_value *x, const gemm_view *v)
{
    const digits d = draw(x, v);
    const int has_lost = d.mark + 1 < d.n;
    const size_t kept = has_lost ? d.mark + 1 : d.n;

    (void)fprintf(p->out, "%c%.*s%s%s%s\n", x->negative ? '-' : ' ', (int)kept, d.text,
                  has_lost && p->colours ? "\033[31m" : "", d.text + kept,
                  has_lost && p->colours ? "\033[0m" : "");
}

/* "2^24          2^-1|": the weights of the first column and of the last one before the mark. */
void gemm_print_scale(const gemm_page *p, const gemm_view *v)
{
    char first[16], last[16];
    const int columns = v->top - v->at + 1;

    (void)snprintf(first, sizeof first, "2^%d", v->top);
    (void)snprintf(last, sizeof last, "2^%d", v->at);
    const int gap = columns - (int)strlen(first) - (int)strlen(last);
    if (columns > v->room)
        (void)fprintf(p->out, " %s ..\n", first);
    else if (gap < 1)
        (void)fprintf(p->out, " %*s|\n", columns, last);
    else
        (void)fprintf(p->out, " %s%*s%s|\n", first, gap, "", last);
}

/* Exponent of the result's last place. */
int gemm_last_place(const fpx_mma_model *model, const fpx_mma_event *e, int fraction)
{
    const int least = 1 - model->format.bias;
    const fpx_mma_value *const x =
        e->kept.kind == FPX_MMA_VALUE_FINITE && e->kept.m != 0 ? &e->kept : &e->exact;
    const int top = x->m == 0 ? least : gemm_top(x);

    return (top > least ? top : least) - fraction;
}

/* The element as the unit reads it; a mark where that is not what lies in memory. */
const char *gemm_element_text(const fpx_mma_code *read, uint64_t given, char text[GEMM_TEXT])
{
    const size_t n = strlen(gemm_digits_text(read, GEMM_TABLE_DIGITS, text));

    if (read->code != given && n + 2 < GEMM_TEXT)
        memcpy(text + n, "*", 2);
    return text;
}

const char *gemm_round_text(const fpx_mma_model *model)
{
    static const char *const names[] = { "to nearest even", "to nearest", "toward zero" };

    return names[model->round];
}
