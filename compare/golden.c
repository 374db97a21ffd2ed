/* golden.c - goldens in memory and as text: fixed columns, one line a row, so that a review shows which
 * operations changed and from which step on. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fpx/golden.h>

enum { MARK = 3, HEADERS = 3 }; /* bytes of a row's digest that are kept */

static const char *const header_keys[HEADERS] = { "experiment", "recipe", "shadow" };

struct fpx_golden {
    char headers[HEADERS][FPX_GOLDEN_NAME];
    char (*rows)[FPX_GOLDEN_NAME];
    size_t nrows;
    fpx_digest *chain;      /* [steps] */
    uint8_t (*marks)[MARK]; /* [steps][nrows] */
    size_t steps, room;
};

/* A word that the text form can hold: without white space where it ends at the next space. */
static int fits(const char *text, int one_word)
{
    return strlen(text) < FPX_GOLDEN_NAME && strpbrk(text, "\r\n") == NULL &&
           !(one_word && (text[0] == '\0' || strpbrk(text, " \t\v\f") != NULL));
}

fpx_status fpx_golden_new(const char *experiment, const char *recipe, const char *shadow,
                          const char *const *rows, size_t nrows, fpx_golden **ret_golden)
{
    const char *const values[HEADERS] = { experiment, recipe, shadow };
    fpx_golden *g;

    for (size_t i = 0; i < HEADERS; i++)
        if (!fits(values[i], 0))
            return FPX_EINVAL;
    for (size_t i = 0; i < nrows; i++)
        if (!fits(rows[i], 1))
            return FPX_EINVAL;
    if ((g = calloc(1, sizeof *g)) == NULL ||
        (g->rows = calloc(nrows + 1, sizeof *g->rows)) == NULL) {
        free(g);
        return FPX_ENOMEM;
    }
    for (size_t i = 0; i < HEADERS; i++)
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
    uint8_t(*marks)[MARK];

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
        memcpy(g->marks[g->steps * g->nrows + r], rows[r].bytes, MARK);
    g->steps++;
    return FPX_OK;
}

size_t fpx_golden_steps(const fpx_golden *golden)
{
    return golden->steps;
}

const char *fpx_golden_header(const fpx_golden *golden, const char *key)
{
    for (size_t i = 0; i < HEADERS; i++)
        if (strcmp(header_keys[i], key) == 0)
            return golden->headers[i];
    return NULL;
}

static void print_golden(FILE *f, const fpx_golden *g, const char *reason)
{
    char text[FPX_DIGEST_TEXT];

    (void)fputs("fpx golden 1\n", f);
    for (size_t i = 0; i < HEADERS; i++)
        (void)fprintf(f, "%s %s\n", header_keys[i], g->headers[i]);
    (void)fprintf(f, "reason %s\nsize %zu steps %zu rows\n", reason, g->steps, g->nrows);
    for (size_t s = 0; s < g->steps; s++) {
        fpx_digest_text(g->chain[s], text);
        (void)fprintf(f, "step %zu %s\n", s, text);
    }
    for (size_t r = 0; r < g->nrows; r++) {
        (void)fprintf(f, "row %s", g->rows[r]);
        for (size_t s = 0; s < g->steps; s++) {
            const uint8_t *m = g->marks[s * g->nrows + r];

            (void)fprintf(f, " %02x%02x%02x", m[0], m[1], m[2]);
        }
        (void)fputc('\n', f);
    }
}

fpx_status fpx_golden_write(const char *path, const fpx_golden *golden, const char *reason,
                            fpx_error *err)
{
    char temporary[4096];
    FILE *f;

    if (strpbrk(reason, "\r\n") != NULL)
        return fpx_error_set(err, FPX_EINVAL, "a golden's reason is one line");
    if (golden->steps == 0 || golden->nrows == 0)
        return fpx_error_set(err, FPX_EINVAL, "%s: a golden without steps or rows says nothing",
                             path);
    if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary ||
        (f = fopen(temporary, "w")) == NULL)
        return fpx_error_set(err, FPX_EIO, "%s: cannot write: %s", path, strerror(errno));
    print_golden(f, golden, reason);
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

