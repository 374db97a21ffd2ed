/* log_f64.c - float64 log over arrays. */
#include "log_f64.h"

#include <fpx/elemfn.h>

void fpx_log_f64_array(fpx_cpu_level level, const double *x, double *y, size_t n)
{
#ifdef FPX_HAVE_AVX2
    if (level >= FPX_CPU_AVX2) {
        fpx_log_f64_avx2(x, y, n);
        return;
    }
#endif
    (void)level;
    for (size_t i = 0; i < n; i++)
        y[i] = fpx_log_f64(x[i]);
}
