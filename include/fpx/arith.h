/* fpx/arith.h - arithmetic on codes: the exact result, rounded once into any format in any mode.
 *
 * Operands may be of different formats, and of others than the result. What is rounded, and how, is an
 * fpx_conversion: every rounding, stochastic with explicit random bits too, every policy for overflow and NaN.
 * Exceptions are returned; there is no state. Semantics: IEEE 754-2019 sections 5 to 7 and 9.6, and where they
 * leave a choice or a format is not IEEE 754's:
 *
 * - NaN operands give NaN with the first one's sign, invalid operations a positive NaN, no payload is kept; which code
 *   that is, and what a format without NaN holds instead, is the conversion's NaN rule.
 * - Signaling NaN (quiet bit 0) exist in formats with IEEE 754's specials and 16 bits or more. Every other NaN,
 *   and all of the 8-bit formats, P3109's included, are quiet.
 * - x / 0 is Inf with divide-by-zero. Where the divisor's format has only one zero (FNUZ, P3109, unsigned, fixed
 *   point, integers) that zero has no sign: x / 0 is then NaN, Inf / 0 too, as IEEE P3109 (4.0) defines Divide;
 *   the first raises divide-by-zero, the second invalid.
 * - fma(0, Inf, quiet NaN) is NaN without invalid, as on x86.
 * - An exact sum of zero from operands of opposite sign is +0, with FPX_RD -0 where the format has it.
 * - What the destination cannot say raises a flag: Inf that becomes a number or NaN raises overflow and inexact (1 / 0
 *   in e2m1 is 6 with divide-by-zero, overflow, inexact), NaN that becomes a number raises invalid (sqrt(-1) in
 *   e2m1), so does a negative that an unsigned format replaces; a zero that becomes the least value raises
 *   inexact.
 * - Underflow is a tiny and inexact result (section 7.5), told for both ways to detect tininess. */
#ifndef FPX_ARITH_H
#define FPX_ARITH_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/convert.h>
#include <fpx/format.h>
#include <fpx/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Exceptions, or-ed. */
enum fpx_flags {
    FPX_FLAG_INEXACT = 1,
    FPX_FLAG_OVERFLOW = 2,
    FPX_FLAG_UNDERFLOW_BEFORE = 4, /* the exact result is below the least normal (Arm) */
    FPX_FLAG_UNDERFLOW_AFTER = 8,  /* the result rounded with unbounded exponent is (x86, RISC-V) */
    FPX_FLAG_INVALID = 16,
    FPX_FLAG_DIVIDE_BY_ZERO = 32
};

typedef enum fpx_arith_op {
    FPX_ARITH_ADD,
    FPX_ARITH_SUB,
    FPX_ARITH_MUL,
    FPX_ARITH_DIV,
    FPX_ARITH_SQRT,
    FPX_ARITH_FMA,       /* a b + c, one rounding */
    FPX_ARITH_REMAINDER, /* a - n b, n = a / b to the nearest integer, ties to even */
    FPX_ARITH_FMOD,      /* the same with n toward zero, as C's fmod */
    FPX_ARITH_MINIMUM,   /* NaN where an operand is NaN; -0 is less than +0 */
    FPX_ARITH_MAXIMUM,
    FPX_ARITH_MINIMUM_NUMBER, /* the number where one operand is NaN */
    FPX_ARITH_MAXIMUM_NUMBER,
    FPX_ARITH_INTEGRAL, /* to an integer in the conversion's rounding (inexact raised), then into the format */
    FPX_ARITH_CONVERT, /* a */
    FPX_ARITH_OPS
} fpx_arith_op;

/* "add", "minimum_number", ...; NULL for what is no operation. */
const char *fpx_arith_name(fpx_arith_op op);

/* Number of operands, 1 to 3; 0 for what is no operation. */
int fpx_arith_arity(fpx_arith_op op);

/* One result. formats[i] and codes[i] describe operand i < arity; bits of a code above its width are ignored. random:
 * the low sr_bits bits are FPX_SR's, else ignored. ret_flags may be NULL. FPX_EINVAL: no such operation,
 * fpx_conversion_check, or an invalid operand format (integers are valid). */
