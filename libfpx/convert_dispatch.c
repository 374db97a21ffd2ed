/* convert_dispatch.c - which conversion kernels run. Every table gives the same bits, so the choice can
 * never enter a number; a table is constant, and only the choice is remembered. */
#include <fpx/convert.h>

#include "convert_kernels.h"

static const fpx_convert_kernels scalar = {
    .name = "scalar",
    .encode_f32 = { fpx_encode_f32_scalar, fpx_encode_f32_scalar, fpx_encode_f32_scalar,
                    fpx_encode_f32_scalar },
    .encode_f32_u16 = { fpx_encode_f32_u16_scalar, fpx_encode_f32_u16_scalar,
                        fpx_encode_f32_u16_scalar, fpx_encode_f32_u16_scalar },
    .decode_f32 = { fpx_decode_f32_scalar, fpx_decode_f32_scalar, fpx_decode_f32_scalar },
    .philox = fpx_philox_scalar,
};

/* A level without a table of its own has the one below it. */
static const fpx_convert_kernels *const tables[FPX_CPU_LEVELS] = {
    [FPX_CPU_SCALAR] = &scalar,
#ifdef FPX_HAVE_AVX2
    [FPX_CPU_AVX2] = &fpx_convert_kernels_avx2,
#endif
#ifdef FPX_HAVE_AVX512
    [FPX_CPU_AVX512] = &fpx_convert_kernels_avx512,
#endif
};

const fpx_convert_kernels *fpx_convert_kernels_for(fpx_cpu_level level)
{
    for (int i = (int)level; i > FPX_CPU_SCALAR; i--) {
        if (tables[i] != NULL)
            return tables[i];
    }
    return tables[FPX_CPU_SCALAR];
}

const fpx_convert_kernels *fpx_convert_kernels_in_use(void)
{
    return fpx_convert_kernels_for(fpx_cpu_in_use());
}

const char *fpx_convert_kernel_name(void)
{
    return fpx_convert_kernels_in_use()->name;
}
