/* test_config.c - experiments and recipes: good files with defaults and explicit zeros, every kind of bad
 * input with its place and text, and damaged files, which may be refused but never do harm. */
#include <fenv.h>
#include <locale.h>

#include <fpx/config.h>

#include "scratch.h"

static fpx_error err;
static char path[PATH_ROOM];

static const char good[] =
    "name: demo\n"
    "model: {width: 64, layers: 2, heads: 4, hidden: 176, vocabulary: 256, activation: swiglu} # "
    "x\n"
    "data: {corpus: ../kjv.txt, sha256: "
    "ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef0123456789, sequence: 64, batch: 4, "
    "validation: 0.1}\n"
    "optimizer: {learning_rate: 0.003, final_share: 0.2, warmup: 10, beta1: 0.8, beta2: 0.99, "
    "eps: 1.0e-6, weight_decay: 0.01, clip: 2.5}\n"
    "steps: 40\n"
    "seed: 18446744073709551615\n"
    "recipe: fp8\n";

static const char shortest[] = "name: a\n"
                               "model:\n"
                               "  width: 2\n"
                               "  layers: 1\n"
                               "  heads: 1\n"
                               "  hidden: 1\n"
                               "  vocabulary: 256\n"
                               "  activation: gelu\n"
                               "data:\n"
                               "  corpus: /c\n"
                               "  sequence: 1\n"
                               "  batch: 1\n"
                               "  validation: 0\n"
                               "optimizer:\n"
                               "  learning_rate: 0\n"
                               "  warmup: 0\n"
                               "steps: 1\n"
                               "seed: 0\n"
                               "recipe: mine.yaml\n";

static const char good_recipe[] =
    "name: mixed\n"
    "source: >-\n"
    "  somewhere\n"
    "rules:\n"
    "  - {layer: \"-\", op: head, role: \"*\", tensor: \"*\", format: bf16, scaling: none, round: "
    "rne, overflow: none}\n"
    "  - {layer: \"1*\", op: \"mlp.*\", role: dgrad, tensor: dy, format: e5m2, scaling: "
    "tensor-current, round: rne, overflow: satfinite}\n";

static void setup(void)
{
    scratch_make();
    scratch_path("e.yaml", path);
}

static fpx_status read_experiment(const char *text, size_t count, fpx_experiment **ret_experiment)
{
    scratch_write(path, text, count);
    return fpx_experiment_read(path, ret_experiment, &err);
}

