/* test_mma_separate.c - every single-parameter mutant of every preset, and every pair of presets with the same types:
 * separated by an input that fpx_mma confirms, or equivalent by a theorem that random inputs do not break. None may be
 * left. (A plain program: its counts are its result.)
 *
 * test_mma_separate [RANDOM-TRIES-OF-AN-ATTACK] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/mma_separate.h>

enum { PRESETS = 256, THEOREMS = 64, PROBES = 16, SEARCH_TRIES = 200000, DOMAINS = 5 };

/* What came out of all comparisons. */
typedef struct counts {
    size_t separated, equivalent, unresolved, refused, wrong;
    size_t by_theorem[THEOREMS + 1]; /* the last: the same numbers */
    struct {
        const char *name;
        size_t n;
    } by_probe[PROBES]; /* until a name is NULL */
} counts;

static size_t attack_tries = 10000;

static void count_probe(counts *total, const char *name)
{
    size_t i = 0;

    while (i + 1 < PROBES && total->by_probe[i].name != NULL &&
           strcmp(total->by_probe[i].name, name) != 0)
        i++;
    total->by_probe[i].name = name;
    total->by_probe[i].n++;
}

static const char *field_text(const fpx_mma_model *m, size_t field, char *text, size_t room)
{
    (void)snprintf(text, room, "%s %" PRId64, fpx_mma_field_at(field)->name,
                   fpx_mma_field_get(m, field));
    return text;
}

/* The vector once more, through fpx_mma, from nothing. */
static int is_confirmed(const fpx_mma_preset *x, const fpx_mma_preset *y,
                        const fpx_mma_separation *s)
{
    uint64_t d[2] = { 0, 0 };

    return fpx_mma_witness_run(&x->model, &s->witness, &d[0], NULL) == FPX_OK &&
           fpx_mma_witness_run(&y->model, &s->witness, &d[1], NULL) == FPX_OK && d[0] != d[1] &&
           d[0] == s->witness.d[0] && d[1] == s->witness.d[1];
}

/* 1 where inputs of some domain tell two apart that were proved equivalent. Some domains are enough: a unit of any
 * format has 169 of them. */
static int is_broken(const fpx_mma_preset *x, const fpx_mma_preset *y)
{
    static fpx_mma_separation attack;
    fpx_mma_domain d;
    size_t n = 0;

    while (fpx_mma_domain_at(x, y, n, &d) == FPX_OK)
        n++;
    for (size_t i = 0; i < n; i += 1 + n / DOMAINS) {
        if (fpx_mma_domain_at(x, y, i, &d) != FPX_OK ||
            fpx_mma_attack(&x->model, &y->model, &d, attack_tries, 7, &attack, NULL) != FPX_OK ||
            attack.verdict == FPX_MMA_SEPARATED)
            return 1;
    }
    return 0;
}

static void compare(const fpx_mma_preset *x, const fpx_mma_preset *y, const char *what,
                    counts *total)
{
    static fpx_mma_separation s;
    fpx_error err = { 0 };
    const fpx_status status = fpx_mma_separate(x, y, SEARCH_TRIES, 1, NULL, &s, &err);

    if (status != FPX_OK) {
        total->refused++;
        return;
    }
    switch (s.verdict) {
    case FPX_MMA_SEPARATED:
        total->separated++;
        count_probe(total, s.probe);
        if (!is_confirmed(x, y, &s)) {
            (void)printf("%s: %s: the vector of '%s' does not separate\n", x->model.name, what,
                         s.probe);
            total->wrong++;
        }
        break;
    case FPX_MMA_EQUIVALENT:
        total->equivalent++;
        for (size_t i = 0; i < THEOREMS; i++)
            total->by_theorem[i] += s.theorems >> i & 1;
        total->by_theorem[THEOREMS] += s.theorems == 0;
        if (s.theorems != 0 && is_broken(x, y)) {
            (void)printf("%s: %s: proved equivalent, and separated\n", x->model.name, what);
            total->wrong++;
        }
        break;
    case FPX_MMA_UNRESOLVED:
        total->unresolved++;
        (void)printf("%s: %s: unresolved after %zu tries\n", x->model.name, what, s.tries);
        break;
    }
    (void)fflush(stdout);
}

