/* metric_level.h - the two functions of fpx/metric.h by the level that their loops are compiled for. */
#ifndef LIBFPX_METRIC_LEVEL_H
#define LIBFPX_METRIC_LEVEL_H

#include <string.h>

#include <fpx/metric.h>

#define METRIC_PASTE(name, suffix) name##suffix
#define METRIC_EXPAND(name, suffix) METRIC_PASTE(name, suffix)
/* METRIC_SUFFIX: _scalar, _avx2. */
#define METRIC_NAME(name) METRIC_EXPAND(name, METRIC_SUFFIX)

#define METRIC_DECLARE(suffix)                                                                     \
    fpx_status metric_stats##suffix(const fpx_format *format, double scale, const void *codes,     \
                                    size_t n, fpx_stats *ret_stats);                               \
    fpx_status metric_compare##suffix(const fpx_coded *x, const fpx_coded *reference,              \
                                      const double *bound, size_t n,                               \
                                      fpx_comparison *ret_comparison)

METRIC_DECLARE(_scalar);
METRIC_DECLARE(_avx2);

/* CHUNK: elements that stay in the first-level cache; a multiple of the lanes of sums, so that lanes keep. */
enum { METRIC_LANES = 16, METRIC_CHUNK = 512 };

static inline double metric_fold(const double lanes[METRIC_LANES])
{
    double x[METRIC_LANES];

    memcpy(x, lanes, sizeof x);
    for (size_t half = METRIC_LANES / 2; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++)
            x[i] += x[i + half];
    }
    return x[0];
}

#endif /* LIBFPX_METRIC_LEVEL_H */
