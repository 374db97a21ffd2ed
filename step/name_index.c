/* name_index.c - open addressing with linear probing; entries are never taken out. */
#include "name_index.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bits. */
static uint64_t hash(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return h ^ h >> 32;
}

/* Where the name is, or the free slot where it would be. */
static size_t probe(const name_index *index, const void *array, size_t size, const char *name)
{
    size_t at = (size_t)hash(name) & (index->room - 1);

    while (index->slots[at] != 0 &&
           strcmp((const char *)array + (index->slots[at] - 1) * size, name) != 0)
        at = (at + 1) & (index->room - 1);
    return at;
}

uint32_t name_index_find(const name_index *index, const void *array, size_t size, const char *name)
{
    const uint32_t slot = index->room > 0 ? index->slots[probe(index, array, size, name)] : 0;

    return slot - 1; /* a free one's is UINT32_MAX */
}

int name_index_reserve(name_index *index, const void *array, size_t size)
{
    name_index grown = { .room = index->room == 0 ? 128 : 2 * index->room };

    if (2 * (index->count + 1) <= index->room)
        return 1;
    if ((grown.slots = calloc(grown.room, sizeof *grown.slots)) == NULL)
        return 0;
    while (grown.count < index->count)
        name_index_add(&grown, array, size);
    free(index->slots);
    *index = grown;
    return 1;
}

void name_index_add(name_index *index, const void *array, size_t size)
{
    const char *name = (const char *)array + index->count * size;

    index->slots[probe(index, array, size, name)] = (uint32_t)++index->count;
}
