/* fpx/mma_explain.h - why one output of a matrix unit is what it is: the scalar reference of fpx/mma.h runs once more for
 * this element, and tells each thing that it does, exactly, in the order in which it does it.
 *
 *   START                       a split of K begins at +0
 *   BLOCK c                     the next `count` products, on the accumulator c
 *     PRODUCT a b               ALIGNED, EXACT: one for each k
 *     TERM  exact = kept + lost ALIGNED: a product, a group of them, or c, cut at 2^at toward zero
 *     SUM                       ALIGNED: the sum of the terms above, since the last SUM
 *     CUT   exact = kept + lost JOINED: a sum or c, cut at 2^at toward minus infinity
 *     ROUND exact = kept + lost ALIGNED, EXACT: the block's last conversion; its result is the accumulator
 *     MUL, ADD, FMA             TREE and FMA: operands and result; the last one's is the accumulator
 *   ADD                         beyond a block: late c, promotion, splits
 *   CONVERT                     k is 0: D is C in the model's format
 *
 * The result of the last event is D's element. A block whose sum is NaN or Inf ends in ROUND at once (JOINED: after the
 * products' SUM, in which NaN and Inf are terms of 0). */
#ifndef FPX_MMA_EXPLAIN_H
#define FPX_MMA_EXPLAIN_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/mma.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fpx_mma_event_kind {
    FPX_MMA_EVENT_START,
    FPX_MMA_EVENT_BLOCK,
    FPX_MMA_EVENT_PRODUCT,
    FPX_MMA_EVENT_TERM,
    FPX_MMA_EVENT_SUM,
    FPX_MMA_EVENT_CUT,
    FPX_MMA_EVENT_ROUND,
    FPX_MMA_EVENT_MUL,
    FPX_MMA_EVENT_ADD,
    FPX_MMA_EVENT_FMA,
    FPX_MMA_EVENT_CONVERT
} fpx_mma_event_kind;

/* What an event is about. */
typedef enum fpx_mma_part {
    FPX_MMA_PART_PRODUCTS, /* TERM, SUM, CUT: products; MUL, ADD: within a TREE's block */
    FPX_MMA_PART_EVEN,     /* of a block's terms, where the model has parities */
    FPX_MMA_PART_ODD,
    FPX_MMA_PART_C,       /* TERM, CUT: c; ADD: c + a TREE's products */
    FPX_MMA_PART_ALL,     /* SUM, CUT, ROUND: c and products */
    FPX_MMA_PART_LATE,    /* ADD: c + an instruction's result */
    FPX_MMA_PART_PROMOTE, /* ADD: what came before + the chain, which restarts from +0 */
    FPX_MMA_PART_PAIR,    /* ADD: two splits, FPX_MMA_PAIRWISE */
    FPX_MMA_PART_COMBINE, /* ADD: what splits made so far + the next one */
    FPX_MMA_PART_SPLIT_C  /* ADD: C + the sum of all splits */
} fpx_mma_part;

typedef enum fpx_mma_value_kind {
    FPX_MMA_VALUE_FINITE,
    FPX_MMA_VALUE_INF,
    FPX_MMA_VALUE_NAN
} fpx_mma_value_kind;

/* (-1)^negative (m + rest) 2^q, where rest is 0 or, with `more`, something between 0 and 1 (m has then its highest bit
 * set). Without `more` m is odd, or 0. Inf and NaN have m = 0. */
typedef struct fpx_mma_value {
    uint8_t kind, negative, more;
    uint64_t m;
    int q;
} fpx_mma_value;

/* format: lasts as long as the call and the model; NULL: there is none. */
typedef struct fpx_mma_code {
    const fpx_format *format;
    uint64_t code;
} fpx_mma_code;

/* Fields that an event has no use for are 0. */
typedef struct fpx_mma_event {
    uint8_t kind; /* fpx_mma_event_kind */
    uint8_t part; /* fpx_mma_part */
    size_t k;     /* the first k it is about; START: the split's number */
    size_t count; /* products it is about; TERM of c: 0 */

    /* Operands: PRODUCT, MUL (a, b); FMA (a, b, c); ADD (a + b); BLOCK, CONVERT (c). Elements of A and B are as the
     * unit reads them, low bits dropped and flushed as the model says; *_given: as they lie in memory. */
    fpx_mma_code a, b, c, scale_a, scale_b;
    uint64_t a_given, b_given;

    /* exact = kept + lost. PRODUCT, SUM: exact alone. What is no number has no lost part (kind NaN). CUT of c: all
     * is lost, Inf too, where gap_c drops it. ROUND to 0 of a finite sum and operations: kept is result's value. */
    fpx_mma_value exact, kept, lost;
    uint8_t has_e; /* TERM, SUM: alignment sees an exponent: that of one term, or the largest, E */
    uint8_t is_dropped; /* CUT of c: gap_c dropped it */
    int e;
    int at; /* TERM, SUM, CUT: the last place kept is 2^at */

    uint64_t rounded;    /* MUL, ADD, FMA: the result before a subnormal is flushed */
    fpx_mma_code result; /* ROUND, MUL, ADD, FMA, CONVERT */
} fpx_mma_event;

/* event lasts until it returns. */
typedef void (*fpx_mma_listener)(void *user, const fpx_mma_event *event);

/* Runs the reference for element (i, j) of a call's first product (fpx_mma_call_at gives the others). *ret_code: what
 * fpx_mma gives. FPX_EINVAL with text: there is no such element; else fpx_mma's statuses. err may be NULL. */
fpx_status fpx_mma_explain(const fpx_mma_model *model, const fpx_mma_call *call, size_t i, size_t j,
                           fpx_mma_listener listener, void *user, uint64_t *ret_code,
                           fpx_error *err);

/* The value of a code, exactly. */
fpx_mma_value fpx_mma_value_of(const fpx_format *format, uint64_t code);

#ifdef __cplusplus
}
#endif

#endif /* FPX_MMA_EXPLAIN_H */
