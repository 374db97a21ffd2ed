/* op_narrow.h - a product judged by the same product in float32. */
#ifndef STEP_OP_NARROW_H
#define STEP_OP_NARROW_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/accel.h>

#include "op_bound.h"

typedef struct op_narrow {
    const fpx_call *call;
    int any_order;      /* of the product judged; the other has fpx/gemm.h's */
    double decode[2];   /* the factors that decode its operands */
    const float *in[2]; /* the other's operands: codes times factors, rounded once */
    const float *value, *reference;
    double *scratch; /* op_scratch_gemm(call) doubles */
} op_narrow;

typedef struct op_narrow_verdict {
    double
        ratio; /* largest |value - reference| / bound; -1: one that differs has an infinite bound, and none is above */
    uint64_t above;
    size_t element; /* the first above, else that of the largest ratio */
} op_narrow_verdict;

/* Bounds from norms alone. 0, and no verdict: a unit's sums, scales of blocks, or codes so small that float32 may lose them. */
int op_narrow_judge(const op_narrow *args, op_narrow_verdict *ret_verdict);
int op_narrow_judge_avx2(const op_narrow *args, op_narrow_verdict *ret_verdict);

#endif /* STEP_OP_NARROW_H */
