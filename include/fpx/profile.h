/* fpx/profile.h - what vendors' conversions do, by name: each profile is rows of a table that fill in every choice of
 * fpx_conversion for the formats, overflows and roundings that the vendor offers.
 *
 *   ocp          OCP OFP8 1.0 and Microscaling 1.0, as far as they decide
 *   cuda-float   cuda_fp8.h, cuda_fp6.h, cuda_fp4.h from float, on the host
 *   cuda-double  the same from double (NaN differs)
 *   ptx          the instruction cvt of NVIDIA's GPUs, stochastic rounding (.rs) included
 *   ml_dtypes    Python's ml_dtypes from float32
 *   cutlass      CUTLASS's number types on the host
 *   amd-hip      amd_hip_fp8.h as of 2024-10
 *   p3109        IEEE P3109 v4.0 interim report, every format of its family */
#ifndef FPX_PROFILE_H
#define FPX_PROFILE_H

#include <stddef.h>

#include <fpx/convert.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fpx_profile {
    const char *name;
    const char *source; /* in words: where its rows come from */
} fpx_profile;

/* The profile of this name; NULL where there is none. */
const fpx_profile *fpx_profile_find(const char *name);

/* Profiles in table order; NULL at and after the end. */
const fpx_profile *fpx_profile_at(size_t index);

/* FPX_OK where the vendor converts to this format with this overflow and rounding. overflow is what the
 * vendor's user asks for: FPX_SATFINITE is "saturating", FPX_OVERFLOW_NONE is "not". FPX_EUNSUPPORTED with the reason,
 * and what there is instead. err may be NULL. */
fpx_status fpx_profile_offers(const fpx_profile *profile, const fpx_format *format,
                              fpx_overflow overflow, fpx_round round, fpx_error *err);

/* The complete conversion. round is the vendor's own (floor for cuda's e8m0); another one that
 * fpx_profile_offers allows may be written over it. sr_bits and sr_variant are set for the case that it is FPX_SR.
 * overflow may come out as another one than was asked for: CUTLASS's "saturating" e8m0 still has a NaN for Inf, and
 * P3109's finite formats never overflow. FPX_EUNSUPPORTED: fpx_profile_offers tells why. */
fpx_status fpx_profile_apply(const fpx_profile *profile, const fpx_format *format,
                             fpx_overflow overflow, fpx_conversion *ret_conversion);

#ifdef __cplusplus
}
#endif

#endif /* FPX_PROFILE_H */
