/* convert.c - the scalar reference of every conversion. Slow, obvious, and the judge of every other
 * variant: a number is m * 2^q in integers and is rounded once (convert_round.c), so that only the
 * multiplication by the scale is a floating-point operation. */
#include <string.h>

#include <fpx/convert.h>

#include "convert_kernels.h"
#include "convert_round.h"
#include "format_bits.h"

static void store_code(void *dst, size_t bytes, size_t i, uint64_t code)
{
    const uint32_t code32 = (uint32_t)code;
    const uint16_t code16 = (uint16_t)code;
    const uint8_t code8 = (uint8_t)code;

    switch (bytes) {
    case 1:
        memcpy((char *)dst + i, &code8, sizeof code8);
        break;
    case 2:
        memcpy((char *)dst + 2 * i, &code16, sizeof code16);
        break;
    case 4:
        memcpy((char *)dst + 4 * i, &code32, sizeof code32);
        break;
    default:
        memcpy((char *)dst + 8 * i, &code, sizeof code);
        break;
    }
}

static uint64_t load_code(const void *src, size_t bytes, size_t i)
{
    uint64_t code64 = 0;
    uint32_t code32 = 0;
    uint16_t code16 = 0;

    switch (bytes) {
    case 1:
        return ((const uint8_t *)src)[i];
    case 2:
        memcpy(&code16, (const char *)src + 2 * i, sizeof code16);
        return code16;
    case 4:
        memcpy(&code32, (const char *)src + 4 * i, sizeof code32);
        return code32;
    default:
        memcpy(&code64, (const char *)src + 8 * i, sizeof code64);
        return code64;
    }
}

/* A product that is NaN takes the source's sign: which operand's NaN survives, and the sign of
 * Inf * 0, differ between processors. */
static fpx_fields scaled(const fpx_format *f, uint64_t source, uint64_t product)
{
    fpx_fields x = fpx_fields_of(f, product);

    if (x.kind == FPX_KIND_NAN)
        x.negative = fpx_fields_of(f, source).negative;
    return x;
}

void fpx_encode_f32_scalar(const fpx_conversion *conversion, float scale, const float *src,
                           const uint32_t *bits, void *dst, size_t n)
{
    const size_t bytes = fpx_format_size(&conversion->format);

    for (size_t i = 0; i < n; i++) {
        const uint32_t source = (uint32_t)load_code(src, 4, i);
        const uint32_t product = fpx_f32_bits(fpx_bits_f32(source) * scale);
        const fpx_fields x = scaled(&fpx_fp32, source, product);
        const uint32_t random = bits == NULL ? 0 : (uint32_t)load_code(bits, 4, i);
        store_code(dst, bytes, i, fpx_round_fields(conversion, x, random, NULL));
    }
}

void fpx_encode_f32_u16_scalar(const fpx_conversion *conversion, float scale, const float *src,
                               const uint16_t *bits, void *dst, size_t n)
{
    const size_t bytes = fpx_format_size(&conversion->format);

    for (size_t i = 0; i < n; i++) {
        const uint32_t wide = (uint32_t)load_code(bits, 2, i);
        fpx_encode_f32_scalar(conversion, scale, src + i, &wide, (char *)dst + i * bytes, 1);
    }
}

static void encode_f64(const fpx_conversion *conversion, double scale, const double *src,
                       const uint32_t *bits, void *dst, size_t n)
{
    const size_t bytes = fpx_format_size(&conversion->format);

    for (size_t i = 0; i < n; i++) {
        const uint64_t source = load_code(src, 8, i);
        const uint64_t product = fpx_f64_bits(fpx_bits_f64(source) * scale);
        const fpx_fields x = scaled(&fpx_fp64, source, product);
        const uint32_t random = bits == NULL ? 0 : (uint32_t)load_code(bits, 4, i);
        store_code(dst, bytes, i, fpx_round_fields(conversion, x, random, NULL));
    }
}

static void encode_codes(const fpx_conversion *conversion, const fpx_format *from, const void *src,
                         const uint32_t *bits, void *dst, size_t n)
{
    const size_t in = fpx_format_size(from);
    const size_t out = fpx_format_size(&conversion->format);

    for (size_t i = 0; i < n; i++) {
        const fpx_fields x = fpx_fields_of(from, load_code(src, in, i));
        const uint32_t random = bits == NULL ? 0 : (uint32_t)load_code(bits, 4, i);
        store_code(dst, out, i, fpx_round_fields(conversion, x, random, NULL));
    }
}