/* text with the first `from` replaced by `to`. */
static void replace(const char *text, const char *from, const char *to, char *ret_text, size_t room)
{
    const char *at = strstr(text, from);

    if (at == NULL)
        ck_abort_msg("'%s' is not in the text", from);
    const int n =
        snprintf(ret_text, room, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    ck_assert_int_lt(n, (int)room);
}

START_TEST(everything_given)
{
    fpx_experiment *e = NULL;
    char corpus[PATH_ROOM];

    ck_assert_msg(read_experiment(good, strlen(good), &e) == FPX_OK, "%s", err.text);
    scratch_path("../kjv.txt", corpus);
    ck_assert_str_eq(e->name, "demo");
    ck_assert_uint_eq(e->model.width, 64);
    ck_assert_uint_eq(e->model.layers, 2);
    ck_assert_uint_eq(e->model.heads, 4);
    ck_assert_uint_eq(e->model.hidden, 176);
    ck_assert_uint_eq(e->model.vocabulary, 256);
    ck_assert_uint_eq(e->model.activation, FPX_SWIGLU);
    ck_assert_str_eq(e->data.corpus, corpus);
    ck_assert_str_eq(e->data.sha256,
                     "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789");
    ck_assert_uint_eq(e->data.sequence, 64);
    ck_assert_uint_eq(e->data.batch, 4);
    ck_assert(e->data.validation == 0.1);
    ck_assert(e->optimizer.learning_rate == 0.003);
    ck_assert(e->optimizer.final_share == 0.2);
    ck_assert_uint_eq(e->optimizer.warmup, 10);
    ck_assert(e->optimizer.beta1 == 0.8 && e->optimizer.beta2 == 0.99);
    ck_assert(e->optimizer.eps == 1e-6 && e->optimizer.weight_decay == 0.01);
    ck_assert(e->optimizer.clip == 2.5);
    ck_assert_uint_eq(e->steps, 40);
    ck_assert_uint_eq(e->seed, UINT64_MAX);
    ck_assert_str_eq(e->recipe, "fp8");
    ck_assert_str_eq(e->text, good);
    fpx_experiment_free(e);
}
END_TEST

START_TEST(defaults_of_what_is_absent)
{
    fpx_experiment *e = NULL;
    char recipe[PATH_ROOM];

    ck_assert_msg(read_experiment(shortest, strlen(shortest), &e) == FPX_OK, "%s", err.text);
    scratch_path("mine.yaml", recipe);
    ck_assert(e->model.norm_eps == 1e-5 && e->model.rope_base == 10000.0);
    ck_assert(e->model.init_std == 0.02 && e->model.dropout == 0.0);
    ck_assert_ptr_null(e->data.sha256);
    ck_assert_str_eq(e->data.corpus, "/c");
    ck_assert(e->optimizer.final_share == 0.1);
    ck_assert(e->optimizer.beta1 == 0.9 && e->optimizer.beta2 == 0.95);
    ck_assert(e->optimizer.eps == 1e-8 && e->optimizer.weight_decay == 0.1);
    ck_assert(e->optimizer.clip == 1.0);
    ck_assert_uint_eq(e->optimizer.kind, FPX_ADAMW);
    ck_assert_uint_eq(e->optimizer.schedule, FPX_COSINE);
    ck_assert(e->optimizer.learning_rate == 0.0 && e->data.validation == 0.0);
    ck_assert_uint_eq(e->optimizer.warmup, 0);
    ck_assert_uint_eq(e->seed, 0);
    ck_assert_uint_eq(e->model.activation, FPX_GELU);
    ck_assert_str_eq(e->recipe, recipe);
    fpx_experiment_free(e);
    fpx_experiment_free(NULL);
}
END_TEST

START_TEST(explicit_zeros_stay_zero)
{
    fpx_experiment *e = NULL;
    char text[2048];

    replace(shortest, "  warmup: 0\n",
            "  warmup: 0\n  final_share: 0\n  beta1: 0\n  beta2: 0.0\n  weight_decay: 0\n"
            "  clip: -0\n",
            text, sizeof text);
    ck_assert_msg(read_experiment(text, strlen(text), &e) == FPX_OK, "%s", err.text);
    ck_assert(e->optimizer.final_share == 0.0 && e->optimizer.beta1 == 0.0);
    ck_assert(e->optimizer.beta2 == 0.0 && e->optimizer.weight_decay == 0.0);
    ck_assert(e->optimizer.clip == 0.0);
    fpx_experiment_free(e);
}
END_TEST

START_TEST(optimizers_have_defaults_of_their_own)
{
    fpx_experiment *e = NULL;
    char text[2048];

    replace(shortest, "  warmup: 0\n", "  warmup: 0\n  kind: lion\n  schedule: wsd\n", text,
            sizeof text);
    ck_assert_msg(read_experiment(text, strlen(text), &e) == FPX_OK, "%s", err.text);
    ck_assert_uint_eq(e->optimizer.kind, FPX_LION);
    ck_assert_uint_eq(e->optimizer.schedule, FPX_WSD);
    ck_assert(e->optimizer.beta1 == 0.9 && e->optimizer.beta2 == 0.99);
    ck_assert(e->optimizer.decay_share == 0.1);
    fpx_experiment_free(e);
    replace(shortest, "  warmup: 0\n", "  warmup: 0\n  kind: sgd\n  schedule: linear\n", text,
            sizeof text);
    ck_assert_msg(read_experiment(text, strlen(text), &e) == FPX_OK, "%s", err.text);
    ck_assert_uint_eq(e->optimizer.kind, FPX_SGD);
    ck_assert_uint_eq(e->optimizer.schedule, FPX_LINEAR);
    ck_assert(e->optimizer.momentum == 0.9);
    fpx_experiment_free(e);
}
END_TEST

/* Numbers do not depend on the caller's rounding mode or decimal point. */
START_TEST(numbers_mean_the_same_everywhere)
{
    static const int modes[] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
    const char *german = setlocale(LC_ALL, "de_DE.UTF-8");

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        fpx_experiment *e = NULL;

        ck_assert_int_eq(fesetround(modes[i]), 0);
        const fpx_status status = read_experiment(good, strlen(good), &e);
        ck_assert_int_eq(fegetround(), modes[i]);
        ck_assert_int_eq(fesetround(FE_TONEAREST), 0);
        ck_assert_msg(status == FPX_OK, "%s", err.text);
        ck_assert(e->optimizer.learning_rate == 0.003 && e->optimizer.beta1 == 0.8);
        ck_assert(e->optimizer.beta2 == 0.99 && e->data.validation == 0.1);
        fpx_experiment_free(e);
    }
    (void)setlocale(LC_ALL, "C");
    printf("decimal comma: %s\n", german != NULL ? "tried" : "no such locale here");
}
END_TEST

