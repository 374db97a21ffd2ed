/* mma_separate.c - a verdict on two models: the theorems first, then the probes that show a field in which the normal
 * forms differ, then every probe, then random inputs. */
#include <string.h>

#include <fpx/mma_separate.h>

#include "mma_hunt.h"
#include "mma_probes.h"
#include "mma_theorems.h"
#include "mma_words.h"

/* Where presets take any format: the widest first, in which most can be seen. */
#define ANY "fp32 fp16 bf16 e5m2 e4m3 tf32 fp64 e3m2 e2m3 e2m1 e4m3fnuz e5m2fnuz e3m4"

/* Word `index` of a list, copied; 0: it has no more. */
static int word_at(const char *list, size_t index, char *ret_word, size_t room)
{
    for (; index > 0 && list != NULL; index--) {
        list = strchr(list, ' ');
        list += list != NULL;
    }
    const size_t length = list == NULL ? 0 : strcspn(list, " ");
    if (length == 0 || length >= room)
        return 0;
    memcpy(ret_word, list, length);
    ret_word[length] = '\0';
    return 1;
}

/* A format that both take. */
static int format_at(const fpx_mma_preset *x, const fpx_mma_preset *y, size_t index,
                     fpx_format *ret_format)
{
    const char *const list = x->inputs != NULL ? x->inputs : y->inputs != NULL ? y->inputs : ANY;
    char word[FPX_FORMAT_NAME_MAX];

    for (size_t i = 0; word_at(list, i, word, sizeof word); i++) {
        if (fpx_format_parse(word, ret_format, NULL) == FPX_OK &&
            fpx_mma_preset_takes(x, ret_format, ret_format) &&
            fpx_mma_preset_takes(y, ret_format, ret_format) && index-- == 0)
            return 1;
    }
    return 0;
}

/* "e8m0/32" of both; index 0 where neither has scales. */
static int scale_at(const fpx_mma_preset *x, const fpx_mma_preset *y, size_t index,
                    fpx_mma_domain *domain)
{
    char word[32];

    if (x->scales == NULL || y->scales == NULL)
        return x->scales == y->scales && index == 0;
    for (size_t i = 0; word_at(x->scales, i, word, sizeof word); i++) {
        if (!mma_has_word(y->scales, word) || index-- != 0)
            continue;
        char *const slash = strchr(word, '/');
        if (slash == NULL)
            return 0;
        *slash = '\0';
        domain->scale_block = 0;
        for (const char *digit = slash + 1; *digit != '\0'; digit++)
            domain->scale_block = 10 * domain->scale_block + (size_t)(*digit - '0');
        return fpx_format_parse(word, &domain->scale, NULL) == FPX_OK;
    }
    return 0;
}

static fpx_status room_of(const fpx_mma_model *model, const fpx_mma_domain *d, fpx_error *err)
{
    const unsigned char nothing[8] = { 0 };
    fpx_mma_call call = { .m = 1, .n = 1, .k = 1, .c = nothing, .c_format = model->format };

    call.a = (fpx_mma_operand){ .format = d->a,
                                .scale_format = d->scale,
                                .scale_block = d->scale_block,
                                .scales = d->scale_block > 0 ? nothing : NULL };
    call.b = call.a;
    call.b.format = d->b;
    return mma_call_check(model, &call, err);
}

static fpx_status same_output(const fpx_mma_model *x, const fpx_mma_model *y, fpx_error *err)
{
    fpx_status status = fpx_mma_model_check(x, err);

    if (status == FPX_OK)
        status = fpx_mma_model_check(y, err);
    if (status == FPX_OK && !fpx_format_equal(&x->format, &y->format))
        status = fpx_error_set(err, FPX_EINVAL, "%s gives %s and %s gives %s: nothing to compare",
                               x->name, x->format.name, y->name, y->format.name);
    return status;
}

static int takes(const fpx_mma_preset *x, const fpx_mma_preset *y, const fpx_mma_domain *d,
                 fpx_error *err)
{
    return room_of(&x->model, d, err) == FPX_OK && room_of(&y->model, d, err) == FPX_OK;
}

