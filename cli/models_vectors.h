/* models_vectors.h - fpx models NAME --vectors OTHER: an input that separates two matrix units, or why there is none. */
#ifndef CLI_MODELS_VECTORS_H
#define CLI_MODELS_VECTORS_H

#include <stddef.h>

#include <fpx/mma_separate.h>

/* A field's value as text: a name, or a number. */
void models_value_text(const fpx_mma_model *model, size_t field, char *ret_text, size_t room);

/* A unit and how it was named: a row of the table, or a file. */
typedef struct models_side {
    const fpx_mma_preset *preset;
    const char *word;
} models_side;

/* Two units. json: NULL, or where results for programs go; folder: NULL, or where the input goes. The exit code:
 * EXIT_HOLDS equivalent, EXIT_FINDING separated, else EXIT_NO_VERDICT. */
int models_vectors(const models_side *x, const models_side *y, const char *json,
                   const char *folder);

/* ---- models_arrays.c: A.npy (1 x K), B.npy (K x 1), C.npy (1 x 1), A-scales.npy and B-scales.npy in a folder. Elements are
 * codes, 'f' where numpy has the format. ---- */
/* Bit i: the array i of these five. */
typedef struct models_arrays {
    unsigned written, removed;
} models_arrays;

/* Asked before the search. FPX_EINVAL with text: it holds something else, or a link or folder of such a name; it is "-".
 * FPX_EIO: it cannot be written. */
fpx_status models_arrays_check(const char *folder, fpx_error *err);

/* The folder is made where there is none; arrays of an earlier input go, which are all there is to do where there is
 * none now (witness NULL). FPX_EIO, FPX_EINVAL with text. */
fpx_status models_arrays_write(const char *folder, const fpx_mma_witness *witness,
                               const fpx_format *out, models_arrays *ret_arrays, fpx_error *err);

/* What was done; and the commands that compute both outputs from the files. */
void models_arrays_print(const char *folder, const models_arrays *arrays);
void models_arrays_commands(const char *folder, const fpx_mma_witness *witness,
                            const fpx_format *out, const char *const units[2]);

/* A unit and all its single-parameter mutants, or all known units of its types. EXIT_HOLDS: each has a verdict. */
int models_vectors_mutants(const fpx_mma_preset *x, const char *json);
int models_vectors_all(const fpx_mma_preset *x, const char *json);

#endif /* CLI_MODELS_VECTORS_H */
