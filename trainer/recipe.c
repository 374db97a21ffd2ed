/* recipe.c - rules matched against one operand: tables of words, and the first match decides. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/block.h>
#include <fpx/mma.h>
#include <fpx/optable.h>
#include <fpx/recipe.h>

#include "recipe_refuse.h"
#include "recipe_remedies.h"
#include "recipes_shipped.h"

typedef struct word {
    const char *name;
    int value;
} word;

/* Scalings by name. Of blocks: whose scales (fpx/block.h), and elements of a block along k and across it. */
enum scaling { SCALING_NONE, SCALING_TENSOR, SCALING_DELAYED, SCALING_BLOCK };

static const struct scaling_row {
    const char *name, *tag, *profile; /* tag: in names that are too long otherwise */
    uint16_t along, across;           /* 0: all; DELAYED: along is the window */
    uint8_t kind;                     /* enum scaling */
    uint8_t rule; /* fpx_scale_rule of the whole tensor's scale, fpx_delayed_rule of DELAYED */
} scaling_rows[] = {
    { "none", "none", NULL, 0, 0, SCALING_NONE, 0 },
    { "tensor-current", "current", NULL, 0, 0, SCALING_TENSOR, FPX_SCALE_CURRENT },
    { "mx-floor", "mxf", "mx-ocp", 32, 1, SCALING_BLOCK, 0 },
    { "mx-rceil", "mxr", "mx-te", 32, 1, SCALING_BLOCK, 0 },
    { "mx-floor-0.75", "mxf34", "mx-ocp", 32, 1, SCALING_BLOCK, FPX_SCALE_THREE_QUARTERS },
    { "mx-quest", "mxq", "mx-quest", 32, 1, SCALING_BLOCK, 0 },
    { "nvfp4", "nv", "nvfp4-te", 16, 1, SCALING_BLOCK, FPX_SCALE_AMAX },
    { "nvfp4-16x16", "nv16", "nvfp4-te-16x16", 16, 16, SCALING_BLOCK, FPX_SCALE_AMAX },
    { "tile-128", "t128", "tile-te", 128, 1, SCALING_BLOCK, 0 },
    { "tile-128-pow2", "t128p", "tile-te-pow2", 128, 1, SCALING_BLOCK, 0 },
    { "block-128", "b128", "tile-te-128x128", 128, 128, SCALING_BLOCK, 0 },
    { "vector", "vec", "row-te", 0, 1, SCALING_BLOCK, 0 },
    { "tensor-delayed", "delay", NULL, 1024, 0, SCALING_DELAYED, FPX_DELAYED_TE },
    { "ms-amp", "amp", NULL, 16, 0, SCALING_DELAYED, FPX_DELAYED_MS_AMP },
    { "ms-amp-1", "amp1", NULL, 1, 0, SCALING_DELAYED, FPX_DELAYED_MS_AMP },
    { "ms-amp-exact", "ampx", NULL, 16, 0, SCALING_DELAYED, FPX_DELAYED_MS_AMP_EXACT },
    { "ms-amp-exact-1", "ampx1", NULL, 1, 0, SCALING_DELAYED, FPX_DELAYED_MS_AMP_EXACT },
    { "vector-ms-amp", "vecamp", "fp4-ms-amp-row", 0, 1, SCALING_BLOCK, 0 },
};
enum { SCALINGS = sizeof scaling_rows / sizeof scaling_rows[0] };

/* TIES_TO_ZERO: of FPX_RNA. */
enum { TIES_TO_ZERO = 16 };
static const word rounds[] = { { "rne", FPX_RNE }, { "rna", FPX_RNA },
                               { "rz", FPX_RZ },   { "ru", FPX_RU },
                               { "rd", FPX_RD },   { "ro", FPX_RO },
                               { "sr", FPX_SR },   { "rnz", FPX_RNA | TIES_TO_ZERO },
                               { NULL, 0 } };
