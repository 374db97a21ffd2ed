/* block_scale.c - from a block's amax to its scale: the scalar reference. One function for each rule, each
 * operation a statement, since their order is what libraries differ in. Exponents come from the bits: a
 * logarithm in float32 is wrong just below most powers of two. */
#include <float.h>

#include <fpx/scale.h>

#include "block_kernels.h"
#include "convert_round.h"

enum { INF_BITS = 0x7f800000, EXPONENT_BITS = 0x7f800000, E8M0_NAN = 0xff, E8M0_MAX = 0xfe };

static int log2_floor(float x) /* x > 0, finite */
{
    const fpx_fields f = fpx_fields_of(&fpx_fp32, fpx_f32_bits(x));

    return fpx_top_bit(f.m) + f.q;
}

static int is_power_of_two(float x) /* x > 0, finite */
{
    const uint64_t m = fpx_fields_of(&fpx_fp32, fpx_f32_bits(x)).m;

    return (m & (m - 1)) == 0;
}

static int log2_ceil(float x)
{
    return log2_floor(x) + !is_power_of_two(x);
}

int fpx_block_emax(const fpx_format *format)
{
    const fpx_fields max = fpx_fields_of(format, format->max_code);

    return fpx_top_bit(max.m) + max.q;
}

static float largest(const fpx_blocking *b)
{
    return (float)fpx_format_max(&b->element.format);
}

/* Is amax / 2^floor(log2 amax) above max / 2^emax? Both in [1, 2), compared as integers. */
static int exceeds_max(const fpx_format *format, float amax)
{
    const uint64_t a = fpx_fields_of(&fpx_fp32, fpx_f32_bits(amax)).m;
    const uint64_t m = fpx_fields_of(format, format->max_code).m;

    return a << (63 - fpx_top_bit(a)) > m << (63 - fpx_top_bit(m));
}

/* amax is finite and above 0; with STD it is the number whose logarithm is taken. */
static int mx_exponent(const fpx_blocking *b, float amax)
{
    const fpx_format *const f = &b->element.format;
    const int emax = fpx_block_emax(f);

    switch (b->mx_exponent) {
    case FPX_MX_CEIL:
        return log2_ceil(amax) - emax;
    case FPX_MX_RCEIL:
        return log2_floor(amax) - emax + exceeds_max(f, amax);
    case FPX_MX_RCEIL_FP32: {
        const float reciprocal = (float)(1.0 / fpx_format_max(f));
        const float quotient = amax * reciprocal;
        return quotient > 0.0f ? log2_ceil(quotient) : -127;
    }
    case FPX_MX_STD:
        return log2_floor(amax);
    default:
        return log2_floor(amax) - emax;
    }
}

static uint32_t mx_byte(const fpx_blocking *b, float amax)
{
    uint32_t bits = fpx_f32_bits(amax);

    if (bits > INF_BITS)
        return E8M0_NAN;
    /* Half of the element's last place, in the place of float32's bits; it may carry up to Inf. */
    if (b->mx_exponent == FPX_MX_EVEN && bits < INF_BITS)
        bits += UINT32_C(1) << (22 - b->element.format.mbits);
    if (bits >= INF_BITS)
        return b->mx_inf == FPX_MX_INF_LARGEST ? E8M0_MAX : E8M0_NAN;
    if (bits == 0)
        return 0;

    const int byte = mx_exponent(b, fpx_bits_f32(bits)) + 127;
    return byte < 0 ? 0 : byte > E8M0_MAX ? E8M0_MAX : (uint32_t)byte;
}

float fpx_block_e8m0_value(uint32_t byte)
{
    if (byte == E8M0_NAN)
        return fpx_bits_f32(0x7fc00000u);
    return fpx_bits_f32(byte == 0 ? 0x00400000u : byte << 23); /* 2^-127 is a subnormal */
}

/* The largest power of two that is not above x: x with its fraction cleared, as long as x is normal. */
static float power_below(float x)
{
    const uint32_t u = fpx_f32_bits(x);
    const uint32_t field = u & EXPONENT_BITS;

    if (field != 0 || u == 0)
        return fpx_bits_f32(field);
    return fpx_bits_f32(UINT32_C(1) << fpx_top_bit(u));
}

/* The least one that is not below x, among those that are normal numbers. */
static float power_above(float x)
{
    const uint32_t u = fpx_f32_bits(x);
    const uint32_t field = (u >> 23) + ((u & 0x7fffffu) != 0);

    return fpx_bits_f32((field < 1 ? 1 : field > 254 ? 254 : field) << 23);
}

static fpx_block_factor tile_te(const fpx_blocking *b, float amax)
{
    const float quotient_max = b->quotient_max > 0.0f ? b->quotient_max : FLT_MAX;
    float encode = 1.0f;

    if (b->ms_amp) { /* the largest of what is rounded is what the largest rounds to */
        encode = fpx_scale_ms_amp_bf16(&b->element.format, fpx_round_bf16(amax));
    } else if (fpx_f32_bits(amax) < INF_BITS && amax > 0.0f) {
        encode = largest(b) / amax;
        if (fpx_f32_bits(encode) == INF_BITS)
            encode = quotient_max;
        if (b->power_of_two)
            encode = power_below(encode);
    }
    return (fpx_block_factor){ fpx_f32_bits(1.0f / encode), encode };
}

