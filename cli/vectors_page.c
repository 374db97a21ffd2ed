/* vectors_page.c - verdicts on pairs of matrix units for people. */
#include <inttypes.h>
#include <stdio.h>

#include "vectors_comparison.h"

enum { COLUMN = 26 }; /* of a code and its value */

/* Names of the theorems that a proof needs: "a, b". */
static void theorems_text(uint64_t theorems, char *ret_text, size_t room)
{
    size_t used = 0;

    (void)snprintf(ret_text, room, "the same numbers");
    for (size_t i = 0; fpx_mma_theorem_at(i) != NULL && used < room; i++) {
        if ((theorems >> i & 1) != 0)
            used += (size_t)snprintf(ret_text + used, room - used, "%s%s", used > 0 ? ", " : "",
                                     fpx_mma_theorem_at(i)->name);
    }
}

/* "0x3c00 1", in a column of this width. */
static void print_code(const fpx_format *format, uint64_t code, int width)
{
    char text[48];

    (void)snprintf(text, sizeof text, "0x%0*" PRIx64 " %.17g", (format->bits + 3) / 4, code,
                   fpx_format_value(format, code));
    (void)printf("  %-*s", width, text);
}

static void print_line(const char *label, const fpx_format *format, uint64_t code, const char *of)
{
    (void)printf("  %-5s", label);
    print_code(format, code, COLUMN);
    (void)printf("  %s\n", of);
}

static void print_witness(const vectors_comparison *c)
{
    const fpx_mma_witness *const w = &c->s.witness;
    const fpx_mma_domain *const d = &w->domain;
    const fpx_format *const out = &c->x->model.format;

    (void)printf(
        "  K = %zu; products that are not listed are +0 times +0\n\n  %-5s  A: %-23s  B: %s\n",
        w->k, "k", d->a.name, d->b.name);
    for (size_t k = 0; k < w->k; k++) {
        const size_t block = d->scale_block > 0 ? k / d->scale_block : 0;
        if (d->scale_block > 0 && k % d->scale_block == 0) {
            (void)printf("  scale");
            print_code(&d->scale, w->scale_a[block], COLUMN);
            print_code(&d->scale, w->scale_b[block], COLUMN);
            (void)printf("  %s, from k = %zu\n", d->scale.name, k);
        }
        if (w->a[k] == 0 && w->b[k] == 0)
            continue;
        (void)printf("  %-5zu", k);
        print_code(&d->a, w->a[k], COLUMN);
        print_code(&d->b, w->b[k], 0);
        (void)putchar('\n');
    }
    print_line("C", out, w->c, out->name);
    (void)putchar('\n');
    print_line("D", out, w->d[0], vectors_first(c));
    print_line("D", out, w->d[1], c->what);
}

/* Lengths along k that no input here reaches. */
static void print_long(const vectors_comparison *c)
{
    (void)printf("  an input has at most %d k here, too few to tell them apart; a longer one may\n",
                 FPX_MMA_WITNESS_MAX);
    for (size_t i = 0; fpx_mma_field_at(i) != NULL; i++) {
        const int64_t x = fpx_mma_field_get(&c->x->model, i),
                      y = fpx_mma_field_get(&c->y->model, i);
        if (x != y && (x > FPX_MMA_WITNESS_MAX || y > FPX_MMA_WITNESS_MAX))
            (void)printf("  %s: %" PRId64 " and %" PRId64 "\n", fpx_mma_field_at(i)->name, x, y);
    }
}

void vectors_print(const vectors_comparison *c)
{
    (void)printf("%s and %s: %s\n", vectors_first(c), c->what, vectors_verdict(c));
    switch (c->s.verdict) {
    case FPX_MMA_SEPARATED:
        (void)printf("  by %s: %s\n", c->s.probe, c->s.why);
        print_witness(c);
        break;
    case FPX_MMA_EQUIVALENT:
        if (c->s.theorems == 0)
            (void)puts("  every parameter is the same");
        for (size_t i = 0; fpx_mma_theorem_at(i) != NULL; i++) {
            if ((c->s.theorems >> i & 1) != 0)
                (void)printf("  %s: %s\n", fpx_mma_theorem_at(i)->name,
                             fpx_mma_theorem_at(i)->statement);
        }
        break;
    case FPX_MMA_UNRESOLVED:
        if (c->s.is_long)
            print_long(c);
        else
            (void)printf("  no proof, and no input of %zu, with at most %d k, separates them: a "
                         "longer one may\n",
                         c->s.tries, FPX_MMA_WITNESS_MAX);
        break;
    }
}

void vectors_print_row(const vectors_comparison *c)
{
    char text[256];

    if (c->status != FPX_OK)
        (void)snprintf(text, sizeof text, "no input that both take");
    else if (c->s.verdict == FPX_MMA_SEPARATED)
        (void)snprintf(text, sizeof text, "by %s, K = %zu", c->s.probe, c->s.witness.k);
    else if (c->s.verdict == FPX_MMA_EQUIVALENT)
        theorems_text(c->s.theorems, text, sizeof text);
    else if (c->s.is_long)
        (void)snprintf(text, sizeof text, "more than %d k are needed", FPX_MMA_WITNESS_MAX);
    else
        (void)snprintf(text, sizeof text, "after %zu inputs of at most %d k", c->s.tries,
                       FPX_MMA_WITNESS_MAX);
    (void)printf("  %-37s %-10s  %s\n", c->what, vectors_verdict(c), text);
}
