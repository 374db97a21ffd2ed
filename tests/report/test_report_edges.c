/* test_report_edges.c - every kind of report says the same, whatever names a trace brings, and is written or
 * refused. JSON is read back with a parser, not searched. */
#include <jansson.h>
#include <locale.h>

#include <fpx/report.h>

#include "tiny_trace.h"

enum { STEPS = 6, ROOM = 2048 };

/* Markup, an attribute's end, a byte that is no UTF-8: what a name in a trace may hold. Texts and paths may
 * also hold a line end. */
#define MARKUP "<script>&\"'\xff"
#define HOSTILE MARKUP "\n"

static tiny_layout layout;

static void setup(void)
{
    tiny_setup();
    tiny_make(&layout);
}

/* A page or file as text, to be freed. */
static char *slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    size_t room = 0;

    ck_assert_msg(f != NULL, "%s", path);
    if (getdelim(&text, &room, '\0', f) < 0)
        ck_abort_msg("%s is empty", path);
    ck_assert_int_eq(fclose(f), 0);
    return text;
}

static fpx_diff some_diff(void)
{
    fpx_diff d = { .verdict = FPX_DIFFERENT,
                   .steps_compared = 100,
                   .records_compared = 5,
                   .steps_a = 100,
                   .steps_b = 90,
                   .records_differing = 3,
                   .healed = UINT64_MAX,
                   .loss_compared = 1,
                   .loss_bits = 40,
                   .loss_visible = 60,
                   .loss_noise = 0.25 };

    d.first = (fpx_place_found){ .step = 37,
                                 .record = layout.records[TINY_X],
                                 .has_values = 1,
                                 .element = 5,
                                 .index = { 1, 2 },
                                 .differing = 2,
                                 .code_a = 0x3f800000,
                                 .code_b = 0x7fc00000,
                                 .value_a = 1.0,
                                 .value_b = (double)NAN };
    return d;
}

static void contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        ck_abort_msg("'%s' is missing in:\n%s", part, text);
}

static void lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        ck_abort_msg("'%s' is in:\n%s", part, text);
}

START_TEST(diff_text)
{
    static const char *const parts[] = { "step       37\n",
                                         "load",
                                         "x  fp32[2,3]",
                                         "5 = [1,2]",
                                         "0x3f800000",
                                         "0x7fc00000",
                                         "2 of 6 elements here; 3 of 5 tensors",
                                         "other bits at step 40; from step 60",
                                         "(0.25)" };
    fpx_diff d = some_diff();
    char text[ROOM];

    fpx_report_diff_text(&d, text, sizeof text);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        contains(text, parts[i]);
    lacks(text, "equal again");
    d.healed = 80;
    d.loss_visible = UINT64_MAX;
    fpx_report_diff_text(&d, text, sizeof text);
    contains(text, "equal again from step 80");
    contains(text, "never moves by more");
    d.loss_bits = UINT64_MAX;
    d.first.has_values = 0;
    fpx_report_diff_text(&d, text, sizeof text);
    contains(text, "never have shown");
    contains(text, "--values 'x'");
    d.loss_compared = 0;
    fpx_report_diff_text(&d, text, sizeof text);
    contains(text, "the loss   was not compared");
    lacks(text, "never have shown");
    d.verdict = FPX_SAME;
    fpx_report_diff_text(&d, text, sizeof text);
    ck_assert_str_eq(text, "nothing differs: 100 steps of 5 tensors have the same bits\n");
    d.verdict = FPX_SHORTER;
    fpx_report_diff_text(&d, text, sizeof text);
    contains(text, "A has 100 steps and B 90");
    d.verdict = FPX_OTHER_LAYOUT;
    fpx_report_diff_text(&d, text, sizeof text);
    contains(text, "different programs: x (load fp32[2,3])");
}
END_TEST

