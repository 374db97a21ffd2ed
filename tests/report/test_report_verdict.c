/* test_report_verdict.c - verdicts of traces as text and JSON: differences, agreement, findings of shadows. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/report.h>

#include "report_fixture.h"

static char *folder;

static void setup(void)
{
    folder = scratch_new();
}

static void teardown(void)
{
    scratch_free(folder);
}

static void check_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        ck_abort_msg("'%s' is not in:\n%s", part, text);
}

static fpx_diff diff_of(const run_made *one, const run_made *two)
{
    const fpx_diff_policy exact = { 0 };
    fpx_trace *a = run_write(scratch_path(folder, "a.h5"), one),
              *b = run_write(scratch_path(folder, "b.h5"), two);
    fpx_diff diff;

    ck_assert_int_eq(fpx_diff_traces(a, b, &exact, &diff, NULL), FPX_OK);
    fpx_trace_free(a);
    fpx_trace_free(b);
    return diff;
}

static fpx_diff struck_diff(void)
{
    const run_made plain = run_plain();
    run_made struck = plain;

    struck.strike = 7;
    struck.heal = 9;
    return diff_of(&plain, &struck);
}

static json_t *json_of(const fpx_diff *diff)
{
    char *path = scratch_path(folder, "diff.json");
    json_error_t where;
    json_t *root;

    ck_assert_int_eq(fpx_report_diff_json(path, diff, NULL), FPX_OK);
    root = json_load_file(path, 0, &where);
    if (root == NULL)
        ck_abort_msg("line %d: %s", where.line, where.text);
    ck_assert_str_eq(json_string_value(json_object_get(root, "schema")), "fpx.diff/1");
    return root;
}

static const char *string_at(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    if (text == NULL)
        ck_abort_msg("%s is no string", key);
    return text;
}

START_TEST(text_of_a_difference)
{
    const fpx_diff diff = struck_diff();
    char text[4096], small[40];

    fpx_report_diff_text(&diff, text, sizeof text);
    check_has(text, "step       7\n");
    check_has(text, "operation  layer.1/attn.qkv/fprop");
    check_has(text, "tensor     layer.1/attn.qkv/y  fp32[4,4]");
    check_has(text, "element    6 = [1,2]");
    check_has(text, "1 of 16 elements here");
    check_has(text, "the loss   first has other bits at step 7");
    check_has(text, "equal again from step 9 on");
    memset(small, 'x', sizeof small);
    fpx_report_diff_text(&diff, small, sizeof small - 1);
    ck_assert_uint_le(strlen(small), sizeof small - 2);
    ck_assert_int_eq(small[sizeof small - 1], 'x');
}
END_TEST

/* Other programs and experiments, runs that ended early, NaN: said, in text and JSON. */
START_TEST(what_ran_is_said)
{
    fpx_diff diff = struck_diff();
    fpx_shadow_finding f = { .judged = 3, .steps = 2, .planned = 6, .unjudged = 4 };
    const fpx_trace_layout layout = { .nmodes = 1 };
    char text[4096];
    json_t *root;

    diff.nsettings = 1;
    diff.settings[0] = (fpx_setting){ "seed", "1", "2" };
    diff.unpaired.only_a = 3;
    diff.unpaired.first_a = diff.first.record;
    diff.unpaired_before = 2;
    diff.steps_b = 2;
    diff.planned_b = 6;
    diff.nonfinite_a = (fpx_nonfinite){ 1, 8, diff.first.record };
    fpx_report_diff_text(&diff, text, sizeof text);
    check_has(text, "the experiments differ:\n  seed ");
    check_has(text, "only in A    3 tensors, first layer.1/attn.qkv/y");
    check_has(text, "that both have; 2 without an equal come before it:");
    check_has(text, "B is incomplete: 2 of 6 steps");
    check_has(text, "A          holds NaN or Inf at step 8");
    root = json_of(&diff);
    ck_assert_str_eq(string_at(root, "outcome"), "finding");
    ck_assert_str_eq(string_at(json_array_get(json_object_get(root, "settings"), 0), "b"), "2");
    ck_assert_int_eq(
        json_integer_value(json_object_get(json_object_get(root, "unpaired"), "only_a")), 3);
    ck_assert_int_eq(json_integer_value(json_object_get(root, "planned_b")), 6);
    json_decref(root);

    fpx_report_finding_text(&layout, &f, text, sizeof text);
    check_has(text, "no verdict for 4 results: the bound is infinite (overflow)");
    check_has(text, "incomplete: 2 of 6 steps");
    ck_assert_int_eq(fpx_report_finding_json(scratch_path(folder, "f.json"), &layout, &f, NULL),
                     FPX_OK);
    root = json_load_file(scratch_path(folder, "f.json"), 0, NULL);
    ck_assert_str_eq(string_at(root, "verdict"), "no verdict");
    ck_assert_int_eq(json_integer_value(json_object_get(root, "unjudged")), 4);
    json_decref(root);
}
END_TEST

