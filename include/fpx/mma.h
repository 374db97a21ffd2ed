/* fpx/mma.h - matrix units, bit for bit: one parametric model, and presets of known hardware as data.
 *
 * D = A B + C. Each output element is computed alone, from its row of A, its column of B and its element of C:
 *
 *   k  |  split-K parts, chains between promotions      split, tile, deal, combine, promote
 *      |  instructions of `step` k                      c added at its end: FPX_MMA_C_LATE
 *      |  `vectors` interleaved vectors in a step       one after the other
 *      |  blocks of `block` k                           the unit that rounds once: `sum`, below
 *
 * The accumulator passes from block to block. What is short (a block, a step, a tile at the end of K) has fewer
 * terms; nothing is padded. The value that is summed is exact: a product's significands are multiplied, not
 * normalised, sig(a) sig(b) 2^(e(a) + e(b)), and a subnormal operand keeps its format's least exponent. */
#ifndef FPX_MMA_H
#define FPX_MMA_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/convert.h>
#include <fpx/format.h>
#include <fpx/status.h>
#include <fpx/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FPX_MMA_NAME_MAX = 48, FPX_MMA_BLOCK_MAX = 512, FPX_MMA_ZERO_ABSENT = -32768 };

/* What a block does with the accumulator c and its products. */
typedef enum fpx_mma_sum {
    FPX_MMA_ALIGNED, /* terms cut to `fraction` bits below 2^E, E the largest exponent; summed exactly, rounded once
                        (T-FDPA, ST-FDPA, GST-FDPA, TR-FDPA, GTR-FDPA) */
    FPX_MMA_EXACT, /* c + the exact sum of products, rounded once (E-FDPA) */
    FPX_MMA_FMA,   /* c = round(a b + c), k in order: block has no effect */
    FPX_MMA_TREE /* each product rounded; their sum by halves, the left one the largest power of two below the
                        count, each addition rounded; then c + sum, rounded */
} fpx_mma_sum;

/* How c meets the products of an ALIGNED block, or of a step. */
typedef enum fpx_mma_c {
    FPX_MMA_C_EARLY,  /* a term among the products */
    FPX_MMA_C_JOINED, /* ALIGNED: aligned with the finished sum of products (TR-FDPA, GTR-FDPA) */
    FPX_MMA_C_LATE    /* the step starts from +0; then c + its result, rounded to nearest even */
} fpx_mma_c;

/* The sign of a zero result of ALIGNED and EXACT (FMA and TREE have IEEE 754's). */
typedef enum fpx_mma_zero {
    FPX_MMA_ZERO_POSITIVE, /* +0 always */
    FPX_MMA_ZERO_UNDERFLOW /* +0 from an exact zero, the sum's sign where rounding made it zero */
} fpx_mma_zero;

/* Which split owns tile t of T (S splits): t mod S, or a run of ceil(T / S). */
typedef enum fpx_mma_deal { FPX_MMA_DEAL_CYCLIC, FPX_MMA_DEAL_RUNS } fpx_mma_deal;

/* How the parts p of S splits are added. SERIAL: ((p0 + p1) + p2) + ... PAIRWISE, h = ceil(S / 2):
 * slot_i = p_i + p_(i+h) where i + h < S - 1, else p_i; ((p_(S-1) + slot_0) + slot_1) + ... + slot_(h-1). */
typedef enum fpx_mma_combine { FPX_MMA_SERIAL, FPX_MMA_PAIRWISE } fpx_mma_combine;