fpx_status fpx_arith(fpx_arith_op op, const fpx_conversion *conversion,
                     const fpx_format *const *formats, const uint64_t *codes, uint32_t random,
                     uint64_t *ret_code, unsigned *ret_flags);

/* n results: codes[i] is an array of n unpacked codes of formats[i] (fpx_format_size bytes each), dst one of
 * the conversion's format. random: n words with FPX_SR, else NULL. dst may be one of codes[] where the sizes are
 * equal, otherwise nothing overlaps; any alignment. *ret_flags (may be NULL): all elements' flags or-ed. FPX_EINVAL
 * as above, or random bits missing or not wanted. */
fpx_status fpx_arith_array(fpx_arith_op op, const fpx_conversion *conversion,
                           const fpx_format *const *formats, const void *const *codes,
                           const uint32_t *random, void *dst, size_t n, unsigned *ret_flags);

/* How a stands to b: exactly one; or-ed they are a predicate (<= is FPX_LESS | FPX_EQUAL). */
typedef enum fpx_relation {
    FPX_LESS = 1,
    FPX_EQUAL = 2,
    FPX_GREATER = 4,
    FPX_UNORDERED = 8 /* one is NaN */
} fpx_relation;

/* Compares two values exactly; formats and codes hold two. Zeros are equal. Invalid is raised for a signaling
 * NaN, with is_signaling for any NaN (section 5.11). ret_flags may be NULL. FPX_EINVAL: an invalid format. */
fpx_status fpx_arith_compare(int is_signaling, const fpx_format *const *formats,
                             const uint64_t *codes, fpx_relation *ret_relation,
                             unsigned *ret_flags);

/* dst[i] = 1 where the relation of codes[0][i] to codes[1][i] is in predicate, else 0. FPX_EINVAL: an invalid
 * format, or bits in predicate that are no relation. */
fpx_status fpx_arith_compare_array(unsigned predicate, int is_signaling,
                                   const fpx_format *const *formats, const void *const *codes,
                                   uint8_t *dst, size_t n, unsigned *ret_flags);

typedef enum fpx_integer {
    FPX_INTEGER_I32,
    FPX_INTEGER_U32,
    FPX_INTEGER_I64,
    FPX_INTEGER_U64,
    FPX_INTEGERS
} fpx_integer;

/* The value of a code as an integer, rounded as conversion says (round, sr_bits, sr_variant; nothing else of it is
 * used). *ret_value: signed ones are sign-extended to 64 bits. Beyond the type's range, after rounding: its nearest
 * end; NaN: 0; both raise invalid and nothing else (section 5.8; the results are Arm's). A fraction that was
 * rounded away raises inexact. FPX_EINVAL: an invalid format, type or rounding. */
fpx_status fpx_arith_to_integer(const fpx_conversion *conversion, const fpx_format *format,
                                uint64_t code, uint32_t random, fpx_integer type,
                                uint64_t *ret_value, unsigned *ret_flags);

/* The code of an integer; value as above (bits above 32 are ignored for 32-bit types). FPX_EINVAL:
 * fpx_conversion_check, or no such type. */
fpx_status fpx_arith_from_integer(const fpx_conversion *conversion, fpx_integer type,
                                  uint64_t value, uint32_t random, uint64_t *ret_code,
                                  unsigned *ret_flags);

/* Both for arrays: integers of 4 or 8 bytes, unpacked codes, random as in fpx_arith_array. src and dst must not
 * overlap. */
fpx_status fpx_arith_to_integer_array(const fpx_conversion *conversion, const fpx_format *format,
                                      const void *src, const uint32_t *random, fpx_integer type,
                                      void *dst, size_t n, unsigned *ret_flags);
fpx_status fpx_arith_from_integer_array(const fpx_conversion *conversion, fpx_integer type,
                                        const void *src, const uint32_t *random, void *dst,
                                        size_t n, unsigned *ret_flags);

#ifdef __cplusplus
}
#endif

#endif /* FPX_ARITH_H */
