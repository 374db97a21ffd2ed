/* mma_epilogue.c - from float32 sums to what a library returns, by arithmetic on codes: no floating-point environment. */
#include <string.h>

#include <fpx/arith.h>
#include <fpx/mma.h>

static uint64_t code_of(float x)
{
    uint32_t code;

    memcpy(&code, &x, sizeof code);
    return code;
}

/* The NaN with all bits set but the sign. */
static uint64_t nan_of(const fpx_format *format)
{
    return (UINT64_C(1) << (format->bits - 1)) - 1;
}

static fpx_conversion to_nearest(const fpx_format *format, fpx_overflow overflow)
{
    return (fpx_conversion){ .format = *format,
                             .round = FPX_RNE,
                             .overflow = (uint8_t)overflow,
                             .nan = FPX_NAN_POSITIVE,
                             .nan_code = nan_of(format) };
}

/* An operation on fp32 codes. */
static uint64_t operate(fpx_arith_op op, const fpx_conversion *to, uint64_t x, uint64_t y,
                        uint64_t z)
{
    const fpx_format *const formats[] = { &fpx_fp32, &fpx_fp32, &fpx_fp32 };
    const uint64_t codes[] = { x, y, z };
    uint64_t code = to->nan_code;

    (void)fpx_arith(op, to, formats, codes, 0, &code, NULL);
    return code;
}

static int is_known(const fpx_format *f)
{
    const int is_float = fpx_format_is_valid(f) && f->cls == FPX_CLASS_FLOAT && f->flags == 0;
    const int has_nan = f->specials == FPX_SPECIALS_IEEE || f->specials == FPX_SPECIALS_NAN_ONLY;

    return fpx_format_equal(f, &fpx_fp32) || fpx_format_equal(f, &fpx_bf16) ||
           fpx_format_equal(f, &fpx_fp16) || (is_float && has_nan && f->bits == 8 && f->ebits < 8);
}

fpx_status fpx_mma_finish(const fpx_mma_epilogue *epilogue, const void *sums, size_t n, void *dst,
                          fpx_error *err)
{
    const fpx_format *const f = &epilogue->format;

    if (!is_known(f))
        return fpx_error_set(err, FPX_EINVAL,
                             "epilogue: the result is fp32, bf16, fp16 or of 8 bits with NaN");

    const fpx_conversion real = to_nearest(&fpx_fp32, FPX_OVERFLOW_NONE);
    const fpx_conversion last = to_nearest(f, f->bits == 8 ? FPX_SATFINITE : FPX_OVERFLOW_NONE);
    const size_t size = fpx_format_size(f);
    const uint64_t alpha =
        operate(FPX_ARITH_MUL, &real, code_of(epilogue->scale_a), code_of(epilogue->scale_b), 0);
    for (size_t i = 0; i < n; i++) {
        uint64_t y = operate(FPX_ARITH_FMA, &real, fpx_format_code(&fpx_fp32, sums, i), alpha, 0);
        if (f->bits == 8)
            y = operate(FPX_ARITH_MUL, &real, y, code_of(epilogue->scale_d), 0);
        y = operate(FPX_ARITH_CONVERT, &last, y, 0, 0);
        for (size_t byte = 0; byte < size; byte++)
            ((unsigned char *)dst)[i * size + byte] = (unsigned char)(y >> 8 * byte);
    }
    return FPX_OK;
}
