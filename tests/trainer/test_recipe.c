/* test_recipe.c - recipes: the first rule that matches decides, words that mean nothing are named, a rule that
 * decides nothing is refused; and each quantizer of the shipped recipes, against a table written from
 * Transformer Engine's HYBRID recipe, not from the code. */
#include <math.h>

#include "tiny_run.h"

#define RULE(layer, op, role, tensor, format, scaling)                                             \
    "  - {layer: \"" layer "\", op: \"" op "\", role: \"" role "\", tensor: \"" tensor             \
    "\", format: " format ", scaling: " scaling ", round: rne, overflow: satfinite}\n"
#define RECIPE(rules) "name: r\nsource: test\nrules:\n" rules

static fpx_recipe *parse(const char *text)
{
    fpx_recipe *recipe = NULL;

    MUST(fpx_recipe_parse("r.yaml", text, &recipe, err));
    return recipe;
}

/* ---- matching ---- */
static const char ordered[] =
    RECIPE(RULE("0", "attn.*", "fprop", "x", "e5m2", "none")               /*  */
           RULE("0", "*", "*", "x", "bf16", "none")                        /*  */
           RULE("-", "head", "*", "*", "fp32", "none")                     /*  */
           RULE("1*", "mlp.?p", "[dw]grad", "*", "e4m3", "tensor-current") /*  */
           RULE("[!-]", "*", "*", "w", "fp16", "none")                     /*  */
    );

static const struct {
    int layer;
    const char *op;
    fpx_role role;
    const char *tensor;
    const char *format; /* NULL: fp32, not quantized */
    int rule;           /* the one marked as used, from 1; 0: none */
} operands[] = {
    { 0, "attn.qkv", FPX_FPROP, "x", "e5m2", 1 }, /* the first, though the second matches too */
    { 0, "attn.qkv", FPX_WGRAD, "x", "bf16", 2 }, { 0, "mlp.up", FPX_FPROP, "x", "bf16", 2 },
    { 0, "mlp.up", FPX_FPROP, "w", "fp16", 5 },   { 0, "mlp.up", FPX_DGRAD, "dy", NULL, 0 },
    { -1, "head", FPX_FPROP, "x", NULL, 3 }, /* fp32 by a rule */
    { -1, "head", FPX_DGRAD, "w", NULL, 3 },      { 1, "mlp.up", FPX_DGRAD, "dy", "e4m3", 4 },
    { 17, "mlp.up", FPX_WGRAD, "x", "e4m3", 4 }, /* 1* is 1, 10, 17: a pattern of text */
    { 1, "mlp.up", FPX_FPROP, "x", NULL, 0 },     { 1, "mlp.down", FPX_DGRAD, "dy", NULL, 0 },
    { 2, "mlp.up", FPX_DGRAD, "dy", NULL, 0 },    { 2, "mlp.up", FPX_DGRAD, "w", "fp16", 5 },
    { 12, "attn.out", FPX_FPROP, "w", NULL, 0 }, /* [!-] is one character */
};

START_TEST(first_match_decides)
{
    fpx_recipe *recipe = parse(ordered);

    ck_assert_uint_eq(recipe->nrules, 5);
    for (size_t i = 0; i < sizeof operands / sizeof operands[0]; i++) {
        unsigned char used[5] = { 0 }, expected[5] = { 0 };
        fpx_operand_rule rule;

        MUST(fpx_recipe_operand(recipe, operands[i].layer, 20, operands[i].op, operands[i].role,
                                operands[i].tensor, used, &rule, err));
        if (operands[i].rule > 0)
            expected[operands[i].rule - 1] = 1;
        ck_assert_msg(memcmp(used, expected, 5) == 0, "operand %zu: another rule", i);
        ck_assert_int_eq(rule.quantized, operands[i].format != NULL);
        if (rule.quantized)
            ck_assert_str_eq(rule.conversion.format.name, operands[i].format);
        ck_assert_int_eq(rule.quantized && rule.scaled, operands[i].rule == 4);
        MUST(fpx_recipe_operand(recipe, operands[i].layer, 20, operands[i].op, operands[i].role,
                                operands[i].tensor, NULL, &rule, err));
    }
    fpx_recipe_free(recipe);
}
END_TEST

