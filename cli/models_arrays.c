/* models_arrays.c - a separating input as .npy files: what another program, or the hardware itself, is to be given. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fpx/npy.h>

#include "cli.h"
#include "codes_npy.h"
#include "models_vectors.h"

enum { PATH_ROOM = 4096, CODE_BYTES = 8 };

static const char *const names[] = { "A.npy", "B.npy", "C.npy", "A-scales.npy", "B-scales.npy" };
enum { AT_A, AT_B, AT_C, AT_A_SCALES, AT_B_SCALES, NAMES };

/* rows x columns of codes, one of the two being 1; format NULL: the input has none. */
typedef struct codes_array {
    const fpx_format *format;
    const uint64_t *codes;
    size_t rows, columns;
} codes_array;

static void arrays_of(const fpx_mma_witness *w, const fpx_format *out,
                      codes_array ret_arrays[NAMES])
{
    const fpx_mma_domain *const d = &w->domain;
    const size_t block = d->scale_block;
    const size_t scales = block == 0 ? 0 : w->k / block + (w->k % block != 0);
    const fpx_format *const scale = block == 0 ? NULL : &d->scale;

    ret_arrays[AT_A] = (codes_array){ &d->a, w->a, 1, w->k };
    ret_arrays[AT_B] = (codes_array){ &d->b, w->b, w->k, 1 };
    ret_arrays[AT_C] = (codes_array){ out, &w->c, 1, 1 };
    ret_arrays[AT_A_SCALES] = (codes_array){ scale, w->scale_a, 1, scales };
    ret_arrays[AT_B_SCALES] = (codes_array){ scale, w->scale_b, scales, 1 };
}

static fpx_status path_of(const char *folder, const char *name, char ret_path[PATH_ROOM],
                          fpx_error *err)
{
    if (snprintf(ret_path, PATH_ROOM, "%s/%s", folder, name) >= PATH_ROOM)
        return fpx_error_set(err, FPX_EINVAL, "-o: the folder's name is too long");
    return FPX_OK;
}

static int is_own(const char *name)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (strcmp(names[i], name) == 0)
            return 1;
    }
    return 0;
}

static fpx_status check_entry(const char *folder, const char *name, fpx_error *err)
{
    char path[PATH_ROOM];
    struct stat st;

    if (!is_own(name))
        return fpx_error_set(err, FPX_EINVAL,
                             "-o %s: holds %.80s, which is no array of an input: name a new or "
                             "empty folder",
                             folder, name);
    if (path_of(folder, name, path, err) != FPX_OK)
        return err->status;
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return fpx_error_set(err, FPX_EINVAL, "-o: %s is no file of its own: name another folder",
                             path);
    return FPX_OK;
}

fpx_status models_arrays_check(const char *folder, fpx_error *err)
{
    fpx_status status = cli_can_write(folder, 1, err);
    DIR *d;

    if (strcmp(folder, "-") == 0)
        return fpx_error_set(err, FPX_EINVAL,
                             "-o -: several files go into a folder, not to standard output");
    if (status != FPX_OK || ((d = opendir(folder)) == NULL && errno == ENOENT))
        return status;
    if (d == NULL)
        return fpx_error_set(err, FPX_EIO, "-o %s: cannot be read: %s", folder, strerror(errno));
    for (const struct dirent *e = readdir(d); e != NULL && status == FPX_OK; e = readdir(d)) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            status = check_entry(folder, e->d_name, err);
    }
    (void)closedir(d);
    return status;
}

static fpx_status write_array(const char *path, const codes_array *a, fpx_error *err)
{
    const size_t size = fpx_format_size(a->format), n = a->rows * a->columns;
    const fpx_npy_array shape = { .ndim = 2, .shape = { a->rows, a->columns } };
    fpx_npy_array array;
    fpx_npy_writer *writer = NULL;
    fpx_status status = cli_npy_shape(&shape, NULL, a->format, 0, path, &array, err);

    if (status == FPX_OK)
        status = fpx_npy_create(path, &array, &writer, err);
    if (status != FPX_OK)
        return status;
    for (size_t i = 0; i < n && status == FPX_OK; i++) {
        unsigned char bytes[CODE_BYTES];
        for (size_t byte = 0; byte < size; byte++)
            bytes[byte] = (unsigned char)(a->codes[i] >> 8 * byte);
        status = fpx_npy_write(writer, bytes, 1, err);
    }
    return fpx_npy_finish(writer, status, err);
}

