/* convert_kernels.h - the table of conversion kernels and of the generator that feeds them, one for each
 * instruction-set level. The scalar column is the reference; another level overwrites the entries that it has, and gives the same bits.
 *
 * A kernel is called inside fpx_fpenv_enter/leave with a valid descriptor (fpx_format_is_valid); for
 * decoding, one whose values float32 has. bits is NULL but for FPX_SR. */
#ifndef FPX_CONVERT_KERNELS_H
#define FPX_CONVERT_KERNELS_H

#include <fpx/convert.h>

typedef void fpx_encode_f32_fn(const fpx_conversion *conversion, float scale, const float *src,
                               const uint32_t *bits, void *dst, size_t n);
/* The same for FPX_SR of at most 16 bits. */
typedef void fpx_encode_f32_u16_fn(const fpx_conversion *conversion, float scale, const float *src,
                                   const uint16_t *bits, void *dst, size_t n);
typedef void fpx_decode_f32_fn(const fpx_format *format, float scale, const void *src, float *dst,
                               size_t n);

/* Philox4x32-10 of the counters (first + i low, high, where[0], where[1]), i < n: four words each. first + n
 * is at most 2^64. */
typedef void fpx_philox_fn(const uint32_t key[2], const uint32_t where[2], uint64_t first,
                           uint32_t *dst, size_t n);

/* Elements for which a wide copy of 16-bit random numbers is made at a time. */
enum { FPX_U16_CHUNK = 1024 };

/* Entries are indexed by the width of an unpacked code: 1, 2, 4, 8 bytes (fpx_width_slot). */
enum { FPX_WIDTH_SLOTS = 4 };

typedef struct fpx_convert_kernels {
    const char *name;
    fpx_encode_f32_fn *encode_f32[FPX_WIDTH_SLOTS];
    fpx_encode_f32_u16_fn *encode_f32_u16[FPX_WIDTH_SLOTS];
    fpx_decode_f32_fn *decode_f32[FPX_WIDTH_SLOTS - 1];
    fpx_philox_fn *philox;
} fpx_convert_kernels;

/* Index of a format's entries above. */
static inline size_t fpx_width_slot(const fpx_format *format)
{
    const size_t bytes = fpx_format_size(format);
    return bytes == 8 ? 3 : bytes >> 1;
}

/* The best table that this build has for a level. */
const fpx_convert_kernels *fpx_convert_kernels_for(fpx_cpu_level level);

/* The table of fpx_cpu_choose(), scalar where FPX_CPU is in error; chosen once. */
const fpx_convert_kernels *fpx_convert_kernels_in_use(void);

fpx_encode_f32_fn fpx_encode_f32_scalar;
fpx_encode_f32_u16_fn fpx_encode_f32_u16_scalar;
fpx_decode_f32_fn fpx_decode_f32_scalar;
fpx_philox_fn fpx_philox_scalar;

#ifdef FPX_HAVE_AVX2
extern const fpx_convert_kernels fpx_convert_kernels_avx2;
#endif
#ifdef FPX_HAVE_AVX512
extern const fpx_convert_kernels fpx_convert_kernels_avx512;
#endif

#endif /* FPX_CONVERT_KERNELS_H */
