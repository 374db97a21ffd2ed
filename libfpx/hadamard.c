/* hadamard.c - the transform as four stages of butterflies: each output is then the signed sum of all 16 inputs,
 * as Sylvester's H = H2 x H2 x H2 x H2 says. */
#include <string.h>

#include <fpx/convert.h>
#include <fpx/hadamard.h>

#include "format_bits.h"

enum { SIZE = FPX_HADAMARD_SIZE };

static void flip(uint16_t signs, float *x)
{
    for (size_t i = 0; i < SIZE; i++)
        x[i] = fpx_bits_f32(fpx_f32_bits(x[i]) ^ (uint32_t)((signs >> i) & 1) << 31);
}

static void butterflies(float *x)
{
    for (size_t apart = SIZE / 2; apart > 0; apart /= 2) {
        for (size_t i = 0; i < SIZE; i++) {
            if ((i & apart) != 0)
                continue;
            const float a = x[i];
            const float b = x[i + apart];
            x[i] = a + b;
            x[i + apart] = a - b;
        }
    }
    for (size_t i = 0; i < SIZE; i++)
        x[i] *= 0.25f;
}

/* To the nearest bf16, ties to even: half of its last place less one, and one more where the kept part is odd. */
static float to_bf16(float x)
{
    const uint32_t u = fpx_f32_bits(x);

    return fpx_bits_f32((u + 0x7fff + ((u >> 16) & 1)) & 0xffff0000u);
}

static fpx_status transform(uint16_t before, uint16_t after, int rounds, const float *src, size_t n,
                            float *dst)
{
    if (n % SIZE != 0)
        return FPX_EINVAL;

    const fpx_fpenv env = fpx_fpenv_enter();
    for (size_t at = 0; at < n; at += SIZE) {
        float x[SIZE];
        memcpy(x, src + at, sizeof x);
        flip(before, x);
        butterflies(x);
        flip(after, x);
        for (size_t i = 0; i < SIZE; i++) {
            if (x[i] != x[i])
                x[i] = fpx_bits_f32(0x7fc00000u);
            else if (rounds)
                x[i] = to_bf16(x[i]);
        }
        memcpy(dst + at, x, sizeof x);
    }
    fpx_fpenv_leave(env);
    return FPX_OK;
}

fpx_status fpx_hadamard_forward(uint16_t signs, const float *src, size_t n, float *dst)
{
    return transform(signs, 0, 0, src, n, dst);
}

fpx_status fpx_hadamard_inverse(uint16_t signs, const float *src, size_t n, float *dst)
{
    return transform(0, signs, 0, src, n, dst);
}

fpx_status fpx_hadamard_forward_bf16(uint16_t signs, const float *src, size_t n, float *dst)
{
    return transform(signs, 0, 1, src, n, dst);
}

fpx_status fpx_hadamard_inverse_bf16(uint16_t signs, const float *src, size_t n, float *dst)
{
    return transform(0, signs, 1, src, n, dst);
}
