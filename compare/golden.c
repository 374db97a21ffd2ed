/* golden.c - goldens in memory, their comparison, and their text: fixed columns, one line a row, so that a
 * review shows which operations changed and from which step on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "golden_parts.h"

const char golden_first_line[] = "fpx golden 2";
const char *const golden_header_keys[GOLDEN_HEADERS] = { "experiment", "recipe", "shadow",
                                                         "settings" };

int golden_fits(const char *text, int one_word)
{
    return strlen(text) < FPX_GOLDEN_NAME && strpbrk(text, "\r\n") == NULL &&
           !(one_word && (text[0] == '\0' || strpbrk(text, " \t\v\f") != NULL));
}

void golden_check_of(const char *line, size_t n, char ret_check[GOLDEN_CHECK + 1])
{
    char text[FPX_DIGEST_TEXT];

    fpx_digest_text(fpx_digest_bytes(line, n), text);
    memcpy(ret_check, text, GOLDEN_CHECK);
    ret_check[GOLDEN_CHECK] = '\0';
}

fpx_status fpx_golden_new(const char *experiment, const char *recipe, const char *shadow,
                          fpx_digest settings, const char *const *rows, size_t nrows,
                          fpx_golden **ret_golden)
{
    char digest[FPX_DIGEST_TEXT];
    const char *const values[GOLDEN_HEADERS] = { experiment, recipe, shadow, digest };
    fpx_golden *g;

    fpx_digest_text(settings, digest);
    for (size_t i = 0; i < GOLDEN_HEADERS; i++)
        if (!golden_fits(values[i], 0))
            return FPX_EINVAL;
    for (size_t i = 0; i < nrows; i++)
        if (!golden_fits(rows[i], 1))
            return FPX_EINVAL;
    if ((g = calloc(1, sizeof *g)) == NULL ||
        (g->rows = calloc(nrows + 1, sizeof *g->rows)) == NULL) {
        free(g);
        return FPX_ENOMEM;
    }
    for (size_t i = 0; i < GOLDEN_HEADERS; i++)
        (void)snprintf(g->headers[i], FPX_GOLDEN_NAME, "%s", values[i]);
    for (size_t i = 0; i < nrows; i++)
        (void)snprintf(g->rows[i], FPX_GOLDEN_NAME, "%s", rows[i]);
    g->nrows = nrows;
    *ret_golden = g;
    return FPX_OK;
}

void fpx_golden_free(fpx_golden *golden)
{
    if (golden == NULL)
        return;
    free(golden->rows);
    free(golden->chain);
    free(golden->marks);
    free(golden);
}

static fpx_status make_room(fpx_golden *g)
{
    const size_t more = g->room ? 2 * g->room : 32;
    fpx_digest *chain;
    uint8_t(*marks)[GOLDEN_MARK];

    if (g->steps < g->room)
        return FPX_OK;
    if ((chain = realloc(g->chain, more * sizeof *chain)) == NULL)
        return FPX_ENOMEM;
    g->chain = chain;
    if ((marks = realloc(g->marks, more * (g->nrows + 1) * sizeof *marks)) == NULL)
        return FPX_ENOMEM;
    g->marks = marks;
    g->room = more;
    return FPX_OK;
}

fpx_status fpx_golden_add_step(fpx_golden *golden, const fpx_digest *rows)
{
    const fpx_digest start = { { 0 } };
    fpx_golden *g = golden;

    if (make_room(g) != FPX_OK)
        return FPX_ENOMEM;
    g->chain[g->steps] = fpx_digest_chain(g->steps ? g->chain[g->steps - 1] : start,
                                          fpx_digest_list(rows, g->nrows));
    for (size_t r = 0; r < g->nrows; r++)
        memcpy(g->marks[g->steps * g->nrows + r], rows[r].bytes, GOLDEN_MARK);
    g->steps++;
    return FPX_OK;
}

size_t fpx_golden_steps(const fpx_golden *golden)
{
    return golden->steps;
}

const char *fpx_golden_header(const fpx_golden *golden, const char *key)
{
    for (size_t i = 0; i < GOLDEN_HEADERS; i++)
        if (strcmp(golden_header_keys[i], key) == 0)
            return golden->headers[i];
    return NULL;
}

/* The line that began at `start` of what the stream holds gets its check and its end. */
static void end_line(FILE *f, char *const *text, size_t start, const size_t *size)
{
    char check[GOLDEN_CHECK + 1];

    if (fflush(f) != 0)
        return; /* no memory: the stream remembers */
    golden_check_of(*text + start, *size - start, check);
    (void)fprintf(f, " %s\n", check);
}

