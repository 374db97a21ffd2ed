/* plugin_client.c - the tool's side of a plugin's host process: one request at a time, each with a
 * time limit, each answer checked before it is believed. */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "plugin_client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arena_memfd.h"
#include "plugin_spawn.h"
#include "plugin_wire.h"

#define NS_PER_S INT64_C(1000000000)

enum {
    DEFAULT_LIMIT_S = 60, /* first calls compile kernels; a hung run is found within a coffee */
    LONGEST_LIMIT_S = 604800,
    CLOSE_LIMIT_S = 5, /* for a plugin's close, then again for the process to exit */
    KILL_LIMIT_S = 10, /* for the kernel to end a killed process that sits in a driver */
    FIRST_LOOK_NS = 1000000,
    LONGEST_LOOK_NS =
        50000000 /* between two looks whether the host lives: 20 a second cost nothing */
};

struct fpx_plugin {
    fpx_wire *wire;
    int socket;     /* passes arenas; its end tells the host that the tool is gone */
    pid_t pid;      /* 0: reaped, or never started */
    uint32_t count; /* of the last request */
    uint32_t adopts;
    int64_t limit_ns;
    char fate[256];
};

const char *fpx_plugin_fate(const fpx_plugin *plugin)
{
    return plugin->fate[0] != '\0' ? plugin->fate : NULL;
}

/* The signal cannot be refused; a process that a driver holds in the kernel is left to init. */
static void end_host(fpx_plugin *plugin)
{
    char text[128];

    if (plugin->pid == 0)
        return;
    fpx_plugin_signal_kill(plugin->pid);
    fpx_plugin_reap(plugin->pid, KILL_LIMIT_S * NS_PER_S, text, sizeof text);
    plugin->pid = 0;
}

void fpx_plugin_kill(fpx_plugin *plugin, const char *fate)
{
    snprintf(plugin->fate, sizeof plugin->fate, "%s", fate);
    end_host(plugin);
}

/* 1 once the host has ended: its fate is noted. */
static int host_ended(fpx_plugin *plugin)
{
    char how[128];

    if (!fpx_plugin_reap(plugin->pid, 0, how, sizeof how))
        return 0;
    plugin->pid = 0;
    snprintf(plugin->fate, sizeof plugin->fate, "its host process %s", how);
    return 1;
}

/* Waits for the answer to request `count`. The answer comes first: a host that answered and then died,
 * or a tool that was stopped for an hour, still has it. */
static fpx_status await(fpx_plugin *plugin, int64_t limit_ns)
{
    const int64_t end = fpx_wire_clock() + limit_ns;
    const uint32_t before = plugin->count - 1;
    int64_t look = FIRST_LOOK_NS;
    int ended = 0;

    for (;;) {
        const int64_t now = fpx_wire_clock();
        const uint32_t seen = fpx_bell_wait(&plugin->wire->response, before, ended ? 0 : look);
        if (seen == plugin->count)
            return FPX_OK;
        if (seen != before) {
            fpx_plugin_kill(plugin, "it overwrote the memory it shares with its caller");
            return FPX_EDEVICE;
        }
        if (ended)
            return FPX_EDEVICE;
        ended = host_ended(plugin);
        if (!ended && now >= end) {
            char text[128];
            snprintf(text, sizeof text,
                     "no answer within %lld s (FPX_DEVICE_TIMEOUT); it was killed",
                     (long long)(limit_ns / NS_PER_S));
            fpx_plugin_kill(plugin, text);
            return FPX_EDEVICE;
        }
        look = look < LONGEST_LOOK_NS / 2 ? look * 2 : LONGEST_LOOK_NS;
        look = look < end - now || end <= now ? look : end - now;
    }
}

static fpx_status exchange_within(fpx_plugin *plugin, fpx_wire_verb verb, int64_t limit_ns)
{
    fpx_wire *wire = plugin->wire;

    if (plugin->fate[0] != '\0')
        return FPX_EDEVICE;
    wire->verb = verb;
    wire->text[0] = '\0';
    fpx_bell_ring(&wire->request, ++plugin->count);
    const fpx_status status = await(plugin, limit_ns);
    return status != FPX_OK ? status : (fpx_status)wire->status;
}

static fpx_status exchange(fpx_plugin *plugin, fpx_wire_verb verb)
{
    return exchange_within(plugin, verb, plugin->limit_ns);
}

/* Text from the host, for a message: ends somewhere, and holds no control characters. */
static void take_text(const fpx_plugin *plugin, char *text, size_t text_size)
{
    size_t n = 0;

    if (text_size == 0)
        return;
    for (; n + 1 < text_size && n < FPX_WIRE_TEXT && plugin->wire->text[n] != '\0'; n++) {
        const unsigned char c = (unsigned char)plugin->wire->text[n];
        text[n] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
    }
    while (n > 0 && text[n - 1] == ' ')
        n--;
    text[n] = '\0';
}

