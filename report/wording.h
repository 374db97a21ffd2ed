/* wording.h - how shapes, places and bit patterns are written, the same in every kind of report. */
#ifndef REPORT_WORDING_H
#define REPORT_WORDING_H

#include <stddef.h>
#include <stdint.h>

#include <fpx/figure.h>
#include <fpx/tensor.h>

void wording_shape(const fpx_tensor *t, char *text, size_t room); /* "fp32[256,64]" */
void wording_index(const fpx_tensor *t, const uint64_t *index, char *text,
                   size_t room); /* "[80,3]" */
void wording_code(const fpx_format *format, uint64_t code, char *text,
                  size_t room); /* "0x3f800000" */

/* The codes that an equality figure compared: as stored, or where they do not fit a double's 53 bits, those
 * of the values themselves. 0 where the figure compared values, not codes. */
int wording_codes(const fpx_format *format, const fpx_figure *figure, uint64_t *ret_expected,
                  uint64_t *ret_actual);

#endif /* REPORT_WORDING_H */
