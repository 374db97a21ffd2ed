/* profile.c - the table of vendors' conversions. A row says what one vendor does with some formats; it is read from the
 * vendor's source or checked by running that (tests/libfpx/test_profile.c, tests/libfpx/peers.py). */
#include <stdio.h>
#include <string.h>

#include <fpx/profile.h>

enum { OCP, CUDA_FLOAT, CUDA_DOUBLE, PTX, ML_DTYPES, CUTLASS, AMD_HIP, P3109, PROFILES };

static const fpx_profile profiles[PROFILES] = {
    [OCP] = { "ocp",
              "OCP 8-bit Floating Point 1.0, section 5 (both overflow modes; RNE is required, "
              "others may be "
              "offered; any NaN code); Microscaling Formats 1.0, section 5.3 (element formats "
              "saturate; what a NaN gives is left open: here the largest)" },
    [CUDA_FLOAT] = { "cuda-float",
                     "CUDA 13.0: __nv_cvt_float_to_fp8, _fp6, _fp4, _e8m0 of cuda_fp8.hpp, "
                     "cuda_fp6.hpp, cuda_fp4.hpp, host path; NaN 0x7f for both signs" },
    [CUDA_DOUBLE] = { "cuda-double",
                      "CUDA 13.0: __nv_cvt_double_to_fp8, _fp6, _fp4, _e8m0, host path; NaN keeps "
                      "its sign, 0x7e in e5m2 (some payloads give 0x7f there)" },
    [PTX] = { "ptx", "PTX ISA 9.0, cvt: .satfinite formats, NaN 0x7f or the largest; ue8m0 by .rz "
                     "and .rp; .rs adds 16 bits, 13 for fp16, at the top of what is cut off (two "
                     "public measurements)" },
    [ML_DTYPES] = { "ml_dtypes",
                    "ml_dtypes from float32, as run (0.6.0): RNE, never saturating; e8m0 to "
                    "nearest, ties "
                    "up, NaN for zero and negatives; from float64 it rounds twice. Not kept: its "
                    "e8m0 of (2^-127, 1.5 * 2^-127) is 2^-126, not the nearest" },
    [CUTLASS] = { "cutlass",
                  "CUTLASS float8.h and exmy_base.h, host path: always saturating, NaN 0x7f or, "
                  "without NaN, the largest with the sign; ue4m3 and e8m0 without sign, e8m0 up, "
                  "Inf NaN" },
    [AMD_HIP] = { "amd-hip", "amd_hip_fp8.h of ROCm/clr 2024-10 (later ones give NaN for Inf): "
                             "above the largest is "
                             "overflow before rounding; stochastic adds 20 or 21 bits. Its shift "
                             "by 64 is not kept" },
    [P3109] = { "p3109", "IEEE P3109 v4.0 interim report: every rounding and saturation mode; "
                         "finite formats have "
                         "no overflow, a negative is NaN in an unsigned format unless saturating" },
};

/* Sets of roundings. */
enum {
    RNE = 1u << FPX_RNE,
    RNA = 1u << FPX_RNA,
    RZ = 1u << FPX_RZ,
    RU = 1u << FPX_RU,
    RD = 1u << FPX_RD,
    SR = 1u << FPX_SR,
    ALL = (1u << (FPX_SR + 1)) - 1
};

enum { CLIP = FPX_SATFINITE, PASS = FPX_SATPROPAGATE, OPEN = FPX_OVERFLOW_NONE, NO = 0xff };

typedef struct row {
    uint8_t profile;
    const char *formats; /* names; "extended", "finite": of P3109's family */
    uint8_t round;       /* the one set; those offered: */
    uint8_t rounds;
    uint8_t overflow
        [3]; /* asked for FPX_SATFINITE, _SATPROPAGATE, _NONE: what is set, NO where not offered */
    uint8_t nan;
    uint8_t negative;
    uint8_t zero;
    uint8_t test;
    uint8_t sr_bits; /* variant A, but for P3109: C */
    uint16_t nan_code;
} row;

