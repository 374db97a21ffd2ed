/* arith_hardware.h - fp32 and fp64 against the processor: its own operations under fesetround, results and flags.
 * Nothing of MPFR or of the library takes part in the expectation. */
#ifndef FPX_ARITH_HARDWARE_H
#define FPX_ARITH_HARDWARE_H

#include <fenv.h>
#include <math.h>
#include <string.h>

#include "arith_wide.h"

static const struct {
    int fe, round;
} hardware_rounds[] = { { FE_TONEAREST, FPX_RNE },
                        { FE_TOWARDZERO, FPX_RZ },
                        { FE_UPWARD, FPX_RU },
                        { FE_DOWNWARD, FPX_RD } };

enum { HARDWARE_ROUNDS = sizeof hardware_rounds / sizeof hardware_rounds[0] };

/* x86 and RISC-V look for tininess after rounding, Arm and others before. */
#if defined __x86_64__ || defined __riscv
enum { HARDWARE_UNDERFLOW = FPX_FLAG_UNDERFLOW_AFTER };
#else
enum { HARDWARE_UNDERFLOW = FPX_FLAG_UNDERFLOW_BEFORE };
#endif

static inline unsigned hardware_flags(void)
{
    const int raised = fetestexcept(FE_ALL_EXCEPT);

    return ((raised & FE_INEXACT) != 0 ? FPX_FLAG_INEXACT : 0u) |
           ((raised & FE_OVERFLOW) != 0 ? FPX_FLAG_OVERFLOW : 0u) |
           ((raised & FE_UNDERFLOW) != 0 ? (unsigned)HARDWARE_UNDERFLOW : 0u) |
           ((raised & FE_INVALID) != 0 ? FPX_FLAG_INVALID : 0u) |
           ((raised & FE_DIVBYZERO) != 0 ? FPX_FLAG_DIVIDE_BY_ZERO : 0u);
}

static inline double hardware_as_double(uint64_t code)
{
    double x;

    memcpy(&x, &code, sizeof x);
    return x;
}

static inline float hardware_as_float(uint32_t code)
{
    float x;

    memcpy(&x, &code, sizeof x);
    return x;
}

/* Operands go through volatile variables: the operation must happen here, under this rounding. */
static inline uint64_t hardware_double(fpx_arith_op op, const uint64_t *codes)
{
    volatile double x[3];
    volatile double y = 0.0;
    double result;
    uint64_t code;

    for (int i = 0; i < 3; i++)
        x[i] = hardware_as_double(codes[i]);
    switch (op) {
    case FPX_ARITH_ADD:
        y = x[0] + x[1];
        break;
    case FPX_ARITH_SUB:
        y = x[0] - x[1];
        break;
    case FPX_ARITH_MUL:
        y = x[0] * x[1];
        break;
    case FPX_ARITH_DIV:
        y = x[0] / x[1];
        break;
    case FPX_ARITH_SQRT:
        y = sqrt(x[0]);
        break;
    case FPX_ARITH_FMA:
        y = fma(x[0], x[1], x[2]);
        break;
    case FPX_ARITH_REMAINDER:
        y = remainder(x[0], x[1]);
        break;
    case FPX_ARITH_FMOD:
        y = fmod(x[0], x[1]);
        break;
    default: /* FPX_ARITH_INTEGRAL */
        y = rint(x[0]);
        break;
    }
    result = y;
    memcpy(&code, &result, sizeof code);
    return code;
}

static inline uint64_t hardware_float(fpx_arith_op op, const uint64_t *codes)
{
    volatile float x[3];
    volatile float y = 0.0f;
    float result;
    uint32_t code;

    for (int i = 0; i < 3; i++)
        x[i] = hardware_as_float((uint32_t)codes[i]);
    switch (op) {
    case FPX_ARITH_ADD:
        y = x[0] + x[1];
        break;
    case FPX_ARITH_SUB:
        y = x[0] - x[1];
        break;
    case FPX_ARITH_MUL:
        y = x[0] * x[1];
        break;
    case FPX_ARITH_DIV:
        y = x[0] / x[1];
        break;
    case FPX_ARITH_SQRT:
        y = sqrtf(x[0]);
        break;
    case FPX_ARITH_FMA:
        y = fmaf(x[0], x[1], x[2]);
        break;
    case FPX_ARITH_REMAINDER:
        y = remainderf(x[0], x[1]);
        break;
    case FPX_ARITH_FMOD:
        y = fmodf(x[0], x[1]);
        break;
    default:
        y = rintf(x[0]);
        break;
    }
    result = y;
    memcpy(&code, &result, sizeof code);
    return code;
}

static inline int hardware_is_nan(const fpx_format *f, uint64_t code)
{
    return isnan(fpx_format_value(f, code)) != 0;
}

