/* models_vectors.h - fpx models NAME --vectors OTHER: an input that separates two matrix units, or why there is none. */
#ifndef CLI_MODELS_VECTORS_H
#define CLI_MODELS_VECTORS_H

#include <stddef.h>

#include <fpx/mma_separate.h>

/* A field's value as text: a name, or a number. */
void models_value_text(const fpx_mma_model *model, size_t field, char *ret_text, size_t room);

/* Two units. json: NULL, or where results for programs go; folder: NULL, or where the input goes. The exit code:
 * EXIT_HOLDS equivalent, EXIT_FINDING separated, else EXIT_NO_VERDICT. */
int models_vectors(const fpx_mma_preset *x, const fpx_mma_preset *y, const char *json,
                   const char *folder);

/* models_arrays.c: A.npy (1 x K), B.npy (K x 1), C.npy (1 x 1), A-scales.npy and B-scales.npy, in a folder that is made
 * where there is none. Elements are codes, 'f' where numpy has the format. FPX_EIO, FPX_EINVAL with text. */
fpx_status models_write_arrays(const char *folder, const fpx_mma_witness *witness,
                               const fpx_format *out, fpx_error *err);

/* A unit and all its single-parameter mutants, or all known units of its types. EXIT_HOLDS: each has a verdict. */
int models_vectors_mutants(const fpx_mma_preset *x, const char *json);
int models_vectors_all(const fpx_mma_preset *x, const char *json);

#endif /* CLI_MODELS_VECTORS_H */
