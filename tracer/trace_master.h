/* trace_master.h - the master file of a trace: its layout and the list of its segments. */
#ifndef FPX_TRACE_MASTER_H
#define FPX_TRACE_MASTER_H

#include <stdint.h>

#include "trace_layout.h"

/* Version of the files' structure. A reader refuses others. */
enum { FPX_TRACE_FORMAT_VERSION = 2, FPX_TRACE_MAX_SEGMENTS = 1000000 };

/* Puts a master naming `segments` segments in place of the one at `path`, in one step. planned: steps
 * that the whole trace is to have, 0: unknown. FPX_EIO, FPX_ENOMEM. The segments must be there already. */
fpx_status fpx_master_write(const char *path, const fpx_trace_layout *layout, uint64_t segments,
                            uint64_t planned, fpx_error *err);

/* FPX_EIO: missing; FPX_EFORMAT: no master of a trace; FPX_EUNSUPPORTED: of another version.
 * *ret_layout: to be freed with free(). */
fpx_status fpx_master_read(const char *path, fpx_trace_layout **ret_layout,
                           fpx_digest *ret_layout_digest, uint64_t *ret_segments,
                           uint64_t *ret_planned, fpx_error *err);

/* "PATH.seg/000012.h5", to be freed with free(); NULL without memory. `file`: "000012.h5" or "". */
char *fpx_segment_path(const char *path, const char *file);

/* The name beside which the segments lie: where a link leads, else `path`; as above. */
char *fpx_trace_home(const char *path);

#endif /* FPX_TRACE_MASTER_H */
