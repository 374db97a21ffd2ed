/* test_report.c - what every kind of report says of known verdicts, with names that try to break out of it. */
#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fpx/report.h>

static const char hostile[] = "layer.0/<script>alert(\"1\")&'";

static char folder[32];

static fpx_diff different(void)
{
    fpx_diff d = { .verdict = FPX_DIFFERENT,
                   .steps_compared = 40,
                   .records_compared = 205,
                   .steps_a = 40,
                   .steps_b = 40,
                   .records_differing = 3,
                   .healed = UINT64_MAX,
                   .loss_compared = 1,
                   .loss_bits = 18,
                   .loss_visible = UINT64_MAX,
                   .loss_noise = 0.125 };
    const uint64_t shape[2] = { 4, 8 };

    d.first = (fpx_place_found){ .step = 17,
                                 .has_values = 1,
                                 .element = 11,
                                 .index = { 1, 3 },
                                 .differing = 1,
                                 .code_a = 0x3f800000,
                                 .code_b = 0x7fc00000,
                                 .value_a = 1.0,
                                 .value_b = (double)NAN };
    (void)snprintf(d.first.record.tensor, FPX_TRACE_NAME, "%s", hostile);
    (void)snprintf(d.first.record.op, FPX_TRACE_NAME, "layer.0/attn.qkv/fprop");
    (void)snprintf(d.first.record.kind, sizeof d.first.record.kind, "gemm");
    (void)snprintf(d.first.record.role, sizeof d.first.record.role, "fprop");
    (void)snprintf(d.first.record.device, FPX_TRACE_NAME, "cpu");
    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 2, shape, &d.first.record.desc), FPX_OK);
    return d;
}

static void holds(const char *text, const char *words)
{
    if (strstr(text, words) == NULL)
        ck_abort_msg("'%s' is not in:\n%.2000s", words, text);
}

static void lacks(const char *text, const char *words)
{
    if (strstr(text, words) != NULL)
        ck_abort_msg("'%s' is in:\n%.2000s", words, text);
}

START_TEST(text_names_the_place)
{
    fpx_diff d = different();
    char text[4096], tiny[16];

    fpx_report_diff_text(&d, text, sizeof text);
    holds(text, "step       17");
    holds(text, "layer.0/attn.qkv/fprop");
    holds(text, "11 = [1,3]");
    holds(text, "0x3f800000");
    holds(text, "0x7fc00000");
    holds(text, "fp32[4,8]");
    holds(text, "step 18");
    d.verdict = FPX_SAME;
    fpx_report_diff_text(&d, text, sizeof text);
    holds(text, "nothing differs: 40 steps of 205 tensors");
    d.verdict = FPX_SHORTER;
    d.steps_b = 9;
    fpx_report_diff_text(&d, text, sizeof text);
    holds(text, "B 9");
    fpx_report_diff_text(&d, tiny, sizeof tiny);
    ck_assert_uint_lt(strlen(tiny), sizeof tiny);
}
END_TEST

START_TEST(json_is_json)
{
    const fpx_diff d = different();
    char path[64];
    fpx_error err;

    (void)snprintf(path, sizeof path, "%s/d.json", folder);
    ck_assert_int_eq(fpx_report_diff_json(path, &d, &err), FPX_OK);
    json_t *root = json_load_file(path, 0, NULL), *first = json_object_get(root, "first");
    ck_assert_ptr_nonnull(root);
    ck_assert_str_eq(json_string_value(json_object_get(root, "schema")), "fpx.diff/1");
    ck_assert_str_eq(json_string_value(json_object_get(root, "verdict")), "different");
    ck_assert_int_eq(json_integer_value(json_object_get(first, "step")), 17);
    ck_assert_str_eq(json_string_value(json_object_get(first, "tensor")), hostile);
    ck_assert_str_eq(json_string_value(json_object_get(first, "value_b")), "NaN");
    ck_assert_str_eq(json_string_value(json_object_get(first, "bits_b")), "0x7fc00000");
    ck_assert(json_is_null(json_object_get(root, "loss_visible_at")));
    ck_assert_int_eq(json_integer_value(json_object_get(root, "loss_bits_at")), 18);
    json_decref(root);
    (void)snprintf(path, sizeof path, "%s/none/d.json", folder);
    ck_assert_int_eq(fpx_report_diff_json(path, &d, &err), FPX_EIO);
}
END_TEST

static char *read_file(const char *path)
{
    static char text[1 << 20];
    FILE *f = fopen(path, "r");

    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    (void)fclose(f);
    return text;
}

START_TEST(junit_is_escaped)
{
    char path[64], command[256];
    fpx_error err;

    (void)snprintf(path, sizeof path, "%s/j.xml", folder);
    ck_assert_int_eq(fpx_report_junit(path, "fpx.diff", hostile, "a < b & \"c\"\x01\n", &err),
                     FPX_OK);
    holds(read_file(path), "failures=\"1\"");
    holds(read_file(path), "a &lt; b &amp; &quot;c&quot;");
    lacks(read_file(path), "<script>");
    (void)snprintf(command, sizeof command,
                   "python3 -c \"import xml.dom.minidom,sys;xml.dom.minidom.parse('%s')\"", path);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(fpx_report_junit(path, "fpx.diff", "x", NULL, &err), FPX_OK);
    holds(read_file(path), "failures=\"0\"");
    lacks(read_file(path), "<failure");
}
END_TEST

