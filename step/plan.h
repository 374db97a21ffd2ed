/* plan.h - where each tensor of a program lies in the arena: tensors that are never alive together share
 * memory. */
#ifndef STEP_PLAN_H
#define STEP_PLAN_H

#include <fpx/program.h>

/* Operations, both included, during which a tensor's memory is its own. */
typedef struct step_span {
    uint32_t first, last;
} step_span;

/* Offsets of all tensors (ret_offsets, 64-byte aligned), their spans, and the size of the arena that holds them.
 * keep: enum fpx_exec_keep. FPX_ENOMEM: memory, or a size above UINT64_MAX / 2. */
fpx_status step_plan(const fpx_program *program, unsigned keep, uint64_t *ret_offsets,
                     step_span *ret_spans, uint64_t *ret_bytes);

#endif /* STEP_PLAN_H */