static const struct {
    const char *format, *scaling, *round, *overflow, *words;
} unknown[] = {
    { "e4q4", "none", "rne", "none", "rule 2: 'e4q4' is no format" },
    { "int32", "none", "rne", "none", "rule 2: 'int32' is no format" },
    { "fp64", "none", "rne", "none", "rule 2: 'fp64' is no format" },
    { "e4m3", "tensor", "rne", "none",
      "rule 2: unknown scaling 'tensor'; there is: none, tensor-" },
    { "e4m3", "none", "rnd", "none", "rule 2: unknown round 'rnd'; there is: rne" },
    { "e4m3", "none", "rne", "sat",
      "rule 2: unknown overflow 'sat'; there is: satfinite, satpropagate, none" },
    { "bf16", "tensor-current", "rne", "none", "rule 2: 'bf16' has float32's range" },
    { "bf16", "ms-amp-1", "rne", "none", "take scaling none, not 'ms-amp-1'" },
    { "e2m1", "vector-ms-amp", "sr", "satfinite", "rule 2: scaling 'vector-ms-amp' does not go" },
};

START_TEST(unknown_words_are_named)
{
    char format[512];
    fpx_experiment experiment = tiny_experiment(FPX_SWIGLU);
    fpx_model *model = NULL;
    fpx_recipe *recipe;

    snprintf(
        format, sizeof format,
        "name: odd\nsource: test\nrules:\n"
        "  - {layer: \"0\", op: nothing, role: \"*\", tensor: \"*\", format: bf16, scaling: none,"
        " round: rne, overflow: none}\n"
        "  - {layer: \"*\", op: \"*\", role: \"*\", tensor: \"*\", format: %s, scaling: %s, round: "
        "%s, overflow: %s}\n",
        unknown[_i].format, unknown[_i].scaling, unknown[_i].round, unknown[_i].overflow);
    recipe = parse(format);
    REFUSED(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err), FPX_EINVAL,
            unknown[_i].words);
    REFUSED(fpx_model_build(&experiment, recipe, 0, 0, 0, &model, err), FPX_EINVAL, "recipe odd");
    ck_assert_ptr_null(model);
    fpx_recipe_free(recipe);
}
END_TEST

static const struct {
    const char *text, *words;
} idle[] = {
    { RECIPE(RULE("*", "*", "*", "*", "e4m3", "none") RULE("0", "*", "*", "*", "bf16", "none")),
      "line 5, rule 2: matches nothing that an earlier one leaves" },
    { RECIPE(RULE("7", "*", "*", "*", "e4m3", "none") RULE("*", "*", "*", "*", "bf16", "none")),
      "line 4, rule 1: matches nothing" },
    { RECIPE(RULE("*", "attn.scores", "*", "*", "e4m3", "none")),
      "line 4, rule 1: matches nothing" },
    { RECIPE(RULE("*", "*", "optimizer", "*", "e4m3", "none")), "line 4, rule 1: matches nothing" },
    { RECIPE(RULE("*", "*", "fprop", "dy", "e4m3", "none")), "line 4, rule 1: matches nothing" },
    { RECIPE(RULE("*", "attn.qvk", "*", "*", "e4m3", "none")),
      "role or tensor; no op is 'attn.qvk': there is attn.qkv, attn.out, mlp.up, mlp.down, head" },
    { RECIPE(RULE("2", "*", "fwd", "y", "e4m3", "none")),
      "; no layer is '2': there is 0 to 1, - outside; no role is 'fwd': there is fprop, dgrad, "
      "wgrad; "
      "no tensor is 'y': there is x, w, dy" },
    { "name: r\nsource: test\nrules: []\nunits:\n"
      "  - {layer: \"*\", op: attn.qk, role: \"*\", unit: volta/mma.sync/fp16-fp32}\n",
      "unit 1: matches nothing that an earlier one leaves: remove it, or mend its layer, op, role; "
      "no op "
      "is 'attn.qk': there is attn.qkv, attn.scores, attn.context" },
    { "name: r\nsource: test\nrules: []\nstates:\n"
      "  - {layer: \"*\", op: \"*\", tensor: momentum, format: bf16, scaling: none}\n",
      "op or tensor; no tensor is 'momentum': there is master, grad, m, v" },
};