static const struct transform_row {
    const char *name;
    uint8_t size, signs, fresh; /* fpx_hadamard_signs, fpx_fresh */
} transform_rows[] = {
    { "none", 0, 0, 0 },
    { "hadamard-16", 16, 0, 0 },
    { "hadamard-32", 32, 0, 0 },
    { "hadamard-64", 64, 0, 0 },
    { "hadamard-128", 128, 0, 0 },
    { "hadamard-16-fresh", 16, 0, FPX_FRESH_STEP },
    { "hadamard-32-fresh", 32, 0, FPX_FRESH_STEP },
    { "hadamard-64-fresh", 64, 0, FPX_FRESH_STEP },
    { "hadamard-128-fresh", 128, 0, FPX_FRESH_STEP },
    { "hadamard-32-plain", 32, FPX_SIGNS_NONE, 0 },
    { "hadamard-32-after", 32, FPX_SIGNS_AFTER, FPX_FRESH_PASS },
};
enum { TRANSFORMS = sizeof transform_rows / sizeof transform_rows[0] };
static const word overflows[] = { { "satfinite", FPX_SATFINITE },
                                  { "satpropagate", FPX_SATPROPAGATE },
                                  { "none", FPX_OVERFLOW_NONE },
                                  { NULL, 0 } };

static fpx_status look_up(const fpx_recipe *recipe, unsigned rule, const char *what,
                          const char *name, const word *words, int *ret_value, fpx_error *err)
{
    char known[512] = "";

    for (const word *w = words; w->name != NULL; w++) {
        if (strcmp(w->name, name) == 0) {
            *ret_value = w->value;
            return FPX_OK;
        }
        const size_t used = strlen(known);
        (void)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", w->name);
    }
    return recipe_refuse(recipe, "rule", rule, err, "unknown %s '%s'; there is: %s", what, name,
                         known);
}

int fpx_layer_matches(const char *pattern, int layer, int layers)
{
    const int from_end = pattern[0] == '-' && pattern[1] != '\0';
    char number[16] = "-";

    if (layer >= 0)
        (void)snprintf(number, sizeof number, "%d", from_end ? layer - layers : layer);
    return fnmatch(pattern, number, 0) == 0;
}

/* The patterns that both kinds of rules have. */
static int is_place(const char *of_layer, const char *of_op, const char *of_role, int layer,
                    int layers, const char *op, fpx_role role)
{
    return fpx_layer_matches(of_layer, layer, layers) && fnmatch(of_op, op, 0) == 0 &&
           fnmatch(of_role, fpx_role_name(role), 0) == 0;
}

static int matches(const fpx_rule *rule, int layer, int layers, const char *op, fpx_role role,
                   const char *tensor)
{
    return is_place(rule->layer, rule->op, rule->role, layer, layers, op, role) &&
           fnmatch(rule->tensor, tensor, 0) == 0;
}

/* Whether the profile's blocks go with the conversion: NVFP4 has e2m1, every one at most 8 bits. */
static fpx_status check_blocks(const fpx_recipe *recipe, unsigned index,
                               const fpx_operand_rule *rule, fpx_error *err)
{
    fpx_blocking blocking;
    fpx_status status = fpx_blocking_find(rule->profile, &blocking);

    if (status == FPX_OK) {
        blocking.element.format = rule->conversion.format;
        blocking.element.round = rule->conversion.round;
        blocking.element.sr_bits = 32; /* not read but with FPX_SR */
        blocking.element.overflow = rule->conversion.overflow;
        blocking.ties_to_zero = (uint8_t)rule->ties_to_zero;
        status = fpx_blocking_check(&blocking);
    }
    return status == FPX_OK
               ? FPX_OK
               : recipe_refuse(recipe, "rule", index, err,
                               "scaling '%s' does not go with format '%s' or the "
                               "rule's round and overflow: nvfp4 and vector-ms-amp have e2m1, "
                               "vector-ms-amp round rne, blocks have at most 8 bits",
                               rule->scaling, rule->conversion.format.name);
}

/* Scales that bring the largest number to the format's largest: of two such operands with float32's exponents, the
 * product of what undoes them is below float32. */
static int is_wide(const fpx_format *format)
{
    return fpx_format_max(format) > 0x1p100;
}

static int is_operand_format(const char *name, fpx_format *ret_format)
{
    return fpx_format_parse(name, ret_format, NULL) == FPX_OK &&
           ret_format->cls == FPX_CLASS_FLOAT && (ret_format->flags & FPX_FORMAT_UNSIGNED) == 0 &&
           ret_format->bits <= 32;
}

