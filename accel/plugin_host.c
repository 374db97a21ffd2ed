/* plugin_host.c - fpx-plugin-host: the process that a plugin lives and may die in. Started by the tool
 * with a socket and a control block (plugin_wire.h); serves its requests until either side ends. */
#define _GNU_SOURCE /* POLLRDHUP, syscall */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plugin_table.h"
#include "plugin_wire.h"

enum { EXIT_NOT_SERVING = 2 };

typedef struct adoption {
    void *address;
    size_t bytes;
    uint32_t buffer;
} adoption;

typedef struct host {
    fpx_wire *wire;
    const fpx_accel *table; /* NULL until a plugin is open */
    void *device;
    adoption *adopted;
    size_t nadopted;
} host;

static fpx_status serve_hello(host *h)
{
    (void)h;
    return FPX_OK;
}

static fpx_status find_table(host *h, const char *path, const fpx_accel **ret_table)
{
    fpx_accel_entry_fn *entry = NULL;

    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *why = dlerror();
        snprintf(h->wire->text, FPX_WIRE_TEXT, "cannot be loaded: %s", why != NULL ? why : "?");
        return FPX_EIO;
    }
    void *symbol = dlsym(library, FPX_ACCEL_ENTRY);
    if (symbol == NULL) {
        snprintf(h->wire->text, FPX_WIRE_TEXT,
                 "no symbol " FPX_ACCEL_ENTRY " in it: it is not a device plugin");
        return FPX_EUNSUPPORTED;
    }
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from an object to a function */
    const fpx_accel *table = entry(FPX_ACCEL_VERSION);
    if (table == NULL) {
        snprintf(h->wire->text, FPX_WIRE_TEXT, "it does not serve ABI version %d",
                 FPX_ACCEL_VERSION);
        return FPX_EUNSUPPORTED;
    }
    const fpx_status status = fpx_plugin_table_check(table, h->wire->text, FPX_WIRE_TEXT);
    if (status == FPX_OK)
        *ret_table = table;
    return status;
}

static fpx_status serve_open(host *h)
{
    const char *path = (const char *)h->wire->window;
    const char *options = path + strlen(path) + 1;
    const fpx_accel *table = NULL;

    if (h->table != NULL)
        return FPX_EINVAL;
    fpx_status status = find_table(h, path, &table);
    if (status != FPX_OK)
        return status;
    status = table->open(options, &h->device, h->wire->text, FPX_WIRE_TEXT);
    if (status == FPX_OK) {
        h->table = table;
        h->wire->adopts = table->adopt != NULL;
    }
    return status;
}

static fpx_status serve_close(host *h)
{
    if (h->table != NULL)
        h->table->close(h->device);
    for (size_t i = 0; i < h->nadopted; i++)
        munmap(h->adopted[i].address, h->adopted[i].bytes);
    free(h->adopted);
    return FPX_OK;
}

static fpx_status serve_describe(host *h)
{
    h->table->describe(h->device, h->wire->text, FPX_WIRE_TEXT);
    return FPX_OK;
}

static fpx_status serve_alloc(host *h)
{
    uint32_t buffer = 0;

    const fpx_status status = h->table->alloc(h->device, h->wire->bytes, &buffer);
    h->wire->ret_buffer = buffer;
    return status;
}

/* The descriptor that the tool sent ahead of its request; -1 where there is none. */
static int take_descriptor(void)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char byte = 0;
    struct iovec data = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr message = { .msg_iov = &data,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    int fd = -1;

    if (recvmsg(FPX_WIRE_SOCKET, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1)
        return -1;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(head), sizeof fd);
    return fd;
}

/* The whole mapping is at least one byte, as in arena.c. */
static fpx_status map_arena(uint64_t bytes, adoption *ret_adoption)
{
    struct stat file;
    const size_t size = bytes > 0 ? (size_t)bytes : 1;

    const int fd = take_descriptor();
    if (fd < 0)
        return FPX_EIO;
    void *address = MAP_FAILED;
    if (fstat(fd, &file) == 0 && (uint64_t)file.st_size >= size)
        address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (address == MAP_FAILED)
        return FPX_ENOMEM;
    ret_adoption->address = address;
    ret_adoption->bytes = size;
    return FPX_OK;
}

static fpx_status serve_adopt(host *h)
{
    adoption arena = { NULL, 0, 0 };

    adoption *longer = realloc(h->adopted, (h->nadopted + 1) * sizeof *longer);
    if (longer == NULL)
        return FPX_ENOMEM;
    h->adopted = longer;
    fpx_status status = map_arena(h->wire->bytes, &arena);
    if (status != FPX_OK)
        return status;
    status = h->table->adopt(h->device, arena.address, h->wire->bytes, &arena.buffer);
    if (status != FPX_OK) {
        munmap(arena.address, arena.bytes);
        return status;
    }
    h->adopted[h->nadopted++] = arena;
    h->wire->ret_buffer = arena.buffer;
    return FPX_OK;
}

