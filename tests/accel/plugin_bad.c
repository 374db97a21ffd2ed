/* plugin_bad.c - a device that misbehaves on demand: the option names the manner ("crash", "hang", ...),
 * build variants (BAD_*) spoil the table itself. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fpx/accel.h>

#include "plugin_wire.h"

#ifndef BAD_ENTRY
#define BAD_ENTRY fpx_accel_entry
#endif
#ifndef BAD_VERSION
#define BAD_VERSION FPX_ACCEL_VERSION
#endif
#ifndef BAD_SIZE
#define BAD_SIZE sizeof(fpx_accel)
#endif
#ifndef BAD_HAS_RUN
#define BAD_HAS_RUN 1
#endif
#ifndef BAD_SERVES
#define BAD_SERVES FPX_ACCEL_VERSION
#endif

enum { NO_STATUS = 12345 };

/* By its default action, also under a sanitizer that has a handler of its own. */
static void die(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

static void hang(void)
{
    for (;;)
        pause();
}

/* Finds the control block as a stray pointer might and overwrites its bells. */
static void scribble(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    uintptr_t start = 0;

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "fpx-wire") != NULL && start == 0)
            start = (uintptr_t)strtoumax(line, NULL, 16);
    if (maps != NULL)
        fclose(maps);
    if (start != 0)
        fpx_bell_ring(&((fpx_wire *)start)->response, 0xdeadbeef);
    hang();
}

/* The manner is all that the device is. */
static int is(void *device, const char *manner)
{
    return strcmp(device, manner) == 0;
}

static fpx_status bad_open(const char *options, void **ret_device, char *text, size_t text_size)
{
    char *manner = strdup(options);

    if (manner == NULL)
        return FPX_ENOMEM;
    if (is(manner, "open-crash"))
        die(SIGSEGV);
    if (is(manner, "open-hang"))
        hang();
    if (is(manner, "open-exit"))
        exit(9);
    if (is(manner, "print")) {
        puts("a plugin prints this");
        fflush(stdout);
    }
    if (is(manner, "open-refuse") || is(manner, "open-lie")) {
        const int lie = is(manner, "open-lie");
        free(manner);
        snprintf(text, text_size, "there is no such card\nin this machine\n");
        return lie ? (fpx_status)NO_STATUS : FPX_EUNSUPPORTED;
    }
    *ret_device = manner;
    return FPX_OK;
}

static void bad_close(void *device)
{
    if (is(device, "close-hang"))
        hang();
    if (is(device, "close-crash"))
        die(SIGABRT);
    free(device);
}

static void bad_describe(void *device, char *text, size_t text_size)
{
    snprintf(text, text_size, "bad plugin: %s, process %ld", (const char *)device, (long)getpid());
}

static fpx_status bad_alloc(void *device, uint64_t bytes, uint32_t *ret_buffer)
{
    (void)bytes;
    *ret_buffer = is(device, "zero") ? 0 : 1;
    return FPX_OK;
}

static void bad_release(void *device, uint32_t buffer)
{
    (void)buffer;
    if (is(device, "release-crash"))
        die(SIGSEGV);
}

static fpx_status bad_write(void *device, uint32_t buffer, uint64_t offset, const void *src,
                            uint64_t bytes)
{
    (void)device, (void)buffer, (void)offset, (void)src, (void)bytes;
    return FPX_OK;
}

static fpx_status bad_read(void *device, uint32_t buffer, uint64_t offset, void *dst,
                           uint64_t bytes)
{
    (void)device, (void)buffer, (void)offset, (void)dst, (void)bytes;
    return FPX_OK;
}

static fpx_status bad_prepare(void *device, const fpx_call *call, char *text, size_t text_size)
{
    (void)device, (void)call, (void)text, (void)text_size;
    return FPX_OK;
}

static fpx_status bad_run(void *device, const fpx_call *call, char *text, size_t text_size)
{
    (void)call;
    if (is(device, "crash"))
        die(SIGSEGV);
    if (is(device, "hang"))
        hang();
    if (is(device, "exit"))
        exit(7);
    if (is(device, "scribble"))
        scribble();
    if (is(device, "lie"))
        return (fpx_status)NO_STATUS;
    if (is(device, "fail")) {
        memset(text, 'x', text_size); /* not terminated, as strncpy leaves it */
        return FPX_ENUMERIC;
    }
    return FPX_OK;
}

static const fpx_accel table = {
    .struct_size = BAD_SIZE,
    .version = BAD_VERSION,
    .name = "bad",
    .open = bad_open,
    .close = bad_close,
    .describe = bad_describe,
    .alloc = bad_alloc,
    .release = bad_release,
    .write = bad_write,
    .read = bad_read,
    .prepare = bad_prepare,
    .run = BAD_HAS_RUN ? bad_run : NULL,
};

__attribute__((visibility("default"))) fpx_accel_entry_fn BAD_ENTRY;

const fpx_accel *BAD_ENTRY(uint32_t version)
{
    return version == BAD_SERVES ? &table : NULL;
}