/* A model: plain data; each field can be changed alone. Fields that `sum` or `c` do not use must be 0. */
typedef struct fpx_mma_model {
    char name
        [FPX_MMA_NAME_MAX]; /* DEVICE/PATH/INPUTS-OUTPUT of a preset, "hopper/wgmma/fp8-fp32"; for messages */
    fpx_format format; /* of the accumulator and D: IEEE 754's specials, at most 64 bits */
    uint64_t nan_code; /* what every NaN result is: a NaN of the format */
    uint8_t sum;       /* fpx_mma_sum */
    uint8_t c;         /* fpx_mma_c */
    uint8_t zero;      /* fpx_mma_zero */
    uint8_t round; /* FPX_RNE, FPX_RNA or FPX_RZ: the last conversion, of FMA and TREE every one; */
    uint8_t
        fraction_out; /* to so many fraction bits: format.mbits, ALIGNED and EXACT or less. There overflow is Inf
                             in both roundings; FMA and TREE overflow as IEEE 754 has it */
    uint8_t drop; /* so many low bits of float32 operands are not read (13: tf32) */
    uint8_t
        flush_inputs; /* 1: zeros and subnormals of A, B and (once, at the start) C count as +0 */
    uint8_t flush_results; /* TREE: 1: a subnormal product or sum is 0 with its sign */
    uint32_t step;         /* k of an instruction; 0: all */
    uint16_t
        vectors; /* of a step, 1 or more: vector h holds the k with (k / width) mod vectors = h */
    uint16_t width;
    uint32_t block; /* 0: all of a vector; ALIGNED: 1 .. FPX_MMA_BLOCK_MAX */

    /* ALIGNED. */
    uint8_t fraction; /* F: bits below 2^E that a term keeps, cut toward zero */
    uint8_t
        group; /* products summed exactly to one term whose exponent is the scales', which they share; 0: none.
                             vectors is 1, block and step are multiples of it */
    uint8_t
        parities; /* 1; 2 (JOINED): the block's even and odd terms are summed apart, each below its own E,
                             each sum then cut toward minus infinity to `fraction` bits below the larger E */
    int16_t e_zero; /* exponent of a term that is zero; FPX_MMA_ZERO_ABSENT: it has none */
    int16_t
        e_least; /* least exponent of an operand's significand where it is not the format's own: -14 where FP8
                             goes to fp16 first; 0: the format's */
    int16_t e_infinite; /* a product of this exponent or more is Inf; 0: none is */
    /* JOINED, all cut toward minus infinity; a zero c has its format's least exponent, Inf and NaN have -1. */
    uint8_t fraction_sum; /* bits of the sum of products below 2^E, E now with c's exponent */
    uint8_t fraction_c;   /* bits of c below 2^E */
    uint8_t
        fraction_all; /* bits of c + sum below its own exponent (the format's least, or more); 0: all */
    uint8_t gap_c; /* c counts as 0 where its exponent is below E - gap_c; 0: never */

    /* Beyond the instruction: additions to nearest even in `format`. */
    uint32_t
        promote; /* restart from +0 after so many k of a split, a multiple of step, adding what there was to a
                         sum that starts at C (with splits at +0); 0: never */
    uint32_t split;  /* splits of K, each from +0, C added to their sum; 0 or 1: none */
    uint32_t tile;   /* k dealt to splits at a time, a multiple of step */
    uint8_t deal;    /* fpx_mma_deal */
    uint8_t combine; /* fpx_mma_combine */
} fpx_mma_model;

/* FPX_OK; FPX_EINVAL with text: which field, what it may be. The check that fpx_mma makes first. */
fpx_status fpx_mma_model_check(const fpx_mma_model *model, fpx_error *err);

/* A field of a model by number, for what reads, prints or changes models. (name and format are not among them.) */
typedef struct fpx_mma_field {
    const char *name, *meaning;
    const char *const *values; /* the names of 0, 1, ..., then NULL; NULL: it is a number */
} fpx_mma_field;

/* The fields in order; NULL at and after the end. */
const fpx_mma_field *fpx_mma_field_at(size_t index);

/* The number of the field of this name; that of no field where there is none. */
size_t fpx_mma_field_find(const char *name);

/* The value of a field that there is. */
int64_t fpx_mma_field_get(const fpx_mma_model *model, size_t index);

/* FPX_EINVAL: no such field, or the value does not fit its type. Whether the model is still valid is
 * fpx_mma_model_check's. */
fpx_status fpx_mma_field_set(fpx_mma_model *model, size_t index, int64_t value);

/* The same by text: name, and a number in base 10 (nan_code: 0x and base 16) or one of the field's names. "format"
 * takes a format's name; fraction_out, where it was the format's, and nan_code become the new one's. FPX_EINVAL with
 * text: there is no such field or value. err may be NULL. */
fpx_status fpx_mma_field_parse(fpx_mma_model *model, const char *name, const char *value,
                               fpx_error *err);

/* Vectors along k: rows of A or columns of B. Code of vector i, element k: number i * stride_vector + k * stride_k of
 * codes, so that a transpose is a pair of strides. Its scale: number i * scale_stride_vector + (k / scale_block) *
 * scale_stride_k of scales. Product p of a batch has them p * stride_batch and p * scale_stride_batch further on; 0:
 * all products share them. Any alignment. */
typedef struct fpx_mma_operand {
    fpx_format format;
    uint8_t
        packing; /* fpx_packing: FPX_PACK_DENSE for 4-bit codes, two a byte (stride_batch even) */
    const void *codes;
    size_t stride_vector, stride_k, stride_batch;
    const void *scales; /* NULL: none */
    fpx_format scale_format;
    size_t
        scale_block; /* elements along k that share a scale: 1 or more, a multiple of the model's group */
    size_t scale_stride_vector, scale_stride_k, scale_stride_batch;
} fpx_mma_operand;