void fpx_decode_f32_scalar(const fpx_format *format, float scale, const void *src, float *dst,
                           size_t n)
{
    static const fpx_conversion exact = { .overflow = FPX_OVERFLOW_NONE };
    const size_t bytes = fpx_format_size(format);
    fpx_conversion to_f32 = exact;

    to_f32.format = fpx_fp32;
    for (size_t i = 0; i < n; i++) {
        const uint64_t code = load_code(src, bytes, i);
        const fpx_fields x = fpx_fields_of(format, code);
        const uint32_t value = (uint32_t)fpx_round_fields(&to_f32, x, 0, NULL);
        uint32_t product = fpx_f32_bits(fpx_bits_f32(value) * scale);
        if ((product & 0x7fffffffu) > 0x7f800000u)
            product = 0x7fc00000u | (uint32_t)x.negative << 31;
        store_code(dst, 4, i, product);
    }
}

static void decode_f64(const fpx_format *format, double scale, const void *src, double *dst,
                       size_t n)
{
    const size_t bytes = fpx_format_size(format);

    for (size_t i = 0; i < n; i++) {
        const uint64_t code = load_code(src, bytes, i);
        const fpx_fields x = fpx_fields_of(format, code);
        uint64_t product = fpx_f64_bits(fpx_bits_f64(fpx_fields_f64(x)) * scale);
        if ((product & INT64_MAX) > UINT64_C(0x7ff0000000000000))
            product = UINT64_C(0x7ff8000000000000) | (uint64_t)x.negative << 63;
        store_code(dst, 8, i, product);
    }
}

/* Whether float32 has every value of a format. */
static int fits_f32(const fpx_format *f)
{
    if (f->cls == FPX_CLASS_FIXED)
        return f->bits <= 25;

    const int field = (int)(f->max_code >> f->mbits);
    const int least = (f->flags & FPX_FORMAT_NO_ZERO) != 0 ? 0 : 1;
    const int emax = (field > least ? field : least) - f->bias;

    return f->mbits <= 23 && emax <= 127 && least - f->bias - f->mbits >= -149;
}

static int is_nan_code(const fpx_format *f, uint64_t code)
{
    return code >> fpx_magnitude_width(f) == 0 && fpx_fields_of(f, code).kind == FPX_KIND_NAN;
}

fpx_status fpx_conversion_check(const fpx_conversion *c)
{
    if (!fpx_format_is_valid(&c->format) || c->format.cls == FPX_CLASS_INT)
        return FPX_EINVAL;
    if (c->round > FPX_SR || c->overflow > FPX_OVERFLOW_NONE || c->nan > FPX_NAN_ZERO ||
        c->negative > FPX_NEGATIVE_NAN || c->zero > FPX_ZERO_NAN ||
        c->overflow_test > FPX_TEST_SOURCE)
        return FPX_EINVAL;
    if (c->nan_code != 0 && !is_nan_code(&c->format, c->nan_code))
        return FPX_EINVAL;
    if (c->round == FPX_SR && (c->sr_bits < 1 || c->sr_bits > 32 || c->sr_variant > FPX_SR_C))
        return FPX_EINVAL;
    return FPX_OK;
}

/* Random bits come with stochastic rounding, and with nothing else. */
static fpx_status check_encode(const fpx_conversion *c, int is_random)
{
    const fpx_status status = fpx_conversion_check(c);

    return status == FPX_OK && (c->round == FPX_SR) != is_random ? FPX_EINVAL : status;
}

static fpx_status run_f32(const fpx_conversion *c, float scale, const float *src,
                          const uint32_t *bits, void *dst, size_t n)
{
    const fpx_fpenv env = fpx_fpenv_enter();
    const size_t slot = fpx_width_slot(&c->format);

    fpx_convert_kernels_in_use()->encode_f32[slot](c, scale, src, bits, dst, n);
    fpx_fpenv_leave(env);
    return FPX_OK;
}

static fpx_status run_f64(const fpx_conversion *c, double scale, const double *src,
                          const uint32_t *bits, void *dst, size_t n)
{
    const fpx_fpenv env = fpx_fpenv_enter();

    encode_f64(c, scale, src, bits, dst, n);
    fpx_fpenv_leave(env);
    return FPX_OK;
}

