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

static inline void philox_batch(const philox_lanes *k, uint64_t first, uint32_t *dst)
{
    vi c0, c1;
    vi c2 = k->step;
    vi c3 = k->micro_batch;

    wide_counters(first, &c0, &c1);
    for (int round = 0; round < 10; round++) {
        const vi a = wide_mul(c0, k->multiplier[0]);
        const vi b = wide_mul(c2, k->multiplier[1]);

        c0 = wide_xor3(wide_high(b), c1, k->key[round][0]);
        c2 = wide_xor3(wide_high(a), c3, k->key[round][1]);
        c1 = b;
        c3 = a;
    }
    wide_store(dst, c0, c1, c2, c3);
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
    for (; n - i >= WIDE_LANES; i += WIDE_LANES)
        philox_batch(&k, first + i, dst + 4 * i);
    if (i < n) {
        uint32_t last[4 * WIDE_LANES];
        philox_batch(&k, first + i, last);
        memcpy(dst + 4 * i, last, (n - i) * 4 * sizeof *dst);
    }
}

#endif /* FPX_PHILOX_LANES_H */
