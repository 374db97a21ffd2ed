/* trace_segment.h - one segment file: datasets with room for a fixed number of steps, all made
 * before the first step, so that writing a step touches raw data only. */
#ifndef FPX_TRACE_SEGMENT_H
#define FPX_TRACE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "trace_schema.h"

/* A segment open for writing: no HDF5, only addresses. */
typedef struct fpx_segment {
    char *path;
    int fd;
    uint64_t capacity, committed;
    uint64_t counter;  /* address of the committed counter */
    uint64_t *offsets; /* address of each column's first row */
} fpx_segment;

#define FPX_NO_SEGMENT ((fpx_segment){ .path = NULL, .fd = -1 })

/* Makes PATH.seg/<index>.h5 complete on disk, replacing one that no master names. FPX_EIO,
 * FPX_ENOMEM; *ret_segment is untouched then. */
fpx_status fpx_segment_create(const char *path, uint64_t index, const fpx_schema *schema,
                              fpx_digest layout_digest, fpx_digest chain_before, uint64_t capacity,
                              fpx_segment *ret_segment, fpx_error *err);

/* Writes one row of a column at the step after the last committed one. FPX_EIO. */
fpx_status fpx_segment_put(const fpx_segment *segment, const fpx_schema *schema, size_t column,
                           const void *row, fpx_error *err);

/* Counts that step as committed: one aligned write of 8 bytes. FPX_EIO. */
fpx_status fpx_segment_commit(fpx_segment *segment, fpx_error *err);

/* FPX_EIO where the system reports a late failure; frees in any case. FPX_NO_SEGMENT is fine. */
fpx_status fpx_segment_close(fpx_segment *segment, fpx_error *err);

/* A segment open for reading. */
typedef struct fpx_segment_view {
    char *path;
    fpx_h5_file file;
    uint64_t capacity, committed;
    fpx_digest chain_before;
    uint64_t *offsets; /* UINT64_MAX: not yet looked up and checked */
} fpx_segment_view;

#define FPX_NO_VIEW ((fpx_segment_view){ .path = NULL, .file = { H5I_INVALID_HID, -1, 0 } })

/* FPX_EIO: missing; FPX_EFORMAT: not the segment of this index and layout, or damaged. */
fpx_status fpx_segment_open(const char *path, uint64_t index, const fpx_schema *schema,
                            fpx_digest layout_digest, fpx_segment_view *ret_view, fpx_error *err);

/* Reads `rows` rows of a column, starting at `row`; type, shape and place are checked before. */
fpx_status fpx_segment_get(fpx_segment_view *view, const fpx_schema *schema, size_t column,
                           uint64_t row, uint64_t rows, void *ret_data, fpx_error *err);

void fpx_segment_view_close(fpx_segment_view *view); /* FPX_NO_VIEW is fine */

#endif /* FPX_TRACE_SEGMENT_H */