/* Formats of A and B: pair `index`, those of two alike first; 0: no more. */
static int pair_at(const fpx_mma_preset *x, const fpx_mma_preset *y, size_t index,
                   fpx_mma_domain *domain)
{
    fpx_format format;
    size_t n = 0;

    while (format_at(x, y, n, &format))
        n++;
    if (index >= n * n)
        return 0;
    const size_t a = index % n, b = (index % n + index / n) % n;
    return format_at(x, y, a, &domain->a) && format_at(x, y, b, &domain->b);
}

/* err: why the last one that was skipped has no room. */
static fpx_status domain_at(const fpx_mma_preset *x, const fpx_mma_preset *y, size_t index,
                            fpx_mma_domain *ret_domain, fpx_error *err)
{
    fpx_mma_domain d;

    if (!fpx_format_equal(&x->model.format, &y->model.format))
        return FPX_EINVAL;
    memset(&d, 0, sizeof d);
    for (size_t s = 0; scale_at(x, y, s, &d); s++) {
        for (size_t i = 0; pair_at(x, y, i, &d); i++) {
            if (!takes(x, y, &d, err) || index-- != 0)
                continue;
            *ret_domain = d;
            return FPX_OK;
        }
    }
    return FPX_EINVAL;
}

fpx_status fpx_mma_domain_at(const fpx_mma_preset *x, const fpx_mma_preset *y, size_t index,
                             fpx_mma_domain *ret_domain)
{
    return domain_at(x, y, index, ret_domain, NULL);
}

/* Lengths that no input exceeds: one as good as another, and of blocks and steps as good as all of k. For
 * comparison alone: it may be no valid model. */
static void cap_lengths(fpx_mma_model *m)
{
    const uint32_t most = FPX_MMA_WITNESS_MAX;

    m->block = m->block >= most ? 0 : m->block;
    m->step = m->step >= most ? 0 : m->step;
    m->promote = m->promote >= most ? UINT32_MAX : m->promote;
    m->tile = m->tile >= most ? UINT32_MAX : m->tile;
    m->width = m->width >= most ? UINT16_MAX : m->width;
    m->vectors = m->vectors >= most ? UINT16_MAX : m->vectors;
}

static int differ_in_reach(fpx_mma_model x, fpx_mma_model y)
{
    cap_lengths(&x);
    cap_lengths(&y);
    return mma_fields_apart(&x, &y) > 0;
}

/* 1 where a probe shows a field in which the two differ. */
static int shows(const mma_probe *probe, const fpx_mma_model *x, const fpx_mma_model *y)
{
    for (size_t i = 0; fpx_mma_field_at(i) != NULL; i++) {
        if (fpx_mma_field_get(x, i) != fpx_mma_field_get(y, i) &&
            mma_has_word(probe->fields, fpx_mma_field_at(i)->name))
            return 1;
    }
    return 0;
}

/* The first probe of those that show a difference of x and y, or of the others, to separate t's models; NULL: none does. */
static const mma_probe *probed(mma_trial *t, const fpx_mma_model *x, const fpx_mma_model *y,
                               int others)
{
    const mma_probe *probe;

    for (size_t i = 0; (probe = mma_probe_at(i)) != NULL; i++) {
        if (shows(probe, x, y) != others && probe->run(t))
            return probe;
    }
    return NULL;
}

static const mma_probe *hunted(mma_trial *t, size_t tries)
{
    static const mma_probe hunt = { "random search", "found near the edges of both models", "",
                                    NULL };

    return mma_hunt(t, tries) ? &hunt : NULL;
}

/* A search under way and what it gives. */
typedef struct search {
    mma_trial t;
    fpx_mma_separation out;
} search;

static void search_begin(search *s, const fpx_mma_model *x, const fpx_mma_model *y, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    s->t.model[0] = x;
    s->t.model[1] = y;
    s->t.random = seed;
}

/* 1 where a probe has separated the models. */
static int search_ends(search *s, const mma_probe *probe)
{
    if (probe == NULL)
        return 0;
    mma_shrink(&s->t);
    s->out.verdict = FPX_MMA_SEPARATED;
    s->out.probe = probe->name;
    s->out.why = probe->why;
    s->out.witness = s->t.at;
    return 1;
}