static void plugin_close(void *device)
{
    fpx_plugin *plugin = device;
    const int64_t close_limit = CLOSE_LIMIT_S * NS_PER_S;
    const int64_t limit = plugin->limit_ns < close_limit ? plugin->limit_ns : close_limit;
    char how[128];

    if (plugin->pid != 0 && exchange_within(plugin, FPX_WIRE_CLOSE, limit) == FPX_OK &&
        plugin->pid != 0 && fpx_plugin_reap(plugin->pid, limit, how, sizeof how))
        plugin->pid = 0;
    end_host(plugin);
    if (plugin->socket >= 0)
        close(plugin->socket);
    if (plugin->wire != NULL)
        munmap(plugin->wire, sizeof *plugin->wire);
    free(plugin);
}

static void plugin_describe(void *device, char *text, size_t text_size)
{
    fpx_plugin *plugin = device;

    if (exchange(plugin, FPX_WIRE_DESCRIBE) == FPX_OK)
        take_text(plugin, text, text_size);
    else
        snprintf(text, text_size, "gone: %s", plugin->fate);
}

static fpx_status plugin_alloc(void *device, uint64_t bytes, uint32_t *ret_buffer)
{
    fpx_plugin *plugin = device;

    plugin->wire->bytes = bytes;
    const fpx_status status = exchange(plugin, FPX_WIRE_ALLOC);
    if (status == FPX_OK)
        *ret_buffer = plugin->wire->ret_buffer;
    return status;
}

static void plugin_release(void *device, uint32_t buffer)
{
    fpx_plugin *plugin = device;

    plugin->wire->buffer = buffer;
    exchange(plugin, FPX_WIRE_RELEASE);
}

/* The request of one chunk of a write or read; its size. */
static size_t next_chunk(fpx_plugin *plugin, uint32_t buffer, uint64_t offset, uint64_t left)
{
    const size_t chunk = left < FPX_WIRE_WINDOW ? (size_t)left : FPX_WIRE_WINDOW;

    plugin->wire->buffer = buffer;
    plugin->wire->offset = offset;
    plugin->wire->bytes = chunk;
    return chunk;
}

/* At least one request, so that a handle that is none is refused for 0 bytes too. */
static fpx_status plugin_write(void *device, uint32_t buffer, uint64_t offset, const void *src,
                               uint64_t bytes)
{
    fpx_plugin *plugin = device;
    uint64_t done = 0;

    do {
        const size_t chunk = next_chunk(plugin, buffer, offset + done, bytes - done);
        if (chunk > 0)
            memcpy(plugin->wire->window, (const char *)src + done, chunk);
        const fpx_status status = exchange(plugin, FPX_WIRE_WRITE);
        if (status != FPX_OK)
            return status;
        done += chunk;
    } while (done < bytes);
    return FPX_OK;
}

static fpx_status plugin_read(void *device, uint32_t buffer, uint64_t offset, void *dst,
                              uint64_t bytes)
{
    fpx_plugin *plugin = device;
    uint64_t done = 0;

    do {
        const size_t chunk = next_chunk(plugin, buffer, offset + done, bytes - done);
        const fpx_status status = exchange(plugin, FPX_WIRE_READ);
        if (status != FPX_OK)
            return status;
        if (chunk > 0)
            memcpy((char *)dst + done, plugin->wire->window, chunk);
        done += chunk;
    } while (done < bytes);
    return FPX_OK;
}

static fpx_status pass_call(fpx_plugin *plugin, fpx_wire_verb verb, const fpx_call *call,
                            char *text, size_t text_size)
{
    plugin->wire->call = *call;
    const fpx_status status = exchange(plugin, verb);
    if (status != FPX_OK)
        take_text(plugin, text, text_size);
    return status;
}

static fpx_status plugin_prepare(void *device, const fpx_call *call, char *text, size_t text_size)
{
    return pass_call(device, FPX_WIRE_PREPARE, call, text, text_size);
}

static fpx_status plugin_run(void *device, const fpx_call *call, char *text, size_t text_size)
{
    return pass_call(device, FPX_WIRE_RUN, call, text, text_size);
}

const fpx_accel fpx_plugin_table = {
    .struct_size = sizeof(fpx_accel),
    .version = FPX_ACCEL_VERSION,
    .name = "plugin",
    .close = plugin_close,
    .describe = plugin_describe,
    .alloc = plugin_alloc,
    .release = plugin_release,
    .write = plugin_write,
    .read = plugin_read,
    .prepare = plugin_prepare,
    .run = plugin_run,
};

/* One byte that carries a descriptor (unix(7)). Never blocks: the host empties the socket before it
 * answers, so that at most one message is under way. */
