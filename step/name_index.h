/* name_index.h - which entry of an array has a name: programs of hundreds of layers have ten thousands of names, each looked up
 * several times while they grow. */
#ifndef STEP_NAME_INDEX_H
#define STEP_NAME_INDEX_H

#include <stddef.h>
#include <stdint.h>

/* Entries of `size` bytes that begin with their names; the array may move. All zeros: an empty index. */
typedef struct name_index {
    uint32_t *slots; /* 1 + the entry, 0: free; at least half of them are free */
    size_t room;     /* of slots: a power of two, or 0 */
    size_t count;
} name_index;

/* UINT32_MAX: none has it. */
uint32_t name_index_find(const name_index *index, const void *array, size_t size, const char *name);

/* Room for one more. 0: no memory, and the index is as it was. */
int name_index_reserve(name_index *index, const void *array, size_t size);

/* The entry after those added before; there is room, and its name is new. */
void name_index_add(name_index *index, const void *array, size_t size);

#endif /* STEP_NAME_INDEX_H */
