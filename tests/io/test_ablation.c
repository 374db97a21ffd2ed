/* test_ablation.c - fpx/ablation.h: a whole file with its defaults, files of other kinds, and damaged ones, which may be
 * refused but never do harm. What makes a comparison one is refused file by file in tests/cli/test_ablation.py. */
#include <fpx/ablation.h>

#include "scratch.h"

static fpx_error err;

static const char good[] = "name: some\n"
                           "experiment: base.yaml\n"
                           "seeds: 5\n"
                           "margin: 0.02\n"
                           "margin_reason: why\n"
                           "diverged_above: 4.5\n"
                           "learning_rates: [0.001, 1.0e-2]\n"
                           "arms:\n"
                           "  - {name: one, recipe: fp32, kind: baseline}\n"
                           "  - {name: two, recipe: recipes/mine.yaml, against: three, expect: "
                           "equal, claim: c, source: s}\n"
                           "  - {name: three, recipe: /abs/bad.yaml, kind: control, expect: "
                           "diverges, claim: c, source: s}\n";

START_TEST(whole)
{
    fpx_ablation *a = NULL;

    ck_assert_msg(fpx_ablation_parse("/there/some.yaml", good, &a, &err) == FPX_OK, "%s", err.text);
    ck_assert_str_eq(a->name, "some");
    ck_assert_str_eq(a->experiment, "/there/base.yaml");
    ck_assert_uint_eq(a->seeds, 5);
    ck_assert_uint_eq(a->measure, FPX_VALIDATION);
    ck_assert_ptr_null(a->flushed);
    ck_assert(a->margin == 0.02 && a->diverged_above == 4.5);
    ck_assert_uint_eq(a->nrates, 2);
    ck_assert(a->learning_rates[0] == 0.001 && a->learning_rates[1] == 0.01);
    ck_assert_uint_eq(a->narms, 3);
    ck_assert_uint_eq(a->arms[0].kind, FPX_ARM_BASELINE);
    ck_assert_uint_eq(a->arms[0].expect, FPX_EXPECT_NOTHING);
    ck_assert_ptr_null(a->arms[0].claim);
    ck_assert_str_eq(a->arms[0].recipe, "fp32"); /* a shipped one's name is no path */
    ck_assert_str_eq(a->arms[1].recipe, "/there/recipes/mine.yaml");
    ck_assert_str_eq(a->arms[1].against, "three");
    ck_assert_uint_eq(a->arms[1].expect, FPX_EXPECT_EQUAL);
    ck_assert_str_eq(a->arms[2].recipe, "/abs/bad.yaml");
    ck_assert_uint_eq(a->arms[2].kind, FPX_ARM_CONTROL);
    ck_assert_str_eq(fpx_expectation_name((fpx_expectation)a->arms[2].expect), "diverges");
    fpx_ablation_free(a);
    fpx_ablation_free(NULL);
}
END_TEST

START_TEST(places)
{
    fpx_ablation *a = NULL;
    char text[sizeof good];

    memcpy(text, good, sizeof good);
    memcpy(strstr(text, "equal"), "equak", 5);
    ck_assert_int_eq(fpx_ablation_parse("x.yaml", text, &a, &err), FPX_EFORMAT);
    ck_assert_ptr_null(a);
    ck_assert_msg(strncmp(err.text, "x.yaml:10:68: arms[1].expect is 'equak'", 38) == 0, "%s",
                  err.text);
}
END_TEST

START_TEST(kinds)
{
    char path[PATH_ROOM];

    scratch_make();
    scratch_path("a.yaml", path);
    ck_assert(!fpx_is_ablation(path));
    scratch_write(path, good, sizeof good - 1);
    ck_assert(fpx_is_ablation(path));
    scratch_write(path, "name: x\nmodel: {arms: 3}\n", 24);
    ck_assert(!fpx_is_ablation(path));
    scratch_write(path, "arms: [[[\n", 10);
    ck_assert(fpx_is_ablation(path) == 0 || fpx_is_ablation(path) == 1);
    scratch_remove();
}
END_TEST

/* Every byte removed, and every byte replaced by ones that YAML has a meaning for. */
START_TEST(damaged)
{
    static const char bytes[] = "\n :[]{}#-'\"&*!|>%@\t\x01\xff";
    char text[sizeof good];

    for (size_t at = 0; at < sizeof good - 1; at++)
        for (size_t k = 0; k < sizeof bytes; k++) {
            fpx_ablation *a = NULL;

            memcpy(text, good, sizeof good);
            if (bytes[k] != '\0')
                text[at] = bytes[k];
            else
                memmove(text + at, text + at + 1, sizeof good - 1 - at);
            if (fpx_ablation_parse("d", text, &a, &err) == FPX_OK)
                fpx_ablation_free(a);
            else if (a != NULL || err.text[0] == '\0')
                ck_abort_msg("byte %zu, %d", at, bytes[k]);
        }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ablation");
    TCase *c = tcase_create("ablation");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, whole);
    tcase_add_test(c, places);
    tcase_add_test(c, kinds);
    tcase_add_test(c, damaged);
    suite_add_tcase(s, c);
    return run_suite(s);
}
