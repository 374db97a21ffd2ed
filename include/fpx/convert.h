/* fpx/convert.h - numbers to codes and back: one rounding, from the source, whatever it is.
 *
 * What a conversion does is four separate choices: the rounding, what overflow gives, what NaN gives, and what the
 * format lacks (zero, negatives). Order: the value is rounded to the format's precision (its exponent unbounded
 * above), then overflow is handled. fpx/profile.h names the combinations of vendors. */
#ifndef FPX_CONVERT_H
#define FPX_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/cpu.h>
#include <fpx/format.h>
#include <fpx/status.h>
#include <fpx/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* To nearest with ties to the even code or away from zero, toward zero, up, down, to the odd code (where
 * inexact), stochastic. */
typedef enum fpx_round { FPX_RNE, FPX_RNA, FPX_RZ, FPX_RU, FPX_RD, FPX_RO, FPX_SR } fpx_round;

/* What a value beyond the largest finite one becomes, after rounding to the format's precision. */
typedef enum fpx_overflow {
    FPX_SATFINITE,    /* the largest finite value, Inf too */
    FPX_SATPROPAGATE, /* the largest finite value; Inf as below */
    FPX_OVERFLOW_NONE /* Inf where the format has it, else NaN, else the largest finite value; a rounding toward
                         zero (RZ, RD of a positive, RU of a negative) keeps a finite one at the largest, and in
                         unsigned formats with Inf rounding to odd does (IEEE P3109) */
} fpx_overflow;

/* Stochastic rounding of a magnitude whose discarded part is nu ulp (0 <= nu < 1) with N bits R in [0, 2^N)
 * (IEEE P3109 4.7.4; gfloat's names). A never rounds up more often than nu says, C is the least biased. */
typedef enum fpx_sr_variant {
    FPX_SR_A, /* up where floor(nu 2^N) + R >= 2^N          ("fastest") */
    FPX_SR_B, /* up where nu 2^(N+1) + 2R + 1 >= 2^(N+1)    ("fast") */
    FPX_SR_C  /* up where RNE(nu 2^N) + R >= 2^N            ("stochastic") */
} fpx_sr_variant;

/* What a NaN becomes; in fixed point (mxint8) the largest, positive, by every rule. (A NaN that overflow, a negative or
 * a zero makes is the NaN code with the source's sign.) */
typedef enum fpx_nan_rule {
    FPX_NAN_SIGNED, /* the NaN code with the source's sign; a format without NaN: the largest, positive */
    FPX_NAN_POSITIVE, /* the NaN code, sign 0; a format without NaN: the largest, positive */
    FPX_NAN_MAX, /* the largest finite value with the source's sign, even where there is a NaN */
    FPX_NAN_ZERO /* the NaN code with the source's sign; a format without NaN: zero with the opposite sign */
} fpx_nan_rule;

/* What a negative result becomes in an unsigned format. (A negative that rounds to zero is zero; in e8m0, which has
 * none, it counts as negative.) */
typedef enum fpx_negative_rule {
    FPX_NEGATIVE_CLAMP, /* 0 (the least value where there is no 0) where overflow saturates, -Inf too; else NaN,
                            else 0; in formats with Inf 0 where a finite one is rounded by RZ or RU (IEEE P3109) */
    FPX_NEGATIVE_ABS, /* the sign is ignored */
    FPX_NEGATIVE_NAN /* NaN, or 0 where there is none, whatever overflow gives, but 0 where a finite one is rounded by RZ
                        or RU (P3109's finite formats) */
} fpx_negative_rule;

/* What zero, exactly, becomes in a format without zero; what is less than the least value rounds to it. (To nearest even
 * means the even code: in e8m0 1.5 2^-127 gives 0x00.) */
typedef enum fpx_zero_rule {
    FPX_ZERO_LEAST, /* the least value */
    FPX_ZERO_NAN    /* NaN */
} fpx_zero_rule;

/* When a value counts as beyond the largest finite one. */
typedef enum fpx_overflow_test {
    FPX_TEST_ROUNDED, /* once it is rounded (464 is 448 in e4m3) */
    FPX_TEST_SOURCE   /* where the source is larger (AMD's headers of 2024-10: 448.1 overflows) */
} fpx_overflow_test;

