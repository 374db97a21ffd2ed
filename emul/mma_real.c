/* mma_real.c - operands of matrix units as matrices of float32 or float64, exactly: codes are decoded, then multiplied by
 * their scale. */
#include "mma_real.h"

#include <math.h>
#include <string.h>

#include "mma_kernels.h"

int mma_real_is_across(const fpx_mma_operand *operand)
{
    return operand->stride_k != 1 && operand->stride_vector == 1;
}

int mma_real_fits_float(const fpx_format *format)
{
    const unsigned char code[8] = { 0 };
    float value;

    return fpx_decode_f32(format, 1.0f, code, &value, 1) == FPX_OK;
}

/* The scales of a format by which every element may be multiplied in float32, whatever it is: products neither overflow
 * nor lose bits. */
typedef struct safe_scales {
    double least, most;
} safe_scales;

static safe_scales safe_scales_of(const fpx_mma_operand *o)
{
    enum { FLOAT_LAST = -149, SCALE = 4 /* bits: mma_block_room */ };
    const fpx_format *const f = &o->format;
    const int last = mma_least_exponent(f) - f->mbits; /* of an element */
    const safe_scales none = { INFINITY, 0 };

    /* A scale's last place is less than SCALE bits below it. */
    if (mma_significand_bits(f) + SCALE > 24)
        return none;
    return (safe_scales){ ldexp(1, SCALE + FLOAT_LAST - (last < 0 ? last : 0)),
                          fmin(0x1.fffffep127, 0x1.fffffep127 / fpx_format_max(f)) };
}

static double scale_at(const fpx_mma_operand *o, size_t vector, size_t k)
{
    const size_t at = vector * o->scale_stride_vector + k / o->scale_block * o->scale_stride_k;

    return fpx_format_value(&o->scale_format, fpx_format_code(&o->scale_format, o->scales, at));
}

/* x[0..n) times one scale; 1 where a product is no float32. */
static int scale_floats(float *x, size_t n, double scale, const safe_scales *safe)
{
    const float single = (float)scale;
    int lost = 0;

    if (scale == 0 || isnan(scale) || (scale >= safe->least && scale <= safe->most)) {
        for (size_t i = 0; i < n; i++)
            x[i] *= single;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        const double product = (double)x[i] * scale;
        x[i] = (float)product;
        lost |= product != (double)x[i] && !isnan(product);
    }
    return lost;
}

/* Elements [begin, begin + n) of a line that share a scale. */
static size_t run_of(const mma_real *r, size_t begin, size_t length)
{
    const size_t block = r->operand->scale_block;
    const size_t run = mma_real_is_across(r->operand) ? 1 : block - begin % block;

    return run < length - begin ? run : length - begin;
}

static void scale_line(const mma_real *r, size_t line, size_t length, const safe_scales *safe)
{
    const fpx_mma_operand *const o = r->operand;
    const int is_across = mma_real_is_across(o);
    size_t run;
    int lost = 0;

    for (size_t i = 0; i < length; i += run) {
        const double scale = is_across ? scale_at(o, i, line) : scale_at(o, line, i);
        const size_t at = line * length + i;

        run = run_of(r, i, length);
        if (!r->is_double) {
            lost |= scale_floats((float *)r->to + at, run, scale, safe);
            continue;
        }
        for (size_t t = 0; t < run; t++) /* exact: mma_block_room */
            ((double *)r->to)[at + t] *= scale;
    }
    if (lost)
        atomic_store_explicit(r->lost, 1, memory_order_relaxed);
}

/* The codes of a line, gathered where they are apart. */
static void decode_line(const mma_real *r, const fpx_mma_operand *o, size_t line, size_t length)
{
    const fpx_mma_call none = { .m = 0 };
    const mma_job ascending = { .model = r->model, .call = &none };
    const int is_row = o->stride_k == 1 && o->packing != FPX_PACK_DENSE;
    const size_t chunk = is_row ? length : MMA_CHUNK, size = fpx_format_size(&o->format);
    unsigned char codes[MMA_CHUNK * sizeof(uint64_t)];

    for (size_t i = 0; i < length; i += chunk) {
        const size_t count = length - i < chunk ? length - i : chunk;
        const void *from = codes;

        if (is_row)
            from = (const unsigned char *)o->codes + line * o->stride_vector * size;
        else
            mma_codes(&ascending, o, line, i, count, codes);
        if (r->is_double)
            (void)fpx_decode_f64(&o->format, 1.0, from, (double *)r->to + line * length + i, count);
        else
            (void)fpx_decode_f32(&o->format, 1.0f, from, (float *)r->to + line * length + i, count);
    }
}

void mma_real_plain_nans(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = isnan(x[i]) ? NAN : x[i];
}

void mma_real_rows(void *real, size_t begin, size_t end, size_t worker)
{
    const mma_real *const r = real;
    const int is_across = mma_real_is_across(r->operand);
    const size_t length = is_across ? r->vectors : r->k;
    const safe_scales safe = safe_scales_of(r->operand);
    fpx_mma_operand lines = *r->operand;

    (void)worker;
    if (is_across) {
        lines.stride_vector = r->operand->stride_k;
        lines.stride_k = 1;
    }
    for (size_t line = begin; line < end; line++) {
        decode_line(r, &lines, line, length);
        if (!r->is_double && r->operand->format.bits == 32)
            mma_real_plain_nans((float *)r->to + line * length, length);
        if (r->operand->scales != NULL)
            scale_line(r, line, length, &safe);
    }
}
