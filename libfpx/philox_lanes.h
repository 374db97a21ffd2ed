/* philox_lanes.h - Philox4x32-10 for several blocks at a time: each word of a block in a lane of 64 bits, whose
 * upper half may hold anything, as the 32-bit multiplications read the lower halves only. */
#ifndef FPX_PHILOX_LANES_H
#define FPX_PHILOX_LANES_H

#include <string.h>

#include "convert_kernels.h"
#include "lanes.h"

typedef struct philox_lanes {
    vi step, micro_batch, multiplier[2];
    vi key[10][2]; /* of each round */
} philox_lanes;

/* Vectors of blocks that go side by side: the steps of one wait for each other longer than they take. */
enum { ABREAST = 4 };

static inline __attribute__((always_inline)) void philox_batch(const philox_lanes *k,
                                                               uint64_t first, uint32_t *dst,
                                                               size_t abreast)
{
    vi c0[ABREAST], c1[ABREAST], c2[ABREAST], c3[ABREAST];

    for (size_t v = 0; v < abreast; v++) {
        wide_counters(first + v * WIDE_LANES, &c0[v], &c1[v]);
        c2[v] = k->step;
        c3[v] = k->micro_batch;
    }
    for (int round = 0; round < 10; round++) {
        for (size_t v = 0; v < abreast; v++) {
            const vi a = wide_mul(c0[v], k->multiplier[0]);
            const vi b = wide_mul(c2[v], k->multiplier[1]);

            c0[v] = wide_xor3(wide_high(b), c1[v], k->key[round][0]);
            c2[v] = wide_xor3(wide_high(a), c3[v], k->key[round][1]);
            c1[v] = b;
            c3[v] = a;
        }
    }
    for (size_t v = 0; v < abreast; v++)
        wide_store(dst + v * 4 * WIDE_LANES, c0[v], c1[v], c2[v], c3[v]);
}

static void philox_blocks(const uint32_t key[2], const uint32_t where[2], uint64_t first,
                          uint32_t *dst, size_t n)
{
    /* Weyl increments and multipliers of the paper, section 4.2 and table 2. */
    static const uint32_t weyl[2] = { 0x9e3779b9, 0xbb67ae85 };
    philox_lanes k;
    size_t i = 0;

    k.step = vi_set(where[0]);
    k.micro_batch = vi_set(where[1]);
    k.multiplier[0] = vi_set(0xd2511f53);
    k.multiplier[1] = vi_set(0xcd9e8d57);
    for (uint32_t round = 0; round < 10; round++) {
        k.key[round][0] = vi_set(key[0] + round * weyl[0]);
        k.key[round][1] = vi_set(key[1] + round * weyl[1]);
    }
    for (; n - i >= (size_t)ABREAST * WIDE_LANES; i += (size_t)ABREAST * WIDE_LANES)
        philox_batch(&k, first + i, dst + 4 * i, ABREAST);
    for (; n - i >= WIDE_LANES; i += WIDE_LANES)
        philox_batch(&k, first + i, dst + 4 * i, 1);
    if (i < n) {
        uint32_t last[4 * WIDE_LANES];
        philox_batch(&k, first + i, last, 1);
        memcpy(dst + 4 * i, last, (n - i) * 4 * sizeof *dst);
    }
}

#endif /* FPX_PHILOX_LANES_H */
