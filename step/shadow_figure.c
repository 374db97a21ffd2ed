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

static double value_at(const fpx_coded *c, size_t i)
{
    double x = 0.0;

    shadow_decode(c->format, c->scale,
                  (const unsigned char *)c->codes + i * fpx_format_size(c->format), &x, 1);
    return x;
}

/* The first element that fpx_compare_codes counted: above its bound, or finite on one side only. */
static size_t first_bad(const fpx_coded *value, const fpx_coded *reference, const double *bound,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double v = value_at(value, i), r = value_at(reference, i);
        fpx_comparison one;
        const double *b = bound ? bound + i : NULL;

        if (v == r)
            continue;
        if (fpx_compare_f64(&v, &r, b, 1, &one) == FPX_OK &&
            (b ? one.above_bound : one.nonfinite) > 0)
            return i;
    }
    return 0;
}

void shadow_compare_values(const fpx_coded *value, const fpx_coded *reference, const double *bound,
                           size_t n, fpx_figure *ret_figure)
{
    fpx_comparison c = { 0 };
    const fpx_status status = fpx_compare_codes(value, reference, bound, n, &c);
    const uint64_t bad = bound ? c.above_bound : c.nonfinite;
    const int unbounded = bad == 0 && c.unbounded > 0;
    size_t at = (size_t)(bound ? c.max_bound_index : c.max_abs_index);

    (void)status; /* has nothing to refuse */
    if (bad > 0)
        at = first_bad(value, reference, bound, n);
    else if (unbounded)
        at = (size_t)c.unbounded_index;
    *ret_figure = (fpx_figure){ .max_abs = c.max_abs_error,
                                .rms = c.rms_error,
                                .rms_reference = c.rms_reference,
                                .cosine = c.cosine,
                                .ratio = unbounded ? -1.0
                                         : bound   ? c.max_bound_ratio
                                                   : (double)NAN,
                                .mismatches = (double)bad,
                                .element = (double)at,
                                .expected = n > 0 ? value_at(reference, at) : 0.0,
                                .actual = n > 0 ? value_at(value, at) : 0.0,
                                .expected_bits = (double)NAN,
                                .actual_bits = (double)NAN };
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
