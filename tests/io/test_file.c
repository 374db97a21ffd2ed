/* test_file.c - whole files: what was written is read back, limits, and a failed write leaves the old file
 * and nothing else; SHA-256 against FIPS 180-4's examples. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fpx/file.h>

#include "scratch.h"

static fpx_error err;

static void expect_file(const char *path, const char *bytes, size_t count)
{
    char *got = NULL;
    size_t n = 0;

    ck_assert_int_eq(fpx_file_read(path, SIZE_MAX, &got, &n, &err), FPX_OK);
    ck_assert_uint_eq(n, count);
    ck_assert_int_eq(memcmp(got, bytes, count), 0);
    ck_assert_int_eq(got[n], 0);
    free(got);
}

START_TEST(written_bytes_are_read_back)
{
    static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 100000 };
    char path[PATH_ROOM], *bytes = malloc(100000);

    for (size_t i = 0; i < 100000; i++)
        bytes[i] = (char)(i * 7 % 251);
    scratch_path("file", path);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ck_assert_int_eq(fpx_file_write(path, bytes, sizes[i], &err), FPX_OK);
        expect_file(path, bytes, sizes[i]);
        ck_assert_int_eq(scratch_count(), 1);
    }
    free(bytes);
}
END_TEST

START_TEST(limit_is_exact)
{
    char path[PATH_ROOM], *got = (char *)path;
    size_t n = 77;

    scratch_path("file", path);
    scratch_write(path, "0123456789", 10);
    ck_assert_int_eq(fpx_file_read(path, 9, &got, &n, &err), FPX_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "larger than the 9 bytes"));
    ck_assert_ptr_eq(got, path); /* untouched on failure */
    ck_assert_uint_eq(n, 77);
    ck_assert_int_eq(fpx_file_read(path, 10, &got, &n, &err), FPX_OK);
    ck_assert_str_eq(got, "0123456789");
    free(got);
    ck_assert_int_eq(fpx_file_read(path, 0, &got, &n, NULL), FPX_EFORMAT);
}
END_TEST

/* /proc and /dev state no size: the bytes decide. */
START_TEST(files_without_a_size)
{
    char *got = NULL;
    size_t n = 0;

    if (access("/proc/self/stat", R_OK) != 0 || access("/dev/zero", R_OK) != 0)
        return;
    ck_assert_int_eq(fpx_file_read("/proc/self/stat", 100000, &got, &n, &err), FPX_OK);
    ck_assert_uint_gt(n, 0);
    free(got);
    ck_assert_int_eq(fpx_file_read("/dev/zero", 100000, &got, &n, &err), FPX_EFORMAT);
    ck_assert_int_eq(fpx_file_read("/dev/null", 0, &got, &n, &err), FPX_OK);
    ck_assert_uint_eq(n, 0);
    free(got);
}
END_TEST

START_TEST(what_cannot_be_read)
{
    char path[PATH_ROOM], *got = NULL;
    size_t n = 0;

    scratch_path("absent", path);
    ck_assert_int_eq(fpx_file_read(path, 10, &got, &n, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "absent: cannot open: No such file"));
    ck_assert_int_eq(fpx_file_read(scratch, 10, &got, &n, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "it is a folder"));
    ck_assert_ptr_null(got);
}
END_TEST

/* A full disk, as the limit on the size of a file; nothing changes and nothing is left. */
START_TEST(failed_write_leaves_the_old_file)
{
    static char large[100000];
    struct rlimit old, small;
    char path[PATH_ROOM];

    scratch_path("file", path);
    scratch_write(path, "old", 3);
    ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 5000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    const fpx_status status = fpx_file_write(path, large, sizeof large, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    ck_assert_int_eq(status, FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "File too large"));
    expect_file(path, "old", 3);
    ck_assert_int_eq(scratch_count(), 1);
}
END_TEST

