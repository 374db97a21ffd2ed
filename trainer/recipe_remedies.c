/* recipe_remedies.c - estimator, k, cap; clamp, clamp_over, compensate: what they may be, and beside what. */
#include "recipe_remedies.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/block.h>
#include <fpx/optable.h>

#include "recipe_refuse.h"

static fpx_status refuse(const fpx_recipe *recipe, unsigned index, const char *key,
                         const char *given, const char *what, fpx_error *err)
{
    return recipe_refuse(recipe, "rule", index, err, "%s '%s' %s", key, given, what);
}

/* A finite number, or `otherwise` where there is no text. */
static int read_number(const char *text, double otherwise, double *ret_number)
{
    char *end;
    double x = otherwise;

    if (text != NULL) {
        x = strtod(text, &end);
        if (end == text || *end != '\0' || !isfinite(x))
            return 0;
    }
    *ret_number = x;
    return 1;
}

/* 0, 1, ... of the words; the first where there is no text. -1: none of them. */
static int read_word(const char *text, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++)
        if (text == NULL || strcmp(words[i], text) == 0)
            return i;
    return -1;
}

/* Whose scales a slope is of: one a row, by float32 or by the code's bf16. */
static int find_dge(const char *scaling, fpx_dge_rule *ret_rule)
{
    static const struct {
        const char *scaling;
        fpx_dge_rule rule;
    } rules[] = { { "vector", FPX_DGE_PAPER }, { "vector-ms-amp", FPX_DGE_MS_AMP } };

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strcmp(rules[i].scaling, scaling) == 0) {
            *ret_rule = rules[i].rule;
            return 1;
        }
    return 0;
}

/* Whether QUANTIZE_BLOCK_GRAD knows the scales: e8m0 of blocks alone. */
static int clips(const fpx_operand_rule *rule)
{
    fpx_blocking blocking;

    return rule->quantized && rule->profile != NULL && !rule->scaled &&
           fpx_blocking_find(rule->profile, &blocking) == FPX_OK && blocking.rule == FPX_RULE_MX;
}

static fpx_status read_clip(const fpx_recipe *recipe, unsigned index, fpx_role role,
                            const char *tensor, fpx_operand_rule *rule, fpx_error *err)
{
    if (!clips(rule))
        return refuse(recipe, index, "estimator", "clip",
                      "goes with scaling mx-floor, mx-rceil or mx-quest: it looks at each element "
                      "and its e8m0 scale",
                      err);
    if (role != FPX_FPROP)
        return recipe_refuse(recipe, "rule", index, err,
                             "estimator 'clip' is of operands of fprop, "
                             "whose gradients it makes; this rule also matches %s of %s",
                             tensor, fpx_role_name(role));
    rule->clipped = 1;
    return FPX_OK;
}

static fpx_status read_dge(const fpx_recipe *recipe, unsigned index, const fpx_rule *from,
                           int is_weight, fpx_operand_rule *rule, fpx_error *err)
{
    if (!is_weight)
        return refuse(
            recipe, index, "estimator", "dge",
            "is for w in fprop, whose gradient it changes: give the rule role fprop and tensor w",
            err);
    if (!find_dge(rule->scaling, &rule->dge.rule) ||
        !fpx_format_equal(&rule->conversion.format, &fpx_e2m1) || rule->hadamard != 0)
        return refuse(recipe, index, "estimator", "dge",
                      "is for format e2m1, scaling vector or vector-ms-amp, without a transform",
                      err);
    if (!read_number(from->k, 5.0, &rule->dge.k) || rule->dge.k <= 1.0)
        return refuse(recipe, index, "k", from->k, "is not a number above 1", err);
    if (!read_number(from->cap, 3.0, &rule->dge.cap) || rule->dge.cap <= 0.0)
        return refuse(recipe, index, "cap", from->cap, "is not a number above 0", err);
    rule->estimated = 1;
    return FPX_OK;
}

static fpx_status read_estimator(const fpx_recipe *recipe, unsigned index, fpx_role role,
                                 const char *tensor, fpx_operand_rule *rule, fpx_error *err)
{
    static const char *const words[] = { "none", "clip", "dge", NULL };
    const fpx_rule *from = &recipe->rules[index];
    const int word = read_word(from->estimator, words);

    if (word < 0)
        return refuse(recipe, index, "estimator", from->estimator,
                      "is unknown; there is: none, clip, dge", err);
    if (word == 2)
        return read_dge(recipe, index, from, role == FPX_FPROP && strcmp(tensor, "w") == 0, rule,
                        err);
    if (from->k != NULL || from->cap != NULL)
        return refuse(recipe, index, from->k != NULL ? "k" : "cap",
                      from->k != NULL ? from->k : from->cap, "is for a rule with estimator dge",
                      err);
    return word == 1 ? read_clip(recipe, index, role, tensor, rule, err) : FPX_OK;
}

static fpx_status read_clamp(const fpx_recipe *recipe, unsigned index, const fpx_rule *from,
                             int is_input, fpx_operand_rule *rule, fpx_error *err)
{
    static const char *const overs[] = { "tensor", "row", "column", NULL };
    static const char *const answers[] = { "yes", "codes", "no", NULL };
    static const fpx_compensation meant[] = { FPX_COMPENSATE_WEIGHT, FPX_COMPENSATE_CODES,
                                              FPX_COMPENSATE_NONE };
    const int over = read_word(from->clamp_over, overs),
              answer = read_word(from->compensate, answers);

    if (from->clamp == NULL && (from->clamp_over != NULL || from->compensate != NULL))
        return refuse(recipe, index, from->clamp_over != NULL ? "clamp_over" : "compensate",
                      from->clamp_over != NULL ? from->clamp_over : from->compensate,
                      "is for a rule with clamp", err);
    if (from->clamp == NULL)
        return FPX_OK;
    if (!is_input || !rule->quantized || rule->hadamard != 0)
        return refuse(recipe, index, "clamp", from->clamp,
                      "is for x in fprop, quantized, without a transform: give the rule role fprop "
                      "and tensor x",
                      err);
    if (!read_number(from->clamp, 0.0, &rule->clamp) || rule->clamp < 0.5 || rule->clamp >= 1.0)
        return refuse(recipe, index, "clamp", from->clamp, "is not a quantile from 0.5 to below 1",
                      err);
    if (over < 0)
        return refuse(recipe, index, "clamp_over", from->clamp_over,
                      "is unknown; there is: tensor, row, column", err);
    if (answer < 0)
        return refuse(recipe, index, "compensate", from->compensate,
                      "is unknown; there is: yes, codes, no", err);
    rule->clamp_over = (fpx_clamp_over)over;
    rule->compensation = meant[answer];
    return FPX_OK;
}

fpx_status recipe_read_remedies(const fpx_recipe *recipe, unsigned index, fpx_role role,
                                const char *tensor, fpx_operand_rule *rule, fpx_error *err)
{
    const int is_input = role == FPX_FPROP && strcmp(tensor, "x") == 0;
    const fpx_status status = read_estimator(recipe, index, role, tensor, rule, err);

    return status != FPX_OK ? status
                            : read_clamp(recipe, index, &recipe->rules[index], is_input, rule, err);
}
