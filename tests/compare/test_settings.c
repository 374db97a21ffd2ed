/* test_settings.c - what two experiments say otherwise is named by its path; what is no setting is not. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/settings.h>

static const char experiment[] = "# The demo's model.\n"
                                 "name: demo\n"
                                 "model: {width: 64, layers: 2, note: \"a # b\"}\n"
                                 "data:\n"
                                 "  corpus: ../x.txt   # a comment\n"
                                 "  batch: 4\n"
                                 "optimizer:\n"
                                 "  learning_rate: 0.003\n"
                                 "\n"
                                 "seed: 1\n"
                                 "steps: 40\n"
                                 "recipe: fp8\n";
static const char recipe[] = "name: fp8\n"
                             "source: >-\n"
                             "  somewhere:\n"
                             "  else\n"
                             "rules:\n"
                             "  - {layer: \"-\", op: \"head\", format: bf16}\n"
                             "  - layer: \"*\"\n"
                             "    format: e4m3\n";

/* `from` of the text becomes `to`. */
static void change(const char *text, const char *from, const char *to, char *ret, size_t room)
{
    const char *at = strstr(text, from);

    ck_assert_ptr_nonnull(at);
    snprintf(ret, room, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static const struct {
    int in_recipe;
    const char *from, *to, *key, *a, *b; /* key NULL: no difference */
} cases[] = {
    { 0, "seed: 1", "seed: 2", "seed", "1", "2" },
    { 0, "0.003", "0.004", "optimizer.learning_rate", "0.003", "0.004" },
    { 0, "width: 64", "width: 128", "model.width", "64", "128" },
    { 0, "  batch: 4\n", "", "data.batch", "4", "" },
    { 0, "steps: 40\n", "steps: 40\nextra: x y\n", "extra", "", "x y" },
    { 0, "a # b", "a # c", "model.note", "\"a # b\"", "\"a # c\"" },
    { 1, "format: bf16", "format: fp16", "recipe.rules[0].format", "bf16", "fp16" },
    { 1, "format: e4m3", "format: e5m2", "recipe.rules[1].format", "e4m3", "e5m2" },
    { 1, "name: fp8", "name: mine", "recipe.name", "fp8", "mine" },
    { 0, "# The demo's model.\n", "", NULL, NULL, NULL },
    { 0, "   # a comment", "", NULL, NULL, NULL },
    { 0, "seed: 1\n", "---\nseed:   1  \r\n", NULL, NULL, NULL },
    { 0, "{width: 64, ", "{ width: 64,", NULL, NULL, NULL },
    { 1, "somewhere", "anywhere", NULL, NULL, NULL },
};

START_TEST(one_change_is_named)
{
    char changed[2048];
    fpx_settings a = { experiment, NULL, recipe }, b = a;
    fpx_setting found[4];

    change(cases[_i].in_recipe ? recipe : experiment, cases[_i].from, cases[_i].to, changed,
           sizeof changed);
    if (cases[_i].in_recipe)
        b.recipe = changed;
    else
        b.experiment = changed;
    const size_t n = fpx_settings_differ(&a, &b, found, 4);
    const int same = fpx_digest_equal(fpx_settings_digest(&a), fpx_settings_digest(&b));

    if (cases[_i].key == NULL) {
        ck_assert_msg(n == 0, "%s: %s", cases[_i].from, found[0].key);
        ck_assert_int_eq(same, 1);
        return;
    }
    ck_assert_uint_eq(n, 1);
    ck_assert_str_eq(found[0].key, cases[_i].key);
    ck_assert_str_eq(found[0].a, cases[_i].a);
    ck_assert_str_eq(found[0].b, cases[_i].b);
    ck_assert_int_eq(same, 0);
    ck_assert_uint_eq(fpx_settings_differ(&b, &a, found, 4), 1); /* and the other way round */
    ck_assert_str_eq(found[0].a, cases[_i].b);
}
END_TEST

/* --seed 2 is the same run as seed: 2. */
START_TEST(overrides_take_the_place)
{
    char changed[2048];
    const fpx_settings a = { experiment, "seed: 2\nrecipe: bf16\n", recipe };
    fpx_settings b = { changed, "recipe: bf16\n", recipe };
    fpx_setting found[4];

    change(experiment, "seed: 1", "seed: 2", changed, sizeof changed);
    ck_assert_uint_eq(fpx_settings_differ(&a, &b, found, 4), 0);
    b.overrides = NULL;
    ck_assert_uint_eq(fpx_settings_differ(&a, &b, found, 4), 1);
    ck_assert_str_eq(found[0].key, "recipe");
    ck_assert_str_eq(found[0].a, "bf16");
    ck_assert_str_eq(found[0].b, "fp8");
    char value[FPX_SETTING_VALUE];
    ck_assert_int_eq(fpx_settings_find(&a, "seed", value), 1);
    ck_assert_str_eq(value, "2");
    ck_assert_int_eq(fpx_settings_find(&a, "recipe", value), 1);
    ck_assert_str_eq(value, "bf16");
    ck_assert_int_eq(fpx_settings_find(&b, "recipe", value), 1);
    ck_assert_str_eq(value, "fp8");
    ck_assert_int_eq(fpx_settings_find(&a, "none", value), 0);
    ck_assert_str_eq(value, "fp8");
}
END_TEST

/* Only `room` are given, all are counted; long keys and values are cut, long values compared whole. */
START_TEST(room_and_length)
{
    char x[1024], y[1024];
    const fpx_settings none = { NULL, NULL, NULL }, a = { x, "", "" }, b = { y, "", "" };
    fpx_setting found[2];

    ck_assert_uint_eq(fpx_settings_differ(&none, &none, NULL, 0), 0);
    snprintf(x, sizeof x, "%s", "p: 1\nq: 2\nr: 3\n");
    ck_assert_uint_eq(fpx_settings_differ(&a, &none, found, 2), 3);
    ck_assert_str_eq(found[1].key, "q");
    snprintf(x, sizeof x, "%0300d: %0300d1\n", 7, 8);
    snprintf(y, sizeof y, "%0300d: %0300d2\n", 7, 8);
    ck_assert_uint_eq(fpx_settings_differ(&a, &b, found, 2), 1);
    ck_assert_uint_eq(strlen(found[0].key), FPX_SETTING_KEY - 1);
    ck_assert_uint_eq(strlen(found[0].a), FPX_SETTING_VALUE - 1);
}
END_TEST

/* Texts of strangers: any bytes, cut anywhere, indented without end. */
START_TEST(no_text_crashes)
{
    static const char odd[] = "a:- {}[],\"'#\n\n  .";
    char text[256];
    uint64_t state = 7;
    fpx_setting found[3];

    for (int round = 0; round < 3000; round++) {
        const fpx_settings a = { text, text, text }, b = { experiment, NULL, text };

        for (size_t i = 0; i < sizeof text - 1; i++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
            text[i] = odd[(state >> 33) % (sizeof odd - 1)];
        }
        text[(state >> 40) % sizeof text] = '\0';
        text[sizeof text - 1] = '\0';
        (void)fpx_settings_digest(&a);
        if (round % 20 == 0)
            (void)fpx_settings_differ(&a, &b, found, 3);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("settings");
    TCase *tc = tcase_create("settings");
    SRunner *runner;

    tcase_add_loop_test(tc, one_change_is_named, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tc, overrides_take_the_place);
    tcase_add_test(tc, room_and_length);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, no_text_crashes);
    suite_add_tcase(s, tc);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
