/* test_golden.c - goldens come back as they were written, everything else is refused with file and line, and a
 * comparison is decided by the chain, located by the marks. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fpx/golden.h>

enum { ROWS = 3, STEPS = 4, SEED = 5 };

static const char *const row_names[ROWS] = { "embed/fprop", "layer.0/attn.qkv/x.e4m3/quantize",
                                             "shadow:local:fp64" };
static const fpx_digest settings = { { 0x5e, 0x77 } };
static char folder[] = "/tmp/fpx-golden-XXXXXX";
static char path[256];

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void draw(uint64_t *state, fpx_digest *digests, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof digests->bytes; k++)
            digests[i].bytes[k] = (uint8_t)next_random(state);
}

static fpx_golden *empty(const char *const *rows, size_t n)
{
    fpx_golden *g = NULL;

    ck_assert_int_eq(fpx_golden_new("demo", "fp8", "both:fp64", settings, rows, n, &g), FPX_OK);
    return g;
}

/* Steps drawn from the seed; at `step`, byte `byte` of row `row` is another (step STEPS: nowhere). */
static fpx_golden *make(size_t steps, size_t step, size_t row, size_t byte)
{
    fpx_golden *g = empty(row_names, ROWS);
    uint64_t state = SEED;

    for (size_t s = 0; s < steps; s++) {
        fpx_digest digests[ROWS];

        draw(&state, digests, ROWS);
        if (s == step)
            digests[row].bytes[byte] ^= 1;
        ck_assert_int_eq(fpx_golden_add_step(g, digests), FPX_OK);
    }
    return g;
}