static fpx_status read_rule(const fpx_recipe *recipe, unsigned index, fpx_role role,
                            const char *tensor, fpx_operand_rule *ret_rule, fpx_error *err)
{
    const fpx_rule *rule = &recipe->rules[index];
    fpx_format format;
    const char *transformed = rule->transform == NULL ? "none" : rule->transform;
    int scaling = 0, round = 0, overflow = 0, transform = 0;
    fpx_status status;

    if (!is_operand_format(rule->format, &format))
        return recipe_refuse(recipe, "rule", index, err,
                             "'%s' is no format an operand can have; see: fpx "
                             "formats",
                             rule->format);
    word scalings[SCALINGS + 1] = { { NULL, 0 } }, transforms[TRANSFORMS + 1] = { { NULL, 0 } };

    for (int i = 0; i < SCALINGS; i++)
        scalings[i] = (word){ scaling_rows[i].name, i };
    for (int i = 0; i < TRANSFORMS; i++)
        transforms[i] = (word){ transform_rows[i].name, i };
    if ((status = look_up(recipe, index, "scaling", rule->scaling, scalings, &scaling, err)) !=
            FPX_OK ||
        (status = look_up(recipe, index, "transform", transformed, transforms, &transform, err)) !=
            FPX_OK ||
        (status = look_up(recipe, index, "round", rule->round, rounds, &round, err)) != FPX_OK ||
        (status = look_up(recipe, index, "overflow", rule->overflow, overflows, &overflow, err)) !=
            FPX_OK)
        return status;
    const struct scaling_row *row = &scaling_rows[scaling];
    *ret_rule = (fpx_operand_rule){
        .quantized = !fpx_format_equal(&format, &fpx_fp32),
        .scaled = row->kind == SCALING_TENSOR || row->kind == SCALING_DELAYED ||
                  (row->kind == SCALING_BLOCK && row->rule != 0),
        .scale_rule = row->kind == SCALING_DELAYED ? FPX_SCALE_CURRENT : (fpx_scale_rule)row->rule,
        .delayed = row->kind == SCALING_DELAYED,
        .delayed_rule = row->kind == SCALING_DELAYED ? (fpx_delayed_rule)row->rule : FPX_DELAYED_TE,
        .window = row->along,
        .conversion = { .format = format,
                        .round = (uint8_t)(round & ~TIES_TO_ZERO),
                        .overflow = (uint8_t)overflow },
        .scaling = row->name,
        .tag = row->tag,
        .profile = row->profile,
        .ties_to_zero = (round & TIES_TO_ZERO) != 0,
        .hadamard = transform_rows[transform].size,
        .signs = (fpx_hadamard_signs)transform_rows[transform].signs,
        .fresh = (fpx_fresh)transform_rows[transform].fresh,
        .along = row->along,
        .across = row->across
    };
    if (ret_rule->quantized && ret_rule->scaled && row->profile == NULL && is_wide(&format))
        return recipe_refuse(recipe, "rule", index, err,
                             "'%s' has float32's range and needs no scale of "
                             "its own: take scaling none, not '%s'",
                             rule->format, rule->scaling);
    if (ret_rule->ties_to_zero && row->profile == NULL)
        return recipe_refuse(recipe, "rule", index, err,
                             "round 'rnz' goes with scales of blocks only");
    if (ret_rule->quantized && row->profile != NULL)
        status = check_blocks(recipe, index, ret_rule, err);
    return status != FPX_OK ? status
                            : recipe_read_remedies(recipe, index, role, tensor, ret_rule, err);
}

fpx_status fpx_recipe_operand(const fpx_recipe *recipe, int layer, int layers, const char *op,
                              fpx_role role, const char *tensor, unsigned char *used,
                              fpx_operand_rule *ret_rule, fpx_error *err)
{
    for (unsigned i = 0; i < recipe->nrules; i++) {
        if (!matches(&recipe->rules[i], layer, layers, op, role, tensor))
            continue;
        if (used != NULL)
            used[i] = 1;
        return read_rule(recipe, i, role, tensor, ret_rule, err);
    }
    memset(ret_rule, 0, sizeof *ret_rule);
    return FPX_OK;
}

