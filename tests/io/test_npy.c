/* test_npy.c - what numpy writes is read, in any pieces; each lie a header can tell is refused with its reason;
 * what is written is read back, and a failure leaves what was there. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include <fpx/npy.h>

#include "scratch.h"

static fpx_error err;
static char path[PATH_ROOM];

static void setup(void)
{
    scratch_make();
    scratch_path("t.npy", path);
}

/* A file with this header text, padded or not, and `bytes` bytes of elements 0, 1, 2, ... */
static void write_file(int version, const char *header, size_t bytes)
{
    const size_t n = strlen(header);
    const size_t width = version == 1 ? 2 : 4;
    char file[8192] = "\x93NUMPY";

    ck_assert_uint_le(12 + n + bytes, sizeof file);
    file[6] = (char)version;
    for (size_t i = 0; i < width; i++)
        file[8 + i] = (char)(unsigned char)(n >> (8 * i));
    memcpy(file + 8 + width, header, n);
    for (size_t i = 0; i < bytes; i++)
        file[8 + width + n + i] = (char)(unsigned char)i;
    scratch_write(path, file, 8 + width + n + bytes);
}

#define H(DESCR, ORDER, SHAPE)                                                                     \
    "{'descr': " DESCR ", 'fortran_order': " ORDER ", 'shape': " SHAPE ", }"
#define F4(SHAPE) H("'<f4'", "False", SHAPE)

static const struct {
    const char *header;
    size_t bytes;
    fpx_status status;
    const char *want; /* in the text, where it is refused; else kind, size, axes */
} headers[] = {
    { F4("(2, 3)") "          \n", 24, FPX_OK, "f42" },
    { F4("(3,)"), 12, FPX_OK, "f41" },
    { F4("()"), 4, FPX_OK, "f40" },
    { F4("(0, 3)"), 0, FPX_OK, "f42" },
    { F4("(3L,)"), 12, FPX_OK, "f41" }, /* Python 2 */
    { "{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"<f2\"}\n", 4, FPX_OK, "f21" },
    { H("'>f8'", "False", "(1,)"), 8, FPX_OK, "f81" },
    { H("'=u2'", "False", "(1,)"), 2, FPX_OK, "u21" },
    { H("'|u1'", "False", "(1,)"), 1, FPX_OK, "u11" },
    { H("'<u4'", "False", "(1,)"), 4, FPX_OK, "u41" },
    { H("'<i4'", "False", "(1,)"), 4, FPX_OK, "i41" },
    { H("'<V2'", "False", "(1,)"), 2, FPX_OK, "V21" },
    { H("'|V1'", "False", "(1,)"), 1, FPX_OK, "V11" },
    { H("'<f1'", "False", "(1,)"), 1, FPX_OK, "V11" }, /* ml_dtypes' float8_e5m2 once */
    { H("'<f4'", "True", "(1, 3, 1)"), 12, FPX_OK, "f43" },
    { H("'<f4'", "True", "(0, 3, 2)"), 0, FPX_OK, "f43" },
    { H("'<f4'", "True", "(2, 3)"), 24, FPX_EUNSUPPORTED, "ascontiguousarray" },
    { H("'|O'", "False", "(2,)"), 16, FPX_EUNSUPPORTED, "Python objects" },
    { H("'<c8'", "False", "(2,)"), 16, FPX_EUNSUPPORTED, "dtype <c8 is not read" },
    { H("'<f16'", "False", "(2,)"), 32, FPX_EUNSUPPORTED, "dtype <f16" },
    { H("'<i8'", "False", "(2,)"), 16, FPX_EUNSUPPORTED, "astype" },
    { H("'|b1'", "False", "(2,)"), 2, FPX_EUNSUPPORTED, "|b1" },
    { H("'<U5'", "False", "(2,)"), 40, FPX_EUNSUPPORTED, "<U5" },
    { H("'<f260'", "False", "(2,)"), 8, FPX_EUNSUPPORTED, "<f260" },
    { H("'<f'", "False", "(2,)"), 8, FPX_EUNSUPPORTED, "unknown" },
    { H("''", "False", "(2,)"), 8, FPX_EUNSUPPORTED, "unknown" },
    { H("[('a', '<f4')]", "False", "(2,)"), 8, FPX_EUNSUPPORTED, "structure" },
    { H("7", "False", "(2,)"), 8, FPX_EFORMAT, "no dtype" },
    { H("'<f4'", "Maybe", "(2,)"), 8, FPX_EFORMAT, "neither True nor False" },
    { F4("2"), 8, FPX_EFORMAT, "no tuple" },
    { F4("(-2,)"), 8, FPX_EFORMAT, "no number" },
    { F4("(2.0,)"), 8, FPX_EFORMAT, "not closed" },
    { F4("(2 3)"), 24, FPX_EFORMAT, "not closed" },
    { F4("(None,)"), 8, FPX_EFORMAT, "no number" },
    { F4("(99999999999999999999,)"), 8, FPX_EFORMAT, "beyond any memory" },
    { F4("(4294967296, 4294967296)"), 8, FPX_EFORMAT, "beyond any memory" },
    { F4("(0, 4294967296, 4294967296)"), 0, FPX_EFORMAT, "beyond any memory" },
    { F4("(2305843009213693952,)"), 8, FPX_EFORMAT, "beyond any memory" },
    { F4("(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"), 4, FPX_OK, "f432" },
    { F4("(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"), 4,
      FPX_EUNSUPPORTED, "more than 32 axes" },
    { F4("(2,)"), 7, FPX_EFORMAT, "is cut: 7 of the 8 bytes" },
    { F4("(2,)"), 0, FPX_EFORMAT, "is cut: 0 of the 8 bytes" },
    { F4("(2,)"), 9, FPX_EFORMAT, "1 bytes after the last element" },
    { "", 0, FPX_EFORMAT, "no '{'" },
    { "{", 0, FPX_EFORMAT, "no key" },
    { "{}", 0, FPX_EFORMAT, "missing" },
    { "{'descr': '<f4', 'shape': (1,)}", 4, FPX_EFORMAT, "missing" },
    { "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4, FPX_EFORMAT,
      "repeated" },
    { "{'more': 1, 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4, FPX_EFORMAT,
      "unknown" },
    { "{'descr' '<f4', 'fortran_order': False, 'shape': (1,)}", 4, FPX_EFORMAT, "without a value" },
    { "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}", 4, FPX_EFORMAT, "expected" },
    { F4("(1,)") " x", 4, FPX_EFORMAT, "something after" },
    { "{'descr': '<f4", 0, FPX_EFORMAT, "no dtype" },
    { "{'descr': '<f4', 'fortran_order': False, 'shape': (1", 0, FPX_EFORMAT, "not closed" },
};

