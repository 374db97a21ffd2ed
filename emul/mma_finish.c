/* mma_finish.c - from sums to what a library returns, by arithmetic on codes: no floating-point environment. */
#include <string.h>

#include <fpx/arith.h>
#include <fpx/mma_finish.h>

static uint64_t code_of(float x)
{
    uint32_t code;

    memcpy(&code, &x, sizeof code);
    return code;
}

fpx_conversion fpx_mma_conversion(const fpx_format *format)
{
    fpx_conversion c = { .format = *format,
                         .round = FPX_RNE,
                         .overflow = format->bits <= 8 ? FPX_SATFINITE : FPX_OVERFLOW_NONE,
                         .nan = FPX_NAN_POSITIVE };

    if (format->specials == FPX_SPECIALS_IEEE || format->specials == FPX_SPECIALS_NAN_ONLY)
        c.nan_code = (UINT64_C(1) << (format->bits - 1)) - 1;
    if (fpx_conversion_check(&c) != FPX_OK)
        c.nan_code = 0; /* another NaN: the format's own */
    return c;
}

static int is_float(const fpx_format *format)
{
    return fpx_format_is_valid(format) && format->cls == FPX_CLASS_FLOAT;
}

/* What every element goes through. */
typedef struct steps {
    const fpx_mma_epilogue *epilogue;
    fpx_conversion real; /* of every rounding but the last */
    uint64_t alpha;      /* fp32 */
} steps;

static uint64_t operate(fpx_arith_op op, const fpx_conversion *to, const fpx_format *fx, uint64_t x,
                        const fpx_format *fy, uint64_t y)
{
    const fpx_format *const formats[] = { fx, fy, &fpx_fp32 };
    const uint64_t codes[] = { x, y, 0 };
    uint64_t code = to->nan_code;

    (void)fpx_arith(op, to, formats, codes, 0, &code, NULL);
    return code;
}

static uint64_t finished(const steps *s, uint64_t sum, size_t column)
{
    const fpx_mma_epilogue *const e = s->epilogue;
    const fpx_format *const real = &s->real.format;
    uint64_t y = operate(FPX_ARITH_FMA, &s->real, &e->sums, sum, &fpx_fp32, s->alpha);

    if (e->bias != NULL)
        y = operate(FPX_ARITH_ADD, &s->real, real, y, &e->bias_format,
                    fpx_format_code(&e->bias_format, e->bias, column));
    if (e->scale_d != 1.0f) /* 1 changes nothing */
        y = operate(FPX_ARITH_MUL, &s->real, real, y, &fpx_fp32, code_of(e->scale_d));
    return operate(FPX_ARITH_CONVERT, &e->to, real, y, real, 0);
}

static fpx_status check(const fpx_mma_epilogue *e, fpx_error *err)
{
    if (!is_float(&e->sums))
        return fpx_error_set(err, FPX_EINVAL, "epilogue: the sums are no floats");
    if (e->bias != NULL && !is_float(&e->bias_format))
        return fpx_error_set(err, FPX_EINVAL, "epilogue: the bias holds no floats");
    if (fpx_conversion_check(&e->to) != FPX_OK)
        return fpx_error_set(err, FPX_EINVAL, "epilogue: no such conversion of the result");
    if (e->to.round == FPX_SR)
        return fpx_error_set(err, FPX_EINVAL, "epilogue: stochastic rounding needs random bits");
    return FPX_OK;
}

fpx_status fpx_mma_finish(const fpx_mma_epilogue *epilogue, const void *sums, size_t rows,
                          size_t columns, void *dst, fpx_error *err)
{
    const fpx_status status = check(epilogue, err);
    const fpx_conversion single = fpx_mma_conversion(&fpx_fp32);
    const size_t size = fpx_format_size(&epilogue->to.format);
    unsigned char *to = dst;

    if (status != FPX_OK)
        return status;
    const steps s = {
        .epilogue = epilogue,
        .real = fpx_mma_conversion(epilogue->sums.bits > 32 ? &fpx_fp64 : &fpx_fp32),
        .alpha = operate(FPX_ARITH_MUL, &single, &fpx_fp32, code_of(epilogue->scale_a), &fpx_fp32,
                         code_of(epilogue->scale_b)),
    };
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++, to += size) {
            const uint64_t sum = fpx_format_code(&epilogue->sums, sums, i * columns + j);
            const uint64_t code = finished(&s, sum, j);
            for (size_t byte = 0; byte < size; byte++)
                to[byte] = (unsigned char)(code >> 8 * byte);
        }
    }
    return FPX_OK;
}
