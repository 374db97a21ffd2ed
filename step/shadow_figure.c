/* shadow_figure.c - error figures of one output, in one pass and in a fixed order, so that the figures
 * themselves are reproducible bit for bit. */
#include "shadow_figure.h"

#include <math.h>
#include <string.h>

#include <fpx/metric.h>

typedef struct sums {
    double difference, value, reference, product;
    size_t finite;
} sums;

static void finish(const sums *s, fpx_figure *f)
{
    const double n = s->finite > 0 ? (double)s->finite : 1.0;
    const double norms = sqrt(s->value) * sqrt(s->reference);

    f->rms = sqrt(s->difference / n);
    f->rms_reference = sqrt(s->reference / n);
    f->cosine = norms > 0.0 ? s->product / norms : (s->value == s->reference ? 1.0 : 0.0);
}

/* The first element that fpx_compare_f64 counted: above its bound, or finite on one side only. */
static size_t first_bad(const double *value, const double *reference, const double *bound, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fpx_comparison one;
        const double *b = bound ? bound + i : NULL;

        if (value[i] == reference[i])
            continue;
        if (fpx_compare_f64(value + i, reference + i, b, 1, &one) == FPX_OK &&
            (b ? one.above_bound : one.nonfinite) > 0)
            return i;
    }
    return 0;
}

enum { PIECE = 256 };

/* Whether one of a piece's bounds is Inf: its exponent of ones carries into the sign's place. They are never NaN. */
static int any_infinite(const double *bound)
{
    uint64_t any = 0;

    for (size_t k = 0; k < PIECE; k++) {
        uint64_t bits;

        memcpy(&bits, bound + k, sizeof bits);
        any |= bits + (UINT64_C(1) << 52);
    }
    return any >> 63 != 0;
}

/* The first element that differs and may differ by any amount: nothing can be said of it. n: none. */
static size_t first_unbounded(const double *value, const double *reference, const double *bound,
                              size_t n)
{
    size_t i = 0;

    while (i < n) {
        if (i % PIECE == 0 && n - i >= PIECE && !any_infinite(bound + i)) {
            i += PIECE;
            continue;
        }
        if (isinf(bound[i]) && value[i] != reference[i])
            return i;
        i++;
    }
    return n;
}

void shadow_compare_values(const double *value, const double *reference, const double *bound,
                           size_t n, fpx_figure *ret_figure)
{
    fpx_comparison c = { 0 };
    const fpx_status status = fpx_compare_f64(value, reference, bound, n, &c);
    const uint64_t bad = bound ? c.above_bound : c.nonfinite;
    size_t at = (size_t)(bound ? c.max_bound_index : c.max_abs_index);

    (void)status; /* has nothing to refuse */
    const size_t unbounded =
        bad == 0 && bound != NULL ? first_unbounded(value, reference, bound, n) : n;

    if (bad > 0)
        at = first_bad(value, reference, bound, n);
    else if (unbounded < n)
        at = unbounded;
    *ret_figure = (fpx_figure){ .max_abs = c.max_abs_error,
                                .rms = c.rms_error,
                                .rms_reference = c.rms_reference,
                                .cosine = c.cosine,
                                .ratio = unbounded < n ? -1.0
                                         : bound       ? c.max_bound_ratio
                                                       : (double)NAN,
                                .mismatches = (double)bad,
                                .element = (double)at,
                                .expected = n > 0 ? reference[at] : 0.0,
                                .actual = n > 0 ? value[at] : 0.0,
                                .expected_bits = (double)NAN,
                                .actual_bits = (double)NAN };
}

typedef struct coded {
    const fpx_format *format;
    double scale;
    const unsigned char *codes;
} coded;

static void make_values(const void *context, size_t first, size_t n, double *to)
{
    const coded *c = context;

    shadow_decode(c->format, c->scale, c->codes + first * fpx_format_size(c->format), to, n);
}

int shadow_compare_narrow(const fpx_format *format, double scale, const void *codes,
                          const float *reference, size_t n, fpx_figure *ret_figure)
{
    const coded x = { format, scale, codes }, r = { &fpx_fp32, 1.0, (const void *)reference };
    const fpx_values values = { make_values, &x }, references = { make_values, &r };
    fpx_comparison c = { 0 };
    double at[2] = { 0.0, 0.0 };

    (void)fpx_compare_values(&values, &references, n, &c);
    if (c.nonfinite > 0)
        return 0;
    if (n > 0) {
        make_values(&x, (size_t)c.max_abs_index, 1, &at[0]);
        make_values(&r, (size_t)c.max_abs_index, 1, &at[1]);
    }
    *ret_figure = (fpx_figure){ .max_abs = c.max_abs_error,
                                .rms = c.rms_error,
                                .rms_reference = c.rms_reference,
                                .cosine = c.cosine,
                                .ratio = (double)NAN,
                                .element = (double)c.max_abs_index,
                                .expected = at[1],
                                .actual = at[0],
                                .expected_bits = (double)NAN,
                                .actual_bits = (double)NAN };
    return 1;
}

void shadow_compare_codes(const fpx_format *format, double scale, const void *code,
                          const void *reference, size_t n, fpx_figure *ret_figure)
{
    fpx_figure f = { .ratio = (double)NAN };
    sums s = { 0 };
    size_t first = n;

    if (memcmp(code, reference, n * fpx_format_size(format)) == 0) {
        f.rms_reference = (double)NAN; /* equal bits need no values */
        f.cosine = 1.0;
        *ret_figure = f;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const uint64_t c = fpx_format_code(format, code, i),
                       e = fpx_format_code(format, reference, i);
        const double v = fpx_format_value(format, c) * scale,
                     r = fpx_format_value(format, e) * scale;

        if (isfinite(v) && isfinite(r)) {
            s.difference += (v - r) * (v - r);
            s.value += v * v;
            s.reference += r * r;
            s.product += v * r;
            s.finite++;
            f.max_abs = fabs(v - r) > f.max_abs ? fabs(v - r) : f.max_abs;
        }
        if (c == e)
            continue;
        f.mismatches += 1.0;
        if (first < n)
            continue;
        first = i;
        f.element = (double)i;
        f.expected = r;
        f.actual = v;
        f.expected_bits = format->bits < 64 ? (double)e : (double)NAN;
        f.actual_bits = format->bits < 64 ? (double)c : (double)NAN;
    }
    finish(&s, &f);
    *ret_figure = f;
}
