/* trace_tables.h - the compound types of the master's tables `formats` and `records`. */
#ifndef FPX_TRACE_TABLES_H
#define FPX_TRACE_TABLES_H

#include <hdf5.h>

/* Of fpx_format_row and fpx_record_row (trace_layout.h); to be closed with H5Tclose. */
hid_t fpx_format_row_type(void);
hid_t fpx_record_row_type(void);

#endif /* FPX_TRACE_TABLES_H */
