/* plugin_spawn.c - a host process: found, exec'd (never just forked, drivers do not survive that),
 * reaped. Nothing here touches the tool's signal handlers. */
#define _GNU_SOURCE /* readlink of /proc, environ, F_DUPFD_CLOEXEC */
#include "plugin_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plugin_wire.h"

#define HOST_NAME "fpx-plugin-host"

/* Above every descriptor that the file actions below name, so that none overwrites another. */
enum { FIRST_FREE_FD = 10 };

/* A named host is the only candidate; otherwise: beside the program (installed), in the build tree,
 * where it was built. */
static fpx_status find_host(char *ret_host, size_t host_size, fpx_error *err)
{
    const char *named = getenv("FPX_PLUGIN_HOST");
    if (named != NULL) {
        if (access(named, X_OK) != 0)
            return fpx_error_set(err, FPX_EIO, "FPX_PLUGIN_HOST is '%s': %s", named,
                                 strerror(errno));
        snprintf(ret_host, host_size, "%s", named);
        return FPX_OK;
    }

    char here[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", here, sizeof here - 1);
    here[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(here, '/');
    static const char *const places[] = { "", "/../accel" };
    for (size_t i = 0; slash != NULL && i < sizeof places / sizeof places[0]; i++) {
        *slash = '\0';
        const int n = snprintf(ret_host, host_size, "%s%s/" HOST_NAME, here, places[i]);
        if (n > 0 && (size_t)n < host_size && access(ret_host, X_OK) == 0)
            return FPX_OK;
    }
#ifdef FPX_PLUGIN_HOST_PATH
    if (access(FPX_PLUGIN_HOST_PATH, X_OK) == 0) {
        snprintf(ret_host, host_size, "%s", FPX_PLUGIN_HOST_PATH);
        return FPX_OK;
    }
#endif
    return fpx_error_set(err, FPX_EIO,
                         HOST_NAME " is not beside this program; set FPX_PLUGIN_HOST to its path");
}

/* The host's descriptors. Its standard output is the tool's standard error: what a plugin prints
 * must not end up in a pipe that expects JSON. */
static int set_files(posix_spawn_file_actions_t *files, int socket, int memory)
{
    int bad = posix_spawn_file_actions_adddup2(files, socket, FPX_WIRE_SOCKET);

    bad = bad ? bad : posix_spawn_file_actions_adddup2(files, memory, FPX_WIRE_MEMORY);
    bad = bad ? bad : posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
    if (fcntl(2, F_GETFD) < 0) /* the tool itself has no standard error */
        bad = bad ? bad : posix_spawn_file_actions_addopen(files, 2, "/dev/null", O_WRONLY, 0);
    return bad ? bad : posix_spawn_file_actions_adddup2(files, 2, 1);
}

/* Default dispositions and an empty mask, whatever the tool has set for itself; a process group of
 * its own, so that Ctrl-C reaches the tool alone, which then ends its step in peace. */
static int set_signals(posix_spawnattr_t *attr)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    int bad = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                 POSIX_SPAWN_SETPGROUP);
    bad = bad ? bad : posix_spawnattr_setsigmask(attr, &none);
    bad = bad ? bad : posix_spawnattr_setsigdefault(attr, &all);
    return bad ? bad : posix_spawnattr_setpgroup(attr, 0);
}

static int start(const char *host, const char *label, int socket, int memory, pid_t *ret_pid)
{
    char *const argv[] = { (char[]){ HOST_NAME }, (char *)(uintptr_t)label, NULL };
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;

    int bad = posix_spawn_file_actions_init(&files);
    if (bad != 0)
        return bad;
    bad = posix_spawnattr_init(&attr);
    if (bad == 0) {
        bad = set_files(&files, socket, memory);
        bad = bad ? bad : set_signals(&attr);
        bad = bad ? bad : posix_spawn(ret_pid, host, &files, &attr, argv, environ);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&files);
    return bad;
}

fpx_status fpx_plugin_spawn(const char *label, int socket, int memory, pid_t *ret_pid,
                            char *ret_host, size_t host_size, fpx_error *err)
{
    const fpx_status status = find_host(ret_host, host_size, err);
    if (status != FPX_OK)
        return status;

    const int high_socket = fcntl(socket, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    const int high_memory = fcntl(memory, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    const int bad = high_socket < 0 || high_memory < 0
                        ? EMFILE
                        : start(ret_host, label, high_socket, high_memory, ret_pid);
    if (high_socket >= 0)
        close(high_socket);
    if (high_memory >= 0)
        close(high_memory);
    if (bad != 0)
        return fpx_error_set(err, FPX_EIO, "%s: cannot be started: %s", ret_host, strerror(bad));
    return FPX_OK;
}

/* strsignal is not safe with threads, and tells nothing that the name does not. */
static const char *signal_name(int number)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {
        { SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" },   { SIGABRT, "SIGABRT" },
        { SIGFPE, "SIGFPE" },   { SIGILL, "SIGILL" },   { SIGKILL, "SIGKILL" },
        { SIGTERM, "SIGTERM" }, { SIGTRAP, "SIGTRAP" }, { SIGSYS, "SIGSYS" },
        { SIGXCPU, "SIGXCPU" }, { SIGPIPE, "SIGPIPE" }, { SIGHUP, "SIGHUP" },
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].number == number)
            return names[i].name;
    return "another signal";
}

void fpx_plugin_signal_kill(pid_t pid)
{
    kill(-pid, SIGKILL);
}

int fpx_plugin_reap(pid_t pid, int64_t limit_ns, char *text, size_t text_size)
{
    const int64_t end = fpx_wire_clock() + limit_ns;

    for (;;) {
        siginfo_t how = { 0 };
        /* WNOWAIT: while the dead process stays in the table, its group's number is taken. */
        if (waitid(P_PID, (id_t)pid, &how, WEXITED | WNOHANG | WNOWAIT) != 0 && errno != EINTR) {
            snprintf(text, text_size, "ended (another part of this program reaped it)");
            return 1;
        }
        if (how.si_pid == pid) {
            if (how.si_code == CLD_EXITED)
                snprintf(text, text_size, "exited with status %d", how.si_status);
            else
                snprintf(text, text_size, "was killed by signal %d (%s)", how.si_status,
                         signal_name(how.si_status));
            fpx_plugin_signal_kill(pid);
            waitid(P_PID, (id_t)pid, &how, WEXITED | WNOHANG);
            return 1;
        }
        if (fpx_wire_clock() >= end)
            return 0;
        nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
    }
}
