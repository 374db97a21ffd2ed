/* run_store.c - a line is there when its end is there: a cut one is known by the missing newline. */
#include "run_store.h"

#include <errno.h>
#include <fcntl.h>
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
    run_record *at;
    size_t n, room;
};

static double number_of(const json_t *value)
{
    if (json_is_string(value)) /* as cli_json_number writes them */
        return strtod(json_string_value(value), NULL);
    return json_number_value(value);
}

static fpx_status keep(run_store *s, const run_record *run, fpx_error *err)
{
    if (s->n == s->room) {
        const size_t room = s->room ? 2 * s->room : 64;
        run_record *more = realloc(s->at, room * sizeof *more);

        if (more == NULL)
            return fpx_error_set(err, FPX_ENOMEM, "%s: out of memory", s->path);
        s->at = more;
        s->room = room;
    }
    s->at[s->n++] = *run;
    return FPX_OK;
}

static fpx_status read_line(run_store *s, size_t line, const char *text, size_t count,
                            fpx_error *err)
{
    json_t *root = json_loadb(text, count, JSON_REJECT_DUPLICATES, NULL);
    const char *key = json_string_value(json_object_get(root, "key"));
    const char *finding = json_string_value(json_object_get(root, "finding"));
    const json_t *validation = json_object_get(root, "validation");
    const json_t *flushed = json_object_get(root, "flushed");
    run_record run = { .validation = number_of(validation), .flushed = number_of(flushed) };
    fpx_status status;

    if (count < sizeof mark - 1 || memcmp(text, mark, sizeof mark - 1) != 0 || key == NULL ||
        strlen(key) != RUN_KEY - 1 || finding == NULL || validation == NULL ||
        !json_is_number(flushed)) {
        status = fpx_error_set(err, FPX_EINVAL,
                               "%s:%zu: is no finished run of fpx: name another file with --runs",
                               s->path, line);
    } else {
        (void)snprintf(run.key, sizeof run.key, "%s", key);
        (void)snprintf(run.finding, sizeof run.finding, "%s", finding);
        status = keep(s, &run, err);
    }
    json_decref(root);
    return status;
}

static fpx_status read_all(run_store *s, fpx_error *err)
{
    char *text = NULL;
    size_t count = 0, at = 0, line = 1;
    fpx_status status = fpx_file_read(s->path, MAX_BYTES, &text, &count, err);

    while (status == FPX_OK && at < count) {
        const char *end = memchr(text + at, '\n', count - at);

        if (end == NULL)
            break;
        status = read_line(s, line++, text + at, (size_t)(end - text) - at, err);
        at = (size_t)(end - text) + 1;
    }
    if (status == FPX_OK && at < count) {
        const size_t rest = count - at, known = rest < sizeof mark - 1 ? rest : sizeof mark - 1;

        if (memcmp(text + at, mark, known) != 0)
            status = read_line(s, line, text + at, 0, err); /* its words */
        else if (ftruncate(s->fd, (off_t)at) != 0)
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

const run_record *run_store_find(const run_store *store, const char *key)
{
    for (size_t i = 0; i < store->n; i++)
        if (strcmp(store->at[i].key, key) == 0)
            return &store->at[i];
    return NULL;
}

fpx_status run_store_add(run_store *store, const run_record *run, const char *arm, uint64_t seed,
                         double rate, fpx_error *err)
{
    json_t *root = json_pack("{s:s, s:s, s:s, s:I, s:f, s:o, s:f, s:s}", "schema", "fpx.run/1",
                             "key", run->key, "arm", arm, "seed", (json_int_t)seed, "learning_rate",
                             rate, "validation", cli_json_number(run->validation), "flushed",
                             run->flushed, "finding", run->finding);
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
    return status == FPX_OK ? keep(store, run, err) : status;
}
