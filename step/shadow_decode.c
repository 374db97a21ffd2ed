/* shadow_decode.c - codes to float64 by way of float32, which has every value of the narrower formats: exact,
 * so the same bits as fpx_decode_f64, at the speed of the vector kernels. */
#include <string.h>

#include <fpx/convert.h>
#include <fpx/cpu.h>

#include "shadow_figure.h"

/* A piece stays in the first-level cache. */
enum { PIECE = 1024 };

static uint64_t widened_bits(float x, double scale)
{
    const double wide = (double)x, product = wide * scale;
    uint64_t sign, bits;

    memcpy(&sign, &wide, sizeof sign);
    memcpy(&bits, &product, sizeof bits);
    /* What fpx/convert.h makes of a NaN: quiet, with the sign of the code. */
    return product != product ? (sign & UINT64_C(1) << 63) | UINT64_C(0x7ff8000000000000) : bits;
}

static void widen(const float *x, double scale, double *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t bits = widened_bits(x[i], scale);

        memcpy(out + i, &bits, sizeof bits);
    }
}

void shadow_decode(const fpx_format *format, double scale, const void *codes, double *out, size_t n)
{
    const size_t bytes = fpx_format_size(format);
    const fpx_fpenv env = fpx_fpenv_enter();
    float narrow[PIECE];

    for (size_t i = 0; i < n; i += PIECE) {
        const size_t here = n - i < PIECE ? n - i : PIECE;
        const unsigned char *from = (const unsigned char *)codes + i * bytes;

        if (fpx_decode_f32(format, 1.0f, from, narrow, here) == FPX_OK)
            widen(narrow, scale, out + i, here);
        else /* float64 and integers */
            (void)fpx_decode_f64(format, scale, from, out + i, here);
    }
    fpx_fpenv_leave(env);
}
