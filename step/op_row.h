/* op_row.h - the whole row of an operation: what the public table shows, and what its flops and
 * bounds are made from. */
#ifndef FPX_STEP_OP_ROW_H
#define FPX_STEP_OP_ROW_H

#include <fpx/optable.h>

typedef struct op_row {
    fpx_op_info info;
    double flops; /* for each element of in[flops_in] */
    uint8_t flops_in;
    void (*bound)(const fpx_bound_args *args);
    void (*bound_avx2)(const fpx_bound_args *args); /* the same bits; NULL: there is none */
    size_t (*scratch)(const fpx_call *call);        /* NULL: none */
} op_row;

/* kind < FPX_OP_KINDS. */
const op_row *op_row_of(uint32_t kind);

/* The public functions of every row. */
void op_bound(const fpx_bound_args *args);
size_t op_scratch(const fpx_call *call);

#endif /* FPX_STEP_OP_ROW_H */
