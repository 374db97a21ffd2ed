/* convert.c - the scalar reference of every conversion. Slow, obvious, and the judge of every other
 * variant: a number is m * 2^q in integers and is rounded once, by shifting, so that only the
 * multiplication by the scale is a floating-point operation. */
#include <string.h>

#include <fpx/convert.h>

#include "convert_kernels.h"
#include "format_bits.h"

/* Nearest multiple of 2^shift to m, as that multiple, ties to even. */
static uint64_t shift_rne(uint64_t m, int shift)
{
    if (shift <= 0)
        return m << -shift;
    if (shift > 54) /* m < 2^53 is less than half */
        return 0;

    const uint64_t rest = m & ((UINT64_C(1) << shift) - 1);
    const uint64_t half = UINT64_C(1) << (shift - 1);
    const uint64_t r = m >> shift;
    return r + (rest > half || (rest == half && (r & 1) != 0));
}

/* What stands above max_code. */
static uint64_t overflow_code(const fpx_conversion *c)
{
    if (c->overflow == FPX_SATFINITE || c->format.specials == FPX_SPECIALS_NONE)
        return c->format.max_code;
    return c->format.max_code + 1; /* Inf (IEEE) or NaN (NAN_ONLY): fpx_format_is_valid */
}

static uint64_t encode_fields(const fpx_conversion *c, fpx_fields x)
{
    const fpx_format *const f = &c->format;
    const uint64_t sign = (uint64_t)x.negative << (f->ebits + f->mbits);

    if (x.kind == FPX_KIND_NAN)
        return f->specials == FPX_SPECIALS_NONE ? f->max_code : f->nan_code | sign;
    if (x.kind == FPX_KIND_INF)
        return overflow_code(c) | sign;
    if (x.m == 0)
        return sign;

    const int emin = 1 - f->bias;
    const int top = fpx_top_bit(x.m) + x.q;
    const int e = top > emin ? top : emin;
    /* In units of the last place: below 2^mbits it is a subnormal, whose exponent field is 0; the
     * hidden bit of a normal adds 1 to the field, and so does a carry out of the fraction. */
    const uint64_t units = shift_rne(x.m, e - f->mbits - x.q);
    const uint64_t code = ((uint64_t)(e - emin) << f->mbits) + units;
    return (code > f->max_code ? overflow_code(c) : code) | sign;
}

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
                           void *dst, size_t n)
{
    const size_t bytes = fpx_format_size(&conversion->format);

    for (size_t i = 0; i < n; i++) {
        const uint32_t source = (uint32_t)load_code(src, 4, i);
        const uint32_t product = fpx_f32_bits(fpx_bits_f32(source) * scale);
        const fpx_fields x = scaled(&fpx_fp32, source, product);
        store_code(dst, bytes, i, encode_fields(conversion, x));
    }
}

static void encode_f64(const fpx_conversion *conversion, double scale, const double *src, void *dst,
                       size_t n)
{
    const size_t bytes = fpx_format_size(&conversion->format);

    for (size_t i = 0; i < n; i++) {
        const uint64_t source = load_code(src, 8, i);
        const uint64_t product = fpx_f64_bits(fpx_bits_f64(source) * scale);
        const fpx_fields x = scaled(&fpx_fp64, source, product);
        store_code(dst, bytes, i, encode_fields(conversion, x));
    }
}

static int sign_of(const fpx_format *f, uint64_t code)
{
    return f->cls == FPX_CLASS_FLOAT && fpx_fields_of(f, code).negative;
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
        const uint32_t value = (uint32_t)encode_fields(&to_f32, fpx_fields_of(format, code));
        uint32_t product = fpx_f32_bits(fpx_bits_f32(value) * scale);
        if ((product & 0x7fffffffu) > 0x7f800000u)
            product = 0x7fc00000u | (uint32_t)sign_of(format, code) << 31;
        store_code(dst, 4, i, product);
    }
}

static void decode_f64(const fpx_format *format, double scale, const void *src, double *dst,
                       size_t n)
{
    const size_t bytes = fpx_format_size(format);

    for (size_t i = 0; i < n; i++) {
        const uint64_t code = load_code(src, bytes, i);
        uint64_t product = fpx_f64_bits(fpx_format_value(format, code) * scale);
        if ((product & INT64_MAX) > UINT64_C(0x7ff0000000000000))
            product = UINT64_C(0x7ff8000000000000) | (uint64_t)sign_of(format, code) << 63;
        store_code(dst, 8, i, product);
    }
}

/* Whether float32 has every value of a format. */
static int fits_f32(const fpx_format *f)
{
    const int emax = (int)(f->max_code >> f->mbits) - f->bias;

    return f->mbits <= 23 && emax <= 127 && 1 - f->bias - f->mbits >= -149;
}

static fpx_status check_conversion(const fpx_conversion *c)
{
    if (!fpx_format_is_valid(&c->format) || c->format.cls != FPX_CLASS_FLOAT)
        return FPX_EINVAL;
    if (c->round != FPX_RNE || (c->overflow != FPX_SATFINITE && c->overflow != FPX_OVERFLOW_NONE))
        return FPX_EUNSUPPORTED;
    return FPX_OK;
}

fpx_status fpx_encode_f32(const fpx_conversion *conversion, float scale, const float *src,
                          void *dst, size_t n)
{
    const fpx_status status = check_conversion(conversion);

    if (status != FPX_OK)
        return status;
    const fpx_fpenv env = fpx_fpenv_enter();
    const size_t slot = fpx_width_slot(&conversion->format);
    fpx_convert_kernels_in_use()->encode_f32[slot](conversion, scale, src, dst, n);
    fpx_fpenv_leave(env);
    return FPX_OK;
}

fpx_status fpx_encode_f64(const fpx_conversion *conversion, double scale, const double *src,
                          void *dst, size_t n)
{
    const fpx_status status = check_conversion(conversion);

    if (status != FPX_OK)
        return status;
    const fpx_fpenv env = fpx_fpenv_enter();
    encode_f64(conversion, scale, src, dst, n);
    fpx_fpenv_leave(env);
    return FPX_OK;
}

fpx_status fpx_decode_f32(const fpx_format *format, float scale, const void *src, float *dst,
                          size_t n)
{
    if (!fpx_format_is_valid(format) || format->cls != FPX_CLASS_FLOAT || !fits_f32(format))
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