fpx_status fpx_recipe_unit(const fpx_recipe *recipe, int layer, int layers, const char *op,
                           fpx_role role, unsigned char *used, const char **ret_unit,
                           fpx_error *err)
{
    fpx_mma_preset preset;
    fpx_error why = { 0 };

    for (unsigned i = 0; i < recipe->nunits; i++) {
        const fpx_unit_rule *const rule = &recipe->units[i];

        if (!is_place(rule->layer, rule->op, rule->role, layer, layers, op, role))
            continue;
        if (strlen(rule->unit) >= FPX_UNIT_MAX)
            return recipe_refuse(recipe, "unit", i, err, "a unit's text has at most %d characters",
                                 FPX_UNIT_MAX - 1);
        if (fpx_mma_preset_parse(rule->unit, &preset, &why) != FPX_OK)
            return recipe_refuse(recipe, "unit", i, err, "%s; see: fpx models", why.text);
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
                                       { "ms-amp-exact", FPX_STATE_POW2 },
                                       { NULL, 0 } };

static fpx_status refuse_state(const fpx_recipe *recipe, unsigned index, const char *what,
                               const char *given, fpx_error *err)
{
    return recipe_refuse(recipe, "state", index, err, "'%s' %s", given, what);
}

static fpx_status read_state(const fpx_recipe *recipe, unsigned index, const char *tensor,
                             fpx_stored *ret_stored, fpx_error *err)
{
    const fpx_state_rule *rule = &recipe->states[index];
    fpx_stored s = { .stored = 1 };
    const word *w = state_scalings;
    fpx_error why = { 0 };

    if (!is_operand_format(rule->format, &s.format))
        return refuse_state(recipe, index, "is no format a state can have; see: fpx formats",
                            rule->format, err);
    while (w->name != NULL && strcmp(w->name, rule->scaling) != 0)
        w++;
    if (w->name == NULL)
        return refuse_state(recipe, index,
                            "is no scaling; there is: none, tensor-pow2, coat, ms-amp-exact",
                            rule->scaling, err);
    s.scaling = (fpx_state_scaling)w->value;
    s.rule = strcmp(w->name, "ms-amp-exact") == 0 ? FPX_SCALE_MS_AMP_EXACT : FPX_SCALE_POW2;
    s.stored = !fpx_format_equal(&s.format, &fpx_fp32);
    if (!s.stored && s.scaling != FPX_STATE_CAST)
        return refuse_state(recipe, index, "is for formats below fp32: fp32 has scaling none",
                            rule->scaling, err);
    if (s.rule == FPX_SCALE_MS_AMP_EXACT && is_wide(&s.format))
        return refuse_state(recipe, index,
                            "is for formats of a smaller range than fp32's; take scaling none, or "
                            "tensor-pow2",
                            rule->scaling, err);
    if (s.scaling == FPX_STATE_COAT && s.format.bits > 8)
        return refuse_state(recipe, index, "is for formats of at most 8 bits (arXiv 2410.19313)",
                            rule->scaling, err);
    if (s.scaling == FPX_STATE_COAT && strcmp(tensor, "m") != 0 && strcmp(tensor, "v") != 0)
        return refuse_state(recipe, index, "is for m and v only", rule->scaling, err);
    if (rule->factor != NULL) {
        if (strcmp(tensor, "grad") != 0 || s.scaling != FPX_STATE_POW2 || s.format.bits > 16)
            return refuse_state(recipe, index,
                                "is a factor, which is for grad with scaling tensor-pow2 or "
                                "ms-amp-exact and at most 16 bits only",
                                rule->factor, err);
        if (fpx_factor_parse(rule->factor, &s.factor, &why) != FPX_OK)
            return recipe_refuse(recipe, "state", index, err, "%s", why.text);
    }
    *ret_stored = s;
    return FPX_OK;
}

fpx_status fpx_recipe_state(const fpx_recipe *recipe, int layer, int layers, const char *op,
                            const char *tensor, unsigned char *used, fpx_stored *ret_stored,
                            fpx_error *err)
{
    for (unsigned i = 0; i < recipe->nstates; i++) {
        const fpx_state_rule *const rule = &recipe->states[i];

        if (!is_place(rule->layer, rule->op, "*", layer, layers, op, FPX_OPTIMIZER) ||
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