static fpx_status serve_release(host *h)
{
    const uint32_t buffer = h->wire->buffer;

    h->table->release(h->device, buffer);
    for (size_t i = 0; i < h->nadopted; i++) {
        if (h->adopted[i].buffer == buffer) {
            munmap(h->adopted[i].address, h->adopted[i].bytes);
            h->adopted[i] = h->adopted[--h->nadopted];
            break;
        }
    }
    return FPX_OK;
}

static fpx_status serve_write(host *h)
{
    return h->table->write(h->device, h->wire->buffer, h->wire->offset, h->wire->window,
                           h->wire->bytes);
}

static fpx_status serve_read(host *h)
{
    return h->table->read(h->device, h->wire->buffer, h->wire->offset, h->wire->window,
                          h->wire->bytes);
}

static fpx_status serve_prepare(host *h)
{
    return h->table->prepare(h->device, &h->wire->call, h->wire->text, FPX_WIRE_TEXT);
}

static fpx_status serve_run(host *h)
{
    return h->table->run(h->device, &h->wire->call, h->wire->text, FPX_WIRE_TEXT);
}

static const struct {
    fpx_status (*serve)(host *h);
    int needs_plugin;
} verbs[FPX_WIRE_VERBS] = {
    [FPX_WIRE_HELLO] = { serve_hello, 0 },     [FPX_WIRE_OPEN] = { serve_open, 0 },
    [FPX_WIRE_CLOSE] = { serve_close, 0 },     [FPX_WIRE_DESCRIBE] = { serve_describe, 1 },
    [FPX_WIRE_ALLOC] = { serve_alloc, 1 },     [FPX_WIRE_ADOPT] = { serve_adopt, 1 },
    [FPX_WIRE_RELEASE] = { serve_release, 1 }, [FPX_WIRE_WRITE] = { serve_write, 1 },
    [FPX_WIRE_READ] = { serve_read, 1 },       [FPX_WIRE_PREPARE] = { serve_prepare, 1 },
    [FPX_WIRE_RUN] = { serve_run, 1 },
};

/* Answers until a CLOSE was answered. */
static void serve(host *h)
{
    uint32_t count = 0, verb = FPX_WIRE_HELLO;

    while (verb != FPX_WIRE_CLOSE) {
        uint32_t request = count;
        while (request == count)
            request = fpx_bell_wait(&h->wire->request, count, -1);
        count = request;
        verb = h->wire->verb;
        fpx_status status = FPX_EINVAL;
        if (verb < FPX_WIRE_VERBS && (h->table != NULL || !verbs[verb].needs_plugin))
            status = verbs[verb].serve(h);
        h->wire->status = (int32_t)status;
        fpx_bell_ring(&h->wire->response, count);
    }
}

/* Ends this process with the tool, also while the plugin hangs. PR_SET_PDEATHSIG would tie the host's
 * life to the *thread* that opened the device; the socket closes with the whole tool. */
static void *watch_tool(void *unused)
{
    struct pollfd tool = { .fd = FPX_WIRE_SOCKET, .events = POLLRDHUP };

    (void)unused;
    while (poll(&tool, 1, -1) < 0 && errno == EINTR)
        continue;
    _exit(EXIT_SUCCESS);
}

/* The control block; NULL where the descriptor holds none of this version. */
static fpx_wire *map_wire(void)
{
    struct stat file;

    if (fstat(FPX_WIRE_MEMORY, &file) != 0 || file.st_size != (off_t)sizeof(fpx_wire))
        return NULL;
    fpx_wire *wire =
        mmap(NULL, sizeof *wire, PROT_READ | PROT_WRITE, MAP_SHARED, FPX_WIRE_MEMORY, 0);
    close(FPX_WIRE_MEMORY);
    if (wire == MAP_FAILED)
        return NULL;
    if (wire->magic != FPX_WIRE_MAGIC || wire->version != FPX_WIRE_VERSION ||
        wire->wire_size != sizeof *wire)
        return NULL;
    return wire;
}

int main(void)
{
    pthread_t watcher;
    host h = { .wire = map_wire() };

    if (h.wire == NULL) {
        fputs("fpx-plugin-host: started by fpx of the same version, not by hand\n", stderr);
        return EXIT_NOT_SERVING;
    }
    /* Files that the tool left open for its children are not the plugin's. Linux before 5.9 lacks the
     * call; there they stay open. */
#ifdef SYS_close_range
    syscall(SYS_close_range, (unsigned)FPX_WIRE_MEMORY, UINT_MAX, 0);
#endif
    if (pthread_create(&watcher, NULL, watch_tool, NULL) != 0)
        return EXIT_NOT_SERVING;
    pthread_detach(watcher);
    serve(&h);
    return EXIT_SUCCESS;
}
