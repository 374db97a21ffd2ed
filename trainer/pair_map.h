/* pair_map.h - from a pair of tokens to a number: open addressing with linear probing, at most a quarter full
 * (a lookup then looks at 1.2 places on average). Nothing is ever taken out. */
#ifndef TRAINER_PAIR_MAP_H
#define TRAINER_PAIR_MAP_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>

enum { PAIR_NONE = UINT32_MAX };

typedef struct pair_place {
    uint32_t key;   /* left * 2^16 + right */
    uint32_t value; /* PAIR_NONE: the place is free */
} pair_place;

typedef struct pair_map {
    pair_place *places;
    unsigned bits; /* 2^bits places */
    size_t n;
} pair_map;

/* FPX_ENOMEM. */
fpx_status pair_map_make(pair_map *map);
void pair_map_free(pair_map *map);

/* key is not in the map, value is below PAIR_NONE. FPX_ENOMEM: the map is as it was. */
fpx_status pair_map_add(pair_map *map, uint32_t key, uint32_t value);

static inline uint32_t pair_key(uint32_t left, uint32_t right)
{
    return left << 16 | right;
}

/* The place of the key, or the free one where it would be. Fibonacci hashing (Knuth 6.4): 2^32 / golden ratio. */
static inline size_t pair_map_place(const pair_map *map, uint32_t key)
{
    const size_t mask = ((size_t)1 << map->bits) - 1;
    size_t at = (key * UINT32_C(0x9e3779b1)) >> (32 - map->bits);

    while (map->places[at].value != PAIR_NONE && map->places[at].key != key)
        at = (at + 1) & mask;
    return at;
}

static inline uint32_t pair_map_find(const pair_map *map, uint32_t key)
{
    return map->places[pair_map_place(map, key)].value;
}

#endif /* TRAINER_PAIR_MAP_H */
