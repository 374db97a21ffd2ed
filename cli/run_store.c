/* run_store.c - a line is there when its end is there: a cut one is known by the missing newline. */
#include "run_store.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <fpx/file.h>

#include "results.h"

/* The beginning of every line: what tells such a file from any other. */
static const char mark[] = "{\"schema\": \"fpx.run/1\", ";

enum { MAX_BYTES = 1 << 28 };

struct run_store {
    char *path;
    int fd;
    run_line *at;
    size_t n, room;
};

/* ---- a line ---- */
static int read_number(const json_t *value, double most, double *ret_number)
{
    const double number = json_number_value(value);

    if (!json_is_number(value) || !(number >= 0.0 && number <= most))
        return 0;
    *ret_number = number;
    return 1;
}

/* Bits; and what is not finite, as cli_json_number writes it. */
static int read_validation(const json_t *value, double *ret_number)
{
    static const char *const words[] = { "NaN", "Infinity", "-Infinity" };

    for (size_t i = 0; json_is_string(value) && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(json_string_value(value), words[i]) != 0)
            continue;
        *ret_number = strtod(words[i], NULL);
        return 1;
    }
    return read_number(value, DBL_MAX, ret_number);
}

static int read_text(const json_t *value, char *ret_text, size_t room)
{
    if (!json_is_string(value) || json_string_length(value) >= room)
        return 0;
    (void)snprintf(ret_text, room, "%s", json_string_value(value));
    return 1;
}

/* What is wrong with it; NULL: nothing. */
static const char *read_run(const json_t *root, run_line *line)
{
    const json_t *seed = json_object_get(root, "seed");
    run_record *run = &line->run;

    if (!read_text(json_object_get(root, "key"), run->key, sizeof run->key) ||
        strlen(run->key) != RUN_KEY - 1 ||
        !read_text(json_object_get(root, "finding"), run->finding, sizeof run->finding))
        return "is no finished run of fpx";
    if (!read_validation(json_object_get(root, "validation"), &run->validation))
        return "validation is neither a number of 0 or more nor \"NaN\", \"Infinity\", "
               "\"-Infinity\"";
    if (!read_number(json_object_get(root, "flushed"), 1.0, &run->flushed))
        return "flushed is no share, a number from 0 to 1";
    if (!read_text(json_object_get(root, "arm"), line->arm, sizeof line->arm))
        return "arm is no name of an arm";
    if (!json_is_integer(seed) || json_integer_value(seed) < 1)
        return "seed is no whole number from 1";
    line->seed = (uint64_t)json_integer_value(seed);
    if (!read_number(json_object_get(root, "learning_rate"), DBL_MAX, &line->rate))
        return "learning_rate is no number of 0 or more";
    return NULL;
}

static fpx_status keep(run_store *s, const run_line *line, fpx_error *err)
{
    if (s->n == s->room) {
        const size_t room = s->room ? 2 * s->room : 64;
        run_line *more = realloc(s->at, room * sizeof *more);

        if (more == NULL)
            return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", s->path);
        s->at = more;
        s->room = room;
    }
    s->at[s->n++] = *line;
    return FPX_OK;
}

static int is_blank(const char *text, size_t count)
{
    size_t n = 0;

    while (n < count && strchr(" \t\r", text[n]) != NULL && text[n] != '\0')
        n++;
    return n == count;
}

static fpx_status read_line(run_store *s, size_t number, const char *text, size_t count,
                            fpx_error *err)
{
    run_line line = { .number = number };
    json_t *root;
    const char *wrong = "is no finished run of fpx";

    if (is_blank(text, count))
        return FPX_OK;
    root = json_loadb(text, count, JSON_REJECT_DUPLICATES, NULL);
    if (root != NULL && count >= sizeof mark - 1 && memcmp(text, mark, sizeof mark - 1) == 0)
        wrong = read_run(root, &line);
    json_decref(root);
    if (wrong != NULL)
        return fpx_error_set(err, FPX_EINVAL,
                             "%s:%zu: %s: remove that line to keep the others, or name another "
                             "file with --runs",
                             s->path, number, wrong);
    return keep(s, &line, err);
}

