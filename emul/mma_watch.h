/* mma_watch.h - what the scalar reference tells of its work to fpx_mma_explain. The reference asks for each of these only
 * where it is watched: output->watch is not NULL. */
#ifndef FPX_MMA_WATCH_H
#define FPX_MMA_WATCH_H

#include <fpx/arith.h>
#include <fpx/mma_explain.h>

#include "mma_block.h"

struct mma_watch {
    fpx_mma_listener listener;
    void *user;
};

void mma_watch_start(const mma_output *o, size_t split);
void mma_watch_block(const mma_output *o, size_t k, size_t count, mma_acc c);
void mma_watch_product(const mma_output *o, size_t k, enum mma_kind kind, int negative,
                       const fpx_accumulator *exact);

/* A term or sum x, and kept 2^at, what it becomes. */
typedef struct mma_cut {
    mma_number x;
    int64_t kept;
    int at, has_e, e, is_dropped;
} mma_cut;
void mma_watch_cut(const mma_output *o, fpx_mma_event_kind kind, mma_place place,
                   const mma_cut *cut);

/* sum: exact; NULL: it is no number. */
void mma_watch_round(const mma_output *o, const fpx_accumulator *sum, uint64_t code);

/* rounded, result: before and after a subnormal is flushed. */
void mma_watch_operation(const mma_output *o, mma_place place, fpx_arith_op op,
                         const mma_acc *operands, uint64_t rounded, mma_acc result);

#endif /* FPX_MMA_WATCH_H */
