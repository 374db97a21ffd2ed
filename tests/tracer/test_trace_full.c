/* test_trace_full.c - a full disk and a file-size limit: FPX_EIO that says so, every committed step kept, and
 * going on once there is room. The full disk is a small tmpfs of its own; without the right to mount one,
 * that part is skipped (77). */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace_fixture.h"

static char *folder;
static char *path;

static void setup(void)
{
    folder = fixture_folder();
    path = fixture_path(folder, "run.h5");
}

static void teardown(void)
{
    free(path);
    fixture_remove(folder);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_file_size_limit)
{
    fpx_trace_writer *writer = NULL;
    fpx_error err;

    signal(SIGXFSZ, SIG_IGN);
    limit_files(1000); /* no room for the master */
    ck_assert_int_eq(fpx_trace_create(path, fixture_layout(), 4, &writer, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, strerror(EFBIG)));
    limit_files(16000); /* but not for a segment; the failed attempt left nothing in the way */
    ck_assert_int_eq(fpx_trace_create(path, fixture_layout(), 4, &writer, &err), FPX_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(fixture_step(writer, 0, &err), FPX_EIO);
        ck_assert_ptr_nonnull(strstr(err.text, strerror(EFBIG)));
    }
    ck_assert_uint_eq(fixture_check(path, 0), 0);
    limit_files(RLIM_INFINITY);
    ck_assert_int_eq(fixture_step(writer, 0, &err), FPX_OK);
    ck_assert_int_eq(fpx_trace_close(writer, &err), FPX_OK);
    ck_assert_uint_eq(fixture_check(path, 0), 1);
}
END_TEST

/* Takes all room but `spare` bytes with a file named ballast; 0 where there is less. */
static void fill(const char *name, size_t spare)
{
    static const char block[1024];
    const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    off_t size = 0;

    ck_assert_int_ge(fd, 0);
    for (ssize_t n; (n = write(fd, block, sizeof block)) > 0;)
        size += n;
    ck_assert_int_eq(errno, ENOSPC);
    ck_assert_int_eq(ftruncate(fd, size > (off_t)spare ? size - (off_t)spare : 0), 0);
    close(fd);
}

START_TEST(a_full_disk)
{
    char *disk = fixture_path(folder, "disk");
    char *full_path = fixture_path(disk, "run.h5");
    char *ballast = fixture_path(disk, "ballast");
    fpx_trace_writer *writer = NULL;
    fpx_error err;
    uint64_t step = 0;
    size_t failures = 0;

    ck_assert_int_eq(mkdir(disk, 0700), 0);
    /* In a mount namespace of this process alone: it goes with it. */
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mount("tmpfs", disk, "tmpfs", 0, "size=4m"), 0);

    fill(ballast, 0);
    ck_assert_int_eq(fpx_trace_create(full_path, fixture_layout(), 0, &writer, &err), FPX_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, strerror(ENOSPC)));
    ck_assert_int_eq(remove(ballast), 0);
    ck_assert_int_eq(fpx_trace_create(full_path, fixture_layout(), 0, &writer, &err), FPX_OK);
    /* Room comes and goes, so that creating, values, rows and the counter all meet the end of it. */
    for (size_t spare = 0; spare < 400000; spare += 12000) {
        fpx_status status = FPX_OK;

        fill(ballast, spare);
        while (status == FPX_OK) {
            status = fixture_step(writer, step, &err);
            step += status == FPX_OK;
        }
        ck_assert_int_eq(status, FPX_EIO);
        if (strstr(err.text, strerror(ENOSPC)) == NULL)
            ck_abort_msg("%s", err.text);
        failures++;
        ck_assert_uint_eq(fixture_check(full_path, 0), step);
        if (failures % 5 == 0) { /* a writer may also give up, and another one go on */
            ck_assert_int_eq(fpx_trace_close(writer, &err), FPX_OK);
            ck_assert_int_eq(fpx_trace_append(full_path, fixture_layout(), step, 0, &writer, &err),
                             FPX_OK);
        }
        ck_assert_int_eq(remove(ballast), 0);
        if (step > 60)
            break;
    }
    printf("%zu failures for want of room, %llu steps kept\n", failures, (unsigned long long)step);
    ck_assert_int_eq(fixture_step(writer, step, &err), FPX_OK);
    ck_assert_int_eq(fpx_trace_close(writer, &err), FPX_OK);
    ck_assert_uint_eq(fixture_check(full_path, 0), step + 1);
    ck_assert_int_eq(umount(disk), 0); /* also: no descriptor was left open */
    free(ballast);
    free(full_path);
    free(disk);
}
END_TEST

/* 1 where this process may mount: tried in a child, which takes its namespace along. */
static int can_mount(void)
{
    int status = 0;
    const pid_t child = fork();

    if (child == 0)
        _exit(unshare(CLONE_NEWNS) == 0 &&
                      mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                      mount("tmpfs", "/tmp", "tmpfs", 0, "size=1m") == 0
                  ? 0
                  : 1);
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

int main(void)
{
    Suite *s = suite_create("trace_full");
    TCase *tc = tcase_create("full");
    const int mounts = can_mount();

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_file_size_limit);
    if (mounts)
        tcase_add_test(tc, a_full_disk);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_set_fork_status(sr, CK_FORK); /* limits and mounts must end with the test */
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    if (failed == 0 && !mounts) {
        printf("skipped: no right to mount a tmpfs for the full disk\n");
        return 77;
    }
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
