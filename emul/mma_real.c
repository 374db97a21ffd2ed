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

int mma_real_has_scales(const fpx_mma_operand *operand)
{
    return operand->scales == NULL ||
           (operand->scale_format.bits <= 8 && mma_real_fits_float(&operand->scale_format));
}

void mma_real_set_scales(mma_real *r)
{
    unsigned char codes[MMA_REAL_SCALES];

    for (size_t i = 0; i < MMA_REAL_SCALES; i++)
        codes[i] = (unsigned char)i;
    if (r->operand->scales != NULL)
        (void)fpx_decode_f32(&r->operand->scale_format, 1.0f, codes, r->scales,
                             (size_t)1 << r->operand->scale_format.bits);
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

    /* A scale's last place is less than SCALE bits below it. The least number of fixed point is beyond the largest. */
    if (mma_significand_bits(f) + SCALE > 24)
        return none;
    return (safe_scales){ ldexp(1, SCALE + FLOAT_LAST - (last < 0 ? last : 0)),
                          fmin(0x1p127, 0x1p127 / fpx_format_max(f)) };
}

/* x[0..n) times one scale; 1 where a product is no float32. */
static int scale_floats(float *x, size_t n, float scale, const safe_scales *safe)
{
    const double exact = (double)scale;
    int lost = 0;

    if (scale == 0 || isnan(scale) || (exact >= safe->least && exact <= safe->most)) {
        for (size_t i = 0; i < n; i++)
            x[i] *= scale;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        const double product = (double)x[i] * exact;
        x[i] = (float)product;
        lost |= product != (double)x[i] && !isnan(product);
    }
    return lost;
}

static int scale_elements(const mma_real *r, size_t at, size_t n, float scale,
                          const safe_scales *safe)
{
    if (!r->is_double)
        return scale_floats((float *)r->to + at, n, scale, safe);
    for (size_t i = 0; i < n; i++) /* exact: mma_block_room */
        ((double *)r->to)[at + i] *= (double)scale;
    return 0;
}

/* Blocks of a line, or across, its elements, each times its scale. */
static void scale_line(const mma_real *r, size_t line, size_t length, const safe_scales *safe)
{
    const fpx_mma_operand *const o = r->operand;
    const int is_across = mma_real_is_across(o);
    const size_t run = is_across ? 1 : o->scale_block;
    const size_t step = is_across ? o->scale_stride_vector : o->scale_stride_k;
    const size_t start =
        is_across ? line / o->scale_block * o->scale_stride_k : line * o->scale_stride_vector;
    const unsigned char *code = (const unsigned char *)o->scales + start;
    const unsigned mask = (1u << o->scale_format.bits) - 1;
    int lost = 0;

    for (size_t i = 0; i < length; i += run, code += step) {
        const size_t n = run < length - i ? run : length - i;
        lost |= scale_elements(r, line * length + i, n, r->scales[*code & mask], safe);
        if (length - i <= run)
            break;
    }
    if (lost)
        atomic_store_explicit(r->lost, 1, memory_order_relaxed);
}

static void *element_of(const mma_real *r, size_t at)
{
    return (unsigned char *)r->to + at * (r->is_double ? sizeof(double) : sizeof(float));
}

/* n codes from the start of a line on to element `at` of the matrix; gathered where they are apart. */
static void decode(const mma_real *r, const fpx_mma_operand *o, size_t line, size_t n, size_t at)
{
    const fpx_mma_call none = { .m = 0 };
    const mma_job ascending = { .model = r->model, .call = &none };
    const int is_row = o->stride_k == 1 && o->packing != FPX_PACK_DENSE;
    const size_t chunk = is_row ? n : MMA_CHUNK, size = fpx_format_size(&o->format);
    unsigned char codes[MMA_CHUNK * sizeof(uint64_t)];

    for (size_t i = 0; i < n; i += chunk) {
        const size_t count = n - i < chunk ? n - i : chunk;
        const void *from = codes;

        if (is_row)
            from = (const unsigned char *)o->codes + line * o->stride_vector * size;
        else
            mma_codes(&ascending, o, line, i, count, codes);
        if (r->is_double)
            (void)fpx_decode_f64(&o->format, 1.0, from, (double *)r->to + at + i, count);
        else
            (void)fpx_decode_f32(&o->format, 1.0f, from, (float *)r->to + at + i, count);
    }
}

void mma_real_plain_nans(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = isnan(x[i]) ? NAN : x[i];
}

void mma_real_flush(const fpx_format *format, void *x, size_t n, int is_double)
{
    const double least = ldexp(1, mma_least_exponent(format));
    double *const doubles = x;
    float *const floats = x;

    for (size_t i = 0; is_double && i < n; i++)
        doubles[i] = fabs(doubles[i]) < least ? 0 : doubles[i];
    for (size_t i = 0; !is_double && i < n; i++)
        floats[i] = fabsf(floats[i]) < (float)least ? 0 : floats[i];
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
    /* Without gaps lines are one: some decoders make a table first. */
    const int is_one =
        lines.stride_k == 1 && lines.stride_vector == length && lines.packing != FPX_PACK_DENSE;
    if (is_one)
        decode(r, &lines, begin, (end - begin) * length, begin * length);
    for (size_t line = begin; line < end; line++) {
        if (!is_one)
            decode(r, &lines, line, length, line * length);
        if (!r->is_double && r->operand->format.bits == 32)
            mma_real_plain_nans((float *)r->to + line * length, length);
        if (r->model->flush_inputs)
            mma_real_flush(&r->operand->format, element_of(r, line * length), length, r->is_double);
        if (r->operand->scales != NULL)
            scale_line(r, line, length, &safe);
    }
}