static fpx_block_factor tile_decode_first(const fpx_blocking *b, float amax)
{
    float scale = amax / largest(b);

    if (b->power_of_two)
        scale = power_above(scale);
    return (fpx_block_factor){ fpx_f32_bits(scale),
                               b->rule == FPX_RULE_TILE_DIVIDE ? scale : 1.0f / scale };
}

static fpx_block_factor tile(const fpx_blocking *b, float amax)
{
    const float at_least = amax < b->amax_floor ? b->amax_floor : amax; /* a NaN stays */

    return b->rule == FPX_RULE_TILE_TE ? tile_te(b, at_least) : tile_decode_first(b, at_least);
}

/* The e4m3 code of a scale, to nearest even and saturating; a NaN gives 0x7f. */
static uint32_t e4m3_of(float x)
{
    static const fpx_conversion to_e4m3 = { .overflow = FPX_SATFINITE, .nan = FPX_NAN_POSITIVE };
    fpx_conversion c = to_e4m3;

    c.format = fpx_e4m3;
    return (uint32_t)fpx_round_fields(&c, fpx_fields_of(&fpx_fp32, fpx_f32_bits(x)), 0, NULL);
}

static float e4m3_value(uint32_t code)
{
    return (float)fpx_format_value(&fpx_e4m3, code);
}

static float at_most(float x, float limit) /* a NaN stays */
{
    return x > limit ? limit : x;
}

float fpx_block_tensor_encode(float bound, float tensor_amax)
{
    const float scale = at_most(bound * 6.0f / tensor_amax, FLT_MAX);

    return tensor_amax == 0.0f || scale == 0.0f ? 1.0f : scale;
}

static fpx_block_factor nvfp4_encode(float tensor_encode, uint32_t code)
{
    const float tensor_decode = 1.0f / tensor_encode;
    const float decode = e4m3_value(code) * tensor_decode;

    return (fpx_block_factor){ code, at_most(1.0f / decode, FLT_MAX) };
}

static fpx_block_factor nvfp4_te(float tensor_amax, float amax)
{
    const float encode = fpx_block_tensor_encode(448.0f, tensor_amax);
    const float sixth = 1.0f / 6.0f;
    const float multiplier = encode * sixth;

    return nvfp4_encode(encode, e4m3_of(amax * multiplier));
}

static fpx_block_factor nvfp4_46(const fpx_blocking *b, float tensor_amax, float amax,
                                 int candidate)
{
    const float encode = fpx_block_tensor_encode(b->bound, tensor_amax);
    const float base = amax / 6.0f * encode;

    return nvfp4_encode(encode, e4m3_of(candidate == 1 ? base * 1.5f : base));
}

static fpx_block_factor nvfp4_torchao(float tensor_amax, float amax)
{
    const float tensor_scale = tensor_amax / (448.0f * 6.0f);
    const float scaled = amax / 6.0f / tensor_scale;
    const uint32_t code = e4m3_of(scaled < 0x1p-6f ? 0x1p-6f : scaled);
    const float factor = 1.0f / tensor_scale / e4m3_value(code);

    return (fpx_block_factor){ code, factor };
}

fpx_block_factor fpx_block_factor_of(const fpx_blocking *b, float tensor_amax, float amax,
                                     int candidate)
{
    switch (b->rule) {
    case FPX_RULE_MX:
        return (fpx_block_factor){ mx_byte(b, amax), 1.0f };
    case FPX_RULE_NVFP4_TE:
        return nvfp4_te(tensor_amax, amax);
    case FPX_RULE_NVFP4_TORCHAO:
        return nvfp4_torchao(tensor_amax, amax);
    case FPX_RULE_NVFP4_46:
        return nvfp4_46(b, tensor_amax, amax, candidate);
    default:
        return tile(b, amax);
    }
}

float fpx_block_quotient_factor(const fpx_blocking *b, fpx_block_factor factor)
{
    return b->rule == FPX_RULE_MX ? fpx_block_e8m0_value(E8M0_MAX - factor.stored) : factor.factor;
}

float fpx_block_decode_factor(const fpx_blocking *b, float tensor_amax, uint32_t stored)
{
    switch (b->rule) {
    case FPX_RULE_MX:
        return fpx_block_e8m0_value(stored);
    case FPX_RULE_NVFP4_TE:
    case FPX_RULE_NVFP4_46: {
        const float bound = b->rule == FPX_RULE_NVFP4_46 ? b->bound : 448.0f;
        const float inverse = 1.0f / (6.0f * bound);
        return e4m3_value(stored) * tensor_amax * inverse;
    }
    case FPX_RULE_NVFP4_TORCHAO:
        return tensor_amax / (448.0f * 6.0f) * e4m3_value(stored);
    default:
        return fpx_bits_f32(stored);
    }
}
