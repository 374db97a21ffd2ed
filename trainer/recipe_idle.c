/* recipe_idle.c - a rule that decides nothing is a slip of the pen: which of its patterns matches no name, and the names there are. */
#include "recipe_idle.h"

#include <fnmatch.h>
#include <stdio.h>

#include <fpx/recipe.h>

#include "recipe_refuse.h"

enum { OP, ROLE, TENSOR, PATTERNS };

static const char *const words[PATTERNS] = { "op", "role", "tensor" };

/* The names that each pattern can match; NULL: this kind of rule has no such pattern. */
static const struct kind {
    const char *what, *mend;
    const char *const *names[PATTERNS];
} kinds[] = {
    { "rule",
      "op, role or tensor",
      { (const char *const[]){ "attn.qkv", "attn.out", "mlp.up", "mlp.down", "head", NULL },
        (const char *const[]){ "fprop", "dgrad", "wgrad", NULL },
        (const char *const[]){ "x", "w", "dy", NULL } } },
    { "unit",
      "op, role",
      { (const char *const[]){ "attn.qkv", "attn.scores", "attn.context", "attn.out", "mlp.up",
                               "mlp.down", "head", NULL },
        (const char *const[]){ "fprop", "dgrad", "wgrad", NULL }, NULL } },
    { "state",
      "op or tensor",
      { (const char *const[]){ "embed", "attn.norm", "attn.qkv", "attn.out", "mlp.norm", "mlp.up",
                               "mlp.down", "norm", "head", NULL },
        NULL, (const char *const[]){ "master", "grad", "m", "v", NULL } } },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static int is_any(const char *const *names, const char *pattern)
{
    while (*names != NULL && fnmatch(pattern, *names, 0) != 0)
        names++;
    return *names != NULL;
}

static int is_layer(const char *pattern, int layers)
{
    for (int layer = -1; layer < layers; layer++)
        if (fpx_layer_matches(pattern, layer, layers))
            return 1;
    return 0;
}

/* "; no role is 'fwd': there is fprop, dgrad, wgrad" of each pattern that matches no name; nothing where all do. */
static void explain(const struct kind *kind, const char *layer, const char *const given[PATTERNS],
                    int layers, char *ret_text, size_t room)
{
    size_t n = 0;

    ret_text[0] = '\0';
    if (!is_layer(layer, layers))
        n = (size_t)snprintf(ret_text, room, "; no layer is '%.32s': there is 0 to %d, - outside",
                             layer, layers - 1);
    for (int p = 0; p < PATTERNS; p++) {
        if (kind->names[p] == NULL || is_any(kind->names[p], given[p]))
            continue;
        n += (size_t)snprintf(ret_text + n, room - n, "; no %s is '%.32s': there is", words[p],
                              given[p]);
        for (const char *const *name = kind->names[p]; *name != NULL; name++)
            n += (size_t)snprintf(ret_text + n, room - n, "%s%s",
                                  name == kind->names[p] ? " " : ", ", *name);
    }
}

static fpx_status refuse(const fpx_recipe *r, const struct kind *kind, unsigned i, int layers,
                         fpx_error *err)
{
    const char *layer = NULL, *given[PATTERNS] = { NULL };
    char why[512];

    if (kind == &kinds[0]) {
        layer = r->rules[i].layer;
        given[OP] = r->rules[i].op;
        given[ROLE] = r->rules[i].role;
        given[TENSOR] = r->rules[i].tensor;
    } else if (kind == &kinds[1]) {
        layer = r->units[i].layer;
        given[OP] = r->units[i].op;
        given[ROLE] = r->units[i].role;
    } else {
        layer = r->states[i].layer;
        given[OP] = r->states[i].op;
        given[TENSOR] = r->states[i].tensor;
    }
    explain(kind, layer, given, layers, why, sizeof why);
    return recipe_refuse(
        r, kind->what, i, err,
        "matches nothing that an earlier one leaves: remove it, or mend its layer, %s%s",
        kind->mend, why);
}

fpx_status recipe_check_used(const fpx_recipe *recipe, const unsigned char *used, int layers,
                             fpx_error *err)
{
    const unsigned n[KINDS] = { recipe->nrules, recipe->nunits, recipe->nstates };

    for (size_t k = 0; k < KINDS; used += n[k++])
        for (unsigned i = 0; i < n[k]; i++)
            if (!used[i])
                return refuse(recipe, &kinds[k], i, layers, err);
    return FPX_OK;
}
