/* cuda_oracle.h - CUDA's own conversions on the host (cuda_fp8.h, cuda_fp6.h, cuda_fp4.h of the toolkit, included from
 * where it is installed), one row for each format, overflow and rounding that they offer. */
#ifndef FPX_CUDA_ORACLE_H
#define FPX_CUDA_ORACLE_H

#include <cuda_fp4.h>
#include <cuda_fp6.h>
#include <cuda_fp8.h>

#include <fpx/profile.h>

typedef struct cuda_case {
    const fpx_format *format;
    fpx_overflow overflow;
    fpx_round round;
    uint8_t (*from_float)(float x);
    uint8_t (*from_double)(double x);
} cuda_case;

#define FP8(name, saturation, interpretation)                                                      \
    static inline uint8_t name##_float(float x)                                                    \
    {                                                                                              \
        return __nv_cvt_float_to_fp8(x, saturation, interpretation);                               \
    }                                                                                              \
    static inline uint8_t name##_double(double x)                                                  \
    {                                                                                              \
        return __nv_cvt_double_to_fp8(x, saturation, interpretation);                              \
    }
#define SMALL(name, kind, interpretation, rounding)                                                \
    static inline uint8_t name##_float(float x)                                                    \
    {                                                                                              \
        return __nv_cvt_float_to_##kind(x, interpretation, rounding);                              \
    }                                                                                              \
    static inline uint8_t name##_double(double x)                                                  \
    {                                                                                              \
        return __nv_cvt_double_to_##kind(x, interpretation, rounding);                             \
    }
FP8(e4m3_clip, __NV_SATFINITE, __NV_E4M3)
FP8(e4m3_open, __NV_NOSAT, __NV_E4M3)
FP8(e5m2_clip, __NV_SATFINITE, __NV_E5M2)
FP8(e5m2_open, __NV_NOSAT, __NV_E5M2)
SMALL(e3m2_rne, fp6, __NV_E3M2, cudaRoundNearest)
SMALL(e3m2_rz, fp6, __NV_E3M2, cudaRoundZero)
SMALL(e2m3_rne, fp6, __NV_E2M3, cudaRoundNearest)
SMALL(e2m3_rz, fp6, __NV_E2M3, cudaRoundZero)
SMALL(e2m1_rne, fp4, __NV_E2M1, cudaRoundNearest)
SMALL(e2m1_rz, fp4, __NV_E2M1, cudaRoundZero)
SMALL(e8m0_rz_clip, e8m0, __NV_SATFINITE, cudaRoundZero)
SMALL(e8m0_rz_open, e8m0, __NV_NOSAT, cudaRoundZero)
SMALL(e8m0_ru_clip, e8m0, __NV_SATFINITE, cudaRoundPosInf)
SMALL(e8m0_ru_open, e8m0, __NV_NOSAT, cudaRoundPosInf)
#undef FP8
#undef SMALL

#define CASE(format, overflow, round, name)                                                        \
    {                                                                                              \
        format, overflow, round, name##_float, name##_double                                       \
    }
static const cuda_case cuda_cases[] = {
    CASE(&fpx_e4m3, FPX_SATFINITE, FPX_RNE, e4m3_clip),
    CASE(&fpx_e4m3, FPX_OVERFLOW_NONE, FPX_RNE, e4m3_open),
    CASE(&fpx_e5m2, FPX_SATFINITE, FPX_RNE, e5m2_clip),
    CASE(&fpx_e5m2, FPX_OVERFLOW_NONE, FPX_RNE, e5m2_open),
    CASE(&fpx_e3m2, FPX_SATFINITE, FPX_RNE, e3m2_rne),
    CASE(&fpx_e3m2, FPX_SATFINITE, FPX_RZ, e3m2_rz),
    CASE(&fpx_e2m3, FPX_SATFINITE, FPX_RNE, e2m3_rne),
    CASE(&fpx_e2m3, FPX_SATFINITE, FPX_RZ, e2m3_rz),
    CASE(&fpx_e2m1, FPX_SATFINITE, FPX_RNE, e2m1_rne),
    CASE(&fpx_e2m1, FPX_SATFINITE, FPX_RZ, e2m1_rz),
    CASE(&fpx_e8m0, FPX_SATFINITE, FPX_RZ, e8m0_rz_clip),
    CASE(&fpx_e8m0, FPX_OVERFLOW_NONE, FPX_RZ, e8m0_rz_open),
    CASE(&fpx_e8m0, FPX_SATFINITE, FPX_RU, e8m0_ru_clip),
    CASE(&fpx_e8m0, FPX_OVERFLOW_NONE, FPX_RU, e8m0_ru_open),
};
#undef CASE

enum { CUDA_CASES = sizeof cuda_cases / sizeof cuda_cases[0] };

/* The profile's conversion for a case; double or float. */
static inline fpx_status cuda_conversion(const cuda_case *k, const char *profile,
                                         fpx_conversion *ret_conversion)
{
    const fpx_profile *const p = fpx_profile_find(profile);
    fpx_status status = fpx_profile_offers(p, k->format, k->overflow, k->round, NULL);

    if (status == FPX_OK)
        status = fpx_profile_apply(p, k->format, k->overflow, ret_conversion);
    if (status == FPX_OK)
        ret_conversion->round = (uint8_t)k->round;
    return status;
}

#endif /* FPX_CUDA_ORACLE_H */
