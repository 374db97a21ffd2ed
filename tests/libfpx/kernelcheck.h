/* kernelcheck.h - what a row of the kernel check is, and the buffers that catch a kernel at fault.
 *
 * To add kernels: a file kernelcheck_<area>.c with a table `const kc_row kc_rows_<area>[]` that ends
 * with a row without a name, and its name in kernelcheck.c's list. */
#ifndef FPX_KERNELCHECK_H
#define FPX_KERNELCHECK_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/cpu.h>

typedef struct kc_row {
    const char *name; /* "encode_f32/e4m3/satfinite" */
    size_t param;     /* the row's own */
    /* Compares the kernel of a level with the scalar one, bit for bit; prints differences with
     * kc_differ and returns their number. */
    size_t (*check)(const struct kc_row *row, fpx_cpu_level level);
    /* Processes kc_bench_elements elements once; NULL: nothing to time. */
    void (*bench)(const struct kc_row *row, fpx_cpu_level level, const void *src, void *dst,
                  size_t n);
    size_t src_bytes, dst_bytes; /* per element, for the memory-bandwidth ratio */
    /* The name of the kernel that this level runs: lets the program say what was really tested. */
    const char *(*kernel)(const struct kc_row *row, fpx_cpu_level level);
} kc_row;

extern const kc_row kc_rows_convert[];
extern const kc_row kc_rows_stream[];
extern const kc_row kc_rows_elemfn[];
extern const kc_row kc_rows_reduce[];
extern const kc_row kc_rows_gemm[];
extern const kc_row kc_rows_block[];

enum { KC_LONGEST = 67, KC_CANARY = 64 };

/* A buffer with KC_CANARY guard bytes on both sides; `misalign` (0..63) bytes past a cache line. */
typedef struct kc_buffer {
    unsigned char *base;
    unsigned char *data;
    size_t bytes;
} kc_buffer;

kc_buffer kc_buffer_new(size_t bytes, size_t misalign);
int kc_buffer_intact(const kc_buffer *buffer);
void kc_buffer_free(kc_buffer *buffer);

/* A reproducible sequence of 64-bit words (splitmix64), for inputs between the edges. */
uint64_t kc_random(uint64_t *state);

/* For rows whose area has a scalar and an AVX2 column and no way to ask which runs. */
const char *kc_two_levels(const kc_row *row, fpx_cpu_level level);

/* Reports one difference; prints the first few of a row only. */
#ifdef __GNUC__
__attribute__((format(printf, 3, 4)))
#endif
void kc_differ(const kc_row *row, size_t already, const char *format, ...);

#endif /* FPX_KERNELCHECK_H */
