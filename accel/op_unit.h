/* op_unit.h - a matrix product as a matrix unit of fpx/mma.h computes it: the float32 instance of GEMM where the call
 * names one. */
#ifndef FPX_ACCEL_OP_UNIT_H
#define FPX_ACCEL_OP_UNIT_H

#include "op_run.h"

/* FPX_EINVAL: no such unit. FPX_EUNSUPPORTED: its hardware does not take these formats, or gives no fp32. With text. */
fpx_status op_unit_accept(const op_run *run);

size_t op_unit_work(const op_run *run);

/* alpha: of the finished sums, fpx_mma_finish. */
fpx_status op_unit_run(const op_run *run, float alpha);

#endif /* FPX_ACCEL_OP_UNIT_H */
