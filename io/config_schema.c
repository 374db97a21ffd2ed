/* config_schema.c - which keys an experiment, a recipe and a matrix unit have, as libcyaml's tables. Every leaf is a text;
 * see config_load.h. */
#include "config_load.h"

#define TEXT(STRUCT, KEY) CYAML_FIELD_STRING_PTR(#KEY, CYAML_FLAG_POINTER, STRUCT, KEY, 1, MAX_TEXT)
#define OPTIONAL_TEXT(STRUCT, KEY)                                                                 \
    CYAML_FIELD_STRING_PTR(#KEY, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, STRUCT, KEY, 1, MAX_TEXT)

enum { MAX_TEXT = IO_CONFIG_TEXT, MAX_RULES = 65536 };

static const cyaml_schema_field_t model_fields[] = {
    TEXT(struct io_model_texts, width),
    TEXT(struct io_model_texts, layers),
    TEXT(struct io_model_texts, heads),
    TEXT(struct io_model_texts, hidden),
    TEXT(struct io_model_texts, vocabulary),
    TEXT(struct io_model_texts, activation),
    OPTIONAL_TEXT(struct io_model_texts, norm_eps),
    OPTIONAL_TEXT(struct io_model_texts, rope_base),
    OPTIONAL_TEXT(struct io_model_texts, init_std),
    OPTIONAL_TEXT(struct io_model_texts, outliers),
    OPTIONAL_TEXT(struct io_model_texts, dropout),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t data_fields[] = {
    OPTIONAL_TEXT(struct io_data_texts, corpus),
    OPTIONAL_TEXT(struct io_data_texts, sha256),
    TEXT(struct io_data_texts, sequence),
    TEXT(struct io_data_texts, batch),
    OPTIONAL_TEXT(struct io_data_texts, accumulate),
    TEXT(struct io_data_texts, validation),
    OPTIONAL_TEXT(struct io_data_texts, tokens),
    OPTIONAL_TEXT(struct io_data_texts, tokenizer),
    OPTIONAL_TEXT(struct io_data_texts, kind),
    OPTIONAL_TEXT(struct io_data_texts, beta),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t optimizer_fields[] = {
    OPTIONAL_TEXT(struct io_optimizer_texts, kind),
    OPTIONAL_TEXT(struct io_optimizer_texts, schedule),
    TEXT(struct io_optimizer_texts, learning_rate),
    OPTIONAL_TEXT(struct io_optimizer_texts, final_share),
    OPTIONAL_TEXT(struct io_optimizer_texts, decay_share),
    TEXT(struct io_optimizer_texts, warmup),
    OPTIONAL_TEXT(struct io_optimizer_texts, beta1),
    OPTIONAL_TEXT(struct io_optimizer_texts, beta2),
    OPTIONAL_TEXT(struct io_optimizer_texts, eps),
    OPTIONAL_TEXT(struct io_optimizer_texts, momentum),
    OPTIONAL_TEXT(struct io_optimizer_texts, weight_decay),
    OPTIONAL_TEXT(struct io_optimizer_texts, clip),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t experiment_fields[] = {
    TEXT(io_experiment_texts, name),
    CYAML_FIELD_MAPPING("model", CYAML_FLAG_DEFAULT, io_experiment_texts, model, model_fields),
    CYAML_FIELD_MAPPING("data", CYAML_FLAG_DEFAULT, io_experiment_texts, data, data_fields),
    CYAML_FIELD_MAPPING("optimizer", CYAML_FLAG_DEFAULT, io_experiment_texts, optimizer,
                        optimizer_fields),
    TEXT(io_experiment_texts, steps),
    TEXT(io_experiment_texts, seed),
    TEXT(io_experiment_texts, recipe),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t io_experiment_schema = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_POINTER, io_experiment_texts, experiment_fields) };

static const cyaml_schema_field_t rule_fields[] = {
    TEXT(fpx_rule, layer),
    TEXT(fpx_rule, op),
    TEXT(fpx_rule, role),
    TEXT(fpx_rule, tensor),
    TEXT(fpx_rule, format),
    TEXT(fpx_rule, scaling),
    TEXT(fpx_rule, round),
    TEXT(fpx_rule, overflow),
    OPTIONAL_TEXT(fpx_rule, transform),
    OPTIONAL_TEXT(fpx_rule, estimator),
    OPTIONAL_TEXT(fpx_rule, k),
    OPTIONAL_TEXT(fpx_rule, cap),
    OPTIONAL_TEXT(fpx_rule, clamp),
    OPTIONAL_TEXT(fpx_rule, clamp_over),
    OPTIONAL_TEXT(fpx_rule, compensate),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t rule_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, fpx_rule,
                                                                      rule_fields) };

static const cyaml_schema_field_t unit_rule_fields[] = {
    TEXT(fpx_unit_rule, layer), TEXT(fpx_unit_rule, op), TEXT(fpx_unit_rule, role),
    TEXT(fpx_unit_rule, unit),  CYAML_FIELD_END,
};

static const cyaml_schema_value_t unit_rule_schema = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_DEFAULT, fpx_unit_rule, unit_rule_fields) };

static const cyaml_schema_field_t state_rule_fields[] = {
    TEXT(fpx_state_rule, layer),
    TEXT(fpx_state_rule, op),
    TEXT(fpx_state_rule, tensor),
    TEXT(fpx_state_rule, format),
    TEXT(fpx_state_rule, scaling),
    OPTIONAL_TEXT(fpx_state_rule, factor),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t state_rule_schema = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_DEFAULT, fpx_state_rule, state_rule_fields) };

static const cyaml_schema_field_t recipe_fields[] = {
    TEXT(fpx_recipe, name),
    TEXT(fpx_recipe, source),
    CYAML_FIELD_SEQUENCE_COUNT("rules", CYAML_FLAG_POINTER, fpx_recipe, rules, nrules, &rule_schema,
                               0, MAX_RULES),
    CYAML_FIELD_SEQUENCE_COUNT("units", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, fpx_recipe, units,
                               nunits, &unit_rule_schema, 0, MAX_RULES),
    CYAML_FIELD_SEQUENCE_COUNT("states", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, fpx_recipe,
                               states, nstates, &state_rule_schema, 0, MAX_RULES),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t io_recipe_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, fpx_recipe,
                                                                    recipe_fields) };

static const cyaml_schema_field_t change_fields[] = {
    TEXT(fpx_unit_change, field),
    TEXT(fpx_unit_change, to),
    CYAML_FIELD_END,
};

static const cyaml_schema_value_t change_schema = { CYAML_VALUE_MAPPING(
    CYAML_FLAG_DEFAULT, fpx_unit_change, change_fields) };

static const cyaml_schema_field_t unit_fields[] = {
    TEXT(fpx_unit, name),
    TEXT(fpx_unit, source),
    TEXT(fpx_unit, like),
    CYAML_FIELD_SEQUENCE_COUNT("changes", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, fpx_unit,
                               changes, nchanges, &change_schema, 0, MAX_RULES),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t io_unit_schema = { CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, fpx_unit,
                                                                  unit_fields) };