/* What is changed in the good text, and what the message must then hold. */
static const struct {
    const char *from, *to, *want;
} faults[] = {
    { "width: 64", "widht: 64",
      ":2:9: unknown key 'widht' in model; there is: width, layers, heads" },
    { "name: demo", "name: demo\ncolour: 1",
      ":2:1: unknown key 'colour' in the file; there is: name" },
    { "width: 64, ", "", ":2:8: model lacks the key 'width'" },
    { "name: demo\n", "", ":1:1: the file lacks the key 'name'" },
    { "steps: 40\n", "", ":1:1: the file lacks the key 'steps'" },
    { "steps: 40", "steps: 40\nsteps: 41", ":6:1: steps is given twice" },
    { "heads: 4", "heads: 4, outliers: 65",
      ":2:51: model.outliers is 65, but the width has 64 channels" },
    { "heads: 4", "heads: 4, heads: 4", ":2:41: model.heads is given twice" },
    { "width: 64", "width: {a: 1}", ":2:16: model.width must be a single value" },
    { "width: 64", "width: [64]", ":2:16: model.width must be a single value" },
    { "model: {", "model: 7 # {", ":2:8: model must be a mapping" },
    { "name: demo", "name:", ":1:6: name is empty" },
    { "width: 64", "width: 64x",
      ":2:16: model.width is '64x', but must be a whole number from 2 to" },
    { "width: 64", "width: -64", ":2:16: model.width is '-64'" },
    { "width: 64", "width: 6.4e1", ":2:16: model.width is '6.4e1'" },
    { "width: 64", "width: 0x40", ":2:16: model.width is '0x40'" },
    { "width: 64", "width: 064", ":2:16: model.width is '064'" },
    { "width: 64", "width: 4294967360", ":2:16: model.width is '4294967360'" },
    { "width: 64", "width: 0", ":2:16: model.width is '0'" },
    { "width: 64", "width: 66",
      ":2:16: model.width is 66, but must be an even multiple of heads, 4" },
    { "width: 64", "width: 60", ":2:16: model.width is 60, but must be an even multiple" },
    { "layers: 2", "layers: 0", "model.layers is '0'" },
    { "vocabulary: 256", "vocabulary: 255", "model.vocabulary is '255'" },
    { "swiglu", "relu", "model.activation is 'relu', but must be one of swiglu, gelu" },
    { "swiglu", "\"a\\e[31m\"", "model.activation is 'a?[31m'" },
    { "layers: 2", "layers: 2, dropout: 1",
      "model.dropout is '1', but must be a number at least 0 and below 1" },
    { "batch: 4", "kind: preference, batch: 3",
      "data.batch is 3, but must be even: the chosen and the rejected response" },
    { "batch: 4", "kind: instruct, beta: 0.1, batch: 4",
      "data.beta is a key of data.kind preference only: remove it" },
    { "batch: 4", "kind: preference, beta: 0, batch: 4", "data.beta is '0', but must be a number" },
    { "ABCDEF", "ABCDEG", ":3:36: data.sha256 is 'ABCDEG" },
    { "ABCDEF", "ABCDE", "must be 64 hexadecimal digits" },
    { "0.1}", "0.6}", "data.validation is '0.6', but must be a number at least 0 and at most 0.5" },
    { "0.003", "nan", ":4:28: optimizer.learning_rate is 'nan'" },
    { "0.003", ".inf", "optimizer.learning_rate is '.inf'" },
    { "0.003", "1e400", "optimizer.learning_rate is '1e400'" },
    { "0.003", "1e-400", "optimizer.learning_rate is '1e-400'" },
    { "0.003", "0x1p-3", "optimizer.learning_rate is '0x1p-3'" },
    { "0.003", "\"0,003\"", "optimizer.learning_rate is '0,003'" },
    { "0.003", "-0.003", "optimizer.learning_rate is '-0.003'" },
    { "beta1: 0.8", "beta1: 1",
      "optimizer.beta1 is '1', but must be a number at least 0 and below 1" },
    { "batch: ", "accumulate: 0, batch: ", "data.accumulate is '0'" },
    { "batch: 4", "accumulate: 2, batch: 6", "data.batch is 6, but must be a power of two" },
    { "warmup: 10", "warmup: 10, kind: adam",
      "optimizer.kind is 'adam', but must be one of adamw, sgd, lion" },
    { "warmup: 10", "warmup: 10, schedule: step", "must be one of cosine, linear, wsd" },
    { "warmup: 10", "warmup: 10, kind: sgd", "optimizer.beta1 is a key of adamw and lion only" },
    { "warmup: 10", "warmup: 10, kind: lion", "optimizer.eps is a key of adamw only: remove it" },
    { "warmup: 10", "warmup: 10, momentum: 0.9", "optimizer.momentum is a key of sgd only" },
    { "warmup: 10", "warmup: 10, decay_share: 0.2", "optimizer.decay_share is a key of wsd only" },
    { "warmup: 10", "warmup: 10, schedule: wsd, decay_share: 0", "optimizer.decay_share is '0'" },
    { "1.0e-6", "0",
      "optimizer.eps is '0', but must be a number above 7.00649e-46 (0 in float32) and at most 1" },
    { "1.0e-6", "1e-60", ":4:" },
    { "1.0e-6", "1e-60", "optimizer.eps is '1e-60', but must be a number above 7.00649e-46" },
    { "1.0e-6", "7.006492321624085e-46", "optimizer.eps is '7.006492321624085e-46', but must" },
    { "warmup: 10", "warmup: 1e1", "optimizer.warmup is '1e1'" },
    { "18446744073709551615", "18446744073709551616", ":6:7: seed is '18446744073709551616'" },
    { "18446744073709551615", "-1", ":6:7: seed is '-1', but must be a whole number from 0 to" },
    { "steps: 40", "steps: *x", ":5:8: aliases (*name) are not allowed" },
    { "recipe: fp8\n", "recipe: fp8\n---\nname: b\n", ":8:1: a second document begins" },
    { "name: demo", "name: \"a\\0b\"", ":1:7: a text holds a zero character" },
    { "name: demo", "? [a]\n: b", ":1:3: a key must be a plain word" },
    { "name: demo", "name: \"demo", ": not YAML: found unexpected" },
    { "name: demo", "name: d\xff", ":1:8: not YAML: " },
    { "steps: 40", "\tsteps: 40", ":5:1: not YAML: " },
    { "recipe: fp8", "recipe: [", "not YAML: " },
    { "name: demo", "name: [[[[[[[[[[[[[[[[[[[[[[a", ": nested too deeply" },
};