/* ---- reading: a line at a time, every line of a known form ---- */
typedef struct reader {
    FILE *file;
    const char *path;
    char *line;
    size_t room;
    unsigned long number; /* of the line, from 1 */
    fpx_error *err;
} reader;

static fpx_status bad(const reader *r, const char *what)
{
    return fpx_error_set(
        r->err, FPX_EFORMAT,
        "%s:%lu: %s; restore it, or remove it and record it again (fpx golden record)", r->path,
        r->number, what);
}

/* LINE: the next line, without its end; BROKEN: one with a zero byte inside or without an end, or the file
 * cannot be read. */
enum line { LINE, END, BROKEN };

static enum line next_line(reader *r)
{
    const ssize_t n = getline(&r->line, &r->room, r->file);

    r->number++;
    if (n <= 0)
        return ferror(r->file) ? BROKEN : END;
    if (memchr(r->line, '\0', (size_t)n) != NULL || r->line[n - 1] != '\n')
        return BROKEN;
    r->line[n - 1] = '\0';
    return LINE;
}

/* Decimal digits, without a leading zero, then `next`. NULL where there is anything else. */
static const char *read_number(const char *at, char next, size_t *ret_number)
{
    const char *start = at;
    size_t n = 0;

    for (; *at >= '0' && *at <= '9' && at - start < 9; at++)
        n = 10 * n + (size_t)(*at - '0');
    if (at == start || *at != next || (*start == '0' && at - start > 1))
        return NULL;
    *ret_number = n;
    return at + 1;
}

static const char *after(const char *line, const char *word)
{
    const size_t n = strlen(word);

    return strncmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

static fpx_status read_headers(reader *r, fpx_golden *g, size_t *ret_rows)
{
    const char *value;
    size_t steps = 0, rows = 0;

    if (next_line(r) != LINE || strcmp(r->line, "fpx golden 1") != 0)
        return bad(r, "not a golden: the first line is not 'fpx golden 1'");
    for (size_t i = 0; i < HEADERS; i++) {
        if (next_line(r) != LINE || (value = after(r->line, header_keys[i])) == NULL ||
            !fits(value, 0))
            return bad(r, "expected the lines experiment, recipe, shadow");
        (void)snprintf(g->headers[i], FPX_GOLDEN_NAME, "%s", value);
    }
    if (next_line(r) != LINE || after(r->line, "reason") == NULL)
        return bad(r, "expected a line 'reason ...'");
    if (next_line(r) != LINE || (value = after(r->line, "size")) == NULL ||
        (value = read_number(value, ' ', &steps)) == NULL ||
        (value = after(value, "steps")) == NULL ||
        (value = read_number(value, ' ', &rows)) == NULL || strcmp(value, "rows") != 0 ||
        steps == 0 || rows == 0 || steps > 1000000 || rows > 1000000 || steps * rows > 100000000)
        return bad(r, "expected a line 'size N steps N rows'");
    g->room = g->steps = steps;
    g->rows = calloc(rows, sizeof *g->rows);
    g->chain = calloc(steps, sizeof *g->chain);
    g->marks = calloc(steps * rows, sizeof *g->marks);
    *ret_rows = rows;
    return g->rows && g->chain && g->marks ? FPX_OK
                                           : fpx_error_set(r->err, FPX_ENOMEM, "out of memory");
}

static int read_mark(const char **at, uint8_t mark[MARK])
{
    for (int i = 0; i < MARK; i++) {
        unsigned value = 0;

        for (int k = 0; k < 2; k++) {
            const char *digits = "0123456789abcdef";
            const char *d = **at ? strchr(digits, **at) : NULL;

            if (d == NULL)
                return 0;
            value = value * 16 + (unsigned)(d - digits);
            (*at)++;
        }
        mark[i] = (uint8_t)value;
    }
    return 1;
}

static fpx_status read_rows(reader *r, fpx_golden *g, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        const char *at = next_line(r) == LINE ? after(r->line, "row") : NULL;
        const char *end = at ? strchr(at, ' ') : NULL;

        if (end == NULL || end == at || end - at >= FPX_GOLDEN_NAME)
            return bad(r, "expected a line 'row NAME MARK ...'");
        memcpy(g->rows[i], at, (size_t)(end - at));
        if (!fits(g->rows[i], 1))
            return bad(r, "white space in a row's name");
        at = end;
        for (size_t s = 0; s < g->steps; s++)
            if (*at++ != ' ' || !read_mark(&at, g->marks[s * rows + i]))
                return bad(r, "expected one mark of 6 hexadecimal digits for each step");
        if (*at != '\0')
            return bad(r, "more marks than steps");
        g->nrows++;
    }
    if (next_line(r) != END)
        return bad(r, "text after the last row");
    return FPX_OK;
}

