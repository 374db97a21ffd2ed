/* packing.c - a bit stream in either direction: at most 7 bits wait between two bytes. */
#include "packing.h"

void cli_pack(unsigned bits, const uint8_t *src, size_t n, uint8_t *dst)
{
    uint32_t waiting = 0;
    unsigned held = 0;

    for (size_t i = 0; i < n; i++) {
        waiting |= (uint32_t)src[i] << held;
        held += bits;
        for (; held >= 8; held -= 8, waiting >>= 8)
            *dst++ = (uint8_t)waiting;
    }
}

void cli_unpack(unsigned bits, const uint8_t *src, size_t n, uint8_t *dst)
{
    const uint32_t mask = (1u << bits) - 1;
    uint32_t waiting = 0;
    unsigned held = 0;

    for (size_t i = 0; i < n; i++) {
        if (held < bits) {
            waiting |= (uint32_t)*src++ << held;
            held += 8;
        }
        dst[i] = (uint8_t)(waiting & mask);
        waiting >>= bits;
        held -= bits;
    }
}
