/* test_plugin.c - plugins in a host process: the good one gives the bits of fpx/gemm.h, the bad ones
 * become findings, and neither leaves a process, a descriptor or a line on standard output behind. */
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "plugin_suite.h"

static const char *plugins; /* folder of the built plugins */

static const char *spec_of(const char *file, const char *options)
{
    static char spec[4096];

    snprintf(spec, sizeof spec, "%s/%s%s%s", plugins, file, options[0] != '\0' ? "," : "", options);
    return spec;
}

static fpx_device *open_plugin(const char *file, const char *options)
{
    fpx_device *device = NULL;
    fpx_error err;

    if (fpx_device_open(spec_of(file, options), &device, &err) != FPX_OK)
        ck_abort_msg("%s", err.text);
    return device;
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static const fpx_call a_call = { .struct_size = sizeof(fpx_call),
                                 .kind = FPX_OP_GEMM,
                                 .op = 7,
                                 .step = 41000,
                                 .name = "layer.0/attn.qkv/fprop" };
#define WHERE "run of 'layer.0/attn.qkv/fprop' (operation 7, step 41000): "

static const struct {
    const char *file, *options;
    fpx_status status;
    const char *piece;
} unopened[] = {
    { "plugin_version1.so", "", FPX_EUNSUPPORTED, "version 1, this build speaks version 3" },
    { "plugin_short.so", "", FPX_EUNSUPPORTED, "its table has 8 bytes" },
    { "plugin_norun.so", "", FPX_EDEVICE, "no function 'run'" },
    { "plugin_null.so", "", FPX_EUNSUPPORTED, "does not serve ABI version 3" },
    { "plugin_noentry.so", "", FPX_EUNSUPPORTED, "no symbol fpx_accel_entry" },
    { "plugin_text.so", "", FPX_EIO,
      "plugin_text.so: " /* dlerror's: file too short, ELF header */ },
    { "plugin_bad.so", "open-refuse", FPX_EUNSUPPORTED,
      "plugin_bad.so,open-refuse': open: there is no such card in this machine" },
    { "plugin_bad.so", "open-lie", FPX_EDEVICE, "open: it returned 12345, which is no status" },
    { "plugin_bad.so", "open-crash", FPX_EDEVICE,
      "open: its host process was killed by signal 11" },
    { "plugin_bad.so", "open-exit", FPX_EDEVICE, "open: its host process exited with status 9" },
    { "plugin_bad.so", "open-hang", FPX_EDEVICE, "open: no answer within 1 s" },
};

START_TEST(a_plugin_that_does_not_open_is_explained)
{
    fpx_device *device = NULL;
    fpx_error err;

    check_failure(fpx_device_open(spec_of(unopened[_i].file, unopened[_i].options), &device, &err),
                  unopened[_i].status, &err, unopened[_i].piece);
    ck_assert_ptr_null(device);
    ck_assert_ptr_nonnull(strstr(err.text, unopened[_i].file));
}
END_TEST

static const struct {
    const char *manner, *piece;
} findings[] = {
    { "crash", WHERE "its host process was killed by signal 11 (SIGSEGV)" },
    { "exit", WHERE "its host process exited with status 7" },
    { "hang", WHERE "no answer within 1 s (FPX_DEVICE_TIMEOUT)" },
    { "scribble", WHERE "it overwrote the memory it shares" },
    { "lie", WHERE "it returned 12345, which is no status" },
};

/* The device fails, at once and with the same text ever after; the tool goes on. */
START_TEST(a_plugin_that_fails_is_a_finding)
{
    fpx_device *device = open_plugin("plugin_bad.so", findings[_i].manner);
    fpx_error err;
    uint32_t buffer = 0;
    char text[512], byte = 0;

    ck_assert_int_eq(fpx_device_prepare(device, &a_call, &err), FPX_OK);
    const double start = now_s();
    check_failure(fpx_device_run(device, &a_call, &err), FPX_EDEVICE, &err, findings[_i].piece);
    const double found = now_s();
    ck_assert_msg(found - start < 5, "the finding took %g s", found - start);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* dead and reaped before close */

    for (int i = 0; i < 1000; i++)
        check_failure(fpx_device_run(device, &a_call, &err), FPX_EDEVICE, &err, findings[_i].piece);
    check_failure(fpx_device_alloc(device, 1, &buffer, &err), FPX_EDEVICE, &err, WHERE);
    check_failure(fpx_device_write(device, 1, 0, &byte, 1, &err), FPX_EDEVICE, &err, WHERE);
    check_failure(fpx_device_read(device, 1, 0, &byte, 1, &err), FPX_EDEVICE, &err, WHERE);
    fpx_device_describe(device, text, sizeof text);
    fpx_device_release(device, 1);
    ck_assert_msg(now_s() - found < 1, "later calls are not immediate");
    fpx_device_close(device);

    device = open_plugin("plugin_bad.so", "none");
    ck_assert_int_eq(fpx_device_run(device, &a_call, &err), FPX_OK);
    fpx_device_close(device);
}
END_TEST

START_TEST(a_handle_of_zero_is_a_finding)
{
    fpx_device *device = open_plugin("plugin_bad.so", "zero");
    fpx_error err;
    uint32_t buffer = 99;

    check_failure(fpx_device_alloc(device, 1, &buffer, &err), FPX_EDEVICE, &err, "the handle 0");
    ck_assert_uint_eq(buffer, 99);
    fpx_device_close(device);
}
END_TEST

/* release has no status: the call after it tells. */
START_TEST(a_crash_in_release_is_found_by_the_next_call)
{
    fpx_device *device = open_plugin("plugin_bad.so", "release-crash");
    fpx_error err;

    fpx_device_release(device, 1);
    check_failure(fpx_device_run(device, &a_call, &err), FPX_EDEVICE, &err, "signal 11");
    fpx_device_close(device);
}
END_TEST

START_TEST(a_failure_that_is_the_plugins_own_ends_nothing)
{
    fpx_device *device = open_plugin("plugin_bad.so", "fail");
    fpx_error err;

    check_failure(fpx_device_run(device, &a_call, &err), FPX_ENUMERIC, &err, WHERE "xxx");
    ck_assert_int_eq(fpx_device_prepare(device, &a_call, &err), FPX_OK);
    fpx_device_close(device);
}
END_TEST

START_TEST(close_ends_a_plugin_that_does_not_close)
{
    static const char *const manners[] = { "close-hang", "close-crash" };
    const double start = now_s();

    fpx_device_close(open_plugin("plugin_bad.so", manners[_i]));
    ck_assert_msg(now_s() - start < 8, "close took %g s", now_s() - start);
}
END_TEST

START_TEST(a_plugins_prints_are_not_on_standard_output)
{
    int ends[2];
    char byte;

    ck_assert_int_eq(pipe(ends), 0);
    fflush(stdout);
    const int saved = dup(1);
    dup2(ends[1], 1);
    close(ends[1]);
    fpx_device_close(open_plugin("plugin_bad.so", "print"));
    dup2(saved, 1);
    close(saved);
    ck_assert_int_eq(read(ends[0], &byte, 1), 0); /* the end, and nothing before it */
    close(ends[0]);
}
END_TEST

START_TEST(the_environment_is_checked)
{
    static const struct {
        const char *name, *value;
        fpx_status status;
        const char *piece;
    } rows[] = {
        { "FPX_DEVICE_TIMEOUT", "soon", FPX_EINVAL, "FPX_DEVICE_TIMEOUT is 'soon'" },
        { "FPX_DEVICE_TIMEOUT", "0", FPX_EINVAL, "FPX_DEVICE_TIMEOUT is '0'" },
        { "FPX_DEVICE_TIMEOUT", "", FPX_EINVAL, "FPX_DEVICE_TIMEOUT is ''" },
        { "FPX_PLUGIN_HOST", "/no/such/host", FPX_EIO, "FPX_PLUGIN_HOST is '/no/such/host'" },
        { "FPX_PLUGIN_HOST", "/bin/true", FPX_EIO, "'/bin/true' is not a plugin host" },
        { "FPX_PLUGIN_HOST", "/", FPX_EIO, "/: cannot be started" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *before = getenv(rows[i].name);
        char *saved = before != NULL ? strdup(before) : NULL;
        fpx_device *device = NULL;
        fpx_error err;
        setenv(rows[i].name, rows[i].value, 1);
        check_failure(fpx_device_open(spec_of("plugin_bad.so", "none"), &device, &err),
                      rows[i].status, &err, rows[i].piece);
        if (saved != NULL)
            setenv(rows[i].name, saved, 1);
        else
            unsetenv(rows[i].name);
        free(saved);
    }
}
END_TEST

/* A tool that is killed in the middle of a call takes the host along, and a hung plugin with it. */
START_TEST(the_host_ends_with_the_tool)
{
    int ends[2];
    long host = 0;

    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* orphans come here to be reaped */
    ck_assert_int_eq(pipe(ends), 0);
    const pid_t tool = fork();
    if (tool == 0) {
        char text[256] = "";
        fpx_device *device = open_plugin("plugin_bad.so", "hang");
        fpx_device_describe(device, text, sizeof text);
        if (write(ends[1], text, sizeof text) == (ssize_t)sizeof text)
            fpx_device_run(device, &a_call, NULL);
        _exit(1);
    }
    char text[256] = "";
    ck_assert_int_eq(read(ends[0], text, sizeof text), sizeof text);
    close(ends[0]);
    close(ends[1]);
    ck_assert_int_eq(sscanf(text, "bad plugin: hang, process %ld", &host), 1);
    kill(tool, SIGKILL);
    ck_assert_int_eq(waitpid(tool, NULL, 0), tool);

    const double start = now_s();
    while (waitpid((pid_t)host, NULL, WNOHANG) != (pid_t)host) {
        ck_assert_msg(now_s() - start < 5, "the host outlived the tool");
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}
END_TEST

/* SIGCHLD ignored by the tool: nothing to reap, and still a clean end. */
START_TEST(a_tool_may_ignore_its_children)
{
    fpx_error err;

    signal(SIGCHLD, SIG_IGN);
    fpx_device *device = open_plugin("plugin_bad.so", "crash");
    check_failure(fpx_device_run(device, &a_call, &err), FPX_EDEVICE, &err,
                  WHERE "its host process");
    fpx_device_close(device);
    fpx_device_close(open_plugin("plugin_bad.so", "none"));
    signal(SIGCHLD, SIG_DFL);
}
END_TEST

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Median and 99th percentile of `count` empty calls, each after `rest_ns` without any. */
static void print_latency(fpx_device *device, const char *what, size_t count, long rest_ns)
{
    double *us = malloc(count * sizeof *us);
    fpx_error err;

    ck_assert_ptr_nonnull(us);
    for (size_t i = 0; i < count; i++) {
        if (rest_ns > 0)
            nanosleep(&(struct timespec){ .tv_nsec = rest_ns }, NULL);
        const double start = now_s();
        if (fpx_device_run(device, &a_call, &err) != FPX_OK)
            ck_abort_msg("%s", err.text);
        us[i] = 1e6 * (now_s() - start);
    }
    qsort(us, count, sizeof *us, compare_doubles);
    printf("round trip %s: median %.2f us, 99 %% below %.1f us\n", what, us[count / 2],
           us[count * 99 / 100]);
    fflush(stdout);
    free(us);
}

/* Measured and printed, not judged: machines and their load differ. */
START_TEST(latency_of_an_empty_call)
{
    fpx_device *device = open_plugin("plugin_bad.so", "none");

    print_latency(device, "back to back", 20000, 0);
    print_latency(device, "to a sleeping host", 500, 300000);
    fpx_device_close(device);
}
END_TEST

int main(void)
{
    plugins = getenv("FPX_TEST_PLUGINS");
    if (plugins == NULL) {
        puts("skipped: FPX_TEST_PLUGINS does not name the folder of the test plugins");
        return 77;
    }
    setenv("FPX_DEVICE_TIMEOUT", "1", 1);

    TCase *tc = tcase_create("hosted");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, note_resources, check_resources);
    tcase_add_loop_test(tc, a_plugin_that_does_not_open_is_explained, 0,
                        sizeof unopened / sizeof unopened[0]);
    tcase_add_loop_test(tc, a_plugin_that_fails_is_a_finding, 0,
                        sizeof findings / sizeof findings[0]);
    tcase_add_test(tc, a_handle_of_zero_is_a_finding);
    tcase_add_test(tc, a_crash_in_release_is_found_by_the_next_call);
    tcase_add_test(tc, a_failure_that_is_the_plugins_own_ends_nothing);
    tcase_add_loop_test(tc, close_ends_a_plugin_that_does_not_close, 0, 2);
    tcase_add_test(tc, a_plugins_prints_are_not_on_standard_output);
    tcase_add_test(tc, the_environment_is_checked);
    tcase_add_test(tc, the_host_ends_with_the_tool);
    tcase_add_test(tc, a_tool_may_ignore_its_children);
    tcase_add_test(tc, latency_of_an_empty_call);
    return run_suite("plugin", &tc, 1);
}
