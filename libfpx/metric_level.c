/* metric_level.c - which of the two compilations of metric_stats.c and metric_compare.c runs: both give the same bits, for the order of every sum is
 * written out and nothing is fused. */
#include "metric_level.h"

#include <fpx/cpu.h>

static int has_avx2(void)
{
#ifdef FPX_HAVE_AVX2
    return fpx_cpu_in_use() >= FPX_CPU_AVX2;
#else
    return 0;
#endif
}

#ifndef FPX_HAVE_AVX2
#define metric_stats_avx2 metric_stats_scalar
#define metric_compare_avx2 metric_compare_scalar
#endif

fpx_status fpx_stats_codes(const fpx_format *format, double scale, const void *codes, size_t n,
                           fpx_stats *ret_stats)
{
    return has_avx2() ? metric_stats_avx2(format, scale, codes, n, ret_stats)
                      : metric_stats_scalar(format, scale, codes, n, ret_stats);
}

fpx_status fpx_compare_codes(const fpx_coded *x, const fpx_coded *reference, const double *bound,
                             size_t n, fpx_comparison *ret_comparison)
{
    return has_avx2() ? metric_compare_avx2(x, reference, bound, n, ret_comparison)
                      : metric_compare_scalar(x, reference, bound, n, ret_comparison);
}

fpx_status fpx_compare_f64(const double *x, const double *reference, const double *bound, size_t n,
                           fpx_comparison *ret_comparison)
{
    const fpx_coded a = { &fpx_fp64, 1.0, x }, b = { &fpx_fp64, 1.0, reference };

    return fpx_compare_codes(&a, &b, bound, n, ret_comparison);
}
