/* paired.c - Student's t in closed form, and two one-sided tests (Schuirmann 1987) beside the interval. */
#include "paired.h"

#include <math.h>

/* P(|T| <= t) for a whole number of degrees of freedom: Abramowitz and Stegun, 26.7.3 and 26.7.4. */
static double within(double t, size_t freedom)
{
    const double angle = atan(t / sqrt((double)freedom)), c = cos(angle), s = sin(angle);
    const int odd = freedom % 2 == 1;
    double term = odd ? c : 1.0, sum = freedom == 1 ? 0.0 : term;

    for (size_t k = odd ? 3 : 2; k + 1 < freedom; k += 2) {
        term *= c * c * (double)(k - 1) / (double)k;
        sum += term;
    }
    return odd ? (angle + s * sum) * 0x1.45f306dc9c883p-1 /* 2 / pi */ : s * sum;
}

double student_quantile(double p, size_t freedom)
{
    const double inside = fabs(2.0 * p - 1.0);
    double low = 0.0, high = 1.0;

    while (within(high, freedom) < inside)
        high *= 2.0;
    for (int i = 0; i < 200 && low < high; i++) {
        const double middle = low + (high - low) / 2.0;

        if (middle == low || middle == high)
            break;
        if (within(middle, freedom) < inside)
            low = middle;
        else
            high = middle;
    }
    return p < 0.5 ? -high : high;
}

void mean_and_deviation(const double *x, size_t n, double *ret_mean, double *ret_deviation)
{
    double mean = 0.0, square = 0.0;

    for (size_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean);
    *ret_mean = mean;
    *ret_deviation = n > 1 ? sqrt(square / (double)(n - 1)) : 0.0;
}

paired paired_difference(const double *x, const double *y, size_t n)
{
    paired d = { .n = n };
    double square = 0.0;

    for (size_t i = 0; i < n; i++)
        d.mean += (x[i] - y[i]) / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (x[i] - y[i] - d.mean) * (x[i] - y[i] - d.mean);
    if (n < 2) {
        d.half = d.half_tost = (double)INFINITY;
        return d;
    }
    d.deviation = sqrt(square / (double)(n - 1));
    d.half = student_quantile(0.975, n - 1) * d.deviation / sqrt((double)n);
    d.half_tost = student_quantile(0.95, n - 1) * d.deviation / sqrt((double)n);
    return d;
}

verdict paired_verdict(const paired *d, double margin)
{
    if (!isfinite(d->mean))
        return VERDICT_INCONCLUSIVE;
    if (fabs(d->mean) + d->half_tost < margin)
        return VERDICT_EQUAL;
    if (fabs(d->mean) <= d->half)
        return VERDICT_INCONCLUSIVE;
    return d->mean > 0.0 ? VERDICT_WORSE : VERDICT_BETTER;
}
