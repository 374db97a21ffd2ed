/* fpx/device.h - an opened device: built in, in this process, or a plugin in a host process. */
#ifndef FPX_DEVICE_H
#define FPX_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/accel.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fpx_device fpx_device;

/* spec: `cpu[,threads=N][,level=scalar|avx2|avx512][,engine=repro|openblas]`, or
 * `PATH.so[,key=value...]`: the plugin is loaded in a host process of its own (exec'd), so that a crash
 * or hang is a finding and never the end of the tool. A spec with a '/' or ending in .so is a path.
 * The host is FPX_PLUGIN_HOST of the environment, else `fpx-plugin-host` beside the program.
 * FPX_EINVAL: malformed spec, unknown option; FPX_EIO: no such file, or it cannot be loaded, or no host;
 * FPX_EUNSUPPORTED: not a plugin, or of another ABI version; FPX_EDEVICE: the plugin loaded and then
 * crashed, hung or broke the ABI; else what the device's own `open` returned. */
fpx_status fpx_device_open(const char *spec, fpx_device **ret_device, fpx_error *err);

/* An in-process device from a table and an already opened context, which fpx_device_close closes
 * through the table. The table must outlive it. name: copied. */
fpx_status fpx_device_from_table(const char *name, const fpx_accel *table, void *opened,
                                 fpx_device **ret_device, fpx_error *err);

void fpx_device_close(fpx_device *device); /* NULL is fine */

const char *fpx_device_name(const fpx_device *device); /* the spec it was opened with */
void fpx_device_describe(fpx_device *device, char *text, size_t text_size);

/* For FPX_PLAN_ONLY (fpx/exec.h): the built-in device then makes no work space in prepare, and cannot run what needs
 * any; other devices do as ever. planned: bytes of it that there would be in this process, 0 of other devices. */
void fpx_device_plan(fpx_device *device);
uint64_t fpx_device_planned(const fpx_device *device);

/* The ABI's functions, with errors as text that name the device and the call. A host process that
 * died, or did not answer in time (FPX_DEVICE_TIMEOUT seconds in the environment, default 60, read by
 * open), or any device that returned a status or a handle the ABI does not know, gives FPX_EDEVICE,
 * then and ever after, with the text of the first time. */
fpx_status fpx_device_alloc(fpx_device *device, uint64_t bytes, uint32_t *ret_buffer,
                            fpx_error *err);

/* Shared memory made by fpx_arena_new; FPX_EUNSUPPORTED where the device cannot adopt memory. */
typedef struct fpx_arena fpx_arena;
fpx_status fpx_device_adopt(fpx_device *device, fpx_arena *arena, uint32_t *ret_buffer,
                            fpx_error *err);
void fpx_device_release(fpx_device *device, uint32_t buffer);
fpx_status fpx_device_write(fpx_device *device, uint32_t buffer, uint64_t offset, const void *src,
                            uint64_t bytes, fpx_error *err);
fpx_status fpx_device_read(fpx_device *device, uint32_t buffer, uint64_t offset, void *dst,
                           uint64_t bytes, fpx_error *err);
fpx_status fpx_device_prepare(fpx_device *device, const fpx_call *call, fpx_error *err);
fpx_status fpx_device_run(fpx_device *device, const fpx_call *call, fpx_error *err);

/* Zeroed memory that processes can share (a memfd), 64-byte aligned. FPX_ENOMEM. */
fpx_status fpx_arena_new(uint64_t bytes, fpx_arena **ret_arena, fpx_error *err);
void fpx_arena_free(fpx_arena *arena); /* NULL is fine; handles on it must be released before */
void *fpx_arena_address(const fpx_arena *arena);
uint64_t fpx_arena_bytes(const fpx_arena *arena);

/* The table of the built-in device, for wrapping. */
extern const fpx_accel fpx_accel_cpu;

#ifdef __cplusplus
}
#endif

#endif /* FPX_DEVICE_H */
