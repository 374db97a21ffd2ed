/* gemm_steps.h - the events of one element in steps: what is one row or one table of a page, and what each step lost. */
#ifndef CLI_GEMM_STEPS_H
#define CLI_GEMM_STEPS_H

#include <fpx/exact.h>
#include <fpx/mma_explain.h>

/* Element (i, j) of a product that fpx_mma takes. */
typedef struct gemm_element {
    const fpx_mma_model *model;
    fpx_mma_call call; /* of one product */
    size_t i, j;
} gemm_element;

/* A block with all that happens in it (events[0] is BLOCK); or one event: an FMA, an addition beyond blocks, the start of
 * a split, the conversion of C. */
typedef struct gemm_step {
    size_t number;
    size_t block; /* this is block number `block` of the element, from 1; 0: it is no block */
    const fpx_mma_event *events;
    size_t n;
} gemm_step;

typedef void (*gemm_step_listener)(void *user, const gemm_step *step);

/* Steps in order. fpx_mma_explain's statuses, FPX_ENOMEM with text. */
fpx_status gemm_steps_walk(const gemm_element *x, gemm_step_listener listener, void *user,
                           uint64_t *ret_code, fpx_error *err);

/* Why the result is not the exact product of what lies in memory. */
typedef enum gemm_loss {
    GEMM_LOSS_READING,  /* low bits dropped, subnormals flushed in A, B and C */
    GEMM_LOSS_ALIGNING, /* terms and sums cut */
    GEMM_LOSS_ROUNDING, /* a block's last conversion; FMA and TREE: each operation */
    GEMM_LOSS_ADDING,   /* beyond blocks */
    GEMM_LOSSES
} gemm_loss;

/* A step in short. */
typedef struct gemm_mark {
    uint8_t kind, part;    /* of its first event */
    uint8_t turns_special; /* after it NaN or Inf, and before it something else */
    uint8_t is_whole; /* after it the accumulator holds C and k 0 .. read - 1, and nothing else */
    size_t block;
    size_t k, last_k, count;    /* products: first k, largest k, number */
    size_t read;                /* products so far, in all */
    size_t rows;                /* of a table */
    long double lost;           /* sum of magnitudes; of NaN and Inf nothing can be lost */
    fpx_mma_code before, after; /* the accumulator; format NULL: there is none */
} gemm_mark;

typedef struct gemm_story {
    gemm_mark *marks;
    size_t n, room, blocks;
    int is_out_of_memory;
    size_t max_k;
    long double lost[GEMM_LOSSES]; /* with signs, while the accumulator is a number */
    size_t misread;                /* elements that the unit reads as other numbers than they are */
    fpx_accumulator exact;         /* of what lies in memory */
    int is_special;                /* Inf or NaN lies there, and so it is no number */
    uint64_t code;
} gemm_story;

/* To be released in any case. */
fpx_status gemm_story_make(const gemm_element *x, gemm_story *ret_story, fpx_error *err);
void gemm_story_release(gemm_story *story);

/* The same value (of one format: the same code). */
int gemm_same_code(const fpx_mma_code *x, const fpx_mma_code *y);

/* NaN or Inf. */
int gemm_is_special(const fpx_mma_code *x);

/* Near the value; NaN for what is none. */
long double gemm_near(const fpx_mma_value *x);

#endif /* CLI_GEMM_STEPS_H */
