/* block_kernels.h - the parts of block scaling, and the table of kernels for each instruction-set level. The
 * scalar column is the reference (block_walk.c, block_scale.c); another gives the same bits.
 *
 * Everything here runs inside fpx_fpenv_enter/leave with a blocking that fpx_blocking_check accepts. */
#ifndef FPX_BLOCK_KERNELS_H
#define FPX_BLOCK_KERNELS_H

#include <fpx/block.h>

/* MX_STD, from Quartet's code: the scale that suits a Gaussian best over the grid's 6, and what keeps a constant block's
 * logarithm finite. */
#define FPX_SPREAD_GAIN ((float)(2.92247856 / 6.0))
#define FPX_SPREAD_LEAST 1e-8f

/* How one block is scaled. */
typedef struct fpx_block_factor {
    uint32_t stored; /* bits of the stored scale */
    float factor;    /* q = x * factor, or x / factor; MX reads stored only */
} fpx_block_factor;

/* A tensor to quantize; grid and blocks in numbers of blocks. */
typedef struct fpx_block_job {
    const fpx_blocking *blocking;
    float tensor_amax;
    const float *src;
    const uint32_t *bits; /* NULL but for FPX_SR */
    size_t rows, cols;
    size_t stride;        /* elements from a row of src and codes to the next */
    size_t height, width; /* of a whole block, resolved: never 0, at most the matrix */
    size_t down, across;  /* the grid */
    uint8_t *codes;
    void *scales;
} fpx_block_job;

/* Quantizes blocks 0, 1, ... of `count` whole blocks {1, width} that follow each other in src, codes and scales;
 * returns how many of them it did, in order: 0 where it does not know the blocking. */
typedef size_t fpx_block_run_fn(const fpx_blocking *blocking, float tensor_amax, size_t width,
                                const float *src, uint8_t *codes, void *scales, size_t count);

/* The same for `count` blocks {height, 1} beside each other. */
typedef size_t fpx_block_columns_fn(const fpx_blocking *blocking, float tensor_amax, size_t height,
                                    const float *src, size_t stride, uint8_t *codes, void *scales,
                                    size_t count);

/* amax[c]: bits of the largest magnitude of column c of rows x cols elements; every NaN is above Inf. */
typedef void fpx_block_maxima_fn(const float *src, size_t stride, size_t rows, size_t cols,
                                 uint32_t *amax);

/* Stored bytes and factors, as fpx_block_quotient_factor has them, of n blocks of finite amax. 0: it does not know the
 * blocking. */
typedef int fpx_block_scales_fn(const fpx_blocking *blocking, float tensor_amax,
                                const uint32_t *amax, size_t n, uint8_t *bytes, float *factors);

/* q[i] = x[i] * factors[i], or x[i] / factors[i]. 0: some are not finite. */
typedef int fpx_block_quotients_fn(const float *x, const float *factors, int divides, float *q,
                                   size_t n);

/* Multiplies `count` blocks of `width` elements by a factor each. 0: it cannot (a product is NaN), and left x in any
 * state. */
typedef int fpx_block_multiply_fn(float *x, const float *factors, size_t width, size_t count);

/* Each may be NULL, and may do nothing: the reference does what is left. */
typedef struct fpx_block_kernels {
    const char *name;
    fpx_cpu_level level; /* of the sums and decoders */
    fpx_block_run_fn *run;
    fpx_block_columns_fn *columns;
    fpx_block_maxima_fn *maxima; /* this and the next two: all or none */
    fpx_block_scales_fn *scales;
    fpx_block_quotients_fn *quotients;
    fpx_block_multiply_fn *multiply;
} fpx_block_kernels;

const fpx_block_kernels *fpx_block_kernels_for(fpx_cpu_level level);

/* ---- block.c ---- */
/* The extent of a whole block along one of a matrix. */
size_t fpx_block_extent(size_t extent, uint64_t block);

/* ---- block_back.c ---- */
void fpx_block_back(const fpx_block_kernels *kernels, const fpx_blocking *blocking,
                    float tensor_amax, const uint8_t *codes, const void *scales, size_t rows,
                    size_t cols, float *dst);

/* ---- block_walk.c ---- */
/* The larger, as bits, of an earlier amax and that of n elements (amax_nan). */
uint32_t fpx_block_amax_bits(const fpx_blocking *blocking, fpx_cpu_level level, const float *x,
                             size_t n, uint32_t before);

void fpx_block_store_scale(const fpx_block_job *job, size_t index, uint32_t stored);

/* The whole job by one table's kernels. */
void fpx_block_run_job(const fpx_block_kernels *kernels, const fpx_block_job *job);

/* ---- block_span.c ---- */
/* How many blocks from this one on, beside each other, fpx_block_span_quantize takes; 0: it cannot. */
size_t fpx_block_span(const fpx_block_kernels *kernels, const fpx_block_job *job, size_t across);

/* Quantizes `count` blocks, as fpx_block_span has it, from block (down, across) of the grid on. 0: numbers that are
 * not finite are in the way, and the reference must do all of them. */
int fpx_block_span_quantize(const fpx_block_kernels *kernels, const fpx_block_job *job, size_t down,
                            size_t across, size_t count);

/* The codes of rows x cols elements of one block; 0 as above. */
int fpx_block_span_encode(const fpx_block_kernels *kernels, const fpx_block_job *job, size_t row,
                          size_t col, size_t rows, size_t cols, fpx_block_factor factor);

/* ---- block_scale.c ---- */
/* floor(log2) of the element format's largest value. */
int fpx_block_emax(const fpx_format *format);

/* The scale of a block of this amax (MX_STD: std * RN(2.92247856 / 6) + RN(1e-8)); candidate: 1 the first of four over six, else 0. */
fpx_block_factor fpx_block_factor_of(const fpx_blocking *blocking, float tensor_amax, float amax,
                                     int candidate);

/* S of the NVFP4 rules of Transformer Engine; bound is 448 or 256. */
float fpx_block_tensor_encode(float bound, float tensor_amax);

/* What an element is multiplied by, or for TILE_DIVIDE divided by: exactly, where the quotient is normal. MX's stored
 * scale is a number. */
float fpx_block_quotient_factor(const fpx_blocking *blocking, fpx_block_factor factor);

/* What a decoded value is multiplied by. */
float fpx_block_decode_factor(const fpx_blocking *blocking, float tensor_amax, uint32_t stored);

/* The float32 2^(byte - 127); NaN for 255. */
float fpx_block_e8m0_value(uint32_t byte);

#ifdef FPX_HAVE_AVX2
extern const fpx_block_kernels fpx_block_kernels_avx2;
#endif
#ifdef FPX_HAVE_AVX512
extern const fpx_block_kernels fpx_block_kernels_avx512;
#endif

#endif /* FPX_BLOCK_KERNELS_H */
