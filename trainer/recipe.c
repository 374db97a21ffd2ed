/* recipe.c - rules matched against one operand: tables of words, and the first match decides. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/mma.h>
#include <fpx/optable.h>
#include <fpx/recipe.h>

#include "recipes_shipped.h"

typedef struct word {
    const char *name;
    int value;
} word;

enum scaling { SCALING_NONE, SCALING_TENSOR_CURRENT };

static const word scalings[] = { { "none", SCALING_NONE },
                                 { "tensor-current", SCALING_TENSOR_CURRENT },
                                 { NULL, 0 } };
/* Stochastic rounding is not among them: a quantizing operation has no random bits yet. */
static const word rounds[] = { { "rne", FPX_RNE }, { "rna", FPX_RNA }, { "rz", FPX_RZ },
                               { "ru", FPX_RU },   { "rd", FPX_RD },   { "ro", FPX_RO },
                               { NULL, 0 } };
static const word overflows[] = { { "satfinite", FPX_SATFINITE },
                                  { "satpropagate", FPX_SATPROPAGATE },
                                  { "none", FPX_OVERFLOW_NONE },
                                  { NULL, 0 } };

static fpx_status look_up(const fpx_recipe *recipe, unsigned rule, const char *what,
                          const char *name, const word *words, int *ret_value, fpx_error *err)
{
    char known[256] = "";

    for (const word *w = words; w->name != NULL; w++) {
        if (strcmp(w->name, name) == 0) {
            *ret_value = w->value;
            return FPX_OK;
        }
        const size_t used = strlen(known);
        (void)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", w->name);
    }
    return fpx_error_set(err, FPX_EINVAL, "recipe %s, rule %u: unknown %s '%s'; there is: %s",
                         recipe->name, rule + 1, what, name, known);
}

/* The patterns that both kinds of rules have. */
static int is_place(const char *of_layer, const char *of_op, const char *of_role, int layer,
                    const char *op, fpx_role role)
{
    char number[16] = "-";

    if (layer >= 0)
        (void)snprintf(number, sizeof number, "%d", layer);
    return fnmatch(of_layer, number, 0) == 0 && fnmatch(of_op, op, 0) == 0 &&
           fnmatch(of_role, fpx_role_name(role), 0) == 0;
}

static int matches(const fpx_rule *rule, int layer, const char *op, fpx_role role,
                   const char *tensor)
{
    return is_place(rule->layer, rule->op, rule->role, layer, op, role) &&
           fnmatch(rule->tensor, tensor, 0) == 0;
}

static int is_operand_format(const char *name, fpx_format *ret_format)
{
    return fpx_format_parse(name, ret_format, NULL) == FPX_OK &&
           ret_format->cls == FPX_CLASS_FLOAT && (ret_format->flags & FPX_FORMAT_UNSIGNED) == 0 &&
           ret_format->bits <= 32;
}

static fpx_status read_rule(const fpx_recipe *recipe, unsigned index, fpx_operand_rule *ret_rule,
                            fpx_error *err)
{
    const fpx_rule *rule = &recipe->rules[index];
    fpx_format format;
    int scaling = 0, round = 0, overflow = 0;
    fpx_status status;

    if (!is_operand_format(rule->format, &format))
        return fpx_error_set(err, FPX_EINVAL,
                             "recipe %s, rule %u: '%s' is no format an operand can have; see: fpx "
                             "formats",
                             recipe->name, index + 1, rule->format);
    if ((status = look_up(recipe, index, "scaling", rule->scaling, scalings, &scaling, err)) !=
            FPX_OK ||
        (status = look_up(recipe, index, "round", rule->round, rounds, &round, err)) != FPX_OK ||
        (status = look_up(recipe, index, "overflow", rule->overflow, overflows, &overflow, err)) !=
            FPX_OK)
        return status;
    *ret_rule = (fpx_operand_rule){
        .quantized = !fpx_format_equal(&format, &fpx_fp32),
        .scaled = scaling == SCALING_TENSOR_CURRENT,
        .scale_rule = FPX_SCALE_CURRENT,
        .conversion = { .format = format, .round = (uint8_t)round, .overflow = (uint8_t)overflow }
    };
    return FPX_OK;
}

fpx_status fpx_recipe_operand(const fpx_recipe *recipe, int layer, const char *op, fpx_role role,
                              const char *tensor, unsigned char *used, fpx_operand_rule *ret_rule,
                              fpx_error *err)
{
    for (unsigned i = 0; i < recipe->nrules; i++) {
        if (!matches(&recipe->rules[i], layer, op, role, tensor))
            continue;
        if (used != NULL)
            used[i] = 1;
        return read_rule(recipe, i, ret_rule, err);
    }
    memset(ret_rule, 0, sizeof *ret_rule);
    return FPX_OK;
}

