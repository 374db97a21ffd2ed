/* loss_band.c - median and median absolute deviation of a short window: two sorts of 64 numbers a step. */
#include "loss_band.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Sorts x. */
static double median_of(double x[LOSS_BAND_STEPS])
{
    qsort(x, LOSS_BAND_STEPS, sizeof x[0], ascending);
    return 0.5 * (x[LOSS_BAND_STEPS / 2 - 1] + x[LOSS_BAND_STEPS / 2]);
}

int loss_band_add(loss_band *band, double loss, double *ret_median, double *ret_limit)
{
    double x[LOSS_BAND_STEPS];
    int spike = 0;

    if (!isfinite(loss))
        return 0;
    if (band->n >= LOSS_BAND_STEPS) {
        memcpy(x, band->last, sizeof x);
        const double median = median_of(x);
        for (size_t i = 0; i < LOSS_BAND_STEPS; i++)
            x[i] = fabs(band->last[i] - median);
        const double limit = median + LOSS_BAND_WIDTH * 1.4826 * median_of(x);
        if (loss > limit) {
            spike = 1;
            *ret_median = median;
            *ret_limit = limit;
        }
    }
    band->last[band->n++ % LOSS_BAND_STEPS] = loss;
    return spike;
}
