/* test_trace_kill.c - kill -9 at random moments: the trace opens, holds every step whose commit had
 * returned, and can be continued. 30 kills, times FPX_TEST_EFFORT. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "trace_fixture.h"

enum { STEPS_A_PART = 3, MOST_MICROSECONDS = 12000 };

/* Commits steps for ever and reports each; a new part, hence a segment and a master, every 3 steps. */
static _Noreturn void write_for_ever(const char *path, uint64_t step, int report)
{
    fpx_trace_writer *writer = NULL;
    fpx_error err;
    struct stat info;
    fpx_status status =
        stat(path, &info) == 0
            ? fpx_trace_append(path, fixture_layout(), step, STEPS_A_PART, &writer, &err)
            : fpx_trace_create(path, fixture_layout(), STEPS_A_PART, &writer, &err);

    while (status == FPX_OK) {
        for (int i = 0; i < STEPS_A_PART && status == FPX_OK; i++, step++) {
            status = fixture_step(writer, step, &err);
            if (status == FPX_OK && write(report, &step, sizeof step) != (ssize_t)sizeof step)
                _exit(2);
        }
        fpx_trace_close(writer, NULL);
        if (status == FPX_OK)
            status = fpx_trace_append(path, fixture_layout(), step, STEPS_A_PART, &writer, &err);
    }
    fprintf(stderr, "the writer failed: %s\n", err.text);
    _exit(1);
}

/* Lets a writer run for some microseconds, kills it; returns the steps it had reported in all. */
static uint64_t run_and_kill(const char *path, uint64_t steps, long microseconds)
{
    const struct timespec pause = { 0, microseconds * 1000 };
    int pipes[2];
    int status = 0;

    ck_assert_int_eq(pipe(pipes), 0);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(pipes[0]);
        write_for_ever(path, steps, pipes[1]);
    }
    close(pipes[1]);
    nanosleep(&pause, NULL);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    for (uint64_t step; read(pipes[0], &step, sizeof step) == (ssize_t)sizeof step;)
        steps = step + 1;
    close(pipes[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status))
        ck_abort_msg("the writer ended by itself");
    return steps;
}

START_TEST(every_committed_step_survives)
{
    const char *text = getenv("FPX_TEST_SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    const size_t kills = 30 * fixture_effort();
    char *folder = fixture_folder();
    char *path = fixture_path(folder, "run.h5");
    uint64_t steps = 0;
    size_t unreported = 0;
    size_t before_any = 0;

    printf("FPX_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    for (size_t i = 0; i < kills; i++) {
        struct stat info;
        if (steps > 60) { /* start afresh, so that the start is killed too */
            fixture_remove(folder);
            free(path);
            folder = fixture_folder();
            path = fixture_path(folder, "run.h5");
            steps = 0;
        }
        const uint64_t reported =
            run_and_kill(path, steps, (long)(fixture_random(&seed) % MOST_MICROSECONDS));
        if (reported == 0 && stat(path, &info) != 0) {
            before_any++; /* killed before there was a trace */
            continue;
        }
        const size_t held = fixture_check(path, 0);
        /* The commit of one more may have returned, and its report not been written. */
        if (held < reported || held > reported + 1)
            ck_abort_msg("kill %zu: %zu steps are held, %llu were reported", i, held,
                         (unsigned long long)reported);
        unreported += held > reported;
        steps = held;
    }
    printf("%zu kills: %zu before there was a trace, %zu between commit and report\n", kills,
           before_any, unreported);
    fixture_remove(folder);
    free(path);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("trace_kill");
    TCase *tc = tcase_create("kill");

    tcase_set_timeout(tc, 600);
    tcase_add_test(tc, every_committed_step_survives);
    suite_add_tcase(s, tc);

    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_ENV);
    const int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
