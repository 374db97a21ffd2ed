/* trace_writer.h - a trace that is open for writing, as starting it and adding steps see it. */
#ifndef FPX_TRACE_WRITER_H
#define FPX_TRACE_WRITER_H

#include "trace_segment.h"

struct fpx_trace_writer {
    char *path;
    int lock; /* the folder of segments, locked: one writer at a time */
    fpx_trace_layout *layout;
    fpx_digest layout_digest;
    fpx_schema schema;
    fpx_segment segment;
    uint64_t segments; /* named by the master */
    uint64_t left;     /* steps expected; 0: unknown */
    uint64_t planned;  /* steps that the whole trace is to have; 0: unknown */

    uint8_t *row;        /* one step of the narrow columns */
    uint8_t *unpacked;   /* one record of 4-bit codes, one a byte; NULL: no such record */
    fpx_digest *digests; /* nrecords, then nops: in one list each */
    int in_step;
    uint64_t step;
    size_t next; /* record */

    int has_last;
    uint64_t last; /* the last step committed here or found */
    fpx_digest chain;

    fpx_trace *earlier; /* steps recorded before: compared, not written; NULL once past them */
    size_t earlier_index;
    int diverged;
    fpx_error finding; /* what the comparison said */
};

#endif /* FPX_TRACE_WRITER_H */
