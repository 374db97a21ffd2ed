/* fpx/format.h - number formats as data: what each code of a format means.
 *
 *   bit    7   6 5 4 3   2 1 0          bit    7   6 5 4 3 2   1 0        bit  3   2 1   0
 *   e4m3  [s] [ e e e e ] [ m m m ]     e5m2  [s] [ e e e e e ] [ m m ]   e2m1 [s] [e e] [m]
 *
 * value = (-1)^s * 2^(e - bias) * 1.m, or (-1)^s * 2^(1 - bias) * 0.m where e == 0. */
#ifndef FPX_FORMAT_H
#define FPX_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { FPX_FORMAT_NAME_MAX = 16 };

/* Which codes are not finite numbers. Magnitude is the code without its sign bit. */
enum fpx_specials {
    FPX_SPECIALS_IEEE,     /* magnitude max_code + 1 is Inf, those above are NaN */
    FPX_SPECIALS_NAN_ONLY, /* magnitudes above max_code are NaN, no Inf (e4m3: 0x7f, 0xff) */
    FPX_SPECIALS_NONE,     /* every code is finite (e2m1) */
    FPX_SPECIALS_FNUZ,     /* the sign bit alone is NaN, so there is one zero; no Inf (e4m3fnuz) */
    FPX_SPECIALS_P3109     /* as FNUZ, and magnitude max_code + 1 is Inf (binary8p4se) */
};

enum fpx_format_class {
    FPX_CLASS_FLOAT, /* sign, exponent, fraction as drawn above */
    FPX_CLASS_INT,   /* two's complement integer (token ids); ebits, mbits, bias unused */
    FPX_CLASS_FIXED /* two's complement integer times 2^-mbits; -2^(bits-1) is never written (mxint8) */
};

enum fpx_format_flags {
    FPX_FORMAT_UNSIGNED = 1, /* no sign bit (e8m0, ue4m3) */
    FPX_FORMAT_NO_ZERO = 2   /* no zero and no subnormals: exponent field 0 is 2^-bias (e8m0) */
};

/* Plain data, compared by fpx_format_equal, copied by value across processes. */
typedef struct fpx_format {
    char name[FPX_FORMAT_NAME_MAX]; /* "e4m3", unique, terminated */
    uint8_t cls;                    /* enum fpx_format_class */
    uint8_t bits;                   /* width of a code, at most 64: sign + ebits + mbits */
    uint8_t ebits;                  /* 0..11 */
    uint8_t mbits;                  /* stored fraction bits, 0..52 */
    int16_t bias;                   /* subtracted from the stored exponent */
    uint8_t specials;               /* enum fpx_specials */
    uint8_t flags;                  /* enum fpx_format_flags, or-ed */
    uint64_t max_code;              /* code of the largest finite value, sign 0 */
    uint64_t nan_code;              /* canonical NaN, sign 0; 0 where the format has none */
} fpx_format;

/* OCP 8-bit Floating Point Specification 1.0, table 1. */
extern const fpx_format fpx_e4m3, fpx_e5m2;
/* OCP Microscaling Formats Specification 1.0, section 5.3.3: grid 0 .5 1 1.5 2 3 4 6. */
extern const fpx_format fpx_e2m1;
extern const fpx_format fpx_e3m2, fpx_e2m3, fpx_mxint8, fpx_e8m0;
/* Two's bias and one zero, as ml_dtypes, AMD CDNA3 and Graphcore have them (arXiv 2206.02915; e4m3b11fnuz: the
 * HFP8 of ml_dtypes). */
extern const fpx_format fpx_e4m3fnuz, fpx_e5m2fnuz, fpx_e4m3b11fnuz;
/* IEEE 754's rules at other widths, as ml_dtypes has them; e5m6 as in NVIDIA's 12-bit trials. */
extern const fpx_format fpx_e3m4, fpx_ieee_e4m3, fpx_e5m6;
/* MS-AMP's integers -7..7 (e1m2: exponent of one bit, so that the grid is even). */
extern const fpx_format fpx_e1m2;
/* Unsigned block scales: the codes 0x00..0x7f of e4m3 (NVFP4; 7 bits, what lies above is ignored), and
 * ue5m3 (its bias of 15 is inferred). */
extern const fpx_format fpx_ue4m3, fpx_ue5m3;
/* NVIDIA's 19 bits: the upper bits of float32, here in the low bits of a 32-bit code. */
extern const fpx_format fpx_tf32;
/* IEEE 754-2019 binary16, binary32, binary64; bfloat16 is binary32's upper half. */
extern const fpx_format fpx_bf16, fpx_fp16, fpx_fp32, fpx_fp64;
/* Token ids and other indices. */
extern const fpx_format fpx_int32;

/* The format of this name or alias (ml_dtypes' names: float8_e4m3fn, float8_e5m2, float4_e2m1fn,
 * bfloat16, float16, float32, float64, int32, ...); NULL where the table has none. */
const fpx_format *fpx_format_find(const char *name);

/* The format of IEEE P3109 (v4.0 interim report) binaryKpP: width in bits, precision (stored fraction bits
 * + 1), signed or unsigned, extended (with Inf) or finite. Named binary<K>p<P><s|u><e|f>.
 * FPX_EINVAL: width outside 3..15, precision outside 1..width, or an exponent range beyond float64's. */
fpx_status fpx_format_p3109(unsigned width, unsigned precision, int is_unsigned, int is_extended,
                            fpx_format *ret_format);

/* Any name: those of the table, P3109's (binary8p4 is binary8p4se), and [u]e<E>m<M>[b<BIAS>][SPECIALS] with
 * SPECIALS one of ieee (also none given), fn (largest magnitude is NaN, no Inf), fnuz, finite (no Inf, no NaN)
 * and BIAS 2^(E-1) - 1 where none is given (fnuz: 2^(E-1)); 2 to 16 bits, numbers without leading zeros. A table's
 * name comes first: e4m3 is OCP's (fn, largest 448), while e4m3b7 and e4m3ieee are IEEE 754's at this width (240, Inf).
 * FPX_EINVAL with text: no such name, or fields that do not fit together. err may be NULL. */
fpx_status fpx_format_parse(const char *name, fpx_format *ret_format, fpx_error *err);

/* Formats in table order; NULL at and after the end. */
const fpx_format *fpx_format_at(size_t index);

/* ml_dtypes' (or numpy's) name of a format, for files; its own name where ml_dtypes has none. */
const char *fpx_format_alias(const fpx_format *format);

/* 1 where both describe the same codes (every field but the name), else 0. */
int fpx_format_equal(const fpx_format *a, const fpx_format *b);

/* 1 where the fields fit together, so that every function here is defined for it: the check for a
 * descriptor that came from a file or another process. Else 0. */
int fpx_format_is_valid(const fpx_format *format);

/* Bytes one unpacked code takes in memory: 1, 2, 4 or 8. Codes narrower than a byte use its low
 * bits, the upper ones are 0. */
size_t fpx_format_size(const fpx_format *format);

/* The exact value of one code in float64. Bits above the format's width are ignored. NaN codes
 * give the quiet NaN 0x7FF8000000000000 with the code's sign. FPX_CLASS_INT gives the integer. */
double fpx_format_value(const fpx_format *format, uint64_t code);

/* Code i of an array of unpacked codes, as an integer. Any alignment. */
uint64_t fpx_format_code(const fpx_format *format, const void *codes, size_t i);

/* Largest finite value, in float64. */
double fpx_format_max(const fpx_format *format);

#ifdef __cplusplus
}
#endif

#endif /* FPX_FORMAT_H */
