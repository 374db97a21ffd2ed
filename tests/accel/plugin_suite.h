/* plugin_suite.h - what both device tests share: no descriptor and no child may be left behind. */
#ifndef FPX_TESTS_PLUGIN_SUITE_H
#define FPX_TESTS_PLUGIN_SUITE_H

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <fpx/device.h>

static size_t open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static size_t files_before;

static void note_resources(void)
{
    files_before = open_files();
}

static void check_resources(void)
{
    ck_assert_uint_eq(open_files(), files_before);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

/* A status and a piece of the text. */
static void check_failure(fpx_status got, fpx_status expected, const fpx_error *err,
                          const char *piece)
{
    if (got != expected || err->status != expected || strstr(err->text, piece) == NULL)
        ck_abort_msg("expected %d and '%s', got %d and '%s'", (int)expected, piece, (int)got,
                     err->text);
}

static int run_suite(const char *name, TCase *const *cases, size_t ncases)
{
    Suite *s = suite_create(name);

    for (size_t i = 0; i < ncases; i++)
        suite_add_tcase(s, cases[i]);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif /* FPX_TESTS_PLUGIN_SUITE_H */
