/* mma_finish.c - from sums to what a library returns: float32 sums by float32's own operations, others by arithmetic on
 * codes. */
#include <string.h>

#include <fpx/arith.h>
#include <fpx/cpu.h>
#include <fpx/mma_finish.h>

#include "mma_number.h"

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

/* Of columns: whole ones are worked on, whatever is in them, so that loops have a length that compilers know. */
enum { CHUNK = 256 };

static int is_float32(const fpx_mma_epilogue *e)
{
    float none;

    return fpx_format_equal(&e->sums, &fpx_fp32) &&
           (e->bias == NULL || fpx_decode_f32(&e->bias_format, 1.0f, "", &none, 0) == FPX_OK);
}

/* Up to CHUNK columns of a row. With IEEE 754's operations and NaN as it comes; the sign of NaN is taken away at the end. */
static void finish_floats(const steps *s, const void *sums, size_t column, size_t n, void *dst)
{
    const fpx_mma_epilogue *const e = s->epilogue;
    const uint32_t alpha_code = (uint32_t)s->alpha;
    const size_t bias_size = e->bias == NULL ? 0 : fpx_format_size(&e->bias_format);
    float x[CHUNK] = { 0 }, bias[CHUNK] = { 0 }, alpha;

    memcpy(&alpha, &alpha_code, sizeof alpha);
    memcpy(x, sums, n * sizeof *x);
    /* sum * alpha + (+0), rounded once: +0 where a factor is zero; a product that underflows keeps its sign. */
    for (size_t i = 0; i < CHUNK; i++) {
        const float product = x[i] * alpha;
        x[i] = product == 0.0f && (x[i] == 0.0f || alpha == 0.0f) ? 0.0f : product;
    }
    if (e->bias != NULL) {
        (void)fpx_decode_f32(&e->bias_format, 1.0f,
                             (const unsigned char *)e->bias + column * bias_size, bias, n);
        for (size_t i = 0; i < CHUNK; i++)
            x[i] += bias[i];
    }
    if (e->scale_d != 1.0f) {
        for (size_t i = 0; i < CHUNK; i++)
            x[i] *= e->scale_d;
    }
    for (size_t i = 0; i < CHUNK; i++)
        x[i] = x[i] == x[i] ? x[i] : __builtin_nanf("");
    (void)fpx_encode_f32(&e->to, 1.0f, x, dst, n);
}

static void finish_rows(const steps *s, const void *sums, size_t rows, size_t columns,
                        unsigned char *dst)
{
    const size_t size = fpx_format_size(&s->epilogue->to.format);
    const fpx_fpenv saved = fpx_fpenv_enter();

    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j += CHUNK) {
            const size_t at = i * columns + j;
            finish_floats(s, (const unsigned char *)sums + at * sizeof(float), j,
                          columns - j < CHUNK ? columns - j : CHUNK, dst + at * size);
        }
    }
    fpx_fpenv_leave(saved);
}

fpx_status fpx_mma_finish(const fpx_mma_epilogue *epilogue, const void *sums, size_t rows,
                          size_t columns, void *dst, fpx_error *err)
{
    const fpx_status status = check(epilogue, err);
    const fpx_conversion single = fpx_mma_conversion(&fpx_fp32);

    if (status != FPX_OK)
        return status;
    const steps s = {
        .epilogue = epilogue,
        .real = fpx_mma_conversion(epilogue->sums.bits > 32 ? &fpx_fp64 : &fpx_fp32),
        .alpha = operate(FPX_ARITH_MUL, &single, &fpx_fp32, code_of(epilogue->scale_a), &fpx_fp32,
                         code_of(epilogue->scale_b)),
    };
    if (is_float32(epilogue)) {
        finish_rows(&s, sums, rows, columns, dst);
        return FPX_OK;
    }
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < columns; j++) {
            const size_t at = i * columns + j;
            const uint64_t sum = fpx_format_code(&epilogue->sums, sums, at);
            mma_code_store(&epilogue->to.format, dst, at, finished(&s, sum, j));
        }
    }
    return FPX_OK;
}
