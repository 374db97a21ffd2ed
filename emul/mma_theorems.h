/* mma_theorems.h - two models brought to their normal forms side by side. */
#ifndef FPX_MMA_THEOREMS_H
#define FPX_MMA_THEOREMS_H

#include <fpx/mma_separate.h>

/* Fields in which two models differ; the formats count as one. */
size_t mma_fields_apart(const fpx_mma_model *x, const fpx_mma_model *y);

/* Rewrites both until nothing changes; the theorems that made a difference go away are added to *ret_theorems. The
 * number of fields that still differ: 0 is a proof of equivalence. */
size_t mma_reduce(const fpx_mma_domain *domain, fpx_mma_model *x, fpx_mma_model *y,
                  uint64_t *ret_theorems);

#endif /* FPX_MMA_THEOREMS_H */
