/* plugin_wire.h - the control block that a tool and a plugin's host process share.
 *
 *   tool   writes the request, rings `request`;  waits on `response`; reads the answer
 *   host   waits on `request`; does it, writes the answer, rings `response`
 *
 * One request is under way at a time and a side writes only while it holds the turn, so only the two
 * bells are atomic. The tool believes nothing it reads here: a plugin can write anywhere. */
#ifndef FPX_ACCEL_PLUGIN_WIRE_H
#define FPX_ACCEL_PLUGIN_WIRE_H

#include <stdatomic.h>
#include <stdint.h>

#include <fpx/accel.h>

/* Descriptors that the host starts with, besides 0 (empty), 1 and 2 (the tool's standard error). */
enum { FPX_WIRE_SOCKET = 3, FPX_WIRE_MEMORY = 4 };

/* Raise the version with every change of this file; a host of another one refuses to start. */
#define FPX_WIRE_MAGIC UINT32_C(0x66707877)
enum { FPX_WIRE_VERSION = 1 };

enum {
    FPX_WIRE_TEXT = 512, /* what an fpx_error has room for, beside the device and the call */
    FPX_WIRE_WINDOW =
        1 << 20 /* bytes a write or read moves at once: stays within a level-2 cache */
};

/* HELLO is answered by the host itself: one that cannot even do this is no plugin's fault. */
typedef enum fpx_wire_verb {
    FPX_WIRE_HELLO,
    FPX_WIRE_OPEN,     /* window: path, then options, both terminated -> adopts */
    FPX_WIRE_CLOSE,    /* the host exits after the answer */
    FPX_WIRE_DESCRIBE, /* -> text */
    FPX_WIRE_ALLOC,    /* bytes -> ret_buffer */
    FPX_WIRE_ADOPT,    /* bytes; the memfd comes by the socket -> ret_buffer */
    FPX_WIRE_RELEASE,  /* buffer */
    FPX_WIRE_WRITE,    /* buffer, offset, bytes, window */
    FPX_WIRE_READ,     /* buffer, offset, bytes -> window */
    FPX_WIRE_PREPARE,  /* call */
    FPX_WIRE_RUN,      /* call */
    FPX_WIRE_VERBS
} fpx_wire_verb;

/* A counter that one side raises and the other waits for, on a cache line of its own. */
typedef struct fpx_bell {
    _Alignas(64) _Atomic uint32_t count;
    _Atomic uint32_t asleep; /* 1: the waiter needs a wake-up from the kernel */
} fpx_bell;

typedef struct fpx_wire {
    uint32_t magic, version;
    uint32_t wire_size; /* sizeof(fpx_wire): both sides agree on every struct within */
    uint32_t reserved;
    fpx_bell request, response; /* equal when nothing is under way */

    /* The request. */
    uint32_t verb; /* fpx_wire_verb */
    uint32_t buffer;
    uint64_t offset, bytes;
    fpx_call call;

    /* The answer; text also on failure. */
    int32_t status;
    uint32_t ret_buffer;
    uint32_t adopts; /* 1: the plugin has `adopt` */
    char text[FPX_WIRE_TEXT];

    _Alignas(64) unsigned char window[FPX_WIRE_WINDOW];
} fpx_wire;

/* Publishes everything written before it. */
void fpx_bell_ring(fpx_bell *bell, uint32_t count);

/* Waits until the count is no longer `seen` and returns it; spins for some 20 microseconds, then
 * sleeps. May return `seen` early, at the latest after limit_ns (negative: no limit). */
uint32_t fpx_bell_wait(fpx_bell *bell, uint32_t seen, int64_t limit_ns);

int64_t fpx_wire_clock(void); /* nanoseconds, monotonic */

#endif /* FPX_ACCEL_PLUGIN_WIRE_H */
