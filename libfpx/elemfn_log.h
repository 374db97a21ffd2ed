/* elemfn_log.h - the vector variant of float64 log. */
#ifndef FPX_ELEMFN_LOG_H
#define FPX_ELEMFN_LOG_H

#include <stddef.h>

void fpx_log_f64_avx2(const double *x, double *y, size_t n);

#endif /* FPX_ELEMFN_LOG_H */