static void print_golden(FILE *f, char *const *text, const size_t *size, const fpx_golden *g,
                         const char *reason)
{
    char digest[FPX_DIGEST_TEXT];

    (void)fprintf(f, "%s\n", golden_first_line);
    for (size_t i = 0; i < GOLDEN_HEADERS; i++)
        (void)fprintf(f, "%s %s\n", golden_header_keys[i], g->headers[i]);
    (void)fprintf(f, "reason %s\nsize %zu steps %zu rows\n", reason, g->steps, g->nrows);
    for (size_t s = 0; s < g->steps && fflush(f) == 0; s++) {
        const size_t start = *size;

        fpx_digest_text(g->chain[s], digest);
        (void)fprintf(f, "step %zu %s", s, digest);
        end_line(f, text, start, size);
    }
    for (size_t r = 0; r < g->nrows && fflush(f) == 0; r++) {
        const size_t start = *size;

        (void)fprintf(f, "row %s", g->rows[r]);
        for (size_t s = 0; s < g->steps; s++) {
            const uint8_t *m = g->marks[s * g->nrows + r];

            (void)fprintf(f, " %02x%02x%02x", m[0], m[1], m[2]);
        }
        end_line(f, text, start, size);
    }
    if (fflush(f) != 0)
        return;
    fpx_digest_text(fpx_digest_bytes(*text, *size), digest);
    (void)fprintf(f, "end %s\n", digest);
}

/* The whole text, to be freed with free(); NULL without memory. */
static char *golden_text(const fpx_golden *g, const char *reason, size_t *ret_size)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, ret_size);
    int failed;

    if (f == NULL)
        return NULL;
    print_golden(f, &text, ret_size, g, reason);
    failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

/* A file beside path that is this writer's alone ('x': what has the name already is left as it is); NULL: errno. */
static FILE *create_beside(const char *path, char *temporary, size_t room)
{
    const char *const slash = strrchr(path, '/');
    const char *const name = slash != NULL ? slash + 1 : path;
    FILE *f = NULL;

    errno = EEXIST;
    for (int i = 0; i < 1000 && f == NULL && errno == EEXIST; i++) {
        if (snprintf(temporary, room, "%.*s.%.200s.%ld-%d.tmp", (int)(name - path), path, name,
                     (long)getpid(), i) >= (int)room) {
            errno = ENAMETOOLONG;
            break;
        }
        f = fopen(temporary, "wx");
    }
    return f;
}

