/* cpu_memory.c - handles are slot and generation: a released handle stays wrong when its slot is used
 * again, until 65,536 uses later.
 *
 *   bit 31 .. 16 generation, 15 .. 0 slot + 1 */
#include "cpu_memory.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 0xffff };

static cpu_buffer *find(const cpu_memory *memory, uint32_t handle)
{
    const size_t slot = (handle & 0xffffu) - 1u; /* 0 becomes a slot that never is */

    if (slot >= memory->n || memory->buffers[slot].address == NULL ||
        memory->buffers[slot].generation != handle >> 16)
        return NULL;
    return &memory->buffers[slot];
}

void *cpu_memory_block(uint64_t bytes)
{
    const uint64_t rounded = bytes > UINT64_MAX - 63 ? UINT64_MAX : (bytes / 64 + 1) * 64;
    void *block = rounded > SIZE_MAX / 2 ? NULL : aligned_alloc(64, (size_t)rounded);

    if (block != NULL)
        memset(block, 0, (size_t)rounded);
    return block;
}

static fpx_status free_slot(cpu_memory *memory, size_t *ret_slot)
{
    size_t slot = 0;

    while (slot < memory->n && memory->buffers[slot].address != NULL)
        slot++;
    if (slot == SLOTS)
        return FPX_ENOMEM;
    if (slot == memory->n) {
        cpu_buffer *grown = realloc(memory->buffers, (slot + 1) * sizeof *grown);

        if (grown == NULL)
            return FPX_ENOMEM;
        grown[slot] = (cpu_buffer){ .address = NULL };
        memory->buffers = grown;
        memory->n = slot + 1;
    }
    *ret_slot = slot;
    return FPX_OK;
}

fpx_status cpu_memory_add(cpu_memory *memory, void *address, uint64_t bytes, uint32_t *ret_handle)
{
    size_t slot;
    const fpx_status status = free_slot(memory, &slot);

    if (status != FPX_OK)
        return status;
    cpu_buffer *b = &memory->buffers[slot];
    b->owned = address == NULL;
    b->address = address == NULL ? cpu_memory_block(bytes) : address;
    b->bytes = bytes;
    if (b->address == NULL)
        return FPX_ENOMEM;
    *ret_handle = b->generation << 16 | (uint32_t)(slot + 1);
    return FPX_OK;
}

void cpu_memory_remove(cpu_memory *memory, uint32_t handle)
{
    cpu_buffer *b = find(memory, handle);

    if (b == NULL)
        return;
    if (b->owned)
        free(b->address);
    b->address = NULL;
    b->generation = (b->generation + 1) & 0xffffu;
}

void cpu_memory_free(cpu_memory *memory)
{
    for (size_t i = 0; i < memory->n; i++)
        if (memory->buffers[i].owned)
            free(memory->buffers[i].address);
    free(memory->buffers);
}

char *cpu_memory_at(const cpu_memory *memory, uint32_t handle, uint64_t offset, uint64_t bytes)
{
    const cpu_buffer *b = find(memory, handle);

    if (b == NULL || offset > b->bytes || bytes > b->bytes - offset)
        return NULL;
    return b->address + offset;
}
