/* metric.c - array statistics and comparison figures. Values become float64 exactly, counts and extrema
 * are taken from their bits, and sums have a fixed order: the same bits on every machine. */
#include <math.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/cpu.h>
#include <fpx/metric.h>

#include "format_bits.h"

/* CHUNK: 6 KiB of buffers stay in the first-level cache; a multiple of LANES, so that lanes keep. TABLES:
 * neighbours often share an exponent, and one table would wait for its own store. */
enum { LANES = 16, CHUNK = 512, TABLES = 4 };

static const uint64_t infinity_bits = UINT64_C(0x7ff0000000000000);

typedef struct stats_state {
    double sum[LANES], square[LANES];
    int64_t least, most; /* ordered keys of the finite values */
    uint64_t amax;       /* bits */
    uint64_t nan, nonfinite, zero, below_normal, saturated;
    uint32_t table[TABLES][FPX_STATS_BINS];
    uint64_t exponent[FPX_STATS_BINS];
} stats_state;

typedef struct stats_limits {
    uint64_t normal; /* bits of the smallest normal */
    uint64_t
        saturated; /* bits of the largest finite value; a pattern no magnitude has where unused */
} stats_limits;

/* Integers in the order of the numbers, -0 below +0. Its own inverse. */
static int64_t order_key(int64_t bits)
{
    return bits ^ (int64_t)((uint64_t)(bits >> 63) & INT64_MAX);
}

static int64_t signed_bits(uint64_t u)
{
    int64_t s;
    memcpy(&s, &u, sizeof s);
    return s;
}

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

static void add_value(stats_state *s, stats_limits limits, double x, size_t lane, uint32_t *table)
{
    const uint64_t bits = fpx_f64_bits(x);
    const uint64_t a = bits & INT64_MAX;
    const uint64_t finite = (uint64_t)0 - (uint64_t)(a < infinity_bits);
    const int64_t key = order_key(signed_bits(bits));
    const double value = fpx_bits_f64(bits & finite);
    int bin = (int)(a >> 52) - 1023 + FPX_STATS_BIN_OF_ONE;

    bin = bin < 0 ? 0 : bin;
    bin = bin > FPX_STATS_BINS - 1 ? FPX_STATS_BINS - 1 : bin;
    table[bin]++; /* zeros into the first, NaN and Inf into the last: taken out again at the end */
    s->sum[lane] += value;
    s->square[lane] += value * value;
    s->least = (finite != 0) & (key < s->least) ? key : s->least;
    s->most = (finite != 0) & (key > s->most) ? key : s->most;
    s->amax = (a & finite) > s->amax ? a : s->amax;
    s->nonfinite += finite == 0;
    s->nan += a > infinity_bits;
    s->zero += a == 0;
    s->below_normal += a < limits.normal;
    s->saturated += a == limits.saturated;
}

static void add_chunk(stats_state *ret_state, stats_limits limits, const double *x, size_t n)
{
    stats_state s = *ret_state; /* a local copy: no store can alias it */

    for (size_t i = 0; i < n; i++)
        add_value(&s, limits, x[i], i % LANES, s.table[i % TABLES]);
    for (size_t bin = 0; bin < FPX_STATS_BINS; bin++) {
        for (size_t t = 0; t < TABLES; t++) {
            s.exponent[bin] += s.table[t][bin];
            s.table[t][bin] = 0;
        }
    }
    *ret_state = s;
}

/* n codes, at most CHUNK, as float64; the conversion is exact. */
static fpx_status load_chunk(const fpx_format *format, const void *codes, size_t n, double *x)
{
    float narrow[CHUNK];

    if (fpx_format_equal(format, &fpx_fp64)) {
        memcpy(x, codes, n * sizeof *x);
        return FPX_OK;
    }
    if (fpx_decode_f32(format, 1.0f, codes, narrow, n) != FPX_OK)
        return fpx_decode_f64(format, 1.0, codes, x, n);
    for (size_t i = 0; i < n; i++)
        x[i] = (double)narrow[i];
    return FPX_OK;
}

static stats_limits limits_of(const fpx_format *f)
{
    stats_limits limits = { 0, UINT64_MAX };

    if (f->cls != FPX_CLASS_FLOAT)
        return limits;
    limits.normal = fpx_f64_bits(fpx_format_value(f, UINT64_C(1) << f->mbits));
    if (f->bits < 32)
        limits.saturated = fpx_f64_bits(fpx_format_max(f));
    return limits;
}

static void finish_stats(const stats_state *s, double scale, int is_float, fpx_stats *out)
{
    const uint64_t finite = out->count - s->nonfinite;

    out->nan = s->nan;
    out->inf = s->nonfinite - s->nan;
    out->zero = s->zero;
    out->subnormal = is_float ? s->below_normal - s->zero : 0;
    out->saturated = s->saturated;
    memcpy(out->exponent, s->exponent, sizeof out->exponent);
    out->exponent[0] -= s->zero;
    out->exponent[FPX_STATS_BINS - 1] -= s->nonfinite;
    if (finite == 0)
        return;

    const double low = fpx_bits_f64((uint64_t)order_key(s->least)) * scale;
    const double high = fpx_bits_f64((uint64_t)order_key(s->most)) * scale;
    out->amax = fpx_bits_f64(s->amax) * fabs(scale);
    out->min = low > high ? high : low; /* a negative scale turns them round */
    out->max = low > high ? low : high;
    out->mean = fold(s->sum) / (double)finite * scale;
    out->rms = sqrt(fold(s->square) / (double)finite) * fabs(scale);
}

fpx_status fpx_stats_codes(const fpx_format *format, double scale, const void *codes, size_t n,
                           fpx_stats *ret_stats)
{
    double x[CHUNK];
    stats_state state = { .least = INT64_MAX, .most = INT64_MIN };
    fpx_stats stats = { .count = n };

    if (!fpx_format_is_valid(format))
        return FPX_EINVAL;
    const stats_limits limits = limits_of(format);
    const size_t bytes = fpx_format_size(format);
    const fpx_fpenv env = fpx_fpenv_enter();
    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t here = n - i < CHUNK ? n - i : CHUNK;
        load_chunk(format, (const unsigned char *)codes + i * bytes, here, x);
        add_chunk(&state, limits, x, here);
    }
    finish_stats(&state, scale, format->cls == FPX_CLASS_FLOAT, &stats);
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

fpx_status fpx_compare_f64(const double *x, const double *reference, const double *bound, size_t n,
                           fpx_comparison *ret_comparison)
{
    compare_state state = { { 0 }, { 0 }, { 0 }, { 0 }, { 0 } };
    fpx_comparison out = { .count = n, .cosine = 1.0 };
    const fpx_fpenv env = fpx_fpenv_enter();

    for (size_t i = 0; i < n; i++) {
        compare_element(&state, &out, x[i], reference[i], i);
        if (bound != NULL)
            compare_bound(&out, error_of(x[i], reference[i]), bound[i], i);
    }
    if (n > 0) {
        out.rms_error = sqrt(fold(state.error) / (double)n);
        out.rms_reference = sqrt(fold(state.reference) / (double)n);
    }
    if (out.rms_error != 0.0)
        out.relative_rms_error = out.rms_error / out.rms_reference;
    out.cosine = cosine_of(fold(state.xx), fold(state.rr), fold(state.xr));
    fpx_fpenv_leave(env);
    *ret_comparison = out;
    return FPX_OK;
}