fpx_status fpx_golden_write(const char *path, const fpx_golden *golden, const char *reason,
                            fpx_error *err)
{
    char temporary[4096], *text;
    size_t size = 0;
    FILE *f;

    if (strpbrk(reason, "\r\n") != NULL)
        return fpx_error_set(err, FPX_EINVAL, "a golden's reason is one line");
    if (golden->steps == 0 || golden->nrows == 0)
        return fpx_error_set(err, FPX_EINVAL, "%s: a golden without steps or rows says nothing",
                             path);
    if ((text = golden_text(golden, reason, &size)) == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
    if ((f = create_beside(path, temporary, sizeof temporary)) == NULL) {
        const int number = errno;

        free(text);
        return fpx_error_set(err, FPX_EIO, "%s: cannot write: %s", path, strerror(number));
    }
    (void)fwrite(text, 1, size, f);
    free(text);
    const int failed = fflush(f) != 0 || ferror(f);
    if (!failed && ftell(f) > FPX_GOLDEN_BYTES) {
        (void)fclose(f);
        (void)remove(temporary);
        return fpx_error_set(
            err, FPX_EINVAL,
            "%s: %zu steps of %zu rows are more than a golden can be (%d MiB); record "
            "fewer steps",
            path, golden->steps, golden->nrows, FPX_GOLDEN_BYTES >> 20);
    }
    if (fclose(f) != 0 || failed || rename(temporary, path) != 0) {
        const int number = errno;

        (void)remove(temporary);
        return fpx_error_set(err, FPX_EIO, "%s: cannot write: %s", path, strerror(number));
    }
    return FPX_OK;
}

static int has_row(const fpx_golden *g, const char *row)
{
    for (size_t i = 0; i < g->nrows; i++)
        if (strcmp(g->rows[i], row) == 0)
            return 1;
    return 0;
}

/* Names the first row, in x then in y, that the other lacks; where none does, the first that moved. */
static int rows_differ(const fpx_golden *x, const fpx_golden *y, fpx_golden_difference *d)
{
    const size_t n = x->nrows < y->nrows ? x->nrows : y->nrows;
    const char *row = NULL;
    size_t same = 0;

    while (same < n && strcmp(x->rows[same], y->rows[same]) == 0)
        same++;
    if (same == x->nrows && same == y->nrows)
        return 0;
    for (size_t i = same; i < x->nrows && row == NULL; i++)
        row = has_row(y, x->rows[i]) ? NULL : x->rows[i];
    for (size_t i = same; i < y->nrows && row == NULL; i++)
        row = has_row(x, y->rows[i]) ? NULL : y->rows[i];
    if (row == NULL)
        row = same < x->nrows ? x->rows[same] : y->rows[same];
    (void)snprintf(d->row, sizeof d->row, "%s", row);
    return 1;
}

/* In no step another mark than those of the equality shadow differs. */
static int only_device_differs(const fpx_golden *x, const fpx_golden *y, size_t steps)
{
    for (size_t i = 0; i < steps * x->nrows; i++)
        if (memcmp(x->marks[i], y->marks[i], GOLDEN_MARK) != 0 &&
            strcmp(x->rows[i % x->nrows], "shadow:local:cpu") != 0)
            return 0;
    return 1;
}

void fpx_golden_compare(const fpx_golden *expected, const fpx_golden *got,
                        fpx_golden_difference *ret_difference)
{
    fpx_golden_difference d = { .steps_expected = expected->steps, .steps_got = got->steps };
    const size_t steps = expected->steps < got->steps ? expected->steps : got->steps;

    if (rows_differ(expected, got, &d)) {
        d.found = d.other_rows = 1;
        *ret_difference = d;
        return;
    }
    for (size_t s = 0; s < steps && !d.found; s++) {
        if (fpx_digest_equal(expected->chain[s], got->chain[s]))
            continue;
        d.found = 1;
        d.step = s;
        for (size_t r = 0; r < expected->nrows; r++) {
            const size_t at = s * expected->nrows + r;

            if (memcmp(expected->marks[at], got->marks[at], GOLDEN_MARK) != 0 && d.rows++ == 0)
                (void)snprintf(d.row, sizeof d.row, "%s", expected->rows[r]);
        }
    }
    d.only_device = d.rows > 0 && only_device_differs(expected, got, steps);
    *ret_difference = d;
}

fpx_status fpx_golden_same_run(const char *path, const fpx_golden *expected, const fpx_golden *got,
                               fpx_error *err)
{
    for (size_t i = 0; i < GOLDEN_HEADERS; i++) {
        const char *key = golden_header_keys[i];

        if (strcmp(expected->headers[i], got->headers[i]) == 0)
            continue;
        if (strcmp(key, "settings") == 0)
            return fpx_error_set(err, FPX_EINVAL,
                                 "%s:%zu: the experiment or the recipe says something else than "
                                 "when this was recorded; if that is intended, record it again",
                                 path, i + 2);
        return fpx_error_set(err, FPX_EINVAL,
                             "%s:%zu: the header names %s '%s', this run uses '%s'", path, i + 2,
                             key, expected->headers[i], got->headers[i]);
    }
    return FPX_OK;
}