/* The names that a refusal says there are: each alone has something to decide. */
START_TEST(names_that_are_offered_match)
{
    static const char *const lists[] = {
        "rules:\n  - {layer: \"*\", op: %s, role: \"*\", tensor: \"*\", format: bf16, scaling: "
        "none, "
        "round: rne, overflow: none}\n",
        "rules: []\nunits:\n  - {layer: \"*\", op: %s, role: \"*\", unit: "
        "\"hopper/wgmma/tf32-fp32\"}\n",
        "rules: []\nstates:\n  - {layer: \"*\", op: %s, tensor: m, format: bf16, scaling: none}\n"
    };
    fpx_experiment experiment = tiny_experiment(FPX_SWIGLU);
    fpx_model *model = NULL;
    fpx_error why = { 0 };
    char text[512], body[384], name[32];
    size_t offered = 0;

    snprintf(body, sizeof body, lists[_i], "nothing");
    snprintf(text, sizeof text, "name: r\nsource: test\n%s", body);
    fpx_recipe *recipe = parse(text);
    ck_assert_int_eq(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, &why), FPX_EINVAL);
    fpx_recipe_free(recipe);
    const char *at = strstr(why.text, "there is ");
    ck_assert_msg(at != NULL, "%s", why.text);
    for (at += strlen("there is "); sscanf(at, "%31[^, ]", name) == 1; offered++) {
        snprintf(body, sizeof body, lists[_i], name);
        snprintf(text, sizeof text, "name: r\nsource: test\n%s", body);
        recipe = parse(text);
        const fpx_status status = fpx_model_build(&experiment, recipe, 1, 0, 0, &model, &why);
        ck_assert_msg(status == FPX_OK || strstr(why.text, "matches nothing") == NULL, "%s: %s",
                      name, why.text);
        if (status == FPX_OK)
            fpx_model_free(model);
        fpx_recipe_free(recipe);
        at += strlen(name);
        at += strspn(at, ", ");
    }
    static const size_t want[] = { 5, 7, 9 };
    ck_assert_uint_eq(offered, want[_i]);
}
END_TEST

/* Remedies of FP4: what they are for, and the numbers they take. place: role and tensor. */
static const struct {
    const char *place, *format, *scaling, *remedy, *words; /* words NULL: accepted */
} remedies[] = {
    { "role: fprop, tensor: w", "e2m1", "vector", "estimator: dge", NULL },
    { "role: fprop, tensor: w", "e2m1", "vector-ms-amp", "estimator: dge, k: 3, cap: 2.5", NULL },
    { "role: fprop, tensor: x", "e2m1", "vector", "clamp: 0.97, clamp_over: row", NULL },
    { "role: fprop, tensor: x", "e4m3", "tensor-current", "clamp: 0.999, compensate: \"no\"",
      NULL },
    { "role: fprop, tensor: x", "e2m1", "vector-ms-amp", "clamp: 0.99, compensate: codes", NULL },
    { "role: fprop, tensor: w", "e2m1", "vector", "estimator: ste",
      "rule 1: estimator 'ste' is unknown; there is: none, clip, dge" },
    { "role: fprop, tensor: x", "e2m1", "vector", "estimator: dge",
      "rule 1: estimator 'dge' is for w in fprop" },
    { "role: \"*\", tensor: w", "e2m1", "vector", "estimator: dge",
      "rule 1: estimator 'dge' is for w in fprop" },
    { "role: fprop, tensor: w", "e4m3", "vector", "estimator: dge", "is for format e2m1" },
    { "role: fprop, tensor: w", "e2m1", "mx-floor", "estimator: dge", "is for format e2m1" },
    { "role: fprop, tensor: w", "e2m1", "vector", "k: 5",
      "rule 1: k '5' is for a rule with estimator dge" },
    { "role: fprop, tensor: w", "e2m1", "vector", "estimator: dge, k: 1",
      "rule 1: k '1' is not a number above 1" },
    { "role: fprop, tensor: w", "e2m1", "vector", "estimator: dge, k: 5x",
      "rule 1: k '5x' is not" },
    { "role: fprop, tensor: w", "e2m1", "vector", "estimator: dge, cap: inf",
      "rule 1: cap 'inf' is not a number above 0" },
    { "role: fprop, tensor: w", "e2m1", "vector", "clamp: 0.99", "rule 1: clamp '0.99' is for x" },
    { "role: wgrad, tensor: x", "e2m1", "vector", "clamp: 0.99", "rule 1: clamp '0.99' is for x" },
    { "role: fprop, tensor: x", "fp32", "none", "clamp: 0.99", "rule 1: clamp '0.99' is for x" },
    { "role: fprop, tensor: x", "e2m1", "vector", "clamp: 99",
      "rule 1: clamp '99' is not a quantile from 0.5 to below 1" },
    { "role: fprop, tensor: x", "e2m1", "vector", "clamp: nan", "rule 1: clamp 'nan' is not" },
    { "role: fprop, tensor: x", "e2m1", "vector", "clamp: 0.99, clamp_over: token",
      "rule 1: clamp_over 'token' is unknown; there is: tensor, row, column" },
    { "role: fprop, tensor: x", "e2m1", "vector", "clamp: 0.99, compensate: maybe",
      "rule 1: compensate 'maybe' is unknown; there is: yes, codes, no" },
    { "role: fprop, tensor: x", "e2m1", "vector", "compensate: \"no\"",
      "rule 1: compensate 'no' is for a rule with clamp" },
};

