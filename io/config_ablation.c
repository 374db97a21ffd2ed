/* config_ablation.c - an ablation from its file: loaded as texts, read into values, held against what makes a comparison
 * one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/ablation.h>

#include "config_values.h"
#include "yaml_scan.h"

/* ---- the keys ---- */
typedef struct arm_texts {
    char *name, *recipe, *kind, *against, *expect, *claim, *source;
} arm_texts;

typedef struct ablation_texts {
    char *name, *experiment, *seeds, *measure, *flushed, *margin, *margin_reason, *diverged_above;
    char **learning_rates;
    unsigned nrates;
    arm_texts *arms;
    unsigned narms;
} ablation_texts;

#define TEXT(STRUCT, KEY)                                                                          \
    CYAML_FIELD_STRING_PTR(#KEY, CYAML_FLAG_POINTER, STRUCT, KEY, 1, IO_CONFIG_TEXT)
#define OPTIONAL_TEXT(STRUCT, KEY)                                                                 \
    CYAML_FIELD_STRING_PTR(#KEY, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, STRUCT, KEY, 1,         \
                           IO_CONFIG_TEXT)

static const cyaml_schema_field_t arm_fields[] = {
    TEXT(arm_texts, name),
    TEXT(arm_texts, recipe),
    OPTIONAL_TEXT(arm_texts, kind),
    OPTIONAL_TEXT(arm_texts, against),
    OPTIONAL_TEXT(arm_texts, expect),
    OPTIONAL_TEXT(arm_texts, claim),
    OPTIONAL_TEXT(arm_texts, source),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t arm_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, arm_texts,
                                                                     arm_fields) };

static const cyaml_schema_value_t rate_schema = { CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1,
                                                                     IO_CONFIG_TEXT) };

static const cyaml_schema_field_t ablation_fields[] = {
    TEXT(ablation_texts, name),
    TEXT(ablation_texts, experiment),
    TEXT(ablation_texts, seeds),
    OPTIONAL_TEXT(ablation_texts, measure),
    OPTIONAL_TEXT(ablation_texts, flushed),
    TEXT(ablation_texts, margin),
    TEXT(ablation_texts, margin_reason),
    TEXT(ablation_texts, diverged_above),
    CYAML_FIELD_SEQUENCE_COUNT("learning_rates", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                               ablation_texts, learning_rates, nrates, &rate_schema, 0,
                               FPX_RATES_MAX),
    CYAML_FIELD_SEQUENCE_COUNT("arms", CYAML_FLAG_POINTER, ablation_texts, arms, narms, &arm_schema,
                               0, FPX_ARMS_MAX),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t ablation_schema = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_POINTER, ablation_texts, ablation_fields) };

/* ---- their values ---- */
#define AT(KEY) #KEY, offsetof(ablation_texts, KEY), offsetof(fpx_ablation, KEY)
#define ARM(KEY) #KEY, offsetof(arm_texts, KEY), offsetof(fpx_arm, KEY)

/* Five pairs are the fewest that RECIPES call evidence. The upper ends only keep nonsense out. */
static const io_value_row rows[] = {
    { AT(name), KIND_TEXT, CLOSED, NULL, 0, 0 },
    { AT(experiment), KIND_TEXT, CLOSED, NULL, 0, 0 },
    { AT(seeds), KIND_COUNT, CLOSED, NULL, 5, FPX_SEEDS_MAX },
    { AT(measure), KIND_MEASURE, CLOSED, "validation", 0, 0 },
    { AT(flushed), KIND_TEXT, CLOSED, NULL, 0, 0 },
    { AT(margin), KIND_REAL, ABOVE_MIN, NULL, 0, 1e6 },
    { AT(margin_reason), KIND_TEXT, CLOSED, NULL, 0, 0 },
    { AT(diverged_above), KIND_REAL, ABOVE_MIN, NULL, 0, 1e6 },
};

static const io_value_row arm_rows[] = {
    { ARM(name), KIND_TEXT, CLOSED, NULL, 0, 0 },
    { ARM(recipe), KIND_TEXT, CLOSED, NULL, 0, 0 },
    { ARM(kind), KIND_ARM, CLOSED, "arm", 0, 0 },
    { ARM(against), KIND_TEXT, CLOSED, NULL, 0, 0 },
    { ARM(expect), KIND_EXPECTATION, CLOSED, "nothing", 0, 0 },
    { ARM(claim), KIND_TEXT, CLOSED, NULL, 0, 0 },
    { ARM(source), KIND_TEXT, CLOSED, NULL, 0, 0 },
};

