/* mma_hunt.h - random inputs near the edges of two models, and a found input made small. */
#ifndef FPX_MMA_HUNT_H
#define FPX_MMA_HUNT_H

#include "mma_trial.h"

/* At most so many random inputs: 1 where t->at separates the models. */
int mma_hunt(mma_trial *t, size_t tries);

/* t->at separates the models: makes it smaller while it does: fewest k, fewest terms, simplest codes. */
void mma_shrink(mma_trial *t);

#endif /* FPX_MMA_HUNT_H */
