/* device.c - an opened device: one table of functions, in this process or reaching into a plugin's.
 * What comes back is judged here, for both alike: a status or a handle that the ABI does not know means
 * that the device's state is unknown, and it is not asked again. */
#define _GNU_SOURCE /* realpath */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/device.h>

#include "cpu_device.h"
#include "plugin_client.h"
#include "plugin_table.h"
#include "plugin_wire.h"

struct fpx_device {
    char *name;
    const fpx_accel *table;
    void *opened;
    fpx_plugin *plugin; /* the same as opened where it lives in a host process, else NULL */
    fpx_error broken;   /* the finding that ended it; FPX_OK as long as it works */
};

/* Devices of this build, by the word that opens them. */
static const struct {
    const char *word;
    const fpx_accel *table;
} builtin[] = { { "cpu", &fpx_accel_cpu } };

static int status_is_known(fpx_status status)
{
    return (int)status <= FPX_OK && (int)status >= FPX_EINTERRUPTED;
}

/* Ends a device in a finding. Later calls repeat its text: it names what was running. */
static fpx_status end_device(fpx_device *device, const char *where, const char *what,
                             fpx_error *err)
{
    fpx_error_set(&device->broken, FPX_EDEVICE, "device '%s': %s: %s", device->name, where, what);
    if (device->plugin != NULL && fpx_plugin_fate(device->plugin) == NULL)
        fpx_plugin_kill(device->plugin, what);
    if (err != NULL)
        *err = device->broken;
    return FPX_EDEVICE;
}

static fpx_status refuse(const fpx_device *device, fpx_error *err)
{
    if (err != NULL)
        *err = device->broken;
    return device->broken.status;
}

/* Turns what a device returned into what the caller gets. where: the function, and the call where there
 * is one; text: the device's own, may be empty. */
static fpx_status settle(fpx_device *device, const char *where, fpx_status status, const char *text,
                         fpx_error *err)
{
    const char *fate = device->plugin != NULL ? fpx_plugin_fate(device->plugin) : NULL;

    if (status == FPX_OK)
        return FPX_OK;
    if (status == FPX_EDEVICE && fate != NULL)
        return end_device(device, where, fate, err);
    if (!status_is_known(status)) {
        char lie[64];
        snprintf(lie, sizeof lie, "it returned %d, which is no status", (int)status);
        return end_device(device, where, lie, err);
    }
    return fpx_error_set(err, status, "device '%s': %s: %s", device->name, where,
                         text[0] != '\0' ? text : fpx_status_text(status));
}

/* A handle besides a status. */
static fpx_status settle_buffer(fpx_device *device, const char *where, fpx_status status,
                                uint32_t buffer, uint32_t *ret_buffer, fpx_error *err)
{
    if (status != FPX_OK)
        return settle(device, where, status, "", err);
    if (buffer == 0)
        return end_device(device, where, "it returned success and the handle 0", err);
    *ret_buffer = buffer;
    return FPX_OK;
}

/* An unopened device of this name; NULL without memory. */
static fpx_device *device_new(const char *name, const fpx_accel *table)
{
    fpx_device *device = calloc(1, sizeof *device);

    if (device == NULL)
        return NULL;
    device->name = strdup(name);
    device->table = table;
    if (device->name == NULL) {
        free(device);
        return NULL;
    }
    return device;
}

static void device_free(fpx_device *device)
{
    free(device->name);
    free(device);
}

/* head: the spec up to its first comma. */
static fpx_status open_plugin(fpx_device *device, const char *head, const char *options, char *text,
                              size_t text_size)
{
    char path[PATH_MAX]; /* absolute: dlopen would search for a bare name elsewhere */

    if (realpath(head, path) == NULL) {
        snprintf(text, text_size, "'%.256s': %s", head, strerror(errno));
        return FPX_EIO;
    }
    const fpx_status status = fpx_plugin_start(path, options, &device->plugin, text, text_size);
    device->opened = device->plugin;
    return status;
}

static int is_path(const char *head)
{
    const size_t n = strlen(head);

    return strchr(head, '/') != NULL || (n > 3 && strcmp(head + n - 3, ".so") == 0);
}

static fpx_status open_named(fpx_device *device, const char *head, const char *options, char *text,
                             size_t text_size)
{
    if (is_path(head)) {
        device->table = &fpx_plugin_table;
        return open_plugin(device, head, options, text, text_size);
    }
    for (size_t i = 0; i < sizeof builtin / sizeof builtin[0]; i++) {
        if (strcmp(head, builtin[i].word) == 0) {
            device->table = builtin[i].table;
            return device->table->open(options, &device->opened, text, text_size);
        }
    }
    snprintf(text, text_size, "no such device; there is 'cpu', or the path of a plugin");
    return FPX_EINVAL;
}

fpx_status fpx_device_open(const char *spec, fpx_device **ret_device, fpx_error *err)
{
    fpx_device *device = device_new(spec, NULL);
    char *head = strdup(spec);
    char text[FPX_WIRE_TEXT] = "";

    if (device == NULL || head == NULL) {
        if (device != NULL)
            device_free(device);
        free(head);
        return fpx_error_set(err, FPX_ENOMEM, "device '%.256s': out of memory", spec);
    }
    char *comma = strchr(head, ',');
    if (comma != NULL)
        *comma = '\0';
    fpx_status status = open_named(device, head, comma != NULL ? comma + 1 : "", text, sizeof text);
    free(head);
    if (status != FPX_OK) {
        device->plugin = NULL;
        status = settle(device, "open", status, text, err);
        device_free(device);
        return status;
    }
    *ret_device = device;
    return FPX_OK;
}