/* By way of float32, which has every value: the one rounding is still from the source. */
static void encode_by_f32(const fpx_conversion *c, const fpx_format *from, const void *src,
                          const uint32_t *bits, void *dst, size_t n)
{
    enum { CHUNK = 1024 };
    const fpx_convert_kernels *const kernels = fpx_convert_kernels_in_use();
    const size_t in = fpx_format_size(from);
    const size_t out = fpx_format_size(&c->format);
    float values[CHUNK];

    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t here = n - i < CHUNK ? n - i : CHUNK;
        kernels->decode_f32[fpx_width_slot(from)](from, 1.0f, (const char *)src + i * in, values,
                                                  here);
        kernels->encode_f32[fpx_width_slot(&c->format)](
            c, 1.0f, values, bits == NULL ? NULL : bits + i, (char *)dst + i * out, here);
    }
}

static fpx_status run_codes(const fpx_conversion *c, const fpx_format *from, const void *src,
                            const uint32_t *bits, void *dst, size_t n)
{
    if (!fpx_format_is_valid(from))
        return FPX_EINVAL;
    if (from->cls == FPX_CLASS_INT || !fits_f32(from)) {
        encode_codes(c, from, src, bits, dst, n);
        return FPX_OK;
    }
    const fpx_fpenv env = fpx_fpenv_enter();
    encode_by_f32(c, from, src, bits, dst, n);
    fpx_fpenv_leave(env);
    return FPX_OK;
}

fpx_status fpx_encode_f32(const fpx_conversion *conversion, float scale, const float *src,
                          void *dst, size_t n)
{
    const fpx_status status = check_encode(conversion, 0);

    return status == FPX_OK ? run_f32(conversion, scale, src, NULL, dst, n) : status;
}

fpx_status fpx_encode_f64(const fpx_conversion *conversion, double scale, const double *src,
                          void *dst, size_t n)
{
    const fpx_status status = check_encode(conversion, 0);

    return status == FPX_OK ? run_f64(conversion, scale, src, NULL, dst, n) : status;
}

fpx_status fpx_encode_codes(const fpx_conversion *conversion, const fpx_format *from,
                            const void *src, void *dst, size_t n)
{
    const fpx_status status = check_encode(conversion, 0);

    return status == FPX_OK ? run_codes(conversion, from, src, NULL, dst, n) : status;
}

fpx_status fpx_encode_f32_random(const fpx_conversion *conversion, float scale, const float *src,
                                 const uint32_t *bits, void *dst, size_t n)
{
    const fpx_status status = check_encode(conversion, 1);

    return status == FPX_OK ? run_f32(conversion, scale, src, bits, dst, n) : status;
}

fpx_status fpx_encode_f64_random(const fpx_conversion *conversion, double scale, const double *src,
                                 const uint32_t *bits, void *dst, size_t n)
{
    const fpx_status status = check_encode(conversion, 1);

    return status == FPX_OK ? run_f64(conversion, scale, src, bits, dst, n) : status;
}

fpx_status fpx_encode_codes_random(const fpx_conversion *conversion, const fpx_format *from,
                                   const void *src, const uint32_t *bits, void *dst, size_t n)
{
    const fpx_status status = check_encode(conversion, 1);

    return status == FPX_OK ? run_codes(conversion, from, src, bits, dst, n) : status;
}

fpx_status fpx_decode_f32(const fpx_format *format, float scale, const void *src, float *dst,
                          size_t n)
{
    if (!fpx_format_is_valid(format) || format->cls == FPX_CLASS_INT || !fits_f32(format))
        return FPX_EINVAL;
    if (fpx_f32_bits(scale) == 0x3f800000u && fpx_format_equal(format, &fpx_fp32)) {
        if (n > 0)
            memcpy(dst, src, n * sizeof *dst);
        return FPX_OK;
    }
    const fpx_fpenv env = fpx_fpenv_enter();
    fpx_convert_kernels_in_use()->decode_f32[fpx_width_slot(format)](format, scale, src, dst, n);
    fpx_fpenv_leave(env);
    return FPX_OK;
}

fpx_status fpx_decode_f64(const fpx_format *format, double scale, const void *src, double *dst,
                          size_t n)
{
    if (!fpx_format_is_valid(format))
        return FPX_EINVAL;
    const fpx_fpenv env = fpx_fpenv_enter();
    decode_f64(format, scale, src, dst, n);
    fpx_fpenv_leave(env);
    return FPX_OK;
}
