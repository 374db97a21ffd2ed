/* test_golden_edges.c - a golden comes back as it was written; whatever else stands in the file is refused with its
 * line; comparing names the first row that differs, and the chain has the last word. */
#include <fpx/golden.h>

#include "tiny_trace.h"

enum { ROWS = 4, STEPS = 3, LINES = 8 + STEPS + ROWS, TEXT = 4096, LINE_ROOM = 256 };

static const char *const row_names[ROWS] = { "layer.0/a/fprop", "layer.0/b/fprop", "loss",
                                             "shadow:local:fp64" };

static const fpx_digest settings = { { 0x5e, 0x77 } };

static fpx_digest digest(size_t step, size_t row)
{
    const uint8_t bytes[2] = { (uint8_t)step, (uint8_t)row };

    return fpx_digest_bytes(bytes, sizeof bytes);
}

/* One bit of one row's digest at one step is other: byte 0 is kept as mark, byte 15 is not. */
static fpx_golden *make(size_t steps, size_t step, size_t row, size_t byte)
{
    fpx_golden *g = NULL;

    ck_assert_int_eq(fpx_golden_new("demo", "fp8", "both:fp64", settings, row_names, ROWS, &g),
                     FPX_OK);
    for (size_t s = 0; s < steps; s++) {
        fpx_digest rows[ROWS];

        for (size_t r = 0; r < ROWS; r++) {
            rows[r] = digest(s, r);
            if (s == step && r >= row)
                rows[r].bytes[byte] ^= 1;
        }
        ck_assert_int_eq(fpx_golden_add_step(g, rows), FPX_OK);
    }
    return g;
}

static fpx_golden *plain_golden(void)
{
    return make(STEPS, SIZE_MAX, 0, 0);
}

static size_t read_text(const char *path, char text[TEXT])
{
    FILE *f = fopen(path, "rb");
    size_t n;

    ck_assert_ptr_nonnull(f);
    n = fread(text, 1, TEXT - 1, f);
    text[n] = '\0';
    ck_assert_int_eq(fclose(f), 0);
    return n;
}