/* Plain data; all zeros beside the format: RNE, saturating, canonical NaN with its sign. */
typedef struct fpx_conversion {
    fpx_format format;
    uint8_t round;         /* fpx_round */
    uint8_t overflow;      /* fpx_overflow */
    uint8_t nan;           /* fpx_nan_rule */
    uint8_t negative;      /* fpx_negative_rule */
    uint8_t zero;          /* fpx_zero_rule */
    uint8_t overflow_test; /* fpx_overflow_test */
    uint8_t sr_bits;       /* N of stochastic rounding, 1..32; else ignored */
    uint8_t sr_variant;    /* fpx_sr_variant */
    uint64_t
        nan_code; /* the NaN code to write, sign 0; 0 = the format's canonical one. Another NaN of the format */
} fpx_conversion;

/* FPX_OK; FPX_EINVAL: the format is invalid or an integer, a field has no such value, nan_code is no NaN of the
 * format, or sr_bits is outside 1..32 with FPX_SR. The check that every function here makes first. */
fpx_status fpx_conversion_check(const fpx_conversion *conversion);

/* Encode src[0..n) times `scale` (one float32 multiplication, RNE, before the conversion; 1 changes
 * nothing, not even a NaN) into unpacked codes dst[0..n) of fpx_format_size bytes each. A product that is NaN
 * counts with the source's sign. src and dst must not overlap; any alignment; n may be 0.
 * FPX_EINVAL: fpx_conversion_check, or FPX_SR, which needs random bits. On error dst is untouched. */
fpx_status fpx_encode_f32(const fpx_conversion *conversion, float scale, const float *src,
                          void *dst, size_t n);

/* The same from float64 (scale multiplies in float64): never by way of float32, which would round
 * twice. Scalar only. */
fpx_status fpx_encode_f64(const fpx_conversion *conversion, double scale, const double *src,
                          void *dst, size_t n);

/* The same from unpacked codes of any valid format (integers and fixed point too), unscaled, with one rounding.
 * src and dst must not overlap. FPX_EINVAL as above, or an invalid source format. */
fpx_status fpx_encode_codes(const fpx_conversion *conversion, const fpx_format *from,
                            const void *src, void *dst, size_t n);

/* The three with random bits: element i uses the low sr_bits bits of bits[i]. Exact values, NaN, Inf and what
 * is above the largest finite value by a whole ulp do not depend on them. conversion->round must be FPX_SR, else
 * FPX_EINVAL. */
fpx_status fpx_encode_f32_random(const fpx_conversion *conversion, float scale, const float *src,
                                 const uint32_t *bits, void *dst, size_t n);
fpx_status fpx_encode_f64_random(const fpx_conversion *conversion, double scale, const double *src,
                                 const uint32_t *bits, void *dst, size_t n);
fpx_status fpx_encode_codes_random(const fpx_conversion *conversion, const fpx_format *from,
                                   const void *src, const uint32_t *bits, void *dst, size_t n);

/* fpx_encode_f32_random with the bits of a stream: element i has fpx_stream_u16 (sr_bits <= 16) or fpx_stream_u32
 * of element first + i (which wraps at 2^64), so that a part of a tensor gets what it gets in the whole. The same
 * errors. */
fpx_status fpx_encode_f32_stream(const fpx_conversion *conversion, float scale, const float *src,
                                 const fpx_stream *stream, uint64_t first, void *dst, size_t n);

/* Exact value of each code times `scale` (one float32 multiplication; 1 changes nothing). A NaN code, or a
 * product that is NaN, gives the quiet NaN 0x7FC00000 with the sign of the code (the one NaN of FNUZ and P3109 has
 * none: +); fp32 with scale 1 copies bits. FPX_EINVAL: fp64, an integer or invalid format, or one with a value that
 * float32 lacks. */
fpx_status fpx_decode_f32(const fpx_format *format, float scale, const void *src, float *dst,
                          size_t n);

/* Every format of at most 64 bits, integers too; exact, then times `scale` in float64. NaN as above
 * (0x7FF8000000000000). FPX_EINVAL: an invalid format. (To bf16 and fp16: fpx_encode_codes.) */
fpx_status fpx_decode_f64(const fpx_format *format, double scale, const void *src, double *dst,
                          size_t n);

/* The kernels that fpx_encode_f32 and fpx_decode_f32 run here: "scalar", "avx2", "avx512". Chosen at the first
 * use by fpx_cpu_choose; an FPX_CPU in error gives "scalar". */
const char *fpx_convert_kernel_name(void);

#ifdef __cplusplus
}
#endif

#endif /* FPX_CONVERT_H */