fpx_status fpx_mma_attack(const fpx_mma_model *x, const fpx_mma_model *y,
                          const fpx_mma_domain *domain, size_t tries, uint64_t seed,
                          fpx_mma_separation *ret_separation, fpx_error *err)
{
    fpx_status status = same_output(x, y, err);
    search s;

    if (status == FPX_OK)
        status = room_of(x, domain, err);
    if (status == FPX_OK)
        status = room_of(y, domain, err);
    if (status != FPX_OK)
        return status;
    search_begin(&s, x, y, seed);
    s.t.at.domain = *domain;
    s.out.verdict = FPX_MMA_UNRESOLVED;
    if (!search_ends(&s, probed(&s.t, x, y, 0)))
        (void)search_ends(&s, hunted(&s.t, tries));
    s.out.tries = s.t.tries;
    *ret_separation = s.out;
    return FPX_OK;
}

/* All domains that are not proved, once: with probes, or with random inputs. The number of domains. err: why one that was
 * skipped has no room. */
static size_t round_of(search *s, const fpx_mma_preset *x, const fpx_mma_preset *y, int is_random,
                       size_t tries, fpx_error *err)
{
    fpx_mma_domain d;
    const size_t first = s->t.tries;
    const size_t most =
        tries > SIZE_MAX / FPX_MMA_TRIES_FACTOR ? SIZE_MAX : tries * FPX_MMA_TRIES_FACTOR;
    size_t n = 0;

    for (; domain_at(x, y, n, &d, err) == FPX_OK && !s->t.is_over; n++) {
        const size_t done = s->t.tries - first;
        fpx_mma_model normal_x = x->model, normal_y = y->model;
        const mma_probe *probe;
        if (mma_reduce(&d, &normal_x, &normal_y, &s->out.theorems) == 0)
            continue;
        s->out.verdict = FPX_MMA_UNRESOLVED;
        s->t.at.domain = d;
        if (!differ_in_reach(normal_x, normal_y))
            continue;
        s->out.is_long = 0;
        const size_t left = is_random && done < most ? most - done : 0;
        probe = is_random ? hunted(&s->t, left < tries ? left : tries)
                          : probed(&s->t, &normal_x, &normal_y, 0);
        if (probe == NULL && !is_random)
            probe = probed(&s->t, &normal_x, &normal_y, 1);
        if (search_ends(s, probe))
            return n + 1;
    }
    return n;
}

/* Why no domain is named by both. */
static void apart_text(const fpx_mma_preset *x, const fpx_mma_preset *y, fpx_error *ret_why)
{
    fpx_format format;

    if (!format_at(x, y, 0, &format))
        (void)fpx_error_set(ret_why, FPX_EUNSUPPORTED, "their inputs have no format in common");
    else if (x->scales != NULL && y->scales != NULL)
        (void)fpx_error_set(ret_why, FPX_EUNSUPPORTED, "their scales have no format in common");
    else
        (void)fpx_error_set(ret_why, FPX_EUNSUPPORTED,
                            "%s is compared with scales, the other without",
                            x->scales != NULL ? x->model.name : y->model.name);
}

fpx_status fpx_mma_separate(const fpx_mma_preset *x, const fpx_mma_preset *y, size_t tries,
                            uint64_t seed, const fpx_mma_watcher *watcher,
                            fpx_mma_separation *ret_separation, fpx_error *err)
{
    fpx_error why;
    const fpx_status status = same_output(&x->model, &y->model, err);
    search s;

    if (status != FPX_OK)
        return status;
    apart_text(x, y, &why);
    search_begin(&s, &x->model, &y->model, seed);
    s.t.watcher = watcher;
    s.out.is_long = 1;
    if (round_of(&s, x, y, 0, tries, &why) == 0)
        return fpx_error_set(err, FPX_EUNSUPPORTED, "%s and %s: no input that both take: %s",
                             x->model.name, y->model.name, why.text);
    if (s.out.verdict == FPX_MMA_UNRESOLVED)
        (void)round_of(&s, x, y, 1, tries, NULL);
    s.out.is_long &= s.out.verdict == FPX_MMA_UNRESOLVED;
    if (s.t.is_over)
        return fpx_error_set(err, FPX_EINTERRUPTED, "interrupted after %zu inputs: no verdict",
                             s.t.tries);
    s.out.tries = s.t.tries;
    *ret_separation = s.out;
    return FPX_OK;
}
