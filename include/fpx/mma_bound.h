/* fpx/mma_bound.h - how far a matrix unit's result may lie from the exact C + A B: proved bounds, in two tiers, and the
 * error itself.
 *
 *   cheap   from a few numbers of each row and column: O(1) an element once they are known
 *   tight   from the magnitudes |a| |b| of the element itself, block by block: O(k) an element; never above the cheap one
 *           but for the rounding of both
 *
 * Exact means the operands as given, scales included: what a model does not read (drop, flush_inputs) counts as error. The
 * proofs are in emul/mma_bound.c. A bound is Inf where nothing is claimed: NaN or Inf in an operand, or an overflow that
 * cannot be ruled out. It is inflated for its own rounding, and never NaN. */
#ifndef FPX_MMA_BOUND_H
#define FPX_MMA_BOUND_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/exact.h>
#include <fpx/mma.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a bound is made for, and how often an output is rounded: the same for all outputs. Points at the model and the
 * call, which must outlive it. */
typedef struct fpx_mma_bounds {
    const fpx_mma_model *model;
    const fpx_mma_call *call;
    uint64_t blocks;    /* blocks of an output */
    uint64_t terms;     /* products in them; with groups, groups */
    uint64_t additions; /* beyond blocks: late c, promotion, splits */
    unsigned depth;     /* additions between a product and its block's sum (TREE) */
} fpx_mma_bounds;

/* What the cheap tier knows of a row of A or a column of B. */
typedef struct fpx_mma_extent {
    double read, given,
        lost;         /* 2-norms: of the values read, of those given, of their differences */
    uint64_t nonzero; /* values read that are not 0 */
    int most;    /* the largest exponent that alignment sees in them; with groups, of the scales */
    int is_open; /* NaN or Inf is among them */
} fpx_mma_extent;

/* Of one product: of a batch see fpx_mma_call_at. Statuses of fpx_mma; FPX_EUNSUPPORTED also for k of 2^32 or more. err may
 * be NULL. */
fpx_status fpx_mma_bounds_make(const fpx_mma_model *model, const fpx_mma_call *call,
                               fpx_mma_bounds *ret_bounds, fpx_error *err);

/* Row i < m of A, column j < n of B: O(k). */
fpx_mma_extent fpx_mma_bound_row(const fpx_mma_bounds *bounds, size_t i);
fpx_mma_extent fpx_mma_bound_column(const fpx_mma_bounds *bounds, size_t j);

/* |D[i][j] - exact| <= this. row and column are those of i and j. */
double fpx_mma_bound_cheap(const fpx_mma_bounds *bounds, size_t i, size_t j,
                           const fpx_mma_extent *row, const fpx_mma_extent *column);
double fpx_mma_bound_tight(const fpx_mma_bounds *bounds, size_t i, size_t j);

/* An error below this is within the tight bound, whatever that is: so such an error is innocent without it, as one above
 * the cheap bound is guilty without it. */
double fpx_mma_bound_least(const fpx_mma_bounds *bounds, const fpx_accumulator *exact);

/* C[i][j] + the sum over k of A[i][k] B[k][j], scales included, exactly. NaN and Inf count as 0: no bound is claimed of
 * their outputs. */
void fpx_mma_exact(const fpx_mma_call *call, size_t i, size_t j, fpx_accumulator *ret_sum);

/* |code - exact|, code being one of the model's format, rounded upward; Inf where code is NaN or Inf. */
double fpx_mma_error(const fpx_mma_bounds *bounds, uint64_t code, const fpx_accumulator *exact);

#ifdef __cplusplus
}
#endif

#endif /* FPX_MMA_BOUND_H */
