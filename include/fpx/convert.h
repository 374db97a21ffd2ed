/* fpx/convert.h - float32 and float64 to codes and back: one rounding, from the source. */
#ifndef FPX_CONVERT_H
#define FPX_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/cpu.h>
#include <fpx/format.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Roundings; only RNE is implemented yet, the others return FPX_EUNSUPPORTED. */
typedef enum fpx_round { FPX_RNE, FPX_RNA, FPX_RZ, FPX_RU, FPX_RD, FPX_RO, FPX_SR } fpx_round;

/* What a value beyond the largest finite one becomes, after rounding to the format's precision. */
typedef enum fpx_overflow {
    FPX_SATFINITE,    /* the largest finite value, Inf too */
    FPX_SATPROPAGATE, /* the largest finite value; Inf stays Inf (not implemented yet) */
    FPX_OVERFLOW_NONE /* Inf where the format has it, else NaN, else the largest finite value */
} fpx_overflow;

typedef struct fpx_conversion {
    fpx_format format;
    uint8_t round;    /* fpx_round */
    uint8_t overflow; /* fpx_overflow */
    uint8_t reserved[6];
} fpx_conversion;

/* Encode src[0..n) times `scale` (one float32 multiplication, RNE, before the conversion; 1 changes
 * nothing, not even a NaN) into unpacked codes dst[0..n) of fpx_format_size bytes each. A NaN, or a
 * product that is one, becomes the format's canonical NaN with the source's sign; formats without
 * NaN give the largest finite value, positive (cuda_fp4.h). src and dst must not overlap; any
 * alignment; n may be 0. FPX_EINVAL: an integer or invalid format. FPX_EUNSUPPORTED: a rounding or overflow not implemented.
 * On error dst is untouched. */
fpx_status fpx_encode_f32(const fpx_conversion *conversion, float scale, const float *src,
                          void *dst, size_t n);

/* The same from float64 (scale multiplies in float64): never by way of float32, which would round
 * twice. Scalar only. */
fpx_status fpx_encode_f64(const fpx_conversion *conversion, double scale, const double *src,
                          void *dst, size_t n);

/* Exact value of each code times `scale` (one float32 multiplication; 1 changes nothing). A NaN code,
 * or a product that is NaN, gives the quiet NaN 0x7FC00000 with the sign of the code; fp32 with
 * scale 1 copies bits. FPX_EINVAL: fp64, an integer or invalid format, or one with a value that
 * float32 lacks. */
fpx_status fpx_decode_f32(const fpx_format *format, float scale, const void *src, float *dst,
                          size_t n);

/* Every format of at most 64 bits, integers too; exact, then times `scale` in float64. NaN as above
 * (0x7FF8000000000000). FPX_EINVAL: an invalid format. */
fpx_status fpx_decode_f64(const fpx_format *format, double scale, const void *src, double *dst,
                          size_t n);

/* The kernels that fpx_encode_f32 and fpx_decode_f32 run here: "scalar", "avx2". Chosen at the first
 * use by fpx_cpu_choose; an FPX_CPU in error gives "scalar". */
const char *fpx_convert_kernel_name(void);

#ifdef __cplusplus
}
#endif

#endif /* FPX_CONVERT_H */
