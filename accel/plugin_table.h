/* plugin_table.h - is this table of functions one that can be called? */
#ifndef FPX_ACCEL_PLUGIN_TABLE_H
#define FPX_ACCEL_PLUGIN_TABLE_H

#include <stddef.h>

#include <fpx/accel.h>

/* FPX_EUNSUPPORTED: another ABI version, or a table too short for it; FPX_EDEVICE: a function that
 * the ABI requires is missing. With text. */
fpx_status fpx_plugin_table_check(const fpx_accel *table, char *text, size_t text_size);

#endif /* FPX_ACCEL_PLUGIN_TABLE_H */