/* `batch` products (0: one) of m x n outputs. C: any float format, element (i, j) of product p number p *
 * stride_c_batch + i * stride_c_row + j * stride_c_column; NULL: +0. D: codes of the model's format, number p *
 * stride_d_batch + i * stride_d + j; it may be C where formats and places are the same. */
typedef struct fpx_mma_call {
    size_t m, n, k;
    size_t batch;
    fpx_mma_operand a, b;
    const void *c;
    fpx_format c_format;
    size_t stride_c_row, stride_c_column, stride_c_batch;
    size_t stride_d, stride_d_batch;
} fpx_mma_call;

/* Product p of a batch, alone; its D begins p * stride_d_batch elements on. */
fpx_mma_call fpx_mma_call_at(const fpx_mma_call *call, size_t p);

/* The scalar reference, slow and obvious. Any m, n, k, 0 included (k = 0: D is C, rounded to nearest even where the
 * formats differ). FPX_EINVAL with text: the model, a format, a scale block, a stride_d or (batch above 1)
 * stride_d_batch below n, an odd stride_batch of dense codes. FPX_EUNSUPPORTED with text: operands that the model's
 * sum has no room for (ALIGNED takes significands of 24 bits; scales have 4, and go with FMA and TREE where element
 * times scale is a float64 whatever the codes; of other sums it lies in 2^-1280 .. 2^1472; a group's products must
 * fit 62 bits). On error d is untouched. err may be NULL. */
fpx_status fpx_mma(const fpx_mma_model *model, const fpx_mma_call *call, void *d, fpx_error *err);

/* What a model is known from: real outputs of the hardware that it reproduces, or a published model that was
 * validated on hardware by its authors. */
typedef enum fpx_mma_provenance {
    FPX_MMA_HARDWARE,
    FPX_MMA_SOURCE,
    FPX_MMA_DEFINITION, /* no hardware: an ideal, right by definition */
    FPX_MMA_CUSTOM      /* a user's */
} fpx_mma_provenance;

/* One row: a (device, instruction, input types, output type). Texts are static. */
typedef struct fpx_mma_preset {
    fpx_mma_model model;
    const char *instruction; /* the vendor's name */
    const char *inputs; /* names of formats that A and B may have, apart by blanks; NULL: any */
    const char *scales; /* "e8m0/32 e8m0/16": formats and blocks of scales; NULL: none */
    fpx_mma_provenance provenance;
    const char *source; /* what says so, and what was not seen on hardware */
} fpx_mma_preset;

/* The presets in table order. FPX_EINVAL: at and after the end. */
fpx_status fpx_mma_preset_at(size_t index, fpx_mma_preset *ret_preset);

/* The preset of this name. FPX_EINVAL with text: there is none. err may be NULL. */
fpx_status fpx_mma_preset_find(const char *name, fpx_mma_preset *ret_preset, fpx_error *err);

/* A preset with changes: "NAME", "NAME,FIELD=VALUE,...", each as fpx_mma_field_parse takes it. With changes its
 * provenance is custom and its name the whole text, cut where that is longer. FPX_EINVAL with text: no such preset,
 * field or value, or no valid model. err may be NULL. */
fpx_status fpx_mma_preset_parse(const char *text, fpx_mma_preset *ret_preset, fpx_error *err);

/* The first preset of a device ("hopper") and path ("wgmma"; NULL: any) whose hardware takes A in format a, B in format b,
 * scales of scale (NULL: none) for each scale_block elements, and gives D in format d (NULL: any). FPX_EINVAL with
 * text: there is none. err may be NULL. */
typedef struct fpx_mma_wish {
    const char *device, *path;
    const fpx_format *a, *b, *scale, *d;
    size_t scale_block;
} fpx_mma_wish;
fpx_status fpx_mma_preset_select(const fpx_mma_wish *wish, fpx_mma_preset *ret_preset,
                                 fpx_error *err);

/* 1 where the preset's hardware takes A in format a and B in format b, else 0. */
int fpx_mma_preset_takes(const fpx_mma_preset *preset, const fpx_format *a, const fpx_format *b);

/* 1 where it takes scales of this format, one for `block` elements along k (NULL: none at all), else 0. */
int fpx_mma_preset_takes_scales(const fpx_mma_preset *preset, const fpx_format *scale,
                                size_t block);

/* "hardware", "source", "definition", "custom". */
const char *fpx_mma_provenance_name(fpx_mma_provenance provenance);

#ifdef __cplusplus
}
#endif

#endif /* FPX_MMA_H */