START_TEST(remedies_have_their_place)
{
    fpx_experiment experiment = tiny_experiment(FPX_SWIGLU);
    fpx_model *model = NULL;
    fpx_recipe *recipe;
    char text[512];

    snprintf(
        text, sizeof text,
        "name: r\nsource: test\nrules:\n  - {layer: \"*\", op: mlp.up, %s, format: %s, scaling: "
        "%s, round: rne, overflow: satfinite, %s}\n",
        remedies[_i].place, remedies[_i].format, remedies[_i].scaling, remedies[_i].remedy);
    recipe = parse(text);
    if (remedies[_i].words == NULL)
        MUST(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err));
    else
        REFUSED(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err), FPX_EINVAL,
                remedies[_i].words);
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

/* Units: the first that matches decides, patterns as in rules, changes behind a comma. */
static const struct {
    const char *units, *words; /* NULL: accepted */
} units[] = {
    { "- {layer: \"*\", op: \"mlp.*\", role: \"*\", unit: hopper/wgmma/fp8-fp32}", NULL },
    { "- {layer: \"1\", op: mlp.up, role: wgrad, unit: \"hopper/wgmma/fp8-fp32,fraction=14\"}",
      NULL },
    { "- {layer: \"*\", op: attn.scores, role: \"*\", unit: ideal/exact/any-fp32}", NULL },
    { "- {layer: \"*\", op: loss, role: \"*\", unit: hopper/wgmma/fp8-fp32}",
      "unit 1: matches nothing that an earlier one leaves" },
    { "- {layer: \"*\", op: mlp.up, role: \"*\", unit: hopper}",
      "unit 1: no matrix unit is named hopper; see: fpx models" },
    { "- {layer: \"*\", op: mlp.up, role: \"*\", unit: \"hopper/wgmma/fp8-fp32,fractions=14\"}",
      "unit 1: a matrix unit has no fractions" },
    { "- {layer: \"*\", op: mlp.up, role: \"*\", unit: \"hopper/wgmma/fp8-fp32,fraction\"}",
      "unit 1: 'fraction': a change is FIELD=VALUE" },
};

START_TEST(units_of_products)
{
    fpx_experiment experiment = tiny_experiment(FPX_SWIGLU);
    fpx_model *model = NULL;
    char text[1024];

    (void)snprintf(text, sizeof text, "%sunits:\n  %s\n",
                   RECIPE(RULE("*", "*", "*", "*", "e4m3", "tensor-current")), units[_i].units);
    fpx_recipe *recipe = parse(text);
    if (units[_i].words != NULL) {
        REFUSED(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err), FPX_EINVAL,
                units[_i].words);
        fpx_recipe_free(recipe);
        return;
    }
    MUST(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err));
    for (size_t i = 0; i < fpx_program_ops(model->program); i++) {
        const fpx_program_op *op = fpx_program_op_at(model->program, i);
        const char *const with = _i == 0   ? "/mlp."
                                 : _i == 1 ? "layer.1/mlp.up/wgrad"
                                           : "/attn.scores/";

        if (op->kind == FPX_OP_GEMM)
            ck_assert_msg((op->attr.gemm.unit[0] != '\0') == (strstr(op->name, with) != NULL) &&
                              (op->attr.gemm.unit[0] == '\0' || op->attr.gemm.leaf == 0),
                          "%s: unit '%s'", op->name, op->attr.gemm.unit);
    }
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

/* Forward alone is not asked: it has no use for the rules of the backward pass. */
START_TEST(unused_rule_is_refused)
{
    fpx_experiment experiment = tiny_experiment(FPX_SWIGLU);
    fpx_recipe *recipe = parse(idle[_i].text);
    fpx_model *model = NULL;

    REFUSED(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err), FPX_EINVAL, idle[_i].words);
    MUST(fpx_model_build(&experiment, recipe, 0, 0, 0, &model, err));
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