static fpx_status remove_all(const char *folder, unsigned *ret_were, fpx_error *err)
{
    char path[PATH_ROOM];

    *ret_were = 0;
    for (size_t i = 0; i < NAMES; i++) {
        if (path_of(folder, names[i], path, err) != FPX_OK)
            return err->status;
        if (unlink(path) == 0)
            *ret_were |= 1u << i;
        else if (errno != ENOENT)
            return fpx_error_set(err, FPX_EIO, "-o: cannot remove %s: %s", path, strerror(errno));
    }
    return FPX_OK;
}

/* Those of another input go first: if writing fails, what is left is no mixture of two. */
fpx_status models_arrays_write(const char *folder, const fpx_mma_witness *w, const fpx_format *out,
                               models_arrays *ret_arrays, fpx_error *err)
{
    models_arrays done = { 0, 0 };
    codes_array arrays[NAMES];
    char path[PATH_ROOM];
    fpx_status status = remove_all(folder, &done.removed, err);

    if (w == NULL || status != FPX_OK) {
        *ret_arrays = done;
        return status;
    }
    arrays_of(w, out, arrays);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return fpx_error_set(err, FPX_EIO, "-o %s: cannot make the folder: %s", folder,
                             strerror(errno));
    for (size_t i = 0; i < NAMES && status == FPX_OK; i++) {
        if (arrays[i].format == NULL)
            continue;
        status = path_of(folder, names[i], path, err);
        if (status == FPX_OK)
            status = write_array(path, &arrays[i], err);
        done.written |= 1u << i;
    }
    done.removed &= ~done.written;
    *ret_arrays = done;
    return status;
}

static void print_names(const char *folder, const char *what, unsigned which)
{
    if (which == 0)
        return;
    (void)printf("  %s ", what);
    cli_put(stdout, folder);
    (void)putchar(':');
    for (size_t i = 0; i < NAMES; i++) {
        if ((which >> i & 1) != 0)
            (void)printf(" %s", names[i]);
    }
    (void)putchar('\n');
}

void models_arrays_print(const char *folder, const models_arrays *arrays)
{
    (void)putchar('\n');
    print_names(folder, "written into", arrays->written);
    print_names(folder, "of an earlier input, removed from", arrays->removed);
    if (arrays->written == 0 && arrays->removed == 0)
        (void)puts("  nothing is written: there is no input that separates them");
}

/* A word of a shell: as it is, or in quotes. */
static void print_word(const char *folder, const char *name)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+";
    const char *const parts[] = { folder, name[0] == '\0' ? "" : "/", name };
    const int is_plain = strspn(folder, plain) == strlen(folder);

    if (!is_plain)
        (void)putchar('\'');
    for (size_t i = 0; i < 3; i++) {
        for (const char *c = parts[i]; *c != '\0'; c++)
            (void)printf(*c == '\'' ? "'\\%c'" : "%c", *c);
    }
    if (!is_plain)
        (void)putchar('\'');
}

/* A file of codes does not say their format; one of floats does. */
static void print_format(const char *option, const fpx_format *format)
{
    const fpx_npy_array one = { .ndim = 0 };
    fpx_npy_array array;

    if (cli_npy_shape(&one, NULL, format, 0, "", &array, NULL) == FPX_OK && array.kind == 'u')
        (void)printf(" %s %s", option, format->name);
}

void models_arrays_commands(const char *folder, const fpx_mma_witness *w, const fpx_format *out,
                            const char *const units[2])
{
    const fpx_mma_domain *const d = &w->domain;

    for (int i = 0; i < 2; i++) {
        (void)fputs("  fpx gemm ", stdout);
        print_word(folder, "A.npy");
        (void)putchar(' ');
        print_word(folder, "B.npy");
        (void)fputs(" -c ", stdout);
        print_word(folder, "C.npy");
        print_format("--a-format", &d->a);
        print_format("--b-format", &d->b);
        print_format("--c-format", out);
        if (d->scale_block > 0) {
            (void)fputs(" --a-scales ", stdout);
            print_word(folder, "A-scales.npy");
            (void)fputs(" --b-scales ", stdout);
            print_word(folder, "B-scales.npy");
            print_format("--scale-format", &d->scale);
        }
        (void)fputs(" --model ", stdout);
        print_word(units[i], "");
        (void)printf(" -o D%d.npy\n", i + 1);
    }
}