START_TEST(fault_is_named_and_placed)
{
    fpx_experiment *e = NULL;
    char text[2048];

    replace(good, faults[_i].from, faults[_i].to, text, sizeof text);
    const fpx_status status = read_experiment(text, strlen(text), &e);
    if (status != FPX_EFORMAT || err.status != FPX_EFORMAT || e != NULL ||
        strncmp(err.text, path, strlen(path)) != 0 || strstr(err.text, faults[_i].want) == NULL)
        ck_abort_msg("'%s' for '%s': status %d, text '%s', wanted '%s'", faults[_i].to,
                     faults[_i].from, (int)status, status == FPX_OK ? "" : err.text,
                     faults[_i].want);
}
END_TEST

START_TEST(files_that_are_none)
{
    static const struct {
        const char *text;
        size_t count;
        const char *want;
    } files[] = {
        { "", 0, "no YAML document" },
        { "# only this\n", 12, "no YAML document" },
        { "---\n", 4, "must be a mapping" },
        { "[]", 2, ":1:1: the file must be a mapping" },
        { "word", 4, "must be a mapping" },
        { "{}", 2, "lacks the key 'name'" },
        { "a: \0", 4, "zero bytes" },
        { "\xff\xfe"
          "a\0",
          4, "zero bytes" },
        { "\x01", 1, ":1:1: not YAML" },
        { "a: 1\n\xc3(", 7, ":2:2: not YAML" },
    };
    fpx_experiment *e = NULL;

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (read_experiment(files[i].text, files[i].count, &e) != FPX_EFORMAT ||
            strstr(err.text, files[i].want) == NULL)
            ck_abort_msg("file %zu: '%s', wanted '%s'", i, err.text, files[i].want);
    ck_assert_int_eq(fpx_experiment_read(scratch, &e, &err), FPX_EIO);
    scratch_path("absent.yaml", path);
    ck_assert_int_eq(fpx_experiment_read(path, &e, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "absent.yaml"));
    ck_assert_int_eq(fpx_experiment_read(path, &e, NULL), FPX_EIO);
}
END_TEST

