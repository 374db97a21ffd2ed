/* metric.c - array statistics and comparison figures, compiled plain and (x86) with AVX2: metric_level.c chooses. Values become float64 exactly, counts and extrema
 * are taken from their bits, and sums have a fixed order: the same bits on every machine. */
#include <math.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/cpu.h>
#include <fpx/metric.h>

#include "format_bits.h"
#include "metric_level.h"

/* CHUNK: a chunk stays in the first-level cache; a multiple of LANES, so that lanes keep. TABLES:
 * neighbours often share an exponent, and one table would wait for its own store. */
enum {
    LANES = 16,
    CHUNK = FPX_COMPARE_PIECE,
    TABLES = 4,
    EXPONENTS = 2048,
    SPECIAL = EXPONENTS - 1
};

static const uint64_t infinity_bits = UINT64_C(0x7ff0000000000000);

/* Nearly every figure comes from counts of float64's exponent field: a format's smallest normal is a
 * power of two, so even its subnormals do. */
typedef struct stats_state {
    double sum[LANES], square[LANES];
    double least[LANES], most[LANES]; /* of finite values */
    uint64_t nan, zero, saturated;
    uint64_t exponent[TABLES][EXPONENTS];
} stats_state;

static double fold(const double lanes[LANES])
{
    double x[LANES];

    memcpy(x, lanes, sizeof x);
    for (size_t half = LANES / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++)
            x[i] += x[i + half];
    }
    return x[0];
}

static void add_sums(stats_state *s, const double *x, size_t n)
{
    size_t i = 0;

    for (; n - i >= LANES; i += LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            s->sum[lane] += x[i + lane];
            s->square[lane] += x[i + lane] * x[i + lane];
        }
    }
    for (size_t lane = 0; i < n; i++, lane++) {
        s->sum[lane] += x[i];
        s->square[lane] += x[i] * x[i];
    }
}

static void add_extrema(stats_state *s, const double *x, size_t n)
{
    size_t i = 0;

    for (; n - i >= LANES; i += LANES) {
        for (size_t lane = 0; lane < LANES; lane++) {
            s->least[lane] = x[i + lane] < s->least[lane] ? x[i + lane] : s->least[lane];
            s->most[lane] = x[i + lane] > s->most[lane] ? x[i + lane] : s->most[lane];
        }
    }
    for (; i < n; i++) {
        s->least[0] = x[i] < s->least[0] ? x[i] : s->least[0];
        s->most[0] = x[i] > s->most[0] ? x[i] : s->most[0];
    }
}

/* The rare chunk with NaN or Inf: extrema of the others, then +0 in their place. */
static void take_specials_out(stats_state *s, double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t a = fpx_f64_bits(x[i]) & INT64_MAX;
        s->nan += a > infinity_bits;
        if (a >= infinity_bits)
            x[i] = 0.0;
        else
            add_extrema(s, x + i, 1);
    }
}

static uint64_t count_magnitude(const double *x, size_t n, uint64_t magnitude)
{
    uint64_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += (fpx_f64_bits(x[i]) & INT64_MAX) == magnitude;
    return count;
}

static uint64_t with_exponent(const stats_state *s, uint64_t exponent)
{
    uint64_t count = 0;

    for (size_t t = 0; t < TABLES; t++)
        count += s->exponent[t][exponent];
    return count;
}

/* saturated: bits of the magnitude to count, 0 for none. x is used up. */
static void add_chunk(stats_state *s, uint64_t saturated, double *x, size_t n)
{
    const uint64_t zeros = with_exponent(s, 0);
    const uint64_t specials = with_exponent(s, SPECIAL);
    const uint64_t tops = with_exponent(s, saturated >> 52);

    size_t i = 0;
    for (; n - i >= TABLES; i += TABLES)
        for (size_t t = 0; t < TABLES; t++)
            s->exponent[t][fpx_f64_bits(x[i + t]) >> 52 & SPECIAL]++;
    for (; i < n; i++)
        s->exponent[0][fpx_f64_bits(x[i]) >> 52 & SPECIAL]++;
    if (with_exponent(s, 0) != zeros)
        s->zero += count_magnitude(x, n, 0);
    if (saturated != 0 && with_exponent(s, saturated >> 52) != tops)
        s->saturated += count_magnitude(x, n, saturated);
    if (with_exponent(s, SPECIAL) != specials)
        take_specials_out(s, x, n);
    else
        add_extrema(s, x, n);
    add_sums(s, x, n);
}

