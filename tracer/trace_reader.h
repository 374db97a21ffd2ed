/* trace_reader.h - a trace that is open for reading, as reading and verifying see it. */
#ifndef FPX_TRACE_READER_H
#define FPX_TRACE_READER_H

#include "trace_segment.h"

typedef struct fpx_span {
    size_t first; /* index of the segment's first step in the trace */
    uint64_t capacity;
} fpx_span;

struct fpx_trace {
    char *path;
    fpx_trace_layout *layout;
    fpx_digest layout_digest;
    fpx_schema schema;
    uint64_t nsegments, planned;
    fpx_span *spans;
    uint64_t *steps;
    size_t nsteps;
    uint64_t open; /* the segment that `view` shows */
    fpx_segment_view view;
    unsigned char
        *row; /* one step of the narrow columns: failures leave the caller's memory alone */
};

/* One row of a part, checked against its digest; it stays until the next row of this column is read. FPX_EFORMAT:
 * damaged. */
fpx_status fpx_trace_part(fpx_trace *trace, size_t index, size_t part, const void **ret_row,
                          fpx_error *err);

#endif /* FPX_TRACE_READER_H */
