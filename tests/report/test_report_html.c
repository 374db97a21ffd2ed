/* test_report_html.c - the page: whole, safe with hostile names, and saying what was found. */
#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static void check_has(const char *page, const char *text)
{
    if (strstr(page, text) == NULL)
        ck_abort_msg("the page does not say: %s", text);
}

static void check_lacks(const char *page, const char *text)
{
    if (strstr(page, text) != NULL)
        ck_abort_msg("the page says: %s", text);
}

static int count(const char *page, const char *text)
{
    int n = 0;

    for (; (page = strstr(page, text)) != NULL; page++)
        n++;
    return n;
}

/* Makes the page, has it checked by parsers, and returns it; to be freed. */
static char *page_of(const fpx_report_input *input)
{
    char *path = scratch_path(folder, "page.html"), command[1024];
    fpx_error err;

    if (fpx_report_html(path, input, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    (void)snprintf(command, sizeof command, "%s %s %s", PYTHON, PAGE_CHECK, path);
    ck_assert_msg(system(command) == 0, "page_check.py refuses the page");
    return text_of(path);
}

/* Two runs and their diff on a page. */
static char *page_of_two(const run_made *one, const run_made *two)
{
    const fpx_diff_policy exact = { 0 };
    fpx_trace *a = run_write(scratch_path(folder, "a.h5"), one),
              *b = run_write(scratch_path(folder, "b.h5"), two);
    fpx_shadow_finding finding;
    fpx_diff diff;
    char *page;

    ck_assert_int_eq(fpx_diff_traces(a, b, &exact, &diff, NULL), FPX_OK);
    ck_assert_int_eq(fpx_diff_shadows(b, &finding, NULL), FPX_OK);
    page = page_of(&(fpx_report_input){ .trace = a,
                                        .trace_name = "some/where/" FIXTURE_SCRIPT,
                                        .other = b,
                                        .diff = &diff,
                                        .finding = &finding,
                                        .finding_of = b,
                                        .title = "two <i>runs</i>" });
    fpx_trace_free(a);
    fpx_trace_free(b);
    return page;
}

static char *page_of_one(const run_made *made)
{
    static int number; /* a trace is never overwritten */
    char name[32];
    fpx_shadow_finding finding;
    char *page;

    (void)snprintf(name, sizeof name, "one%d.h5", number++);
    fpx_trace *a = run_write(scratch_path(folder, name), made);

    ck_assert_int_eq(fpx_diff_shadows(a, &finding, NULL), FPX_OK);
    page = page_of(&(fpx_report_input){ .trace = a, .finding = &finding });
    fpx_trace_free(a);
    return page;
}

START_TEST(first_difference)
{
    const run_made plain = run_plain();
    run_made struck = plain;

    struck.strike = 7;
    char *page = page_of_two(&plain, &struck);
    check_has(page, "First difference at step 7 in <code>layer.1/attn.qkv/fprop</code>");
    check_has(page, "Finding</p>");
    check_has(page, "<code>[1,2]</code>");
    check_has(page, "1 of 16 elements of this tensor");
    check_has(page, "first difference, step 7");
    check_has(page, "step 7: 1 of 1 tensors differ");
    check_has(page, "step 6: 0 of 1 tensors differ");
    check_has(page, "1 bit differs; the two lie 4194304 codes apart");
    check_has(page, "0 \xc2\xb7 01111111 \xc2\xb7 <b>0</b>");
    check_has(page, "0 \xc2\xb7 01111111 \xc2\xb7 <b>1</b>");
    ck_assert_int_eq(count(page, "<b>0</b>") + count(page, "<b>1</b>"), 2);
    check_has(page, "The loss first has other bits at step 7");
    check_has(page, "distance of the two losses");
    check_has(page, "never become equal again");
    check_has(page, "<h1>two &lt;i&gt;runs&lt;/i&gt;</h1>");
    check_lacks(page, "<script");
    check_has(page, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;'");
    check_has(page, "cpu \xef\xbf\xbd &lt;b&gt;");
    free(page);
}
END_TEST

START_TEST(healed_and_without_values)
{
    run_made plain = run_plain();
    plain.values = 0;
    run_made struck = plain;

    struck.strike = 3;
    struck.heal = 5;
    char *page = page_of_two(&plain, &struck);
    check_has(page, "every tensor is equal again from step 5 on");
    check_has(page, "The element is unknown");
    check_lacks(page, "<th>bits");
    free(page);
}
END_TEST

START_TEST(nothing_differs)
{
    const run_made plain = run_plain();
    char *page = page_of_two(&plain, &plain);

    check_has(page, "Nothing differs: 12 steps of 9 tensors have the same bits");
    check_has(page, "Holds</p>");
    check_lacks(page, "Where the two runs differ");
    check_lacks(page, "What was found");
    free(page);
}
END_TEST

/* The same bits twice, and yet no run to be content with. The curve has a gap with a mark. */
START_TEST(nan_in_both_is_a_finding)
{
    run_made broken = run_plain();

    broken.nan_loss = 4;
    char *page = page_of_two(&broken, &broken);
    check_has(page, "Finding</p>");
    check_has(page, "First finding at step 4");
    check_has(page, "1 element is NaN or Inf");
    check_has(page, "The two runs have the same bits in all 12 steps");
    check_has(page, "stops being finite");
    check_has(page, "class=\"cross\"");
    check_lacks(page, "Holds</p>");
    free(page);
}
END_TEST

START_TEST(one_run_shorter)
{
    const run_made plain = run_plain();
    run_made shorter = plain;

    shorter.steps = 5;
    char *page = page_of_two(&plain, &shorter);
    check_has(page, "The 5 common steps have the same bits, but A has 12 steps and B 5");
    free(page);
}
END_TEST

START_TEST(other_programs)
{
    const run_made plain = run_plain();
    run_made larger = plain;

    larger.layers = 3;
    char *page = page_of_two(&plain, &larger);
    check_has(page, "The traces are of different programs: <code>layer.2/attn.qkv/x.e4m3</code>");
    free(page);
}
END_TEST

/* The finding is B's, and so are the shadows that are drawn, although A has none. */
START_TEST(shadows_of_the_other)
{
    const run_made plain = run_plain();
    run_made struck = plain;

    struck.strike = 7;
    struck.heal = 8;
    struck.modes[0] = "local:cpu";
    struck.mismatches = 1.0;
    struck.ratio = (double)NAN;
    char *page = page_of_two(&plain, &struck);
    check_has(page, "B\xe2\x80\x99s own shadows, without the other run, found: step 7, "
                    "<code>layer.1/attn.qkv/fprop</code>: 1 element disagrees with the shadow "
                    "<code>local:cpu</code>");
    check_has(page, "What B\xe2\x80\x99s own shadow found");
    check_has(page, "Error by layer and step, in B");
    check_has(page, "the bits must be equal");
    check_has(page, "Operations that disagree");
    check_has(page, "<code>0x7fc00000</code>");
    free(page);
}
END_TEST

START_TEST(equal_runs_with_a_finding)
{
    run_made made = run_plain();

    made.strike = 4;
    made.modes[0] = "local:fp64";
    made.ratio = 2.0;
    made.mismatches = 1.0;
    char *page = page_of_two(&made, &made);
    check_has(page, "Finding</p>");
    check_has(page, "First finding at step 4");
    check_has(page, "The two runs have the same bits in all 12 steps");
    check_has(page, "first finding, step 4");
    check_has(page, "The two losses are equal");
    free(page);
}
END_TEST

START_TEST(error_above_its_bound)
{
    run_made made = run_plain();

    made.strike = 2;
    made.heal = 4;
    made.modes[0] = "local:fp64";
    made.modes[1] = "free:fp64";
    made.modes[2] = "operand:fp32";
    made.modes[3] = "<other>"; /* a fourth is not drawn */
    made.ratio = 3.5;
    made.mismatches = 2.0;
    char *page = page_of_one(&made);
    check_has(page, "First finding at step 2 in <code>layer.1/attn.qkv/fprop</code>: the error is "
                    "3.5 times its bound");
    check_has(page, "2 elements disagree; error is 3.5 times its bound</title>");
    check_has(page, "class=\"hit\"");
    check_has(page, "<tr class=\"over\"><td>3.5");
    check_has(page, "its own arithmetic error");
    check_has(page, "the drift accumulated so far");
    check_has(page, "before quantization");
    check_has(page, "gradient norm");
    check_has(page, "<details>");
    check_lacks(page, "Where the two runs differ");
    free(page);
}
END_TEST

/* A cell that has no error, for its tensors are not finite: its own colour, a cross, and both in the legend. */
START_TEST(not_finite_in_a_map)
{
    run_made made = run_plain();

    made.modes[0] = "local:fp64";
    made.modes[1] = "free:fp64";
    char *page = page_of_one(&made);
    check_lacks(page, "class=\"nan");
    check_lacks(page, "NaN or Inf</text>");
    free(page);

    made.nan_loss = 4;
    page = page_of_one(&made);
    check_has(page, "class=\"nan\"><title>step 4: 1 of 1 tensors hold NaN or Inf</title>");
    ck_assert_int_eq(count(page, "tensors hold NaN or Inf</title>"), 2); /* a map for each mode */
    ck_assert_int_eq(count(page, "class=\"nanmark\""), 4); /* there and in its legend */
    ck_assert_int_eq(count(page, ">NaN or Inf</text>"), 2);
    check_has(page, ".nan{");
    check_has(page, "svg .nanmark{");
    free(page);

    made.steps = 600; /* a column stands for several steps */
    page = page_of_one(&made);
    check_has(page, "class=\"nan\"><title>steps ");
    ck_assert_int_eq(count(page, "class=\"nan\"><title>steps "), 2);
    ck_assert_int_eq(count(page, ">NaN or Inf</text>"), 2);
    free(page);
}
END_TEST

START_TEST(nothing_found)
{
    run_made made = run_plain();

    made.modes[0] = "local:fp64";
    char *page = page_of_one(&made);
    check_has(page, "Nothing found: 72 shadowed results agree"); /* 6 of 9 records, 12 steps */
    check_has(page, "No cell holds a finding");
    check_lacks(page, "class=\"over\"");
    ck_assert_int_eq(count(page, "<tr><td>0.5000"), 5); /* 6 operations, one of each kind */
    free(page);
}
END_TEST

START_TEST(no_verdict)
{
    const run_made made = run_plain();
    fpx_trace *a;
    char *page = page_of_one(&made);

    check_has(page, "No verdict");
    check_has(page, "This trace has no shadow");
    free(page);
    a = run_write(scratch_path(folder, "alone.h5"), &made);
    page = page_of(&(fpx_report_input){ .trace = a });
    check_has(page, "No verdict");
    check_has(page, "compared with nothing");
    free(page);
    fpx_trace_free(a);
}
END_TEST

/* Nothing recorded, one step, no layers: no division by what is not there. */
START_TEST(hardly_anything)
{
    for (uint64_t steps = 0; steps < 3; steps++) {
        run_made made = run_plain();
        char name[32];

        made.steps = steps;
        made.layers = 0;
        made.modes[0] = "local:fp64";
        (void)snprintf(name, sizeof name, "few%d.h5", (int)steps);
        fpx_trace *a = run_write(scratch_path(folder, name), &made);
        free(page_of(&(fpx_report_input){ .trace = a, .other = a }));
        fpx_trace_free(a);
    }
}
END_TEST

/* More rows and steps than a page has room for: coarser, with the finding still marked. */
START_TEST(large)
{
    run_made made = run_plain();

    made.layers = 190;
    made.steps = 500;
    made.strike = 333;
    made.heal = 334;
    made.modes[0] = "local:fp64";
    made.modes[1] = "free:fp64";
    made.modes[2] = "operand:fp64";
    made.ratio = 2.0;
    made.mismatches = 1.0;
    made.values = 0;
    made.nan_loss = 400; /* after the finding */
    char *page = page_of_one(&made);
    check_has(page, "First finding at step 333");
    check_has(page, "; in layer.1/attn.qkv/y 1 element disagrees; in layer.1/attn.qkv/y error is 2 "
                    "times its bound</title>"); /* the largest error is of another */
    check_has(page, "class=\"range a\"");
    check_has(page, ">to layer.7<"); /* embed, then layers, three to a row */
    free(page);
}
END_TEST

/* Equality has no ratio: the worst have the most elements, and the list says what it leaves out. */
START_TEST(other_bits_worst_first)
{
    run_made made = run_plain();
    const char *at;
    double last = 1e9;
    int rows = 0;

    made.layers = 11; /* of 27 results 18 have figures, each of an operation of its own */
    made.modes[0] = "local:cpu";
    made.all_disagree = 1;
    made.ratio = (double)NAN;
    made.strike = 5;
    made.mismatches = 16.0;
    char *page = page_of_one(&made);
    check_has(page, "<h2>Operations that disagree</h2>");
    check_has(page, "Worst first, the worst of each: 10 of 18.");
    check_has(page, "<th>shadow</th></tr>\n<tr class=\"over\"><td>16 ");
    for (at = page; (at = strstr(at, "<tr class=\"over\"><td>")) != NULL; at++, rows++) {
        const double n = strtod(at + strlen("<tr class=\"over\"><td>"), NULL);

        ck_assert_msg(n <= last, "%g after %g", n, last);
        last = n;
    }
    ck_assert_int_eq(rows, 10);
    check_lacks(page, "Error over the steps"); /* equality has no curve */
    free(page);

    made.layers = 1;
    made.strike = UINT64_MAX;
    page = page_of_one(&made);
    check_has(page, "Worst first, the worst of each.");
    free(page);
}
END_TEST

#define SETTINGS_YAML "recipe: fp8-hopper\nsteps: 8\nseed: 1\n"

/* What the command line put in the experiment's place is what was run. */
START_TEST(overrides_are_what_was_run)
{
    run_made one = run_plain(), two;

    one.texts[0] = SETTINGS_YAML;
    one.texts[1] = "seed: 7\nsteps: 4\nrecipe: fp8\n";
    one.texts[2] = "name: fp8\nrules: <1>\n";
    char *page = page_of_one(&one);
    check_has(page, "<th scope=\"row\">Recipe</th><td>fp8</td>");
    check_has(page, "<th scope=\"row\">Seed</th><td>7</td>");
    check_has(page, "<th scope=\"row\">Steps</th><td>4</td>");
    check_has(page, "<summary>Experiment</summary><p>The command line put in place");
    check_has(page, "<pre>seed: 7\nsteps: 4\nrecipe: fp8\n</pre>");
    check_has(page, "<summary>Recipe</summary><pre>name: fp8\nrules: &lt;1&gt;\n</pre>");
    free(page);

    two = one;
    two.texts[1] = NULL;
    two.texts[2] = "name: fp8-hopper\n";
    page = page_of_two(&one, &two);
    check_has(page, "<th scope=\"row\">Recipe</th><td>fp8</td><td>fp8-hopper</td>");
    check_has(page, "<th scope=\"row\">Seed</th><td>7</td><td>1</td>");
    check_has(page, "<th scope=\"row\">Steps</th><td>4</td><td>8</td>");
    check_has(page, "<summary>Experiment A</summary><p>");
    check_has(page, "<summary>Experiment B</summary><pre>" SETTINGS_YAML);
    check_has(page, "<summary>Recipe A</summary>");
    check_has(page, "<summary>Recipe B</summary>");
    free(page);

    teardown(); /* a trace is never overwritten */
    setup();
    page = page_of_two(&one, &one);
    check_has(page, "<summary>Experiment</summary>");
    check_has(page, "<summary>Recipe</summary>");
    free(page);
}
END_TEST

static int entries(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n;
}

START_TEST(whole_or_not_at_all)
{
    const run_made made = run_plain();
    fpx_trace *a = run_write(scratch_path(folder, "a.h5"), &made);
    const fpx_report_input input = { .trace = a };
    char *taken = scratch_path(folder, "taken");
    fpx_error err = { 0 };
    int before;

    ck_assert_int_eq(mkdir(taken, 0777), 0);
    before = entries(folder);
    ck_assert_int_eq(fpx_report_html(scratch_path(folder, "no/page.html"), &input, &err), FPX_EIO);
    ck_assert_int_gt((int)strlen(err.text), 0);
    ck_assert_int_eq(fpx_report_html(taken, &input, &err), FPX_EIO);
    ck_assert_int_eq(entries(folder), before);
    ck_assert_int_eq(entries(taken), 2); /* . and .. */
    fpx_trace_free(a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report-html");
    TCase *tc = tcase_create("page");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, first_difference);
    tcase_add_test(tc, healed_and_without_values);
    tcase_add_test(tc, nothing_differs);
    tcase_add_test(tc, nan_in_both_is_a_finding);
    tcase_add_test(tc, one_run_shorter);
    tcase_add_test(tc, other_programs);
    tcase_add_test(tc, shadows_of_the_other);
    tcase_add_test(tc, equal_runs_with_a_finding);
    tcase_add_test(tc, error_above_its_bound);
    tcase_add_test(tc, not_finite_in_a_map);
    tcase_add_test(tc, nothing_found);
    tcase_add_test(tc, no_verdict);
    tcase_add_test(tc, hardly_anything);
    tcase_add_test(tc, large);
    tcase_add_test(tc, other_bits_worst_first);
    tcase_add_test(tc, overrides_are_what_was_run);
    tcase_add_test(tc, whole_or_not_at_all);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