/* n codes, at most CHUNK, as float64; the conversion is exact. */
static void load_chunk(const fpx_format *format, const void *codes, size_t n, double *x)
{
    float narrow[CHUNK];

    if (fpx_format_equal(format, &fpx_fp64)) {
        memcpy(x, codes, n * sizeof *x);
    } else if (fpx_decode_f32(format, 1.0f, codes, narrow, n) == FPX_OK) {
        for (size_t i = 0; i < n; i++)
            x[i] = (double)narrow[i];
    } else {
        fpx_decode_f64(format, 1.0, codes, x, n); /* refuses only invalid formats */
    }
}

static void count_bins(const stats_state *s, const fpx_format *f, fpx_stats *out)
{
    const int is_float = f->cls == FPX_CLASS_FLOAT;
    const int normal =
        is_float ? 1 - f->bias + 1023 : 0; /* exponent field of the smallest normal */

    for (int e = 0; e < SPECIAL; e++) {
        const uint64_t count = with_exponent(s, (uint64_t)e) - (e == 0 ? s->zero : 0);
        int bin = e - 1023 + FPX_STATS_BIN_OF_ONE;
        bin = bin < 0 ? 0 : bin;
        bin = bin > FPX_STATS_BINS - 1 ? FPX_STATS_BINS - 1 : bin;
        out->exponent[bin] += count;
        out->subnormal += e < normal ? count : 0;
    }
    out->zero = s->zero;
    out->nan = s->nan;
    out->inf = with_exponent(s, SPECIAL) - s->nan;
    out->saturated = s->saturated;
}

static void finish_stats(const stats_state *s, double scale, fpx_stats *out)
{
    const double finite = (double)(out->count - out->nan - out->inf);
    double least = s->least[0];
    double most = s->most[0];

    if (finite == 0.0)
        return;
    for (size_t lane = 1; lane < LANES; lane++) {
        least = s->least[lane] < least ? s->least[lane] : least;
        most = s->most[lane] > most ? s->most[lane] : most;
    }
    /* + 0.0: of the zeros +0, whichever came first. */
    const double low = least * scale + 0.0;
    const double high = most * scale + 0.0;
    out->amax = fabs(low) > fabs(high) ? fabs(low) : fabs(high);
    out->min = low > high ? high : low; /* a negative scale turns them round */
    out->max = low > high ? low : high;
    out->mean = fold(s->sum) / finite * scale;
    out->rms = sqrt(fold(s->square) / finite) * fabs(scale);
}

fpx_status METRIC_NAME(metric_stats)(const fpx_format *format, double scale, const void *codes,
                                     size_t n, fpx_stats *ret_stats)
{
    double x[CHUNK];
    stats_state state;
    fpx_stats stats = { .count = n };

    if (!fpx_format_is_valid(format))
        return FPX_EINVAL;
    memset(&state, 0, sizeof state);
    for (size_t lane = 0; lane < LANES; lane++) {
        state.least[lane] = (double)INFINITY;
        state.most[lane] = -(double)INFINITY;
    }
    const int saturates = format->cls == FPX_CLASS_FLOAT && format->bits < 32;
    const uint64_t saturated = saturates ? fpx_f64_bits(fpx_format_max(format)) : 0;
    const size_t bytes = fpx_format_size(format);
    const fpx_fpenv env = fpx_fpenv_enter();
    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t here = n - i < CHUNK ? n - i : CHUNK;
        load_chunk(format, (const unsigned char *)codes + i * bytes, here, x);
        add_chunk(&state, saturated, x, here);
    }
    count_bins(&state, format, &stats);
    finish_stats(&state, scale, &stats);
    fpx_fpenv_leave(env);
    *ret_stats = stats;
    return FPX_OK;
}

