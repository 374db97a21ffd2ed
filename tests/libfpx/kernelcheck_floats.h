/* kernelcheck_floats.h - float32 inputs for the conversions of a format. */
#ifndef FPX_KERNELCHECK_FLOATS_H
#define FPX_KERNELCHECK_FLOATS_H

#include <stddef.h>

#include <fpx/format.h>

/* To be freed. */
float *kc_floats_new(const fpx_format *format, size_t *ret_n);

/* Takes every `step`-th of these in place, and the specials among them; returns their number. */
size_t kc_floats_thin(float *x, size_t n, size_t step);

#endif /* FPX_KERNELCHECK_FLOATS_H */