/* Texts that make a careless parser slow or deep; the whole test takes well under a second. */
START_TEST(large_and_deep_files)
{
    static const char *const pieces[] = {
        "[",  "{",  "{a: ", "- ",          "? ",         "&a ",          "!a ", "a: ",
        "\"", "\n", "#",    "a: {a: 1}\n", "- {a: 1}\n", "a: [&x *x]\n", "|\n"
    };
    const size_t room = (1 << 20) + 1;
    char *text = malloc(room + 1);
    fpx_experiment *e = NULL;

    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        const size_t n = strlen(pieces[i]);
        for (size_t k = 0; k < room; k++)
            text[k] = pieces[i][k % n];
        ck_assert_int_eq(read_experiment(text, room, &e), FPX_EFORMAT);
        ck_assert_ptr_nonnull(strstr(err.text, "larger than the 1048576 bytes"));
        ck_assert_int_eq(read_experiment(text, room - 1, &e), FPX_EFORMAT);
        ck_assert_ptr_null(strstr(err.text, "larger than"));
    }
    free(text);
}
END_TEST

START_TEST(recipes)
{
    fpx_recipe *r = NULL;

    ck_assert_msg(fpx_recipe_parse("mixed", good_recipe, &r, &err) == FPX_OK, "%s", err.text);
    ck_assert_str_eq(r->name, "mixed");
    ck_assert_str_eq(r->source, "somewhere");
    ck_assert_str_eq(r->text, good_recipe);
    ck_assert_uint_eq(r->nrules, 2);
    ck_assert_str_eq(r->rules[0].layer, "-");
    ck_assert_str_eq(r->rules[1].layer, "1*");
    ck_assert_str_eq(r->rules[1].op, "mlp.*");
    ck_assert_str_eq(r->rules[1].role, "dgrad");
    ck_assert_str_eq(r->rules[1].tensor, "dy");
    ck_assert_str_eq(r->rules[1].format, "e5m2");
    ck_assert_str_eq(r->rules[1].scaling, "tensor-current");
    ck_assert_str_eq(r->rules[1].round, "rne");
    ck_assert_str_eq(r->rules[1].overflow, "satfinite");
    fpx_recipe_free(r);
    fpx_recipe_free(NULL);

    scratch_write(path, good_recipe, strlen(good_recipe));
    ck_assert_int_eq(fpx_recipe_read(path, &r, &err), FPX_OK);
    ck_assert_str_eq(r->text, good_recipe);
    fpx_recipe_free(r);
    ck_assert_int_eq(fpx_recipe_parse("none", "name: a\nsource: b\nrules: []\n", &r, &err), FPX_OK);
    ck_assert_uint_eq(r->nrules, 0);
    fpx_recipe_free(r);
}
END_TEST