/* Sums of a comparison, in lanes. */
typedef struct compare_state {
    double error[LANES], reference[LANES];
    double xx[LANES], rr[LANES], xr[LANES]; /* over elements finite in both */
} compare_state;

static double error_of(double x, double r)
{
    if (isfinite(x) && isfinite(r))
        return fabs(x - r);
    const int same = (isnan(x) && isnan(r)) || x == r; /* == : the same Inf */
    return same ? 0.0 : (double)INFINITY;
}

static double ratio_of(double error, double bound)
{
    if (error == 0.0)
        return 0.0;
    if (isnan(bound) || !(bound > 0.0))
        return (double)INFINITY;
    return isinf(bound) ? 0.0 : error / bound;
}

static double cosine_of(double xx, double rr, double xr)
{
    if (xx == 0.0 || rr == 0.0)
        return xx == 0.0 && rr == 0.0 ? 1.0 : 0.0;
    return xr / (sqrt(xx) * sqrt(rr));
}

static void compare_element(compare_state *s, fpx_comparison *out, double x, double r, size_t i)
{
    const size_t lane = i % LANES;
    const double error = error_of(x, r);

    out->nonfinite += isinf(error) && !(isfinite(x) && isfinite(r));
    if (error > out->max_abs_error) {
        out->max_abs_error = error;
        out->max_abs_index = i;
    }
    s->error[lane] += error * error;
    if (isfinite(r))
        s->reference[lane] += r * r;
    if (isfinite(x) && isfinite(r)) {
        s->xx[lane] += x * x;
        s->rr[lane] += r * r;
        s->xr[lane] += x * r;
    }
}

static void compare_bound(fpx_comparison *out, double error, double bound, size_t i)
{
    const double ratio = ratio_of(error, bound);

    if (ratio > out->max_bound_ratio) {
        out->max_bound_ratio = ratio;
        out->max_bound_index = i;
    }
    out->above_bound += error > bound || (isnan(bound) && error > 0.0);
}

static void compare_slowly(compare_state *s, fpx_comparison *out, const double *x, const double *r,
                           const double *bound, size_t n, size_t first)
{
    for (size_t i = 0; i < n; i++) {
        compare_element(s, out, x[i], r[i], first + i);
        if (bound != NULL)
            compare_bound(out, error_of(x[i], r[i]), bound[i], first + i);
    }
}

