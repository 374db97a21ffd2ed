/* loss.c - the counts of a conversion and how they look. */
#include "loss.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "results.h"

void cli_loss_add(cli_loss *loss, const fpx_format *format, const double *y, const double *q,
                  size_t n)
{
    const double largest = fpx_format_max(format);
    const int is_signed = (format->flags & FPX_FORMAT_UNSIGNED) == 0;

    for (size_t i = 0; i < n; i++, loss->count++) {
        const int finite = isfinite(y[i]) && isfinite(q[i]);
        const double magnitude = fabs(y[i]);

        loss->nan += isnan(y[i]) != 0;
        loss->inf += isinf(y[i]) != 0;
        loss->zero += y[i] == 0.0;
        loss->exact += y[i] == q[i] || (isnan(y[i]) && isnan(q[i]));
        loss->nan_lost += isnan(y[i]) && !isnan(q[i]);
        loss->saturated += magnitude > largest && isfinite(q[i]);
        loss->overflowed += isfinite(y[i]) && !isfinite(q[i]);
        loss->negative += y[i] < 0.0 && !is_signed;
        loss->underflowed += magnitude > 0.0 && q[i] == 0.0 && (y[i] > 0.0 || is_signed);
        if (isfinite(y[i])) {
            loss->amax = magnitude > loss->amax ? magnitude : loss->amax;
            if (magnitude > 0.0)
                loss->exponent[ilogb(magnitude) - CLI_LOSS_EXPONENT_MIN]++;
        }
        if (finite) {
            const size_t lane = loss->count % CLI_LOSS_LANES;
            const double error = q[i] - y[i];
            loss->max_error = fabs(error) > loss->max_error ? fabs(error) : loss->max_error;
            loss->signal[lane] += y[i] * y[i];
            loss->noise[lane] += error * error;
        }
    }
}