static void put(const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

static size_t get(char *bytes, size_t room)
{
    FILE *f = fopen(path, "rb");

    ck_assert_ptr_nonnull(f);
    const size_t n = fread(bytes, 1, room - 1, f);
    bytes[n] = '\0';
    ck_assert_int_eq(fclose(f), 0);
    return n;
}

/* The text of a good golden, and the golden as read back. */
static size_t good_text(char *bytes, size_t room)
{
    fpx_golden *g = make(STEPS, STEPS, 0, 0);
    fpx_error err = { .text = "" };

    ck_assert_msg(fpx_golden_write(path, g, "because", &err) == FPX_OK, "%s", err.text);
    fpx_golden_free(g);
    return get(bytes, room);
}

START_TEST(written_is_read)
{
    fpx_golden *g = make(70, 70, 0, 0), *back = NULL; /* more than one growth */
    fpx_golden_difference d;
    fpx_error err = { .text = "" };
    char first[65536], second[65536];

    ck_assert_msg(fpx_golden_write(path, g, "a reason with words", &err) == FPX_OK, "%s", err.text);
    const size_t n = get(first, sizeof first);
    ck_assert_msg(fpx_golden_read(path, &back, &err) == FPX_OK, "%s", err.text);
    ck_assert_uint_eq(fpx_golden_steps(back), 70);
    ck_assert_str_eq(fpx_golden_header(back, "experiment"), "demo");
    ck_assert_str_eq(fpx_golden_header(back, "recipe"), "fp8");
    ck_assert_str_eq(fpx_golden_header(back, "shadow"), "both:fp64");
    ck_assert_ptr_null(fpx_golden_header(back, "reason"));
    fpx_golden_compare(g, back, &d);
    ck_assert_int_eq(d.found, 0);
    ck_assert_uint_eq(d.steps_expected, 70);
    ck_assert_uint_eq(d.steps_got, 70);
    ck_assert_int_eq(fpx_golden_write(path, back, "a reason with words", &err), FPX_OK);
    ck_assert_uint_eq(get(second, sizeof second), n);
    ck_assert_str_eq(first, second);
    fpx_golden_free(g);
    fpx_golden_free(back);
}
END_TEST

/* The example of the header, but for its digests: the form is a contract. */
START_TEST(form_is_the_documented_one)
{
    char text[4096];

    good_text(text, sizeof text);
    ck_assert_ptr_eq(strstr(text, "fpx golden 2\nexperiment demo\nrecipe fp8\nshadow both:fp64\n"
                                  "settings 5e770000000000000000000000000000\n"
                                  "reason because\nsize 4 steps 3 rows\nstep 0 "),
                     text);
    const char *row = strstr(text, "\nrow embed/fprop ");
    ck_assert_ptr_nonnull(row);
    ck_assert_uint_eq(strcspn(row + 1, "\n"), strlen("row embed/fprop") + 7 * (STEPS + 1));
    const char *end = strstr(text, "\nend ");
    ck_assert_ptr_nonnull(end);
    ck_assert_uint_eq(strlen(end), strlen("\nend \n") + 32);
}
END_TEST

/* `from` of the good text becomes `to`: refused, at this line. */
static const struct {
    const char *from, *to;
    unsigned line;
    const char *words;
} malformed[] = {
    { "fpx golden 2", "fpx golden 1", 1, "not a golden" },
    { "fpx golden 2\n", "", 1, "not a golden" },
    { "fpx golden 2\n", "fpx golden 2\r\n", 1, "not a golden" },
    { "experiment demo", "experimentdemo", 2, "expected the lines experiment" },
    { "experiment demo\n", "", 2, "expected the lines experiment" },
    { "recipe fp8", "shadow fp8", 3, "expected the lines experiment" },
    { "reason because", "because", 6, "expected a line 'reason" },
    { "size 4 steps 3 rows", "size 4 steps 3 row", 7, "size N steps N rows" },
    { "size 4 steps 3 rows", "size 4 steps 3 rows ", 7, "size N steps N rows" },
    { "size 4 steps 3 rows", "size 0 steps 3 rows", 7, "size N steps N rows" },
    { "size 4 steps 3 rows", "size 4 steps 0 rows", 7, "size N steps N rows" },
    { "size 4 steps 3 rows", "size -4 steps 3 rows", 7, "size N steps N rows" },
    { "size 4 steps 3 rows", "size +4 steps 3 rows", 7, "size N steps N rows" },
    { "size 4 steps 3 rows", "size 04 steps 3 rows", 7, "size N steps N rows" },
    { "size 4 steps 3 rows", "size  4 steps 3 rows", 7, "size N steps N rows" },
    { "size 4 steps 3 rows", "size 18446744073709551620 steps 3 rows", 7, "size N steps N rows" },
    { "size 4 steps 3 rows", "size 999999 steps 999999 rows", 7, "size N steps N rows" },
    { "size 4 steps 3 rows", "size 3 steps 3 rows", 11, "expected a line 'row" },
    { "size 4 steps 3 rows", "size 5 steps 3 rows", 12, "expected a line 'step" },
    { "size 4 steps 3 rows", "size 4 steps 4 rows", 15, "expected a line 'row" },
    { "size 4 steps 3 rows", "size 4 steps 2 rows", 14, "expected a line 'end" },
    { "\nstep 1 ", "\nstep 2 ", 9, "steps in order" },
    { "\nstep 1 ", "\nstep 01 ", 9, "steps in order" },
    { "\nstep 1 ", "\nstep  1 ", 9, "steps in order" },
    { "\nstep 1 ", "\nstep 1 0", 9, "expected a line 'step" },
    { "\nstep 1 ", "\nstep 1 g", 9, "expected a line 'step" },
    { "\nstep 2", " junk\nstep 2", 9, "expected a line 'step" },
    { "\nstep 2", "\n\nstep 2", 10, "expected a line 'step" },
    { "row embed/fprop", "row ", 12, "expected" },
    { "row embed/fprop", "row", 12, "as many marks" },
    { "row embed/fprop", "rows embed/fprop", 12, "expected a line 'row" },
    { "row embed/fprop ", "row embed/fprop 12345 ", 12, "one mark of 6" },
    { "row embed/fprop ", "row embed/fprop 12345g ", 12, "one mark of 6" },
    { "row embed/fprop ", "row embed/fprop 12345A ", 12, "one mark of 6" },
    { "row embed/fprop ", "row embed/fprop 123456 ", 12, "as many marks" },
    { "row embed/fprop ", "row embed/fprop  ", 12, "one mark of 6" },
    { "settings 5e", "settings 5f", 15, "the lines above" },
    { "settings 5e", "setting 5e", 5, "expected the lines experiment" },
    { "reason because", "reason why", 15, "the lines above" },
    { "recipe fp8", "recipe nosuch", 15, "the lines above" },
    { "\nend ", "\nend 0", 15, "expected a line 'end" },
};

START_TEST(malformed_is_refused_with_its_line)
{
    char text[4096], changed[8192], where[512];
    fpx_golden *g = NULL;
    fpx_error err = { .text = "" };

    good_text(text, sizeof text);
    const char *at = strstr(text, malformed[_i].from);
    ck_assert_ptr_nonnull(at);
    const int n = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text,
                           malformed[_i].to, at + strlen(malformed[_i].from));
    put(changed, (size_t)n);
    snprintf(where, sizeof where, "%s:%u: ", path, malformed[_i].line);
    const fpx_status status = fpx_golden_read(path, &g, &err);
    if (status != FPX_EFORMAT || strncmp(err.text, where, strlen(where)) != 0 ||
        strstr(err.text, malformed[_i].words) == NULL)
        ck_abort_msg("'%s' for '%s': %d %s", malformed[_i].to, malformed[_i].from, (int)status,
                     err.text);
    ck_assert_ptr_null(g);
}
END_TEST

