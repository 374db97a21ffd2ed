/* op_gemm_runs.h - products whose operands have block scales that must not meet the codes before the sum: the sum is
 * cut where a scale changes (a run of k), and each run's sum is multiplied by both scales. */
#ifndef FPX_ACCEL_OP_GEMM_RUNS_H
#define FPX_ACCEL_OP_GEMM_RUNS_H

#include "op_real.h"

/* Of op_gemm.c: a matrix as reals, itself or its codes decoded to `to`; its codes times the scales of their blocks, for which
 * there is room for one real each; and the output times alpha, which is the same where alpha is 1. */
const fpx_real *OP(op_gemm_decode)(const op_run *run, uint32_t i, void *to);
void OP(op_gemm_decode_blocks)(const op_run *run, uint32_t i, fpx_real *to, fpx_real *scales);
void OP(op_gemm_times)(const op_run *run, fpx_real alpha);

#if !FPX_REAL_IS_DOUBLE
size_t OP(op_gemm_runs_work)(const op_run *run);
fpx_status OP(op_gemm_runs)(const op_run *run, float alpha);
#endif

#endif /* FPX_ACCEL_OP_GEMM_RUNS_H */