static void write_text(const char *path, const void *text, size_t n)
{
    (void)unlink(path); /* some file systems sync what is truncated and written again */
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

static size_t good_text(char text[TEXT])
{
    fpx_golden *g = plain_golden();
    char path[TINY_PATH];
    fpx_error err;

    tiny_path(path, "good.golden");
    ck_assert_int_eq(fpx_golden_write(path, g, "first recording", &err), FPX_OK);
    fpx_golden_free(g);
    return read_text(path, text);
}

/* The file must be refused, with file and line. */
static void refused(const char *text, size_t n, size_t line, const char *what)
{
    fpx_golden *g = NULL;
    char path[TINY_PATH], place[TINY_PATH + 32];
    fpx_error err = { 0 };

    tiny_path(path, "bad.golden");
    write_text(path, text, n);
    if (fpx_golden_read(path, &g, &err) != FPX_EFORMAT || g != NULL)
        ck_abort_msg("%s line %zu: read as if it were good", what, line);
    (void)snprintf(place, sizeof place, "%s:%zu: ", path, line);
    if (strncmp(err.text, place, strlen(place)) != 0)
        ck_abort_msg("%s line %zu: %s", what, line, err.text);
}

START_TEST(round_trip)
{
    fpx_golden *g = plain_golden(), *back = NULL;
    fpx_golden_difference d;
    char path[TINY_PATH], first[TEXT], second[TEXT];
    fpx_error err;

    (void)good_text(first);
    tiny_path(path, "good.golden");
    ck_assert_int_eq(fpx_golden_read(path, &back, &err), FPX_OK);
    fpx_golden_compare(g, back, &d);
    ck_assert_int_eq(d.found, 0);
    ck_assert_uint_eq(d.steps_expected, STEPS);
    ck_assert_uint_eq(fpx_golden_steps(back), STEPS);
    ck_assert_str_eq(fpx_golden_header(back, "experiment"), "demo");
    ck_assert_str_eq(fpx_golden_header(back, "recipe"), "fp8");
    ck_assert_str_eq(fpx_golden_header(back, "shadow"), "both:fp64");
    ck_assert_ptr_null(fpx_golden_header(back, "reason"));
    ck_assert_int_eq(fpx_golden_write(path, back, "first recording", &err), FPX_OK);
    (void)read_text(path, second);
    ck_assert_str_eq(first, second);
    ck_assert_uint_eq(tiny_entries(), 1); /* no .tmp */
    fpx_golden_free(g);
    fpx_golden_free(back);
}
END_TEST

/* What was read goes on like what was made. */
START_TEST(goes_on)
{
    char path[TINY_PATH], text[TEXT];
    fpx_golden *g = NULL, *longer = make(40, SIZE_MAX, 0, 0);
    fpx_golden_difference d;

    (void)good_text(text);
    tiny_path(path, "good.golden");
    ck_assert_int_eq(fpx_golden_read(path, &g, NULL), FPX_OK);
    for (size_t s = STEPS; s < 40; s++) {
        fpx_digest rows[ROWS];

        for (size_t r = 0; r < ROWS; r++)
            rows[r] = digest(s, r);
        ck_assert_int_eq(fpx_golden_add_step(g, rows), FPX_OK);
    }
    fpx_golden_compare(longer, g, &d);
    ck_assert_int_eq(d.found, 0);
    ck_assert_uint_eq(d.steps_got, 40);
    fpx_golden_free(g);
    fpx_golden_free(longer);
}
END_TEST

/* ---- one line at a time ---- */
typedef struct lines {
    char text[LINES][LINE_ROOM];
} lines;

static void split(lines *l)
{
    char text[TEXT];
    size_t n = 0;

    (void)good_text(text);
    for (char *at = text; *at != '\0'; n++) {
        char *end = strchr(at, '\n');

        ck_assert_uint_lt(n, LINES);
        ck_assert_ptr_nonnull(end);
        *end = '\0';
        ck_assert_int_lt(end - at, LINE_ROOM);
        memcpy(l->text[n], at, (size_t)(end - at) + 1);
        at = end + 1;
    }
    ck_assert_uint_eq(n, LINES);
}

/* All lines, but `odd` (from 0) `times` times, with `instead` in its place where that is not NULL. */
static size_t join(const lines *l, size_t odd, int times, const char *instead, char text[TEXT])
{
    size_t n = 0;

    for (size_t i = 0; i < LINES; i++)
        for (int k = i == odd ? times : 1; k > 0; k--)
            n += (size_t)snprintf(text + n, TEXT - n, "%s\n",
                                  i == odd && instead ? instead : l->text[i]);
    return n;
}

START_TEST(removed_and_doubled)
{
    char text[TEXT];
    lines l;

    split(&l);
    for (size_t i = 0; i < LINES; i++) {
        const int row = i >= 7 + STEPS && i < LINES - 1;

        refused(text, join(&l, i, 0, NULL, text), row ? LINES - 1 : i + 1, "without");
        refused(text, join(&l, i, 2, NULL, text), row ? LINES : i + 2, "twice");
    }
}
END_TEST

/* Each line with a first, a last and a middle character too few; with one more; empty; cut off there. */
START_TEST(broken)
{
    char text[TEXT], odd[LINE_ROOM + 8];
    lines l;

    split(&l);
    for (size_t i = 0; i < LINES; i++) {
        const int free_text = i >= 1 && i <= 5; /* any text may follow the key */

        refused(text, join(&l, i, 1, "", text), i + 1, "empty");
        refused(text, join(&l, i, 1, l.text[i] + 1, text), i + 1, "beheaded");
        (void)snprintf(odd, sizeof odd, " %s", l.text[i]);
        refused(text, join(&l, i, 1, odd, text), i + 1, "indented");
        (void)snprintf(odd, sizeof odd, "%.*s", (int)strlen(l.text[i]) - 1, l.text[i]);
        refused(text, join(&l, i, 1, odd, text), free_text ? LINES : i + 1, "shortened");
        if (free_text)
            continue;
        for (const char *tail = " x\r\t0a"; *tail != '\0'; tail++) {
            (void)snprintf(odd, sizeof odd, "%s%c", l.text[i], *tail);
            refused(text, join(&l, i, 1, odd, text), i + 1, "with a tail");
        }
    }
    const size_t n = join(&l, LINES, 1, NULL, text);
    for (size_t cut = 0; cut < n; cut++) {
        size_t line = 1;

        for (size_t i = 0; i < cut; i++)
            line += text[i] == '\n';
        refused(text, cut, line, "cut off in");
    }
    text[n] = '\n';
    refused(text, n + 1, LINES + 1, "text after");
    text[40] = '\0';
    refused(text, n, 4, "zero byte in");
}
END_TEST

START_TEST(other_lines)
{
    static const struct {
        size_t line;
        const char *text;
    } rows[] = {
        { 1, "fpx golden 1" },
        { 1, "fpx golden 2\r" },
        { 2, "experiment" },
        { 3, "recipe\tfp8" },
        { 3, "recipe fp8\r" },
        { 4, "shadows both:fp64" },
        { 5, "setting 5e" },
        { 6, "reason" },
        { 7, "size 0 steps 4 rows" },
        { 7, "size 3 steps 0 rows" },
        { 7, "size 03 steps 4 rows" },
        { 7, "size -3 steps 4 rows" },
        { 7, "size 3 steps 4 row" },
        { 7, "size 1000001 steps 1 rows" },
        { 7, "size 99999999999999999999 steps 4 rows" },
        { 7, "size 1000000 steps 1000000 rows" },
        { 8, "step 1 0123456789abcdef0123456789abcdef" },
        { 8, "step 0 0123456789ABCDEF0123456789abcdef" },
        { 8, "step 0 0123456789abcdef0123456789abcde" },
        { 8, "step 00 0123456789abcdef0123456789abcdef" },
        { 11, "row  123456 123456 123456" },
        { 11, "row a\tb 123456 123456 123456" },
        { 11, "row a 123456 123456" },
        { 11, "row a 123456 123456 12345G" },
        { 11, "row a 123456 123456 123456 123456" },
        { 11, "row a 123456  123456 123456" },
        { 11, "row" },
    };
    char text[TEXT], name[3 * FPX_GOLDEN_NAME];
    lines l;

    split(&l);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        refused(text, join(&l, rows[i].line - 1, 1, rows[i].text, text), rows[i].line,
                rows[i].text);
    (void)snprintf(name, sizeof name, "recipe %0*d", FPX_GOLDEN_NAME, 1);
    refused(text, join(&l, 2, 1, name, text), 3, "long");
    (void)snprintf(name, sizeof name, "row %0*d 123456 123456 123456", FPX_GOLDEN_NAME, 1);
    refused(text, join(&l, 10, 1, name, text), 11, "long");
}
END_TEST

/* Bytes changed at random: refused with a place, or read and as large as said. */
START_TEST(mutations)
{
    uint64_t state = UINT64_C(0x601de15eed);
    char good[TEXT], text[TEXT], path[TINY_PATH];
    const size_t n = good_text(good);
    size_t refusals = 0;

    printf("seed 0x%" PRIx64 "\n", state);
    tiny_path(path, "bad.golden");
    for (int round = 0; round < 2000; round++) {
        fpx_golden *g = NULL;
        fpx_error err = { 0 };

        memcpy(text, good, n);
        for (uint64_t k = 1 + tiny_random(&state) % 3; k > 0; k--) {
            const size_t at = tiny_random(&state) % n;

            text[at] = tiny_random(&state) % 2 ? (char)(tiny_random(&state) & 0xff)
                                               : " \n0123456789abcdef"[tiny_random(&state) % 18];
        }
        write_text(path, text, tiny_random(&state) % 8 ? n : tiny_random(&state) % n);
        const fpx_status status = fpx_golden_read(path, &g, &err);

        refusals += status != FPX_OK;
        if (status == FPX_OK ? fpx_golden_steps(g) != STEPS
                             : status != FPX_EFORMAT || strstr(err.text, "bad.golden:") == NULL)
            ck_abort_msg("round %d: status %d, %s", round, status, err.text);
        fpx_golden_free(g);
    }
    ck_assert_uint_gt(refusals, 1000);
}
END_TEST

/* ---- comparing ---- */
START_TEST(compare_names)
{
    fpx_golden *g = plain_golden();

    for (size_t s = 0; s < STEPS; s++) {
        for (size_t r = 0; r < ROWS; r++) {
            fpx_golden *other = make(STEPS, s, r, 2);
            fpx_golden_difference d;

            fpx_golden_compare(g, other, &d);
            ck_assert_int_eq(d.found, 1);
            ck_assert_int_eq(d.other_rows, 0);
            ck_assert_uint_eq(d.step, s);
            ck_assert_str_eq(d.row, row_names[r]);
            ck_assert_uint_eq(d.rows, ROWS - r);
            fpx_golden_free(other);
        }
    }
    fpx_golden_free(g);
}
END_TEST

START_TEST(chain_decides)
{
    fpx_golden *g = plain_golden(), *other = make(STEPS, 1, 2, 15), *few = make(1, SIZE_MAX, 0, 0);
    fpx_golden_difference d;

    fpx_golden_compare(g, other, &d); /* the byte is not one of the mark's */
    ck_assert_int_eq(d.found, 1);
    ck_assert_uint_eq(d.step, 1);
    ck_assert_uint_eq(d.rows, 0);
    ck_assert_str_eq(d.row, "");
    fpx_golden_compare(few, other, &d); /* only what both have */
    ck_assert_int_eq(d.found, 0);
    ck_assert_uint_eq(d.steps_expected, 1);
    ck_assert_uint_eq(d.steps_got, STEPS);
    fpx_golden_free(g);
    fpx_golden_free(other);
    fpx_golden_free(few);
}
END_TEST

static void rows_named(const char *const *x, size_t nx, const char *const *y, size_t ny,
                       const char *expected)
{
    fpx_golden *a = NULL, *b = NULL;
    fpx_golden_difference d;

    ck_assert_int_eq(fpx_golden_new("e", "r", "s", settings, x, nx, &a), FPX_OK);
    ck_assert_int_eq(fpx_golden_new("e", "r", "s", settings, y, ny, &b), FPX_OK);
    fpx_golden_compare(a, b, &d);
    ck_assert_int_eq(d.other_rows, 1);
    ck_assert_int_eq(d.found, 1);
    ck_assert_str_eq(d.row, expected);
    fpx_golden_free(a);
    fpx_golden_free(b);
}

START_TEST(other_rows)
{
    static const char *const base[] = { "a", "b", "c" }, *const moved[] = { "a", "c", "b" };
    static const char *const more[] = { "a", "x", "b", "c" }, *const other[] = { "a", "x", "c" };

    rows_named(base, 3, base, 2, "c");
    rows_named(base, 2, base, 3, "c");
    rows_named(base, 3, more, 4, "x");
    rows_named(more, 4, base, 3, "x");
    rows_named(base, 3, other, 3, "b");
    rows_named(base, 3, moved, 3, "b");
}
END_TEST

START_TEST(arguments)
{
    static const char *const bad[] = { "", "a b", "a\tb", "a\nb", "a\r" };
    char path[TINY_PATH], name[FPX_GOLDEN_NAME + 1];
    const char *names[] = { "a", name };
    fpx_golden *g = NULL;
    fpx_error err;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(name, sizeof name, "%s", bad[i]);
        ck_assert_int_eq(fpx_golden_new("e", "r", "s", settings, names, 2, &g), FPX_EINVAL);
    }
    (void)snprintf(name, sizeof name, "%0*d", FPX_GOLDEN_NAME, 1);
    ck_assert_int_eq(fpx_golden_new("e", "r", "s", settings, names, 2, &g), FPX_EINVAL);
    ck_assert_int_eq(fpx_golden_new(name, "r", "s", settings, names, 1, &g), FPX_EINVAL);
    ck_assert_int_eq(fpx_golden_new("e", "r\nx", "s", settings, names, 1, &g), FPX_EINVAL);
    ck_assert_ptr_null(g);
    tiny_path(path, "x.golden");
    ck_assert_int_eq(fpx_golden_new("e", "r", "s", settings, names, 1, &g), FPX_OK);
    ck_assert_int_eq(fpx_golden_write(path, g, "no steps", &err), FPX_EINVAL);
    fpx_golden_free(g);
    g = plain_golden();
    ck_assert_int_eq(fpx_golden_write(path, g, "two\nlines", &err), FPX_EINVAL);
    ck_assert_uint_eq(tiny_entries(), 0);
    tiny_path(path, "no/folder/x.golden");
    ck_assert_int_eq(fpx_golden_write(path, g, "why", &err), FPX_EIO);
    ck_assert_int_eq(fpx_golden_write(tiny_folder, g, "why", &err), FPX_EIO); /* a folder */
    ck_assert_uint_eq(tiny_entries(), 0);
    fpx_golden_free(g);
    g = NULL;
    ck_assert_int_eq(fpx_golden_read(path, &g, &err), FPX_EIO);
    ck_assert_int_eq(fpx_golden_read(tiny_folder, &g, &err), FPX_EIO);
    ck_assert_ptr_null(g);
    fpx_golden_free(NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("golden");
    TCase *c = tcase_create("golden");

    tcase_set_timeout(c, 60.0);
    tcase_add_checked_fixture(c, tiny_setup, tiny_teardown);
    tcase_add_test(c, round_trip);
    tcase_add_test(c, goes_on);
    tcase_add_test(c, removed_and_doubled);
    tcase_add_test(c, broken);
    tcase_add_test(c, other_lines);
    tcase_add_test(c, mutations);
    tcase_add_test(c, compare_names);
    tcase_add_test(c, chain_decides);
    tcase_add_test(c, other_rows);
    tcase_add_test(c, arguments);
    suite_add_tcase(s, c);
    return tiny_main(s);
}