static int is_text(const char *x, const char *y)
{
    return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

static int is_same(const fpx_mma_preset *x, const fpx_mma_preset *y)
{
    int same = fpx_format_equal(&x->model.format, &y->model.format) &&
               is_text(x->inputs, y->inputs) && is_text(x->scales, y->scales);

    for (size_t i = 0; fpx_mma_field_at(i) != NULL; i++)
        same &= fpx_mma_field_get(&x->model, i) == fpx_mma_field_get(&y->model, i);
    return same;
}

static void mutants(const fpx_mma_preset *p, counts *total)
{
    fpx_mma_preset mutant = *p;
    size_t cursor = 0, field;
    char what[64];

    while (fpx_mma_mutant_next(&p->model, &cursor, &mutant.model, &field) == FPX_OK)
        compare(p, &mutant, field_text(&mutant.model, field, what, sizeof what), total);
}

static void print(const char *what, const counts *c)
{
    (void)printf("%s: %zu separated, %zu equivalent, %zu unresolved, %zu refused, %zu wrong\n",
                 what, c->separated, c->equivalent, c->unresolved, c->refused, c->wrong);
    for (size_t i = 0; i < PROBES && c->by_probe[i].name != NULL; i++)
        (void)printf("  %4zu separated by '%s'\n", c->by_probe[i].n, c->by_probe[i].name);
    for (size_t i = 0; fpx_mma_theorem_at(i) != NULL; i++) {
        if (c->by_theorem[i] > 0)
            (void)printf("  %4zu equivalent by '%s'\n", c->by_theorem[i],
                         fpx_mma_theorem_at(i)->name);
    }
    if (c->by_theorem[THEOREMS] > 0)
        (void)printf("  %4zu equivalent with the same numbers\n", c->by_theorem[THEOREMS]);
}

/* Lengths beyond every input's: what is said to need more k withstands the probes and random inputs. The number of faults. */
static size_t too_long(void)
{
    static const struct {
        const char *like, *field;
        int64_t x, y;
    } rows[] = { { "hopper/cublaslt-slow/fp8-fp32", "promote", 1024, 8192 },
                 { "hopper/cublaslt-slow/fp8-fp32", "step", 1024, 4096 },
                 { "hopper/mma.sync/fp8-fp16", "step", 2048, 0 },
                 { "ideal/pairwise/any-fp32", "block", 1024, 0 },
                 { "ideal/pairwise/any-fp32", "block", 1024, 4000000 } };
    static fpx_mma_separation s;
    size_t faults = 0;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const size_t field = fpx_mma_field_find(rows[i].field);
        fpx_mma_preset x, y;
        if (fpx_mma_preset_find(rows[i].like, &x, NULL) != FPX_OK)
            return 1;
        x.model.promote = strcmp(rows[i].field, "promote") == 0 ? x.model.promote : 0;
        y = x;
        if (fpx_mma_field_set(&x.model, field, rows[i].x) != FPX_OK ||
            fpx_mma_field_set(&y.model, field, rows[i].y) != FPX_OK ||
            fpx_mma_separate(&x, &y, 1, 1, NULL, &s, NULL) != FPX_OK ||
            (s.verdict != FPX_MMA_EQUIVALENT && !s.is_long) || is_broken(&x, &y)) {
            (void)printf("%s, %s %" PRId64 " and %" PRId64 ": not told as too long\n", rows[i].like,
                         rows[i].field, rows[i].x, rows[i].y);
            faults++;
        }
    }
    return faults;
}

int main(int argc, char **argv)
{
    static fpx_mma_preset presets[PRESETS];
    static counts of_mutants, of_pairs;
    size_t n = 0, distinct = 0;

    if (argc > 1)
        attack_tries = (size_t)strtoul(argv[1], NULL, 10);
    of_mutants.wrong = too_long();
    (void)printf("%zu wrong of lengths that no input reaches\n", of_mutants.wrong);
    (void)fflush(stdout);
    while (n < PRESETS && fpx_mma_preset_at(n, &presets[n]) == FPX_OK)
        n++;
    for (size_t i = 0; i < n; i++) {
        int is_new = 1;
        for (size_t j = 0; j < i; j++)
            is_new &= !is_same(&presets[i], &presets[j]);
        distinct += (size_t)is_new;
        if (is_new)
            mutants(&presets[i], &of_mutants);
    }
    (void)printf("%zu presets, %zu of them distinct\n", n, distinct);
    print("mutants", &of_mutants);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            fpx_mma_domain d;
            if (fpx_mma_domain_at(&presets[i], &presets[j], 0, &d) == FPX_OK)
                compare(&presets[i], &presets[j], presets[j].model.name, &of_pairs);
        }
    }
    print("pairs", &of_pairs);
    return of_mutants.unresolved + of_mutants.wrong + of_pairs.unresolved + of_pairs.wrong > 0;
}
