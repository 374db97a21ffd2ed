/* fpx/ablation.h - an ablation: one experiment trained in several ways over paired seeds, what is claimed of each way,
 * and the margin within which two of them are called equal. A YAML file, read as fpx/config.h's are. */
#ifndef FPX_ABLATION_H
#define FPX_ABLATION_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is compared; the less, the better. */
typedef enum fpx_measure {
    FPX_VALIDATION, /* bits per byte (token) of the validation part after the last step */
    FPX_FLUSHED /* share of values that are not 0, of the tensors named, which the last step stores as 0 */
} fpx_measure;

typedef enum fpx_arm_kind {
    FPX_ARM_PLAIN,
    FPX_ARM_BASELINE, /* what the others are compared with, unless they say otherwise */
    FPX_ARM_CONTROL   /* known to be bad: where it is not seen to be, the comparison had no power */
} fpx_arm_kind;

typedef enum fpx_expectation {
    FPX_EXPECT_NOTHING,
    FPX_EXPECT_EQUAL,
    FPX_EXPECT_WORSE,
    FPX_EXPECT_BETTER,
    FPX_EXPECT_DIVERGES
} fpx_expectation;

typedef struct fpx_arm {
    char *name;    /* at most FPX_ARM_NAME characters, no two alike */
    char *recipe;  /* as in fpx_experiment */
    uint32_t kind; /* fpx_arm_kind: "arm" (default), "baseline", "control" */
    char *against; /* name of the arm it is compared with; NULL: the baseline */
    uint32_t
        expect; /* fpx_expectation: "nothing" (default), "equal", "worse", "better", "diverges" */
    char *claim, *source; /* what is published, and where; given where `expect` is, else NULL */
} fpx_arm;

enum {
    FPX_ABLATION_NAME = 64,
    FPX_ARM_NAME = 24,
    FPX_ARMS_MAX = 32,
    FPX_SEEDS_MAX = 64,
    FPX_RATES_MAX = 16
};

typedef struct fpx_ablation {
    char *name; /* at most FPX_ABLATION_NAME letters, digits, '.', '_', '-' */
    /* Path, made relative to this file's folder when read; its recipe and seed are not used. */
    char *experiment;
    uint32_t seeds;   /* 5 .. FPX_SEEDS_MAX: paired, 1 .. seeds */
    uint32_t measure; /* fpx_measure: "validation" (default), "flushed" */
    char *flushed;    /* shell pattern of quantized tensors, "*.v"; NULL: none are looked at */
    double margin;    /* > 0, in the measure's unit: a difference within it is none */
    char *margin_reason;
    /* Bits: a run that ends above has diverged, as has one that meets a NaN or Inf. */
    double diverged_above;
    double *learning_rates; /* rising; each arm at each of them; none: the experiment's */
    unsigned nrates;
    fpx_arm *arms;
    unsigned narms;
} fpx_ablation;

/* Whether the file has a key `arms`: an ablation. 0 also where it cannot be read. */
int fpx_is_ablation(const char *path);

/* FPX_EIO, FPX_EFORMAT, FPX_ENOMEM as fpx_experiment_read; also where there is not one baseline, no control that is
 * expected to be worse or to diverge, an arm compared with itself, with none of the file or in a circle, rates that do not
 * rise, an expectation without claim and source. *ret_ablation is to be freed by the function below. */
fpx_status fpx_ablation_read(const char *path, fpx_ablation **ret_ablation, fpx_error *err);
fpx_status fpx_ablation_parse(const char *label, const char *text, fpx_ablation **ret_ablation,
                              fpx_error *err);
void fpx_ablation_free(fpx_ablation *ablation); /* NULL is fine */

/* The word of an expectation. */
const char *fpx_expectation_name(fpx_expectation expectation);

#ifdef __cplusplus
}
#endif

#endif /* FPX_ABLATION_H */