static fpx_status read_all(reader *r, fpx_golden *g)
{
    size_t rows = 0;
    fpx_status status = read_headers(r, g, &rows);

    for (size_t s = 0; s < g->steps && status == FPX_OK; s++) {
        size_t number = 0;
        const char *at = next_line(r) == LINE ? after(r->line, "step") : NULL;

        if (at == NULL || (at = read_number(at, ' ', &number)) == NULL || number != s ||
            fpx_digest_parse(at, &g->chain[s]) != FPX_OK)
            status = bad(r, "expected a line 'step N DIGEST', steps in order");
    }
    return status == FPX_OK ? read_rows(r, g, rows) : status;
}

/* A regular file of a size that a golden can have: nothing else is a text under review, and a device may
 * have no end. */
static fpx_status open_file(const char *path, FILE **ret_file, fpx_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block */
    struct stat st;
    fpx_status status;

    if (fd < 0 || fstat(fd, &st) != 0)
        status = fpx_error_set(err, FPX_EIO, "%s: cannot read: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        status =
            fpx_error_set(err, FPX_EIO, "%s: cannot read: it is %s; a golden is a regular file",
                          path, S_ISDIR(st.st_mode) ? "a folder" : "a pipe or a device");
    else if (st.st_size > FPX_GOLDEN_BYTES)
        status = fpx_error_set(err, FPX_EFORMAT, "%s: larger than a golden can be (%d MiB)", path,
                               FPX_GOLDEN_BYTES >> 20);
    else if ((*ret_file = fdopen(fd, "r")) != NULL)
        return FPX_OK;
    else
        status = fpx_error_set(err, FPX_EIO, "%s: cannot read: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return status;
}

fpx_status fpx_golden_read(const char *path, fpx_golden **ret_golden, fpx_error *err)
{
    reader r = { .path = path, .err = err };
    fpx_golden *g = calloc(1, sizeof *g);
    fpx_status status = open_file(path, &r.file, err);

    if (status == FPX_OK)
        status = g ? read_all(&r, g) : fpx_error_set(err, FPX_ENOMEM, "out of memory");
    if (r.file != NULL &&
        ferror(r.file)) /* a folder, a failing disk: nothing is known of the content */
        status = fpx_error_set(err, FPX_EIO, "%s: cannot read", path);
    if (r.file != NULL)
        (void)fclose(r.file);
    free(r.line);
    if (status != FPX_OK) {
        fpx_golden_free(g);
        return status;
    }
    *ret_golden = g;
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

            if (memcmp(expected->marks[at], got->marks[at], MARK) != 0 && d.rows++ == 0)
                (void)snprintf(d.row, sizeof d.row, "%s", expected->rows[r]);
        }
    }
    *ret_difference = d;
}
