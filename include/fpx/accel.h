/* fpx/accel.h - the device ABI: what an accelerator is asked to do, as plain data.
 *
 * A device is a table of functions returned by one exported entry point (fpx_accel_entry below). It may
 * implement any subset of the operation kinds; the built-in `cpu` device fills the rest. All tensors
 * of a call are row-major and dense unless `strides` says otherwise; 4-bit codes are unpacked unless
 * `packing` says otherwise. The caller owns every buffer. A device is used by one thread at a time,
 * keeps no global state, and may use threads of its own. Status codes are those of fpx/status.h. */
#ifndef FPX_ACCEL_H
#define FPX_ACCEL_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/op.h>
#include <fpx/status.h>
#include <fpx/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    FPX_ACCEL_VERSION = 3, /* 1 had no accumulators, 2 no parts of steps and no factors of scales */
    FPX_MAX_IN = 6,
    FPX_MAX_OUT = 3,
    FPX_NAME_MAX = 64
};

/* One operation for a device. step, op and name say where the call stands: for messages, never for
 * arithmetic. Inputs and outputs do not overlap, except where fpx/op.h's table says "in place": then
 * out[i] is exactly in[i], or overlaps nothing. */
typedef struct fpx_call {
    uint32_t struct_size; /* sizeof(fpx_call) of the caller */
    uint32_t kind;        /* fpx_op_kind */
    uint32_t role;        /* fpx_role */
    uint32_t op;          /* index in the step program */
    uint64_t step;
    char name[FPX_NAME_MAX];
    uint32_t nin, nout;
    fpx_tensor in[FPX_MAX_IN];
    fpx_tensor out[FPX_MAX_OUT];
    fpx_attr attr;
} fpx_call;

/* The table. Functions take the device that open returned. Text buffers get a terminated message on
 * failure. A table of a later version is larger; struct_size says what is there. */
typedef struct fpx_accel {
    uint32_t struct_size;
    uint32_t version; /* FPX_ACCEL_VERSION it was built with */
    const char *name; /* "cpu" */

    /* options: "key=value,key=value" or "". FPX_EINVAL: unknown key or value. */
    fpx_status (*open)(const char *options, void **ret_device, char *text, size_t text_size);
    void (*close)(void *device);

    /* What is here, for a person and a trace: kernels, threads, engine, driver version. */
    void (*describe)(void *device, char *text, size_t text_size);

    /* Memory. Handles are never 0. adopt (may be NULL: the caller stages by write and read) uses the
     * caller's memory at `address`, which stays the caller's and outlives the handle. */
    fpx_status (*alloc)(void *device, uint64_t bytes, uint32_t *ret_buffer);
    fpx_status (*adopt)(void *device, void *address, uint64_t bytes, uint32_t *ret_buffer);
    void (*release)(void *device, uint32_t buffer); /* also ends an adoption */
    fpx_status (*write)(void *device, uint32_t buffer, uint64_t offset, const void *src,
                        uint64_t bytes);
    fpx_status (*read)(void *device, uint32_t buffer, uint64_t offset, void *dst, uint64_t bytes);

    /* Announces a call (places may still be unset): FPX_OK and everything it needs is at hand (work
     * space, compiled kernels), so that run allocates nothing; FPX_EUNSUPPORTED: not this device;
     * FPX_EINVAL: shapes or attributes are wrong, with text. */
    fpx_status (*prepare)(void *device, const fpx_call *call, char *text, size_t text_size);
    /* Runs a prepared call and returns when its outputs are written. */
    fpx_status (*run)(void *device, const fpx_call *call, char *text, size_t text_size);
} fpx_accel;

/* A plugin exports this one symbol: NULL where it cannot serve that version. */
typedef const fpx_accel *fpx_accel_entry_fn(uint32_t version);
#define FPX_ACCEL_ENTRY "fpx_accel_entry"

#ifdef __cplusplus
}
#endif

#endif /* FPX_ACCEL_H */