static int send_descriptor(int socket, int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { .bytes = { 0 } };
    char byte = 0;
    struct iovec data = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr message = { .msg_iov = &data,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);

    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

fpx_status fpx_plugin_adopt(fpx_plugin *plugin, const fpx_arena *arena, uint32_t *ret_buffer)
{
    if (plugin->fate[0] != '\0')
        return FPX_EDEVICE;
    if (!plugin->adopts)
        return FPX_EUNSUPPORTED;
    if (!send_descriptor(plugin->socket, fpx_arena_fd(arena))) {
        /* Either the host is gone, which any request tells, or the system refused. */
        const fpx_status alive = exchange(plugin, FPX_WIRE_HELLO);
        return alive != FPX_OK ? alive : FPX_EIO;
    }
    plugin->wire->bytes = fpx_arena_bytes(arena);
    const fpx_status status = exchange(plugin, FPX_WIRE_ADOPT);
    if (status == FPX_OK)
        *ret_buffer = plugin->wire->ret_buffer;
    return status;
}

/* Control block, socket, process. What was made stays in plugin, for plugin_close. */
static fpx_status launch(fpx_plugin *plugin, const char *path, char *text, size_t text_size)
{
    int memory = -1, pair[2] = { -1, -1 };
    void *wire = NULL;
    char host[PATH_MAX];
    fpx_error err = { .status = FPX_OK };

    fpx_status status = fpx_memfd_new("fpx-wire", sizeof(fpx_wire), &memory, &wire, &err);
    if (status == FPX_OK) {
        plugin->wire = wire;
        plugin->wire->magic = FPX_WIRE_MAGIC;
        plugin->wire->version = FPX_WIRE_VERSION;
        plugin->wire->wire_size = sizeof(fpx_wire);
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
            status = fpx_error_set(&err, FPX_EIO, "socketpair: %s", strerror(errno));
    }
    if (status == FPX_OK) {
        plugin->socket = pair[0];
        status = fpx_plugin_spawn(path, pair[1], memory, &plugin->pid, host, sizeof host, &err);
        close(pair[1]);
    }
    if (memory >= 0)
        close(memory);
    /* The plugin's limit may be short; this is the time an exec takes on a loaded machine. */
    if (status == FPX_OK &&
        exchange_within(plugin, FPX_WIRE_HELLO, DEFAULT_LIMIT_S * NS_PER_S) != FPX_OK)
        status = fpx_error_set(&err, FPX_EIO, "'%.300s' is not a plugin host of this version: %s",
                               host, plugin->fate);
    if (status != FPX_OK)
        snprintf(text, text_size, "%s", err.text);
    return status;
}

/* The time limit of every call, from the environment. */
static fpx_status read_limit(int64_t *ret_limit_ns, char *text, size_t text_size)
{
    const char *word = getenv("FPX_DEVICE_TIMEOUT");
    char *end = NULL;

    if (word == NULL) {
        *ret_limit_ns = DEFAULT_LIMIT_S * NS_PER_S;
        return FPX_OK;
    }
    const long seconds = strtol(word, &end, 10);
    if (end == word || *end != '\0' || seconds < 1 || seconds > LONGEST_LIMIT_S) {
        snprintf(text, text_size, "FPX_DEVICE_TIMEOUT is '%.64s'; it must be 1 to %d seconds", word,
                 LONGEST_LIMIT_S);
        return FPX_EINVAL;
    }
    *ret_limit_ns = seconds * NS_PER_S;
    return FPX_OK;
}

fpx_status fpx_plugin_start(const char *path, const char *options, fpx_plugin **ret_plugin,
                            char *text, size_t text_size)
{
    const size_t path_size = strlen(path) + 1, options_size = strlen(options) + 1;
    if (path_size + options_size > FPX_WIRE_WINDOW) {
        snprintf(text, text_size, "path and options are too long");
        return FPX_EINVAL;
    }
    fpx_plugin *plugin = calloc(1, sizeof *plugin);
    if (plugin == NULL)
        return FPX_ENOMEM;
    plugin->socket = -1;

    fpx_status status = read_limit(&plugin->limit_ns, text, text_size);
    if (status == FPX_OK)
        status = launch(plugin, path, text, text_size);
    if (status == FPX_OK) {
        memcpy(plugin->wire->window, path, path_size);
        memcpy(plugin->wire->window + path_size, options, options_size);
        status = exchange(plugin, FPX_WIRE_OPEN);
        plugin->adopts = plugin->wire->adopts;
        if (plugin->fate[0] != '\0')
            snprintf(text, text_size, "%s", plugin->fate);
        else
            take_text(plugin, text, text_size);
    }
    if (status != FPX_OK) {
        plugin_close(plugin);
        return status;
    }
    *ret_plugin = plugin;
    return FPX_OK;
}
