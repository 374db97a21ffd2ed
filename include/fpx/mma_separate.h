/* fpx/mma_separate.h - two models of matrix units: an input to which they give different outputs, or the proof that
 * there is none.
 *
 * Over every K, all codes of A, B and the scales, and C in D's format. Proofs hold for K = 0 and C = NULL too; inputs that
 * separate have a K of 1 to FPX_MMA_WITNESS_MAX and a C. What only a longer one shows is UNRESOLVED.
 *
 * The proof is a table of theorems. Each rewrites a model to another one that gives the same outputs, with a field set to
 * one value for all that cannot be told apart; two models that become the same are equivalent. */
#ifndef FPX_MMA_SEPARATE_H
#define FPX_MMA_SEPARATE_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/format.h>
#include <fpx/mma.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Formats of one call. C has D's. */
typedef struct fpx_mma_domain {
    fpx_format a, b, scale;
    size_t scale_block; /* elements that share a scale; 0: no scales */
} fpx_mma_domain;

/* Domain `index` of those that both presets name and their models have room for. A preset that takes any format names
 * those of the table that are float, signed and at least 4 bits. FPX_EINVAL: at and after the end; D's formats differ. */
fpx_status fpx_mma_domain_at(const fpx_mma_preset *x, const fpx_mma_preset *y, size_t index,
                             fpx_mma_domain *ret_domain);

enum { FPX_MMA_WITNESS_MAX = 1024 };

/* One output's input: codes of A's row, B's column, their scales (of elements i * scale_block and on) and C; and what
 * each of the two models makes of it. */
typedef struct fpx_mma_witness {
    fpx_mma_domain domain;
    size_t k;
    uint64_t a[FPX_MMA_WITNESS_MAX], b[FPX_MMA_WITNESS_MAX];
    uint64_t scale_a[FPX_MMA_WITNESS_MAX], scale_b[FPX_MMA_WITNESS_MAX];
    uint64_t c, d[2];
} fpx_mma_witness;

/* fpx_mma of a witness's input: the code of D. fpx_mma's statuses; FPX_EINVAL with text also: k beyond what it holds. */
fpx_status fpx_mma_witness_run(const fpx_mma_model *model, const fpx_mma_witness *witness,
                               uint64_t *ret_d, fpx_error *err);

typedef enum fpx_mma_verdict {
    FPX_MMA_EQUIVALENT, /* proved */
    FPX_MMA_SEPARATED,  /* seen */
    FPX_MMA_UNRESOLVED  /* neither a proof nor, after so many tries, an input */
} fpx_mma_verdict;

typedef struct fpx_mma_separation {
    fpx_mma_verdict verdict;
    uint64_t theorems; /* EQUIVALENT: bit i: theorem i is needed; 0: the same numbers in both */
    const char *probe, *why; /* SEPARATED: what found the input, and why it works; static */
    size_t tries;            /* inputs given to both */
    int is_long; /* UNRESOLVED: no input of FPX_MMA_WITNESS_MAX k or fewer separates them, a longer one may */
    fpx_mma_witness witness; /* SEPARATED: as small as it could be made */
} fpx_mma_separation;

/* Asked before each input with the number of those before; not 0: the search is to end. */
typedef struct fpx_mma_watcher {
    int (*is_over)(void *context, size_t tries);
    void *context;
} fpx_mma_watcher;

/* tries: bound of the random search in each domain after the constructed probes; of all domains together it is
 * FPX_MMA_TRIES_FACTOR times that. watcher: NULL, or who may end the search. The same arguments give the same answer.
 * FPX_EINVAL with text: a model; D's formats differ. FPX_EUNSUPPORTED with text: no formats that both take.
 * FPX_EINTERRUPTED with text: the watcher ended it. err may be NULL. */
enum { FPX_MMA_TRIES_FACTOR = 8 };
fpx_status fpx_mma_separate(const fpx_mma_preset *x, const fpx_mma_preset *y, size_t tries,
                            uint64_t seed, const fpx_mma_watcher *watcher,
                            fpx_mma_separation *ret_separation, fpx_error *err);

/* The search alone, in one domain, no theorem asked: what a claim of equivalence must withstand. The probes that show a
 * field in which the two differ, then random inputs. SEPARATED or UNRESOLVED; statuses as above. */
fpx_status fpx_mma_attack(const fpx_mma_model *x, const fpx_mma_model *y,
                          const fpx_mma_domain *domain, size_t tries, uint64_t seed,
                          fpx_mma_separation *ret_separation, fpx_error *err);

/* Theorem `index`, static texts; NULL at and after the end. Proofs: emul/mma_theorems.c. */
typedef struct fpx_mma_theorem {
    const char *name, *statement;
} fpx_mma_theorem;
const fpx_mma_theorem *fpx_mma_theorem_at(size_t index);

/* What the theorems make of a valid model in a domain: another that gives the same outputs, valid too. Two models that become
 * the same in every domain are equivalent. */
fpx_mma_model fpx_mma_normal_form(const fpx_mma_model *model, const fpx_mma_domain *domain);

/* The single-parameter mutants of a model that fpx_mma_model_check accepts: of each field its other names, or its value
 * less and plus 1, doubled and halved. *cursor starts at 0. FPX_EINVAL: no more. */
fpx_status fpx_mma_mutant_next(const fpx_mma_model *model, size_t *cursor,
                               fpx_mma_model *ret_mutant, size_t *ret_field);

#ifdef __cplusplus
}
#endif

#endif /* FPX_MMA_SEPARATE_H */
