/* mma_plan.h - which calls the vector kernels have, their limits, and where everything lies in scratch. */
#ifndef FPX_MMA_PLAN_H
#define FPX_MMA_PLAN_H

#include "mma_kernels.h"

/* The kernels for this call, which was checked; NULL: the scalar reference. */
const struct mma_kernels *mma_plan_kernels(const fpx_mma_model *model, const fpx_mma_call *call,
                                           fpx_cpu_level level);

/* Sets job up, with pointers into scratch (NULL: none; their sizes are right). Bytes of scratch; SIZE_MAX: too many. The
 * schedule is written where scratch is given. job->kernels, model, call are set. */
size_t mma_plan_layout(mma_job *job, size_t threads, unsigned char *scratch);

/* How the products of a row and a panel are made: mma_lanes.c, 2. */
uint8_t mma_plan_form(const mma_job *job, const mma_extent *a, const mma_extent *b);

#endif /* FPX_MMA_PLAN_H */
