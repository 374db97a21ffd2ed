/* fpx/optable.h - one row for each operation kind: flops, error bound. Names and shapes are
 * fpx/opshape.h's. */
#ifndef FPX_OPTABLE_H
#define FPX_OPTABLE_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/accel.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a bound is computed from: the call, its inputs exactly as float64 values (int32 inputs as
 * such), and the float64 reference outputs. bound[i] has as many entries as output i. */
typedef struct fpx_bound_args {
    const fpx_call *call; /* of the operation judged, in its own formats */
    double unit;          /* unit roundoff of the arithmetic judged: 2^-24 for float32 */
    int any_order; /* 1: another device's products, whose sums may be in any order; 0: fpx/gemm.h's */
    const void *in[FPX_MAX_IN];
    /* Of a product, else not read: the factors that decode in[0] and in[1] (0: not known, with a unit they are needed), and,
     * of one with a unit, the codes as they lie. */
    const void *codes[2];
    double decode[2];
    const double *out[FPX_MAX_OUT];
    /* NULL, or output 0 as it was computed: where a row has two bounds, the tight one is then written for each element
     * that the cheap one cannot decide. */
    const double *value;
    /* Written: |computed - reference| <= bound, element by element. Inf where nothing is claimed: an
     * input that the element depends on is NaN or Inf, something may overflow, an operation has no
     * reference (SCALE). 0: the same value. Never NaN. QUANTIZE is judged by its decoded values
     * against x, with in[1] the scale of the call judged. */
    double *bound[FPX_MAX_OUT];
    double *scratch; /* bound_scratch(call) doubles */
} fpx_bound_args;

typedef struct fpx_op_info {
    /* Floating-point operations of the call: a multiply-add counts 2; causal attention half. */
    double (*flops)(const fpx_call *call);
    /* Rigorous for this library's own order of operations, products also for any other (any_order).
     * bound_scratch never fails. */
    size_t (*bound_scratch)(const fpx_call *call);
    void (*bound)(const fpx_bound_args *args);
} fpx_op_info;

/* kind < FPX_OP_KINDS; NULL otherwise. */
const fpx_op_info *fpx_op_info_of(fpx_op_kind kind);

/* "fprop", "dgrad", "wgrad", "optimizer", "comm"; NULL otherwise. */
const char *fpx_role_name(fpx_role role);

#ifdef __cplusplus
}
#endif

#endif /* FPX_OPTABLE_H */
