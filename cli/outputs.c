/* outputs.c - a command's files as places (device, inode, name), compared each with each. */
#include "outputs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "owed.h"

enum { PATH_ROOM = 4096, NAME_ROOM = 256, LOOK_AT = 4096 };

/* A file or folder that is there (name ""), or a name in a folder that is. */
typedef struct place {
    dev_t dev;
    ino_t ino;
    char name[NAME_ROOM];
    const cli_file *of;
    const char *holds; /* pattern of the names that are its own in this folder; NULL: none */
} place;

typedef struct places {
    place *at;
    size_t n, room;
} places;

static int is_output(const cli_file *f)
{
    return f->kind != CLI_READS && f->kind != CLI_READS_TRACE;
}

static int is_stdout(const cli_file *f)
{
    return f->kind >= CLI_JSON && (f->kind <= CLI_HTML || f->kind == CLI_ARRAYS) &&
           strcmp(f->path, "-") == 0;
}

/* The folder that holds `path` and the last part of its name; 0 where it is too long. */
static int split(const char *path, char folder[PATH_ROOM], char name[NAME_ROOM])
{
    size_t length = strlen(path), start;

    while (length > 1 && path[length - 1] == '/')
        length--;
    for (start = length; start > 0 && path[start - 1] != '/';)
        start--;
    if (start >= PATH_ROOM - 1 || length - start >= NAME_ROOM)
        return 0;
    (void)snprintf(folder, PATH_ROOM, "%.*s", start ? (int)start : 1, start ? path : ".");
    (void)snprintf(name, NAME_ROOM, "%.*s", (int)(length - start), path + start);
    return 1;
}

static fpx_status add(places *list, const cli_file *of, const struct stat *st, const char *name,
                      const char *holds, fpx_error *err)
{
    if (list->n == list->room) {
        const size_t room = list->room ? 2 * list->room : 64;
        place *more = realloc(list->at, room * sizeof *more);

        if (more == NULL)
            return fpx_error_set(err, FPX_ENOMEM, "out of memory");
        list->at = more;
        list->room = room;
    }
    place *p = &list->at[list->n++];
    *p = (place){ .dev = st->st_dev, .ino = st->st_ino, .of = of, .holds = holds };
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    return FPX_OK;
}

/* Pipes and devices are no places: two results into /dev/null harm nothing. */
static fpx_status add_path(places *list, const cli_file *of, const char *path, const char *holds,
                           fpx_error *err)
{
    char folder[PATH_ROOM], name[NAME_ROOM];
    struct stat st;

    if (stat(path, &st) == 0)
        return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? add(list, of, &st, "", holds, err)
                                                          : FPX_OK;
    if (split(path, folder, name) && stat(folder, &st) == 0)
        return add(list, of, &st, name, holds, err);
    return FPX_OK; /* its reader or cli_can_write has the words for it */
}