START_TEST(what_cannot_be_written)
{
    char path[PATH_ROOM], link_path[PATH_ROOM];

    scratch_path("no/folder", path);
    ck_assert_int_eq(fpx_file_write(path, "x", 1, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
    scratch_path("folder", path);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    ck_assert_int_eq(fpx_file_write(path, "x", 1, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "it is a folder"));
    /* Root could replace a device by a file. */
    ck_assert_int_eq(fpx_file_write("/dev/null", "x", 1, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "no regular file"));
    scratch_path("dangling", link_path);
    ck_assert_int_eq(symlink("nowhere", link_path), 0);
    ck_assert_int_eq(fpx_file_write(link_path, "x", 1, &err), FPX_EIO);
    ck_assert_int_eq(scratch_count(), 2);
}
END_TEST

/* A link stays a link. Names that may lie beside the file are left as they are: a user's own, and what a killed run
 * left or someone planted as a link under the very name that this writer takes first. */
START_TEST(links_and_leftovers)
{
    char path[PATH_ROOM], link_path[PATH_ROOM], tmp[PATH_ROOM], victim[PATH_ROOM], own[64];
    struct stat st;

    scratch_path("real", path);
    scratch_path("link", link_path);
    (void)snprintf(own, sizeof own, ".real.%ld-0.tmp", (long)getpid());
    scratch_path(own, tmp);
    scratch_path("victim", victim);
    scratch_write(path, "old", 3);
    scratch_write(victim, "victim", 6);
    ck_assert_int_eq(symlink("real", link_path), 0);
    ck_assert_int_eq(symlink("victim", tmp), 0);
    ck_assert_int_eq(fpx_file_write(link_path, "new", 3, &err), FPX_OK);
    expect_file(path, "new", 3);
    expect_file(victim, "victim", 6);
    ck_assert_int_eq(lstat(tmp, &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    scratch_path("real.tmp", tmp);
    scratch_write(tmp, "mine", 4);
    ck_assert_int_eq(fpx_file_write(path, "newer", 5, &err), FPX_OK);
    expect_file(path, "newer", 5);
    expect_file(tmp, "mine", 4);
    ck_assert_int_eq(lstat(link_path, &st), 0);
    ck_assert(S_ISLNK(st.st_mode));
    ck_assert_int_eq(scratch_count(), 5);
}
END_TEST

START_TEST(path_without_a_folder)
{
    char here[PATH_ROOM];

    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_int_eq(chdir(scratch), 0);
    const fpx_status status = fpx_file_write("plain", "x", 1, &err);
    ck_assert_int_eq(chdir(here), 0);
    ck_assert_int_eq(status, FPX_OK);
    ck_assert_int_eq(scratch_count(), 1);
}
END_TEST

/* FIPS 180-4's examples as NIST publishes them. */
START_TEST(sha256_of_the_standard)
{
    static const struct {
        const char *text, *sum;
    } vectors[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
          "l"
          "mnopqrsmnopqrstnopqrstu",
          "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
    };
    char sum[65], *many = malloc(1000000);

    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        fpx_sha256_text(vectors[i].text, strlen(vectors[i].text), sum);
        ck_assert_str_eq(sum, vectors[i].sum);
    }
    memset(many, 'a', 1000000);
    fpx_sha256_text(many, 1000000, sum);
    ck_assert_str_eq(sum, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(many);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("file");
    TCase *tc = tcase_create("file");

    tcase_add_checked_fixture(tc, scratch_make, scratch_remove);
    tcase_add_test(tc, written_bytes_are_read_back);
    tcase_add_test(tc, limit_is_exact);
    tcase_add_test(tc, files_without_a_size);
    tcase_add_test(tc, what_cannot_be_read);
    tcase_add_test(tc, failed_write_leaves_the_old_file);
    tcase_add_test(tc, what_cannot_be_written);
    tcase_add_test(tc, links_and_leftovers);
    tcase_add_test(tc, path_without_a_folder);
    tcase_add_test(tc, sha256_of_the_standard);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