static inline void hardware_compare(fpx_arith_op op, const fpx_format *to, const fpx_format *from,
                                    const uint64_t *codes, int r, uint64_t want,
                                    unsigned want_flags, unsigned mask)
{
    const fpx_format *const formats[3] = { from, from, from };
    const fpx_conversion c = { .format = *to,
                               .round = (uint8_t)hardware_rounds[r].round,
                               .overflow = FPX_OVERFLOW_NONE };
    uint64_t got = 0;
    unsigned got_flags = 0;

    if (fpx_arith(op, &c, formats, codes, 0, &got, &got_flags) != FPX_OK)
        ck_abort_msg("%s refused", fpx_arith_name(op));
    /* Which NaN is each processor's own choice. */
    const int same = hardware_is_nan(to, want) ? hardware_is_nan(to, got) : got == want;
    if (!same || (got_flags & mask) != (want_flags & mask))
        oracle_fail(op, &c, formats, codes, got, got_flags, want, want_flags);
}

static inline void hardware_check_one(fpx_arith_op op, const fpx_format *f, const uint64_t *codes,
                                      unsigned mask)
{
    for (int r = 0; r < HARDWARE_ROUNDS; r++) {
        /* Remainders are exact, the C library's are right only in the usual mode (zeros in the others: glibc 2.36). */
        const int is_library = op == FPX_ARITH_REMAINDER || op == FPX_ARITH_FMOD;
        fesetround(is_library ? FE_TONEAREST : hardware_rounds[r].fe);
        feclearexcept(FE_ALL_EXCEPT);
        const uint64_t want =
            f->bits == 64 ? hardware_double(op, codes) : hardware_float(op, codes);
        const unsigned flags = hardware_flags();
        fesetround(FE_TONEAREST);
        hardware_compare(op, f, f, codes, r, want, flags, mask);
    }
}

/* double to float and back. */
static inline void hardware_check_convert(const uint64_t *codes)
{
    const uint64_t narrow[1] = { (uint32_t)codes[0] };
    const unsigned all = 0x33u | (unsigned)HARDWARE_UNDERFLOW;

    for (int r = 0; r < HARDWARE_ROUNDS; r++) {
        volatile double wide = hardware_as_double(codes[0]);
        volatile float y;
        float result;
        uint32_t code;
        fesetround(hardware_rounds[r].fe);
        feclearexcept(FE_ALL_EXCEPT);
        y = (float)wide;
        const unsigned flags = hardware_flags();
        fesetround(FE_TONEAREST);
        result = y;
        memcpy(&code, &result, sizeof code);
        hardware_compare(FPX_ARITH_CONVERT, &fpx_fp32, &fpx_fp64, codes, r, code, flags, all);

        uint64_t code64;
        double result64;
        y = hardware_as_float((uint32_t)narrow[0]);
        feclearexcept(FE_ALL_EXCEPT);
        wide = (double)y;
        const unsigned flags64 = hardware_flags();
        result64 = wide;
        memcpy(&code64, &result64, sizeof code64);
        hardware_compare(FPX_ARITH_CONVERT, &fpx_fp64, &fpx_fp32, narrow, r, code64, flags64, all);
    }
}

static inline void hardware_check(uint64_t *state, uint64_t count)
{
    static const struct {
        fpx_arith_op op;
        int has_flags; /* of one instruction; the C library's remainder and fmod are many */
    } ops[] = { { FPX_ARITH_ADD, 1 },       { FPX_ARITH_SUB, 1 },  { FPX_ARITH_MUL, 1 },
                { FPX_ARITH_DIV, 1 },       { FPX_ARITH_SQRT, 1 }, { FPX_ARITH_FMA, 1 },
                { FPX_ARITH_REMAINDER, 0 }, { FPX_ARITH_FMOD, 0 }, { FPX_ARITH_INTEGRAL, 1 } };
    static const fpx_format *const formats[2] = { &fpx_fp32, &fpx_fp64 };

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        const unsigned mask = ops[i].has_flags ? 0x33u | (unsigned)HARDWARE_UNDERFLOW : 0;
        for (int k = 0; k < 2; k++) {
            const fpx_format *const f = formats[k];
            for (uint64_t n = 0; n < count; n++) {
                uint64_t codes[3] = { wide_random(f, state), wide_random(f, state),
                                      wide_random(f, state) };
                hardware_check_one(ops[i].op, f, codes, mask);
            }
            for (uint64_t n = 0; n < WIDE_PAIRS; n++) {
                const uint64_t sign = UINT64_C(1) << (f->bits - 1);
                const uint64_t codes[3] = { wide_edge(f, n) | (n & 1 ? sign : 0),
                                            wide_edge(f, n / WIDE_EDGES) |
                                                (n >= WIDE_PAIRS / 2 ? sign : 0),
                                            wide_random(f, state) };
                hardware_check_one(ops[i].op, f, codes, mask);
            }
        }
    }
    for (uint64_t n = 0; n < count; n++) {
        const uint64_t code = wide_random(&fpx_fp64, state);
        hardware_check_convert(&code);
    }
}

#endif /* FPX_ARITH_HARDWARE_H */