/* Every prefix is refused, also the one that only lacks the last newline: it was cut off. */
START_TEST(truncated_is_refused)
{
    char text[4096];
    const size_t n = good_text(text, sizeof text);

    for (size_t i = 0; i <= n; i++) {
        fpx_golden *g = NULL;
        fpx_error err = { .text = "" };

        put(text, i);
        const fpx_status status = fpx_golden_read(path, &g, &err);
        if (status != (i == n ? FPX_OK : FPX_EFORMAT))
            ck_abort_msg("%zu of %zu bytes: %d %s", i, n, (int)status, err.text);
        fpx_golden_free(g);
    }
}
END_TEST

/* Any byte replaced by another, inserted or removed: refused. */
START_TEST(no_mutation_is_taken)
{
    static const char odd[] = { '\0', '\n', ' ', '\r', '0', '9', 'f', 'g', '-', '\x80', '\xff' };
    char text[4096], changed[4100];
    const size_t n = good_text(text, sizeof text);
    uint64_t state = SEED;
    size_t same = 0;

    for (size_t i = 0; i < 3 * n; i++) {
        const size_t at = i / 3, kind = i % 3; /* replace, insert, remove */
        const char byte = odd[next_random(&state) % sizeof odd];
        const size_t length = n + (kind == 1) - (kind == 2);
        fpx_golden *g = NULL;
        fpx_error err = { .text = "" };

        memcpy(changed, text, at);
        changed[at] = byte;
        memcpy(changed + at + (kind != 2), text + at + (kind != 1), n - at - (kind != 1));
        if (length == n && memcmp(changed, text, n) == 0) {
            same++;
            continue;
        }
        put(changed, length);
        const fpx_status status = fpx_golden_read(path, &g, &err);
        if (status != FPX_EFORMAT || strncmp(err.text, path, strlen(path)) != 0)
            ck_abort_msg("seed %d, byte %zu, kind %zu: %d %s", (int)SEED, at, kind, (int)status,
                         err.text);
    }
    ck_assert_uint_lt(same, n);
}
END_TEST

/* A digit of a step's digest, a mark: the line is named. */
START_TEST(an_edited_line_is_named)
{
    char text[4096], where[512];
    const size_t n = good_text(text, sizeof text);
    unsigned line = 1;

    for (size_t i = 0; i < n; line += text[i++] == '\n') {
        fpx_golden *g = NULL;
        fpx_error err = { .text = "" };
        const char was = text[i];

        if (line < 8 || line == 15 || strchr("0123456789abcdef", was) == NULL)
            continue;
        text[i] = was == '0' ? '1' : '0';
        put(text, n);
        text[i] = was;
        snprintf(where, sizeof where, "%s:%u: ", path, line);
        if (fpx_golden_read(path, &g, &err) != FPX_EFORMAT ||
            strncmp(err.text, where, strlen(where)) != 0)
            ck_abort_msg("byte %zu of line %u: %s", i, line, err.text);
    }
    ck_assert_uint_eq(line, 16);
}
END_TEST

START_TEST(another_run_is_none_of_its_own)
{
    static const struct {
        const char *experiment, *recipe, *shadow, *text;
        uint8_t settings;
    } runs[] = {
        { "other", "fp8", "both:fp64",
          "g:2: the header names experiment 'demo', this run uses 'other'", 0x5e },
        { "demo", "bf16", "both:fp64", "g:3: the header names recipe 'fp8', this run uses 'bf16'",
          0x5e },
        { "demo", "fp8", "none", "g:4: the header names shadow 'both:fp64', this run uses 'none'",
          0x5e },
        { "demo", "fp8", "both:fp64", "g:5: the experiment or the recipe says something else",
          0x5f },
        { "demo", "fp8", "both:fp64", NULL, 0x5e },
    };
    fpx_golden *a = make(STEPS, STEPS, 0, 0);

    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        const fpx_digest digest = { { runs[i].settings, 0x77 } };
        fpx_golden *b = NULL;
        fpx_error err = { .text = "" };

        ck_assert_int_eq(fpx_golden_new(runs[i].experiment, runs[i].recipe, runs[i].shadow, digest,
                                        row_names, ROWS, &b),
                         FPX_OK);
        const fpx_status status = fpx_golden_same_run("g", a, b, &err);
        ck_assert_int_eq(status, runs[i].text ? FPX_EINVAL : FPX_OK);
        ck_assert_msg(runs[i].text == NULL ||
                          strncmp(err.text, runs[i].text, strlen(runs[i].text)) == 0,
                      "%s", err.text);
        fpx_golden_free(b);
    }
    fpx_golden_free(a);
}
END_TEST