/* Every room, down to one byte: terminated, the beginning of the whole, nothing behind it touched. */
START_TEST(small_room)
{
    const fpx_diff d = some_diff();
    char whole[ROOM], text[ROOM];

    fpx_report_diff_text(&d, whole, sizeof whole);
    for (size_t room = 1; room <= strlen(whole) + 1; room++) {
        memset(text, '#', sizeof text);
        fpx_report_diff_text(&d, text, room);
        if (strlen(text) != room - 1 || memcmp(text, whole, room - 1) != 0 || text[room] != '#')
            ck_abort_msg("room %zu: %s", room, text);
    }
}
END_TEST

static fpx_shadow_finding some_finding(double ratio)
{
    fpx_shadow_finding f = { .found = 1,
                             .step = 12,
                             .mode = isnan(ratio) ? 1u : 0u,
                             .record = layout.records[TINY_X],
                             .index = { 1, 0 },
                             .findings = 9,
                             .judged = 50 };

    f.figure = (fpx_figure){ .ratio = ratio, .mismatches = 4, .element = 3, .expected = 1.0 };
    f.figure.actual = (double)INFINITY;
    f.figure.expected_bits = isnan(ratio) ? 0x3f800000 : (double)NAN;
    f.figure.actual_bits = isnan(ratio) ? 0x7f800000 : (double)NAN;
    return f;
}

START_TEST(finding_text)
{
    fpx_shadow_finding f = some_finding(2.5);
    fpx_trace_layout none = layout.layout;
    char text[ROOM];

    fpx_report_finding_text(&layout.layout, &f, text, sizeof text);
    contains(text, "shadow local:fp64");
    contains(text, "2.5 times its bound");
    contains(text, "3 = [1,0]");
    contains(text, "4 of 6 elements here; 9 such");
    f = some_finding((double)NAN);
    fpx_report_finding_text(&layout.layout, &f, text, sizeof text);
    contains(text, "shadow local:cpu");
    contains(text, "0x7f800000");
    lacks(text, "bound");
    f.found = 0;
    fpx_report_finding_text(&layout.layout, &f, text, sizeof text);
    contains(text, "50 shadowed results agree");
    none.nmodes = 0;
    fpx_report_finding_text(&none, &f, text, sizeof text);
    contains(text, "has no shadow");
}
END_TEST

/* ---- JSON ---- */
static json_t *load(const char *path)
{
    json_error_t why;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);

    ck_assert_msg(root != NULL, "%s:%d: %s", path, why.line, why.text);
    return root;
}

static const char *string_at(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    ck_assert_msg(text != NULL, "no string '%s'", key);
    return text;
}

static json_int_t integer_at(const json_t *o, const char *key)
{
    const json_t *value = json_object_get(o, key);

    ck_assert_msg(json_is_integer(value), "no integer '%s'", key);
    return json_integer_value(value);
}

