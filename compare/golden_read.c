/* golden_read.c - a golden from its text: a line at a time, every line of a known form and as it was recorded. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "golden_parts.h"

typedef struct reader {
    FILE *file;
    const char *path;
    char *line;
    size_t room;
    unsigned long number; /* of the line, from 1 */
    FILE *copy;           /* what was read before this line: the last line has its digest */
    char *text;
    size_t size;
    fpx_error *err;
} reader;

static fpx_status bad(const reader *r, const char *what)
{
    return fpx_error_set(r->err, FPX_EFORMAT,
                         "%s:%lu: %s; restore the file, or remove it and record again with: fpx "
                         "golden record",
                         r->path, r->number, what);
}

/* LINE: the next line, without its end; BROKEN: one with a zero byte inside or without an end, or the file
 * cannot be read. */
enum line { LINE, END, BROKEN };

static enum line next_line(reader *r)
{
    ssize_t n;

    if (r->number >
        0) /* the line before: it was a LINE, or nothing is asked of the copy any more */
        (void)fprintf(r->copy, "%s\n", r->line);
    n = getline(&r->line, &r->room, r->file);

    r->number++;
    if (n <= 0)
        return ferror(r->file) ? BROKEN : END;
    if (memchr(r->line, '\0', (size_t)n) != NULL || r->line[n - 1] != '\n')
        return BROKEN;
    r->line[n - 1] = '\0';
    return LINE;
}

/* Does the line end in the check of what stands before it? */
static int is_as_recorded(const reader *r)
{
    const size_t length = strlen(r->line);
    char check[GOLDEN_CHECK + 1];
    const char *end;

    if (length < GOLDEN_CHECK + 1)
        return 0;
    end = r->line + length - GOLDEN_CHECK - 1;
    golden_check_of(r->line, (size_t)(end - r->line), check);
    return *end == ' ' && strcmp(end + 1, check) == 0;
}

