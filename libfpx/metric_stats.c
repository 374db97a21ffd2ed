/* metric_stats.c - array statistics, compiled plain and (x86) with AVX2: metric_level.c chooses. Values become float64
 * exactly, counts and extrema are taken from their bits, and sums have a fixed order: the same bits on every machine. */
#include <math.h>
#include <string.h>

#include <fpx/convert.h>
#include <fpx/cpu.h>

#include "format_bits.h"
#include "metric_level.h"

/* TABLES: neighbours often share an exponent, and one table would wait for its own store. */
enum {
    LANES = METRIC_LANES,
    CHUNK = METRIC_CHUNK,
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
    out->mean = metric_fold(s->sum) / finite * scale;
    out->rms = sqrt(metric_fold(s->square) / finite) * fabs(scale);
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