/* A matrix unit: whole, without changes, and with each kind of fault. */
START_TEST(units)
{
    const char good_unit[] = "name: mine\nsource: a guess\nlike: a/b/c-d\nchanges:\n"
                             "  - { field: fraction, to: 14 }\n  - { field: c, to: late }\n";
    static const char *const bad[] = {
        "",
        "name: a\nsource: b\n",
        "name: a\nsource: b\nlike: c\nchanges: 3\n",
        "name: a\nsource: b\nlike: c\nchanges: [{ field: f }]\n",
        "name: a\nsource: b\nlike: c\nchanges: []\nmore: d\n",
    };
    fpx_unit *u = NULL;

    ck_assert_msg(fpx_unit_parse("mine", good_unit, &u, &err) == FPX_OK, "%s", err.text);
    ck_assert_str_eq(u->like, "a/b/c-d");
    ck_assert_uint_eq(u->nchanges, 2);
    ck_assert_str_eq(u->changes[1].field, "c");
    ck_assert_str_eq(u->changes[0].to, "14");
    fpx_unit_free(u);
    fpx_unit_free(NULL);
    ck_assert_int_eq(fpx_unit_parse("mine", "name: a\nsource: b\nlike: c\n", &u, &err), FPX_OK);
    ck_assert_uint_eq(u->nchanges, 0);
    fpx_unit_free(u);
    u = NULL;
    scratch_path("unit.yaml", path);
    scratch_write(path, good_unit, strlen(good_unit));
    ck_assert_int_eq(fpx_unit_read(path, &u, &err), FPX_OK);
    ck_assert_str_eq(u->name, "mine");
    fpx_unit_free(u);
    u = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(fpx_unit_parse("mine", bad[i], &u, &err) == FPX_EFORMAT, "%s", bad[i]);
        ck_assert_ptr_null(u);
        ck_assert_ptr_nonnull(strstr(err.text, "mine"));
    }
    ck_assert_int_eq(fpx_unit_read("no/such", &u, &err), FPX_EIO);
}
END_TEST