static double sum_of(const double lanes[CLI_LOSS_LANES])
{
    double sum[CLI_LOSS_LANES];

    memcpy(sum, lanes, sizeof sum);
    for (size_t half = CLI_LOSS_LANES / 2; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            sum[i] += sum[i + half];
    return sum[0];
}

double cli_loss_sqnr(const cli_loss *loss)
{
    return 10.0 * log10(sum_of(loss->signal) / sum_of(loss->noise));
}

static void print_count(FILE *out, const char *name, uint64_t n, uint64_t of, const char *meaning)
{
    (void)fprintf(out, "  %-12s %14" PRIu64 "  %6.2f %%%s%s\n", name, n,
                  of > 0 ? 100.0 * (double)n / (double)of : 0.0, meaning[0] ? "  " : "", meaning);
}

/* Exponents of a format's largest, least normal and least value. */
typedef struct range {
    int largest, normal, least;
} range;

static range range_of(const fpx_format *f)
{
    const uint64_t least = (f->flags & FPX_FORMAT_NO_ZERO) != 0 ? 0 : 1;
    const uint64_t normal =
        f->cls == FPX_CLASS_FLOAT && least == 1 ? UINT64_C(1) << f->mbits : least;
    range r = { ilogb(fpx_format_max(f)), 0, ilogb(fpx_format_value(f, least)) };

    r.normal = normal <= f->max_code ? ilogb(fpx_format_value(f, normal)) : r.largest + 1;
    return r;
}

static const char *zone(range r, int e)
{
    if (e > r.largest)
        return "too large";
    if (e >= r.normal)
        return "";
    return e >= r.least ? "subnormal" : "below the least";
}

static void print_rest(FILE *out, const char *name, uint64_t n)
{
    if (n > 0)
        (void)fprintf(out, "  %-8s %12" PRIu64 "\n", name, n);
}

/* A row for each exponent from a few above the format's largest to a few below its least, at most ROWS. */
static void print_exponents(FILE *out, const cli_loss *loss, const fpx_format *f)
{
    enum { ROWS = 48, BEYOND = 4, BAR = 40, FOLDED = 4 };
    static const char bar[BAR + 1] = "########################################";
    const range r = range_of(f);
    int top = CLI_LOSS_EXPONENTS - 1;
    int low = 0;
    uint64_t above = 0;
    uint64_t below = 0;
    uint64_t most = 1;

    while (top >= 0 && loss->exponent[top] == 0)
        top--;
    if (top < 0)
        return;
    while (low < top && loss->exponent[low] == 0)
        low++;
    for (; top > low && top + CLI_LOSS_EXPONENT_MIN > r.largest + BEYOND; top--)
        above += loss->exponent[top];
    for (; low < top && (top - low >= ROWS || low + CLI_LOSS_EXPONENT_MIN < r.least - BEYOND);
         low++)
        below += loss->exponent[low];
    for (int i = low; i <= top; i++)
        most = loss->exponent[i] > most ? loss->exponent[i] : most;
    (void)fprintf(out, "  values times scale, by exponent\n");
    print_rest(out, "higher", above);
    for (int i = top; i >= low; i--) {
        const uint64_t n = loss->exponent[i];
        const char *const where = zone(r, i + CLI_LOSS_EXPONENT_MIN);
        const int length = (int)((double)n / (double)most * BAR);
        int empty = 0;

        while (i - empty > low && loss->exponent[i - empty] == 0)
            empty++;
        if (empty >= FOLDED) { /* a run of empty rows says no more than one */
            (void)fprintf(out, "  %-8s %12s\n", "...", "0");
            i -= empty - 1;
            continue;
        }
        (void)fprintf(out, "  2^%-6d %12" PRIu64 "%s%-*.*s%s%s\n", i + CLI_LOSS_EXPONENT_MIN, n,
                      n > 0 || where[0] ? " " : "", where[0] ? BAR : 0,
                      length > 0 || n == 0 ? length : 1, bar, where[0] ? " " : "", where);
    }
    print_rest(out, "lower", below);
}

void cli_loss_print(FILE *out, const cli_loss *loss, const fpx_format *format, double scale)
{
    (void)fprintf(out, "  %-12s %14" PRIu64 "\n", "elements", loss->count);
    print_count(out, "exact", loss->exact, loss->count, "the code has the very value");
    print_count(out, "saturated", loss->saturated, loss->count, "too large, became a finite value");
    print_count(out, "overflowed", loss->overflowed, loss->count, "finite, became Inf or NaN");
    print_count(out, "underflowed", loss->underflowed, loss->count, "not zero, became zero");
    if (loss->negative > 0)
        print_count(out, "negative", loss->negative, loss->count, "the format has no sign");
    print_count(out, "NaN", loss->nan, loss->count, "");
    if (loss->nan_lost > 0)
        print_count(out, "NaN lost", loss->nan_lost, loss->count,
                    "became numbers: the format has no NaN");
    print_count(out, "Inf", loss->inf, loss->count, "");
    print_count(out, "zero", loss->zero, loss->count, "");
    (void)fprintf(out, "  %-12s %14.6g\n", "amax", loss->amax / scale);
    (void)fprintf(out, "  %-12s %14.6g\n", "max error", loss->max_error / scale);
    if (isfinite(cli_loss_sqnr(loss)))
        (void)fprintf(out, "  %-12s %14.2f  dB\n", "SQNR", cli_loss_sqnr(loss));
    else
        (void)fprintf(out, "  %-12s %14s\n", "SQNR",
                      isnan(cli_loss_sqnr(loss)) ? "no signal" : "nothing lost");
    print_exponents(out, loss, format);
}

json_t *cli_loss_json(const cli_loss *loss, double scale)
{
    json_t *exponents = json_object();
    char name[8];

    for (int i = 0; i < CLI_LOSS_EXPONENTS; i++) {
        if (loss->exponent[i] == 0)
            continue;
        (void)snprintf(name, sizeof name, "%d", i + CLI_LOSS_EXPONENT_MIN);
        (void)json_object_set_new(exponents, name, json_integer((json_int_t)loss->exponent[i]));
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}",
                     "elements", (json_int_t)loss->count, "exact", (json_int_t)loss->exact,
                     "saturated", (json_int_t)loss->saturated, "overflowed",
                     (json_int_t)loss->overflowed, "underflowed", (json_int_t)loss->underflowed,
                     "negative", (json_int_t)loss->negative, "nan", (json_int_t)loss->nan,
                     "nan_lost", (json_int_t)loss->nan_lost, "inf", (json_int_t)loss->inf, "zero",
                     (json_int_t)loss->zero, "amax", cli_json_number(loss->amax / scale),
                     "max_abs_error", cli_json_number(loss->max_error / scale), "sqnr_db",
                     cli_json_number(cli_loss_sqnr(loss)), "exponents", exponents);
}