#define SIGNED FPX_NAN_SIGNED
#define POSITIVE FPX_NAN_POSITIVE
#define ABS FPX_NEGATIVE_ABS
#define BEFORE FPX_TEST_SOURCE
/* clang-format off */
static const row rows[] = {
    /* profile, formats, round, rounds, overflow as asked, nan, negative, zero, test, sr_bits, nan_code */
    { OCP, "e4m3 e5m2", FPX_RNE, ALL, { CLIP, NO, OPEN }, SIGNED, 0, 0, 0, 16, 0 },
    { OCP, "e3m2 e2m3 e2m1 mxint8", FPX_RNE, ALL, { CLIP, NO, NO }, SIGNED, 0, 0, 0, 16, 0 },

    { CUDA_FLOAT, "e4m3 e5m2", FPX_RNE, RNE, { CLIP, NO, OPEN }, POSITIVE, 0, 0, 0, 0, 0x7f },
    { CUDA_FLOAT, "e3m2 e2m3 e2m1", FPX_RNE, RNE | RZ, { CLIP, NO, NO }, POSITIVE, 0, 0, 0, 0, 0 },
    { CUDA_FLOAT, "e8m0", FPX_RZ, RZ | RU, { CLIP, NO, OPEN }, SIGNED, ABS, 0, 0, 0, 0 },
    { CUDA_FLOAT, "bf16 fp16", FPX_RNE, RNE | RZ | RU | RD, { NO, NO, OPEN }, POSITIVE, 0, 0, 0, 0, 0x7fff },

    { CUDA_DOUBLE, "e4m3 e5m2", FPX_RNE, RNE, { CLIP, NO, OPEN }, SIGNED, 0, 0, 0, 0, 0 },
    { CUDA_DOUBLE, "e3m2 e2m3 e2m1", FPX_RNE, RNE | RZ, { CLIP, NO, NO }, POSITIVE, 0, 0, 0, 0, 0 },
    { CUDA_DOUBLE, "e8m0", FPX_RZ, RZ | RU, { CLIP, NO, OPEN }, SIGNED, ABS, 0, 0, 0, 0 },

    { PTX, "e4m3 e5m2", FPX_RNE, RNE | SR, { CLIP, NO, NO }, POSITIVE, 0, 0, 0, 16, 0x7f },
    { PTX, "e3m2 e2m3 e2m1", FPX_RNE, RNE | SR, { CLIP, NO, NO }, POSITIVE, 0, 0, 0, 16, 0 },
    { PTX, "e8m0", FPX_RZ, RZ | RU, { CLIP, NO, OPEN }, SIGNED, ABS, 0, 0, 0, 0 },
    { PTX, "bf16", FPX_RNE, RNE | RZ | SR, { CLIP, NO, OPEN }, POSITIVE, 0, 0, 0, 16, 0x7fff },
    { PTX, "fp16", FPX_RNE, RNE | RZ | RU | RD | SR, { CLIP, NO, OPEN }, POSITIVE, 0, 0, 0, 13, 0x7fff },

    { ML_DTYPES, "e4m3 e5m2 e4m3fnuz e5m2fnuz e4m3b11fnuz e3m4 ieee_e4m3 bf16", FPX_RNE, RNE, { NO, NO, OPEN },
      SIGNED, 0, 0, 0, 0, 0 },
    { ML_DTYPES, "e3m2 e2m3 e2m1", FPX_RNE, RNE, { NO, NO, OPEN }, FPX_NAN_ZERO, 0, 0, 0, 0, 0 },
    { ML_DTYPES, "e8m0", FPX_RNA, RNA, { NO, NO, OPEN }, SIGNED, 0, FPX_ZERO_NAN, 0, 0, 0 },

    { CUTLASS, "e4m3 e5m2", FPX_RNE, RNE, { CLIP, NO, NO }, POSITIVE, 0, 0, 0, 0, 0x7f },
    { CUTLASS, "e3m2 e2m3 e2m1", FPX_RNE, RNE, { CLIP, NO, NO }, FPX_NAN_MAX, 0, 0, 0, 0, 0 },
    { CUTLASS, "ue4m3", FPX_RNE, RNE, { CLIP, NO, NO }, SIGNED, ABS, 0, 0, 0, 0 },
    { CUTLASS, "e8m0", FPX_RU, RU, { PASS, NO, NO }, SIGNED, ABS, 0, 0, 0, 0 },

    { AMD_HIP, "e4m3", FPX_RNE, RNE | SR, { CLIP, NO, OPEN }, SIGNED, 0, 0, BEFORE, 20, 0x7f },
    { AMD_HIP, "e5m2", FPX_RNE, RNE | SR, { CLIP, NO, OPEN }, SIGNED, 0, 0, BEFORE, 21, 0x7f },
    { AMD_HIP, "e4m3fnuz", FPX_RNE, RNE | SR, { CLIP, NO, NO }, FPX_NAN_MAX, 0, 0, BEFORE, 20, 0 },
    { AMD_HIP, "e5m2fnuz", FPX_RNE, RNE | SR, { CLIP, NO, NO }, FPX_NAN_MAX, 0, 0, BEFORE, 21, 0 },
    { AMD_HIP, "e4m3fnuz", FPX_RNE, RNE | SR, { NO, NO, OPEN }, SIGNED, 0, 0, BEFORE, 20, 0 },
    { AMD_HIP, "e5m2fnuz", FPX_RNE, RNE | SR, { NO, NO, OPEN }, SIGNED, 0, 0, BEFORE, 21, 0 },

    { P3109, "extended", FPX_RNE, ALL, { CLIP, PASS, OPEN }, SIGNED, 0, 0, 0, 16, 0 },
    { P3109, "finite", FPX_RNE, ALL, { CLIP, CLIP, NO }, SIGNED, 0, 0, 0, 16, 0 },
    { P3109, "finite", FPX_RNE, ALL, { NO, NO, CLIP }, SIGNED, FPX_NEGATIVE_NAN, 0, 0, 16, 0 },
};
/* clang-format on */