/* Loops of LANES with sums in a local array: what compilers make vectors of. */
static void add_products(double lanes[LANES], const double *a, const double *b, size_t n)
{
    double sum[LANES];

    memcpy(sum, lanes, sizeof sum);
    for (size_t i = 0; i < n; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sum[lane] += a[i + lane] * b[i + lane]; /* NOLINT: both hold n values */
    memcpy(lanes, sum, sizeof sum);
}

/* The largest, and where it first is, if it is larger than the one so far. */
static void take_largest(const double *x, size_t n, size_t first, double *most, uint64_t *index)
{
    double large[LANES] = { 0 };
    double top = 0.0;

    for (size_t i = 0; i < n; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            large[lane] = x[i + lane] > large[lane] ? x[i + lane] : large[lane];
    for (size_t lane = 0; lane < LANES; lane++)
        top = large[lane] > top ? large[lane] : top;
    if (!(top > *most))
        return;
    *most = top;
    for (size_t i = 0; i < n; i++)
        if (x[i] == top) {
            *index = first + i;
            return;
        }
}

/* Whether no error / bound can be above `most`, at most 1, as rounded: multiplying says so of most pieces, sooner than
 * dividing. Small bounds, whose product would round too far, and NaN are not decided here. */
static int all_below(double most, const double *error, const double *bound, size_t n)
{
    const double least = most <= 1.0 && most >= 0x1p-100 ? most * (1.0 - 0x1p-50) : 0.0;
    uint64_t open = 0;

    for (size_t i = 0; i < n; i++) {
        const int below = (error[i] <= bound[i] * least) & (bound[i] >= 0x1p-900);

        open += below | (error[i] == 0.0) ? 0 : 1;
    }
    return open == 0;
}

/* Whole lanes of finite numbers whose squared differences do not overflow: nothing else leaves the sums
 * of errors finite. Returns 0, and has done nothing, for others. An element that only one of
 * `reference` and `rr` counts has an Inf error: as long as this one returns 1 they are the same. */
static int compare_finite(compare_state *s, fpx_comparison *out, const double *x, const double *r,
                          const double *bound, size_t n, size_t first)
{
    double error[CHUNK], sums[LANES], ratio[CHUNK];
    uint64_t above = 0;

    for (size_t i = 0; i < n; i++)
        error[i] = fabs(x[i] - r[i]);
    memcpy(sums, s->error, sizeof sums);
    add_products(sums, error, error, n);
    if (!isfinite(fold(sums)))
        return 0;
    memcpy(s->error, sums, sizeof sums);
    take_largest(error, n, first, &out->max_abs_error, &out->max_abs_index);
    add_products(s->xx, x, x, n);
    add_products(s->xr, x, r, n);
    add_products(s->rr, r, r, n);
    memcpy(s->reference, s->rr, sizeof s->rr);
    if (bound == NULL || all_below(out->max_bound_ratio, error, bound, n))
        return 1;
    /* ratio_of without branches: a finite error over an infinite bound is 0. */
    for (size_t i = 0; i < n; i++) {
        const double quotient = error[i] / bound[i];
        const double valid = bound[i] > 0.0 ? quotient : (double)INFINITY;
        ratio[i] = error[i] == 0.0 ? 0.0 : valid;
    }
    for (size_t i = 0; i < n; i++) {
        const double known = bound[i] == bound[i] ? bound[i] : 0.0;
        above += error[i] > known ? 1 : 0;
    }
    take_largest(ratio, n, first, &out->max_bound_ratio, &out->max_bound_index);
    out->above_bound += above;
    return 1;
}

static void finish_comparison(const compare_state *s, fpx_comparison *out)
{
    if (out->count > 0) {
        out->rms_error = sqrt(fold(s->error) / (double)out->count);
        out->rms_reference = sqrt(fold(s->reference) / (double)out->count);
    }
    if (out->rms_error != 0.0)
        out->relative_rms_error = out->rms_error / out->rms_reference;
    out->cosine = cosine_of(fold(s->xx), fold(s->rr), fold(s->xr));
}

static void compare_piece(compare_state *s, fpx_comparison *out, const double *x, const double *r,
                          const double *bound, size_t n, size_t first)
{
    if (n % LANES != 0 || !compare_finite(s, out, x, r, bound, n, first))
        compare_slowly(s, out, x, r, bound, n, first);
}

fpx_status METRIC_NAME(metric_compare)(const double *x, const double *reference,
                                       const double *bound, size_t n,
                                       fpx_comparison *ret_comparison)
{
    compare_state state = { { 0 }, { 0 }, { 0 }, { 0 }, { 0 } };
    fpx_comparison out = { .count = n, .cosine = 1.0 };
    const fpx_fpenv env = fpx_fpenv_enter();

    for (size_t i = 0; i < n; i += CHUNK)
        compare_piece(&state, &out, x + i, reference + i, bound == NULL ? NULL : bound + i,
                      n - i < CHUNK ? n - i : CHUNK, i);
    finish_comparison(&state, &out);
    fpx_fpenv_leave(env);
    *ret_comparison = out;
    return FPX_OK;
}

fpx_status METRIC_NAME(metric_values)(const fpx_values *x, const fpx_values *reference, size_t n,
                                      fpx_comparison *ret_comparison)
{
    compare_state state = { { 0 }, { 0 }, { 0 }, { 0 }, { 0 } };
    fpx_comparison out = { .count = n, .cosine = 1.0 };
    const fpx_fpenv env = fpx_fpenv_enter();
    double piece[2][CHUNK];

    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t here = n - i < CHUNK ? n - i : CHUNK;

        x->make(x->context, i, here, piece[0]);
        reference->make(reference->context, i, here, piece[1]);
        compare_piece(&state, &out, piece[0], piece[1], NULL, here, i);
    }
    finish_comparison(&state, &out);
    fpx_fpenv_leave(env);
    *ret_comparison = out;
    return FPX_OK;
}
