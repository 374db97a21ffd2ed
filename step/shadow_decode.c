/* shadow_decode.c - codes to float64 by way of float32, which has every value of the narrower formats: exact,
 * so the same bits as fpx_decode_f64, at the speed of the vector kernels. */
#include <string.h>

#include <fpx/convert.h>
#include <fpx/cpu.h>

#include "shadow_figure.h"

/* A piece stays in the first-level cache. */
enum { PIECE = 1024 };

/* What fpx/convert.h makes of a NaN: quiet, with the sign of the code. */
static void set_nans(const float *x, double *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double wide = (double)x[i];
        uint64_t sign;

        if (out[i] == out[i])
            continue;
        memcpy(&sign, &wide, sizeof sign);
        sign = (sign & UINT64_C(1) << 63) | UINT64_C(0x7ff8000000000000);
        memcpy(out + i, &sign, sizeof sign);
    }
}

void SHADOW_NAME(shadow_widen)(const float *x, double scale, double *out, size_t n)
{
    uint64_t nans = 0;

    for (size_t i = 0; i < n; i++)
        out[i] = (double)x[i] * scale;
    for (size_t i = 0; i < n; i++)
        nans += out[i] == out[i] ? 0 : 1;
    if (nans > 0)
        set_nans(x, out, n);
}

#ifndef STEP_AVX2
static void widen(const float *x, double scale, double *out, size_t n)
{
#ifdef FPX_HAVE_AVX2
    if (fpx_cpu_in_use() >= FPX_CPU_AVX2) {
        shadow_widen_avx2(x, scale, out, n);
        return;
    }
#endif
    shadow_widen(x, scale, out, n);
}

void shadow_decode(const fpx_format *format, double scale, const void *codes, double *out, size_t n)
{
    const size_t bytes = fpx_format_size(format);
    const fpx_fpenv env = fpx_fpenv_enter();
    const int is_fp32 = fpx_format_equal(format, &fpx_fp32);
    float narrow[PIECE];

    for (size_t i = 0; i < n; i += PIECE) {
        const size_t here = n - i < PIECE ? n - i : PIECE;
        const unsigned char *from = (const unsigned char *)codes + i * bytes;

        if (is_fp32 && (uintptr_t)from % sizeof(float) == 0)
            widen((const float *)(const void *)from, scale, out + i, here);
        else if (fpx_decode_f32(format, 1.0f, from, narrow, here) == FPX_OK)
            widen(narrow, scale, out + i, here);
        else /* float64 and integers */
            (void)fpx_decode_f64(format, scale, from, out + i, here);
    }
    fpx_fpenv_leave(env);
}
#endif
