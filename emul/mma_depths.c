/* mma_depths.c - the numbers of two models that inputs are made from: where blocks end, and where terms are cut. */
#include <string.h>

#include "mma_probes.h"

static size_t larger(size_t x, size_t y)
{
    return x > y ? x : y;
}

void mma_numbers_insert(size_t *numbers, size_t *n, size_t number, size_t most)
{
    size_t i = 0;

    if (number > most || *n == MMA_NUMBERS)
        return;
    while (i < *n && numbers[i] < number)
        i++;
    if (i < *n && numbers[i] == number)
        return;
    memmove(numbers + i + 1, numbers + i, (*n - i) * sizeof numbers[0]);
    numbers[i] = number;
    ++*n;
}

size_t mma_lengths(const mma_trial *t, size_t numbers[MMA_NUMBERS])
{
    size_t n = 0;

    for (size_t k = 1; k <= 3; k++)
        mma_numbers_insert(numbers, &n, k, FPX_MMA_WITNESS_MAX);
    for (int i = 0; i < 2; i++) {
        const fpx_mma_model *const m = t->model[i];
        const size_t lengths[] = { m->block,
                                   m->step,
                                   m->group,
                                   m->width,
                                   (size_t)m->width * m->vectors,
                                   m->promote,
                                   m->tile,
                                   2 * (size_t)m->block,
                                   (size_t)m->tile * m->split,
                                   (size_t)m->promote * m->split,
                                   2 * (size_t)m->step };
        for (size_t j = 0; j < sizeof lengths / sizeof lengths[0]; j++) {
            for (size_t k = larger(lengths[j], 2) - 1; lengths[j] > 0 && k <= lengths[j] + 1; k++)
                mma_numbers_insert(numbers, &n, k, FPX_MMA_WITNESS_MAX);
        }
    }
    return n;
}

size_t mma_depths(const mma_trial *t, size_t numbers[MMA_NUMBERS])
{
    size_t n = 0;

    for (int i = 0; i < 2; i++) {
        const fpx_mma_model *const m = t->model[i];
        const size_t depths[] = { m->fraction,   m->fraction_out, m->fraction_sum,
                                  m->fraction_c, m->fraction_all, m->gap_c };
        for (size_t j = 0; j < sizeof depths / sizeof depths[0]; j++) {
            for (size_t d = larger(depths[j], 2) - 2; depths[j] > 0 && d <= depths[j] + 3; d++)
                mma_numbers_insert(numbers, &n, d, 300);
        }
    }
    return n;
}

size_t mma_spacing(const mma_trial *t)
{
    const size_t group = larger(t->model[0]->group, t->model[1]->group);

    return group == 0 ? 1 : larger(group, t->at.domain.scale_block);
}