START_TEST(diff_json)
{
    static const char *const verdicts[] = { "same", "different", "other_layout", "shorter" };
    char path[TINY_PATH];
    fpx_diff d = some_diff();
    fpx_error err;
    json_t *root, *first;

    tiny_path(path, "d.json");
    ck_assert_int_eq(fpx_report_diff_json(path, &d, &err), FPX_OK);
    root = load(path);
    first = json_object_get(root, "first");
    ck_assert_str_eq(string_at(root, "schema"), "fpx.diff/1");
    ck_assert_str_eq(string_at(first, "tensor"), "x");
    ck_assert_str_eq(string_at(first, "operation"), "load");
    ck_assert_str_eq(string_at(first, "value_b"), "NaN");
    ck_assert(json_real_value(json_object_get(first, "value_a")) == 1.0);
    ck_assert_str_eq(string_at(first, "bits_a"), "0x3f800000");
    ck_assert_int_eq(integer_at(first, "step"), 37);
    ck_assert_int_eq(integer_at(first, "element"), 5);
    ck_assert_uint_eq(json_array_size(json_object_get(first, "index")), 2);
    ck_assert_int_eq(integer_at(root, "loss_bits_at"), 40);
    ck_assert(json_is_true(json_object_get(root, "loss_compared")));
    ck_assert(json_is_null(json_object_get(root, "healed_at")));
    json_decref(root);
    d.first.value_a = -(double)INFINITY;
    d.first.value_b = (double)INFINITY;
    d.loss_noise = (double)NAN;
    for (uint32_t v = FPX_SAME; v <= FPX_SHORTER; v++) {
        d.verdict = v;
        ck_assert_int_eq(fpx_report_diff_json(path, &d, &err), FPX_OK);
        root = load(path);
        first = json_object_get(root, "first");
        ck_assert_str_eq(string_at(root, "verdict"), verdicts[v]);
        ck_assert_int_eq(first != NULL, v == FPX_DIFFERENT || v == FPX_OTHER_LAYOUT);
        if (first != NULL) {
            ck_assert_str_eq(string_at(first, "value_a"), "-Infinity");
            ck_assert_str_eq(string_at(first, "value_b"), "Infinity");
        }
        json_decref(root);
    }
}
END_TEST

START_TEST(finding_json)
{
    char path[TINY_PATH];
    fpx_shadow_finding f = some_finding((double)NAN);
    json_t *root, *first;

    tiny_path(path, "f.json");
    ck_assert_int_eq(fpx_report_finding_json(path, &layout.layout, &f, NULL), FPX_OK);
    root = load(path);
    first = json_object_get(root, "first");
    ck_assert_str_eq(string_at(root, "schema"), "fpx.finding/1");
    ck_assert(json_is_true(json_object_get(root, "found")));
    ck_assert_str_eq(string_at(first, "shadow"), "local:cpu");
    ck_assert_str_eq(string_at(first, "got"), "Infinity");
    ck_assert_str_eq(string_at(first, "ratio_to_bound"), "NaN");
    ck_assert_str_eq(string_at(first, "bits_got"), "0x7f800000");
    json_decref(root);
    f.found = 0;
    ck_assert_int_eq(fpx_report_finding_json(path, &layout.layout, &f, NULL), FPX_OK);
    root = load(path);
    ck_assert_ptr_null(json_object_get(root, "first"));
    json_decref(root);
}
END_TEST

static void make_hostile(tiny_layout *t)
{
    for (size_t i = 0; i < TINY_RECORDS; i++) {
        fpx_trace_record *r = &t->records[i];
        const int is_loss = i == TINY_LOSS;

        (void)snprintf(r->tensor, sizeof r->tensor, is_loss ? "loss" : "t%zu/" MARKUP, i);
        (void)snprintf(r->op, sizeof r->op, "o%zu/" MARKUP, i);
        (void)snprintf(r->kind, sizeof r->kind, MARKUP);
        (void)snprintf(r->role, sizeof r->role, MARKUP);
        (void)snprintf(r->device, sizeof r->device, MARKUP);
    }
    t->layout.experiment = "model: " HOSTILE;
    t->layout.device = HOSTILE;
    t->layout.version = HOSTILE;
}

/* No key is lost to a name that is no UTF-8; one that is, comes back as it was. */
START_TEST(hostile_json)
{
    static const char *const keys[] = { "operation", "kind", "role", "device", "tensor" };
    char path[TINY_PATH];
    fpx_diff d = some_diff();
    json_t *root;

    make_hostile(&layout);
    d.first.record = layout.records[TINY_X];
    tiny_path(path, "h.json");
    ck_assert_int_eq(fpx_report_diff_json(path, &d, NULL), FPX_OK);
    root = load(path);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        contains(string_at(json_object_get(root, "first"), keys[i]), "<script>&\"'?");
    json_decref(root);
    (void)snprintf(d.first.record.op, sizeof d.first.record.op, "\xc3\xa9<script>&\"\\");
    ck_assert_int_eq(fpx_report_diff_json(path, &d, NULL), FPX_OK);
    root = load(path);
    ck_assert_str_eq(string_at(json_object_get(root, "first"), "operation"), d.first.record.op);
    json_decref(root);
}
END_TEST

