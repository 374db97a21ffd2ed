/* test_mma_theorems.c - what fpx/mma_separate.h proves, attacked: random models of every kind, in random formats, against
 * what the theorems make of them; no input may tell the two apart. (A plain program: its counts are its result.)
 *
 * test_mma_theorems [MODELS [TRIES [SEED]]] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/mma_separate.h>

enum { FIELDS = 64 };

static uint64_t state;

static uint64_t next(void) /* SplitMix64 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int between(int least, int most)
{
    return least + (int)(next() % (uint64_t)(most - least + 1));
}

static int rarely(int n)
{
    return between(1, n) == 1;
}

static void draw_order(fpx_mma_model *m)
{
    static const uint16_t blocks[] = { 1, 2, 3, 4, 8, 16 };

    m->block = blocks[between(0, 5)];
    m->vectors = rarely(4) ? (uint16_t)between(2, 3) : 1;
    m->width = m->vectors > 1 ? (uint16_t)between(1, 3) : 0;
    m->step = rarely(2) ? (uint32_t)between(0, 12) : m->block * (uint32_t)between(1, 3);
    m->promote = m->step > 0 && rarely(4) ? m->step * (uint32_t)between(1, 3) : 0;
    if (m->step > 0 && rarely(4)) {
        m->split = (uint32_t)between(1, 4);
        if (m->split > 1) {
            m->tile = m->step * (uint32_t)between(1, 2);
            m->deal = (uint8_t)between(0, 1);
            m->combine = (uint8_t)between(0, 1);
        }
    }
}

/* An exponent that matters in these formats: about the sum of two, or anything. */
static int16_t exponent(void)
{
    static const int16_t near[] = { -6, -12, -14, -28, -126, -252, -9, -18, -16, -32, -140 };

    return rarely(3) ? (int16_t)between(-320, 40)
                     : (int16_t)(near[between(0, 10)] + between(-3, 30));
}

static void draw_aligned(fpx_mma_model *m)
{
    m->parities = 1;
    m->fraction = (uint8_t)(rarely(4) ? m->fraction_out + between(0, 1) : between(8, 30));
    m->e_zero = rarely(5) ? FPX_MMA_ZERO_ABSENT : exponent();
    m->e_least = rarely(3) ? (int16_t)between(-20, 2) : 0;
    m->e_infinite = rarely(4) ? (int16_t)between(1, 300) : 0;
    if (m->c != FPX_MMA_C_JOINED && m->vectors == 1 && rarely(4)) {
        m->group = 2;
        m->block += m->block & 1;
        m->step += m->step & 1;
    }
    if (m->c == FPX_MMA_C_JOINED) {
        m->parities = (uint8_t)between(1, 2);
        m->fraction_sum = (uint8_t)between(20, 44);
        m->fraction_c = (uint8_t)between(20, 30);
        m->fraction_all = rarely(4) ? 0 : (uint8_t)between(20, 36);
        m->gap_c = rarely(2) ? (uint8_t)between(10, 40) : 0;
    }
}

/* A valid model; 0: this draw made none. */
static int draw_model(fpx_mma_model *m)
{
    const fpx_format *const outs[] = { &fpx_fp32, &fpx_fp16, &fpx_bf16 };

    memset(m, 0, sizeof *m);
    (void)snprintf(m->name, sizeof m->name, "random");
    m->format = *outs[between(0, 2)];
    m->nan_code = m->format.nan_code;
    m->sum = rarely(2) ? FPX_MMA_ALIGNED : (uint8_t)between(0, 3);
    m->c = m->sum == FPX_MMA_ALIGNED ? (uint8_t)between(0, 2) : rarely(2) ? FPX_MMA_C_LATE : 0;
    m->round = (uint8_t)between(0, FPX_RZ);
    m->fraction_out = m->format.mbits;
    m->drop = rarely(3) ? (uint8_t)between(1, 13) : 0;
    m->flush_inputs = (uint8_t)rarely(m->sum == FPX_MMA_TREE ? 2 : 3);
    m->flush_results = (uint8_t)(m->sum == FPX_MMA_TREE && rarely(2));
    if (m->sum == FPX_MMA_ALIGNED || m->sum == FPX_MMA_EXACT) {
        m->zero = (uint8_t)between(0, 1);
        if (rarely(4))
            m->fraction_out = (uint8_t)between(4, m->format.mbits);
    }
    draw_order(m);
    if (m->sum == FPX_MMA_ALIGNED)
        draw_aligned(m);
    return fpx_mma_model_check(m, NULL) == FPX_OK;
}

/* How often each theorem rewrote a model, and each field was rewritten. */
typedef struct counts {
    size_t models, same, refused, wrong, fields[FIELDS];
} counts;