static fpx_status fill(const char *label, const char *text, const ablation_texts *t,
                       fpx_ablation *a, fpx_error *err)
{
    fpx_status status =
        io_values_fill(label, text, "", rows, sizeof rows / sizeof rows[0], t, a, err);
    char path[48];

    a->arms = calloc(t->narms + 1, sizeof *a->arms);
    a->learning_rates = calloc(t->nrates + 1, sizeof *a->learning_rates);
    if (a->arms == NULL || a->learning_rates == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    a->narms = t->narms;
    a->nrates = t->nrates;
    for (unsigned i = 0; i < t->narms && status == FPX_OK; i++) {
        (void)snprintf(path, sizeof path, "arms[%u].", i);
        status = io_values_fill(label, text, path, arm_rows, sizeof arm_rows / sizeof arm_rows[0],
                                &t->arms[i], &a->arms[i], err);
    }
    for (unsigned i = 0; i < t->nrates && status == FPX_OK; i++) {
        (void)snprintf(path, sizeof path, "learning_rates[%u]", i);
        const io_value_row rate = { path, 0, 0, KIND_REAL, ABOVE_MIN, NULL, 0, 1e6 };

        status = io_values_fill(label, text, "", &rate, 1, &t->learning_rates[i],
                                &a->learning_rates[i], err);
    }
    return status;
}

/* ---- what makes them a comparison ---- */
static fpx_status refuse_arm(const char *label, const char *text, unsigned arm, const char *key,
                             const char *what, fpx_error *err)
{
    char path[64];

    (void)snprintf(path, sizeof path, "arms[%u]%s", arm, key);
    return io_value_refuse(label, text, path, what, err);
}

static fpx_status check_arm(const char *label, const char *text, const fpx_ablation *a, unsigned i,
                            fpx_error *err)
{
    const fpx_arm *arm = &a->arms[i];
    unsigned other = 0;
    char what[96];

    if (strlen(arm->name) > FPX_ARM_NAME) {
        (void)snprintf(what, sizeof what, "is longer than %d characters", FPX_ARM_NAME);
        return refuse_arm(label, text, i, ".name", what, err);
    }
    while (other < i && strcmp(a->arms[other].name, arm->name) != 0)
        other++;
    if (other < i)
        return refuse_arm(label, text, i, ".name", "is that of an earlier arm", err);
    for (other = 0; arm->against != NULL && other < a->narms; other++)
        if (other != i && strcmp(a->arms[other].name, arm->against) == 0)
            break;
    if (other == a->narms)
        return refuse_arm(label, text, i, ".against", "is no other arm's name", err);
    if (arm->kind == FPX_ARM_BASELINE &&
        (arm->against != NULL || arm->expect != FPX_EXPECT_NOTHING))
        return refuse_arm(label, text, i, "",
                          "is the baseline: the others are compared with it, leave out against "
                          "and expect",
                          err);
    if (arm->kind == FPX_ARM_CONTROL && arm->expect != FPX_EXPECT_WORSE &&
        arm->expect != FPX_EXPECT_DIVERGES)
        return refuse_arm(label, text, i, "",
                          "is a positive control, which is known to be bad: expect worse or "
                          "diverges",
                          err);
    if ((arm->expect != FPX_EXPECT_NOTHING) != (arm->claim != NULL) ||
        (arm->claim != NULL) != (arm->source != NULL))
        return refuse_arm(label, text, i, "",
                          "needs expect, claim and source together, or none of them", err);
    return FPX_OK;
}

/* Each higher than the one before: "stable up to" has a meaning only then. */
static fpx_status check_rates(const char *label, const char *text, const fpx_ablation *a,
                              fpx_error *err)
{
    io_yaml_place key, value;
    char path[48], what[96];

    if (a->nrates == 0 && io_yaml_find(text, strlen(text), "learning_rates", 1, &key, &value))
        return io_value_refuse(label, text, "learning_rates",
                               "is empty: leave it out, or name at least one", err);
    for (unsigned i = 1; i < a->nrates; i++) {
        if (a->learning_rates[i] > a->learning_rates[i - 1])
            continue;
        (void)snprintf(path, sizeof path, "learning_rates[%u]", i);
        (void)snprintf(what, sizeof what,
                       "is %g after %g: list them from the lowest to the highest, each once",
                       a->learning_rates[i], a->learning_rates[i - 1]);
        return io_value_refuse(label, text, path, what, err);
    }
    return FPX_OK;
}

/* The arm that this one is compared with; a->narms: the baseline, by its not being named. */
static unsigned against_of(const fpx_ablation *a, unsigned i)
{
    unsigned other = 0;

    while (other < a->narms &&
           (a->arms[i].against == NULL || strcmp(a->arms[other].name, a->arms[i].against) != 0))
        other++;
    return other;
}

/* From arm to arm, each being compared with the next, one comes to the baseline. */
static fpx_status check_circles(const char *label, const char *text, const fpx_ablation *a,
                                fpx_error *err)
{
    for (unsigned i = 0; i < a->narms; i++) {
        unsigned at = against_of(a, i);

        for (unsigned n = 0; n < a->narms && at < a->narms && at != i; n++)
            at = against_of(a, at);
        if (at == i)
            return refuse_arm(label, text, i, ".against",
                              "leads back to this arm: the last of such a row is compared with "
                              "the baseline",
                              err);
    }
    return FPX_OK;
}

static const char file_characters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

static fpx_status check(const char *label, const char *text, const fpx_ablation *a, fpx_error *err)
{
    unsigned of_kind[3] = { 0 };
    fpx_status status = FPX_OK;

    for (unsigned i = 0; i < a->narms && status == FPX_OK; i++) {
        of_kind[a->arms[i].kind]++;
        status = check_arm(label, text, a, i, err);
    }
    if (status == FPX_OK)
        status = check_circles(label, text, a, err);
    if (status == FPX_OK)
        status = check_rates(label, text, a, err);
    if (status != FPX_OK)
        return status;
    if (a->name[strspn(a->name, file_characters)] != '\0' || strlen(a->name) > FPX_ABLATION_NAME)
        return io_value_refuse(
            label, text, "name",
            "is part of a file's name: at most 64 letters, digits, '.', '_' and '-'", err);
    if (of_kind[FPX_ARM_BASELINE] != 1)
        return io_value_refuse(label, text, "arms", "need exactly one of kind baseline", err);
    if (of_kind[FPX_ARM_CONTROL] == 0)
        return io_value_refuse(label, text, "arms",
                               "lack a positive control: an arm of kind control, known to be bad, "
                               "without which 'equal' says nothing",
                               err);
    if (a->measure == FPX_FLUSHED && a->flushed == NULL)
        return io_value_refuse(label, text, "measure",
                               "is flushed: say of which tensors with flushed: \"PATTERN\"", err);
    return FPX_OK;
}

/* ---- from a file ---- */
static fpx_status make_relative(const char *label, fpx_ablation *a, fpx_error *err)
{
    fpx_status status = io_config_relative(label, &a->experiment, err);

    for (unsigned i = 0; i < a->narms && status == FPX_OK; i++)
        if (io_is_recipe_file(a->arms[i].recipe))
            status = io_config_relative(label, &a->arms[i].recipe, err);
    return status;
}

fpx_status fpx_ablation_parse(const char *label, const char *text, fpx_ablation **ret_ablation,
                              fpx_error *err)
{
    const size_t count = strlen(text);
    fpx_ablation *a = NULL;
    void *texts = NULL;
    fpx_status status;

    if (count > IO_CONFIG_BYTES)
        return fpx_error_set(err, FPX_EFORMAT, "%s: larger than the %d bytes allowed here", label,
                             IO_CONFIG_BYTES);
    if ((a = calloc(1, sizeof *a)) == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", label);
    status = io_config_load(label, text, count, &ablation_schema, &texts, err);
    if (status == FPX_OK)
        status = fill(label, text, texts, a, err);
    if (status == FPX_OK)
        status = check(label, text, a, err);
    if (status == FPX_OK)
        status = make_relative(label, a, err);
    io_config_free(&ablation_schema, texts);
    if (status != FPX_OK) {
        fpx_ablation_free(a);
        return status;
    }
    *ret_ablation = a;
    return FPX_OK;
}

fpx_status fpx_ablation_read(const char *path, fpx_ablation **ret_ablation, fpx_error *err)
{
    char *text = NULL;
    size_t count = 0;
    fpx_status status = io_config_text(path, &text, &count, err);

    if (text != NULL)
        status = fpx_ablation_parse(path, text, ret_ablation, err);
    free(text);
    return status;
}

int fpx_is_ablation(const char *path)
{
    io_yaml_place key, value;
    char *text = NULL;
    size_t count = 0;
    int found = 0;

    if (io_config_text(path, &text, &count, NULL) == FPX_OK)
        found = io_yaml_find(text, count, "arms", 1, &key, &value);
    free(text);
    return found;
}

void fpx_ablation_free(fpx_ablation *ablation)
{
    if (ablation == NULL)
        return;
    for (unsigned i = 0; ablation->arms != NULL && i < ablation->narms; i++) {
        free(ablation->arms[i].name);
        free(ablation->arms[i].recipe);
        free(ablation->arms[i].against);
        free(ablation->arms[i].claim);
        free(ablation->arms[i].source);
    }
    free(ablation->name);
    free(ablation->experiment);
    free(ablation->flushed);
    free(ablation->margin_reason);
    free(ablation->learning_rates);
    free(ablation->arms);
    free(ablation);
}

const char *fpx_expectation_name(fpx_expectation expectation)
{
    static const char *const names[] = { "nothing", "equal", "worse", "better", "diverges" };

    return names[expectation];
}