/* What is wrong with a rule of states is said with its number. */
START_TEST(bad_states_are_refused)
{
    static const struct {
        const char *rule, *want;
    } bad[] = {
        { "tensor: master, format: fp9, scaling: none", "state 1: 'fp9' is no format" },
        { "tensor: m, format: ue4m3, scaling: none", "state 1: 'ue4m3' is no format" },
        { "tensor: m, format: e4m3, scaling: tensor",
          "there is: none, tensor-pow2, coat, ms-amp-exact" },
        { "tensor: grad, format: e4m3, scaling: coat", "state 1: 'coat' is for m and v only" },
        { "tensor: v, format: fp32, scaling: tensor-pow2", "fp32 has scaling none" },
        { "tensor: grad, format: fp16, scaling: none, factor: paper",
          "state 1: 'paper' is a factor, which is for grad with scaling tensor-pow2" },
        { "tensor: m, format: e4m3, scaling: tensor-pow2, factor: main", "which is for grad" },
        { "tensor: grad, format: e4m3, scaling: tensor-pow2, factor: mean",
          "state 1: 'mean' is no factor; there is: paper, adaptive, main" },
        { "tensor: momentum, format: e4m3, scaling: none", "state 1: matches nothing" },
    };
    const fpx_experiment e = tiny_experiment(FPX_SWIGLU);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fpx_recipe *recipe = NULL;
        fpx_model *model = NULL;
        char text[512];

        (void)snprintf(text, sizeof text,
                       "name: bad\nsource: none\nrules: []\nstates:\n"
                       "  - {layer: \"*\", op: \"*\", %s}\n",
                       bad[i].rule);
        MUST(fpx_recipe_parse("bad", text, &recipe, err));
        REFUSED(fpx_model_build(&e, recipe, 1, 0, 0, &model, err), FPX_EINVAL, bad[i].want);
        fpx_recipe_free(recipe);
    }
}
END_TEST

/* Windows have 2^(1/window), rounded to float32 once: against long double. */
START_TEST(factors_grow_by_roots_of_two)
{
    fpx_experiment e = tiny_experiment(FPX_SWIGLU);

    e.model.layers = 1;
    for (unsigned window = 1; window <= 10000; window = window < 20 ? window + 1 : window * 9 / 7) {
        fpx_recipe *recipe = NULL;
        fpx_model *model = NULL;
        char text[512];

        (void)snprintf(text, sizeof text,
                       "name: r\nsource: none\nrules: []\nstates:\n"
                       "  - {layer: \"*\", op: \"*\", tensor: grad, format: e4m3, scaling: "
                       "tensor-pow2, factor: \"paper,window=%u\"}\n",
                       window);
        MUST(fpx_recipe_parse("r", text, &recipe, err));
        MUST(fpx_model_build(&e, recipe, 1, 0, 0, &model, err));
        const fpx_program_op *op =
            fpx_program_op_at(model->program, fpx_program_find_op(model->program, "head/w/factor"));
        ck_assert_uint_eq(op->kind, FPX_OP_SCALE_FACTOR);
        ck_assert_msg((float)op->attr.factor.growth == (float)exp2l(1.0L / window), "window %u: %a",
                      window, op->attr.factor.growth);
        ck_assert(op->attr.factor.every == 1 && op->attr.factor.ratio == 1e-5);
        fpx_model_free(model);
        fpx_recipe_free(recipe);
    }
}
END_TEST

