/* mma_schedule.h - the order of one output, which is the same for all: a list of operations on a few accumulators, and
 * the order in which it reads k. */
#ifndef FPX_MMA_SCHEDULE_H
#define FPX_MMA_SCHEDULE_H

#include "mma_block.h"

/* Accumulators. C starts as the call's C (+0 where there is none). */
enum {
    MMA_REG_C,
    MMA_REG_CHAIN,
    MMA_REG_STEP,
    MMA_REG_PART,
    MMA_REG_PAIR,
    MMA_REG_TOTAL,
    MMA_REGS
};

enum mma_op_kind {
    MMA_OP_ZERO,  /* to = +0 */
    MMA_OP_BLOCK, /* to = the block of `to` and terms [first, first + count) of the span */
    MMA_OP_ADD    /* to = to + from, to nearest even */
};

typedef struct mma_op {
    uint8_t kind, to, from;
    uint8_t is_c; /* `to` holds C as it was given, in its own format */
    uint32_t count;
    size_t first;
    size_t at; /* of the block's first k in the order */
    mma_span span;
} mma_op;

typedef struct mma_schedule {
    mma_op *ops;     /* NULL: only counted */
    uint32_t *order; /* k by position; NULL: only counted */
    size_t nops, nk;
    unsigned result;          /* the register that holds the output */
    int is_ascending;         /* position i is k = i */
    int has_c, is_c_as_given; /* of the call; of register C at this point of the list */
    void (*visit)(void *context,
                  const mma_op *op); /* NULL, or called for each operation in order */
    void *context;
} mma_schedule;

/* Writes the list, or only its lengths where ops and order are NULL. k > 0 fits 32 bits; the model was checked. */
void mma_schedule_make(const fpx_mma_model *model, size_t k, int has_c, mma_schedule *schedule);

/* Vector h of the step [begin, begin + length). */
mma_span mma_span_of(const fpx_mma_model *model, size_t begin, size_t length, size_t h);

/* The k of term t. */
size_t mma_span_k(const mma_span *span, size_t t);

#endif /* FPX_MMA_SCHEDULE_H */
