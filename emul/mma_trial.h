/* mma_trial.h - an input under trial of two models: built term by term from powers of two, given to both. */
#ifndef FPX_MMA_TRIAL_H
#define FPX_MMA_TRIAL_H

#include <fpx/mma_separate.h>

#include "mma_block.h"

typedef struct mma_trial {
    const fpx_mma_model *model[2];
    fpx_mma_witness at;                            /* d: of the last trial */
    int scale_e[FPX_MMA_WITNESS_MAX];              /* of both scales of a block of them */
    unsigned char is_claimed[FPX_MMA_WITNESS_MAX]; /* a term has chosen them */
    uint64_t random;                               /* SplitMix64 */
    size_t tries;
    const fpx_mma_watcher *watcher;                  /* NULL: nobody ends the trials */
    int is_over;                                     /* who watches has ended them */
    unsigned char codes[4][FPX_MMA_WITNESS_MAX * 8]; /* of A, B, scales: unpacked, for the call */
} mma_trial;

/* Exponents that a format's numbers have: of the last place of all, and of the largest. */
int mma_exponent_lowest(const fpx_format *format);
int mma_exponent_highest(const fpx_format *format);

/* The code of (-1)^negative 2^q; 0: the format has none. */
int mma_power_of_two(const fpx_format *format, int negative, int q, uint64_t *ret_code);

/* k products of +0 by +0, scales of 1, c = +0. */
void mma_trial_clear(mma_trial *t, size_t k);

/* The product at i becomes (-1)^negative 2^q; a has 2^lean more of it than b. The first in a block of scales chooses them.
 * 0: no codes make it, or there is no such i. */
int mma_trial_put(mma_trial *t, size_t i, int negative, int q, int lean);

/* c becomes (-1)^negative 2^q. 0: there is no such code. */
int mma_trial_put_c(mma_trial *t, int negative, int q);

/* Both models run: 1 where they differ. Once trials are over: 0, and nothing runs. */
int mma_trial_differs(mma_trial *t);

/* The exponents that products can have, scales included. */
void mma_trial_range(const fpx_mma_domain *domain, int *ret_lowest, int *ret_highest);

uint64_t mma_trial_next(mma_trial *t);
size_t mma_trial_below(mma_trial *t, size_t n);

#endif /* FPX_MMA_TRIAL_H */
