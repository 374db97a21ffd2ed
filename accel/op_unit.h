/* op_unit.h - a matrix product as a matrix unit of fpx/mma.h computes it: the float32 instance of GEMM where the call
 * names one. */
#ifndef FPX_ACCEL_OP_UNIT_H
#define FPX_ACCEL_OP_UNIT_H

#include "op_run.h"

/* FPX_EINVAL: no such unit. FPX_EUNSUPPORTED: its hardware does not take these formats or scales, or gives no fp32. With
 * text. */
fpx_status op_unit_accept(const op_run *run);

/* 1 where the product goes by runs of k (op_gemm_runs.h): scales of blocks in float32, or a unit that takes none. */
int op_by_runs(const op_run *run);

size_t op_unit_work(const op_run *run);

/* alpha: of the finished sums, fpx_mma_finish. */
fpx_status op_unit_run(const op_run *run, float alpha);

/* A slice of k, without its scales, to the unit's sums: work space for any slice of `length`, and the slice at k. */
size_t op_unit_slice_work(const op_run *run, size_t length);
fpx_status op_unit_slice(const op_run *run, size_t k, size_t length, float *sums, void *work);

#endif /* FPX_ACCEL_OP_UNIT_H */