/* The last value of a field, from `seen` toward `unseen`, that the theorems rewrite as they do `unseen`: where a wrong theorem
 * would be seen first. */
static void to_the_limit(fpx_mma_model *m, const char *name, int unseen, int seen,
                         const fpx_mma_domain *domain)
{
    const size_t field = fpx_mma_field_find(name);
    fpx_mma_model trial = *m;

    (void)fpx_mma_field_set(&trial, field, unseen);
    fpx_mma_model normal = fpx_mma_normal_form(&trial, domain);
    const int64_t is = fpx_mma_field_get(&normal, field);
    while (abs(seen - unseen) > 1) {
        const int value = (seen + unseen) / 2;
        (void)fpx_mma_field_set(&trial, field, value);
        normal = fpx_mma_normal_form(&trial, domain);
        if (fpx_mma_field_get(&normal, field) == is)
            unseen = value;
        else
            seen = value;
    }
    (void)fpx_mma_field_set(m, field, unseen);
}

static void to_limits(fpx_mma_model *m, const fpx_mma_domain *domain)
{
    if (m->sum != FPX_MMA_ALIGNED)
        return;
    if (rarely(2))
        to_the_limit(m, "e_zero", FPX_MMA_ZERO_ABSENT + 1, 100, domain);
    if (rarely(4))
        to_the_limit(m, "e_infinite", 2000, 1, domain);
    if (m->c == FPX_MMA_C_JOINED && m->fraction_all > 0 && rarely(2))
        to_the_limit(m, "fraction_sum", 48, 1, domain);
}

static void attack(const fpx_mma_preset *p, size_t tries, counts *n)
{
    static fpx_mma_separation found;
    fpx_mma_model x = p->model;
    fpx_mma_domain domain;
    fpx_error err = { 0 };
    size_t changed = 0;

    if (fpx_mma_domain_at(p, p, (size_t)between(0, 3), &domain) != FPX_OK) {
        n->refused++;
        return;
    }
    n->models++;
    to_limits(&x, &domain);
    const fpx_mma_model y = fpx_mma_normal_form(&x, &domain);
    for (size_t i = 0; fpx_mma_field_at(i) != NULL && i < FIELDS; i++) {
        const int is_new = fpx_mma_field_get(&x, i) != fpx_mma_field_get(&y, i);
        changed += (size_t)is_new;
        n->fields[i] += (size_t)is_new;
    }
    if (changed == 0) {
        n->same++;
        return;
    }
    if (fpx_mma_attack(&x, &y, &domain, tries, next(), &found, &err) != FPX_OK) {
        (void)printf("a normal form is refused: %s\n", err.text);
        n->wrong++;
    } else if (found.verdict == FPX_MMA_SEPARATED) {
        (void)printf("told apart in %s x %s, k %zu:", domain.a.name, domain.b.name,
                     found.witness.k);
        for (size_t i = 0; fpx_mma_field_at(i) != NULL; i++) {
            const int64_t was = fpx_mma_field_get(&x, i), is = fpx_mma_field_get(&y, i);
            if (was != 0 || is != 0)
                (void)printf(" %s %" PRId64, fpx_mma_field_at(i)->name, was);
            if (was != is)
                (void)printf(" -> %" PRId64, is);
        }
        (void)printf("; c 0x%" PRIx64 ", 0x%" PRIx64 " and 0x%" PRIx64 "\n", found.witness.c,
                     found.witness.d[0], found.witness.d[1]);
        n->wrong++;
    }
}

int main(int argc, char **argv)
{
    static const char *const inputs[] = { "fp16 fp32", "bf16 tf32", "e4m3 e5m2", "e5m2 e2m1",
                                          "fp16",      "e4m3",      "e5m2fnuz",  "bf16" };
    static const char *const scales[] = { "e8m0/2", "ue4m3/4" };
    const size_t models = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 1500;
    const size_t tries = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 300;
    counts n = { 0 };

    state = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
    while (n.models < models) {
        fpx_mma_preset p = { .inputs = inputs[between(0, 7)] };
        if (draw_model(&p.model)) {
            if (p.model.sum != FPX_MMA_FMA && p.model.sum != FPX_MMA_TREE && rarely(5))
                p.scales = scales[between(0, 1)];
            attack(&p, tries, &n);
        }
    }
    (void)printf(
        "%zu random models, %zu as they were, %zu of no room for their formats; %zu told apart\n",
        n.models, n.same, n.refused, n.wrong);
    for (size_t i = 0; fpx_mma_field_at(i) != NULL && i < FIELDS; i++) {
        if (n.fields[i] > 0)
            (void)printf("  %6zu: %s\n", n.fields[i], fpx_mma_field_at(i)->name);
    }
    return n.wrong > 0;
}