/* A trace is its master, its folder, and each segment: a hard link leads to one from elsewhere. */
static fpx_status add_trace(places *list, const cli_file *of, const char *path, fpx_error *err)
{
    char folder[PATH_ROOM + 8], segment[PATH_ROOM + 8 + NAME_ROOM];
    fpx_status status = add_path(list, of, path, NULL, err);
    DIR *d;

    if (status != FPX_OK || strlen(path) >= PATH_ROOM)
        return status;
    (void)snprintf(folder, sizeof folder, "%s.seg", path);
    status = add_path(list, of, folder, "*", err);
    if ((d = opendir(folder)) == NULL)
        return status;
    for (const struct dirent *e = readdir(d); e != NULL && status == FPX_OK; e = readdir(d)) {
        (void)snprintf(segment, sizeof segment, "%s/%s", folder, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            status = add_path(list, of, segment, NULL, err);
    }
    (void)closedir(d);
    return status;
}

static fpx_status add_file(places *list, const cli_file *f, const char *path, fpx_error *err)
{
    const char *holds = f->kind == CLI_FOLDER ? "step-*.safetensors" : NULL;

    if (f->kind == CLI_TRACE || f->kind == CLI_READS_TRACE)
        return add_trace(list, f, path, err);
    return add_path(list, f, path, holds, err);
}

/* The name is the file's own where it is a link: what lies beside it, lies beside that. */
static fpx_status add_places(places *list, const cli_file *f, fpx_error *err)
{
    char *real = realpath(f->path, NULL);
    const fpx_status status = add_file(list, f, real ? real : f->path, err);

    free(real);
    return status;
}

static fpx_status same(const cli_file *a, const cli_file *b, fpx_error *err)
{
    if (is_output(b))
        return fpx_error_set(
            err, FPX_EINVAL,
            "%s %s and %s %s would write the same file; give each a name of its own", a->what,
            a->path, b->what, b->path);
    return fpx_error_set(err, FPX_EINVAL,
                         "%s: %s would overwrite %s (%s); nothing is done, name another file",
                         a->path, a->what, b->what, b->path);
}

static int same_place(const place *a, const place *b)
{
    return a->dev == b->dev && a->ino == b->ino && strcmp(a->name, b->name) == 0;
}

/* Would the output get a name in the folder that belongs to the other? */
static int lies_in(const cli_file *output, const place *folder)
{
    char parent[PATH_ROOM], name[NAME_ROOM];
    struct stat st;

    return folder->holds != NULL && folder->name[0] == '\0' && split(output->path, parent, name) &&
           fnmatch(folder->holds, name, 0) == 0 && stat(parent, &st) == 0 &&
           st.st_dev == folder->dev && st.st_ino == folder->ino;
}

static fpx_status compare(const places *list, fpx_error *err)
{
    for (size_t i = 0; i < list->n; i++)
        for (size_t k = 0; k < list->n && is_output(list->at[i].of); k++) {
            const place *a = &list->at[i], *b = &list->at[k];

            if (a->of == b->of)
                continue;
            if (same_place(a, b))
                return same(a->of, b->of, err);
            if (lies_in(a->of, b))
                return fpx_error_set(err, FPX_EINVAL,
                                     "%s: %s would lie among the files of %s; name another file",
                                     a->of->path, a->of->what, b->of->path);
        }
    return FPX_OK;
}

/* ---- a file that is in the way ---- */
static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* {"schema": "fpx. , with blanks wherever JSON has them; but not the finished runs of an ablation: run_store.h. */
static int is_json(const char *text)
{
    static const char *const words[] = { "{", "\"schema\"", ":", "\"fpx." };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        text = skip_blanks(text);
        if (strncmp(text, words[i], strlen(words[i])) != 0)
            return 0;
        text += strlen(words[i]);
    }
    return strncmp(text, "run/", strlen("run/")) != 0;
}

static int is_junit(const char *text)
{
    return strstr(text, "<testsuite name=\"fpx\"") != NULL;
}

static int is_html(const char *text)
{
    return strstr(text, "<meta name=\"generator\" content=\"fpx\"") != NULL;
}

static int is_golden(const char *text)
{
    return strncmp(text, "fpx golden ", strlen("fpx golden ")) == 0;
}

static int is_tokenizer(const char *text)
{
    return strncmp(text, "fpx-tokenizer ", strlen("fpx-tokenizer ")) == 0;
}

static const struct {
    int (*is_one)(const char *text); /* of the first LOOK_AT bytes; NULL: not asked */
    const char *name;
} marks[] = { [CLI_JSON] = { is_json, "a JSON result of fpx" },
              [CLI_JUNIT] = { is_junit, "a JUnit result of fpx" },
              [CLI_HTML] = { is_html, "a page of fpx" },
              [CLI_GOLDEN] = { is_golden, "a golden of fpx" },
              [CLI_FOLDER] = { NULL, NULL },
              [CLI_TOKENIZER] = { is_tokenizer, "a tokenizer of fpx" },
              [CLI_RUNS] = { NULL, NULL } };

static fpx_status may_replace(const cli_file *f, fpx_error *err)
{
    char text[LOOK_AT + 1];
    struct stat st;
    ssize_t n = -1;
    int fd;

    if (marks[f->kind].is_one == NULL || stat(f->path, &st) != 0)
        return FPX_OK;
    if (!S_ISREG(st.st_mode))
        return f->kind != CLI_GOLDEN
                   ? FPX_OK
                   : fpx_error_set(err, FPX_EINVAL, "%s: no regular file; name another", f->path);
    if (st.st_size == 0)
        return FPX_OK;
    if ((fd = open(f->path, O_RDONLY | O_CLOEXEC)) >= 0) {
        n = read(fd, text, LOOK_AT);
        (void)close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    return marks[f->kind].is_one(text)
               ? FPX_OK
               : fpx_error_set(err, FPX_EINVAL,
                               "%s: %s would replace it, and it is not %s: remove it or name "
                               "another file",
                               f->path, f->what, marks[f->kind].name);
}

/* ---- can it be written at all ---- */
/* Asks the disk, not the permissions: a full or read-only one says no only to the deed. */
static int try_folder(const char *folder)
{
    char probe[PATH_ROOM + 32];
    int fd, error = 0;

    (void)snprintf(probe, sizeof probe, "%s/.fpx-XXXXXX", folder);
    if ((fd = mkstemp(probe)) < 0)
        return errno;
    if (write(fd, "", 1) != 1)
        error = errno;
    if (close(fd) != 0 && error == 0)
        error = errno;
    (void)unlink(probe);
    return error;
}

fpx_status cli_can_write(const char *path, int folder, fpx_error *err)
{
    char parent[PATH_ROOM], name[NAME_ROOM];
    char *real = NULL;
    struct stat st, link;
    int error = 0;

    if (path == NULL || strcmp(path, "-") == 0)
        return FPX_OK;
    if (path[0] == '\0')
        return fpx_error_set(err, FPX_EIO, "a name is missing: '' is no %s",
                             folder ? "folder" : "file");
    if (stat(path, &st) != 0) {
        if (errno == ENOENT && lstat(path, &link) == 0 && S_ISLNK(link.st_mode))
            return fpx_error_set(err, FPX_EIO, "%s: cannot be written: a link to nothing", path);
        if (!split(path, parent, name))
            error = ENAMETOOLONG;
        else if ((error = errno) == ENOENT)
            error = try_folder(parent);
    } else if (!S_ISDIR(st.st_mode) != !folder) {
        return fpx_error_set(err, FPX_EIO, "%s: cannot be written: %s", path,
                             folder ? "not a folder" : "it is a folder");
    } else if (access(path, folder ? W_OK | X_OK : W_OK) != 0) {
        error = errno;
    } else if (folder) {
        error = try_folder(path);
    } else if (S_ISREG(st.st_mode) && (real = realpath(path, NULL)) != NULL &&
               split(real, parent, name)) {
        error = try_folder(parent); /* a new file takes its place */
    }
    free(real);
    return error ? fpx_error_set(err, FPX_EIO, "%.*s: cannot be written: %s", NAME_ROOM, path,
                                 strerror(error))
                 : FPX_OK;
}

/* Two results in one stream are none. */
static fpx_status check_stdout(const cli_file *files, size_t n, fpx_error *err)
{
    const cli_file *first = NULL;

    for (size_t i = 0; i < n; i++) {
        if (files[i].path == NULL || !is_stdout(&files[i]))
            continue;
        if (first != NULL)
            return fpx_error_set(err, FPX_EINVAL, "%s and %s cannot both be standard output",
                                 first->what, files[i].what);
        first = &files[i];
    }
    return FPX_OK;
}

fpx_status cli_check_files(const cli_file *files, size_t n, fpx_error *err)
{
    places list = { 0 };
    fpx_status status = check_stdout(files, n, err);

    for (size_t i = 0; i < n && status == FPX_OK; i++)
        if (files[i].path != NULL && !is_stdout(&files[i]))
            status = add_places(&list, &files[i], err);
    if (status == FPX_OK)
        status = compare(&list, err);
    for (size_t i = 0; i < n && status == FPX_OK; i++) {
        if (files[i].path == NULL || !is_output(&files[i]) || is_stdout(&files[i]))
            continue;
        if ((status = may_replace(&files[i], err)) == FPX_OK)
            status = cli_can_write(files[i].path, files[i].kind == CLI_FOLDER, err);
    }
    free(list.at);
    if (status == FPX_EINVAL)
        cli_owe_nothing();
    return status;
}