/* The code's arithmetic for one state, the exact one for another. */
START_TEST(states_have_rules_of_their_own)
{
    const fpx_experiment e = tiny_experiment(FPX_SWIGLU);
    fpx_recipe *recipe = NULL;
    fpx_model *model = NULL;

    MUST(fpx_recipe_parse(
        "r",
        "name: r\nsource: none\nrules: []\nstates:\n"
        "  - {layer: \"*\", op: \"*\", tensor: grad, format: e4m3, scaling: ms-amp-exact, factor: "
        "paper}\n"
        "  - {layer: \"*\", op: \"*\", tensor: m, format: e4m3, scaling: tensor-pow2}\n"
        "  - {layer: \"*\", op: \"*\", tensor: v, format: fp16, scaling: ms-amp-exact}\n",
        &recipe, err));
    MUST(fpx_model_build(&e, recipe, 1, 0, 0, &model, err));
    const fpx_program *p = model->program;
    const fpx_program_op *const grad =
        fpx_program_op_at(p, fpx_program_find_op(p, "head/dw.e4m3/scale"));
    const fpx_program_op *const m = fpx_program_op_at(p, fpx_program_find_op(p, "head/w.m/scale"));
    const fpx_program_op *const v = fpx_program_op_at(p, fpx_program_find_op(p, "head/w.v/scale"));

    ck_assert(grad->attr.scale.rule == FPX_SCALE_MS_AMP_EXACT && grad->nin == 2);
    ck_assert(m->attr.scale.rule == FPX_SCALE_POW2 && m->nin == 1);
    ck_assert(v->attr.scale.rule == FPX_SCALE_MS_AMP_EXACT && v->nin == 1);
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

/* With two micro-batches an FP8 gradient is decoded, added to and rounded again. */
START_TEST(stored_gradients_are_rounded_with_each_micro_batch)
{
    static const char *const ops[] = {
        "micro.0/head/dw.e4m3/scale",
        "micro.0/head/dw.e4m3/quantize",
        "micro.0/head/dw.e4m3.before/dequantize",
        "micro.1/head/dw/accumulate",
        "micro.1/head/dw+.e4m3/scale",
        "micro.1/head/dw+.e4m3/quantize",
        "micro.1/head/dw+.e4m3.norm/dequantize",
        "micro.1/head/dw+.e4m3.now/dequantize",
    };
    fpx_experiment e = tiny_experiment(FPX_SWIGLU);
    fpx_recipe *recipe = tiny_recipe("fp8-lm-o3");
    fpx_model *model = NULL;
    uint32_t last = 0;

    e.optimizer.kind = FPX_LION; /* no second moment: the recipe's rule of it is no mistake */
    MUST(fpx_model_build(&e, recipe, 1, 0, 0, &model, err));
    ck_assert_uint_eq(fpx_program_find_tensor(model->program, "head/w.v"), FPX_NO_TENSOR);
    ck_assert_uint_ne(fpx_program_find_op(model->program, "head/w/lion"), FPX_NO_TENSOR);
    fpx_model_free(model);
    e.optimizer.kind = FPX_ADAMW;
    e.data.accumulate = 2;
    MUST(fpx_model_build(&e, recipe, 1, 0, 0, &model, err));
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        const uint32_t op = fpx_program_find_op(model->program, ops[i]);

        if (op == FPX_NO_TENSOR || op <= last)
            ck_abort_msg("%s is missing, or not in this order", ops[i]);
        last = op;
    }
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

START_TEST(shipped_recipes_load)
{
    fpx_recipe *recipe = NULL;
    size_t n = 0;

    for (const char *name; (name = fpx_recipe_shipped(n)) != NULL; n++) {
        recipe = tiny_recipe(name);
        ck_assert_str_eq(recipe->name, name);
        ck_assert(recipe->source[0] != '\0');
        fpx_recipe_free(recipe);
    }
    ck_assert_uint_eq(n, 20);
    ck_assert_ptr_null(fpx_recipe_shipped(n + 1));
    recipe = NULL;
    REFUSED(fpx_recipe_load("fp9", &recipe, err), FPX_EINVAL,
            "no recipe 'fp9'; there is: fp32, bf16, fp8");
    REFUSED(fpx_recipe_load("", &recipe, err), FPX_EINVAL, "no recipe ''");
    REFUSED(fpx_recipe_load("absent.yaml", &recipe, err), FPX_EIO, "absent.yaml");
    ck_assert_ptr_null(recipe);
}
END_TEST

/* ---- what the shipped recipes quantize ---- */
/* A linear layer: what feeds it, and what feeds its backward pass. %d is the layer. */
static const struct {
    const char *op, *x, *dy;
} linears[] = {
    { "layer.%d/attn.qkv", "layer.%d/attn.norm/y", "layer.%d/attn.rope/dx" },
    { "layer.%d/attn.out", "layer.%d/attn.merge/y", "layer.%d/mlp.add/dx" },
    { "layer.%d/mlp.up", "layer.%d/mlp.norm/y", "layer.%d/mlp.act/dx" },
    { "layer.%d/mlp.down", "layer.%d/mlp.act/y",
      "" }, /* dy: of the layer above, or the last norm */
    { "head", "norm/y", "loss/dx" },
};
enum { LINEARS = sizeof linears / sizeof linears[0] };

/* HYBRID: E4M3 for x and w, E5M2 for dy, one current scale a tensor, saturating. The head stays BF16,
 * a cast that overflows to Inf. Attention's inner products stay fp32. */
typedef struct rule_row {
    const char *tensor, *format;
    int scaled;
    uint32_t overflow;
} rule_row;

static const struct {
    const char *recipe;
    rule_row inner[3], head[3]; /* x, w, dy */
} tables[] = {
    { "fp8",
      { { "x", "e4m3", 1, FPX_SATFINITE },
        { "w", "e4m3", 1, FPX_SATFINITE },
        { "dy", "e5m2", 1, FPX_SATFINITE } },
      { { "x", "bf16", 0, FPX_OVERFLOW_NONE },
        { "w", "bf16", 0, FPX_OVERFLOW_NONE },
        { "dy", "bf16", 0, FPX_OVERFLOW_NONE } } },
    { "bf16",
      { { "x", "bf16", 0, FPX_OVERFLOW_NONE },
        { "w", "bf16", 0, FPX_OVERFLOW_NONE },
        { "dy", "bf16", 0, FPX_OVERFLOW_NONE } },
      { { "x", "bf16", 0, FPX_OVERFLOW_NONE },
        { "w", "bf16", 0, FPX_OVERFLOW_NONE },
        { "dy", "bf16", 0, FPX_OVERFLOW_NONE } } },
};

static void spell(char out[FPX_NAME_MAX], const char *pattern, int layer)
{
    const char *at = strstr(pattern, "%d");

    if (at == NULL)
        snprintf(out, FPX_NAME_MAX, "%s", pattern);
    else
        snprintf(out, FPX_NAME_MAX, "%.*s%d%s", (int)(at - pattern), pattern, layer, at + 2);
}

static void source_of(char out[FPX_NAME_MAX], size_t linear, const char *tensor, int layer)
{
    char site[FPX_NAME_MAX];

    spell(site, linears[linear].op, layer);
    if (strcmp(tensor, "x") == 0)
        spell(out, linears[linear].x, layer);
    else if (strcmp(tensor, "w") == 0)
        snprintf(out, FPX_NAME_MAX, "%.*s/w", FPX_NAME_MAX - 3, site);
    else if (linears[linear].dy[0] != '\0')
        spell(out, linears[linear].dy, layer);
    else
        snprintf(out, FPX_NAME_MAX, "%s", layer == 1 ? "norm/dx" : "layer.1/attn.add/dx");
}

static const char *tensor_name(const fpx_program *p, uint32_t id)
{
    return fpx_program_tensor_at(p, id)->name;
}

/* One quantizer; returns the tensor of its codes. */
static uint32_t check_quantizer(const fpx_program *p, const char *site, const rule_row *row,
                                const char *source)
{
    char name[2 * FPX_NAME_MAX];

    snprintf(name, sizeof name, "%s/%s.%s/quantize", site, row->tensor, row->format);
    const uint32_t q = fpx_program_find_op(p, name);
    ck_assert_msg(q != FPX_NO_TENSOR, "%s is missing", name);
    const fpx_program_op *op = fpx_program_op_at(p, q);
    const fpx_program_tensor *codes = fpx_program_tensor_at(p, op->out[0]);
    ck_assert_uint_eq(op->kind, FPX_OP_QUANTIZE);
    ck_assert_uint_eq(op->attr.quantize.round, FPX_RNE);
    ck_assert_uint_eq(op->attr.quantize.overflow, row->overflow);
    ck_assert_msg(strcmp(tensor_name(p, op->in[0]), source) == 0, "%s quantizes %s, not %s", name,
                  tensor_name(p, op->in[0]), source);
    ck_assert_uint_eq(codes->unquantized, op->in[0]);
    ck_assert_str_eq(codes->desc.format.name, row->format);
    ck_assert_uint_eq(op->nin, row->scaled ? 2 : 1);
    ck_assert_int_eq(codes->scale != FPX_NO_TENSOR, row->scaled);
    ck_assert_uint_eq(codes->desc.nscales, row->scaled ? 1 : 0);
    if (row->scaled) {
        const fpx_program_tensor *scale = fpx_program_tensor_at(p, codes->scale);
        const fpx_program_op *made = fpx_program_op_at(p, scale->producer);

        ck_assert_uint_eq(op->in[1], codes->scale);
        ck_assert_uint_eq(made->kind, FPX_OP_SCALE);
        ck_assert_uint_eq(made->in[0], op->in[0]);
        ck_assert_str_eq(made->attr.scale.target.name, row->format);
        ck_assert_uint_eq(made->attr.scale.rule, FPX_SCALE_CURRENT);
    }
    return op->out[0];
}

static void check_product(const fpx_program *p, const char *site, const char *role, uint32_t a,
                          uint32_t b)
{
    char name[2 * FPX_NAME_MAX];

    snprintf(name, sizeof name, "%s/%s", site, role);
    const fpx_program_op *op = fpx_program_op_at(p, fpx_program_find_op(p, name));
    ck_assert_uint_eq(op->kind, FPX_OP_GEMM);
    ck_assert_msg(op->in[0] == a && op->in[1] == b, "%s multiplies %s and %s", name,
                  tensor_name(p, op->in[0]), tensor_name(p, op->in[1]));
}

START_TEST(quantizers_are_those_of_the_table)
{
    fpx_experiment experiment = tiny_experiment(FPX_SWIGLU);
    fpx_recipe *recipe = tiny_recipe(tables[_i].recipe);
    fpx_model *model = NULL;
    size_t quantizers = 0, scales = 0, expected_scales = 0, inner = 0;

    MUST(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err));
    const fpx_program *p = model->program;
    for (int layer = 0; layer < 2; layer++) {
        for (size_t l = 0; l < LINEARS - (layer == 0); l++) {
            const rule_row *rows = l == LINEARS - 1 ? tables[_i].head : tables[_i].inner;
            char site[FPX_NAME_MAX], source[FPX_NAME_MAX];
            uint32_t codes[3];

            spell(site, linears[l].op, layer);
            for (int t = 0; t < 3; t++) {
                source_of(source, l, rows[t].tensor, layer);
                codes[t] = check_quantizer(p, site, &rows[t], source);
                expected_scales += (size_t)rows[t].scaled;
            }
            check_product(p, site, "fprop", codes[0], codes[1]);
            check_product(p, site, "dgrad", codes[2], codes[1]);
            check_product(p, site, "wgrad", codes[2], codes[0]);
        }
    }
    for (size_t i = 0; i < fpx_program_ops(p); i++) {
        const fpx_program_op *op = fpx_program_op_at(p, i);

        quantizers += op->kind == FPX_OP_QUANTIZE;
        scales += op->kind == FPX_OP_SCALE;
        for (uint32_t k = 0; k < op->nin && op->kind == FPX_OP_GEMM && op->attr.gemm.leaf == 0; k++)
            inner += fpx_program_tensor_at(p, op->in[k])->unquantized == FPX_NO_TENSOR;
    }
    ck_assert_uint_eq(quantizers, 3 * 9); /* each operand once: no role quantizes it again */
    ck_assert_uint_eq(scales, expected_scales);
    ck_assert_uint_eq(inner, 2 * 6 * 2); /* attention's six products a layer, both operands fp32 */
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

/* Roles that want other formats get copies of their own; unusual choices show in the name. */
START_TEST(roles_may_disagree)
{
    static const char text[] =
        RECIPE(RULE("1", "mlp.up", "fprop", "x", "e4m3", "tensor-current")   //
               RULE("1", "mlp.up", "wgrad", "x", "e5m2", "none")             //
               RULE("1", "mlp.up", "dgrad", "w", "fp16", "tensor-current")); //
    static const char *const names[] = { "layer.1/mlp.up/x.e4m3", "layer.1/mlp.up/x.e5m2.cast",
                                         "layer.1/mlp.up/w.fp16.scaled.saturated" };
    static const uint32_t roles[] = { FPX_FPROP, FPX_WGRAD, FPX_DGRAD };
    fpx_experiment experiment = tiny_experiment(FPX_SWIGLU);
    fpx_recipe *recipe = parse(text);
    fpx_model *model = NULL;
    size_t quantizers = 0;

    MUST(fpx_model_build(&experiment, recipe, 1, 0, 0, &model, err));
    for (size_t i = 0; i < 3; i++) {
        const uint32_t id = fpx_program_find_tensor(model->program, names[i]);

        ck_assert_msg(id != FPX_NO_TENSOR, "%s", names[i]);
        ck_assert_uint_eq(
            fpx_program_op_at(model->program, fpx_program_tensor_at(model->program, id)->producer)
                ->role,
            roles[i]);
    }
    for (size_t i = 0; i < fpx_program_ops(model->program); i++)
        quantizers += fpx_program_op_at(model->program, i)->kind == FPX_OP_QUANTIZE;
    ck_assert_uint_eq(quantizers, 3);
    fpx_model_free(model);
    fpx_recipe_free(recipe);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, first_match_decides);
    tcase_add_loop_test(tc, unknown_words_are_named, 0, sizeof unknown / sizeof unknown[0]);
    tcase_add_loop_test(tc, remedies_have_their_place, 0,
                        (int)(sizeof remedies / sizeof remedies[0]));
    tcase_add_loop_test(tc, units_of_products, 0, (int)(sizeof units / sizeof units[0]));
    tcase_add_loop_test(tc, unused_rule_is_refused, 0, sizeof idle / sizeof idle[0]);
    tcase_add_loop_test(tc, names_that_are_offered_match, 0, 3);
    tcase_add_test(tc, shipped_recipes_load);
    tcase_add_test(tc, bad_states_are_refused);
    tcase_add_test(tc, factors_grow_by_roots_of_two);
    tcase_add_test(tc, states_have_rules_of_their_own);
    tcase_add_test(tc, stored_gradients_are_rounded_with_each_micro_batch);
    tcase_add_loop_test(tc, quantizers_are_those_of_the_table, 0, 2);
    tcase_add_test(tc, roles_may_disagree);
}

int main(void)
{
    return tiny_run("recipe", add);
}
