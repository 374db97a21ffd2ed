/* scale.c - powers of two: by the exponents of two numbers, and which of their mantissas is larger, where nothing
 * rounds; and as MS-AMP's FP4 code has it, where everything does. */
#include <float.h>
#include <math.h>
#include <string.h>

#include <fpx/elemfn.h>
#include <fpx/scale.h>

float fpx_scale_pow2(const fpx_format *target, float amax)
{
    int of_max, of_amax;
    double max, mine;

    if (!(amax > 0.0f && amax <= FLT_MAX))
        return 1.0f;
    max = frexp(fpx_format_max(target), &of_max);
    mine = frexp((double)amax, &of_amax);
    int exponent = of_max - of_amax - (mine > max);
    exponent = exponent < -126 ? -126 : (exponent > 126 ? 126 : exponent);
    return (float)ldexp(1.0, exponent);
}

float fpx_round_bf16(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    if (x != x)
        bits |= UINT32_C(1) << 22; /* a payload in the lower half alone would leave Inf */
    else
        bits += 0x7fffu + (bits >> 16 & 1);
    bits &= 0xffff0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ScalingMeta.compute_scaling_factor of MS-AMP on tensors of bf16: TorchScript makes max / amax a reciprocal and a
 * product, and every result is bf16. */
float fpx_scale_ms_amp_bf16(const fpx_format *target, float amax)
{
    if (!(amax > 0.0f && amax <= FLT_MAX))
        return 1.0f;
    const float quotient =
        fpx_round_bf16(fpx_round_bf16(1.0f / amax) * (float)fpx_format_max(target));
    const float exponent = floorf(fpx_round_bf16(fpx_elemfn_f32(FPX_ELEMFN_LOG2, quotient)));
    const float power =
        fabsf(exponent) > 127.0f ? (float)INFINITY : ldexpf(1.0f, (int)fabsf(exponent));

    return exponent < 0.0f ? 1.0f / power : power;
}
