/* mma_probes.h - inputs made to show one parameter of a model, from the numbers of the two that are to be separated. */
#ifndef FPX_MMA_PROBES_H
#define FPX_MMA_PROBES_H

#include "mma_trial.h"

typedef struct mma_probe {
    const char *name, *why;
    const char *fields;       /* that it shows, apart by blanks */
    int (*run)(mma_trial *t); /* 1: t->at separates the models */
} mma_probe;

/* NULL at and after the end. */
const mma_probe *mma_probe_at(size_t index);

/* Numbers of the two models, each once, in rising order; how many. */
enum { MMA_NUMBERS = 96 };

/* Lengths of K at which something begins or ends, and one more or less: 1 .. FPX_MMA_WITNESS_MAX. */
size_t mma_lengths(const mma_trial *t, size_t numbers[MMA_NUMBERS]);

/* Distances in bits below the largest term at which something is cut or rounded, and up to 2 around. */
size_t mma_depths(const mma_trial *t, size_t numbers[MMA_NUMBERS]);

/* Puts a number in its place of a rising list, once; not one above `most`, nor more than MMA_NUMBERS. */
void mma_numbers_insert(size_t *numbers, size_t *n, size_t number, size_t most);

/* Where a group of products is one term: products this far apart are in different ones, with scales of their own. */
size_t mma_spacing(const mma_trial *t);

/* mma_edges.c. */
int mma_probe_edges(mma_trial *t);
int mma_probe_least(mma_trial *t);
int mma_probe_unnormalised(mma_trial *t);

#endif /* FPX_MMA_PROBES_H */