START_TEST(header_is_judged)
{
    for (int version = 1; version <= 3; version++) {
        fpx_npy_reader *reader = NULL;
        char kind[8] = "";

        write_file(version, headers[_i].header, headers[_i].bytes);
        memset(&err, 0, sizeof err);
        const fpx_status status = fpx_npy_open(path, &reader, &err);
        if (status == FPX_OK) {
            const fpx_npy_array *a = fpx_npy_array_of(reader);
            (void)snprintf(kind, sizeof kind, "%c%u%u", a->kind, a->size, a->ndim);
        }
        if (status != headers[_i].status || (reader != NULL) != (status == FPX_OK) ||
            (status == FPX_OK && strcmp(kind, headers[_i].want) != 0) ||
            (status != FPX_OK &&
             (strstr(err.text, headers[_i].want) == NULL || strstr(err.text, path) == NULL)))
            ck_abort_msg("%s: status %d, '%s' '%s'", headers[_i].header, (int)status, kind,
                         err.text);
        fpx_npy_close(reader);
    }
}
END_TEST

START_TEST(starts_that_lie)
{
    static const struct {
        const char *bytes;
        size_t count;
        fpx_status status;
        const char *want;
    } files[] = {
        { "", 0, FPX_EFORMAT, "no .npy file" },
        { "\x93NUMPY\1", 7, FPX_EFORMAT, "no .npy file" },
        { "PK\3\4 and more", 12, FPX_EFORMAT, "unzip" },
        { "\x93NUMPY\4\0\2\0{}", 12, FPX_EUNSUPPORTED, "version 4.0" },
        { "\x93NUMPY\1\1\2\0{}", 12, FPX_EUNSUPPORTED, "version 1.1" },
        { "\x93NUMPY\1\0", 8, FPX_EFORMAT, "cut inside its header" },
        { "\x93NUMPY\1\0\3", 9, FPX_EFORMAT, "cut inside its header" },
        { "\x93NUMPY\1\0\3\0{}", 12, FPX_EFORMAT, "cut inside its header" },
        { "\x93NUMPY\2\0\0\0\1\0{}", 14, FPX_EFORMAT, "a header of 65536 bytes" },
        { "\x93NUMPY\2\0\xff\xff\xff\xff{}", 14, FPX_EFORMAT, "a header of 4294967295 bytes" },
        { "\x93NUMPY\1\0\3\0{}\0", 13, FPX_EFORMAT, "something after" },
    };
    fpx_npy_reader *reader = NULL;

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        scratch_write(path, files[i].bytes, files[i].count);
        const fpx_status status = fpx_npy_open(path, &reader, &err);
        if (status != files[i].status || strstr(err.text, files[i].want) == NULL)
            ck_abort_msg("file %zu: status %d '%s'", i, (int)status, err.text);
    }
    ck_assert_int_eq(fpx_npy_open(scratch, &reader, &err), FPX_EIO);
    scratch_path("absent", path);
    ck_assert_int_eq(fpx_npy_open(path, &reader, NULL), FPX_EIO);
    ck_assert_ptr_null(reader);
}
END_TEST