START_TEST(zero_bytes_are_no_end)
{
    char text[4096];
    fpx_golden *g = NULL;
    fpx_error err = { .text = "" };
    const size_t n = good_text(text, sizeof text);

    memcpy(text + n, "\0\n", 2); /* a line that C would take for empty */
    put(text, n + 2);
    ck_assert_int_eq(fpx_golden_read(path, &g, &err), FPX_EFORMAT);
    put(text, n + 1);
    ck_assert_int_eq(fpx_golden_read(path, &g, &err), FPX_EFORMAT);
    *strstr(text, "ecause") = '\0'; /* what follows it on the line would be lost */
    put(text, n);
    ck_assert_int_eq(fpx_golden_read(path, &g, &err), FPX_EFORMAT);
    ck_assert_ptr_null(g);
}
END_TEST

static const struct {
    size_t step, row, byte;
    const char *name;
} differences[] = {
    { 0, 0, 0, "embed/fprop" },
    { 0, 2, 2, "shadow:local:fp64" },
    { 2, 1, 1, "layer.0/attn.qkv/x.e4m3/quantize" },
    { 3, 0, 0, "embed/fprop" },
    { 1, 1, 3, "" }, /* beyond the mark: only the chain knows */
    { 3, 2, 15, "" },
};

START_TEST(first_difference_is_named)
{
    fpx_golden *a = make(STEPS, STEPS, 0, 0);
    fpx_golden *b = make(STEPS, differences[_i].step, differences[_i].row, differences[_i].byte);
    fpx_golden_difference d;

    fpx_golden_compare(a, b, &d);
    ck_assert_int_eq(d.found, 1);
    ck_assert_int_eq(d.other_rows, 0);
    ck_assert_uint_eq(d.step, differences[_i].step);
    ck_assert_str_eq(d.row, differences[_i].name);
    ck_assert_uint_eq(d.rows, differences[_i].name[0] ? 1 : 0);
    fpx_golden_free(a);
    fpx_golden_free(b);
}
END_TEST

/* Only what both have is compared; several rows are counted, the first is named. */
START_TEST(lengths_and_counts)
{
    fpx_golden *a = make(STEPS, STEPS, 0, 0), *b = make(2, STEPS, 0, 0), *c;
    uint64_t state = SEED;
    fpx_golden_difference d;

    fpx_golden_compare(a, b, &d);
    ck_assert_int_eq(d.found, 0);
    ck_assert_uint_eq(d.steps_expected, STEPS);
    ck_assert_uint_eq(d.steps_got, 2);
    c = empty(row_names, ROWS);
    for (size_t s = 0; s < STEPS; s++) {
        fpx_digest digests[ROWS];

        draw(&state, digests, ROWS);
        if (s == 2)
            digests[1].bytes[0] ^= 1, digests[2].bytes[2] ^= 128;
        ck_assert_int_eq(fpx_golden_add_step(c, digests), FPX_OK);
    }
    fpx_golden_compare(a, c, &d);
    ck_assert_int_eq(d.found, 1);
    ck_assert_uint_eq(d.step, 2);
    ck_assert_uint_eq(d.rows, 2);
    ck_assert_str_eq(d.row, row_names[1]);
    fpx_golden_free(a);
    fpx_golden_free(b);
    fpx_golden_free(c);
}
END_TEST

static const struct {
    const char *expected[4], *got[4], *named;
} layouts[] = {
    { { "a", "b", "c" }, { "a", "c" }, "b" },      /* gone from the middle */
    { { "a", "c" }, { "a", "b", "c" }, "b" },      /* new in the middle */
    { { "a", "b" }, { "a", "b", "c" }, "c" },      /* new at the end */
    { { "a", "b", "c" }, { "a", "b" }, "c" },      /* gone from the end */
    { { "a", "b", "c" }, { "a", "c", "b" }, "b" }, /* another order */
    { { "a", "b" }, { "x", "y" }, "a" },
};

