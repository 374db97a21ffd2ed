/* metric_level.h - the two functions of fpx/metric.h by the level that their loops are compiled for. */
#ifndef LIBFPX_METRIC_LEVEL_H
#define LIBFPX_METRIC_LEVEL_H

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

#endif /* LIBFPX_METRIC_LEVEL_H */