/* Elements 0, 1, 2 ... of each dtype, in pieces of any length, in both byte orders, twice. */
START_TEST(elements_in_pieces)
{
    static const char *const descr[] = { "'<u2'", "'>u2'", "'<f4'", "'>f4'", "'<f8'", "'>f8'" };
    uint64_t state = 3;

    for (size_t i = 0; i < 6; i++) {
        const size_t size = (size_t)(descr[i][3] - '0');
        const size_t count = 4096 / size;
        unsigned char got[4096];
        fpx_npy_reader *reader = NULL;
        char header[128];

        (void)snprintf(header, sizeof header,
                       "{'descr': %s, 'fortran_order': False, 'shape': (%zu,), }", descr[i], count);
        write_file(1, header, 4096);
        ck_assert_msg(fpx_npy_open(path, &reader, &err) == FPX_OK, "%s", err.text);
        ck_assert_uint_eq(fpx_npy_count(fpx_npy_array_of(reader)), count);
        for (int pass = 0; pass < 2; pass++) {
            size_t done = 0;
            memset(got, 0xee, sizeof got);
            while (done < count) {
                size_t n = random_next(&state) % 100;
                n = n < count - done ? n : count - done;
                ck_assert_int_eq(fpx_npy_read(reader, got + done * size, n, &err), FPX_OK);
                done += n;
            }
            for (size_t k = 0; k < sizeof got; k++) {
                const size_t at = descr[i][1] == '>' ? k / size * size + (size - 1 - k % size) : k;
                if (got[k] != (unsigned char)at)
                    ck_abort_msg("%s: byte %zu is %u", descr[i], k, got[k]);
            }
            ck_assert_int_eq(fpx_npy_read(reader, got, 1, &err), FPX_EINVAL);
            ck_assert_int_eq(fpx_npy_rewind(reader, &err), FPX_OK);
        }
        fpx_npy_close(reader);
    }
    fpx_npy_close(NULL);
}
END_TEST

/* A pipe states no length: too little and too much are found at the end, and there is no way back. */
START_TEST(pipe_is_judged_at_its_end)
{
    static const struct {
        size_t bytes;
        const char *want;
    } pipes[] = { { 8, NULL }, { 7, "is cut: 7 of the 8 bytes" }, { 9, "goes on after" } };

    for (size_t i = 0; i < 3; i++) {
        fpx_npy_reader *reader = NULL;
        char bytes[8];
        int ends[2];

        write_file(1, F4("(2,)"), pipes[i].bytes);
        ck_assert_int_eq(pipe(ends), 0);
        const int file = open(path, O_RDONLY);
        char copy[256];
        const ssize_t n = read(file, copy, sizeof copy);
        ck_assert_int_eq(write(ends[1], copy, (size_t)n), n);
        ck_assert_int_eq(close(file), 0);
        ck_assert_int_eq(close(ends[1]), 0);
        ck_assert_int_ge(dup2(ends[0], STDIN_FILENO), 0);
        ck_assert_int_eq(close(ends[0]), 0);
        ck_assert_msg(fpx_npy_open("-", &reader, &err) == FPX_OK, "%s", err.text);
        ck_assert_int_eq(fpx_npy_rewind(reader, &err), FPX_EUNSUPPORTED);
        const fpx_status status = fpx_npy_read(reader, bytes, 2, &err);
        ck_assert_int_eq(status, pipes[i].want == NULL ? FPX_OK : FPX_EFORMAT);
        if (pipes[i].want != NULL &&
            (strstr(err.text, pipes[i].want) == NULL || strstr(err.text, "standard input") == NULL))
            ck_abort_msg("%s", err.text);
        fpx_npy_close(reader);
    }
}
END_TEST

static fpx_npy_array array_of(char kind, uint8_t size, uint8_t ndim, uint64_t extent)
{
    fpx_npy_array a = { .kind = kind, .size = size, .ndim = ndim };

    for (size_t i = 0; i < ndim && i < FPX_NPY_MAX_DIMS; i++)
        a.shape[i] = i == 0 ? extent : 1;
    return a;
}

