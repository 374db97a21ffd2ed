/* cpu_device.h - what tests and the doctor may ask the built-in device beyond the device ABI. */
#ifndef FPX_ACCEL_CPU_DEVICE_H
#define FPX_ACCEL_CPU_DEVICE_H

#include <stddef.h>

/* How many loops ran on more than one thread since open. device: as the table's open returned it. */
size_t cpu_device_parallel_runs(const void *device);

/* From now on prepare makes no work space, and run refuses what needs any. */
void cpu_device_plan(void *device);
/* Bytes of work space that prepare would have made. */
size_t cpu_device_planned(const void *device);

#endif /* FPX_ACCEL_CPU_DEVICE_H */