START_TEST(other_rows_are_named)
{
    size_t na = 0, nb = 0;
    fpx_golden_difference d;

    while (layouts[_i].expected[na] != NULL)
        na++;
    while (layouts[_i].got[nb] != NULL)
        nb++;
    fpx_golden *a = empty(layouts[_i].expected, na), *b = empty(layouts[_i].got, nb);
    fpx_golden_compare(a, b, &d);
    ck_assert_int_eq(d.found, 1);
    ck_assert_int_eq(d.other_rows, 1);
    ck_assert_str_eq(d.row, layouts[_i].named);
    fpx_golden_free(a);
    fpx_golden_free(b);
}
END_TEST

START_TEST(what_cannot_be_written_is_refused)
{
    static const char *const bad[] = { "", "a b", "a\tb", "a\nb", "\r" };
    const char *one[1] = { "a" };
    char longest[FPX_GOLDEN_NAME + 1], missing[300];
    fpx_golden *g = NULL, *back = NULL;
    fpx_error err = { .text = "" };
    fpx_digest digest = { { 1 } };
    struct stat info;

    memset(longest, 'n', sizeof longest);
    longest[FPX_GOLDEN_NAME] = '\0';
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(fpx_golden_new("e", "r", "s", settings, &bad[i], 1, &g), FPX_EINVAL);
    one[0] = longest;
    ck_assert_int_eq(fpx_golden_new("e", "r", "s", settings, one, 1, &g), FPX_EINVAL);
    ck_assert_int_eq(fpx_golden_new("e\nf", "r", "s", settings, row_names, ROWS, &g), FPX_EINVAL);
    ck_assert_int_eq(fpx_golden_new(longest, "r", "s", settings, row_names, ROWS, &g), FPX_EINVAL);
    ck_assert_ptr_null(g);

    longest[FPX_GOLDEN_NAME - 1] = '\0'; /* the longest that fits; headers may hold spaces */
    ck_assert_int_eq(fpx_golden_new("an experiment", longest, "", settings, one, 1, &g), FPX_OK);
    (void)remove(path);
    ck_assert_int_eq(fpx_golden_write(path, g, "r", &err), FPX_EINVAL); /* no step */
    ck_assert_int_eq(fpx_golden_add_step(g, &digest), FPX_OK);
    ck_assert_int_eq(fpx_golden_write(path, g, "two\nlines", &err), FPX_EINVAL);
    snprintf(missing, sizeof missing, "%s/missing/x", folder);
    ck_assert_int_eq(fpx_golden_write(missing, g, "r", &err), FPX_EIO);
    ck_assert_int_eq(fpx_golden_read(missing, &back, &err), FPX_EIO);
    ck_assert_int_ne(stat(path, &info), 0); /* nothing was left */
    ck_assert_int_eq(fpx_golden_write(path, g, "", &err), FPX_OK);
    ck_assert_msg(fpx_golden_read(path, &back, &err) == FPX_OK, "%s", err.text);
    ck_assert_str_eq(fpx_golden_header(back, "recipe"), longest);
    ck_assert_str_eq(fpx_golden_header(back, "experiment"), "an experiment");
    fpx_golden_free(g);
    fpx_golden_free(back);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("golden");
    TCase *tc = tcase_create("golden");
    SRunner *runner;

    if (mkdtemp(folder) == NULL)
        return EXIT_FAILURE;
    snprintf(path, sizeof path, "%s/g.golden", folder);
    tcase_add_test(tc, written_is_read);
    tcase_add_test(tc, form_is_the_documented_one);
    tcase_add_loop_test(tc, malformed_is_refused_with_its_line, 0,
                        sizeof malformed / sizeof malformed[0]);
    tcase_add_test(tc, truncated_is_refused);
    tcase_set_timeout(tc, 60); /* thousands of files, each synced */
    tcase_add_test(tc, no_mutation_is_taken);
    tcase_add_test(tc, an_edited_line_is_named);
    tcase_add_test(tc, another_run_is_none_of_its_own);
    tcase_add_test(tc, zero_bytes_are_no_end);
    tcase_add_loop_test(tc, first_difference_is_named, 0,
                        sizeof differences / sizeof differences[0]);
    tcase_add_test(tc, lengths_and_counts);
    tcase_add_loop_test(tc, other_rows_are_named, 0, sizeof layouts / sizeof layouts[0]);
    tcase_add_test(tc, what_cannot_be_written_is_refused);
    suite_add_tcase(s, tc);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    (void)remove(path);
    (void)rmdir(folder);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
