/* fpx/recipe.h - the shipped recipes, and what a recipe says about one operand. */
#ifndef FPX_RECIPE_H
#define FPX_RECIPE_H

#include <stddef.h>

#include <fpx/accel.h>
#include <fpx/config.h>
#include <fpx/convert.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* name: a shipped recipe ("fp8"), or a path ending in .yaml. FPX_EINVAL: no such recipe; the text lists
 * those there are. Else as fpx_recipe_read. */
fpx_status fpx_recipe_load(const char *name, fpx_recipe **ret_recipe, fpx_error *err);

/* Names of the shipped recipes in order; NULL at and after the end. */
const char *fpx_recipe_shipped(size_t index);

/* When random signs are drawn anew. */
typedef enum fpx_fresh {
    FPX_FRESH_NEVER, /* the same at each step */
    FPX_FRESH_STEP,
    FPX_FRESH_PASS /* with each micro-batch: a weight's copy is then of one, not shared */
} fpx_fresh;

/* What clamping cut off times the weight, in fp32, is added to the product: the fp32 weight or its codes' values. */
typedef enum fpx_compensation {
    FPX_COMPENSATE_NONE,
    FPX_COMPENSATE_WEIGHT,
    FPX_COMPENSATE_CODES
} fpx_compensation;

/* How one operand of a matrix multiplication is quantized. */
typedef struct fpx_operand_rule {
    int quantized; /* 0: the operand stays fp32 and the rest says nothing */
    int scaled;    /* 1: by a scale of the whole tensor, fpx_scale_rule below */
    fpx_scale_rule scale_rule;
    fpx_conversion conversion;
    int delayed; /* 1: from a window of earlier amax, as delayed_rule has it */
    fpx_delayed_rule delayed_rule;
    uint32_t window;
    /* Scales of blocks: fpx/block.h's profile, static; NULL: none. */
    const char *profile;
    const char *scaling; /* the recipe's word, static */
    const char *tag;     /* a short form of it, static */
    int ties_to_zero;    /* 1: conversion.round is FPX_RNA, but ties go toward zero */
    uint32_t hadamard;   /* size of the random Hadamard transform along k before all; 0: none */
    fpx_hadamard_signs signs;
    fpx_fresh fresh; /* when these are drawn */
    /* 1: the backward products take the quantized copy, decoded, in this operand's place; their result is the copy's gradient,
     * from which the operand's is made: QUANTIZE_BLOCK_GRAD, then the transposed transform. */
    int clipped;
    uint64_t along, across; /* elements of a block along k and of neighbouring vectors; 0: all */
    /* FP4 training's remedies, fpx/op.h's DGE and CLAMP. */
    int estimated; /* 1: the weight's gradient is multiplied by the slope of this quantizer, as dge has it */
    struct {
        fpx_dge_rule rule;
        double k, cap;
    } dge;
    double clamp; /* the quantile that the operand is held to first; 0: none */
    fpx_clamp_over clamp_over;
    fpx_compensation compensation;
} fpx_operand_rule;

/* layer -1, outside the layers, matches the pattern "-"; a longer pattern that begins with "-" is matched
 * with the layer's number from the end, "-1" being the last of `layers`, any other with its number from 0. */
int fpx_layer_matches(const char *pattern, int layer, int layers);

/* The first rule that matches decides; layers match as above. Marks the rule as used in
 * used[rule] (may be NULL; recipe->nrules + recipe->nunits + recipe->nstates bytes). FPX_EINVAL: the rule names an unknown format, scaling,
 * rounding or overflow; the text names the rule by number and says what there is. */
fpx_status fpx_recipe_operand(const fpx_recipe *recipe, int layer, int layers, const char *op,
                              fpx_role role, const char *tensor, unsigned char *used,
                              fpx_operand_rule *ret_rule, fpx_error *err);

/* The matrix unit of the first rule of recipe->units that matches a product; *ret_unit is the rule's text, or NULL where
 * none matches. Marks used[recipe->nrules + rule]. FPX_EINVAL: no such unit; the text names the rule by number. */
fpx_status fpx_recipe_unit(const fpx_recipe *recipe, int layer, int layers, const char *op,
                           fpx_role role, unsigned char *used, const char **ret_unit,
                           fpx_error *err);

/* How a state is stored. COAT's groups: fpx/op.h. */
typedef enum fpx_state_scaling { FPX_STATE_CAST, FPX_STATE_POW2, FPX_STATE_COAT } fpx_state_scaling;

/* FP8-LM's automatic scaling: each `every` steps a scale's factor is halved where the share of codes that are the format's
 * largest is above ratio, else times 2^(1/window). */
typedef struct fpx_factor_rule {
    int tuned; /* 0: no factor, or a constant 1, and the rest says nothing */
    uint32_t every, window;
    double ratio;
} fpx_factor_rule;

typedef struct fpx_stored {
    int stored; /* 0: fp32, and the rest says nothing */
    fpx_state_scaling scaling;
    fpx_format format;
    fpx_scale_rule rule;    /* of POW2: FPX_SCALE_POW2, or FPX_SCALE_MS_AMP_EXACT */
    fpx_factor_rule factor; /* of grad, POW2 */
} fpx_stored;

/* "paper" (every 1, ratio 1e-5, window 1000), "adaptive" (10, 1e-3, 100), with changes "adaptive,freq=1,ratio=1e-4,window=50";
 * "main": 1 / sqrt(ranks), which is 1. FPX_EINVAL: another word, or a value out of range; the text says what there is. */
fpx_status fpx_factor_parse(const char *text, fpx_factor_rule *ret_factor, fpx_error *err);

/* The first rule of recipe->states that matches decides. Marks used[recipe->nrules + recipe->nunits + rule]. FPX_EINVAL:
 * an unknown tensor, format or scaling, or a scaling that the tensor cannot have; the text names the rule by number. */
fpx_status fpx_recipe_state(const fpx_recipe *recipe, int layer, int layers, const char *op,
                            const char *tensor, unsigned char *used, fpx_stored *ret_stored,
                            fpx_error *err);

#ifdef __cplusplus
}
#endif

#endif /* FPX_RECIPE_H */