START_TEST(text_of_agreement)
{
    const run_made plain = run_plain();
    const fpx_diff diff = diff_of(&plain, &plain);
    char text[4096];

    fpx_report_diff_text(&diff, text, sizeof text);
    ck_assert_str_eq(text, "nothing differs: 12 steps of 9 tensors have the same bits\n");
}
END_TEST

START_TEST(json_of_a_difference)
{
    fpx_diff diff = struck_diff();
    json_t *root, *first;

    diff.first.value_b = (double)NAN;
    root = json_of(&diff);
    first = json_object_get(root, "first");
    ck_assert_str_eq(string_at(root, "verdict"), "different");
    ck_assert_int_eq(json_integer_value(json_object_get(root, "healed_at")), 9);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "step")), 7);
    ck_assert_str_eq(string_at(first, "operation"), "layer.1/attn.qkv/fprop");
    ck_assert_int_eq(json_integer_value(json_object_get(first, "element")), 6);
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(first, "index"), 1)), 2);
    ck_assert_uint_eq(strtoul(string_at(first, "bits_a"), NULL, 16) ^
                          strtoul(string_at(first, "bits_b"), NULL, 16),
                      1u << 22);
    ck_assert_str_eq(string_at(first, "value_b"), "NaN");
    ck_assert(json_is_real(json_object_get(first, "value_a")));
    json_decref(root);
    diff.first.value_a = -(double)INFINITY;
    diff.healed = UINT64_MAX;
    root = json_of(&diff);
    ck_assert_str_eq(string_at(json_object_get(root, "first"), "value_a"), "-Infinity");
    ck_assert(json_is_null(json_object_get(root, "healed_at")));
    json_decref(root);
}
END_TEST

START_TEST(finding_as_text_and_json)
{
    run_made made = run_plain();
    char *path = scratch_path(folder, "finding.json"), text[4096];
    fpx_shadow_finding finding;
    json_t *root, *first;

    made.strike = 2;
    made.modes[0] = "local:cpu";
    made.ratio = (double)NAN;
    made.mismatches = 1.0;
    fpx_trace *a = run_write(scratch_path(folder, "a.h5"), &made);
    ck_assert_int_eq(fpx_diff_shadows(a, &finding, NULL), FPX_OK);
    fpx_report_finding_text(fpx_trace_layout_of(a), &finding, text, sizeof text);
    check_has(text, "first finding (shadow local:cpu)");
    check_has(text, "step       2\n");
    check_has(text, "element    6 = [1,2]");
    check_has(text, "0x7fc00000");
    ck_assert_int_eq(fpx_report_finding_json(path, fpx_trace_layout_of(a), &finding, NULL), FPX_OK);
    root = json_load_file(path, 0, NULL);
    ck_assert_ptr_nonnull(root);
    first = json_object_get(root, "first");
    ck_assert_str_eq(string_at(root, "schema"), "fpx.finding/1");
    ck_assert_str_eq(string_at(first, "got"), "NaN");
    ck_assert_str_eq(string_at(first, "ratio_to_bound"), "NaN");
    ck_assert_str_eq(string_at(first, "bits_expected"), "0x3fa00000");
    json_decref(root);
    fpx_trace_free(a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report-verdict");
    TCase *tc = tcase_create("verdict");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, text_of_a_difference);
    tcase_add_test(tc, text_of_agreement);
    tcase_add_test(tc, what_ran_is_said);
    tcase_add_test(tc, json_of_a_difference);
    tcase_add_test(tc, finding_as_text_and_json);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