fpx_status fpx_recipe_unit(const fpx_recipe *recipe, int layer, const char *op, fpx_role role,
                           unsigned char *used, const char **ret_unit, fpx_error *err)
{
    fpx_mma_preset preset;
    fpx_error why = { 0 };

    for (unsigned i = 0; i < recipe->nunits; i++) {
        const fpx_unit_rule *const rule = &recipe->units[i];

        if (!is_place(rule->layer, rule->op, rule->role, layer, op, role))
            continue;
        if (strlen(rule->unit) >= FPX_UNIT_MAX)
            return fpx_error_set(err, FPX_EINVAL,
                                 "recipe %s, unit %u: a unit's text has at most %d characters",
                                 recipe->name, i + 1, FPX_UNIT_MAX - 1);
        if (fpx_mma_preset_parse(rule->unit, &preset, &why) != FPX_OK)
            return fpx_error_set(err, FPX_EINVAL, "recipe %s, unit %u: %s; see: fpx models",
                                 recipe->name, i + 1, why.text);
        if (used != NULL)
            used[recipe->nrules + i] = 1;
        *ret_unit = rule->unit;
        return FPX_OK;
    }
    *ret_unit = NULL;
    return FPX_OK;
}

static const word state_scalings[] = { { "none", FPX_STATE_CAST },
                                       { "tensor-pow2", FPX_STATE_POW2 },
                                       { "coat", FPX_STATE_COAT },
                                       { NULL, 0 } };

static fpx_status refuse_state(const fpx_recipe *recipe, unsigned index, const char *what,
                               const char *given, fpx_error *err)
{
    return fpx_error_set(err, FPX_EINVAL, "recipe %s, state %u: '%s' %s", recipe->name, index + 1,
                         given, what);
}

static fpx_status read_state(const fpx_recipe *recipe, unsigned index, const char *tensor,
                             fpx_stored *ret_stored, fpx_error *err)
{
    const fpx_state_rule *rule = &recipe->states[index];
    fpx_stored s = { .stored = 1 };
    const word *w = state_scalings;

    if (!is_operand_format(rule->format, &s.format))
        return refuse_state(recipe, index, "is no format a state can have; see: fpx formats",
                            rule->format, err);
    while (w->name != NULL && strcmp(w->name, rule->scaling) != 0)
        w++;
    if (w->name == NULL)
        return refuse_state(recipe, index, "is no scaling; there is: none, tensor-pow2, coat",
                            rule->scaling, err);
    s.scaling = (fpx_state_scaling)w->value;
    s.stored = !fpx_format_equal(&s.format, &fpx_fp32);
    if (!s.stored && s.scaling != FPX_STATE_CAST)
        return refuse_state(recipe, index, "is for formats below fp32: fp32 has scaling none",
                            rule->scaling, err);
    if (s.scaling == FPX_STATE_COAT && strcmp(tensor, "m") != 0 && strcmp(tensor, "v") != 0)
        return refuse_state(recipe, index, "is for m and v only", rule->scaling, err);
    *ret_stored = s;
    return FPX_OK;
}

fpx_status fpx_recipe_state(const fpx_recipe *recipe, int layer, const char *op, const char *tensor,
                            unsigned char *used, fpx_stored *ret_stored, fpx_error *err)
{
    for (unsigned i = 0; i < recipe->nstates; i++) {
        const fpx_state_rule *const rule = &recipe->states[i];

        if (!is_place(rule->layer, rule->op, "*", layer, op, FPX_OPTIMIZER) ||
            fnmatch(rule->tensor, tensor, 0) != 0)
            continue;
        if (used != NULL)
            used[recipe->nrules + recipe->nunits + i] = 1;
        return read_state(recipe, i, tensor, ret_stored, err);
    }
    memset(ret_stored, 0, sizeof *ret_stored);
    return FPX_OK;
}

const char *fpx_recipe_shipped(size_t index)
{
    return index < shipped_count ? shipped[index].name : NULL;
}

fpx_status fpx_recipe_load(const char *name, fpx_recipe **ret_recipe, fpx_error *err)
{
    const size_t length = strlen(name);
    char known[512] = "";

    if (length > 5 && strcmp(name + length - 5, ".yaml") == 0)
        return fpx_recipe_read(name, ret_recipe, err);
    for (size_t i = 0; i < shipped_count; i++) {
        if (strcmp(shipped[i].name, name) == 0)
            return fpx_recipe_parse(name, shipped[i].text, ret_recipe, err);
        const size_t at = strlen(known);
        (void)snprintf(known + at, sizeof known - at, "%s%s", at ? ", " : "", shipped[i].name);
    }
    return fpx_error_set(err, FPX_EINVAL, "no recipe '%s'; there is: %s, or a file ending in .yaml",
                         name, known);
}
