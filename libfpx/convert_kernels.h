/* convert_kernels.h - the table of conversion kernels, one for each instruction-set level. The scalar
 * column is the reference; another level overwrites the entries that it has, and gives the same bits.
 *
 * A kernel is called inside fpx_fpenv_enter/leave with a valid descriptor (fpx_format_is_valid); for
 * decoding, one whose values float32 has. bits is NULL but for FPX_SR. */
#ifndef FPX_CONVERT_KERNELS_H
#define FPX_CONVERT_KERNELS_H

#include <fpx/convert.h>

typedef void fpx_encode_f32_fn(const fpx_conversion *conversion, float scale, const float *src,
                               const uint32_t *bits, void *dst, size_t n);
typedef void fpx_decode_f32_fn(const fpx_format *format, float scale, const void *src, float *dst,
                               size_t n);

/* Entries are indexed by the width of an unpacked code: 1, 2, 4, 8 bytes (fpx_width_slot). */
enum { FPX_WIDTH_SLOTS = 4 };

typedef struct fpx_convert_kernels {
    const char *name;
    fpx_encode_f32_fn *encode_f32[FPX_WIDTH_SLOTS];
    fpx_decode_f32_fn *decode_f32[FPX_WIDTH_SLOTS - 1];
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
fpx_decode_f32_fn fpx_decode_f32_scalar;

#ifdef FPX_HAVE_AVX2
extern const fpx_convert_kernels fpx_convert_kernels_avx2;
#endif

#endif /* FPX_CONVERT_KERNELS_H */
