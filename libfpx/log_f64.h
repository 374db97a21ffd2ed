/* log_f64.h - the vector variant of float64 log. */
#ifndef FPX_LOG_F64_H
#define FPX_LOG_F64_H

#include <stddef.h>

void fpx_log_f64_avx2(const double *x, double *y, size_t n);

#endif /* FPX_LOG_F64_H */