/* A trace of one hostile tensor and the loss, with figures that are not numbers among them. */
static fpx_trace *small_trace(const char *name, float bump)
{
    fpx_trace_record records[2] = { different().first.record, different().first.record };
    fpx_trace_layout layout = { .records = records,
                                .nrecords = 2,
                                .nmodes = 1,
                                .experiment = "name: <b>bold</b> # ]]> &",
                                .device = "<i>cpu</i>",
                                .version = "0.1" };
    fpx_trace_writer *w = NULL;
    fpx_trace *t = NULL;
    fpx_error err = { .text = "" };
    char path[64];
    const uint64_t one = 1;

    (void)snprintf(layout.modes[0].name, sizeof layout.modes[0].name, "local:fp64");
    (void)snprintf(records[1].tensor, FPX_TRACE_NAME, "loss");
    (void)snprintf(records[1].op, FPX_TRACE_NAME, "loss/fprop");
    records[0].values = records[1].values = 1;
    records[1].op_index = 1;
    ck_assert_int_eq(fpx_tensor_make(&fpx_fp32, 1, &one, &records[1].desc), FPX_OK);
    (void)snprintf(path, sizeof path, "%s/%s.h5", folder, name);
    if (fpx_trace_create(path, &layout, 3, &w, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    for (uint64_t s = 0; s < 3; s++) {
        float values[32] = { 1.0f };
        const float loss = 3.0f - (float)s + (s == 2 ? bump : 0.0f);
        const fpx_figure f = { .rms = s == 1 ? (double)NAN : 1e-8,
                               .rms_reference = 1.0,
                               .ratio = 0.5 };

        values[3] = s == 1 ? bump : 0.0f;
        ck_assert_int_eq(fpx_trace_begin(w, s, &err), FPX_OK);
        ck_assert_int_eq(fpx_trace_put(w, 0, values, 1.0, &err), FPX_OK);
        ck_assert_int_eq(fpx_trace_put(w, 1, &loss, 1.0, &err), FPX_OK);
        ck_assert_int_eq(fpx_trace_put_figure(w, 0, 0, &f, &err), FPX_OK);
        ck_assert_int_eq(fpx_trace_commit(w, &err), FPX_OK);
    }
    ck_assert_int_eq(fpx_trace_close(w, &err), FPX_OK);
    ck_assert_int_eq(fpx_trace_open(path, &t, &err), FPX_OK);
    return t;
}

START_TEST(the_page_stands_alone)
{
    fpx_trace *a = small_trace("a", 0.0f), *b = small_trace("b", 0.5f);
    const fpx_diff_policy exact = { 0 };
    fpx_report_input page = { .trace = a, .trace_name = "<a>", .other = b, .other_name = "b" };
    struct stat there;
    fpx_diff d;
    fpx_error err = { .text = "" };
    char path[64], *at;

    ck_assert_int_eq(fpx_diff_traces(a, b, &exact, &d, &err), FPX_OK);
    page.diff = &d;
    (void)snprintf(path, sizeof path, "%s/p.html", folder);
    if (fpx_report_html(path, &page, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    char *text = read_file(path);
    holds(text, "First difference at step 1");
    holds(text, "layer.0/attn.qkv/fprop");
    holds(text, "&lt;script&gt;");
    lacks(text, "<script");
    lacks(text, "<b>bold");
    lacks(text, "<i>cpu");
    lacks(text, " src=");
    lacks(text, "url(");
    lacks(text, "@import");
    for (at = text; (at = strstr(at, "http")) != NULL; at++)
        if (strncmp(at, "http://www.w3.org/", 18) != 0)
            ck_abort_msg("the page refers to %.60s", at);
    (void)snprintf(path, sizeof path, "%s/none/p.html", folder);
    ck_assert_int_eq(fpx_report_html(path, &page, &err), FPX_EIO);
    ck_assert_int_ne(stat(path, &there), 0);
    page = (fpx_report_input){ .trace = a }; /* everything else may be absent */
    (void)snprintf(path, sizeof path, "%s/q.html", folder);
    ck_assert_int_eq(fpx_report_html(path, &page, &err), FPX_OK);
    fpx_trace_free(a);
    fpx_trace_free(b);
}
END_TEST

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/fpx-report-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[64];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

int main(void)
{
    Suite *s = suite_create("report");
    TCase *tc = tcase_create("report");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_test(tc, text_names_the_place);
    tcase_add_test(tc, json_is_json);
    tcase_add_test(tc, junit_is_escaped);
    tcase_add_test(tc, the_page_stands_alone);
    suite_add_tcase(s, tc);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