/* ---- the file ---- */
static fpx_status read_all(run_store *s, fpx_error *err)
{
    char *text = NULL;
    size_t all = 0, count, at = 0, line = 1;
    fpx_status status = fpx_file_read(s->path, MAX_BYTES, &text, &all, err);

    for (count = all; count > 0 && text[count - 1] == '\0';)
        count--;
    while (status == FPX_OK && at < count) {
        const char *end = memchr(text + at, '\n', count - at);

        if (end == NULL)
            break;
        status = read_line(s, line++, text + at, (size_t)(end - text) - at, err);
        at = (size_t)(end - text) + 1;
    }
    if (status == FPX_OK && at < all) { /* cut off */
        const size_t rest = count - at, known = rest < sizeof mark - 1 ? rest : sizeof mark - 1;

        if (memcmp(text + at, mark, known) != 0)
            status = read_line(s, line, text + at, rest, err); /* its words, unless it is blank */
        if (status == FPX_OK && ftruncate(s->fd, (off_t)at) != 0)
            status = fpx_error_set(err, FPX_EIO, "%s: %s", s->path, strerror(errno));
    }
    free(text);
    return status;
}

fpx_status run_store_open(const char *path, run_store **ret_store, fpx_error *err)
{
    run_store *s = calloc(1, sizeof *s);
    fpx_status status = FPX_OK;

    if (s == NULL || (s->path = strdup(path)) == NULL) {
        free(s);
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", path);
    }
    s->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (s->fd < 0)
        status = fpx_error_set(err, FPX_EIO, "%s: cannot be written: %s", path, strerror(errno));
    else if (flock(s->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        status = fpx_error_set(err, FPX_EINVAL,
                               "%s: another process adds its runs there: wait for its end, or name "
                               "another file with --runs",
                               path);
    else
        status = read_all(s, err);
    if (status != FPX_OK) {
        run_store_close(s);
        return status;
    }
    *ret_store = s;
    return FPX_OK;
}

void run_store_close(run_store *store)
{
    if (store == NULL)
        return;
    if (store->fd >= 0)
        (void)close(store->fd); /* and with it the lock */
    free(store->path);
    free(store->at);
    free(store);
}

const run_line *run_store_find(const run_store *store, const char *key, const run_line *after)
{
    for (size_t i = after != NULL ? (size_t)(after - store->at) + 1 : 0; i < store->n; i++)
        if (strcmp(store->at[i].run.key, key) == 0)
            return &store->at[i];
    return NULL;
}

fpx_status run_store_add(run_store *store, const run_line *line, fpx_error *err)
{
    const run_record *run = &line->run;
    json_t *root = json_pack(
        "{s:s, s:s, s:s, s:I, s:f, s:o, s:f, s:s}", "schema", "fpx.run/1", "key", run->key, "arm",
        line->arm, "seed", (json_int_t)line->seed, "learning_rate", line->rate, "validation",
        cli_json_number(run->validation), "flushed", run->flushed, "finding", run->finding);
    char *text = root != NULL ? json_dumps(root, JSON_PRESERVE_ORDER) : NULL;
    const size_t length = text != NULL ? strlen(text) : 0;
    fpx_status status = FPX_OK;

    json_decref(root);
    if (text == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", store->path);
    text[length] = '\n'; /* in the place of the terminator: `length + 1` bytes are written */
    if (write(store->fd, text, length + 1) != (ssize_t)length + 1 || fdatasync(store->fd) != 0)
        status =
            fpx_error_set(err, FPX_EIO, "%s: cannot be written: %s", store->path, strerror(errno));
    free(text);
    return status == FPX_OK ? keep(store, line, err) : status;
}