enum { ROWS = sizeof rows / sizeof rows[0] };

const fpx_profile *fpx_profile_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < PROFILES; i++) {
        if (strcmp(name, profiles[i].name) == 0)
            return &profiles[i];
    }
    return NULL;
}

const fpx_profile *fpx_profile_at(size_t index)
{
    return index < PROFILES ? &profiles[index] : NULL;
}

/* Whether a word of a list of formats names this one, whatever its own name. */
static int word_names(const char *word, size_t length, const fpx_format *format)
{
    char name[FPX_FORMAT_NAME_MAX] = "";
    fpx_format other;

    (void)snprintf(name, sizeof name, "%.*s", (int)length, word);
    const int is_extended = strcmp(name, "extended") == 0;
    if (is_extended || strcmp(name, "finite") == 0)
        return format->cls == FPX_CLASS_FLOAT &&
               fpx_format_p3109(format->bits, format->mbits + 1u,
                                (format->flags & FPX_FORMAT_UNSIGNED) != 0, is_extended,
                                &other) == FPX_OK &&
               fpx_format_equal(format, &other);

    const fpx_format *const known = fpx_format_find(name);
    return known != NULL && fpx_format_equal(format, known);
}

static int lists(const char *formats, const fpx_format *format)
{
    while (*formats != '\0') {
        const size_t length = strcspn(formats, " ");
        if (word_names(formats, length, format))
            return 1;
        formats += length + strspn(formats + length, " ");
    }
    return 0;
}

/* The row for a format, the one that offers the overflow if there is one; NULL: the profile lacks the format. */
static const row *row_of(const fpx_profile *profile, const fpx_format *format,
                         fpx_overflow overflow)
{
    const row *found = NULL;

    for (size_t i = 0; i < ROWS; i++) {
        if (&profiles[rows[i].profile] != profile || !lists(rows[i].formats, format))
            continue;
        if (rows[i].overflow[overflow] != NO)
            return &rows[i];
        found = &rows[i];
    }
    return found;
}

static void list_roundings(unsigned rounds, char *text, size_t room)
{
    static const char *const names[] = { "rne", "rna", "rz", "ru", "rd", "ro", "sr" };
    size_t at = 0;

    text[0] = '\0';
    for (unsigned r = 0; r <= FPX_SR; r++) {
        if ((rounds >> r & 1) != 0 && at < room)
            at += (size_t)snprintf(text + at, room - at, "%s%s", at > 0 ? ", " : "", names[r]);
    }
}

fpx_status fpx_profile_offers(const fpx_profile *profile, const fpx_format *format,
                              fpx_overflow overflow, fpx_round round, fpx_error *err)
{
    static const char *const asked[] = { "saturation (satfinite)", "satpropagate",
                                         "overflow without saturation (none)" };

    if ((unsigned)overflow > FPX_OVERFLOW_NONE || (unsigned)round > FPX_SR)
        return fpx_error_set(err, FPX_EUNSUPPORTED, "%s: no such overflow or rounding",
                             profile->name);
    const row *const r = row_of(profile, format, overflow);
    if (r == NULL)
        return fpx_error_set(err, FPX_EUNSUPPORTED, "%s has no conversion to %s", profile->name,
                             format->name);
    if (r->overflow[overflow] == NO)
        return fpx_error_set(err, FPX_EUNSUPPORTED, "%s: %s does not come with %s", profile->name,
                             format->name, asked[overflow]);
    if ((r->rounds >> round & 1) == 0) {
        char text[64];
        list_roundings(r->rounds, text, sizeof text);
        return fpx_error_set(err, FPX_EUNSUPPORTED, "%s rounds to %s by: %s", profile->name,
                             format->name, text);
    }
    return FPX_OK;
}

fpx_status fpx_profile_apply(const fpx_profile *profile, const fpx_format *format,
                             fpx_overflow overflow, fpx_conversion *ret_conversion)
{
    const row *const r =
        (unsigned)overflow > FPX_OVERFLOW_NONE ? NULL : row_of(profile, format, overflow);

    if (r == NULL || r->overflow[overflow] == NO)
        return FPX_EUNSUPPORTED;
    *ret_conversion = (fpx_conversion){
        .format = *format,
        .round = r->round,
        .overflow = r->overflow[overflow],
        .nan = r->nan,
        .negative = r->negative,
        .zero = r->zero,
        .overflow_test = r->test,
        .sr_bits = r->sr_bits,
        .sr_variant = r->profile == P3109 ? FPX_SR_C : FPX_SR_A,
        .nan_code = r->nan_code,
    };
    return FPX_OK;
}
