/* pair_map.c - the map grows to twice its size when it is a quarter full. */
#include "pair_map.h"

#include <stdlib.h>

enum { FIRST_BITS = 10, LAST_BITS = 31 };

static fpx_status make(pair_map *map, unsigned bits)
{
    const size_t n = (size_t)1 << bits;
    pair_place *places = bits <= LAST_BITS ? calloc(n, sizeof *places) : NULL;

    if (places == NULL)
        return FPX_ENOMEM;
    for (size_t i = 0; i < n; i++)
        places[i] = (pair_place){ 0, PAIR_NONE };
    *map = (pair_map){ .places = places, .bits = bits };
    return FPX_OK;
}

fpx_status pair_map_make(pair_map *map)
{
    return make(map, FIRST_BITS);
}

void pair_map_free(pair_map *map)
{
    free(map->places);
    *map = (pair_map){ 0 };
}

static void put(pair_map *map, uint32_t key, uint32_t value)
{
    map->places[pair_map_place(map, key)] = (pair_place){ key, value };
    map->n++;
}

fpx_status pair_map_add(pair_map *map, uint32_t key, uint32_t value)
{
    const size_t room = (size_t)1 << map->bits;
    pair_map larger;

    if (4 * (map->n + 1) > room) {
        if (make(&larger, map->bits + 1) != FPX_OK)
            return FPX_ENOMEM;
        for (size_t i = 0; i < room; i++)
            if (map->places[i].value != PAIR_NONE)
                put(&larger, map->places[i].key, map->places[i].value);
        free(map->places);
        *map = larger;
    }
    put(map, key, value);
    return FPX_OK;
}