START_TEST(faults_in_recipes)
{
    static const struct {
        const char *from, *to, *want;
    } bad[] = {
        { "op: head, ", "", "mixed:5:5: rules[0] lacks the key 'op'" },
        { "op: \"mlp", "ob: \"mlp",
          "mixed:6:19: unknown key 'ob' in rules[1]; there is: layer, op" },
        { "overflow: none", "overflow: none, op: a", "mixed:5:109: rules[0].op is given twice" },
        { "format: e5m2", "format: []", "mixed:6:65: rules[1].format must be a single value" },
        { "  - {layer: \"-\"", "  - 7\n  - {layer: \"-\"",
          "mixed:5:5: rules[0] must be a mapping" },
        { "rules:", "rules: 7\nr:", "mixed:4:8: rules must be a list" },
        { "role: dgrad", "role: \"\"", "mixed:6:38: rules[1].role is empty" },
        { "source:", "sauce:", "mixed:2:1: unknown key 'sauce'" },
    };
    fpx_recipe *r = NULL;
    char text[2048];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        replace(good_recipe, bad[i].from, bad[i].to, text, sizeof text);
        if (fpx_recipe_parse("mixed", text, &r, &err) != FPX_EFORMAT || r != NULL ||
            strstr(err.text, bad[i].want) == NULL)
            ck_abort_msg("'%s': '%s', wanted '%s'", bad[i].to, err.text, bad[i].want);
    }
    ck_assert_int_eq(fpx_recipe_parse("none", "", &r, NULL), FPX_EFORMAT);
}
END_TEST

START_TEST(cut_files)
{
    const size_t last = (size_t)(strstr(good, "recipe: ") - good) + strlen("recipe: ");
    fpx_experiment *e = NULL;

    for (size_t n = 0; n <= strlen(good); n++) {
        const fpx_status status = read_experiment(good, n, &e);
        if (status != (n > last ? FPX_OK : FPX_EFORMAT))
            ck_abort_msg("cut to %zu bytes: status %d", n, (int)status);
        fpx_experiment_free(e);
        e = NULL;
    }
}
END_TEST

/* Damaged texts are refused with a text, or read; a crash, a leak or a hang is what this looks for. */
START_TEST(damaged_files)
{
    const size_t rounds = effort(4000);
    uint64_t state = 0x20250001;
    size_t read = 0;

    for (size_t i = 0; i < rounds; i++) {
        const int is_recipe = i % 2 == 1;
        const char *source = is_recipe ? good_recipe : i % 4 == 0 ? good : shortest;
        fpx_experiment *e = NULL;
        fpx_recipe *r = NULL;
        fpx_status status;
        char text[4096];
        size_t n = strlen(source);

        memcpy(text, source, n);
        for (uint64_t k = 1 + random_next(&state) % 6; k > 0; k--)
            damage(text, &n, &state);
        text[n] = '\0';
        memset(&err, 0, sizeof err);
        if (is_recipe)
            status = fpx_recipe_parse("damaged", text, &r, &err);
        else
            status = read_experiment(text, n, &e);
        if (status == FPX_OK ? (e == NULL && r == NULL)
                             : (status != FPX_EFORMAT || e != NULL || r != NULL || !err.text[0]))
            ck_abort_msg("round %zu: status %d, text '%s' for:\n%s", i, (int)status, err.text,
                         text);
        read += status == FPX_OK;
        fpx_experiment_free(e);
        fpx_recipe_free(r);
    }
    printf("damaged files: %zu rounds from seed 0x20250001, %zu still read\n", rounds, read);
    ck_assert_uint_gt(read, 0);
    ck_assert_uint_lt(read, rounds);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("config");
    TCase *tc = tcase_create("config");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, scratch_remove);
    tcase_add_test(tc, everything_given);
    tcase_add_test(tc, defaults_of_what_is_absent);
    tcase_add_test(tc, explicit_zeros_stay_zero);
    tcase_add_test(tc, optimizers_have_defaults_of_their_own);
    tcase_add_test(tc, numbers_mean_the_same_everywhere);
    tcase_add_loop_test(tc, fault_is_named_and_placed, 0, sizeof faults / sizeof faults[0]);
    tcase_add_test(tc, files_that_are_none);
    tcase_add_test(tc, large_and_deep_files);
    tcase_add_test(tc, recipes);
    tcase_add_test(tc, units);
    tcase_add_test(tc, faults_in_recipes);
    tcase_add_test(tc, cut_files);
    tcase_add_test(tc, damaged_files);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
