/* cpu_memory.h - the buffers of the built-in device: handles to owned or adopted memory. */
#ifndef FPX_ACCEL_CPU_MEMORY_H
#define FPX_ACCEL_CPU_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>

typedef struct cpu_buffer {
    char *address; /* NULL: free */
    uint64_t bytes;
    uint32_t generation; /* of the slot: a handle of an earlier use is refused */
    int owned;
} cpu_buffer;

typedef struct cpu_memory {
    cpu_buffer *buffers;
    size_t n;
} cpu_memory;

/* address NULL: own, zeroed, 64-byte aligned memory. FPX_ENOMEM. */
fpx_status cpu_memory_add(cpu_memory *memory, void *address, uint64_t bytes, uint32_t *ret_handle);
void cpu_memory_remove(cpu_memory *memory, uint32_t handle); /* a foreign handle is ignored */
void cpu_memory_free(cpu_memory *memory);

/* Address of [offset, offset + bytes) of a buffer; NULL where there is none. */
char *cpu_memory_at(const cpu_memory *memory, uint32_t handle, uint64_t offset, uint64_t bytes);

/* Zeroed and 64-byte aligned, for free(); NULL where memory ran out. bytes may be 0. */
void *cpu_memory_block(uint64_t bytes);

#endif /* FPX_ACCEL_CPU_MEMORY_H */