fpx_status fpx_device_from_table(const char *name, const fpx_accel *table, void *opened,
                                 fpx_device **ret_device, fpx_error *err)
{
    char text[FPX_WIRE_TEXT];

    const fpx_status status = fpx_plugin_table_check(table, text, sizeof text);
    if (status != FPX_OK)
        return fpx_error_set(err, status, "device '%s': %s", name, text);
    fpx_device *device = device_new(name, table);
    if (device == NULL)
        return fpx_error_set(err, FPX_ENOMEM, "device '%s': out of memory", name);
    device->opened = opened;
    *ret_device = device;
    return FPX_OK;
}

void fpx_device_close(fpx_device *device)
{
    if (device == NULL)
        return;
    device->table->close(device->opened);
    device_free(device);
}

const char *fpx_device_name(const fpx_device *device)
{
    return device->name;
}

void fpx_device_plan(fpx_device *device)
{
    if (device->table == &fpx_accel_cpu)
        cpu_device_plan(device->opened);
}

uint64_t fpx_device_planned(const fpx_device *device)
{
    return device->table == &fpx_accel_cpu ? cpu_device_planned(device->opened) : 0;
}

void fpx_device_describe(fpx_device *device, char *text, size_t text_size)
{
    if (text_size == 0)
        return;
    text[0] = '\0';
    if (device->broken.status != FPX_OK)
        snprintf(text, text_size, "%s", device->broken.text);
    else
        device->table->describe(device->opened, text, text_size);
    text[text_size - 1] = '\0';
}

fpx_status fpx_device_alloc(fpx_device *device, uint64_t bytes, uint32_t *ret_buffer,
                            fpx_error *err)
{
    uint32_t buffer = 0;

    if (device->broken.status != FPX_OK)
        return refuse(device, err);
    const fpx_status status = device->table->alloc(device->opened, bytes, &buffer);
    return settle_buffer(device, "alloc", status, buffer, ret_buffer, err);
}

fpx_status fpx_device_adopt(fpx_device *device, fpx_arena *arena, uint32_t *ret_buffer,
                            fpx_error *err)
{
    uint32_t buffer = 0;
    fpx_status status = FPX_EUNSUPPORTED;

    if (device->broken.status != FPX_OK)
        return refuse(device, err);
    if (device->plugin != NULL)
        status = fpx_plugin_adopt(device->plugin, arena, &buffer);
    else if (device->table->adopt != NULL)
        status = device->table->adopt(device->opened, fpx_arena_address(arena),
                                      fpx_arena_bytes(arena), &buffer);
    return settle_buffer(device, "adopt", status, buffer, ret_buffer, err);
}

void fpx_device_release(fpx_device *device, uint32_t buffer)
{
    if (device->broken.status == FPX_OK)
        device->table->release(device->opened, buffer);
}

fpx_status fpx_device_write(fpx_device *device, uint32_t buffer, uint64_t offset, const void *src,
                            uint64_t bytes, fpx_error *err)
{
    if (device->broken.status != FPX_OK)
        return refuse(device, err);
    if (bytes > UINT64_MAX - offset)
        return settle(device, "write", FPX_EINVAL, "offset and size overflow", err);
    return settle(device, "write", device->table->write(device->opened, buffer, offset, src, bytes),
                  "", err);
}

fpx_status fpx_device_read(fpx_device *device, uint32_t buffer, uint64_t offset, void *dst,
                           uint64_t bytes, fpx_error *err)
{
    if (device->broken.status != FPX_OK)
        return refuse(device, err);
    if (bytes > UINT64_MAX - offset)
        return settle(device, "read", FPX_EINVAL, "offset and size overflow", err);
    return settle(device, "read", device->table->read(device->opened, buffer, offset, dst, bytes),
                  "", err);
}

/* prepare and run: the message says where the call stands in its program. */
static fpx_status pass(fpx_device *device, const char *verb, const fpx_call *call,
                       fpx_status (*function)(void *, const fpx_call *, char *, size_t),
                       fpx_error *err)
{
    char text[FPX_WIRE_TEXT] = "", where[FPX_NAME_MAX + 80];

    if (device->broken.status != FPX_OK)
        return refuse(device, err);
    if (call->struct_size != sizeof *call || call->nin > FPX_MAX_IN || call->nout > FPX_MAX_OUT)
        return settle(device, verb, FPX_EINVAL, "the call is malformed", err);
    const fpx_status status = function(device->opened, call, text, sizeof text);
    if (status == FPX_OK)
        return FPX_OK;
    text[sizeof text - 1] = '\0';
    snprintf(where, sizeof where, "%s of '%.*s' (operation %u, step %llu)", verb, FPX_NAME_MAX,
             call->name, call->op, (unsigned long long)call->step);
    return settle(device, where, status, text, err);
}

fpx_status fpx_device_prepare(fpx_device *device, const fpx_call *call, fpx_error *err)
{
    return pass(device, "prepare", call, device->table->prepare, err);
}

fpx_status fpx_device_run(fpx_device *device, const fpx_call *call, fpx_error *err)
{
    return pass(device, "run", call, device->table->run, err);
}