static fpx_status edited(const reader *r)
{
    return bad(r, "this line is not as it was recorded: it does not fit its own check");
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

    if (next_line(r) != LINE || strcmp(r->line, golden_first_line) != 0)
        return bad(r, "not a golden of this version: the first line is not 'fpx golden 2'");
    for (size_t i = 0; i < GOLDEN_HEADERS; i++) {
        if (next_line(r) != LINE || (value = after(r->line, golden_header_keys[i])) == NULL ||
            !golden_fits(value, 0))
            return bad(r, "expected the lines experiment, recipe, shadow, settings");
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

static int read_mark(const char **at, uint8_t mark[GOLDEN_MARK])
{
    for (int i = 0; i < GOLDEN_MARK; i++) {
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

/* The last line: a digest of all before it, headers and reason too. */
static fpx_status read_end(reader *r)
{
    const char *at = next_line(r) == LINE ? after(r->line, "end") : NULL;
    fpx_digest recorded;

    if (at == NULL || fpx_digest_parse(at, &recorded) != FPX_OK)
        return bad(r, "expected a line 'end DIGEST' after the last row");
    if (fflush(r->copy) != 0)
        return fpx_error_set(r->err, FPX_ENOMEM, "out of memory");
    if (!fpx_digest_equal(recorded, fpx_digest_bytes(r->text, r->size)))
        return bad(r,
                   "the lines above are not those that were recorded: one was changed or merged");
    return next_line(r) == END ? FPX_OK : bad(r, "text after the last line");
}

static fpx_status read_rows(reader *r, fpx_golden *g, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        const char *at = next_line(r) == LINE ? after(r->line, "row") : NULL;
        const int fits = at != NULL && is_as_recorded(r);
        const char *end = at ? strchr(at, ' ') : NULL;

        if (end == NULL || end == at || end - at >= FPX_GOLDEN_NAME)
            return bad(r, "expected a line 'row NAME GOLDEN_MARK ...'");
        memcpy(g->rows[i], at, (size_t)(end - at));
        if (!golden_fits(g->rows[i], 1))
            return bad(r, "white space in a row's name");
        at = end;
        for (size_t s = 0; s < g->steps; s++)
            if (*at++ != ' ' || !read_mark(&at, g->marks[s * rows + i]))
                return bad(r, "expected one mark of 6 hexadecimal digits for each step");
        if (*at != ' ' || strlen(at) != GOLDEN_CHECK + 1)
            return bad(r, "expected as many marks as steps, then the line's check");
        if (!fits)
            return edited(r);
        g->nrows++;
    }
    return read_end(r);
}

static fpx_status read_all(reader *r, fpx_golden *g)
{
    size_t rows = 0;
    fpx_status status = read_headers(r, g, &rows);

    for (size_t s = 0; s < g->steps && status == FPX_OK; s++) {
        size_t number = 0;
        const char *at = next_line(r) == LINE ? after(r->line, "step") : NULL;
        char digest[FPX_DIGEST_TEXT];

        if (at == NULL || (at = read_number(at, ' ', &number)) == NULL || number != s ||
            strlen(at) != FPX_DIGEST_TEXT + GOLDEN_CHECK || at[FPX_DIGEST_TEXT - 1] != ' ') {
            status = bad(r, "expected a line 'step N DIGEST CHECK', steps in order");
            break;
        }
        memcpy(digest, at, sizeof digest - 1);
        digest[sizeof digest - 1] = '\0';
        if (fpx_digest_parse(digest, &g->chain[s]) != FPX_OK)
            status = bad(r, "expected a line 'step N DIGEST CHECK', steps in order");
        else if (!is_as_recorded(r))
            status = edited(r);
    }
    return status == FPX_OK ? read_rows(r, g, rows) : status;
}

/* A regular file of a size that a golden can have: nothing else is a text under review, and a device may
 * have no end. */
static fpx_status open_file(const char *path, FILE **ret_file, fpx_error *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block */
    struct stat st;
    fpx_status status = FPX_OK;

    if (fd >= 0 && fstat(fd, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            status =
                fpx_error_set(err, FPX_EIO, "%s: cannot read: it is %s; a golden is a regular file",
                              path, S_ISDIR(st.st_mode) ? "a folder" : "a pipe or a device");
        else if (st.st_size > FPX_GOLDEN_BYTES)
            status = fpx_error_set(err, FPX_EFORMAT, "%s: larger than a golden can be (%d MiB)",
                                   path, FPX_GOLDEN_BYTES >> 20);
        else if ((*ret_file = fdopen(fd, "r")) != NULL)
            return FPX_OK;
    }
    if (status == FPX_OK)
        status = fpx_error_set(err, FPX_EIO, "%s: cannot read: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return status;
}

static fpx_status read_file(reader *r, fpx_golden *g)
{
    const fpx_status opened = open_file(r->path, &r->file, r->err);

    if (opened != FPX_OK)
        return opened;
    if (g == NULL || (r->copy = open_memstream(&r->text, &r->size)) == NULL)
        return fpx_error_set(r->err, FPX_ENOMEM, "out of memory");
    const fpx_status status = read_all(r, g);

    if (ferror(r->file)) /* a folder, a failing disk: nothing is known of the content */
        return fpx_error_set(r->err, FPX_EIO, "%s: cannot read", r->path);
    return status;
}

fpx_status fpx_golden_read(const char *path, fpx_golden **ret_golden, fpx_error *err)
{
    reader r = { .path = path, .err = err };
    fpx_golden *g = calloc(1, sizeof *g);
    const fpx_status status = read_file(&r, g);

    if (r.file != NULL)
        (void)fclose(r.file);
    if (r.copy != NULL)
        (void)fclose(r.copy);
    free(r.text);
    free(r.line);
    if (status != FPX_OK) {
        fpx_golden_free(g);
        return status;
    }
    *ret_golden = g;
    return FPX_OK;
}