START_TEST(written_arrays_are_read_back)
{
    static const char kinds[][2] = { { 'f', 2 }, { 'f', 4 }, { 'f', 8 }, { 'u', 1 }, { 'u', 2 },
                                     { 'u', 4 }, { 'i', 4 }, { 'V', 1 }, { 'V', 2 } };
    const uint8_t dims[] = { 0, 1, 2, 5, FPX_NPY_MAX_DIMS };
    unsigned char data[80], got[80];
    uint64_t state = 9;

    for (size_t k = 0; k < sizeof data; k++)
        data[k] = (unsigned char)random_next(&state);
    for (size_t i = 0; i < 9 * 5; i++) {
        const fpx_npy_array a =
            array_of(kinds[i / 5][0], (uint8_t)kinds[i / 5][1], dims[i % 5], 10);
        const size_t count = (size_t)fpx_npy_count(&a);
        fpx_npy_writer *writer = NULL;
        fpx_npy_reader *reader = NULL;

        ck_assert_msg(fpx_npy_create(path, &a, &writer, &err) == FPX_OK, "%s", err.text);
        ck_assert_int_eq(fpx_npy_write(writer, data, count / 2, &err), FPX_OK);
        ck_assert_int_eq(fpx_npy_write(writer, data + count / 2 * a.size, count - count / 2, &err),
                         FPX_OK);
        ck_assert_int_eq(fpx_npy_write(writer, data, 1, &err), FPX_EINVAL);
        ck_assert_int_eq(fpx_npy_finish(writer, FPX_OK, &err), FPX_OK);
        ck_assert_msg(fpx_npy_open(path, &reader, &err) == FPX_OK, "%s", err.text);
        ck_assert_mem_eq(fpx_npy_array_of(reader), &a, sizeof a);
        ck_assert_int_eq(fpx_npy_read(reader, got, count, &err), FPX_OK);
        ck_assert_mem_eq(got, data, count * a.size);
        fpx_npy_close(reader);
    }
    ck_assert_int_eq(scratch_count(), 1);
}
END_TEST

START_TEST(failed_writes_leave_what_was_there)
{
    static const char large[4000];
    fpx_npy_array a = array_of('u', 1, 1, sizeof large);
    fpx_npy_writer *writer = NULL;
    struct rlimit old, small;
    char was[8] = "";

    const fpx_npy_array bad[] = { array_of('f', 3, 1, 1), array_of('x', 4, 1, 1),
                                  array_of('u', 8, 1, 1), array_of('f', 4, 33, 1),
                                  array_of('f', 4, 1, UINT64_MAX / 4) };

    scratch_write(path, "old", 3);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_int_eq(fpx_npy_create(path, &bad[i], &writer, &err), FPX_EINVAL);
    ck_assert_int_eq(fpx_npy_create(path, &a, &writer, &err), FPX_OK);
    ck_assert_int_eq(fpx_npy_finish(writer, FPX_OK, &err), FPX_EINVAL); /* elements are missing */
    ck_assert_ptr_nonnull(strstr(err.text, "missing"));
    ck_assert_int_eq(fpx_npy_create(path, &a, &writer, &err), FPX_OK);
    ck_assert_int_eq(fpx_npy_finish(writer, FPX_EFORMAT, &err), FPX_EFORMAT);
    ck_assert_int_eq(fpx_npy_finish(NULL, FPX_EIO, &err), FPX_EIO);
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    for (rlim_t limit = 0; limit < sizeof large; limit += 500) {
        small = old;
        small.rlim_cur = limit;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
        fpx_status status = fpx_npy_create(path, &a, &writer, &err);
        if (status == FPX_OK)
            status = fpx_npy_finish(writer, fpx_npy_write(writer, large, sizeof large, &err), &err);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
        ck_assert_int_eq(status, FPX_EIO);
        ck_assert_ptr_nonnull(strstr(err.text, "File too large"));
    }
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(fgets(was, sizeof was, f));
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_str_eq(was, "old");
    ck_assert_int_eq(scratch_count(), 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("npy");
    TCase *t = tcase_create("npy");

    tcase_add_checked_fixture(t, setup, scratch_remove);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, header_is_judged, 0, (int)(sizeof headers / sizeof headers[0]));
    tcase_add_test(t, starts_that_lie);
    tcase_add_test(t, elements_in_pieces);
    tcase_add_test(t, pipe_is_judged_at_its_end);
    tcase_add_test(t, written_arrays_are_read_back);
    tcase_add_test(t, failed_writes_leave_what_was_there);
    suite_add_tcase(s, t);
    return run_suite(s);
}
