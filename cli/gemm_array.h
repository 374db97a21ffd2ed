/* gemm_array.h - one array of a product, whole in memory: from .npy or a tensor of .safetensors, with what the file
 * says of its scales. */
#ifndef CLI_GEMM_ARRAY_H
#define CLI_GEMM_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/format.h>
#include <fpx/status.h>

enum { GEMM_AXES = 3, GEMM_LABEL = 512, GEMM_PATH = 4096 };

/* A file and, in .safetensors, a tensor of it: FILE.safetensors:TENSOR. */
typedef struct gemm_place {
    char path[GEMM_PATH];
    const char *tensor; /* NULL: not named */
} gemm_place;

/* FPX_EINVAL: a name too long. word must live as long. */
fpx_status gemm_place_parse(const char *word, gemm_place *ret_place, fpx_error *err);

/* What the command line says of an array. */
typedef struct gemm_word {
    const char *what;   /* "A" */
    const char *file;   /* as gemm_place_parse takes it */
    const char *format; /* of the codes; NULL: the file says it */
    const char *option; /* that names the format: "--a-format" */
} gemm_word;

typedef struct gemm_array {
    const char *what;
    char label[GEMM_LABEL]; /* the file, the file and the tensor, or "standard input" */
    fpx_format format;
    size_t ndim;
    size_t shape[GEMM_AXES];
    void *codes;       /* one an element, row-major */
    int is_scaled;     /* as a whole, beside the blocks: */
    float factor;      /* multiplies every value; else 1 */
    const char *block; /* the profile of its blocks, by the file; NULL: none */
    /* Scales of blocks of scale_block elements along one axis, which the strides are for as in fpx_mma_operand. */
    void *scales; /* NULL: none */
    fpx_format scale_format;
    size_t scale_block;
    size_t scale_axis; /* along which the blocks lie */
    size_t scale_stride_vector, scale_stride_k, scale_stride_batch;
} gemm_array;

/* At most GEMM_AXES axes, all above 0 (a scalar has one of 1). FPX_EINVAL, FPX_EFORMAT, FPX_EUNSUPPORTED, FPX_EIO,
 * FPX_ENOMEM with text. To be released in any case: *ret_array is set on failure too. */
fpx_status gemm_array_read(const gemm_word *word, gemm_array *ret_array, fpx_error *err);
void gemm_array_release(gemm_array *array);

/* malloc of count elements of size bytes above 0; NULL too for more than the machine's memory, which a system that
 * overcommits would give, and end the process once it is written. */
void *gemm_room(uint64_t count, size_t size);

/* "64 x 96". */
enum { GEMM_SHAPE_TEXT = 80 };
void gemm_shape_text(const gemm_array *array, char ret_text[GEMM_SHAPE_TEXT]);

#endif /* CLI_GEMM_ARRAY_H */
