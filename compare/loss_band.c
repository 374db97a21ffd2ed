/* loss_band.c - median and median absolute deviation of a short window: two sorts of 64 numbers a step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fpx/loss_band.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Sorts x. */
static double median_of(double x[FPX_LOSS_BAND_STEPS])
{
    qsort(x, FPX_LOSS_BAND_STEPS, sizeof x[0], ascending);
    return 0.5 * (x[FPX_LOSS_BAND_STEPS / 2 - 1] + x[FPX_LOSS_BAND_STEPS / 2]);
}

int fpx_loss_band_add(fpx_loss_band *band, double loss, double *ret_median, double *ret_limit)
{
    double x[FPX_LOSS_BAND_STEPS];
    int spike = 0;

    if (!isfinite(loss))
        return 0;
    if (band->n >= FPX_LOSS_BAND_STEPS) {
        memcpy(x, band->last, sizeof x);
        const double median = median_of(x);
        for (size_t i = 0; i < FPX_LOSS_BAND_STEPS; i++)
            x[i] = fabs(band->last[i] - median);
        const double limit = median + FPX_LOSS_BAND_WIDTH * 1.4826 * median_of(x);
        if (loss > limit) {
            spike = 1;
            *ret_median = median;
            *ret_limit = limit;
        }
    }
    band->last[band->n++ % FPX_LOSS_BAND_STEPS] = loss;
    return spike;
}