/* ---- JUnit ---- */
START_TEST(junit)
{
    char path[TINY_PATH];
    char *text;

    tiny_path(path, "j.xml");
    ck_assert_int_eq(fpx_report_junit(path, "diff", "a and b", NULL, NULL), FPX_OK);
    text = slurp(path);
    contains(text, "failures=\"0\"");
    contains(text, "<testcase classname=\"diff\" name=\"a and b\"></testcase>");
    lacks(text, "<failure");
    free(text);
    ck_assert_int_eq(fpx_report_junit(path, "s" HOSTILE, "n" HOSTILE, "f" HOSTILE, NULL), FPX_OK);
    text = slurp(path);
    contains(text, "failures=\"1\"");
    contains(text, "classname=\"s&lt;script&gt;&amp;&quot;'");
    contains(text, "name=\"n&lt;script&gt;&amp;&quot;'");
    contains(text, ">f&lt;script&gt;&amp;&quot;'");
    lacks(text, "<script");
    lacks(text, "\xff");
    free(text);
}
END_TEST

/* ---- the page ---- */
static char *page_of(const fpx_report_input *in)
{
    char path[TINY_PATH];
    fpx_error err;

    tiny_path(path, "page.html");
    if (fpx_report_html(path, in, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    return slurp(path);
}

/* Nothing is fetched: the only address is the name of SVG. */
static void stands_alone(char *page)
{
    static const char svg[] = "http://www.w3.org/2000/svg";
    static const char *const never[] = { "http://", "https://", "src=",    "@import",
                                         "url(",    "<script",  "<iframe", "<link" };

    contains(page, "</main></body></html>");
    for (char *at; (at = strstr(page, svg)) != NULL;)
        memset(at, '.', sizeof svg - 1);
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        lacks(page, never[i]);
    lacks(page, "\xff");
}

static fpx_figure seen(double ratio)
{
    return (fpx_figure){ .max_abs = 0.5,
                         .rms = 0.1,
                         .rms_reference = 1.0,
                         .ratio = ratio,
                         .mismatches = ratio > 1.0,
                         .element = 1,
                         .expected = 1.0,
                         .actual = 2.0,
                         .expected_bits = (double)NAN,
                         .actual_bits = (double)NAN };
}

/* Both traces, the difference and the finding, in one page. */
static char *full_page(const char *name)
{
    const tiny_mark marks[] = { { 1, 0, TINY_X, seen(0.5) }, { 2, 0, TINY_Y, seen(3.0) } };
    const tiny_edit edit = { 3, TINY_X, 4, 0 };
    const tiny_run run = { .steps = STEPS, .marks = marks, .nmarks = 2 };
    const tiny_run other = { .steps = STEPS, .edits = &edit, .nedits = 1 };
    fpx_trace *a = tiny_trace(&layout.layout, &run), *b = tiny_trace(&layout.layout, &other);
    const fpx_diff_policy exact = { 0 };
    fpx_shadow_finding finding;
    fpx_diff diff;
    char *page;

    ck_assert_int_eq(fpx_diff_traces(a, b, &exact, &diff, NULL), FPX_OK);
    ck_assert_int_eq(fpx_diff_shadows(a, &finding, NULL), FPX_OK);
    ck_assert_int_eq(finding.found, 1);
    page = page_of(&(fpx_report_input){ .trace = a,
                                        .trace_name = name,
                                        .other = b,
                                        .other_name = name,
                                        .diff = &diff,
                                        .finding = &finding,
                                        .title = name });
    fpx_trace_free(a);
    fpx_trace_free(b);
    return page;
}

START_TEST(page)
{
    char *text = full_page("run A");

    contains(text, "<title>run A</title>");
    contains(text, "First difference at step 3 in <code>load</code>");
    contains(text, "would never have shown this");
    contains(text, "equal again from step 4 on");
    contains(text, "0x00000000");
    contains(text, "3 times its bound");
    contains(text, "layer.0/fprop");
    contains(text, "<svg");
    stands_alone(text);
    free(text);
}
END_TEST

START_TEST(hostile_page)
{
    char *text;

    make_hostile(&layout);
    text = full_page(HOSTILE);
    contains(text, "First difference at step 3 in <code>o0/&lt;script&gt;&amp;&quot;'");
    stands_alone(text);
    free(text);
}
END_TEST

/* One run, with as little as an input may have; and one without a single step. */
START_TEST(lonely_page)
{
    const tiny_run run = { .steps = STEPS }, empty = { .steps = 0 };
    fpx_shadow_finding finding;

    for (int i = 0; i < 2; i++) {
        fpx_trace *t = tiny_trace(&layout.layout, i ? &empty : &run);
        char *text = page_of(&(fpx_report_input){ .trace = t });

        contains(text, "compared with nothing");
        stands_alone(text);
        free(text);
        ck_assert_int_eq(fpx_diff_shadows(t, &finding, NULL), FPX_OK);
        text = page_of(&(fpx_report_input){ .trace = t, .finding = &finding });
        contains(text, "nothing to judge by");
        free(text);
        fpx_trace_free(t);
    }
}
END_TEST

/* Numbers keep their point where the user's language has a comma. */
START_TEST(locale_page)
{
    char *plain = full_page("run"), *other;

    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL) {
        printf("no de_DE.UTF-8 here: locale not tested\n");
        free(plain);
        return;
    }
    other = full_page("run");
    ck_assert_str_eq(plain, other);
    (void)setlocale(LC_ALL, "C");
    free(plain);
    free(other);
}
END_TEST

START_TEST(unwritable)
{
    const fpx_diff d = some_diff();
    const fpx_shadow_finding f = some_finding(2.0);
    const tiny_run run = { .steps = 1 };
    fpx_trace *t = tiny_trace(&layout.layout, &run);
    const fpx_report_input in = { .trace = t };
    const size_t before = tiny_entries();
    char missing[TINY_PATH];
    const char *const paths[] = { missing, tiny_folder, "/dev/full" };

    tiny_path(missing, "no/folder/x");
    for (size_t i = 0; i < 3; i++) {
        fpx_error err = { 0 };

        ck_assert_int_eq(fpx_report_diff_json(paths[i], &d, &err), FPX_EIO);
        ck_assert_int_eq(fpx_report_finding_json(paths[i], &layout.layout, &f, &err), FPX_EIO);
        ck_assert_int_eq(fpx_report_junit(paths[i], "s", "n", "f", &err), FPX_EIO);
        contains(err.text, paths[i]);
        if (i < 2) /* replaces what it writes, so never a device */
            ck_assert_int_eq(fpx_report_html(paths[i], &in, &err), FPX_EIO);
        ck_assert_uint_eq(tiny_entries(), before);
    }
    fpx_trace_free(t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("report");
    TCase *c = tcase_create("report");

    tcase_set_timeout(c, 60.0);
    tcase_add_checked_fixture(c, setup, tiny_teardown);
    tcase_add_test(c, diff_text);
    tcase_add_test(c, small_room);
    tcase_add_test(c, finding_text);
    tcase_add_test(c, diff_json);
    tcase_add_test(c, finding_json);
    tcase_add_test(c, hostile_json);
    tcase_add_test(c, junit);
    tcase_add_test(c, page);
    tcase_add_test(c, hostile_page);
    tcase_add_test(c, lonely_page);
    tcase_add_test(c, locale_page);
    tcase_add_test(c, unwritable);
    suite_add_tcase(s, c);
    return tiny_main(s);
}
